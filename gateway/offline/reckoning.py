"""Dates that move by a span, reckoned from the lines in which the task service shows them."""

import re
from calendar import monthrange
from datetime import datetime, timedelta
from typing import Final

from gateway.offline.wishes import Span

_NOW: Final = re.compile(r".*?\w{3} (\d{4}-\d\d-\d\d \d\d:\d\d) \S+, rev \d+")
_DUE: Final = re.compile(
    r" ?(?:(?:trash|done|cancelled|p[1-4]) )*(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun) (?P<year>\d{4}-)?(?P<day>\d\d-\d\d)"
    r"(?: (?P<clock>\d\d:\d\d)(?P<zone> (?:[A-Z]\w*/\S+|UTC))?)?(?: .*)?"
)


def moved(head: str, facts: str, span: Span) -> str:
    """The date of a task with these facts, moved by the span; without a date it is counted from now, as is a time
    without a clock. Raises `ValueError` if there is no such day."""
    if (told := _NOW.match(head)) is None:
        raise ValueError("the time is not known")
    now = datetime.fromisoformat(told[1])
    due = _DUE.fullmatch(facts)
    if due is None:
        return _shown(_later(now, span), has_clock=span.is_short)
    day = f"{due['year'] or f'{now.year}-'}{due['day']}"
    start = datetime.fromisoformat(f"{day} {due['clock'] or f'{now:%H:%M}'}")
    return _shown(_later(start, span), has_clock=span.is_short or bool(due["clock"])) + (due["zone"] or "")


def _later(start: datetime, span: Span) -> datetime:
    try:
        if span.unit in ("days", "hours", "minutes"):
            return start + timedelta(**{span.unit: span.count})
        months = start.year * 12 + start.month - 1 + span.count * (12 if span.unit == "years" else 1)
        year, month = divmod(months, 12)
        return start.replace(year=year, month=month + 1, day=min(start.day, monthrange(year, month + 1)[1]))
    except OverflowError:
        raise ValueError("there is no such day") from None


def _shown(moment: datetime, *, has_clock: bool) -> str:
    return f"{moment:%Y-%m-%d %H:%M}" if has_clock else f"{moment:%Y-%m-%d}"
