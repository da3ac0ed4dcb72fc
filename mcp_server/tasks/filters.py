"""The filter language: words and `key:value` terms, read into one SQL condition with bound values only.

Terms are ANDed. What is not understood is refused with its position, never ignored.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any, Final

from sqlalchemy import ColumnElement, and_, not_, or_, true

from mcp_server.tasks.calendar.dates import Habits, resolve
from mcp_server.tasks.tables import tasks
from mcp_server.tasks.task import FAR_DAY, Status
from mcp_server.tasks.words import closest, escape, fold
from shared.db import microseconds
from shared.errors import Problem

LENGTH_LIMIT: Final = 1_000
TERM_LIMIT: Final = 40
STATUSES: Final = {
    "open": (Status.OPEN,),
    "done": (Status.DONE,),
    "cancelled": (Status.CANCELLED,),
    "closed": (Status.DONE, Status.CANCELLED),
    "all": tuple(Status),
}
KEYS: Final = ("is", "due", "p")
_TERM: Final = re.compile(r'(?P<minus>-?)(?:(?P<key>[A-Za-z]+):\s?)?(?:"(?P<quoted>[^"]*)"|(?P<bare>[^\s"]+))')

PERIOD: Final = re.compile(r"(this|next|last)\s+(week|weekend|month|year)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class TaskFilter:
    """A filter as it was understood: its condition, its text, and which statuses it lets through."""

    condition: ColumnElement[bool]
    text: str
    statuses: frozenset[Status]

    @property
    def closed_only(self) -> bool:
        """Whether only finished tasks can match; those are listed newest first."""
        return Status.OPEN not in self.statuses


@dataclass(slots=True)
class _Reading:
    now: datetime
    habits: Habits
    conditions: list[ColumnElement[bool]] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)
    priorities: set[int] = field(default_factory=set)
    statuses: set[Status] = field(default_factory=set)


def parse(text: str, now: datetime, habits: Habits) -> TaskFilter:
    """Read a filter; a filter that names no status means open tasks."""
    if len(text) > LENGTH_LIMIT:
        raise Problem("bad_filter", f"a filter has at most {LENGTH_LIMIT:,} characters", "use fewer terms")
    text = text.replace("\u201c", '"').replace("\u201d", '"')
    reading = _Reading(now, habits)
    position = 0
    while position < len(text):
        if text[position].isspace():
            position += 1
            continue
        if len(reading.texts) == TERM_LIMIT:
            raise Problem("bad_filter", f"a filter has at most {TERM_LIMIT} terms", "use fewer")
        found = _TERM.match(text, position)
        if found is None:
            raise Problem("bad_filter", f"the quote at {position + 1} is not closed", 'end the phrase with "')
        _read_term(reading, found, position + 1)
        position = found.end()
    return _finished(reading)


def _finished(reading: _Reading) -> TaskFilter:
    if reading.priorities:
        reading.conditions.append(tasks.c.priority.in_(sorted(reading.priorities)))
    if not reading.statuses:
        reading.statuses.add(Status.OPEN)
        reading.texts.insert(0, "is:open")
    if len(reading.statuses) < len(Status):
        reading.conditions.append(tasks.c.status.in_(sorted(reading.statuses)))
    return TaskFilter(and_(true(), *reading.conditions), " ".join(reading.texts), frozenset(reading.statuses))


def _read_term(reading: _Reading, found: re.Match[str], position: int) -> None:
    key = (found["key"] or "").lower()
    value = found["quoted"] if found["quoted"] is not None else found["bare"]
    negated = bool(found["minus"])
    if key in KEYS:
        READERS[key](reading, value, position, negated)
    elif key and (near := closest(key, KEYS, most=1)):
        raise Problem("bad_filter", f'unknown key "{found["key"]}:" at {position}', f"{near[0]}:")
    elif not key and found["quoted"] is None and (priority := re.fullmatch(r"[pP]([1-4])", value)):
        _priority(reading, priority[1], position, negated)
    else:
        # A colon after an unknown name is part of the word: 10:30, http://x, note:
        word = f"{found['key']}:{value}" if key else value
        _word(reading, word, position, negated, prefix=found["quoted"] is None)


def _word(reading: _Reading, word: str, position: int, negated: bool, *, prefix: bool) -> None:
    is_prefix = prefix and word.endswith("*") and len(word) > 1
    folded = fold(word[:-1] if is_prefix else word)
    if not folded:
        raise Problem("bad_filter", f"the term at {position} is empty", "leave it out")
    pattern = f"% {escape(folded)}%" if is_prefix else f"%{escape(folded)}%"
    _add(reading, tasks.c.search.like(pattern, escape="\\"), f'"{word}"' if " " in word else word, negated)


def _is(reading: _Reading, value: str, position: int, negated: bool) -> None:
    for name in value.lower().split(","):
        if name not in STATUSES:
            raise Problem("bad_filter", f'unknown "is:{name[:40]}" at {position}', f"one of {', '.join(STATUSES)}")
        chosen = set(STATUSES[name])
        reading.statuses |= set(Status) - chosen if negated else chosen
    reading.texts.append(f"{'-' * negated}is:{value.lower()}")


def _priority(reading: _Reading, value: str, position: int, negated: bool) -> None:
    for digit in value.split(","):
        if digit not in {"1", "2", "3", "4"}:
            raise Problem("bad_filter", f'unknown priority "{digit[:40]}" at {position}', "p1 to p4")
        if negated:
            _add(reading, tasks.c.priority == int(digit), f"p{digit}", negated=True)
        else:
            reading.priorities.add(int(digit))
            reading.texts.append(f"p{digit}")


def _due(reading: _Reading, value: str, position: int, negated: bool) -> None:
    conditions = [_due_condition(reading, part.strip(), position) for part in value.split(",")]
    _add(reading, or_(*conditions), f'due:"{value}"' if " " in value else f"due:{value}", negated)


def _due_condition(reading: _Reading, value: str, position: int) -> ColumnElement[bool]:
    day = tasks.c.due_day
    today = reading.now.astimezone(reading.habits.zone).date()
    match value.lower():
        case "":
            raise Problem("bad_filter", f"due: at {position} has no value", "e.g. due:today, due:overdue, due:<=fri")
        case "none":
            return tasks.c.due_date.is_(None)
        case "any":
            return tasks.c.due_date.is_not(None)
        case "overdue":
            timed = tasks.c.due_at_us < microseconds(reading.now)
            all_day = and_(tasks.c.due_min.is_(None), day < today)
            return and_(tasks.c.status == Status.OPEN, day <= today + timedelta(1), or_(all_day, timed))
    if comparison := re.fullmatch(r"(<=|>=|<|>)(.+)", value):
        return COMPARISONS[comparison[1]](day, _day(reading, comparison[2], position))
    first, dots, last = value.partition("..")
    if not dots:
        return day == _day(reading, value, position)
    lower = day >= _day(reading, first, position) if first.strip() else true()
    upper = day <= _day(reading, last, position) if last.strip() else day < FAR_DAY
    return and_(lower, upper)


def _day(reading: _Reading, text: str, position: int) -> date:
    if PERIOD.fullmatch(text.strip()):
        raise Problem("bad_filter", f'"{text.strip()}" at {position} is a period', "give its days, e.g. due:mon..sun")
    try:
        return resolve(text, reading.now, reading.habits).day
    except Problem as problem:
        raise Problem("bad_filter", f"at {position}: {problem.message}", problem.hint) from None


def _add(reading: _Reading, condition: ColumnElement[bool], text: str, negated: bool) -> None:
    reading.conditions.append(not_(condition) if negated else condition)
    reading.texts.append(f"-{text}" if negated else text)


READERS: Final[dict[str, Callable[[_Reading, str, int, bool], None]]] = {"is": _is, "due": _due, "p": _priority}
COMPARISONS: Final[dict[str, Callable[[Any, date], ColumnElement[bool]]]] = {
    "<": lambda column, day: column < day,
    "<=": lambda column, day: column <= day,
    ">": lambda column, day: and_(column > day, column < FAR_DAY),
    ">=": lambda column, day: and_(column >= day, column < FAR_DAY),
}
