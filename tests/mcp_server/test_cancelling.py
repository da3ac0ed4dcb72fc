"""Cancelling in the older era, by a request of its own: it stops what the same client asked for, and nothing else."""

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field

import httpx2
import pytest
from fastmcp.tools.base import ToolResult

from mcp_server.offered import Offer
from mcp_server.tools.surface import TaskTool, make_tool, reads
from mcp_server.tools.wire import Face, closed
from tests.living import Databases, Living
from tests.mcp_server.wire import answer, headers, message, post

pytestmark = pytest.mark.anyio

ERA = "2025-11-25"
CALL = {"name": "wait", "arguments": {}}


@dataclass
class Room:
    """Where calls wait until they are let go."""

    living: Living | None = None
    inside: "asyncio.Queue[None]" = field(default_factory=asyncio.Queue)
    gone: "asyncio.Queue[None]" = field(default_factory=asyncio.Queue)
    door: asyncio.Event = field(default_factory=asyncio.Event)

    def tool(self) -> TaskTool:
        async def wait() -> ToolResult:
            self.inside.put_nowait(None)
            try:
                await self.door.wait()
            except asyncio.CancelledError:
                self.gone.put_nowait(None)
                raise
            return ToolResult(content="let go", structured_content={})

        face = Face("Wait", "Wait until let go.", closed({}), {})
        return make_tool(wait, hints=reads, scope="tasks:read", view="receipt", face=face)

    async def call(self, token: str, number: int | str) -> "asyncio.Task[httpx2.Response]":
        """A call under that number, which waits in here."""
        assert self.living is not None
        body = {**message(ERA, params=CALL), "id": number}
        task = asyncio.create_task(post(self.living.mcp_url, headers(token, ERA, params=CALL), body))
        await self.inside.get()
        return task

    async def cancel(self, token: str, number: int | str) -> None:
        """What a client sends that gives a call up; it is always accepted."""
        assert self.living is not None
        body = {"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": number}}
        sent = await post(self.living.mcp_url, headers(token, ERA, "notifications/cancelled"), body)
        assert sent.status_code == 202


@pytest.fixture
async def room(databases: Databases) -> AsyncGenerator[Room]:
    room = Room()
    async with Living(databases, offer=Offer([room.tool()])) as living:
        room.living = living
        yield room
        room.door.set()


async def test_a_call_that_is_given_up_ends_without_an_answer(room: Room) -> None:
    assert room.living is not None
    token = room.living.token("ada")
    call = await room.call(token, 7)
    await room.cancel(token, 7)
    await room.gone.get()
    ended = await call
    assert (ended.status_code, ended.text) == (200, "")


async def test_nobody_else_and_no_other_number_stops_a_call(room: Room) -> None:
    assert room.living is not None
    token = room.living.token("ada")
    call = await room.call(token, 7)
    await room.cancel(room.living.token("bob"), 7)
    await room.cancel(room.living.token("ada"), 7)
    await room.cancel(token, 8)
    await room.cancel(token, "7")
    room.door.set()
    assert answer(await call)["result"]["content"][0]["text"] == "let go"
    assert room.gone.empty()


async def test_of_two_calls_that_cannot_be_told_apart_neither_is_stopped(room: Room) -> None:
    assert room.living is not None
    token = room.living.token("ada")
    calls = [await room.call(token, 7), await room.call(token, 7)]
    await room.cancel(token, 7)
    room.door.set()
    for call in calls:
        assert answer(await call)["result"]["content"][0]["text"] == "let go"


async def test_a_call_that_has_ended_is_not_remembered(room: Room) -> None:
    assert room.living is not None
    token = room.living.token("ada")
    room.door.set()
    await (await room.call(token, 7))
    room.door.clear()
    call = await room.call(token, 8)
    await room.cancel(token, 7)
    room.door.set()
    assert answer(await call)["result"]["content"][0]["text"] == "let go"
