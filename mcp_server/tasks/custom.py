"""Custom fields: what values each type takes, and how a value is shown."""

import math
from collections.abc import Mapping
from datetime import date
from typing import Any, Final

from mcp_server.tasks.calendar.dates import resolve
from mcp_server.tasks.names import Named
from mcp_server.tasks.schedule import Here
from mcp_server.tasks.words import checked_comment, fold
from shared.errors import Problem

TYPES: Final = ("text", "number", "date", "choice", "bool", "url")
TEXT_LIMIT: Final = 2_000
_YES: Final = {"yes": True, "true": True, "on": True, "1": True, "no": False, "false": False, "off": False, "0": False}


def type_of(field: Named) -> str:
    """The type of a field; text unless it was said."""
    return str(field.options.get("type", "text"))


def field_value(field: Named, value: object, here: Here) -> Any:
    """A value as the field keeps it; a `Problem` says what the field takes."""
    if isinstance(value, Mapping | list) or value is None or value == "":
        raise _refused(field, value, "one value; clear it with clear=['fields.NAME']")
    text = str(value).strip()
    match type_of(field):
        case "number":
            return _number(field, value, text)
        case "bool":
            if isinstance(value, bool):
                return value
            if (answer := _YES.get(fold(text))) is None:
                raise _refused(field, value, "true or false")
            return answer
        case "date":
            return resolve(text, here.now, here.habits).day.isoformat()
        case "choice":
            choices = {fold(choice): choice for choice in field.options.get("choices", [])}
            if fold(text) not in choices:
                raise _refused(field, value, f"one of {', '.join(choices.values())}")
            return choices[fold(text)]
        case "url":
            if not text.startswith(("https://", "http://")) or len(text) > TEXT_LIMIT or any(map(str.isspace, text)):
                raise _refused(field, value, "an address that begins with https://")
            return checked_comment(text, f"the field {field.name}")
    if len(text) > TEXT_LIMIT:
        raise Problem("too_long", f'the field "{field.name}" got {len(text):,} characters', f"at most {TEXT_LIMIT:,}")
    return checked_comment(text, f"the field {field.name}")


def shown(field: Named, value: object) -> str:
    """A value as people read it, and as `field_value` reads it back."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return date.fromisoformat(value).isoformat() if type_of(field) == "date" and isinstance(value, str) else str(value)


def _number(field: Named, value: object, text: str) -> int | float:
    try:
        number = float(text.replace("_", "x")) if not isinstance(value, bool) else math.nan
    except ValueError:
        number = math.nan
    if not math.isfinite(number) or abs(number) > 1e15:
        raise _refused(field, value, "a number")
    return int(number) if number.is_integer() else number


def _refused(field: Named, value: object, expected: str) -> Problem:
    shown_value = str(value)[:40]
    return Problem("bad_argument", f'the field "{field.name}" cannot be "{shown_value}"', expected)
