"""Two people side by side: nothing of one appears in an answer to the other, and what is hers means nothing to him."""

import asyncio
import json
from collections.abc import Mapping
from random import Random
from typing import Any, Final

import pytest
from mcp import MCPError
from mcp_types import CallToolResult

from tests.living import Living, ToolClient, text_of

pytestmark = pytest.mark.anyio

CALLS: Final = 60
Call = tuple[str, dict[str, Any]]

# Calls to all tools. `@` is what one person writes into everything of hers and nobody else into anything.
PROGRAM: Final[tuple[Call, ...]] = (
    *(("overview", {"show": show}) for show in ("today", "week", "all")),
    *(("tasks_find", {"filter": text, "detail": "full"}) for text in ("is:all", "is:trash", "by:me", "-tag:any")),
    *(("tasks_find", {"sort": sort}) for sort in ("title", "manual", "created", "updated", "due")),
    *(("tasks_find", {"filter": text}) for text in ("call", "list:@work", "tag:@*", "view:@hot", "under:T9 is:all")),
    *(("tasks_find", {"refs": [ref]}) for ref in ("T4", "T11", "@ Call mun", "C12", "Call", "Cal mum")),
    ("tasks_add", {"tasks": [{"title": "@ Call mum", "notes": "@ notes", "tags": ["@home"], "subtasks": ["@ Dial"]}]}),
    ("tasks_add", {"tasks": [{"title": "@ Water", "due": "2020-01-05", "repeat": "every day", "list": "@Work"}]}),
    ("tasks_add", {"tasks": [{"title": "@ Sell", "blocked_by": ["T5"], "fields": {"@size": "@ large"}}]}),
    ("tasks_add", {"tasks": [{"title": "Cal mum", "list": "Wrok"}], "duplicates": "skip"}),
    ("tasks_edit", {"changes": [{"refs": ["T5"], "comment": "@ said", "append_notes": "@ more"}]}),
    ("tasks_edit", {"changes": [{"refs": ["T7"], "title": "@ Paint", "list": "@Work/@Later", "position": "top"}]}),
    ("tasks_edit", {"changes": [{"refs": ["T8"], "parent": "T5", "version": 3}]}),
    ("tasks_edit", {"changes": [{"refs": ["T6"], "tags": ["-home", "@deep"], "assignee": "bob"}]}),
    ("tasks_edit", {"filter": "tag:@home", "changes": [{"priority": "p1"}]}),
    ("tasks_complete", {"refs": ["T5"]}),
    ("tasks_complete", {"refs": ["T6", "T7"], "done": False}),
    ("tasks_delete", {"refs": ["T8"]}),
    ("tasks_delete", {"filter": "is:trash", "restore": True}),
    ("organize", {"kind": "list", "action": "create", "name": "@Home", "options": {"description": "@ place"}}),
    ("organize", {"kind": "list", "action": "rename", "name": "@Hom", "to": "@House"}),
    ("organize", {"kind": "tag", "action": "merge", "name": "@home", "to": "@deep"}),
    ("organize", {"kind": "section", "action": "create", "name": "@Home/@Now"}),
    ("organize", {"kind": "view", "action": "set", "name": "@Hot", "filter": "p1 OR tag:@deep"}),
    ("organize", {"kind": "setting", "action": "set", "name": "day start", "to": "08:00"}),
    ("undo", {}),
    ("undo", {"op": "3"}),
    ("history", {"limit": 200}),
    ("history", {"ref": "T5"}),
    ("history", {"actor": "me"}),
    *(("data_export", {"format": kind, "filter": "is:all"}) for kind in ("json", "csv", "ics", "markdown")),
    ("data_import", {"content": "- [ ] @ Imported #@home", "format": "markdown", "dry_run": False}),
    ("data_import", {"content": "title,list\n@ Cal mum,@Work", "format": "csv"}),
    ("share", {}),
    ("share", {"action": "invite", "list": "@Work", "who": "@friend"}),
    ("share", {"action": "revoke", "list": "@Work", "who": "@friend"}),
)


def filled(value: Any, mark: str) -> Any:
    """A call with somebody's mark in it."""
    return json.loads(json.dumps(value).replace("@", mark))


def everything(result: CallToolResult) -> str:
    """All that an answer holds, in small letters, because names may be shown as they are compared."""
    return f"{text_of(result)}\n{json.dumps(result.structured_content, ensure_ascii=False)}".lower()


async def furnish(person: ToolClient, mark: str) -> None:
    """Somebody's list, section, tag, view, field and a few tasks."""
    for kind, name, more in (
        ("list", "@Work", {}),
        ("section", "@Work/@Later", {}),
        ("field", "@Size", {"options": {"type": "text"}}),
        ("view", "@Hot", {"filter": "p1"}),
    ):
        await person.values("organize", kind=kind, action="create", **filled({"name": name, **more}, mark))
    tasks = [
        {"title": "@ Call mum", "notes": "@ about", "tags": ["@home"], "list": "@Work", "subtasks": ["@ Dial"]},
        {"title": "@ Sleep", "blocked_by": ["#1"], "due": "2020-01-05", "remind": ["1h before"]},
    ]
    await person.values("tasks_add", tasks=filled(tasks, mark))


@pytest.mark.parametrize("seed", range(4))
async def test_nothing_of_one_appears_in_an_answer_to_the_other(living: Living, seed: int) -> None:
    async def live(name: str, mark: str, other: str) -> int:
        random = Random(f"{seed} {name}")
        succeeded = 0
        async with living.client(name) as person:
            await furnish(person, mark)
            for tool, arguments in random.choices(PROGRAM, k=CALLS):
                result = await person.call(tool, **filled(arguments, mark))
                said = everything(result)
                assert other not in said, (name, tool, arguments)
                assert "internal:" not in said, (name, tool, arguments)
                succeeded += not result.is_error
        return succeeded

    assert min(await asyncio.gather(live("ada", "quagga", "dodo"), live("bob", "dodo", "quagga"))) > CALLS / 2


# What bob tries with what is ada's: `{ref}` is a task, `{name}` a name, `{op}` an operation.
TRIES: Final[tuple[Call, ...]] = (
    ("tasks_find", {"refs": ["{ref}"]}),
    ("tasks_find", {"filter": "under:{ref}"}),
    ("tasks_find", {"filter": "list:{name}"}),
    ("tasks_find", {"filter": "list:{name}/{name}"}),
    ("tasks_find", {"filter": "tag:{name}"}),
    ("tasks_find", {"filter": "view:{name}"}),
    ("tasks_find", {"filter": "field:{name}=any"}),
    ("tasks_find", {"filter": "with:{name}"}),
    ("tasks_add", {"tasks": [{"title": "x", "parent": "{ref}"}]}),
    ("tasks_add", {"tasks": [{"title": "x", "blocked_by": ["{ref}"]}]}),
    ("tasks_add", {"tasks": [{"title": "x", "list": "{name}"}]}),
    ("tasks_add", {"tasks": [{"title": "x", "fields": {"{name}": "1"}}]}),
    ("tasks_add", {"tasks": [{"title": "x", "assignee": "{name}"}]}),
    ("tasks_edit", {"changes": [{"refs": ["{ref}"], "title": "x"}]}),
    ("tasks_edit", {"changes": [{"refs": ["Mine"], "parent": "{ref}"}]}),
    ("tasks_edit", {"changes": [{"refs": ["Mine"], "blocked_by": ["-{ref}"]}]}),
    ("tasks_edit", {"changes": [{"refs": ["Mine"], "position": "after {ref}"}]}),
    ("tasks_edit", {"changes": [{"refs": ["Mine"], "tags": ["-{name}"]}]}),
    ("tasks_edit", {"changes": [{"priority": "p1"}], "filter": "list:{name}"}),
    ("tasks_complete", {"refs": ["{ref}"]}),
    ("tasks_complete", {"refs": ["{ref}"], "done": False}),
    ("tasks_delete", {"refs": ["{ref}"]}),
    ("tasks_delete", {"refs": ["{ref}"], "restore": True}),
    ("tasks_delete", {"filter": "tag:{name}", "restore": True}),
    *(
        ("organize", {"kind": kind, "action": action, "name": "{name}", **more})
        for kind in ("list", "tag", "view", "field")
        for action, more in (("rename", {"to": "x"}), ("delete", {}))
    ),
    ("organize", {"kind": "section", "action": "create", "name": "{name}/x"}),
    ("undo", {"op": "{op}"}),
    ("history", {"ref": "{ref}"}),
    ("history", {"ref": "L{op}"}),
    ("history", {"actor": "{name}"}),
    ("data_export", {"filter": "list:{name}"}),
    ("share", {"list": "{name}"}),
    ("share", {"action": "invite", "list": "{name}", "who": "eve"}),
    ("share", {"action": "revoke", "list": "{name}", "who": "eve"}),
    ("share", {"action": "leave", "list": "{name}"}),
)


def meant(call: Call, names: Mapping[str, str]) -> Call:
    """A try with something in the place of its names."""
    text = json.dumps(call)
    for name, value in names.items():
        text = text.replace(f"{{{name}}}", value)
    tool, arguments = json.loads(text)
    return tool, arguments


async def test_what_is_adas_gets_bob_the_answer_to_what_never_existed(living: Living) -> None:
    async with living.client("ada") as ada, living.client("bob") as bob:
        await bob.add("Mine")
        for kind in ("list", "view", "field"):
            more = {"filter": "p1"} if kind == "view" else {}
            await ada.values("organize", kind=kind, action="create", name="Quagga", **more)
        await ada.values("organize", kind="section", action="create", name="Quagga/Quagga")
        await ada.values("tasks_add", tasks=[{"title": "Quagga", "list": "Quagga", "tags": ["Quagga"]}] * 4)
        before = (await ada.values("tasks_find", filter="is:all", detail="full"))["tasks"]
        hers = {"ref": "T6", "name": "Quagga", "op": "5"}
        nobodys = {"ref": "T77", "name": "Zyzzyx", "op": "88"}
        assert (await ada.values("tasks_find", refs=["T6"]))["tasks"][0]["title"] == "Quagga"
        for call in TRIES:
            found = await bob.call(meant(call, hers)[0], **meant(call, hers)[1])
            missed = await bob.call(meant(call, nobodys)[0], **meant(call, nobodys)[1])
            assert found.is_error, call
            assert missed.is_error, call
            answer = text_of(missed)
            for name, value in nobodys.items():
                answer = answer.replace(value, hers[name])
            assert text_of(found) == answer, call
        found = await bob.call("tasks_find", refs=["quagg"])
        assert text_of(found) == 'unknown_ref: no task "quagg". Fix: use an id from tasks_find'
        assert await bob.titles("is:all") == ["Mine"]
        assert (await ada.values("tasks_find", filter="is:all", detail="full"))["tasks"] == before


async def test_equal_numbers_mean_each_persons_own(living: Living) -> None:
    async with living.client("ada") as ada, living.client("bob") as bob:
        await ada.add("Hers", "Hers too")
        await bob.add("His", "His too")
        for tool, arguments in (
            ("tasks_edit", {"changes": [{"refs": ["T1"], "priority": "p1", "comment": "Said", "tags": ["mine"]}]}),
            ("tasks_edit", {"changes": [{"refs": ["T1"], "parent": "T2", "version": 2}]}),
            ("tasks_complete", {"refs": ["T2"]}),
            ("tasks_delete", {"refs": ["T2"]}),
            ("undo", {"op": "5"}),
            ("organize", {"kind": "tag", "action": "rename", "name": "mine", "to": "his"}),
        ):
            assert not (await bob.call(tool, **arguments)).is_error, tool
        assert (await ada.values("tasks_find"))["rev"] == 1
        [one, two] = (await ada.values("tasks_find", refs=["T1", "T2"]))["tasks"]
        assert (one["title"], two["title"]) == ("Hers", "Hers too")
        assert {"priority", "comments", "tags", "parent", "status"}.isdisjoint({*one, *two})
        assert "Hers" not in await bob.text("history")


async def test_two_people_may_use_the_same_request_id_at_the_same_moment(living: Living) -> None:
    async with living.client("ada") as ada, living.client("bob") as bob:
        answers = await asyncio.gather(
            *(person.values("tasks_add", tasks=["Milk"], request_id="r") for person in (ada, bob) for _ in range(4))
        )
        assert sum("replayed" not in values for values in answers) == 2
        for person in (ada, bob):
            assert await person.titles() == ["Milk"]


async def test_cursors_and_exports_are_good_for_their_own_person_only(living: Living) -> None:
    async with living.client("ada") as ada, living.client("bob") as bob:
        for person in (ada, bob):
            for number in range(3):
                await person.values("tasks_add", tasks=[{"title": f"Task {number}", "notes": "long " * 1_000}])
        for tool, another in (("tasks_find", {"filter": "task"}), ("history", {"actor": "me"})):
            hers = (await ada.values(tool, limit=1))["cursor"]
            his = (await bob.values(tool, limit=1, **another))["cursor"]
            refused = await bob.text(tool, limit=1, cursor=hers)
            assert refused.startswith("bad_cursor: ")
            assert refused == await bob.text(tool, limit=1, cursor=his)
        [uri, *_] = (await ada.values("data_export", format="json"))["uri"]
        assert "Task 1" in str(await ada.client.read_resource(uri))
        with pytest.raises(MCPError) as refused_part:
            await bob.client.read_resource(uri)
        assert str(refused_part.value).startswith("bad_cursor: ")
