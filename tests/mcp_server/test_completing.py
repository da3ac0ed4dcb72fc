"""Finishing tasks, as a client meets it: done, cancelled, open again; and those that come again."""

from datetime import date, timedelta
from typing import Any

import pytest
from sqlalchemy import select

from mcp_server.tasks.spaces import space_of
from mcp_server.tasks.tables import completions
from tests.living import Living, ToolClient

pytestmark = pytest.mark.anyio


async def opened(person: ToolClient, ref: str) -> dict[str, Any]:
    """One task in full."""
    [task] = (await person.values("tasks_find", refs=[ref]))["tasks"]
    return dict(task)


async def today(person: ToolClient) -> date:
    return date.fromisoformat((await person.values("tasks_find"))["now"][:10])


async def ends(living: Living) -> list[tuple[str, str]]:
    """The day each of ada's tasks was due when it was finished, and how: what no tool shows as such."""
    assert living.mcp_database is not None
    ada = living.person("ada")
    async with living.mcp_database.begin(ada) as tx:
        rows = await tx.all(
            select(completions.c.due_date, completions.c.status)
            .where(completions.c.space_id == space_of(ada))
            .order_by(completions.c.no)
        )
    return [(str(row.due_date or ""), ("", "done", "cancelled")[row.status]) for row in rows]


async def test_tasks_are_completed_and_the_others_stay(living: Living) -> None:
    async with living.client("ada") as ada:
        await ada.values("tasks_add", tasks=[{"title": "Milk", "priority": "p1"}, "Bread", "Eggs"])
        assert await ada.text("tasks_complete", refs=["milk", "T3"]) == (
            "op 2: 2 completed\nT1 done p1 | Milk\nT3 done | Eggs"
        )
        assert await ada.titles() == ["Bread"]
        assert sorted(await ada.titles("is:done")) == ["Eggs", "Milk"]
        assert sorted(await ada.titles("done:today")) == ["Eggs", "Milk"]


async def test_completing_what_is_done_changes_nothing(living: Living) -> None:
    async with living.client("ada") as ada:
        await ada.add("Milk", "Bread")
        await ada.values("tasks_complete", refs=["T1"])
        assert await ada.text("tasks_complete", refs=["T1"]) == "nothing to change\nT1 done | Milk"
        assert (await ada.values("tasks_find"))["rev"] == 2
        values = await ada.values("tasks_complete", refs=["T1", "T2"])
        assert values["counts"] == {"completed": 1, "unchanged": 1}
        assert await ends(living) == [("", "done"), ("", "done")]


async def test_a_task_is_reopened_and_cancelled(living: Living) -> None:
    async with living.client("ada") as ada:
        await ada.add("Milk")
        await ada.values("tasks_complete", refs=["T1"])
        assert await ada.text("tasks_complete", refs=["T1"], done=False) == "op 3: 1 reopened\nT1 | Milk"
        assert await ada.titles() == ["Milk"]
        assert await ends(living) == []
        assert await ada.text("tasks_complete", refs=["T1"], cancelled=True) == "op 4: 1 cancelled\nT1 cancelled | Milk"
        assert await ada.titles("is:cancelled") == ["Milk"]
        assert await ada.titles("done:any") == []


async def test_what_is_called_done_and_then_cancelled_was_finished_once(living: Living) -> None:
    async with living.client("ada") as ada:
        await ada.add("Milk")
        await ada.values("tasks_complete", refs=["T1"])
        await ada.values("tasks_complete", refs=["T1"], cancelled=True)
        assert await ends(living) == [("", "cancelled")]
        assert await ada.titles("done:any") == []
        await ada.values("tasks_complete", refs=["T1"], done=False)
        assert await ends(living) == []


async def test_a_completion_can_be_dated(living: Living) -> None:
    async with living.client("ada") as ada:
        await ada.add("Milk", "Bread")
        await ada.values("tasks_complete", refs=["T1"], at="2026-01-31 18:00")
        assert (await opened(ada, "T1"))["done"] == "2026-01-31T18:00"
        assert await ada.titles("done:2026-01-31") == ["Milk"]
        assert await ada.titles("done:today") == []
        refused = await ada.text("tasks_complete", refs=["T2"], at="2099-01-01")
        assert refused.startswith('bad_date: at "2099-01-01" is still to come.')
        await ada.values("tasks_complete", refs=["T2"], at="yesterday")
        assert await ada.titles("done:yesterday") == ["Bread"]


async def test_completing_does_not_touch_subtasks(living: Living) -> None:
    async with living.client("ada") as ada:
        await ada.values("tasks_add", tasks=[{"title": "Plan", "subtasks": ["Draft"]}])
        await ada.values("tasks_complete", refs=["Plan"])
        assert await ada.titles() == ["Draft"]


async def test_one_bad_reference_completes_none(living: Living) -> None:
    async with living.client("ada") as ada:
        await ada.add("Milk", "Bread", "Gone")
        await ada.values("tasks_delete", refs=["Gone"])
        for bad, code in (("T99", "unknown_ref: "), ("T3", "in_trash: "), ("Egg", "unknown_ref: ")):
            assert (await ada.text("tasks_complete", refs=["T1", bad])).startswith(code)
        assert await ada.titles() == ["Milk", "Bread"]


@pytest.mark.parametrize("more", [{"cancelled": True}, {"at": "yesterday"}, {"end_series": True}])
async def test_reopening_goes_with_nothing_else(living: Living, more: dict[str, Any]) -> None:
    async with living.client("ada") as ada:
        await ada.add("Milk")
        refused = await ada.text("tasks_complete", refs=["T1"], done=False, **more)
        assert refused == ("bad_argument: done=false reopens; it goes with nothing else. Fix: leave the others out")


async def test_a_repeating_task_goes_on_to_its_next_date_with_what_hangs_on_it(living: Living) -> None:
    async with living.client("ada") as ada:
        task = {
            "title": "Water",
            "due": "2030-01-05 09:00",
            "start": "2030-01-04",
            "deadline": "2030-01-07",
            "repeat": "every 2 weeks",
            "remind": ["1h before"],
            "subtasks": ["Roses", "Grass", "Weeds"],
        }
        await ada.values("tasks_add", tasks=[task])
        await ada.values("tasks_complete", refs=["Roses", "Weeds"])
        await ada.values("tasks_delete", refs=["Weeds"])
        assert await ada.text("tasks_complete", refs=["Water"]) == (
            "op 4: 1 completed\nT1 completed -> Sat 2030-01-19 09:00 (every 2 weeks) | Water"
        )
        after = await opened(ada, "Water")
        assert (after["due"], after["start"], after["deadline"]) == ("2030-01-19T09:00", "2030-01-18", "2030-01-21")
        assert after["reminders"] == ["1h before"]
        assert sorted(await ada.titles()) == ["Grass", "Roses", "Water"]
        assert sorted(await ada.titles("done:today")) == ["Roses", "Water"]
        assert await ends(living) == [("", "done"), ("", "done"), ("2030-01-05", "done")]
        await ada.values("tasks_delete", refs=["Weeds"], restore=True)
        assert await ada.titles("is:done") == ["Weeds"]


async def test_a_moved_date_moves_one_occurrence_only(living: Living) -> None:
    async with living.client("ada") as ada:
        await ada.values("tasks_add", tasks=[{"title": "Water", "due": "2030-01-05", "repeat": "every week"}])
        await ada.values("tasks_edit", changes=[{"refs": ["Water"], "due": "2030-01-07"}])
        await ada.values("tasks_complete", refs=["Water"])
        assert (await opened(ada, "Water"))["due"] == "2030-01-12"


async def test_a_task_that_repeats_from_completion_counts_from_its_day(living: Living) -> None:
    async with living.client("ada") as ada:
        await ada.values("tasks_add", tasks=[{"title": "Cut hair", "due": "2030-01-05", "repeat": "every! 10 days"}])
        for _ in range(2):  # the second time it is due on the day it would be due on again
            values = await ada.values("tasks_complete", refs=["T1"])
            assert values["counts"] == {"completed": 1}
            assert values["tasks"][0]["due"] == str(await today(ada) + timedelta(10))
        text = await ada.text("tasks_complete", refs=["T1"])
        assert text.splitlines()[1].startswith("T1 completed -> ")
        assert len(await ends(living)) == 3


async def test_missed_days_do_not_pile_up(living: Living) -> None:
    async with living.client("ada") as ada:
        await ada.values("tasks_add", tasks=[{"title": "Water", "due": "2020-01-05", "repeat": "every day"}])
        await ada.values("tasks_complete", refs=["T1"])
        assert (await opened(ada, "T1"))["due"] == str(await today(ada) + timedelta(1))


async def test_a_series_ends_with_its_last_date_or_when_it_is_said(living: Living) -> None:
    async with living.client("ada") as ada:
        repeats = {"One": "every day for 2 times", "Two": "every day", "Three": "every day"}
        tasks = [{"title": title, "due": "2030-01-05", "repeat": repeat} for title, repeat in repeats.items()]
        await ada.values("tasks_add", tasks=tasks)
        await ada.values("tasks_complete", refs=["One"])
        assert (await opened(ada, "One"))["due"] == "2030-01-06"
        text = await ada.text("tasks_complete", refs=["One"])
        assert text.splitlines()[1].startswith("T1 done Sun 2030-01-06")
        text = await ada.text("tasks_complete", refs=["Two"], end_series=True)
        assert text.splitlines()[1] == "T2 done Sat 2030-01-05 | Two"
        await ada.values("tasks_complete", refs=["Three"], cancelled=True, end_series=True)
        assert await ada.titles() == []
        assert [how for _, how in await ends(living)] == ["done", "done", "done", "cancelled"]


async def test_an_occurrence_can_be_left_out(living: Living) -> None:
    async with living.client("ada") as ada:
        await ada.values("tasks_add", tasks=[{"title": "Water", "due": "2030-01-05", "repeat": "every day"}])
        text = await ada.text("tasks_complete", refs=["Water"], cancelled=True)
        assert text == "op 2: 1 cancelled\nT1 cancelled -> Sun 2030-01-06 (every day) | Water"
        assert await ends(living) == [("2030-01-05", "cancelled")]
        assert await ada.titles("done:any") == []


async def test_a_blocked_task_can_be_done_and_a_note_says_what_it_waited_for(living: Living) -> None:
    async with living.client("ada") as ada:
        await ada.values("tasks_add", tasks=["Sand", {"title": "Paint", "blocked_by": ["#1"]}])
        text = await ada.text("tasks_complete", refs=["Paint"])
        assert text == "op 2: 1 completed\nT2 done | Paint\nnote: T2 was blocked by T1"


async def test_what_others_were_blocked_by_is_no_change_of_theirs(living: Living) -> None:
    async with living.client("ada") as ada:
        await ada.values("tasks_add", tasks=["Sand", {"title": "Paint", "blocked_by": ["#1"]}])
        await ada.values("tasks_complete", refs=["Paint"])
        values = await ada.values("tasks_complete", refs=["Sand", "Paint"])
        assert values["counts"] == {"completed": 1, "unchanged": 1}
        assert (await opened(ada, "Paint"))["version"] == 2


async def test_a_dry_run_completes_nothing(living: Living) -> None:
    async with living.client("ada") as ada:
        await ada.values("tasks_add", tasks=[{"title": "Water", "due": "2030-01-05", "repeat": "every day"}, "Milk"])
        text = await ada.text("tasks_complete", refs=["Water", "Milk"], dry_run=True)
        assert text == "\n".join(
            [
                "dry run, nothing written: 2 completed",
                "T1 completed -> Sun 2030-01-06 (every day) | Water",
                "T2 done | Milk",
            ]
        )
        assert len(await ada.titles()) == 2
        assert await ends(living) == []
