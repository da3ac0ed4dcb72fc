"""Every operation of ChatKit over HTTP: what it does for whom it may, and what nobody gets out of it otherwise."""

import asyncio
from typing import Any, Final

import pytest

from shared.asgi import Drain
from tests.asking_server import AskingServer
from tests.gateway.cards import actions_of
from tests.gateway.operations.behind import Behind, behind
from tests.gateway.operations.refusals import CANARY, alike, assert_refused
from tests.gateway.operations.table import (
    ADD,
    NAMING,
    OPERATIONS,
    STREAMS,
    UNKNOWN,
    a_button,
    a_form,
    begun,
    kinds_of_requests,
    send,
    visible,
    without,
)
from tests.living import Databases, Living, Said
from tests.models import ObedientModel
from tests.web import web

pytestmark = pytest.mark.anyio

# Asked for something that is not there, these have nothing to say rather than to refuse.
EMPTY: Final[dict[str, Any]] = {"threads.delete": {}, "items.list": {"data": [], "has_more": False}}


def test_the_table_holds_every_operation_that_chatkit_knows() -> None:
    assert sorted(OPERATIONS) == kinds_of_requests()


def plain(item: dict[str, Any]) -> dict[str, Any]:
    """An item to compare: what was read back names the defaults of its actions, which was sent without them."""
    if item["type"] != "widget":
        return item
    actions = [(action["type"], action["payload"]) for action in actions_of(item["widget"])]
    return {**item, "widget": actions}


# What each does


@pytest.mark.parametrize("kind", STREAMS)
async def test_a_stream_shows_what_is_stored_and_nothing_else(place: Living, inside: Behind, kind: str) -> None:
    operation = OPERATIONS[kind]
    async with place.chat("ada") as ada:
        params = await operation.ready(ada)
        before = {item["id"] for item in await visible(ada, params["thread_id"])} if "thread_id" in params else set()
        response = await send(ada, kind, params)
        assert response.status_code == 200, response.text
        assert response.headers["content-type"].startswith("text/event-stream")
        assert "no-store" in response.headers["cache-control"]
        assert response.headers["x-accel-buffering"] == "no"
        said = Said.read(response.text)
        assert not said.of("error")
        assert [event["type"] for event in said.events].count("stream_options") == 1
        thread_id = params.get("thread_id") or said.thread_id
        told = [event for event in said.events if event["type"] in {"thread.item.done", "thread.item.replaced"}]
        assert tuple(event["item"]["type"] for event in told) == operation.shows
        stored = await visible(ada, thread_id)
        assert tuple(item["type"] for item in stored) == operation.leaves
        # What was told is what is there, and everything new was told.
        last_told = {event["item"]["id"]: event["item"] for event in told}
        assert [plain(item) for item in stored if item["id"] in last_told] == [
            plain(last_told[item["id"]]) for item in stored if item["id"] in last_told
        ]
        assert {item["id"] for item in stored} - before <= set(last_told)
        assert await inside.count("ada", "chat_turns") == 0


async def test_what_a_stream_sends_is_events_as_chatkit_knows_them(place: Living) -> None:
    async with place.chat("ada") as ada:
        response = await ada.post("threads.create", input=(await OPERATIONS["threads.create"].ready(ada))["input"])
        assert response.text.endswith("\n\n")
        assert all(line.startswith("data: {") for line in response.text.splitlines() if line)


async def test_a_button_that_does_not_stream_answers_with_the_card_as_it_is_then(place: Living) -> None:
    async with place.chat("ada") as ada, place.client("ada") as client:
        params = await a_button(ada)
        assert await client.titles() == ["Water the plants"]
        done = await ada.reply("threads.sync_custom_action", **params)
        assert await client.titles() == []
        [card] = [item for item in await visible(ada, params["thread_id"]) if item["id"] == params["item_id"]]
        assert plain(done["updated_item"]) == plain(card)


async def test_a_thread_comes_with_its_items_and_without_what_only_we_need(place: Living) -> None:
    async with place.chat("ada") as ada:
        said = await begun(ada, ADD)
        thread = await ada.reply("threads.get_by_id", thread_id=said.thread_id)
        assert set(thread) == {"id", "created_at", "title", "status", "items", "allowed_image_domains", "metadata"}
        assert thread["metadata"] == {}
        assert thread["items"]["data"] == await visible(ada, said.thread_id)
        [listed] = (await ada.reply("threads.list"))["data"]
        assert {**listed, "items": None} == {**thread, "items": None}
        assert listed["items"]["data"] == []


async def test_a_new_title_is_answered_with_the_thread_that_has_it(place: Living) -> None:
    async with place.chat("ada") as ada:
        said = await begun(ada)
        renamed = await ada.reply("threads.update", thread_id=said.thread_id, title=" My \n own  title ")
        assert renamed["title"] == "My own title"
        assert (await ada.reply("threads.list"))["data"] == [renamed]


async def test_what_is_deleted_leaves_a_stone_without_a_word(place: Living, inside: Behind) -> None:
    async with place.chat("ada") as ada:
        params = await OPERATIONS["items.feedback"].ready(ada)
        assert (await send(ada, "items.feedback", params)).json() == {}
        await a_form(ada)
        await begun(ada, f"{CANARY} call me")
        for thread in (await ada.reply("threads.list"))["data"]:
            for _ in range(2):
                assert await ada.reply("threads.delete", thread_id=thread["id"]) == {}
            gone = await send(ada, "threads.get_by_id", {"thread_id": thread["id"]})
            assert alike(gone, await send(ada, "threads.get_by_id", {"thread_id": UNKNOWN}))
        rows = await inside.rows("ada")
        stones = rows.pop("chat_threads")
        assert len(stones) == 3
        assert CANARY not in str(stones)
        assert not any(rows.values())
        assert (await ada.reply("threads.list"))["data"] == []


@pytest.mark.parametrize("kind", [kind for kind, operation in OPERATIONS.items() if operation.is_off])
async def test_what_is_switched_off_says_so_and_keeps_nothing(place: Living, inside: Behind, kind: str) -> None:
    async with place.chat("ada") as ada:
        refused = await send(ada, kind, await OPERATIONS[kind].ready(ada))
        assert_refused(refused, 501, "disabled")
    assert not any((await inside.rows("ada")).values())


# What is not there, and what is somebody else's


@pytest.mark.parametrize("kind", NAMING)
async def test_what_is_unknown_is_not_found_and_changes_nothing(place: Living, inside: Behind, kind: str) -> None:
    async with place.chat("ada") as ada:
        params = await OPERATIONS[kind].ready(ada)
        before = await inside.rows("ada")
        for name in OPERATIONS[kind].ids:
            for unknown in (UNKNOWN, "", "x" * 65, "thr_\0", "' OR 1=1 --", "日本", "../..", "null"):
                answer = await send(ada, kind, without(params, name, unknown))
                if kind in EMPTY:
                    assert answer.json() == EMPTY[kind]
                else:
                    assert_refused(answer, 404, "not_found")
        assert await inside.rows("ada") == before
        assert (await send(ada, kind, params)).status_code == 200


@pytest.mark.parametrize("kind", NAMING)
async def test_bob_learns_nothing_of_adas_and_changes_nothing(place: Living, inside: Behind, kind: str) -> None:
    operation = OPERATIONS[kind]
    async with place.chat("ada") as ada, place.chat("bob") as bob, place.client("ada") as tasks:
        params = await operation.ready(ada)
        own = await operation.ready(bob)
        before, his, titles = await inside.rows("ada"), await inside.rows("bob"), await tasks.titles()
        unknown = {**params, **{name: without(params, name, UNKNOWN)[name] for name in operation.ids}}
        stolen = await send(bob, kind, params)
        assert alike(stolen, await send(bob, kind, unknown))
        if kind not in EMPTY:
            assert_refused(stolen, 404, "not_found")
        # One id of hers among his own is no better.
        if len(operation.ids) > 1:
            for name in operation.ids:
                mixed = await send(bob, kind, {**own, name: params[name]})
                assert_refused(mixed, 404, "not_found")
                assert alike(mixed, await send(bob, kind, without(own, name, UNKNOWN)))
        assert await inside.rows("ada") == before
        assert await inside.rows("bob") == his
        assert await tasks.titles() == titles
        assert (await send(ada, kind, params)).status_code == 200


# Who may not


@pytest.mark.parametrize("kind", OPERATIONS)
async def test_without_a_token_that_holds_nothing_is_told_or_stored(place: Living, inside: Behind, kind: str) -> None:
    async with place.chat("ada") as ada:
        params = await OPERATIONS[kind].ready(ada)
    before = await inside.rows("ada")
    asked = {"type": kind, "params": params}
    for token in ("", place.token("ada", place.gateway_url, lifetime_s=-60), place.token("ada"), "garbage"):
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        async with web(base_url=place.gateway_url, headers=headers) as http:
            refused = await http.post("/chatkit", json=asked)
        assert_refused(refused, 401, "sign_in")
        assert refused.headers["www-authenticate"].startswith("Bearer")
    assert await inside.rows("ada") == before


# A service that is about to end


class InNotice(Drain):
    """A wish to stop while the process still listens: load balancers need a moment to hear of it."""

    def __init__(self) -> None:
        super().__init__()
        self.over = asyncio.Event()

    async def wait(self) -> None:
        await self.over.wait()


async def test_a_service_that_is_about_to_end_begins_no_answer_and_still_answers_the_rest(
    databases: Databases,
) -> None:
    living = Living(databases, model=ObedientModel(), offer=AskingServer().offer())
    notice = living.gateway.drain = InNotice()
    async with living, behind(living) as inside, living.chat("ada") as ada:
        try:
            ready = {kind: await operation.ready(ada) for kind, operation in OPERATIONS.items()}
            before = await inside.rows("ada")
            notice.begin()
            for kind in STREAMS:
                refused = await send(ada, kind, ready[kind])
                assert_refused(refused, 503, "unavailable")
                assert int(refused.headers["retry-after"]) >= 1
            assert await inside.rows("ada") == before
            for kind, operation in OPERATIONS.items():
                if not operation.streams and not operation.is_off:
                    assert (await send(ada, kind, ready[kind])).status_code == 200, kind
        finally:
            notice.over.set()
