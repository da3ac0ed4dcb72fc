"""How a task comes again: the words and the rule that are kept with it, and its next date. No clock is read here.

What is not understood, or may mean two things, is refused with an example.
"""

import re
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from mcp_server.tasks.calendar.dates import Habits, When, instant_us, resolve, shown, zone_named
from mcp_server.tasks.calendar.occurrences import day_after_completion, days_of, happens
from mcp_server.tasks.calendar.rule_words import rule_in, settled, words_for
from mcp_server.tasks.calendar.rules import Rule, plainest, read_rule
from mcp_server.tasks.calendar.times import split_time
from shared.db import microseconds
from shared.errors import Problem

_LONGEST: Final = 300
_EXAMPLES: Final = '"every weekday", "every 2 weeks on mon", "every month on the last friday" or an RRULE.'
_ADVERBS: Final = {
    **dict.fromkeys(("daily", "everyday"), "every day"),
    "weekly": "every week",
    "monthly": "every month",
    "yearly": "every year",
}
_EVERY: Final = re.compile(r"every(!?)(?: (.+))?")
_TIMES: Final = re.compile(r",? for ([0-9]{1,4}) times?(?=[ ,]|$)")
_KEPT_TIME: Final = re.compile(r" at ([0-9]{2}):([0-9]{2})")
_STOP: Final = re.compile(r"(?<=[a-z])\.(?=[\s,]|$)")


@dataclass(frozen=True, slots=True)
class Repeat:
    """The rule as a canonical RRULE, the words that are shown and read back as the same, whether it counts from
    completion, and the minutes after midnight if the words hold a time."""

    rrule: str
    text: str
    from_done: bool
    minutes: int | None


@dataclass(frozen=True, slots=True)
class Occurrence:
    """One date of a repeating task, and what is to be kept with it: the repeat, and where its periods count from."""

    due: When
    repeat: Repeat
    anchor: date


def parse_repeat(text: str, now: datetime, habits: Habits) -> Repeat:
    """What the words or the RRULE mean at the aware moment `now`. Raises `bad_repeat` and nothing else."""
    if len(text) > _LONGEST:
        raise _not_understood(text)
    if "=" in text:
        repeat = _written(plainest(read_rule(text, habits.zone)), habits.week_start)
    else:
        repeat = _read_words(text, now, habits)
    if not happens(read_rule(repeat.rrule), now.astimezone(habits.zone).date()):
        raise Problem(
            "bad_repeat", f'"{shown(repeat.text)}" gives no day in ten years.', "a rule with days that exist."
        )
    return repeat


def kept_repeat(rrule: str, text: str, repeat_from: str) -> Repeat:
    """The repeat whose parts were kept with a task; `repeat_from` is "due" or "done"."""
    clock = _KEPT_TIME.search(text)
    return Repeat(rrule, text, repeat_from == "done", int(clock[1]) * 60 + int(clock[2]) if clock else None)


def first_due(repeat: Repeat, due: When | None, now: datetime, zone: ZoneInfo) -> Occurrence:
    """The occurrence that a task begins with: the date it is due on or, without one, the first that is not past.

    That first date starts the counting of periods, so "every 2 weeks on mon" begins on the coming Monday. Raises
    `bad_repeat` if there is no date, or none after it for another reason than the end that the rule names.
    """
    rule = read_rule(repeat.rrule)
    since = due.day if due else _first_day(repeat.minutes, now, zone)
    if not repeat.from_done and (certain := settled(rule, since)) != rule:
        rule, repeat = certain, _written(certain, certain.week_start, minutes=repeat.minutes)
    if due is None:
        day = first_on_or_after(str(replace(rule, interval=1)), since, since)
        if day is None:
            raise Problem("bad_repeat", f'"{shown(repeat.text)}" has no day from {since} on.', "a later end.")
        due = When(day, repeat.minutes, None)
    elif due.minutes is None:
        due = replace(due, minutes=repeat.minutes)
    if rule.until and due.day > rule.until:
        raise Problem("bad_repeat", f'"{shown(repeat.text)}" ends before {due.day}.', "a later end, or due earlier.")
    endless = str(replace(rule, until=None, count=None))
    if not repeat.from_done and next_after(endless, due.day, due.day) is None:
        raise Problem(
            "bad_repeat", f'"{shown(repeat.text)}" gives no day after {due.day}.', "another rule or due date."
        )
    return Occurrence(due, repeat, due.day)


def next_due(
    repeat: Repeat, anchor: date, due: When, done_day: date, now: datetime, home: ZoneInfo
) -> Occurrence | None:
    """The occurrence after the one that was completed, nothing if that was the last.

    Counted from the due date, it is the first one after that date which is still to come: days that were missed are
    left out, and a date that was done early does not come again. Counted from completion, it follows `done_day`, the
    local day of completion, and each time takes one from the number of times. A time in the rule outlives a due date
    that was moved to another time.
    """
    minutes = due.minutes if repeat.minutes is None else repeat.minutes
    if repeat.from_done:
        again = next_from_done(repeat.rrule, done_day)
        return Occurrence(When(again, minutes, due.zone), _one_time_fewer(repeat), again) if again else None
    zone = zone_named(due.zone) if due.zone else home
    day: date | None = max(due.day, now.astimezone(zone).date() - timedelta(1))  # today may still be to come
    while day and (day := next_after(repeat.rrule, anchor, day)):
        when = When(day, minutes, due.zone)
        if _is_ahead(when, now, zone):
            return Occurrence(when, repeat, anchor)
    return None


def first_on_or_after(rrule: str, anchor: date, day: date) -> date | None:
    """The first day of the rule that is not before `day`, nor before the anchor that its periods count from."""
    return next(days_of(read_rule(rrule), anchor, day), None)


def next_after(rrule: str, anchor: date, day: date) -> date | None:
    """The first day of the rule after `day`; its periods count from the anchor."""
    return first_on_or_after(rrule, anchor, day + timedelta(1))


def next_from_done(rrule: str, done_day: date) -> date | None:
    """The next day of a rule that counts from completion; its COUNT is how often it was still to be done before."""
    return day_after_completion(read_rule(rrule), done_day)


def _read_words(text: str, now: datetime, habits: Habits) -> Repeat:
    plain = _STOP.sub("", " ".join(text.lower().split()))
    phrase, until, end = plain.partition(" until ")
    times = _TIMES.search(phrase)
    if times:
        phrase = phrase[: times.start()] + phrase[times.end() :]
    try:
        words, clock = split_time(phrase.split(), habits.parts_of_day)
    except ValueError:  # two times
        raise _not_understood(text) from None
    every = _EVERY.fullmatch(" ".join(_ADVERBS.get(word, word) for word in words).rstrip(", "))
    if every is None or (clock and clock.is_today):
        raise _not_understood(text)
    from_done = bool(every[1])
    rule = rule_in(every[2] or ("day" if clock else ""), habits.week_start, from_done=from_done)
    count = int(times[1]) if times else None
    if rule is None or count == 0:
        raise _not_understood(text)
    rule = replace(rule, count=count, until=_last_day(end, now, habits) if until else None)
    return _written(rule, habits.week_start, from_done=from_done, minutes=clock.minutes if clock else None)


def _last_day(text: str, now: datetime, habits: Habits) -> date:
    try:
        when = resolve(text, now, habits)
    except Problem as problem:
        raise Problem("bad_repeat", problem.message, problem.hint) from problem
    if when.minutes is not None or when.zone:
        raise Problem("bad_repeat", f'"until {shown(text)}" is more than a day.', '"every day at 9am until dec 1".')
    return when.day


def _written(rule: Rule, week_start: int, *, from_done: bool = False, minutes: int | None = None) -> Repeat:
    words = words_for(rule, week_start, from_done=from_done)
    if words is None:
        return Repeat(str(rule), str(rule), from_done, minutes)
    text = f"every{'!' if from_done else ''} {words}"
    if minutes is not None:
        text += f" at {minutes // 60:02}:{minutes % 60:02}"
    if rule.until:
        text += f" until {rule.until}"
    if rule.count:
        text += f" for {rule.count} time{'s' if rule.count > 1 else ''}"
    return Repeat(str(rule), text, from_done, minutes)


def _one_time_fewer(repeat: Repeat) -> Repeat:
    rule = read_rule(repeat.rrule)
    if rule.count is None:
        return repeat
    fewer = replace(rule, count=rule.count - 1)
    return _written(fewer, rule.week_start, from_done=True, minutes=repeat.minutes)


def _first_day(minutes: int | None, now: datetime, zone: ZoneInfo) -> date:
    """Today, or tomorrow if the time has passed."""
    today = now.astimezone(zone).date()
    at_us = instant_us(When(today, minutes, None), zone)
    return today + timedelta(at_us is not None and at_us < microseconds(now))


def _is_ahead(when: When, now: datetime, zone: ZoneInfo) -> bool:
    at_us = instant_us(when, zone)
    return when.day > now.astimezone(zone).date() if at_us is None else at_us > microseconds(now)


def _not_understood(text: str) -> Problem:
    return Problem("bad_repeat", f'"{shown(text)}" is no repetition, or may mean several.', f"e.g. {_EXAMPLES}")
