"""The rows of attachments: whose they are, how far they have come, and to which conversation they belong.

The bytes are kept elsewhere, under the id. A row outlives its bytes, so that none are ever forgotten: whoever deletes
an attachment marks its row, removes the bytes and only then the row.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from chatkit.types import Attachment
from sqlalchemy import ColumnElement, Update, and_, delete, func, literal, or_, select, text, update

from gateway.items import read_attachment
from gateway.tables import chat_attachments as table
from shared.db import AnyRow, Tx

WAITING: Final = "waiting"  # for its bytes
ARRIVING: Final = "arriving"  # all of them are here and are being written
READY: Final = "ready"
DELETED: Final = "deleted"  # the bytes may still be there

ID: Final = re.compile(r"atc_[0-9a-f]{32}")


@dataclass(frozen=True, slots=True)
class Kept:
    """An attachment as it stands."""

    attachment: Attachment
    state: str
    size_bytes: int
    thread_id: str | None

    def fits(self, thread_id: str) -> bool:
        """Whether a message of this conversation may bring it."""
        return self.state == READY and self.thread_id in {None, thread_id}


@dataclass(frozen=True, slots=True)
class Quota:
    """What one person may have at most."""

    unbound: int = 20  # attachments that are in no message yet
    total_bytes: int = 200 * 1024 * 1024


async def add(tx: Tx, attachment: Attachment, size_bytes: int, most: Quota) -> bool:
    """A new one, whose bytes are still to come; False when the person has too many or too large ones already."""
    if not tx.on_sqlite:  # where writers do not queue, two of the same person would each see room for one
        await tx.execute(text("SELECT pg_advisory_xact_lock(hashtextextended(:owner, 5))"), {"owner": tx.caller.key})
    loose = func.count().filter(table.c.thread_id.is_(None))
    room = select(loose < most.unbound, func.coalesce(func.sum(table.c.size_bytes), 0) + size_bytes <= most.total_bytes)
    found = await tx.one(room.where(_mine(tx)))
    if found is None or not all(found):
        return False
    await tx.execute(
        table.insert(),
        {
            "owner": tx.caller.key,
            "id": attachment.id,
            "data": attachment.model_dump_json(),
            "state": WAITING,
            "size_bytes": size_bytes,
            "created_us": tx.now_us,
        },
    )
    return True


async def find(tx: Tx, ids: Sequence[str]) -> dict[str, Kept]:
    """Those of the caller's that there are, by id."""
    known = [key for key in ids if ID.fullmatch(key)]
    if not known:
        return {}
    found = [_kept(row) for row in await tx.all(select(table).where(_mine(tx), table.c.id.in_(known)))]
    return {kept.attachment.id: kept for kept in found if kept is not None}


async def move(tx: Tx, key: str, before: str, after: str, size_bytes: int | None = None) -> bool:
    """Take one a step further; False when it does not stand where it should."""
    size = table.c.size_bytes if size_bytes is None else literal(size_bytes)
    step = update(table).where(_mine(tx), table.c.id == key, table.c.state == before)
    return (await tx.execute(step.values(state=after, size_bytes=size))).rowcount == 1


async def bind(tx: Tx, attachment: Attachment) -> bool:
    """Make an attachment part of the conversation it names, for ever; False when it is not free for that."""
    free = or_(table.c.thread_id.is_(None), table.c.thread_id == attachment.thread_id)
    step = update(table).where(_mine(tx), table.c.id == attachment.id, table.c.state == READY, free)
    values = {"thread_id": attachment.thread_id, "data": attachment.model_dump_json()}
    return (await tx.execute(step.values(values))).rowcount == 1


async def bury(tx: Tx, thread_id: str) -> None:
    """Mark everything of a conversation as deleted."""
    await tx.execute(burying(and_(_mine(tx), table.c.thread_id == thread_id)))


async def bury_unbound(tx: Tx, key: str) -> bool:
    """Mark one as deleted that is in no message; whether there was one."""
    unbound = and_(_mine(tx), table.c.id == key, table.c.thread_id.is_(None), table.c.state != DELETED)
    return (await tx.execute(burying(unbound))).rowcount == 1


async def bury_all(tx: Tx) -> None:
    """Mark everything of the caller's as deleted."""
    await tx.execute(burying(_mine(tx)))


async def forget(tx: Tx, key: str) -> None:
    """Forget one of the caller's whose bytes have never been kept."""
    await tx.execute(delete(table).where(_mine(tx), table.c.id == key, table.c.state == WAITING))


async def drop(tx: Tx, keys: Sequence[str]) -> None:
    """Forget those of the caller's that are marked and whose bytes are gone."""
    await tx.execute(delete(table).where(_mine(tx), table.c.id.in_(keys), table.c.state == DELETED))


def burying(which: ColumnElement[bool]) -> Update:
    """Mark these as deleted."""
    return update(table).where(which).values(state=DELETED, data="")


def _mine(tx: Tx) -> ColumnElement[bool]:
    return table.c.owner == tx.caller.key


def _kept(row: AnyRow) -> Kept | None:
    attachment = None if row.state == DELETED else read_attachment(row)
    return None if attachment is None else Kept(attachment, row.state, row.size_bytes, row.thread_id)
