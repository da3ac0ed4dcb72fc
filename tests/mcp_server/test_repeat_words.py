"""Words for how a task comes again: what they and rules are kept as, and what is refused."""

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from mcp_server.tasks.calendar.dates import Habits
from mcp_server.tasks.calendar.repeat import Repeat, kept_repeat, parse_repeat
from shared.errors import Problem

BERLIN = ZoneInfo("Europe/Berlin")
NEW_YORK = ZoneInfo("America/New_York")
NOW = datetime(2026, 11, 20, 10, 40, tzinfo=BERLIN)  # a Friday
ADA = Habits(BERLIN)
BOB = Habits(NEW_YORK, week_start=6)

# The words, the rule, and the words it is kept as where they are others.
WORDS = [
    ("every day", "FREQ=DAILY", ""),
    ("Every Day", "FREQ=DAILY", "every day"),
    ("daily", "FREQ=DAILY", "every day"),
    ("everyday", "FREQ=DAILY", "every day"),
    ("every 1 day", "FREQ=DAILY", "every day"),
    ("every 3 days", "FREQ=DAILY;INTERVAL=3", ""),
    ("every three days", "FREQ=DAILY;INTERVAL=3", "every 3 days"),
    ("every other day", "FREQ=DAILY;INTERVAL=2", "every 2 days"),
    ("every 1000 days", "FREQ=DAILY;INTERVAL=1000", ""),
    ("every weekday", "FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR", ""),
    ("every workday", "FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR", "every weekday"),
    ("every mon,tue,wed,thu,fri", "FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR", "every weekday"),
    ("every week", "FREQ=WEEKLY", ""),
    ("weekly", "FREQ=WEEKLY", "every week"),
    ("every 2 weeks", "FREQ=WEEKLY;INTERVAL=2", ""),
    ("every fortnight", "FREQ=WEEKLY;INTERVAL=2", "every 2 weeks"),
    ("every mon", "FREQ=WEEKLY;BYDAY=MO", ""),
    ("every week on mon", "FREQ=WEEKLY;BYDAY=MO", "every mon"),
    ("weekly on Thursday", "FREQ=WEEKLY;BYDAY=TH", "every thu"),
    ("every mon,thu", "FREQ=WEEKLY;BYDAY=MO,TH", ""),
    ("every thurs & mon", "FREQ=WEEKLY;BYDAY=MO,TH", "every mon,thu"),
    ("every monday, wednesday, and friday", "FREQ=WEEKLY;BYDAY=MO,WE,FR", "every mon,wed,fri"),
    ("every 2 weeks on mon", "FREQ=WEEKLY;INTERVAL=2;BYDAY=MO", ""),
    ("every other tuesday", "FREQ=WEEKLY;INTERVAL=2;BYDAY=TU", "every 2 weeks on tue"),
    ("every 2 weeks on mon and fri", "FREQ=WEEKLY;INTERVAL=2;BYDAY=MO,FR", "every 2 weeks on mon,fri"),
    ("every month", "FREQ=MONTHLY", ""),
    ("monthly", "FREQ=MONTHLY", "every month"),
    ("every 3 months", "FREQ=MONTHLY;INTERVAL=3", ""),
    ("every month on the 15th", "FREQ=MONTHLY;BYMONTHDAY=15", ""),
    ("every 15th of the month", "FREQ=MONTHLY;BYMONTHDAY=15", "every month on the 15th"),
    ("monthly on the 1st", "FREQ=MONTHLY;BYMONTHDAY=1", "every month on the 1st"),
    ("every month on the first day", "FREQ=MONTHLY;BYMONTHDAY=1", "every month on the 1st"),
    ("every month on the 1st and the 15th", "FREQ=MONTHLY;BYMONTHDAY=1,15", "every month on the 1st and 15th"),
    ("every 2 months on the 28th", "FREQ=MONTHLY;INTERVAL=2;BYMONTHDAY=28", ""),
    ("every month on the 29th", "FREQ=MONTHLY;BYMONTHDAY=28,29;BYSETPOS=-1", ""),
    ("every month on the 30th", "FREQ=MONTHLY;BYMONTHDAY=28,29,30;BYSETPOS=-1", ""),
    ("every month on the 31st", "FREQ=MONTHLY;BYMONTHDAY=28,29,30,31;BYSETPOS=-1", ""),
    ("every month on the 15th and 30th", "FREQ=MONTHLY;BYMONTHDAY=15,28,29,30;BYSETPOS=1,-1", ""),
    ("every month on the 28th and 31st", "FREQ=MONTHLY;BYMONTHDAY=28,29,30,31;BYSETPOS=1,-1", ""),
    ("every month on the last day", "FREQ=MONTHLY;BYMONTHDAY=-1", ""),
    ("every month on the 15th and last day", "FREQ=MONTHLY;BYMONTHDAY=15,-1", ""),
    ("every month on the last friday", "FREQ=MONTHLY;BYDAY=-1FR", ""),
    ("every last friday of the month", "FREQ=MONTHLY;BYDAY=-1FR", "every month on the last friday"),
    ("every 2nd tue of the month", "FREQ=MONTHLY;BYDAY=2TU", "every month on the second tuesday"),
    ("every month on the first and third monday", "FREQ=MONTHLY;BYDAY=1MO,3MO", ""),
    ("every month on the last workday", "FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1", ""),
    ("every 3 months on the first workday", "FREQ=MONTHLY;INTERVAL=3;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=1", ""),
    ("every year", "FREQ=YEARLY", ""),
    ("yearly", "FREQ=YEARLY", "every year"),
    ("every dec 1", "FREQ=YEARLY;BYMONTH=12;BYMONTHDAY=1", ""),
    ("every 1st of december", "FREQ=YEARLY;BYMONTH=12;BYMONTHDAY=1", "every dec 1"),
    ("every year on Dec. 1", "FREQ=YEARLY;BYMONTH=12;BYMONTHDAY=1", "every dec 1"),
    ("every 2 years on dec 31", "FREQ=YEARLY;INTERVAL=2;BYMONTH=12;BYMONTHDAY=31", ""),
    ("every feb 28", "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=28", ""),
    ("every feb 29", "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=28,29;BYSETPOS=-1", ""),
    (
        "every 4th thursday of november",
        "FREQ=YEARLY;BYMONTH=11;BYDAY=4TH",
        "every year on the fourth thursday of november",
    ),
    ("every year on the last day of february", "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=-1", ""),
    ("every year on the 1st and 15th of march", "FREQ=YEARLY;BYMONTH=3;BYMONTHDAY=1,15", ""),
    ("every day until 2026-12-31", "FREQ=DAILY;UNTIL=20261231", ""),
    ("every week, until Dec 31", "FREQ=WEEKLY;UNTIL=20261231", "every week until 2026-12-31"),
    ("every mon until next friday", "FREQ=WEEKLY;BYDAY=MO;UNTIL=20261127", "every mon until 2026-11-27"),
    ("every day until 2026-11-01", "FREQ=DAILY;UNTIL=20261101", ""),
    ("every day for 10 times", "FREQ=DAILY;COUNT=10", ""),
    ("every month on the 31st for 1 time", "FREQ=MONTHLY;BYMONTHDAY=28,29,30,31;BYSETPOS=-1;COUNT=1", ""),
]

FROM_COMPLETION = [
    ("every! day", "FREQ=DAILY"),
    ("every! 3 days", "FREQ=DAILY;INTERVAL=3"),
    ("every! month", "FREQ=MONTHLY"),
    ("every! 2 weeks on mon", "FREQ=WEEKLY;INTERVAL=2;BYDAY=MO"),
    ("every! week on mon", "FREQ=WEEKLY;BYDAY=MO"),
    ("every! mon", "FREQ=DAILY;BYDAY=MO"),
    ("every! mon,thu", "FREQ=DAILY;BYDAY=MO,TH"),
    ("every! weekday", "FREQ=DAILY;BYDAY=MO,TU,WE,TH,FR"),
    ("every! dec 1", "FREQ=YEARLY;BYMONTH=12;BYMONTHDAY=1"),
    ("every! 3 days at 09:00 for 5 times", "FREQ=DAILY;INTERVAL=3;COUNT=5"),
]

WITH_TIME = [
    ("every day at 9am", "every day at 09:00"),
    ("every day at 9", "every day at 09:00"),
    ("every day 9:00", "every day at 09:00"),
    ("9am every day", "every day at 09:00"),
    ("every day, 9 a.m.", "every day at 09:00"),
    ("every morning", "every day at 09:00"),
    ("every day in the morning", "every day at 09:00"),
    ("every mon, 9am", "every mon at 09:00"),
    ("every mon and thu morning", "every mon,thu at 09:00"),
    ("every month on the 15th at 9:00", "every month on the 15th at 09:00"),
    ("every day at 9am until dec 1", "every day at 09:00 until 2026-12-01"),
    ("every day at 9am for 3 times", "every day at 09:00 for 3 times"),
    ("every day for 3 times at 9am", "every day at 09:00 for 3 times"),
]

# Rules that no words of ours say: they are shown as they are.
WORDLESS = [
    "FREQ=MONTHLY;BYMONTHDAY=31",
    "FREQ=MONTHLY;BYMONTHDAY=13;BYDAY=FR",
    "FREQ=MONTHLY;BYMONTHDAY=-2",
    "FREQ=MONTHLY;BYDAY=5MO",
    "FREQ=MONTHLY;BYDAY=1MO,-1FR",
    "FREQ=MONTHLY;BYMONTH=1,7;BYMONTHDAY=1",
    "FREQ=MONTHLY;BYMONTHDAY=15,28,29,30,31;BYSETPOS=-1",
    "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=29",
    "FREQ=YEARLY;BYMONTH=2",
    "FREQ=YEARLY;BYMONTHDAY=15",
    "FREQ=YEARLY;BYDAY=20MO",
    "FREQ=YEARLY;BYMONTH=1,7;BYDAY=1MO",
    "FREQ=DAILY;INTERVAL=2;BYDAY=MO",
    "FREQ=DAILY;BYMONTH=12",
    "FREQ=WEEKLY;BYMONTH=12;BYDAY=MO",
    "FREQ=WEEKLY;BYDAY=MO,FR;BYSETPOS=1",
]

REFUSED = [
    "", " ", "every", "every!", "every !day", "banana", "every banana", "mon", "day", "2 weeks", "once a week",
    "every mon fri", "every mon-fri", "every mon,banana", "every and mon", "every 2 mondays", "every weekend",
    "every quarter", "biweekly", "every second week", "every 2nd day", "every 2nd monday", "every last friday",
    "every 15th", "every last day", "every 31", "every month on 15", "every month on the 15", "every month on mon",
    "every month on dec 1", "every month on the 0th", "every month on the 32nd", "every month on the fifth friday",
    "every month on the last banana", "every month on the banana friday", "every month on the 30th and 31st",
    "every month on the 31st and last day", "every week on the 15th", "every week on dec 1", "every year on mon",
    "every year on the 15th", "every december", "every apr 31", "every feb 30", "every 31st of november",
    "every 30th of february", "every 15th and 31st of november", "every dec 0", "every day on mon",
    "every 2 weekdays", "every other weekday", "every hour", "every dec 1 2027", "every 15 minutes", "every 0 days",
    "every -1 days", "every 1.5 days", "every 1001 days", "every 501 fortnights", "every ² days",
    "every day except sun", "every day at 25:00", "every day at 13pm", "every day 9", "every day at midnight",
    "every day at 9am at 10am", "every tonight", "every day tonight", "every day this morning",
    "every day at 9am America/New_York", "every day 3 times", "every day for 0 times", "every day for ten times",
    "every day for 99999 times", "every day for 2 weeks", "every day for 3 times until dec 1",
    "every day until dec 1 for 3 times", "every day for 3 times for 4 times", "every day until", "until dec 1",
    "every day until banana", "every day until 32 dec", "every day until 12/01/2026",
    "every day until dec 1 at 9am", "every day until dec 1 until dec 2", "every day until dec 1 Europe/Berlin",
    "starting dec 1 every day", "every day starting dec 1", "jeden tag", "FREQ=HOURLY",
    "FREQ=MONTHLY;BYMONTHDAY=30;BYMONTH=2", "RRULE:daily", "every FREQ=DAILY", "FREQ=DAILY at 9am",
    "every day" + " " * 300,
]  # fmt: skip


def refusal(text: str, habits: Habits = ADA) -> Problem:
    with pytest.raises(Problem) as caught:
        parse_repeat(text, NOW, habits)
    return caught.value


@pytest.mark.parametrize(("text", "rrule", "kept"), WORDS)
def test_words_are_kept_as_a_rule_and_as_words_that_read_back_as_the_same(text: str, rrule: str, kept: str) -> None:
    repeat = parse_repeat(text, NOW, ADA)
    assert repeat == Repeat(rrule, kept or text, from_done=False, minutes=None)
    assert parse_repeat(repeat.text, NOW, ADA) == repeat
    assert parse_repeat(f"RRULE:{rrule}", NOW, ADA) == repeat


@pytest.mark.parametrize(("text", "rrule"), FROM_COMPLETION)
def test_an_exclamation_mark_counts_from_completion(text: str, rrule: str) -> None:
    repeat = parse_repeat(text, NOW, ADA)
    assert (repeat.rrule, repeat.text, repeat.from_done) == (rrule, text, True)


@pytest.mark.parametrize(("text", "kept"), WITH_TIME)
def test_words_may_hold_the_time_of_day(text: str, kept: str) -> None:
    repeat = parse_repeat(text, NOW, ADA)
    assert (repeat.text, repeat.minutes) == (kept, 9 * 60)
    assert parse_repeat(repeat.text, NOW, ADA) == repeat


def test_parts_of_the_day_are_those_of_the_settings() -> None:
    assert parse_repeat("every evening", NOW, Habits(BERLIN, evening=1080)).text == "every day at 18:00"


@pytest.mark.parametrize(
    ("rrule", "text"),
    [
        ("FREQ=DAILY;BYDAY=MO,TU,WE,TH,FR", "every weekday"),
        ("FREQ=WEEKLY;BYDAY=MO;WKST=SU", "every mon"),
        ("FREQ=MONTHLY;BYDAY=FR;BYSETPOS=-1", "every month on the last friday"),
        (
            "FREQ=YEARLY;BYMONTH=11;BYDAY=TH;BYSETPOS=4;COUNT=2",
            "every year on the fourth thursday of november for 2 times",
        ),
    ],
)
def test_a_rule_gets_its_words_however_it_is_written(rrule: str, text: str) -> None:
    repeat = parse_repeat(rrule, NOW, ADA)
    assert repeat.text == text
    assert parse_repeat(text, NOW, ADA) == repeat


@pytest.mark.parametrize("rrule", WORDLESS)
def test_a_rule_that_no_words_say_is_shown_as_it_is(rrule: str) -> None:
    repeat = parse_repeat(rrule.lower(), NOW, ADA)
    assert repeat == Repeat(rrule, rrule, from_done=False, minutes=None)


@pytest.mark.parametrize("text", REFUSED)
def test_what_is_not_understood_or_has_two_readings_is_refused_with_what_to_write(text: str) -> None:
    problem = refusal(text)
    assert problem.code == "bad_repeat"
    assert problem.hint
    assert len(str(problem)) <= 200


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("every day until 32 dec", '"32 dec" is no date.', "2026-12-31. Today is Fri 2026-11-20 (Europe/Berlin)."),
        ("every day until 12/01/2026", "12/01/2026 is Jan 12 or Dec 1.", "2026-12-01 or 2026-01-12."),
        ("every day until dec 1 9am", '"until dec 1 9am" is more than a day.', '"every day at 9am until dec 1".'),
        ("every moon", '"every moon" is no repetition, or may mean several.', '"every 2 weeks on mon"'),
        ("every banana days", '"every banana days" is no repetition, or may mean several.', '"every 2 weeks on mon"'),
        ("every month on the 32nd", '"every month on the 32nd" is no repetition', '"every 2 weeks on mon"'),
        ("every 1001 days", 'INTERVAL is "1001".', "1 to 1000."),
        ("every day for 3 times until dec 1", "a rule ends by UNTIL or by COUNT, not by both.", "leave one out."),
        ("FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30", "gives no day in ten years.", "a rule with days that exist."),
        ("FREQ=DAILY;BYHOUR=9", '"BYHOUR" is no part of a rule here.', "use FREQ, INTERVAL, "),
        ("INTERVAL=2", "the rule has no FREQ.", "DAILY, WEEKLY, MONTHLY, YEARLY."),
    ],
)
def test_a_refusal_names_what_is_wrong_and_what_to_write(text: str, message: str, hint: str) -> None:
    problem = refusal(text)
    assert message in problem.message
    assert hint in problem.hint


def test_the_week_starts_where_the_settings_say_if_that_matters() -> None:
    assert parse_repeat("every 2 weeks on mon,sun", NOW, BOB).rrule == "FREQ=WEEKLY;INTERVAL=2;BYDAY=MO,SU;WKST=SU"
    assert parse_repeat("every other mon", NOW, BOB).rrule == "FREQ=WEEKLY;INTERVAL=2;BYDAY=MO;WKST=SU"
    assert parse_repeat("every week on mon", NOW, BOB).rrule == "FREQ=WEEKLY;BYDAY=MO"
    assert parse_repeat("every 2 weeks", NOW, BOB).rrule == "FREQ=WEEKLY;INTERVAL=2"


def test_a_rule_has_no_words_for_people_whose_weeks_start_on_another_day() -> None:
    rrule = "FREQ=WEEKLY;INTERVAL=2;BYDAY=MO,SU;WKST=SU"
    assert parse_repeat(rrule, NOW, BOB).text == "every 2 weeks on mon,sun"
    assert parse_repeat(rrule, NOW, ADA).text == rrule


def test_an_until_in_utc_ends_on_the_day_of_the_person() -> None:
    rrule = "FREQ=DAILY;UNTIL=20270101T030000Z"
    assert parse_repeat(rrule, NOW, ADA).text == "every day until 2027-01-01"
    assert parse_repeat(rrule, NOW, BOB).text == "every day until 2026-12-31"


@pytest.mark.parametrize("text", [*(text for text, *_ in (*WORDS, *FROM_COMPLETION, *WITH_TIME)), *WORDLESS])
def test_a_repeat_comes_back_from_what_is_kept_with_the_task(text: str) -> None:
    repeat = parse_repeat(text, NOW, ADA)
    assert kept_repeat(repeat.rrule, repeat.text, "done" if repeat.from_done else "due") == repeat


PIECES = sorted({piece for text, *_ in (*WORDS, *FROM_COMPLETION, *WITH_TIME) for piece in text.lower().split()})
RULE_PIECES = (
    "FREQ=DAILY",
    "FREQ=MONTHLY",
    "BYDAY=MO",
    "BYDAY=-1FR",
    "BYSETPOS=-1",
    "COUNT=2",
    "UNTIL=20261231",
    "WKST=SU",
)


@settings(max_examples=600, deadline=None)
@given(
    st.text(max_size=60)
    | st.lists(st.sampled_from([*PIECES, "every", "every!", ","]), max_size=7).map(" ".join)
    | st.lists(st.sampled_from(RULE_PIECES), max_size=5).map(";".join)
    | st.text(max_size=20).map("FREQ=DAILY;".__add__),
    st.sampled_from([ADA, BOB]),
)
@example("every ٣ days", ADA)
@example("every day for ٣ times", ADA)
@example("FREQ=DAILY;COUNT=٣", ADA)
def test_any_text_is_a_repeat_that_reads_back_or_a_refusal(text: str, habits: Habits) -> None:
    try:
        repeat = parse_repeat(text, NOW, habits)
    except Problem as problem:
        assert problem.code == "bad_repeat"
        assert str(problem).isprintable()
    else:
        assert parse_repeat(repeat.text, NOW, habits) == repeat
        assert repeat.from_done or parse_repeat(repeat.rrule, NOW, habits).rrule == repeat.rrule
