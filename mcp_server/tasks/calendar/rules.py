"""Recurrence rules as text: the part of RFC 5545's RRULE that is understood, and the one way in which it is kept."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, tzinfo
from enum import StrEnum
from typing import Final

from mcp_server.tasks.calendar.dates import YEARS, shown
from shared.errors import Problem


class Freq(StrEnum):
    """How long the periods of a rule are."""

    DAILY = "DAILY"
    WEEKLY = "WEEKLY"
    MONTHLY = "MONTHLY"
    YEARLY = "YEARLY"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """A rule. `by_day` holds pairs of an ordinal, 0 for every one, and a weekday; weekdays count from Monday as 0."""

    freq: Freq
    interval: int = 1
    by_month: tuple[int, ...] = ()
    by_month_day: tuple[int, ...] = ()
    by_day: tuple[tuple[int, int], ...] = ()
    by_set_pos: tuple[int, ...] = ()
    week_start: int = 0
    until: date | None = None
    count: int | None = None

    def __str__(self) -> str:
        """The RRULE, without its name."""
        parts = {
            "INTERVAL": "" if self.interval == 1 else str(self.interval),
            "BYMONTH": _listed(self.by_month),
            "BYMONTHDAY": _listed(self.by_month_day),
            "BYDAY": _listed(f"{nth or ''}{_CODES[weekday]}" for nth, weekday in self.by_day),
            "BYSETPOS": _listed(self.by_set_pos),
            "WKST": _CODES[self.week_start] if self.week_start else "",
            "UNTIL": f"{self.until:%Y%m%d}" if self.until else "",
            "COUNT": str(self.count or ""),
        }
        return ";".join([f"FREQ={self.freq}", *(f"{name}={value}" for name, value in parts.items() if value)])


_CODES: Final = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
_PARTS: Final = ("FREQ", "INTERVAL", "BYMONTH", "BYMONTHDAY", "BYDAY", "BYSETPOS", "WKST", "UNTIL", "COUNT")
# From where to where the numbers of a part may go; 0 is nowhere one of them.
_LIMITS: Final = {
    "INTERVAL": (1, 1000),
    "BYMONTH": (1, 12),
    "BYMONTHDAY": (-31, 31),
    "BYSETPOS": (-366, 366),
    "COUNT": (1, 9999),
}
_MOST_WEEKDAYS: Final = {Freq.MONTHLY: 5, Freq.YEARLY: 53}
_NUMBER: Final = re.compile(r"[+-]?[0-9]{1,4}")
_BY_DAY: Final = re.compile(rf"([+-]?[0-9]{{1,2}})?({'|'.join(_CODES)})")
_UNTIL: Final = re.compile(r"[0-9]{8}(?:T[0-9]{6}Z?)?")


def read_rule(text: str, zone: tzinfo = UTC) -> Rule:
    """The rule in an RRULE of any case, with or without its name. An UNTIL that is an instant means its day in `zone`.

    Raises `bad_repeat`.
    """
    parts: dict[str, str] = {}
    for part in "".join(text.upper().split()).removeprefix("RRULE:").split(";"):
        name, _, value = part.partition("=")
        if name not in _PARTS:
            raise Problem("bad_repeat", f'"{shown(name)}" is no part of a rule here.', f"use {', '.join(_PARTS)}.")
        if name in parts:
            raise Problem("bad_repeat", f"{name} stands twice in the rule.", "give it once, its values with commas.")
        parts[name] = value
    freq = _freq(parts)
    _check_combination(parts, freq)
    return Rule(
        freq=freq,
        interval=_number(parts, "INTERVAL") or 1,
        by_month=_numbers(parts, "BYMONTH"),
        by_month_day=_numbers(parts, "BYMONTHDAY"),
        by_day=_by_day(parts, _MOST_WEEKDAYS.get(freq, 0)),
        by_set_pos=_numbers(parts, "BYSETPOS"),
        week_start=_week_start(parts),
        until=_until(parts, zone),
        count=_number(parts, "COUNT"),
    )


def in_order(numbers: Iterable[int]) -> tuple[int, ...]:
    """Each number once as a rule lists them: from the front, then from the back."""
    return tuple(sorted(set(numbers), key=lambda number: (number < 0, number)))


def plainest(rule: Rule) -> Rule:
    """Of several ways to write the same days the one that words are kept as."""
    if rule.freq is Freq.DAILY and rule.interval == 1 and rule.by_day and not (rule.by_month_day or rule.by_set_pos):
        return replace(rule, freq=Freq.WEEKLY, week_start=0)
    one_month = rule.freq is Freq.MONTHLY or (rule.freq is Freq.YEARLY and len(rule.by_month) == 1)
    one_weekday = len(rule.by_day) == 1 and rule.by_day[0][0] == 0 and not rule.by_month_day
    furthest = max(map(abs, rule.by_set_pos), default=0)
    if one_month and one_weekday and 1 <= furthest <= _MOST_WEEKDAYS[Freq.MONTHLY]:
        nths = tuple((place, rule.by_day[0][1]) for place in rule.by_set_pos)
        return replace(rule, by_day=nths, by_set_pos=(), week_start=0)
    counts_weeks = rule.freq is Freq.WEEKLY and rule.by_day and (rule.interval > 1 or rule.by_set_pos)
    return rule if counts_weeks else replace(rule, week_start=0)


def _check_combination(parts: Mapping[str, str], freq: Freq) -> None:
    if "UNTIL" in parts and "COUNT" in parts:
        raise Problem("bad_repeat", "a rule ends by UNTIL or by COUNT, not by both.", "leave one out.")
    if freq is Freq.WEEKLY and "BYMONTHDAY" in parts:
        raise Problem("bad_repeat", "weeks have no BYMONTHDAY.", "FREQ=MONTHLY;BYMONTHDAY=15.")
    if "BYSETPOS" in parts and parts.keys().isdisjoint(("BYMONTH", "BYMONTHDAY", "BYDAY")):
        raise Problem("bad_repeat", "BYSETPOS has no days to choose from.", "FREQ=MONTHLY;BYDAY=SA,SU;BYSETPOS=-1.")


def _freq(parts: Mapping[str, str]) -> Freq:
    freq = Freq.__members__.get(parts.get("FREQ", ""))
    if freq is None:
        raise _wrong(parts, "FREQ", ", ".join(Freq))
    return freq


def _number(parts: Mapping[str, str], name: str) -> int | None:
    numbers = _numbers(parts, name)
    if "," in parts.get(name, ""):
        raise _wrong(parts, name, "one number")
    return numbers[0] if numbers else None


def _numbers(parts: Mapping[str, str], name: str) -> tuple[int, ...]:
    if name not in parts:
        return ()
    least, most = _LIMITS[name]
    numbers = [int(item) if _NUMBER.fullmatch(item) else 0 for item in parts[name].split(",")]
    if not all(number and least <= number <= most for number in numbers):
        raise _wrong(parts, name, f"{least} to {most}" + (", without 0" if least < 0 else ""))
    return in_order(numbers)


def _by_day(parts: Mapping[str, str], most: int) -> tuple[tuple[int, int], ...]:
    if "BYDAY" not in parts:
        return ()
    found = [_BY_DAY.fullmatch(item) for item in parts["BYDAY"].split(",")]
    days = {(int(match[1] or 0), _CODES.index(match[2])) for match in found if match}
    # A written ordinal has to count something: neither weeks nor days have a second Monday, and 0MO is none.
    if not all(match and (match[1] is None or 1 <= abs(int(match[1])) <= most) for match in found):
        raise _wrong(parts, "BYDAY", "days like MO,FR" + (", or one of them like 1MO, -1FR" if most else ""))
    return tuple(sorted(days, key=lambda day: (day[1], day[0] < 0, day[0])))


def _week_start(parts: Mapping[str, str]) -> int:
    code = parts.get("WKST", _CODES[0])
    if code not in _CODES:
        raise _wrong(parts, "WKST", ", ".join(_CODES))
    return _CODES.index(code)


def _until(parts: Mapping[str, str], zone: tzinfo) -> date | None:
    if "UNTIL" not in parts:
        return None
    try:
        # Many write "the end of that day" as if everybody lived in UTC; no task is due in that second.
        text = parts["UNTIL"].removesuffix("T235959Z")
        end = datetime.fromisoformat(text) if _UNTIL.fullmatch(text) else None
        day = (end.astimezone(zone) if end.tzinfo else end).date() if end else None
    except (ValueError, OverflowError):  # how the calendar says that it has no such day
        day = None
    if day is None or day.year not in YEARS:
        raise _wrong(parts, "UNTIL", "a day like 20271231")
    return day


def _wrong(parts: Mapping[str, str], name: str, wanted: str) -> Problem:
    fault = f'{name} is "{shown(parts[name])}".' if name in parts else f"the rule has no {name}."
    return Problem("bad_repeat", fault, f"{wanted}.")


def _listed(values: Iterable[object]) -> str:
    return ",".join(map(str, values))
