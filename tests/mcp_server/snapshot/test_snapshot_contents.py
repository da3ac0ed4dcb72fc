"""What stands in a snapshot: the same as a plain account of the tasks, in the person's own time, and nobody else's."""

import json
from collections.abc import AsyncGenerator, Iterable
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from mcp_server.snapshot.schema import TABLES
from mcp_server.snapshot.version import Snapshot
from mcp_server.tasks.spaces import space_of
from mcp_server.tasks.task import Status
from shared.db import microseconds
from tests.living import Living
from tests.mcp_server.filled import NOW, TODAY, Known, World, filled
from tests.mcp_server.snapshot.snapshots import Row, minute, snapshot_of, table, tables, week

pytestmark = pytest.mark.anyio

ZONES = ("Europe/Berlin", "America/New_York", "Asia/Kathmandu", "UTC")


@pytest.fixture
async def world(living: Living) -> AsyncGenerator[World]:
    async with filled(living) as found:
        yield found


def label(known: Known, letter: str = "T") -> str:
    return f"{known.alias}:{letter}{known.task.no}" if known.alias else f"{letter}{known.task.no}"


def wall(at_us: int, zone: ZoneInfo) -> datetime:
    return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=at_us)).astimezone(zone)


class Account:
    """What ada's tables have to hold, told without any SQL."""

    def __init__(self, world: World, zone: ZoneInfo) -> None:
        self.world = world
        self.zone = zone
        self.today = NOW.astimezone(zone).date()
        self.known = {known.key: known for known in world.known if known.task.deleted_us is None}
        self.all = {known.key: known.task for known in (*world.known, *world.hidden)}

    def person(self, person: str | None) -> str:
        return "bob" if person == space_of(self.world.bob) else "me"

    def task(self, known: Known) -> Row:
        task = known.task
        created, updated = wall(task.created_us, self.zone), wall(task.updated_us or microseconds(NOW), self.zone)
        done = wall(task.completed_us, self.zone) if task.completed_us is not None else None
        end = done.date() if done else self.today
        above = self.known.get((task.space_id, task.parent_no or 0))
        below = [
            one.task for one in self.known.values() if one.task.parent_no == task.no and one.key[0] == task.space_id
        ]
        place, _, section = known.place.partition("/")
        waits = [self.all[task.space_id, number] for number in task.blocked_by]
        late = (
            known.due_at_us < microseconds(NOW)
            if known.due_at_us is not None
            else task.due_date is not None and task.due_date < self.today
        )
        fields = {name: value for name, value in known.fields.items() if value is not None}
        tags = sorted(known.tags)
        return {
            "id": label(known),
            "no": task.no,
            "owner": known.alias or "me",
            "title": task.title,
            "list": place,
            "section": section or None,
            "status": task.status.name.lower(),
            "priority": task.priority,
            "due": task.due_date and task.due_date.isoformat(),
            "due_time": None if task.due_min is None else f"{task.due_min // 60:02}:{task.due_min % 60:02}",
            "due_tz": task.due_tz,
            "due_week": week(task.due_date),
            "due_month": task.due_date and f"{task.due_date:%Y-%m}",
            "due_weekday": task.due_date and f"{task.due_date:%a}",
            "start": task.start_date and task.start_date.isoformat(),
            "deadline": task.deadline and task.deadline.isoformat(),
            "repeat": task.repeat_text,
            "estimate_min": task.estimate_min,
            "parent": above and label(above),
            "assignee": task.assignee and self.person(task.assignee),
            "author": self.person(task.author),
            "tags": ", ".join(tags) or None,
            "created": minute(created),
            "created_date": f"{created:%Y-%m-%d}",
            "created_week": week(created.date()),
            "updated": minute(updated),
            "done": minute(done),
            "done_date": done and f"{done:%Y-%m-%d}",
            "done_week": week(done.date()) if done else None,
            "done_month": done and f"{done:%Y-%m}",
            "done_weekday": done and f"{done:%a}",
            "done_hour": done.hour if done else None,
            "days_open": (end - created.date()).days,
            "days_late": max(0, (end - task.due_date).days) if task.due_date else None,
            "overdue": int(late and task.status is Status.OPEN),
            "blocked": int(task.status is Status.OPEN and any(other.is_open for other in waits)),
            "subtasks": len(below),
            "subtasks_done": sum(one.status is Status.DONE for one in below),
            "comments": int(known.has_comments),
            "fields": fields or None,
            "notes": task.notes or None,
        }

    def tasks(self) -> list[Row]:
        return [self.task(known) for known in self.known.values()]

    def completions(self) -> list[Row]:
        """Of all tasks of her own, and of those that bob shows her."""
        found = []
        for known in self.world.known:
            there = known.key in self.known
            for day, status in known.done_days if there or not known.alias else ():
                done = wall(
                    microseconds(datetime.combine(day, datetime.min.time(), ZoneInfo("Europe/Berlin"))), self.zone
                )
                found.append(
                    {
                        "task": label(known) if there else None,
                        "title": known.task.title if there else None,
                        "list": known.place.partition("/")[0] if there else None,
                        "status": status.name.lower(),
                        "due": None,
                        "done": minute(done),
                        "done_date": day.isoformat(),
                        "done_week": week(day),
                        "done_month": f"{day:%Y-%m}",
                        "days_late": None,
                    }
                )
        return found

    def lists(self) -> list[Row]:
        owners = {**dict.fromkeys(ADAS, "me"), **dict.fromkeys(BOBS, "bob")}
        found = []
        for path, is_archived in {**ADAS, **BOBS}.items():
            inside = [
                known.task
                for known in self.known.values()
                if (known.alias or "me") == owners[path] and (known.place == path or known.place.startswith(f"{path}/"))
            ]
            name, slash, section = path.partition("/")
            found.append(
                {
                    "name": section if slash else name,
                    "parent": name if slash else None,
                    "owner": owners[path],
                    "archived": int(is_archived),
                    "open": sum(task.status is Status.OPEN for task in inside),
                    "done": sum(task.status is Status.DONE for task in inside),
                }
            )
        return found


# Places as ada sees them; a section of an archived list is put away with it.
ADAS = {
    "Inbox": False, "Work": False, "Work/Design": False, "Work/Past": True, "Big Project": False,
    "Big Project/Design": False, "Old": True, "Old/Cellar": True,
}  # fmt: skip
BOBS = {"Team": False, "Team/Alpha": False}


def in_order(rows: Iterable[Row]) -> list[str]:
    return sorted(json.dumps(row, sort_keys=True) for row in rows)


def with_fields(rows: Iterable[Row]) -> list[Row]:
    return [{**row, "fields": row["fields"] and json.loads(row["fields"])} for row in rows]


async def snapshot_in(world: World, zone: str = "") -> Snapshot:
    return await snapshot_of(world.database, world.ada, zone)


@pytest.mark.parametrize("zone", ZONES)
async def test_tasks_equal_a_plain_account_in_every_zone(world: World, zone: str) -> None:
    account = Account(world, ZoneInfo(zone))
    found = with_fields(table(await snapshot_in(world, zone), "tasks"))
    assert in_order(found) == in_order(account.tasks())
    assert len(found) > 100


async def test_every_kind_of_fact_occurs_in_what_is_compared(world: World) -> None:
    found = Account(world, ZoneInfo("Europe/Berlin")).tasks()
    kept = {name for name in found[0] if len({str(row[name]) for row in found}) > 1}
    assert set(found[0]) - kept == {"updated", "estimate_min"}
    assert any(row["parent"] and row["owner"] == "bob" for row in found)


async def test_completions_outlive_their_tasks(world: World) -> None:
    account = Account(world, ZoneInfo("Asia/Kathmandu"))
    found = table(await snapshot_in(world, "Asia/Kathmandu"), "completions")
    assert in_order(found) == in_order(account.completions())
    assert {row["title"] is None for row in found} == {True, False}


async def test_lists_are_counted_with_their_sections(world: World) -> None:
    found = table(await snapshot_in(world), "lists")
    assert in_order(found) == in_order(Account(world, ZoneInfo("Europe/Berlin")).lists())
    assert (found[0]["name"], found[0]["owner"]) == ("Inbox", "me")


async def test_tags_blockers_and_comments_are_those_of_tasks_that_are_seen(world: World) -> None:
    snapshot = await snapshot_in(world)
    known = Account(world, ZoneInfo("Europe/Berlin")).known
    tags = [{"task": label(one), "tag": tag} for one in known.values() for tag in one.tags]
    deps = [
        {"task": label(one), "blocked_by": label(known[one.key[0], number])}
        for one in known.values()
        for number in one.task.blocked_by
        if (one.key[0], number) in known
    ]
    said = [
        {
            "task": label(one),
            "author": one.alias or "me",
            "at": "1970-01-01 01:00",
            "date": "1970-01-01",
            "body": "so it is",
        }
        for one in known.values()
        if one.has_comments
    ]
    found = table(snapshot, "comments")
    assert in_order(table(snapshot, "tags")) == in_order(tags)
    assert in_order(table(snapshot, "deps")) == in_order(deps)
    assert in_order({name: row[name] for name in row if name != "id"} for row in found) == in_order(said)
    assert all(row["id"].startswith("bob:C" if row["author"] == "bob" else "C") for row in found)


async def test_times_that_pass_before_the_day_after_tomorrow_are_kept_for_later(world: World) -> None:
    zone = ZoneInfo("Europe/Berlin")
    end_us = microseconds(datetime.combine(TODAY + timedelta(2), datetime.min.time(), zone))
    coming = [
        {"task": label(known), "at_us": known.due_at_us}
        for known in Account(world, zone).known.values()
        if known.task.is_open and known.due_at_us is not None and microseconds(NOW) <= known.due_at_us < end_us
    ]
    assert in_order(table(await snapshot_in(world), "soon")) == in_order(coming)
    assert coming


async def test_only_the_tables_of_the_schema_remain(world: World) -> None:
    found = tables(await snapshot_in(world))
    assert set(found) == {*TABLES, "soon"}
    assert {name: set(rows[0]) for name, rows in found.items() if name in TABLES} == {
        name: {column.name for column in columns} for name, columns in TABLES.items()
    }


async def test_the_one_row_about_the_person(world: World) -> None:
    [me] = table(await snapshot_in(world), "me")
    assert me == {
        "today": "2026-11-20",
        "now": "2026-11-20 10:40",
        "tz": "Europe/Berlin",
        "week_start": "Monday",
        "partial": 0,
    }
    [there] = table(await snapshot_in(world, "Pacific/Auckland"), "me")
    assert (there["today"], there["now"]) == ("2026-11-20", "2026-11-20 22:40")
