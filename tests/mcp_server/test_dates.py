"""What date words mean: every form, every refusal, in four zones and on the days when the clocks change."""

from datetime import UTC, date, datetime, time, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from mcp_server.tasks.calendar.dates import YEARS, Habits, When, echo, instant_us, resolve, zone_named
from shared.errors import Problem

BERLIN = ZoneInfo("Europe/Berlin")
NEW_YORK = ZoneInfo("America/New_York")
KOLKATA = ZoneInfo("Asia/Kolkata")
AUCKLAND = ZoneInfo("Pacific/Auckland")
ZONES = (BERLIN, NEW_YORK, KOLKATA, AUCKLAND)
TODAY = date(2026, 11, 20)
ADA = Habits(BERLIN)

Preference = Literal["future", "past"]

# At 10:40 on Friday 2026-11-20, wherever that is.
FORMS = {
    "2026-12-01": "2026-12-01",
    "2026-12-1": "2026-12-01",
    "2026/12/01": "2026-12-01",
    "2026-12-01T09:00": "2026-12-01 09:00",
    "2026-12-01 09:00": "2026-12-01 09:00",
    "2026-12-01t09:00:30.250": "2026-12-01 09:00",
    "today": "2026-11-20",
    "tod": "2026-11-20",
    "eod": "2026-11-20",
    "end of day": "2026-11-20",
    "tomorrow": "2026-11-21",
    "tom": "2026-11-21",
    "tmrw": "2026-11-21",
    "yesterday": "2026-11-19",
    "day after tomorrow": "2026-11-22",
    "the day after tomorrow": "2026-11-22",
    "day before yesterday": "2026-11-18",
    "fri": "2026-11-27",
    "friday": "2026-11-27",
    "sat": "2026-11-21",
    "thurs": "2026-11-26",
    "this fri": "2026-11-20",
    "this mon": "2026-11-16",
    "this sunday": "2026-11-22",
    "next fri": "2026-11-27",
    "next sat": "2026-11-28",
    "next mon": "2026-11-23",
    "last fri": "2026-11-13",
    "last thu": "2026-11-19",
    "weekend": "2026-11-21",
    "this weekend": "2026-11-21",
    "next weekend": "2026-11-28",
    "next week": "2026-11-23",
    "next month": "2026-12-01",
    "next year": "2027-01-01",
    "eow": "2026-11-22",
    "eom": "2026-11-30",
    "eoy": "2026-12-31",
    "end of week": "2026-11-22",
    "the end of the month": "2026-11-30",
    "end of next month": "2026-12-31",
    "end of next year": "2027-12-31",
    "in 0 days": "2026-11-20",
    "in 3 days": "2026-11-23",
    "in two weeks": "2026-12-04",
    "in a week": "2026-11-27",
    "in a fortnight": "2026-12-04",
    "in 3 months": "2027-02-20",
    "in a year": "2027-11-20",
    "in 2 workdays": "2026-11-24",
    "in 7 workdays": "2026-12-01",
    "in 90 minutes": "2026-11-20 12:10",
    "in 1 min": "2026-11-20 10:41",
    "in an hour": "2026-11-20 11:40",
    "in 14 hrs": "2026-11-21 00:40",
    "20 minutes ago": "2026-11-20 10:20",
    "3 days ago": "2026-11-17",
    "3 days from now": "2026-11-23",
    "a week ago": "2026-11-13",
    "5 workdays ago": "2026-11-13",
    "9 months ago": "2026-02-20",
    "next workday": "2026-11-23",
    "last workday": "2026-11-19",
    "dec 1": "2026-12-01",
    "1 dec": "2026-12-01",
    "Dec. 1st": "2026-12-01",
    "december 1, 2027": "2027-12-01",
    "1st of december 2027": "2027-12-01",
    "the 1st of december": "2026-12-01",
    "nov 20": "2026-11-20",
    "19 nov": "2027-11-19",
    "29 feb": "2028-02-29",
    "the 15th": "2026-12-15",
    "the 20th": "2026-12-20",
    "21st": "2026-11-21",
    "the 31st": "2026-12-31",
    "the 5th of this month": "2026-11-05",
    "the 15th of next month": "2026-12-15",
    "last friday of the month": "2026-11-27",
    "first monday of next month": "2026-12-07",
    "first monday of the month": "2026-12-07",
    "first monday of this month": "2026-11-02",
    "last workday of the month": "2026-11-30",
    "last day of february": "2027-02-28",
    "2nd tuesday of march 2027": "2027-03-09",
    "the fourth thursday of november": "2026-11-26",
    "01.12.2026": "2026-12-01",
    "1.12.2026": "2026-12-01",
    "25/12/2026": "2026-12-25",
    "12/25/2026": "2026-12-25",
    "25-12-2026": "2026-12-25",
    "25/12": "2026-12-25",
    "05/05/2027": "2027-05-05",
    "12-01": "2026-12-01",
    "11-05": "2026-11-05",
    "Sat 11-21 09:00": "2026-11-21 09:00",
    "Fri 2027-01-15": "2027-01-15",
    "Tuesday, Dec 1": "2026-12-01",
    "fri the 27th": "2026-11-27",
    "9am": "2026-11-21 09:00",
    "11am": "2026-11-20 11:00",
    "10:40": "2026-11-20 10:40",
    "10:39": "2026-11-21 10:39",
    "9:30 pm": "2026-11-20 21:30",
    "9:30 p.m.": "2026-11-20 21:30",
    "12am": "2026-11-21 00:00",
    "12pm": "2026-11-20 12:00",
    "17:00": "2026-11-20 17:00",
    "at 9": "2026-11-21 09:00",
    "at 23": "2026-11-20 23:00",
    "1pm": "2026-11-20 13:00",
    "noon": "2026-11-20 12:00",
    "morning": "2026-11-21 09:00",
    "in the morning": "2026-11-21 09:00",
    "this morning": "2026-11-20 09:00",
    "afternoon": "2026-11-20 15:00",
    "evening": "2026-11-20 19:00",
    "tonight": "2026-11-20 20:00",
    "tonight at 9pm": "2026-11-20 21:00",
    "tomorrow 9am": "2026-11-21 09:00",
    "9am tomorrow": "2026-11-21 09:00",
    "today 9am": "2026-11-20 09:00",
    "tomorrow morning": "2026-11-21 09:00",
    "tomorrow morning at 9:30": "2026-11-21 09:30",
    "tomorrow at noon": "2026-11-21 12:00",
    "fri 5pm": "2026-11-27 17:00",
    "17:00 fri": "2026-11-27 17:00",
    "fri evening": "2026-11-27 19:00",
    "dec 1 at 9": "2026-12-01 09:00",
    "1 dec 2027 17:00": "2027-12-01 17:00",
    "in 3 days at 9": "2026-11-23 09:00",
    "9 am on the 15th": "2026-12-15 09:00",
    "last friday of the month 9am": "2026-11-27 09:00",
    "01.12.2026 9:00": "2026-12-01 09:00",
}
ELAPSED = ("min", "hour", "hrs")

PAST = {
    "mon": "2026-11-16",
    "fri": "2026-11-13",
    "last fri": "2026-11-13",
    "this fri": "2026-11-20",
    "next fri": "2026-11-27",
    "dec 1": "2025-12-01",
    "nov 20": "2026-11-20",
    "29 feb": "2024-02-29",
    "the 15th": "2026-11-15",
    "the 20th": "2026-10-20",
    "25/12": "2025-12-25",
    "last friday of the month": "2026-10-30",
    "9am": "2026-11-20 09:00",
    "10:40": "2026-11-20 10:40",
    "5pm": "2026-11-19 17:00",
    "yesterday 5pm": "2026-11-19 17:00",
    "tonight": "2026-11-20 20:00",
    "2026-12-01": "2026-12-01",
}

NO_DATES = (
    "",
    " ",
    "on",
    "the",
    "banana",
    "call mum",
    "morgen um neun",
    "or/and",
    "32 dec",
    "0 dec",
    "31 nov",
    "29 feb 2027",
    "the 32nd",
    "2026-02-30",
    "2026-13-01",
    "02-29",
    "13-01",
    "30/02/2026",
    "13/13/2026",
    "31.11.2026",
    "01.12.26",
    "01/12/26",
    "25:00",
    "24:00",
    "9:60",
    "9:5",
    "at 24",
    "13pm",
    "0am",
    "tomorrow 13pm",
    "tomorrow 0am",
    "tomorrow 24:00",
    "tomorrow at 24",
    "2026-12-01T25:00",
    "2026-12-01T09:00+24:00",
    "2026-12-01T24:00Z",
    "9",
    "15",
    "2026",
    "20261201",
    "the 15",
    "9 tomorrow",
    "december",
    "dec 2027",
    "this week",
    "this month",
    "last week",
    "3 days",
    "in days",
    "in 3 moons",
    "in 3 days ago",
    "in 90 minutes at 9",
    "in 99999 days",
    "in 9999 years",
    "9999 years ago",
    "in 9999 months",
    "fifth friday of the month",
    "first banana of the month",
    "first monday of banana",
    "zeroth monday of march",
    "tomorrow tonight",
    "fri this morning",
    "tonight at 9",
    "tonight 9am",
    "morning evening",
    "9am tomorrow 10am",
    "noon 13:00",
    "tomorrow fri",
    "fri tomorrow",
    "fri next week",
    "fri 2026-11-21",
    "wed dec 1",
    "1969-12-31",
    "2201-01-01",
    "0000-01-01",
    "2200-12-31T23:30-12:00",
    "0001-01-01T00:00+14:00",
    "9am est",
    "fri 9am Mars/Olympus",
    "fri 9am +02:00",
    "２０２６-12-01",
    "2026-12-01\x00",
    "tomorrow" + " " * 100,
)
SEVERAL_READINGS = ("12/01/2026", "12-01-2026", "1/2/2026", "12/01", "12/01/2026 9am", "midnight", "fri at midnight")


def moment(zone: ZoneInfo, local: str = "2026-11-20 10:40") -> datetime:
    return datetime.fromisoformat(local).replace(tzinfo=zone).astimezone(UTC)


def written(when: When) -> str:
    """The shape that the tables above are in; ISO but for its T."""
    clock = "" if when.minutes is None else f" {when.minutes // 60:02}:{when.minutes % 60:02}"
    return f"{when.day}{clock}"


def reading(text: str, now: datetime, habits: Habits, prefer: Preference = "future") -> When | Problem:
    try:
        return resolve(text, now, habits, prefer=prefer)
    except Problem as problem:
        return problem


def refusal(text: str, now: datetime, habits: Habits) -> Problem:
    answer = reading(text, now, habits)
    assert isinstance(answer, Problem), answer
    return answer


def named(zone: ZoneInfo) -> str:
    return zone.key


@pytest.mark.parametrize("zone", ZONES, ids=named)
@pytest.mark.parametrize("phrase", FORMS)
def test_every_form_means_its_day_and_time_in_any_zone(phrase: str, zone: ZoneInfo) -> None:
    when = resolve(phrase, moment(zone), Habits(zone))
    assert written(when) == FORMS[phrase]
    assert when.zone is None


@pytest.mark.parametrize("phrase", PAST)
def test_words_look_back_when_the_past_is_preferred(phrase: str) -> None:
    assert written(resolve(phrase, moment(BERLIN), ADA, prefer="past")) == PAST[phrase]


@pytest.mark.parametrize("zone", ZONES, ids=named)
@pytest.mark.parametrize("phrase", NO_DATES)
def test_what_is_no_date_is_refused_with_an_example_and_the_day(phrase: str, zone: ZoneInfo) -> None:
    problem = refusal(phrase, moment(zone), Habits(zone))
    assert problem.code == "bad_date"
    assert f"Today is Fri 2026-11-20 ({zone.key})." in problem.hint


@pytest.mark.parametrize("zone", ZONES, ids=named)
@pytest.mark.parametrize("phrase", SEVERAL_READINGS)
def test_two_readings_are_refused(phrase: str, zone: ZoneInfo) -> None:
    assert refusal(phrase, moment(zone), Habits(zone)).code == "ambiguous_date"


@pytest.mark.parametrize(
    "phrase", ["Tomorrow 9AM", "  tomorrow ,  9 Am ", "on tomorrow, 9am", "BY 9 a.m. tomorrow", "9am on tomorrow."]
)
def test_case_commas_spaces_and_a_leading_on_or_by_do_not_matter(phrase: str) -> None:
    assert written(resolve(phrase, moment(BERLIN), ADA)) == "2026-11-21 09:00"


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (
            "32 dec",
            'bad_date: "32 dec" is no date. Fix: e.g. "dec 31" or 2026-12-31. Today is Fri 2026-11-20 (Europe/Berlin).',
        ),
        (
            "fri 2026-11-21",
            (
                "bad_date: 2026-11-21 is a Sat. Fix: leave the weekday out, or write the date that you mean."
                " Today is Fri 2026-11-20 (Europe/Berlin)."
            ),
        ),
        ("12/01/2026", "ambiguous_date: 12/01/2026 is Jan 12 or Dec 1. Fix: 2026-12-01 or 2026-01-12."),
        ("12/01", "ambiguous_date: 12/01 is Jan 12 or Dec 1. Fix: 2026-12-01 or 2027-01-12."),
        (
            "midnight",
            (
                'ambiguous_date: "midnight" begins a day or ends it. Fix: e.g. "today 23:59" or "tomorrow 00:00".'
                " Today is Fri 2026-11-20 (Europe/Berlin)."
            ),
        ),
    ],
)
def test_a_refusal_says_what_to_write_instead(text: str, line: str) -> None:
    assert str(refusal(text, moment(BERLIN), ADA)) == line


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("x" * 40, "x" * 40),
        ("x" * 41, "x" * 37 + "..."),
        ("1" * 10_000, "1" * 37 + "..."),
        (" " * 10_000, ""),
        ("in " * 3_334, "in " * 12 + "i..."),
        ("9:00 am " * 1_250, "9:00 am " * 4 + "9:00 ..."),
    ],
    ids=lambda text: f"{text[:8]}x{len(text)}",
)
def test_long_text_is_refused_and_never_echoed_beyond_forty_characters(text: str, shown: str) -> None:
    problem = refusal(text, moment(BERLIN), ADA)
    assert (problem.code, problem.message) == ("bad_date", f'"{shown}" is no date.')


def test_control_characters_do_not_reach_the_message() -> None:
    assert refusal("ba\nna\x1b[31mna\ud800", moment(BERLIN), ADA).message == '"ba na [31mna" is no date.'


@pytest.mark.parametrize(
    ("order", "expected"), [("DMY", ["2026-01-12", "2026-12-25"]), ("MDY", ["2026-12-01", "2026-12-25"])]
)
def test_the_date_order_settles_what_has_two_readings_and_only_that(
    order: Literal["DMY", "MDY"], expected: list[str]
) -> None:
    habits = Habits(BERLIN, order=order)
    assert [written(resolve(text, moment(BERLIN), habits)) for text in ("12/01/2026", "25/12/2026")] == expected
    assert written(resolve("12/25/2026", moment(BERLIN), habits)) == "2026-12-25"
    assert written(resolve("12-01", moment(BERLIN), habits)) == "2026-12-01"


@pytest.mark.parametrize(
    ("phrase", "expected"),
    [
        ("next week", "2026-11-22"),
        ("eow", "2026-11-21"),
        ("this sun", "2026-11-15"),
        ("next sat", "2026-11-28"),
        ("this weekend", "2026-11-21"),
    ],
)
def test_weeks_begin_where_the_person_says(phrase: str, expected: str) -> None:
    assert written(resolve(phrase, moment(BERLIN), Habits(BERLIN, week_start=6))) == expected


def test_parts_of_the_day_are_settings() -> None:
    early = Habits(BERLIN, morning=6 * 60, afternoon=13 * 60, evening=18 * 60, tonight=21 * 60)
    phrases = ("tomorrow morning", "afternoon", "fri evening", "tonight")
    assert [resolve(phrase, moment(BERLIN), early).minutes for phrase in phrases] == [360, 780, 1080, 1260]


@pytest.mark.parametrize(
    ("part", "first", "last"),
    [("morning", "00:00", "11:59"), ("afternoon", "12:00", "17:59"), ("evening", "17:00", "23:59")],
)
def test_a_time_beside_a_part_of_the_day_has_to_lie_in_it(part: str, first: str, last: str) -> None:
    for minutes in range(24 * 60):
        clock = f"{minutes // 60:02}:{minutes % 60:02}"
        answer = reading(f"tomorrow {part} at {clock}", moment(BERLIN), ADA)
        is_inside = first <= clock <= last
        assert (isinstance(answer, When) and answer.minutes == minutes) is is_inside, clock
        if part == "evening":
            assert isinstance(reading(f"tonight {clock}", moment(BERLIN), ADA), When) is is_inside, clock


@pytest.mark.parametrize(
    ("day", "this", "following"),
    [("2026-11-21", "2026-11-21", "2026-11-28"), ("2026-11-22", "2026-11-22", "2026-11-28")],
)
def test_on_a_weekend_this_weekend_is_today(day: str, this: str, following: str) -> None:
    now = moment(BERLIN, f"{day} 10:40")
    assert written(resolve("this weekend", now, ADA)) == this
    assert written(resolve("next weekend", now, ADA)) == following


@pytest.mark.parametrize(
    ("today", "phrase", "expected"),
    [
        ("2027-01-31", "in a month", "2027-02-28"),
        ("2027-01-31", "the 31st", "2027-03-31"),
        ("2027-01-30", "the 29th", "2027-03-29"),
        ("2028-02-29", "in a year", "2029-02-28"),
        ("2028-02-29", "29 feb", "2028-02-29"),
        ("2096-03-01", "29 feb", "2104-02-29"),
        ("2026-12-15", "next month", "2027-01-01"),
        ("2026-12-15", "last friday of next month", "2027-01-29"),
        ("2026-11-28", "last friday of the month", "2026-12-25"),
        ("2026-11-27", "last friday of the month", "2026-11-27"),
        ("2026-11-21", "in 1 workday", "2026-11-23"),
        ("2026-11-22", "1 workday ago", "2026-11-20"),
    ],
)
def test_months_and_years_of_unequal_length_are_counted_right(today: str, phrase: str, expected: str) -> None:
    assert written(resolve(phrase, moment(BERLIN, f"{today} 10:40"), ADA)) == expected


def test_today_is_the_day_in_the_persons_zone() -> None:
    late = datetime(2026, 11, 20, 20, 0, tzinfo=UTC)
    assert [written(resolve("today", late, Habits(zone))) for zone in ZONES] == [
        "2026-11-20",
        "2026-11-20",
        "2026-11-21",
        "2026-11-21",
    ]


def test_a_zone_is_kept_only_when_it_is_written() -> None:
    assert resolve("fri 9am America/New_York", moment(BERLIN), ADA) == When(date(2026, 11, 27), 540, "America/New_York")
    assert resolve("fri 9am, america/new_york", moment(BERLIN), ADA).zone == "America/New_York"
    assert resolve("2026-12-01 09:00 UTC", moment(BERLIN), ADA) == When(date(2026, 12, 1), 540, "UTC")
    assert resolve("fri 9am", moment(BERLIN), ADA).zone is None


def test_with_a_written_zone_the_words_are_read_there() -> None:
    assert resolve("today Pacific/Auckland", moment(BERLIN, "2026-11-20 14:00"), ADA).day == date(2026, 11, 21)
    # 10:40 in Berlin is 04:40 in New York, so that 9 o'clock is still to come.
    assert resolve("9am America/New_York", moment(BERLIN), ADA) == When(TODAY, 540, "America/New_York")
    assert resolve("in 90 minutes America/New_York", moment(BERLIN), ADA) == When(TODAY, 370, "America/New_York")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-12-01T09:00Z", "2026-12-01 10:00"),
        ("2026-12-01T09:00:00Z", "2026-12-01 10:00"),
        ("2026-12-01T09:00:00.000Z", "2026-12-01 10:00"),
        ("2026-12-01 09:00 +01:00", "2026-12-01 09:00"),
        ("2026-12-01T23:30-0500", "2026-12-02 05:30"),
        ("2026-07-01T09:00+05", "2026-07-01 06:00"),
    ],
)
def test_an_offset_is_converted_to_the_persons_zone(text: str, expected: str) -> None:
    when = resolve(text, moment(BERLIN), ADA)
    assert (written(when), when.zone) == (expected, None)


# Each zone's day without and day with a doubled hour; Kolkata has neither, and must not notice.
CLOCK_CHANGES = [
    (BERLIN, "2027-03-28"),
    (BERLIN, "2026-10-25"),
    (NEW_YORK, "2027-03-14"),
    (NEW_YORK, "2026-11-01"),
    (AUCKLAND, "2026-09-27"),
    (AUCKLAND, "2027-04-04"),
    (KOLKATA, "2027-03-28"),
    (KOLKATA, "2026-10-25"),
]


@pytest.mark.parametrize("clock", ["00:30", "10:40", "23:30"])
@pytest.mark.parametrize(("zone", "day"), CLOCK_CHANGES, ids=str)
def test_a_clock_change_moves_no_day_and_no_wall_time(zone: ZoneInfo, day: str, clock: str) -> None:
    utc = ZoneInfo("UTC")
    for phrase in FORMS:
        if not any(word in phrase for word in ELAPSED):
            here = reading(phrase, moment(zone, f"{day} {clock}"), Habits(zone))
            there = reading(phrase, moment(utc, f"{day} {clock}"), Habits(utc))
            # A weekday written before a date is refused on other days, and has to be so everywhere.
            assert str(here).replace(zone.key, "UTC") == str(there), phrase


@settings(deadline=None)
@given(
    change=st.sampled_from(CLOCK_CHANGES),
    start=st.integers(0, 26 * 60),
    minutes=st.integers(0, 9 * 60),
)
def test_minutes_and_hours_pass_as_they_really_do(change: tuple[ZoneInfo, str], start: int, minutes: int) -> None:
    zone, day = change
    now = moment(zone, f"{day} 00:00") + timedelta(minutes=start)
    after = now + timedelta(minutes=minutes)
    asked = f"in {minutes} minutes"
    assert instant_of(asked, now, Habits(zone)) == after


@settings(deadline=None)
@given(
    day=st.dates(date(1970, 1, 2), date(2200, 12, 30)),
    minutes=st.integers(0, 1439),
    writer=st.sampled_from(ZONES),
    zone=st.sampled_from(ZONES),
)
@example(day=date(2026, 10, 25), minutes=90, writer=ZoneInfo("UTC"), zone=BERLIN)
def test_an_instant_with_its_offset_is_kept_to_the_minute(
    day: date, minutes: int, writer: ZoneInfo, zone: ZoneInfo
) -> None:
    instant = datetime.combine(day, time(*divmod(minutes, 60)), UTC)
    assert instant_of(instant.astimezone(writer).isoformat(), moment(BERLIN), Habits(zone)) == instant


def instant_of(text: str, now: datetime, habits: Habits) -> datetime:
    """When the text happens; in the second of two equal hours by way of what the refusal proposes."""
    when = reading(text, now, habits)
    if isinstance(when, Problem):
        assert when.code == "ambiguous_date"
        assert "comes twice" in when.message
        when = resolve(when.hint.removesuffix(" for the second."), now, habits)
    micros = instant_us(when, habits.zone)
    assert micros is not None
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=micros)


def test_the_second_of_two_equal_hours_is_refused_with_its_name_in_utc() -> None:
    assert str(refusal("2026-10-25T02:30+01:00", moment(BERLIN), ADA)) == (
        "ambiguous_date: 02:30 comes twice on 2026-10-25 in Europe/Berlin, and alone it means the first."
        " Fix: 2026-10-25 01:30 UTC for the second."
    )


def test_a_time_alone_in_the_doubled_hour_is_over_once_its_first_has_passed() -> None:
    second_two_o_clock = datetime(2026, 10, 25, 1, 10, tzinfo=UTC)
    assert resolve("02:30", second_two_o_clock, ADA) == When(date(2026, 10, 26), 150, None)
    assert resolve("02:30", second_two_o_clock - timedelta(hours=1), ADA) == When(date(2026, 10, 25), 150, None)


@pytest.mark.parametrize(
    ("when", "home", "expected"),
    [
        (When(TODAY, 540, None), BERLIN, "2026-11-20T08:00"),
        (When(TODAY, 540, None), AUCKLAND, "2026-11-19T20:00"),
        (When(TODAY, 540, "America/New_York"), BERLIN, "2026-11-20T14:00"),
        (When(date(2027, 3, 28), 150, None), BERLIN, "2027-03-28T01:30"),
        (When(date(2026, 10, 25), 150, None), BERLIN, "2026-10-25T00:30"),
        (When(date(2027, 3, 14), 150, None), NEW_YORK, "2027-03-14T07:30"),
        (When(date(2026, 11, 1), 90, None), NEW_YORK, "2026-11-01T05:30"),
        (When(date(2026, 9, 27), 150, None), AUCKLAND, "2026-09-26T14:30"),
        (When(date(2027, 4, 4), 150, None), AUCKLAND, "2027-04-03T13:30"),
        (When(date(1970, 1, 1), 0, None), BERLIN, "1969-12-31T23:00"),
    ],
)
def test_a_due_time_happens_at_one_instant(when: When, home: ZoneInfo, expected: str) -> None:
    micros = instant_us(when, home)
    assert micros is not None
    assert datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=micros) == datetime.fromisoformat(f"{expected}Z")


def test_a_whole_day_has_no_instant() -> None:
    assert instant_us(When(TODAY, None, "America/New_York"), BERLIN) is None


@pytest.mark.parametrize(
    ("day", "minutes", "expected"),
    [
        (date(2026, 11, 21), 540, "Sat 11-21 09:00"),
        (date(2026, 11, 21), None, "Sat 11-21"),
        (date(2026, 1, 2), 0, "Fri 01-02 00:00"),
        (date(2027, 1, 15), 1439, "Fri 2027-01-15 23:59"),
        (date(2025, 12, 31), None, "Wed 2025-12-31"),
    ],
)
def test_the_echo_shows_the_weekday_and_the_year_only_if_it_is_another(
    day: date, minutes: int | None, expected: str
) -> None:
    assert echo(day, minutes, TODAY) == expected


DAYS = st.dates(date(YEARS[0], 1, 1), date(YEARS[-1], 12, 31))
MINUTES = st.none() | st.integers(0, 1439)
SETTINGS = st.builds(Habits, st.sampled_from(ZONES), st.sampled_from(["", "DMY", "MDY"]), st.integers(0, 6))
PREFERENCES: st.SearchStrategy[Preference] = st.sampled_from(["future", "past"])


@settings(deadline=None)
@given(DAYS, MINUTES, st.none() | st.sampled_from(ZONES), SETTINGS, PREFERENCES, st.sampled_from("T "))
def test_every_date_comes_back_from_its_iso_text(
    day: date, minutes: int | None, zone: ZoneInfo | None, habits: Habits, prefer: Preference, mark: str
) -> None:
    when = When(day, minutes, zone.key if zone else None)
    text = written(when).replace(" ", mark) + (f" {zone.key}" if zone else "")
    assert resolve(text, moment(BERLIN), habits, prefer=prefer) == when


@settings(deadline=None)
@given(DAYS, MINUTES, DAYS, SETTINGS, PREFERENCES)
@example(date(2028, 2, 29), None, date(2028, 11, 20), ADA, "future")
def test_every_date_comes_back_from_its_echo(
    day: date, minutes: int | None, today: date, habits: Habits, prefer: Preference
) -> None:
    assume(today.year in YEARS[1:-1])
    now = datetime(today.year, today.month, today.day, 12, tzinfo=habits.zone).astimezone(UTC)
    assert resolve(echo(day, minutes, today), now, habits, prefer=prefer) == When(day, minutes, None)


@pytest.mark.parametrize("phrase", FORMS)
def test_every_phrase_comes_back_from_its_echo(phrase: str) -> None:
    when = resolve(phrase, moment(BERLIN), ADA)
    assert resolve(echo(when.day, when.minutes, TODAY), moment(BERLIN), ADA) == when


WORDS = sorted({word for phrase in (*FORMS, *NO_DATES, *SEVERAL_READINGS) for word in phrase.split()})


@settings(max_examples=500, deadline=None)
@given(
    text=st.text(max_size=60) | st.lists(st.sampled_from(WORDS), max_size=6).map(" ".join),
    day=DAYS,
    habits=SETTINGS,
    prefer=PREFERENCES,
)
@example(text="in 9999 workdays", day=date(2200, 12, 31), habits=ADA, prefer="future")
@example(text="tomorrow", day=date(2200, 12, 31), habits=ADA, prefer="future")
@example(text="yesterday", day=date(1970, 1, 1), habits=ADA, prefer="future")
def test_any_text_is_a_date_or_a_refusal(text: str, day: date, habits: Habits, prefer: Preference) -> None:
    now = datetime(day.year, day.month, day.day, 12, tzinfo=UTC)
    answer = reading(text, now, habits, prefer)
    if isinstance(answer, Problem):
        assert answer.code in ("bad_date", "ambiguous_date")
        assert str(answer).isprintable()
    else:
        assert answer.day.year in YEARS
        assert answer.minutes is None or 0 <= answer.minutes < 1440
        assert answer.zone is None or zone_named(answer.zone).key == answer.zone


@pytest.mark.parametrize(
    "name", ["Europe/Berlin", "europe/berlin", "UTC", "America/Argentina/Buenos_Aires", "Etc/GMT+5"]
)
def test_zones_are_found_by_name_in_any_case(name: str) -> None:
    assert zone_named(name).key.lower() == name.lower()


@pytest.mark.parametrize(
    "name",
    [
        "", "../x", "/etc/passwd", "Europe", "Europe/", "Mars/Olympus", "localtime", "posix/Europe/Berlin", "a\x00b",
        "Europe/Berlin ", "\ud800", "x" * 10_000, ".", "__init__.py", "tzdata", "zones",
    ],
)  # fmt: skip
def test_an_unknown_zone_is_a_bad_argument(name: str) -> None:
    with pytest.raises(Problem) as caught:
        zone_named(name)
    assert caught.value.code == "bad_argument"
    assert len(str(caught.value)) <= 130


@settings(deadline=None)
@given(st.text(max_size=60))
def test_no_zone_name_breaks_the_refusal(name: str) -> None:
    assume("/" not in name and not name.isascii())
    with pytest.raises(Problem, match="no time zone"):
        zone_named(name)
