"""The components our cards are made of, and how much a card may hold.

Only what stands here is ever a component: no text, ours or anybody's, is read as one.
"""

import json
from collections.abc import Iterable, Sequence
from typing import Any, Final, Literal

from gateway.widgets.card import Call, Component
from gateway.widgets.plain import plain

ROWS: Final = 50
# In bytes, for the rows of a card; the card as a whole stays below 64 KiB with what stands around them.
ROOM: Final = 54_000

Tone = Literal["secondary", "success", "danger", "warning", "info"]


def text(value: object, *, strong: bool = False, quiet: bool = False, struck: bool = False) -> Component:
    """Words, by whomever."""
    shown: Component = {"type": "Text", "value": plain(value)}
    if strong:
        shown["weight"] = "semibold"
    if quiet:
        shown |= {"color": "secondary", "size": "sm"}
    if struck:
        shown["lineThrough"] = True
    return shown


def badge(label: object, tone: Tone = "secondary") -> Component:
    """A short fact. Its colour says nothing that its words do not."""
    return {"type": "Badge", "label": plain(label, 60), "color": tone}


def row(*children: Component, key: str = "") -> Component:
    """Side by side, in as many lines as it takes."""
    return {"type": "Row", "gap": 2, "align": "center", "wrap": "wrap", "children": list(children)} | _keyed(key)


def column(*children: Component) -> Component:
    """One below the other, as wide as there is room."""
    return {"type": "Col", "gap": 1, "flex": 1, "children": list(children)}


def cell(child: Component) -> Component:
    """A place in a row that is as wide as its neighbours."""
    return {"type": "Box", "flex": 1, "minWidth": 0, "children": [child]}


def divider() -> Component:
    """A line."""
    return {"type": "Divider"}


def button(label: str, action: Component, *, icon: str = "") -> Component:
    """A button that does something."""
    shown: Component = {"type": "Button", "label": plain(label), "size": "sm", "variant": "outline"}
    if icon:
        shown["iconStart"] = icon
    return shown | {"onClickAction": action}


def form(key: str, action: Component, *fields: Component, submit: str) -> Component:
    """Fields that are sent together. The key changes with what they show, or they would keep what was typed before."""
    send: Component = {"type": "Button", "submit": True, "label": submit, "size": "sm", "variant": "outline"}
    return {
        "type": "Form",
        "direction": "col",
        "gap": 2,
        "onSubmitAction": action,
        "children": [*fields, send],
    } | _keyed(key)


def labelled(label: str, field: Component) -> Component:
    """A field and what it is called."""
    return column({"type": "Label", "value": label, "fieldName": field["name"]}, field)


def entry(name: str, value: str = "", *, placeholder: str = "", required: bool = False) -> Component:
    """A field for words."""
    shown: Component = {"type": "Input", "name": name, "defaultValue": value}
    if placeholder:
        shown["placeholder"] = placeholder
    if required:
        shown["required"] = True
    return shown


def choice(name: str, value: str, options: Sequence[tuple[str, str]]) -> Component:
    """A field with a few values, each with what it is called; the last one if the value is none of them."""
    listed = [{"value": option, "label": label} for option, label in options]
    known = value if value in dict(options) else options[-1][0]
    return {"type": "Select", "name": name, "defaultValue": known, "options": listed}


def call_action(call: Call, then: Call | None, *, streaming: bool = False) -> Component:
    """Calls a tool without the model; `then` is what shows the card again afterwards."""
    payload: dict[str, Any] = {"tool": call.tool, "args": call.arguments}
    if then is not None:
        payload["then"] = {"tool": then.tool, "args": then.arguments}
    return action("mcp.call", payload, streaming=streaming)


def action(
    kind: str, payload: dict[str, Any], *, streaming: bool = False, handler: Literal["server", "client"] = "server"
) -> Component:
    """What a control does."""
    return {"type": kind, "handler": handler, "streaming": streaming, "payload": payload}


def item(key: str, *children: Component) -> Component:
    """A row of a list."""
    return {"type": "ListViewItem", "key": key, "gap": 2, "align": "center", "children": list(children)}


def listed(key: str, status: str, items: Sequence[Component]) -> Component:
    """A list with a line above it."""
    return {"type": "ListView", "key": key, "status": {"text": plain(status)}, "children": list(items)}


def card(key: str, *children: Component) -> Component:
    """A framed card."""
    return {"type": "Card", "key": key, "size": "full", "children": list(children)}


def fact(label: str, value: object) -> Component:
    """A label and its value."""
    return row(text(label, quiet=True), text(value))


def as_many_as_fit(rows: Iterable[Component], most: int = ROWS) -> list[Component]:
    """The first rows, as far as a card has room for them."""
    kept: list[Component] = []
    room = ROOM
    for one in rows:
        room -= len(json.dumps(one, ensure_ascii=False).encode())
        if room < 0 or len(kept) == most:
            break
        kept.append(one)
    return kept


def _keyed(key: str) -> Component:
    return {"key": key} if key else {}
