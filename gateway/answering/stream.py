"""The response that carries an answer: it empties the answer's queue, and notices by itself when its reader left."""

import asyncio
from contextlib import suppress
from typing import Final

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from gateway.answering.answer import LEFT, Answer

PING_S: Final = 15.0


class EventStream(Response):
    """Sends an answer's events as they come. A reader that leaves stops the answer."""

    media_type = "text/event-stream"

    def __init__(self, answer: Answer, *, ping: bool) -> None:
        super().__init__(headers={"Cache-Control": "no-store, no-transform", "X-Accel-Buffering": "no"})
        del self.headers["content-length"]
        self._answer = answer
        self._ping_s = PING_S if ping else None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        leaving = asyncio.create_task(_until_disconnect(receive))
        sending = asyncio.create_task(self._send_all(send))
        try:
            await asyncio.wait({leaving, sending}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            if not sending.done() or sending.exception() is not None:
                self._answer.stop(LEFT)
                # Make room, so that the writer does not wait for a reader who has gone.
                while not self._answer.queue.empty():
                    self._answer.queue.get_nowait()
            for task in (leaving, sending):
                task.cancel()
                with suppress(asyncio.CancelledError, OSError):
                    await task

    async def _send_all(self, send: Send) -> None:
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        while True:
            try:
                async with asyncio.timeout(self._ping_s):
                    event = await self._answer.queue.get()
            except TimeoutError:
                event = b": ping\n\n"
            if event is None:
                break
            await send({"type": "http.response.body", "body": event, "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _until_disconnect(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
