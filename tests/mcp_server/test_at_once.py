"""Many calls at one moment: each is done once or refused, and what is left is as if they had come one by one."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from mcp_types import CallToolResult
from sqlalchemy import func, select

from mcp_server.tasks.tables import completions, ops
from tests.living import Living, text_of
from tests.mcp_server.invariants import faults
from tests.mcp_server.past import client_called

pytestmark = pytest.mark.anyio


async def together(count: int, call: Callable[[int], Awaitable[CallToolResult]]) -> list[CallToolResult]:
    """The answers to calls that all begin when the last of them is ready."""
    gate = asyncio.Barrier(count)

    async def one(number: int) -> CallToolResult:
        await gate.wait()
        return await call(number)

    return list(await asyncio.gather(*map(one, range(count))))


async def assert_sound(living: Living) -> None:
    assert living.mcp_database is not None
    assert await faults(living.mcp_database, living.person("ada")) == []


async def test_equal_calls_make_one_change(living: Living) -> None:
    async with living.client("ada") as ada:
        answers = await together(40, lambda _: ada.call("tasks_add", tasks=[{"title": "Once"}], request_id="r"))
        assert not any(answer.is_error for answer in answers)
        values = [answer.structured_content or {} for answer in answers]
        assert {answer["op"] for answer in values} == {1}
        assert sum(not answer.get("replayed", False) for answer in values) == 1
        assert await ada.titles() == ["Once"]
    await assert_sound(living)


async def test_of_different_calls_with_one_request_id_one_is_done_and_the_others_refused(living: Living) -> None:
    async with living.client("ada") as ada:
        answers = await together(
            10, lambda number: ada.call("tasks_add", tasks=[{"title": f"Task {number}"}], request_id="r")
        )
        refused = [text_of(answer) for answer in answers if answer.is_error]
        assert len(refused) == 9
        assert all(text.startswith("request_reused:") for text in refused)
        assert len(await ada.titles()) == 1
    await assert_sound(living)


async def test_different_writes_are_all_done_and_leave_no_gap(living: Living) -> None:
    async with living.client("ada") as ada:
        answers = await together(40, lambda number: ada.call("tasks_add", tasks=[{"title": f"Task {number}"}]))
        assert sorted((answer.structured_content or {})["op"] for answer in answers) == list(range(1, 41))
        assert len(await ada.titles()) == 40
    await assert_sound(living)


async def test_of_two_edits_of_one_version_one_wins(living: Living) -> None:
    async with living.client("ada") as ada:
        await ada.add("Milk")
        answers = await together(
            2,
            lambda number: ada.call("tasks_edit", changes=[{"refs": ["T1"], "title": f"Milk {number}", "version": 1}]),
        )
        [refused] = [text_of(answer) for answer in answers if answer.is_error]
        assert refused.startswith("conflict: changes[0]: T1 changed at ")
        assert "title" in refused
        assert (await ada.titles()) in (["Milk 0"], ["Milk 1"])
    await assert_sound(living)


async def test_a_repeating_task_completed_twice_with_one_request_id_goes_on_once(living: Living) -> None:
    async with living.client("ada") as ada:
        await ada.values("tasks_add", tasks=[{"title": "Water", "due": "2030-01-01", "repeat": "every day"}])
        await together(2, lambda _: ada.call("tasks_complete", refs=["T1"], request_id="r"))
        [task] = (await ada.values("tasks_find"))["tasks"]
        assert task["due"] == "2030-01-02"
    assert await completed(living) == 1
    await assert_sound(living)


async def test_a_repeating_task_completed_by_two_programs_goes_on_twice(living: Living) -> None:
    async with living.client("ada") as ada:
        await ada.values("tasks_add", tasks=[{"title": "Water", "due": "2030-01-01", "repeat": "every day"}])
        await together(2, lambda number: ada.call("tasks_complete", refs=["T1"], request_id=f"r{number}"))
        [task] = (await ada.values("tasks_find"))["tasks"]
        assert task["due"] == "2030-01-03"
    assert await completed(living) == 2
    await assert_sound(living)


async def test_tasks_move_into_a_list_while_it_is_renamed(living: Living) -> None:
    async with living.client("ada") as ada:
        await ada.values("organize", kind="list", action="create", name="Old")
        refs = await ada.add(*(f"Task {number}" for number in range(8)))

        async def call(number: int) -> CallToolResult:
            if number == len(refs):
                return await ada.call("organize", kind="list", action="rename", name="Old", to="New")
            return await ada.call("tasks_edit", changes=[{"refs": [refs[number]], "list": "Old"}])

        answers = await together(len(refs) + 1, call)
        refused = [text_of(answer) for answer in answers if answer.is_error]
        assert all(text.startswith("unknown_list:") for text in refused)
        assert len(await ada.titles("list:New")) == len(refs) - len(refused)
        assert len(await ada.titles()) == len(refs)
    await assert_sound(living)


async def test_a_task_is_deleted_while_another_becomes_its_subtask(living: Living) -> None:
    async with living.client("ada") as ada:
        await ada.add("Parent", "Child")

        async def call(number: int) -> CallToolResult:
            if number:
                return await ada.call("tasks_delete", refs=["T1"])
            return await ada.call("tasks_edit", changes=[{"refs": ["T2"], "parent": "T1"}])

        edited, _ = await together(2, call)
        if edited.is_error:
            assert text_of(edited).startswith("in_trash:")
            assert await ada.titles() == ["Child"]
        else:
            assert await ada.titles() == []
    await assert_sound(living)


async def test_the_same_request_id_of_two_programs_is_two_requests(living: Living) -> None:
    async with client_called(living, "ada", "phone") as phone, client_called(living, "ada", "desk") as desk:
        answers = await together(8, lambda n: (phone, desk)[n % 2].call("tasks_add", tasks=["Milk"], request_id="r"))
        values = [answer.structured_content or {} for answer in answers]
        assert sorted({answer["op"] for answer in values}) == [1, 2]
        assert sum(not answer.get("replayed", False) for answer in values) == 2
        assert await desk.titles() == ["Milk", "Milk"]
    await assert_sound(living)


@pytest.mark.parametrize(
    ("tool", "arguments"),
    [
        ("tasks_edit", {"changes": [{"refs": ["T1"], "append_notes": "more", "comment": "so", "tags": ["new"]}]}),
        ("tasks_edit", {"filter": "water", "changes": [{"append_notes": "more"}]}),
        ("tasks_delete", {"refs": ["T1"]}),
        ("organize", {"kind": "list", "action": "create", "name": "Work"}),
        ("undo", {}),
        ("data_import", {"content": "- [ ] Imported", "format": "markdown", "dry_run": False}),
    ],
)
async def test_any_write_that_comes_ten_times_at_once_is_done_once(
    living: Living, tool: str, arguments: dict[str, Any]
) -> None:
    async with living.client("ada") as ada:
        await ada.values("tasks_add", tasks=[{"title": "Water", "due": "2030-01-01", "repeat": "every day"}])
        answers = await together(10, lambda _: ada.call(tool, **arguments, request_id="r"))
        assert not any(answer.is_error for answer in answers)
        values = [answer.structured_content or {} for answer in answers]
        assert {answer["op"] for answer in values} == {2}
        assert sum(not answer.get("replayed", False) for answer in values) == 1
        assert (await ada.values("overview"))["rev"] == 2
    await assert_sound(living)


async def test_a_tag_and_a_list_that_many_need_are_made_once(living: Living) -> None:
    async with living.client("ada") as ada:
        await ada.add("Begin")

        async def call(number: int) -> CallToolResult:
            if number % 2:
                return await ada.call("organize", kind="list", action="create", name="Work")
            return await ada.call("tasks_add", tasks=[{"title": f"Task {number}", "tags": ["home"]}])

        assert not any(answer.is_error for answer in await together(12, call))
        overview = await ada.values("overview")
        assert overview["tags"] == [{"name": "home", "open": 6}]
        assert [one["name"] for one in overview["lists"]] == ["Inbox", "Work"]
    await assert_sound(living)


@pytest.mark.parametrize("field", ["parent", "blocked_by"])
async def test_of_two_writes_that_would_close_a_circle_one_is_done(living: Living, field: str) -> None:
    async with living.client("ada") as ada:
        await ada.add("One", "Two")

        async def call(number: int) -> CallToolResult:
            here, there = ("T1", "T2") if number else ("T2", "T1")
            value = there if field == "parent" else [there]
            return await ada.call("tasks_edit", changes=[{"refs": [here], field: value}])

        [refused] = [text_of(answer) for answer in await together(2, call) if answer.is_error]
        assert refused.startswith("cycle:")
    await assert_sound(living)


async def test_tasks_are_added_to_a_list_while_it_goes(living: Living) -> None:
    async with living.client("ada") as ada:
        for name in ("Work", "Home"):
            await ada.values("organize", kind="list", action="create", name=name)

        async def call(number: int) -> CallToolResult:
            if number == 4:
                return await ada.call("organize", kind="list", action="merge", name="Work", to="Home")
            return await ada.call("tasks_add", tasks=[{"title": f"Task {number}", "list": "Work"}])

        answers = await together(9, call)
        refused = [text_of(answer) for answer in answers if answer.is_error]
        assert all(text.startswith("unknown_list:") for text in refused)
        assert len(await ada.titles("list:Home")) == len(await ada.titles("is:all")) == 8 - len(refused)
    await assert_sound(living)


async def completed(living: Living) -> int:
    """How many completions ada has, after as many operations."""
    assert living.mcp_database is not None
    async with living.mcp_database.begin(living.person("ada")) as tx:
        space = select(ops.c.space_id).where(ops.c.actor == tx.caller.key).limit(1).scalar_subquery()
        row = await tx.one(select(func.count()).select_from(completions).where(completions.c.space_id == space))
        return row[0] if row else 0
