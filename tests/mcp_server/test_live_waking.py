"""What wakes a listener besides a write of his own process: other processes, midnight, and one statement a second."""

from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import anyio
import pytest

from mcp_server.live.bell import Bell
from shared.db import clock
from tests.living import Databases, Living
from tests.mcp_server.listening import ASKED, NEVER_S, listening, sent
from tests.mcp_server.statements import statements

pytestmark = pytest.mark.anyio

DAY_S = 86_400
OTHERS_READ = "SELECT spaces.id, spaces.rev, spaces.tz"


@pytest.fixture
async def alone(databases: Databases) -> AsyncGenerator[Living]:
    """A house of one test."""
    async with Living(databases) as house:
        yield house


@asynccontextmanager
async def another(house: Living) -> AsyncGenerator[Living]:
    """A second house for the same people and the same data, as another process would be."""
    second = Living(house.databases)
    second.issuer = house.issuer
    async with second:
        yield second


async def test_what_another_process_writes_is_heard(alone: Living) -> None:
    async with (
        another(alone) as elsewhere,
        alone.client("ada") as ada,
        elsewhere.client("ada") as ada_elsewhere,
        elsewhere.client("bob") as bob,
        listening(ada, "tasks://T1", "tasks://T2") as here,
        listening(ada_elsewhere, "tasks://T1", "tasks://T2") as there,
    ):
        await bob.add("His")
        await ada_elsewhere.add("First")
        assert await here.hears() == await there.hears() == ["tasks://T1"]
        await ada.add("Second")
        assert await here.hears() == await there.hears() == ["tasks://T2"]


async def test_a_guest_hears_what_the_owner_does_in_another_process(alone: Living) -> None:
    async with (
        another(alone) as elsewhere,
        elsewhere.client("ada") as ada,
        alone.client("bob") as bob,
    ):
        await ada.values("organize", kind="list", action="create", name="Team")
        code = (await ada.values("share", action="invite", list="Team", who="bob", role="view"))["code"]
        await bob.values("share", action="accept", code=code, who="ada")
        async with listening(bob, "tasks://list/Team", "tasks://overview") as heard:
            await ada.values("tasks_add", tasks=[{"title": "Fence", "list": "Team"}])
            assert await heard.hears(2) == ["tasks://list/Team", "tasks://overview"]
            await ada.values("share", action="revoke", list="Team", who="bob")
            assert await heard.hears(2) == ["tasks://list/Team", "tasks://overview"]


async def test_a_second_costs_one_statement_for_all_who_listen(alone: Living) -> None:
    assert alone.mcp_database is not None
    async with AsyncExitStack() as stack:
        people = [await stack.enter_async_context(alone.client(f"person {number}")) for number in range(3)]
        for person in people:
            await person.add("First")
        with sent(alone.mcp_database, ASKED) as asked, statements(alone) as seen, anyio.fail_after(NEVER_S):
            async with AsyncExitStack() as streams:
                for person in people * 2:
                    await streams.enter_async_context(listening(person, "tasks://overview", "tasks://T1"))
                while not asked.locked():
                    await asked.acquire()
                await asked.acquire()
                del seen[:]
                for _ in range(2):
                    await asked.acquire()
                assert [statement[: len(ASKED)] for statement in seen] == [ASKED, ASKED]


async def test_nothing_is_asked_while_nobody_listens(living: Living) -> None:
    """Asked by hand, because one cannot wait for what does not happen."""
    assert living.mcp_database is not None
    bell = Bell(living.mcp_database)
    with statements(living) as seen:
        with bell.ear("a space"):
            assert await bell.ask() is not None
        assert len(seen) == 1
        assert await bell.ask() is None
        assert len(seen) == 1


async def test_streams_outlive_a_moment_in_which_the_database_does_not_answer(alone: Living) -> None:
    assert alone.mcp_database is not None
    async with another(alone) as elsewhere, elsewhere.client("ada") as ada_elsewhere, alone.client("ada") as ada:
        with sent(alone.mcp_database, ASKED, failing=1) as asked, anyio.fail_after(NEVER_S):
            async with listening(ada, "tasks://T1") as heard:
                await asked.acquire()
                await ada_elsewhere.add("First")
                assert await heard.hears() == ["tasks://T1"]


async def test_a_listener_who_could_not_look_misses_nothing(alone: Living) -> None:
    assert alone.mcp_database is not None
    async with alone.client("ada") as ada, alone.client("bob") as bob:
        await ada.values("organize", kind="list", action="create", name="Team")
        code = (await ada.values("share", action="invite", list="Team", who="bob", role="view"))["code"]
        async with listening(bob, "tasks://list/Team") as heard:
            with sent(alone.mcp_database, OTHERS_READ, failing=1):
                await bob.values("share", action="accept", code=code, who="ada")
                assert await heard.hears() == ["tasks://list/Team"]


@pytest.mark.parametrize("zone", ["Pacific/Kiritimati", "America/Santiago"])
async def test_at_midnight_another_day_begins_where_the_listener_lives(alone: Living, zone: str) -> None:
    async with alone.client("ada", token=alone.token("ada", lifetime_s=9 * DAY_S)) as ada:
        await ada.values("organize", kind="setting", action="set", name="time zone", to=zone)
        now = clock()
        tomorrow = now.astimezone(ZoneInfo(zone)).date() + timedelta(days=1)
        midnight = datetime.combine(tomorrow, datetime.min.time(), ZoneInfo(zone)).astimezone(UTC)
        alone.mcp_ahead = midnight - now - timedelta(minutes=1)
        async with listening(ada, "tasks://inbox", "tasks://today", "tasks://overview") as heard:
            alone.mcp_ahead += timedelta(minutes=1)
            assert await heard.hears(2) == ["tasks://today", "tasks://overview"]
            await ada.add("First")
            assert await heard.hears(3) == ["tasks://inbox", "tasks://today", "tasks://overview"]
