"""Both services together: a message in the chat becomes a row of the right person, and of nobody else."""

import asyncio
from typing import Any

import pytest
from fastmcp.dependencies import Depends
from fastmcp.tools.base import ToolResult
from mcp_types import TextContent
from sqlalchemy import select

from gateway.tables import chat_items
from mcp_server.access import current_caller
from mcp_server.tasks.spaces import space_of
from mcp_server.tasks.tables import tasks
from mcp_server.tools.surface import TaskTool, closed, make_tool, reads
from mcp_server.tools.tasks import task_tools
from shared.db import Database
from shared.tokens import Caller
from tests.living import Databases, Living
from tests.models import ObedientModel

pytestmark = pytest.mark.anyio

ADD_MILK = 'call tasks_add {"tasks": [{"title": "Buy milk"}]}'


async def titles_of(living: Living, name: str) -> list[str]:
    """A person's rows, straight from the database."""
    assert living.mcp_database is not None
    person = living.person(name)
    async with living.mcp_database.begin(person) as tx:
        rows = await tx.all(select(tasks.c.title).where(tasks.c.space_id == space_of(person)).order_by(tasks.c.no))
    return [title for (title,) in rows]


async def test_a_chat_message_becomes_a_row_of_the_one_who_wrote_it(living: Living) -> None:
    async with living.chat("ada") as ada, living.chat("bob") as bob:
        said = await ada.say("add buy milk tomorrow")
        assert said.events[0]["type"] == "thread.created"
        assert said.of("progress_update")[0]["text"] == "Add tasks..."
        assert "buy milk" in said.text.lower()
        assert [title.lower() for title in await titles_of(living, "ada")] == ["buy milk"]
        assert await titles_of(living, "bob") == []
        assert "milk" not in (await bob.say("what is open?")).text.lower()
        assert "milk" in (await ada.say("what is open?")).text.lower()
        assert "milk" in (await ada.say("done with milk", said.thread_id)).text.lower()
        assert "milk" not in (await ada.say("what is open?")).text.lower()


async def test_the_same_person_has_the_same_tasks_through_chat_and_through_a_client(living: Living) -> None:
    async with living.chat("ada") as chat, living.client("ada") as client:
        await client.add("Water the plants")
        assert "Water the plants" in (await chat.say("what is open?")).text


async def test_the_text_streams_in_pieces(living: Living) -> None:
    async with living.chat("ada") as ada:
        updates = (await ada.say("help")).of("thread.item.updated")
        deltas = [event for event in updates if event["update"]["type"].endswith("text_delta")]
        assert len(deltas) > 5


async def test_a_turn_costs_one_request_for_each_tool_call_and_no_handshake(living: Living) -> None:
    async with living.chat("ada") as ada:
        await ada.say("what is open?")
        living.requests.clear()
        await ada.say("add one thing")
        assert living.requests == ["tools/call"]
        living.requests.clear()
        await ada.say("done with one thing")
        assert living.requests == ["tools/call", "tools/call"]
        living.requests.clear()
        await ada.say("hello")
        assert living.requests == []


TheCaller: Caller = Depends(current_caller)


def barrier_tool(barrier: asyncio.Barrier) -> TaskTool:
    """A tool that answers nobody before everybody has called it, and then says to each who he is."""

    async def who_am_i(caller: Caller = TheCaller) -> ToolResult:
        await barrier.wait()
        return ToolResult(content=[TextContent(type="text", text=caller.subject)], structured_content={})

    return make_tool(
        who_am_i, title="Who", hints=reads, scope="tasks:read", view="receipt", parameters=closed({}), output={}
    )


async def test_twenty_people_at_once_over_one_connection_are_twenty_people(databases: Databases) -> None:
    everybody = asyncio.Barrier(20)
    tools = [*task_tools(), barrier_tool(everybody)]
    async with Living(databases, model=ObedientModel(), tools=tools) as living:

        async def one(name: str) -> tuple[str, str]:
            async with living.chat(name) as chat:
                return name, (await chat.say("call who_am_i {}")).text

        answers = await asyncio.gather(*(one(f"person {number}") for number in range(20)))
        assert all(name == said for name, said in answers)
        assert living.requests.count("tools/list") == 1
        assert living.requests.count("tools/call") == 20
        assert living.requests.count("server/discover") == 1
        assert len(living.requests) == 22


async def test_the_tool_server_may_go_and_come_back(databases: Databases) -> None:
    async with Living(databases, model=ObedientModel()) as living, living.chat("ada") as ada:
        thread = (await ada.say(ADD_MILK)).thread_id
        await living.mcp.stop()

        away = await ada.say("call tasks_find {}", thread)
        assert away.text.startswith("unavailable: the task service is away. Nothing was changed.")
        assert (await ada.say("hello", thread)).text == "hello"
        items = (await ada.reply("items.list", thread_id=thread))["data"]
        assert [item["type"] for item in items].count("user_message") == 3

        await living.start_mcp()
        assert "Buy milk" in (await ada.say("call tasks_find {}", thread)).text


async def test_the_gateway_may_start_before_the_tool_server(databases: Databases) -> None:
    async with Living(databases, model=ObedientModel(), start_mcp=False) as living, living.chat("ada") as ada:
        first = await ada.say("hello")
        assert first.text == "hello"
        [notice] = first.of("notice")
        assert "unavailable" in notice["message"]
        await living.start_mcp()
        assert "op 1: 1 added" in (await ada.say(ADD_MILK, first.thread_id)).text


async def test_no_token_and_no_name_reaches_the_model_or_the_thread(databases: Databases) -> None:
    model = ObedientModel()
    async with Living(databases, model=model) as living:
        token = living.token("ada lovelace", living.gateway_url)
        async with living.chat("ada lovelace", token=token) as ada:
            said = await ada.say(f"{ADD_MILK}\ncall tasks_find {{}}")
            assert "Buy milk" in said.text
        stored = await everything_stored(databases, living)
        for place in (model.seen, stored, str(said.events)):
            assert "eyJ" not in place
            assert "ada lovelace" not in place


async def everything_stored(databases: Databases, living: Living) -> str:
    database = Database(databases.gateway)
    try:
        async with database.begin(living.person("ada")) as tx:
            rows: list[Any] = list(await tx.all(select(chat_items.c.data)))
    finally:
        await database.close()
    return str(rows)


async def test_a_write_and_a_read_of_one_step_happen_in_order(databases: Databases) -> None:
    async with Living(databases, model=ObedientModel()) as living, living.chat("ada") as ada:
        lines = ["both" + ADD_MILK.removeprefix("call"), "call tasks_find {}"]
        said = await ada.say("\n".join(lines))
        assert "1 of 1 is:open" in said.text


async def test_a_caller_who_may_only_look_is_told_so_and_nothing_is_sent(databases: Databases) -> None:
    async with Living(databases, model=ObedientModel()) as living:
        token = living.token("ada", living.gateway_url, scopes=["tasks:read"])
        async with living.chat("ada", token=token) as ada:
            await ada.say("hello")
            living.requests.clear()
            assert (await ada.say(ADD_MILK)).text.startswith("forbidden: this needs tasks:write.")
            assert living.requests == []
