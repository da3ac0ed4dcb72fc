"""Words about time put on a task: when it is due, starts, must be finished, repeats, reminds, and how long it takes."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from typing import Final

from mcp_server.tasks.calendar.dates import Habits, When, instant_us, resolve, zone_named
from mcp_server.tasks.calendar.repeat import Occurrence, first_due, kept_repeat, next_due, parse_repeat
from mcp_server.tasks.rows import sorted_reminders
from mcp_server.tasks.task import Reminder, Task
from shared.db import microseconds
from shared.errors import Problem

REMINDER_LIMIT: Final = 10
ESTIMATE_LIMIT: Final = 60 * 10_000
_BEFORE: Final = re.compile(r"(\d{1,5}) ?(m|h|d|w)[a-z]* before(?: due)?", re.ASCII)
_AT_DUE: Final = ("at due", "on due", "when due", "at due time", "at the due time")
_MINUTES: Final = {"m": 1, "h": 60, "d": 24 * 60, "w": 7 * 24 * 60}
_ESTIMATE: Final = re.compile(
    r"(?:(?P<hours>\d{1,5}(?:\.\d{1,2})?) ?(?:h|hr|hrs|hours?))? ?(?:(?P<minutes>\d{1,6}) ?(?:m|min|mins|minutes?))?",
    re.ASCII,
)


@dataclass(frozen=True, slots=True)
class Here:
    """From where words about time are read: the moment, the habits of who writes and those of the space's owner.

    What the person should hear about goes to `notes`.
    """

    now: datetime
    habits: Habits
    home: Habits
    notes: list[str] = field(default_factory=list)

    @property
    def today(self) -> date:
        """The day it is for who writes."""
        return self.now.astimezone(self.habits.zone).date()

    def note(self, text: str) -> None:
        """Leave a note, once."""
        if text not in self.notes:
            self.notes.append(text)


def with_due(task: Task, words: str, here: Here) -> Task:
    """The task due when the words say. The rule of a repeating one stays: only this occurrence moves."""
    when = _when(words, here)
    at_us = instant_us(when, here.home.zone)
    if when.day < here.today or (at_us is not None and at_us < microseconds(here.now)):
        here.note(f'due "{words.strip()[:40]}" is in the past')
    if at_us is not None and (shifted := _clock_change(when, at_us, here)):
        here.note(shifted)
    return replace(task, due_date=when.day, due_min=when.minutes, due_tz=when.zone)


def with_start(task: Task, words: str, here: Here) -> Task:
    """The task that cannot begin earlier than the words say."""
    return replace(task, start_date=_day(words, here))


def with_deadline(task: Task, words: str, here: Here) -> Task:
    """The task that has to be finished on the day the words say."""
    return replace(task, deadline=_day(words, here))


def with_repeat(task: Task, words: str, here: Here) -> Task:
    """The task that comes again as the words say; without a due date its first occurrence from today is set."""
    repeat = parse_repeat(words, here.now, here.habits)
    due = When(task.due_date, task.due_min, task.due_tz) if task.due_date else None
    zone = zone_named(task.due_tz) if task.due_tz else here.habits.zone
    return _repeating(task, first_due(repeat, due, here.now, zone), here)


def advanced(task: Task, done_day: date, now: datetime, home: Habits) -> Task | None:
    """A repeating task at its next occurrence after one that was finished; nothing if that was the last.

    What stands at a fixed distance from the due date, its start and deadline, moves along.
    """
    if task.due_date is None or not (task.rrule and task.repeat_text and task.repeat_from and task.repeat_anchor):
        return None
    repeat = kept_repeat(task.rrule, task.repeat_text, task.repeat_from)
    due = When(task.due_date, task.due_min, task.due_tz)
    found = next_due(repeat, task.repeat_anchor, due, done_day, now, home.zone)
    if found is None:
        return None
    later = found.due.day - task.due_date
    moved = replace(
        task,
        start_date=task.start_date and task.start_date + later,
        deadline=task.deadline and task.deadline + later,
    )
    return _repeating(moved, found, Here(now, home, home))


def without_repeat(task: Task) -> Task:
    """The task that happens once."""
    return replace(task, rrule=None, repeat_text=None, repeat_from=None, repeat_anchor=None)


def without_due(task: Task) -> Task:
    """The task without a day; what counts from that day goes too."""
    kept = tuple(one for one in task.reminders if one.at_us is not None)
    return replace(without_repeat(task), due_date=None, due_min=None, due_tz=None, reminders=kept)


def without_time(task: Task) -> Task:
    """The task due for a whole day."""
    return replace(task, due_min=None, due_tz=None)


def with_reminders(task: Task, words: Sequence[str], here: Here) -> Task:
    """The task with exactly these reminders: "30m before", "at due", or a date and time."""
    if len(words) > REMINDER_LIMIT:
        raise Problem("too_many", f"{len(words)} reminders", f"at most {REMINDER_LIMIT} for one task")
    return replace(task, reminders=sorted_reminders(_reminder(task, one, here) for one in words))


def estimate_minutes(words: str) -> int:
    """A duration in minutes: "45m", "1h30m", "2 hours"."""
    found = _ESTIMATE.fullmatch(words.strip().lower())
    if found is None or not (found["hours"] or found["minutes"]):
        raise Problem("bad_estimate", f'"{words.strip()[:40]}" is no duration', 'e.g. "45m" or "1h30m"')
    minutes = round(float(found["hours"] or 0) * 60) + int(found["minutes"] or 0)
    if not 0 < minutes <= ESTIMATE_LIMIT:
        raise Problem("bad_estimate", f'"{words.strip()[:40]}" is no useful duration', "1m to 10,000h")
    return minutes


def duration(minutes: int) -> str:
    """Minutes as `estimate_minutes` reads them."""
    hours, rest = divmod(minutes, 60)
    return (f"{hours}h" if hours else "") + (f"{rest}m" if rest or not hours else "")


def _repeating(task: Task, found: Occurrence, here: Here) -> Task:
    when = _own_zone(found.due, here)
    return replace(
        task,
        due_date=when.day,
        due_min=when.minutes,
        due_tz=when.zone,
        rrule=found.repeat.rrule,
        repeat_text=found.repeat.text,
        repeat_from="done" if found.repeat.from_done else "due",
        repeat_anchor=found.anchor,
    )


def _when(words: str, here: Here) -> When:
    return _own_zone(resolve(words, here.now, here.habits), here)


def _own_zone(when: When, here: Here) -> When:
    """A time that a guest says is his own: it would otherwise float with the owner of the list."""
    if when.minutes is None or when.zone or here.habits.zone.key == here.home.zone.key:
        return when
    return replace(when, zone=here.habits.zone.key)


def _day(words: str, here: Here) -> date:
    when = resolve(words, here.now, here.habits)
    if when.minutes is not None:
        raise Problem("bad_date", f'"{words.strip()[:40]}" holds a time; this is a day', f"e.g. {when.day}")
    return when.day


def _reminder(task: Task, words: str, here: Here) -> Reminder:
    plain = " ".join(words.lower().split())
    relative = 0 if plain in _AT_DUE else None
    if found := _BEFORE.fullmatch(plain):
        relative = int(found[1]) * _MINUTES[found[2]]
    if relative is not None:
        if task.due_date is None:
            raise Problem("no_due", f'"{plain}" needs a due date', "give due too")
        return Reminder(offset_min=relative)
    try:
        when = resolve(words, here.now, here.habits)
    except Problem as problem:
        message = f'"{plain[:40]}" is no reminder'
        raise Problem("bad_reminder", message, 'e.g. "30m before", "at due" or "fri 9am"') from problem
    minutes = here.habits.day_start if when.minutes is None else when.minutes
    return Reminder(at_us=instant_us(replace(when, minutes=minutes), here.habits.zone))


def _clock_change(when: When, at_us: int, here: Here) -> str:
    """What to say when the clocks change so that this time does not exist."""
    zone = zone_named(when.zone) if when.zone else here.home.zone
    local = (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=at_us)).astimezone(zone)
    if when.minutes is None or local.hour * 60 + local.minute == when.minutes:
        return ""
    wall = f"{when.minutes // 60:02}:{when.minutes % 60:02}"
    return f"the clocks change: {wall} on {when.day} happens at {local:%H:%M} in {zone.key}"
