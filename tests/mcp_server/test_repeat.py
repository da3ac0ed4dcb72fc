"""The dates of a repeating task: the one it begins with, and the one that follows when it is completed."""

from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, time, timedelta
from itertools import islice
from random import Random
from zoneinfo import ZoneInfo

import pytest
from dateutil.rrule import rrulestr

from mcp_server.tasks.calendar.dates import Habits, When
from mcp_server.tasks.calendar.repeat import (
    Occurrence,
    first_due,
    first_on_or_after,
    next_after,
    next_due,
    next_from_done,
    parse_repeat,
)
from shared.errors import Problem

BERLIN = ZoneInfo("Europe/Berlin")
NEW_YORK = ZoneInfo("America/New_York")
AUCKLAND = ZoneInfo("Pacific/Auckland")
TODAY = "2026-11-20"  # a Friday


def moment(text: str, zone: ZoneInfo = BERLIN) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=zone).astimezone(UTC)


NOW = moment(f"{TODAY} 10:40")


def when(text: str) -> When:
    """A date, a time if there is one, and a zone if there is one: "2026-11-20 09:00 Europe/Berlin"."""
    day, clock, zone = (*text.split(" "), "", "")[:3]
    minutes = int(clock[:2]) * 60 + int(clock[3:]) if clock else None
    return When(date.fromisoformat(day), minutes, zone or None)


def written(due: When) -> str:
    clock = "" if due.minutes is None else f"{due.minutes // 60:02}:{due.minutes % 60:02}"
    return " ".join(filter(None, [f"{due.day}", clock, due.zone]))


def begun(text: str, due: str = "", now: datetime = NOW, zone: ZoneInfo = BERLIN) -> Occurrence:
    return first_due(parse_repeat(text, now, Habits(zone)), when(due) if due else None, now, zone)


def after(one: Occurrence, now: str, *, due: str = "", done: str = "", home: ZoneInfo = BERLIN) -> Occurrence | None:
    """What follows when it is completed at that local time; `due` is where it was moved to before."""
    done_day = date.fromisoformat(done or now[:10])
    return next_due(one.repeat, one.anchor, when(due) if due else one.due, done_day, moment(now, home), home)


def dates(one: Occurrence | None, complete: Callable[[Occurrence], str]) -> Iterator[str]:
    """The dates of a task that is completed each time on the day that `complete` gives."""
    while one:
        yield written(one.due)
        one = after(one, f"{complete(one)} 12:00")


def on_time(one: Occurrence) -> str:
    return f"{one.due.day}"


def days_away(days: int) -> Callable[[Occurrence], str]:
    return lambda one: f"{one.due.day + timedelta(days)}"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("every day", "2026-11-20"),
        ("every 3 days", "2026-11-20"),
        ("every week", "2026-11-20"),
        ("every weekday", "2026-11-20"),
        ("every mon", "2026-11-23"),
        # The coming one, not one that is two weeks away from a week that nobody named.
        ("every 2 weeks on mon", "2026-11-23"),
        ("every 2 months on the 15th", "2026-12-15"),
        ("every 4 years on feb 29", "2027-02-28"),
        ("every month on the 31st", "2026-11-30"),
        ("every month on the last friday", "2026-11-27"),
        ("every dec 1", "2026-12-01"),
        ("every nov 19", "2027-11-19"),
        ("every! 3 days", "2026-11-20"),
        ("every! mon", "2026-11-23"),
        ("every day until 2026-11-20", "2026-11-20"),
        ("FREQ=YEARLY;INTERVAL=4;BYMONTH=2;BYMONTHDAY=29", "2028-02-29"),
        ("every day at 10:40", "2026-11-20 10:40"),
        ("every day at 10:39", "2026-11-21 10:39"),
        ("every fri at 9am", "2026-11-27 09:00"),
        ("every fri at 5pm", "2026-11-20 17:00"),
    ],
)
def test_without_a_due_date_a_task_begins_on_the_first_that_is_not_past(text: str, expected: str) -> None:
    one = begun(text)
    assert written(one.due) == expected
    assert one.anchor == one.due.day


def test_the_first_date_is_that_of_the_persons_zone() -> None:
    assert written(begun("every day", zone=AUCKLAND, now=moment(f"{TODAY} 20:00")).due) == "2026-11-21"


@pytest.mark.parametrize(
    ("text", "due", "expected"),
    [
        ("every mon", "2026-11-25", "2026-11-25"),
        ("every mon", "2026-11-25 09:00 America/New_York", "2026-11-25 09:00 America/New_York"),
        ("every mon at 9am", "2026-11-25", "2026-11-25 09:00"),
        ("every mon at 9am", "2026-11-25 17:00", "2026-11-25 17:00"),
        ("every mon", "2020-01-01", "2020-01-01"),
        ("every day until 2026-12-01", "2026-12-01", "2026-12-01"),
    ],
)
def test_a_due_date_that_is_given_is_where_the_task_begins(text: str, due: str, expected: str) -> None:
    one = begun(text, due)
    assert (written(one.due), one.anchor) == (expected, when(due).day)


@pytest.mark.parametrize(
    ("text", "due", "expected"),
    [
        ("every month", "2027-01-31", "every month on the 31st"),
        ("every month", "2027-01-29", "every month on the 29th"),
        ("every month at 9am", "2027-01-30", "every month on the 30th at 09:00"),
        ("FREQ=MONTHLY;COUNT=3", "2027-01-30", "every month on the 30th for 3 times"),
        ("every 3 months until 2028-01-01", "2027-01-31", "every 3 months on the 31st until 2028-01-01"),
        ("every year", "2028-02-29", "every feb 29"),
        ("every 2 years", "2028-02-29", "every 2 years on feb 29"),
        ("FREQ=YEARLY;BYMONTH=2", "2027-01-31", "every feb 29"),
        ("every month", "2027-01-28", "every month"),
        ("every year", "2027-12-31", "every year"),
        ("every week", "2027-01-31", "every week"),
        ("every! month", "2027-01-31", "every! month"),
        ("every month on the 15th", "2027-01-31", "every month on the 15th"),
        ("FREQ=MONTHLY;BYMONTHDAY=31", "2027-01-31", "FREQ=MONTHLY;BYMONTHDAY=31"),
        ("FREQ=WEEKLY;INTERVAL=2;BYDAY=MO;WKST=SU", "2027-01-31", "FREQ=WEEKLY;INTERVAL=2;BYDAY=MO;WKST=SU"),
    ],
)
def test_a_month_or_year_that_begins_on_a_day_others_lack_means_their_last_day(
    text: str, due: str, expected: str
) -> None:
    assert begun(text, due).repeat.text == expected


def test_month_ends_and_leap_days_come_every_time() -> None:
    assert list(islice(dates(begun("every month", "2027-10-31"), on_time), 6)) == [
        "2027-10-31", "2027-11-30", "2027-12-31", "2028-01-31", "2028-02-29", "2028-03-31",
    ]  # fmt: skip
    assert list(islice(dates(begun("every year", "2028-02-29"), on_time), 5)) == [
        "2028-02-29", "2029-02-28", "2030-02-28", "2031-02-28", "2032-02-29",
    ]  # fmt: skip
    assert list(islice(dates(begun("FREQ=MONTHLY;BYMONTHDAY=31", "2027-10-31"), on_time), 4)) == [
        "2027-10-31", "2027-12-31", "2028-01-31", "2028-03-31",
    ]  # fmt: skip
    assert list(islice(dates(begun("every! month", "2028-01-30"), days_away(1)), 3)) == [
        "2028-01-30", "2028-02-29", "2028-04-01",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "due", "expected"),
    [
        ("every day until 2026-11-19", "", "has no day from 2026-11-20 on"),
        ("every day at 9am until 2026-11-20", "", "has no day from 2026-11-21 on"),
        ("every mon until 2026-11-22", "", "has no day from 2026-11-20 on"),
        ("every day until 2026-12-01", "2026-12-02", "ends before 2026-12-02"),
        ("every! day until 2026-12-01", "2026-12-02", "ends before 2026-12-02"),
        ("FREQ=YEARLY;INTERVAL=4;BYMONTH=2;BYMONTHDAY=29", "2026-12-02", "gives no day after 2026-12-02"),
        ("FREQ=DAILY;INTERVAL=7;BYDAY=TU;WKST=SU;BYMONTH=1,2", "2026-12-02", "gives no day after 2026-12-02"),
        ("FREQ=YEARLY;BYMONTH=4", "2027-01-31", "gives no day after 2027-01-31"),
        ("every 1000 years", "2027-01-31", "gives no day after 2027-01-31"),
    ],
)
def test_a_repeat_that_never_comes_again_is_refused(text: str, due: str, expected: str) -> None:
    with pytest.raises(Problem) as caught:
        begun(text, due)
    assert caught.value.code == "bad_repeat"
    assert expected in caught.value.message
    assert caught.value.hint


@pytest.mark.parametrize(
    ("text", "due", "now", "expected"),
    [
        # On time, late by days, by weeks, and early.
        ("every day", "2026-11-20", "2026-11-20 23:59", "2026-11-21"),
        ("every day", "2026-11-10", "2026-11-20 10:40", "2026-11-21"),
        ("every day", "2026-11-25", "2026-11-20 10:40", "2026-11-26"),
        ("every 3 days", "2026-11-10", "2026-11-20 10:40", "2026-11-22"),
        ("every mon", "2026-11-16", "2026-11-20 10:40", "2026-11-23"),
        ("every mon", "2026-11-16", "2026-11-23 00:00", "2026-11-30"),
        ("every mon", "2026-11-23", "2026-11-20 10:40", "2026-11-30"),
        ("every 2 weeks on mon", "2026-11-23", "2026-12-01 10:40", "2026-12-07"),
        ("every 2 weeks on mon", "2026-11-25", "2026-11-25 10:40", "2026-12-07"),
        ("every month on the last friday", "2026-11-27", "2026-11-27 10:40", "2026-12-25"),
        # With a time that day is still to come until then.
        ("every day", "2026-11-19 11:00", "2026-11-20 10:40", "2026-11-20 11:00"),
        ("every day", "2026-11-10 11:00", "2026-11-20 10:40", "2026-11-20 11:00"),
        ("every day", "2026-11-19 10:40", "2026-11-20 10:40", "2026-11-21 10:40"),
        ("every day", "2026-11-20 11:00", "2026-11-20 10:40", "2026-11-21 11:00"),
        ("every mon", "2026-11-16 09:00", "2026-11-23 08:59", "2026-11-23 09:00"),
        ("every mon", "2026-11-16 09:00", "2026-11-23 09:00", "2026-11-30 09:00"),
        # In New York it is 04:40, and the day before until 06:00 here.
        ("every day", "2026-11-19 05:00 America/New_York", "2026-11-20 10:40", "2026-11-20 05:00 America/New_York"),
        ("every day", "2026-11-18 23:00 America/New_York", "2026-11-20 04:40", "2026-11-19 23:00 America/New_York"),
        ("every day", "2026-11-18  America/New_York", "2026-11-20 04:40", "2026-11-20 America/New_York"),
        ("every day until 2026-11-21", "2026-11-20", "2026-11-20 10:40", "2026-11-21"),
        ("every day until 2026-11-21", "2026-11-21", "2026-11-21 10:40", None),
        ("every day until 2026-11-21", "2026-11-10", "2026-11-21 10:40", None),
        ("every day for 3 times", "2026-11-20", "2026-11-20 10:40", "2026-11-21"),
        ("every day for 1 time", "2026-11-20", "2026-11-20 10:40", None),
        ("every day for 3 times", "2026-11-10", "2026-11-20 10:40", None),
    ],
)
def test_from_the_due_date_the_next_is_the_first_that_is_still_to_come(
    text: str, due: str, now: str, expected: str | None
) -> None:
    one = begun(text, due)
    following = after(one, now)
    assert (following and written(following.due)) == expected
    assert following is None or (following.repeat, following.anchor) == (one.repeat, one.anchor)


@pytest.mark.parametrize(
    ("text", "due", "done", "expected"),
    [
        ("every! day", "2026-11-10", "2026-11-20", "2026-11-21"),
        ("every! 3 days", "2026-11-20", "2026-11-20", "2026-11-23"),
        ("every! 3 days", "2026-11-10", "2026-11-20", "2026-11-23"),
        ("every! 3 days", "2026-11-25", "2026-11-20", "2026-11-23"),
        ("every! 3 days", "2026-11-20", "2026-11-14", "2026-11-17"),
        ("every! 3 days at 9am", "2026-11-20", "2026-11-20", "2026-11-23 09:00"),
        ("every! 3 days", "2026-11-20 17:00 America/New_York", "2026-11-20", "2026-11-23 17:00 America/New_York"),
        ("every! month", "2027-01-31", "2027-01-31", "2027-02-28"),
        ("every! weekday", "2026-11-20", "2026-11-20", "2026-11-23"),
        ("every! mon,thu", "2026-11-23", "2026-11-24", "2026-11-26"),
        ("every! mon", "2026-11-23", "2026-11-24", "2026-11-30"),
        ("every! week on mon", "2026-11-23", "2026-11-24", "2026-12-07"),
        ("every! 2 weeks on mon", "2026-11-23", "2026-11-25", "2026-12-14"),
        ("every! 3 days until 2026-11-23", "2026-11-20", "2026-11-20", "2026-11-23"),
        ("every! 3 days until 2026-11-23", "2026-11-20", "2026-11-21", None),
    ],
)
def test_from_completion_the_next_is_the_interval_after_the_day_of_completion(
    text: str, due: str, done: str, expected: str | None
) -> None:
    one = begun(text, due)
    following = after(one, f"{TODAY} 10:40", done=done)
    assert (following and written(following.due)) == expected
    assert following is None or following.anchor == following.due.day


def test_a_moved_date_moves_this_occurrence_only() -> None:
    one = begun("every mon", "2026-11-23")
    for moved, expected in (("2026-11-20", "2026-11-23"), ("2026-11-24", "2026-11-30"), ("2026-11-29", "2026-11-30")):
        following = after(one, f"{moved} 12:00", due=moved)
        assert following
        assert written(following.due) == expected


def test_a_time_in_the_rule_comes_back_after_one_that_was_moved() -> None:
    with_time, without = begun("every day at 9am", "2026-11-20"), begun("every day", "2026-11-20 09:00")
    for one, expected in ((with_time, "2026-11-21 09:00"), (without, "2026-11-21 17:00")):
        following = after(one, f"{TODAY} 12:00", due="2026-11-20 17:00")
        assert following
        assert written(following.due) == expected


@pytest.mark.parametrize(
    ("text", "complete", "expected"),
    [
        ("every day for 4 times", on_time, "11-20 11-21 11-22 11-23"),
        # The days that were missed are some of the four.
        ("every day for 4 times", days_away(1), "11-20 11-22"),
        ("every day for 4 times", days_away(5), "11-20"),
        ("every day for 4 times", days_away(-3), "11-20 11-21 11-22 11-23"),
        ("every mon for 3 times", on_time, "11-20 11-23 11-30"),
        ("every day until 2026-11-23", on_time, "11-20 11-21 11-22 11-23"),
        # From completion nothing can be missed: it is done four times, whenever that is.
        ("every! day for 4 times", on_time, "11-20 11-21 11-22 11-23"),
        ("every! day for 4 times", days_away(1), "11-20 11-22 11-24 11-26"),
        ("every! 3 days for 4 times", days_away(-1), "11-20 11-22 11-24 11-26"),
        ("every! 3 days until 2026-11-27", days_away(1), "11-20 11-24"),
    ],
)
def test_a_repeat_ends_after_its_last_time_whether_done_early_or_late(
    text: str, complete: Callable[[Occurrence], str], expected: str
) -> None:
    assert " ".join(text[5:] for text in dates(begun(text, TODAY), complete)) == expected


def test_from_completion_the_words_say_how_often_it_is_still_to_be_done() -> None:
    one = begun("every! 2 weeks on mon at 9am for 3 times", "2026-11-23")
    texts = []
    while following := after(one, f"{on_time(one)} 12:00"):
        one = following
        texts.append(one.repeat.text)
    assert texts == ["every! 2 weeks on mon at 09:00 for 2 times", "every! 2 weeks on mon at 09:00 for 1 time"]


# Days without and with a doubled hour, and times that do not exist or come twice on them.
@pytest.mark.parametrize(
    ("zone", "day"),
    [
        (BERLIN, "2027-03-28"),
        (BERLIN, "2026-10-25"),
        (NEW_YORK, "2027-03-14"),
        (NEW_YORK, "2026-11-01"),
        (AUCKLAND, "2026-09-27"),
        (AUCKLAND, "2027-04-04"),
    ],
    ids=str,
)
@pytest.mark.parametrize("clock", ["00:00", "01:30", "02:00", "02:30", "03:00", "23:30", ""])
def test_a_clock_change_shifts_no_date(zone: ZoneInfo, day: str, clock: str) -> None:
    start = date.fromisoformat(day) - timedelta(3)
    one = begun("every day", f"{start} {clock}".strip(), zone=zone)
    for passed in range(1, 7):
        at = datetime.combine(one.due.day, time.fromisoformat(clock or "12:00"), zone).astimezone(UTC)
        following = next_due(one.repeat, one.anchor, one.due, one.due.day, at, zone)
        assert following
        assert (following.due.day, following.due.minutes) == (start + timedelta(passed), one.due.minutes)
        one = following


def test_a_time_in_the_doubled_hour_is_over_once_its_first_has_passed() -> None:
    one = begun("every day", "2026-10-24 02:30")
    for utc, expected in (("2026-10-25 00:20", "2026-10-25 02:30"), ("2026-10-25 00:40", "2026-10-26 02:30")):
        following = next_due(one.repeat, one.anchor, one.due, one.anchor, moment(utc, ZoneInfo("UTC")), BERLIN)
        assert following
        assert written(following.due) == expected


RULES = (
    "FREQ=DAILY", "FREQ=DAILY;INTERVAL=3", "FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR", "FREQ=WEEKLY;INTERVAL=2;BYDAY=MO,SU",
    "FREQ=WEEKLY;INTERVAL=2;BYDAY=MO,SU;WKST=SU", "FREQ=MONTHLY;BYMONTHDAY=31", "FREQ=MONTHLY;BYDAY=-1FR",
    "FREQ=MONTHLY;BYMONTHDAY=28,29,30,31;BYSETPOS=-1", "FREQ=MONTHLY;INTERVAL=2;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=1",
    "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=28,29;BYSETPOS=-1", "FREQ=YEARLY;BYMONTH=3,10;BYDAY=-1SU",
)  # fmt: skip


def is_ahead(day: date, minutes: int | None, now: datetime, zone: ZoneInfo) -> bool:
    if minutes is None:
        return day > now.astimezone(zone).date()
    return datetime.combine(day, time(*divmod(minutes, 60)), zone).timestamp() > now.timestamp()


@pytest.mark.parametrize("rrule", RULES)
def test_the_next_date_is_the_first_of_dateutil_that_is_to_come(rrule: str) -> None:
    random = Random(rrule)
    for _ in range(100):
        zone, home = random.choice([BERLIN, NEW_YORK, AUCKLAND]), random.choice([BERLIN, NEW_YORK, AUCKLAND])
        anchor = date(2026, 1, 1) + timedelta(random.randrange(900))
        due = anchor + timedelta(random.choice([0, random.randint(-9, 400)]))
        minutes = random.choice([None, 1, 150, 540, 1439])
        now = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=random.randrange(1400 * 1440))
        days = (found.date() for found in rrulestr(rrule, dtstart=datetime.combine(anchor, time.min)))
        expected = next(day for day in days if day > due and is_ahead(day, minutes, now, zone if minutes else home))
        given = When(due, minutes, None if minutes is None else zone.key)
        found = next_due(parse_repeat(rrule, now, Habits(home)), anchor, given, due, now, home)
        assert found
        assert found.due.day == expected, (anchor, due, minutes, now, zone)


def test_a_rule_is_asked_for_its_days_by_its_text() -> None:
    rrule, anchor = "FREQ=WEEKLY;INTERVAL=2;BYDAY=MO;COUNT=2", date(2026, 11, 23)
    assert first_on_or_after(rrule, anchor, date(2026, 11, 1)) == anchor
    assert first_on_or_after(rrule, anchor, anchor) == anchor
    assert next_after(rrule, anchor, anchor) == date(2026, 12, 7)
    assert next_after(rrule, anchor, date(2026, 12, 6)) == date(2026, 12, 7)
    assert next_after(rrule, anchor, date(2026, 12, 7)) is None
    assert next_from_done(rrule, date(2026, 11, 25)) == date(2026, 12, 14)
    assert next_from_done("FREQ=DAILY;COUNT=1", date(2026, 11, 25)) is None
