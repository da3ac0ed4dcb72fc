"""The result of a tool we know nothing about: its objects as a list, or its values by name; nothing to press."""

from collections.abc import Mapping
from typing import Any, Final

from mcp_types import Tool

from gateway.widgets.card import Card, Component, Say
from gateway.widgets.parts import as_many_as_fit, badge, card, column, fact, item, listed, row, text
from gateway.widgets.plain import copied, plain
from gateway.widgets.reading import Values

ROWS: Final = 20
FACTS: Final = 12
BADGES: Final = 2
BESIDE: Final = 5  # values, of which one is a list: then the list is what was asked for
TITLES: Final = ("title", "name", "label", "subject", "summary", "displayName", "description", "id")


def generic(tool: Tool, values: Values, say: Say) -> Card | None:
    """A card for whatever has a shape; None for what is a single value or empty."""
    place = plain(f"result of {tool.name}", 80)
    name = plain(tool.title or tool.name)
    found: Any = values
    while isinstance(found, dict) and len(found) == 1:  # an envelope
        [found] = found.values()
    if isinstance(found, dict):
        lists = [one for one in found.values() if _are_objects(one)]
        if len(lists) == 1 and len(found) <= BESIDE and not any(isinstance(one, dict) for one in found.values()):
            return _list(place, name, lists[0], say)
        return _object(place, name, found, say)
    if _are_objects(found):
        return _list(place, name, found, say)
    return None


def _are_objects(value: object) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(one, dict) for one in value)


def _list(place: str, name: str, objects: list[Values], say: Say) -> Card:
    rows = as_many_as_fit((_row(nth, one) for nth, one in enumerate(objects)), ROWS)
    more = [say("{more} more entries", more=len(objects) - len(rows))] if len(objects) > len(rows) else []
    items = [*rows, *(item("more", text(line, quiet=True)) for line in more)]
    lines = [", ".join([_title(one), *_facts(one)]) for one in objects[: len(rows)]]
    return Card(place, listed(place, name, items), copied([name, *lines, *more], "…"))


def _row(nth: int, one: Values) -> Component:
    return item(str(nth), column(text(_title(one)), row(*map(badge, _facts(one)))))


def _title(one: Values) -> str:
    for name in (*TITLES, *one):
        if isinstance(found := one.get(name), str) and plain(found):
            return plain(found)
    return "–"


def _facts(one: Values) -> list[str]:
    title = _title(one)
    short = [
        f"{plain(name, 20)}: {plain(value, 30)}"
        for name, value in one.items()
        if isinstance(value, str | int | float) and plain(value) not in ("", title)
    ]
    return short[:BADGES]


def _object(place: str, name: str, found: Mapping[str, Any], say: Say) -> Card | None:
    facts = [(plain(label, 60), shown) for label, value in found.items() if (shown := _shown(value, say))]
    if not facts:
        return None
    rows = as_many_as_fit((fact(label, value) for label, value in facts), FACTS)
    more = [say("{more} more values", more=len(facts) - len(rows))] if len(facts) > len(rows) else []
    children = [text(name, strong=True), *rows, *(text(line, quiet=True) for line in more)]
    lines = [f"{label}: {value}" for label, value in facts[: len(rows)]]
    return Card(place, card(place, *children), copied([name, *lines, *more], "…"))


def _shown(value: object, say: Say) -> str:
    if isinstance(value, list) and any(isinstance(one, dict | list) for one in value):
        return say(("{count} entry", "{count} entries"), count=len(value))
    return plain(value)
