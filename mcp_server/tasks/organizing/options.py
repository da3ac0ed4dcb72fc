"""What may be said of a list, section, tag or view beside its name, and what makes a custom field."""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from mcp_server.tasks.custom import TYPES
from mcp_server.tasks.names import Kind
from mcp_server.tasks.words import NAME_LIMIT, checked_notes, checked_title, fold
from shared.errors import Problem

COLORS: Final = (
    "red", "orange", "yellow", "lime", "green", "teal", "cyan", "blue", "navy", "purple", "magenta", "pink", "brown",
    "gray", "black", "white",
)  # fmt: skip
DESCRIPTION_LIMIT: Final = 500
CHOICE_LIMIT: Final = 50
_MIXED: Final = re.compile(r"#[0-9a-f]{6}", re.ASCII)
_NOT_IN_CHOICES: Final = '"|,'


def checked_options(kind: Kind, given: Mapping[str, Any], kept: Mapping[str, Any]) -> dict[str, Any]:
    """The options `kept` with those that are `given` put over them; an empty one is taken away.

    Raises a `Problem` for an option or a value that the kind does not know.
    """
    options = dict(kept)
    readers = _READERS[kind is Kind.FIELD]
    for name, value in given.items():
        reader = readers.get(fold(name))
        if reader is None:
            hint = f"one of {', '.join(readers)}"
            raise Problem("unknown_argument", f'a {kind.value} has no option "{name[:40]}"', hint)
        options[fold(name)] = reader(value)
    if kind is Kind.FIELD:
        _require_field(options, given)
    return {name: value for name, value in options.items() if value}


def _color(value: Any) -> str:
    color = fold(str(value)).replace("grey", "gray")
    if color and color not in COLORS and not _MIXED.fullmatch(color):
        raise Problem("bad_argument", f'"{str(value)[:40]}" is no color', f"#rrggbb, or one of {', '.join(COLORS)}")
    return color


def _description(value: Any) -> str:
    text = checked_notes(str(value), "the description").strip()
    if len(text) > DESCRIPTION_LIMIT:
        raise Problem("too_long", f"the description has {len(text):,} characters", f"at most {DESCRIPTION_LIMIT}")
    return text


def _favorite(value: Any) -> bool:
    if value not in (True, False, "true", "false", ""):
        raise Problem("bad_argument", f'favorite cannot be "{str(value)[:40]}"', "true or false")
    return value in (True, "true")


def _type(value: Any) -> str:
    name = fold(str(value))
    if name not in TYPES:
        raise Problem("bad_argument", f'no field has the type "{str(value)[:40]}"', f"one of {', '.join(TYPES)}")
    return name


def _choices(value: Any) -> list[str]:
    listed = value.split(",") if isinstance(value, str) else value if isinstance(value, Sequence) else [value]
    choices = {fold(choice): choice for choice in reversed([_choice(one) for one in listed if str(one).strip()])}
    if len(choices) > CHOICE_LIMIT:
        raise Problem("too_many", f"{len(choices)} choices", f"at most {CHOICE_LIMIT}")
    return list(reversed(choices.values()))


def _choice(value: Any) -> str:
    text = " ".join(checked_title(str(value), "a choice").split())
    if len(text) > NAME_LIMIT:
        raise Problem("too_long", f"a choice has {len(text)} characters", f"at most {NAME_LIMIT}")
    if found := next((character for character in text if character in _NOT_IN_CHOICES), ""):
        raise Problem("bad_argument", f"a choice cannot hold {found}", "leave it out")
    return text


def _require_field(options: dict[str, Any], given: Mapping[str, Any]) -> None:
    """A choice has something to choose from, and nothing else does."""
    options["type"] = options.get("type") or "text"
    if options["type"] == "choice":
        if not options.get("choices"):
            raise Problem("missing_argument", "a choice needs choices", 'options={"choices": ["low", "high"]}')
    elif options.get("choices") and "choices" in given:
        raise Problem("bad_argument", f"a {options['type']} field has no choices", 'add "type": "choice"')
    else:
        options.pop("choices", None)


_Readers = Mapping[str, Callable[[Any], Any]]
_READERS: Final[Mapping[bool, _Readers]] = {
    False: {"color": _color, "description": _description, "favorite": _favorite},
    True: {"type": _type, "choices": _choices},
}
