"""Recurrence rules: which RRULE is understood, and that its days are those of an independent implementation."""

from collections.abc import Iterator, Sequence
from datetime import date, datetime, time, timedelta
from itertools import islice, takewhile
from random import Random
from typing import NamedTuple
from zoneinfo import ZoneInfo

import pytest
from dateutil.rrule import rrulestr

from mcp_server.tasks.calendar.occurrences import day_after_completion, days_of, happens
from mcp_server.tasks.calendar.rules import plainest, read_rule
from shared.errors import Problem

CODES = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
FREQUENCIES = ("DAILY", "WEEKLY", "MONTHLY", "YEARLY")
WINDOW = timedelta(365 * 9)
SEEDS = range(4)
RULES_PER_SEED = 300


class Given(NamedTuple):
    """A rule as text, without its end, and the day it is counted from."""

    parts: dict[str, str]
    anchor: date

    def text(self, **more: str) -> str:
        return ";".join(f"{name}={value}" for name, value in (self.parts | more).items())


def some(random: Random, values: Sequence[object]) -> str:
    return ",".join(map(str, random.sample(values, random.randint(1, min(4, len(values))))))


def places(most: int) -> list[int]:
    return [*range(1, most + 1), *range(-most, 0)]


def random_rule(random: Random) -> Given:
    """Any rule but those that mix plain and counted weekdays, which the other implementation intersects."""
    freq = random.choice(FREQUENCIES)
    parts = {"FREQ": freq, "WKST": random.choice(CODES)}
    if random.random() < 0.6:
        parts["INTERVAL"] = str(random.choice([1, 2, 2, 3, 4, 5, 7, 12, 31]))
    if random.random() < 0.3:
        parts["BYMONTH"] = some(random, range(1, 13))
    if freq != "WEEKLY" and random.random() < 0.35:
        parts["BYMONTHDAY"] = some(random, [*places(31), 29, 30, 31, -1])
    if random.random() < 0.45:
        parts["BYDAY"] = some(random, CODES)
        if freq in ("MONTHLY", "YEARLY") and random.random() < 0.5:
            most = 5 if freq == "MONTHLY" or "BYMONTH" in parts else 53
            days = parts["BYDAY"].split(",")
            parts["BYDAY"] = ",".join(f"{random.choice(places(most)):+d}{day}" for day in days)
    if parts.keys() & {"BYMONTH", "BYMONTHDAY", "BYDAY"} and random.random() < 0.3:
        parts["BYSETPOS"] = some(random, places(4))
    names = random.sample(sorted(parts), len(parts))
    years = range(2094, 2101) if random.random() < 0.05 else range(1970, 1988)
    anchor = date(random.choice(years), random.randint(1, 12), 1) + timedelta(random.randint(0, 30))
    return Given({name: parts[name] for name in names}, anchor)


def moved(day: date, years: int) -> date:
    return day.replace(year=day.year + years)


def days_elsewhere(given: Given, *, until: date | None = None, count: int | None = None) -> Iterator[date]:
    """The days by dateutil.

    It ends a rule without days only in the year 9999, so it is asked about days shortly before: the calendar comes
    again every 400 years. And its first week begins on the day it starts from, not with the week as RFC 5545 says.
    """
    away = 7600 if given.anchor.year > 2000 else 8000
    start = moved(given.anchor, away)
    if {"BYDAY", "BYSETPOS"} <= given.parts.keys() and given.parts["FREQ"] == "WEEKLY":
        start -= timedelta((start.weekday() - CODES.index(given.parts["WKST"])) % 7)
    end = {"COUNT": f"{count}"} if count else {"UNTIL": f"{moved(until, away):%Y%m%d}"} if until else {}
    found = rrulestr(given.text(**end), dtstart=datetime.combine(start, time.min))
    return (day for moment in found if (day := moved(moment.date(), -away)) >= given.anchor)


@pytest.mark.parametrize("seed", SEEDS)
def test_the_days_of_random_rules_are_those_of_dateutil(seed: int) -> None:
    random = Random(seed)
    with_days = 0
    for _ in range(RULES_PER_SEED):
        given = random_rule(random)
        anchor, end = given.anchor, given.anchor + WINDOW * random.random()
        text = random.choice(["", "RRULE:", "rrule:"]) + given.text(UNTIL=f"{end:%Y%m%d}")
        expected = list(islice(days_elsewhere(given, until=end), 40))
        rule = read_rule(random.choice([text, text.lower()]))
        assert list(islice(days_of(rule, anchor, anchor), 40)) == expected, (text, anchor)
        assert list(islice(days_of(plainest(rule), anchor, anchor), 40)) == expected, (text, anchor)
        assert read_rule(str(rule)) == rule
        assert read_rule(str(plainest(rule))) == plainest(rule)
        since = anchor + timedelta(random.randint(-10, 1500))
        later = [day for day in expected if day >= since]
        assert list(islice(days_of(rule, anchor, since), len(later))) == later, (text, anchor, since)
        with_days += len(expected) > 1
    assert with_days > RULES_PER_SEED / 2


@pytest.mark.parametrize("seed", SEEDS)
def test_a_count_ends_random_rules_where_dateutil_ends_them(seed: int) -> None:
    random = Random(seed)
    for _ in range(RULES_PER_SEED // 5):
        given = random_rule(random)
        first = next(days_elsewhere(given, until=given.anchor + WINDOW), None)
        if first and not {"BYDAY", "BYSETPOS"} <= given.parts.keys():
            begun, count = given._replace(anchor=first), random.randint(1, 12)
            is_near = (given.anchor + WINDOW).__ge__
            expected = list(takewhile(is_near, days_elsewhere(begun, count=count)))
            found = days_of(read_rule(begun.text(COUNT=f"{count}")), first, first)
            assert list(takewhile(is_near, found)) == expected, (begun.text(), count, first)


def first_days(rrule: str, anchor: str, count: int = 6) -> str:
    start = date.fromisoformat(anchor)
    return " ".join(f"{day:%m-%d}" for day in islice(days_of(read_rule(rrule), start, start), count))


@pytest.mark.parametrize(
    ("rrule", "anchor", "expected"),
    [
        ("FREQ=MONTHLY", "2027-01-31", "01-31 03-31 05-31 07-31 08-31 10-31"),
        ("FREQ=MONTHLY;BYMONTHDAY=31", "2027-01-31", "01-31 03-31 05-31 07-31 08-31 10-31"),
        ("FREQ=MONTHLY;BYMONTHDAY=-1", "2027-01-31", "01-31 02-28 03-31 04-30 05-31 06-30"),
        ("FREQ=MONTHLY;BYMONTHDAY=-31", "2027-01-01", "01-01 03-01 05-01 07-01 08-01 10-01"),
        ("FREQ=MONTHLY;BYMONTHDAY=28,29,30,31;BYSETPOS=-1", "2028-01-31", "01-31 02-29 03-31 04-30 05-31 06-30"),
        ("FREQ=MONTHLY;BYMONTHDAY=28,29,30;BYSETPOS=-1", "2027-01-30", "01-30 02-28 03-30 04-30 05-30 06-30"),
        ("FREQ=MONTHLY;BYDAY=-1FR", "2026-11-27", "11-27 12-25 01-29 02-26 03-26 04-30"),
        ("FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1", "2026-11-30", "11-30 12-31 01-29 02-26 03-31 04-30"),
        ("FREQ=MONTHLY;BYDAY=5SU", "2026-11-20", "11-29 01-31 05-30 08-29 10-31 01-30"),
        ("FREQ=YEARLY", "2028-02-29", "02-29 02-29 02-29 02-29 02-29 02-29"),
        ("FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=28,29;BYSETPOS=-1", "2027-02-28", "02-28 02-29 02-28 02-28 02-28 02-29"),
        ("FREQ=YEARLY;BYDAY=1MO,-1FR", "2027-01-01", "01-04 12-31 01-03 12-29 01-01 12-28"),
        ("FREQ=YEARLY;BYMONTH=3;BYDAY=-1SU", "2026-11-20", "03-28 03-26 03-25 03-31 03-30 03-28"),
        ("FREQ=WEEKLY;INTERVAL=2;BYDAY=SU,MO", "2026-11-22", "11-22 11-30 12-06 12-14 12-20 12-28"),
        ("FREQ=WEEKLY;INTERVAL=2;BYDAY=SU,MO;WKST=SU", "2026-11-22", "11-22 11-23 12-06 12-07 12-20 12-21"),
        # Mixed with a counted weekday a plain one still means each of them.
        ("FREQ=MONTHLY;BYDAY=MO,1TU", "2026-12-01", "12-01 12-07 12-14 12-21 12-28 01-04"),
        # A week begins with its first day, also the one that the rule starts in.
        ("FREQ=WEEKLY;BYDAY=MO,FR;BYSETPOS=1", "2026-11-25", "11-30 12-07 12-14 12-21 12-28 01-04"),
        ("FREQ=DAILY;INTERVAL=3;BYDAY=MO", "2026-11-25", "12-07 12-28 01-18 02-08 03-01 03-22"),
    ],
)
def test_months_weeks_and_leap_years_are_counted_as_rfc_5545_says(rrule: str, anchor: str, expected: str) -> None:
    assert first_days(rrule, anchor) == expected


def test_a_count_includes_the_anchor_even_if_it_is_another_day() -> None:
    assert first_days("FREQ=WEEKLY;BYDAY=MO;COUNT=3", "2026-11-23") == "11-23 11-30 12-07"
    assert first_days("FREQ=WEEKLY;BYDAY=MO;COUNT=3", "2026-11-25") == "11-30 12-07"


def test_days_later_on_are_counted_from_the_anchor_too() -> None:
    rule, anchor = read_rule("FREQ=DAILY;COUNT=3"), date(2026, 11, 20)
    assert list(days_of(rule, anchor, date(2026, 11, 22))) == [date(2026, 11, 22)]
    assert list(days_of(rule, anchor, date(2026, 11, 23))) == []


def test_no_day_lies_after_the_last_that_a_date_may_have() -> None:
    weeks = list(days_of(read_rule("FREQ=WEEKLY;BYDAY=WE,FR"), date(2200, 12, 22), date(2200, 12, 22)))
    assert weeks == [date(2200, 12, 24), date(2200, 12, 26), date(2200, 12, 31)]


@pytest.mark.parametrize(
    ("rrule", "done", "expected"),
    [
        ("FREQ=DAILY;INTERVAL=3", "2026-11-20", "2026-11-23"),
        ("FREQ=WEEKLY", "2026-11-20", "2026-11-27"),
        ("FREQ=WEEKLY;INTERVAL=2;BYDAY=MO", "2026-11-25", "2026-12-14"),
        ("FREQ=DAILY;BYDAY=MO,TU,WE,TH,FR", "2026-11-20", "2026-11-23"),
        ("FREQ=DAILY;BYDAY=MO,TH", "2026-11-23", "2026-11-26"),
        ("FREQ=MONTHLY", "2027-01-31", "2027-02-28"),
        ("FREQ=MONTHLY", "2028-01-31", "2028-02-29"),
        ("FREQ=MONTHLY;INTERVAL=14", "2026-12-31", "2028-02-29"),
        ("FREQ=MONTHLY;BYMONTHDAY=15", "2026-11-13", "2026-12-15"),
        ("FREQ=MONTHLY;BYMONTHDAY=15", "2026-11-20", "2027-01-15"),
        ("FREQ=MONTHLY;BYMONTHDAY=28,29,30,31;BYSETPOS=-1", "2027-01-31", "2027-02-28"),
        ("FREQ=YEARLY", "2028-02-29", "2029-02-28"),
        ("FREQ=YEARLY;INTERVAL=2;BYMONTH=12;BYMONTHDAY=1", "2026-11-30", "2028-12-01"),
        ("FREQ=DAILY;INTERVAL=3;UNTIL=20261123", "2026-11-20", "2026-11-23"),
        ("FREQ=DAILY;INTERVAL=3;UNTIL=20261122", "2026-11-20", None),
        ("FREQ=DAILY;COUNT=2", "2026-11-20", "2026-11-21"),
        ("FREQ=DAILY;COUNT=1", "2026-11-20", None),
    ],
)
def test_from_completion_an_interval_passes_and_then_the_rest_counts(
    rrule: str, done: str, expected: str | None
) -> None:
    found = day_after_completion(read_rule(rrule), date.fromisoformat(done))
    assert found == (expected and date.fromisoformat(expected))


@pytest.mark.parametrize(
    ("rrule", "canonical"),
    [
        ("rrule:freq=daily", "FREQ=DAILY"),
        (" FREQ = DAILY ; INTERVAL = 1 ", "FREQ=DAILY"),
        ("COUNT=3;BYDAY=FR,MO;INTERVAL=02;FREQ=WEEKLY", "FREQ=WEEKLY;INTERVAL=2;BYDAY=MO,FR;COUNT=3"),
        ("FREQ=MONTHLY;BYMONTHDAY=-1,15,+1,15", "FREQ=MONTHLY;BYMONTHDAY=1,15,-1"),
        ("FREQ=MONTHLY;BYDAY=-1FR,+2MO", "FREQ=MONTHLY;BYDAY=2MO,-1FR"),
        ("FREQ=WEEKLY;INTERVAL=2;BYDAY=MO;WKST=MO", "FREQ=WEEKLY;INTERVAL=2;BYDAY=MO"),
        ("FREQ=WEEKLY;INTERVAL=2;BYDAY=MO;WKST=SU", "FREQ=WEEKLY;INTERVAL=2;BYDAY=MO;WKST=SU"),
        ("FREQ=WEEKLY;BYDAY=MO,FR;BYSETPOS=1;WKST=SU", "FREQ=WEEKLY;BYDAY=MO,FR;BYSETPOS=1;WKST=SU"),
        ("FREQ=WEEKLY;BYDAY=MO;WKST=SU", "FREQ=WEEKLY;BYDAY=MO"),
        ("FREQ=MONTHLY;WKST=SU", "FREQ=MONTHLY"),
        ("FREQ=DAILY;BYDAY=MO,TU,WE,TH,FR", "FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR"),
        ("FREQ=DAILY;INTERVAL=2;BYDAY=MO", "FREQ=DAILY;INTERVAL=2;BYDAY=MO"),
        ("FREQ=DAILY;BYMONTHDAY=13;BYDAY=FR", "FREQ=DAILY;BYMONTHDAY=13;BYDAY=FR"),
        ("FREQ=MONTHLY;BYDAY=FR;BYSETPOS=-1", "FREQ=MONTHLY;BYDAY=-1FR"),
        ("FREQ=MONTHLY;BYDAY=FR;BYSETPOS=6", "FREQ=MONTHLY;BYDAY=FR;BYSETPOS=6"),
        ("FREQ=MONTHLY;BYMONTHDAY=1,13;BYDAY=FR;BYSETPOS=1", "FREQ=MONTHLY;BYMONTHDAY=1,13;BYDAY=FR;BYSETPOS=1"),
        ("FREQ=YEARLY;BYMONTH=11;BYDAY=TH;BYSETPOS=4", "FREQ=YEARLY;BYMONTH=11;BYDAY=4TH"),
        ("FREQ=YEARLY;BYMONTH=5,11;BYDAY=TH;BYSETPOS=4", "FREQ=YEARLY;BYMONTH=5,11;BYDAY=TH;BYSETPOS=4"),
        ("FREQ=DAILY;UNTIL=20261231", "FREQ=DAILY;UNTIL=20261231"),
        ("FREQ=DAILY;UNTIL=20261231T090000", "FREQ=DAILY;UNTIL=20261231"),
    ],
)
def test_a_rule_is_kept_in_one_way(rrule: str, canonical: str) -> None:
    assert str(plainest(read_rule(rrule))) == canonical


@pytest.mark.parametrize(
    ("until", "zone", "expected"),
    [
        ("20261231T225959Z", "Europe/Berlin", date(2026, 12, 31)),
        ("20261231T233000Z", "Europe/Berlin", date(2027, 1, 1)),
        ("20270101T045959Z", "America/New_York", date(2026, 12, 31)),
        ("20261231T105959Z", "Pacific/Auckland", date(2026, 12, 31)),
        # What programs write that take everybody's day for one in UTC.
        ("20261231T235959Z", "Europe/Berlin", date(2026, 12, 31)),
        ("20261231T235959Z", "Pacific/Auckland", date(2026, 12, 31)),
    ],
)
def test_an_until_that_is_an_instant_ends_on_its_local_day(until: str, zone: str, expected: date) -> None:
    assert read_rule(f"FREQ=DAILY;UNTIL={until}", ZoneInfo(zone)).until == expected


@pytest.mark.parametrize(
    "rrule",
    [
        "", "RRULE:", "INTERVAL=2", "FREQ=", "FREQ=HOURLY", "FREQ=SECONDLY", "FREQ=DAILY;", "FREQ=DAILY;;COUNT=2",
        "FREQ=DAILY;FREQ=DAILY", "FREQ=DAILY;BYHOUR=9", "FREQ=DAILY;BYMINUTE=0", "FREQ=YEARLY;BYWEEKNO=20",
        "FREQ=YEARLY;BYYEARDAY=100", "FREQ=DAILY;RDATE=20261201", "FREQ=DAILY;EXDATE=20261201", "FREQ=DAILY;X=1",
        "DTSTART:20261120\nRRULE:FREQ=DAILY", "RRULE:FREQ=DAILY\nEXDATE:20261120",
        "FREQ=DAILY;INTERVAL=0", "FREQ=DAILY;INTERVAL=-1", "FREQ=DAILY;INTERVAL=1001", "FREQ=DAILY;INTERVAL=x",
        "FREQ=DAILY;INTERVAL=2,2", "FREQ=DAILY;INTERVAL=", "FREQ=DAILY;INTERVAL=1.5", "FREQ=DAILY;INTERVAL=²",
        "FREQ=DAILY;COUNT=0", "FREQ=DAILY;COUNT=99999", "FREQ=DAILY;COUNT=3;UNTIL=20261231",
        "FREQ=MONTHLY;BYMONTHDAY=0", "FREQ=MONTHLY;BYMONTHDAY=32", "FREQ=MONTHLY;BYMONTHDAY=-32",
        "FREQ=MONTHLY;BYMONTHDAY=1,", "FREQ=WEEKLY;BYMONTHDAY=3", "FREQ=YEARLY;BYMONTH=13", "FREQ=YEARLY;BYMONTH=-1",
        "FREQ=WEEKLY;BYDAY=1MO", "FREQ=DAILY;BYDAY=-1MO", "FREQ=MONTHLY;BYDAY=0MO", "FREQ=MONTHLY;BYDAY=6MO",
        "FREQ=YEARLY;BYDAY=54MO", "FREQ=WEEKLY;BYDAY=XX", "FREQ=WEEKLY;BYDAY=MONDAY", "FREQ=WEEKLY;BYDAY=",
        "FREQ=MONTHLY;BYSETPOS=1", "FREQ=MONTHLY;BYDAY=MO;BYSETPOS=0", "FREQ=MONTHLY;BYDAY=MO;BYSETPOS=367",
        "FREQ=WEEKLY;WKST=XX", "FREQ=WEEKLY;WKST=MO,TU",
        "FREQ=DAILY;UNTIL=", "FREQ=DAILY;UNTIL=2026-12-31", "FREQ=DAILY;UNTIL=20260230", "FREQ=DAILY;UNTIL=19691231",
        "FREQ=DAILY;UNTIL=22010101", "FREQ=DAILY;UNTIL=99991231T235958Z", "FREQ=DAILY;UNTIL=20261231T250000Z",
        "FREQ=DAILY;UNTIL=20261231T0900", "FREQ=DAILY;UNTIL=20261231T090000+0100",
    ],
)  # fmt: skip
def test_any_other_part_of_a_rule_is_refused(rrule: str) -> None:
    with pytest.raises(Problem) as caught:
        read_rule(rrule, ZoneInfo("Europe/Berlin"))
    assert caught.value.code == "bad_repeat"
    assert caught.value.hint
    assert len(str(caught.value)) <= 160


@pytest.mark.parametrize(
    ("rrule", "expected"),
    [
        ("FREQ=MONTHLY;BYMONTH=2;BYMONTHDAY=30", False),
        ("FREQ=MONTHLY;BYDAY=MO;BYSETPOS=6", False),
        ("FREQ=YEARLY;BYMONTH=4;BYMONTHDAY=31", False),
        ("FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=29;BYDAY=MO", False),  # not before 2044
        ("FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=29", True),
        ("FREQ=YEARLY;INTERVAL=100", True),
        ("FREQ=DAILY;UNTIL=19700101", True),
    ],
)
def test_a_rule_is_asked_whether_it_gives_any_day_in_ten_years(rrule: str, expected: bool) -> None:
    assert happens(read_rule(rrule), date(2026, 11, 20)) is expected
