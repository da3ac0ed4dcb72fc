"""What stands behind the service: the rows of each person, and the handles an operator has."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

from sqlalchemy import select, text

from gateway.store import Leases, ThreadStore
from gateway.tables import chat_attachments, chat_feedback, chat_items, chat_pending, chat_threads, chat_turns, metadata
from gateway.turn import Turn
from shared.db import Database
from shared.tokens import Caller
from tests.living import Databases, Living

# All that is kept of a person's conversations. What he used up is not among it: a refused request may count.
CONVERSATION: Final = (chat_threads, chat_items, chat_feedback, chat_turns, chat_pending, chat_attachments)

Rows = dict[str, list[tuple[Any, ...]]]


class Behind:
    """The database of a gateway, for a look behind the service."""

    def __init__(self, living: Living, database: Database) -> None:
        self._living = living
        self._database = database
        self.store = ThreadStore(database)
        self.leases = Leases(database)

    def turn(self, name: str) -> Turn:
        """A request of this person's that did not come over HTTP."""
        caller = self._living.person(name)

        async def still_there() -> Caller:
            return caller

        return Turn(caller=caller, caller_now=still_there, request_id="r1")

    async def rows(self, name: str) -> Rows:
        """Everything that is kept of this person's conversations."""
        found: Rows = {}
        async with self._database.begin(self._living.person(name)) as tx:
            for table in CONVERSATION:
                mine = select(table).where(table.c.owner == tx.caller.key).order_by(*table.primary_key)
                found[table.name] = [tuple(row) for row in await tx.all(mine)]
        return found

    async def count(self, name: str, table: str) -> int:
        return len((await self.rows(name))[table])

    async def holds(self, words: str) -> bool:
        """Whether these words stand anywhere in the database: in any row, and on SQLite in any byte of its files."""
        async with self._database.begin(self._living.person("ada")) as tx:
            for table in metadata.sorted_tables:
                if any(words in str(tuple(row)) for row in await tx.all(text(f"SELECT * FROM {table.name}"))):
                    return True
        return words.encode() in _bytes_of(self._living.databases)


def _bytes_of(databases: Databases) -> bytes:
    if not databases.gateway.startswith("sqlite"):
        return b""
    path = Path(databases.gateway.removeprefix("sqlite:///"))
    return b"".join(file.read_bytes() for file in path.parent.glob(f"{path.name}*"))


@asynccontextmanager
async def behind(living: Living) -> AsyncGenerator[Behind]:
    """Look behind a service."""
    database = Database(living.databases.gateway, pool_size=2)
    try:
        yield Behind(living, database)
    finally:
        await database.close()
