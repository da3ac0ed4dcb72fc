"""Each service as a process of its own that is killed, stopped, started again, or started wrongly."""

import asyncio
import json
import re
import signal
import sqlite3
from collections.abc import AsyncGenerator, Generator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx2
import pytest

from tests.end_to_end.processes import Deployment, deployment, ended, pieces, reserved_port, taskgate
from tests.living import ChatClient, Said, message

AWAY = "Tasks are unavailable at the moment."
UNKNOWN = "I got no answer: it may have been done."


class Way:
    """The way from the gateway to the tool server: it tells when a call has gone by, and may lose the answer to it."""

    def __init__(self, port: int, behind: int) -> None:
        self.address = f"127.0.0.1:{port}"
        self.asked = asyncio.Event()
        self.answered = asyncio.Event()
        self.loses_answers = False
        self._port = port
        self._behind = behind
        self._server: asyncio.Server | None = None

    async def open(self) -> None:
        """Let everything through."""
        self.forget()
        self.loses_answers = False
        if self._server is None:
            self._server = await asyncio.start_server(self._connected, "127.0.0.1", self._port)

    def forget(self) -> None:
        """Forget what has gone by."""
        self.asked.clear()
        self.answered.clear()

    def close(self) -> None:
        """Refuse connections, as an address does where nobody listens any more."""
        if self._server is not None:
            self._server.close()
            self._server = None

    async def _connected(self, gateway: asyncio.StreamReader, to_gateway: asyncio.StreamWriter) -> None:
        server, to_server = await asyncio.open_connection("127.0.0.1", self._behind)
        await asyncio.gather(self._questions(gateway, to_server), self._answers(server, to_gateway))

    async def _questions(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError), closing(writer):
            while part := await reader.read(65_536):
                writer.write(part)
                await writer.drain()
                if b"tools/call" in part:
                    self.asked.set()

    async def _answers(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError), closing(writer):
            while part := await reader.read(65_536):
                if self.asked.is_set():
                    self.answered.set()
                if not self.loses_answers:
                    writer.write(part)
                    await writer.drain()


@dataclass(frozen=True, slots=True)
class House:
    """Both services, and the way between them."""

    services: Deployment
    way: Way

    async def open(self) -> None:
        """Start what does not run."""
        await self.services.start()
        await self.way.open()

    async def kill_mcp(self) -> None:
        """The tool server is gone at once, and connections to it are refused."""
        self.services.mcp.send(signal.SIGKILL)
        self.way.close()
        assert await self.services.mcp.exit_code() == -signal.SIGKILL

    def titles(self) -> list[str]:
        """Everybody's tasks, straight from the file."""
        with closing(sqlite3.connect(self.services.mcp_file)) as connection:
            return [title for (title,) in connection.execute("SELECT title FROM tasks ORDER BY title")]

    def items(self, thread_id: str) -> list[dict[str, Any]]:
        """What a conversation holds, straight from the file."""
        with closing(sqlite3.connect(self.services.gateway_file)) as connection:
            found = connection.execute("SELECT data FROM chat_items WHERE thread_id = ?", [thread_id])
            return [json.loads(data) for (data,) in found]

    def partial(self, thread_id: str) -> str:
        """What a crash would leave of the answer that is being written, straight from the file."""
        with closing(sqlite3.connect(self.services.gateway_file)) as connection:
            found = connection.execute("SELECT partial FROM chat_turns WHERE thread_id = ?", [thread_id]).fetchone()
        return str(json.loads(found[0])["content"][0]["text"]) if found and found[0] else ""

    def let_leases_end(self) -> None:
        """What half a minute does to the lease of an answer that nobody writes any more."""
        with closing(sqlite3.connect(self.services.gateway_file)) as connection:
            connection.execute("UPDATE chat_turns SET expires_us = 0")
            connection.commit()

    @contextmanager
    def no_writes(self) -> Generator[None]:
        """Calls that write wait for this to end."""
        with closing(sqlite3.connect(self.services.mcp_file, isolation_level=None)) as connection:
            connection.execute("BEGIN IMMEDIATE")
            yield
            connection.execute("ROLLBACK")


@pytest.fixture(scope="module")
async def only_house(
    tmp_path_factory: pytest.TempPathFactory,
    anyio_backend: str,  # noqa: ARG001
) -> AsyncGenerator[House]:
    async with deployment(tmp_path_factory.mktemp("house")) as services:
        await services.upgrade()
        with reserved_port() as port:
            way = Way(port, urlsplit(services.mcp_url).port or 0)
            services.mcp.settings["TASKGATE_MCP_HOSTS"] = way.address
            services.gateway.settings["TASKGATE_GATEWAY_MCP_ADDRESS"] = f"http://{way.address}/mcp"
            yield House(services, way)
            way.close()


@pytest.fixture
async def house(only_house: House) -> House:
    """Both services running, whatever the test before did to them."""
    await only_house.open()
    return only_house


@pytest.mark.anyio
async def test_the_tool_server_may_be_killed_and_come_back_while_the_gateway_goes_on(house: House) -> None:
    async with house.services.chat("ada") as ada:
        said = await ada.say("add feed the cat")
        assert "feed the cat" in said.text.lower()
        await house.kill_mcp()

        thread = await ada.reply("threads.get_by_id", thread_id=said.thread_id)
        assert [item["type"] for item in thread["items"]["data"]].count("assistant_message") == 1
        away = await ada.say("what is open?", said.thread_id)
        assert away.text.startswith(AWAY)
        assert away.of("error") == []
        assert (await ada.http.get("/readyz")).status_code == 200

        await house.open()
        assert "feed the cat" in (await ada.say("what is open?", said.thread_id)).text.lower()


@pytest.mark.anyio
async def test_a_call_cut_by_a_kill_is_no_lost_and_no_double_task(house: House) -> None:
    async with house.services.chat("ada") as ada:
        thread = (await ada.say("add water the plants")).thread_id
        house.way.forget()
        with house.no_writes():
            asking = asyncio.create_task(ada.say("add buy milk", thread))
            await house.way.asked.wait()
            await house.kill_mcp()
            cut = await asking
        # The repeat was refused, but nobody can know what became of the first try.
        assert cut.text.startswith(UNKNOWN)
        assert cut.events[-1]["type"] == "thread.item.done"
        assert [title.lower() for title in house.titles()].count("buy milk") == 0

        await house.open()
        assert "buy milk" in (await ada.say("add buy milk", thread)).text.lower()
        titles = [title.lower() for title in house.titles()]
        assert titles.count("buy milk") == titles.count("water the plants") == 1


@pytest.mark.anyio
async def test_a_task_whose_receipt_was_lost_in_a_kill_is_not_added_again_by_a_retry(house: House) -> None:
    async with house.services.chat("ada") as ada:
        thread = (await ada.say("hello")).thread_id
        house.way.forget()
        house.way.loses_answers = True
        asking = asyncio.create_task(ada.say("add pay the rent", thread))
        await house.way.answered.wait()
        await house.kill_mcp()
        assert (await asking).text.startswith(UNKNOWN)
        assert [title.lower() for title in house.titles()].count("pay the rent") == 1

        await house.open()
        question = [item["id"] for item in await ada.items(thread) if item["type"] == "user_message"][-1]
        again = await ada.post("threads.retry_after_item", thread_id=thread, item_id=question)
        assert "pay the rent" in again.text.lower()
        assert UNKNOWN not in again.text
        assert [title.lower() for title in house.titles()].count("pay the rent") == 1


@pytest.mark.anyio
async def test_a_tool_server_told_to_stop_ends_the_calls_it_has_begun(house: House) -> None:
    async with house.services.chat("ada") as ada:
        thread = (await ada.say("hello")).thread_id
        house.way.forget()
        with house.no_writes():
            asking = asyncio.create_task(ada.say("add call the dentist", thread))
            await house.way.asked.wait()
            house.services.mcp.send(signal.SIGTERM)
            await house.services.mcp.says("draining")
        assert "call the dentist" in (await asking).text.lower()
        assert await house.services.mcp.exit_code() == 0
        assert [title.lower() for title in house.titles()].count("call the dentist") == 1


@pytest.mark.anyio
async def test_no_log_shows_a_name_a_token_a_key_or_what_people_write(house: House) -> None:
    async with house.services.chat("ada lovelace") as ada:
        await ada.say("add buy a violin")
        await ada.http.get("/auth/me")
    for service in (house.services.mcp, house.services.gateway):
        await service.says("request")
        log = json.dumps(service.log)
        for secret in ("eyJ", "lovelace", "violin", *house.services.secrets):
            assert secret not in log


@pytest.mark.anyio
async def test_a_gateway_told_to_stop_lets_an_answer_come_to_its_end(house: House) -> None:
    async with house.services.chat("ada") as ada:
        said = await stopped_within_words(house, ada)
        assert said.of("error") == []
        assert said.text.count("\n") > 3
        assert said.text == "".join(pieces(said))


@pytest.mark.anyio
async def test_a_gateway_without_time_to_stop_ends_an_answer_with_an_event_and_keeps_its_words(
    only_house: House,
) -> None:
    gateway = only_house.services.gateway
    await gateway.stop()
    await gateway.start({"TASKGATE_DRAIN_S": "0"})
    async with only_house.services.chat("ada") as ada:
        said = await stopped_within_words(only_house, ada)
    assert said.events[-1]["type"] == "error"
    assert said.events[-1]["allow_retry"]
    assert "restarting" in said.events[-1]["message"]
    kept = next(item for item in only_house.items(said.thread_id) if item["type"] == "assistant_message")
    assert kept["content"][0]["text"] == "".join(pieces(said))


@pytest.mark.anyio
async def test_a_gateway_killed_within_words_keeps_the_question_and_what_had_been_said(house: House) -> None:
    async with house.services.chat("ada") as ada:
        thread = (await ada.say("hello")).thread_id
        said = Said([])
        with suppress(httpx2.RemoteProtocolError, httpx2.ReadError):
            async for event in ada.events("help", thread):
                said.events.append(event)
                if house.partial(thread):
                    house.services.gateway.send(signal.SIGKILL)
        assert await house.services.gateway.exit_code() == -signal.SIGKILL
        left = house.partial(thread)

        await house.services.gateway.start()
        refused = await ada.post("threads.add_user_message", thread_id=thread, input=message("again"))
        assert refused.json()["code"] == "busy"
        house.let_leases_end()
        stored = await ada.items(thread)
        assert [item["type"] for item in stored] == ["user_message", "assistant_message"] * 2
        kept = stored[-1]["content"][0]["text"]
        assert kept == left
        assert "".join(pieces(said)).startswith(kept)
        assert (await ada.say("hello again", thread)).text


@pytest.mark.anyio
async def test_a_gateway_killed_within_a_tool_leaves_one_question_and_a_retry_adds_one_task(house: House) -> None:
    async with house.services.chat("ada") as ada:
        thread = (await ada.say("hello")).thread_id
        house.way.forget()
        with house.no_writes():
            asking = asyncio.create_task(ada.say("add sharpen the knives", thread))
            await house.way.asked.wait()
            house.services.gateway.send(signal.SIGKILL)
            with suppress(httpx2.RemoteProtocolError, httpx2.ReadError):
                await asking
            assert await house.services.gateway.exit_code() == -signal.SIGKILL

        await house.services.gateway.start()
        house.let_leases_end()
        questions = [item for item in await ada.items(thread) if item["type"] == "user_message"]
        assert [item["content"][0]["text"] for item in questions] == ["hello", "add sharpen the knives"]
        again = await ada.post("threads.retry_after_item", thread_id=thread, item_id=questions[-1]["id"])
        assert "sharpen the knives" in again.text.lower()
        assert [title.lower() for title in house.titles()].count("sharpen the knives") == 1


async def stopped_within_words(house: House, chat: ChatClient) -> Said:
    """An answer during which the gateway is told to stop, which it does in good order."""
    said = Said([])
    async for event in chat.events("help"):
        said.events.append(event)
        if len(pieces(said)) == 1:
            house.services.gateway.send(signal.SIGTERM)
            await house.services.gateway.says("draining")
    assert await house.services.gateway.exit_code() == 0
    return said


# Starts that have to fail


@pytest.mark.anyio
async def test_without_its_tables_a_service_names_the_command_that_makes_them(tmp_path: Path) -> None:
    async with deployment(tmp_path) as services:
        refused = ended("taskgate-mcp", cwd=tmp_path, settings=services.mcp.settings)
        assert refused.returncode == 4
        said = re.fullmatch(
            r"taskgate: the database of the mcp service has no tables yet\.\n  Fix: run `taskgate (.+)`\.\n",
            refused.stderr,
        )
        assert said, refused.stderr
        assert taskgate(*said[1].split(), cwd=tmp_path, settings=services.mcp.settings).returncode == 0
        await services.mcp.start()


def test_every_wrong_setting_is_named_at_once_and_no_secret_is_shown(tmp_path: Path) -> None:
    settings = {
        "TASKGATE_LOG_LEVEL": "loud",
        "TASKGATE_MCP_URL": "https://tasks.example.test/tools",
        "TASKGATE_GATEWAY_URL": "http://tasks.example.test",
        "TASKGATE_MCP_DATABASE_URL": "postgresql://app:hunter2@db/tasks",
        "TASKGATE_MCP_STATE_KEYS": "correct-horse",
        "TASKGATE_MCP_ISUERS": "[]",
        "TASKGATE_POOL_SIZE": "none",
    }
    done = ended("taskgate-mcp", cwd=tmp_path, settings=settings)
    assert done.returncode == 2
    assert done.stdout == ""
    named = [line.partition(":")[0].partition(" ")[0] for line in done.stderr.splitlines()]
    assert sorted(named) == sorted(settings.keys() - {"TASKGATE_MCP_DATABASE_URL"} | {"TASKGATE_MCP_ISSUERS"})
    assert "hunter2" not in done.stderr
    assert "correct-horse" not in done.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.anyio
async def test_in_production_nobody_makes_up_the_keys_that_sign_for_people(tmp_path: Path) -> None:
    async with deployment(tmp_path) as services:
        left_out = {"TASKGATE_ENV", "TASKGATE_GATEWAY_SIGNING_KEYS"}
        settings = {name: value for name, value in services.gateway.settings.items() if name not in left_out}
        done = ended("taskgate-gateway", cwd=tmp_path, settings=settings)
    assert done.returncode == 2
    [line] = done.stderr.splitlines()
    assert line.startswith("TASKGATE_GATEWAY_SIGNING_KEYS: is required.")
