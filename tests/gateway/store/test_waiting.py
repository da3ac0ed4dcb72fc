"""What waits for a person is answered once, by its owner, in time, in whichever process."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from chatkit.store import NotFoundError

from gateway.store import Entry, LeaseLost, Leases, ThreadStore, Waiting
from gateway.turn import Turn
from shared.db import Database
from tests.gateway.store.conversations import ADA, BOB, OTHER_ADA, WORDS, answering, fill, thread

FAR = datetime(2999, 1, 1, 12, 30, 0, 123457, tzinfo=UTC)
PAST = datetime(2020, 1, 1, tzinfo=UTC)


def entry(key: str = "p_1", *, thread_id: str = "thr_1", expires_at: datetime = FAR) -> Entry:
    data = {"words": WORDS, "calls": [{"arguments": {"n": 1.5, "none": None, "half": "\ud83d"}}]}
    return Entry(key, thread_id, f"{key}_card", "approval", "pending", expires_at, data)


@pytest.mark.anyio
async def test_an_entry_comes_back_as_it_was_and_leaves_when_it_is_answered(
    store: ThreadStore, waiting: Waiting
) -> None:
    await fill(store)
    await store.save_thread(thread=thread("thr_2"), context=ADA)
    for each in (entry("p_1"), entry("p_0", expires_at=FAR - timedelta(days=1)), entry("p_2", thread_id="thr_2")):
        await waiting.add(each, ADA)
    assert [each.id for each in await waiting.open("thr_1", ADA)] == ["p_0", "p_1"]
    assert await waiting.open("thr_2", ADA) == [entry("p_2", thread_id="thr_2")]

    assert await waiting.claim("p_1", "approve", ADA) == replace(entry("p_1"), status="approve")

    assert [each.id for each in await waiting.open("thr_1", ADA)] == ["p_0"]
    assert await waiting.open("thr_0", ADA) == []


@pytest.mark.anyio
async def test_of_many_answers_at_once_one_counts(
    database: Database, conversations_url: str, store: ThreadStore
) -> None:
    elsewhere = Database(conversations_url, pool_size=3)
    rooms = (Waiting(database), Waiting(elsewhere))
    await fill(store)
    await rooms[0].add(entry(), ADA)

    claims = (rooms[n % 2].claim("p_1", f"answer {n}", ADA) for n in range(15))
    settlements = (rooms[n % 2].settle("p_1", "superseded", ADA) for n in range(5))
    found = await asyncio.gather(*claims, *settlements)
    await elsewhere.close()

    assert len([each for each in found if each is not None]) == 1
    assert await rooms[0].open("thr_1", ADA) == []


@pytest.mark.anyio
async def test_what_has_expired_cannot_be_answered_but_is_still_there_to_be_closed(
    store: ThreadStore, waiting: Waiting
) -> None:
    await fill(store)
    await waiting.add(entry(expires_at=PAST), ADA)

    assert await waiting.claim("p_1", "approve", ADA) is None
    assert await waiting.open("thr_1", ADA) == [entry(expires_at=PAST)]

    assert await waiting.settle("p_1", "expired", ADA) == replace(entry(expires_at=PAST), status="expired")
    assert await waiting.settle("p_1", "superseded", ADA) is None
    assert await waiting.open("thr_1", ADA) == []


@pytest.mark.anyio
async def test_only_a_living_thread_takes_an_entry_and_it_goes_with_the_thread(
    store: ThreadStore, waiting: Waiting
) -> None:
    with pytest.raises(NotFoundError):
        await waiting.add(entry(), ADA)
    await fill(store)
    await waiting.add(entry(), ADA)

    await store.delete_thread(thread_id="thr_1", context=ADA)

    assert await waiting.claim("p_1", "approve", ADA) is None
    with pytest.raises(NotFoundError):
        await waiting.add(entry("p_2"), ADA)


@pytest.mark.anyio
async def test_an_answer_that_lost_its_lease_leaves_no_question(
    store: ThreadStore, waiting: Waiting, leases: Leases
) -> None:
    await fill(store)
    with pytest.raises(LeaseLost):
        await waiting.add(entry(), answering())
    await leases.take("thr_1", answering())

    await waiting.add(entry("p_2"), answering())

    assert [each.id for each in await waiting.open("thr_1", ADA)] == ["p_2"]


@pytest.mark.anyio
@pytest.mark.parametrize("stranger", [BOB, OTHER_ADA], ids=["bob", "ada of another issuer"])
async def test_nobody_else_sees_answers_or_closes_what_waits_for_ada(
    store: ThreadStore, waiting: Waiting, stranger: Turn
) -> None:
    await fill(store)
    await waiting.add(entry(), ADA)
    with pytest.raises(NotFoundError):
        await waiting.add(entry("p_2"), stranger)
    assert await waiting.open("thr_1", stranger) == []
    assert await waiting.claim("p_1", "approve", stranger) is None
    assert await waiting.settle("p_1", "superseded", stranger) is None

    # The same ids in a conversation of their own are another entry.
    await fill(store, turn=stranger)
    await waiting.add(entry(), stranger)
    assert await waiting.settle("p_1", "superseded", stranger) is not None

    assert await waiting.open("thr_1", ADA) == [entry()]
