"""Words for dates: a phrase becomes a day and a time in the person's zone, or a refusal that says what to write.

The moment and the settings come from the caller; no clock is read here. What has two readings is refused, not guessed.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from importlib.resources import files
from typing import Final, Literal
from zoneinfo import ZoneInfo

from mcp_server.tasks.calendar.days import Standpoint, find_day, weekday_name
from mcp_server.tasks.calendar.times import split_time
from shared.errors import Problem

YEARS: Final = range(1970, 2201)
_LONGEST: Final = 100
_LONGEST_ECHO: Final = 40
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
# Commas, the T of ISO 8601 and full stops after a word ("dec.", "a.m.") only part the words.
_PARTING: Final = re.compile(r",|(?<=[0-9])t(?=[0-9])|(?<=[a-z])\.(?=[\s,]|$)")


@dataclass(frozen=True, slots=True)
class When:
    """A day, the minutes after midnight unless it is all day, and the zone if one was written."""

    day: date
    minutes: int | None
    zone: str | None


@dataclass(frozen=True, slots=True)
class Habits:
    """What a person's settings say about dates. Week days count from Monday as 0, parts of the day are in minutes."""

    zone: ZoneInfo
    order: Literal["", "DMY", "MDY"] = ""
    week_start: int = 0
    day_start: int = 9 * 60
    morning: int = 9 * 60
    afternoon: int = 15 * 60
    evening: int = 19 * 60
    tonight: int = 20 * 60

    @property
    def parts_of_day(self) -> dict[str, int]:
        """The minutes by the word that stands for them."""
        words = ("morning", "afternoon", "evening", "tonight")
        return {word: getattr(self, word) for word in words}


def resolve(text: str, now: datetime, habits: Habits, *, prefer: Literal["future", "past"] = "future") -> When:
    """What `text` means at the aware moment `now`. Raises `bad_date` or `ambiguous_date` and nothing else."""
    words = _PARTING.sub(" ", text.lower()).split() if len(text) <= _LONGEST else []
    name = _written_zone(words)
    zone = ZoneInfo(name) if name else habits.zone
    here = Standpoint(now, zone, habits.order, habits.week_start, -1 if prefer == "past" else 1)
    if "midnight" in words:
        hint = f'e.g. "today 23:59" or "tomorrow 00:00". {here.today_is}'
        raise Problem("ambiguous_date", '"midnight" begins a day or ends it.', hint)
    try:
        read = _read(words[:-1] if name else words, here, habits.parts_of_day)
    except (ValueError, OverflowError):  # how the calendar says that it has no such day
        read = None
    if read is None or read[0].year not in YEARS:
        hint = f'e.g. "dec 31" or {here.today.year}-12-31. {here.today_is}'
        raise Problem("bad_date", f'"{shown(text)}" is no date.', hint)
    return When(*read, name)


def instant_us(when: When, home: ZoneInfo) -> int | None:
    """The instant in microseconds UTC, nothing for a whole day; a time without a zone floats with `home`.

    A time that exists twice means the first; one that a clock change skips happens as much later as was skipped.
    """
    if when.minutes is None:
        return None
    instant = _instant(when.day, when.minutes, zone_named(when.zone) if when.zone else home)
    return (instant - _EPOCH) // timedelta(microseconds=1)


def echo(day: date, minutes: int | None, today: date) -> str:
    """The day with its weekday, as `resolve` reads it back: "Sat 11-21 09:00", with the year unless it is this one."""
    shown = f"{day:%m-%d}" if day.year == today.year else f"{day}"
    clock = "" if minutes is None else f" {minutes // 60:02}:{minutes % 60:02}"
    return f"{weekday_name(day)} {shown}{clock}"


def zone_named(name: str) -> ZoneInfo:
    """The zone of that name, in any case; raises `bad_argument` if the time zone database has none."""
    if canonical := _zone_names().get(name.lower()):
        return ZoneInfo(canonical)
    raise Problem("bad_argument", f'no time zone "{shown(name)}".', 'a name like "Europe/Berlin" or "UTC".')


@cache
def _zone_names() -> dict[str, str]:
    # The package's list, not the machine's: replicas agree, and no word that a person wrote becomes a path.
    return {name.lower(): name for name in files("tzdata").joinpath("zones").read_text(encoding="utf-8").split()}


def _written_zone(words: Sequence[str]) -> str | None:
    name = _zone_names().get(words[-1]) if words else None
    # The other bare names are words or abbreviations with several meanings: "iran", "est".
    return name if name and ("/" in name or name in ("UTC", "GMT")) else None


def _read(words: list[str], here: Standpoint, parts_of_day: Mapping[str, int]) -> tuple[date, int | None] | None:
    words, clock = split_time(_without_preposition(words), parts_of_day)
    words = _without_preposition(words)
    if clock and clock.is_today:
        words = [*words, "today"]
    if clock and not words:
        return _day_of_time(clock.minutes, here), clock.minutes
    found = find_day(" ".join(words), here)
    if isinstance(found, datetime):
        return None if clock else _wall(found, here.zone)
    return (found, clock.minutes if clock else None) if found else None


def _without_preposition(words: list[str]) -> list[str]:
    return words[1:] if words[:1] in (["on"], ["by"]) else words


def _day_of_time(minutes: int, here: Standpoint) -> date:
    instant = _instant(here.today, minutes, here.zone)
    is_behind = instant < here.now if here.step > 0 else instant > here.now
    return here.today + timedelta(here.step if is_behind else 0)


def _wall(instant: datetime, zone: ZoneInfo) -> tuple[date, int]:
    local = instant.astimezone(zone)
    if local.fold:  # a wall time means the first of two, so this one cannot be kept as such
        raise Problem(
            "ambiguous_date",
            f"{local:%H:%M} comes twice on {local.date()} in {zone}, and alone it means the first.",
            f"{instant.astimezone(UTC):%Y-%m-%d %H:%M} UTC for the second.",
        )
    return local.date(), local.hour * 60 + local.minute


def _instant(day: date, minutes: int, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, time(*divmod(minutes, 60)), zone).astimezone(UTC)


def shown(text: str) -> str:
    """What a refusal repeats of somebody's words: one printable line of at most 40 characters."""
    plain = " ".join("".join(c if c.isprintable() else " " for c in text[:_LONGEST]).split())
    return plain if len(plain) <= _LONGEST_ECHO else plain[: _LONGEST_ECHO - 3] + "..."
