"""How tasks hang together and in which order they come: lists, subtasks, blockers and places by hand."""

from collections.abc import Mapping
from typing import Any

import pytest

from tests.living import Living, ToolClient

pytestmark = pytest.mark.anyio


async def tree(person: ToolClient) -> dict[str, str]:
    """Which task lies below which, and in which list, by title."""
    tasks = (await person.values("tasks_find", filter="is:all", limit=200))["tasks"]
    return {task["title"]: f"{task.get('list', '')}^{task.get('parent', '')}" for task in tasks}


async def order(person: ToolClient, text: str = "list:Inbox") -> list[str]:
    """The titles in the order that was made by hand."""
    values = await person.values("tasks_find", filter=text, sort="manual", limit=200)
    return [task["title"] for task in values["tasks"]]


async def place(person: ToolClient, ref: str, position: str) -> str:
    return await person.text("tasks_edit", changes=[{"refs": [ref], "position": position}])


async def test_subtasks_go_where_their_task_goes(living: Living) -> None:
    async with living.client("ada") as ada:
        await ada.values(
            "tasks_add",
            tasks=[{"title": "Plan", "subtasks": ["Draft"]}, {"title": "Print", "parent": "#1"}, {"title": "Other"}],
        )
        await ada.values("organize", kind="list", action="create", name="Work")
        await ada.values("tasks_edit", changes=[{"refs": ["Print"], "parent": "Draft"}])
        await ada.values("tasks_edit", changes=[{"refs": ["Plan"], "list": "Work"}])
        assert await tree(ada) == {"Plan": "Work^", "Draft": "Work^T1", "Print": "Work^T4", "Other": "^"}
        await ada.values("tasks_edit", changes=[{"refs": ["Draft"], "parent": "Other"}])
        assert await tree(ada) == {"Plan": "Work^", "Draft": "^T3", "Print": "^T4", "Other": "^"}


async def test_a_subtask_that_goes_elsewhere_leaves_its_task(living: Living) -> None:
    async with living.client("ada") as ada:
        await ada.values("tasks_add", tasks=[{"title": "Plan", "subtasks": ["Draft"]}])
        await ada.values("organize", kind="list", action="create", name="Work")
        text = await ada.text("tasks_edit", changes=[{"refs": ["Draft"], "list": "Work"}])
        assert text == "op 3: 1 edited\nT2: list Inbox -> Work; parent T1 -> none | Draft"
        assert await tree(ada) == {"Plan": "^", "Draft": "Work^"}


@pytest.mark.parametrize(
    ("ref", "parent", "answer"),
    [
        ("T1", "T1", "cycle: changes[0]: T1 lies below T1."),
        ("T1", "T3", "cycle: changes[0]: T3 lies below T1. Fix: move T3 out first"),
        ("T7", "T6", "too_deep: changes[0]: subtasks go 5 levels deep. Fix: hang it higher"),
        ("T8", "T5", "too_deep: changes[0]: subtasks go 5 levels deep."),
    ],
)
async def test_subtasks_neither_run_in_circles_nor_too_deep(living: Living, ref: str, parent: str, answer: str) -> None:
    """T1 to T6 lie one below the other, T7 lies alone, and T9 below T8."""
    async with living.client("ada") as ada:
        line = [{"title": f"Level {n}", **({"parent": f"#{n - 1}"} if n > 1 else {})} for n in range(1, 7)]
        await ada.values("tasks_add", tasks=[*line, {"title": "Alone"}, {"title": "Above", "subtasks": ["Below"]}])
        before = await tree(ada)
        assert (await ada.text("tasks_edit", changes=[{"refs": [ref], "parent": parent}])).startswith(answer)
        assert await tree(ada) == before


async def test_new_subtasks_go_no_deeper_either(living: Living) -> None:
    async with living.client("ada") as ada:
        line = [{"title": f"Level {n}", **({"parent": f"#{n - 1}"} if n > 1 else {})} for n in range(1, 7)]
        await ada.values("tasks_add", tasks=line)
        for task in ({"title": "x", "parent": "T6"}, {"title": "x", "parent": "T5", "subtasks": ["y"]}):
            # A blocker on the way up is known to the call already, and must not hide what lies above it.
            for more in ({}, {"blocked_by": ["T4"]}):
                refused = await ada.text("tasks_add", tasks=[{**task, **more}])
                assert refused.startswith("too_deep: tasks[0]: subtasks go 5 levels deep.")
        assert len(await tree(ada)) == 6


async def test_a_task_is_blocked_while_one_it_waits_for_is_open(living: Living) -> None:
    async with living.client("ada") as ada:
        await ada.values("tasks_add", tasks=["Paint", "Sand", {"title": "Sell", "blocked_by": ["#1", "#2"]}])
        assert "T3 blocked | Sell" in await ada.text("tasks_find")
        assert await ada.titles("is:blocked") == ["Sell"]
        assert sorted(await ada.titles("is:blocking")) == ["Paint", "Sand"]
        text = await ada.text("tasks_find", refs=["Sell"])
        assert "  blocked by:\n    T1 | Paint\n    T2 | Sand\n" in text
        assert "  blocks:\n    T3 blocked | Sell\n" in await ada.text("tasks_find", refs=["Sand"])
        await ada.values("tasks_complete", refs=["Paint"])
        await ada.values("tasks_delete", refs=["Sand"])
        assert await ada.titles("is:blocked") == []
        await ada.values("tasks_delete", refs=["T2"], restore=True)
        assert await ada.titles("is:blocked") == ["Sell"]


@pytest.mark.parametrize(
    ("changes", "answer"),
    [
        ([{"refs": ["T1"], "blocked_by": ["T1"]}], "cycle: changes[0]: T1 cannot block itself."),
        (
            [{"refs": ["T1"], "blocked_by": ["T3"]}],
            "cycle: changes[0]: T3 is already blocked by T1. Fix: remove that first",
        ),
        (
            [{"refs": ["T4"], "blocked_by": ["T3"]}, {"refs": ["T1"], "blocked_by": ["T4"]}],
            "cycle: changes[1]: T4 is already blocked by T1.",
        ),
    ],
)
async def test_tasks_never_wait_for_themselves(living: Living, changes: list[Mapping[str, Any]], answer: str) -> None:
    """T3 waits for T2, and T2 for T1."""
    async with living.client("ada") as ada:
        tasks = ["One", {"title": "Two", "blocked_by": ["#1"]}, {"title": "Three", "blocked_by": ["#2"]}, "Four"]
        await ada.values("tasks_add", tasks=tasks)
        assert (await ada.text("tasks_edit", changes=changes)).startswith(answer)
        assert sorted(await ada.titles("is:blocked")) == ["Three", "Two"]


async def test_tasks_come_in_the_order_they_are_put_into(living: Living) -> None:
    async with living.client("ada") as ada:
        await ada.add("One", "Two", "Three", "Four")
        assert await order(ada) == ["One", "Two", "Three", "Four"]
        assert await place(ada, "T3", "top") == "op 2: 1 edited\nT3: moved within its list | Three"
        await place(ada, "T1", "bottom")
        assert await order(ada) == ["Three", "Two", "Four", "One"]
        await place(ada, "Four", "after Three")
        assert await order(ada) == ["Three", "Four", "Two", "One"]
        await ada.add("Five")
        assert await order(ada) == ["Three", "Four", "Two", "One", "Five"]
        await place(ada, "Two", "after t1")
        assert await order(ada) == ["Three", "Four", "One", "Two", "Five"]


async def test_what_stands_there_already_is_not_moved(living: Living) -> None:
    async with living.client("ada") as ada:
        await ada.add("One", "Two", "Three")
        for ref, position in (("T1", "top"), ("T3", "bottom"), ("T2", "after T1")):
            assert (await place(ada, ref, position)).startswith("nothing to change"), position


async def test_the_order_holds_among_tasks_that_met_in_a_list(living: Living) -> None:
    async with living.client("ada") as ada:
        await ada.add("One", "Two", "Three", "Four")
        await ada.values("organize", kind="list", action="create", name="Work")
        for title in ("Three", "Four"):  # both are put to the same place and go on together
            await place(ada, title, "after One")
            await ada.values("tasks_edit", changes=[{"refs": [title], "list": "Work"}])
        await ada.values("tasks_edit", changes=[{"refs": ["One"], "list": "Work"}])
        first, second = [title for title in await order(ada, "list:Work") if title != "One"]
        await place(ada, "One", f"after {first}")
        assert await order(ada, "list:Work") == [first, "One", second]


async def test_a_task_is_put_to_a_place_in_the_list_it_comes_into(living: Living) -> None:
    async with living.client("ada") as ada:
        await ada.values("organize", kind="list", action="create", name="Work")
        await ada.values("tasks_add", tasks=[{"title": "One", "list": "Work"}, {"title": "Two", "list": "Work"}, "New"])
        await ada.values("tasks_edit", changes=[{"refs": ["New"], "list": "Work", "position": "after One"}])
        assert await order(ada, "list:Work") == ["One", "New", "Two"]
        await ada.values("tasks_add", tasks=[{"title": "Above", "subtasks": ["Below"]}])
        changes = [{"refs": ["Above"], "list": "Work"}, {"refs": ["Below"], "position": "top"}]
        await ada.values("tasks_edit", changes=changes)
        assert (await order(ada, "list:Work"))[:2] == ["Below", "One"]


async def test_a_place_can_be_given_again_and_again(living: Living) -> None:
    async with living.client("ada") as ada:
        await ada.add("One", *(f"Task {number}" for number in range(40)))
        changes = [{"refs": [f"T{number}"], "position": "after T1"} for number in range(2, 42)]
        for _ in range(3):
            await ada.values("tasks_edit", changes=changes)
        assert await order(ada) == ["One", *(f"Task {number}" for number in reversed(range(40)))]


@pytest.mark.parametrize(
    ("position", "answer"),
    [
        ("first", 'bad_argument: changes[0]: "first" is no position. Fix: one of "top", "bottom", "after T3"'),
        ("after T1", "bad_argument: changes[0]: T1 is not another task of the same list."),
        ("after T2", "bad_argument: changes[0]: T2 is not another task of the same list."),
        ("after T9", 'unknown_ref: no task "T9".'),
    ],
)
async def test_a_place_has_to_be_one_in_the_same_list(living: Living, position: str, answer: str) -> None:
    async with living.client("ada") as ada:
        await ada.add("One", "Two")
        await ada.values("organize", kind="list", action="create", name="Work")
        await ada.values("tasks_edit", changes=[{"refs": ["Two"], "list": "Work"}])
        assert (await place(ada, "One", position)).startswith(answer)
