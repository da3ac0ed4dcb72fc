"""A model provider that can be watched and told to fail: any OpenAI-compatible server, as plain as the smaller ones."""

import asyncio
import json
import re
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any, Final

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from tests.living import Served
from tests.models import is_question, text_of

OFFERED: Final = "the-one-in-the-cellar"
FOREIGN: Final = "Words of the provider about sk-somebody-else"
TITLE: Final = "What it is about"
ADD_MILK: Final = 'call tasks_add {"tasks": [{"title": "Buy milk"}]}'


class ModelServer:
    """It plays the provider, as plainly as the smaller ones do it, and keeps what it receives.

    Each line `call NAME JSON` of the newest message is a tool call; then come the outputs, or the message itself.
    A request that does not stream wants a title; it is not counted among what was asked.
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
        asked = json.loads(await self._receive(request))
        if not asked.get("stream"):
            return JSONResponse(whole(TITLE))
        self.asked.append(asked)
        if self.fault.isdecimal():
            message = f"{FOREIGN}, {request.headers['authorization']}"
            return JSONResponse({"error": {"message": message, "type": "foreign"}}, int(self.fault))
        return StreamingResponse(self._chunks(self.asked[-1]["messages"]), media_type="text/event-stream")

    async def _responses(self, request: Request) -> Response:
        asked = json.loads(await self._receive(request))
        if not asked.get("stream"):
            return JSONResponse(whole(TITLE))
        self.asked.append(asked)
        newest = asked["input"][-1]
        said = text_of({"content": newest["output"]} if "output" in newest else newest)
        return StreamingResponse(events(said), media_type="text/event-stream")

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


def whole(text: str) -> dict[str, Any]:
    """An answer that does not stream, in both ways of speaking at once."""
    message = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
    part = {"type": "output_text", "text": text, "annotations": []}
    item = {"id": "msg_0", "type": "message", "role": "assistant", "status": "completed", "content": [part]}
    told = {"id": "0", "created": 0, "created_at": 0, "model": "x", "status": "completed"}
    return {**told, "choices": [message], "output": [item], "tools": [], "tool_choice": "auto"}
