"""Models behind an OpenAI-compatible server: what the gateway sends there, and what people see of its answers."""

import asyncio
import json
import re
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any, Final

import httpx2
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from tests.end_to_end.processes import PATIENCE_S, Deployment, Dev, deployment, reserved_port, running
from tests.living import ChatClient, Served

pytestmark = pytest.mark.anyio

OFFERED: Final = "a-model-of-the-house"


class Provider:
    """The server: it does what the newest message says, `call NAME JSON` or words to say, as plain as such servers are.

    All its answers and calls have one id; with `ids` off they have none.
    """

    def __init__(self) -> None:
        self.asked: list[Request] = []
        self.bodies: list[dict[str, Any]] = []
        self.fault = ""
        self.ids = True

    def app(self) -> Starlette:
        return Starlette(
            routes=[
                Route("/v1/models", self._models),
                Route("/v1/chat/completions", self._complete, methods=["POST"]),
                Route("/v1/responses", self._respond, methods=["POST"]),
            ]
        )

    async def _models(self, request: Request) -> Response:
        self.asked.append(request)
        return JSONResponse({"object": "list", "data": [{"id": OFFERED, "object": "model"}]})

    async def _complete(self, request: Request) -> Response:
        self.asked.append(request)
        body = json.loads(await request.body())
        self.bodies.append(body)
        return StreamingResponse(self._chunks(body["messages"]), media_type="text/event-stream")

    async def _chunks(self, messages: list[dict[str, Any]]) -> AsyncIterator[bytes]:
        last = max(i for i, m in enumerate(messages) if m["role"] == "user")
        text = messages[last]["content"]
        text = text if isinstance(text, str) else "".join(part["text"] for part in text)
        outputs = [m["content"] if isinstance(m["content"], str) else "".join(part["text"] for part in m["content"]) for m in messages[last:] if m["role"] == "tool"]
        calls = [line.split(" ", 2) for line in text.splitlines() if line.startswith("call ")]
        if len(outputs) < len(calls):
            todo = calls if "both" in text else calls[len(outputs):len(outputs)+1]
            for index, (_, name, arguments) in enumerate(todo):
                call = {"index": index, "function": {"name": name, "arguments": arguments}} | ({"id": "call_0", "type": "function"} if self.ids else {})
                yield chunk({"tool_calls": [call]})
            yield chunk({}, "tool_calls")
        else:
            for word in re.findall(r"\S+\s*", " ".join(outputs) or text):
                yield chunk({"content": word})
            yield chunk({}, "stop")
        yield b"data: [DONE]\n\n"

    async def _respond(self, request: Request) -> Response:
        raise NotImplementedError


def chunk(delta, finish=None):
    return b"data: " + json.dumps({"id": "chatcmpl-0", "object": "chat.completion.chunk", "created": 0, "model": OFFERED, "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}).encode() + b"\n\n"


async def test_x(tmp_path):
    provider = Provider()
    with reserved_port() as port:
        served = Served(port)
        await served.start(provider.app())
        async with deployment(tmp_path) as services:
            await services.upgrade()
            services.gateway.settings["OPENAI_BASE_URL"] = f"http://127.0.0.1:{port}/v1"
            await services.start()
            async with services.chat("ada") as ada:
                for ids in (True, False):
                    provider.ids = ids
                    said = await ada.say('call tasks_add {"tasks":[{"title":"one"}]}')
                    print(said.events[-1], said.text)
                    said2 = await ada.say('call tasks_add {"tasks":[{"title":"two"}]}\ncall tasks_find {}', said.thread_id)
                    print(said2.of('error'), said2.text)
                    said2 = await ada.say('both\ncall tasks_add {"tasks":[{"title":"three"}]}\ncall tasks_find {}', said.thread_id)
                    print(said2.of('error'), said2.text)
                    said2 = await ada.say('what', said.thread_id)
                    for m in provider.bodies[-1]["messages"][1:]: print(m)
        await served.stop()
    assert 0
