"""One answer being written: a task of its own that fills a queue, and the response that only reads it.

A reader that leaves stops the answer; what the person has seen by then is stored like any other message.
"""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Final

from agents import RunResultStreaming
from chatkit.types import AssistantMessageContent as Content
from chatkit.types import (
    AssistantMessageContentPartAdded,
    AssistantMessageContentPartDone,
    AssistantMessageContentPartTextDelta,
    AssistantMessageItem,
    ErrorEvent,
    ThreadItemAddedEvent,
    ThreadItemDoneEvent,
    ThreadItemUpdatedEvent,
    ThreadStreamEvent,
)
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from shared.telemetry import REQUEST_ID

log = logging.getLogger(__name__)

QUEUE_EVENTS: Final = 256
UNREAD_LIMIT_S: Final = 30.0
PING_S: Final = 15.0
LEFT, RESTART = "left", "restart"


class Answer:
    """The state of one answer: why it stops, and the message the person is reading."""

    def __init__(self) -> None:
        self.run: RunResultStreaming | None = None
        self.reason: str | None = None
        self.partial: AssistantMessageItem | None = None
        self.queue: asyncio.Queue[bytes | None] = asyncio.Queue(QUEUE_EVENTS)

    def stop(self, reason: str) -> None:
        """End the answer at the next event; the first reason counts."""
        self.reason = self.reason or reason
        if self.run is not None:
            self.run.cancel()

    def follow(self, event: ThreadStreamEvent) -> None:
        """Keep our own copy of the message being streamed. Copies: the SDK goes on writing into its own."""
        match event:
            case ThreadItemAddedEvent(item=AssistantMessageItem() as item):
                self.partial = item.model_copy(deep=True)
            case ThreadItemUpdatedEvent(item_id=item_id, update=update) if self.partial and self.partial.id == item_id:
                _apply(self.partial, update.model_copy(deep=True))
            case ThreadItemDoneEvent(item=item) if self.partial and self.partial.id == item.id:
                self.partial = None


def _apply(message: AssistantMessageItem, update: object) -> None:
    match update:
        case AssistantMessageContentPartTextDelta():
            _part(message, update.content_index).text += update.delta
        case AssistantMessageContentPartAdded() | AssistantMessageContentPartDone():
            _part(message, update.content_index)
            message.content[update.content_index] = update.content


def _part(message: AssistantMessageItem, index: int) -> Content:
    while len(message.content) <= index:
        message.content.append(Content(text=""))
    return message.content[index]


class Running:
    """All answers of the process."""

    def __init__(self) -> None:
        self._tasks: dict[asyncio.Task[None], Answer] = {}

    def start(self, events: AsyncIterator[bytes], answer: Answer) -> None:
        """Write an answer in a task of its own."""
        task = asyncio.create_task(self._write(events, answer))
        self._tasks[task] = answer
        task.add_done_callback(self._tasks.pop)

    async def finish_or_stop(self, left_s: float) -> None:
        """Let the answers end; after that time, end them with an event that says why."""
        if self._tasks:
            await asyncio.wait(list(self._tasks), timeout=left_s)
        for answer in self._tasks.values():
            answer.stop(RESTART)
        if self._tasks:
            await asyncio.wait(list(self._tasks), timeout=5)

    async def _write(self, events: AsyncIterator[bytes], answer: Answer) -> None:
        read = True
        try:
            async for event in events:
                if read and not await _put(answer, event):
                    read = False
                    answer.stop(LEFT)
        except Exception:
            log.exception("an answer broke")
            if read:
                message = f"Something went wrong. ({REQUEST_ID.get()})"
                broken = ErrorEvent(code="custom", message=message, allow_retry=True)
                await _put(answer, b"data: " + broken.model_dump_json(exclude_none=True).encode() + b"\n\n")
        finally:
            if read:
                await _put(answer, None)


async def _put(answer: Answer, event: bytes | None) -> bool:
    """Whether the reader took it in time."""
    if answer.reason == LEFT:
        return False
    try:
        async with asyncio.timeout(UNREAD_LIMIT_S):
            await answer.queue.put(event)
    except TimeoutError:
        return False
    return True


class EventStream(Response):
    """Sends an answer's events as they come, and notices by itself when the reader leaves."""

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
