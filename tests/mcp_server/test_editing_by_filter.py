"""Changing all tasks that a filter matches, as a client meets it: one change, in one operation, and never a part."""

from typing import Any

import pytest

from tests.living import Living

pytestmark = pytest.mark.anyio


async def test_all_that_a_filter_matches_is_changed_in_one_operation(living: Living) -> None:
    async with living.client("ada") as ada:
        await ada.values("tasks_add", tasks=[{"title": f"Task {n}", "tags": ["shop"]} for n in range(3)])
        await ada.add("Other")
        await ada.values("tasks_complete", refs=["Task 1"])
        text = await ada.text("tasks_edit", filter="tag:shop", changes=[{"priority": "p1", "tags": ["-shop"]}])
        assert text == "op 4: 2 edited\nT1: priority p4 -> p1; -@shop | Task 0\nT3: priority p4 -> p1; -@shop | Task 2"
        assert await ada.text("tasks_edit", filter="tag:shop", changes=[{"priority": "p1"}]) == "nothing to change"
        assert sorted(await ada.titles("p1")) == ["Task 0", "Task 2"]


@pytest.mark.parametrize(
    ("changes", "answer"),
    [
        ([{"refs": ["T1"], "priority": "p1"}], "bad_argument: a filter takes one change, without refs."),
        ([{"priority": "p1"}, {"priority": "p2"}], "bad_argument: a filter takes one change, without refs."),
        ([{"priority": "p1", "version": 1}], "bad_argument: version is for one task."),
        ([{"title": "All the same"}], "bad_argument: changes[0] gives one title to several tasks."),
    ],
)
async def test_a_filter_goes_with_one_change_for_all(
    living: Living, changes: list[dict[str, Any]], answer: str
) -> None:
    async with living.client("ada") as ada:
        await ada.add("One", "Two")
        assert (await ada.text("tasks_edit", filter="is:open", changes=changes)).startswith(answer)
        assert await ada.titles() == ["One", "Two"]


async def test_a_filter_changes_five_hundred_tasks_and_never_a_part_of_more(living: Living) -> None:
    async with living.client("ada") as ada:
        for _ in range(5):
            await ada.values("tasks_add", tasks=["Task"] * 100, duplicates="allow")
        values = await ada.values("tasks_edit", filter="task", changes=[{"priority": "p2"}])
        assert values["counts"] == {"edited": 500}
        await ada.add("One more task")
        refused = await ada.text("tasks_edit", filter="task", changes=[{"priority": "p1"}])
        assert refused.startswith("too_many: 501 tasks match; one write changes at most 500. Fix: narrow the filter")
        assert (await ada.values("tasks_find", filter="p1"))["total"] == 0
