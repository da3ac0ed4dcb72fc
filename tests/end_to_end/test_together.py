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
from mcp_server.offered import Offer
from mcp_server.tasks.spaces import space_of
from mcp_server.tasks.tables import tasks
from mcp_server.tools.offered import offered_tools
from mcp_server.tools.surface import TaskTool, make_tool, reads
from mcp_server.tools.wire import Face, closed
from shared.db import Database
from shared.tokens import SCOPES, Caller, IssuerProfile, Signer, SigningKey
from tests.living import Databases, Living, Said
from tests.models import ObedientModel

pytestmark = pytest.mark.anyio

# How many of 64 wait for their answer, leave during the call, or came too late to make one.
KINDS = {"person": 52, "leaver": 6, "latecomer": 6}
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
        # It looks, it writes, and the list that it looked at is shown as it is afterwards.
        await ada.say("done with one thing")
        assert living.requests == ["tools/call"] * 3
        living.requests.clear()
        await ada.say("hello")
        assert living.requests == []


TheCaller: Caller = Depends(current_caller)


class Hall:
    """A tool that keeps everybody waiting, and then says to each who he is."""

    def __init__(self, stays: int) -> None:
        self.everybody = asyncio.Barrier(stays)
        self.leaving = asyncio.Semaphore(0)
        self.open = asyncio.Event()
        self.gone = asyncio.Semaphore(0)

    def tool(self) -> TaskTool:
        """The tool itself."""

        async def who_am_i(caller: Caller = TheCaller) -> ToolResult:
            if caller.subject.startswith("leaver"):
                self.leaving.release()
                try:
                    await asyncio.Event().wait()
                finally:
                    self.gone.release()
            await self.everybody.wait()
            await self.open.wait()
            return ToolResult(content=[TextContent(type="text", text=caller.subject)], structured_content={})

        face = Face("Who", "Who is calling.", closed({}), {})
        return make_tool(who_am_i, hints=reads, scope="tasks:read", view="receipt", face=face)


async def test_64_people_at_once_over_one_connection_are_64_people(databases: Databases) -> None:
    """Some of them leave in the middle of their call, and some are not signed in for long enough to make one."""
    stay, leave, late = ([f"{kind} {number}" for number in range(count)] for kind, count in KINDS.items())
    hall = Hall(len(stay))
    async with Living(databases, model=ObedientModel(), offer=Offer([*offered_tools(), hall.tool()])) as living:

        async def asks(name: str) -> Said:
            lifetime_s = 1 if name in late else 600
            token = living.token(name, living.gateway_url, lifetime_s=lifetime_s)
            async with living.chat(name, token=token) as chat:
                return await chat.say("call who_am_i {}")

        # Whoever is first has the list of tools fetched in his name.
        async with living.chat("the first") as chat:
            await chat.say("hello")
        living.requests.clear()
        asking = {name: asyncio.create_task(asks(name)) for name in (*stay, *leave, *late)}
        for _ in leave:
            await hall.leaving.acquire()
        for name in leave:
            asking[name].cancel()
        for _ in leave:
            await hall.gone.acquire()
        hall.open.set()

        said = {name: await asking[name] for name in (*stay, *late)}
        assert {name: said[name].text for name in stay} == {name: name for name in stay}
        for name in late:
            [error] = said[name].of("error")
            assert "Your sign-in has ended" in error["message"]
        assert all(asking[name].cancelled() for name in leave)
        assert living.requests == ["tools/call"] * (len(stay) + len(leave))


async def test_a_name_at_two_issuers_is_two_people(databases: Databases) -> None:
    elsewhere = Signer("https://elsewhere.example.test", [SigningKey.generate()])
    living = Living(databases)
    profile = IssuerProfile(issuer=elsewhere.issuer, jwks=elsewhere.jwks)
    living.mcp_issuers, living.gateway_issuers = [profile], [profile]

    def token(audience: str) -> str:
        return elsewhere.issue("ada", audience, SCOPES, lifetime_s=600, client_id="a client")

    async with living:
        async with living.client("ada") as ada, living.client("ada", token=token(living.mcp_url)) as other:
            await ada.add("Mine")
            assert await other.titles("is:all") == []
            await other.add("Theirs")
            assert await ada.titles("is:all") == ["Mine"]
        async with living.chat("ada") as ada_chat, living.chat("ada", token=token(living.gateway_url)) as other_chat:
            assert "Theirs" in (await other_chat.say("what is open?")).text
            thread = (await ada_chat.say("what is open?")).thread_id
            assert (await other_chat.post("threads.get_by_id", thread_id=thread)).status_code == 404


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
        assert notice["message"] == "Tasks cannot be reached at the moment. The conversation goes on."
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
