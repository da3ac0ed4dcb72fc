"""The day in a phrase: one table of forms, each a pattern and how to count to its day. No time of day is read here."""

import re
from calendar import monthrange
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final, Literal
from zoneinfo import ZoneInfo

from shared.errors import Problem


@dataclass(frozen=True, slots=True)
class Standpoint:
    """Where a phrase is read from: the moment, the zone, the settings, and the direction that words point to."""

    now: datetime
    zone: ZoneInfo
    order: Literal["", "DMY", "MDY"]
    week_start: int
    step: Literal[1, -1]

    @property
    def today(self) -> date:
        """The day it is in the zone."""
        return self.now.astimezone(self.zone).date()

    @property
    def today_is(self) -> str:
        """The sentence that closes a refusal."""
        return f"Today is {weekday_name(self.today)} {self.today} ({self.zone})."

    @property
    def month(self) -> int:
        """The current month; months are counted from January of year 0."""
        return self.today.year * 12 + self.today.month - 1

    def weekday(self, weekday: int, weeks: int) -> date:
        """That weekday in the current week, or in one so many weeks later."""
        into_week = (self.today.weekday() - self.week_start) % 7
        return self.today + timedelta((weekday - self.week_start) % 7 - into_week + 7 * weeks)


def find_day(phrase: str, here: Standpoint) -> date | datetime | None:
    """The day that the whole phrase names, or the instant where its words fix that; nothing if it names none.

    Raises `ambiguous_date` for two readings, `bad_date` for a weekday that is not the date's, and ValueError or
    OverflowError for days that no calendar has.
    """
    phrase = phrase.removeprefix("the ")
    weekday, _, rest = phrase.partition(" ")
    if weekday in WEEKDAYS and (found := _match(_DATES, rest.removeprefix("the "), here)):
        if found.weekday() != WEEKDAYS[weekday]:
            hint = f"leave the weekday out, or write the date that you mean. {here.today_is}"
            raise Problem("bad_date", f"{found} is a {weekday_name(found)}.", hint)
        return found
    return _match(_DATES, phrase, here) or _match(_WORDS, phrase, here)


def weekday_name(day: date) -> str:
    """The weekday in three letters, whatever language the process runs in."""
    return ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")[day.weekday()]


def _numbers(start: int, groups: str) -> dict[str, int]:
    return {name: number for number, names in enumerate(groups.split(","), start) for name in names.split()}


WEEKDAYS: Final = _numbers(
    0, "mon monday, tue tues tuesday, wed weds wednesday, thu thur thurs thursday, fri friday, sat saturday, sun sunday"
)
_MONTH_NAMES: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
MONTHS: Final = _numbers(
    0,
    "jan january, feb february, mar march, apr april, may, jun june, jul july, aug august, sep sept september,"
    "oct october, nov november, dec december",
)
COUNTS: Final = _numbers(1, "a an one, two, three, four, five, six, seven, eight, nine, ten, eleven, twelve")
NTH: Final = _numbers(0, "first 1st, second 2nd, third 3rd, fourth 4th") | {"last": -1}
_WORKDAYS: Final = range(5)
_WEEKDAYS_OF: Final = {"day": range(7), "workday": _WORKDAYS} | {name: [day] for name, day in WEEKDAYS.items()}
_NEAR_DAYS: Final = {
    "day before yesterday": -2,
    "yesterday": -1,
    **dict.fromkeys(("today", "tod", "eod", "end of day"), 0),
    **dict.fromkeys(("tomorrow", "tom", "tmrw"), 1),
    "day after tomorrow": 2,
}
_UNITS: Final = {
    **dict.fromkeys(("min", "minute"), ("minutes", 1)),
    **dict.fromkeys(("hr", "hour"), ("minutes", 60)),
    "day": ("days", 1),
    "week": ("days", 7),
    "fortnight": ("days", 14),
    "workday": ("workdays", 1),
    "month": ("months", 1),
    "year": ("months", 12),
}

Form = Callable[[re.Match[str], Standpoint], date | datetime | None]
Forms = Sequence[tuple[re.Pattern[str], Form]]
Pick = Callable[[Sequence[date]], date | None]


def _match(forms: Forms, phrase: str, here: Standpoint) -> date | datetime | None:
    found = (form(match, here) for pattern, form in forms if (match := pattern.fullmatch(phrase)))
    return next(filter(None, found), None)


def _days_of(month: int) -> Sequence[date]:
    year, index = divmod(month, 12)
    return [date(year, index + 1, day + 1) for day in range(monthrange(year, index + 1)[1])]


def _months(place: str, here: Standpoint) -> Sequence[int]:
    """The months that words may mean, nearest first; one where they leave no choice, none if they name no month."""
    name, _, year = place.partition(" ")
    if name in MONTHS and year:
        return [int(year) * 12 + MONTHS[name]]
    if name in MONTHS:  # of nine years in a row one has a 29 February, even around 2100
        return [(here.today.year + here.step * later) * 12 + MONTHS[name] for later in range(9)]
    if place == "the month":  # of three months in a row one has 31 days
        return [here.month + here.step * later for later in range(3)]
    return {"this month": [here.month], "next month": [here.month + 1]}.get(place, [])


def _in_months(months: Sequence[int], pick: Pick, here: Standpoint, *, today_counts: bool = True) -> date | None:
    least = 0 if today_counts else 1
    days = (day for month in months if (day := pick(_days_of(month))))
    return next((day for day in days if len(months) == 1 or (day - here.today).days * here.step >= least), None)


def _numbered(number: int) -> Pick:
    return lambda days: days[number - 1] if 1 <= number <= len(days) else None


def _calendar_date(match: re.Match[str], here: Standpoint) -> date:
    parts = match.groupdict()
    return date(int(parts.get("year", here.today.year)), int(parts["month"]), int(parts["day"]))


def _instant(match: re.Match[str], _here: Standpoint) -> datetime:
    return datetime.fromisoformat(f"{match[1]} {match[2]}{match[3].upper()}")


def _numeric_date(match: re.Match[str], here: Standpoint) -> date | None:
    first, second, year = int(match[1]), int(match[2]), match[3] or ""

    def reading(day: int, month: int) -> date | None:
        name = _MONTH_NAMES[month - 1].lower() if 1 <= month <= 12 else ""
        return _in_months(_months(f"{name} {year}".strip(), here), _numbered(day), here)

    dmy, mdy = reading(first, second), reading(second, first)
    if dmy and mdy and dmy != mdy and not here.order:
        names = (f"{_MONTH_NAMES[day.month - 1]} {day.day}" for day in (dmy, mdy))
        raise Problem("ambiguous_date", f"{match[0]} is {' or '.join(names)}.", f"{mdy} or {dmy}.")
    return mdy or dmy if here.order == "MDY" else dmy or mdy


def _month_day(match: re.Match[str], here: Standpoint) -> date | None:
    parts = match.groupdict()
    place = " ".join(filter(None, (parts["month"] or "the month", parts.get("year"))))
    pick = _numbered(int(parts["day"]))
    return _in_months(_months(place, here), pick, here, today_counts=place != "the month")


def _nth_of_month(match: re.Match[str], here: Standpoint) -> date | None:
    nth, weekdays = NTH.get(match[1]), _WEEKDAYS_OF.get(match[2])
    if nth is None or weekdays is None:
        return None
    return _in_months(_months(match[3], here), lambda days: [d for d in days if d.weekday() in weekdays][nth], here)


def _weekday(match: re.Match[str], here: Standpoint) -> date | None:
    which, weekday = match[1], WEEKDAYS.get(match[2])
    if weekday is None:
        return None
    if which in ("this", "next"):
        return here.weekday(weekday, which == "next")
    step = -1 if which == "last" else here.step
    return here.today + timedelta(step * ((step * (weekday - here.today.weekday()) - 1) % 7 + 1))


def _weekend(match: re.Match[str], here: Standpoint) -> date:
    saturday = here.today + timedelta(5 - here.today.weekday())
    return saturday + timedelta(7) if match[1] == "next" else max(saturday, here.today)


def _start_of_next(match: re.Match[str], here: Standpoint) -> date:
    if match[1] == "week":
        return here.weekday(here.week_start, 1)
    return _days_of(here.month + 1)[0] if match[1] == "month" else date(here.today.year + 1, 1, 1)


def _end_of(match: re.Match[str], here: Standpoint) -> date:
    later, unit = match[1] == "next", match[2]
    if unit.startswith("w"):
        return here.weekday(here.week_start - 1, later)
    return _days_of(here.month + later)[-1] if unit.startswith("m") else date(here.today.year + later, 12, 31)


def _away(match: re.Match[str], here: Standpoint) -> date | datetime | None:
    count = int(match[1]) if match[1].isdigit() else COUNTS.get(match[1])
    if count is None or match[2] not in _UNITS:
        return None
    unit, size = _UNITS[match[2]]
    amount = count * size * (-1 if match[3] == "ago" else 1)
    if unit == "minutes":
        return here.now + timedelta(minutes=amount)
    if unit == "days":
        return here.today + timedelta(amount)
    if unit == "workdays":
        return _workdays_away(amount, here.today)
    days = _days_of(here.month + amount)
    return days[min(here.today.day, len(days)) - 1]


def _workdays_away(count: int, day: date) -> date:
    step = timedelta(1 if count > 0 else -1)
    for _ in range(abs(count)):
        day += step
        while day.weekday() not in _WORKDAYS:
            day += step
    return day


def _forms(*forms: tuple[str, Form]) -> Forms:
    return [(re.compile(pattern, re.ASCII), form) for pattern, form in forms]


_CLOCK: Final = r"(?:[01]\d|2[0-3]):[0-5]\d(?::[0-5]\d(?:\.\d+)?)?"
_DAY: Final = r"(?P<day>\d{1,2})"
_TH: Final = r"(?:st|nd|rd|th)"
_YEAR: Final = r"(?P<year>\d{4})"
_DATES: Final = _forms(
    (rf"{_YEAR}(?P<mark>[-/])(?P<month>\d{{1,2}})(?P=mark){_DAY}", _calendar_date),
    (rf"{_DAY}\.(?P<month>\d{{1,2}})\.{_YEAR}", _calendar_date),
    (r"(?P<month>\d\d)-(?P<day>\d\d)", _calendar_date),  # how days of this year are printed
    (r"(\d{1,2})/(\d{1,2})(?:/(\d{4}))?", _numeric_date),
    (r"(\d{1,2})-(\d{1,2})-(\d{4})", _numeric_date),
    (rf"(?P<month>[a-z]+) {_DAY}{_TH}?(?: {_YEAR})?", _month_day),
    (rf"{_DAY}{_TH}?(?: of)? (?P<month>[a-z]+)(?: {_YEAR})?", _month_day),
    (rf"{_DAY}{_TH}(?: of (?P<month>(?:the|this|next) month))?", _month_day),
)
_WORDS: Final = _forms(
    (rf"(\d{{4}}-\d\d-\d\d) ({_CLOCK}) ?(z|[+-]\d\d(?::?\d\d)?)", _instant),
    ("|".join(_NEAR_DAYS), lambda match, here: here.today + timedelta(_NEAR_DAYS[match[0]])),
    (r"(?:(this|next|last) )?([a-z]+)", _weekday),
    (r"(?:(this|next) )?weekend", _weekend),
    (r"next (week|month|year)", _start_of_next),
    (r"(eo)([wmy])", _end_of),
    (r"end of (?:(the|this|next) )?(week|month|year)", _end_of),
    (r"in (\d{1,4}|[a-z]+) ([a-z]+?)s?()", _away),
    (r"(\d{1,4}|[a-z]+) ([a-z]+?)s? (ago|from now)", _away),
    (r"(next|last) workday", lambda match, here: _workdays_away(1 if match[1] == "next" else -1, here.today)),
    (r"([a-z0-9]+) ([a-z]+) of (.+)", _nth_of_month),
)
