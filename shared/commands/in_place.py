"""One entry put into a text of JSON or TOML, whose every other byte stays as it is.

Entries lie in sections: members of an object, elements of a list that carry their name as `id`, tables of TOML. Whoever
edits reads the result again: what is too unusual for an edit comes out wrong or not at all, and never out of shape.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

SPACE: Final = re.compile(r"[ \t\r\n]*")
INDENT: Final = re.compile(r"\s*\{[ \t]*\r?\n([ \t]+)")
USUAL_INDENT: Final = "  "
TABLE: Final = re.compile(r"\s*\[")
KEY: Final = re.compile(r"""\s*["']?([\w-]+)["']?\s*=""")


# JSON


@dataclass(frozen=True, slots=True)
class _Child:
    """A member of an object or an element of a list, and where its value stands."""

    name: object
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class _Parent:
    """An object or a list, and where it stands."""

    start: int
    end: int
    children: list[_Child]

    def child(self, name: str) -> _Child | None:
        """The one of this name; of several the last one counts, as for every reader."""
        return next((child for child in reversed(self.children) if child.name == name), None)


def put_json(text: str, section: str, name: str, entry: Any) -> str:
    """The text with this entry; in a list, the entry's own `id` is its name. The text must be an object of JSON."""
    root = _parent(text, _after_space(text, 0))
    found = root.child(section)
    if found is None:
        listed = entry.get("id") == name
        return _added(text, root, section, [entry] if listed else {name: entry}, depth=1)
    parent = _parent(text, found.start)
    former = parent.child(name)
    if former is None:
        return _added(text, parent, name, entry, depth=2)
    return text[: former.start] + _written(text, entry, depth=2) + text[former.end :]


def _added(text: str, parent: _Parent, name: str, value: Any, *, depth: int) -> str:
    key = f"{json.dumps(name)}: " if text[parent.start] == "{" else ""
    new = _line(text, depth) + key + _written(text, value, depth=depth)
    if parent.children:
        place = parent.children[-1].end
        return text[:place] + "," + new + text[place:]
    return text[: parent.start + 1] + new + _line(text, depth - 1) + text[parent.end - 1 :]


def _written(text: str, value: Any, *, depth: int) -> str:
    """A value as the text would write it at this depth."""
    return json.dumps(value, indent=_indent(text), ensure_ascii=False).replace("\n", _line(text, depth))


def _line(text: str, depth: int) -> str:
    return ("\r\n" if "\r\n" in text else "\n") + _indent(text) * depth


def _indent(text: str) -> str:
    found = INDENT.match(text)
    return found[1] if found else USUAL_INDENT


def _parent(text: str, start: int) -> _Parent:
    decode = json.JSONDecoder().raw_decode
    children = list[_Child]()
    place = _after_space(text, start + 1)
    while text[place] not in "]}":
        name = None
        if text[start] == "{":
            name, place = decode(text, place)
            place = _after_space(text, _after_space(text, place) + len(":"))
        value, end = decode(text, place)
        if text[start] == "[" and isinstance(value, dict):
            name = value.get("id")
        children.append(_Child(name, place, end))
        place = _after_space(text, end)
        if text[place] == ",":
            place = _after_space(text, place + 1)
    return _Parent(start, place + 1, children)


def _after_space(text: str, place: int) -> int:
    found = SPACE.match(text, place)
    assert found is not None
    return found.end()


# TOML


def toml_table(section: str, name: str, entry: Mapping[str, str]) -> str:
    """A table of its own; the texts in it are written as in JSON."""
    return f"[{section}.{name}]\n" + _pairs(entry)


def put_toml(text: str, section: str, name: str, entry: Mapping[str, str], replaced: frozenset[str]) -> str:
    """The text with these values in the table of the entry, which loses its keys that are to be replaced."""
    end = "\r\n" if "\r\n" in text else "\n"
    lines = text.split("\n")
    header = re.compile(rf"""\s*\[\s*["']?{section}["']?\s*\.\s*["']?{name}["']?\s*\]\s*(#.*)?""")
    first = next((number for number, line in enumerate(lines) if header.fullmatch(line)), None)
    if first is None:
        gap = "" if not text else end if text.endswith("\n") else end * 2
        return text + gap + toml_table(section, name, entry).replace("\n", end)
    body = first + 1
    last = next((number for number in range(body, len(lines)) if TABLE.match(lines[number])), len(lines))
    kept = [line for line in lines[body:last] if not ((key := KEY.match(line)) and key[1] in replaced)]
    pairs = _pairs(entry).replace("\n", end).split("\n")[:-1]
    return "\n".join([*lines[:body], *pairs, *kept, *lines[last:]])


def _pairs(entry: Mapping[str, str]) -> str:
    return "".join(f"{key} = {json.dumps(value)}\n" for key, value in entry.items())
