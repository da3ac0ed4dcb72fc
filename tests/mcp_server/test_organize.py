"""Lists, sections, tags, views and custom fields: making, changing and arranging them, over HTTP on both databases."""

from typing import Any

import pytest

from tests.living import Living
from tests.mcp_server.organizer import KINDS, SAMPLES, organizer

pytestmark = pytest.mark.anyio

# Creating -----------------------------------------------------------------------------------------------------------


async def test_a_new_name_is_answered_with_its_number_and_content(living: Living) -> None:
    async with organizer(living) as ada:
        assert await ada.text("list", "create", "Work", options={"color": "Red", "favorite": True}) == (
            "op 1: 1 created\nL1 list: new; color red; favorite | Work"
        )
        assert await ada.text("section", "create", "Work/Design") == (
            "op 2: 1 created\nL2 section: new; list Work | Work/Design"
        )
        assert await ada.text("tag", "create", "@home") == "op 3: 1 created\nL3 tag: new | home"
        assert await ada.text("view", "create", "Soon", filter="due:<=fri or p1") == (
            'op 4: 1 created\nL4 view: new; filter "due:<=fri OR p1" | Soon'
        )
        values = await ada.do("field", "create", "Stage", options={"type": "choice", "choices": ["low", "high"]})
        assert values["refs"] == ["L5"]
        assert values["changes"] == [
            {
                "ref": "L5",
                "before": None,
                "after": {"kind": "field", "name": "Stage", "choices": ["low", "high"], "type": "choice"},
            }
        ]


@pytest.mark.parametrize("kind", KINDS)
async def test_creating_what_is_there_changes_nothing(living: Living, kind: str) -> None:
    async with organizer(living) as ada:
        await ada.make("list", "Home")
        name, more = SAMPLES[kind]
        await ada.do(kind, "create", name, **more)
        again = await ada.do(kind, "create", name.upper(), **more)
        assert "op" not in again
        assert again["rev"] == 2
        assert again["counts"] == {"unchanged": 1}
        assert again["refs"] == ["L2"]


@pytest.mark.parametrize(
    ("kind", "more"),
    [
        ("list", {"options": {"color": "blue"}}),
        ("view", {"filter": "p1"}),
        ("field", {"options": {"type": "date"}}),
    ],
)
async def test_creating_something_else_under_a_name_that_is_there_is_refused(
    living: Living, kind: str, more: dict[str, Any]
) -> None:
    async with organizer(living) as ada:
        name, first = SAMPLES[kind]
        await ada.do(kind, "create", name, **first)
        assert (await ada.text(kind, "create", name, **more)).startswith(f'name_taken: {kind} "{name}" exists')


async def test_one_name_can_be_a_list_a_tag_a_view_and_a_field_and_a_section_of_each_list(living: Living) -> None:
    async with organizer(living) as ada:
        for kind in ("list", "tag", "view", "field"):
            await ada.do(kind, "create", "Work", **SAMPLES[kind][1])
        await ada.make("list", "Home")
        await ada.make("section", "Work/Work", "Home/Work")
        assert await ada.sections("Work") == await ada.sections("Home") == ["Work"]


@pytest.mark.parametrize(
    ("name", "more", "answer"),
    [
        ("Design", {}, "missing_argument: a section of which list?"),
        ("Inbox/Design", {}, "bad_argument: the Inbox has no sections"),
        ("Design", {"to": "inbox"}, "bad_argument: the Inbox has no sections"),
        ("Wrok/Design", {}, 'unknown_list: no list "Wrok". Closest: "Work"'),
        ("Work/Design", {"to": "Home"}, 'bad_argument: "Work" and "Home" are two lists'),
        ("Old/Design", {}, 'archived: list "Old" is archived'),
        ("Work/A/B", {}, "bad_name: the name of a section cannot hold /"),
        ("Work/", {}, "bad_name: a section needs a name"),
    ],
)
async def test_a_section_needs_a_list_of_its_own(living: Living, name: str, more: dict[str, Any], answer: str) -> None:
    async with organizer(living) as ada:
        await ada.make("list", "Work", "Home", "Old")
        await ada.do("list", "archive", "Old")
        assert (await ada.text("section", "create", name, **more)).startswith(answer)


async def test_a_section_is_made_by_its_path_or_with_its_list(living: Living) -> None:
    async with organizer(living) as ada:
        await ada.make("list", "Work")
        await ada.do("section", "create", "Design", to="work")
        await ada.do("section", "create", "Work/Build")
        await ada.do("section", "create", "Work/Test", to="Work")
        assert await ada.sections("Work") == ["Design", "Build", "Test"]


@pytest.mark.parametrize(
    ("kind", "name", "answer"),
    [
        ("list", "a|b", "bad_name: the name of a list cannot hold |"),
        ("list", 'a"b', 'bad_name: the name of a list cannot hold "'),
        ("list", "a/b", "bad_name: the name of a list cannot hold /"),
        ("tag", "a,b", "bad_name: the name of a tag cannot hold ,"),
        ("list", "x" * 61, "bad_name: the name of a list has 61 characters"),
        ("tag", "@", "bad_name: a tag needs a name"),
        ("list", " inBOX ", "name_taken: Inbox is where tasks without a list lie"),
        ("tag", "None", 'bad_name: in filters "None" says whether there is a tag'),
        ("tag", "any", 'bad_name: in filters "any" says whether there is a tag'),
    ],
)
async def test_a_name_that_could_not_be_used_is_refused(living: Living, kind: str, name: str, answer: str) -> None:
    async with organizer(living) as ada:
        assert (await ada.text(kind, "create", name)).startswith(answer)


# Options ------------------------------------------------------------------------------------------------------------


async def test_options_change_one_by_one_and_an_empty_one_goes(living: Living) -> None:
    async with organizer(living) as ada:
        await ada.make("list", "Work", options={"color": "red", "description": "What pays", "favorite": True})
        assert await ada.text("list", "set", "work", options={"color": "#00FF7f"}) == (
            "op 2: 1 changed\nL1 list: color red -> #00ff7f | Work"
        )
        assert await ada.text("list", "set", "Work", options={"description": "", "favorite": False}) == (
            'op 3: 1 changed\nL1 list: description "What pays" -> none; no longer favorite | Work'
        )
        assert (await ada.text("list", "set", "Work", options={"color": "#00ff7f"})).startswith("nothing to change")
        await ada.make("tag", "soon")
        for empty in ({"color": ""}, {"description": " "}, {"favorite": False}):
            assert (await ada.text("tag", "set", "soon", options=empty)).startswith("nothing to change")


@pytest.mark.parametrize(
    ("kind", "options", "answer"),
    [
        ("list", {"colour": "red"}, 'unknown_argument: a list has no option "colour". Fix: one of color, description'),
        ("field", {"color": "red"}, 'unknown_argument: a field has no option "color". Fix: one of type, choices'),
        ("list", {"color": "ultraviolet"}, 'bad_argument: "ultraviolet" is no color. Fix: #rrggbb, or one of red'),
        ("list", {"color": "#12345"}, 'bad_argument: "#12345" is no color'),
        ("tag", {"favorite": "maybe"}, 'bad_argument: favorite cannot be "maybe". Fix: true or false'),
        ("list", {"description": "x" * 501}, "too_long: the description has 501 characters. Fix: at most 500"),
        ("field", {"type": "money"}, 'bad_argument: no field has the type "money". Fix: one of text, number'),
        ("field", {"type": "choice"}, "missing_argument: a choice needs choices"),
        ("field", {"type": "number", "choices": ["1"]}, "bad_argument: a number field has no choices"),
        ("field", {"type": "choice", "choices": ["a|b"]}, "bad_argument: a choice cannot hold |"),
        ("field", {"type": "choice", "choices": [str(n) for n in range(51)]}, "too_many: 51 choices"),
    ],
)
async def test_an_option_that_is_not_understood_is_refused(
    living: Living, kind: str, options: dict[str, Any], answer: str
) -> None:
    async with organizer(living) as ada:
        assert (await ada.text(kind, "create", "New", options=options)).startswith(answer)
        assert await ada.names(kind) == []


# Renaming -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
async def test_a_name_is_changed_and_the_old_one_is_free(living: Living, kind: str) -> None:
    async with organizer(living) as ada:
        await ada.make("list", "Home")
        name, more = SAMPLES[kind]
        await ada.do(kind, "create", name, **more)
        assert (await ada.text(kind, "rename", name, to="Other")).startswith("op 3: 1 renamed\nL2")
        assert (await ada.text(kind, "rename", name, to="Other")).startswith(f"unknown_{kind}: no {kind}")
        assert (await ada.do(kind, "create", name, **more))["counts"] == {"created": 1}
        other = "Home/Other" if kind == "section" else "Other"
        taken = await ada.text(kind, "rename", other, to=name.rpartition("/")[2].upper())
        assert taken.startswith(f'name_taken: {kind} "{name.rpartition("/")[2]}" exists')


async def test_a_name_may_change_its_case_and_accents_only(living: Living) -> None:
    async with organizer(living) as ada:
        await ada.make("list", "cafe")
        assert "name cafe -> Café" in await ada.text("list", "rename", "cafe", to="Café")
        assert await ada.names("list") == ["Café"]
        assert (await ada.text("list", "rename", "cafe", to="Café")).startswith("nothing to change")


async def test_tasks_keep_their_list_and_tags_when_these_are_renamed(living: Living) -> None:
    async with organizer(living) as ada:
        await ada.make("list", "Work")
        ref = await ada.add("Plan", list="Work", tags=["urgent"])
        await ada.do("list", "rename", "Work", to="Job")
        await ada.do("tag", "rename", "#urgent", to="@soon")
        assert f"{ref} #Job @soon | Plan" in await ada.client.text("tasks_find", filter="list:Job tag:soon")


@pytest.mark.parametrize(
    ("kind", "action", "name", "to"),
    [
        ("list", "rename", "Inbox", "Box"),
        ("list", "delete", "inbox", ""),
        ("list", "merge", "Inbox", "Work"),
        ("list", "archive", "INBOX", ""),
        ("list", "move", "Inbox", "top"),
    ],
)
async def test_the_inbox_stays_as_it_is(living: Living, kind: str, action: str, name: str, to: str) -> None:
    async with organizer(living) as ada:
        await ada.make("list", "Work")
        more = {"to": to} if to else {}
        assert (await ada.text(kind, action, name, **more)).startswith("bad_name: the Inbox is where")
        assert (await ada.text("list", "rename", "Work", to="Inbox")).startswith("name_taken: Inbox")


# Order and place ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["list", "tag", "view", "field"])
async def test_things_are_put_into_the_order_that_is_wished(living: Living, kind: str) -> None:
    async with organizer(living) as ada:
        await ada.do(kind, "create", "A", **SAMPLES[kind][1])
        for to in ("top", "bottom"):
            assert (await ada.text(kind, "move", "A", to=to)).startswith("nothing to change")
        for name in "BCD":
            await ada.do(kind, "create", name, **SAMPLES[kind][1])
        for name, to, order in (
            ("C", "top", "CABD"),
            ("C", "TOP", "CABD"),
            ("D", "after c", "CDAB"),
            ("C", "bottom", "DABC"),
            ("B", "after D", "DBAC"),
            ("D", "after C", "BACD"),
            ("A", "after B", "BACD"),
            ("B", "after A", "ABCD"),
            ("D", "after A", "ADBC"),
            ("A", "bottom", "DBCA"),
            ("A", "after C", "DBCA"),
            ("C", "top", "CDBA"),
            ("A", "top", "ACDB"),
        ):
            await ada.do(kind, "move", name, to=to)
            if kind != "tag":
                assert "".join(await ada.names(kind)) == order, (name, to)
        for name, to in (("A", "top"), ("C", "after A"), ("B", "bottom")):
            assert (await ada.text(kind, "move", name, to=to)).startswith("nothing to change"), (name, to)
        assert (await ada.text(kind, "move", "A", to="after A")).startswith('bad_argument: "A" is not another')
        assert (await ada.text(kind, "move", "A", to="left")).startswith('bad_argument: "left" is no place')
        assert (await ada.text(kind, "move", "A", to="after Z")).startswith(f"unknown_{kind}:")


async def test_sections_are_ordered_within_their_list(living: Living) -> None:
    async with organizer(living) as ada:
        await ada.make("list", "Work", "Home")
        await ada.make("section", "Work/A", "Home/A", "Work/B", "Work/C", "Home/Z")
        await ada.do("section", "move", "Work/C", to="top")
        await ada.do("section", "move", "B", to="after C")
        assert await ada.sections("Work") == ["C", "B", "A"]
        assert await ada.sections("Home") == ["A", "Z"]
        assert (await ada.text("section", "move", "Z", to="after Work/A")).startswith('bad_argument: "Work/A" is not')
        assert (await ada.text("section", "rename", "A", to="X")).startswith(
            'ambiguous_ref: several lists have a section "A". Fix: one of "Work/A", "Home/A"'
        )


async def test_a_section_moves_to_another_list_with_its_tasks(living: Living) -> None:
    async with organizer(living) as ada:
        await ada.make("list", "Work", "Home", "Top")
        await ada.make("section", "Work/Design", "Home/Paint")
        await ada.make("view", "Drafts", filter="list:Work/Design")
        await ada.add("Sketch", list="Work/Design", subtasks=["Sharpen pencils"])
        assert (await ada.text("section", "move", "Work/Design", to="Home")).startswith(
            "op 8: 1 moved\nL4 section: list Work -> Home | Home/Design\nL6 view: filter"
        )
        assert await ada.titles("list:Home") == await ada.titles("view:Drafts") == ["Sharpen pencils", "Sketch"]
        assert await ada.titles("list:Work") == []
        await ada.do("section", "move", "Design", to="Top")
        assert await ada.sections("Top") == ["Design"]
        assert (await ada.text("section", "move", "Design", to="Inbox")).startswith("bad_argument: the Inbox has no")
        await ada.make("section", "Work/Design")
        assert (await ada.text("section", "move", "Top/Design", to="Work")).startswith("name_taken:")


async def test_an_archived_list_takes_nothing_and_is_seen_by_its_name_only(living: Living) -> None:
    async with organizer(living) as ada:
        await ada.make("list", "Old")
        await ada.add("Dusty", list="Old")
        assert (await ada.text("list", "archive", "Old")).startswith("op 3: 1 archived\nL1 list: archived | Old")
        assert (await ada.text("list", "archive", "Old")).startswith("nothing to change")
        assert await ada.titles("") == []
        assert await ada.titles("list:Old") == ["Dusty"]
        refused = await ada.client.text("tasks_add", tasks=[{"title": "New", "list": "Old"}])
        assert 'archived: tasks[0]: list "Old" is archived' in refused
        assert (await ada.text("list", "create", "old")).startswith('archived: list "Old" exists and is archived')
        assert "no longer archived" in await ada.text("list", "unarchive", "Old")
        assert await ada.titles("") == ["Dusty"]


# What is refused ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "action", "more", "answer"),
    [
        ("tag", "archive", {}, "bad_argument: tag and archive do not go together. Fix: name a list"),
        ("view", "merge", {"to": "B"}, "bad_argument: view and merge do not go together"),
        ("field", "unarchive", {}, "bad_argument: field and unarchive do not go together"),
        ("list", "rename", {}, "missing_argument: rename to what? Fix: add to: the new name"),
        ("list", "move", {}, "missing_argument: move to what?"),
        ("tag", "merge", {}, "missing_argument: merge to what?"),
        ("list", "create", {"to": "B"}, "bad_argument: create of a list takes no to"),
        ("tag", "delete", {"to": "B"}, "bad_argument: delete of a tag takes no to. Fix: merge gives its tasks"),
        ("list", "create", {"filter": "p1"}, "bad_argument: a filter is saved with a view"),
        ("view", "rename", {"to": "B", "filter": "p1"}, "bad_argument: a filter is saved with a view"),
        ("list", "rename", {"to": "B", "options": {"color": "red"}}, "bad_argument: rename takes no options"),
        ("view", "create", {}, "missing_argument: a view saves a filter"),
        ("list", "set", {}, "missing_argument: nothing is set. Fix: add options"),
        ("list", "move", {"to": "Work"}, 'bad_argument: "Work" is no place for a list'),
    ],
)
async def test_what_an_action_does_not_take_is_refused(
    living: Living, kind: str, action: str, more: dict[str, Any], answer: str
) -> None:
    async with organizer(living) as ada:
        await ada.make("list", "A", "Work")
        assert (await ada.text(kind, action, "A", **more)).startswith(answer)
        assert (await ada.client.values("overview"))["rev"] == 2


async def test_a_dry_run_says_what_would_be_and_a_retry_is_done_once(living: Living) -> None:
    async with organizer(living) as ada:
        assert await ada.text("list", "create", "Work", dry_run=True, request_id="r") == (
            "dry run, nothing written: 1 created\nnew1 list: new | Work"
        )
        assert await ada.names("list") == []
        await ada.do("list", "create", "Work", request_id="r")
        assert (await ada.do("list", "create", "Work", request_id="r"))["replayed"] is True
        for kind, action, name, more in (
            ("list", "create", "Home", {}),
            ("tag", "create", "Work", {}),
            ("list", "delete", "Work", {}),
            ("list", "create", "Work", {"options": {"color": "red"}}),
            ("list", "create", "Work", {"filter": "p1"}),
            ("list", "create", "Work", {"to": "Home"}),
        ):
            reused = await ada.text(kind, action, name, request_id="r", **more)
            assert reused.startswith("request_reused:"), (kind, action, name, more)
        assert await ada.names("list") == ["Work"]
