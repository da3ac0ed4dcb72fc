"""Undo: one operation taken back exactly. It is an operation itself, so undoing an undo redoes it."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any, Final

from sqlalchemy import bindparam, select, update

from mcp_server.tasks.calendar.dates import shown
from mcp_server.tasks.organizing.settings import SETTINGS, ZONE, save_settings
from mcp_server.tasks.past.conflicts import Conflict, Told, moment, told
from mcp_server.tasks.past.merging import Change, folded, taken_back
from mcp_server.tasks.past.reverting_names import remove_unused, revert_names
from mcp_server.tasks.past.reverting_tasks import revert_comments, revert_completions, revert_tasks
from mcp_server.tasks.sight import read_sight
from mcp_server.tasks.tables import changes, ops
from mcp_server.tasks.task import Task
from mcp_server.tasks.words import fold
from mcp_server.tasks.writing.journal import Op
from shared.db import AnyRow, Tx
from shared.errors import Problem

KEPT: Final = timedelta(days=90)
SHARING: Final = "share"
_WRITTEN: Final = re.compile(
    r"(?:op\s*)?(?:(?P<alias>[^:\s]+)\s*:\s*)?(?:op\s*)?#?(?P<number>\d{1,15})", re.IGNORECASE | re.ASCII
)


@dataclass(frozen=True, slots=True)
class Undone:
    """What was taken back, as it was and as it is now; what was left alone; and what to say."""

    tasks: Sequence[tuple[Task, Task]]
    others: Sequence[Change]  # of names, comments and settings
    conflicts: Sequence[Told]
    notes: Sequence[str]

    @property
    def size(self) -> int:
        """How many things were taken back."""
        return len(self.tasks) + len(self.others)


@dataclass(frozen=True, slots=True)
class Reference:
    """An operation as it was asked for: whose space it is in, and its number. Without a number, the last one."""

    alias: str
    number: int | None


def reference(which: str) -> Reference:
    """What `4711`, `op 4711` and `ann:17` mean; nothing means the last write of the same client."""
    if not which.strip():
        return Reference("", None)
    found = _WRITTEN.fullmatch(which.strip())
    if found is None:
        raise _unknown(which)
    return Reference(found["alias"] or "", int(found["number"]))


async def where_last(tx: Tx, tz: str) -> str:
    """What the caller calls the owner of the space in which this client of his wrote last; nothing for his own."""
    sight = await read_sight(tx, tz)
    if not sight.shared:
        return ""
    last = [(row.at_us, area.alias) for area in sight.areas if (row := await tx.one(_last(tx, area.space.id)))]
    return max(last, default=(0, ""))[1]


async def undo(op: Op, which: str, *, force: bool) -> Undone:
    """Take back an operation as far as nobody changed the same since; `force` takes back all the same.

    Raises `unknown_op`, `nothing_to_undo`, `undo_expired`, and `conflict` if nothing can be taken back.
    """
    target = await _target(op, which)
    rows = await op.tx.all(
        select(changes.c.kind, changes.c.no, changes.c.before, changes.c.after)
        .where(changes.c.space_id == op.space.id, changes.c.rev == target.rev)
        .order_by(changes.c.n)
    )
    by_kind: dict[str, list[Change]] = {}
    for change in folded(Change(*row) for row in rows):
        by_kind.setdefault(change.kind, []).append(change)
    kept_settings = await _revert_settings(op, by_kind.get("setting", ()), force=force)
    chain = await _chain(op, target)
    first = chain[-1] if chain else target.rev
    names = await revert_names(op, target.rev, first, by_kind.get("list", ()), force=force)
    done = await revert_tasks(op, target.rev, by_kind.get("task", ()), force=force)
    await revert_completions(op, target.rev, by_kind.get("completion", ()), done)
    await revert_comments(op, target.rev, by_kind.get("comment", ()), done)
    await remove_unused(op, names)
    conflicts = await told(op, target.rev, _merged([*kept_settings, *names.conflicts, *done.conflicts]))
    notes = [*names.notes, *done.notes]
    if not op.recorded:
        raise _nothing(op, target, conflicts, notes, force=force)
    await _mark(op, target.rev, chain)
    overwritten = [*names.overwritten, *done.overwritten]
    if overwritten:
        more = f" and {len(overwritten) - 5:,} more" if len(overwritten) > 5 else ""
        notes.append(f"overwritten: {', '.join(overwritten[:5])}{more}")
    at = moment(op.sight, op.tx.now, target.at_us)
    notes.insert(0, f"this undoes op {op.area.label(str(target.rev))} ({target.tool} at {at})")
    others = [Change(**change) for change in op.recorded if change["kind"] not in ("task", "completion")]
    return Undone(done.tasks, others, conflicts, notes)


async def _target(op: Op, which: str) -> AnyRow:
    asked = reference(which)
    if asked.number is None:
        row = await op.tx.one(_last(op.tx, op.space.id))
        if row is None:
            raise Problem("nothing_to_undo", "this client has written nothing that is left", "name an op of history")
    else:
        is_meant = asked.number < 2**63 and fold(asked.alias) == fold(op.area.alias)
        found = _OPS.where(ops.c.space_id == op.space.id, ops.c.rev == (asked.number if is_meant else 0))
        # In somebody else's space only what the caller did himself; the rest might as well not be there.
        row = await op.tx.one(found if op.area.is_own else found.where(ops.c.actor == op.tx.caller.key))
        if row is None:
            raise _unknown(which)
    if row.tool == SHARING:
        raise Problem("nothing_to_undo", f"op {row.rev} changed who may see a list, which is not undone", "use share")
    if row.at_us < op.tx.now_us - KEPT // timedelta(microseconds=1):
        raise Problem("undo_expired", f"op {op.area.label(str(row.rev))} is older than {KEPT.days} days")
    return row


_OPS: Final = select(ops.c.rev, ops.c.at_us, ops.c.tool, ops.c.undo_of, ops.c.undone_by)


def _last(tx: Tx, space_id: str) -> Any:
    return (
        _OPS.where(ops.c.space_id == space_id, ops.c.actor == tx.caller.key, ops.c.client == tx.caller.client_id)
        .where(ops.c.undone_by.is_(None), ops.c.undo_of.is_(None), ops.c.tool != SHARING)
        .order_by(ops.c.rev.desc())
        .limit(1)
    )


def _unknown(which: str) -> Problem:
    return Problem("unknown_op", f'there is no operation "{shown(which)}" that you can undo', "history lists them")


async def _revert_settings(op: Op, recorded: Iterable[Change], *, force: bool) -> list[Conflict]:
    names = {setting.key: name for name, setting in SETTINGS.items()}
    conflicts = []
    for change in recorded:
        keys = change.after or {}
        now = {key: op.space.tz if key == ZONE else op.space.settings.get(key) for key in keys}
        merged = taken_back(now, change.before or {}, keys, force=force)
        if merged.lost and not force:
            conflicts += [Conflict("setting", 0, f"setting {names[key]}", (key,)) for key in merged.lost]
        await save_settings(op, merged.values)
    return conflicts


def _merged(conflicts: Iterable[Conflict]) -> list[Conflict]:
    """One conflict for each thing."""
    found: dict[tuple[str, int], Conflict] = {}
    for one in conflicts:
        key = (one.kind, one.no)
        first = found.setdefault(key, one)
        fields = tuple(dict.fromkeys((*first.fields, *one.fields)))
        reasons, forceable = {**first.reasons, **one.reasons}, first.forceable or one.forceable
        found[key] = replace(first, fields=fields, reasons=reasons, forceable=forceable)
    return list(found.values())


def _nothing(op: Op, target: AnyRow, conflicts: Sequence[Told], notes: Sequence[str], *, force: bool) -> Problem:
    """Why nothing was taken back."""
    label = op.area.label(str(target.rev))
    if conflicts:
        more = f" and {len(conflicts) - 2:,} more" if len(conflicts) > 2 else ""
        codes = {one.conflict.code for one in conflicts}
        hint = (
            ""
            if force or not any(one.conflict.yields_to_force for one in conflicts)
            else f'undo(op="{label}", force=true) overwrites'
        )
        text = f"not reverted: {', '.join(one.text for one in conflicts[:2])}{more}"
        return Problem(codes.pop() if len(codes) == 1 else "conflict", text, hint)
    if notes:
        return Problem("conflict", f"not reverted: {'; '.join(notes[:2])}")
    if target.undone_by is not None:
        hint = f'undo(op="{op.area.label(str(target.undone_by))}") redoes it'
        return Problem("nothing_to_undo", f"op {label} is undone already", hint)
    return Problem("nothing_to_undo", f"everything is again as it was before op {label}")


async def _chain(op: Op, target: AnyRow) -> list[int]:
    """What an undo had undone, what that had undone, and so on to the write with which it began."""
    if target.undo_of is None:
        return []
    first = (
        select(ops.c.rev, ops.c.undo_of)
        .where(ops.c.space_id == op.space.id, ops.c.rev == target.undo_of)
        .cte("chain", recursive=True)
    )
    further = select(ops.c.rev, ops.c.undo_of).where(ops.c.space_id == op.space.id, ops.c.rev == first.c.undo_of)
    chain = first.union(further)
    return [row.rev for row in await op.tx.all(select(chain.c.rev).order_by(chain.c.rev.desc()))]


async def _mark(op: Op, target: int, chain: Sequence[int]) -> None:
    """The target is undone by this operation; what it had undone itself no longer is, what that had undone is again."""
    op.undo_of = target
    marks: list[tuple[int, int | None]] = [(target, op.rev)]
    for index, rev in enumerate(chain):
        marks.append((rev, chain[index - 1] if index % 2 else None))
    values = [{"which": rev, "by": by} for rev, by in marks]
    await op.tx.execute(_SET_UNDONE.where(ops.c.space_id == op.space.id), values)


_SET_UNDONE: Final = update(ops).where(ops.c.rev == bindparam("which")).values(undone_by=bindparam("by"))
