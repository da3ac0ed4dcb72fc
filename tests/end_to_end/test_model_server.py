"""Models behind an OpenAI-compatible server: what the gateway sends there, and what people get of its answers."""

import asyncio
import json
import re
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import ExitStack
from typing import Any, Final

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from tests.end_to_end.processes import Deployment, Dev, deployment, pieces, reserved_port, running
from tests.living import Said, Served
from tests.models import is_question, text_of

pytestmark = pytest.mark.anyio

OFFERED: Final = "the-one-in-the-cellar"
KEY: Final = "sk-of-the-tests-0123456789"
FOREIGN: Final = "Words of the provider about sk-somebody-else"
ADD_MILK: Final = 'call tasks_add {"tasks": [{"title": "Buy milk"}]}'


class ModelServer:
    """It plays the provider, as plainly as the smaller ones do it, and keeps what it receives.

    Each line `call NAME JSON` of the newest message is a tool call; then come the outputs, or the message itself.
    """

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}/v1"
        self.received: list[str] = []
        self.asked: list[dict[str, Any]] = []
        # An HTTP status, or `cut` or `garbage` after the first word and the word to go on.
        self.fault = ""
        self.go_on = asyncio.Event()
        # All calls have this one.
        self.call_id: str | None = "0"
        self._served = Served(port)

    async def start(self) -> None:
        routes = [
            Route("/v1/models", self._models),
            Route("/v1/chat/completions", self._completions, methods=["POST"]),
            Route("/v1/responses", self._responses, methods=["POST"]),
        ]
        await self._served.start(Starlette(routes=routes))

    async def stop(self) -> None:
        await self._served.stop()

    def forget(self) -> None:
        """What it has received, and how it was to behave."""
        self.received.clear()
        self.asked.clear()
        self.go_on.clear()
        self.fault, self.call_id = "", "0"

    async def _models(self, request: Request) -> Response:
        await self._receive(request)
        return JSONResponse({"object": "list", "data": [{"id": OFFERED, "object": "model"}]})

    async def _completions(self, request: Request) -> Response:
        self.asked.append(json.loads(await self._receive(request)))
        if self.fault.isdecimal():
            message = f"{FOREIGN}, {request.headers['authorization']}"
            return JSONResponse({"error": {"message": message, "type": "foreign"}}, int(self.fault))
        return StreamingResponse(self._chunks(self.asked[-1]["messages"]), media_type="text/event-stream")

    async def _responses(self, request: Request) -> Response:
        self.asked.append(json.loads(await self._receive(request)))
        return StreamingResponse(events(text_of(self.asked[-1]["input"][-1])), media_type="text/event-stream")

    async def _receive(self, request: Request) -> bytes:
        body = await request.body()
        self.received.append(f"{request.method} {request.url.path} {request.headers.raw} {body.decode()}")
        return body

    async def _chunks(self, messages: Sequence[dict[str, Any]]) -> AsyncIterator[bytes]:
        last = max(index for index, message in enumerate(messages) if is_question(message))
        question = text_of(messages[last])
        calls = [line.split(" ", 2) for line in question.splitlines() if line.startswith("call ")]
        outputs = [text_of(message) for message in messages[last:] if message["role"] == "tool"]
        if calls and not outputs:
            for index, (_, name, arguments) in enumerate(calls):
                begun: dict[str, Any] = {"index": index, "function": {"name": name, "arguments": arguments[:9]}}
                yield chunk({"tool_calls": [begun if self.call_id is None else {**begun, "id": self.call_id}]})
                yield chunk({"tool_calls": [{"index": index, "function": {"arguments": arguments[9:]}}]})
            yield chunk({}, "tool_calls")
        else:
            for word in words("\n".join(outputs) or question):
                yield chunk({"content": word})
                if self.fault:
                    await self.go_on.wait()
                if self.fault == "cut":
                    raise ConnectionError(FOREIGN)
                if self.fault == "garbage":
                    yield f"data: {{{FOREIGN}\n\n".encode()
            yield chunk({}, "stop")
        yield b"data: [DONE]\n\n"


def words(text: str) -> list[str]:
    return re.findall(r"\S+\s*", text)


def chunk(delta: Mapping[str, Any], reason: str | None = None) -> bytes:
    """One event of a streamed completion."""
    choice = {"index": 0, "delta": delta, "finish_reason": reason}
    told = {"id": "0", "object": "chat.completion.chunk", "created": 0, "model": OFFERED, "choices": [choice]}
    return f"data: {json.dumps(told)}\n\n".encode()


async def events(text: str) -> AsyncIterator[bytes]:
    """A streamed response that says the text."""
    place = {"output_index": 0, "content_index": 0, "item_id": "msg_0"}
    part = {"type": "output_text", "text": text, "annotations": []}
    item = {"id": "msg_0", "type": "message", "role": "assistant", "status": "completed", "content": [part]}
    response = {"id": "resp_0", "object": "response", "created_at": 0, "model": "x", "status": "completed"}
    response |= {"output": [item], "tools": [], "tool_choice": "auto", "parallel_tool_calls": False}
    told: list[dict[str, Any]] = [
        {"type": "response.created", "response": {**response, "status": "in_progress", "output": []}},
        {"type": "response.output_item.added", "output_index": 0, "item": {**item, "content": []}},
        {"type": "response.content_part.added", **place, "part": {**part, "text": ""}},
        *({"type": "response.output_text.delta", **place, "delta": word} for word in words(text)),
        {"type": "response.output_text.done", **place, "text": text},
        {"type": "response.content_part.done", **place, "part": part},
        {"type": "response.output_item.done", "output_index": 0, "item": item},
        {"type": "response.completed", "response": response},
    ]
    for number, event in enumerate(told):
        yield f"event: {event['type']}\ndata: {json.dumps({**event, 'sequence_number': number})}\n\n".encode()


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
    assert sorted(tool["function"]["name"] for tool in first["tools"]) == ["tasks_add", "tasks_complete", "tasks_find"]
    assert second["messages"][-1]["role"] == "tool"


async def test_the_server_learns_neither_who_is_asking_nor_any_token_of_ours(dev: Dev, server: ModelServer) -> None:
    async with dev.chat(dev.facts["token"]) as ada:
        await ada.say(f"{ADD_MILK}\ncall tasks_find {{}}")
    assert len(server.received) == 2
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


@pytest.mark.parametrize("fault", ["away", "401", "500", "cut", "garbage"])
async def test_a_server_that_fails_costs_an_answer_and_never_the_question(
    dev: Dev, server: ModelServer, fault: str
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
        assert re.fullmatch(r"The assistant could not finish its answer\. \(\w+\)", last["message"])
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
    await services.gateway.says("an answer failed")
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
