"""The orders of tasks: for each the keys that a page is sorted by and continued from.

No key is ever NULL, or tasks would be lost between two pages; and all keys of an order point in one direction, so that
one comparison of rows says what comes after a place. Space and number are among them and make every place unique.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Final, Literal

from sqlalchemy import BigInteger, ColumnElement, Date, and_, case, func, literal, tuple_

from mcp_server.tasks.filtering.filters import CLOSED, OPEN, TRASH, Standings, TaskFilter
from mcp_server.tasks.filtering.tree import And, Or, Tree, Word
from mcp_server.tasks.tables import tasks
from mcp_server.tasks.task import FAR_DAY, Status
from mcp_server.tasks.words import escape, fold

Sort = Literal["smart", "due", "priority", "created", "updated", "title", "manual", "relevance"]

_ALL_DAY: Final = 24 * 60  # after every time of the day
_TITLE_KEY: Final = 40  # so many characters of a title count; more would make long cursors
_UNIQUE: Final = (tasks.c.space_id, tasks.c.no)


@dataclass(frozen=True, slots=True)
class Order:
    """What comes first: by these keys, all of them ascending or all descending."""

    keys: Sequence[ColumnElement[Any]]
    descending: bool = False

    @property
    def by(self) -> Sequence[ColumnElement[Any]]:
        """The same for ORDER BY."""
        return [key.desc() for key in self.keys] if self.descending else self.keys

    def after(self, place: Sequence[Any]) -> ColumnElement[bool]:
        """What comes after a place."""
        here = tuple_(*self.keys)
        there = tuple_(*(literal(value, key.type) for value, key in zip(place, self.keys, strict=True)))
        return here < there if self.descending else here > there

    def place(self, values: Sequence[Any], own: str) -> list[Any]:
        """The values of the keys in one row as a cursor holds them; the caller's own space needs no name there."""
        short = ["" if value == own else value for value in values]
        return [value.isoformat() if isinstance(value, date) else value for value in short]

    def read_place(self, place: Sequence[Any], own: str) -> list[Any]:
        """The values of the keys, from a cursor."""
        full = [own if value == "" else value for value in place]
        dates = [isinstance(key.type, Date) for key in self.keys]
        return [date.fromisoformat(value) if is_date else value for value, is_date in zip(full, dates, strict=True)]


def order_of(sort: Sort, wanted: TaskFilter) -> Order:
    """The order of what a filter finds."""
    return _smart(wanted) if sort == "smart" else _relevance(wanted) if sort == "relevance" else _ORDERS[sort]


def _smart(wanted: TaskFilter) -> Order:
    """Open tasks by day and priority, closed ones newest first, the trash last deleted first; in this sequence."""
    standings = wanted.standings
    simple = next((order for among, order in _SMART if standings <= among), None)
    return simple or Order((*_MIXED, *_UNIQUE))


def _relevance(wanted: TaskFilter) -> Order:
    """Where the words stand: at the start of the title, at the start of a word in it, in the title, in the notes."""
    words = list(_wanted_words(wanted.tree))
    if not words:
        return _smart(wanted)
    ranks = [_rank(word) for word in words]
    return Order((sum(ranks[1:], ranks[0]), *_MIXED, *_UNIQUE))


def _rank(word: Word) -> ColumnElement[int]:
    text = escape(fold(word.text))
    # The one line feed in there ends the title.
    patterns = (f" {text}%", f"% {text}% \n %", f"%{text}% \n %")
    ranks = [(tasks.c.search.like(pattern, escape="\\"), rank) for rank, pattern in enumerate(patterns)]
    return case(*ranks, else_=len(patterns))


def _wanted_words(tree: Tree) -> Iterator[Word]:
    """The words to look for, without those that are excluded."""
    match tree:
        case Word():
            yield tree
        case And(parts) | Or(parts):
            for part in parts:
                yield from _wanted_words(part)


_DELETED: Final = tasks.c.deleted_us.is_not(None)
_IS_OPEN: Final = and_(tasks.c.status == Status.OPEN, tasks.c.deleted_us.is_(None))
_MIXED: Final[Sequence[ColumnElement[Any]]] = (
    case((_DELETED, 2), (_IS_OPEN, 0), else_=1),
    case((_IS_OPEN, tasks.c.due_day), else_=literal(FAR_DAY, Date)),
    case(
        (_DELETED, -tasks.c.deleted_us),
        (_IS_OPEN, literal(0, BigInteger)),
        else_=-func.coalesce(tasks.c.completed_us, 0),
    ),
    case((_IS_OPEN, tasks.c.priority), else_=0),
)
_SMART: Final[Sequence[tuple[Standings, Order]]] = (
    (OPEN, Order((tasks.c.due_day, tasks.c.priority, *_UNIQUE))),
    (CLOSED, Order((tasks.c.completed_us, *_UNIQUE), descending=True)),
    (TRASH, Order((func.coalesce(tasks.c.deleted_us, 0), *_UNIQUE), descending=True)),
)
_ORDERS: Final[Mapping[str, Order]] = {
    "due": Order((tasks.c.due_day, func.coalesce(tasks.c.due_min, _ALL_DAY), *_UNIQUE)),
    "priority": Order((tasks.c.priority, tasks.c.due_day, *_UNIQUE)),
    "created": Order((tasks.c.created_us, *_UNIQUE), descending=True),
    "updated": Order((tasks.c.updated_us, *_UNIQUE), descending=True),
    # `search` begins with the title, and what ends it sorts below every character.
    "title": Order((func.substr(tasks.c.search, 1, _TITLE_KEY, type_=tasks.c.search.type), *_UNIQUE)),
    "manual": Order((tasks.c.space_id, tasks.c.list_no, tasks.c.position, tasks.c.no)),
}
