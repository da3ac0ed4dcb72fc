"""Adding tasks, as a client meets it: what can be said of them, all of a call or nothing, and titles that are there."""

from typing import Any

import pytest

from tests.living import Living, ToolClient, text_of

pytestmark = pytest.mark.anyio


async def opened(person: ToolClient, ref: str) -> dict[str, Any]:
    """One task in full."""
    [task] = (await person.values("tasks_find", refs=[ref]))["tasks"]
    return dict(task)


async def test_everything_that_can_be_said_of_a_task_is_kept_and_echoed(living: Living) -> None:
    async with living.client("ada") as ada:
        await ada.values("organize", kind="list", action="create", name="Big Plan")
        await ada.values("organize", kind="section", action="create", name="Big Plan/Later")
        await ada.values("organize", kind="field", action="create", name="Effort", options={"type": "number"})
        task = {
            "title": "Call mum",
            "notes": "About the house\nand the garden",
            "list": "big plan/later",
            "due": "2030-01-05 09:00",
            "start": "2030-01-01",
            "deadline": "2030-02-01",
            "repeat": "every 2 weeks",
            "priority": "p1",
            "estimate": "1h30m",
            "remind": ["at due", "30m before", "2029-12-24 10:00"],
            "tags": ["urgent", "@home"],
            "fields": {"effort": 3},
            "subtasks": ["Find the number", "Dial"],
            "assignee": "me",
        }
        place, days = '#"Big Plan"/Later', "!2030-02-01 >2030-01-01"
        assert await ada.text("tasks_add", tasks=[task]) == "\n".join(
            [
                "op 4: 3 added",
                f"T4 p1 Sat 2030-01-05 09:00 (every 2 weeks) {place} @home @urgent {days} ~me | Call mum",
                f"T7 {place} ^T4 | Find the number",
                f"T8 {place} ^T4 | Dial",
            ]
        )
        seen = await opened(ada, "call MUM")
        assert {name: seen[name] for name in ("notes", "estimate_min", "fields", "reminders", "due", "assignee")} == {
            "notes": "About the house\nand the garden",
            "estimate_min": 90,
            "fields": {"Effort": "3"},
            "reminders": ["30m before", "at due", "2029-12-24 10:00"],
            "due": "2030-01-05T09:00",
            "assignee": "me",
        }
        assert (seen["list"], seen["section"], seen["tags"]) == ("Big Plan", "Later", ["home", "urgent"])
        assert [child["ref"] for child in seen["subtasks"]] == ["T7", "T8"]


async def test_unknown_tags_are_made_once_and_unknown_lists_refused(living: Living) -> None:
    async with living.client("ada") as ada:
        await ada.values("organize", kind="list", action="create", name="Work")
        await ada.values("tasks_add", tasks=[{"title": "One", "tags": ["Home"]}, {"title": "Two", "tags": ["#home"]}])
        overview = await ada.values("overview")
        assert [(tag["name"].lower(), tag["open"]) for tag in overview["tags"]] == [("home", 2)]
        refused = await ada.text("tasks_add", tasks=[{"title": "Three", "list": "Wrok", "tags": ["new"]}])
        assert refused == (
            'unknown_list: tasks[0]: no list "Wrok". Closest: "Work". '
            "Fix: use one, or organize(kind=list, action=create)"
        )
        assert (await ada.values("overview"))["tags"] == overview["tags"]


async def test_tasks_of_one_call_refer_to_each_other(living: Living) -> None:
    async with living.client("ada") as ada:
        text = await ada.text(
            "tasks_add",
            tasks=[
                {"title": "Plan"},
                {"title": "Draft", "parent": "#1"},
                {"title": "Print", "blocked_by": ["#1", "#2"], "parent": "#2"},
            ],
        )
        assert text == "op 1: 3 added\nT1 | Plan\nT2 ^T1 | Draft\nT3 ^T2 blocked | Print"
        assert (await opened(ada, "T3"))["blocked_by"] == ["T1", "T2"]


@pytest.mark.parametrize(
    ("task", "answer"),
    [
        ({"blocked_by": ["#2"]}, 'unknown_ref: tasks[1]: "#2" is no earlier entry. Fix: #1 is the first'),
        ({"parent": "#9"}, 'unknown_ref: tasks[1]: "#9" is no earlier entry.'),
        ({"parent": "Fist"}, 'unknown_ref: no task "Fist". Closest: T1 First. Fix: use an id from tasks_find'),
        ({"parent": "T1", "list": "Work"}, "bad_argument: tasks[1]: its parent is in Inbox. Fix: leave list out"),
        ({"due": "banana"}, 'bad_date: tasks[1]: "banana" is no date.'),
        ({"due": "12/01/2030"}, "ambiguous_date: tasks[1]: "),
        ({"start": "2030-01-01 09:00"}, 'bad_date: tasks[1]: "2030-01-01 09:00" holds a time; this is a day.'),
        ({"repeat": "now and then"}, "bad_repeat: tasks[1]: "),
        ({"estimate": "long"}, 'bad_estimate: tasks[1]: "long" is no duration. Fix: e.g. "45m" or "1h30m"'),
        ({"remind": ["30m before"]}, 'no_due: tasks[1]: "30m before" needs a due date. Fix: give due too'),
        ({"remind": ["banana"]}, 'bad_reminder: tasks[1]: "banana" is no reminder.'),
        ({"due": "2030-01-01", "remind": [f"{n}m before" for n in range(11)]}, "too_many: tasks[1]: 11 reminders."),
        ({"tags": [f"tag {n}" for n in range(21)]}, "too_many: tasks[1]: 21 tags. Fix: at most 20 on one task"),
        ({"subtasks": [f"step {n}" for n in range(51)]}, "too_many: tasks[1]: 51 subtasks. Fix: at most 50"),
        ({"subtasks": ["x" * 501]}, "too_long: tasks[1]: a subtask has a title of 501 characters."),
        ({"title": "x" * 501}, "too_long: tasks[1]: a task has a title of 501 characters. Fix: at most 500"),
        ({"title": "a\nb"}, "bad_argument: tasks[1]: the title of a task holds a control character (U+000A)."),
        ({"notes": "x" * 20_001}, "too_long: tasks[1]: "),
        ({"fields": {"Effort": "much"}}, 'bad_argument: tasks[1]: the field "Effort" cannot be "much". Fix: a number'),
        ({"fields": {"Efort": 3}}, 'unknown_field: tasks[1]: no field "Efort". Closest: "Effort".'),
        ({"assignee": "bob"}, 'unknown_person: tasks[1]: you know nobody as "bob".'),
        ({"tags": ["a|b"]}, "bad_name: "),
    ],
)
async def test_one_bad_task_refuses_all_and_is_named(living: Living, task: dict[str, Any], answer: str) -> None:
    async with living.client("ada") as ada:
        await ada.add("First")
        await ada.values("organize", kind="list", action="create", name="Work")
        await ada.values("organize", kind="field", action="create", name="Effort", options={"type": "number"})
        before = await ada.values("overview", show="all")
        refused = await ada.call("tasks_add", tasks=[{"title": "Good", "tags": ["new"]}, {"title": "Bad", **task}])
        assert refused.is_error
        assert text_of(refused).startswith(answer)
        assert await ada.titles("is:all") == ["First"]
        assert {**(await ada.values("overview", show="all")), "now": ""} == {**before, "now": ""}
        assert await ada.add("Next") == ["T4"]


async def test_a_call_takes_a_hundred_tasks_and_five_hundred_with_their_subtasks(living: Living) -> None:
    async with living.client("ada") as ada:
        steps = [f"step {number}" for number in range(4)]
        tasks = [{"title": f"Task {number}", "subtasks": steps} for number in range(100)]
        assert (await ada.values("tasks_add", tasks=tasks))["counts"] == {"added": 500}
        tasks[0]["subtasks"] = [*steps, "one more"]
        assert (await ada.text("tasks_add", tasks=tasks)).startswith("too_many: 501 tasks with their subtasks.")
        assert (await ada.text("tasks_add", tasks=["x"] * 101)).startswith("too_many: tasks has 101 entries.")


async def test_a_dry_run_says_what_would_happen_and_writes_nothing(living: Living) -> None:
    async with living.client("ada") as ada:
        tasks = [{"title": "Maybe", "tags": ["perhaps"], "subtasks": ["First step"]}, {"title": "Maybe"}]
        text = await ada.text("tasks_add", tasks=tasks, dry_run=True, request_id="r1")
        assert text == "\n".join(
            [
                "dry run, nothing written: 3 added",
                "new1 @perhaps | Maybe",
                "new2 | Maybe",
                "new3 ^new1 | First step",
                "note: tasks[0] has the same title",
            ]
        )
        assert await ada.titles("is:all") == []
        assert "tags" not in await ada.values("overview", show="all")
        done = await ada.values("tasks_add", tasks=tasks, request_id="r1")
        assert done["op"] == 1
        assert "replayed" not in done
        assert done["refs"] == ["T1", "T2", "T4"]


async def test_a_long_dry_run_shows_twenty_lines(living: Living) -> None:
    async with living.client("ada") as ada:
        text = await ada.text("tasks_add", tasks=[f"Task {number}" for number in range(34)], dry_run=True)
        assert text.splitlines()[0] == "dry run, nothing written: 34 added"
        assert text.splitlines()[20:] == ["new20 | Task 19", "... and 14 more"]


async def test_a_title_that_is_there_already_is_added_and_noted(living: Living) -> None:
    async with living.client("ada") as ada:
        await ada.values("organize", kind="list", action="create", name="Work")
        await ada.values("tasks_add", tasks=[{"title": "Buy milk", "list": "Work"}, {"title": "Done"}])
        await ada.values("tasks_complete", refs=["Done"])
        text = await ada.text("tasks_add", tasks=[{"title": "buy  MILK", "list": "Work"}, "Buy milk", "Done"])
        assert text == (
            "op 4: 3 added\nT5 #Work | buy  MILK\nT6 | Buy milk\nT7 | Done\nnote: T2 has the same title in Work"
        )


async def test_a_title_that_is_there_already_can_be_skipped(living: Living) -> None:
    async with living.client("ada") as ada:
        await ada.add("Buy milk")
        values = await ada.values(
            "tasks_add",
            tasks=[{"title": "buy MILK", "notes": "Two"}, {"title": "Bread", "parent": "#1"}],
            duplicates="skip",
        )
        assert values["counts"] == {"added": 1, "skipped": 1}
        assert values["refs"] == ["T2", "T1"]
        assert "notes" not in await opened(ada, "T1")
        assert (await opened(ada, "T2"))["parent"] == "T1"
        again = await ada.text("tasks_add", tasks=["Buy milk"], duplicates="skip")
        assert again == "nothing to change\nT1 | Buy milk"


async def test_the_first_of_two_equal_titles_in_a_call_keeps_what_was_said_of_it(living: Living) -> None:
    async with living.client("ada") as ada:
        tasks = [{"title": "Milk", "due": "2030-01-05", "tags": ["shop"], "subtasks": ["Jar"]}, {"title": "milk"}]
        values = await ada.values("tasks_add", tasks=tasks, duplicates="skip")
        assert values["counts"] == {"added": 2, "skipped": 1}
        assert values["refs"] == ["T1", "T3"]
        task = await opened(ada, "T1")
        assert (task["due"], task["tags"]) == ("2030-01-05", ["shop"])


async def test_equal_titles_can_be_added_without_a_word(living: Living) -> None:
    async with living.client("ada") as ada:
        await ada.add("Milk")
        text = await ada.text("tasks_add", tasks=["Milk", "Milk"], duplicates="allow")
        assert text == "op 2: 2 added\nT2 | Milk\nT3 | Milk"


async def test_a_date_in_the_past_is_taken_and_noted(living: Living) -> None:
    async with living.client("ada") as ada:
        text = await ada.text("tasks_add", tasks=[{"title": "Late", "due": "2020-02-03"}])
        assert text.splitlines()[1:] == ["T1 Mon 2020-02-03 | Late", 'note: due "2020-02-03" is in the past']
        assert (await ada.values("overview"))["counts"]["overdue"] == 1
