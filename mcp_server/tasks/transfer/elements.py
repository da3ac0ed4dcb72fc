"""JSON whose lists remember the line in which each of their elements begins, so that a fault can be found."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final, NoReturn

from shared.errors import Problem

_SPACE: Final = re.compile(r"[ \t\r\n]*")


@dataclass(frozen=True, slots=True)
class Element:
    """One value of a list."""

    line: int
    value: Any


def read_members(text: str) -> dict[str, Any]:
    """The members of the object in `text`; those that are lists hold `Element`s. A list alone is the member `tasks`.

    Raises `bad_content` if the text is not JSON or something else.
    """
    _require_json(text)
    scan = _Scan(text)
    match scan.next_character():
        case "[":
            return {"tasks": scan.elements()}
        case "{":
            return dict(scan.members())
    raise Problem("bad_content", "this JSON is neither a list nor an object", 'write [{"title": ...}, ...]')


def _require_json(text: str) -> None:
    try:
        json.loads(text, parse_constant=_refuse)
    except json.JSONDecodeError as error:
        hint = "mend that line, or send the whole file"
        raise Problem("bad_content", f"line {error.lineno} is not JSON", hint) from None
    except RecursionError:
        raise Problem("bad_content", "this JSON is nested too deep", "send a plain list of tasks") from None
    except ValueError:
        raise Problem(
            "bad_content", "this JSON holds a number that is none", "write NaN and the like as null"
        ) from None


def _refuse(constant: str) -> NoReturn:
    raise ValueError(constant)


class _Scan:
    """Goes through the outermost level of a text that is known to be JSON."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._decode = json.JSONDecoder().raw_decode
        self._at = 0
        self._line = 1
        self._counted = 0

    def next_character(self) -> str:
        """The character that the next value begins with."""
        space = _SPACE.match(self._text, self._at)
        assert space is not None
        self._at = space.end()
        return self._text[self._at]

    def members(self) -> Iterator[tuple[str, Any]]:
        """The names and values of the object that begins here."""
        self._at += 1
        while self._another("}"):
            name = self._value()
            self.next_character()
            self._at += 1
            yield name, self.elements() if self.next_character() == "[" else self._value()

    def elements(self) -> list[Element]:
        """The values of the list that begins here."""
        self._at += 1
        found = []
        while self._another("]"):
            line = self._line_here()
            found.append(Element(line, self._value()))
        return found

    def _another(self, end: str) -> bool:
        """Go to the next value, or over the bracket at the end; whether there was one."""
        character = self.next_character()
        if character == ",":
            self._at += 1
            character = self.next_character()
        self._at += character == end
        return character != end

    def _value(self) -> Any:
        value, self._at = self._decode(self._text, self._at)
        return value

    def _line_here(self) -> int:
        self._line += self._text.count("\n", self._counted, self._at)
        self._counted = self._at
        return self._line
