"""A person's rows, deleted in every table there is, in short transactions that a running service does not feel."""

from typing import Final

from sqlalchemy import ColumnElement, Table, delete, select, tuple_, update

from gateway.attachments import Keeping
from gateway.attachments import erase as erase_attachments
from gateway.people.belonging import PERSONAL, rows_of
from gateway.tables import chat_attachments, chat_threads, chat_turns
from shared.db import Database
from shared.tokens import Caller

BATCH: Final = 1_000
# Leases go first: an answer without one writes nothing more. Threads go last: while they are left, what an interrupted
# run has not reached is still found by its thread.
_ORDER: Final = (
    chat_turns,
    *(table for table in PERSONAL if table not in (chat_turns, chat_attachments, chat_threads)),
    chat_threads,
)


async def erase(database: Database, person: Caller, keeping: Keeping | None = None) -> dict[str, int]:
    """Delete everything that is kept of this person, and return how many rows of which table that was.

    Attachments go with their bytes; without the place where these are kept, `Problem` is raised if there are any.

    Whoever calls has withdrawn what the person was given. What a running request writes all the same is deleted by
    calling again; so is the rest, when this was interrupted.
    """
    counts = {chat_attachments.name: await erase_attachments(database, keeping, person)}
    async with database.begin(person, write=True) as tx:
        # Nothing can be added to a deleted thread.
        buried = update(chat_threads).where(rows_of(chat_threads, person), chat_threads.c.deleted_us.is_(None))
        await tx.execute(buried.values(title=None, title_by="none", data="", history_from=None, deleted_us=tx.now_us))
    return counts | {table.name: await _delete_all(database, person, table) for table in _ORDER}


async def _delete_all(database: Database, person: Caller, table: Table) -> int:
    key = tuple_(*table.primary_key.columns)
    mine: ColumnElement[bool] = rows_of(table, person)
    batch = delete(table).where(mine, key.in_(select(*table.primary_key.columns).where(mine).limit(BATCH)))
    deleted = 0
    while True:
        async with database.begin(person, write=True) as tx:
            count = (await tx.execute(batch)).rowcount
        deleted += count
        if count < BATCH:
            return deleted
