"""What ChatKit may rely on when it stores the items of a conversation, on either engine."""

import logging
import re
import time
from collections.abc import Generator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import get_args

import pytest
from chatkit.store import NotFoundError
from chatkit.types import AssistantMessageItem, Page, ThreadItem

from gateway.store import ThreadStore
from gateway.tables import chat_items
from shared.db import Database
from shared.errors import Problem
from tests.gateway.store.conversations import (
    ADA,
    EVERY_KIND,
    NOON,
    fill,
    hidden,
    ids,
    item,
    item_pages,
    overwrite,
    thread,
    workflow,
)


@pytest.fixture
def central_european_time(monkeypatch: pytest.MonkeyPatch) -> Generator[None]:
    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.anyio
async def test_an_item_of_every_kind_comes_back_as_it_was(store: ThreadStore) -> None:
    union = get_args(get_args(ThreadItem)[0])
    assert {type(each) for each in EVERY_KIND} == set(union)
    await fill(store, *EVERY_KIND)

    page = await store.load_thread_items(thread_id="thr_1", after=None, limit=100, order="asc", context=ADA)

    assert page == Page[ThreadItem](data=list(EVERY_KIND))
    assert [each.model_dump_json() for each in page.data] == [each.model_dump_json() for each in EVERY_KIND]
    for each in EVERY_KIND:
        assert await store.load_item(thread_id="thr_1", item_id=each.id, context=ADA) == each


@pytest.mark.anyio
async def test_what_was_returned_or_handed_over_can_be_changed_without_changing_what_is_stored(
    store: ThreadStore,
) -> None:
    given_item, given_thread = item("msg_1"), thread(title="Milk")
    await store.save_thread(thread=given_thread, context=ADA)
    await store.add_thread_item(thread_id="thr_1", item=given_item, context=ADA)
    given_item.content[0].text = given_thread.title = "changed"
    found = await store.load_item(thread_id="thr_1", item_id="msg_1", context=ADA)
    assert isinstance(found, AssistantMessageItem)
    found.content.clear()
    (await store.load_thread(thread_id="thr_1", context=ADA)).metadata["a"] = 1

    assert await store.load_item(thread_id="thr_1", item_id="msg_1", context=ADA) == item("msg_1")
    assert await store.load_thread(thread_id="thr_1", context=ADA) == thread(title="Milk")


@pytest.mark.anyio
@pytest.mark.parametrize("limit", [1, 7, 30, 100])
async def test_items_of_one_instant_keep_their_order_and_appear_once_on_pages_of_any_size(
    store: ThreadStore, limit: int
) -> None:
    # Ids that sort against the order in which they are added; and instants whose ISO text would sort wrongly.
    same = [f"msg_{99 - number}" for number in range(20)]
    later = [(f"after_{number}", NOON + timedelta(microseconds=number)) for number in (1, 2, 10, 1_000_000)]
    earlier = [(f"before_{number}", NOON - timedelta(microseconds=number)) for number in (1, 10, 1_000_000)]
    await fill(store, *(item(key, at=at) for key, at in later), *(item(key) for key in same))
    for key, at in earlier:
        await store.add_thread_item(thread_id="thr_1", item=item(key, at=at), context=ADA)
    expected = ["before_1000000", "before_10", "before_1", *same, "after_1", "after_2", "after_10", "after_1000000"]

    for order, wanted in (("asc", expected), ("desc", expected[::-1])):
        assert await item_pages(store, limit, order) == [wanted[at : at + limit] for at in range(0, 27, limit)]


@pytest.mark.anyio
@pytest.mark.usefixtures("central_european_time")
async def test_a_time_without_a_zone_is_local_and_the_repeated_hour_of_autumn_is_in_order(store: ThreadStore) -> None:
    first = datetime.fromisoformat("2026-10-25T02:40:00")
    second = datetime.fromisoformat("2026-10-25T02:30:00").replace(fold=1)
    await fill(
        store,
        item("four", at=datetime(2026, 10, 25, 1, 31, tzinfo=UTC)),
        item("three", at=second),
        item("two", at=datetime(2026, 10, 25, 0, 41, tzinfo=UTC)),
        item("one", at=first),
    )

    assert await ids(store) == ["one", "two", "three", "four"]


@pytest.mark.anyio
async def test_a_limit_outside_1_to_100_is_brought_back_into_it(store: ThreadStore) -> None:
    await fill(store, *(item(f"msg_{number}") for number in range(101)))

    for limit, size in ((-5, 1), (0, 1), (1, 1), (100, 100), (101, 100), (9999, 100)):
        page = await store.load_thread_items(thread_id="thr_1", after=None, limit=limit, order="desc", context=ADA)
        assert (len(page.data), page.has_more) == (size, True)
        threads = await store.load_threads(limit=limit, after=None, order="desc", context=ADA)
        assert (len(threads.data), threads.has_more, threads.after) == (1, False, None)


@pytest.mark.anyio
async def test_two_thousand_items_are_a_hundred_full_pages_though_hidden_ones_lie_between(
    database: Database, store: ThreadStore
) -> None:
    await fill(store)
    rows = [
        {
            "owner": ADA.caller.key,
            "thread_id": "thr_1",
            "id": each.id,
            "seq": 1,
            "created_us": number // 7,  # seven to an instant, and without distinct numbers, as a race leaves them
            "kind": each.type,
            "data": each.model_dump_json(),
        }
        for number, each in enumerate(
            item(f"msg_{number:04}") if number % 3 else hidden(f"hid_{number:04}") for number in range(3000)
        )
    ]
    # One by one through the store would take most of the time of this file.
    async with database.begin(ADA.caller, write=True) as tx:
        await tx.execute(chat_items.insert(), rows)
    visible = [row["id"] for row in sorted(rows, key=lambda row: (row["created_us"], row["id"])) if row["id"] > "m"]

    for order, wanted in (("asc", visible), ("desc", visible[::-1])):
        found = await item_pages(store, 20, order, replace(ADA, visible_only=True))
        assert [len(page) for page in found] == [20] * 100
        assert [key for page in found for key in page] == wanted


@pytest.mark.anyio
async def test_people_never_see_hidden_items_and_the_model_sees_the_newest_of_all_kinds(store: ThreadStore) -> None:
    person = replace(ADA, visible_only=True)
    await fill(store, item("msg_1"), hidden("hid_1"), hidden("hid_2", kind="sdk_hidden_context"), item("msg_2"))

    assert await item_pages(store, 2, "asc", person) == [["msg_1", "msg_2"]]
    assert await item_pages(store, 1, "desc", person) == [["msg_2"], ["msg_1"]]
    with pytest.raises(NotFoundError):
        await store.load_thread_items(thread_id="thr_1", after="hid_1", limit=2, order="asc", context=person)
    assert [each.id for each in await store.recent("thr_1", person)] == ["msg_2", "hid_2", "hid_1", "msg_1"]
    assert [each.id for each in await store.recent("thr_1", person, limit=2)] == ["msg_2", "hid_2"]
    assert await store.recent("thr_2", person) == []


@pytest.mark.anyio
async def test_the_models_memory_begins_where_it_was_cut_and_people_still_see_everything(store: ThreadStore) -> None:
    same = [item(key) for key in ("d", "c", "b", "a")]
    await fill(store, item("old", at=NOON - timedelta(days=1)), *same, item("new", at=NOON + timedelta(days=1)))

    await store.forget_before("thr_1", "b", ADA)

    assert [each.id for each in await store.recent("thr_1", ADA)] == ["new", "a", "b"]
    assert [each.id for each in await store.recent("thr_1", ADA, limit=2)] == ["new", "a"]
    assert await ids(store) == ["old", "d", "c", "b", "a", "new"]
    for thread_id, item_id in (("thr_1", "unknown"), ("thr_0", "b")):
        with pytest.raises(NotFoundError):
            await store.forget_before(thread_id, item_id, ADA)
    # The cut goes with its item.
    await store.delete_thread_item(thread_id="thr_1", item_id="b", context=ADA)
    assert [each.id for each in await store.recent("thr_1", ADA)] == ["new", "a", "c", "d", "old"]


@pytest.mark.anyio
async def test_an_unknown_cursor_is_refused_and_so_is_one_from_elsewhere(store: ThreadStore) -> None:
    await fill(store, item("msg_1"), item("msg_2"))
    await store.save_thread(thread=thread("thr_2"), context=ADA)
    await store.add_thread_item(thread_id="thr_2", item=item("msg_3", thread="thr_2"), context=ADA)
    await store.save_thread(thread=thread("thr_3"), context=ADA)
    await store.delete_thread(thread_id="thr_3", context=ADA)
    await store.delete_thread_item(thread_id="thr_1", item_id="msg_2", context=ADA)

    for order in ("asc", "desc"):
        for after in ("msg_0", "msg_2", "msg_3", "thr_1", ""):
            with pytest.raises(NotFoundError):
                await store.load_thread_items(thread_id="thr_1", after=after, limit=1, order=order, context=ADA)
        for after in ("thr_0", "thr_3", "msg_1", ""):
            with pytest.raises(NotFoundError):
                await store.load_threads(limit=1, after=after, order=order, context=ADA)


@pytest.mark.anyio
async def test_adding_an_item_twice_is_refused_and_keeps_the_first(store: ThreadStore) -> None:
    await fill(store, item("msg_1"), workflow("wf_1", "Looking up tasks"))
    second = item("msg_1", content=[{"text": "something else"}])

    for again in (second, workflow("msg_1", "x"), item("wf_1")):
        with pytest.raises(Problem, match="conflict"):
            await store.add_thread_item(thread_id="thr_1", item=again, context=ADA)

    assert await store.load_item(thread_id="thr_1", item_id="msg_1", context=ADA) == item("msg_1")
    assert await store.load_item(thread_id="thr_1", item_id="wf_1", context=ADA) == workflow("wf_1", "Looking up tasks")


@pytest.mark.anyio
async def test_a_workflow_is_added_open_and_again_when_it_is_done(store: ThreadStore) -> None:
    await fill(store, workflow("wf_1", "Looking up tasks"), item("msg_1"))

    await store.add_thread_item(thread_id="thr_1", item=workflow("wf_1", "3 tasks"), context=ADA)

    assert await store.load_item(thread_id="thr_1", item_id="wf_1", context=ADA) == workflow("wf_1", "3 tasks")
    assert await ids(store) == ["wf_1", "msg_1"]


@pytest.mark.anyio
async def test_saving_an_item_adds_or_replaces_it_and_never_moves_it(store: ThreadStore) -> None:
    await fill(store, item("msg_1"), item("msg_2"), item("msg_3"))
    changed = item("msg_2", at=NOON + timedelta(hours=1), kind="end_of_turn")

    await store.save_item(thread_id="thr_1", item=changed, context=ADA)
    await store.save_item(thread_id="thr_1", item=hidden("hid_1"), context=ADA)
    # What it has become decides whether people see it.
    await store.save_item(thread_id="thr_1", item=hidden("msg_3"), context=ADA)

    assert await store.load_item(thread_id="thr_1", item_id="msg_2", context=ADA) == changed
    assert await ids(store) == ["msg_1", "msg_2", "msg_3", "hid_1"]
    assert await ids(store, replace(ADA, visible_only=True)) == ["msg_1", "msg_2"]


@pytest.mark.anyio
async def test_truncating_removes_exactly_what_follows_and_returns_it_oldest_first(store: ThreadStore) -> None:
    followers = [hidden("z"), item("a"), item("m", at=NOON + timedelta(seconds=1))]
    await fill(store, item("x", at=NOON - timedelta(seconds=1)), item("y"), *followers)
    await store.save_thread(thread=thread("thr_2"), context=ADA)
    await store.add_thread_item(thread_id="thr_2", item=item("other", thread="thr_2"), context=ADA)

    for thread_id, item_id in (("thr_1", "unknown"), ("thr_1", "other"), ("thr_2", "y")):
        with pytest.raises(NotFoundError):
            await store.truncate_after(thread_id, item_id, ADA)
    assert await store.truncate_after("thr_1", "y", ADA) == followers
    assert await store.truncate_after("thr_1", "y", ADA) == []

    assert await ids(store) == ["x", "y"]
    assert len(await store.recent("thr_2", ADA)) == 1


@pytest.mark.anyio
async def test_an_item_that_cannot_be_read_any_more_is_logged_without_its_words_and_left_out(
    database: Database, store: ThreadStore, caplog: pytest.LogCaptureFixture
) -> None:
    await fill(store, *(item(f"msg_{number}") for number in range(4)))
    await overwrite(database, chat_items, "msg_1", '{"type": "from the future", "id": "hunter2"}')
    await overwrite(database, chat_items, "msg_3", "hunter2")

    with caplog.at_level(logging.WARNING):
        page = await store.load_thread_items(thread_id="thr_1", after=None, limit=2, order="asc", context=ADA)
        assert ([each.id for each in page.data], page.has_more, page.after) == (["msg_0"], True, "msg_1")
        page = await store.load_thread_items(thread_id="thr_1", after="msg_1", limit=9, order="asc", context=ADA)
        assert ([each.id for each in page.data], page.has_more) == (["msg_2"], False)
        assert [each.id for each in await store.recent("thr_1", ADA)] == ["msg_2", "msg_0"]
        with pytest.raises(NotFoundError):
            await store.load_item(thread_id="thr_1", item_id="msg_1", context=ADA)
        assert [each.id for each in await store.truncate_after("thr_1", "msg_0", ADA)] == ["msg_2"]

    assert {"msg_1", "msg_3"} <= set(re.findall(r"msg_\d", caplog.text))
    assert "hunter2" not in caplog.text
    assert await ids(store) == ["msg_0"]
