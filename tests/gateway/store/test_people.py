"""People never meet: what is somebody else's is the same as what never existed."""

from collections.abc import Awaitable, Iterator

import pytest
from chatkit.types import LockedStatus

from gateway.store import ThreadStore
from gateway.turn import Turn
from shared.db import Database
from tests.gateway.store.conversations import (
    ADA,
    BOB,
    OTHER_ADA,
    attachment,
    fill,
    item,
    outcome,
    thread,
    thread_pages,
    upload,
)


def everything(
    store: ThreadStore, turn: Turn, thread_id: str, item_id: str, file_id: str
) -> Iterator[Awaitable[object]]:
    """Each call that names something which may belong to somebody else, but those that create under that name."""
    yield store.load_thread(thread_id=thread_id, context=turn)
    yield store.load_item(thread_id=thread_id, item_id=item_id, context=turn)
    yield store.load_attachment(attachment_id=file_id, context=turn)
    for order in ("asc", "desc"):
        for after in (None, item_id):
            yield store.load_thread_items(thread_id=thread_id, after=after, limit=9, order=order, context=turn)
        for after in (None, thread_id):
            yield store.load_threads(limit=9, after=after, order=order, context=turn)
    yield store.recent(thread_id, turn)
    yield store.add_thread_item(thread_id=thread_id, item=item("new"), context=turn)
    yield store.add_thread_item(thread_id=thread_id, item=item(item_id), context=turn)
    yield store.save_item(thread_id=thread_id, item=item(item_id, kind="end_of_turn"), context=turn)
    yield store.rename(thread_id, "mine now", turn)
    yield store.set_status(thread_id, LockedStatus(), turn)
    yield store.truncate_after(thread_id, item_id, turn)
    yield store.delete_thread_item(thread_id=thread_id, item_id=item_id, context=turn)
    yield store.delete_thread(thread_id=thread_id, context=turn)
    yield store.save_attachment(attachment=attachment(file_id, thread_id="thr_new"), context=turn)
    yield store.auto_title(thread_id, "mine now", turn)
    yield store.forget_before(thread_id, item_id, turn)
    yield store.delete_attachment(attachment_id=file_id, context=turn)


@pytest.mark.anyio
@pytest.mark.parametrize("stranger", [BOB, OTHER_ADA], ids=["bob", "ada of another issuer"])
async def test_what_is_adas_is_to_anybody_else_exactly_what_never_existed(
    database: Database, store: ThreadStore, stranger: Turn
) -> None:
    async def adas() -> list[object]:
        return [
            await store.load_threads(limit=9, after=None, order="asc", context=ADA),
            await store.recent("thr_1", ADA),
            await store.load_attachment(attachment_id="atc_1", context=ADA),
        ]

    await fill(store, item("msg_1"), item("msg_2"))
    await upload(database, attachment("atc_1"))
    before = await adas()

    foreign = [await outcome(call) for call in everything(store, stranger, "thr_1", "msg_1", "atc_1")]
    unknown = [await outcome(call) for call in everything(store, stranger, "thr_0", "msg_0", "atc_0")]

    assert foreign == unknown
    assert await adas() == before


@pytest.mark.anyio
async def test_people_who_use_the_same_ids_never_meet(database: Database, store: ThreadStore) -> None:
    people = (ADA, BOB, OTHER_ADA)
    for number, turn in enumerate(people):
        await store.save_thread(thread=thread(title=f"of {number}"), context=turn)
        await store.add_thread_item(
            thread_id="thr_1", item=item("msg_1", content=[{"text": f"{number}"}]), context=turn
        )
        await upload(database, attachment("atc_1", metadata={"of": number}), turn)
    for turn in people[1:]:
        await store.rename("thr_1", "renamed", turn)
        await store.save_item(thread_id="thr_1", item=item("msg_1", kind="end_of_turn"), context=turn)
        await store.delete_thread(thread_id="thr_1", context=turn)
        await store.delete_attachment(attachment_id="atc_1", context=turn)

    assert (await store.load_threads(limit=9, after=None, order="asc", context=ADA)).data == [thread(title="of 0")]
    assert await store.recent("thr_1", ADA) == [item("msg_1", content=[{"text": "0"}])]
    assert await store.load_attachment(attachment_id="atc_1", context=ADA) == attachment("atc_1", metadata={"of": 0})
    for turn in people[1:]:
        assert await thread_pages(store, 9, "asc", turn) == [[]]
