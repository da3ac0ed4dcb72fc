"""How often somebody may do something in a minute: counted in memory, and shared by processes in small leases.

A minute is that of the clock. One process needs no store. Several take permits of a minute from one table, a twentieth
of the limit at a time, and spend them in memory: together they never allow more than the limit, and hardly any call
waits for the database. What one of them took and did not spend is lost to the others until the minute is over.
"""

import asyncio
import logging
import math
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Final, Protocol

from sqlalchemy import BigInteger, Column, Integer, MetaData, Table, Text, delete, select, tuple_
from sqlalchemy.dialects.postgresql import TEXT, insert

from shared.db import Database
from shared.tokens import service

log = logging.getLogger(__name__)

WINDOW_S: Final = 60
LEASES: Final = 20  # of one limit; fewer would leave more permits with processes that do not spend them
STORE_WAIT_S: Final = 1.0
MOST_KEYS: Final = 10_000


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether this may go on, how long the minute still lasts, and how much of it was refused here so far."""

    allowed: bool
    retry_after_s: int
    refused: int


class Permits(Protocol):
    """Where all processes take the permits of a minute from."""

    async def take(self, key: str, minute: int, count: int, limit: int) -> int:
        """So many of the permits that the key has in this minute; fewer where fewer are left."""
        ...


@dataclass(slots=True)
class _Count:
    """One key in this minute."""

    in_hand: int = 0
    spent: int = 0
    refused: int = 0
    more: bool = True  # as far as is known, there are permits left to be taken
    taking: asyncio.Lock = field(default_factory=asyncio.Lock)


class Limits:
    """Counts by key and minute. Whatever happens to the store, a hit is answered: at worst by this process alone."""

    def __init__(self, permits: Permits | None = None, *, now: Callable[[], float] = time.time) -> None:
        self._permits = permits
        self._now = now
        self._minute = -1
        self._counts: OrderedDict[str, _Count] = OrderedDict()
        self._alone_in = -1
        self._away = False

    async def hit(self, key: str, limit: int) -> Verdict:
        """Count one, and say whether it is within the limit."""
        minute = self._turn()
        count = self._counts.get(key)
        if count is None:
            if len(self._counts) >= MOST_KEYS:
                self._counts.popitem(last=False)
            count = self._counts[key] = _Count()
        self._counts.move_to_end(key)  # who is busy is not forgotten
        if not count.in_hand and count.more:
            await self._refill(count, key, minute, limit)
        # No wait may come between here and the check above: somebody else could spend what was found.
        if not count.in_hand:
            count.refused += 1
            return self._verdict(count)
        count.in_hand -= 1
        count.spent += 1
        return self._verdict(count, allowed=True)

    def look(self, key: str) -> Verdict:
        """How this key stands, without counting and without asking anybody."""
        self._turn()
        count = self._counts.get(key) or _Count()
        return self._verdict(count, allowed=count.refused == 0)

    def _turn(self) -> int:
        """The number of the minute; with a new one all counts begin again."""
        minute = int(self._now() // WINDOW_S)
        if minute != self._minute:
            self._minute = minute
            self._counts.clear()
        return minute

    def _verdict(self, count: _Count, *, allowed: bool = False) -> Verdict:
        return Verdict(allowed, math.ceil(WINDOW_S - self._now() % WINDOW_S), count.refused)

    async def _refill(self, count: _Count, key: str, minute: int, limit: int) -> None:
        async with count.taking:  # those who come together wait for one lease instead of taking one each
            if count.in_hand or not count.more:
                return
            wanted = max(1, limit // LEASES)
            taken = await self._taken(key, minute, wanted, limit)
            if taken is None:
                count.in_hand, count.more = limit - count.spent, False
            else:
                count.in_hand, count.more = taken, taken == wanted

    async def _taken(self, key: str, minute: int, count: int, limit: int) -> int | None:
        """What the store gives; None where this process counts alone."""
        if self._permits is None or self._alone_in == minute:
            return None
        try:
            async with asyncio.timeout(STORE_WAIT_S):
                taken = await self._permits.take(key, minute, count, limit)
        except Exception:  # whatever it was: nobody is refused for it, and the next minute may be better
            if not self._away:
                log.exception("limits cannot be shared; this process counts alone")
            self._alone_in, self._away = minute, True
            return None
        if self._away:
            log.info("limits are shared again")
        self._away = False
        return taken


def limits_table(name: str, metadata: MetaData) -> Table:
    """The table of the service of this name; two services may share a database."""
    return Table(
        f"{name}_limits",
        metadata,
        Column("key", Text().with_variant(TEXT(collation="C"), "postgresql"), primary_key=True),
        Column("minute", BigInteger(), primary_key=True),
        Column("taken", Integer(), nullable=False),
    )


class SharedPermits:
    """Permits in a table of PostgreSQL, under a hash: nobody reads in it who was there."""

    def __init__(self, name: str, table: Table, database: Database) -> None:
        self._self = service(name)
        self._table = table
        self._database = database
        self._swept_in = -1

    async def take(self, key: str, minute: int, count: int, limit: int) -> int:
        """One statement in a transaction of the service's own; the first in a minute also removes old rows."""
        row = self._table.c
        lease = insert(self._table).values(key=sha256(key.encode()).hexdigest()[:32], minute=minute, taken=count)
        lease = lease.on_conflict_do_update(
            index_elements=[row.key, row.minute], set_={"taken": row.taken + count}, where=row.taken < limit
        )
        async with self._database.begin(self._self, write=True) as tx:
            if minute != self._swept_in:
                # The last minute stays for processes whose clock is behind; rows that others remove are left to them.
                old = select(row.key, row.minute).where(row.minute < minute - 1).with_for_update(skip_locked=True)
                await tx.execute(delete(self._table).where(tuple_(row.key, row.minute).in_(old)))
            found = await tx.one(lease.returning(row.taken))
        self._swept_in = minute
        if found is None:
            return 0
        taken: int = found.taken
        return count - max(0, taken - limit)
