"""Sharing a list: invited, accepted, viewed, edited, changed, revoked and left, seen from everybody's side."""

import asyncio

import pytest
from mcp import MCPError
from sqlalchemy import select, update

from mcp_server.tasks.spaces import space_of
from mcp_server.tasks.tables import members, spaces
from tests.living import Living
from tests.mcp_server.guests import home, turns_asked

pytestmark = pytest.mark.anyio


async def test_a_list_is_seen_by_whom_its_owner_invited_and_only_after_he_accepted(living: Living) -> None:
    async with home(living, "bob", "carol") as house:
        ada, bob, carol = house["ada"], house["bob"], house["carol"]
        code = await house.code("bob")
        assert await bob.titles() == []
        joined = await bob.text("share", action="accept", code=code, who="ada")
        assert joined.splitlines()[1:] == ["ada:Team: you may view"]
        assert await bob.titles("is:all") == ["Fence", "Gate", "Wait", "Hinge"]
        assert await carol.titles("is:all") == []
        assert len(await ada.titles("is:all")) == 6


async def test_an_invitation_is_shown_with_its_code_once_and_until_when_it_is_good(living: Living) -> None:
    async with home(living, "bob") as house:
        invited = (await house["ada"].text("share", action="invite", list="team", who="bob", role="edit")).splitlines()
        assert invited[0].endswith(": 1 invited")
        assert invited[1].startswith("Team: bob invited to edit until 20")
        assert invited[2].startswith("code: ")
        shown = await house["ada"].text("share")
        assert shown.splitlines()[1:] == [invited[1]]


async def test_everybody_sees_what_is_shared_under_his_own_names(living: Living) -> None:
    async with home(living, "bob", "carol") as house:
        await house.let_in("bob", "edit")
        await house["carol"].values("share", action="accept", code=await house.code("Carola"), who="boss")
        await house.code("dave")
        values = await house["ada"].values("share")
        [team] = values["lists"]
        assert [(one["who"], one["role"], "since" in one) for one in team["members"]] == [
            ("bob", "edit", True),
            ("Carola", "view", True),
            ("dave", "view", False),
        ]
        assert (await house["bob"].values("share"))["lists"] == [{"list": "ada:Team", "of": "ada", "role": "edit"}]
        assert (await house["carol"].values("share", list="boss:Team"))["lists"] == [
            {"list": "boss:Team", "of": "boss", "role": "view"}
        ]
        assert (await house["ada"].values("share", list="Zebralist"))["lists"] == []


async def test_who_gives_the_owner_no_name_calls_her_friend(living: Living) -> None:
    async with home(living, "bob", "carol") as house:
        await house["carol"].values("organize", kind="list", action="create", name="Plans")
        theirs = (await house["carol"].values("share", action="invite", list="Plans", who="bob"))["code"]
        for code in (await house.code("bob"), theirs):
            await house["bob"].values("share", action="accept", code=code)
        lists = (await house["bob"].values("share"))["lists"]
        assert {one["list"] for one in lists} == {"friend:Team", "friend2:Plans"}


async def test_a_role_is_changed_and_counts_from_the_next_call_on(living: Living) -> None:
    async with home(living, "bob") as house:
        await house.let_in("bob")
        change = {"changes": [{"refs": [house.ref("Fence")], "priority": "p1"}]}
        assert (await house["bob"].text("tasks_edit", **change)).startswith('read_only: you may only view "Team"')
        changed = await house["ada"].text("share", action="role", list="Team", who="Bob", role="edit")
        assert changed.splitlines()[1] == "Team: bob view -> edit"
        assert not (await house["bob"].call("tasks_edit", **change)).is_error
        again = await house["ada"].text("share", action="role", list="Team", who="bob", role="edit")
        assert again == "nothing to change"
        await house["ada"].values("share", action="role", list="Team", who="bob", role="view")
        refused = await house["bob"].text("tasks_complete", refs=[house.ref("Fence")])
        assert refused.startswith("read_only:")


async def test_after_a_revocation_the_next_call_sees_nothing(living: Living) -> None:
    async with home(living, "bob", "carol") as house:
        await house.let_in("bob", "edit")
        await house.let_in("carol")
        cursor = (await house["bob"].values("tasks_find", limit=1))["cursor"]
        unknown = await house["bob"].text("tasks_find", refs=["ada:T999"])
        revoked = await house["ada"].text("share", action="revoke", list="Team", who="bob")
        assert revoked.splitlines()[1] == "Team: bob is out"
        assert await house["bob"].titles("is:all") == []
        assert await house["bob"].titles("is:trash") == []
        assert (await house["bob"].values("share"))["lists"] == []
        assert (await house["bob"].values("tasks_find", limit=1, cursor=cursor))["tasks"] == []
        ref = house.ref("Fence")
        assert await house["bob"].text("tasks_find", refs=[ref]) == unknown.replace("ada:T999", ref)
        assert (await house["bob"].text("tasks_find", filter="list:Team")).startswith('unknown_list: no list "Team"')
        assert (await house["bob"].text("tasks_add", tasks=[{"title": "Late", "list": "ada:Team"}])).startswith(
            "unknown_list:"
        )
        assert await house["carol"].titles("is:all") == ["Fence", "Gate", "Wait", "Hinge"]


async def test_who_leaves_sees_nothing_and_his_words_stay_his(living: Living) -> None:
    async with home(living, "bob") as house:
        await house.let_in("bob", "edit")
        await house["bob"].values("tasks_add", tasks=[{"title": "Paint it", "list": "Team", "assignee": "me"}])
        assert (await house["bob"].text("share", action="leave", list="Team")).endswith(": 1 left")
        assert await house["bob"].titles("is:all") == []
        assert (await house["ada"].values("share"))["lists"] == []
        assert await house["ada"].titles("by:bob with:bob") == ["Paint it"]
        assert (await house["bob"].text("share", action="leave", list="Team")).startswith("unknown_list:")


async def test_who_was_out_comes_back_by_a_new_invitation_under_his_old_name(living: Living) -> None:
    async with home(living, "bob", "carol") as house:
        await house.let_in("bob")
        await house["ada"].values("share", action="revoke", list="Team", who="bob")
        code = await house.code("bob", "edit")
        assert (await house["carol"].text("share", action="accept", code=code)).startswith("bad_code:")
        await house["bob"].values("share", action="accept", code=code)
        assert (await house["bob"].values("share"))["lists"] == [{"list": "ada:Team", "of": "ada", "role": "edit"}]


async def test_a_second_list_is_offered_to_the_person_of_that_name_alone(living: Living) -> None:
    async with home(living, "bob", "carol") as house:
        await house.let_in("bob")
        await house.let_in("carol")
        code = await house.code("bob", "edit", "Zebralist")
        assert (await house["carol"].text("share", action="accept", code=code)).startswith("bad_code:")
        await house["bob"].values("share", action="accept", code=code, who="somebodyelse")
        assert {one["list"] for one in (await house["bob"].values("share"))["lists"]} == {"ada:Team", "ada:Zebralist"}
        again = await house["ada"].text("share", action="invite", list="Zebralist", who="bob")
        assert again.startswith('name_taken: bob is a member of "Zebralist" already')


async def test_two_people_who_share_with_each_other_keep_one_name_for_each_other(living: Living) -> None:
    async with home(living, "bob") as house:
        await house.let_in("bob")
        await house["bob"].values("organize", kind="list", action="create", name="Plans")
        code = (await house["bob"].values("share", action="invite", list="Plans", who="ada"))["code"]
        await house["ada"].values("share", action="accept", code=code)
        assert {one["list"] for one in (await house["ada"].values("share"))["lists"]} == {"Team", "bob:Plans"}
        [plans, _] = (await house["bob"].values("share"))["lists"]
        assert [one["who"] for one in plans["members"]] == ["ada"]


async def test_a_list_in_the_trash_is_shared_with_nobody_until_it_is_back(living: Living) -> None:
    async with home(living, "bob", "carol") as house:
        await house.let_in("bob")
        code = await house.code("carol")
        gone = await house["ada"].values("organize", kind="list", action="delete", name="Team")
        assert await house["bob"].titles("is:all") == await house["bob"].titles("is:trash") == []
        assert (await house["carol"].text("share", action="accept", code=code)).startswith("bad_code:")
        await house["ada"].values("undo", op=str(gone["op"]))
        assert len(await house["bob"].titles("is:all")) == 4


@pytest.mark.parametrize(
    ("arguments", "refusal"),
    [
        ({"action": "invite", "who": "bob"}, "missing_argument: invite needs list"),
        ({"action": "invite", "list": "Team"}, "missing_argument: invite needs who"),
        ({"action": "role", "list": "Team", "who": "bob"}, "missing_argument: role needs role"),
        ({"action": "accept"}, "missing_argument: accept needs code"),
        ({"action": "leave", "list": "Team", "who": "bob"}, "bad_argument: leave takes no who"),
        ({"action": "leave", "list": "Team"}, 'bad_argument: "Team" is your own'),
        ({"action": "invite", "list": "Taem", "who": "bob"}, 'unknown_list: no list "Taem". Closest: "Team"'),
        ({"action": "invite", "list": "Inbox", "who": "bob"}, "bad_argument: the Inbox is yours alone"),
        ({"action": "invite", "list": "Team/Now", "who": "bob"}, "bad_argument: a section is shared with its list"),
        ({"action": "invite", "list": "Team", "who": "bob smith"}, "bad_name:"),
        ({"action": "invite", "list": "Team", "who": "b" * 31}, "bad_name:"),
        ({"action": "invite", "list": "Team", "who": "bob:"}, "bad_name:"),
        ({"action": "invite", "list": "Team", "who": "me"}, 'bad_name: "me" has another meaning'),
        ({"action": "revoke", "list": "Team", "who": "dave"}, 'unknown_person: you know nobody as "dave"'),
        ({"action": "role", "list": "Team", "who": "dave", "role": "edit"}, "unknown_person:"),
    ],
)
async def test_what_cannot_be_meant_is_refused_with_a_remedy(
    living: Living, arguments: dict[str, str], refusal: str
) -> None:
    async with home(living) as house:
        before = await house.writes()
        assert (await house["ada"].text("share", **arguments)).startswith(refusal)
        assert await house.writes() == before


async def test_a_guest_decides_nothing_about_the_list(living: Living) -> None:
    async with home(living, "bob", "carol") as house:
        await house.let_in("bob", "edit")
        await house.let_in("carol")
        before = await house.writes()
        for arguments in (
            {"action": "invite", "who": "dave"},
            {"action": "role", "who": "bob", "role": "view"},
            {"action": "revoke", "who": "carol"},
        ):
            refused = await house["bob"].text("share", list="Team", **arguments)
            assert refused.startswith('read_only: ada decides who sees "Team"')
        assert await house.writes() == before


async def test_a_dry_run_lets_nobody_in(living: Living) -> None:
    async with home(living, "bob") as house:
        dry = await house["ada"].values("share", action="invite", list="Team", who="bob", dry_run=True)
        assert dry["counts"] == {"invited": 1}
        assert "code" not in dry
        code = await house.code("bob")
        accepted = await house["bob"].text("share", action="accept", code=code, who="ada", dry_run=True)
        assert accepted == "dry run, nothing written: 1 joined\nada:Team: you may view"
        assert await house["bob"].titles() == []
        await house["bob"].values("share", action="accept", code=code, who="ada")
        await house["ada"].values("share", action="revoke", list="Team", who="bob", dry_run=True)
        assert len(await house["bob"].titles()) == 4


async def test_a_repeated_invitation_is_one_and_does_not_show_its_code_again(living: Living) -> None:
    async with home(living, "bob") as house:
        arguments = {"action": "invite", "list": "Team", "who": "bob", "request_id": "r1"}
        first = await house["ada"].values("share", **arguments)
        again = await house["ada"].call("share", **arguments)
        assert again.structured_content is not None
        assert again.structured_content["replayed"] is True
        assert first["code"] not in str(again)
        assert "invite again for another one" in str(again.content)
        await house["bob"].values("share", action="accept", code=first["code"], request_id="r1")
        replayed = await house["bob"].values("share", action="accept", code=first["code"], request_id="r1")
        assert replayed["replayed"] is True


async def test_only_who_may_share_sees_with_whom(living: Living) -> None:
    scopes = ("tasks:read", "tasks:write", "tasks:delete", "data:read")
    async with living.client("ada", token=living.token("ada", scopes=scopes)) as ada:
        with pytest.raises(MCPError, match="tasks:share"):
            await ada.call("share")


async def test_a_write_that_waited_while_its_list_was_closed_lands_nowhere(living: Living) -> None:
    """On PostgreSQL a writer looks before it waits; on SQLite it waits first, and finds the list closed."""
    database = living.mcp_database
    assert database is not None
    async with home(living, "bob") as house:
        await house.let_in("bob", "edit")
        ref = house.ref("Fence")
        await house["bob"].add(ref)  # what the reference means once nothing is shared any more
        ada = living.person("ada")
        async with database.begin(ada, write=True) as tx:
            await tx.execute(update(spaces).where(spaces.c.id == space_of(ada)).values(rev=spaces.c.rev + 1))
            with turns_asked(database) as asked:
                completing = asyncio.create_task(house["bob"].text("tasks_complete", refs=[ref]))
                if not database.on_sqlite:
                    await asked.acquire()
            await tx.execute(members.delete().where(members.c.space_id == space_of(ada)))
        answer = await completing
        assert answer.startswith("op 2: 1 completed" if database.on_sqlite else "conflict:")
        async with database.begin(ada) as tx:
            assert await tx.all(select(members).where(members.c.space_id == space_of(ada))) == []
