"""Buttons, checkboxes and forms of cards: what the stored card offers is done through a tool, without the model."""

import hashlib
import json
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from chatkit.actions import Action
from chatkit.types import ClientToolCallItem, HiddenContextItem, WidgetItem
from mcp_types import CallToolResult

from gateway.notes import note_item
from gateway.store import ThreadStore
from gateway.toolbox import Toolbox, Toolboxes, text_of
from gateway.turn import Turn
from gateway.widgets import Call, Card, Offer, effect, offered, render, widget_item
from shared.errors import Problem

SAID_LIMIT: Final = 300


@dataclass(frozen=True, slots=True)
class Performed:
    """What an action came to: the card as it is now, what the model is told, and what changed."""

    item: WidgetItem
    note: HiddenContextItem
    effect: dict[str, Any] | None


def the_offer(item: WidgetItem, action: Action[str, Any]) -> Offer:
    """The action as the stored card offers it. What the request says besides is not believed."""
    offer = offered(item, action)
    if offer is None:
        raise Problem("conflict", "this card does not offer that", "reload the conversation")
    return offer


class Actions:
    """Does what cards offer."""

    def __init__(self, toolboxes: Toolboxes, store: ThreadStore) -> None:
        self._toolboxes = toolboxes
        self._store = store

    async def perform(self, item: WidgetItem, offer: Offer, turn: Turn) -> Performed:
        """Call the tool, read the view again, and keep the card as it looks now. Raises `Problem`."""
        call = offer.call
        if call is None:
            raise Problem("bad_argument", "this is not done by a tool", "press a button of a card")
        # Pressed twice on the same card it is done once; on the card as it looks afterwards, it is done again.
        shown = hashlib.sha256(item.model_dump_json(include={"widget"}).encode()).hexdigest()
        toolbox = self._toolboxes.open(turn, f"{item.thread_id} {item.id} {shown}")
        await toolbox.tools()
        result = await toolbox.call(call.tool, call.arguments)
        said = text_of(result)
        described = toolbox.described(call.tool)
        # A card that is out of date is not only refused: it is shown as things are now, and says so.
        card = await self._shown_again(toolbox, offer.then, result, turn) if offer.then is not None else None
        if described is None or (result.is_error and card is None):
            raise _refusal(said)
        card = card or render(described, call.arguments, result, turn.say)
        now = item if card is None else widget_item(card, item.id, item.thread_id, item.created_at)
        pressed = json.dumps({"tool": call.tool, "arguments": call.arguments}, ensure_ascii=False)
        note = note_item(item.thread_id, f"The user pressed a button of a card: {pressed} -> {said[:SAID_LIMIT]}")
        newest = await self._store.recent(item.thread_id, turn, limit=1)
        if newest and isinstance(newest[0], ClientToolCallItem) and newest[0].status == "pending":
            # What waits for the page has to stay the last of the conversation: it is looked for there.
            note.created_at = newest[0].created_at - timedelta(microseconds=1)
        return Performed(now, note, None if result.is_error else effect(described, result))

    async def _shown_again(self, toolbox: Toolbox, then: Call, pressed: CallToolResult, turn: Turn) -> Card | None:
        described = toolbox.described(then.tool)
        result = await toolbox.call(then.tool, then.arguments)
        if described is None or result.is_error:
            return None
        return render(described, then.arguments, result, turn.say, after=pressed)


def _refusal(said: str) -> Problem:
    """A tool's own words, which are made for people and models alike."""
    code, _, rest = said.partition(": ")
    message, _, hint = rest.partition(" Fix: ")
    try:
        return Problem(code, message.rstrip("."), hint)
    except KeyError:
        return Problem("unavailable", "the task service did not do that", "try again in a moment")
