"""How often is too often: exactly the limit in one process, never more in several, and nobody is refused by mistake."""

import asyncio
import logging
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Final

import pytest
from sqlalchemy import MetaData, event, func, select

from shared.db import Database
from shared.engines import migration_engine
from shared.limits import MOST_KEYS, WINDOW_S, Limits, SharedPermits, limits_table
from shared.tokens import service
from tests.engines import PostgresDatabase

pytestmark = pytest.mark.anyio

LIMIT: Final = 60
MOMENT: Final = 1_700_000_023.25
metadata = MetaData()
TABLE: Final = limits_table("mcp", metadata)


class Clock:
    """A clock that is set by hand."""

    def __init__(self, now: float = MOMENT) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


async def allowed(limits: Limits, key: str, hits: int, limit: int = LIMIT) -> int:
    """How many of so many hits at once are allowed."""
    return sum(verdict.allowed for verdict in await asyncio.gather(*(limits.hit(key, limit) for _ in range(hits))))


@pytest.mark.parametrize("limit", [1, 2, 19, 20, 21, 59, 240])
async def test_exactly_as_many_are_allowed_as_the_limit_says(limit: int) -> None:
    limits = Limits(now=Clock())
    assert await allowed(limits, "ada", limit + 10, limit) == limit
    assert limits.look("ada").refused == 10


@pytest.mark.parametrize("moment", [0.0, 0.001, 17.5, 59.0, 59.999, MOMENT])
async def test_who_waits_as_long_as_he_was_told_to_is_allowed_again(moment: float) -> None:
    clock = Clock(moment)
    limits = Limits(now=clock)
    await limits.hit("ada", 1)
    refused = await limits.hit("ada", 1)
    assert not refused.allowed
    assert 1 <= refused.retry_after_s <= WINDOW_S

    clock.now += refused.retry_after_s - 1
    assert clock.now // WINDOW_S == moment // WINDOW_S
    assert not (await limits.hit("ada", 1)).allowed
    clock.now += 1
    assert (await limits.hit("ada", 1)).allowed


async def test_nobody_pays_for_somebody_else() -> None:
    limits = Limits(now=Clock())
    assert await allowed(limits, "ada", 3 * LIMIT) == LIMIT
    assert await allowed(limits, "bob", LIMIT) == LIMIT


async def test_looking_counts_nothing() -> None:
    limits = Limits(now=Clock())
    for _ in range(5):
        assert limits.look("ada").allowed
    assert await allowed(limits, "ada", 3, 2) == 2
    assert not limits.look("ada").allowed


async def test_of_too_many_callers_those_are_forgotten_who_have_been_away_longest() -> None:
    limits = Limits(now=Clock())
    for name in ("away", "busy"):
        await limits.hit(name, 1)
    for number in range(MOST_KEYS):
        await limits.hit(f"caller {number}", 1)
        assert not (await limits.hit("busy", 1)).allowed
    assert (await limits.hit("away", 1)).allowed


async def test_the_counts_of_a_minute_end_with_it() -> None:
    clock = Clock()
    limits = Limits(now=clock)
    assert await allowed(limits, "ada", 3 * LIMIT) == LIMIT
    clock.now += WINDOW_S
    assert limits.look("ada").refused == 0
    assert await allowed(limits, "ada", 3 * LIMIT) == LIMIT


@asynccontextmanager
async def silent_server() -> AsyncGenerator[tuple[int, list[object]]]:
    """A port where everybody is let in and nobody is answered, and who came."""
    guests: list[object] = []
    closed = asyncio.Event()

    async def keep(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        guests.append(writer)
        await closed.wait()
        writer.close()

    async with await asyncio.start_server(keep, "127.0.0.1", 0) as server:
        yield server.sockets[0].getsockname()[1], guests
        closed.set()


async def test_while_the_store_says_nothing_a_process_counts_alone_and_asks_once_a_minute(
    caplog: pytest.LogCaptureFixture,
) -> None:
    clock = Clock()
    async with silent_server() as (port, guests):
        database = Database(f"postgresql://x@127.0.0.1:{port}/x", pool_size=2)
        limits = Limits(SharedPermits("mcp", TABLE, database), now=clock)
        assert await allowed(limits, "ada", 2 * LIMIT) == LIMIT
        assert await allowed(limits, "bob", 2 * LIMIT) == LIMIT
        assert len(guests) == 1
        clock.now += WINDOW_S
        assert await allowed(limits, "ada", 2 * LIMIT) == LIMIT
        assert len(guests) == 2
        await database.close()
    assert [record.message for record in caplog.records if record.name == "shared.limits"] == [
        "limits cannot be shared; this process counts alone"
    ]


@asynccontextmanager
async def tables(url: str) -> AsyncGenerator[None]:
    """The table of the counts, while the block lasts."""
    engine = migration_engine(url)
    async with engine.begin() as connection:
        await connection.run_sync(metadata.create_all)
    try:
        yield
    finally:
        async with engine.begin() as connection:
            await connection.run_sync(metadata.drop_all)
        await engine.dispose()


@asynccontextmanager
async def processes(url: str, count: int) -> AsyncGenerator[list[Database]]:
    """The databases of so many processes."""
    opened = [Database(url, pool_size=4) for _ in range(count)]
    try:
        yield opened
    finally:
        for database in opened:
            await database.close()


def shared(database: Database, clock: Clock) -> Limits:
    return Limits(SharedPermits("mcp", TABLE, database), now=clock)


async def rows(database: Database) -> int:
    async with database.begin(service("mcp")) as tx:
        return int((await tx.execute(select(func.count()).select_from(TABLE))).scalar_one())


@pytest.mark.postgres
async def test_two_processes_together_allow_no_more_than_the_limit(postgres_database: PostgresDatabase) -> None:
    clock, url = Clock(), postgres_database.owner_url
    async with tables(url), processes(url, 2) as (here, there):
        both = [shared(here, clock), shared(there, clock)]
        for key in ("ada", "bob"):
            counts = await asyncio.gather(*(allowed(limits, key, 100) for limits in both))
            assert 40 <= sum(counts) <= LIMIT


@pytest.mark.postgres
@pytest.mark.parametrize("limit", [1, 2, 19, 20, 21, 59, 240])
async def test_what_one_process_leaves_another_may_spend_to_the_last(
    postgres_database: PostgresDatabase, limit: int
) -> None:
    clock, url = Clock(), postgres_database.owner_url
    async with tables(url), processes(url, 2) as (here, there):
        lease = max(1, limit // 20)
        assert await allowed(shared(here, clock), "ada", lease, limit) == lease
        assert await allowed(shared(there, clock), "ada", 2 * limit, limit) == limit - lease


@pytest.mark.postgres
async def test_a_process_asks_the_store_once_for_a_twentieth_of_the_limit(postgres_database: PostgresDatabase) -> None:
    clock, url = Clock(), postgres_database.owner_url
    asked: list[str] = []

    def note(_: object, __: object, statement: str, *___: object) -> None:
        if statement.startswith(("INSERT", "DELETE")):
            asked.append(statement[:6])

    async with tables(url), processes(url, 1) as (database,):
        event.listen(database.engine.sync_engine, "before_cursor_execute", note)
        limits = shared(database, clock)
        assert await allowed(limits, "ada", 40, 240) == 40
        assert asked == ["DELETE", *["INSERT"] * 4]
        # All that is left and the one try that finds nothing; whoever floods asks no more than that.
        assert await allowed(limits, "ada", 1_000, 240) == 200
        assert asked == ["DELETE", *["INSERT"] * 21]


@pytest.mark.postgres
async def test_old_minutes_leave_the_table_and_nobodys_name_is_in_it(postgres_database: PostgresDatabase) -> None:
    clock, url = Clock(), postgres_database.owner_url
    async with tables(url), processes(url, 2) as (here, there):
        for limits in (shared(here, clock), shared(there, clock)):
            for name in ("ada@example.com", "bob@example.com"):
                await limits.hit(name, LIMIT)
        assert await rows(here) == 2
        async with here.begin(service("mcp")) as tx:
            assert "example" not in str(await tx.all(select(TABLE)))

        limits = shared(here, clock)
        for _ in range(5):
            clock.now += WINDOW_S
            await limits.hit("ada", LIMIT)
            assert await rows(here) <= 4
        assert await rows(here) == 2


@pytest.mark.postgres
async def test_what_was_spent_before_the_store_went_away_still_counts(postgres_database: PostgresDatabase) -> None:
    url = postgres_database.owner_url
    async with processes(url, 1) as (database,):
        limits = shared(database, Clock())
        async with tables(url):
            assert await allowed(limits, "ada", 6) == 6
        assert await allowed(limits, "ada", 2 * LIMIT) == LIMIT - 6


@pytest.mark.postgres
async def test_limits_are_shared_again_in_the_minute_after_the_store_is_back(
    postgres_database: PostgresDatabase, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "shared.limits")
    clock, url = Clock(), postgres_database.owner_url
    async with processes(url, 2) as (here, there):
        both = [shared(here, clock), shared(there, clock)]
        for _ in range(2):
            assert [await allowed(limits, "ada", 2 * LIMIT) for limits in both] == [LIMIT, LIMIT]
            clock.now += WINDOW_S
        async with tables(url):
            assert [await allowed(limits, "ada", 2 * LIMIT) for limits in both] == [LIMIT, 0]
    ours = [record.levelname for record in caplog.records if record.name == "shared.limits"]
    assert ours == ["ERROR", "ERROR", "INFO", "INFO"]
