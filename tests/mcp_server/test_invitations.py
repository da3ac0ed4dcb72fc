"""The codes that let people in: good once, for a week, for as long as their owner wants, and kept nowhere."""

import asyncio
import json
import logging
from base64 import urlsafe_b64decode
from collections.abc import Sequence
from contextlib import AsyncExitStack
from typing import Any

import pytest
from sqlalchemy import insert, select, update

from mcp_server.migrations import SCHEMA
from mcp_server.tasks.sharing.invitations import LIFETIME_US, new_invitation
from mcp_server.tasks.sharing.sharing import MEMBER_LIMIT
from mcp_server.tasks.spaces import row_policies, space_of
from mcp_server.tasks.tables import members, metadata, spaces
from mcp_server.tasks.writing.journal import create_space
from shared.db import Database
from shared.migrate import downgrade
from shared.tokens import SCOPES, restored
from tests.living import Databases, Living, ToolClient, text_of
from tests.mcp_server.guests import Home, home, turns_asked

pytestmark = pytest.mark.anyio

# What the clients of the tests log is their own business; they run in the same process.
CLIENTS = ("mcp.client", "httpx2", "httpcore2")


async def accept(client: ToolClient, code: str, **more: Any) -> str:
    """What a model reads after accepting."""
    return await client.text("share", action="accept", code=code, **more)


async def age(house: Home, microseconds: int) -> None:
    """Let everything about ada's members have happened so much earlier."""
    database, ada = house.living.mcp_database, house.living.person("ada")
    assert database is not None
    async with database.begin(ada, write=True) as tx:
        earlier = members.c.since_us - microseconds
        await tx.execute(update(members).where(members.c.space_id == space_of(ada)).values(since_us=earlier))


async def at_once(*calls: Any) -> Sequence[str]:
    """The texts of calls that are all sent at the same moment."""
    barrier = asyncio.Barrier(len(calls))

    async def one(call: Any) -> str:
        await barrier.wait()
        return text_of(await call)

    return await asyncio.gather(*map(one, calls))


async def test_whatever_is_wrong_with_a_code_gets_the_same_answer(living: Living) -> None:
    async with home(living, "bob", "carol") as house:
        used, revoked, replaced, own, expired = [
            await house.code(name) for name in ("bob", "carol", "dave", "erin", "frank")
        ]
        await accept(house["bob"], used)
        await house["ada"].values("share", action="revoke", list="Team", who="carol")
        await house.code("dave")
        forged = ("A" if own[0] != "A" else "B") + own[1:]
        cursor = (await house["ada"].values("tasks_find", limit=1))["cursor"]
        answers = {
            "used by himself": await accept(house["bob"], used),
            "used": await accept(house["carol"], used),
            "revoked": await accept(house["carol"], revoked),
            "replaced": await accept(house["carol"], replaced),
            "forged": await accept(house["carol"], forged),
            "her own": await accept(house["ada"], own),
            "a cursor": await accept(house["carol"], cursor),
            "nonsense": await accept(house["carol"], "%é"),
        }
        await age(house, LIFETIME_US)
        answers["expired"] = await accept(house["carol"], expired)
        [told] = set(answers.values())
        assert told.startswith("bad_code: this code lets you into no list: it was used, taken back, older than 7 days")
        assert await house["carol"].titles("is:all") == []
        assert (await house["ada"].text("tasks_find", limit=1, cursor=own)).startswith("bad_cursor:")


async def test_a_code_is_good_until_the_end_of_its_week(living: Living) -> None:
    async with home(living, "bob") as house:
        code = await house.code("bob")
        await age(house, LIFETIME_US - 60_000_000)
        assert "1 joined" in await accept(house["bob"], code)


async def test_a_code_survives_being_broken_into_lines(living: Living) -> None:
    async with home(living, "bob") as house:
        code = await house.code("bob")
        assert "1 joined" in await accept(house["bob"], f" {code[:40]}\n {code[40:]}\n")


async def test_an_invitation_that_has_ended_is_not_shown_and_its_name_is_free(living: Living) -> None:
    async with home(living, "bob") as house:
        await house.code("bob")
        await age(house, LIFETIME_US)
        assert (await house["ada"].values("share"))["lists"] == []
        role = await house["ada"].text("share", action="role", list="Team", who="bob", role="edit")
        assert role.startswith("unknown_person:")
        assert "1 joined" in await accept(house["bob"], await house.code("bob"))
        [team] = (await house["ada"].values("share"))["lists"]
        assert [one["who"] for one in team["members"]] == ["bob"]


async def test_of_several_who_accept_one_code_at_the_same_moment_one_comes_in(living: Living) -> None:
    guests = ("bob", "carol", "dave", "erin")
    async with home(living, *guests) as house:
        code = await house.code("guest")
        answers = await at_once(*(house[name].call("share", action="accept", code=code) for name in guests))
        assert sum("1 joined" in answer for answer in answers) == 1
        assert sum(answer.startswith("bad_code:") for answer in answers) == 3
        seeing = [name for name in guests if await house[name].titles()]
        assert seeing == [name for name, answer in zip(guests, answers, strict=True) if "1 joined" in answer]
        [team] = (await house["ada"].values("share"))["lists"]
        assert len(team["members"]) == 1


async def test_two_who_accept_each_others_codes_at_the_same_moment_both_come_in(living: Living) -> None:
    async with home(living, "bob") as house:
        await house["bob"].values("organize", kind="list", action="create", name="Plans")
        theirs = (await house["bob"].values("share", action="invite", list="Plans", who="ada"))["code"]
        hers = await house.code("bob")
        answers = await at_once(
            house["bob"].call("share", action="accept", code=hers),
            house["ada"].call("share", action="accept", code=theirs),
        )
        assert all("1 joined" in answer for answer in answers), answers


async def test_who_accepts_two_codes_at_the_same_moment_has_two_names_for_two_people(living: Living) -> None:
    """Both owners are busy until both calls wait for them. On SQLite they would not even begin, so nobody is busy."""
    database = living.mcp_database
    assert database is not None
    async with home(living, "bob", "carol") as house:
        await house["carol"].values("organize", kind="list", action="create", name="Plans")
        theirs = (await house["carol"].values("share", action="invite", list="Plans", who="bob"))["code"]
        codes = (await house.code("bob"), theirs)
        await house["bob"].add("A space of his own, for whose making the calls would wait in any case")
        with turns_asked(database) as asked:
            async with AsyncExitStack() as busy:
                for owner in () if database.on_sqlite else ("ada", "carol"):
                    tx = await busy.enter_async_context(database.begin(living.person(owner), write=True))
                    await tx.execute(update(spaces).values(rev=spaces.c.rev))
                    await asked.acquire()
                accepting = [asyncio.create_task(accept(house["bob"], code)) for code in codes]
                for _ in () if database.on_sqlite else codes:
                    await asked.acquire()
            answers = await asyncio.gather(*accepting)
        assert all("1 joined" in answer for answer in answers), answers
        owners = {one["of"] for one in (await house["bob"].values("share"))["lists"]}
        assert owners == {"friend", "friend2"}


async def test_a_name_that_means_somebody_else_is_refused_and_the_code_stays_good(living: Living) -> None:
    async with home(living, "bob", "carol") as house:
        await house.let_in("bob")
        await house["carol"].values("organize", kind="list", action="create", name="Plans")
        theirs = (await house["carol"].values("share", action="invite", list="Plans", who="bob"))["code"]
        assert (await accept(house["bob"], theirs, who="Ada")).startswith('name_taken: you call somebody else "Ada"')
        assert "1 joined" in await accept(house["bob"], theirs, who="carol")


async def test_one_name_in_two_invitations_becomes_one_person(living: Living) -> None:
    async with home(living, "bob", "carol") as house:
        first, second = await house.code("guest"), await house.code("guest", "edit", "Zebralist")
        await accept(house["bob"], first)
        assert (await accept(house["carol"], second)).startswith("bad_code:")
        assert "1 joined" in await accept(house["bob"], second)


async def test_a_second_code_for_a_list_gives_its_role_and_leaves_the_first_day(living: Living) -> None:
    async with home(living, "bob") as house:
        await house.let_in("bob")
        await age(house, 3 * LIFETIME_US)
        [team] = (await house["ada"].values("share"))["lists"]
        code = await house.code("robert", "edit")
        assert "you may edit" in await accept(house["bob"], code)
        [now] = (await house["ada"].values("share"))["lists"]
        assert now["members"] == [{**team["members"][0], "role": "edit"}]


async def test_an_open_invitation_changes_its_role_and_is_taken_back(living: Living) -> None:
    async with home(living, "bob", "carol") as house:
        code, other = await house.code("bob"), await house.code("carol")
        changed = await house["ada"].text("share", action="role", list="Team", who="bob", role="edit")
        assert changed.splitlines()[1] == "Team: bob view -> edit"
        assert "you may edit" in await accept(house["bob"], code)
        gone = await house["ada"].text("share", action="revoke", list="Team", who="carol")
        assert gone.splitlines()[1] == "Team: carol is no longer invited"
        assert (await accept(house["carol"], other)).startswith("bad_code:")


async def test_a_list_has_room_for_so_many_and_no_more(living: Living) -> None:
    async with home(living) as house:
        await house.code("bob")
        database, ada = living.mcp_database, living.person("ada")
        assert database is not None
        async with database.begin(ada, write=True) as tx:
            row = await tx.one(select(members).where(members.c.space_id == space_of(ada)))
            assert row is not None
            more = [{**row._mapping, "user_key": f"i{n}", "name": f"n{n}"} for n in range(MEMBER_LIMIT - 1)]
            await tx.execute(insert(members), more)
        refused = await house["ada"].text("share", action="invite", list="Team", who="carol")
        assert refused.startswith('quota: "Team" has 100 members and invitations')
        await house.code("bob")


async def test_a_code_is_kept_nowhere_and_logged_nowhere(living: Living, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    async with home(living, "bob") as house:
        arguments = {"action": "invite", "list": "Team", "who": "bob", "request_id": "r1"}
        code = (await house["ada"].values("share", **arguments))["code"]
        await house["ada"].values("share", **arguments)
        await accept(house["bob"], code, request_id="r2")
        body = urlsafe_b64decode(code + "=" * (-len(code) % 4))[12:]
        secret = json.loads(body)[3]
        kept = "".join([await everything_of(living, name) for name in ("ada", "bob")])
        logged = "".join([str(vars(one)) for one in caplog.records if not one.name.startswith(CLIENTS)])
        assert space_of(living.person("bob")) in kept
        assert "tool call" in logged
        for told in (code, secret):
            assert told not in kept
            assert told not in logged


async def test_an_older_schema_keeps_members_and_no_invitations(databases: Databases) -> None:
    ada = restored("https://issuer.example", "ada", SCOPES, 2**40, "the tests")
    own, guest = space_of(ada), "u" + "a" * 26
    database = Database(databases.mcp, scope=row_policies)
    try:
        async with database.begin(ada, write=True) as tx:
            await create_space(tx, "UTC")
            for key in (guest, new_invitation(own, 1).key):
                await tx.execute(insert(members), {"space_id": own, "list_no": 1, "user_key": key, "role": "view"})
        await downgrade(SCHEMA, databases.mcp_owner or databases.mcp, "0002")
        async with database.begin(ada) as tx:
            assert [row.user_key for row in await tx.all(select(members.c.user_key))] == [guest]
    finally:
        await database.close()


async def everything_of(living: Living, name: str) -> str:
    """Every row that this person's transactions can reach."""
    database, person = living.mcp_database, living.person(name)
    assert database is not None
    async with database.begin(person) as tx:
        return "".join([str(await tx.all(select(table))) for table in metadata.sorted_tables])
