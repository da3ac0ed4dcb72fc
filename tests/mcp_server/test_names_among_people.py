"""Names that several people or several calls are after: each person has his own, and each name is made once."""

import asyncio

import pytest
from sqlalchemy import func, insert, select

from mcp_server.tasks.spaces import space_of
from mcp_server.tasks.tables import aliases, changes, lists, members, memberships, requests
from tests.living import Living
from tests.mcp_server.organizer import KINDS, SAMPLES, organizer

pytestmark = pytest.mark.anyio


# Other people -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
async def test_bob_cannot_see_or_touch_adas_names(living: Living, kind: str) -> None:
    async with organizer(living) as ada, organizer(living, "bob") as bob:
        await ada.make("list", "Home")
        name, more = SAMPLES[kind]
        await ada.do(kind, "create", name, **more)
        for action, arguments in (("rename", {"to": "Mine"}), ("delete", {}), ("move", {"to": "top"})):
            foreign = await bob.text(kind, action, name, **arguments)
            unknown = await bob.text(kind, action, name.replace(name[-1], "Q"), **arguments)
            assert foreign.replace(name.rpartition("/")[2], "?") == unknown.replace(
                name.replace(name[-1], "Q").rpartition("/")[2], "?"
            )
            assert foreign.startswith("unknown_")
            assert "Closest" not in foreign
        if kind != "section":
            assert await bob.names(kind) == []
            assert (await bob.do(kind, "create", name, **more))["op"] == 1


async def test_names_of_a_shared_list_are_their_owners(living: Living) -> None:
    async with organizer(living) as ada, organizer(living, "bob") as bob:
        await ada.make("list", "Team", "Private")
        await ada.make("section", "Team/Design")
        await ada.add("Sketch", list="Team", tags=["soon"])
        await bob.make("list", "Mine")
        await _share(living, "Team")
        for kind, action, name, more in (
            ("list", "rename", "Team", {"to": "Ours"}),
            ("list", "set", "ada:team", {"options": {"color": "red"}}),
            ("list", "delete", "Team", {}),
            ("section", "rename", "Team/Design", {"to": "Ours"}),
            ("section", "delete", "Design", {}),
            ("section", "create", "Team/New", {}),
            ("tag", "rename", "soon", {"to": "later"}),
        ):
            assert "is of ada. Fix: ask ada to change it" in await bob.text(kind, action, name, **more), (kind, action)
        await bob.make("list", "Other")
        await bob.make("section", "Mine/Design", "Other/Design")
        assert (await bob.text("section", "delete", "Design")).startswith("ambiguous_ref: several lists have")
        assert (await bob.text("list", "merge", "Mine", to="Team")).startswith('mixed_spaces: "Team" is of ada')
        assert (await bob.text("list", "rename", "Private", to="X")).startswith('unknown_list: no list "Private". Fix')
        assert await bob.titles("list:Team") == ["Sketch"]
        await bob.make("list", "Team")
        await bob.do("list", "rename", "Team", to="Ours")
        assert await ada.names("list") == ["Team", "Private"]


async def _share(living: Living, name: str) -> None:
    """Let bob see and edit ada's list of that name."""
    assert living.mcp_database is not None
    ada, bob = living.person("ada"), living.person("bob")
    membership = {"user_key": space_of(bob), "role": "edit"}
    async with living.mcp_database.begin(ada, write=True) as tx:
        row = await tx.one(select(lists.c.no).where(lists.c.space_id == space_of(ada), lists.c.name == name))
        assert row is not None
        membership |= {"space_id": space_of(ada), "list_no": row.no}
        await tx.execute(insert(members), {**membership, "name": "bob"})
    async with living.mcp_database.begin(bob, write=True) as tx:
        await tx.execute(insert(memberships), membership)
        await tx.execute(insert(aliases), {"user_key": space_of(bob), "alias": "ada", "space_id": space_of(ada)})


# At the same time ---------------------------------------------------------------------------------------------------


async def test_tasks_that_move_into_a_list_while_it_is_renamed_are_all_in_it(living: Living) -> None:
    async with organizer(living) as ada:
        await ada.make("list", "Work")
        added, _, renamed = await asyncio.gather(
            asyncio.gather(
                *(ada.client.text("tasks_add", tasks=[{"title": f"Task {n}", "list": "Work"}]) for n in range(12))
            ),
            asyncio.gather(*(ada.text("section", "create", f"Work/{n}") for n in range(4))),
            ada.text("list", "rename", "Work", to="Job"),
        )
        assert "name Work -> Job" in renamed
        done = [text for text in added if text.startswith("op ")]
        assert [text for text in added if text not in done and "unknown_list: tasks[0]: no list" not in text] == []
        assert len(await ada.titles("list:Job")) == len(done)
        assert await ada.titles("list:Inbox is:all") == []


async def test_a_name_made_twice_at_once_is_made_once(living: Living) -> None:
    async with organizer(living) as ada:
        made = await asyncio.gather(*(ada.do("list", "create", "Work") for _ in range(10)))
        assert sum("op" in values for values in made) == 1
        assert await ada.names("list") == ["Work"]


async def test_a_refusal_leaves_nothing_behind(living: Living) -> None:
    async with organizer(living) as ada:
        await ada.text("view", "create", "Mine", filter="list:Nowhere", request_id="r")
        assert living.mcp_database is not None
        async with living.mcp_database.begin(living.person("ada")) as tx:
            for table in (lists, changes, requests):
                row = await tx.one(
                    select(func.count()).select_from(table).where(table.c.space_id == space_of(living.person("ada")))
                )
                assert row is not None
                assert row[0] == 0
