"""Saved views that are understood before they are saved, and custom fields whose values change with their type."""

from typing import Any

import pytest

from tests.living import Living
from tests.mcp_server.organizer import organizer

pytestmark = pytest.mark.anyio


# Views --------------------------------------------------------------------------------------------------------------


async def test_views_follow_what_they_name_to_its_new_name(living: Living) -> None:
    async with organizer(living) as ada:
        await ada.make("list", "Work", "Home")
        await ada.make("section", "Work/Design")
        await ada.make("field", "Effort", options={"type": "number"})
        await ada.make("view", "Inner", filter="p1")
        text = "list:Work,Home -list:Work/Design (tag:soon OR field:Effort>=3) -tag:soon* view:Inner soon"
        await ada.make("tag", "soon")
        await ada.make("view", "Outer", filter=text)
        await ada.do("list", "rename", "Work", to="Big Job")
        await ada.do("section", "rename", "Big Job/Design", to="Draft")
        await ada.do("tag", "rename", "soon", to="now")
        await ada.do("field", "rename", "Effort", to="Story Points")
        await ada.do("view", "rename", "Inner", to="Core")
        overview = await ada.client.values("overview", show="all")
        assert {row["name"]: row["filter"] for row in overview["views"]} == {
            "Core": "p1",
            "Outer": 'list:"Big Job",Home -list:"Big Job/Draft" (tag:now OR field:"Story Points">=3) -tag:soon* '
            "view:Core soon",
        }


@pytest.mark.parametrize(
    ("filter", "answer"),
    [
        ("list:Wrok", 'unknown_list: no list "Wrok". Closest: "Work"'),
        ("list:Work/Nothing", 'unknown_section: no section "Nothing"'),
        ("tag:nothing", 'unknown_tag: no tag "nothing"'),
        ("view:Nothing", 'unknown_view: no view "Nothing"'),
        ("view:Mine", 'unknown_view: no view "Mine"'),
        ("field:Nothing=1", 'unknown_field: no field "Nothing"'),
        ("with:nobody", 'unknown_person: you know nobody as "nobody"'),
        ("due:banana", "bad_filter:"),
        ("p1 OR", "bad_filter:"),
    ],
)
async def test_a_view_is_understood_before_it_is_saved(living: Living, filter: str, answer: str) -> None:  # noqa: A002
    async with organizer(living) as ada:
        await ada.make("list", "Work")
        await ada.make("view", "Other", filter="p1")
        assert (await ada.text("view", "create", "Mine", filter=filter)).startswith(answer)
        if filter != "view:Mine":
            assert (await ada.text("view", "set", "Other", filter=filter)).startswith(answer)
        assert await ada.names("view") == ["Other"]


async def test_a_view_cannot_contain_itself_directly_or_through_another(living: Living) -> None:
    async with organizer(living) as ada:
        await ada.make("view", "One", filter="p1")
        await ada.make("view", "Two", filter="view:One p2")
        for filter in ("view:One", "p3 or view:Two"):  # noqa: A001 (the tool's own word)
            assert (await ada.text("view", "set", "One", filter=filter)).startswith("bad_filter:")
        assert await ada.titles("view:Two") == []


async def test_a_view_gets_another_filter(living: Living) -> None:
    async with organizer(living) as ada:
        await ada.make("view", "Mine", filter="p1")
        await ada.add("High", priority="p1")
        await ada.add("Low")
        assert 'filter p1 -> "p1 OR low"' in await ada.text("view", "set", "Mine", filter="p1 | low")
        assert await ada.titles("view:Mine") == ["High", "Low"]


# Custom fields ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("first", "value", "then", "filter"),
    [
        ({"type": "text"}, "12", {"type": "number"}, "field:F>11"),
        ({"type": "number"}, 12.5, {"type": "text"}, "field:F=12.5"),
        ({"type": "text"}, "2027-02-03", {"type": "date"}, "field:F=2027-02-03"),
        ({"type": "text"}, "3 feb 2027", {"type": "date"}, "field:F=2027-02-03"),
        ({"type": "date"}, "2027-02-03", {"type": "text"}, "field:F=2027-02-03"),
        ({"type": "text"}, "YES", {"type": "bool"}, "field:F=yes"),
        ({"type": "bool"}, True, {"type": "text"}, "field:F=yes"),
        ({"type": "text"}, "HIGH", {"type": "choice", "choices": ["low", "high"]}, "field:F=high"),
        ({"type": "choice", "choices": ["low", "high"]}, "low", {"choices": ["Low", "none at all"]}, "field:F=Low"),
        ({"type": "choice", "choices": ["low", "high"]}, "low", {"type": "text"}, "field:F=low"),
        ({"type": "text"}, "https://example.org", {"type": "url"}, 'field:F="https://example.org"'),
    ],
)
async def test_values_are_carried_over_to_another_type(
    living: Living,
    first: dict[str, Any],
    value: Any,
    then: dict[str, Any],
    filter: str,  # noqa: A002 (the tool's own word)
) -> None:
    async with organizer(living) as ada:
        await ada.make("field", "F", options=first)
        await ada.add("With", fields={"F": value})
        await ada.add("Without")
        await ada.do("field", "set", "F", options=then)
        assert await ada.titles(filter) == ["With"]
        assert await ada.titles("field:F=none") == ["Without"]
        [field] = (await ada.client.values("overview"))["fields"]
        assert ("choices" in field) == (field["type"] == "choice")


@pytest.mark.parametrize(
    ("first", "value", "then", "answer"),
    [
        ({}, "many", {"type": "number"}, '"F" of T2 is "many", which is not of the type number'),
        ({}, "fri", {"type": "date"}, '"F" of T2 is "fri", which is not of the type date'),
        ({}, "sometimes", {"type": "bool"}, '"F" of T2 is "sometimes", which is not of the type bool'),
        ({}, "here", {"type": "url"}, '"F" of T2 is "here", which is not of the type url'),
        ({"type": "number"}, 3, {"type": "bool"}, '"F" of T2 is "3", which is not of the type bool'),
        ({}, "mid", {"type": "choice", "choices": ["low"]}, '"F" of T2 is "mid", which is not one of the choices'),
    ],
)
async def test_a_value_that_the_new_type_does_not_take_is_named_and_nothing_changes(
    living: Living, first: dict[str, Any], value: Any, then: dict[str, Any], answer: str
) -> None:
    async with organizer(living) as ada:
        await ada.make("field", "F", options=first)
        await ada.add("Bad", fields={"F": value})
        await ada.add("Good", fields={"F": "yes"} if not first else {"F": 1})
        assert (await ada.text("field", "set", "F", options=then)).startswith(f"bad_argument: {answer}")
        await ada.client.text("tasks_delete", refs=["Bad"])
        assert " in the trash" in await ada.text("field", "set", "F", options=then)
        assert (await ada.client.values("overview"))["rev"] == 4
