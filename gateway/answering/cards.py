"""The cards of one answer: one for each view, drawn from tool results, and drawn again after what it showed changed."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from chatkit.store import NotFoundError
from chatkit.types import ThreadItemDoneEvent, ThreadItemReplacedEvent, WidgetItem
from mcp_types import CallToolResult

from gateway.answering.context import AnswerContext
from gateway.widgets import Card, is_older, render, widget_item
from shared.db import clock

log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Shown:
    card: Card
    writes: int  # how many writes the answer had made when this was read
    item: WidgetItem | None = None
    sent: bool = False


class Cards:
    """What the person is shown besides the text."""

    def __init__(self, context: AnswerContext) -> None:
        self._context = context
        self._views: dict[str, _Shown] = {}

    def take(self, tool: str, arguments: Mapping[str, Any], result: CallToolResult) -> None:
        """Draw a result. One that cannot be drawn is no failure of the call: it only has no card."""
        described = self._context.toolbox.described(tool)
        if described is None:
            return
        try:
            card = render(described, arguments, result, self._context.turn.say)
        except Exception:
            log.exception("a card was not drawn", extra={"tool": tool})
            return
        if card is None:
            return
        before = self._views.get(card.view)
        item = before.item if before is not None else None
        self._views[card.view] = _Shown(card, self._context.toolbox.writes, item)

    async def due(self) -> list[ThreadItemDoneEvent | ThreadItemReplacedEvent]:
        """The cards that are new or have changed since they were last sent."""
        events: list[ThreadItemDoneEvent | ThreadItemReplacedEvent] = []
        for shown in self._views.values():
            if shown.sent:
                continue
            shown.sent = True
            if shown.item is None:
                shown.item = widget_item(
                    shown.card, self._context.generate_id("message"), self._context.thread.id, clock()
                )
                events.append(ThreadItemDoneEvent(item=shown.item))
            else:
                before = shown.item
                shown.item = widget_item(shown.card, before.id, before.thread_id, before.created_at)
                if not await self._is_outdated(shown.item):
                    events.append(ThreadItemReplacedEvent(item=shown.item))
        return events

    async def _is_outdated(self, item: WidgetItem) -> bool:
        """Whether a button of the card, pressed meanwhile, shows a later state already; or the card is gone."""
        try:
            stored = await self._context.store.load_item(item.thread_id, item.id, self._context.turn)
        except NotFoundError:
            return True
        return isinstance(stored, WidgetItem) and is_older(item, stored)

    async def read_again(self) -> None:
        """Read once more what was shown before the answer changed something."""
        toolbox = self._context.toolbox
        for shown in list(self._views.values()):
            source = shown.card.source
            if source is None or shown.writes == toolbox.writes:
                continue
            result = await toolbox.call(source.tool, source.arguments)
            if not result.is_error:
                self.take(source.tool, source.arguments, result)
