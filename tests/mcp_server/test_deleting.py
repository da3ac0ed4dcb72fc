"""Into the trash and back, as a client meets it: with subtasks and lists, and nothing is lost on the way."""

from typing import Any

import pytest

from tests.living import Living, ToolClient

pytestmark = pytest.mark.anyio


async def opened(person: ToolClient, ref: str) -> dict[str, Any]:
    """One task in full."""
    [task] = (await person.values("tasks_find", refs=[ref]))["tasks"]
    return dict(task)


async def test_a_task_goes_into_the_trash_with_all_below_it_and_comes_back_as_it_was(living: Living) -> None:
    async with living.client("ada") as ada:
        task = {"title": "Plan", "notes": "All of it", "tags": ["deep"], "due": "2030-01-05", "remind": ["1h before"]}
        await ada.values("tasks_add", tasks=[{**task, "subtasks": ["Draft"]}, {"title": "Other", "blocked_by": ["#1"]}])
        await ada.values("tasks_edit", changes=[{"refs": ["Plan"], "comment": "Soon"}])
        before = await opened(ada, "Plan")
        assert await ada.text("tasks_delete", refs=["Plan"]) == (
            "op 3: 2 deleted\nT1 trash Sat 2030-01-05 @deep | Plan\nT4 trash ^T1 | Draft"
        )
        assert await ada.titles("is:all") == ["Other"]
        assert sorted(await ada.titles("is:trash")) == ["Draft", "Plan"]
        overview = await ada.values("overview")
        assert overview["counts"] == {"open": 1, "overdue": 0, "today": 0, "trash": 2}
        assert overview["tags"] == [{"name": "deep", "open": 0}]
        assert (await ada.text("tasks_delete", refs=["T1"], restore=True)).startswith("op 4: 2 restored\nT1 Sat")
        after = await opened(ada, "Plan")
        for changing in ("version", "updated", "subtasks"):
            before.pop(changing), after.pop(changing)
        assert after == before
        assert (await opened(ada, "Other"))["blocked"]


async def test_deleting_and_restoring_again_changes_nothing(living: Living) -> None:
    async with living.client("ada") as ada:
        await ada.add("Milk", "Bread")
        assert await ada.text("tasks_delete", refs=["T1"], restore=True) == "nothing to change\nT1 | Milk"
        await ada.values("tasks_delete", refs=["T1"])
        assert await ada.text("tasks_delete", refs=["T1"]) == "nothing to change\nT1 trash | Milk"
        assert (await ada.values("tasks_delete", refs=["T1", "T2"]))["counts"] == {"deleted": 1, "unchanged": 1}


async def test_only_what_went_with_a_task_comes_back_with_it(living: Living) -> None:
    async with living.client("ada") as ada:
        await ada.values("tasks_add", tasks=[{"title": "Plan", "subtasks": ["Early", "Later"]}, "Alone"])
        await ada.values("tasks_delete", refs=["Early", "Alone"])
        await ada.values("tasks_delete", refs=["Plan"])
        await ada.values("tasks_delete", refs=["T1", "Alone"], restore=True)
        assert sorted(await ada.titles()) == ["Alone", "Later", "Plan"]
        await ada.values("tasks_delete", refs=["Early"], restore=True)
        assert (await opened(ada, "Early"))["parent"] == "T1"


async def test_a_subtask_that_comes_back_alone_leaves_its_task(living: Living) -> None:
    async with living.client("ada") as ada:
        await ada.values("tasks_add", tasks=[{"title": "Plan", "subtasks": ["Draft"]}])
        await ada.values("tasks_delete", refs=["Plan"])
        text = await ada.text("tasks_delete", refs=["Draft"], restore=True)
        assert text == "op 3: 1 restored\nT2 | Draft\nnote: the parent of T2 is gone"
        await ada.values("tasks_delete", refs=["Plan"], restore=True)
        assert "parent" not in await opened(ada, "Draft")


async def test_a_task_comes_back_into_its_list_if_that_went_with_it_and_else_into_the_inbox(living: Living) -> None:
    async with living.client("ada") as ada:
        await ada.values("organize", kind="list", action="create", name="Work")
        await ada.values("tasks_add", tasks=[{"title": "With it", "list": "Work"}, {"title": "Before", "list": "Work"}])
        await ada.values("tasks_delete", refs=["Before"])
        await ada.values("organize", kind="list", action="delete", name="Work")
        text = await ada.text("tasks_delete", refs=["Before"], restore=True)
        assert text.endswith("T3 | Before\nnote: the list of T3 is gone; it lies in the Inbox now")
        assert (await ada.text("tasks_delete", refs=["With it"], restore=True)).endswith("T2 #Work | With it")
        assert await ada.titles("list:Work") == ["With it"]


async def test_a_list_made_anew_under_the_name_is_not_mixed_with_the_one_in_the_trash(living: Living) -> None:
    async with living.client("ada") as ada:
        await ada.values("organize", kind="list", action="create", name="Work")
        await ada.values("tasks_add", tasks=[{"title": "Old", "list": "Work"}])
        await ada.values("organize", kind="list", action="delete", name="Work")
        await ada.values("organize", kind="list", action="create", name="Work")
        await ada.values("tasks_delete", refs=["T2"], restore=True)
        assert await ada.titles("list:Work") == []
        assert await ada.titles("list:Inbox") == ["Old"]


async def test_all_that_a_filter_matches_is_deleted_and_restored(living: Living) -> None:
    async with living.client("ada") as ada:
        await ada.values("tasks_add", tasks=[{"title": f"Task {n}", "tags": ["old"]} for n in range(3)])
        await ada.add("Other")
        await ada.values("tasks_complete", refs=["Task 0"])
        assert (await ada.values("tasks_delete", filter="tag:old"))["counts"] == {"deleted": 2}
        assert (await ada.values("tasks_delete", filter="tag:old is:all"))["counts"] == {"deleted": 1}
        assert await ada.titles("is:all") == ["Other"]
        assert (await ada.values("tasks_delete", filter="tag:old 1", restore=True))["counts"] == {"restored": 1}
        assert sorted(await ada.titles("is:all")) == ["Other", "Task 1"]
        assert await ada.text("tasks_delete", filter="nothing") == "nothing to change"


@pytest.mark.parametrize(
    ("arguments", "answer"),
    [
        ({}, 'bad_argument: give refs or filter, exactly one of them. Fix: e.g. refs=["T12"]'),
        ({"refs": ["T1"], "filter": "milk"}, "bad_argument: give refs or filter, exactly one of them."),
        ({"refs": ["T1", "T99"]}, 'unknown_ref: no task "T99".'),
        ({"refs": ["Mlik"]}, 'unknown_ref: no task "Mlik". Closest: T1 Milk.'),
        ({"filter": "is:opne"}, "bad_filter: "),
        ({"refs": [f"T{n}" for n in range(101)]}, "too_many: refs has 101 entries."),
    ],
)
async def test_what_is_not_certain_is_not_deleted(living: Living, arguments: dict[str, Any], answer: str) -> None:
    async with living.client("ada") as ada:
        await ada.add("Milk", "Bread")
        assert (await ada.text("tasks_delete", **arguments)).startswith(answer)
        assert await ada.titles() == ["Milk", "Bread"]


async def test_a_filter_deletes_no_more_than_five_hundred_with_their_subtasks(living: Living) -> None:
    async with living.client("ada") as ada:
        tasks = [{"title": f"Task {n}", "subtasks": ["a", "b", "c", "d"]} for n in range(100)]
        await ada.values("tasks_add", tasks=tasks)
        await ada.values("tasks_add", tasks=[{"title": "Task 100", "subtasks": ["a"]}])
        refused = await ada.text("tasks_delete", filter="task")
        assert refused.startswith("too_many: 502 tasks match; one write changes at most 500.")
        assert (await ada.values("tasks_delete", filter="task -100"))["counts"] == {"deleted": 500}
        assert (await ada.values("overview"))["counts"]["open"] == 2


async def test_a_dry_run_deletes_nothing(living: Living) -> None:
    async with living.client("ada") as ada:
        await ada.values("tasks_add", tasks=[{"title": "Plan", "subtasks": ["Draft"]}])
        text = await ada.text("tasks_delete", refs=["Plan"], dry_run=True)
        assert text == "dry run, nothing written: 2 deleted\nT1 trash | Plan\nT2 trash ^T1 | Draft"
        assert len(await ada.titles()) == 2


async def test_the_number_of_a_deleted_task_is_not_used_again(living: Living) -> None:
    async with living.client("ada") as ada:
        await ada.add("One", "Two")
        await ada.values("tasks_delete", refs=["T2"])
        assert await ada.add("Three") == ["T3"]
