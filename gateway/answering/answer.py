"""The state of one answer: why it stops, the message the person is reading, and the queue its reader empties."""

import asyncio
from typing import Final

from agents import RunResultStreaming
from chatkit.types import AssistantMessageContent as Content
from chatkit.types import (
    AssistantMessageContentPartAdded,
    AssistantMessageContentPartDone,
    AssistantMessageContentPartTextDelta,
    AssistantMessageItem,
    ThreadItem,
    ThreadItemAddedEvent,
    ThreadItemDoneEvent,
    ThreadItemUpdatedEvent,
    ThreadStreamEvent,
)

QUEUE_EVENTS: Final = 256

# Why an answer ends before it is finished: its reader left, somebody stopped it from elsewhere, it took too long, the
# service restarts, or its conversation is gone or was taken over by another process.
LEFT, STOPPED, LATE, RESTART, LOST = "left", "stopped", "late", "restart", "lost"


class Answer:
    """One answer while it is written."""

    def __init__(self) -> None:
        self.run: RunResultStreaming | None = None
        self.reason: str | None = None
        self.partial: AssistantMessageItem | None = None
        self.queue: asyncio.Queue[bytes | None] = asyncio.Queue(QUEUE_EVENTS)
        # What comes before anything else: cards and questions that this request has settled, notes for the model.
        self.opening: list[ThreadItem] = []
        self.stopped = asyncio.Event()
        # What the person should know before he reads on.
        self.warning = ""
        # Set when what a crash would leave is worth writing down at once, before the next second.
        self.checkpoint = asyncio.Event()

    def stop(self, reason: str) -> None:
        """End the answer at the next event; the first reason counts."""
        self.reason = self.reason or reason
        self.stopped.set()
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

    @property
    def seen(self) -> AssistantMessageItem | None:
        """The message that the person has begun to read; None before its first word."""
        if self.partial is None or not any(part.text.strip() for part in self.partial.content):
            return None
        return self.partial


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
