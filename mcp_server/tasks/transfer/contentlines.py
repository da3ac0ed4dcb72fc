"""The lines of iCalendar: folded at 75 octets, a name, parameters and a value, inside of components (RFC 5545, 3.1)."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from shared.errors import Problem

_OCTETS: Final = 75
_DEEPEST: Final = 20
_PARAMETER: Final = re.compile(r';([A-Za-z0-9-]+)=("[^"]*"|[^";:,]*(?:,(?:"[^"]*"|[^";:,]*))*)')
_NAME: Final = re.compile(r"[A-Za-z0-9-]+")
_ESCAPED: Final = re.compile(r"\\(.)", re.DOTALL)
_VALUE: Final = re.compile(r"(?:\\.|[^,\\]|\\$)+", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Property:
    """One line: `DUE;TZID=Europe/Berlin:20261120T090000`."""

    line: int
    name: str
    value: str
    parameters: Mapping[str, str] = field(default_factory=dict)

    @property
    def text(self) -> str:
        """The value as text, without its escapes."""
        return unescaped(self.value)

    @property
    def texts(self) -> tuple[str, ...]:
        """The texts of a value that is a list."""
        return tuple(unescaped(part) for part in _VALUE.findall(self.value))


@dataclass(frozen=True, slots=True)
class Component:
    """What stands between BEGIN and END."""

    line: int
    name: str
    properties: list[Property] = field(default_factory=list)
    components: list["Component"] = field(default_factory=list)

    def all(self, name: str) -> list[Property]:
        """The properties of that name."""
        return [one for one in self.properties if one.name == name]

    def first(self, name: str) -> Property | None:
        """The first of them."""
        return next((one for one in self.properties if one.name == name), None)

    def inside(self, name: str) -> Iterator["Component"]:
        """The components of that name at any depth."""
        for component in self.components:
            if component.name == name:
                yield component
            yield from component.inside(name)


def read_components(text: str) -> Component:
    """What a text holds, in a component without a name. Raises `bad_content` with the line where it is no iCalendar."""
    outside = Component(0, "")
    open_ones = [outside]
    for line, content in _unfolded(text):
        found = _property(line, content)
        if found.name == "BEGIN":
            component = Component(line, found.value.strip().upper())
            open_ones[-1].components.append(component)
            open_ones.append(component)
            if len(open_ones) > _DEEPEST:
                raise Problem(
                    "bad_content",
                    f"line {line} begins one component too deep inside others",
                    "send the file as it was exported",
                )
        elif found.name == "END":
            if open_ones[-1].name != found.value.strip().upper() or len(open_ones) == 1:
                raise Problem("bad_content", f"line {line} ends what was not begun", "send the whole file")
            open_ones.pop()
        else:
            open_ones[-1].properties.append(found)
    if len(open_ones) > 1:
        where = f"the {open_ones[-1].name} of line {open_ones[-1].line}"
        raise Problem("bad_content", f"{where} has no end", "send the whole file")
    return outside


def escaped(text: str) -> str:
    """Text as a value."""
    return re.sub(r"\r\n?|\n", r"\\n", re.sub(r"([\\;,])", r"\\\1", text))


def unescaped(value: str) -> str:
    """A value as text."""
    return _ESCAPED.sub(lambda match: "\n" if match[1] in "nN" else match[1], value)


def folded(line: str) -> str:
    """A line with its end, in pieces of at most 75 octets, none of which parts a character."""
    pieces, size = [""], 0
    for character in line:
        octets = len(character.encode())
        if size + octets > _OCTETS:
            pieces.append(" ")
            size = 1
        pieces[-1] += character
        size += octets
    return "\r\n".join(pieces) + "\r\n"


def _unfolded(text: str) -> Iterator[tuple[int, str]]:
    number, pieces = 0, [""]
    for line, piece in enumerate(re.split(r"\r\n|\n|\r", text), start=1):
        if piece[:1] in (" ", "\t") and number:
            pieces.append(piece[1:])
            continue
        if "".join(pieces).strip():
            yield number, "".join(pieces)
        number, pieces = line, [piece]
    if "".join(pieces).strip():
        yield number, "".join(pieces)


def _property(line: int, content: str) -> Property:
    name = _NAME.match(content)
    at = name.end() if name else 0
    parameters = {}
    while parameter := _PARAMETER.match(content, at):
        parameters[parameter[1].upper()] = parameter[2].strip('"')
        at = parameter.end()
    if name is None or content[at : at + 1] != ":":
        raise Problem("bad_content", f"line {line} is no line of iCalendar", "send the file as it was exported")
    return Property(line, name[0].upper(), content[at + 1 :], parameters)
