"""What a date value of a filter leaves open: the first and the last day that match, both counted."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Literal

from mcp_server.tasks.calendar.dates import Habits
from mcp_server.tasks.calendar.periods import period
from mcp_server.tasks.filtering.tree import Value
from shared.errors import Problem


@dataclass(frozen=True, slots=True)
class Bounds:
    """Days between which something must lie; an end that is missing is open."""

    first: date | None
    last: date | None


def bounds(value: Value, now: datetime, habits: Habits, *, prefer: Literal["future", "past"] = "future") -> Bounds:
    """The days that a value with its comparison or range means. Raises `bad_date` or `ambiguous_date`."""
    if value.sign == "..":
        first = period(value.text, now, habits, prefer=prefer).first if value.text else None
        last = period(value.last, now, habits, prefer=prefer).last if value.last else None
        if first and last and first > last:
            raise Problem("bad_date", f"{value.text}..{value.last} ends before it begins", f"e.g. {last}..{first}")
        return Bounds(first, last)
    named = period(value.text, now, habits, prefer=prefer)
    match value.sign:
        case "<":
            return Bounds(None, named.first - timedelta(1))
        case "<=":
            return Bounds(None, named.last)
        case ">":
            return Bounds(named.last + timedelta(1), None)
        case ">=":
            return Bounds(named.first, None)
    return Bounds(named.first, named.last)
