"""The days that a recurrence rule gives. No time of day and no zone is known here, so clock changes shift no day."""

from calendar import isleap, monthrange
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import date, timedelta
from typing import Final

from mcp_server.tasks.calendar.dates import YEARS
from mcp_server.tasks.calendar.rules import Freq, Rule

_LAST_DAY: Final = date(YEARS[-1], 12, 31)
_LONGEST_WAIT_YEARS: Final = 10


def days_of(rule: Rule, anchor: date, since: date) -> Iterator[date]:
    """The days from `since` on, in order; the periods and COUNT are counted from the anchor.

    The anchor is the first of COUNT days even if the rule does not give it.
    """
    rule = _with_days_of(rule, anchor)
    last = min(rule.until or _LAST_DAY, _LAST_DAY)
    first = _period(rule, anchor)
    # Only COUNT has to know of all the days before.
    skipped = 0 if rule.count else max(0, _period(rule, since) - first) // rule.interval
    number = 1
    for period in range(first + skipped * rule.interval, _period(rule, last) + 1, rule.interval):
        for day in _days_in(rule, period):
            number += day > anchor
            if day > last or (rule.count and number > rule.count):
                return
            if day >= max(anchor, since):
                yield day


def day_after_completion(rule: Rule, done: date) -> date | None:
    """The interval after the day of completion, and on to the first day that the rest of the rule allows.

    COUNT is what was left when it was completed.
    """
    if rule.count == 1:
        return None
    earliest = _one_interval_after(rule, done)
    return next(days_of(replace(rule, interval=1), earliest, earliest), None)


def happens(rule: Rule, since: date) -> bool:
    """Whether the rule gives any day within ten years, from wherever its periods are counted."""
    january = date(since.year, 1, 1)
    free = replace(rule, interval=1, count=None, until=date(since.year + _LONGEST_WAIT_YEARS, 12, 31))
    return next(days_of(free, january, january), None) is not None


def _one_interval_after(rule: Rule, day: date) -> date:
    if rule.freq in (Freq.DAILY, Freq.WEEKLY):
        return day + timedelta(rule.interval * (7 if rule.freq is Freq.WEEKLY else 1))
    month = day.year * 12 + day.month - 1 + rule.interval * (12 if rule.freq is Freq.YEARLY else 1)
    first = date(month // 12, month % 12 + 1, 1)
    return first.replace(day=min(day.day, monthrange(first.year, first.month)[1]))


def _with_days_of(rule: Rule, anchor: date) -> Rule:
    """The rule with what it leaves to its anchor written down."""
    if rule.by_day or rule.by_month_day or rule.freq is Freq.DAILY:
        return rule
    if rule.freq is Freq.WEEKLY:
        return replace(rule, by_day=((0, anchor.weekday()),))
    months = rule.by_month or ((anchor.month,) if rule.freq is Freq.YEARLY else ())
    return replace(rule, by_month=months, by_month_day=(anchor.day,))


def _period(rule: Rule, day: date) -> int:
    """The number of the period that the day lies in; periods are numbered without a gap."""
    match rule.freq:
        case Freq.DAILY:
            return day.toordinal()
        case Freq.WEEKLY:
            return (day.toordinal() - 1 - rule.week_start) // 7
        case Freq.MONTHLY:
            return day.year * 12 + day.month - 1
        case Freq.YEARLY:
            return day.year


def _first_ordinal(rule: Rule, period: int) -> int:
    match rule.freq:
        case Freq.DAILY:
            return period
        case Freq.WEEKLY:
            return period * 7 + 1 + rule.week_start
        case Freq.MONTHLY:
            return date(period // 12, period % 12 + 1, 1).toordinal()
        case Freq.YEARLY:
            return date(period, 1, 1).toordinal()


def _days_in(rule: Rule, period: int) -> Sequence[date]:
    ordinals = range(_first_ordinal(rule, period), _first_ordinal(rule, period + 1))
    days = [day for day in map(date.fromordinal, ordinals) if _allows(rule, day)]
    if not rule.by_set_pos:
        return days
    chosen = {place - 1 if place > 0 else len(days) + place for place in rule.by_set_pos}
    return [day for place, day in enumerate(days) if place in chosen]


def _allows(rule: Rule, day: date) -> bool:
    if rule.by_month and day.month not in rule.by_month:
        return False
    place, length = day.day, monthrange(day.year, day.month)[1]
    if rule.by_month_day and {place, place - length - 1}.isdisjoint(rule.by_month_day):
        return False
    if rule.freq is Freq.YEARLY and not rule.by_month:  # then a second Monday is the second of the year
        place, length = day.timetuple().tm_yday, 365 + isleap(day.year)
    ordinals = (0, (place - 1) // 7 + 1, -((length - place) // 7 + 1))
    return not rule.by_day or any((ordinal, day.weekday()) in rule.by_day for ordinal in ordinals)
