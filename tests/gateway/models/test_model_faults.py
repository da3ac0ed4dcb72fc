"""A provider that misbehaves, seen by a person over HTTP: what was read stays, an event says why, and retry works."""

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from itertools import count
from typing import Any, Final

import pytest

from gateway.models import Choice, choose
from tests.conftest import migrate
from tests.end_to_end.model_server import FOREIGN, chunk
from tests.faults.model_server import Behaviour, FaultyModelServer, Step, refuses, streams
from tests.faults.model_words import DONE, call_made, called, calls_made, response, said
from tests.gateway.models.asking import LONG_S, QUESTION, SPEECHES
from tests.living import ChatClient, Databases, Living, Said, message

pytestmark = pytest.mark.anyio

HASTY_S: Final = 0.5
BEGUN: Final = response("response.created", status="in_progress")
ONE: Final = {"x": chunk({"content": "one "}), "openai:x": BEGUN + said("one ")}
GARBAGE: Final = f"data: {{{FOREIGN}\n\n".encode()
CUT: Final = {
    "x": chunk({}, "length") + DONE,
    "openai:x": response("response.incomplete", incomplete_details={"reason": "max_output_tokens"}),
}
NOTHING: Final = {"x": chunk({}, "stop") + DONE, "openai:x": response("response.completed")}

_numbers: Final = count(1)


@dataclass(frozen=True)
class Fault:
    """What the provider does to the next requests, which model is asked, and what the person gets to read of it."""

    plan: list[Behaviour]
    words: str
    text: str = ""
    model: str = "default"


def faults(speech: str) -> dict[str, Fault]:
    return {
        "limited": Fault([refuses(429, headers={"Retry-After": "900"})], "900"),
        "failing": Fault([refuses(500)] * 2, "cannot be reached"),
        "overloaded": Fault([refuses(503, f"<html>{FOREIGN}</html>")] * 2, "cannot be reached"),
        "wrong key": Fault([refuses(401)], "set up"),
        "cut": Fault([streams(ONE[speech], Step.CUT)], "broke off", "one "),
        "garbage": Fault([streams(ONE[speech], GARBAGE)], "broke off", "one "),
        "ends early": Fault([streams(ONE[speech])], "broke off", "one "),
        "length": Fault([streams(ONE[speech], CUT[speech])], "too long", "one "),
        "nothing": Fault([streams(BEGUN if speech != "x" else b"", NOTHING[speech])], "no answer"),
        "silent": Fault([streams(Step.WAIT)], "in time", model="hasty"),
        "falls silent": Fault([streams(ONE[speech], Step.WAIT)], "in time", "one ", model="hasty"),
    }


@pytest.fixture(scope="module", params=SPEECHES)
async def speaking(
    request: pytest.FixtureRequest, only_server: FaultyModelServer, tmp_path_factory: pytest.TempPathFactory
) -> AsyncGenerator[tuple[str, Living]]:
    """Both services, with the server as their model; `hasty` is the same model with less patience."""
    folder = tmp_path_factory.mktemp("speaking")
    databases = Databases(mcp=f"sqlite:///{folder}/mcp.db", gateway=f"sqlite:///{folder}/gateway.db")
    await migrate(databases)
    speech: str = request.param
    patient = await choose(speech, only_server.url, first_s=LONG_S, silence_s=LONG_S)
    hasty = await choose(speech, only_server.url, first_s=HASTY_S, silence_s=HASTY_S)
    living = Living(databases, model=patient.default.model)
    living.choices = [Choice("hasty", "hasty", "", hasty.default.model)]
    async with living:
        yield speech, living
    await patient.close()
    await hasty.close()


@pytest.fixture
def living(speaking: tuple[str, Living]) -> Living:
    """The same services with new people."""
    speaking[1].begin_test(next(_numbers))
    return speaking[1]


async def ask(person: ChatClient, text: str, thread_id: str, model: str = "default") -> Said:
    asked: dict[str, Any] = {**message(text), "inference_options": {"model": model}}
    sent = await person.post("threads.add_user_message", input=asked, thread_id=thread_id)
    assert sent.status_code == 200
    return Said.read(sent.text)


async def messages(person: ChatClient, thread_id: str) -> list[tuple[str, str]]:
    """What the thread shows, without what came before the faults."""
    items = (await person.reply("items.list", thread_id=thread_id, order="asc"))["data"]
    return [
        (item["type"], "".join(part["text"] for part in item["content"]))
        for item in items
        if item["type"] in {"user_message", "assistant_message"}
    ][2:]


async def nothing_runs(living: Living, before: set["asyncio.Task[Any]"]) -> None:
    await living.running.finish_or_stop(5)
    left = {task for task in asyncio.all_tasks() - before if "gateway" in repr(task) or "agents" in repr(task)}
    if left:
        assert not (await asyncio.wait(left, timeout=5))[1]


@pytest.mark.parametrize("name", faults("x"))
async def test_every_fault_ends_with_an_event_and_retry_brings_the_whole_answer(
    server: FaultyModelServer, speaking: tuple[str, Living], living: Living, name: str
) -> None:
    fault = faults(speaking[0])[name]
    async with living.chat("ada") as ada, living.chat("bob") as bob:
        thread_id = (await ada.say("hello")).thread_id
        before = asyncio.all_tasks()
        server.forget()
        server.will(*fault.plan)
        told = await ask(ada, QUESTION, thread_id, fault.model)
        last = told.events[-1]
        assert (last["type"], last["allow_retry"]) == ("error", True)
        assert fault.words in last["message"]
        assert FOREIGN not in str(told.events)
        shown = await messages(ada, thread_id)
        assert shown == [("user_message", QUESTION)] + [("assistant_message", fault.text)] * bool(fault.text)
        if fault.model == "hasty":
            await asyncio.wait_for(server.left.wait(), 5)
        await nothing_runs(living, before)

        items = (await ada.reply("items.list", thread_id=thread_id, order="asc"))["data"]
        question = [item for item in items if item["type"] == "user_message"][-1]["id"]
        refused = await bob.post("threads.retry_after_item", thread_id=thread_id, item_id=question)
        assert refused.status_code == 404
        again = await ada.post("threads.retry_after_item", thread_id=thread_id, item_id=question)
        assert '"error"' not in again.text
        assert await messages(ada, thread_id) == [("user_message", QUESTION), ("assistant_message", QUESTION)]
        assert FOREIGN not in again.text


@pytest.mark.parametrize(
    ("name", "arguments", "told"),
    [("tasks_ad", "{}", "unknown_tool: "), ("tasks_add", '{"tasks": [{"ti', "bad_argument: ")],
)
async def test_a_call_that_nobody_can_make_is_told_to_the_model_and_the_answer_goes_on(
    server: FaultyModelServer, speaking: tuple[str, Living], living: Living, name: str, arguments: str, told: str
) -> None:
    call = {"index": 0, "id": "a", "function": {"name": name, "arguments": arguments}}
    spoken = {
        "x": called(call) + chunk({}, "tool_calls") + DONE,
        "openai:x": calls_made(call_made(name, arguments)),
    }
    async with living.chat("ada") as ada, living.client("ada") as tools:
        thread_id = (await ada.say("hello")).thread_id
        server.forget()
        server.will(streams(spoken[speaking[0]]))
        said = await ask(ada, QUESTION, thread_id)
        assert not [event for event in said.events if event["type"] == "error"]
        assert (await messages(ada, thread_id))[-1][1].startswith(told)
        assert await tools.titles() == []
        assert (await ask(ada, "and now?", thread_id)).text == "and now?"


async def test_a_model_that_calls_for_ever_is_ended_by_the_limits(
    server: FaultyModelServer, speaking: tuple[str, Living], living: Living
) -> None:
    call = {"index": 0, "id": "a", "function": {"name": "tasks_find", "arguments": "{}"}}
    spoken = {
        "x": called(call) + chunk({}, "tool_calls") + DONE,
        "openai:x": calls_made(call_made("tasks_find", "{}")),
    }
    async with living.chat("ada") as ada:
        thread_id = (await ada.say("hello")).thread_id
        before = asyncio.all_tasks()
        server.forget()
        server.will(*[streams(spoken[speaking[0]])] * 50)
        last = (await ask(ada, QUESTION, thread_id)).events[-1]
        assert (last["type"], last["allow_retry"]) == ("error", True)
        assert "steps" in last["message"]
        assert len(server.asked) <= 12
        await nothing_runs(living, before)


async def test_a_retry_after_a_fault_does_nothing_twice(
    server: FaultyModelServer, speaking: tuple[str, Living], living: Living
) -> None:
    speech = speaking[0]
    arguments = '{"tasks": [{"title": "Buy milk"}]}'
    piece = {"index": 0, "id": "a", "function": {"name": "tasks_add", "arguments": arguments}}
    completion = called(piece) + chunk({}, "tool_calls") + DONE
    adding = streams(completion if speech == "x" else calls_made(call_made("tasks_add", arguments)))
    async with living.chat("ada") as ada, living.client("ada") as tools:
        thread_id = (await ada.say("hello")).thread_id
        server.forget()
        server.will(adding, streams(ONE[speech], Step.CUT), adding)
        last = (await ask(ada, QUESTION, thread_id)).events[-1]
        assert last["type"] == "error"
        assert await tools.titles() == ["Buy milk"]
        items = (await ada.reply("items.list", thread_id=thread_id, order="asc"))["data"]
        question = [item for item in items if item["type"] == "user_message"][-1]["id"]
        again = await ada.post("threads.retry_after_item", thread_id=thread_id, item_id=question)
        assert '"error"' not in again.text
        assert not server.plan
        assert await tools.titles() == ["Buy milk"]


async def test_a_person_who_leaves_closes_the_connection_to_the_provider(
    server: FaultyModelServer, speaking: tuple[str, Living], living: Living
) -> None:
    async with living.chat("ada") as ada:
        thread_id = (await ada.say("hello")).thread_id
        server.forget()
        server.will(streams(ONE[speaking[0]], Step.WAIT))
        async for event in ada.events(QUESTION, thread_id):
            if event["type"] == "thread.item.updated":
                break
    await asyncio.wait_for(server.left.wait(), 5)
    async with living.chat("ada") as ada:
        await living.running.finish_or_stop(5)
        assert await messages(ada, thread_id) == [("user_message", QUESTION), ("assistant_message", "one ")]
