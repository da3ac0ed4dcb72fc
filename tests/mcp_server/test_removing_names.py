"""Merging and deleting lists, sections, tags, views and fields, and what becomes of the tasks in them."""

from typing import Any

import pytest

from tests.living import Living
from tests.mcp_server.organizer import Organizer, organizer
from tests.mcp_server.statements import statements

pytestmark = pytest.mark.anyio


async def fill(ada: Organizer) -> None:
    """Two lists with sections, and tasks of every standing in them."""
    await ada.make("list", "Work", "Home")
    await ada.make("section", "Work/Design", "Work/Paint", "Home/Paint")
    await ada.add("Plan", list="Work", subtasks=["Measure", "Draw"])
    await ada.add("Sketch", list="Work/Design")
    await ada.add("Blue", list="Work/Paint", subtasks=["Brush"])
    await ada.add("Green", list="Home/Paint")
    await ada.add("Done already", list="Work")
    await ada.client.values("tasks_complete", refs=["Done already"])
    await ada.add("Thrown away", list="Work")
    await ada.client.values("tasks_delete", refs=["Thrown away"])


ALL_OF_WORK = ["Blue", "Brush", "Done already", "Draw", "Measure", "Plan", "Sketch"]


# Deleting -----------------------------------------------------------------------------------------------------------


async def test_a_deleted_list_takes_its_sections_and_tasks_into_the_trash(living: Living) -> None:
    async with organizer(living) as ada:
        await fill(ada)
        assert await ada.text("list", "delete", "Work", dry_run=True) == (
            "dry run, nothing written: 1 deleted, 7 tasks moved to the trash\n"
            "L1 list: deleted | Work\nL3 section: deleted | Work/Design\nL4 section: deleted | Work/Paint"
        )
        assert await ada.titles("is:trash") == ["Thrown away"]
        assert (await ada.text("list", "delete", "work")).startswith("op 14: 1 deleted, 7 tasks moved to the trash\n")
        assert await ada.titles("is:all") == ["Green"]
        assert await ada.titles("is:trash") == [*ALL_OF_WORK, "Thrown away"]
        assert await ada.names("list") == ["Home"]
        assert (await ada.text("list", "delete", "Work")).startswith("unknown_list:")


async def test_a_restored_task_brings_back_the_list_that_was_deleted_with_it(living: Living) -> None:
    async with organizer(living) as ada:
        await fill(ada)
        await ada.do("list", "delete", "Work")
        await ada.client.values("tasks_delete", refs=["Sketch"], restore=True)
        assert await ada.titles("list:Work/Design") == ["Sketch"]
        assert await ada.names("list") == ["Work", "Home"]


async def test_a_task_deleted_before_its_list_comes_back_into_the_inbox(living: Living) -> None:
    async with organizer(living) as ada:
        await fill(ada)
        await ada.do("list", "delete", "Work")
        await ada.client.values("tasks_delete", refs=["Thrown away"], restore=True)
        assert await ada.titles("list:Inbox") == ["Thrown away"]
        assert await ada.names("list") == ["Home"]


@pytest.mark.parametrize(
    ("to", "filter"), [("inbox", "list:Inbox"), ("Home", "list:Home"), ("home/paint", "list:Home/Paint")]
)
async def test_the_tasks_of_a_deleted_list_can_go_elsewhere(
    living: Living,
    to: str,
    filter: str,  # noqa: A002 (the tool's own word)
) -> None:
    async with organizer(living) as ada:
        await fill(ada)
        assert (await ada.text("list", "delete", "Work", to=to)).startswith("op 14: 1 deleted, 7 tasks moved\n")
        there = set(await ada.titles(f"{filter} is:all"))
        assert there - {"Green"} == set(ALL_OF_WORK)
        assert await ada.titles("under:Plan") == ["Draw", "Measure"]
        assert await ada.titles("under:Blue") == ["Brush"]
        assert await ada.names("list") == ["Home"]
        await ada.client.values("tasks_delete", refs=["Thrown away"], restore=True)
        assert "Thrown away" in await ada.titles(filter)


async def test_only_the_tasks_of_a_deleted_section_go(living: Living) -> None:
    async with organizer(living) as ada:
        await fill(ada)
        assert (await ada.text("section", "delete", "Work/Paint")).startswith("op 14: 1 deleted, 2 tasks moved to the")
        assert await ada.titles("list:Work is:all") == ["Done already", "Draw", "Measure", "Plan", "Sketch"]
        assert (await ada.text("section", "delete", "Design", to="Work")).startswith("op 15: 1 deleted, 1 task moved\n")
        assert await ada.titles("list:Work is:all") == ["Done already", "Draw", "Measure", "Plan", "Sketch"]
        assert await ada.sections("Work") == []
        assert await ada.titles("list:Home") == ["Green"]


async def test_a_deleted_tag_leaves_its_tasks_and_a_new_one_of_that_name_is_another(living: Living) -> None:
    async with organizer(living) as ada:
        ref = await ada.add("Plan", tags=["soon", "big"])
        await ada.do("tag", "delete", "@soon")
        assert f"{ref} @big | Plan" in await ada.client.text("tasks_find", filter="tag:any")
        assert (await ada.client.text("tasks_find", filter="tag:soon")).startswith("unknown_tag:")
        await ada.make("tag", "soon")
        assert await ada.titles("tag:soon") == []


@pytest.mark.parametrize(("kind", "more"), [("view", {"filter": "p1"}), ("field", {})])
async def test_a_view_or_field_is_deleted(living: Living, kind: str, more: dict[str, Any]) -> None:
    async with organizer(living) as ada:
        await ada.make(kind, "Mine", **more)
        await ada.add("Plan", **({"fields": {"Mine": "x"}} if kind == "field" else {}))
        assert (await ada.text(kind, "delete", "mine")).startswith(f"op 3: 1 deleted\nL1 {kind}: deleted | Mine")
        assert await ada.names(kind) == []
        assert "x" not in await ada.client.text("tasks_find", refs=["Plan"])


async def test_a_list_of_more_tasks_than_one_call_may_name_is_deleted_as_cheaply(living: Living) -> None:
    async with organizer(living) as ada:
        counts = []
        for name, size in (("Small", 3), ("Large", 600)):
            await ada.make("list", name)
            for start in range(0, size, 100):
                tasks = [{"title": f"{name} {n}", "list": name} for n in range(start, min(size, start + 100))]
                await ada.client.values("tasks_add", tasks=tasks, duplicates="allow")
            with statements(living) as seen:
                assert f"{size} tasks moved to the trash" in await ada.text("list", "delete", name)
            counts.append(len(seen))
        # 500 rows go in one statement: one more for the rest of the tasks, one more for the rest of the changes.
        assert counts[1] == counts[0] + 2


# Merging ------------------------------------------------------------------------------------------------------------


async def test_a_merged_list_leaves_its_tasks_and_sections_to_the_other(living: Living) -> None:
    async with organizer(living) as ada:
        await fill(ada)
        await ada.make("view", "Mine", filter="list:Work,Home/Paint -list:Work/Paint")
        text = await ada.text("list", "merge", "Work", to="Home")
        assert text.startswith("op 15: 1 merged, 6 tasks moved\nL1 list: deleted | Work\n")
        assert "L3 section: list Work -> Home | Home/Design" in text
        assert "L4 section: deleted | Work/Paint" in text
        assert '-> "list:Home,Home/Paint -list:Home/Paint" | Mine' in text
        assert await ada.names("list") == ["Home"]
        assert await ada.sections("Home") == ["Design", "Paint"]
        assert await ada.titles("list:Home is:all") == sorted([*ALL_OF_WORK, "Green"])
        assert await ada.titles("list:Home/Paint") == ["Blue", "Brush", "Green"]
        assert await ada.titles("list:Home/Design") == ["Sketch"]
        await ada.client.values("tasks_delete", refs=["Thrown away"], restore=True)
        assert "Thrown away" in await ada.titles("list:Home")


@pytest.mark.parametrize("to", ["Inbox", "Home/Paint"])
async def test_a_list_merged_into_a_place_without_sections_leaves_only_tasks(living: Living, to: str) -> None:
    async with organizer(living) as ada:
        await fill(ada)
        await ada.do("list", "merge", "Work", to=to)
        assert set(await ada.titles(f"list:{to} is:all")) - {"Green"} == set(ALL_OF_WORK)
        assert await ada.sections("Home") == ["Paint"]


async def test_a_section_is_merged_into_another(living: Living) -> None:
    async with organizer(living) as ada:
        await fill(ada)
        await ada.do("section", "merge", "Work/Paint", to="Home/Paint")
        assert await ada.titles("list:Home/Paint") == ["Blue", "Brush", "Green"]
        assert await ada.sections("Work") == ["Design"]


async def test_a_merged_tag_leaves_its_tasks_to_the_other(living: Living) -> None:
    async with organizer(living) as ada:
        await ada.add("One", tags=["soon"])
        both = await ada.add("Both", tags=["soon", "now"])
        await ada.add("Other", tags=["now"])
        await ada.add("Gone", tags=["soon"])
        await ada.client.values("tasks_delete", refs=["Gone"])
        await ada.make("view", "Mine", filter="tag:soon")
        await ada.make("view", "Both", filter="tag:soon,now")
        text = await ada.text("tag", "merge", "@soon", to="#now")
        assert text.startswith("op 8: 1 merged, 2 tasks moved\n")
        assert text.endswith("filter tag:soon -> tag:now | Mine\nL8 view: filter tag:soon,now -> tag:now | Both")
        assert await ada.titles("tag:now") == await ada.titles("view:Mine") == ["Both", "One", "Other"]
        assert f"{both} @now | Both" in await ada.client.text("tasks_find", filter="both")
        await ada.client.values("tasks_delete", refs=["Gone"], restore=True)
        assert "Gone" in await ada.titles("tag:now")


async def test_bobs_tasks_of_the_same_numbers_have_nothing_to_do_with_it(living: Living) -> None:
    async with organizer(living) as ada, organizer(living, "bob") as bob:
        for person in (ada, bob):
            await person.make("tag", "soon", "now")
            await person.make("list", "Work", "Home")
        await ada.add("Hers", list="Work")
        await bob.add("His", list="Work", tags=["soon"])
        await ada.do("tag", "merge", "soon", to="now")
        assert await ada.titles("tag:any") == []
        await ada.do("list", "merge", "Work", to="Home")
        assert await bob.titles("tag:soon list:Work") == ["His"]


@pytest.mark.parametrize(
    ("kind", "action", "name", "to", "answer"),
    [
        ("list", "merge", "Work", "work", 'bad_argument: list "Work" cannot take its own tasks'),
        ("list", "delete", "Work", "Work", 'bad_argument: list "Work" cannot take its own tasks'),
        ("section", "merge", "Work/Paint", "Work/paint", 'bad_argument: section "Paint" cannot take its own tasks'),
        ("tag", "merge", "soon", "@SOON", 'bad_argument: tag "soon" cannot take its own tasks'),
        ("list", "merge", "Work", "Work/Paint", 'cycle: "Work/Paint" lies in "Work" and would go with it'),
        ("list", "delete", "Work", "Work/Paint", 'cycle: "Work/Paint" lies in "Work" and would go with it'),
        ("list", "merge", "Work", "Hoem", 'unknown_list: no list "Hoem". Closest: "Home"'),
        ("list", "delete", "Work", "Old", 'archived: list "Old" is archived'),
        ("tag", "merge", "soon", "later", 'unknown_tag: no tag "later"'),
    ],
)
async def test_tasks_go_only_where_they_can_stay(
    living: Living, kind: str, action: str, name: str, to: str, answer: str
) -> None:
    async with organizer(living) as ada:
        await fill(ada)
        await ada.make("list", "Old")
        await ada.do("list", "archive", "Old")
        await ada.make("tag", "soon")
        assert (await ada.text(kind, action, name, to=to)).startswith(answer)
        assert await ada.titles("list:Work is:all") == ALL_OF_WORK


async def test_the_trash_can_be_named_and_a_list_of_that_name_comes_first(living: Living) -> None:
    async with organizer(living) as ada:
        await ada.make("list", "A", "B")
        await ada.add("One", list="A")
        await ada.add("Two", list="B")
        await ada.do("list", "delete", "A", to="Trash")
        assert await ada.titles("is:trash") == ["One"]
        await ada.make("list", "Trash")
        await ada.do("list", "delete", "B", to="trash")
        assert await ada.titles("list:Trash") == ["Two"]
