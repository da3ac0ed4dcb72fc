"""Votes: on what a person sees of their own conversations, all or none, and the last one counts."""

from dataclasses import replace

import pytest
from chatkit.store import NotFoundError
from sqlalchemy import select

from gateway.store import Feedback, Leases, ThreadStore
from gateway.tables import chat_feedback
from gateway.turn import Turn
from shared.db import Database
from tests.gateway.store.conversations import ADA, BOB, OTHER_ADA, answering, fill, hidden, item, thread


async def votes(database: Database) -> list[tuple[str | None, ...]]:
    c = chat_feedback.c
    async with database.begin(ADA.caller) as tx:
        rows = await tx.all(select(c.owner, c.thread_id, c.item_id, c.kind, c.trace_id).order_by(c.item_id))
    return [tuple(row) for row in rows]


@pytest.mark.anyio
async def test_the_last_vote_of_a_person_counts(database: Database, store: ThreadStore, feedback: Feedback) -> None:
    await fill(store, item("msg_1"), item("msg_2"))

    await feedback.keep("thr_1", ["msg_1", "msg_2", "msg_1"], "positive", ADA)
    await feedback.keep("thr_1", ["msg_2"], "negative", ADA)
    await feedback.keep("thr_1", [], "negative", ADA)

    key = ADA.caller.key
    assert await votes(database) == [
        (key, "thr_1", "msg_1", "positive", None),
        (key, "thr_1", "msg_2", "negative", None),
    ]


@pytest.mark.anyio
async def test_a_vote_names_the_request_whose_answer_it_is_about(
    database: Database, store: ThreadStore, leases: Leases, feedback: Feedback
) -> None:
    await fill(store)
    for number in (1, 2):
        turn = replace(answering(), request_id=f"request_{number}")
        await leases.take("thr_1", turn)
        await store.add_thread_item(thread_id="thr_1", item=item(f"msg_{number}"), context=turn)
        await leases.release("thr_1", turn)
    # What changes an item later, such as the press of a button, is another request.
    await store.save_item(thread_id="thr_1", item=item("msg_1"), context=replace(ADA, request_id="request_3"))

    await feedback.keep("thr_1", ["msg_1", "msg_2"], "positive", replace(ADA, request_id="request_4"))

    assert [(row[2], row[4]) for row in await votes(database)] == [("msg_1", "request_1"), ("msg_2", "request_2")]


@pytest.mark.anyio
async def test_a_vote_that_names_anything_unknown_hidden_or_elsewhere_counts_for_nothing(
    database: Database, store: ThreadStore, feedback: Feedback
) -> None:
    await fill(store, item("msg_1"), hidden("hid_1"), hidden("hid_2", kind="sdk_hidden_context"))
    await store.save_thread(thread=thread("thr_2"), context=ADA)
    await store.add_thread_item(thread_id="thr_2", item=item("msg_2", thread="thr_2"), context=ADA)

    for other in ("msg_0", "hid_1", "hid_2", "msg_2", "", "msg_1\0"):
        with pytest.raises(NotFoundError):
            await feedback.keep("thr_1", ["msg_1", other], "positive", ADA)
    for thread_id in ("thr_0", "thr_2", "thr_1\0"):
        with pytest.raises(NotFoundError):
            await feedback.keep(thread_id, ["msg_1"], "positive", ADA)

    assert await votes(database) == []


@pytest.mark.anyio
async def test_votes_go_with_their_thread(database: Database, store: ThreadStore, feedback: Feedback) -> None:
    await fill(store, item("msg_1"))
    await feedback.keep("thr_1", ["msg_1"], "positive", ADA)

    await store.delete_thread(thread_id="thr_1", context=ADA)

    assert await votes(database) == []
    with pytest.raises(NotFoundError):
        await feedback.keep("thr_1", ["msg_1"], "positive", ADA)


@pytest.mark.anyio
@pytest.mark.parametrize("stranger", [BOB, OTHER_ADA], ids=["bob", "ada of another issuer"])
async def test_nobody_else_votes_on_adas_conversation(
    database: Database, store: ThreadStore, feedback: Feedback, stranger: Turn
) -> None:
    await fill(store, item("msg_1"))
    await feedback.keep("thr_1", ["msg_1"], "positive", ADA)
    before = await votes(database)

    with pytest.raises(NotFoundError):
        await feedback.keep("thr_1", ["msg_1"], "negative", stranger)

    assert await votes(database) == before
