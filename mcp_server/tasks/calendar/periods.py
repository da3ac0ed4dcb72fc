"""Words for spans of days: a phrase becomes its first and its last day; a single date is a span of one day.

What is no period is read as a date, with the refusals of dates.
"""

import re
from calendar import monthrange
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final, Literal

from mcp_server.tasks.calendar.dates import YEARS, Habits, resolve
from mcp_server.tasks.calendar.days import COUNTS, MONTHS, Standpoint


@dataclass(frozen=True, slots=True)
class Period:
    """Whole days in the person's zone; the last one counts."""

    first: date
    last: date


def period(text: str, now: datetime, habits: Habits, *, prefer: Literal["future", "past"] = "future") -> Period:
    """The days that `text` means at the aware moment `now`; `prefer` says where "7d" and "december" point.

    Raises `bad_date` or `ambiguous_date` and nothing else.
    """
    here = Standpoint(now, habits.zone, habits.order, habits.week_start, -1 if prefer == "past" else 1)
    phrase = " ".join(text.lower().split()).removeprefix("the ")
    try:
        found = _named(phrase, here)
    except (ValueError, OverflowError):  # how the calendar says that it has no such day
        found = None
    if found is not None and found.first <= found.last and found.first.year in YEARS and found.last.year in YEARS:
        return found
    day = resolve(text, now, habits, prefer=prefer).day
    return Period(day, day)


def _named(phrase: str, here: Standpoint) -> Period | None:
    found = (form(match, here) for pattern, form in _FORMS if (match := pattern.fullmatch(phrase)))
    return next(filter(None, found), None)


def _months(first: int, count: int = 1) -> Period:
    """So many months; they are counted from January of year 0."""
    return Period(date(first // 12, first % 12 + 1, 1), _last_day(first + count - 1))


def _last_day(month: int) -> date:
    year, index = divmod(month, 12)
    return date(year, index + 1, monthrange(year, index + 1)[1])


def _calendar_period(match: re.Match[str], here: Standpoint) -> Period | None:
    later, unit = {"last": -1, "this": 0, "next": 1}[match[1]], match[2]
    if unit == "month":
        return _months(here.month + later)
    if unit == "year":
        return _months((here.today.year + later) * 12, 12)
    # Saturday and Sunday lie in one week, whatever day a person's week starts with.
    first = here.weekday(here.week_start, later) if unit == "week" else _saturday(here.today) + timedelta(7 * later)
    return Period(first, first + timedelta(6 if unit == "week" else 1))


def _saturday(today: date) -> date:
    return today + timedelta(5 - today.weekday())


def _run(match: re.Match[str], here: Standpoint) -> Period | None:
    """So many days with today as the first or the last."""
    parts = {"side": "", "count": "one", **match.groupdict()}
    count = int(parts["count"]) if parts["count"].isdigit() else COUNTS.get(parts["count"])
    if count is None:
        return None
    step = {"next": 1, "last": -1, "past": -1}.get(parts["side"], here.step)
    away = _away(step * count, parts["unit"][0], here)
    return Period(here.today, away - timedelta(1)) if step > 0 else Period(away + timedelta(1), here.today)


def _away(count: int, unit: str, here: Standpoint) -> date:
    if unit in "dw":
        return here.today + timedelta(count * (7 if unit == "w" else 1))
    last = _last_day(here.month + count * (12 if unit == "y" else 1))
    return last.replace(day=min(here.today.day, last.day))


def _iso_week(match: re.Match[str], _here: Standpoint) -> Period:
    monday = date.fromisocalendar(int(match[1]), int(match[2]), 1)
    return Period(monday, monday + timedelta(6))


def _month_name(match: re.Match[str], here: Standpoint) -> Period | None:
    """The month of that name: of the year if one is given, else the current one or the nearest in the direction."""
    if match[1] not in MONTHS:
        return None
    found = _months(int(match[2] or here.today.year) * 12 + MONTHS[match[1]])
    is_behind = found.last < here.today if here.step > 0 else found.first > here.today
    return found if match[2] or not is_behind else _months((here.today.year + here.step) * 12 + MONTHS[match[1]])


_FORMS: Final[list[tuple[re.Pattern[str], Callable[[re.Match[str], Standpoint], Period | None]]]] = [
    (re.compile(pattern, re.ASCII), form)
    for pattern, form in (
        (r"(this|last|next) (week|weekend|month|year)", _calendar_period),
        (r"weekend", lambda _, here: Period(_saturday(here.today), _saturday(here.today) + timedelta(1))),
        (r"(?P<side>next|last|past) (?P<count>\d{1,4}|[a-z]+) (?P<unit>day|week|month|year)s?", _run),
        (r"(?P<side>past) (?P<unit>day|week|month|year)", _run),
        (r"(?P<count>\d{1,4})(?P<unit>[dwmy])", _run),
        (r"(\d{4})-(0[1-9]|1[0-2])", lambda match, _: _months(int(match[1]) * 12 + int(match[2]) - 1)),
        (r"(\d{4})-w(\d\d)", _iso_week),
        (r"(\d{4})", lambda match, _: _months(int(match[1]) * 12, 12)),
        (r"([a-z]+)(?: (\d{4}))?", _month_name),
    )
]
