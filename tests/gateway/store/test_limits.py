"""How much a person may keep: refused before it is stored, and never in the middle of an answer."""

from datetime import timedelta
from typing import Any

import pytest
from chatkit.store import NotFoundError

from gateway.store import ThreadStore
from gateway.store.threads import ANSWER_ROOM
from gateway.tables import chat_items
from shared.db import Database
from shared.errors import Problem
from tests.gateway.store.conversations import ADA, BOB, NOON, fill, ids, item, outcome, thread, thread_pages


def question(key: str, *, minutes: int = 0) -> Any:
    at = NOON + timedelta(minutes=minutes)
    content = [{"type": "input_text", "text": "?"}]
    return item(key, at=at, kind="user_message", content=content, attachments=[], inference_options={})


@pytest.mark.anyio
async def test_the_last_thread_is_the_one_that_the_limit_names_and_deleting_makes_room(database: Database) -> None:
    store = ThreadStore(database, threads=3)
    for key in ("thr_1", "thr_2", "thr_3"):
        await store.save_thread(thread=thread(key), context=ADA)

    with pytest.raises(Problem, match="too_many"):
        await store.save_thread(thread=thread("thr_4"), context=ADA)
    await store.save_thread(thread=thread("thr_2", title="Milk"), context=ADA)
    await store.save_thread(thread=thread("thr_4"), context=BOB)
    await store.delete_thread(thread_id="thr_1", context=ADA)
    await store.save_thread(thread=thread("thr_1"), context=ADA)
    await store.save_thread(thread=thread("thr_4"), context=ADA)
    with pytest.raises(Problem, match="too_many"):
        await store.save_thread(thread=thread("thr_5"), context=ADA)
    await store.save_thread(thread=thread("thr_1"), context=ADA)

    assert await thread_pages(store, 9, "asc") == [["thr_2", "thr_3", "thr_4"]]
    assert (await store.load_thread(thread_id="thr_2", context=ADA)).title == "Milk"


@pytest.mark.anyio
async def test_a_full_thread_takes_no_question_but_the_rest_of_the_last_answer(database: Database) -> None:
    store = ThreadStore(database, items=4)
    await fill(store, question("msg_1"), item("msg_2"), item("msg_3"))
    await store.add_thread_item(thread_id="thr_1", item=question("msg_4", minutes=1), context=ADA)

    for call in (store.add_thread_item, store.save_item):
        with pytest.raises(Problem, match="too_many"):
            await call(thread_id="thr_1", item=question("msg_5", minutes=2), context=ADA)
    await store.add_thread_item(thread_id="thr_1", item=item("msg_6", at=NOON + timedelta(hours=1)), context=ADA)
    await store.save_item(thread_id="thr_1", item=question("msg_4", minutes=1), context=ADA)
    assert await outcome(store.add_thread_item(thread_id="thr_1", item=question("msg_4", minutes=1), context=ADA)) == (
        "Problem",
        "conflict: this message is in the conversation already. Fix: reload the conversation",
    )
    with pytest.raises(NotFoundError):
        await store.add_thread_item(thread_id="thr_0", item=question("msg_1"), context=ADA)
    assert await ids(store) == ["msg_1", "msg_2", "msg_3", "msg_4", "msg_6"]

    await store.truncate_after("thr_1", "msg_3", ADA)
    await store.add_thread_item(thread_id="thr_1", item=question("msg_7", minutes=3), context=ADA)
    assert await ids(store) == ["msg_1", "msg_2", "msg_3", "msg_7"]


@pytest.mark.anyio
async def test_an_answer_that_never_ends_is_cut_off(database: Database) -> None:
    store = ThreadStore(database, items=1)
    await fill(store, question("msg_1"))
    # Five hundred items, one after the other, would take most of the time of this file.
    async with database.begin(ADA.caller, write=True) as tx:
        await tx.execute(chat_items.update().values(seq=ANSWER_ROOM))
    await store.add_thread_item(thread_id="thr_1", item=item("msg_2"), context=ADA)

    with pytest.raises(Problem, match="too_many"):
        await store.add_thread_item(thread_id="thr_1", item=item("msg_3"), context=ADA)
