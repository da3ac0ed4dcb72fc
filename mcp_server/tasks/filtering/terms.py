"""The pieces of a filter's text: words, `key:value` terms, operators and parentheses, each with its position.

Nothing is dropped: what cannot be a piece is refused with its place and a remedy.
"""

import re
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Final

from mcp_server.tasks.filtering.tree import CHOICES, DATE_KEYS, KEYS, Term, Value, Word, fault
from mcp_server.tasks.words import fold
from shared.errors import Problem

OPERATORS: Final = ("OR", "AND", "NOT")
_MARKS: Final = {"(": "(", ")": ")", "|": "OR", "&": "AND"}
# What other task managers call our keys. As words they would silently find nothing.
_MEANT: Final = {
    **dict.fromkeys(("project", "section", "folder"), "list"),
    **dict.fromkeys(("label", "labels"), "tag"),
    **dict.fromkeys(("status", "state"), "is"),
    **dict.fromkeys(("priority", "prio"), "p"),
    **dict.fromkeys(("assignee", "assigned"), "with"),
    **dict.fromkeys(("author", "creator"), "by"),
    **dict.fromkeys(("updated", "modified"), "changed"),
    **dict.fromkeys(("completed", "finished"), "done"),
    "parent": "under",
    "date": "due",
}
_NEAR: Final = 0.75

_QUOTES: Final = str.maketrans(dict.fromkeys("\u201c\u201d\u201e\u201f", '"'))
_SPACES: Final = re.compile(r"\s*")
_QUOTED: Final = re.compile(r'"([^"]*)"')
# `&` parts words only at their edge, because people write R&D.
_BARE: Final = re.compile(r'[^\s()|"&]+(?:&+[^\s()|"&]+)*')
_BARE_VALUE: Final = re.compile(r'[^\s()|"&,]+(?:&+[^\s()|"&,]+)*')
_EDGE: Final = r'(?![^\s()|"&])'
_PRIORITIES: Final = re.compile(rf"[pP][1-4](?:,\s*[pP]?[1-4])*{_EDGE}")
_PREDICATE: Final = rf"(?:{'|'.join(KEYS)}):|p[1-4](?:,|{_EDGE})"
_PREDICATE_AHEAD: Final = re.compile(_PREDICATE, re.IGNORECASE)
# A bar between two values that touch it, `due:overdue|today`, says what a comma says.
_NEXT_VALUE: Final = re.compile(rf",|\|(?![\s()|&,-]|\Z|{_PREDICATE})", re.IGNORECASE)
_SIGN: Final = re.compile(r"<=|>=|<|>|")
_FIELD: Final = re.compile(r'(?:"(?P<quoted>[^"]+)"|(?P<bare>[^\s()|",=<>]+))(?:=(?!=)|(?=[<>]))')
# What could still belong to an unquoted date: `due:dec 1` must not mean December and the word 1.
_MORE_DATE: Final = re.compile(r"\s+(?:\d|of\b|\.\.)", re.IGNORECASE)
_PART_OF_A_DATE: Final = re.compile(r"this|next|last|past|in|the|\d{1,3}")
_EXAMPLES: Final = {
    **{key: f"{key}:<=fri" for key in DATE_KEYS},
    "is": "is:done",
    "p": "p1",
    "has": "has:notes",
    "under": "under:T12",
    "field": 'field:Effort>=3, field:"Story Points"=any',
}


@dataclass(frozen=True, slots=True)
class Token:
    """A leaf of the tree, or else what parts and binds leaves: `(`, `)`, `OR`, `AND`, `NOT`.

    A word that would be an operator in capitals carries its name as well, in small letters.
    """

    kind: str
    position: int
    leaf: Word | Term | None = None


def tokens(text: str) -> list[Token]:
    """The pieces of a filter in their order. Raises `bad_filter` for what is none."""
    return _Reader(text.translate(_QUOTES)).tokens()


class _Reader:
    """Reads a text from left to right; `_at` is where it stands."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0

    def tokens(self) -> list[Token]:
        found = []
        self._take(_SPACES)
        while self._at < len(self._text):
            found.append(self._token(self._at + 1))
            self._take(_SPACES)
        return found

    @property
    def _next(self) -> str:
        return self._text[self._at : self._at + 1]

    def _take(self, pattern: re.Pattern[str]) -> str:
        """Step over what the pattern finds here, which may be nothing."""
        found = pattern.match(self._text, self._at)
        self._at = found.end() if found else self._at
        return found[0] if found else ""

    def _token(self, position: int) -> Token:
        if kind := _MARKS.get(self._next):
            self._at += 1
            return Token(kind, position)
        if self._next == "-":
            self._at += 1
            if not self._next.strip():
                fix = 'put "-" directly before what it excludes, or in quotes to search for it'
                raise fault('a "-" that stands alone', position, fix)
            return Token("NOT", position)
        if self._next == '"':
            text = self._quoted()
            is_prefix = self._next == "*"
            self._at += is_prefix
            return Token("", position, _word(text, is_prefix, position))
        if found := self._take(_PRIORITIES):
            values = tuple(Value(digit) for digit in dict.fromkeys(re.findall(r"[1-4]", found)))
            return Token("", position, Term("p", values, position=position))
        return self._predicate_or_word(position)

    def _predicate_or_word(self, position: int) -> Token:
        start, bare = self._at, self._take(_BARE)
        name, colon, _ = bare.partition(":")
        if colon and name.lower() in KEYS:
            self._at = start + len(name) + 1
            return Token("", position, self._predicate(name.lower(), position))
        if colon and (key := _key_near(name.lower())):
            raise fault(f'unknown key "{name[:40]}:"', position, f"{key}: or quotes around it to search for the text")
        if bare in OPERATORS:
            return Token(bare, position)
        text = bare.rstrip("*")
        kind = bare.lower() if bare.upper() in OPERATORS else ""
        return Token(kind, position, _word(text, text != bare, position))

    def _quoted(self) -> str:
        found = _QUOTED.match(self._text, self._at)
        if found is None:
            raise fault("a quote that is never closed", self._at + 1, 'end the phrase with "')
        self._at = found.end()
        return found[1]

    def _predicate(self, key: str, position: int) -> Term:
        name = self._field_name(position) if key == "field" else ""
        values = [self._value(key, position)]
        while self._take(_NEXT_VALUE):
            values.append(self._value(key, position))
        is_bare_date = key in DATE_KEYS and self._text[self._at - 1] != '"'
        if is_bare_date and _MORE_DATE.match(self._text, self._at):
            fix = f'put dates of several words in quotes, e.g. {key}:"dec 1", and numbers to search for too'
            raise fault(f"the date of {key}: has no clear end", position, fix)
        return Term(key, tuple(dict.fromkeys(values)), name, position)

    def _field_name(self, position: int) -> str:
        found = _FIELD.match(self._text, self._at)
        name = " ".join((found["quoted"] or found["bare"]).split()) if found else ""
        if found is None or not name:
            raise fault("no name and comparison after field:", position, f"e.g. {_EXAMPLES['field']}")
        self._at = found.end()
        return name

    def _value(self, key: str, position: int) -> Value:
        if self._take(_SPACES) and key != "p" and _PREDICATE_AHEAD.match(self._text, self._at):
            raise _no_value(key, position)
        sign = ""
        if key in DATE_KEYS or key == "field":
            sign = self._take(_SIGN)
            self._take(_SPACES)
        pieces = self._pieces()
        text = " ".join("".join(piece for piece, _ in pieces).split())
        is_bare = not any(is_quoted for _, is_quoted in pieces)
        if key in DATE_KEYS:
            return _date_value(key, sign, text.lower(), position)
        if key == "tag" and text.endswith("*") and not pieces[-1][1]:
            sign, text = "*", text.rstrip("* ")
        if not text:
            raise _no_value(key, position)
        if key == "field" and is_bare and ".." in text:
            return _span(key, sign, text, position)
        return Value(_choice(key, text.lower(), position)) if key in CHOICES else Value(text, sign)

    def _pieces(self) -> list[tuple[str, bool]]:
        """The parts of one value, and whether each was quoted: `"Big Project"/Design` has two."""
        found: list[tuple[str, bool]] = []
        while self._next == '"' or _BARE_VALUE.match(self._text, self._at):
            is_quoted = self._next == '"'
            found.append((self._quoted() if is_quoted else self._take(_BARE_VALUE), is_quoted))
        return found


def _word(text: str, is_prefix: bool, position: int) -> Word:
    if not fold(text):
        raise fault("an empty term", position, "leave it out, or write a word")
    return Word(" ".join(text.split()), is_prefix, position)


def _key_near(name: str) -> str:
    return _MEANT.get(name) or "".join(get_close_matches(name, KEYS, n=1, cutoff=_NEAR))


def _no_value(key: str, position: int) -> Problem:
    example = _EXAMPLES.get(key, f'{key}:Name, {key}:"Two Words"')
    return fault(f"no value for {key}:", position, f"e.g. {example}")


def _date_value(key: str, sign: str, text: str, position: int) -> Value:
    if not sign and (found := _SIGN.match(text)):
        sign, text = found[0], text[found.end() :].strip()
    if not text:
        raise _no_value(key, position)
    value = _span(key, sign, text, position) if ".." in text else Value(text, sign)
    for end in (value.text, value.last):
        if _PART_OF_A_DATE.fullmatch(end):
            raise fault(f'"{end}" is no date', position, f'put several words in quotes, e.g. {key}:"last 7 days"')
    return value


def _span(key: str, sign: str, text: str, position: int) -> Value:
    first, _, last = (end.strip() for end in text.partition(".."))
    if sign or not (first or last) or ".." in last:
        raise fault(f"no clear range after {key}:", position, f"e.g. {key}:a..b, {key}:a.. or {key}:..b")
    return Value(first, "..", last)


def _choice(key: str, text: str, position: int) -> str:
    text = text.removeprefix("p") if key == "p" else text
    if text not in CHOICES[key]:
        near = get_close_matches(text, CHOICES[key], n=1)
        fix = f"{key}:{near[0]}" if near else f"one of {', '.join(CHOICES[key])}"
        raise fault(f'unknown "{key}:{text[:40]}"', position, fix)
    return text
