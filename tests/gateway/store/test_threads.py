"""Threads: titles that people gave, deletion for good, and ids that do not collide."""

import asyncio
import re
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any, get_args

import pytest
from chatkit.store import NotFoundError, StoreItemType
from chatkit.types import ClosedStatus, LockedStatus, Page, Thread, ThreadItem
from sqlalchemy import select, text

from gateway.store import ThreadStore
from gateway.tables import chat_feedback, chat_items, chat_pending, chat_threads, chat_turns
from shared.db import Database
from tests.gateway.store.conversations import (
    ADA,
    BOB,
    NOON,
    WORDS,
    fill,
    ids,
    item,
    outcome,
    overwrite,
    thread,
    thread_pages,
)


@pytest.mark.anyio
async def test_a_thread_comes_back_as_it_was_whether_saved_with_its_items_or_without(
    database: Database, store: ThreadStore
) -> None:
    more: dict[str, Any] = {"allowed_image_domains": ["x.test"], "metadata": {"words": WORDS, "none": None}}
    full = Thread(id="thr_1", created_at=NOON, items=Page[ThreadItem](data=[item("msg_1")]), **more)

    await store.save_thread(thread=full, context=ADA)

    assert await store.load_thread(thread_id="thr_1", context=ADA) == thread(**more)
    assert await ids(store) == []
    async with database.begin(ADA.caller) as tx:
        assert "msg_1" not in str(await tx.one(select(chat_threads.c.data)))
    await store.save_thread(thread=thread(metadata={"b": 1}), context=ADA)
    assert await store.load_thread(thread_id="thr_1", context=ADA) == thread(metadata={"b": 1})


@pytest.mark.anyio
async def test_threads_are_listed_by_age_on_pages_of_any_size_and_saving_moves_none(store: ThreadStore) -> None:
    keys = [f"thr_{9 - number}" for number in range(9)]
    for key in keys:
        await store.save_thread(thread=thread(key), context=ADA)
    await store.save_thread(thread=thread("thr_old", at=NOON - timedelta(days=1)), context=ADA)
    await store.save_thread(thread=thread("thr_7", at=NOON + timedelta(days=1), title="Milk"), context=ADA)
    await store.delete_thread(thread_id="thr_5", context=ADA)
    expected = ["thr_old", *(key for key in keys if key != "thr_5")]

    for limit in (1, 4, 9):
        for order, wanted in (("asc", expected), ("desc", expected[::-1])):
            assert await thread_pages(store, limit, order) == [wanted[at : at + limit] for at in range(0, 9, limit)]


@pytest.mark.anyio
async def test_a_persons_title_outlives_every_automatic_one_and_every_stale_copy(store: ThreadStore) -> None:
    async def title() -> str | None:
        return (await store.load_thread(thread_id="thr_1", context=ADA)).title

    await store.save_thread(thread=thread(), context=ADA)
    assert await title() is None
    await store.save_thread(thread=thread(title="Automatic"), context=ADA)
    await store.save_thread(thread=thread(title="Better"), context=ADA)
    await store.save_thread(thread=thread(metadata={"stale": True}), context=ADA)
    assert await title() == "Better"

    renamed = await store.rename("thr_1", "Groceries", ADA)
    assert renamed == thread(title="Groceries", metadata={"stale": True})
    await store.save_thread(thread=thread(title="Better", metadata={"late": True}), context=ADA)
    assert await store.load_thread(thread_id="thr_1", context=ADA) == thread(title="Groceries", metadata={"late": True})
    await store.rename("thr_1", "Shopping", ADA)
    assert await title() == "Shopping"


@pytest.mark.anyio
async def test_an_automatic_title_replaces_only_automatic_ones_and_says_which_title_stands(store: ThreadStore) -> None:
    await fill(store)
    assert await store.auto_title("thr_1", "Mi\0lk", ADA) == "Milk"
    assert await store.auto_title("thr_1", "Oats", ADA) == "Oats"
    await store.save_thread(thread=thread(title="Rye"), context=ADA)
    await store.rename("thr_1", "Groceries", ADA)

    assert await store.auto_title("thr_1", "Oats", ADA) == "Groceries"

    assert (await store.load_thread(thread_id="thr_1", context=ADA)).title == "Groceries"
    await store.delete_thread(thread_id="thr_1", context=ADA)
    assert await store.auto_title("thr_1", "Oats", ADA) is None
    assert await store.auto_title("thr_0", "Oats", ADA) is None


@pytest.mark.anyio
async def test_a_thread_gets_the_id_that_was_leased_for_it(store: ThreadStore) -> None:
    assert store.generate_thread_id(replace(ADA, new_thread_id="thr_leased")) == "thr_leased"


@pytest.mark.anyio
async def test_only_an_explicit_call_locks_closes_or_opens_a_thread(store: ThreadStore) -> None:
    locked = LockedStatus(reason=WORDS)
    await store.save_thread(thread=thread(status=locked), context=ADA)
    assert await store.load_thread(thread_id="thr_1", context=ADA) == thread()

    assert (await store.set_status("thr_1", locked, ADA)).status == locked
    await store.save_thread(thread=thread(title="Milk", status=ClosedStatus()), context=ADA)
    await store.rename("thr_1", "Oats", ADA)

    assert await store.load_thread(thread_id="thr_1", context=ADA) == thread(title="Oats", status=locked)


@pytest.mark.anyio
async def test_a_deleted_thread_leaves_nothing_readable_and_stays_deleted(
    database: Database, store: ThreadStore
) -> None:
    lease = {"run_id": "run", "started_us": 1, "expires_us": 2, "partial": "hunter2"}
    pending = {"id": "p", "item_id": "i", "kind": "approval", "status": "open", "expires_us": 1, "data": "hunter2"}
    feedback = {"item_id": "msg_1", "kind": "positive", "at_us": 1}
    kept_ids = [("thr_2", ADA), ("thr_1", BOB)]
    for key, turn in (("thr_1", ADA), *kept_ids):
        await store.save_thread(thread=thread(key, title="hunter2", metadata={"a": "hunter2"}), context=turn)
        await store.add_thread_item(thread_id=key, item=item("msg_1"), context=turn)
        async with database.begin(turn.caller, write=True) as tx:
            for table, row in ((chat_turns, lease), (chat_pending, pending), (chat_feedback, feedback)):
                identity = {"owner": turn.caller.key, "thread_id": key}
                await tx.execute(table.insert(), {**row, **identity, **({"id": key} if table is chat_pending else {})})

    await store.delete_thread(thread_id="thr_1", context=ADA)
    await store.delete_thread(thread_id="thr_1", context=ADA)
    await store.save_thread(thread=thread(title="hunter2 again"), context=ADA)

    assert await thread_pages(store, 9, "asc") == [["thr_2"]]
    assert await ids(store) == []
    missing = await outcome(store.load_thread(thread_id="unknown", context=ADA))
    assert missing[0] == "NotFoundError"
    for call in (
        store.load_thread(thread_id="thr_1", context=ADA),
        store.add_thread_item(thread_id="thr_1", item=item("msg_2"), context=ADA),
        store.save_item(thread_id="thr_1", item=item("msg_1"), context=ADA),
        store.rename("thr_1", "late", ADA),
        store.set_status("thr_1", LockedStatus(), ADA),
    ):
        assert await outcome(call) == missing
    async with database.begin(ADA.caller) as tx:
        for table in (chat_items, chat_turns, chat_pending, chat_feedback):
            left = await tx.all(select(table.c.thread_id, table.c.owner).order_by(table.c.thread_id.desc()))
            assert [tuple(row) for row in left] == [(key, turn.caller.key) for key, turn in kept_ids]
        grave = await tx.one(select(chat_threads).where(chat_threads.c.deleted_us.is_not(None)))
    assert grave is not None
    assert grave.deleted_us > 1_600_000_000_000_000
    assert "hunter2" not in str(grave)


@pytest.mark.postgres
@pytest.mark.anyio
@pytest.mark.parametrize("conversations", ["postgres"], indirect=True)
async def test_an_item_that_arrives_while_its_thread_is_being_deleted_is_not_left_behind(
    database: Database, store: ThreadStore
) -> None:
    await fill(store)
    async with database.begin(ADA.caller, write=True) as tx:
        await tx.execute(chat_threads.update().values(deleted_us=1))
        arriving = asyncio.create_task(store.add_thread_item(thread_id="thr_1", item=item("late"), context=ADA))
        waiting = text("SELECT 1 FROM pg_locks WHERE NOT granted")
        async with database.begin(ADA.caller) as watching:
            while not arriving.done() and await watching.one(waiting) is None:
                await asyncio.wait([arriving], timeout=0)

    with pytest.raises(NotFoundError):
        await arriving
    async with database.begin(ADA.caller) as tx:
        assert await tx.all(select(chat_items)) == []


@pytest.mark.anyio
async def test_a_thread_that_cannot_be_read_any_more_does_not_hide_the_others(
    database: Database, store: ThreadStore, caplog: pytest.LogCaptureFixture
) -> None:
    for key in ("thr_1", "thr_2"):
        await store.save_thread(thread=thread(key), context=ADA)
    await overwrite(database, chat_threads, "thr_1", "hunter2")

    with pytest.raises(NotFoundError):
        await store.load_thread(thread_id="thr_1", context=ADA)
    assert await thread_pages(store, 9, "asc") == [["thr_2"]]

    assert "thr_1" in caplog.text
    assert "hunter2" not in caplog.text


def test_ids_have_128_random_bits_behind_their_known_prefix(tmp_path: Path) -> None:
    store = ThreadStore(Database(f"sqlite:///{tmp_path}/none.db"))
    prefixes: dict[StoreItemType, str] = {
        "thread": "thr",
        "message": "msg",
        "tool_call": "tc",
        "task": "tsk",
        "workflow": "wf",
        "attachment": "atc",
        "sdk_hidden_context": "shcx",
    }
    assert set(prefixes) == set(get_args(StoreItemType))
    for kind, prefix in prefixes.items():
        made = {store.generate_item_id(kind, thread(), ADA) for _ in range(100)}
        assert len(made) == 100
        assert all(re.fullmatch(rf"{prefix}_[0-9a-f]{{32}}", key) for key in made)
    assert re.fullmatch("thr_[0-9a-f]{32}", store.generate_thread_id(ADA))


@pytest.mark.anyio
async def test_text_that_a_database_cannot_hold_is_an_unknown_id_and_is_dropped_from_a_title(
    store: ThreadStore,
) -> None:
    await fill(store, item("msg_1"))
    for call in (
        store.load_thread(thread_id="thr_1\0", context=ADA),
        store.load_item(thread_id="thr_1", item_id="msg\0_1", context=ADA),
        store.load_thread_items(thread_id="thr_1", after="msg_1\0", limit=1, order="asc", context=ADA),
        store.load_threads(limit=1, after="\0thr_1", order="asc", context=ADA),
        store.load_attachment(attachment_id="\0", context=ADA),
    ):
        with pytest.raises(NotFoundError):
            await call
    await store.delete_thread(thread_id="thr_1\0", context=ADA)
    await store.delete_attachment(attachment_id="\0", context=ADA)

    assert (await store.rename("thr_1", "Mi\0lk", ADA)).title == "Milk"
    await store.save_thread(thread=thread("thr_2", title="Oa\0ts"), context=ADA)
    assert (await store.load_thread(thread_id="thr_2", context=ADA)).title == "Oats"
