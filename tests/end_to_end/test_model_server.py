"""Models behind an OpenAI-compatible server: what the gateway sends there, and what people get of its answers."""

import asyncio
import json
import re
from collections.abc import AsyncGenerator
from contextlib import ExitStack
from typing import Final

import pytest

from tests.end_to_end.model_server import ADD_MILK, FOREIGN, OFFERED, ModelServer
from tests.end_to_end.processes import Deployment, Dev, deployment, pieces, reserved_port, running
from tests.living import Said
from tests.models import text_of

pytestmark = pytest.mark.anyio

KEY: Final = "sk-of-the-tests-0123456789"


@pytest.fixture(scope="module")
async def only_server(anyio_backend: str) -> AsyncGenerator[ModelServer]:  # noqa: ARG001
    with reserved_port() as port:
        server = ModelServer(port)
        await server.start()
        yield server
        await server.stop()


@pytest.fixture
def server(only_server: ModelServer) -> ModelServer:
    """The model server as it is in every test: in good order, with nothing received."""
    only_server.forget()
    return only_server


@pytest.fixture(scope="module")
async def dev(only_server: ModelServer, tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Dev]:
    """`taskgate dev` that was told of the server and nothing else."""
    settings = {"OPENAI_BASE_URL": only_server.url}
    with ExitStack() as stack:
        started = running(tmp_path_factory.mktemp("dev") / "data", settings=settings)
        # In a thread, because the gateway asks the server, which runs here, while it starts.
        yield await asyncio.to_thread(stack.enter_context, started)


async def test_a_message_becomes_a_task_and_words_through_any_server_of_that_kind(
    dev: Dev, server: ModelServer
) -> None:
    async with dev.chat(dev.facts["token"]) as ada, dev.tools(dev.facts["token"]) as tools:
        said = await ada.say(ADD_MILK)
        assert await tools.titles() == ["Buy milk"]
        assert said.text == "op 1: 1 added\nT1 | Buy milk"
        assert len(pieces(said)) > 5
        assert (await ada.http.get("/auth/me")).json()["model"] == OFFERED
    first, second = server.asked
    assert first["model"] == second["model"] == OFFERED
    assert {"tasks_add", "tasks_complete", "tasks_find"} < {tool["function"]["name"] for tool in first["tools"]}
    assert second["messages"][-1]["role"] == "tool"


async def test_the_server_learns_neither_who_is_asking_nor_any_token_of_ours(dev: Dev, server: ModelServer) -> None:
    async with dev.chat(dev.facts["token"]) as ada:
        await ada.say(f"{ADD_MILK}\ncall tasks_find {{}}")
    assert len(server.asked) == 2
    for request in server.received:
        assert "bearer none" in request.lower()
        assert "eyJ" not in request
        assert not re.search(rf"\b{dev.facts['subject']}\b", request)
        for url in (dev.gateway_url, dev.mcp_url):
            assert url.removesuffix("/mcp") not in request


@pytest.mark.parametrize("call_id", ["0", "", None])
async def test_calls_that_share_an_id_or_have_none_are_all_made_and_all_remembered(
    dev: Dev, server: ModelServer, call_id: str | None
) -> None:
    server.call_id = call_id
    async with dev.chat(dev.mint("--subject", f"bob {call_id}")) as bob:
        thread = (await bob.say(f"{ADD_MILK}\n{ADD_MILK}\ncall tasks_find {{}}")).thread_id
        said = await bob.say(f"{ADD_MILK}\ncall tasks_find {{}}", thread)
        assert "3 of 3 is:open" in said.text
        assert (await bob.say("and now?", thread)).text == "and now?"
    remembered = server.asked[-1]["messages"]
    asked = [call for message in remembered for call in message.get("tool_calls", ())]
    answered = [message["tool_call_id"] for message in remembered if message["role"] == "tool"]
    names = [call["function"]["name"].removeprefix("tasks_") for call in asked]
    assert names == ["add", "add", "find", "add", "find"]
    assert [call["id"] for call in asked] == answered
    assert len(set(answered)) == 5
    assert text_of(remembered[-3]) == said.text


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ("away", "The model cannot be reached."),
        ("401", "The model is not set up correctly."),
        ("500", "The model cannot be reached."),
        ("cut", "The model broke off."),
        ("garbage", "The model broke off."),
    ],
)
async def test_a_server_that_fails_costs_an_answer_and_never_the_question(
    dev: Dev, server: ModelServer, fault: str, words: str
) -> None:
    async with dev.chat(dev.facts["token"]) as ada:
        server.fault = fault
        if fault == "away":
            await server.stop()
        said = Said([])
        async for event in ada.events("three little words"):
            said.events.append(event)
            if pieces(said):
                server.go_on.set()
        last = said.events[-1]
        assert (last["type"], last["allow_retry"]) == ("error", True)
        assert last["message"].startswith(words)
        assert FOREIGN not in str(said.events)
        question, *rest = (await ada.reply("items.list", thread_id=said.thread_id, order="asc"))["data"]
        assert question["content"][0]["text"] == "three little words"
        assert pieces(said) == ["three "] * (fault in {"cut", "garbage"})
        assert [item["content"][0]["text"] for item in rest] == pieces(said)

        server.forget()
        if fault == "away":
            await server.start()
        again = await ada.post("threads.retry_after_item", thread_id=said.thread_id, item_id=question["id"])
        assert '"error"' not in again.text
        items = (await ada.reply("items.list", thread_id=said.thread_id, order="asc"))["data"]
        assert [item["content"][0]["text"] for item in items] == ["three little words"] * 2


@pytest.fixture(scope="module")
async def others(
    only_server: ModelServer, tmp_path_factory: pytest.TempPathFactory
) -> AsyncGenerator[tuple[Deployment, Deployment]]:
    """Two gateways with other settings; their tool servers are away."""
    named = {"OPENAI_API_KEY": KEY, "TASKGATE_GATEWAY_MODEL": "the-big-one"}
    responses = {"TASKGATE_GATEWAY_MODEL": "openai:x"}
    folders = [tmp_path_factory.mktemp("gateway") for _ in range(2)]
    async with deployment(folders[0]) as first, deployment(folders[1]) as second:
        for services, settings in ((first, named), (second, responses)):
            services.gateway.settings.update({"OPENAI_BASE_URL": only_server.url, **settings})
            await services.upgrade()
        await asyncio.gather(first.gateway.start(), second.gateway.start())
        yield first, second


async def test_a_key_and_a_name_are_used_as_they_were_set_and_the_key_is_never_logged(
    others: tuple[Deployment, Deployment], server: ModelServer
) -> None:
    services, _ = others
    async with services.chat("ada") as ada:
        assert (await ada.say("hello")).text == "hello"
        server.fault = "401"
        assert (await ada.say("hello")).of("error")
    assert [request["model"] for request in server.asked] == ["the-big-one"] * 2
    assert all(f"Bearer {KEY}" in request for request in server.received)
    await services.gateway.says("the model failed")
    assert KEY not in json.dumps(services.gateway.log)


async def test_the_responses_api_is_spoken_where_it_was_asked_for(
    others: tuple[Deployment, Deployment], server: ModelServer
) -> None:
    _, services = others
    async with services.chat("ada") as ada:
        said = await ada.say("two words")
        assert said.text == "two words"
        assert pieces(said) == ["two ", "words"]
        assert (await ada.say("more", said.thread_id)).text == "more"
    assert [request["model"] for request in server.asked] == ["x", "x"]
    assert [text_of(item) for item in server.asked[1]["input"]][:2] == ["two words", "two words"]
