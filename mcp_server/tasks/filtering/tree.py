"""What a filter is once it was read: a small tree of words and terms, and the keys that a term may have.

Names and dates in it are still words; `grammar` makes trees from text and text from trees.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from shared.errors import Problem

DATE_KEYS: Final = ("due", "start", "deadline", "done", "created", "changed")
KEYS: Final = ("list", "tag", "p", *DATE_KEYS, "is", "under", "with", "by", "has", "view", "field")
STATUSES: Final = ("open", "done", "cancelled", "closed")
CHOICES: Final = {
    "is": (*STATUSES, "all", "trash", "blocked", "blocking", "repeating", "subtask", "top", "shared", "mine"),
    "has": ("notes", "comments", "subtasks", "reminders"),
    "p": ("1", "2", "3", "4"),
}


@dataclass(frozen=True, slots=True)
class Word:
    """Text that title or notes contain; a prefix stands at the start of one of their words."""

    text: str
    prefix: bool = False
    position: int = field(default=0, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Value:
    """One value of a term. Its sign is a comparison, `..` for a range up to `last`, or `*` for every such beginning."""

    text: str
    sign: str = ""
    last: str = ""


@dataclass(frozen=True, slots=True)
class Term:
    """`key:value,value`, which means any of the values. Only a term of the key `field` has a name: the field's.

    A term that was put in from a saved view carries the name of that view.
    """

    key: str
    values: tuple[Value, ...]
    name: str = ""
    position: int = field(default=0, compare=False, repr=False)
    view: str = ""


@dataclass(frozen=True, slots=True)
class Not:
    """Everything that the inner tree does not match."""

    inner: "Tree"


@dataclass(frozen=True, slots=True)
class And:
    """What all parts match; without parts, everything."""

    parts: tuple["Tree", ...]


@dataclass(frozen=True, slots=True)
class Or:
    """What any of the parts matches."""

    parts: tuple["Tree", ...]


Tree = Word | Term | Not | And | Or


def leaves(tree: Tree) -> Iterator[Word | Term]:
    """The words and terms of a tree, from left to right."""
    match tree:
        case Not(inner):
            yield from leaves(inner)
        case And(parts) | Or(parts):
            for part in parts:
                yield from leaves(part)
        case _:
            yield tree


def lists_asked(tree: Tree) -> Iterator[str]:
    """The lists whose tasks a tree asks for, not those that it leaves out."""
    match tree:
        case And(parts) | Or(parts):
            for part in parts:
                yield from lists_asked(part)
        case Term(key="list", values=values):
            yield from (value.text for value in values)


def fault(what: str, position: int, fix: str) -> Problem:
    """How every filter is refused: what is wrong, where (counted from 1), and what to write instead."""
    return Problem("bad_filter", f"{what} at {position}", fix)
