"""The door to a database: what is kept, what is taken back, and what people hear when it is away."""

import asyncio
import threading
from pathlib import Path
from typing import Any

import anyio
import pytest
from sqlalchemy import Column, Integer, MetaData, Table, event, insert, select, update
from sqlalchemy.schema import CreateTable

from shared.db import Database, Tx
from shared.engines import async_url, migration_engine
from shared.errors import Problem
from shared.tokens import service
from tests.engines import PostgresDatabase

pytestmark = pytest.mark.anyio

ADA = service("tests")
counters = Table("counters", MetaData(), Column("id", Integer, primary_key=True), Column("n", Integer))


@pytest.fixture
async def counter_url(database_url: str, anyio_backend: str) -> str:  # noqa: ARG001 (its loop)
    """A database that holds one counter, at zero."""
    engine = migration_engine(database_url)
    async with engine.begin() as connection:
        await connection.run_sync(counters.metadata.create_all)
        await connection.execute(insert(counters), {"id": 1, "n": 0})
    await engine.dispose()
    return database_url


async def count(database: Database) -> int:
    async with database.begin(ADA) as tx:
        row = await tx.one(select(counters.c.n))
    assert row is not None
    return int(row[0])


async def step(tx: Tx) -> None:
    """Read first and write later, as real work does."""
    row = await tx.one(select(counters.c.n).with_for_update())
    assert row is not None
    await asyncio.sleep(0)
    await tx.execute(update(counters).values(n=row[0] + 1))


async def test_a_transaction_is_kept_at_its_end_and_taken_back_when_it_breaks(counter_url: str) -> None:
    database = Database(counter_url)
    async with database.begin(ADA, write=True) as tx:
        await step(tx)
    with pytest.raises(ZeroDivisionError):
        async with database.begin(ADA, write=True) as tx:
            await step(tx)
            raise ZeroDivisionError
    assert await count(database) == 1
    await database.close()


@pytest.mark.parametrize("how", ["its task is cancelled", "its scope is cancelled"])
async def test_a_statement_that_is_given_up_halfway_holds_nobody_up(tmp_path: Path, how: str) -> None:
    """The driver of SQLite goes on in its thread; a connection that was thrown away meanwhile would keep the lock."""
    database = Database(f"sqlite:///{tmp_path}/data.db")
    async with database.begin(ADA, write=True) as tx:
        await tx.execute(CreateTable(counters))
        await tx.execute(insert(counters), {"id": 1, "n": 0})
    loop, running = asyncio.get_running_loop(), asyncio.Event()

    @event.listens_for(database.engine.sync_engine, "before_cursor_execute")
    def tell(*statement: Any) -> None:
        if statement[2].startswith("INSERT"):
            loop.call_soon(running.set)  # when the driver has it

    scope = anyio.CancelScope()
    kept: list[BaseException] = []  # as a log or a debugger may do: everything on its way lives as long

    async def count_long() -> None:
        with scope:
            try:
                async with database.begin(ADA, write=True) as tx:
                    await step(tx)
                    await tx.execute(insert(counters), [{"id": number, "n": 0} for number in range(2, 100_000)])
            except asyncio.CancelledError as error:
                kept.append(error)
                raise

    working = asyncio.create_task(count_long())
    await running.wait()
    if how == "its task is cancelled":
        working.cancel()
    else:
        scope.cancel()
    await asyncio.wait({working})
    async with database.begin(ADA, write=True) as tx:
        await step(tx)
    assert await count(database) == 1
    assert kept
    await database.close()


async def test_what_was_written_is_told_once_it_can_be_read_and_only_then(counter_url: str) -> None:
    database = Database(counter_url)
    told: list[set[str]] = []
    with database.heard_by(lambda written: told.append(set(written))):
        async with database.begin(ADA, write=True) as tx:
            await step(tx)
            tx.wrote("the counter")
            assert told == []
        assert told == [{"the counter"}]
        with pytest.raises(ZeroDivisionError):
            async with database.begin(ADA, write=True) as tx:
                tx.wrote("what breaks")
                raise ZeroDivisionError
        async with database.begin(ADA, write=True) as tx:
            tx.wrote("what is taken back")
            await tx.rollback()
        await count(database)
    async with database.begin(ADA, write=True) as tx:
        tx.wrote("what nobody wants to hear any more")
    assert told == [{"the counter"}]
    await database.close()


async def test_what_was_rolled_back_by_hand_is_not_kept(counter_url: str) -> None:
    database = Database(counter_url)
    async with database.begin(ADA, write=True) as tx:
        await step(tx)
        await tx.rollback()
    assert await count(database) == 0
    await database.close()


async def test_writers_that_read_first_wait_for_each_other(counter_url: str) -> None:
    database = Database(counter_url, pool_size=5)

    async def write() -> None:
        async with database.begin(ADA, write=True) as tx:
            await step(tx)

    await asyncio.gather(*(write() for _ in range(40)))
    assert await count(database) == 40
    await database.close()


async def test_a_cancelled_transaction_leaves_nothing_and_frees_its_connection(counter_url: str) -> None:
    database = Database(counter_url, pool_size=1)

    async def write(inside: asyncio.Event) -> None:
        async with database.begin(ADA, write=True) as tx:
            await step(tx)
            inside.set()
            await asyncio.Event().wait()

    for _ in range(10):
        inside = asyncio.Event()
        task = asyncio.create_task(write(inside))
        await inside.wait()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    assert await count(database) == 0
    await database.close()


async def test_all_statements_of_a_steady_transaction_see_the_same_moment(counter_url: str) -> None:
    database = Database(counter_url, pool_size=2)
    async with database.begin(ADA, steady=True) as tx:
        before = await tx.all(select(counters.c.n))
        async with database.begin(ADA, write=True) as other:
            await step(other)
        assert await tx.all(select(counters.c.n)) == before
    assert await count(database) == 1
    await database.close()


async def test_a_connection_that_was_steady_can_write_again_and_sees_what_others_write(counter_url: str) -> None:
    database, elsewhere = Database(counter_url, pool_size=1), Database(counter_url, pool_size=1)
    async with database.begin(ADA, steady=True) as tx:
        await tx.all(select(counters.c.n))
    async with database.begin(ADA, write=True) as tx:
        await step(tx)
    if not database.on_sqlite:  # where every transaction is steady
        async with database.begin(ADA) as tx:
            before = await tx.all(select(counters.c.n))
            async with elsewhere.begin(ADA, write=True) as other:
                await step(other)
            assert await tx.all(select(counters.c.n)) != before
    await database.close()
    await elsewhere.close()


async def test_one_transaction_has_one_clock(counter_url: str) -> None:
    database = Database(counter_url)
    async with database.begin(ADA) as tx:
        assert tx.now_us == tx.now_us
        assert tx.now.tzinfo is not None
        assert abs(tx.now.timestamp() * 1_000_000 - tx.now_us) < 1
    await database.close()


@pytest.mark.parametrize("url", ["postgresql://ada:pass-word@127.0.0.1:1/tasks", "sqlite:////no/such/folder/tasks.db"])
async def test_a_database_that_is_away_is_told_in_one_sentence_without_its_password(url: str) -> None:
    others = set(threading.enumerate())
    database = Database(url, pool_size=1)
    with pytest.raises(Problem) as opened:
        await database.open()
    with pytest.raises(Problem) as begun:
        async with database.begin(ADA):
            pass
    assert (opened.value.code, begun.value.code) == ("unavailable", "unavailable")
    assert "pass-word" not in f"{opened.value}{begun.value}"
    assert "127.0.0.1" not in str(begun.value)
    await database.close()
    # After a failed connect the SQLite driver's thread still has something to say to this loop.
    for thread in set(threading.enumerate()) - others:
        if "_connection_worker_thread" in thread.name:
            await asyncio.to_thread(thread.join)


@pytest.mark.parametrize("url", ["", "foo", "mysql://ada:pass-word@x/y", "postgresql+psycopg2"])
def test_an_address_that_cannot_be_one_is_refused_without_repeating_it(url: str) -> None:
    with pytest.raises(Problem) as refused:
        async_url(url)
    assert "pass-word" not in str(refused.value)


@pytest.mark.parametrize(
    ("given", "driver"),
    [
        ("postgres://a@b/c", "postgresql+asyncpg"),
        ("postgresql://a@b/c", "postgresql+asyncpg"),
        ("postgresql+psycopg://a@b/c", "postgresql+asyncpg"),
        ("sqlite:///x.db", "sqlite+aiosqlite"),
    ],
)
def test_every_usual_spelling_of_an_address_gets_our_driver(given: str, driver: str) -> None:
    assert async_url(given).drivername == driver


@pytest.mark.postgres
async def test_a_role_that_ignores_row_security_is_recognised(postgres_database: PostgresDatabase) -> None:
    superuser = postgres_database.app_url.replace("taskgate_app", "postgres")
    for url, ignores in ((superuser, True), (postgres_database.app_url, False), (postgres_database.owner_url, False)):
        database = Database(url, pool_size=1)
        assert await database.bypasses_row_security() is ignores
        await database.close()


async def test_a_caller_who_leaves_in_mid_transaction_costs_no_connection(counter_url: str) -> None:
    """A scope that is cancelled cancels every wait in it again and again, also those that end the transaction."""
    database = Database(counter_url, pool_size=1)
    connected: list[object] = []
    event.listen(database.engine.sync_engine, "connect", lambda *found: connected.append(found))

    async def leave(scope: anyio.CancelScope) -> None:
        with scope:
            async with database.begin(ADA, write=True) as tx:
                await step(tx)
                scope.cancel()
                await asyncio.Event().wait()

    for _ in range(5):
        await leave(anyio.CancelScope())
    assert await count(database) == 0
    assert len(connected) == 1
    await database.close()
