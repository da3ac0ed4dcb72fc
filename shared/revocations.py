"""What is no longer accepted, where it survives a restart: one table per service, which the service reads every 5 s."""

import asyncio
import logging
import secrets
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Final

from sqlalchemy import BigInteger, Column, ColumnElement, MetaData, Table, Text, delete, insert, select
from sqlalchemy.dialects.postgresql import TEXT

from shared.db import Database, Tx
from shared.tokens import Caller, Revocation, Revocations, service

log = logging.getLogger(__name__)

PAUSE_S: Final = 5.0
# The clock of another host may be behind ours, and there the token would still be good.
KEPT_LONGER_S: Final = 3_600
SECOND_US: Final = 1_000_000


def revocations_table(name: str, metadata: MetaData) -> Table:
    """The table of the service of this name; two services may share a database."""
    return Table(
        f"{name}_revocations",
        metadata,
        Column("id", Text().with_variant(TEXT(collation="C"), "postgresql"), primary_key=True),
        Column("issuer", Text(), nullable=False),
        # At least one of these three says what is revoked.
        Column("subject", Text()),
        Column("token_id", Text()),
        Column("session_id", Text()),
        Column("not_before", BigInteger(), nullable=False),  # seconds, like the `iat` it is compared with
        Column("keep_until_us", BigInteger(), nullable=False),
        Column("created_us", BigInteger(), nullable=False),
    )


def own_rows(caller: Caller) -> dict[str, str]:
    """What a transaction tells PostgreSQL's row policies that fence the rows of a service from those of people."""
    return {"taskgate.service": caller.subject} if caller == service(caller.subject) else {}


def is_past(table: Table, now_us: int) -> ColumnElement[bool]:
    """The revocations of what is not accepted any more in any case."""
    return table.c.keep_until_us < now_us - KEPT_LONGER_S * SECOND_US


async def revoke(tx: Tx, table: Table, entry: Revocation) -> None:
    """Write a revocation, and remove those that are past their time. The transaction is the service's own."""
    await tx.execute(delete(table).where(is_past(table, tx.now_us)))
    await tx.execute(
        insert(table),
        {
            "id": secrets.token_hex(16),
            "issuer": entry.issuer,
            "subject": entry.subject,
            "token_id": entry.token_id,
            "session_id": entry.session_id,
            "not_before": entry.not_before,
            "keep_until_us": entry.keep_until * SECOND_US,
            "created_us": tx.now_us,
        },
    )


class RevocationList:
    """The revocations of one service: read from its table, asked in memory."""

    def __init__(self, name: str, table: Table, database: Database, *, pause_s: float = PAUSE_S) -> None:
        self.in_force = Revocations()
        self._self = service(name)
        self._table = table
        self._database = database
        self._pause_s = pause_s

    async def load(self) -> None:
        """Read the table now."""
        async with self._database.begin(self._self) as tx:
            rows = await tx.all(select(self._table).where(self._table.c.keep_until_us > tx.now_us))
        self.in_force.replace(
            Revocation(
                issuer=row.issuer,
                keep_until=row.keep_until_us // SECOND_US,
                token_id=row.token_id,
                session_id=row.session_id,
                subject=row.subject,
                not_before=row.not_before,
            )
            for row in rows
        )

    @asynccontextmanager
    async def kept_fresh(self) -> AsyncGenerator[Revocations]:
        """The revocations in force: read before the block begins, and again and again until it ends."""
        await self.load()
        reading = asyncio.create_task(self._read_on())
        try:
            yield self.in_force
        finally:
            reading.cancel()
            await asyncio.wait({reading})

    async def _read_on(self) -> None:
        fails = False
        while True:
            await asyncio.sleep(self._pause_s)
            try:
                await self.load()
            except Exception:  # whatever it was: what is known stays in force, and the next try may succeed
                if not fails:
                    log.exception("revocations cannot be read; those known stay in force")
                fails = True
            else:
                if fails:
                    log.info("revocations can be read again")
                fails = False
