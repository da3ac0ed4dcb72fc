"""Changing tasks, as a client meets it: only what is said changes, in the order in which it is said."""

from typing import Any, Final

import pytest

from tests.living import Living, ToolClient, text_of

pytestmark = pytest.mark.anyio

FULL: Final[dict[str, Any]] = {
    "title": "Call mum",
    "notes": "First",
    "list": "Work",
    "due": "2030-01-05 09:00",
    "start": "2030-01-01",
    "deadline": "2030-02-01",
    "repeat": "every week",
    "priority": "p1",
    "estimate": "45m",
    "remind": ["30m before", "2029-12-24 10:00"],
    "tags": ["home", "phone"],
    "fields": {"Effort": 3, "Client": "Ann"},
    "parent": "T6",
    "assignee": "me",
    "blocked_by": ["T7"],
}


async def furnish(person: ToolClient) -> None:
    """Lists, fields, T6 and T7 to lean on, and T8 with everything that a task can have."""
    for name in ("Work", "Home", "Old"):
        await person.values("organize", kind="list", action="create", name=name)
    for name, kind in (("Effort", "number"), ("Client", "text")):
        await person.values("organize", kind="field", action="create", name=name, options={"type": kind})
    await person.values("tasks_add", tasks=[{"title": "Above", "list": "Work"}, {"title": "Before"}])
    await person.values("tasks_add", tasks=[{name: value for name, value in FULL.items() if name != "list"}])


async def opened(person: ToolClient, ref: str = "T8") -> dict[str, Any]:
    """One task in full, without what changes with every write."""
    [task] = (await person.values("tasks_find", refs=[ref]))["tasks"]
    return {name: value for name, value in task.items() if name not in ("version", "updated")}


async def edited(person: ToolClient, **change: Any) -> dict[str, Any]:
    """What T8 is after a change, which changed nothing but this: the fields that differ, None for those that went."""
    before = await opened(person)
    await person.values("tasks_edit", changes=[{"refs": ["T8"], **change}])
    after = await opened(person)
    return {name: after.get(name) for name in {**before, **after} if before.get(name) != after.get(name)}


async def test_a_receipt_says_what_changed_on_each_task(living: Living) -> None:
    async with living.client("ada") as ada:
        await furnish(ada)
        text = await ada.text(
            "tasks_edit",
            changes=[
                {
                    "refs": ["T8"],
                    "title": "Call mother",
                    "due": "2030-01-06",
                    "priority": "p2",
                    "estimate": "1h30m",
                    "tags": ["-home", "urgent"],
                    "fields": {"effort": 5},
                    "repeat": "every! 2 weeks",
                    "remind": ["1h before"],
                    "blocked_by": ["-T7"],
                    "comment": "Called her",
                },
                {"refs": ["Before"], "list": "Home", "append_notes": "More"},
                {"refs": ["T6"], "priority": "p4"},
            ],
        )
        head, first, second, third = text.split("\n")
        assert head == "op 8: 2 edited, 1 unchanged"
        assert first == (
            'T8: title "Call mum" -> "Call mother"; due Sat 2030-01-05 09:00 -> Sun 2030-01-06; '
            "repeat every week -> every! 2 weeks; priority p1 -> p2; estimate 45m -> 1h30m; Effort 3 -> 5; "
            "+@urgent; -@home; no longer blocked by T7; reminders 1h before; commented | Call mother"
        )
        assert second == "T7: list Inbox -> Home; notes | Before"
        assert third == "T6: unchanged | Above"


async def test_the_changes_stand_in_the_receipt_before_and_after(living: Living) -> None:
    async with living.client("ada") as ada:
        await ada.values("tasks_add", tasks=[{"title": "Milk", "tags": ["shop"]}])
        values = await ada.values("tasks_edit", changes=[{"refs": ["T1"], "due": "2030-01-05", "notes": "Two"}])
        before, after = {"due": None, "notes": ""}, {"due": "2030-01-05", "notes": "Two"}
        assert values["changes"] == [{"ref": "T1", "before": before, "after": after}]
        assert values["tasks"] == [
            {"ref": "T1", "title": "Milk", "due": "2030-01-05", "tags": ["shop"], "version": values["op"]}
        ]


@pytest.mark.parametrize(
    ("change", "difference"),
    [
        ({"title": " Call  mother "}, {"title": "Call  mother"}),
        ({"notes": "Second"}, {"notes": "Second"}),
        ({"append_notes": "Second"}, {"notes": "First\nSecond"}),
        ({"due": "2030-01-06"}, {"due": "2030-01-06"}),
        ({"due": "2030-01-05 10:00 Asia/Tokyo"}, {"due": "2030-01-05T10:00", "tz": "Asia/Tokyo"}),
        ({"start": "2030-01-02"}, {"start": "2030-01-02"}),
        ({"deadline": "2030-02-02"}, {"deadline": "2030-02-02"}),
        ({"repeat": "every! day"}, {"repeat": "every! day"}),
        ({"priority": "p4"}, {"priority": None}),
        ({"estimate": "2h"}, {"estimate_min": 120}),
        ({"remind": ["at due"]}, {"reminders": ["at due"]}),
        ({"tags": ["urgent", "-home"]}, {"tags": ["phone", "urgent"]}),
        ({"tags": ["home"]}, {}),
        ({"fields": {"effort": "4"}}, {"fields": {"Effort": "4", "Client": "Ann"}}),
        ({"list": "Home"}, {"list": "Home", "parent": None}),
        ({"parent": "T7"}, {"parent": "T7", "list": None}),
        ({"blocked_by": ["T6"]}, {"blocked_by": ["T6", "T7"]}),
        ({"blocked_by": ["-T7"]}, {"blocked_by": None, "blocked": None}),
        ({"clear": ["notes"]}, {"notes": None}),
        ({"clear": ["due"]}, {"due": None, "repeat": None, "reminders": ["2029-12-24 10:00"]}),
        ({"clear": ["time"]}, {"due": "2030-01-05"}),
        ({"clear": ["start"]}, {"start": None}),
        ({"clear": ["deadline"]}, {"deadline": None}),
        ({"clear": ["repeat"]}, {"repeat": None}),
        ({"clear": ["priority"]}, {"priority": None}),
        ({"clear": ["estimate"]}, {"estimate_min": None}),
        ({"clear": ["remind"]}, {"reminders": None}),
        ({"clear": ["tags"]}, {"tags": None}),
        ({"clear": ["parent"]}, {"parent": None}),
        ({"clear": ["assignee"]}, {"assignee": None}),
        ({"clear": ["list"]}, {"list": None, "parent": None}),
        ({"clear": ["blocked_by"]}, {"blocked_by": None, "blocked": None}),
        ({"clear": ["fields"]}, {"fields": None}),
        ({"clear": ["fields.client"]}, {"fields": {"Effort": "3"}}),
        ({"clear": ["tags"], "tags": ["urgent"]}, {"tags": ["urgent"]}),
        ({"clear": ["notes"], "append_notes": "Anew"}, {"notes": "Anew"}),
    ],
)
async def test_only_what_is_said_changes(living: Living, change: dict[str, Any], difference: dict[str, Any]) -> None:
    async with living.client("ada") as ada:
        await furnish(ada)
        assert await edited(ada, **change) == difference


async def test_comments_are_added_one_after_the_other(living: Living) -> None:
    async with living.client("ada") as ada:
        await ada.add("Call mum")
        for words in ("Called", "Called again"):
            text = await ada.text("tasks_edit", changes=[{"refs": ["T1"], "comment": words}])
            assert text.endswith("1 edited\nT1: commented | Call mum")
        [task] = (await ada.values("tasks_find", refs=["T1"]))["tasks"]
        assert [(comment["ref"], comment["by"], comment["body"]) for comment in task["comments"]] == [
            ("C2", "me", "Called"),
            ("C3", "me", "Called again"),
        ]
        assert task["version"] == 1


async def test_what_is_so_already_is_no_change_and_no_operation(living: Living) -> None:
    async with living.client("ada") as ada:
        await ada.values("tasks_add", tasks=[{"title": "Milk", "tags": ["shop"], "due": "2030-01-05"}])
        same = {"refs": ["T1"], "title": "Milk", "tags": ["Shop"], "due": "jan 5 2030", "clear": ["repeat"]}
        values = await ada.values("tasks_edit", changes=[same])
        assert "op" not in values
        assert values["counts"] == {"edited": 0, "unchanged": 1}
        assert (await ada.text("tasks_edit", changes=[same])) == "nothing to change\nT1: unchanged | Milk"
        assert (await ada.values("tasks_find"))["rev"] == 1


async def test_a_task_may_be_changed_several_times_in_one_call(living: Living) -> None:
    async with living.client("ada") as ada:
        await ada.add("Milk", "Bread")
        text = await ada.text(
            "tasks_edit",
            changes=[
                {"refs": ["T1", "T2"], "tags": ["shop"], "priority": "p1"},
                {"refs": ["T1"], "tags": ["-shop"], "append_notes": "one"},
                {"refs": ["milk"], "append_notes": "two"},
            ],
        )
        assert text == "op 2: 2 edited\nT1: priority p4 -> p1; notes | Milk\nT2: priority p4 -> p1; +@shop | Bread"
        assert (await ada.values("tasks_find", refs=["T1"]))["tasks"][0]["notes"] == "one\ntwo"


async def test_blockers_cleared_earlier_in_a_call_stand_in_nobodys_way(living: Living) -> None:
    async with living.client("ada") as ada:
        await ada.values("tasks_add", tasks=[{"title": "One"}, {"title": "Two", "blocked_by": ["#1"]}])
        await ada.values(
            "tasks_edit", changes=[{"refs": ["T2"], "clear": ["blocked_by"]}, {"refs": ["T1"], "blocked_by": ["T2"]}]
        )
        [one, two] = (await ada.values("tasks_find", refs=["T1", "T2"]))["tasks"]
        assert one["blocked_by"] == ["T2"]
        assert "blocked_by" not in two


@pytest.mark.parametrize(
    ("change", "answer"),
    [
        ({"refs": []}, 'missing_argument: changes[0] names no task. Fix: add refs, e.g. ["T12"], or a filter'),
        ({"refs": ["T1", "T2"], "title": "Both"}, "bad_argument: changes[0] gives one title to several tasks."),
        ({"refs": ["T1", "T2"], "version": 1}, "bad_argument: changes[0]: version is for one task."),
        ({"refs": ["T4711"], "due": "2030-01-05"}, 'unknown_ref: no task "T4711". Fix: use an id from tasks_find'),
        ({"refs": ["T3"], "due": "2030-01-05"}, "in_trash: T3 is in the trash. Fix: bring it back with tasks_delete("),
        ({"refs": ["T1"], "list": "Wokr"}, 'unknown_list: changes[0]: no list "Wokr". Closest: "Work".'),
        ({"refs": ["T1"], "list": "Work/X"}, 'unknown_section: changes[0]: no section "X".'),
        ({"refs": ["T1"], "tags": ["-shop"]}, 'unknown_tag: changes[0]: no tag "shop".'),
        ({"refs": ["T1"], "clear": ["title"]}, 'bad_argument: changes[0]: clear cannot empty "title". Fix: one of'),
        ({"refs": ["T1"], "clear": ["fields.Size"]}, 'unknown_field: changes[0]: no field "Size".'),
        ({"refs": ["T1"], "remind": ["1h before"]}, 'no_due: changes[0]: "1h before" needs a due date.'),
        ({"refs": ["T1"], "due": "banana"}, 'bad_date: changes[0]: "banana" is no date.'),
        ({"refs": ["T1"], "comment": "x" * 5_001}, "too_long: changes[0]: comment has 5,001 characters."),
        ({"refs": ["T1"], "append_notes": "x" * 20_001}, "too_long: changes[0]: T1 has notes of 20,001 characters."),
        ({"refs": [f"T{n}" for n in range(101)]}, "too_many: changes[0] has 101 refs. Fix: at most 100"),
    ],
)
async def test_a_change_that_cannot_be_made_is_refused_with_the_remedy(
    living: Living, change: dict[str, Any], answer: str
) -> None:
    async with living.client("ada") as ada:
        await ada.add("One", "Two", "Gone")
        await ada.values("tasks_delete", refs=["Gone"])
        await ada.values("organize", kind="list", action="create", name="Work")
        before = [await opened(ada, ref) for ref in ("T1", "T2")]
        refused = await ada.call("tasks_edit", changes=[change])
        assert refused.is_error
        assert text_of(refused).startswith(answer)
        assert [await opened(ada, ref) for ref in ("T1", "T2")] == before


async def test_one_bad_change_refuses_all_of_a_call(living: Living) -> None:
    async with living.client("ada") as ada:
        await ada.add("One", "Two")
        refused = await ada.text(
            "tasks_edit",
            changes=[
                {"refs": ["T1"], "priority": "p1", "comment": "Said", "tags": ["new"]},
                {"refs": ["T2"], "due": "32 dec"},
            ],
        )
        assert refused.startswith('bad_date: changes[1]: "32 dec" is no date.')
        [task] = (await ada.values("tasks_find", refs=["T1"]))["tasks"]
        assert not {"priority", "comments", "tags"} & task.keys()
        assert "tags" not in await ada.values("overview", show="all")


async def test_a_version_keeps_others_changes_from_being_overwritten(living: Living) -> None:
    async with living.client("ada") as ada:
        await ada.add("Milk")
        await ada.values("tasks_edit", changes=[{"refs": ["T1"], "title": "Oat milk", "priority": "p1"}])
        refused = await ada.text("tasks_edit", changes=[{"refs": ["T1"], "title": "Soy milk", "version": 1}])
        assert refused.startswith("conflict: changes[0]: T1 changed at ")
        assert "by a client of the tests (title, priority)" in refused
        assert refused.endswith('Fix: tasks_find(refs=["T1"]) and retry, or omit version')
        [task] = (await ada.values("tasks_find"))["tasks"]
        await ada.values("tasks_edit", changes=[{"refs": ["T1"], "title": "Soy milk", "version": task["version"]}])
        assert await ada.titles() == ["Soy milk"]


async def test_a_dry_run_of_an_edit_shows_it_and_writes_nothing(living: Living) -> None:
    async with living.client("ada") as ada:
        await ada.add("Milk")
        text = await ada.text("tasks_edit", changes=[{"refs": ["T1"], "tags": ["shop"], "comment": "x"}], dry_run=True)
        assert text == "dry run, nothing written: 1 edited\nT1: +@shop; commented | Milk"
        [task] = (await ada.values("tasks_find", refs=["T1"]))["tasks"]
        assert not {"tags", "comments"} & task.keys()
        assert "tags" not in await ada.values("overview", show="all")
