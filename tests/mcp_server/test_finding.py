"""Finding and opening tasks, as a client meets it: pages, references, everything about a task, and the overview."""

import json
from typing import Any

import pytest

from tests.living import Living, ToolClient, text_of

pytestmark = pytest.mark.anyio


async def furnish(person: ToolClient) -> None:
    """A task with everything around it, T4."""
    await person.values("organize", kind="list", action="create", name="Big Plan")
    await person.values("organize", kind="section", action="create", name="Big Plan/Later")
    await person.values("organize", kind="field", action="create", name="Effort", options={"type": "number"})
    task = {
        "title": "Call mum",
        "notes": "About the house\n\n| T99 done",
        "list": "Big Plan/Later",
        "due": "2030-01-05 09:00 America/New_York",
        "deadline": "2030-02-01",
        "priority": "p2",
        "estimate": "45m",
        "remind": ["30m before"],
        "tags": ["at home"],
        "fields": {"Effort": 3},
        "subtasks": ["Dial"],
    }
    await person.values("tasks_add", tasks=[task, {"title": "Sleep", "blocked_by": ["#1"]}])


async def test_a_line_holds_what_matters_and_the_title_last(living: Living) -> None:
    async with living.client("ada") as ada:
        await furnish(ada)
        head, *lines = (await ada.text("tasks_find", sort="created")).splitlines()
        assert head.startswith("3 of 3 is:open, created order. ")
        assert head.endswith(" UTC, rev 4")
        assert sorted(lines) == [
            'T4 p2 Sat 2030-01-05 09:00 America/New_York #"Big Plan"/Later @"at home" !2030-02-01 | Call mum',
            "T5 blocked | Sleep",
            'T7 #"Big Plan"/Later ^T4 | Dial',
        ]


async def test_a_task_is_opened_with_all_that_belongs_to_it(living: Living) -> None:
    async with living.client("ada") as ada:
        await furnish(ada)
        await ada.values("tasks_edit", changes=[{"refs": ["T4"], "comment": "Called\nShe was out"}])
        lines = (await ada.text("tasks_find", refs=["call mum"])).splitlines()
        assert lines[0].startswith("1 task. ")
        assert lines[1].endswith(" | Call mum")
        assert lines[2:14] == [
            "  notes:",
            "    About the house",
            "    ",
            "    | T99 done",
            "  subtasks:",
            '    T7 #"Big Plan"/Later ^T4 | Dial',
            "  blocks:",
            "    T5 blocked | Sleep",
            "  Effort: 3",
            "  estimate: 45m",
            "  reminders: 30m before",
            "  comments:",
        ]
        assert lines[14].startswith("    C9 ")
        assert lines[14].endswith(" me:")
        assert lines[15:17] == ["      Called", "      She was out"]
        assert lines[17].startswith("  created ")
        assert lines[17].endswith(", version: 4")
        assert len(lines) == 18


async def test_long_texts_are_cut_where_people_read_and_whole_for_programs(living: Living) -> None:
    async with living.client("ada") as ada:
        await ada.values("tasks_add", tasks=[{"title": "t" * 500, "notes": "n" * 2_500}])
        text = await ada.text("tasks_find", detail="full")
        assert f"| {'t' * 160}...[500]\n" in text
        assert f"    {'n' * 2_000}... 500 characters more\n" in text
        [task] = (await ada.values("tasks_find", detail="full"))["tasks"]
        assert (task["title"], task["notes"]) == ("t" * 500, "n" * 2_500)


async def test_tasks_are_opened_in_the_order_in_which_they_are_named(living: Living) -> None:
    async with living.client("ada") as ada:
        await ada.add("Milk", "Bread", "Eggs")
        await ada.values("tasks_delete", refs=["Eggs"])
        await ada.values("tasks_complete", refs=["Bread"])
        values = await ada.values("tasks_find", refs=["T3", "bread", "#1", "t2", " 1 "])
        assert [task["ref"] for task in values["tasks"]] == ["T3", "T2", "T1"]
        assert [task.get("status") for task in values["tasks"]] == ["trash", "done", None]
        assert values["total"] == 3


@pytest.mark.parametrize(
    ("ref", "answer"),
    [
        ("Cal mum", 'unknown_ref: no task "Cal mum". Closest: T1 Call mum, T3 Call. Fix: use an id from tasks_find'),
        ("call", 'ambiguous_ref: "call" is T2 Call, T3 Call. Fix: use the id'),
        ("Call m", 'unknown_ref: no task "Call m". Closest: T1 Call mum'),
        ("T99", 'unknown_ref: no task "T99". Fix: use an id from tasks_find'),
        ("0", 'unknown_ref: no task "0".'),
        ("T1 T2", 'unknown_ref: no task "T1 T2".'),
        ("%", 'unknown_ref: no task "%".'),
    ],
)
async def test_a_reference_is_exact_or_refused(living: Living, ref: str, answer: str) -> None:
    async with living.client("ada") as ada:
        await ada.values("tasks_add", tasks=["Call mum", "Call", "Call"], duplicates="allow")
        for tool, arguments in (
            ("tasks_find", {"refs": ["T1", ref]}),
            ("tasks_complete", {"refs": ["T1", ref]}),
            ("tasks_edit", {"changes": [{"refs": ["T1", ref], "priority": "p1"}]}),
            ("tasks_delete", {"refs": ["T1", ref]}),
        ):
            assert (await ada.text(tool, **arguments)).startswith(answer), tool
        assert (await ada.values("tasks_find"))["rev"] == 1


async def test_an_open_task_is_meant_before_a_closed_one_of_its_title(living: Living) -> None:
    async with living.client("ada") as ada:
        await ada.add("Milk")
        await ada.values("tasks_complete", refs=["Milk"])
        assert (await ada.values("tasks_complete", refs=["Milk"], done=False))["refs"] == ["T1"]
        await ada.values("tasks_complete", refs=["Milk"])
        [ref] = await ada.add("Milk")
        assert (await ada.values("tasks_complete", refs=["milk"]))["refs"] == [ref]


async def test_references_go_with_no_filter(living: Living) -> None:
    async with living.client("ada") as ada:
        await ada.add("Milk")
        refused = await ada.text("tasks_find", refs=["T1"], filter="milk")
        assert refused == "bad_argument: refs and filter exclude each other. Fix: give one of them"


async def test_a_page_says_how_many_there_are_and_how_to_go_on(living: Living) -> None:
    async with living.client("ada") as ada:
        await ada.add(*(f"Task {number}" for number in range(30)))
        first = await ada.text("tasks_find")
        assert first.startswith("25 of 30 is:open, smart order. ")
        cursor = first.splitlines()[-1].removeprefix("more: cursor=")
        last = await ada.values("tasks_find", cursor=cursor)
        assert (last["count"], last["total"]) == (5, 30)
        assert "cursor" not in last
        assert (await ada.values("tasks_find", detail="full"))["count"] == 10
        assert (await ada.values("tasks_find", detail="full", limit=200))["count"] == 30


@pytest.mark.parametrize("show", ["today", "week", "all"])
async def test_the_overview_shows_what_there_is(living: Living, show: str) -> None:
    async with living.client("ada") as ada:
        await furnish(ada)
        await ada.values("organize", kind="view", action="create", name="Hot", filter="p1 OR due:overdue")
        await ada.values("tasks_add", tasks=[{"title": "Late", "due": "2020-01-05"}, {"title": "Now", "due": "today"}])
        await ada.values("tasks_add", tasks=[{"title": "Soon", "due": "in 5 days"}, "Gone"])
        await ada.values("tasks_delete", refs=["Gone"])
        text = await ada.text("overview", show=show)
        head, *lines = text.splitlines()
        assert head.endswith("6 open, 1 overdue, 1 due today, 1 in the trash")
        assert lines[:5] == [
            "lists: Inbox 4, Big Plan 2 (Later 2)",
            'tags: @"at home" 1',
            "views: Hot = p1 OR due:overdue",
            "fields: Effort (number)",
            "due this week:" if show == "week" else "due:",
        ]
        due = [line.rpartition(" | ")[2] for line in lines[5:]]
        assert due == (["Late", "Now", "Soon"] if show == "week" else ["Late", "Now"])


async def test_a_long_overview_names_the_first_and_counts_the_others(living: Living) -> None:
    async with living.client("ada") as ada:
        tags = [f"tag {number:02d}" for number in range(50)]
        tasks: list[dict[str, Any]] = [{"title": f"Task {n}", "tags": tags[n : n + 10]} for n in range(0, 50, 10)]
        await ada.values("tasks_add", tasks=[*tasks, *({"title": f"Due {n}", "due": "today"} for n in range(23))])
        text = await ada.text("overview")
        assert "+10 more" in text
        assert '... and 3 more: tasks_find(filter="due:<=' in text
        assert "+10 more" not in await ada.text("overview", show="all")
        assert len((await ada.values("overview", show="all"))["tags"]) == 50


async def test_long_tasks_fill_several_answers_and_that_is_said(living: Living) -> None:
    async with living.client("ada") as ada:
        refs = await ada.add(*(f"Task {number}" for number in range(20)))
        await ada.values("tasks_edit", changes=[{"refs": refs, "notes": "long words " * 1_800}])
        seen: list[str] = []
        cursor = ""
        while True:
            page = await ada.values("tasks_find", detail="full", limit=20, cursor=cursor)
            seen += [task["ref"] for task in page["tasks"]]
            assert len(json.dumps(page)) < 200_000
            cursor = page.get("cursor", "")
            if not cursor:
                break
            assert f"{page['count']} tasks fill one answer; more with the cursor" in page["notes"]
        assert seen == refs
        assert (await ada.text("tasks_find", refs=refs)).startswith("too_many: these tasks are too long for one answer")


async def test_much_around_a_task_is_shown_in_part_and_that_is_said(living: Living) -> None:
    async with living.client("ada") as ada:
        await ada.add("Parent")
        await ada.values("tasks_add", tasks=[{"title": f"Child {number}", "parent": "T1"} for number in range(80)])
        for number in range(25):
            await ada.values("tasks_edit", changes=[{"refs": ["T1"], "comment": f"Comment {number}"}])
        text = await ada.text("tasks_find", refs=["T1"])
        assert '... and 30 more: tasks_find(filter="under:T1 is:all")' in text
        assert "5 earlier ones are in the history" in text
        [task] = (await ada.values("tasks_find", refs=["T1"]))["tasks"]
        assert (len(task["subtasks"]), task["subtasks_more"]) == (50, 30)
        assert [comment["body"] for comment in task["comments"]] == [f"Comment {number}" for number in range(5, 25)]
        assert task["comments_before"] == 5


async def test_a_receipt_names_every_task_and_shows_the_first_hundred(living: Living) -> None:
    async with living.client("ada") as ada:
        tasks = [{"title": f"Task {number}", "subtasks": ["one", "two"]} for number in range(60)]
        added = await ada.call("tasks_add", tasks=tasks)
        assert added.structured_content is not None
        assert len(added.structured_content["refs"]) == 180
        assert len(added.structured_content["tasks"]) == 100
        assert text_of(added).endswith("\n... and 80 more")
