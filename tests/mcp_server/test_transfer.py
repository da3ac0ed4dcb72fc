"""Tasks as files, as a client meets them: out, in again, twice, changed, undone; over HTTP, on both databases."""

import json
import random
import re
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any, Final

import pytest
from mcp import Client, MCPError
from mcp.client.streamable_http import streamable_http_client
from mcp_types import ResourceLink

from mcp_server.access import EXPORTS
from mcp_server.tasks.cursors import Cursors
from mcp_server.tasks.spaces import space_of
from shared.db import Database
from shared.tokens import SCOPES
from tests.living import MODERN, STATE_KEY, Databases, Living, ToolClient, text_of
from tests.mcp_server.invariants import faults
from tests.mcp_server.wire import ask, assert_nothing_changed, challenge
from tests.web import web

pytestmark = pytest.mark.anyio

FORMATS: Final = ("json", "csv", "ics", "markdown")


async def exported(ada: ToolClient, format: str = "json", filter: str = "is:all") -> str:  # noqa: A002 (the tool's own words)
    """The text of an export, wherever it comes."""
    values = await ada.values("data_export", format=format, filter=filter)
    if "content" in values:
        return str(values["content"])
    [uri] = values["uri"]
    return await part(ada, uri)


async def part(ada: ToolClient, uri: str) -> str:
    """The text of one part of an export."""
    [content] = (await ada.client.read_resource(uri)).contents
    return str(content.model_dump()["text"])


async def brought(ada: ToolClient, content: str, **more: Any) -> dict[str, int]:
    """What an import counts."""
    values = await ada.values("data_import", content=content, dry_run=False, **more)
    return dict(values["counts"])


def told(text: str) -> str:
    """An export without what differs each time: moments of exporting, and how things are numbered."""
    text = re.sub(r'"exported":"[^"]*",\n|DTSTAMP:\w+\r\n|"source(_id)?":"[^"]*",?|,taskgate,[0-9a-f]+-\d+', "", text)
    return re.sub(r"taskgate:[0-9a-f]+-\d+|\bT\d+\b", "#", text)


async def furnish(ada: ToolClient) -> None:
    """Some of everything."""
    for kind, name, more in (
        ("list", "Work", {"options": {"color": "red", "description": "What is paid"}}),
        ("section", "Work/Design", {}),
        ("list", "Old", {}),
        ("field", "Effort", {"options": {"type": "number"}}),
        ("field", "Size", {"options": {"type": "choice", "choices": ["Small", "Large"]}}),
        ("tag", "home", {"options": {"color": "blue"}}),
        ("view", "Focus", {"filter": "p1 list:Work"}),
        ("view", "Above", {"filter": "view:Focus tag:home"}),
    ):
        await ada.values("organize", kind=kind, action="create", name=name, **more)
    await ada.values("organize", kind="list", action="archive", name="Old")
    everything = {
        "title": "=Plan | trip, 'now' (due fri)",
        "notes": 'first\n\n  - [ ] third; \\n "quoted"',
        "list": "Work/Design",
        "due": "2030-01-05 09:00 America/New_York",
        "start": "2030-01-01",
        "deadline": "2030-02-01",
        "repeat": "every 2 weeks on sat",
        "priority": "p1",
        "estimate": "45m",
        "remind": ["30m before", "1d before", "2030-01-01 08:00"],
        "tags": ["home", "two words"],
        "fields": {"Effort": 2.5, "Size": "large"},
        "assignee": "me",
    }
    await ada.values(
        "tasks_add",
        tasks=[
            everything,
            {"title": "Below", "parent": "#1", "blocked_by": ["#1"], "subtasks": ["Deeper"]},
            {"title": "Water", "due": "2030-03-01", "repeat": "every! month"},
            {"title": "Buy milk"},
            {"title": "Buy milk", "notes": "another one"},
            {"title": "Given up"},
        ],
    )
    refs = {
        title: (await ada.values("tasks_find", filter=title))["tasks"][0]["ref"] for title in ("Water", "Given", "Plan")
    }
    await ada.values("tasks_complete", refs=[refs["Water"]])
    await ada.values("tasks_complete", refs=[refs["Given"]], cancelled=True)
    await ada.values("tasks_edit", changes=[{"refs": [refs["Plan"]], "comment": "so it is"}])


# Out and in again ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("format", FORMATS)
async def test_what_was_exported_comes_back_after_everything_was_deleted(living: Living, format: str) -> None:  # noqa: A002
    async with living.client("ada") as ada:
        await furnish(ada)
        before = await exported(ada, format)
        assert await brought(ada, before) == {"unchanged": 7}
        await ada.values("tasks_delete", filter="is:all")
        assert await ada.titles("is:all") == []
        counts = await brought(ada, before)
        assert counts["added" if format == "markdown" else "restored"] == 7
        assert told(await exported(ada, format)) == told(before)
        again = await brought(ada, before)
        assert again == {"unchanged": 7}
        assert told(await exported(ada, format)) == told(before)
    assert living.mcp_database is not None
    assert await faults(living.mcp_database, living.person("ada")) == []


async def test_another_person_gets_the_same_tasks_under_numbers_of_his_own(living: Living) -> None:
    async with living.client("ada") as ada, living.client("bob") as bob:
        await bob.add("Mine", "Also mine")
        await furnish(ada)
        text = await exported(ada)
        assert (await brought(bob, text))["added"] == 7
        assert told(await exported(bob, filter="is:all -Mine -also")) == told(text)
        assert await brought(bob, text) == {"unchanged": 7}
        assert sorted(await bob.titles())[:1] == ["=Plan | trip, 'now' (due fri)"]
        overview = await bob.values("overview", show="all")
        assert {view["name"] for view in overview["views"]} == {"Focus", "Above"}
        assert "from taskgate: | Water" in await bob.text("tasks_find", filter="Water")
        # The numbers in her file mean other tasks here.
        assert (await bob.values("tasks_find", refs=["T1"]))["tasks"][0]["title"] == "Mine"
        assert "so it is" in await bob.text("tasks_find", filter="Plan", detail="full")
    assert living.mcp_database is not None
    assert await faults(living.mcp_database, living.person("bob")) == []


@pytest.mark.parametrize("seed", range(3))
async def test_random_tasks_come_back_as_they_were(living: Living, seed: int) -> None:
    dice = random.Random(seed)

    def task(index: int) -> dict[str, Any]:
        due = dice.choice(["", "2030-01-31", "2026-02-28 23:59", "2030-03-31 02:30 Europe/Berlin"])
        said = {
            "title": dice.choice(["Buy milk", "@home", "+1", "a  b", "牛奶 🧑‍🚒", "x" * 500, "- [ ] no", "p1 | T7"]),
            "notes": dice.choice(["", "two\nlines", "\t=1", "\n"]),
            "due": due,
            "repeat": dice.choice(["", "every month", "every! 3 days at 8am", "every mon,thu for 9 times"]),
            "remind": dice.choice([[], ["at due"], ["2h before"]]) if due else [],
            "tags": dice.sample(["a;b", "@c", "d e"], dice.randrange(3)),
            "parent": f"#{dice.randrange(1, index + 1)}" if index and dice.random() < 0.2 else "",
            "blocked_by": [f"#{dice.randrange(1, index + 1)}"] if index and dice.random() < 0.3 else [],
            "priority": f"p{dice.randrange(1, 5)}",
            "start": dice.choice(["", "2029-12-31"]),
        }
        return {name: value for name, value in said.items() if value}

    async with living.client("ada") as ada, living.client("bob") as bob:
        added = await ada.values("tasks_add", tasks=[task(index) for index in range(40)], duplicates="allow")
        await ada.values("tasks_complete", refs=dice.sample(added["refs"], 15))
        text = await exported(ada)
        await brought(bob, text)
        assert told(await exported(bob)) == told(text)
        assert await brought(bob, text) == {"unchanged": 40}
        assert await brought(ada, text) == {"unchanged": 40}
    assert living.mcp_database is not None
    assert await faults(living.mcp_database, living.person("bob")) == []


async def test_a_changed_cell_changes_its_task_and_no_other_column(living: Living) -> None:
    async with living.client("ada") as ada:
        await furnish(ada)
        text = await exported(ada, "csv")
        await ada.values("tasks_edit", filter="Below", changes=[{"due": "2031-01-01 10:00", "tags": ["later"]}])
        header, *_ = text.split("\r\n")
        [row] = [line for line in text.split("\r\n") if ",Below," in line]
        cells = dict(zip(header.split(","), row.split(","), strict=True))
        few = f"title,priority,due,source,source_id\nBelow it,p2,2031-01-02,{cells['source']},{cells['source_id']}\n"
        said = await ada.text("data_import", content=few, dry_run=False)
        assert "1 updated" in said
        assert "due Wed 2031-01-01 10:00 -> Thu 2031-01-02 10:00" in said
        [task] = (await ada.values("tasks_find", filter='"Below it"'))["tasks"]
        assert (task["due"], task["priority"], task["tags"]) == ("2031-01-02T10:00", "p2", ["later"])
        assert (task["list"], task["section"], task["parent"][0]) == ("Work", "Design", "T")


async def test_a_task_stays_in_its_section_where_a_file_knows_only_lists(living: Living) -> None:
    async with living.client("ada") as ada:
        await brought(ada, "title,list,section,source,source_id\nDraw,Work,Design,x,1\n")
        assert await brought(ada, "title,list,source,source_id\nDraw,Work,x,1\n") == {"unchanged": 1}
        assert await ada.titles("list:Work/Design") == ["Draw"]
        await brought(ada, "title,section,source,source_id\nDraw,,x,1\n")
        assert await ada.titles("list:Work/Design") == []
        assert await ada.titles("list:Work") == ["Draw"]


async def test_a_repeating_task_that_a_file_finishes_is_finished_for_good_and_that_is_told(living: Living) -> None:
    async with living.client("ada") as ada:
        await ada.values("tasks_add", tasks=[{"title": "Water", "due": "2030-01-05", "repeat": "every week"}])
        said = await ada.text("data_import", content="- [x] Water\n", dry_run=False)
        assert "note: line 1: it repeats, and is finished for good" in said
        assert await ada.titles("is:done") == ["Water"]


async def test_without_ids_a_second_import_updates_what_looks_the_same(living: Living) -> None:
    first = "title,list,notes\nBuy milk,Home,one\nBuy milk,Home,two\nPaint,Home,\n"
    async with living.client("ada") as ada:
        assert await brought(ada, first) == {"added": 3, "lists added": 1}
        assert await brought(ada, first.replace("two", "three")) == {"updated": 1, "unchanged": 2}
        assert await brought(ada, first + "Buy milk,Home,four\n") == {"added": 1, "updated": 1, "unchanged": 2}
        notes = (await ada.values("tasks_find", filter="milk", detail="full"))["tasks"]
        assert sorted(task["notes"] for task in notes) == ["four", "one", "two"]


async def test_what_was_written_by_hand_is_not_doubled_by_a_list_that_has_it_too(living: Living) -> None:
    async with living.client("ada") as ada:
        await ada.add("Buy milk", "Plan")
        await ada.values("tasks_add", tasks=[{"title": "Pack", "parent": "Plan"}])
        listed = "- [x] buy MILK\n- [ ] Plan\n  - [ ] Pack\n  - [ ] Book\n"
        assert await brought(ada, listed) == {"added": 1, "updated": 1, "unchanged": 2, "completions added": 1}
        assert sorted(await ada.titles()) == ["Book", "Pack", "Plan"]
        # What is finished here is not opened again by a list that was written before.
        assert (await brought(ada, "- [ ] Buy milk\n"))["added"] == 1


async def test_an_import_is_undone_and_can_be_repeated(living: Living) -> None:
    text = "title,list,tags,parent\nTop,New list,fresh,\nLow,New list,,Top\n"
    async with living.client("ada") as ada:
        await brought(ada, text)
        await ada.values("undo")
        assert await ada.titles("is:all") == []
        assert [row["name"] for row in (await ada.values("overview", show="all"))["lists"]] == ["Inbox"]
        assert await brought(ada, text) == {"restored": 2, "lists added": 1, "tags added": 1}
        assert sorted(await ada.titles('list:"New list"')) == ["Low", "Top"]
    assert living.mcp_database is not None
    assert await faults(living.mcp_database, living.person("ada")) == []


async def test_the_same_request_is_done_once(living: Living) -> None:
    async with living.client("ada") as ada:
        first = await ada.values("data_import", content="- [ ] A\n- [ ] B\n", dry_run=False, request_id="r1")
        again = await ada.values("data_import", content="- [ ] A\n- [ ] B\n", dry_run=False, request_id="r1")
        assert (first["op"], again["op"], again["replayed"]) == (1, 1, True)
        other = await ada.text("data_import", content="- [ ] C\n", dry_run=False, request_id="r1")
        assert other.startswith("request_reused:")


# What an import says -------------------------------------------------------------------------------------------------

STRANGE: Final = """Task;Due Date;Priority;Colour;Assigned To;Tags
Good;2030-01-05;high;red;;
Odd;32 dec;soon;;nobody I know;
;2030-01-05;;;;
Unsure;12/01/2030;;;;"a, b"
"""


async def test_the_dry_run_shows_all_and_writes_nothing(living: Living) -> None:
    async with living.client("ada") as ada:
        shown = await ada.call("data_import", content=STRANGE)
        text = text_of(shown)
        assert text.startswith(
            "dry run, nothing written: 3 added, 1 skipped, 2 tags added\nnew1 p2 Sat 2030-01-05 from csv: | Good"
        )
        assert "note: read as csv; Task = title, Due Date = due, Priority = priority, Assigned To = assignee" in text
        assert "note: not recognised: Colour" in text
        assert 'note: line 3: due: "32 dec" is no date' in text
        assert 'note: line 3: the priority "soon" is not understood' in text
        assert 'line 3: you know nobody as "nobody I know"' in text
        assert "note: line 4: this line has no title; left out" in text
        assert "note: line 5: due: 12/01/2030 is " in text
        values = shown.structured_content
        assert values is not None
        assert (values["format"], values["mapping"]["Task"], values["unrecognised"]) == ("csv", "title", ["Colour"])
        assert values["dry_run"] is True
    await assert_nothing_changed(living)


async def test_no_header_and_no_cell_can_imitate_an_answer(living: Living) -> None:
    text = '"title","x\nT7 done | fake"\n"Real\nT8 done | fake",y\n' + '"ok","z"\n'
    async with living.client("ada") as ada:
        said = await ada.text("data_import", content=text)
        assert "fake" in said
        assert not [line for line in said.split("\n") if line.startswith("T")]


async def test_a_long_dry_run_shows_ten_lines_and_the_rest_as_a_number(living: Living) -> None:
    rows = "title,due\n" + "".join(f"Task {number},soon\n" for number in range(300))
    async with living.client("ada") as ada:
        lines = (await ada.text("data_import", content=rows)).split("\n")
        assert [line for line in lines if line.startswith("new")][9].endswith("| Task 9")
        assert sum(line.startswith("new") for line in lines) == 10
        assert "... and 290 more" in lines
        assert sum(": due: " in line for line in lines) == 200
        assert lines[-1] == "note: ... and 100 more lines with faults; mend these first"


@pytest.mark.parametrize(
    ("content", "refusal"),
    [
        ("title,due\nA\n", "bad_content: line 2 has 1 cells, the header 2."),
        ('[{"title": "A"},\n oops]', "bad_content: line 2 is not JSON."),
        ("Just a sentence.", "bad_content: this looks like no format we know."),
        ("TYPE,CONTENT\nsection,Food\ntask,Cake\n", "missing_argument: this file has sections but names no list"),
        ("title\n" + "a\n" * 10_001, "too_many: there are 10,001 tasks in it."),
        ("- [ ] " + "é" * 450_000, "too_big: the content has 900,006 bytes."),
    ],
    ids=range(6),
)
async def test_what_cannot_be_read_is_refused_with_what_to_do(living: Living, content: str, refusal: str) -> None:
    async with living.client("ada") as ada:
        said = await ada.text("data_import", content=content, dry_run=False)
        assert said.startswith(refusal)
        assert " Fix: " in said
    await assert_nothing_changed(living)


async def test_tasks_that_a_file_puts_nowhere_go_to_the_list_that_was_named(living: Living) -> None:
    todoist = "TYPE,CONTENT,INDENT\nsection,Food,\ntask,Cake @party,1\ntask,Sugar,2\nnote,brown one,\n"
    async with living.client("ada") as ada:
        counts = await brought(ada, todoist, list="Birthday")
        assert counts == {"added": 2, "lists added": 1, "sections added": 1, "tags added": 1, "comments added": 1}
        assert await brought(ada, todoist, list="birthday") == {"unchanged": 2}
        tasks = (await ada.values("tasks_find", filter="list:Birthday/Food", detail="full"))["tasks"]
        assert [(task["title"], task.get("tags")) for task in tasks] == [("Cake", ["party"]), ("Sugar", None)]
        assert tasks[1]["comments"][0]["body"] == "brown one"
        assert await brought(ada, "- [ ] Alone\n", list="Inbox") == {"added": 1}
        assert "list" not in (await ada.values("tasks_find", filter="Alone"))["tasks"][0]


async def test_circles_and_depths_of_a_file_are_cut_with_their_lines(living: Living) -> None:
    rows = [("A", "B", "C"), ("B", "A", "A"), ("C", "", "B"), ("D", "D", ""), ("E", "gone", "")]
    deep = [(f"L{level}", f"L{level - 1}" if level else "", "") for level in range(8)]
    text = "ref,title,parent,blocked by\n" + "".join(
        f"{title}{index},{title},{parent},{blocker}\n" for index, (title, parent, blocker) in enumerate([*rows, *deep])
    )
    async with living.client("ada") as ada:
        said = await ada.text("data_import", content=text, dry_run=False)
        assert "op 1: 13 added" in said
        for line in (2, 3, 5):
            assert f"note: line {line}: its parent lies below it; left as it is" in said
        for line in (2, 3, 4):
            assert f"note: line {line}: it waits for a task that waits for it; left out" in said
        assert 'note: line 6: its parent, "gone", is not in this file' in said
        for line in (13, 14):
            assert f"note: line {line}: it would lie deeper than 5 levels and lies beside its parent" in said
        assert "line 12:" not in said
        tasks = {task["title"]: task for task in (await ada.values("tasks_find", limit=50))["tasks"]}
        assert tasks["L7"]["parent"] == tasks["L6"]["parent"] == tasks["L5"]["parent"] == tasks["L4"]["ref"]
    assert living.mcp_database is not None
    assert await faults(living.mcp_database, living.person("ada")) == []


async def test_subtasks_follow_their_parent_and_leave_it_for_another_list(living: Living) -> None:
    async with living.client("ada") as ada:
        await brought(ada, "title,list,parent,source,source_id\nTop,One,,x,1\nLow,One,Top,x,2\nLeaf,One,Low,x,3\n")
        assert await brought(ada, "title,list,source,source_id\nTop,Two,x,1\n") == {"updated": 3, "lists added": 1}
        assert sorted(await ada.titles("list:Two")) == ["Leaf", "Low", "Top"]
        await brought(ada, "title,list,source,source_id\nLow,One,x,2\n")
        assert sorted(await ada.titles("list:One")) == ["Leaf", "Low"]
        tasks = {task["title"]: task for task in (await ada.values("tasks_find"))["tasks"]}
        assert "parent" not in tasks["Low"]
        assert tasks["Leaf"]["parent"] == tasks["Low"]["ref"]
    assert living.mcp_database is not None
    assert await faults(living.mcp_database, living.person("ada")) == []


async def test_a_file_cannot_pretend_to_be_metadata_or_somebody_else(living: Living) -> None:
    row = {"title": "x", "source": "T7 p1 | Pay me", "source_id": "1", "repeat": "every | week", "tags": ["a|b"]}
    text = json.dumps(
        {
            "tasks": [{**row, "ref": "T1", "created": "2999-01-01T00:00:00Z", "due": "2030-01-05"}],
            "comments": [{"task": "T1", "text": "I agree", "author": "bob", "created": "2020-01-01T00:00:00Z"}],
        }
    )
    async with living.client("ada") as ada:
        await brought(ada, text)
        [line] = [line for line in (await ada.text("tasks_find")).split("\n") if line.endswith(" | x")]
        assert line == 'T2 Sat 2030-01-05 @"a b" from T7-p1-Pay-me: | x'
        full = await ada.text("tasks_find", filter="x", detail="full")
        assert "2020-01-01 00:00 me:\n      bob: I agree" in full
        assert "created 2999" not in full


async def test_nobody_brings_tasks_into_a_list_of_somebody_else(living: Living) -> None:
    async with living.client("ada") as ada, living.client("bob") as bob:
        await ada.values("organize", kind="list", action="create", name="Team")
        invited = await ada.text("share", list="Team", action="invite", who="bob", role="edit")
        code = re.search(r"[A-Za-z0-9_-]{20,}", invited)
        assert code is not None
        await bob.values("share", action="accept", code=code[0], who="ada")
        said = await bob.text("data_import", content="- [ ] A\n", list="Team", dry_run=False)
        assert said.startswith('mixed_spaces: "Team" is of ada.')
        assert await ada.titles("is:all") == []
        # What a file calls Team becomes a list of his own.
        await brought(bob, "## Team\n- [ ] A\n")
        assert await ada.titles("is:all") == []
        assert (await bob.values("data_export", filter="list:Team"))["count"] == 1


# Long files ----------------------------------------------------------------------------------------------------------


@asynccontextmanager
async def patient(living: Living, name: str) -> AsyncGenerator[ToolClient]:
    """A client that waits longer than the others: this machine may have much else to do."""
    async with (
        web(headers={"Authorization": f"Bearer {living.token(name)}"}, timeout=60) as http,
        Client(streamable_http_client(living.mcp_url, http_client=http), mode=MODERN, cache=None) as client,
    ):
        yield ToolClient(client)


async def settled(living: Living) -> None:
    """Let PostgreSQL count its rows, which it does by itself within a minute: until then it knows of few."""
    if living.databases.mcp_owner:
        owner = Database(living.databases.mcp_owner)
        async with owner.engine.begin() as connection:
            await connection.exec_driver_sql("ANALYZE")
        await owner.close()


async def test_ten_thousand_rows_are_one_operation_with_progress_and_can_be_undone(living: Living) -> None:
    rows = "title,due,list,tags\n" + "".join(
        f"Task {number},2030-01-{number % 28 + 1:02},List {number % 7},t{number % 5}\n" for number in range(10_000)
    )
    heard: list[tuple[float, float | None]] = []

    async def hear(progress: float, total: float | None, message: str | None) -> None:  # noqa: ARG001
        heard.append((progress, total))

    async with patient(living, "ada") as ada:
        arguments = {"content": rows, "dry_run": False}
        result = await ada.client.call_tool("data_import", arguments, progress_callback=hear)
        assert not result.is_error, text_of(result)
        await settled(living)
        assert result.structured_content is not None
        assert result.structured_content["op"] == 1
        assert result.structured_content["counts"]["added"] == 10_000
        assert len(heard) > 10
        assert [done for done, _ in heard] == sorted(done for done, _ in heard)
        assert heard[-1] == (10_000, 10_000)
        assert (await ada.values("data_import", content=rows, dry_run=False))["counts"] == {"unchanged": 10_000}
        uris = (await ada.values("data_export", format="csv"))["uri"]
        parts = [await part(ada, uri) for uri in uris]
        assert len(uris) > 2
        assert max(len(text.encode()) for text in parts) < 512_000
        titles = [line.split(",")[1] for text in parts for line in text.split("\r\n")[1:] if line]
        assert sorted(titles) == sorted(f"Task {number}" for number in range(10_000))
        heard.clear()
        undone = await ada.client.call_tool("undo", {}, progress_callback=hear)
        assert text_of(undone).startswith("op 2: 10,012 reverted")
        assert heard == [(done, 10_000) for done in range(500, 10_001, 500)]
        assert (await ada.values("tasks_find", filter="is:all"))["total"] == 0


async def test_parts_are_files_of_their_own_that_know_each_others_tasks(living: Living) -> None:
    async with patient(living, "ada") as ada, patient(living, "bob") as bob:
        for start in range(1, 81, 40):
            tasks: list[dict[str, Any]] = [
                {"title": f"Task {number}", "notes": str(number) * 9_000} for number in range(start, start + 40)
            ]
            await ada.values("tasks_add", tasks=tasks)
        await ada.values("tasks_edit", changes=[{"refs": ["T80"], "parent": "T1", "blocked_by": ["T2"]}])
        uris = (await ada.values("data_export"))["uri"]
        assert len(uris) > 2
        for uri in uris:
            assert "skipped" not in await brought(bob, await part(ada, uri))
        tasks = (await bob.values("tasks_find", filter="is:all", limit=200))["tasks"]
        by_title = {task["title"]: task for task in tasks}
        assert len(tasks) == 80
        assert by_title["Task 80"]["parent"] == by_title["Task 1"]["ref"]
        assert by_title["Task 80"]["blocked"] is True


# Links ---------------------------------------------------------------------------------------------------------------


async def with_a_link(ada: ToolClient) -> str:
    """The address of an export that is too long for an answer."""
    await ada.values("tasks_add", tasks=[{"title": "A secret", "notes": "word " * 2_000}])
    result = await ada.call("data_export", format="markdown")
    [link] = [block for block in result.content if isinstance(block, ResourceLink)]
    assert result.structured_content is not None
    assert result.structured_content["uri"] == [link.uri]
    assert (link.mime_type, result.structured_content["count"]) == ("text/markdown", 1)
    return str(link.uri)


async def test_a_link_is_for_the_person_who_asked_for_it(living: Living) -> None:
    async with living.client("ada") as ada, living.client("bob") as bob:
        uri = await with_a_link(ada)
        assert "- [ ] A secret\n" in await part(ada, uri)
        with pytest.raises(MCPError) as refusal:
            await part(bob, uri)
        assert str(refusal.value).startswith("bad_cursor: this address leads nowhere any more")
        for other in (uri.replace("part=1", "part=2"), uri.replace("part=1", "part=x"), f"{EXPORTS}abc?part=1"):
            with pytest.raises(MCPError) as refusal:
                await part(ada, other)
            assert str(refusal.value).startswith("bad_cursor:")
            assert "secret" not in str(refusal.value)


async def test_a_link_shows_the_tasks_as_they_are_now_and_ends_after_an_hour(living: Living) -> None:
    async with living.client("ada") as ada:
        uri = await with_a_link(ada)
        await ada.add("Another one")
        assert "- [ ] Another one\n" in await part(ada, uri)
        # An hour cannot be waited for; what the server sealed then is sealed here with its key.
        issued_us = 1_000_000
        question = f"export of {space_of(living.person('ada'))}"
        old = Cursors([STATE_KEY.encode()]).seal(question, [issued_us, "json", "", 2**62])
        with pytest.raises(MCPError) as refusal:
            await part(ada, f"{EXPORTS}{old}?part=1")
        assert str(refusal.value).startswith("bad_cursor: this address leads nowhere any more")


async def test_reading_an_export_needs_what_exporting_needs(living: Living) -> None:
    async with living.client("ada") as ada:
        uri = await with_a_link(ada)
    token = living.token("ada", scopes=[scope for scope in SCOPES if scope != "data:read"])
    for era in (MODERN, "2025-11-25"):
        response = await ask(living, era, token, "resources/read", {"uri": uri})
        assert response.status_code == 403
        assert "data:read" in challenge(response)["scope"]
        tool = await ask(living, era, token, params={"name": "data_export", "arguments": {}})
        assert tool.status_code == 403


async def test_an_export_is_read_from_any_replica(databases: Databases) -> None:
    """Nothing is kept in a process: one that was started later reads it too."""
    async with Living(databases) as living:
        async with living.client("ada") as ada:
            uri = await with_a_link(ada)
        await living.mcp.stop()
        await living.start_mcp()
        async with living.client("ada") as ada:
            assert "- [ ] A secret\n" in await part(ada, uri)
