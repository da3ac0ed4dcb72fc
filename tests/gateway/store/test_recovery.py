"""What a dead process leaves of an answer is kept once, and the dead write nothing afterwards."""

import asyncio
import logging
from collections.abc import Awaitable, Callable

import pytest
from chatkit.store import NotFoundError
from chatkit.types import HiddenContextItem, ThreadItem
from sqlalchemy import delete, select, text

from gateway.store import Beat, LeaseLost, Leases, ThreadStore
from gateway.tables import chat_items, chat_turns
from shared.db import Database
from tests.gateway.store.conversations import ADA, NOON, answering, expire, fill, hidden, item, statements, thread

NOTE = "This answer was interrupted by a restart."
BEGUN = item("msg_2", content=[{"text": "You have thr"}])

Way = Callable[[Leases], Awaitable[None]]
WAYS: list[Way] = [
    lambda leases: leases.recover("thr_1", ADA),
    lambda leases: leases.take("thr_1", answering(run="run_2")),
]
both_ways = pytest.mark.parametrize("come_back", WAYS, ids=["reading", "answering"])


def without_note(items: list[ThreadItem]) -> list[ThreadItem]:
    """What comes before the note, which has to be the newest item."""
    note = items[0]
    assert isinstance(note, HiddenContextItem)
    assert (note.content, note.thread_id) == (NOTE, "thr_1")
    assert note.created_at > NOON
    return items[1:]


async def died(database: Database, leases: Leases, partial: str | None) -> None:
    await leases.take("thr_1", answering())
    await leases.beat("thr_1", answering(), partial)
    await expire(database)


@both_ways
@pytest.mark.anyio
async def test_the_text_of_an_interrupted_answer_becomes_a_message_with_a_note(
    database: Database, store: ThreadStore, leases: Leases, come_back: Way
) -> None:
    await fill(store, item("msg_1"))
    await died(database, leases, BEGUN.model_dump_json())

    await come_back(leases)
    await leases.recover("thr_1", ADA)

    assert without_note(await store.recent("thr_1", ADA)) == [BEGUN, item("msg_1")]
    assert await leases.beat("thr_1", answering(), None) is Beat.LOST


@both_ways
@pytest.mark.anyio
@pytest.mark.parametrize(
    "partial", [None, item("msg_2", content=[{"text": " \n"}]).model_dump_json(), '{"hunter2": 1}']
)
async def test_an_answer_that_left_no_readable_text_leaves_the_note_alone(
    database: Database,
    store: ThreadStore,
    leases: Leases,
    come_back: Way,
    partial: str | None,
    caplog: pytest.LogCaptureFixture,
) -> None:
    await fill(store, item("msg_1"))
    await died(database, leases, partial)

    with caplog.at_level(logging.WARNING):
        await come_back(leases)

    assert without_note(await store.recent("thr_1", ADA)) == [item("msg_1")]
    assert "hunter2" not in caplog.text


@pytest.mark.anyio
async def test_a_message_that_was_stored_before_the_crash_stays_as_it_was(
    database: Database, store: ThreadStore, leases: Leases
) -> None:
    whole = item("msg_2", content=[{"text": "You have three tasks."}])
    await fill(store, whole)
    await died(database, leases, BEGUN.model_dump_json())

    await leases.recover("thr_1", ADA)

    assert without_note(await store.recent("thr_1", ADA)) == [whole]


@pytest.mark.anyio
async def test_processes_that_come_back_at_once_keep_the_answer_once(
    database: Database, store: ThreadStore, conversations_url: str
) -> None:
    elsewhere = Database(conversations_url, pool_size=3)
    replicas = (Leases(database), Leases(elsewhere))
    await fill(store)
    await died(database, replicas[0], BEGUN.model_dump_json())

    await asyncio.gather(*(replicas[number % 2].recover("thr_1", ADA) for number in range(20)))
    await elsewhere.close()

    assert without_note(await store.recent("thr_1", ADA)) == [BEGUN]


@pytest.mark.anyio
async def test_an_answer_that_is_being_written_is_left_alone_at_the_cost_of_one_look(
    database: Database, store: ThreadStore, leases: Leases
) -> None:
    await fill(store)
    await leases.take("thr_1", answering())

    with statements(database) as seen:
        await leases.recover("thr_1", ADA)

    assert len(seen) == 1
    assert seen[0].startswith("SELECT")
    assert await store.recent("thr_1", ADA) == []
    assert await leases.beat("thr_1", answering(), None) is Beat.GO


@both_ways
@pytest.mark.anyio
async def test_the_lease_of_a_thread_that_was_never_made_leaves_nothing(
    database: Database, store: ThreadStore, leases: Leases, come_back: Way
) -> None:
    await died(database, leases, BEGUN.model_dump_json())

    await come_back(leases)

    assert await store.recent("thr_1", ADA) == []
    with pytest.raises(NotFoundError):
        await store.load_thread(thread_id="thr_1", context=ADA)
    async with database.begin(ADA.caller) as tx:
        assert "run_1" not in [row.run_id for row in await tx.all(select(chat_turns.c.run_id))]


@pytest.mark.anyio
async def test_a_deleted_thread_is_not_brought_back_by_what_a_dead_answer_left(
    database: Database, store: ThreadStore, leases: Leases
) -> None:
    await fill(store)
    await store.delete_thread(thread_id="thr_1", context=ADA)
    left = {"run_id": "run_1", "started_us": 1, "expires_us": 2, "partial": BEGUN.model_dump_json()}
    async with database.begin(ADA.caller, write=True) as tx:
        await tx.execute(chat_turns.insert(), {"owner": ADA.caller.key, "thread_id": "thr_1", **left})

    await leases.recover("thr_1", ADA)

    async with database.begin(ADA.caller) as tx:
        assert await tx.all(select(chat_items)) == await tx.all(select(chat_turns)) == []


# Fences


@pytest.mark.anyio
async def test_a_running_answer_writes_while_it_holds_the_lease_and_nothing_before_or_after(
    store: ThreadStore, leases: Leases
) -> None:
    turn = answering()

    async def writes() -> list[str]:
        found = []
        for call in (
            store.add_thread_item(thread_id="thr_1", item=item("msg_2"), context=turn),
            store.save_item(thread_id="thr_1", item=hidden("msg_1"), context=turn),
            store.delete_thread_item(thread_id="thr_1", item_id="msg_1", context=turn),
            store.delete_thread_item(thread_id="thr_1", item_id="msg_1", context=turn),
        ):
            try:
                await call
            except LeaseLost:
                found.append("lost")
            else:
                found.append("written")
        return found

    await fill(store, item("msg_1"))
    assert await writes() == ["lost"] * 4
    await leases.take("thr_1", answering(run="run_2"))
    assert await writes() == ["lost"] * 4
    assert await store.recent("thr_1", ADA) == [item("msg_1")]
    await leases.release("thr_1", answering(run="run_2"))

    await leases.take("thr_1", turn)
    assert await writes() == ["written"] * 4
    assert await store.recent("thr_1", ADA) == [item("msg_2")]
    await leases.release("thr_1", turn)
    assert await writes() == ["lost"] * 4
    # What a person does beside an answer needs no lease.
    await store.add_thread_item(thread_id="thr_1", item=item("msg_3"), context=ADA)


@pytest.mark.anyio
async def test_an_answer_that_slept_past_its_lease_writes_nothing_once_somebody_came_by(
    database: Database, store: ThreadStore, leases: Leases
) -> None:
    await fill(store)
    await died(database, leases, BEGUN.model_dump_json())
    await leases.recover("thr_1", ADA)

    with pytest.raises(LeaseLost):
        await store.save_item(thread_id="thr_1", item=item("msg_2"), context=answering())

    assert without_note(await store.recent("thr_1", ADA)) == [BEGUN]


@pytest.mark.anyio
async def test_a_thread_that_is_deleted_during_an_answer_stays_deleted(
    database: Database, store: ThreadStore, leases: Leases
) -> None:
    turn = answering()
    await fill(store)
    await leases.take("thr_1", turn)
    await store.delete_thread(thread_id="thr_1", context=ADA)

    for call in (store.add_thread_item, store.save_item):
        with pytest.raises(LeaseLost):
            await call(thread_id="thr_1", item=item("late"), context=turn)
    await store.save_thread(thread=thread(title="late"), context=turn)
    assert await store.auto_title("thr_1", "late", turn) is None
    await leases.release("thr_1", turn)

    async with database.begin(ADA.caller) as tx:
        assert await tx.all(select(chat_items)) == []
    assert (await store.load_threads(limit=9, after=None, order="asc", context=ADA)).data == []


@pytest.mark.postgres
@pytest.mark.anyio
@pytest.mark.parametrize("conversations", ["postgres"], indirect=True)
async def test_a_write_that_arrives_while_its_lease_is_being_taken_away_comes_too_late(
    database: Database, store: ThreadStore, leases: Leases
) -> None:
    await fill(store)
    await leases.take("thr_1", answering())
    async with database.begin(ADA.caller, write=True) as tx:
        await tx.execute(delete(chat_turns))
        late = store.add_thread_item(thread_id="thr_1", item=item("late"), context=answering())
        arriving = asyncio.create_task(late)
        waiting = text("SELECT 1 FROM pg_locks WHERE NOT granted")
        async with database.begin(ADA.caller) as watching:
            while not arriving.done() and await watching.one(waiting) is None:
                await asyncio.wait([arriving], timeout=0)

    with pytest.raises(LeaseLost):
        await arriving
    assert await store.recent("thr_1", ADA) == []
