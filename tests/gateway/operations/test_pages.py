"""Lists in pages: every visible thing exactly once, in both orders, whatever is asked for as limit or cursor."""

from datetime import UTC, datetime, timedelta
from typing import Any, Final

import pytest
from chatkit.types import ThreadMetadata

from tests.gateway.operations.behind import Behind
from tests.gateway.operations.refusals import alike, assert_refused
from tests.gateway.operations.table import UNKNOWN, begun, send, visible
from tests.gateway.store.conversations import EVERY_KIND, hidden, item
from tests.living import ChatClient, Living

pytestmark = pytest.mark.anyio

NOON: Final = datetime(2026, 3, 1, 12, tzinfo=UTC)
# What comes for what is asked, where there is enough of it.
PAGES: Final[dict[Any, int]] = {
    None: 20,
    0: 20,
    1: 1,
    7: 7,
    100: 100,
    101: 100,
    9_999: 100,
    2**63: 100,
    10**400: 100,
    -1: 1,
    -5: 1,
    -(2**63) - 1: 1,
}
FEW: Final = [limit for limit in PAGES if PAGES[limit] == 1]


async def a_long_thread(inside: Behind, thread_id: str = "thr_long", name: str = "ada") -> list[str]:
    """A conversation of 130 items in pairs of the same time, each between hidden ones; the ids of the visible ones."""
    turn = inside.turn(name)
    await inside.store.save_thread(thread=ThreadMetadata(id=thread_id, created_at=NOON), context=turn)
    seen: list[str] = []
    for number in range(130):
        at = NOON + timedelta(seconds=number // 2)
        for kind, key in (("hidden_context_item", f"a{number}"), ("sdk_hidden_context", f"b{number}")):
            secret = hidden(key, at=at, kind=kind).model_copy(update={"thread_id": thread_id})
            await inside.store.add_thread_item(thread_id, secret, turn)
        shown = item(f"msg_{number * 7919 % 1000:03}", at=at, thread=thread_id)
        await inside.store.add_thread_item(thread_id, shown, turn)
        seen.append(shown.id)
    return seen


async def walked(chat: ChatClient, kind: str, params: dict[str, Any], size: int) -> list[str]:
    """The ids of all pages, as a client reads them, each of the expected size but the last."""
    found: list[str] = []
    after: str | None = None
    while True:
        page = (await send(chat, kind, {**params, "after": after})).json()
        ids = [row["id"] for row in page["data"]]
        found += ids
        if not page["has_more"]:
            assert "after" not in page
            assert len(ids) <= size
            return found
        assert len(ids) == size
        assert page["after"] == ids[-1]
        after = page["after"]


@pytest.mark.parametrize("order", ["asc", "desc"])
async def test_every_visible_item_is_listed_once_in_both_orders(place: Living, inside: Behind, order: str) -> None:
    seen = await a_long_thread(inside)
    expected = seen if order == "asc" else seen[::-1]
    async with place.chat("ada") as ada:
        for limit in PAGES:
            if limit in FEW and limit != 1:
                continue
            params = {"thread_id": "thr_long", "order": order, "limit": limit}
            assert await walked(ada, "items.list", params, PAGES[limit]) == expected, limit


async def test_the_newest_come_first_where_no_order_is_asked(place: Living, inside: Behind) -> None:
    seen = await a_long_thread(inside)
    async with place.chat("ada") as ada:
        page = (await send(ada, "items.list", {"thread_id": "thr_long"})).json()
        assert [row["id"] for row in page["data"]] == seen[:-21:-1]
        refused = await send(ada, "items.list", {"thread_id": "thr_long", "order": "random"})
        assert_refused(refused, 400, "bad_request")
        newest = (await begun(ada)).thread_id
        assert [row["id"] for row in (await send(ada, "threads.list", {})).json()["data"]] == [newest, "thr_long"]


@pytest.mark.parametrize("limit", FEW)
async def test_a_limit_that_is_none_gives_one(place: Living, inside: Behind, limit: int) -> None:
    seen = await a_long_thread(inside)
    async with place.chat("ada") as ada:
        page = (await send(ada, "items.list", {"thread_id": "thr_long", "limit": limit, "order": "asc"})).json()
        assert ([row["id"] for row in page["data"]], page["has_more"], page["after"]) == (seen[:1], True, seen[0])
        threads = (await send(ada, "threads.list", {"limit": limit})).json()
        assert [row["id"] for row in threads["data"]] == ["thr_long"]


async def test_a_thread_brings_its_first_items_and_the_list_goes_on_behind_them(place: Living, inside: Behind) -> None:
    seen = await a_long_thread(inside)
    async with place.chat("ada") as ada:
        thread = await ada.reply("threads.get_by_id", thread_id="thr_long")
        page = thread["items"]
        assert [row["id"] for row in page["data"]] == seen[:20]
        assert (page["has_more"], page["after"]) == (True, seen[19])
        rest = {"thread_id": "thr_long", "order": "asc", "limit": 100, "after": page["after"]}
        more = (await send(ada, "items.list", rest)).json()
        assert [row["id"] for row in more["data"]] == seen[20:120]


@pytest.mark.parametrize("order", ["asc", "desc"])
async def test_every_thread_is_listed_once_in_both_orders(place: Living, inside: Behind, order: str) -> None:
    ada_s, bob_s = inside.turn("ada"), inside.turn("bob")
    for number in range(45):
        made = ThreadMetadata(id=f"thr_{number * 7919 % 1000:03}", created_at=NOON)
        await inside.store.save_thread(thread=made, context=ada_s)
        await inside.store.save_thread(thread=made.model_copy(update={"id": f"thr_b{number}"}), context=bob_s)
    expected = [f"thr_{number * 7919 % 1000:03}" for number in range(45)]
    async with place.chat("ada") as ada:
        for limit in (None, 1, 7, 100, 9_999):
            found = await walked(ada, "threads.list", {"order": order, "limit": limit}, PAGES[limit] if limit else 20)
            assert found == (expected if order == "asc" else expected[::-1])


async def test_hidden_items_are_never_sent_and_every_other_kind_is(place: Living, inside: Behind) -> None:
    turn = inside.turn("ada")
    await inside.store.save_thread(thread=ThreadMetadata(id="thr_1", created_at=NOON), context=turn)
    for each in EVERY_KIND:
        await inside.store.add_thread_item("thr_1", each, turn)
    shown = [each.type for each in EVERY_KIND if "hidden" not in each.type]
    async with place.chat("ada") as ada:
        assert [row["type"] for row in await visible(ada, "thr_1")] == shown
        thread = await ada.reply("threads.get_by_id", thread_id="thr_1")
        assert [row["type"] for row in thread["items"]["data"]] == shown
        [listed] = (await ada.reply("threads.list"))["data"]
        assert listed["items"] == {"data": [], "has_more": False}


async def test_an_unknown_place_in_a_list_is_refused_and_somebody_elses_is_as_unknown(
    place: Living, inside: Behind
) -> None:
    seen, his = await a_long_thread(inside), await a_long_thread(inside, "thr_bob", "bob")
    async with place.chat("ada") as ada, place.chat("bob") as bob:
        other = await begun(ada)
        gone = (await visible(ada, other.thread_id))[1]["id"]
        question = (await visible(ada, other.thread_id))[0]["id"]
        retried = await send(ada, "threads.retry_after_item", {"thread_id": other.thread_id, "item_id": question})
        assert retried.status_code == 200
        await ada.reply("threads.delete", thread_id=(deleted := (await begun(ada)).thread_id))

        async def listed(chat: ChatClient, thread_id: str, after: str) -> Any:
            return await send(chat, "items.list", {"thread_id": thread_id, "after": after})

        for after in ("", UNKNOWN, "\0", "x" * 300, question, other.thread_id):
            assert_refused(await listed(ada, "thr_long", after), 404, "not_found")
        for after in (gone, seen[0]):
            assert_refused(await listed(ada, other.thread_id, after), 404, "not_found")
        assert alike(await listed(bob, "thr_long", seen[0]), await listed(bob, UNKNOWN, UNKNOWN))
        assert alike(await listed(bob, "thr_bob", question), await listed(bob, "thr_bob", UNKNOWN))
        assert (await listed(bob, "thr_bob", his[0])).status_code == 200
        for after in ("", UNKNOWN, "\0", deleted, "thr_bob", seen[0]):
            assert_refused(await send(ada, "threads.list", {"after": after}), 404, "not_found")
