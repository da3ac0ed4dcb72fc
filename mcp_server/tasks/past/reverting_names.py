"""Lists, sections, tags, views and fields as they were before one operation; nothing goes that is still in use."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from sqlalchemy import and_, exists, select

from mcp_server.tasks.names import Kind, Named
from mcp_server.tasks.past.conflicts import Conflict
from mcp_server.tasks.past.merging import Change, Merged, changed_since, taken_back
from mcp_server.tasks.past.reverting_tasks import GONE, numbers_in
from mcp_server.tasks.tables import changes, lists, task_tags, tasks
from mcp_server.tasks.writing.journal import Op
from mcp_server.tasks.writing.naming import image_of, read_names, save_names, with_image

Pair = tuple[Named, Named]


@dataclass(slots=True)
class RevertedNames:
    """Names that go when the tasks have gone, and what stays as it is."""

    leaving: list[Pair] = field(default_factory=list)
    created: set[int] = field(default_factory=set)
    conflicts: list[Conflict] = field(default_factory=list)
    overwritten: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


async def revert_names(op: Op, rev: int, first: int, recorded: Sequence[Change], *, force: bool) -> RevertedNames:
    """Take back what the operation `rev` did to names. Those that have to go wait for `remove_unused`.

    `first` is the write with which undoing and redoing began. What that one deleted goes again, however many tasks have
    it; what it created goes only if nothing uses it.
    """
    done = RevertedNames()
    if not recorded:
        return done
    there = await read_names(op, numbers_in(op, rev, "list"))
    created = numbers_in(op, first, "list").where(changes.c.before.is_(None))
    done.created = {row.no for row in await op.tx.all(created)}
    changed: list[Pair] = []
    for change in recorded:
        row = there.get(change.no)
        if row is None:
            done.conflicts.append(Conflict("list", change.no, op.area.label(f"L{change.no}"), reasons=GONE))
            continue
        merged = _merged(op, row, change, force=force)
        if merged.lost and force:
            done.overwritten.append(f"{name_shown(op, row)} ({', '.join(merged.lost)})")
        elif merged.lost:
            # What the owner has made of a tag is nothing that a guest gets to know.
            lost, reasons = (merged.lost, {}) if op.area.is_own else ((), {"": "changed since"})
            done.conflicts.append(Conflict("list", change.no, name_shown(op, row), lost, reasons))
        if merged.values:
            now = with_image(row, merged.values)
            goes = row.deleted_us is None and now.deleted_us is not None
            (done.leaving if goes else changed).append((row, now))
    await save_names(op, await _fitting(op, changed, done))
    return done


async def remove_unused(op: Op, done: RevertedNames) -> None:
    """Let the names go that have to, as far as nothing uses them now."""
    if not done.leaving:
        return
    needed = [row for row, _ in done.leaving if row.no in done.created or row.kind in (Kind.LIST, Kind.SECTION)]
    used = await _in_use(op, needed)
    await save_names(op, [(row, now) for row, now in done.leaving if row.no not in used])
    done.notes += [f"{name_shown(op, row)} stays, because it is in use" for row, _ in done.leaving if row.no in used]


def name_shown(op: Op, row: Named) -> str:
    """What a name is called in a sentence; a guest hears only names that he may know."""
    if op.area.is_own or op.area.names.get(row.no) is not None:
        return f'{row.kind.value} "{row.name}"'
    return f"a {row.kind.value}"


def _merged(op: Op, row: Named, change: Change, *, force: bool) -> Merged:
    now = image_of(row)
    if change.before is not None:
        return taken_back(now, change.before, change.after or {}, force=force)
    if row.deleted_us is not None:
        return Merged()
    lost = changed_since(now, change.after or {}, image_of(replace(_NOTHING, kind=row.kind)))
    return Merged({} if lost and not force else {"deleted_us": op.tx.now_us}, lost)


async def _fitting(op: Op, changed: Sequence[Pair], done: RevertedNames) -> list[Pair]:
    """The changes that leave every name unique and every section in a list."""
    living = [now for _, now in changed if now.deleted_us is None]
    taken = await _living_with_names_of(op, living)
    kept: list[Pair] = []
    for row, now in sorted(changed, key=lambda pair: pair[1].kind is Kind.SECTION):
        key = (now.kind, now.parent_no, now.key)
        if now.deleted_us is None and taken.get(key, now.no) != now.no:
            reasons = {"name": f'another {now.kind.value} is called "{now.name}" now'}
            done.conflicts.append(Conflict("list", now.no, name_shown(op, row), reasons=reasons, code="name_taken"))
        elif now.deleted_us is None and now.parent_no and not _is_live(op, now.parent_no, kept):
            done.conflicts.append(Conflict("list", now.no, name_shown(op, row), reasons={"": "its list is gone"}))
        else:
            kept.append((row, now))
            if now.deleted_us is None:
                taken[key] = now.no
    return kept


async def _living_with_names_of(op: Op, rows: Sequence[Named]) -> dict[tuple[Kind, int, str], int]:
    # Of the whole space: a guest's tag must not meet one that he does not see.
    found = await op.tx.all(
        select(lists.c.kind, lists.c.parent_no, lists.c.name_key, lists.c.no).where(
            lists.c.space_id == op.space.id,
            lists.c.deleted_us.is_(None),
            lists.c.name_key.in_(sorted({row.key for row in rows})),
        )
    )
    return {(Kind(kind), parent_no, key): no for kind, parent_no, key, no in found}


def _is_live(op: Op, list_no: int, kept: Sequence[Pair]) -> bool:
    coming = next((now for _, now in kept if now.no == list_no), None)
    return coming.deleted_us is None if coming else op.area.names.get(list_no) is not None


async def _in_use(op: Op, rows: Sequence[Named]) -> set[int]:
    """Those of the names that a task has which is not in the trash, or that a section lies in which stays."""
    by_kind: dict[Kind, list[int]] = {}
    for row in rows:
        by_kind.setdefault(row.kind, []).append(row.no)
    places = [*by_kind.get(Kind.LIST, []), *by_kind.get(Kind.SECTION, [])]
    live = and_(tasks.c.space_id == op.space.id, tasks.c.deleted_us.is_(None))
    used: set[int] = set()
    if places:
        found = await op.tx.all(select(tasks.c.list_no).where(live, tasks.c.list_no.in_(places)).distinct())
        used |= {row.list_no for row in found}
        sections = await op.tx.all(
            select(lists.c.no, lists.c.parent_no).where(
                lists.c.space_id == op.space.id,
                lists.c.kind == Kind.SECTION,
                lists.c.parent_no.in_(places),
                lists.c.deleted_us.is_(None),
            )
        )
        used |= {row.parent_no for row in sections if row.no in used or row.no not in places}
    if numbers := by_kind.get(Kind.TAG):
        found = await op.tx.all(
            select(task_tags.c.tag_no)
            .join_from(
                task_tags, tasks, and_(tasks.c.space_id == task_tags.c.space_id, tasks.c.no == task_tags.c.task_no)
            )
            .where(task_tags.c.space_id == op.space.id, task_tags.c.tag_no.in_(numbers), live)
            .distinct()
        )
        used |= {row.tag_no for row in found}
    if numbers := by_kind.get(Kind.FIELD):
        with_value = [exists().where(live, tasks.c.fields[str(no)].as_string().is_not(None)) for no in numbers]
        [are_used] = await op.tx.all(select(*with_value))
        used |= {no for no, is_used in zip(numbers, are_used, strict=True) if is_used}
    return used


_NOTHING: Final = Named(0, Kind.LIST, "")
