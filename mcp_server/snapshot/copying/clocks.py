"""Instants on a person's clock and the names of weeks, remembered day by day: a zone has few of them, rows are many."""

from datetime import UTC, date, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

SECOND_US: Final = 1_000_000
DAY_US: Final = 24 * 60 * 60 * SECOND_US
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_DAY_ZERO: Final = date(1970, 1, 1)


class Offsets(dict[int, int | None]):
    """The offset of a zone in seconds by day of UTC; nothing for a day on which the clocks change."""

    def __init__(self, zone: ZoneInfo) -> None:
        super().__init__()
        self._zone = zone

    def __missing__(self, day: int) -> int | None:
        first, last = self.exact_s(day * DAY_US), self.exact_s((day + 1) * DAY_US - 1)
        self[day] = first if first == last else None
        return self[day]

    def exact_s(self, at_us: int) -> int:
        """The offset at one instant."""
        local = (_EPOCH + timedelta(microseconds=at_us)).astimezone(self._zone)
        offset = local.utcoffset()
        assert offset is not None
        return offset // timedelta(seconds=1)


class Clock:
    """One person's wall clock."""

    def __init__(self, zone: ZoneInfo) -> None:
        self._offsets = Offsets(zone)

    def wall_s(self, at_us: int) -> int:
        """What the clock shows at an instant, in seconds since it showed 1970-01-01 00:00."""
        offset_s = self._offsets[at_us // DAY_US]
        return at_us // SECOND_US + (self._offsets.exact_s(at_us) if offset_s is None else offset_s)

    def shown(self, at_us: int) -> str:
        """The same as text: `2026-11-20 09:41`."""
        return f"{_EPOCH + timedelta(seconds=self.wall_s(at_us)):%Y-%m-%d %H:%M}"


def week_name(number: int) -> str:
    """A week from Monday, counted from the one with 1970-01-01, as ISO 8601 calls it: `2026-W47`."""
    year, week, _ = (_DAY_ZERO + timedelta(7 * number)).isocalendar()
    return f"{year:04d}-W{week:02d}"
