"""One answer per conversation, in whichever process it is written: leases, Stop from elsewhere, rename and delete."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from tests.gateway.cards import cards_of, pressed
from tests.living import ChatClient, Databases, Living, message
from tests.models import PatientModel

pytestmark = pytest.mark.anyio


@asynccontextmanager
async def writing(model: PatientModel, chat: ChatClient, thread_id: str = "") -> AsyncIterator["Reader"]:
    """An answer that has said its first words and waits."""
    model.begun.clear()
    model.go_on.clear()
    reader = Reader(chat, thread_id)
    task = asyncio.create_task(reader.read())
    try:
        await model.begun.wait()
        await reader.heard_words.wait()
        yield reader
    finally:
        model.go_on.set()
        await task


class Reader:
    """Somebody who reads an answer to its end."""

    def __init__(self, chat: ChatClient, thread_id: str) -> None:
        self._chat = chat
        self.thread_id = thread_id
        self.events: list[dict[str, Any]] = []
        self.heard_words = asyncio.Event()
        self.ended = asyncio.Event()

    async def read(self) -> None:
        async for event in self._chat.events("words that wait for more words", self.thread_id):
            self.events.append(event)
            if event["type"] == "thread.created":
                self.thread_id = event["thread"]["id"]
            if "text_delta" in str(event.get("update", {}).get("type")):
                self.heard_words.set()
        self.ended.set()

    @property
    def words(self) -> str:
        return "".join(event["update"]["delta"] for event in self.events if "delta" in event.get("update", {}))

    def of(self, kind: str) -> list[dict[str, Any]]:
        return [event for event in self.events if event["type"] == kind]


async def kinds(chat: ChatClient, thread_id: str) -> list[str]:
    return [item["type"] for item in await chat.items(thread_id)]


@asynccontextmanager
async def two_gateways(databases: Databases, model: PatientModel) -> AsyncIterator[tuple[Living, Living]]:
    """Two processes of the gateway in front of one database, for the same people."""
    first, second = Living(databases, model=model), Living(databases, model=model)
    second.issuer = first.issuer
    async with first, second:
        yield first, second


async def test_a_second_message_is_refused_while_an_answer_is_written_and_nothing_of_it_is_kept(
    databases: Databases,
) -> None:
    model = PatientModel()
    async with Living(databases, model=model) as living, living.chat("ada") as ada:
        async with writing(model, ada) as reader:
            refused = await ada.post("threads.add_user_message", thread_id=reader.thread_id, input=message("and this?"))
            assert refused.status_code == 409
            assert refused.json()["code"] == "busy"
            assert refused.headers["retry-after"] == "2"
            assert await kinds(ada, reader.thread_id) == ["user_message"]
        assert await kinds(ada, reader.thread_id) == ["user_message", "assistant_message"]
        accepted = await ada.post("threads.add_user_message", thread_id=reader.thread_id, input=message("now?"))
        assert accepted.status_code == 200


async def test_of_many_messages_at_once_one_is_answered(databases: Databases) -> None:
    model = PatientModel()
    async with two_gateways(databases, model) as (first, second), first.chat("ada") as ada, second.chat("ada") as too:
        model.go_on.set()
        thread = (await ada.say("hello")).thread_id
        model.go_on.clear()
        model.begun.clear()

        async def send(chat: ChatClient) -> int:
            response = await chat.post("threads.add_user_message", thread_id=thread, input=message("at once"))
            return response.status_code

        sent = [asyncio.create_task(send(chat)) for chat in (ada, too) * 5]
        await model.begun.wait()
        refused = [task for task in sent if task.done()]
        while len(refused) < 9:
            await asyncio.wait(set(sent) - set(refused), return_when=asyncio.FIRST_COMPLETED)
            refused = [task for task in sent if task.done()]
        model.go_on.set()
        assert sorted([await task for task in sent]) == [200, *[409] * 9]
        assert await kinds(ada, thread) == ["user_message", "assistant_message"] * 2


async def test_answers_of_one_person_at_the_same_time_are_limited(databases: Databases) -> None:
    model = PatientModel()
    living = Living(databases, model=model, chat_limits="streams=1 turns=100")
    async with living, living.chat("ada") as ada, living.chat("bob") as bob, writing(model, ada):
        refused = await ada.post("threads.create", input=message("another one"))
        assert refused.status_code == 409
        assert len((await ada.reply("threads.list"))["data"]) == 1
        async with writing(model, bob):
            pass


async def test_stop_from_another_process_ends_the_answer_and_keeps_what_was_read(databases: Databases) -> None:
    model = PatientModel()
    async with two_gateways(databases, model) as (first, second), first.chat("ada") as ada, second.chat("ada") as tab:
        async with writing(model, ada) as reader:
            running = await tab.http.get("/api/turn", params={"thread_id": reader.thread_id})
            assert running.json()["running"] is True
            stopped = await tab.http.post("/api/stop", json={"thread_id": reader.thread_id})
            assert stopped.json() == {"stopped": True}
            await reader.ended.wait()
            [notice] = reader.of("notice")
            assert notice["message"] == "This answer was stopped."
            assert not reader.of("error")
        stored = (await tab.reply("items.list", thread_id=reader.thread_id, order="asc"))["data"]
        assert [item["type"] for item in stored] == ["user_message", "assistant_message"]
        assert stored[1]["content"][0]["text"] == reader.words
        running = await tab.http.get("/api/turn", params={"thread_id": reader.thread_id})
        assert running.json() == {"running": False, "partial": ""}


async def test_nobody_stops_or_sees_the_answer_of_somebody_else(databases: Databases) -> None:
    model = PatientModel()
    async with Living(databases, model=model) as living, living.chat("ada") as ada, living.chat("bob") as bob:
        async with writing(model, ada) as reader:
            assert (await bob.http.post("/api/stop", json={"thread_id": reader.thread_id})).json() == {"stopped": False}
            seen = await bob.http.get("/api/turn", params={"thread_id": reader.thread_id})
            assert seen.json() == {"running": False, "partial": ""}
        assert not reader.of("error")
        assert await kinds(ada, reader.thread_id) == ["user_message", "assistant_message"]


async def test_a_rename_during_an_answer_survives_it(databases: Databases) -> None:
    model = PatientModel()
    async with Living(databases, model=model) as living, living.chat("ada") as ada:
        async with writing(model, ada) as reader:
            await ada.reply("threads.update", thread_id=reader.thread_id, title="My own title")
        assert (await ada.reply("threads.get_by_id", thread_id=reader.thread_id))["title"] == "My own title"
        titles = [event["thread"].get("title") for event in reader.of("thread.updated")]
        assert "My own title" not in titles[:1]  # it was renamed after the first


async def test_a_conversation_deleted_during_its_answer_stays_deleted_and_the_answer_ends(databases: Databases) -> None:
    model = PatientModel()
    async with Living(databases, model=model) as living, living.chat("ada") as ada:
        async with writing(model, ada) as reader:
            await ada.reply("threads.delete", thread_id=reader.thread_id)
            await reader.ended.wait()
            [error] = reader.of("error")
            assert error["allow_retry"] is False
        assert (await ada.reply("threads.list"))["data"] == []
        assert (await ada.post("threads.get_by_id", thread_id=reader.thread_id)).status_code == 404
        assert (await ada.say("another")).text


async def test_an_answer_that_takes_too_long_is_ended_and_says_so(databases: Databases) -> None:
    model = PatientModel()
    async with Living(databases, model=model, chat_limits="turn_s=1") as living, living.chat("ada") as ada:
        async with writing(model, ada) as reader:
            await reader.ended.wait()
            [error] = reader.of("error")
            assert error["message"] == "This took too long. Ask for a part of it."
            assert error["allow_retry"] is True
        stored = (await ada.reply("items.list", thread_id=reader.thread_id, order="asc"))["data"]
        assert stored[1]["content"][0]["text"] == reader.words


async def test_a_card_can_be_used_while_an_answer_is_written(databases: Databases) -> None:
    model = PatientModel()
    async with Living(databases, model=model) as living, living.chat("ada") as ada, living.client("ada") as client:
        await client.add("Water the plants")
        model.go_on.set()
        said = await ada.say('call tasks_find {"filter": ""}')
        [card] = cards_of(said)
        async with writing(model, ada, said.thread_id) as reader:
            action = pressed(card, "tasks_complete")
            done = await ada.post(
                "threads.sync_custom_action", thread_id=said.thread_id, item_id=card["id"], action=action
            )
            assert done.status_code == 200, done.text
            assert await client.titles("is:done") == ["Water the plants"]
        assert not reader.of("error")
