"""Mentions: what people find behind the @, what they see of it, and that it is only ever their own."""

from typing import Any
from urllib.parse import quote

import pytest
from chatkit.types import EntitySource
from chatkit.widgets import DynamicWidgetRoot
from hypothesis import given
from hypothesis import strategies as st

from gateway.entities import _words
from tests.living import Databases, Living
from tests.web import web

pytestmark = pytest.mark.anyio


async def search(living: Living, query: str, name: str = "ada", language: str = "en", token: str = "") -> Any:
    """What comes up behind the @."""
    async with living.chat(name, token=token) as chat:
        return await chat.http.get("/api/entities", params={"q": query}, headers={"Accept-Language": language})


async def found(living: Living, query: str, name: str = "ada", token: str = "") -> list[str]:
    answer = await search(living, query, name, token=token)
    assert answer.status_code == 200, answer.text
    return [entity["id"] for entity in answer.json()["entities"]]


async def preview(living: Living, entity_id: str, name: str = "ada", language: str = "en") -> list[str] | None:
    """The lines of the small card; None where there is nothing to be seen."""
    async with living.chat(name) as chat:
        path = f"/api/entities/{quote(entity_id, safe='')}"
        answer = await chat.http.get(path, headers={"Accept-Language": language})
    if answer.status_code == 404:
        return None
    widget = answer.json()["preview"]
    DynamicWidgetRoot.model_validate(widget)
    assert {child["type"] for child in widget["children"]} == {"Text"}
    return [child["value"] for child in widget["children"]]


async def test_tasks_are_found_by_the_beginnings_of_their_words(living: Living) -> None:
    async with living.client("ada") as ada:
        await ada.add("Buy milk", "Call the dentist", "Milk the cows")
    assert await found(living, "mil") == ["T3", "T1"]
    assert await found(living, "den cal") == ["T2"]
    assert await found(living, "entist") == []


async def test_nothing_typed_shows_what_is_due_first(living: Living) -> None:
    async with living.client("ada") as ada:
        await ada.add("Some day")
        await ada.values("tasks_add", tasks=[{"title": "Pay the rent", "due": "today"}])
    assert await found(living, "") == ["list:Inbox", "T2", "T1"]


async def test_a_number_finds_its_task_even_when_it_is_done_but_not_in_the_trash(living: Living) -> None:
    async with living.client("ada") as ada:
        await ada.add("Buy milk", "Order 1 pizza")
        await ada.values("tasks_complete", refs=["T1"])
        assert await found(living, "t1") == ["T1"]
        assert await found(living, "1") == ["T1", "T2"]
        await ada.values("tasks_delete", refs=["T1"])
    assert await found(living, "#1") == []


async def test_lists_are_found_by_name_without_regard_to_case_and_accents(living: Living) -> None:
    async with living.client("ada") as ada:
        await ada.values("organize", kind="list", action="create", name="Große Küche")
        await ada.values("organize", kind="list", action="create", name="Old kitchen")
        await ada.values("organize", kind="list", action="archive", name="Old kitchen")
        await ada.values("tasks_add", tasks=[{"title": "Tiles", "list": "Große Küche"}])
    assert await found(living, "kuc") == ["list:Große Küche"]
    assert await found(living, "kitchen") == []
    assert await preview(living, "list:Große Küche") == ["Große Küche", "1 open task"]


async def test_at_most_ten_rows_come_and_each_has_the_shape_that_chatkit_wants(living: Living) -> None:
    async with living.client("ada") as ada:
        await ada.add(*(f"Task number {number} {'x' * 300}" for number in range(20)))
        await ada.values("organize", kind="list", action="create", name="Tasks of the house")
    rows = (await search(living, "task", language="de-AT,de;q=0.9,en;q=0.5")).json()["entities"]
    assert [row["group"] for row in rows] == ["Listen", *["Aufgaben"] * 9]
    for row in rows:
        assert {"id", "title"} <= row.keys() <= {"id", "title", "icon", "interactive", "group", "data"}
        assert len(row["title"]) <= 100
        assert all(isinstance(value, str) for value in row["data"].values())
        EntitySource(id=row["id"], title=row["title"], icon=row["icon"])


HOSTILE = [
    'is:done OR is:open "',
    '"*',
    "list:Nowhere",
    "-milk",
    "(((",
    ") OR (",
    "view:Mine field:x=1",
    "p1",
    "“milk” OR „x‟",
    "milk' OR '1'='1",
    "\x00\u202e",
    "´",
    "%",
    "x" * 10_000,
    "a " * 5_000,
    "🎉",
]


@pytest.mark.parametrize("query", HOSTILE)
async def test_whatever_is_typed_is_only_looked_for(living: Living, query: str) -> None:
    async with living.client("ada") as ada:
        await ada.add("Nothing of that kind", "Done already")
        await ada.values("tasks_complete", refs=["T2"])
        before = await ada.text("overview")
        assert await found(living, query) == []
        assert await ada.text("overview") == before


async def test_operators_in_a_title_are_found_as_text(living: Living) -> None:
    async with living.client("ada") as ada:
        await ada.add("is:done OR p1", "100% sure", "Party 🎉")
    assert await found(living, "is:done or") == ["T1"]
    assert await found(living, "100%") == ["T2"]
    assert await found(living, "🎉") == ["T3"]


@given(st.text())
def test_no_word_can_end_the_quotes_around_it(query: str) -> None:
    for word in _words(query):
        assert not set(word) & set('"“”„‟')
        assert word.encode()


async def test_bob_finds_and_sees_nothing_of_adas(living: Living) -> None:
    async with living.client("ada") as ada:
        await ada.add("A secret")
        await ada.values("organize", kind="list", action="create", name="Secrets")
    assert await found(living, "secret", "bob") == []
    for entity_id in ("T1", "list:Secrets"):
        assert await preview(living, entity_id) is not None
        assert await preview(living, entity_id, "bob") is None


async def test_what_ada_shares_bob_can_mention_under_her_name(living: Living) -> None:
    async with living.client("ada") as ada, living.client("bob") as bob:
        await ada.values("organize", kind="list", action="create", name="Team")
        await ada.values("tasks_add", tasks=[{"title": "Paint the fence", "list": "Team"}])
        invited = await ada.text("share", action="invite", list="Team", who="bob", role="view")
        [code] = [line.removeprefix("code: ") for line in invited.split("\n") if line.startswith("code: ")]
        await bob.values("share", action="accept", code=code, who="ann")
        [ref] = [task["ref"] for task in (await bob.values("tasks_find"))["tasks"]]
    assert await found(living, "fence", "bob") == [ref]
    assert await found(living, "team", "bob") == ["list:ann:Team"]
    for entity_id in (ref, "list:ann:Team"):
        assert await preview(living, entity_id, "bob") is not None


async def test_a_preview_shows_the_task_as_text_and_offers_nothing(living: Living) -> None:
    title = "<b>Buy</b> {{ milk }} " + "y" * 300
    async with living.client("ada") as ada:
        await ada.values("tasks_add", tasks=[{"title": title, "due": "2030-01-31", "priority": "p1", "notes": "oat"}])
    shown = await preview(living, "T1", language="de")
    assert shown == [title, "T1", "offen", "fällig 2030-01-31", "Priorität 1", "oat"]


@pytest.mark.parametrize(
    "entity_id",
    ["T99", "T0", "T01", "t1", "Buy milk", "T1 ", "list:", "list:Nowhere", '"T1', "T" + "1" * 10_000, "\x00"],
)
async def test_what_is_no_entity_of_ours_has_no_preview(living: Living, entity_id: str) -> None:
    async with living.client("ada") as ada:
        await ada.add("Buy milk")
    assert await preview(living, entity_id) is None


async def test_whoever_may_only_look_finds_tasks_and_whoever_may_nothing_is_refused(living: Living) -> None:
    async with living.client("ada") as ada:
        await ada.add("Buy milk")
    reader = living.token("ada", living.gateway_url, ["tasks:read"])
    assert await found(living, "milk", token=reader) == ["T1"]
    stranger = living.token("ada", living.gateway_url, [])
    assert (await search(living, "milk", token=stranger)).status_code == 403


async def test_a_sign_in_that_is_about_to_end_is_said(living: Living) -> None:
    late = living.token("ada", living.gateway_url, lifetime_s=1)
    answer = await search(living, "milk", language="de", token=late)
    assert answer.status_code == 401
    assert answer.json()["message"] == "deine Anmeldung ist abgelaufen"


async def test_a_tool_server_that_is_away_is_said(databases: Databases) -> None:
    async with Living(databases, start_mcp=False) as living:
        answer = await search(living, "milk", language="de")
    assert answer.status_code == 503
    assert answer.json()["message"] == "der Aufgabendienst ist nicht erreichbar"


async def test_what_is_not_there_is_said_in_the_language_of_the_person(living: Living) -> None:
    async with living.chat("ada") as ada:
        unknown = await ada.http.get("/api/entities/T99", headers={"Accept-Language": "de"})
        assert unknown.json()["message"] == "diese Aufgabe oder Liste gibt es nicht"


async def test_nobody_finds_anything_without_a_token(living: Living) -> None:
    async with web(base_url=living.gateway_url) as http:
        assert (await http.get("/api/entities", params={"q": "milk"})).status_code == 401
        assert (await http.get("/api/entities/T1")).status_code == 401
