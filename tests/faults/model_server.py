"""A model provider that misbehaves on command, in either of the two ways of speaking, and then serves as it should."""

import asyncio
import json
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping
from enum import Enum

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from typing_extensions import override

from tests.end_to_end.model_server import FOREIGN, ModelServer


class Step(Enum):
    """What a stream may do besides sending."""

    WAIT = "wait until it is told to go on"
    CUT = "break the connection"


Behaviour = Callable[["FaultyModelServer"], Response]


class FaultyModelServer(ModelServer):
    """What was planned is done first, one behaviour for each request."""

    def __init__(self, port: int) -> None:
        super().__init__(port)
        self.plan: deque[Behaviour] = deque()
        # A request has come; and somebody left before the end of an answer.
        self.begun = asyncio.Event()
        self.left = asyncio.Event()

    @override
    def forget(self) -> None:
        super().forget()
        self.plan.clear()
        self.begun.clear()
        self.left.clear()

    def will(self, *behaviours: Behaviour) -> None:
        """Plan what happens to the next requests."""
        self.plan.extend(behaviours)

    @override
    async def _completions(self, request: Request) -> Response:
        return await self._planned(request) or await super()._completions(request)

    @override
    async def _responses(self, request: Request) -> Response:
        return await self._planned(request) or await super()._responses(request)

    async def _planned(self, request: Request) -> Response | None:
        self.begun.set()
        if not self.plan:
            return None
        self.asked.append(json.loads(await self._receive(request)))
        return self.plan.popleft()(self)


def refuses(status: int, body: str = "", headers: Mapping[str, str] | None = None) -> Behaviour:
    """Answers with an HTTP error; by default one that is full of its own words."""
    told = body or json.dumps({"error": {"message": FOREIGN, "type": FOREIGN, "code": FOREIGN}})
    return lambda _: Response(told, status, headers, media_type="application/json")


def streams(*steps: bytes | Step) -> Behaviour:
    """Answers with these pieces of an event stream."""

    async def pieces(server: FaultyModelServer) -> AsyncIterator[bytes]:
        try:
            for step in steps:
                if step is Step.WAIT:
                    await server.go_on.wait()
                elif step is Step.CUT:
                    raise ConnectionError(FOREIGN)
                elif isinstance(step, bytes):
                    yield step
        except asyncio.CancelledError:
            server.left.set()
            raise

    return lambda server: StreamingResponse(pieces(server), media_type="text/event-stream")
