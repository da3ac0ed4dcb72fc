"""What was done: operations newest first, with what they changed; in other people's spaces only what a guest sees."""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any, Final

from sqlalchemy import ColumnElement, Select, and_, exists, func, or_, select

from mcp_server.tasks.calendar.dates import When, instant_us, resolve
from mcp_server.tasks.calendar.periods import period
from mcp_server.tasks.cursors import Cursors
from mcp_server.tasks.names import Kind, Named, unknown_name
from mcp_server.tasks.past.merging import Change
from mcp_server.tasks.refs import NUMBER, resolve_refs, split_alias
from mcp_server.tasks.sight import Area, Sight
from mcp_server.tasks.spaces import person_of
from mcp_server.tasks.tables import changes, comments, completions, lists, members, ops, tasks
from mcp_server.tasks.words import fold
from shared.db import Tx
from shared.errors import Problem

CHANGES_SHOWN: Final = 20  # of one operation
ME: Final = "me"
AGENT: Final = "agent"
_LIST: Final = re.compile(r"[Ll](\d{1,15})", re.ASCII)


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked about the past, in the words of who asks."""

    ref: str = ""
    since: str = ""
    until: str = ""
    actor: str = ""


@dataclass(frozen=True, slots=True)
class Entry:
    """One operation, with the first of its changes. `size` counts all of them that are to be seen."""

    op: int
    at_us: int
    person: str
    by_agent: bool
    client: str
    tool: str
    undo_of: int | None
    undone_by: int | None
    changes: Sequence[Change]
    size: int


@dataclass(frozen=True, slots=True)
class History:
    """Some operations of one space, and the names that appear in them, those of what is gone too."""

    entries: Sequence[Entry]
    area: Area
    has_more: bool
    task_of: dict[int, int]  # by the number of a comment
    question: str

    def cursor(self, cursors: Cursors, last: Entry) -> str:
        """How to go on after an entry."""
        return cursors.seal(self.question, [last.op])


async def read_history(tx: Tx, sight: Sight, asked: Question, *, limit: int, cursor: str, cursors: Cursors) -> History:
    """The operations that fit the question, newest first."""
    area, subject = await _subject(tx, sight, asked.ref)
    space_id = area.space.id
    sealed = json.dumps([space_id, subject, asked.since, asked.until, asked.actor])
    which: list[ColumnElement[bool]] = [ops.c.space_id == space_id]
    if cursor:
        [last] = cursors.open(sealed, cursor)
        which.append(ops.c.rev < last)
    which += _between(tx, sight, asked)
    which += await _by(tx, sight, space_id, asked.actor)
    seen = and_(changes.c.space_id == space_id, *_seen(area, subject))
    if subject:
        which.append(ops.c.rev.in_(select(changes.c.rev).where(seen)))
    since_us = await _member_since(tx, sight, area, subject)
    if since_us:
        which.append(ops.c.at_us >= since_us)
    if not subject:
        seen = and_(seen, changes.c.n <= CHANGES_SHOWN)
    entries = await _read(tx, which, seen, limit + 1, whole=subject is None)
    has_more, entries = len(entries) > limit, entries[:limit]
    entries = entries if area.is_own else await _without_hidden(tx, area, entries)
    area = replace(area, names=area.names.including(await _gone_names(tx, area, entries)))
    return History(entries, area, has_more, await _tasks_of_comments(tx, space_id, entries), sealed)


# A task or a list, by its number; nothing asks for everything in the caller's own space.
Subject = tuple[str, int] | None


async def _subject(tx: Tx, sight: Sight, ref: str) -> tuple[Area, Subject]:
    if not ref.strip():
        return sight.own, None
    area, name = split_alias(sight, ref)
    if found := _LIST.fullmatch(name):
        return area, ("list", await _list_numbered(tx, area, int(found[1]), ref))
    if not NUMBER.fullmatch(name):
        try:
            area, list_no = sight.place(ref)
        except Problem as problem:
            if problem.code == "ambiguous_ref":
                raise
        else:
            return area, ("list", list_no)
    task = (await resolve_refs(tx, sight, [ref], trash=True))[ref]
    return sight.area(task.space_id), ("task", task.no)


async def _list_numbered(tx: Tx, area: Area, number: int, ref: str) -> int:
    if area.names.get(number) is not None:
        return number
    is_there = exists().where(lists.c.space_id == area.space.id, lists.c.no == number)
    if not area.is_own or number >= 2**63 or not (await tx.all(select(is_there)))[0][0]:
        raise unknown_name(Kind.LIST, ref, (row.name for row in area.names.of(Kind.LIST)))
    return number


def _between(tx: Tx, sight: Sight, asked: Question) -> list[ColumnElement[bool]]:
    """The bounds; a day or a period counts from its beginning, and to its end."""
    bounds = []
    if asked.since:
        bounds.append(ops.c.at_us >= _bound(tx, sight, asked.since, is_end=False))
    if asked.until:
        bounds.append(ops.c.at_us < _bound(tx, sight, asked.until, is_end=True))
    return bounds


def _bound(tx: Tx, sight: Sight, text: str, *, is_end: bool) -> int:
    habits = sight.own.space.habits
    try:
        when = resolve(text, tx.now, habits, prefer="past")
    except Problem:
        when = None  # a period, or a date whose refusal comes below
    if when is None or when.minutes is None:
        days = period(text, tx.now, habits, prefer="past")
        when = When(days.last + timedelta(1) if is_end else days.first, 0, when.zone if when else None)
    elif is_end:
        when = replace(when, minutes=when.minutes + 1)
    instant = instant_us(when, habits.zone)
    assert instant is not None
    return instant


async def _by(tx: Tx, sight: Sight, space_id: str, actor: str) -> list[ColumnElement[bool]]:
    if not actor:
        return []
    if fold(actor) == AGENT:
        return [ops.c.via == "agent"]
    if fold(actor) == ME:
        return [ops.c.actor == tx.caller.key]
    person = sight.person(actor)
    known = await tx.all(select(ops.c.actor).where(ops.c.space_id == space_id).distinct())
    return [ops.c.actor.in_([row.actor for row in known if person_of(row.actor) == person])]


def _seen(area: Area, subject: Subject) -> list[ColumnElement[bool]]:
    """The changes of what is asked about."""
    if subject is None:
        return []
    kind, number = subject
    places = area.names.with_sections(number) if kind == "list" else ()
    inside = select(tasks.c.no).where(
        area.rows(), tasks.c.no == number if kind == "task" else tasks.c.list_no.in_(places)
    )
    about = [
        and_(changes.c.kind == "task", changes.c.no.in_(inside)),
        _belongs(comments, "comment", inside, area),
        and_(changes.c.kind == "list", changes.c.no.in_(places)),
    ]
    if not area.is_own:
        return [or_(*about), _since_it_came(area)]
    shared = and_(changes.c.kind == "member", changes.c.no.in_(places))
    return [or_(*about, shared, _belongs(completions, "completion", inside, area))]


def _belongs(table: Any, kind: str, inside: Select[tuple[int]], area: Area) -> ColumnElement[bool]:
    belonging = select(table.c.no).where(table.c.space_id == area.space.id, table.c.task_no.in_(inside))
    return and_(changes.c.kind == kind, changes.c.no.in_(belonging))


def _since_it_came(area: Area) -> ColumnElement[bool]:
    """What a task was before it was moved to where the guest sees it, is none of his business."""
    coming, talk = changes.alias("coming"), comments.alias("talk")
    about = (
        select(talk.c.task_no)
        .where(talk.c.space_id == area.space.id, talk.c.no == changes.c.no)
        .correlate(changes)
        .scalar_subquery()
    )
    came_later = and_(
        coming.c.space_id == area.space.id,
        coming.c.kind == "task",
        coming.c.rev >= changes.c.rev,
        coming.c.before["list_no"].as_integer().not_in(area.list_numbers),
    )
    return ~or_(
        and_(changes.c.kind == "task", exists().where(came_later, coming.c.no == changes.c.no)),
        and_(changes.c.kind == "comment", exists().where(came_later, coming.c.no == about)),
    )


async def _member_since(tx: Tx, sight: Sight, area: Area, subject: Subject) -> int:
    if area.is_own or subject is None:
        return 0
    kind, number = subject
    if kind == "task":
        row = await tx.one(select(tasks.c.list_no).where(area.rows(), tasks.c.no == number))
        number = row.list_no if row is not None else number
    since = await tx.one(
        select(members.c.since_us).where(
            members.c.space_id == area.space.id,
            members.c.list_no == area.names.list_of(number),
            members.c.user_key == sight.own.space.id,
        )
    )
    return since.since_us if since is not None else tx.now_us


async def _read(
    tx: Tx, which: Sequence[ColumnElement[bool]], seen: ColumnElement[bool], limit: int, *, whole: bool
) -> list[Entry]:
    """The operations with the first changes of each, in one statement. `whole` says that all changes are to be seen."""
    page = (
        select(
            ops.c.rev,
            ops.c.at_us,
            ops.c.actor,
            ops.c.via,
            ops.c.client,
            ops.c.tool,
            ops.c.undo_of,
            ops.c.undone_by,
            ops.c.size,
        )
        .where(*which)
        .order_by(ops.c.rev.desc())
        .limit(limit)
        .cte("page")
    )
    each = (
        select(
            changes.c.rev,
            changes.c.n,
            changes.c.kind,
            changes.c.no,
            changes.c.before,
            changes.c.after,
            func.row_number().over(partition_by=changes.c.rev, order_by=changes.c.n).label("place"),
            func.count().over(partition_by=changes.c.rev).label("seen"),
        )
        .where(seen, changes.c.rev.in_(select(page.c.rev)))
        .subquery("each")
    )
    rows = await tx.all(
        select(page, each.c.kind, each.c.no, each.c.before, each.c.after, each.c.seen)
        .outerjoin_from(page, each, and_(each.c.rev == page.c.rev, each.c.place <= CHANGES_SHOWN))
        .order_by(page.c.rev.desc(), each.c.n)
    )
    entries: dict[int, Entry] = {}
    for row in rows:
        rev, at_us, actor, via, client, tool, undo_of, undone_by, size, kind, no, before, after, seen_size = row
        size = size if whole else seen_size or 0
        entry = Entry(rev, at_us, person_of(actor), via == "agent", client, tool, undo_of, undone_by, (), size)
        entry = entries.setdefault(rev, entry)
        if kind is not None:
            entries[rev] = replace(entry, changes=[*entry.changes, Change(kind, no, before, after)])
    return list(entries.values())


async def _without_hidden(tx: Tx, area: Area, entries: Sequence[Entry]) -> list[Entry]:
    """The changes without the numbers of tasks that a guest does not see."""
    named = {number for entry in entries for change in entry.changes for number in _tasks_named(change)}
    visible = set()
    if named:
        rows = await tx.all(select(tasks.c.no).where(area.rows(), tasks.c.no.in_(sorted(named))))
        visible = {row.no for row in rows}
    hidden = named - visible
    return [replace(entry, changes=[_cleaned(change, hidden) for change in entry.changes]) for entry in entries]


def _tasks_named(change: Change) -> list[int]:
    if change.kind != "task":
        return []
    images = [image for image in (change.before, change.after) if image]
    parents = [image["parent_no"] for image in images if image.get("parent_no") is not None]
    return [*parents, *(number for image in images for number in image.get("blocked_by", ()))]


def _cleaned(change: Change, hidden: set[int]) -> Change:
    if not hidden.intersection(_tasks_named(change)):
        return change
    before, after = (
        None
        if image is None
        else {
            name: [number for number in value if number not in hidden] if name == "blocked_by" else value
            for name, value in image.items()
            if not (name == "parent_no" and value in hidden)
        }
        for image in (change.before, change.after)
    )
    return replace(change, before=before, after=after)


async def _gone_names(tx: Tx, area: Area, entries: Sequence[Entry]) -> list[Named]:
    """The names of what is gone, for the caller's own past."""
    numbers = {number for entry in entries for change in entry.changes for number in _names_named(change)}
    unknown = sorted(number for number in numbers if number and area.names.get(number) is None)
    if not unknown or not area.is_own:
        return []
    rows = await tx.all(
        select(lists.c.no, lists.c.kind, lists.c.name, lists.c.parent_no, lists.c.options).where(
            lists.c.space_id == area.space.id, lists.c.no.in_(unknown)
        )
    )
    return [Named(no, Kind(kind), name, parent_no, options=options) for no, kind, name, parent_no, options in rows]


def _names_named(change: Change) -> list[int]:
    if change.kind in ("list", "member"):
        return [change.no, *(image.get("parent_no", 0) for image in (change.before, change.after) if image)]
    if change.kind != "task":
        return []
    images = [image for image in (change.before, change.after) if image]
    found = [image["list_no"] for image in images if "list_no" in image]
    for image in images:
        found += [*image.get("tags", ()), *map(int, image.get("fields", {}))]
    return found


async def _tasks_of_comments(tx: Tx, space_id: str, entries: Sequence[Entry]) -> dict[int, int]:
    numbers = sorted({change.no for entry in entries for change in entry.changes if change.kind == "comment"})
    if not numbers:
        return {}
    rows = await tx.all(
        select(comments.c.no, comments.c.task_no).where(comments.c.space_id == space_id, comments.c.no.in_(numbers))
    )
    return {row.no: row.task_no for row in rows}
