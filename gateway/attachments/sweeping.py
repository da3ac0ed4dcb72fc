"""Taking away what nobody needs any more: bytes first, then the rows that knew of them.

It may run twice at once and beside the service: every step can be repeated, and none undoes another.
"""

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import ColumnElement, and_, exists, func, or_, select, update

from gateway.attachments import rows
from gateway.attachments.keeping import Keeping
from gateway.attachments.rows import DELETED
from gateway.tables import chat_attachments as table
from gateway.tables import chat_threads
from shared.db import Database, microseconds
from shared.errors import Problem
from shared.tokens import Caller, restored, service

# So long an attachment may wait for its bytes or for a message.
UNUSED: Final = timedelta(hours=24)
BATCH: Final = 100
SELF: Final = service("gateway")


async def unneeded(database: Database, now: datetime) -> int:
    """How many attachments a sweep would take away."""
    counted = select(func.count()).where(or_(table.c.state == DELETED, _unused(now)))
    async with database.begin(SELF) as tx:
        row = await tx.one(counted.select_from(table))
    return int(row[0]) if row is not None else 0


async def sweep(database: Database, keeping: Keeping, now: datetime) -> int:
    """Take away what was deleted, and what was never sent with a message; how many. Raises `Problem`."""
    async with database.begin(SELF, write=True) as tx:
        await tx.execute(update(table).where(_unused(now)).values(state=DELETED, data=""))
    return await _take_away(database, keeping, table.c.state == DELETED)


async def erase(database: Database, keeping: Keeping | None, person: Caller) -> int:
    """Take away everything of one person; how many. Raises `Problem`, also when nobody says where the bytes are."""
    mine = table.c.owner == person.key
    async with database.begin(person, write=True) as tx:
        if keeping is None and await tx.one(select(table.c.id).where(mine).limit(1)) is not None:
            raise Problem(
                "unavailable",
                "files of this person are kept in a place that is no longer known",
                "set TASKGATE_GATEWAY_ATTACHMENTS as it was and repeat this",
            )
        await rows.bury_all(tx)
    return 0 if keeping is None else await _take_away(database, keeping, and_(mine, table.c.state == DELETED))


async def _take_away(database: Database, keeping: Keeping, which: ColumnElement[bool]) -> int:
    taken = 0
    next_ones = select(table.c.owner, table.c.id).where(which).order_by(table.c.owner, table.c.id).limit(BATCH)
    while True:
        async with database.begin(SELF) as tx:
            found = await tx.all(next_ones)
        theirs: defaultdict[str, list[str]] = defaultdict(list)
        for row in found:
            await keeping.remove(row.id)
            theirs[row.owner].append(row.id)
        for owner, keys in theirs.items():
            await _drop(database, owner, keys)
        taken += len(found)
        if len(found) < BATCH:
            return taken


async def _drop(database: Database, owner: str, keys: Sequence[str]) -> None:
    issuer, _, subject = owner.partition("|")
    async with database.begin(restored(issuer, subject, (), 0, "taskgate-gateway"), write=True) as tx:
        await rows.drop(tx, keys)


def _unused(now: datetime) -> ColumnElement[bool]:
    """What is in no message of a conversation that there is. A message that never came to be may have left one."""
    thread = exists().where(
        chat_threads.c.owner == table.c.owner,
        chat_threads.c.id == table.c.thread_id,
        chat_threads.c.deleted_us.is_(None),
    )
    is_old = table.c.created_us < microseconds(now - UNUSED)
    return and_(is_old, table.c.state != DELETED, or_(table.c.thread_id.is_(None), ~thread))
