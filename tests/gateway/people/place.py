"""A database in which ada and bob have rows, as tests write them down and look at them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from sqlalchemy import BigInteger, SmallInteger, Table, func, insert, select

from gateway.tables import metadata
from shared.db import Database, microseconds
from shared.tokens import Caller, restored, service

ISSUER: Final = "https://login.example.test"
ADA: Final = restored(ISSUER, "ada", (), 0, "page")
BOB: Final = restored(ISSUER, "bob", (), 0, "page")
NOW: Final = datetime(2026, 3, 1, 12, tzinfo=UTC)
SELF: Final = service("gateway")

Rows = dict[str, list[dict[str, Any]]]


@dataclass
class Place:
    """A database, and what tests want to know of it."""

    database: Database
    url: str

    def us(self, days: float = 0) -> int:
        """The moment so many days ago."""
        return microseconds(NOW - timedelta(days=days))

    async def add(self, table: Table, *rows: Mapping[str, Any]) -> None:
        """Rows as they are, with something in the columns that are not named."""
        async with self.database.begin(SELF, write=True) as tx:
            await tx.execute(insert(table), [{**_anything(table), **row} for row in rows])

    async def count(self, table: Table) -> int:
        async with self.database.begin(SELF) as tx:
            row = await tx.one(select(func.count()).select_from(table))
        assert row is not None
        return int(row[0])

    async def ids(self, table: Table, column: str = "id") -> list[str]:
        """What stands in a column, in order."""
        async with self.database.begin(SELF) as tx:
            return sorted(row[0] for row in await tx.all(select(table.c[column])))

    async def everything(self) -> Rows:
        """Every row of every table."""
        async with self.database.begin(SELF) as tx:
            return {
                table.name: sorted((dict(row._mapping) for row in await tx.all(select(table))), key=str)
                for table in metadata.sorted_tables
            }


def _anything(table: Table) -> dict[str, Any]:
    return {
        column.name: 0 if isinstance(column.type, BigInteger | SmallInteger) else ""
        for column in table.columns
        if not column.nullable
    }


def owned_by(person: Caller, rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The same rows, as this person's."""
    return [{"owner": person.key, **row} for row in rows]
