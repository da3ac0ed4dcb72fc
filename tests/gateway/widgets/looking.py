"""How the tests look at cards: strictly, as stored, and as somebody who presses what is there."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import chatkit.widgets
from chatkit.actions import Action
from chatkit.types import ThreadItem, WidgetItem
from chatkit.widgets import DynamicWidgetRoot, WidgetComponentBase
from mcp_types import CallToolResult, TextContent, Tool, ToolAnnotations
from pydantic import TypeAdapter

from gateway.widgets import Card, Offer, offered, render, widget_item
from gateway.words import said
from shared.db import clock
from tests.living import ToolClient

WIDGET_SIZE: Final = 64 * 1024
ROWS: Final = 50
CELL: Final = 200
COPY: Final = 4_096
ACTIONS: Final = ("onClickAction", "onChangeAction", "onSubmitAction")
# What the page can render.
LAYOUT: Final = frozenset({"Card", "ListView", "ListViewItem", "Basic", "Row", "Col", "Box", "Divider", "Spacer"})
READ: Final = frozenset({"Text", "Title", "Caption", "Badge", "Icon", "Label", "Chart"})
PRESSED: Final = frozenset({"Form", "Button", "Checkbox", "Input", "Textarea", "Select", "RadioGroup", "DatePicker"})
RENDERED: Final = LAYOUT | READ | PRESSED

_ITEM: Final[TypeAdapter[ThreadItem]] = TypeAdapter(ThreadItem)


def say(english: Any, **values: object) -> str:
    """As `Turn.say` does for somebody who reads English."""
    return said("en", english, **values)


def tool(name: str, view: str = "", *, title: str = "", reads: bool = True) -> Tool:
    """A tool as a server lists it."""
    meta = {"taskgate/view": view} if view else None
    annotations = ToolAnnotations(read_only_hint=reads)
    return Tool(name=name, title=title or None, input_schema={"type": "object"}, annotations=annotations, _meta=meta)


def result(values: Any) -> CallToolResult:
    """A result as a server sends it."""
    return CallToolResult(content=[], structured_content=values)


def refusal(words: str) -> CallToolResult:
    """An error as a server sends it."""
    return CallToolResult(content=[TextContent(type="text", text=words)], is_error=True)


@dataclass(frozen=True, slots=True)
class Shown:
    """A person at the tool server who sees cards."""

    person: ToolClient
    tools: Mapping[str, Tool]

    async def card(self, name: str, /, **arguments: Any) -> Card:
        """The card of a call."""
        called = await self.person.call(name, **arguments)
        card = render(self.tools[name], arguments, called, say)
        assert card is not None
        well_made(card)
        return card

    async def press(self, card: Card, label: str, *, nth: int = 0, **typed: str) -> Card:
        """Press a button, and the card as it is shown again; where no read shows it, the card of what was done."""
        offer = offered(stored(card), sent(press(card, label)[nth], **typed))
        assert offer is not None
        return await self.take(offer)

    async def take(self, offer: Offer) -> Card:
        """Do what a card offers."""
        assert offer.call is not None
        after = await self.person.call(offer.call.tool, **offer.call.arguments)
        shown = offer.then or offer.call
        seen = await self.person.call(shown.tool, **shown.arguments) if offer.then else after
        card = render(self.tools[shown.tool], shown.arguments, seen, say, after=after if offer.then else None)
        assert card is not None
        well_made(card)
        return card


async def shown_to(person: ToolClient) -> Shown:
    """That person, with the list of tools."""
    listed = await person.client.list_tools()
    return Shown(person, {tool.name: tool for tool in listed.tools})


def components(component: Any) -> Iterator[dict[str, Any]]:
    """A component and all below it."""
    yield component
    for child in component.get("children") or ():
        yield from components(child)


def of_type(card: Card, kind: str) -> list[dict[str, Any]]:
    """The components of one type."""
    return [one for one in components(card.widget) if one["type"] == kind]


def words_in(card: Card) -> list[str]:
    """Everything there is to read."""
    return [str(one.get("value", one.get("label", ""))) for one in components(card.widget)]


def press(card: Card, label: str) -> list[dict[str, Any]]:
    """What the buttons of this name do."""
    found = []
    for one in components(card.widget):
        if one["type"] == "Button" and one["label"] == label and "onClickAction" in one:
            found.append(one["onClickAction"])
        if one["type"] == "Form" and any(child.get("label") == label for child in one["children"]):
            found.append(one["onSubmitAction"])
    assert found, f"no button {label!r} in {words_in(card)}"
    return found


def actions(card: Card) -> list[dict[str, Any]]:
    """Everything that can be pressed."""
    return [one[name] for one in components(card.widget) for name in ACTIONS if name in one]


def sent(config: Mapping[str, Any], **typed: str) -> Action[str, Any]:
    """The action as a browser sends it, with what was typed."""
    payload = json.loads(json.dumps({**typed, **config["payload"]}))
    return Action[str, Any](type=config["type"], payload=payload)


def stored(card: Card) -> WidgetItem:
    """The card as it comes back from the store."""
    item = _ITEM.validate_json(widget_item(card, "msg_1", "thr_1", clock()).model_dump_json())
    assert isinstance(item, WidgetItem)
    return item


def well_made(card: Card) -> None:
    """Only known components with known props, within every limit, and nothing lost in the store."""
    DynamicWidgetRoot.model_validate(card.widget)
    rows = 0
    for one in components(card.widget):
        _strict(one)
        rows += one["type"] == "ListViewItem"
        for value in (one.get("value"), one.get("label"), one.get("defaultValue")):
            assert value is None or len(value) <= CELL
        for name in ACTIONS:
            if name in one:
                assert one[name].keys() == {"type", "handler", "streaming", "payload"}
                assert one[name]["type"] in ("mcp.call", "approval", "open_task")
    assert rows <= ROWS + 2  # a line above and one below
    item = stored(card)
    assert len(item.model_dump_json().encode()) <= WIDGET_SIZE
    assert 0 < len(card.copy_text.encode()) <= COPY
    json.dumps(card.widget).encode()


def _strict(component: Mapping[str, Any]) -> None:
    """The component is one of the SDK's classes, and that class keeps everything it says."""
    kind = component["type"]
    assert kind in RENDERED
    model: type[WidgetComponentBase] = getattr(chatkit.widgets, kind)
    assert component.keys() <= model.model_fields.keys(), (
        f"{kind} has no {component.keys() - model.model_fields.keys()}"
    )
    back = json.loads(model.model_validate(dict(component)).model_dump_json(exclude_unset=True))
    for name in component.keys() - {"children", *ACTIONS}:
        assert back[name] == component[name], f"{kind}.{name} is not kept"
