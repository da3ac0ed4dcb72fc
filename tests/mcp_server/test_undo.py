"""Undo, as a client meets it: one write is taken back exactly, and doing it again gives the same."""

import asyncio
from typing import Any, Final

import pytest
from sqlalchemy import func, select, update

from mcp_server.tasks.spaces import space_of
from mcp_server.tasks.tables import lists, ops
from tests.living import Living, ToolClient, text_of
from tests.mcp_server.invariants import faults
from tests.mcp_server.past import client_called, look_of
from tests.mcp_server.statements import statements

pytestmark = pytest.mark.anyio

Call = tuple[str, dict[str, Any]]

# What there is before each of the writes below: T1 to T6, the list Work with a section, a view and a field.
BEGINNING: Final[tuple[Call, ...]] = (
    ("organize", {"kind": "list", "action": "create", "name": "Work"}),
    ("organize", {"kind": "list", "action": "create", "name": "Home"}),
    ("organize", {"kind": "section", "action": "create", "name": "Work/Later"}),
    ("organize", {"kind": "view", "action": "create", "name": "Hot", "filter": "p1"}),
    ("organize", {"kind": "field", "action": "create", "name": "Effort", "options": {"type": "number"}}),
    (
        "tasks_add",
        {
            "tasks": [
                {
                    "title": "Plan",
                    "list": "Work",
                    "due": "2030-01-05 09:00",
                    "tags": ["deep", "phone"],
                    "remind": ["30m before"],
                    "notes": "First",
                    "subtasks": ["Ask", "Write"],
                    "fields": {"Effort": 3},
                },
                {"title": "Daily", "due": "2030-01-05", "start": "2030-01-04", "repeat": "every day"},
                {"title": "Alone", "list": "Work/Later", "blocked_by": ["#1"]},
                {"title": "Closed"},
            ]
        },
    ),
    ("tasks_complete", {"refs": ["Closed"]}),
    ("tasks_add", {"tasks": [{"title": "Old", "list": "Home", "subtasks": ["Older"]}]}),
    ("tasks_delete", {"refs": ["Old"]}),
)

WRITES: Final[dict[str, Call]] = {
    "tasks with new tags": (
        "tasks_add",
        {"tasks": [{"title": "A", "tags": ["new", "deep"], "subtasks": ["B"]}, {"title": "C", "blocked_by": ["#1"]}]},
    ),
    "everything about a task": (
        "tasks_edit",
        {
            "changes": [
                {
                    "refs": ["Plan"],
                    "title": "Planned",
                    "notes": "Second",
                    "list": "Home",
                    "due": "2030-02-01 18:00 America/New_York",
                    "start": "2030-01-20",
                    "deadline": "2030-03-01",
                    "repeat": "every! 2 weeks",
                    "priority": "p1",
                    "estimate": "45m",
                    "remind": ["1h before", "2030-01-31 09:00"],
                    "tags": ["-deep", "other"],
                    "assignee": "me",
                    "fields": {"Effort": 5},
                    "position": "top",
                    "comment": "Look at this",
                }
            ]
        },
    ),
    "emptied fields": (
        "tasks_edit",
        {"changes": [{"refs": ["Plan"], "clear": ["due", "notes", "tags", "fields", "list", "remind"]}]},
    ),
    "another parent": ("tasks_edit", {"changes": [{"refs": ["Plan"], "parent": "Daily"}]}),
    "blockers": ("tasks_edit", {"changes": [{"refs": ["Alone"], "blocked_by": ["-Plan", "Daily"]}]}),
    "a comment": ("tasks_edit", {"changes": [{"refs": ["Plan"], "comment": "Only this"}]}),
    "many by filter": ("tasks_edit", {"changes": [{"priority": "p2", "tags": ["many"]}], "filter": "is:open"}),
    "done": ("tasks_complete", {"refs": ["Plan", "Ask"]}),
    "cancelled": ("tasks_complete", {"refs": ["Plan"], "cancelled": True}),
    "an occurrence done": ("tasks_complete", {"refs": ["Daily"], "at": "2026-11-01"}),
    "a series ended": ("tasks_complete", {"refs": ["Daily"], "end_series": True}),
    "reopened": ("tasks_complete", {"refs": ["Closed"], "done": False}),
    "deleted with subtasks": ("tasks_delete", {"refs": ["Plan"]}),
    "restored with subtasks": ("tasks_delete", {"refs": ["Old"], "restore": True}),
    "a new list": ("organize", {"kind": "list", "action": "create", "name": "New", "options": {"color": "red"}}),
    "options of a list": ("organize", {"kind": "list", "action": "set", "name": "Work", "options": {"favorite": True}}),
    "a renamed list": ("organize", {"kind": "list", "action": "rename", "name": "Work", "to": "Job"}),
    "another order of lists": ("organize", {"kind": "list", "action": "move", "name": "Home", "to": "top"}),
    "a section elsewhere": ("organize", {"kind": "section", "action": "move", "name": "Work/Later", "to": "Home"}),
    "an archived list": ("organize", {"kind": "list", "action": "archive", "name": "Work"}),
    "a list deleted with its tasks": ("organize", {"kind": "list", "action": "delete", "name": "Work"}),
    "a list deleted, its tasks kept": (
        "organize",
        {"kind": "list", "action": "delete", "name": "Work", "to": "inbox"},
    ),
    "a deleted section": ("organize", {"kind": "section", "action": "delete", "name": "Work/Later"}),
    "lists merged": ("organize", {"kind": "list", "action": "merge", "name": "Work", "to": "Home"}),
    "tags merged": ("organize", {"kind": "tag", "action": "merge", "name": "deep", "to": "phone"}),
    "a renamed tag": ("organize", {"kind": "tag", "action": "rename", "name": "deep", "to": "low"}),
    "a deleted tag": ("organize", {"kind": "tag", "action": "delete", "name": "deep"}),
    "another filter of a view": ("organize", {"kind": "view", "action": "set", "name": "Hot", "filter": "p2"}),
    "a deleted view": ("organize", {"kind": "view", "action": "delete", "name": "Hot"}),
    "a new field": ("organize", {"kind": "field", "action": "create", "name": "Stage"}),
    "another type of a field": (
        "organize",
        {"kind": "field", "action": "set", "name": "Effort", "options": {"type": "text"}},
    ),
    "a deleted field": ("organize", {"kind": "field", "action": "delete", "name": "Effort"}),
    "another time zone": ("organize", {"kind": "setting", "action": "set", "name": "time zone", "to": "Asia/Tokyo"}),
    "another start of the day": ("organize", {"kind": "setting", "action": "set", "name": "day start", "to": "07:30"}),
    "imported tasks": (
        "data_import",
        {
            "content": "title,list,tags,notes\nOne,Import,fresh,n\nTwo,Import,deep,\n",
            "format": "csv",
            "dry_run": False,
        },
    ),
}


async def begin(ada: ToolClient) -> None:
    """Make what all of these writes begin with."""
    for tool, arguments in BEGINNING:
        await ada.values(tool, **arguments)


@pytest.mark.parametrize("write", WRITES)
async def test_a_write_is_taken_back_and_done_again_exactly(living: Living, write: str) -> None:
    look = look_of(living, "ada")
    tool, arguments = WRITES[write]
    async with living.client("ada") as ada:
        await begin(ada)
        earlier = await look()
        op = (await ada.values(tool, **arguments))["op"]
        later = await look()
        assert later != earlier
        for wanted in (earlier, later, earlier):
            undone = await ada.values("undo", op=str(op))
            assert "conflicts" not in undone
            assert undone["tool"] == "undo"
            assert await look() == wanted
            assert await faults(look.database, look.person) == []
            op = undone["op"]


async def test_without_a_number_the_last_write_of_the_same_client_is_meant(living: Living) -> None:
    async with client_called(living, "ada", "phone") as phone, client_called(living, "ada", "web") as web:
        await phone.add("Milk")
        await web.add("Bread")
        await web.add("Salt")
        assert (await phone.text("undo")).startswith(
            "op 4: 1 reverted\nT1: to the trash | Milk\nnote: this undoes op 1 (tasks_add"
        )
        assert await web.titles() == ["Bread", "Salt"]
        assert (await phone.text("undo")).startswith("nothing_to_undo:")
        await web.values("undo")
        await web.values("undo")
        assert await web.titles() == []
        assert (await web.text("undo")).startswith("nothing_to_undo:")


async def test_a_redone_write_is_the_next_to_be_undone(living: Living) -> None:
    async with living.client("ada") as ada:
        await ada.add("Milk")
        undo = (await ada.values("undo"))["op"]
        await ada.values("undo", op=str(undo))
        assert await ada.titles() == ["Milk"]
        assert (await ada.values("undo"))["op"] == 4
        assert await ada.titles() == []
        history = await ada.values("history")
        assert {entry["op"]: (entry.get("undo_of"), entry.get("undone_by")) for entry in history["ops"]} == {
            1: (None, 4),
            2: (1, 3),
            3: (2, None),
            4: (1, None),
        }


async def test_undoing_a_redo_counts_as_undoing_the_write(living: Living) -> None:
    async with living.client("ada") as ada:
        await ada.add("Milk")
        for op in ("1", "2", "3", "4", "5"):
            await ada.values("undo", op=op)
        history = await ada.values("history")
        assert {entry["op"]: entry.get("undone_by") for entry in history["ops"]} == {
            1: 2, 2: None, 3: 4, 4: None, 5: 6, 6: None,
        }  # fmt: skip
        assert await ada.titles() == []


@pytest.mark.parametrize("written", ["2", "op 2", "OP 2", "#2", " 2 "])
async def test_an_operation_is_named_as_people_write_it(living: Living, written: str) -> None:
    async with living.client("ada") as ada:
        await ada.add("Milk")
        await ada.add("Bread")
        await ada.add("Salt")
        await ada.values("undo", op=written)
        assert await ada.titles() == ["Milk", "Salt"]


async def test_what_is_no_operation_and_what_is_somebody_elses_get_the_same_answer(living: Living) -> None:
    async with living.client("ada") as ada, living.client("bob") as bob:
        await ada.add("Milk")
        await bob.values("tasks_add", tasks=[{"title": "His"}])
        await ada.add("Bread")
        foreign = await bob.text("undo", op="2")
        assert foreign == 'unknown_op: there is no operation "2" that you can undo. Fix: history lists them'
        for unknown in ("99", "0", "9" * 15, "last", "T1", "ada:1", "1; 2", "٣"):
            assert await bob.text("undo", op=unknown) == foreign.replace('"2"', f'"{unknown}"')
        assert await ada.titles() == ["Milk", "Bread"]


async def test_a_second_undo_says_how_to_redo(living: Living) -> None:
    async with living.client("ada") as ada:
        await ada.add("Milk")
        await ada.values("undo")
        assert await ada.text("undo", op="1") == (
            'nothing_to_undo: op 1 is undone already. Fix: undo(op="2") redoes it'
        )


async def test_what_was_put_back_by_hand_is_nothing_to_undo(living: Living) -> None:
    async with living.client("ada") as ada:
        await ada.add("Milk")
        await ada.values("tasks_edit", changes=[{"refs": ["T1"], "title": "Cream"}])
        await ada.values("tasks_edit", changes=[{"refs": ["T1"], "title": "Milk"}])
        assert (await ada.text("undo", op="2")).startswith("nothing_to_undo: everything is again as it was before op 2")


async def test_an_operation_is_undone_for_90_days(living: Living) -> None:
    look = look_of(living, "ada")
    async with living.client("ada") as ada:
        await ada.add("Milk")
        await ada.add("Bread")
        days = 24 * 3600 * 1_000_000
        async with look.database.begin(look.person, write=True) as tx:
            mine = ops.c.space_id == space_of(look.person)
            await tx.execute(update(ops).where(mine, ops.c.rev == 1).values(at_us=ops.c.at_us - 91 * days))
            await tx.execute(update(ops).where(mine, ops.c.rev == 2).values(at_us=ops.c.at_us - 89 * days))
        assert (await ada.text("undo", op="1", force=True)).startswith("undo_expired: op 1 is older than 90 days")
        assert (await ada.values("undo", op="2"))["counts"] == {"reverted": 1}
        assert (await ada.text("undo")).startswith("undo_expired:")


async def test_sharing_is_not_undone(living: Living) -> None:
    async with living.client("ada") as ada:
        await ada.values("organize", kind="list", action="create", name="Team")
        await ada.values("share", list="Team", action="invite", who="bob")
        assert (await ada.text("undo", op="2")).startswith("nothing_to_undo: op 2 changed who may see a list")
        await ada.values("undo")
        assert (await ada.values("overview"))["lists"] == [{"name": "Inbox", "open": 0}]


async def test_a_dry_run_shows_the_undo_and_writes_nothing(living: Living) -> None:
    look = look_of(living, "ada")
    async with living.client("ada") as ada:
        await ada.values("tasks_add", tasks=[{"title": "Milk", "tags": ["shop"]}])
        earlier = await look()
        text = await ada.text("undo", dry_run=True)
        assert text.startswith('dry run, nothing written: 2 reverted\nT1: to the trash | Milk\ntag "shop" deleted\n')
        assert await look() == earlier
        assert (await ada.values("history"))["rev"] == 1
        assert (await ada.values("undo"))["op"] == 2


async def test_equal_undos_at_once_are_done_once(living: Living) -> None:
    async with living.client("ada") as ada:
        await ada.add("Milk")
        await ada.add("Bread")
        answers = await asyncio.gather(*(ada.values("undo", request_id="u") for _ in range(10)))
        assert {answer["op"] for answer in answers} == {3}
        assert sum(not answer.get("replayed", False) for answer in answers) == 1
        assert await ada.titles() == ["Milk"]
        assert (await ada.text("undo", op="1", request_id="u")).startswith("request_reused:")


async def test_a_created_tag_that_others_use_by_now_stays(living: Living) -> None:
    look = look_of(living, "ada")
    async with living.client("ada") as ada:
        await ada.values("tasks_add", tasks=[{"title": "Milk", "tags": ["shop"]}])
        await ada.values("tasks_add", tasks=[{"title": "Bread", "tags": ["shop"]}])
        text = await ada.text("undo", op="1")
        assert 'note: tag "shop" stays, because it is in use' in text
        assert await ada.titles("tag:shop") == ["Bread"]
        await ada.values("undo", op="2")
        async with look.database.begin(look.person) as tx:
            row = await tx.one(select(func.count()).select_from(lists).where(lists.c.space_id == space_of(look.person)))
            assert row is not None
            assert row[0] == 1


async def test_a_created_list_with_tasks_by_now_stays_even_by_force(living: Living) -> None:
    async with living.client("ada") as ada:
        await ada.values("organize", kind="list", action="create", name="Work")
        await ada.values("tasks_add", tasks=[{"title": "Plan", "list": "Work"}])
        for force in (False, True):
            refused = await ada.call("undo", op="1", force=force)
            assert text_of(refused) == 'conflict: not reverted: list "Work" stays, because it is in use'
        await ada.values("undo", op="2")
        await ada.values("undo", op="1")
        assert (await ada.values("overview"))["lists"] == [{"name": "Inbox", "open": 0}]


async def test_a_created_list_with_sections_and_a_created_field_with_values_stay(living: Living) -> None:
    async with living.client("ada") as ada:
        await ada.values("organize", kind="list", action="create", name="Work")
        await ada.values("organize", kind="field", action="create", name="Effort", options={"type": "number"})
        await ada.values("organize", kind="section", action="create", name="Work/Later")
        await ada.values("tasks_add", tasks=[{"title": "Plan", "fields": {"Effort": 3}}])
        for op, what in (("1", 'list "Work"'), ("2", 'field "Effort"')):
            assert await ada.text("undo", op=op) == f"conflict: not reverted: {what} stays, because it is in use"
        for op in ("4", "3", "2", "1"):
            await ada.values("undo", op=op)
        assert "fields" not in await ada.values("overview")


async def test_an_undo_of_many_costs_as_many_statements_as_one_of_few(living: Living) -> None:
    async with living.client("ada") as ada:
        counts = []
        for size in (2, 100):
            tasks = [{"title": f"{size} {number}", "tags": [f"t{size}"]} for number in range(size)]
            op = (await ada.values("tasks_add", tasks=tasks))["op"]
            for _ in range(2):
                with statements(living) as seen:
                    op = (await ada.values("undo", op=str(op)))["op"]
                counts.append(len(seen))
        assert counts[:2] == counts[2:]
