"""What an undo left alone, with the reason: who changed which field since, when and through which client."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

from sqlalchemy import and_, or_, select

from mcp_server.tasks.sight import Area, Sight
from mcp_server.tasks.spaces import person_of
from mcp_server.tasks.tables import changes, ops
from mcp_server.tasks.writing.images import field_word
from mcp_server.tasks.writing.journal import Op
from shared.db import AnyRow

TOLD: Final = 20  # so many are told with all that is known
_LATER: Final = 1_000


@dataclass(frozen=True, slots=True)
class Conflict:
    """One thing that was not, or not wholly, taken back: fields that somebody changed since, and other reasons."""

    kind: str
    no: int
    ref: str
    fields: tuple[str, ...] = ()
    reasons: Mapping[str, str] = field(default_factory=dict)  # by field
    code: str = "conflict"
    forceable: bool = False

    @property
    def yields_to_force(self) -> bool:
        """Whether it would be taken back by force."""
        return self.forceable or bool(self.fields)

    @property
    def words(self) -> list[str]:
        """The fields as people call them."""
        return list(dict.fromkeys(field_word(name) for name in (*self.fields, *self.reasons) if name))


@dataclass(frozen=True, slots=True)
class Told:
    """A conflict in words: `T12 (title changed by op 4715 at 10:31, web)`, and the operation, if there was one."""

    conflict: Conflict
    text: str
    op: int | None = None
    at: datetime | None = None
    by: str = ""
    client: str = ""


async def told(op: Op, since: int, conflicts: Sequence[Conflict]) -> list[Told]:
    """The conflicts in words; the first of them with who changed the fields after the operation `since`."""
    later = await _later(op, since, [one for one in conflicts[:TOLD] if one.fields])
    return [
        _told(op.sight, op.area, op.tx.now, conflict, later.get((conflict.kind, conflict.no), ()))
        for conflict in conflicts
    ]


async def _later(op: Op, since: int, conflicts: Sequence[Conflict]) -> dict[tuple[str, int], list[AnyRow]]:
    if not conflicts:
        return {}
    kinds = {conflict.kind for conflict in conflicts}
    which = [
        and_(changes.c.kind == kind, changes.c.no.in_([one.no for one in conflicts if one.kind == kind]))
        for kind in sorted(kinds)
    ]
    rows = await op.tx.all(
        select(changes.c.kind, changes.c.no, changes.c.after, ops.c.rev, ops.c.at_us, ops.c.actor, ops.c.client)
        .join_from(changes, ops, and_(ops.c.space_id == changes.c.space_id, ops.c.rev == changes.c.rev))
        .where(changes.c.space_id == op.space.id, changes.c.rev > since, or_(*which))
        .order_by(changes.c.rev.desc())
        .limit(_LATER)
    )
    found: dict[tuple[str, int], list[AnyRow]] = {}
    for row in rows:
        found.setdefault((row.kind, row.no), []).append(row)
    return found


def _told(sight: Sight, area: Area, now: datetime, conflict: Conflict, later: Sequence[AnyRow]) -> Told:
    by_op: dict[int, tuple[AnyRow, list[str]]] = {}
    alone = []
    for name in conflict.fields:
        row = next((row for row in later if name.partition(".")[0] in (row.after or {})), None)
        word = field_word(name)
        if row is None:
            alone.append(word)
        elif word not in (words := by_op.setdefault(row.rev, (row, []))[1]):
            words.append(word)
    said = [f"{', '.join(words)} changed by {_who(sight, area, now, row)}" for row, words in by_op.values()]
    if alone:
        said.append(f"{', '.join(dict.fromkeys(alone))} changed since")
    said += dict.fromkeys(
        f"{field_word(name)}: {reason}" if name else reason for name, reason in conflict.reasons.items()
    )
    text = f"{conflict.ref} ({'; '.join(said)})"
    if not by_op:
        return Told(conflict, text)
    row = by_op[max(by_op)][0]
    by = sight.name_of(person_of(row.actor)) or "me"
    return Told(conflict, text, row.rev, _local(sight, row.at_us), by, row.client)


def _who(sight: Sight, area: Area, now: datetime, row: Any) -> str:
    at = moment(sight, now, row.at_us)
    person = sight.name_of(person_of(row.actor))
    client = row.client[:40]
    return f"op {area.label(str(row.rev))} at {at}, {f'{person} via {client}' if person else client}"


def moment(sight: Sight, now: datetime, at_us: int) -> str:
    """When something was: the time of today, else with the day, and with the year unless it is this one."""
    at, today = _local(sight, at_us), now.astimezone(sight.own.space.zone).date()
    if at.date() == today:
        return f"{at:%H:%M}"
    return f"{at:%m-%d %H:%M}" if at.year == today.year else f"{at:%Y-%m-%d %H:%M}"


def _local(sight: Sight, at_us: int) -> datetime:
    return datetime.fromtimestamp(at_us // 1_000_000, UTC).astimezone(sight.own.space.zone)
