"""What each call costs: how many statements, whose rows they name, and how much of a conversation they read."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any, Final

import pytest
from sqlalchemy import event, text

from gateway.store import Entry, Feedback, Leases, ThreadStore, Waiting
from gateway.store.statements import RECENT
from gateway.tables import chat_items
from shared.db import Database
from tests.gateway.store.conversations import (
    ADA,
    BOB,
    NOON,
    answering,
    attachment,
    expire,
    fill,
    hidden,
    item,
    outcome,
    statements,
    thread,
)

READ_SO_FAR: Final = text(
    "SELECT seq_tup_read + idx_tup_fetch AS rows FROM pg_stat_xact_user_tables WHERE relname = 'chat_items'"
)


@pytest.mark.anyio
async def test_reading_and_writing_a_conversation_takes_one_statement_each(
    database: Database, store: ThreadStore, leases: Leases, waiting: Waiting, feedback: Feedback
) -> None:
    await fill(store, item("msg_1"), item("msg_2"), item("msg_3"))
    await leases.take("thr_1", answering())
    calls: list[Awaitable[object]] = [
        store.load_thread(thread_id="thr_1", context=ADA),
        store.load_threads(limit=9, after=None, order="desc", context=ADA),
        store.load_threads(limit=9, after="thr_1", order="desc", context=ADA),
        store.load_thread_items(thread_id="thr_1", after=None, limit=9, order="asc", context=ADA),
        store.load_thread_items(thread_id="thr_1", after="msg_1", limit=9, order="asc", context=ADA),
        store.load_item(thread_id="thr_1", item_id="msg_1", context=ADA),
        store.forget_before("thr_1", "msg_1", ADA),
        store.recent("thr_1", ADA),
        store.save_thread(thread=thread(), context=ADA),
        store.save_thread(thread=thread("thr_2"), context=ADA),
        store.auto_title("thr_1", "Milk", ADA),
        store.rename("thr_1", "Milk", ADA),
        store.add_thread_item(thread_id="thr_1", item=item("msg_4"), context=ADA),
        store.add_thread_item(thread_id="thr_1", item=item("msg_5"), context=answering()),
        store.save_item(thread_id="thr_1", item=item("msg_4"), context=answering()),
        store.delete_thread_item(thread_id="thr_1", item_id="msg_4", context=answering()),
        store.truncate_after("thr_1", "msg_1", ADA),
        leases.beat("thr_1", answering(), "{}"),
        leases.running("thr_1", ADA),
        leases.stop("thr_1", ADA),
        leases.recover("thr_1", ADA),
        leases.release("thr_1", answering()),
        waiting.add(Entry("p_1", "thr_1", "i", "question", "pending", NOON, {}), ADA),
        waiting.open("thr_1", ADA),
        waiting.claim("p_1", "accept", ADA),
        waiting.settle("p_1", "expired", ADA),
        feedback.keep("thr_1", ["msg_1"], "positive", ADA),
    ]
    for call in calls:
        with statements(database) as seen:
            await call
        assert len(seen) == 1, seen


@pytest.mark.anyio
async def test_a_lease_is_taken_in_two_statements_and_one_that_lets_takers_queue(
    database: Database, leases: Leases
) -> None:
    with statements(database) as seen:
        await leases.take("thr_1", answering())

    assert len(seen) == (2 if database.on_sqlite else 3), seen


@pytest.mark.anyio
async def test_every_statement_names_the_owner_and_nobody_else(
    database: Database, store: ThreadStore, leases: Leases, waiting: Waiting, feedback: Feedback
) -> None:
    nameless: list[str] = []

    def look(_: Any, __: Any, statement: str, parameters: Any, *___: Any) -> None:
        if not statement.startswith("BEGIN") and (
            ADA.caller.key not in tuple(parameters) or not ("owner" in statement or "advisory" in statement)
        ):
            nameless.append(statement)

    entry = Entry("p_1", "thr_1", "i", "question", "pending", datetime(2999, 1, 1, tzinfo=UTC), {})
    await fill(store, item("msg_1"), turn=BOB)
    event.listen(database.engine.sync_engine, "before_cursor_execute", look)
    try:
        for thread_id in ("thr_1", "thr_0"):
            calls: list[Awaitable[object]] = [
                store.save_thread(thread=thread("thr_1"), context=ADA),
                leases.take(thread_id, answering()),
                leases.beat(thread_id, answering(), item("msg_0").model_dump_json()),
                store.add_thread_item(thread_id=thread_id, item=item("msg_1"), context=answering()),
                store.add_thread_item(thread_id=thread_id, item=item("msg_1"), context=ADA),
                store.save_item(thread_id=thread_id, item=item("msg_1"), context=ADA),
                store.load_thread(thread_id=thread_id, context=ADA),
                store.load_item(thread_id=thread_id, item_id="msg_1", context=ADA),
                store.load_threads(limit=9, after=thread_id, order="desc", context=ADA),
                store.load_thread_items(thread_id=thread_id, after="msg_1", limit=9, order="asc", context=ADA),
                store.auto_title(thread_id, "Milk", ADA),
                store.rename(thread_id, "Milk", ADA),
                store.forget_before(thread_id, "msg_1", ADA),
                store.recent(thread_id, ADA),
                waiting.add(entry, ADA),
                waiting.open(thread_id, ADA),
                waiting.claim("p_1", "accept", ADA),
                waiting.settle("p_1", "expired", ADA),
                feedback.keep(thread_id, ["msg_1"], "positive", ADA),
                leases.running(thread_id, ADA),
                leases.stop(thread_id, ADA),
                leases.take(thread_id, answering(run="run_2")),
                leases.release(thread_id, answering(run="run_2")),
                store.delete_thread_item(thread_id=thread_id, item_id="msg_0", context=answering()),
                expire(database, ADA, thread_id),
                leases.recover(thread_id, ADA),
                store.delete_thread_item(thread_id=thread_id, item_id="msg_0", context=answering()),
                store.truncate_after(thread_id, "msg_1", ADA),
                store.save_attachment(attachment=attachment("atc_1"), context=ADA),
                store.load_attachment(attachment_id="atc_1", context=ADA),
                store.delete_attachment(attachment_id="atc_1", context=ADA),
                store.delete_thread(thread_id=thread_id, context=ADA),
                store.save_thread(thread=thread("thr_1"), context=ADA),
            ]
            for call in calls:
                await outcome(call)
    finally:
        event.remove(database.engine.sync_engine, "before_cursor_execute", look)

    assert nameless == []
    assert await store.recent("thr_1", BOB) == [item("msg_1")]


# How much is read


async def many(database: Database, store: ThreadStore, thread_id: str, number: int) -> None:
    """A thread of this many items, one each second."""
    await store.save_thread(thread=thread(thread_id), context=ADA)
    made = [hidden(f"msg_{n:05}", at=NOON + timedelta(seconds=n)) for n in range(number)]
    rows = [
        {"id": each.id, "created_us": n, "seq": n + 1, "kind": each.type, "data": each.model_dump_json()}
        for n, each in enumerate(made)
    ]
    async with database.begin(ADA.caller, write=True) as tx:
        fixed = {"owner": ADA.caller.key, "thread_id": thread_id}
        await tx.execute(chat_items.insert(), [{**fixed, **row} for row in rows])


async def rows_read(database: Database, thread_id: str, limit: int) -> int:
    """How many items the model's memory looks at: rows on PostgreSQL, on SQLite steps of its machine."""
    async with database.begin(ADA.caller) as tx:
        values = {"mine": ADA.caller.key, "thread": thread_id, "rows": limit}
        if not database.on_sqlite:
            before = await tx.one(READ_SO_FAR)
            await tx.all(RECENT, values)
            after = await tx.one(READ_SO_FAR)
            assert before is not None
            assert after is not None
            return int(after.rows) - int(before.rows)
        steps = count()
        driver = (await tx.connection.get_raw_connection()).driver_connection
        assert driver is not None
        await driver.set_progress_handler(lambda: next(steps) < 0, 1)
        await tx.all(RECENT, values)
        await driver.set_progress_handler(None, 1)
        return next(steps)


@pytest.mark.anyio
async def test_the_models_memory_reads_no_more_of_a_long_conversation_than_of_a_short_one(
    database: Database, store: ThreadStore, analyze: Callable[[], Awaitable[None]]
) -> None:
    await many(database, store, "thr_short", 70)
    await many(database, store, "thr_long", 2000)
    await analyze()
    short, long = [await rows_read(database, thread_id, 50) for thread_id in ("thr_short", "thr_long")]
    assert short >= 50
    assert long <= short + 10

    for thread_id, first in (("thr_short", "msg_00050"), ("thr_long", "msg_01980")):
        await store.forget_before(thread_id, first, ADA)
    cut_short, cut_long = [await rows_read(database, thread_id, 50) for thread_id in ("thr_short", "thr_long")]
    assert cut_short < short
    assert cut_long <= cut_short + 10
    assert [each.id for each in await store.recent("thr_long", ADA)] == [f"msg_{1999 - n:05}" for n in range(20)]
