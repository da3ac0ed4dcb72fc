"""The ChatKit server: what ChatKit asks of us, each in a few lines."""

import logging
from collections.abc import AsyncGenerator, AsyncIterator
from datetime import UTC, datetime, tzinfo
from functools import partial
from typing import Any, Final

import chatkit.agents
import chatkit.server
from chatkit.actions import Action
from chatkit.errors import CustomStreamError
from chatkit.server import ChatKitServer
from chatkit.types import (
    ChatKitReq,
    ClientEffectEvent,
    ErrorEvent,
    FeedbackKind,
    StreamingReq,
    SyncCustomActionResponse,
    ThreadItem,
    ThreadItemDoneEvent,
    ThreadItemReplacedEvent,
    ThreadMetadata,
    ThreadStreamEvent,
    UserMessageItem,
    WidgetItem,
)
from pydantic import TypeAdapter

from gateway.actions import Actions, the_offer
from gateway.answering.ending import in_words
from gateway.asking import Asking
from gateway.store import Feedback, ThreadStore
from gateway.titles import first_title
from gateway.turn import Turn
from gateway.widgets import is_older
from gateway.writing import Writer
from shared.errors import Problem

log = logging.getLogger(__name__)

# Built once: the SDK builds it on every request, two milliseconds in which the process answers nobody.
REQUEST: Final[TypeAdapter[ChatKitReq]] = TypeAdapter(ChatKitReq)
# What happens in an answer before the model goes on.


class UtcDatetime(datetime):
    """The SDK's clock with a zone: its own is naive, and browsers would show the server's local time as theirs."""

    @classmethod
    def now(cls, tz: tzinfo | None = None) -> datetime:  # type: ignore[override]
        return datetime.now(tz or UTC)


def use_utc() -> None:
    """Give the SDK that clock. Once per process, when the application is built."""
    for module in (chatkit.server, chatkit.agents):
        module.datetime = UtcDatetime  # type: ignore[attr-defined]


class TaskChat(ChatKitServer[Turn]):
    """Conversations about tasks."""

    store: ThreadStore

    def __init__(
        self, store: ThreadStore, writer: Writer, asking: Asking, actions: Actions, feedback: Feedback
    ) -> None:
        super().__init__(store)
        self._writer = writer
        self._asking = asking
        self._actions = actions
        self._feedback = feedback

    def events(self, request: StreamingReq, turn: Turn) -> AsyncIterator[bytes]:
        """The answer to a request that streams. Whatever may refuse it has been asked before."""
        return self._process_streaming(request, turn)

    async def reply(self, request: Any, turn: Turn) -> bytes:
        """The answer to a request that does not stream."""
        return await self._process_non_streaming(request, turn)

    def as_response(self, thread: ThreadMetadata) -> bytes:
        """A thread as ChatKit's clients expect it."""
        return self._serialize(self._to_thread_response(thread))

    async def _process_streaming_impl(
        self, request: StreamingReq, context: Turn
    ) -> AsyncGenerator[ThreadStreamEvent, None]:
        async for event in super()._process_streaming_impl(request, context):
            # What the SDK could not store or handle ends in an error without a word.
            yield in_words(event, context) if isinstance(event, ErrorEvent) and event.message is None else event

    # What ChatKit asks of us

    async def respond(
        self, thread: ThreadMetadata, input_user_message: UserMessageItem | None, context: Turn
    ) -> AsyncIterator[ThreadStreamEvent]:
        thread.allowed_image_domains = []
        title = None
        if input_user_message is not None and thread.title is None:
            question = "".join(part.text for part in input_user_message.content)
            thread.title = await self.store.auto_title(thread.id, first_title(question), context)
            title = question
        first = self._asking.answered if input_user_message is None else None
        async for event in self._writer.answer(thread, context, title_from=title, first=first):
            yield event

    async def action(
        self,
        thread: ThreadMetadata,
        action: Action[str, Any],
        sender: WidgetItem | None,
        context: Turn,
    ) -> AsyncIterator[ThreadStreamEvent]:
        assert sender is not None  # the endpoint has looked
        offer = the_offer(sender, action)
        if offer.call is None:
            thread.allowed_image_domains = []
            decided = partial(self._asking.decided, sender, offer.payload)
            async for event in self._writer.answer(thread, context, first=decided):
                yield event
            return
        try:
            done = await self._actions.perform(sender, offer, context)
        except Problem as problem:
            raise CustomStreamError(context.told(problem), allow_retry=False) from problem
        yield ThreadItemDoneEvent(item=done.note)
        yield ThreadItemReplacedEvent(item=done.item)
        if done.effect is not None:
            yield ClientEffectEvent(name="tasks.changed", data=done.effect)

    async def sync_action(
        self,
        thread: ThreadMetadata,
        action: Action[str, Any],
        sender: WidgetItem | None,
        context: Turn,
    ) -> SyncCustomActionResponse:
        assert sender is not None  # the endpoint has looked
        offer = the_offer(sender, action)
        done = await self._actions.perform(sender, offer, context)
        # The SDK sends what we return and stores nothing of it.
        await self.store.add_thread_item(thread.id, done.note, context)
        stored = await self.store.load_item(thread.id, sender.id, context)
        if isinstance(stored, WidgetItem) and is_older(done.item, stored):
            return SyncCustomActionResponse(updated_item=stored)
        await self.store.save_item(thread.id, done.item, context)
        return SyncCustomActionResponse(updated_item=done.item)

    async def add_feedback(self, thread_id: str, item_ids: list[str], feedback: FeedbackKind, context: Turn) -> None:
        await self._feedback.keep(thread_id, item_ids, feedback, context)

    async def handle_stream_cancelled(
        self, thread: ThreadMetadata, pending_items: list[ThreadItem], context: Turn
    ) -> None:
        """Nothing is left to do: a stopped answer ends on the ordinary path, in its own task."""
        log.info("an answer's task was cancelled")

    async def _process_new_thread_item_respond(
        self, thread: ThreadMetadata, item: UserMessageItem, context: Turn
    ) -> AsyncIterator[ThreadStreamEvent]:
        # The SDK sends the message as it is stored.
        async for event in super()._process_new_thread_item_respond(thread, item, context):
            is_the_message = isinstance(event, ThreadItemDoneEvent) and event.item is item
            yield ThreadItemDoneEvent(item=self.store.shown(item, context)) if is_the_message else event
