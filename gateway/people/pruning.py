"""What has been kept for long enough, and that it goes.

Any number of processes may prune at once, beside those that answer: what somebody has locked is left for the next time.
Whoever is interrupted leaves nothing behind that the next one does not find.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from sqlalchemy import ColumnElement, Table, and_, false, func, or_, select, tuple_, update

from gateway.attachments import Keeping, sweep, unneeded
from gateway.attachments.rows import burying
from gateway.people.passing import PAGE, Rule, Step, count_found, counting, delete_found, deleting, each_page, key
from gateway.sessions import SELF, is_over
from gateway.tables import (
    chat_attachments,
    chat_feedback,
    chat_items,
    chat_pending,
    chat_threads,
    chat_turns,
    chat_usage,
    revocations,
    sessions,
)
from shared.db import Database, Tx
from shared.retention import Retention
from shared.revocations import is_past

DAY_US: Final = 86_400_000_000
USAGE_DAYS: Final = 35
_AT_ONCE: Final = 100  # threads in one statement
EMPTIED: Final = "conversations"
# What lies in a thread and goes with it.
_CONTENTS: Final = (chat_items, chat_turns, chat_pending, chat_feedback)
_DELETED: Final = chat_threads.c.deleted_us.is_not(None)


async def prune(
    database: Database, kept: Retention, keeping: Keeping | None = None, *, dry_run: bool = False
) -> dict[str, int]:
    """Delete what is past its time, and return how many rows of which table that was.

    A conversation in which nothing has happened for so many days is emptied, as when its owner deletes it: a row stays
    that no late answer can fill. In a dry run nothing is changed, and what would go is counted. Without a place where
    attachments are kept, theirs are left alone.
    """
    counts = {EMPTIED: await each_page(database, chat_threads, _emptying(kept, dry_run), write=not dry_run)}
    counts |= dict.fromkeys((table.name for table in _CONTENTS), 0)
    await each_page(database, chat_threads, _clearing(kept, dry_run, counts), write=not dry_run)
    for table, rule in _rules(kept).items():
        if dry_run:
            step = counting(table, _not_inside(table, kept, rule))
        else:
            step = deleting(table, rule, may_lock=table is not revocations)
        counts[table.name] = counts.get(table.name, 0) + await each_page(database, table, step, write=not dry_run)
    if keeping is not None:
        async with database.begin(SELF) as tx:
            now = tx.now
        counts[chat_attachments.name] = await (unneeded(database, now) if dry_run else sweep(database, keeping, now))
    return counts


def _emptying(kept: Retention, dry_run: bool) -> Step:
    """Make what is idle a deleted thread, whose contents are left to be cleared."""
    idle = _is_idle(kept)

    async def step(tx: Tx, page: ColumnElement[bool]) -> int:
        found = await tx.all(
            select(*key(chat_threads))
            .where(page, idle(tx.now_us))
            .order_by(*key(chat_threads))
            .with_for_update(skip_locked=True)
        )
        # Only now nothing can be added to them; until now it could.
        still = tuple_(*key(chat_threads)).in_([tuple(row) for row in found]) & idle(tx.now_us)
        empty = (
            update(chat_threads)
            .where(still)
            .values(title=None, title_by="none", data="", history_from=None, deleted_us=tx.now_us)
        )
        emptied = [tuple(row) for row in await tx.all(empty.returning(*key(chat_threads)))] if found else []
        if emptied:
            files = chat_attachments.c
            await tx.execute(burying(tuple_(files.owner, files.thread_id).in_(emptied)))
        return len(emptied)

    return counting(chat_threads, idle) if dry_run else step


def _clearing(kept: Retention, dry_run: bool, counts: dict[str, int]) -> Step:
    """Delete what lies in deleted threads, some threads at a time; a dry run counts it, with what lies in idle ones."""
    idle = _is_idle(kept)
    filled = or_(*(select(table.c.owner).where(_lies_in_thread(table)).exists() for table in _CONTENTS))

    async def step(tx: Tx, page: ColumnElement[bool]) -> int:
        cleared = or_(_DELETED, idle(tx.now_us)) if dry_run else _DELETED
        found = [tuple(row) for row in await tx.all(select(*key(chat_threads)).where(page, cleared, filled))]
        done = 0
        for some in (found[start : start + _AT_ONCE] for start in range(0, len(found), _AT_ONCE)):
            for table in _CONTENTS:
                inside = select(*key(table)).where(tuple_(table.c.owner, table.c.thread_id).in_(some))
                rows = await (count_found(tx, inside) if dry_run else delete_found(tx, table, inside))
                counts[table.name] += rows
                done += rows
            if done >= PAGE and not dry_run:
                break
        return done

    return step


def _not_inside(table: Table, kept: Retention, rule: Rule) -> Rule:
    """The same rule without the rows that go with their thread, which have been counted."""
    if table not in _CONTENTS:
        return rule
    idle = _is_idle(kept)

    def outside(now_us: int) -> ColumnElement[bool]:
        cleared = select(chat_threads.c.id).where(_lies_in_thread(table), or_(_DELETED, idle(now_us)))
        return and_(rule(now_us), ~cleared.exists())

    return outside


def _lies_in_thread(table: Table) -> ColumnElement[bool]:
    return and_(chat_threads.c.owner == table.c.owner, chat_threads.c.id == table.c.thread_id)


def _is_idle(kept: Retention) -> Rule:
    """A living thread that is old, as is everything in it, and in which nobody answers at this moment."""

    def rule(now_us: int) -> ColumnElement[bool]:
        if not kept.threads:
            return false()
        since_us = now_us - kept.threads * DAY_US
        # By other names, because the same tables may be what is being looked through.
        thread, item, lease = chat_threads.c, chat_items.alias("newest").c, chat_turns.alias("running").c
        # The newest one is a single step in the order index, whatever the planner thinks of the table.
        newest_us = select(func.max(item.created_us)).where(item.owner == thread.owner, item.thread_id == thread.id)
        unused = func.coalesce(newest_us.scalar_subquery(), thread.created_us) < since_us
        running = select(lease.run_id).where(
            lease.owner == thread.owner, lease.thread_id == thread.id, lease.expires_us > now_us
        )
        return and_(~_DELETED, thread.created_us < since_us, unused, ~running.exists())

    return rule


def _rules(kept: Retention) -> Mapping[Table, Rule]:
    """What is past its time, table by table."""
    thread, item, lease, vote = chat_threads.c, chat_items.c, chat_turns.c, chat_feedback.c

    def is_forgotten(now_us: int) -> ColumnElement[bool]:
        """The row that is left of a deleted thread, when nothing lies in it any more."""
        if not kept.deleted:
            return false()
        inside = (
            select(table.c.owner).where(table.c.owner == thread.owner, table.c.thread_id == thread.id).exists()
            for table in _CONTENTS
        )
        return and_(thread.deleted_us < now_us - kept.deleted * DAY_US, *(~some for some in inside))

    def is_left_over(now_us: int) -> ColumnElement[bool]:
        """A lease of an answer that died. What that one has written stays until somebody reads the thread."""
        living = select(thread.id).where(thread.owner == lease.owner, thread.id == lease.thread_id)
        return and_(lease.expires_us < now_us - DAY_US, or_(lease.partial.is_(None), ~living.exists()))

    def is_closed(now_us: int) -> ColumnElement[bool]:
        """A question that nobody can answer any more, or has answered."""
        return chat_pending.c.expires_us < now_us - DAY_US

    def is_about_nothing(_: int) -> ColumnElement[bool]:
        """A vote about an answer that is gone."""
        there = select(item.id).where(
            item.owner == vote.owner, item.thread_id == vote.thread_id, item.id == vote.item_id
        )
        return ~there.exists()

    return MappingProxyType(
        {
            chat_threads: is_forgotten,
            chat_turns: is_left_over,
            chat_pending: is_closed,
            chat_feedback: is_about_nothing,
            sessions: is_over,
            chat_usage: lambda now_us: chat_usage.c.day < now_us // DAY_US - USAGE_DAYS,
            revocations: lambda now_us: is_past(revocations, now_us),
        }
    )
