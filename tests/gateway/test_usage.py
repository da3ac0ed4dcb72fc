"""What one person may use up is counted once for all replicas, by the clock, and for each person alone."""

import asyncio
from collections.abc import AsyncGenerator
from datetime import UTC, datetime, timedelta
from typing import Final

import pytest
from sqlalchemy import delete, event, select

from gateway.tables import chat_usage
from gateway.turn import Turn
from gateway.usage import Allowance, Limited, Usage
from shared.db import Database
from shared.tokens import Caller
from tests.living import Databases

pytestmark = pytest.mark.anyio

EVENING: Final = datetime(2026, 11, 21, 23, 58, 30, tzinfo=UTC)


class Clock:
    """A clock that stands until it is moved."""

    def __init__(self) -> None:
        self.now = EVENING

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def database(databases: Databases, clock: Clock) -> AsyncGenerator[Database]:
    database = Database(databases.gateway, pool_size=8, now=clock)
    yield database
    await database.close()


def turn(name: str, issuer: str = "https://issuer.example") -> Turn:
    caller = Caller(name, issuer, frozenset({"tasks:write"}), 2**40, "a client")

    async def caller_now() -> Caller:
        return caller

    return Turn(caller=caller, caller_now=caller_now, request_id="request")


async def refused(usage: Usage, who: Turn) -> Limited:
    with pytest.raises(Limited) as refusal:
        await usage.before(who)
    assert (refusal.value.code, refusal.value.status) == ("quota", 429)
    return refusal.value


async def test_the_turns_of_a_minute_are_counted_and_begin_again_with_the_next(
    database: Database, clock: Clock
) -> None:
    usage, ada = Usage(database, 3, 1_000), turn("ada")
    for _ in range(3):
        assert await usage.before(ada) == Allowance(1_000, near=False)
    refusal = await refused(usage, ada)
    assert refusal.retry_after_s == 30
    assert "messages in one minute" in refusal.message
    clock.now += timedelta(seconds=29)
    assert (await refused(usage, ada)).retry_after_s == 1
    clock.now += timedelta(seconds=1)
    for _ in range(3):
        await usage.before(ada)
    assert (await refused(usage, ada)).retry_after_s == 60


async def test_the_tokens_of_a_day_are_counted_and_begin_again_with_the_next_in_utc(
    database: Database, clock: Clock
) -> None:
    usage, ada = Usage(database, 99, 1_000), turn("ada")
    for used, left in ((0, 1_000), (799, 201), (1, 200), (199, 1)):
        await usage.before(ada)
        await usage.after(ada, used)
        assert await usage.before(ada) == Allowance(left, near=left <= 200)
    # The last of them is not cut short, so it may take more than was left.
    await usage.after(ada, 500)
    refusal = await refused(usage, ada)
    assert refusal.retry_after_s == 90
    assert "today" in refusal.message
    clock.now += timedelta(seconds=90)
    assert await usage.before(ada) == Allowance(1_000, near=False)


async def test_tokens_of_a_turn_that_ends_after_midnight_count_for_the_new_day(
    database: Database, clock: Clock
) -> None:
    usage, ada = Usage(database, 99, 1_000), turn("ada")
    await usage.before(ada)
    await usage.after(ada, 900)
    clock.now += timedelta(minutes=5)
    await usage.after(ada, 100)
    assert (await usage.before(ada)).tokens_left == 900


async def test_bob_has_his_own_limits_and_so_has_an_ada_of_another_issuer(database: Database) -> None:
    usage = Usage(database, 1, 100)
    ada = turn("ada")
    await usage.before(ada)
    await usage.after(ada, 100)
    await refused(usage, ada)
    for other in (turn("bob"), turn("ada", "https://other.example")):
        assert await usage.before(other) == Allowance(100, near=False)
        await refused(usage, other)


async def test_a_clock_that_is_behind_gives_nobody_more(database: Database, clock: Clock) -> None:
    usage, ada = Usage(database, 2, 100), turn("ada")
    clock.now += timedelta(minutes=2)
    await usage.before(ada)
    await usage.after(ada, 99)
    clock.now -= timedelta(minutes=2)
    await usage.after(ada, 1)
    assert "today" in (await refused(usage, ada)).message
    clock.now += timedelta(minutes=2)
    assert "minute" in (await refused(usage, ada)).message


async def test_replicas_together_never_allow_more_turns_than_one(databases: Databases, clock: Clock) -> None:
    replicas = [Database(databases.gateway, pool_size=8, now=clock) for _ in range(3)]
    usages = [Usage(replica, 10, 1_000) for replica in replicas]
    try:
        found = await asyncio.gather(
            *(usages[number % 3].before(turn("ada")) for number in range(45)), return_exceptions=True
        )
        await asyncio.gather(*(usages[number % 3].after(turn("ada"), 7) for number in range(45)))
        assert sum(isinstance(allowed, Allowance) for allowed in found) == 10
        assert sum(isinstance(allowed, Limited) for allowed in found) == 35
        async with replicas[0].begin(turn("ada").caller) as tx:
            row = await tx.one(select(chat_usage.c.tokens))
        assert row is not None
        assert row.tokens == 45 * 7
    finally:
        for replica in replicas:
            await replica.close()


async def test_a_turn_costs_one_statement_before_it_and_one_after(database: Database) -> None:
    usage, ada = Usage(database, 99, 1_000), turn("ada")
    statements: list[str] = []
    await usage.before(ada)

    def count(_: object, __: object, statement: str, *___: object) -> None:
        if "chat_usage" in statement:
            statements.append(statement)

    event.listen(database.engine.sync_engine, "before_cursor_execute", count)
    await usage.before(ada)
    assert len(statements) == 1
    await usage.after(ada, 5)
    assert len(statements) == 2


async def test_nothing_is_kept_of_a_person_who_was_deleted_while_the_answer_was_written(database: Database) -> None:
    usage, ada = Usage(database, 99, 1_000), turn("ada")
    await usage.before(ada)
    async with database.begin(ada.caller, write=True) as tx:
        await tx.execute(delete(chat_usage))
    await usage.after(ada, 5)
    async with database.begin(ada.caller) as tx:
        assert await tx.all(select(chat_usage)) == []
