"""Forgiving arguments: what a model surely meant is read, and what it may have meant is refused with the remedy.

Pure, and driven by the schema a model sees. What comes back satisfies that schema, so whatever validates later has
nothing left to say. References, dates and names are not touched: they are understood where they are known.
"""

import difflib
import json
import math
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from mcp_server.tools.synonyms import EXAMPLES, Schema, meant_name, meant_value, remedy
from shared.errors import Problem

ECHOED: Final = 40
READINGS_TOLD: Final = 6
SAFE_INTEGER: Final = 2**53 - 1  # beyond it programs that read JSON disagree
NUMBER_BITS: Final = 128

ABSENT: Final = frozenset({"null", "none", "undefined"})
YES: Final = frozenset({"true", "yes", "y", "on", "1"})
NO: Final = frozenset({"false", "no", "n", "off", "0"})
SPLIT: Final = frozenset({"refs", "tags", "blocked_by", "clear"})

TEXT, WHOLE, FLAG, TEXTS = "text", "a whole number", "true or false", "a list of texts"
OBJECT, OBJECTS = "an object", "a list of objects"
ANY_EXAMPLE: Final[Mapping[str, str]] = {
    TEXT: '"..."',
    WHOLE: "10",
    FLAG: "true",
    TEXTS: '["..."]',
    OBJECT: '{"name": "..."}',
    OBJECTS: '[{"name": "..."}]',
}


def repair(schema: Schema, tool: str, arguments: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """The arguments as they were surely meant, with notes on what was read into them.

    The result satisfies the schema. What is not certain is a `Problem` that names the place and the remedy.
    Repairing twice is repairing once.
    """
    reader = _Reader(tool)
    repaired = reader.closed(schema, reader.gathered(schema, arguments), "")
    return repaired, reader.notes()


class _Reader:
    """One reading of one call: what was read differently from how it was written is remembered for the notes."""

    def __init__(self, tool: str) -> None:
        self._tool = tool
        self._readings: dict[str, None] = {}
        self._emptied_nothing = False

    def notes(self) -> list[str]:
        """At most one line about readings, and one about empty values that were meant to change something."""
        told = list(self._readings)
        notes = []
        if told:
            more = f" and {len(told) - READINGS_TOLD:,} more" if len(told) > READINGS_TOLD else ""
            notes.append(f"read {', '.join(told[:READINGS_TOLD])}{more}")
        if self._emptied_nothing:
            notes.append('empty values change nothing; to empty a field name it in clear, e.g. clear=["due"]')
        return notes

    def gathered(self, schema: Schema, arguments: Mapping[str, Any]) -> Mapping[str, Any]:
        """The arguments, with what stands beside the list of objects put into its one object."""
        properties = schema["properties"]
        wrapper = next((name for name, inner in properties.items() if _holds_objects(inner)), "")
        if not wrapper:
            return arguments
        item = properties[wrapper]["items"]
        outside: dict[str, Any] = {}
        beside: dict[str, Any] = {}
        holders = []
        for key, value in arguments.items():
            name = meant_name(key, properties)
            inner = None if name else meant_name(key, item["properties"])
            if inner is None:
                outside[key] = value
                if name == wrapper and _present(wrapper, properties[wrapper], value, needed=True) is not None:
                    holders.append(key)
            elif _present(inner, item["properties"][inner], value) is not None:
                beside[key] = value
        if not beside:
            return outside
        if not holders:
            return {**outside, wrapper: [beside]}
        objects = _objects(item, outside[holders[0]], wrapper)
        if len(objects) != 1 or len(holders) > 1:
            where = f'"{_echo(next(iter(beside)))}" stands beside {wrapper}'
            raise Problem("unknown_argument", where, f"put it into each of {wrapper}")
        if twice := next((key for key in beside if key in objects[0]), ""):
            where = f'"{_echo(twice)}" stands in {wrapper} and beside it'
            raise Problem("bad_argument", where, "give one of them")
        return {**outside, holders[0]: [{**objects[0], **beside}]}

    def closed(self, schema: Schema, value: Mapping[str, Any], place: str) -> dict[str, Any]:
        """An object with known keys."""
        properties, required = schema["properties"], schema.get("required", ())
        found: dict[str, Any] = {}
        written: dict[str, str] = {}
        emptied = False
        for key, raw in value.items():
            name = meant_name(key, properties)
            if name is None:
                what = f'"{_echo(key)}"' + (f" in {place}" if place else "")
                raise Problem("unknown_argument", what, remedy(key, self._tool, properties))
            present = _present(name, properties[name], raw, needed=name in required)
            if present is None:
                emptied = True
                continue
            read = self._value(properties[name], present, f"{place}.{name}" if place else name)
            if name in found and found[name] != read:
                both = f'"{_echo(written[name])}" and "{_echo(key)}" both mean {name}'
                raise Problem("bad_argument", both, "give one of them")
            found[name], written[name] = read, key
            if key != name:
                self._readings[f"{_echo(key)} as {name}"] = None
        if missing := next((name for name in required if name not in found), ""):
            if place:
                raise Problem("missing_argument", f"{place} has no {missing}", f"add {missing}")
            raise Problem("missing_argument", f"{missing} is missing", f"e.g. {missing}={_example(missing, TEXT)}")
        if emptied and "clear" in properties and found.keys() <= {"refs", "version"}:
            self._emptied_nothing = True
        return found

    def _value(self, schema: Schema, value: Any, place: str) -> Any:
        if "enum" in schema:
            return self._choice(schema["enum"], value, place)
        if _holds_objects(schema):
            objects = _objects(schema["items"], value, place)
            return [self.closed(schema["items"], inner, f"{place}[{n}]") for n, inner in enumerate(objects)]
        match schema["type"]:
            case "string":
                return _text(value, place, TEXT)
            case "integer":
                return self._whole(schema, value, place)
            case "boolean":
                return _flag(value, place)
            case "array":
                if not isinstance(value, list):
                    raise _wrong(place, TEXTS)
                return [_text(inner, place, TEXTS) for inner in value]
            case _:
                return _open(value, place)

    def _choice(self, allowed: Sequence[str], value: Any, place: str) -> str:
        if isinstance(value, bool | list | dict):
            raise Problem("bad_argument", f"{place} must be one word", _one_of(allowed))
        if value in allowed:
            return str(value)
        shown = _echo(_shown(value))
        found = meant_value(_shown(value), allowed)
        if found is None:
            near = difflib.get_close_matches(shown.lower(), allowed, n=1)
            raise Problem("bad_argument", f'{place} cannot be "{shown}"', near[0] if near else _one_of(allowed))
        self._readings[f'{_last(place)} "{shown}" as {found}'] = None
        return found

    def _whole(self, schema: Schema, value: Any, place: str) -> int:
        number = _number(value)
        if number is None:
            raise _wrong(place, WHOLE)
        if "maximum" in schema:
            clamped = min(max(number, 1), int(schema["maximum"]))
            if clamped != number:
                self._readings[f"{_last(place)} {_echo(_shown(value))} as {clamped}"] = None
            return clamped
        if abs(number) > SAFE_INTEGER:
            raise _wrong(place, WHOLE)
        return number


def _present(name: str, schema: Schema, value: Any, *, needed: bool = False) -> Any:
    """The value in the shape that is expected; None if there is nothing in it."""
    match schema["type"]:
        case "array" if _holds_objects(schema):
            value = _decoded(value)
        case "array":
            value = _decoded(value)
            if not needed and _is_word_for_nothing(value):
                return None
            if isinstance(value, str) and not _looks_like_json(value):
                value = [part.strip() for part in value.split(",")] if name in SPLIT else [value]
            elif isinstance(value, int | float):
                value = [value]
        case "object":
            value = _decoded(value)
        case _ if isinstance(value, list) and len(value) == 1:
            value = value[0]
    if isinstance(value, list) and _holds_objects(schema):
        # A gap stays, because the objects are counted.
        return value if any(isinstance(inner, dict) or not _is_nothing(inner) for inner in value) else None
    if isinstance(value, list):
        return [inner for inner in value if not _is_nothing(inner)] or None
    if _is_nothing(value) or (
        not needed and _is_word_for_nothing(value) and meant_value(value, schema.get("enum", ())) is None
    ):
        return None
    return value


def _objects(item: Schema, value: Any, place: str) -> list[Mapping[str, Any]]:
    """What stands where a list of objects is expected; a plain text is the one thing that an object must have."""
    value = _decoded(value)
    needed = item.get("required", ())
    objects: list[Mapping[str, Any]] = []
    for element in value if isinstance(value, list) else [value]:
        inner = _decoded(element)
        if isinstance(inner, dict):
            objects.append(inner)
        elif len(needed) == 1 and (inner is None or (isinstance(inner, str) and not _looks_like_json(inner))):
            objects.append({needed[0]: inner})
        else:
            raise _wrong(place, OBJECTS)
    return objects


def _text(value: Any, place: str, kind: str) -> str:
    match value:
        case str():
            return value
        case bool():
            pass
        case int() if value.bit_length() <= NUMBER_BITS:
            return str(value)
        case float() if math.isfinite(value):
            return f"{value:.15g}"
    raise _wrong(place, kind)


def _flag(value: Any, place: str) -> bool:
    if isinstance(value, bool):
        return value
    word = str(value).strip().lower() if isinstance(value, str) or value in (0, 1) else ""
    if word in YES:
        return True
    if word in NO:
        return False
    raise _wrong(place, FLAG)


def _open(value: Any, place: str) -> dict[str, Any]:
    """An object whose keys people choose: plain values and lists of them, so that nothing can be deep."""
    if not isinstance(value, dict):
        raise _wrong(place, OBJECT)
    for key, inner in value.items():
        if inner is None:
            hint = f'clear=["fields.{_echo(key)}"]' if _last(place) == "fields" else 'leave it out, or write ""'
            raise Problem("bad_argument", f'"{_echo(key)}" in {place} is null', hint)
        if not all(_is_plain(element) for element in (inner if isinstance(inner, list) else [inner])):
            what = f'"{_echo(key)}" in {place} must be a plain value or a list of them'
            raise Problem("bad_argument", what, f"e.g. {_example(_last(place), OBJECT)}")
    return value


def _is_plain(value: Any) -> bool:
    match value:
        case str() | bool():
            return True
        case int():
            return abs(value) <= SAFE_INTEGER
        case float():
            return math.isfinite(value)
    return False


def _number(value: Any) -> int | None:
    match value:
        case bool():
            return None
        case int():
            return value
        case float() if value.is_integer():
            return int(value)
        case str() if re.fullmatch(r"[+-]?\d{1,100}(\.0+)?", value.strip(), re.ASCII):
            return int(value.strip().partition(".")[0])
    return None


def _decoded(value: Any) -> Any:
    """A list or object that came as JSON text, maybe in a fence or encoded twice; anything else as it is."""
    if not isinstance(value, str):
        return value
    text = value.strip()
    if text.startswith("```") and text.endswith("```"):
        text = text[3:-3].partition("\n")[2]
    try:
        found = json.loads(text) if text[:1] in ("[", "{", '"') else None
        if isinstance(found, str) and found[:1] in ("[", "{"):
            found = json.loads(found)
    except (ValueError, RecursionError):
        return value
    return found if isinstance(found, list | dict) else value


def _looks_like_json(text: str) -> bool:
    """Whether a text was meant as JSON, though it is none."""
    return re.match(r'\s*(```|"?(\[\s*[\[{"\'\\]|\{\s*["\'\\]))', text) is not None


def _is_nothing(value: Any) -> bool:
    return not value.strip() if isinstance(value, str) else value is None or value in ([], {})


def _is_word_for_nothing(value: Any) -> bool:
    return isinstance(value, str) and value.strip().lower() in ABSENT


def _holds_objects(schema: Schema) -> bool:
    return bool(schema.get("items", {}).get("type") == "object")


def _shown(value: Any) -> str:
    return "a huge number" if isinstance(value, int) and value.bit_length() > NUMBER_BITS else str(value)


def _echo(text: str) -> str:
    """The sender's own words, short and on one line."""
    cut = text if len(text) <= ECHOED else f"{text[: ECHOED - 3]}..."
    return "".join(character if character.isprintable() else " " for character in cut)


def _last(place: str) -> str:
    return re.sub(r"\[\d+\]", "", place).rpartition(".")[2]


def _one_of(allowed: Sequence[str]) -> str:
    return f"one of {', '.join(allowed)}"


def _wrong(place: str, kind: str) -> Problem:
    return Problem("bad_argument", f"{place} must be {kind}", f"e.g. {_example(_last(place), kind)}")


def _example(name: str, kind: str) -> str:
    return EXAMPLES.get(name) or ANY_EXAMPLE[kind]
