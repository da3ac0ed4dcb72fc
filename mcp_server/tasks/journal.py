"""Every write is one operation: numbered, recorded before and after, done once per request id, or not at all."""

import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from hashlib import sha256
from typing import Any, Final

from sqlalchemy import bindparam, insert, select, update
from sqlalchemy.dialects.postgresql import insert as postgresql_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert

from mcp_server.tasks.spaces import Space, new_space, require_owner, space_of
from mcp_server.tasks.tables import changes, ops, requests, spaces
from shared.db import Tx
from shared.errors import Problem

SUMMARY_LIMIT: Final = 200


@dataclass(frozen=True, slots=True)
class Call:
    """A write as it was asked for. Two calls with one request id must be equal in tool and arguments."""

    tool: str
    arguments: Mapping[str, Any]
    request_id: str = ""
    dry_run: bool = False
    tz: str = "UTC"

    @property
    def fingerprint(self) -> str:
        """Equal for equal calls: the tool and its arguments, whatever their order."""
        canonical = json.dumps([self.tool, self.arguments], sort_keys=True, separators=(",", ":"), default=str)
        return sha256(canonical.encode("utf-8", "surrogatepass")).hexdigest()


@dataclass(frozen=True, slots=True)
class Answer:
    """What the writer says about the work, kept word for word for the repeat of the same request."""

    counts: dict[str, int]
    lines: tuple[str, ...] = ()
    tasks: tuple[dict[str, Any], ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def summary(self) -> str:
        """One line for the history."""
        counts = ", ".join(f"{count} {what}" for what, count in self.counts.items())
        return f"{counts}: {', '.join(task['ref'] for task in self.tasks)}"[:SUMMARY_LIMIT]


@dataclass(frozen=True, slots=True)
class Receipt:
    """What became of a write: its operation number, or none if nothing was written; and the answer."""

    call: Call
    space: Space
    op: int | None
    at_us: int
    answer: Answer
    replayed: bool = False


@dataclass(slots=True)
class Op:
    """The operation being written: its number, and what it has changed so far."""

    tx: Tx
    space: Space
    rev: int
    next_no: int
    recorded: list[dict[str, Any]] = field(default_factory=list)

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
    .where(spaces.c.id == bindparam("space"))
    .values(rev=spaces.c.rev + 1)
    .returning(spaces.c.rev, spaces.c.next_no, spaces.c.tz, spaces.c.owner_iss, spaces.c.owner_sub)
)
_COUNT = update(spaces).where(spaces.c.id == bindparam("space")).values(next_no=bindparam("next"))
_SEEN = select(requests.c.args_hash, requests.c.rev, requests.c.response, requests.c.at_us).where(
    requests.c.space_id == bindparam("space"),
    requests.c.client == bindparam("client"),
    requests.c.request_id == bindparam("request"),
)


async def write(tx: Tx, call: Call, work: Callable[[Op], Awaitable[Answer]]) -> Receipt:
    """Do `work` as one operation of the caller's space.

    The row of the space is the queue of its writers, so equal requests meet here one after the other: the second gets
    the stored answer. When nothing was changed, or only a dry run was asked for, nothing is written, not even a number.
    """
    op = await _queue(tx, call.tz)
    before = replace(op.space, rev=op.rev - 1)
    if call.request_id:
        row = await tx.one(_SEEN, {"space": op.space.id, "client": tx.caller.client_id, "request": call.request_id})
        if row is not None:
            await tx.rollback()
            args_hash, rev, response, at_us = row
            if args_hash != call.fingerprint:
                raise Problem("request_reused", "this request_id was used with other arguments", "use a new one")
            return Receipt(call, before, rev, at_us, Answer(**response), replayed=True)
    answer = await work(op)
    if call.dry_run or not op.recorded:
        await tx.rollback()
        return Receipt(call, before, None, tx.now_us, answer)
    await _save(op, call, answer)
    return Receipt(call, op.space, op.rev, tx.now_us, answer)


async def _queue(tx: Tx, tz: str) -> Op:
    space_id = space_of(tx.caller)
    row = await tx.one(_QUEUE, {"space": space_id})
    if row is None:
        dialect_insert = sqlite_insert if tx.on_sqlite else postgresql_insert
        await tx.execute(dialect_insert(spaces).values(new_space(tx, tz)).on_conflict_do_nothing())
        row = await tx.one(_QUEUE, {"space": space_id})
    if row is None:
        raise RuntimeError("a space that was just created is not there")
    require_owner(tx, row.owner_iss, row.owner_sub)
    return Op(tx, Space(space_id, row.rev, row.tz), row.rev, row.next_no)


async def _save(op: Op, call: Call, answer: Answer) -> None:
    tx, space_id = op.tx, op.space.id
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
            "summary": answer.summary,
            "size": len(op.recorded),
        },
    )
    await tx.execute(
        insert(changes),
        [{"space_id": space_id, "rev": op.rev, "n": n, **change} for n, change in enumerate(op.recorded, start=1)],
    )
    if call.request_id:
        await tx.execute(
            insert(requests),
            {
                "space_id": space_id,
                "client": tx.caller.client_id,
                "request_id": call.request_id,
                "args_hash": call.fingerprint,
                "rev": op.rev,
                "response": asdict(answer),
                "at_us": tx.now_us,
            },
        )
