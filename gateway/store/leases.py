"""The leases of running answers: one per thread, for as long as whoever writes the answer gives signs of life.

A lease that ran out belongs to a process that died. Whoever comes next puts what it had written into the thread.
"""

from enum import Enum
from functools import cache
from typing import Any, Final

from chatkit.store import NotFoundError
from chatkit.types import HiddenContextItem
from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Executable,
    Select,
    bindparam,
    cast,
    delete,
    func,
    literal,
    select,
    update,
)

from gateway.items import read_message
from gateway.store.statements import BURIED, OWNER, RUN, THREAD_ID, leave_item, named, siblings, upsert, written
from gateway.store.threads import new_id
from gateway.tables import BIG, WORDS, chat_turns
from gateway.turn import Turn
from shared.db import Database, Tx
from shared.errors import Problem

LEASE_US: Final = 30_000_000
INTERRUPTED: Final = "This answer was interrupted by a restart."

_PARTIAL: Final = bindparam("new_partial", type_=WORDS)
_LIMIT: Final = bindparam("limit", type_=BIG)
_THE_LEASE: Final = siblings(chat_turns)
_MY_LEASE: Final = _THE_LEASE & (chat_turns.c.run_id == RUN)

# All takes of a person wait for each other, so that none of them counts too few. SQLite has one writer anyway.
_QUEUE: Final = select(func.pg_advisory_xact_lock(func.hashtextextended(literal("chat_turns ") + OWNER, 0)))
_RELEASE: Final = delete(chat_turns).where(_MY_LEASE)


class Beat(Enum):
    """What an answer hears about its lease when it gives a sign of life."""

    GO = "go"
    STOP = "stop"  # somebody asked it to stop
    LOST = "lost"  # its thread was deleted, or it was silent for too long and somebody else went on


class Leases:
    """Who writes in which thread. Each call is one transaction of the person who asks, and one statement in it.

    `take` needs two, and on PostgreSQL a third in which the takers queue; a recovery begins with a look that waits for
    nobody.
    """

    def __init__(self, database: Database, *, limit: int = 3) -> None:
        self._database = database
        self._limit = limit

    async def take(self, thread_id: str, turn: Turn) -> None:
        """Begin to answer in a thread, which need not exist yet; what a dead answer left there is kept first.

        Raises `Problem("busy")` while somebody else answers in it, or while this person has as many answers running as
        anyone may have.
        """
        async with self._database.begin(turn.caller, write=True) as tx:
            ids = _ids(tx, thread_id, turn)
            if not tx.on_sqlite:
                await tx.execute(_QUEUE, ids)
            await _recover(tx, thread_id, ids)
            if await tx.one(_take(tx.on_sqlite), {**ids, "limit": self._limit}) is not None:
                return
            if await tx.one(BURIED, ids) is not None:
                raise NotFoundError("no such thread")
            taken = await tx.one(_living(tx.on_sqlite), ids) is not None
        if taken:
            raise Problem("busy", "an answer is being written in this conversation", "wait for its end, or stop it")
        raise Problem("busy", "you have too many answers written at once", "wait until one of them has ended")

    async def beat(self, thread_id: str, turn: Turn, partial: str | None) -> Beat:
        """Give a sign of life, and keep the message written so far, as JSON, for the case that it is the last one."""
        async with self._database.begin(turn.caller, write=True) as tx:
            row = await tx.one(_beat(tx.on_sqlite), {**_ids(tx, thread_id, turn), "new_partial": partial})
        if row is None:
            return Beat.LOST
        return Beat.STOP if row.stop else Beat.GO

    async def release(self, thread_id: str, turn: Turn) -> None:
        """End this turn's answer."""
        async with self._database.begin(turn.caller, write=True) as tx:
            await tx.execute(_RELEASE, _ids(tx, thread_id, turn))

    async def stop(self, thread_id: str, turn: Turn) -> bool:
        """Ask the answer in a thread to stop, whichever process writes it; whether there is one."""
        async with self._database.begin(turn.caller, write=True) as tx:
            return bool((await tx.execute(_stop(tx.on_sqlite), _ids(tx, thread_id, turn))).rowcount)

    async def running(self, thread_id: str, turn: Turn) -> str | None:
        """The message that is being written, as JSON; empty while it has not begun, None when no answer runs."""
        async with self._database.begin(turn.caller) as tx:
            row = await tx.one(_living(tx.on_sqlite), _ids(tx, thread_id, turn))
        return None if row is None else row.partial or ""

    async def recover(self, thread_id: str, turn: Turn) -> None:
        """Put what a dead answer left into the thread. Where there is none, nothing is written and nobody waits."""
        async with self._database.begin(turn.caller) as tx:
            if await tx.one(_dead(tx.on_sqlite), _ids(tx, thread_id, turn)) is None:
                return
        async with self._database.begin(turn.caller, write=True) as tx:
            await _recover(tx, thread_id, _ids(tx, thread_id, turn))


async def _recover(tx: Tx, thread_id: str, ids: dict[str, Any]) -> None:
    dead = await tx.one(_bury(tx.on_sqlite), ids)
    if dead is None:
        return
    message = None if dead.partial is None else read_message(dead.partial, thread_id)
    note = HiddenContextItem(id=new_id("message"), thread_id=thread_id, created_at=tx.now, content=INTERRUPTED)
    for item in (message, note):
        if item is not None:
            await tx.execute(leave_item(tx.on_sqlite), {**ids, "item": item.id, **written(item)})


def _ids(tx: Tx, thread_id: str, turn: Turn) -> dict[str, Any]:
    return {**named(tx, thread=thread_id), "run": turn.id, "now": tx.now_us}


def _now(on_sqlite: bool) -> ColumnElement[int]:
    """One clock for all processes: that of the server, where there is one."""
    if on_sqlite:
        return bindparam("now", type_=BIG)
    return cast(func.extract("epoch", func.clock_timestamp()) * 1_000_000, BigInteger)


@cache
def _living(on_sqlite: bool) -> Select[Any]:
    return select(chat_turns.c.partial).where(_THE_LEASE, chat_turns.c.expires_us > _now(on_sqlite))


@cache
def _dead(on_sqlite: bool) -> Select[Any]:
    return select(chat_turns.c.run_id).where(_THE_LEASE, chat_turns.c.expires_us <= _now(on_sqlite))


@cache
def _bury(on_sqlite: bool) -> Executable:
    dead = delete(chat_turns).where(_THE_LEASE, chat_turns.c.expires_us <= _now(on_sqlite))
    return dead.returning(chat_turns.c.partial)


@cache
def _take(on_sqlite: bool) -> Executable:
    c, other, now = chat_turns.c, chat_turns.alias("other"), _now(on_sqlite)
    running = select(func.count()).select_from(other).where(other.c.owner == OWNER, other.c.expires_us > now)
    row = select(OWNER, THREAD_ID, RUN, now, now + LEASE_US).where(running.scalar_subquery() < _LIMIT, ~BURIED.exists())
    new = upsert(on_sqlite, chat_turns).from_select([c.owner, c.thread_id, c.run_id, c.started_us, c.expires_us], row)
    return new.on_conflict_do_nothing().returning(c.run_id)


@cache
def _beat(on_sqlite: bool) -> Executable:
    # A lease taken while its thread was being deleted is lost, too.
    alive = update(chat_turns).where(_MY_LEASE, ~BURIED.exists())
    return alive.values(partial=_PARTIAL, expires_us=_now(on_sqlite) + LEASE_US).returning(chat_turns.c.stop)


@cache
def _stop(on_sqlite: bool) -> Executable:
    return update(chat_turns).where(_THE_LEASE, chat_turns.c.expires_us > _now(on_sqlite)).values(stop=1)
