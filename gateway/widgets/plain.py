"""Anybody's text as it may be shown: on one line, not too long, without characters that steer what stands near it."""

from typing import Any, Final
from unicodedata import category

CELL: Final = 200
COPY_SIZE: Final = 4_000

# Joiners make letters and pictures out of several characters; everything else of their kind is invisible.
_JOINERS: Final = "\u200c\u200d"


def plain(value: object, most: int = CELL) -> str:
    """The value on one line: line breaks and control characters become spaces, invisible marks go."""
    text = _text_of(value)
    if len(text) > most * 8:  # enough to find what is shown, however long the text is
        text = text[: most * 8]
    line = " ".join("".join(map(_harmless, text)).split())
    return line if len(line) <= most else f"{line[: most - 1]}…"


def paragraphs(value: object, most: int) -> tuple[list[str], bool]:
    """The first lines of a longer text, and whether there is more of it."""
    lines = [line for line in str(value).splitlines() if line.strip()]
    shown = [plain(line) for line in lines[:most]]
    return shown, len(lines) > most or any(line.endswith("…") for line in shown)


def copied(lines: list[str], more: str) -> str:
    """The lines as one text within its limit; `more` is its last line when not all of them fit."""
    kept: list[str] = []
    room = COPY_SIZE - len(more.encode()) - 1
    for line in lines:
        room -= len(line.encode()) + 1
        if room < 0:
            return "\n".join([*kept, more])
        kept.append(line)
    return "\n".join(kept)


def _text_of(value: object) -> str:
    match value:
        case None:
            return ""
        case bool():
            return str(value).lower()
        case float():
            return f"{value:.12g}"
        case list():
            return ", ".join(_text_of(part) for part in value[:CELL] if not isinstance(part, list | dict))
        case dict():
            return ", ".join(f"{name}: {_text_of(part)}" for name, part in value.items() if _is_scalar(part))
    return str(value)


def _is_scalar(value: Any) -> bool:
    return not isinstance(value, list | dict)


def _harmless(character: str) -> str:
    match category(character):
        case "Cc" | "Zl" | "Zp":
            return " "
        case "Cs":
            return "\N{REPLACEMENT CHARACTER}"
        case "Cf" if character not in _JOINERS:
            return ""
    return character
