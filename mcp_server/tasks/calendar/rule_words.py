"""Recurrence rules as words: "2 weeks on mon" becomes a rule, and a rule the words that read back as the same."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import date
from typing import Final

from mcp_server.tasks.calendar.days import COUNTS, MONTHS, NTH, WEEKDAYS
from mcp_server.tasks.calendar.rules import Freq, Rule, in_order

_UNITS: Final = {
    "day": (Freq.DAILY, 1),
    "week": (Freq.WEEKLY, 1),
    "fortnight": (Freq.WEEKLY, 2),
    "month": (Freq.MONTHLY, 1),
    "year": (Freq.YEARLY, 1),
}
_WORKDAYS: Final = tuple((0, weekday) for weekday in range(5))
_FEBRUARY: Final = 2
_LONGEST: Final = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
_IN_EVERY_MONTH: Final = 28  # the last day that all months have
_WEEKDAY_NAMES: Final = {weekday: name for name, weekday in WEEKDAYS.items()}  # the full name comes last
_MONTH_NAMES: Final = {index + 1: name for name, index in MONTHS.items()}
_NTH_NAMES: Final = {1: "first", 2: "second", 3: "third", 4: "fourth", -1: "last"}

_LIST: Final = re.compile(r"\s*(?:[,&]|\band\b)(?:\s*(?:[,&]|\band\b))*\s*")
_ARTICLE: Final = re.compile(r"\b(on|of|and) the\b")
_UNIT: Final = re.compile(rf"(?:(\w+) )?({'|'.join(_UNITS)})s?(?: on (.+))?", re.ASCII)
_TH: Final = r"(?:st|nd|rd|th)"
_DAY: Final = re.compile(rf"(\d{{1,2}}){_TH}", re.ASCII)
_MONTH_DAYS: Final = (
    re.compile(rf"(?P<month>[a-z]+) (?P<day>\d{{1,2}}){_TH}?", re.ASCII),
    re.compile(rf"(?P<day>\d{{1,2}}){_TH}?(?: of)? (?P<month>[a-z]+)", re.ASCII),
)


def rule_in(phrase: str, week_start: int, *, from_done: bool) -> Rule | None:
    """The rule that the words after "every" name; nothing if they name none, or leave a choice.

    Weekdays alone come each week. Counted from completion they mean the next such day: a week later would miss some.
    """
    phrase = _ARTICLE.sub(r"\1", _LIST.sub(" and ", phrase))
    if match := _UNIT.fullmatch(phrase):
        return _counted(match, week_start)
    if days := _WORKDAYS if phrase in ("weekday", "workday") else _weekdays(phrase):
        return Rule(freq=Freq.DAILY if from_done else Freq.WEEKLY, by_day=days)
    if days := _weekdays(phrase.removeprefix("other ")):
        return Rule(freq=Freq.WEEKLY, interval=2, by_day=days, week_start=week_start)
    if phrase.endswith(" of month"):
        return _in_month(phrase.removesuffix(" of month"))
    return _in_year(phrase)


def words_for(rule: Rule, week_start: int, *, from_done: bool) -> str | None:
    """The words after "every" that `rule_in` reads as this rule, leaving aside its end; nothing if there are none."""
    endless = replace(rule, until=None, count=None)
    return next(
        (words for words in _attempts(rule) if rule_in(words, week_start, from_done=from_done) == endless), None
    )


def settled(rule: Rule, day: date) -> Rule:
    """The rule with a day written down that it would take from its first date and that not every month has.

    "every month" from the 31st then means the last day of shorter months, as "every month on the 31st" does.
    """
    is_february = rule.freq is Freq.YEARLY and (rule.by_month or (day.month,)) == (_FEBRUARY,)
    leaves_day = not (rule.by_day or rule.by_month_day or rule.by_set_pos)
    if day.day <= _IN_EVERY_MONTH or not leaves_day or not (is_february or rule.freq is Freq.MONTHLY):
        return rule
    days = _or_last_day(min(day.day, _LONGEST[1]) if is_february else day.day)
    months = (_FEBRUARY,) if is_february else rule.by_month
    return replace(rule, by_month=months, by_month_day=days.by_month_day, by_set_pos=days.by_set_pos)


def _counted(match: re.Match[str], week_start: int) -> Rule | None:
    (freq, size), place = _UNITS[match[2]], match[3]
    interval = _count(match[1]) * size
    if not interval:
        return None
    if place is None:
        return Rule(freq=freq, interval=interval)
    if freq is Freq.WEEKLY:
        days = _weekdays(place)
        start = week_start if interval > 1 else 0
        return Rule(freq=freq, interval=interval, by_day=days, week_start=start) if days else None
    found = {Freq.MONTHLY: _in_month, Freq.YEARLY: _in_year}.get(freq, lambda _: None)(place)
    return replace(found, interval=interval) if found else None


def _count(word: str | None) -> int:
    if word is None:
        return 1
    return int(word) if word.isdecimal() else COUNTS.get(word, 2 if word == "other" else 0)


def _weekdays(place: str) -> tuple[tuple[int, int], ...]:
    names = place.split(" and ")
    return tuple(sorted({(0, WEEKDAYS[name]) for name in names})) if WEEKDAYS.keys() >= set(names) else ()


def _in_month(place: str) -> Rule | None:
    days = [_month_day(item) for item in place.split(" and ")]
    if all(days):
        return _on_days(days)
    ordinals, _, kind = place.rpartition(" ")
    found = [NTH.get(word) for word in ordinals.split(" and ")]
    nths = in_order(nth if nth < 0 else nth + 1 for nth in found if nth is not None)
    if None in found:
        return None
    if kind in ("workday", "weekday"):
        return Rule(freq=Freq.MONTHLY, by_day=_WORKDAYS, by_set_pos=nths)
    weekday = WEEKDAYS.get(kind)
    return None if weekday is None else Rule(freq=Freq.MONTHLY, by_day=tuple((nth, weekday) for nth in nths))


def _month_day(words: str) -> int:
    match = _DAY.fullmatch(words)
    day = int(match[1]) if match else {"first day": 1, "last day": -1}.get(words, 0)
    return day if day <= max(_LONGEST) else 0


def _on_days(days: Sequence[int]) -> Rule | None:
    *early, last = sorted(set(days))
    if last <= _IN_EVERY_MONTH:
        return Rule(freq=Freq.MONTHLY, by_month_day=in_order(days))
    # Beside a day that may be the last one another such day would need a rule of its own.
    return _or_last_day(last, early) if all(0 < day <= _IN_EVERY_MONTH for day in early) else None


def _or_last_day(late: int, early: Sequence[int] = ()) -> Rule:
    """That day of the month or, if the month is shorter, its last; and some days that no month lacks."""
    days = in_order([*early, *range(_IN_EVERY_MONTH, late + 1)])
    return Rule(freq=Freq.MONTHLY, by_month_day=days, by_set_pos=(*range(1, len(early) + 1), -1))


def _in_year(place: str) -> Rule | None:
    if match := next(filter(None, (pattern.fullmatch(place) for pattern in _MONTH_DAYS)), None):
        return _on_date(match["month"], int(match["day"]))
    days, _, name = place.rpartition(" of ")
    found = _in_month(days) if name in MONTHS else None
    # Words never mean a day that the month does not have.
    if found is None or (found.by_month_day and found.by_set_pos):
        return None
    return replace(found, freq=Freq.YEARLY, by_month=(MONTHS[name] + 1,))


def _on_date(name: str, day: int) -> Rule | None:
    if name not in MONTHS or not 1 <= day <= _LONGEST[MONTHS[name]]:
        return None
    month = MONTHS[name] + 1
    days = Rule(freq=Freq.YEARLY, by_month_day=(day,))
    if month == _FEBRUARY and day > _IN_EVERY_MONTH:
        days = _or_last_day(day)
    return replace(days, freq=Freq.YEARLY, by_month=(month,))


def _attempts(rule: Rule) -> Iterator[str]:
    """Words that may say the rule, the shortest first."""
    unit = {Freq.DAILY: "day", Freq.WEEKLY: "week", Freq.MONTHLY: "month", Freq.YEARLY: "year"}[rule.freq]
    head = unit if rule.interval == 1 else f"{rule.interval} {unit}s"
    yield head
    if rule.freq in (Freq.DAILY, Freq.WEEKLY):
        days = ",".join(_WEEKDAY_NAMES[weekday][:3] for _, weekday in rule.by_day)
        yield from ("weekday", days, f"{head} on {days}")
    elif not (rule.by_day or rule.by_month_day):
        return
    elif rule.freq is Freq.MONTHLY:
        yield f"{head} on the {_place(rule)}"
    else:
        month = _MONTH_NAMES[next(iter(rule.by_month), 1)]
        date_words = f"{month[:3]} {max(rule.by_month_day, default=0)}"
        yield from (date_words, f"{head} on {date_words}", f"{head} on the {_place(rule)} of {month}")


def _place(rule: Rule) -> str:
    if rule.by_day:
        nths = rule.by_set_pos or [nth for nth, _ in rule.by_day]
        kind = "workday" if rule.by_set_pos else _WEEKDAY_NAMES[rule.by_day[0][1]]
        return f"{' and '.join(_NTH_NAMES.get(nth, 'no') for nth in nths)} {kind}"
    days = rule.by_month_day
    if rule.by_set_pos:
        days = (*days[: len(rule.by_set_pos) - 1], days[-1])
    return " and ".join("last day" if day == -1 else f"{day}{_th(day)}" for day in days)


def _th(day: int) -> str:
    return "th" if day in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(day % 10, "th")
