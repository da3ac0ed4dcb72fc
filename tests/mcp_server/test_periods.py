"""What words for spans of days mean: every form, both directions, every refusal, in several zones and settings."""

import random
from datetime import UTC, date, datetime, timedelta
from typing import Final, Literal
from zoneinfo import ZoneInfo

import pytest

from mcp_server.tasks.calendar.dates import YEARS, Habits, resolve
from mcp_server.tasks.calendar.periods import Period, period
from shared.errors import Problem

Preference = Literal["future", "past"]

BERLIN: Final = Habits(ZoneInfo("Europe/Berlin"))
# Friday 2026-11-20, 10:40 in Berlin.
NOW: Final = datetime(2026, 11, 20, 9, 40, tzinfo=UTC)

EITHER_WAY: Final = {
    "today": "2026-11-20..2026-11-20",
    "yesterday": "2026-11-19..2026-11-19",
    "2026-12-01": "2026-12-01..2026-12-01",
    "2026-12-01T09:00": "2026-12-01..2026-12-01",
    "in 3 days": "2026-11-23..2026-11-23",
    "eow": "2026-11-22..2026-11-22",
    "this fri": "2026-11-20..2026-11-20",
    "this week": "2026-11-16..2026-11-22",
    "last week": "2026-11-09..2026-11-15",
    "next week": "2026-11-23..2026-11-29",
    "Next  Week": "2026-11-23..2026-11-29",
    "weekend": "2026-11-21..2026-11-22",
    "this weekend": "2026-11-21..2026-11-22",
    "last weekend": "2026-11-14..2026-11-15",
    "next weekend": "2026-11-28..2026-11-29",
    "this month": "2026-11-01..2026-11-30",
    "last month": "2026-10-01..2026-10-31",
    "next month": "2026-12-01..2026-12-31",
    "this year": "2026-01-01..2026-12-31",
    "last year": "2025-01-01..2025-12-31",
    "next year": "2027-01-01..2027-12-31",
    "last 7 days": "2026-11-14..2026-11-20",
    "the last 7 days": "2026-11-14..2026-11-20",
    "last 1 day": "2026-11-20..2026-11-20",
    "next 7 days": "2026-11-20..2026-11-26",
    "next 2 weeks": "2026-11-20..2026-12-03",
    "past 3 months": "2026-08-21..2026-11-20",
    "last two weeks": "2026-11-07..2026-11-20",
    "past week": "2026-11-14..2026-11-20",
    "past month": "2026-10-21..2026-11-20",
    "next 1 year": "2026-11-20..2027-11-19",
    "2026-12": "2026-12-01..2026-12-31",
    "2028-02": "2028-02-01..2028-02-29",
    "2026-W47": "2026-11-16..2026-11-22",
    "2026-w53": "2026-12-28..2027-01-03",
    "2026": "2026-01-01..2026-12-31",
    "dec 2025": "2025-12-01..2025-12-31",
    "february 2028": "2028-02-01..2028-02-29",
    "november": "2026-11-01..2026-11-30",
}
# What it is with a preference for the future, and with one for the past.
DIRECTED: Final = {
    "mon": ("2026-11-23..2026-11-23", "2026-11-16..2026-11-16"),
    "dec 1": ("2026-12-01..2026-12-01", "2025-12-01..2025-12-01"),
    "7d": ("2026-11-20..2026-11-26", "2026-11-14..2026-11-20"),
    "1d": ("2026-11-20..2026-11-20", "2026-11-20..2026-11-20"),
    "2w": ("2026-11-20..2026-12-03", "2026-11-07..2026-11-20"),
    "3m": ("2026-11-20..2027-02-19", "2026-08-21..2026-11-20"),
    "1y": ("2026-11-20..2027-11-19", "2025-11-21..2026-11-20"),
    "december": ("2026-12-01..2026-12-31", "2025-12-01..2025-12-31"),
    "oct": ("2027-10-01..2027-10-31", "2026-10-01..2026-10-31"),
    "may": ("2027-05-01..2027-05-31", "2026-05-01..2026-05-31"),
}
REFUSED: Final = (
    "", "banana", "week", "month", "this", "7", "7 days", "last 0 days", "0d", "-7d", "last 9999 years", "99999d",
    "2026-13", "2026-00", "2026-W00", "2026-W54", "1969", "1969-12", "2201", "2200-W99", "decem", "pm", "13 2026",
    "dec 20266", "last some days", "2026-02-30", "٢٠٢٦",
)  # fmt: skip
PIECES: Final = (
    "last", "next", "this", "past", "7", "2026", "12", "w47", "-", "0", "day", "days", "week", "month", "year",
    "weekend", "dec", "d", "w", "9999", "the", "of",
)  # fmt: skip


@pytest.mark.parametrize("prefer", ["future", "past"])
@pytest.mark.parametrize(("words", "days"), EITHER_WAY.items())
def test_words_for_a_period_give_its_first_and_last_day(words: str, days: str, prefer: Preference) -> None:
    assert shown(period(words, NOW, BERLIN, prefer=prefer)) == days


@pytest.mark.parametrize(("words", "days"), DIRECTED.items())
def test_some_words_point_in_the_direction_that_is_asked_for(words: str, days: tuple[str, str]) -> None:
    assert (shown(period(words, NOW, BERLIN)), shown(period(words, NOW, BERLIN, prefer="past"))) == days


@pytest.mark.parametrize("words", REFUSED)
def test_what_names_no_days_is_refused(words: str) -> None:
    with pytest.raises(Problem) as refused:
        period(words, NOW, BERLIN)
    assert refused.value.code == "bad_date"


def test_a_date_with_two_readings_is_refused() -> None:
    with pytest.raises(Problem) as refused:
        period("12/01/2026", NOW, BERLIN)
    assert refused.value.code == "ambiguous_date"


def test_a_week_starts_on_the_day_of_the_settings_and_a_weekend_stays_together() -> None:
    sunday_first = Habits(BERLIN.zone, week_start=6)
    assert shown(period("this week", NOW, sunday_first)) == "2026-11-15..2026-11-21"
    assert shown(period("next week", NOW, sunday_first)) == "2026-11-22..2026-11-28"
    assert shown(period("this weekend", NOW, sunday_first)) == "2026-11-21..2026-11-22"
    assert shown(period("2026-W47", NOW, sunday_first)) == "2026-11-16..2026-11-22"


def test_on_a_sunday_the_weekend_is_the_one_that_ends() -> None:
    sunday = NOW + timedelta(2)
    assert shown(period("this weekend", sunday, BERLIN)) == "2026-11-21..2026-11-22"
    assert shown(period("next weekend", sunday, BERLIN)) == "2026-11-28..2026-11-29"


def test_days_are_those_of_the_persons_zone() -> None:
    late = datetime(2026, 12, 31, 23, 30, tzinfo=UTC)  # 2027 in Berlin, 2026 in New York
    assert shown(period("this month", late, BERLIN)) == "2027-01-01..2027-01-31"
    assert shown(period("this month", late, Habits(ZoneInfo("America/New_York")))) == "2026-12-01..2026-12-31"


def test_months_of_different_length_are_counted_without_losing_a_day() -> None:
    end_of_march = datetime(2027, 3, 31, 12, tzinfo=UTC)
    assert shown(period("past month", end_of_march, BERLIN)) == "2027-03-01..2027-03-31"
    assert shown(period("next 1 month", end_of_march, BERLIN)) == "2027-03-31..2027-04-29"


def test_a_run_of_days_or_weeks_has_exactly_as_many_and_touches_today() -> None:
    dice = random.Random(1)
    for _ in range(500):
        moment = NOW + timedelta(dice.randrange(-3_000, 3_000))
        today = moment.astimezone(BERLIN.zone).date()
        count, unit = dice.randrange(1, 200), dice.choice(("day", "week"))
        days = timedelta(count * (7 if unit == "week" else 1) - 1)
        assert period(f"last {count} {unit}s", moment, BERLIN) == Period(today - days, today)
        assert period(f"next {count} {unit}", moment, BERLIN) == Period(today, today + days)


def test_neighbouring_months_and_years_leave_no_gap() -> None:
    for year in (YEARS[0], 2024, 2026, 2099, YEARS[-1]):
        months = [period(f"{year}-{month:02}", NOW, BERLIN) for month in range(1, 13)]
        assert [one.last + timedelta(1) for one in months[:-1]] == [one.first for one in months[1:]]
        assert Period(months[0].first, months[-1].last) == period(str(year), NOW, BERLIN)


def test_every_date_is_a_period_of_one_day_unless_its_words_name_a_longer_one() -> None:
    for words in ("tomorrow", "sat", "next fri", "the 15th", "last friday of the month", "3 days ago", "fri 9am"):
        day = resolve(words, NOW, BERLIN).day
        assert period(words, NOW, BERLIN) == Period(day, day)


def test_any_words_give_days_in_order_or_a_refusal() -> None:
    dice = random.Random(2)
    for _ in range(5_000):
        words = dice.choice(("", " ", "-")).join(dice.choice(PIECES) for _ in range(dice.randrange(1, 5)))
        try:
            found = period(words, NOW, BERLIN, prefer=dice.choice(("future", "past")))
        except Problem as problem:
            assert problem.code in ("bad_date", "ambiguous_date")
        else:
            assert date(YEARS[0], 1, 1) <= found.first <= found.last <= date(YEARS[-1], 12, 31), words


def shown(found: Period) -> str:
    """The bounds of a period, as a filter writes a range."""
    return f"{found.first}..{found.last}"
