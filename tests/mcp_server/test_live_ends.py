"""How a stream ends: with its result when it is we who end it, and without a trace when its client leaves."""

import asyncio
from collections.abc import AsyncGenerator
from datetime import timedelta

import anyio
import pytest

from shared.tokens import Revocation
from shared.tokens.verifier import LEEWAY_S
from tests.living import ISSUER, Databases, Living
from tests.mcp_server.listening import NEVER_S, listening

pytestmark = pytest.mark.anyio


@pytest.fixture
async def alone(databases: Databases) -> AsyncGenerator[Living]:
    """A house of one test, which may stop it."""
    async with Living(databases) as house:
        yield house


async def test_a_stream_ends_with_its_token(alone: Living) -> None:
    async with (
        alone.client("ada", token=alone.token("ada", lifetime_s=600)) as ada,
        alone.client("bob", token=alone.token("bob", lifetime_s=6_000)) as bob,
        listening(ada, "tasks://inbox") as hers,
        listening(bob, "tasks://inbox") as his,
    ):
        alone.mcp_ahead = timedelta(seconds=600 + LEEWAY_S)
        assert await hers.hears_the_end() == []
        await bob.add("His")
        assert await his.hears() == ["tasks://inbox"]


async def test_a_stream_ends_when_its_token_is_revoked(alone: Living) -> None:
    async with (
        alone.client("ada") as ada,
        alone.client("bob") as bob,
        listening(ada, "tasks://inbox") as hers,
        listening(bob, "tasks://inbox") as his,
    ):
        alone.mcp_revocations.replace([Revocation(ISSUER, 2**40, subject="ada", not_before=2**40)])
        assert await hers.hears_the_end() == []
        await bob.add("His")
        assert await his.hears() == ["tasks://inbox"]


async def test_a_server_that_stops_ends_its_streams_first(alone: Living) -> None:
    async with alone.client("ada") as ada, listening(ada, "tasks://inbox") as heard:
        await ada.add("First")
        assert await heard.hears() == ["tasks://inbox"]
        assert alone.mcp.task is not None
        alone.mcp.drain.begin()
        assert await heard.hears_the_end() == []
        with anyio.fail_after(NEVER_S):
            await asyncio.wait({alone.mcp.task})


async def test_nothing_is_left_of_a_client_that_went_away(alone: Living) -> None:
    async with alone.client("ada") as ada:
        await ada.add("First")
        before = asyncio.all_tasks()
        for _ in range(3):
            async with listening(ada, "tasks://inbox") as heard:
                await ada.add("More")
                assert await heard.hears() == ["tasks://inbox"]
        with anyio.fail_after(NEVER_S):
            while left := asyncio.all_tasks() - before:
                await asyncio.wait(left, return_when=asyncio.FIRST_COMPLETED)
