"""The time of day in a phrase: which of its words name one, and how many minutes after midnight they mean."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

_NOON: Final = 12 * 60
# The clock times that agree with a part of the day: "tonight 9pm" is one time, "tonight at 9" contradicts itself.
_SPANS: Final = {
    "morning": range(_NOON),
    "afternoon": range(_NOON, 18 * 60),
    "evening": range(17 * 60, 24 * 60),
    "tonight": range(17 * 60, 24 * 60),
}
_MOST_WORDS: Final = 3
_TIME: Final = re.compile(
    r"(?P<at>at )?(?P<hour>\d{1,2})(?::(?P<minute>[0-5]\d)(?::[0-5]\d(?:\.\d+)?)?)?(?: ?(?P<half>[ap])\.?m)?"
    r"|(?:at )?(?P<this>this )?(?:in the )?(?P<part>noon|morning|afternoon|evening|tonight)",
    re.ASCII,
)


@dataclass(frozen=True, slots=True)
class Time:
    """Minutes after midnight, the part of the day if the words named one, and whether they tie it to today."""

    minutes: int
    part: str = ""
    is_today: bool = False


def split_time(words: list[str], parts: Mapping[str, int]) -> tuple[list[str], Time | None]:
    """The words left for the day, and the time that stood after or before them.

    `parts` gives the minutes of morning, afternoon, evening and tonight. Raises ValueError if two times disagree.
    """
    rest, time = _cut(words, parts)
    if time is None:
        return rest, None
    rest, other = _cut(rest, parts)
    return rest, _agreed(time, other) if other else time


def _cut(words: list[str], parts: Mapping[str, int]) -> tuple[list[str], Time | None]:
    for size in range(min(_MOST_WORDS, len(words)), 0, -1):
        for rest, candidate in ((words[:-size], words[-size:]), (words[size:], words[:size])):
            if (match := _TIME.fullmatch(" ".join(candidate))) and (time := _read(match, parts)):
                return rest, time
    return words, None


def _read(match: re.Match[str], parts: Mapping[str, int]) -> Time | None:
    if part := match["part"]:
        minutes = _NOON if part == "noon" else parts[part]
        return Time(minutes, part, is_today=bool(match["this"]) or part == "tonight")
    hour, minute, half = int(match["hour"]), int(match["minute"] or 0), match["half"]
    if half:
        return Time((hour % 12 + 12 * (half == "p")) * 60 + minute) if 1 <= hour <= 12 else None
    is_time = match["at"] or match["minute"]  # a bare number is none
    return Time(hour * 60 + minute) if is_time and hour < 24 else None


def _agreed(one: Time, other: Time) -> Time:
    exact, vague = (one, other) if other.part else (other, one)
    if exact.part or exact.minutes not in _SPANS.get(vague.part, ()):
        raise ValueError("two times")
    return Time(exact.minutes, vague.part, vague.is_today)
