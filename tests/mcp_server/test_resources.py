"""What can be read by address: what stands there, for whom, and what everybody is told about everything else."""

import json
import logging
import re
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Final

import pytest
from mcp import MCPError
from mcp_types import Resource, ResourceLink, ResourceTemplate, TextResourceContents

from mcp_server.addresses import INBOX, OVERVIEW, TODAY, list_uri, task_uri
from mcp_server.answering import SpokenResource
from mcp_server.budget import BUSY
from mcp_server.offered import offered
from shared.errors import Problem
from shared.telemetry import caller_mark
from tests.living import Databases, Living
from tests.mcp_server.guests import HIDDEN, Home, home
from tests.mcp_server.reading import FIXED, MODES, assert_not_there, furnish, ref_of, refusal, text
from tests.mcp_server.statements import statements

pytestmark = pytest.mark.anyio
LONG_NAMES: Final = [f"{number:03}{'名' * 57}" for number in range(20)]


@pytest.mark.parametrize("mode", MODES)
async def test_the_fixed_addresses_show_what_the_tools_show(living: Living, mode: str) -> None:
    async with living.client("ada", mode=mode) as ada:
        await furnish(ada)
        for uri, filter_text in ((TODAY, "due:<=today"), (INBOX, "list:Inbox")):
            head, *lines = (await ada.text("tasks_find", filter=filter_text)).split("\n")
            first, *shown = (await text(ada, uri)).split("\n")
            assert lines == shown[: len(lines)]
            assert first.split(", rev")[1] == head.split(", rev")[1]
            assert first.startswith(f"{len(lines)} of {len(lines)} ")
        assert "reminders of the last 24 hours:\n" in await text(ada, TODAY)
        assert (await text(ada, TODAY)).endswith(" | Rung")
        assert (await text(ada, OVERVIEW)) == await ada.text("overview", show="week")


@pytest.mark.parametrize("mode", MODES)
async def test_a_task_is_shown_in_full_under_each_of_its_addresses(living: Living, mode: str) -> None:
    async with living.client("ada", mode=mode) as ada:
        await furnish(ada)
        ref = await ref_of(ada, "Sketch")
        await ada.values("tasks_edit", changes=[{"refs": [ref], "comment": "Looks good"}])
        whole = (await ada.text("tasks_find", refs=[ref])).split("\n", 1)[1]
        assert "in pencil" in whole
        assert "Looks good" in whole
        assert "Paper" in whole
        number = ref.removeprefix("T")
        for uri in (
            task_uri(ref),
            f"tasks://{ref}",
            f"tasks://task/{number}",
            f"tasks://{number}",
            f"tasks://t{number}",
        ):
            assert (await text(ada, uri)).split("\n", 1)[1] == whole


async def test_a_task_in_the_trash_can_still_be_read_and_says_where_it_is(living: Living) -> None:
    async with living.client("ada") as ada:
        [ref] = await ada.add("Gone")
        await ada.values("tasks_delete", refs=[ref])
        assert f"\n{ref} trash | Gone\n" in await text(ada, task_uri(ref))


async def test_a_long_list_says_how_to_go_on_and_nothing_is_lost_on_the_way(living: Living) -> None:
    async with living.client("ada") as ada:
        await ada.values("organize", kind="list", action="create", name="A 'list'")
        for hundred in range(3):
            titles = [f"Task {hundred} {number}" for number in range(80)]
            await ada.values("tasks_add", tasks=[{"title": title, "list": "A 'list'"} for title in titles])
        first, *lines, more = (await text(ada, list_uri("A 'list'"))).split("\n")
        assert first.startswith("200 of 240 ")
        assert len(lines) == 200
        call = re.fullmatch(r'\.\.\. and 40 more: tasks_find\(filter=(".+"), cursor="(.+)"\)', more)
        assert call is not None
        rest = await ada.text("tasks_find", filter=json.loads(call[1]), cursor=call[2], limit=200)
        assert len({*lines, *rest.split("\n")[1:]}) == 240


async def test_a_page_stays_below_what_a_client_takes_at_once(living: Living) -> None:
    """The longest there can be: long titles and names, in characters that take the most room."""
    async with living.client("ada") as ada:
        title = "\U0001f600" * 160
        for start in (0, 100):
            tasks = [{"title": f"{start + n}{title}", "tags": LONG_NAMES} for n in range(100)]
            await ada.values("tasks_add", tasks=tasks)
        [task] = await ada.add("All of it")
        many = [{"refs": [task], "comment": "\U0001f600" * 5_000} for _ in range(20)]
        await ada.values("tasks_edit", changes=[*many, {"refs": [task], "notes": "\U0001f600" * 20_000}])
        await ada.values("tasks_edit", filter="is:all -all", changes=[{"parent": task}])
        for uri in (INBOX, task_uri(task)):
            shown = await text(ada, uri)
            assert 150_000 < len(shown.encode()) < 250_000
            assert re.search(r"\n\.\.\. and (\d+ )?more: tasks_find\(.+\)$", shown)
        first, *lines, more = (await text(ada, INBOX)).split("\n")
        call = re.search(r'and (\d+) more: .*cursor="(.+)"', more)
        assert call is not None
        assert first.startswith(f"{len(lines)} of 201 ")
        assert int(call[1]) == 201 - len(lines)
        rest = await ada.values("tasks_find", filter="list:Inbox", cursor=call[2], limit=1)
        last = int(lines[-1].split(" ")[0].removeprefix("T"))
        assert rest["tasks"][0]["ref"] == f"T{last + 1}"


async def test_nothing_that_somebody_wrote_leaves_the_block_it_stands_in(living: Living) -> None:
    fence = "```"
    async with living.client("ada") as ada:
        await ada.values("organize", kind="list", action="create", name=fence)
        await ada.values("organize", kind="field", action="create", name=fence, options={"type": "text"})
        task = {"title": fence, "notes": f"{fence}\n{fence}", "list": fence, "tags": [fence], "fields": {fence: fence}}
        await ada.values("organize", kind="tag", action="create", name=fence)
        await ada.values("organize", kind="view", action="create", name=fence, filter=f"tag:{fence}")
        [ref, *_] = (await ada.values("tasks_add", tasks=[{**task, "subtasks": [fence], "due": "today"}]))["refs"]
        await ada.values("tasks_edit", changes=[{"refs": [ref], "comment": f"{fence}\n{fence}"}])
        for uri in (*FIXED, task_uri(ref), list_uri(fence)):
            lines = (await text(ada, uri)).split("\n")
            assert [line for line in lines if re.match(r" {0,3}(`{3,}|~{3,})\s*$", line)] == []


async def test_bob_finds_nothing_of_adas_under_any_address(living: Living) -> None:
    async with living.client("ada") as ada, living.client("bob") as bob:
        await furnish(ada)
        refs = [task["ref"] for task in (await ada.values("tasks_find", filter="is:all"))["tasks"]]
        for uri in FIXED:
            told = await text(bob, uri)
            assert not re.search(r"Big Project|Late|Sketch|Loose|Rung|\bT\d", told)
        for uri in (*map(task_uri, refs), *(f"tasks://{ref}" for ref in refs), list_uri("Big Project")):
            assert await text(ada, uri)
            await assert_not_there(bob, uri)
            await assert_not_there(bob, uri.replace("T", "T999").replace("Project", "Nothing"))
        await bob.add("His own")
        assert " | His own\n" in await text(bob, task_uri(await ref_of(bob, "His own")))


async def test_a_guest_reads_what_is_shared_under_his_own_name_for_its_owner(living: Living) -> None:
    async with home(living, "bob") as house:
        await house["ada"].values("tasks_edit", changes=[{"refs": [house.refs["Fence"]], "due": "today"}])
        await house.let_in("bob")
        fence = house.ref("Fence")
        for uri in (task_uri(fence), f"tasks://{fence}", f"tasks://task/{fence}"):
            assert f"\n{fence} " in await text(house["bob"], uri)
        assert " by ada: | Fence\n" in await text(house["bob"], task_uri(fence))
        for uri in (TODAY, OVERVIEW, list_uri("ada:Team"), list_uri("Team")):
            assert f"\n{fence} " in await text(house["bob"], uri)
        assert f"{house.ref('Gate')} " in await text(house["bob"], list_uri("ada:Team/Now"))
        assert "0 of 0 " in await text(house["bob"], INBOX)
        await assert_nothing_hidden_is_told(house)


async def assert_nothing_hidden_is_told(house: Home) -> None:
    shown = [*FIXED, *(task_uri(house.ref(title)) for title in ("Fence", "Gate", "Wait")), list_uri("ada:Team")]
    for uri in shown:
        assert HIDDEN not in (await text(house["bob"], uri)).lower()
    hidden = [house.ref(title) for title in house.refs if HIDDEN in title.lower()]
    for uri in (*map(task_uri, hidden), list_uri("ada:Zebralist"), list_uri("ada:Inbox"), task_uri("ada:T999")):
        await assert_not_there(house["bob"], uri)


async def test_a_list_that_two_people_share_is_not_guessed(living: Living) -> None:
    async with living.client("ada") as ada, living.client("carl") as carl, living.client("bob") as bob:
        for person, name in ((ada, "ada"), (carl, "carl")):
            await person.values("organize", kind="list", action="create", name="Team")
            code = (await person.values("share", action="invite", list="Team", who="bob"))["code"]
            await bob.values("share", action="accept", code=code, who=name)
        error = (await refusal(bob, list_uri("Team"))).error
        assert error.code == -32602
        assert error.message.startswith('ambiguous_ref: several people share a list "Team". Fix: "')
        assert await text(bob, list_uri("carl:Team"))


async def test_everybody_is_offered_the_same_and_told_what_it_is(living: Living) -> None:
    async with living.client("ada") as ada, living.client("bob") as bob:
        await furnish(ada)
        offers = [
            ((await person.client.list_resources()).resources, (await person.client.list_resource_templates()))
            for person in (ada, bob)
        ]
        assert offers[0][0] == offers[1][0]
        assert offers[0][1].resource_templates == offers[1][1].resource_templates
        everything: list[Resource | ResourceTemplate] = [*offers[0][0], *offers[0][1].resource_templates]
        ours = [one for one in everything if one.mime_type == "text/markdown"]
        assert [one.name for one in ours] == ["today", "inbox", "overview", "task", "short_task", "list"]
        for one in ours:
            assert one.title
            assert one.description
            assert one.annotations is not None
            assert one.annotations.audience == ["user", "assistant"]
            assert one.annotations.priority is not None
        assert [one.uri_template for one in offers[0][1].resource_templates][:3] == [
            "tasks://task/{ref}",
            "tasks://{ref}",
            "tasks://list/{name}",
        ]


async def test_what_belongs_to_a_person_may_be_kept_by_nobody(living: Living) -> None:
    async with living.client("ada") as ada:
        for result in (await ada.client.read_resource(TODAY), await ada.client.list_resources()):
            assert (result.ttl_ms, result.cache_scope) == (0, "private")
        templates = await ada.client.list_resource_templates()
        assert (templates.ttl_ms, templates.cache_scope) == (300_000, "public")


@pytest.mark.parametrize("mode", MODES)
async def test_a_cursor_that_we_did_not_give_is_refused_by_every_list(living: Living, mode: str) -> None:
    async with living.client("ada", mode=mode) as ada:
        for listed in (
            ada.client.list_resources,
            ada.client.list_resource_templates,
            ada.client.list_prompts,
            ada.client.list_tools,
        ):
            with pytest.raises(MCPError) as refused:
                await listed(cursor="x")
            assert refused.value.error.code == -32602
            assert (await listed()).next_cursor is None


async def test_a_read_costs_as_many_statements_as_the_tool_that_shows_the_same(living: Living) -> None:
    async with living.client("ada") as ada:
        await furnish(ada)
        ref = await ref_of(ada, "Sketch")
        for size in (1, 100):
            await ada.values("tasks_add", tasks=[{"title": f"{size} {n}", "due": "today"} for n in range(size)])
            costs = []
            for uri in (TODAY, INBOX, OVERVIEW, list_uri("Big Project"), task_uri(ref)):
                with statements(living) as seen:
                    await text(ada, uri)
                costs.append(len(seen))
                assert all("space_id" in one or "spaces.id" in one or "user_key" in one for one in seen)
            assert costs == [3, 2, 6, 2, 5]


async def test_a_link_in_an_export_stays_what_it_was(living: Living) -> None:
    async with living.client("ada") as ada:
        await ada.values("tasks_add", tasks=[{"title": "A", "notes": "word " * 2_000}])
        result = await ada.call("data_export", format="markdown")
        [link] = [block for block in result.content if isinstance(block, ResourceLink)]
        [content] = (await ada.client.read_resource(str(link.uri))).contents
        assert isinstance(content, TextResourceContents)
        assert "- [ ] A\n" in content.text
        assert str(await refusal(ada, "tasks://export/x")).startswith("bad_cursor: ")


async def broken() -> str:
    """A bug."""
    raise RuntimeError("the secret of ada")


async def busy() -> str:
    """What the database says when it has too much to do."""
    raise Problem("busy", "another write is running", "retry in 2 s")


async def away() -> str:
    """What the database says when it is gone."""
    raise Problem("unavailable", "the database is\naway", "try again in a moment")


async def slow() -> str:
    """What happens when time is up."""
    raise TimeoutError


@asynccontextmanager
async def failing(databases: Databases) -> AsyncGenerator[Living]:
    """A server with some resources that fail."""
    failing = [
        SpokenResource.from_function(function, f"tasks://failing/{function.__name__}")
        for function in (broken, busy, away, slow)
    ]
    async with Living(databases, offer=replace(offered(), resources=failing)) as living:
        yield living


@pytest.mark.parametrize("mode", MODES)
async def test_what_goes_wrong_is_said_in_one_sentence_and_a_bug_only_by_its_reference(
    databases: Databases, mode: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with failing(databases) as living, living.client("ada", mode=mode) as ada:
        errors = {
            name: (await refusal(ada, f"tasks://failing/{name}")).error for name in ("broken", "busy", "away", "slow")
        }
    assert re.fullmatch(r"internal: something went wrong\. Reference \w{16}\.", errors["broken"].message)
    assert {name: (error.code, error.message) for name, error in errors.items() if name != "broken"} == {
        "busy": (BUSY, "busy: another write is running. Fix: retry in 2 s"),
        "away": (-32603, "unavailable: the database is away. Fix: try again in a moment"),
        "slow": (-32603, "timeout: this took too long. Fix: ask for less"),
    }
    [logged] = [record for record in caplog.records if record.levelno >= logging.ERROR]
    assert (logged.name, logged.getMessage()) == ("mcp_server.answering", "answer failed")
    assert "the secret of ada" in caplog.text


async def test_a_read_leaves_one_line_that_says_who_and_how_it_ended_but_not_what(
    living: Living, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "mcp_server")
    async with living.client("ada") as ada:
        await furnish(ada)
        caplog.clear()
        await text(ada, list_uri("Big Project"))
        await text(ada, TODAY)
        await assert_not_there(ada, "tasks://T999")
        await assert_not_there(ada, "tasks://nowhere/at/all")
    person = living.person("ada")
    lines = [vars(record) for record in caplog.records if record.name == "mcp_server.answering"]
    assert {line["message"] for line in lines} == {"resource read"}
    assert {line["caller"] for line in lines} == {caller_mark(person.issuer, person.subject)}
    assert [(line["kind"], line["outcome"]) for line in lines] == [
        ("list", "ok"),
        ("today", "ok"),
        ("task", "unknown_ref"),
        ("other", "not_found"),
    ]
    assert not re.search("Project|T999|nowhere", str(lines))
