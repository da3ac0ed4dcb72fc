"""Every write is one operation: numbered, recorded before and after, done once per request id, or not at all."""

import json
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from hashlib import sha256
from typing import Any, Final

from sqlalchemy import bindparam, insert, select, update
from sqlalchemy.dialects.postgresql import insert as postgresql_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert
from sqlalchemy.exc import IntegrityError

from mcp_server.tasks.refs import split_alias
from mcp_server.tasks.sight import Area, Sight, read_sight
from mcp_server.tasks.spaces import Space, new_space, require_owner, space_of
from mcp_server.tasks.tables import changes, ops, requests, spaces
from shared.db import AnyRow, Tx
from shared.errors import Problem

# How much is done, and of how much.
Progress = Callable[[int, int], Awaitable[None]]

SUMMARY_LIMIT: Final = 200
ROWS_AT_ONCE: Final = 500  # of one statement: the driver waits only so long for each


@dataclass(frozen=True, slots=True)
class Call:
    """A write as it was asked for. Two calls with one request id must be equal in tool and arguments.

    `refs` and `places` are the references and lists it names: they say whose space is written.
    """

    tool: str
    arguments: Mapping[str, Any]
    request_id: str = ""
    dry_run: bool = False
    tz: str = "UTC"
    refs: Sequence[str] = ()
    places: Sequence[str] = ()

    @property
    def fingerprint(self) -> str:
        """Equal for equal calls: the tool and its arguments, whatever their order."""
        canonical = json.dumps([self.tool, self.arguments], sort_keys=True, separators=(",", ":"), default=str)
        return sha256(canonical.encode("utf-8", "surrogatepass")).hexdigest()


@dataclass(frozen=True, slots=True)
class Answer:
    """What the writer says about the work, kept word for word for the repeat of the same request.

    `refs` and `tasks` are as the caller reads them, `changes` the changed content by reference, `conflicts` what an
    undo left alone.
    """

    counts: Mapping[str, int]
    lines: Sequence[str] = ()
    refs: Sequence[str] = ()
    tasks: Sequence[Mapping[str, Any]] = ()
    changes: Sequence[Mapping[str, Any]] = ()
    conflicts: Sequence[Mapping[str, Any]] = ()
    notes: Sequence[str] = ()

    def summary(self, area: Area) -> str:
        """One line for the history of a space; what a guest calls its owner stays out of it."""
        counts = ", ".join(f"{count:,} {what}" for what, count in self.counts.items())
        refs = [ref.removeprefix(area.label("")) for ref in self.refs]
        return (f"{counts}: {', '.join(refs)}" if refs else counts)[:SUMMARY_LIMIT]


@dataclass(frozen=True, slots=True)
class Receipt:
    """What became of a write: its operation number, or none if nothing was written; and the answer."""

    call: Call
    sight: Sight
    area: Area
    op: int | None
    at_us: int
    answer: Answer
    replayed: bool = False


async def _untold(done: int, total: int) -> None:
    """Nobody wants to know."""


@dataclass(slots=True)
class Op:
    """The operation being written: where, its number, what it has changed so far, and whom to tell how far it is."""

    tx: Tx
    sight: Sight
    area: Area
    rev: int
    next_no: int
    undo_of: int | None = None
    recorded: list[dict[str, Any]] = field(default_factory=list)
    progress: Progress = _untold

    @property
    def space(self) -> Space:
        """The space that is written."""
        return self.area.space

    def renew(self, area: Area) -> None:
        """Go on with the space as it is after what was just written."""
        self.area = area
        self.sight = self.sight.including(area)

    def number(self) -> int:
        """The next number of this space. Whoever rolls back leaves no gap, because the counter is a row too."""
        number = self.next_no
        self.next_no += 1
        return number

    def record(self, kind: str, no: int, before: Mapping[str, Any] | None, after: Mapping[str, Any] | None) -> None:
        """Remember one changed thing; only the fields that changed."""
        self.recorded.append({"kind": kind, "no": no, "before": before, "after": after})


_QUEUE = (
    update(spaces)
    .where(spaces.c.id == bindparam("space"), spaces.c.deleted_us.is_(None))
    .values(rev=spaces.c.rev + 1)
    .returning(spaces.c.rev, spaces.c.next_no)
)
_COUNT = update(spaces).where(spaces.c.id == bindparam("space")).values(next_no=bindparam("next"))
_SEEN = select(requests.c.args_hash, requests.c.rev, requests.c.response, requests.c.at_us).where(
    requests.c.space_id == bindparam("space"),
    requests.c.client == bindparam("client"),
    requests.c.request_id == bindparam("request"),
)


async def write(
    tx: Tx,
    call: Call,
    work: Callable[[Op], Awaitable[Answer]],
    queue: Callable[[Tx, Call], Awaitable[Op]] | None = None,
) -> Receipt:
    """Do `work` as one operation of one space: the one that the call names, else the caller's own; or as `queue` says.

    The row of the space is the queue of its writers, so equal requests meet here one after the other: the second gets
    the stored answer. When nothing was changed, or only a dry run was asked for, nothing is written, not even a number.
    """
    op = await (queue or _queue)(tx, call)
    if call.request_id:
        row = await tx.one(_SEEN, _request_key(op, call))
        if row is not None:
            await tx.rollback()
            args_hash, rev, response, at_us = row
            if args_hash != call.fingerprint:
                raise _reused()
            return Receipt(call, op.sight, op.area, rev, at_us, Answer(**response), replayed=True)
    answer = await work(op)
    if call.dry_run or not op.recorded:
        await tx.rollback()
        return Receipt(call, op.sight, op.area, None, tx.now_us, answer)
    await _save(op, call, answer)
    area = replace(op.area, space=replace(op.space, rev=op.rev))
    return Receipt(call, op.sight.including(area), area, op.rev, tx.now_us, answer)


async def _queue(tx: Tx, call: Call) -> Op:
    sight = await read_sight(tx, call.tz)
    area = _area_of(sight, call)
    space_id = area.space.id
    row = await next_turn(tx, space_id)
    if row is None and area.is_own:
        await create_space(tx, call.tz)
        row = await next_turn(tx, space_id)
    if row is None:
        raise Problem("conflict", "this space has just been closed", "look again")
    if row.rev != area.space.rev + 1:  # somebody wrote between the look and the turn in the queue
        sight = await read_sight(tx, call.tz)
        area = _area_of(sight, call)
        if area.space.id != space_id:  # what was named is of somebody else now: this is the wrong queue
            raise Problem("conflict", "somebody has just changed what is shared with you", "look again")
    return Op(tx, sight, area, row.rev, row.next_no)


async def next_turn(tx: Tx, space_id: str) -> AnyRow | None:
    """Wait for all other writers of a space; the numbers `rev` and `next_no` of this write, if the space is there."""
    return await tx.one(_QUEUE, {"space": space_id})


async def create_space(tx: Tx, tz: str) -> None:
    """Make the caller's own space, unless it is there."""
    dialect_insert = sqlite_insert if tx.on_sqlite else postgresql_insert
    await tx.execute(dialect_insert(spaces).values(new_space(tx, tz)).on_conflict_do_nothing())
    row = await tx.one(select(spaces.c.owner_iss, spaces.c.owner_sub).where(spaces.c.id == space_of(tx.caller)))
    if row is None:
        raise RuntimeError("a space that was just created is not there")
    require_owner(tx, row.owner_iss, row.owner_sub)


def _area_of(sight: Sight, call: Call) -> Area:
    """The one space that a call writes. A place that does not exist is refused later, by who knows where it stands."""
    named: dict[str, tuple[Area, str]] = {}
    for ref in call.refs:
        area, _ = split_alias(sight, ref)
        named.setdefault(area.space.id, (area, ref))
    for place in call.places:
        try:
            area, _ = sight.place(place)
        except Problem:
            continue
        named.setdefault(area.space.id, (area, place))
    if len(named) > 1:
        (one, first), (other, second) = list(named.values())[:2]
        whose = [
            f'"{what[:40]}" is {"yours" if area.is_own else f"of {area.alias}"}'
            for area, what in ((one, first), (other, second))
        ]
        raise Problem("mixed_spaces", f"{whose[0]}, {whose[1]}", "one call for each")
    return next(iter(named.values()))[0] if named else sight.own


def _request_key(op: Op, call: Call) -> dict[str, str]:
    # With the caller's own rows even where somebody else's list was written: two people never meet here.
    return {"space": op.sight.own.space.id, "client": op.tx.caller.client_id, "request": call.request_id}


async def _save(op: Op, call: Call, answer: Answer) -> None:
    tx, space_id = op.tx, op.space.id
    tx.wrote(space_id)
    await tx.execute(_COUNT, {"space": space_id, "next": op.next_no})
    await tx.execute(
        insert(ops),
        {
            "space_id": space_id,
            "rev": op.rev,
            "at_us": tx.now_us,
            "actor": tx.caller.key,
            "client": tx.caller.client_id,
            "via": "agent" if tx.caller.actor else "direct",
            "tool": call.tool,
            "summary": answer.summary(op.area),
            "undo_of": op.undo_of,
            "size": len(op.recorded),
        },
    )
    recorded = [{"space_id": space_id, "rev": op.rev, "n": n, **change} for n, change in enumerate(op.recorded, 1)]
    for some in in_portions(recorded):
        await tx.execute(insert(changes), some)
    if call.request_id:
        await _keep_answer(op, call, answer)


async def _keep_answer(op: Op, call: Call, answer: Answer) -> None:
    key = _request_key(op, call)
    row = {
        "space_id": key["space"],
        "client": key["client"],
        "request_id": key["request"],
        "args_hash": call.fingerprint,
        "rev": op.rev,
        "response": asdict(answer),
        "at_us": op.tx.now_us,
    }
    try:
        await op.tx.execute(insert(requests), row)
    except IntegrityError as error:  # at the same moment in another queue: for somebody else's list
        raise _reused() from error


def _reused() -> Problem:
    return Problem("request_reused", "this request_id was used with other arguments", "use a new one")


def in_portions(rows: Sequence[dict[str, Any]]) -> Iterable[Sequence[dict[str, Any]]]:
    """Rows for one statement after the other."""
    for start in range(0, len(rows), ROWS_AT_ONCE):
        yield rows[start : start + ROWS_AT_ONCE]
