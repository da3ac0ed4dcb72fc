"""The filter language: text becomes a tree, and a tree becomes its canonical text.

What is not understood is refused with its position, never ignored. Names and dates are resolved elsewhere.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Final
from unicodedata import category

from mcp_server.tasks.filtering.terms import Token, tokens
from mcp_server.tasks.filtering.tree import DATE_KEYS, STATUSES, And, Not, Or, Term, Tree, Value, Word, fault
from mcp_server.tasks.words import fold

LENGTH_LIMIT: Final = 1_000
TERM_LIMIT: Final = 40
DEPTH_LIMIT: Final = 8

# A repeating task was done on many days, so `done` is not among them.
_SINGLE: Final = {"list", "p", "with", "by", "field", *DATE_KEYS} - {"done"}
# What needs no quotes. A word that begins with a digit does: after a date it would have two readings.
_PLAIN_WORD: Final = re.compile(r"(?!(?:or|and|not|of|p[1-4])\Z)[^\W\d][\w'/@#+-]*(?:\.[\w'/@#+-]+)*", re.IGNORECASE)
_PLAIN_VALUE: Final = re.compile(r"[\w'/@#+-]+(?:\.[\w'/@#+-]+)*")


def parse(text: str) -> Tree:
    """The tree of a filter, one without parts if it is empty. Raises `bad_filter` and nothing else."""
    if len(text) > LENGTH_LIMIT:
        raise fault("the filter is too long: cut it", LENGTH_LIMIT + 1, f"at most {LENGTH_LIMIT:,} characters")
    for position, character in enumerate(text, start=1):
        if category(character) in {"Cc", "Cs"} and not character.isspace():
            raise fault(f"a control character (U+{ord(character):04X})", position, "remove it")
    found = _with_small_operators(tokens(text))
    leaves = [token for token in found if token.leaf]
    if len(leaves) > TERM_LIMIT:
        raise fault("one term too many", leaves[TERM_LIMIT].position, f"at most {TERM_LIMIT}")
    return _Parser(found).filter()


def show(tree: Tree) -> str:
    """The canonical text: `parse` makes the same tree of it."""
    match tree:
        case Word(text, prefix):
            return _quoted_unless(_PLAIN_WORD, text) + "*" * prefix
        case Term("p", values):
            return ",".join(f"p{value.text}" for value in values)
        case Term(key, values, name):
            shown = ",".join(_show_value(key, value) for value in values)
            equals = "=" if name and values[0].sign in ("", "..") else ""
            return f"{key}:{_quoted_unless(_PLAIN_VALUE, name) if name else ''}{equals}{shown}"
        case Not(inner):
            return f"-({show(inner)})" if isinstance(inner, And | Or) else f"-{show(inner)}"
        case And(parts):
            return " ".join(f"({show(part)})" if isinstance(part, Or) else show(part) for part in parts)
        case Or(parts):
            return " OR ".join(map(show, parts))


def _show_value(key: str, value: Value) -> str:
    text = f"{value.text}..{value.last}" if value.sign == ".." else value.text
    ends = (value.text, value.last) if value.sign == ".." else (value.text,)
    # In a custom field, a range in quotes would be a text with two dots.
    is_plain = all(not end or _PLAIN_VALUE.fullmatch(end) for end in ends) or (key == "field" and value.sign == "..")
    shown = text if is_plain else f'"{text}"'
    match value.sign:
        case "..":
            return shown
        case "*":
            return f"{shown}*"
    return f"{value.sign}{shown}"


def _quoted_unless(plain: re.Pattern[str], text: str) -> str:
    return text if plain.fullmatch(text) else f'"{text}"'


def _with_small_operators(found: Sequence[Token]) -> list[Token]:
    """Small `or`, `and` and `not` are words, except directly between predicates, where nobody searches for them."""
    read: list[Token] = []
    for index, token in enumerate(found):
        before = read[-1] if read else Token("(", 0)
        after_predicate = isinstance(before.leaf, Term) or before.kind == ")"
        is_placed = not isinstance(before.leaf, Word) if token.kind == "not" else after_predicate
        if token.kind in ("or", "and", "not") and is_placed and _is_predicate(found, index + 1):
            read.append(Token(token.kind.upper(), token.position))
        else:
            read.append(replace(token, kind="") if token.leaf else token)
    return read


def _is_predicate(found: Sequence[Token], index: int) -> bool:
    following = next((token for token in found[index:] if token.kind.upper() != "NOT"), None)
    return following is not None and (isinstance(following.leaf, Term) or following.kind == "(")


class _Parser:
    """Builds the tree from the pieces: OR binds least, then AND, then the negation of one term."""

    def __init__(self, found: Sequence[Token]) -> None:
        self._found = found
        self._index = 0

    def filter(self) -> Tree:
        if not self._found:
            return And(())
        tree = self._any(0)
        if self._kind == ")":
            raise fault('a ")" that nothing opens', self._found[self._index].position, "leave it out, or open it")
        return tree

    @property
    def _kind(self) -> str | None:
        """What the next piece is; nothing at the end."""
        return self._found[self._index].kind if self._index < len(self._found) else None

    def _any(self, depth: int) -> Tree:
        parts = [self._all(depth)]
        while self._kind == "OR":
            self._index += 1
            parts.append(self._all(depth))
        flat = [part for tree in parts for part in (tree.parts if isinstance(tree, Or) else (tree,))]
        return Or(tuple(flat)) if len(flat) > 1 else flat[0]

    def _all(self, depth: int) -> Tree:
        parts = [self._one(depth)]
        while self._kind not in (None, "OR", ")"):
            self._index += self._kind == "AND"
            parts.append(self._one(depth))
        flat = _merged(part for tree in parts for part in (tree.parts if isinstance(tree, And) else (tree,)))
        return And(tuple(flat)) if len(flat) > 1 else flat[0]

    def _one(self, depth: int) -> Tree:
        if self._kind is None:
            last = self._found[-1]
            raise fault(f'nothing follows "{last.kind}"', last.position, "write a term after it, or leave it out")
        token = self._found[self._index]
        if token.leaf:
            self._index += 1
            return token.leaf
        if token.kind in ("OR", "AND", ")"):
            raise fault(f'a term is missing before "{token.kind}"', token.position, "write one, or leave it out")
        if depth == DEPTH_LIMIT:
            raise fault("one level too many", token.position, f"at most {DEPTH_LIMIT} inside each other")
        self._index += 1
        if token.kind == "NOT":
            return Not(self._one(depth + 1))
        inner = self._any(depth + 1)
        if self._kind != ")":
            raise fault('a "(" that is never closed', token.position, "close it with )")
        self._index += 1
        return inner


def _merged(parts: Iterable[Tree]) -> list[Tree]:
    """Terms of which a task has one value become one term, any of theirs: both at once would match nothing."""
    merged: dict[object, Tree] = {}
    for index, part in enumerate(parts):
        key = _single_valued(part) or index
        same = merged.get(key)
        if isinstance(same, Term) and isinstance(part, Term):
            merged[key] = replace(same, values=tuple(dict.fromkeys((*same.values, *part.values))))
        else:
            merged[key] = part
    return list(merged.values())


def _single_valued(tree: Tree) -> tuple[str, str] | None:
    """What a task has exactly one of, if the term is about that; comparisons, ranges and "any" narrow others down."""
    match tree:
        case Term("is", values):
            return ("is", "") if all(value.text in STATUSES for value in values) else None
        case Term(key, values, name) if key in _SINGLE:
            is_narrowing = any(value.sign or value.text.lower() == "any" for value in values)
            return None if is_narrowing else (key, fold(name))
    return None
