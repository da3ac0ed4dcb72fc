"""What is revoked stays so: over a restart, through an outage of the database, and for as long as it has to."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import pytest
from sqlalchemy import MetaData, Table, event, func, select, text

from shared.db import Database
from shared.engines import migration_engine
from shared.errors import Problem
from shared.revocations import KEPT_LONGER_S, RevocationList, own_rows, revocations_table, revoke
from shared.tokens import Caller, Revocation, restored, service

pytestmark = pytest.mark.anyio

ISSUER, OTHER = "https://login.example.test", "https://elsewhere.example.test"
START: Final = datetime(2026, 7, 1, 12, tzinfo=UTC)
NOW: Final = int(START.timestamp())
LONG: Final = NOW + 86_400
metadata = MetaData()
TABLE: Final = revocations_table("mcp", metadata)
NEIGHBOUR: Final = revocations_table("gateway", metadata)


def caller(subject: str, *, issuer: str = ISSUER, **proof: Any) -> Caller:
    return restored(issuer, subject, ["tasks:read"], LONG, "a client", **proof)


class Clock:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def database(database_url: str, clock: Clock) -> AsyncGenerator[Database]:
    """A database with the tables of two services."""
    engine = migration_engine(database_url)
    async with engine.begin() as connection:
        await connection.run_sync(metadata.create_all)
    await engine.dispose()
    opened = Database(database_url, pool_size=2, now=clock)
    yield opened
    await opened.close()


async def write(database: Database, *entries: Revocation, table: Table = TABLE) -> None:
    async with database.begin(service("mcp"), write=True) as tx:
        for entry in entries:
            await revoke(tx, table, entry)


async def loaded(database: Database) -> RevocationList:
    """What a process knows that has just started."""
    found = RevocationList("mcp", TABLE, database)
    await found.load()
    return found


async def count(database: Database) -> int:
    async with database.begin(service("mcp")) as tx:
        return int((await tx.execute(select(func.count()).select_from(TABLE))).scalar_one())


async def test_one_token_is_revoked_and_no_other(database: Database) -> None:
    await write(database, Revocation(ISSUER, LONG, token_id="one"))
    covers = (await loaded(database)).in_force.cover
    assert covers(caller("ada", token_id="one"))
    assert not covers(caller("ada", token_id="two"))
    assert not covers(caller("ada"))
    assert not covers(caller("ada", issuer=OTHER, token_id="one"))


async def test_one_sign_in_is_revoked_with_every_token_of_it(database: Database) -> None:
    await write(database, Revocation(ISSUER, LONG, session_id="evening"))
    covers = (await loaded(database)).in_force.cover
    assert covers(caller("ada", session_id="evening", token_id="one"))
    assert covers(caller("ada", session_id="evening", token_id="two"))
    assert not covers(caller("ada", session_id="morning"))
    assert not covers(caller("ada", issuer=OTHER, session_id="evening"))


async def test_a_person_loses_what_was_given_before_and_nobody_else_loses_anything(database: Database) -> None:
    # Withdrawn twice: the later moment holds, in whatever order they are read.
    await write(database, *(Revocation(ISSUER, LONG, subject="ada", not_before=NOW - ago) for ago in (500, 100, 300)))
    covers = (await loaded(database)).in_force.cover
    assert covers(caller("ada", issued_at=NOW - 101))
    assert covers(caller("ada", issued_at=NOW - 101, session_id="evening", token_id="one"))
    assert not covers(caller("ada", issued_at=NOW - 100))
    assert not covers(caller("bob", issued_at=NOW - 101))
    assert not covers(caller("ada", issuer=OTHER, issued_at=NOW - 101))


async def test_a_service_does_not_read_the_list_of_the_other(database: Database) -> None:
    await write(database, Revocation(ISSUER, LONG, token_id="one"), table=NEIGHBOUR)
    assert not (await loaded(database)).in_force.cover(caller("ada", token_id="one"))


async def test_what_is_past_its_time_is_let_go_and_later_removed(database: Database, clock: Clock) -> None:
    await write(database, Revocation(ISSUER, NOW + 60, token_id="one"))
    known = await loaded(database)
    assert known.in_force.cover(caller("ada", token_id="one"))

    clock.now += timedelta(seconds=60)
    await known.load()
    assert not known.in_force.cover(caller("ada", token_id="one"))

    # Where the clock is behind, the token is still good.
    clock.now += timedelta(seconds=KEPT_LONGER_S)
    await write(database, Revocation(ISSUER, LONG, token_id="two"))
    assert await count(database) == 2

    clock.now += timedelta(seconds=1)
    await write(database, Revocation(ISSUER, LONG, token_id="three"))
    assert await count(database) == 2
    covers = (await loaded(database)).in_force.cover
    assert covers(caller("ada", token_id="two"))
    assert covers(caller("ada", token_id="three"))


def test_the_fence_of_a_service_opens_to_nobody_else() -> None:
    assert own_rows(service("mcp")) == {"taskgate.service": "mcp"}
    assert own_rows(caller("mcp")) == {}
    # Whatever an issuer writes into a token: what it proves expires, and a service does not.
    assert own_rows(restored("taskgate", "mcp", (), 1, "taskgate-mcp")) == {}


# Kept fresh


class Reads:
    """How often the list was read, for tests that have to wait for the next time."""

    def __init__(self, database: Database) -> None:
        self.seen = 0
        self._more = asyncio.Event()

        @event.listens_for(database.engine.sync_engine, "before_cursor_execute")
        def read(_: Any, __: Any, statement: str, *___: Any) -> None:
            if statement.startswith("SELECT") and TABLE.name in statement:
                self.seen += 1
                self._more.set()

    async def several(self, wanted: Callable[[], bool] = lambda: True) -> None:
        """Wait until it was read three times more and this has come true."""
        enough = self.seen + 3
        async with asyncio.timeout(20):
            while self.seen < enough or not wanted():
                self._more.clear()
                await self._more.wait()


@asynccontextmanager
async def table_away(database_url: str) -> AsyncGenerator[None]:
    """Take the table away from under the service, and give it back."""
    engine = migration_engine(database_url)

    async def rename(old: str, new: str) -> None:
        async with engine.begin() as connection:
            await connection.execute(text(f"ALTER TABLE {old} RENAME TO {new}"))

    try:
        await rename(TABLE.name, "elsewhere")
        yield
        await rename("elsewhere", TABLE.name)
    finally:
        await engine.dispose()


async def test_what_was_revoked_holds_from_the_first_moment(database: Database) -> None:
    await write(database, Revocation(ISSUER, LONG, token_id="one"))
    async with RevocationList("mcp", TABLE, database).kept_fresh() as in_force:
        assert in_force.cover(caller("ada", token_id="one"))


async def test_what_is_revoked_meanwhile_is_noticed(database: Database) -> None:
    reads = Reads(database)
    async with RevocationList("mcp", TABLE, database, pause_s=0.01).kept_fresh() as in_force:
        assert not in_force.cover(caller("ada", token_id="one"))
        await write(database, Revocation(ISSUER, LONG, token_id="one"))
        await reads.several(lambda: in_force.cover(caller("ada", token_id="one")))


async def test_through_an_outage_what_is_known_stays_in_force_and_the_log_says_so_once(
    database: Database, database_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "shared.revocations")
    await write(database, Revocation(ISSUER, LONG, token_id="one"))
    reads = Reads(database)
    async with RevocationList("mcp", TABLE, database, pause_s=0.01).kept_fresh() as in_force:
        async with table_away(database_url):
            await reads.several(lambda: bool(caplog.records))
            assert in_force.cover(caller("ada", token_id="one"))
        await write(database, Revocation(ISSUER, LONG, token_id="two"))
        await reads.several(lambda: in_force.cover(caller("ada", token_id="two")))
        assert in_force.cover(caller("ada", token_id="one"))
    assert [record.levelname for record in caplog.records] == ["ERROR", "INFO"]


async def test_a_service_that_cannot_read_its_list_does_not_start(database: Database, database_url: str) -> None:
    async with table_away(database_url):
        with pytest.raises(Exception, match=TABLE.name):
            async with RevocationList("mcp", TABLE, database).kept_fresh():
                pytest.fail("it serves")


async def test_the_end_of_a_service_is_the_end_of_the_reading_and_its_own_error_comes_through(
    database: Database,
) -> None:
    before = asyncio.all_tasks()
    problem = Problem("unavailable", "the port is taken")
    with pytest.raises(Problem) as raised:
        async with RevocationList("mcp", TABLE, database, pause_s=0).kept_fresh():
            await Reads(database).several()
            raise problem
    assert raised.value is problem
    assert asyncio.all_tasks() == before
