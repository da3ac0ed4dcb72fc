"""Before the first byte of an answer, under its lease: whether it may begin, and what has to be put in order first.

After the first byte nothing can be refused any more, so every check of ChatKit's own that would break its stream is
made here as well.
"""

from typing import Any

from chatkit.types import (
    ClientToolCallItem,
    StructuredInputItem,
    ThreadItem,
    ThreadsAddClientToolOutputReq,
    ThreadsAddStructuredInputReq,
    ThreadsAddUserMessageReq,
    ThreadsCreateReq,
    ThreadsCustomActionReq,
    ThreadsRetryAfterItemReq,
    UserMessageItem,
    WidgetItem,
)

from gateway.actions import the_offer
from gateway.answering.earlier import done_before
from gateway.asking import Asking
from gateway.notes import note_item
from gateway.store import ThreadStore
from gateway.toolbox import Toolboxes
from gateway.turn import Turn
from shared.errors import Problem


class Beginning:
    """Makes a conversation ready for an answer, or refuses it. Nothing is changed by what is refused."""

    def __init__(self, store: ThreadStore, toolboxes: Toolboxes, asking: Asking) -> None:
        self._store = store
        self._asking = asking
        self._toolboxes = toolboxes

    async def prepare(self, asked: Any, turn: Turn) -> list[ThreadItem]:
        """What the person sees changed before the answer begins. Raises `Problem`, or `NotFoundError`."""
        match asked:
            case ThreadsCreateReq():
                await self._store.require_room(None, turn)
            case ThreadsAddUserMessageReq():
                await self._store.require_room(asked.params.thread_id, turn)
                await self._drop_question_to_the_page(asked.params.thread_id, turn)
                return await self._asking.supersede(asked.params.thread_id, turn)
            case ThreadsRetryAfterItemReq():
                return await self._retry(asked, turn)
            case ThreadsCustomActionReq():
                item = await self._store.load_item(asked.params.thread_id, asked.params.item_id or "", turn)
                the_offer(require_card(item), asked.params.action)
            case ThreadsAddClientToolOutputReq():
                newest = await self._store.recent(asked.params.thread_id, turn, limit=1)
                if not newest or not isinstance(newest[0], ClientToolCallItem) or newest[0].status != "pending":
                    raise Problem("conflict", "nothing waits for the page", "reload the conversation")
            case ThreadsAddStructuredInputReq():
                item = await self._store.load_item(asked.params.thread_id, asked.params.item_id, turn)
                if not isinstance(item, StructuredInputItem):
                    raise Problem("bad_argument", "this item asks nothing", "answer the question itself")
                if item.status != "pending":
                    raise Problem("conflict", "this question is answered already", "reload the conversation")
                # The SDK would write the others into the log.
                known = {question.id for question in item.inputs}
                answers = asked.params.input.answers
                asked.params.input.answers = {name: answers[name] for name in answers.keys() & known}
        return []

    async def _drop_question_to_the_page(self, thread_id: str, turn: Turn) -> None:
        """A call that the page did not answer waits no longer once the person goes on."""
        newest = await self._store.recent(thread_id, turn, limit=1)
        if newest and isinstance(newest[0], ClientToolCallItem) and newest[0].status == "pending":
            await self._store.delete_thread_item(thread_id, newest[0].id, turn)

    async def _retry(self, asked: ThreadsRetryAfterItemReq, turn: Turn) -> list[ThreadItem]:
        """Remove what followed the question, in one statement; the SDK would do it one row at a time."""
        thread_id = asked.params.thread_id
        item = await self._store.load_item(thread_id, asked.params.item_id, turn)
        if not isinstance(item, UserMessageItem):
            raise Problem("bad_argument", "only a message of yours can be answered again", "choose one")
        await self._asking.supersede(thread_id, turn)
        removed = await self._store.truncate_after(thread_id, item.id, turn)
        note = done_before(removed, self._toolboxes.writes)
        # Not stored here: the SDK removes once more whatever follows the question.
        return [] if note is None else [note_item(thread_id, note)]


def require_card(item: ThreadItem) -> WidgetItem:
    """The item, which has to be a card."""
    if not isinstance(item, WidgetItem):
        raise Problem("bad_argument", "this item is no card", "press a button of a card")
    return item
