"""A better title for a conversation that has just begun, asked for beside its first answer."""

import asyncio
from contextlib import suppress
from typing import Final

from agents import Model
from chatkit.types import ThreadMetadata

from gateway.store import ThreadStore
from gateway.titles import Suggestion, better_title
from gateway.turn import Turn

WAIT_S: Final = 1.0  # after the answer's end: its conversation stays busy that long


class Naming:
    """The request for a title. A title that the person gives meanwhile stays."""

    def __init__(self, model: Model, question: str, turn: Turn) -> None:
        self._turn = turn
        self._asking: asyncio.Task[Suggestion] = asyncio.create_task(better_title(model, question, turn.language))

    async def finish(self, thread: ThreadMetadata, store: ThreadStore) -> int:
        """Give the thread its title, if there is one by now; and the tokens that it took."""
        await asyncio.wait([self._asking], timeout=WAIT_S)
        if not self._asking.done():
            await self.drop()
            return 0
        suggestion = self._asking.result()
        if suggestion.title is not None:
            thread.title = await store.auto_title(thread.id, suggestion.title, self._turn)
        return suggestion.tokens

    async def drop(self) -> None:
        """Ask no longer: the answer did not come to its end, so there is nothing to name."""
        self._asking.cancel()
        with suppress(asyncio.CancelledError):
            await self._asking
