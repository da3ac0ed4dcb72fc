"""A person's settings: how they are set, how words for dates are read then, and which instants move with them."""

from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import select

from mcp_server.tasks.spaces import space_of
from mcp_server.tasks.tables import reminders, tasks
from tests.living import Living
from tests.mcp_server.organizer import organizer
from tests.mcp_server.statements import statements

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize(
    ("name", "words", "answer"),
    [
        ("time zone", "europe/berlin", "time zone: UTC -> Europe/Berlin"),
        ("Timezone", "America/New_York", "time zone: UTC -> America/New_York"),
        ("week start", "sun", "week start: Monday -> Sunday"),
        ("week_start", "SATURDAY", "week start: Monday -> Saturday"),
        ("date order", "dmy", "date order: none -> DMY"),
        ("day start", "7:30", "day start: 09:00 -> 07:30"),
        ("morning", "8am", "morning: 09:00 -> 08:00"),
        ("afternoon", "14:00", "afternoon: 15:00 -> 14:00"),
        ("evening", "6:30 pm", "evening: 19:00 -> 18:30"),
        ("tonight", "21:00", "tonight: 20:00 -> 21:00"),
    ],
)
async def test_a_setting_is_set_and_set_again_changes_nothing(
    living: Living, name: str, words: str, answer: str
) -> None:
    async with organizer(living) as ada:
        assert await ada.text("setting", "set", name, to=words) == f"op 1: 1 changed\n{answer}"
        assert (await ada.text("setting", "set", name, to=words)).startswith("nothing to change")
        assert (await ada.client.values("overview"))["rev"] == 1


@pytest.mark.parametrize(
    ("name", "more", "answer"),
    [
        ("time zone", {"to": "Berlin"}, 'bad_argument: no time zone "Berlin".'),
        ("time zone", {"to": "+02:00"}, 'bad_argument: no time zone "+02:00".'),
        ("time zone", {"to": "default"}, 'bad_argument: no time zone "default".'),
        ("time zone", {}, "missing_argument: time zone of what?"),
        ("week start", {"to": "someday"}, 'bad_argument: "someday" is no day of the week'),
        ("date order", {"to": "YMD"}, 'bad_argument: "YMD" is no order of dates. Fix: DMY, MDY or none'),
        ("morning", {"to": "25:00"}, 'bad_argument: "25:00" is no time of day. Fix: e.g. 09:00'),
        ("morning", {"to": "9"}, 'bad_argument: "9" is no time of day'),
        ("morning", {"to": "tomorrow 9am"}, 'bad_argument: "tomorrow 9am" is no time of day'),
        ("morning", {}, 'missing_argument: morning of what? Fix: add to, e.g. to="09:00"'),
        ("mornign", {"to": "09:00"}, 'bad_argument: no setting "mornign". Fix: one of morning'),
        ("color", {"to": "red"}, 'bad_argument: no setting "color". Fix: one of '),
    ],
)
async def test_a_setting_that_is_not_understood_is_refused(
    living: Living, name: str, more: dict[str, Any], answer: str
) -> None:
    async with organizer(living) as ada:
        assert (await ada.text("setting", "set", name, **more)).startswith(answer)


async def test_a_setting_is_only_set(living: Living) -> None:
    async with organizer(living) as ada:
        for action, more in (("delete", {}), ("create", {"to": "08:00"}), ("set", {"to": "08:00", "filter": "p1"})):
            assert (await ada.text("setting", action, "morning", **more)).startswith("bad_argument: a setting is only")


async def test_a_setting_goes_back_to_its_default(living: Living) -> None:
    async with organizer(living) as ada:
        assert (await ada.text("setting", "set", "morning", to="09:00")).startswith("nothing to change\nmorning: 09:00")
        await ada.do("setting", "set", "morning", to="08:00")
        assert "morning: 08:00 -> 09:00" in await ada.text("setting", "set", "morning", to="default")
        await ada.do("setting", "set", "date order", to="MDY")
        assert "date order: MDY -> none" in await ada.text("setting", "set", "date order", to="none")


async def test_words_for_dates_are_read_as_the_settings_say(living: Living) -> None:
    async with organizer(living) as ada:
        refused = await ada.client.text("tasks_add", tasks=[{"title": "A", "due": "03/04/2030"}])
        assert refused.startswith("ambiguous_date:")
        await ada.do("setting", "set", "date order", to="DMY")
        await ada.do("setting", "set", "evening", to="18:30")
        await ada.add("A", due="03/04/2030 evening")
        assert await ada.titles("due:2030-04-03") == ["A"]
        assert "Wed 2030-04-03 18:30" in await ada.client.text("tasks_find", filter="A")


async def test_bobs_settings_are_his_own(living: Living) -> None:
    async with organizer(living) as ada, organizer(living, "bob") as bob:
        for person in (ada, bob):
            await person.add("A", due="2030-07-01 09:00", remind=["at due"])
        await ada.do("setting", "set", "time zone", to="Asia/Tokyo")
        assert await _due(living) == {"A": "2030-07-01 00:00"}
        assert await _due(living, "bob") == {"A": "2030-07-01 09:00"}
        assert (await ada.client.values("overview"))["tz"] == "Asia/Tokyo"
        assert (await bob.client.values("overview"))["tz"] == "UTC"


async def test_a_dry_run_sets_nothing(living: Living) -> None:
    async with organizer(living) as ada:
        await ada.add("A", due="2030-07-01 09:00")
        text = await ada.text("setting", "set", "time zone", to="Asia/Tokyo", dry_run=True)
        assert text == "dry run, nothing written: 1 changed\ntime zone: UTC -> Asia/Tokyo"
        assert (await ada.client.values("overview"))["tz"] == "UTC"
        assert await _due(living) == {"A": "2030-07-01 09:00"}


async def _due(living: Living, name: str = "ada") -> dict[str, str]:
    """The stored due instants in UTC, by title."""
    assert living.mcp_database is not None
    person = living.person(name)
    async with living.mcp_database.begin(person) as tx:
        rows = await tx.all(
            select(tasks.c.title, tasks.c.due_at_us)
            .where(tasks.c.space_id == space_of(person), tasks.c.due_at_us.is_not(None))
            .order_by(tasks.c.no)
        )
    return {row.title: _utc(row.due_at_us) for row in rows}


async def _alarms(living: Living) -> list[str]:
    """When reminders go off, in UTC, in the order in which they were made."""
    assert living.mcp_database is not None
    person = living.person("ada")
    async with living.mcp_database.begin(person) as tx:
        rows = await tx.all(
            select(reminders.c.fire_us).where(reminders.c.space_id == space_of(person)).order_by(reminders.c.no)
        )
    return [_utc(row.fire_us) if row.fire_us is not None else "never" for row in rows]


def _utc(at_us: int) -> str:
    return f"{datetime.fromtimestamp(at_us // 1_000_000, UTC):%Y-%m-%d %H:%M}"


async def test_times_float_with_a_person_who_moves_through_clock_changes_too(living: Living) -> None:
    async with organizer(living) as ada:
        await ada.add("summer", due="2030-07-01 09:00")
        await ada.add("winter", due="2030-01-10 09:00")
        await ada.add("skipped", due="2030-03-31 02:30")
        await ada.add("twice", due="2030-10-27 02:30")
        await ada.add("theirs", due="2030-07-01 09:00 America/New_York")
        await ada.add("all day", due="2030-07-01")
        await ada.add("thrown away", due="2030-07-01 10:00")
        await ada.client.values("tasks_delete", refs=["thrown away"])
        version = (await ada.client.values("tasks_find", refs=["summer"]))["tasks"][0]["version"]
        await ada.do("setting", "set", "time zone", to="Europe/Berlin")
        assert await _due(living) == {
            "summer": "2030-07-01 07:00",
            "winter": "2030-01-10 08:00",
            "skipped": "2030-03-31 01:30",
            "twice": "2030-10-27 00:30",
            "theirs": "2030-07-01 13:00",
            "thrown away": "2030-07-01 08:00",
        }
        found = (await ada.client.values("tasks_find", refs=["summer"]))["tasks"][0]
        assert (found["due"], found["version"]) == ("2030-07-01T09:00", version)
        await ada.do("setting", "set", "time zone", to="UTC")
        assert (await _due(living))["skipped"] == "2030-03-31 02:30"


async def test_reminders_move_with_the_zone_and_the_start_of_the_day(living: Living) -> None:
    async with organizer(living) as ada:
        await ada.add("timed", due="2030-07-01 12:00", remind=["30m before"])
        await ada.add("all day", due="2030-07-01", remind=["1d before"])
        await ada.add("at a moment", remind=["2030-07-01 12:00"])
        await ada.add("theirs", due="2030-07-01 12:00 Asia/Tokyo", remind=["at due"])
        await ada.add("done", due="2030-07-01", remind=["at due"])
        await ada.client.values("tasks_complete", refs=["done"])
        before = await _alarms(living)
        assert before[:4] == ["2030-07-01 11:30", "2030-06-30 09:00", "2030-07-01 12:00", "2030-07-01 03:00"]
        await ada.do("setting", "set", "day start", to="06:15")
        assert (await _alarms(living))[:4] == [before[0], "2030-06-30 06:15", *before[2:4]]
        await ada.do("setting", "set", "time zone", to="Europe/Berlin")
        assert await _alarms(living) == ["2030-07-01 09:30", "2030-06-30 04:15", *before[2:4], "never"]


async def test_moving_costs_as_many_statements_for_many_tasks_as_for_one(living: Living) -> None:
    async with organizer(living) as ada:
        counts = []
        for size, zone in ((1, "Asia/Tokyo"), (100, "Europe/Berlin")):
            wishes = [
                {"title": f"{size}.{n}", "due": f"2030-07-01 {n % 24}:00", "remind": ["at due"]} for n in range(size)
            ]
            await ada.client.values("tasks_add", tasks=wishes)
            with statements(living) as seen:
                await ada.do("setting", "set", "time zone", to=zone)
            counts.append(len(seen))
        assert counts[0] == counts[1]
