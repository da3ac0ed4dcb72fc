"""What waits for a person: approvals and questions, each answered once, by whoever claims it first."""

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from chatkit.store import NotFoundError
from sqlalchemy import Executable, Row, bindparam, insert, select, update

from gateway.items import instant, moment
from gateway.store.statements import HELD, OWNER, THE_THREAD, named, siblings
from gateway.store.threads import LeaseLost
from gateway.tables import BIG, KEY, WORDS, chat_pending, chat_threads
from gateway.turn import Turn
from shared.db import Database

PENDING: Final = "pending"


@dataclass(frozen=True, slots=True)
class Entry:
    """One question to a person, and what is needed to go on once it is answered."""

    id: str
    thread_id: str
    item_id: str
    kind: str  # `approval` or `question`
    status: str
    expires_at: datetime
    data: dict[str, Any]


_ID: Final = bindparam("entry", type_=KEY)
_STATUS: Final = bindparam("new_status", type_=WORDS)
_NOW: Final = bindparam("now", type_=BIG)
_ENTRY: Final = (
    chat_pending.c.id,
    chat_pending.c.thread_id,
    chat_pending.c.item_id,
    chat_pending.c.kind,
    chat_pending.c.status,
    chat_pending.c.expires_us,
    chat_pending.c.data,
)
_OPEN: Final = (
    select(*_ENTRY)
    .where(siblings(chat_pending), chat_pending.c.status == PENDING)
    .order_by(chat_pending.c.expires_us, chat_pending.c.id)
)
_SETTLE: Final = (
    update(chat_pending)
    .where(chat_pending.c.owner == OWNER, chat_pending.c.id == _ID, chat_pending.c.status == PENDING)
    .values(status=_STATUS)
    .returning(*_ENTRY)
)
_CLAIM: Final = _SETTLE.where(chat_pending.c.expires_us > _NOW)


def _add(*, fenced: bool) -> Executable:
    c = chat_pending.c
    names = ("new_item", "new_kind", "new_status", "new_data")
    item_id, kind, status, data = (bindparam(name, type_=WORDS) for name in names)
    expires_us = bindparam("expires", type_=BIG)
    row = select(chat_threads.c.owner, chat_threads.c.id, _ID, item_id, kind, status, expires_us, data).where(
        THE_THREAD
    )
    # As for items: no lock, and an entry could outlive its thread.
    living = (row.where(HELD) if fenced else row).with_for_update(read=True, of=chat_threads)
    return insert(chat_pending).from_select(
        [c.owner, c.thread_id, c.id, c.item_id, c.kind, c.status, c.expires_us, c.data], living
    )


_ADD: Final = _add(fenced=False)
_ADD_FENCED: Final = _add(fenced=True)


class Waiting:
    """The entries of each person. Each call is one statement in one transaction of the person who asks."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, entry: Entry, turn: Turn) -> None:
        """Keep a new entry of a living thread. A running answer has to hold its lease, as for items."""
        async with self._database.begin(turn.caller, write=True) as tx:
            values = {
                **named(tx, thread=entry.thread_id, entry=entry.id),
                "run": turn.id,
                "new_item": entry.item_id,
                "new_kind": entry.kind,
                "new_status": entry.status,
                "expires": instant(entry.expires_at),
                "new_data": json.dumps(entry.data),
            }
            fenced = turn.answer is not None
            if not (await tx.execute(_ADD_FENCED if fenced else _ADD, values)).rowcount:
                raise LeaseLost("the lease or the thread is gone") if fenced else NotFoundError("no such thread")

    async def open(self, thread_id: str, turn: Turn) -> list[Entry]:
        """What waits in a thread, with what expired unanswered; the entry that expires first comes first."""
        async with self._database.begin(turn.caller) as tx:
            return [_entry(row) for row in await tx.all(_OPEN, named(tx, thread=thread_id))]

    async def claim(self, entry_id: str, status: str, turn: Turn) -> Entry | None:
        """Answer an entry; None unless it waits and has not expired. Of several at once, one gets it."""
        return await self._change(_CLAIM, entry_id, status, turn)

    async def settle(self, entry_id: str, status: str, turn: Turn) -> Entry | None:
        """Close an entry that is not answered, expired or not; None unless it waits."""
        return await self._change(_SETTLE, entry_id, status, turn)

    async def _change(self, statement: Executable, entry_id: str, status: str, turn: Turn) -> Entry | None:
        async with self._database.begin(turn.caller, write=True) as tx:
            row = await tx.one(statement, {**named(tx, entry=entry_id), "new_status": status, "now": tx.now_us})
        return None if row is None else _entry(row)


def _entry(row: Row[Any]) -> Entry:
    data = json.loads(row.data)
    return Entry(row.id, row.thread_id, row.item_id, row.kind, row.status, moment(row.expires_us), data)
