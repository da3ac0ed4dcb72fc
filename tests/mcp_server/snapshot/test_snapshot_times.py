"""Times and weeks in a snapshot at the moments where they are easy to get wrong, and texts at their limits."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from mcp_server.tasks.task import Status, Task
from mcp_server.tasks.writing.bench import Bench
from mcp_server.tasks.writing.completions import Completion, insert_completions
from mcp_server.tasks.writing.journal import Op
from shared.db import microseconds
from tests.living import Living
from tests.mcp_server.filled import NOW, TODAY, opened, written
from tests.mcp_server.snapshot.snapshots import Row, minute, snapshot_of, table, tables, week

pytestmark = pytest.mark.anyio

ZONES = ("Europe/Berlin", "America/New_York", "Asia/Kathmandu", "UTC")
# The clocks change in Berlin and New York in these nights, at these hours of UTC; each with what lies just before it.
CHANGES = [
    datetime(*day, hour, tzinfo=UTC)
    for day, hour in (((2026, 3, 29), 1), ((2026, 10, 25), 1), ((2026, 3, 8), 7), ((2026, 11, 1), 6))
]
YEAR_ENDS = [date(year, 12, 31) + timedelta(days) for year in range(2019, 2028) for days in (-3, -2, -1, 0, 1, 2, 3, 4)]


async def add_tasks(living: Living, made: Sequence[Task], ends: Sequence[tuple[date, date | None]] = ()) -> None:
    """Put these tasks into ada's space, and completions of the first of them: when, and what was due then."""

    async def work(op: Op) -> None:
        numbered = [replace(task, space_id=op.space.id, no=op.number(), author=op.space.id) for task in made]
        bench = Bench(op)
        for task in numbered:
            bench.add(task)
        await bench.save()
        await insert_completions(
            op,
            [Completion(op.number(), numbered[0].no, due, microseconds(NOW), day, Status.DONE) for day, due in ends],
        )

    async with opened(living) as database:
        await written(database, living.person("ada"), work)


async def ada_has(living: Living, name: str, zone: str = "") -> list[Row]:
    async with opened(living) as database:
        return table(await snapshot_of(database, living.person("ada"), zone), name)


async def test_each_instant_is_shown_as_the_clock_of_the_person_showed_it(living: Living) -> None:
    moments = [
        change + timedelta(microseconds=step) for change in CHANGES for step in (-3_600_000_000, -1, 0, 3_600_000_000)
    ]
    await add_tasks(
        living,
        [
            Task("", 0, str(at), status=Status.DONE, created_us=microseconds(at), completed_us=microseconds(at))
            for at in moments
        ],
    )
    for zone in ZONES:
        found = {row["title"]: (row["created"], row["done"]) for row in await ada_has(living, "tasks", zone)}
        assert found == {str(at): (minute(at.astimezone(ZoneInfo(zone))),) * 2 for at in moments}


async def test_weeks_are_those_of_iso_8601_at_the_ends_of_years(living: Living) -> None:
    await add_tasks(
        living,
        [
            Task(
                "", 0, str(day), due_date=day, created_us=microseconds(datetime.combine(day, datetime.min.time(), UTC))
            )
            for day in YEAR_ENDS
        ],
        [(day, None) for day in YEAR_ENDS],
    )
    for row in await ada_has(living, "tasks", "UTC"):
        assert row["due_week"] == row["created_week"] == week(date.fromisoformat(row["title"]))
    assert [row["done_week"] for row in await ada_has(living, "completions", "UTC")] == [week(day) for day in YEAR_ENDS]


async def test_a_completion_is_late_by_the_day_it_counted_for(living: Living) -> None:
    days = [(TODAY, TODAY - timedelta(3)), (TODAY, TODAY + timedelta(3)), (TODAY, None)]
    await add_tasks(living, [Task("", 0, "Water", status=Status.DONE, completed_us=microseconds(NOW))], days)
    assert [row["days_late"] for row in await ada_has(living, "completions")] == [3, 0, None]


async def test_long_texts_are_cut_and_the_estimate_is_in_minutes(living: Living) -> None:
    await add_tasks(living, [Task("", 0, "Read", "é" * 5_000, estimate_min=90)])
    [row] = await ada_has(living, "tasks")
    assert (row["notes"], row["estimate_min"]) == ("é" * 4_000, 90)


async def test_a_person_without_a_space_has_empty_tables(living: Living) -> None:
    found: dict[str, Any] = {}
    async with opened(living) as database:
        found = tables(await snapshot_of(database, living.person("ada")))
    assert [row["name"] for row in found.pop("lists")] == ["Inbox"]
    assert len(found.pop("me")) == 1
    assert not any(found.values())
