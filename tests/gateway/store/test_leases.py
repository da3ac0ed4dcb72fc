"""One answer at a time in a thread, a few at a time for a person, whichever processes write them."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest
from chatkit.store import NotFoundError
from sqlalchemy import select, text

from gateway.store import Beat, Leases, ThreadStore
from gateway.tables import chat_turns
from gateway.turn import Turn
from shared.db import Database, clock
from shared.errors import Problem
from tests.gateway.store.conversations import ADA, BOB, OTHER_ADA, answering, expire, fill, item, outcome, thread

LATER = answering(run="run_2")


async def leased(database: Database) -> list[tuple[str, str, str]]:
    async with database.begin(ADA.caller) as tx:
        rows = await tx.all(select(chat_turns.c.owner, chat_turns.c.thread_id, chat_turns.c.run_id))
    return [(row.owner, row.thread_id, row.run_id) for row in rows]


async def taken(leases: Leases, thread_id: str, turn: Turn) -> bool:
    try:
        await leases.take(thread_id, turn)
    except Problem as problem:
        assert problem.code == "busy"
        return False
    return True


@pytest.mark.anyio
async def test_of_fifty_answers_that_begin_at_once_in_a_thread_exactly_one_does(
    database: Database, conversations_url: str
) -> None:
    elsewhere = Database(conversations_url, pool_size=3)
    replicas = (Leases(database), Leases(elsewhere))
    turns = [answering(run=f"run_{number}") for number in range(50)]

    won = await asyncio.gather(*(taken(replicas[number % 2], "thr_1", turn) for number, turn in enumerate(turns)))
    await elsewhere.close()

    assert won.count(True) == 1
    assert await leased(database) == [(ADA.caller.key, "thr_1", turns[won.index(True)].id)]


@pytest.mark.anyio
async def test_a_person_never_has_more_answers_than_allowed_however_many_begin_at_once(
    database: Database, conversations_url: str
) -> None:
    elsewhere = Database(conversations_url, pool_size=3)
    replicas = (Leases(database), Leases(elsewhere))
    turns = [answering(run=f"run_{number}") for number in range(30)]

    won = await asyncio.gather(*(taken(replicas[n % 2], f"thr_{n}", turn) for n, turn in enumerate(turns)))
    await elsewhere.close()

    assert won.count(True) == 3
    assert await taken(Leases(database), "thr_1", answering(BOB))
    done = won.index(True)
    await Leases(database).release(f"thr_{done}", turns[done])
    assert await taken(Leases(database), "thr_new", LATER)
    assert not await taken(Leases(database), "thr_newer", LATER)


@pytest.mark.anyio
async def test_an_answer_that_died_does_not_count(database: Database, leases: Leases) -> None:
    for key in ("thr_1", "thr_2", "thr_3"):
        await leases.take(key, answering(run=key))
    await expire(database, thread_id="thr_2")

    assert await taken(leases, "thr_4", LATER)
    assert not await taken(leases, "thr_5", LATER)


@pytest.mark.anyio
async def test_a_refusal_says_whether_the_thread_or_the_person_is_busy(leases: Leases) -> None:
    for key in ("thr_1", "thr_2", "thr_3"):
        await leases.take(key, answering(run=key))

    with pytest.raises(Problem, match="in this conversation"):
        await leases.take("thr_1", LATER)
    with pytest.raises(Problem, match="too many answers"):
        await leases.take("thr_4", LATER)


@pytest.mark.anyio
async def test_a_thread_is_free_again_when_its_own_answer_ends_and_not_before(leases: Leases) -> None:
    await leases.take("thr_1", answering())
    await leases.release("thr_1", LATER)
    assert not await taken(leases, "thr_1", LATER)

    await leases.release("thr_1", answering())
    await leases.release("thr_1", answering())
    assert await taken(leases, "thr_1", LATER)
    assert await leases.beat("thr_1", answering(), None) is Beat.LOST


@pytest.mark.anyio
async def test_a_sign_of_life_renews_the_lease_and_keeps_the_text_so_far(database: Database, leases: Leases) -> None:
    assert await leases.running("thr_1", ADA) is None
    await leases.take("thr_1", answering())
    assert await leases.running("thr_1", ADA) == ""
    await expire(database)
    assert await leases.running("thr_1", ADA) is None

    assert await leases.beat("thr_1", answering(), "{}") is Beat.GO

    assert await leases.running("thr_1", ADA) == "{}"
    assert not await taken(leases, "thr_1", LATER)
    assert await leases.beat("thr_1", answering(), None) is Beat.GO
    assert await leases.running("thr_1", ADA) == ""


@pytest.mark.anyio
async def test_anybody_who_is_the_owner_can_stop_an_answer_from_elsewhere(database: Database, leases: Leases) -> None:
    assert not await leases.stop("thr_1", LATER)
    await leases.take("thr_1", answering())

    assert await leases.stop("thr_1", LATER)
    assert await leases.beat("thr_1", answering(), None) is Beat.STOP
    assert await leases.stop("thr_1", LATER)

    await leases.release("thr_1", answering())
    await leases.take("thr_1", LATER)
    assert await leases.beat("thr_1", LATER, None) is Beat.GO
    await expire(database)
    assert not await leases.stop("thr_1", ADA)


@pytest.mark.anyio
async def test_an_answer_whose_thread_is_deleted_hears_of_it_and_no_other_begins_there(
    database: Database, store: ThreadStore, leases: Leases
) -> None:
    await fill(store, item("msg_1"))
    await leases.take("thr_1", answering())

    await store.delete_thread(thread_id="thr_1", context=ADA)

    assert await leases.beat("thr_1", answering(), "{}") is Beat.LOST
    assert await leases.running("thr_1", ADA) is None
    assert await leased(database) == []
    with pytest.raises(NotFoundError):
        await leases.take("thr_1", LATER)


@pytest.mark.postgres
@pytest.mark.anyio
@pytest.mark.parametrize("conversations", ["postgres"], indirect=True)
async def test_a_lease_taken_while_its_thread_is_being_deleted_is_lost(
    database: Database, store: ThreadStore, leases: Leases
) -> None:
    await fill(store)
    async with database.begin(ADA.caller, write=True) as tx:
        await tx.execute(text("SELECT 1 FROM chat_threads FOR SHARE"))
        deleting = asyncio.create_task(store.delete_thread(thread_id="thr_1", context=ADA))
        waiting = text("SELECT 1 FROM pg_locks WHERE NOT granted")
        async with database.begin(ADA.caller) as watching:
            while not deleting.done() and await watching.one(waiting) is None:
                await asyncio.wait([deleting], timeout=0)
            await watching.rollback()
        await leases.take("thr_1", answering())
    await deleting

    assert await leases.beat("thr_1", answering(), None) is Beat.LOST


@pytest.mark.postgres
@pytest.mark.anyio
@pytest.mark.parametrize("conversations", ["postgres"], indirect=True)
async def test_a_process_whose_clock_is_wrong_takes_nobodys_lease(database: Database, conversations_url: str) -> None:
    await Leases(database).take("thr_1", answering())
    ahead = Database(conversations_url, pool_size=1, now=lambda: clock() + timedelta(hours=1))

    assert not await taken(Leases(ahead), "thr_1", LATER)
    assert await Leases(ahead).running("thr_1", ADA) == ""
    await ahead.close()


@pytest.mark.anyio
@pytest.mark.parametrize("stranger", [BOB, OTHER_ADA], ids=["bob", "ada of another issuer"])
async def test_nobody_else_sees_stops_renews_ends_or_recovers_an_answer(
    database: Database, store: ThreadStore, leases: Leases, stranger: Turn
) -> None:
    await fill(store)
    await leases.take("thr_1", answering())
    await leases.beat("thr_1", answering(), item("msg_1").model_dump_json())
    await expire(database)

    async def everything(thread_id: str, turn: Turn) -> list[object]:
        return [
            await leases.running(thread_id, turn),
            await leases.stop(thread_id, turn),
            await leases.beat(thread_id, turn, "stolen"),
            await outcome(leases.recover(thread_id, turn)),
            await outcome(leases.release(thread_id, turn)),
            await outcome(leases.take(thread_id, turn)),
            await outcome(leases.release(thread_id, turn)),
            await store.recent(thread_id, turn),
        ]

    # The same run id, even.
    same_run = replace(stranger, id=answering().id)
    assert await everything("thr_1", same_run) == await everything("thr_0", same_run)

    assert await leased(database) == [(ADA.caller.key, "thr_1", "run_1")]
    assert await leases.beat("thr_1", answering(), None) is Beat.GO
    assert await store.load_thread(thread_id="thr_1", context=ADA) == thread()
