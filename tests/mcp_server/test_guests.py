"""What guests of a list see and do: that list and nothing else of its owner, by any tool, in any answer."""

from typing import Any

import pytest
from mcp_types import CallToolResult
from sqlalchemy import select

from mcp_server.tasks.names import Kind
from mcp_server.tasks.sight import read_sight
from mcp_server.tasks.spaces import space_of
from mcp_server.tasks.tables import changes, ops
from tests.living import Living, text_of
from tests.mcp_server.attempts import LOOKS, OWNERS_WRITES, TASK_WRITES, filled
from tests.mcp_server.guests import HIDDEN, home
from tests.mcp_server.invariants import faults

pytestmark = pytest.mark.anyio

EVERYTHING = "is:all"


def everything_in(result: CallToolResult) -> str:
    """All that a host or a model could read of an answer."""
    return result.model_dump_json().lower()


@pytest.mark.parametrize("role", ["view", "edit"])
async def test_what_is_hidden_appears_in_nothing_that_a_guest_reads(living: Living, role: str) -> None:
    async with home(living, "bob") as house:
        await house["ada"].values("tasks_delete", refs=[house.refs["Zebra in the Inbox"]])
        await house.let_in("bob", role)
        for change in ({"tags": ["zebratag"]}, {"tags": ["-zebratag"]}, {"fields": {"Zebrafield": "zebra"}}):
            await house["ada"].values("tasks_edit", changes=[{"refs": [house.refs["Fence"]], **change}])
        for kind, name in (("section", "Zebralist/Zebrasection"), ("list", "Zebralist"), ("tag", "zebratag")):
            await house["ada"].values("organize", kind=kind, action="rename", name=name, to=f"{name.split('/')[-1]}s")
        refs = {"plan": house.ref("Zebra plan"), "fence": house.ref("Fence")}
        numbers = {ref.lower() for title, ref in house.refs.items() if HIDDEN in title.lower()}
        for tool, arguments in LOOKS:
            told = everything_in(await house["bob"].call(tool, **filled(arguments, refs)))
            assert HIDDEN not in told, (tool, arguments)
            if "{plan}" not in str(arguments):
                assert not [ref for ref in numbers if f"ada:{ref}" in told.replace('"', " ").split()], (tool, arguments)
        unknown = await house["bob"].text("tasks_find", refs=["ada:T999"])
        assert await house["bob"].text("tasks_find", refs=[refs["plan"]]) == unknown.replace("ada:T999", refs["plan"])
        # The owner herself would have been told by most of these.
        own = {name: ref.removeprefix("ada:") for name, ref in refs.items()}
        told = [everything_in(await house["ada"].call(tool, **filled(asked, own))) for tool, asked in LOOKS[:30]]
        assert sum(HIDDEN in answer for answer in told) > 15


async def test_only_names_that_a_guest_may_know_are_read_at_all(living: Living) -> None:
    """Asked of what every tool looks names up in: no answer may depend on each of them leaving some out."""
    database = living.mcp_database
    assert database is not None
    async with home(living, "bob") as house:
        await house.let_in("bob")
        async with database.begin(living.person("bob")) as tx:
            [area] = (await read_sight(tx, "UTC")).shared
        assert {row.name for kind in Kind for row in area.names.of(kind)} == {"Team", "Now", "paint"}


async def test_a_viewer_changes_nothing_by_any_tool(living: Living) -> None:
    async with home(living, "bob") as house:
        await house.let_in("bob")
        await house["bob"].values("organize", kind="list", action="create", name="Own")
        refs = {"fence": house.ref("Fence"), "gate": house.ref("Gate")}
        hers, his = await house.writes(), await house.writes("bob")
        before = await house["ada"].text("tasks_find", filter=EVERYTHING)
        for tool, arguments in (*TASK_WRITES, *OWNERS_WRITES):
            for dry_run in (True, False):
                result = await house["bob"].call(tool, **{**filled(arguments, refs), "dry_run": dry_run})
                assert result.is_error, (tool, arguments)
                assert text_of(result).startswith(("read_only:", "unknown_", "mixed_spaces:")), text_of(result)
        assert (await house.writes(), await house.writes("bob")) == (hers, his)
        assert await house["ada"].text("tasks_find", filter=EVERYTHING) == before


async def test_an_editor_changes_tasks_of_the_list_and_nothing_around_them(living: Living) -> None:
    async with home(living, "bob") as house:
        await house.let_in("bob", "edit")
        await house["bob"].values("organize", kind="list", action="create", name="Own")
        refs = {"fence": house.ref("Fence"), "gate": house.ref("Gate")}
        for tool, arguments in TASK_WRITES:
            tried = await house["bob"].call(tool, **{**filled(arguments, refs), "dry_run": True})
            assert not tried.is_error, text_of(tried)
        hers, his = await house.writes(), await house.writes("bob")
        for tool, arguments in OWNERS_WRITES:
            assert (await house["bob"].call(tool, **{**arguments, "dry_run": False})).is_error, arguments
        assert (await house.writes(), await house.writes("bob")) == (hers, his)
        for tool, arguments in TASK_WRITES:
            done = await house["bob"].call(tool, **filled(arguments, refs))
            assert not done.is_error, text_of(done)
            assert await faults(living.mcp_database, living.person("ada")) == []
        assert "Zebra plan" in await house["ada"].titles(EVERYTHING)
        assert len(await house["ada"].titles("is:trash")) > 3


@pytest.mark.parametrize(
    ("change", "refusal"),
    [
        ({"list": "Inbox"}, "mixed_spaces:"),
        ({"list": "Own"}, "mixed_spaces:"),
        ({"clear": ["list"]}, "read_only:"),
        ({"blocked_by": ["{own}"]}, "mixed_spaces:"),
        ({"parent": "{own}"}, "mixed_spaces:"),
        ({"assignee": "carol"}, "unknown_person: ada does not share this with carol"),
        ({"assignee": "mallory"}, "unknown_person:"),
        ({"fields": {"Effort": 3}}, "unknown_field:"),
    ],
)
async def test_an_editor_takes_nothing_out_of_the_list_and_brings_nothing_foreign_in(
    living: Living, change: dict[str, Any], refusal: str
) -> None:
    async with home(living, "bob", "carol") as house:
        await house.let_in("bob", "edit")
        bob = house["bob"]
        await bob.values("organize", kind="list", action="create", name="Own")
        await bob.values("organize", kind="field", action="create", name="Effort", options={"type": "number"})
        code = (await bob.values("share", action="invite", list="Own", who="carol"))["code"]
        await house["carol"].values("share", action="accept", code=code)
        [own] = await bob.add("His own")
        before = await house.writes()
        change = filled({"refs": [house.ref("Fence")], **change}, {"own": own})
        assert (await bob.text("tasks_edit", changes=[change])).startswith(refusal)
        assert await house.writes() == before


async def test_a_task_moves_only_between_lists_that_may_both_be_edited(living: Living) -> None:
    async with home(living, "bob") as house:
        await house.let_in("bob", "edit")
        await house["ada"].values("organize", kind="list", action="create", name="Ideas")
        [idea] = await house["ada"].add("Idea")
        await house["ada"].values("tasks_edit", changes=[{"refs": [idea], "list": "Ideas"}])
        await house.let_in("bob", "view", "Ideas")
        before = await house.writes()
        for ref, place in ((house.ref("Fence"), "ada:Ideas"), (f"ada:{idea}", "ada:Team")):
            moved = await house["bob"].text("tasks_edit", changes=[{"refs": [ref], "list": place}])
            assert moved == 'read_only: you may only view "Ideas". Fix: ask ada for the role edit'
        assert await house.writes() == before
        await house["ada"].values("share", action="role", list="Ideas", who="bob", role="edit")
        await house["bob"].values("tasks_edit", changes=[{"refs": [f"ada:{idea}"], "list": "Team"}])
        assert await house["ada"].titles("list:Team idea") == ["Idea"]


async def test_the_owners_inbox_is_no_place_for_guests(living: Living) -> None:
    async with home(living, "bob") as house:
        await house.let_in("bob", "edit")
        for answer in (
            await house["bob"].text("tasks_find", filter="list:ada:Inbox"),
            await house["bob"].text("tasks_add", tasks=[{"title": "New", "list": "ada:Inbox"}]),
            await house["bob"].text("tasks_edit", changes=[{"refs": [house.ref("Fence")], "list": "ada:Inbox"}]),
        ):
            assert 'no list "Inbox"' in answer


async def test_whom_the_owner_let_in_as_well_may_be_given_a_task(living: Living) -> None:
    async with home(living, "bob", "carol") as house:
        await house.let_in("bob", "edit")
        await house.let_in("carol")
        bob = house["bob"]
        await bob.values("organize", kind="list", action="create", name="Own")
        code = (await bob.values("share", action="invite", list="Own", who="caro"))["code"]
        await house["carol"].values("share", action="accept", code=code, who="bob")
        await bob.values("tasks_edit", changes=[{"refs": [house.ref("Fence")], "assignee": "caro"}])
        assert await house["ada"].titles("with:carol") == ["Fence"]
        assert await house["carol"].titles("with:me") == ["Fence"]
        assert await bob.titles("with:caro") == ["Fence"]


async def test_a_guest_who_clears_what_a_task_waits_for_keeps_what_he_cannot_see(living: Living) -> None:
    async with home(living, "bob") as house:
        await house.let_in("bob", "edit")
        wait = house.ref("Wait")
        await house["bob"].values("tasks_edit", changes=[{"refs": [wait], "blocked_by": [house.ref("Gate")]}])
        cleared = await house["bob"].text("tasks_edit", changes=[{"refs": [wait], "clear": ["blocked_by"]}])
        assert f"{wait}: no longer blocked by {house.ref('Gate')} | Wait" in cleared
        [task] = (await house["ada"].values("tasks_find", refs=[house.refs["Wait"]]))["tasks"]
        assert task["blocked_by"] == [house.refs["Zebra plan"]]


async def test_text_by_others_is_marked_with_the_readers_name_for_them(living: Living) -> None:
    async with home(living, "bob", "carol") as house:
        await house["bob"].values("share", action="accept", code=await house.code("bobby", "edit"), who="boss")
        await house.let_in("carol")
        await house["bob"].values("tasks_add", tasks=[{"title": "Paint it", "list": "boss:Team"}])
        await house["ada"].values("tasks_edit", changes=[{"refs": [house.refs["Fence"]], "comment": "Soon"}])
        [new] = [task for task in (await house["ada"].values("tasks_find"))["tasks"] if task["title"] == "Paint it"]
        assert new["by"] == "bobby"
        fence = house.refs["Fence"]
        assert f"boss:{fence} " in await house["bob"].text("tasks_find", filter="fence by:boss")
        shown = await house["bob"].text("tasks_find", refs=[f"boss:{fence}"])
        assert "by boss: | Fence" in shown
        assert " boss:\n      Soon" in shown
        assert " | Paint it" in await house["bob"].text("tasks_find", filter="paint by:me")
        assert "by somebody: | Paint it" in await house["carol"].text("tasks_find")


async def test_what_people_call_each_other_stays_with_them(living: Living) -> None:
    database, ada = living.mcp_database, living.person("ada")
    assert database is not None
    async with home(living, "bob") as house:
        await house["bob"].values("share", action="accept", code=await house.code("bob", "edit"), who="dragon")
        fence = f"dragon:{house.refs['Fence']}"
        await house["bob"].values("tasks_edit", changes=[{"refs": [fence], "title": "Fences", "assignee": "dragon"}])
        await house["bob"].values("share", action="leave", list="dragon:Team")
        async with database.begin(ada) as tx:
            kept = [
                str(await tx.all(select(table).where(table.c.space_id == space_of(ada)))) for table in (ops, changes)
            ]
        assert "Fences" in kept[1]
        assert "dragon" not in "".join(kept)


async def test_numbers_of_two_spaces_do_not_mix(living: Living) -> None:
    async with home(living, "bob") as house:
        await house.let_in("bob", "edit")
        titles = [f"His {number}" for number in range(1, 31)]
        await house["bob"].add(*titles)
        fence = house.ref("Fence")
        own = fence.removeprefix("ada:")
        [theirs, his] = (await house["bob"].values("tasks_find", refs=[fence, own]))["tasks"]
        assert theirs["title"] == "Fence"
        assert his["title"].startswith("His ")
        mixed = await house["bob"].text("tasks_complete", refs=[fence, own])
        assert mixed.startswith(f'mixed_spaces: "{fence}" is of ada, "{own}" is yours')
        await house["bob"].values("tasks_complete", refs=[own])
        await house["bob"].values("tasks_edit", changes=[{"refs": [own], "tags": ["paint"]}])
        assert await house["bob"].titles("is:done") == [his["title"]]
        assert await house["ada"].titles("is:done") == []
        assert await house["ada"].titles("tag:paint") == ["Fence"]
        assert sorted(await house["bob"].titles("is:all tag:paint")) == ["Fence", his["title"]]
        assert len(await house["bob"].titles("is:all")) == 34


async def test_equal_request_ids_of_two_people_in_one_list_are_two_requests(living: Living) -> None:
    async with home(living, "bob", "carol") as house:
        await house.let_in("bob", "edit")
        await house.let_in("carol", "edit")
        new = {"tasks": [{"title": "Once each", "list": "ada:Team"}], "duplicates": "allow", "request_id": "r1"}
        for name in ("bob", "carol"):
            assert "replayed" not in await house[name].values("tasks_add", **new)
            assert (await house[name].values("tasks_add", **new))["replayed"] is True
        hers = await house["ada"].values("tasks_add", **{**new, "tasks": [{"title": "Once each", "list": "Team"}]})
        assert "replayed" not in hers
        assert (await house["bob"].titles()).count("Once each") == 3


async def test_what_leaves_the_list_is_out_of_sight_and_what_comes_in_is_seen(living: Living) -> None:
    async with home(living, "bob") as house:
        await house.let_in("bob")
        await house["ada"].values(
            "tasks_edit",
            changes=[
                {"refs": [house.refs["Fence"]], "list": "Zebralist"},
                {"refs": [house.refs["Zebra plan"]], "list": "Team"},
            ],
        )
        assert sorted(await house["bob"].titles("is:all")) == ["Gate", "Hinge", "Wait", "Zebra plan"]
        tags = (await house["bob"].values("overview"))["tags"]
        assert [tag["name"] for tag in tags] == ["zebratag"]


async def test_what_went_out_of_sight_is_not_touched_by_an_undo(living: Living) -> None:
    async with home(living, "bob") as house:
        await house.let_in("bob", "edit")
        changes = [{"refs": [house.ref("Fence"), house.ref("Gate")], "priority": "p1"}]
        done = await house["bob"].values("tasks_edit", changes=changes)
        await house["ada"].values(
            "tasks_edit", changes=[{"refs": [house.refs["Fence"]], "list": "Zebralist", "title": "Zebra fence"}]
        )
        undone = await house["bob"].call("undo", op=f"ada:{done['op']}")
        assert HIDDEN not in everything_in(undone)
        assert sorted(await house["ada"].titles("p1")) == ["Zebra fence"]
        forced = await house["bob"].call("undo", op=f"ada:{done['op']}", force=True)
        assert forced.is_error
        assert HIDDEN not in everything_in(forced)
        assert sorted(await house["ada"].titles("p1")) == ["Zebra fence"]


async def test_who_may_only_view_by_now_undoes_nothing(living: Living) -> None:
    async with home(living, "bob") as house:
        await house.let_in("bob", "edit")
        done = await house["bob"].values("tasks_edit", changes=[{"refs": [house.ref("Fence")], "comment": "Hm"}])
        closed = await house["bob"].values("tasks_complete", refs=[house.ref("Fence")])
        await house["ada"].values("share", action="role", list="Team", who="bob", role="view")
        for op in (done["op"], closed["op"]):
            assert (await house["bob"].call("undo", op=f"ada:{op}")).is_error
        assert "Hm" in await house["ada"].text("tasks_find", refs=[house.refs["Fence"]])
        assert await house["ada"].titles("is:done") == ["Fence"]


async def test_what_others_did_looks_to_a_guests_undo_as_if_it_were_not_there(living: Living) -> None:
    async with home(living, "bob") as house:
        await house.let_in("bob", "edit")
        done = await house["ada"].values("tasks_edit", changes=[{"refs": [house.refs["Fence"]], "priority": "p1"}])
        told = await house["bob"].text("undo", op=f"ada:{done['op']}")
        assert told == (await house["bob"].text("undo", op="ada:99999")).replace("99999", str(done["op"]))
        assert told.startswith("unknown_op:")


async def test_who_shares_a_list_is_told_by_her_history_alone_and_never_undone(living: Living) -> None:
    async with home(living, "bob") as house:
        await house.let_in("bob", "edit")
        first = (await house["ada"].text("history", limit=2)).splitlines()
        assert [line for line in first if " share: " in line]
        assert "share" not in await house["bob"].text("history", ref="ada:Team")
        last = (await house["ada"].values("history", limit=1))["ops"][0]["op"]
        assert (await house["ada"].text("undo", op=str(last))).startswith("nothing_to_undo:")
        assert (await house["bob"].text("undo", op=f"ada:{last}")).startswith("nothing_to_undo:")
        assert len(await house["bob"].titles()) == 4
