"""What a guest hears of somebody else's space: what is shared with him, and not even the moment of anything else."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import anyio
import pytest

from tests.living import Living
from tests.mcp_server.attempts import filled
from tests.mcp_server.guests import Home, home
from tests.mcp_server.listening import LOOKED, NEVER_S, Listener, listening, sent

pytestmark = pytest.mark.anyio


@asynccontextmanager
async def guest(living: Living, *titles: str) -> AsyncGenerator[tuple[Home, Listener]]:
    """Bob is let into Team and watches everything that he may, these tasks and what ada hides.

    His own Inbox comes first: as nothing else of his changes, hearing of it first means that all else was silent.
    """
    async with home(living, "bob") as house:
        await house.let_in("bob", "edit")
        waits = {"title": "Zebra waits", "list": "Zebralist", "blocked_by": [house.refs["Zebra in the Inbox"]]}
        await house["ada"].values("tasks_add", tasks=[waits])
        hidden = [f"tasks://{house.ref('Zebra plan')}", "tasks://list/ada:Zebralist", "tasks://list/ada:Inbox"]
        tasks = [f"tasks://{house.ref(title)}" for title in titles]
        watched = ["tasks://inbox", *hidden, "tasks://today", *tasks, "tasks://list/ada%3ATeam", "tasks://overview"]
        async with listening(house["bob"], *watched) as listener:
            yield house, listener


MANY = {"content": "\n".join(f"- [ ] Task {number}" for number in range(520)), "format": "markdown", "dry_run": False}
OF_TEAM = ["tasks://today", "tasks://list/ada%3ATeam", "tasks://overview"]


@pytest.mark.parametrize(
    ("tool", "arguments"),
    [
        ("tasks_add", {"tasks": [{"title": "Zebra three", "list": "Zebralist", "tags": ["zebratag"]}]}),
        ("tasks_edit", {"changes": [{"refs": ["{Zebra plan}"], "title": "Zebra four", "comment": "zebra"}]}),
        ("tasks_complete", {"refs": ["{Zebra in the Inbox}"]}),
        ("tasks_delete", {"refs": ["{Zebra in the Inbox}"]}),
        ("data_import", {"list": "Zebralist", **MANY}),
        ("organize", {"kind": "list", "action": "rename", "name": "Zebralist", "to": "Zebras"}),
        ("organize", {"kind": "tag", "action": "rename", "name": "zebratag", "to": "zebras"}),
        ("organize", {"kind": "view", "action": "delete", "name": "Zebraview"}),
        ("organize", {"kind": "setting", "action": "set", "name": "week start", "to": "sunday"}),
        ("share", {"action": "invite", "list": "Team", "who": "carol", "role": "view"}),
    ],
)
async def test_what_is_not_shared_is_not_heard(living: Living, tool: str, arguments: dict[str, Any]) -> None:
    assert living.mcp_database is not None
    async with guest(living, "Fence", "Wait") as (house, heard):
        with sent(living.mcp_database, LOOKED) as looked:
            await house["ada"].values(tool, **filled(arguments, dict(house.refs)))
            with anyio.fail_after(NEVER_S):
                await looked.acquire()
        await house["bob"].add("His own")
        assert await heard.hears(3) == ["tasks://inbox", "tasks://today", "tasks://overview"]


@pytest.mark.parametrize(
    ("tool", "arguments", "titles"),
    [
        ("tasks_edit", {"changes": [{"refs": ["{Fence}"], "title": "Wall"}]}, ["Fence"]),
        ("tasks_edit", {"changes": [{"refs": ["{Gate}"], "comment": "Look"}]}, ["Gate"]),
        ("tasks_edit", {"changes": [{"refs": ["{Fence}"], "list": "Zebralist"}]}, ["Fence"]),
        ("tasks_edit", {"changes": [{"refs": ["{Zebra plan}"], "list": "Team"}]}, ["Wait", "Zebra plan"]),
        ("data_import", {"list": "Team", **MANY}, []),
        # He does not see what this one waits for, only that it waits no more.
        ("tasks_complete", {"refs": ["{Zebra plan}"]}, ["Wait"]),
        ("tasks_delete", {"refs": ["{Zebra plan}"]}, ["Wait"]),
        ("organize", {"kind": "tag", "action": "rename", "name": "paint", "to": "colour"}, ["Fence", "Gate", "Wait"]),
        ("organize", {"kind": "setting", "action": "set", "name": "time zone", "to": "Asia/Tokyo"}, None),
        ("organize", {"kind": "list", "action": "delete", "name": "Team"}, ["Fence", "Gate", "Wait"]),
        ("organize", {"kind": "list", "action": "rename", "name": "Team", "to": "Crew"}, []),
        ("share", {"action": "role", "list": "Team", "who": "bob", "role": "view"}, None),
        ("share", {"action": "revoke", "list": "Team", "who": "bob"}, None),
    ],
)
async def test_what_is_shared_is_heard_by_those_it_is_shared_with(
    living: Living, tool: str, arguments: dict[str, Any], titles: list[str] | None
) -> None:
    async with guest(living, "Fence", "Gate", "Wait") as (house, heard):
        await house["ada"].values(tool, **filled(arguments, dict(house.refs)))
        seen = ["Fence", "Gate", "Wait"] if titles is None else titles
        expected = [f"tasks://{house.ref(title)}" for title in seen]
        said = await heard.hears(len(expected) + 3)
        assert sorted(said) == sorted([*expected, *OF_TEAM])


async def test_who_is_let_in_while_he_listens_hears_of_it_and_of_what_happens_there(living: Living) -> None:
    async with home(living, "bob") as house:
        fence = f"tasks://{house.ref('Fence')}"
        async with listening(house["bob"], fence, "tasks://list/Team", "tasks://overview") as heard:
            await house.let_in("bob")
            assert await heard.hears(3) == [fence, "tasks://list/Team", "tasks://overview"]
            await house["ada"].values("tasks_complete", refs=[house.refs["Fence"]])
            assert await heard.hears(3) == [fence, "tasks://list/Team", "tasks://overview"]


async def test_who_is_shut_out_while_he_listens_hears_no_more(living: Living) -> None:
    async with guest(living, "Fence") as (house, heard), listening(house["ada"], "tasks://inbox") as hers:
        await house["ada"].values("share", action="revoke", list="Team", who="bob")
        assert len(await heard.hears(4)) == 4
        await house["ada"].values("tasks_edit", changes=[{"refs": [house.refs["Fence"]], "title": "Secret"}])
        await house["ada"].add("After that")
        assert await hers.hears() == ["tasks://inbox"]
        await house["bob"].add("His own")
        assert await heard.hears(3) == ["tasks://inbox", "tasks://today", "tasks://overview"]


async def test_what_a_guest_does_is_heard_by_the_owner(living: Living) -> None:
    async with guest(living) as (house, _):
        fence = f"tasks://{house.refs['Fence']}"
        async with listening(house["ada"], fence, "tasks://list/Team") as hers:
            await house["bob"].values("tasks_edit", changes=[{"refs": [house.ref("Fence")], "comment": "Hello"}])
            assert await hers.hears(2) == [fence, "tasks://list/Team"]
