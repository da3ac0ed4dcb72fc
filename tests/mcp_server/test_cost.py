"""What a call costs in statements: counted, because a count says the same on every machine."""

from typing import Any

import pytest

from tests.living import Living, ToolClient
from tests.mcp_server.statements import statements

pytestmark = pytest.mark.anyio

BESIDE = ("INSERT INTO spaces", "INSERT INTO memberships", "INSERT INTO aliases")


async def cost(living: Living, person: ToolClient, tool: str, **arguments: Any) -> int:
    """How many statements one successful call needs."""
    with statements(living) as seen:
        await person.values(tool, **arguments)
    return len(seen)


async def test_a_page_costs_two_statements_whatever_its_size(living: Living) -> None:
    async with living.client("ada") as ada:
        await ada.add(*(f"Task {number}" for number in range(60)))
        for arguments in ({"limit": 1}, {"limit": 60}, {"filter": "task p4 due:none -done is:all", "sort": "title"}):
            assert await cost(living, ada, "tasks_find", **arguments) == 2


async def test_opening_tasks_costs_the_same_for_one_as_for_a_hundred(living: Living) -> None:
    async with living.client("ada") as ada:
        refs = await ada.add(*(f"Task {number}" for number in range(100)))
        costs = [await cost(living, ada, "tasks_find", refs=some) for some in (refs[:1], refs)]
        assert costs == [5, 5]


async def test_a_hundred_tasks_cost_as_many_statements_as_one(living: Living) -> None:
    async with living.client("ada") as ada:
        await ada.add("The first one makes the space")
        costs = [
            await cost(
                living,
                ada,
                "tasks_add",
                tasks=[
                    {
                        "title": f"{size} times {number}",
                        "tags": [f"of {size}", f"tag {number}"],
                        "due": "2030-01-05 09:00",
                        "remind": ["30m before"],
                        "blocked_by": ["#1"] if number else ["T1"],
                        "subtasks": ["one", "two"],
                    }
                    for number in range(size)
                ],
            )
            for size in (1, 100)
        ]
        assert costs[0] == costs[1] <= 14


Step = tuple[str, dict[str, Any]]

# Calls about the tasks called "task", which are few or many; each is one that changes them, or all that there is.
STEPS: tuple[Step, ...] = (
    ("overview", {"show": "all"}),
    ("tasks_find", {"filter": "list:Work tag:home", "limit": 200}),
    ("tasks_find", {"filter": "list:Work", "detail": "full", "limit": 50}),
    ("tasks_edit", {"filter": "task", "changes": [{"due": "2030-02-01", "tags": ["x", "-home"], "comment": "c"}]}),
    ("tasks_edit", {"filter": "task", "changes": [{"remind": ["2h before"], "blocked_by": ["Begin"]}]}),
    ("tasks_edit", {"filter": "task", "changes": [{"parent": "Begin"}]}),
    ("tasks_edit", {"filter": "task", "changes": [{"list": "Work", "position": "bottom"}]}),
    ("undo", {}),
    ("tasks_delete", {"filter": "task"}),
    ("tasks_delete", {"filter": "task", "restore": True}),
    ("organize", {"kind": "tag", "action": "merge", "name": "x", "to": "home"}),
    ("organize", {"kind": "field", "action": "set", "name": "Effort", "options": {"type": "text"}}),
    ("organize", {"kind": "setting", "action": "set", "name": "time zone", "to": "Asia/Tokyo"}),
    ("organize", {"kind": "list", "action": "merge", "name": "Work", "to": "Home"}),
    ("organize", {"kind": "list", "action": "delete", "name": "Home"}),
    ("undo", {}),
    ("share", {"action": "invite", "list": "Home", "who": "bob"}),
    ("share", {}),
)


async def furnish(person: ToolClient, count: int) -> list[str]:
    """So many tasks called "task", with all kinds of things on them; their references."""
    await person.add("Begin")
    for name in ("Work", "Home"):
        await person.values("organize", kind="list", action="create", name=name)
    await person.values("organize", kind="field", action="create", name="Effort", options={"type": "number"})
    task = {
        "list": "Work",
        "tags": ["home"],
        "due": "2030-01-05 09:00",
        "remind": ["1h before"],
        "fields": {"Effort": 1},
    }
    values = await person.values("tasks_add", tasks=[{"title": f"Task {n}", **task} for n in range(count)])
    return list(values["refs"])


async def test_a_call_about_many_tasks_costs_as_many_statements_as_about_one(living: Living) -> None:
    async def costs(person: ToolClient, count: int) -> dict[str, int]:
        refs = await furnish(person, count)
        named: tuple[Step, ...] = (
            ("tasks_find", {"refs": refs}),
            ("tasks_edit", {"changes": [{"refs": [ref], "append_notes": ref} for ref in refs]}),
            ("tasks_complete", {"refs": refs}),
            ("tasks_complete", {"refs": refs, "cancelled": True}),
            ("undo", {}),
            ("tasks_complete", {"refs": refs, "done": False}),
            ("data_import", {"content": "\n".join(f"- [ ] New {ref} @{ref}" for ref in refs), "dry_run": False}),
        )
        return {
            f"{number} {tool}": await cost(living, person, tool, **arguments)
            for number, (tool, arguments) in enumerate((*named, *STEPS))
        }

    async with living.client("ada") as ada, living.client("bob") as bob:
        few, many = await costs(ada, 1), await costs(bob, 100)
        assert many == few
        assert max(few.values()) < 25


async def test_what_other_people_have_costs_nothing(living: Living) -> None:
    counts = []
    for others in (1, 5):
        for number in range(others):
            async with living.client(f"neighbour {number} of {others}") as neighbour:
                for hundred in range(3):
                    await neighbour.add(*(f"Task {hundred} {n}" for n in range(100)))
        async with living.client(f"ada beside {others}") as ada:
            await furnish(ada, 3)
            calls = (*STEPS, ("history", {}), ("data_export", {}), ("tasks_complete", {"refs": ["Begin"]}))
            counts.append([await cost(living, ada, tool, **arguments) for tool, arguments in calls])
    assert counts[0] == counts[1]


async def test_every_statement_about_a_persons_rows_names_the_space(living: Living) -> None:
    async with living.client("ada") as ada:
        with statements(living) as seen:
            await ada.values("organize", kind="list", action="create", name="Work")
            await ada.values("tasks_add", tasks=[{"title": "One", "tags": ["x"], "subtasks": ["sub"]}], request_id="r")
            await ada.values("tasks_find", filter="one tag:x is:blocked OR list:Work", limit=1)
            await ada.values("tasks_find", refs=["T2", "one"])
            await ada.text("tasks_find", refs=["unknown"])
            await ada.values(
                "tasks_edit", changes=[{"refs": ["One"], "list": "Work", "comment": "c", "position": "top"}]
            )
            await ada.values("tasks_complete", refs=["one"])
            await ada.values("tasks_delete", filter="is:all")
            await ada.values("undo")
            await ada.values("history")
            await ada.values("overview")
            await ada.values("data_export")
            await ada.values("data_import", content="- [ ] Imported", dry_run=False)
            await ada.values("share", action="invite", list="Work", who="bob")
            await ada.values("share")
        assert len(seen) > 60
        unfenced = [
            statement
            for statement in seen
            if not any(fence in statement for fence in ("space_id", "spaces.id", "user_key"))
        ]
        assert [statement for statement in unfenced if not statement.startswith(BESIDE)] == []


async def test_a_repeat_costs_only_the_look_for_its_answer(living: Living) -> None:
    async with living.client("ada") as ada:
        await ada.values("tasks_add", tasks=[{"title": "One"}], request_id="r")
        assert await cost(living, ada, "tasks_add", tasks=[{"title": "One"}], request_id="r") == 3
