"""Attachments: a message takes one that its owner has sent, into one conversation, with which it goes."""

import pytest
from chatkit.store import NotFoundError

from gateway.store import ThreadStore
from gateway.turn import Turn
from shared.db import Database
from tests.gateway.store.conversations import ADA, BOB, OTHER_ADA, WORDS, attachment, fill, outcome, upload


@pytest.mark.anyio
async def test_an_attachment_belongs_to_the_first_thread_that_takes_it(database: Database, store: ThreadStore) -> None:
    free = attachment("atc_1", metadata={"key": WORDS})
    await upload(database, free)
    assert await store.load_attachment(attachment_id="atc_1", context=ADA) == free
    bound = attachment("atc_1", thread_id="thr_1", metadata={"key": WORDS})

    await store.save_attachment(attachment=bound, context=ADA)
    await store.save_attachment(attachment=bound, context=ADA)
    with pytest.raises(NotFoundError):
        await store.save_attachment(attachment=attachment("atc_1", thread_id="thr_2"), context=ADA)
    await store.delete_attachment(attachment_id="atc_1", context=ADA)

    assert await store.load_attachment(attachment_id="atc_1", context=ADA) == bound


@pytest.mark.anyio
async def test_an_attachment_goes_with_its_thread_or_by_itself_while_it_has_none(
    database: Database, store: ThreadStore
) -> None:
    await fill(store)
    for key in ("atc_1", "atc_2", "atc_3"):
        await upload(database, attachment(key))
    await store.save_attachment(attachment=attachment("atc_1", thread_id="thr_1"), context=ADA)

    await store.delete_thread(thread_id="thr_1", context=ADA)
    await store.delete_attachment(attachment_id="atc_2", context=ADA)
    await store.delete_attachment(attachment_id="atc_2", context=ADA)

    missing = await outcome(store.load_attachment(attachment_id="atc_0", context=ADA))
    for key in ("atc_1", "atc_2"):
        assert await outcome(store.load_attachment(attachment_id=key, context=ADA)) == missing
        gone = attachment(key, thread_id="thr_1")
        assert await outcome(store.save_attachment(attachment=gone, context=ADA)) == missing
    assert await store.load_attachment(attachment_id="atc_3", context=ADA) == attachment("atc_3")


@pytest.mark.anyio
@pytest.mark.parametrize("stranger", [BOB, OTHER_ADA], ids=["bob", "ada of another issuer"])
async def test_nobody_else_takes_adas_attachment_into_a_conversation(
    database: Database, store: ThreadStore, stranger: Turn
) -> None:
    await upload(database, attachment("atc_1"))

    for key in ("atc_1", "atc_0"):
        with pytest.raises(NotFoundError):
            await store.save_attachment(attachment=attachment(key, thread_id="thr_1"), context=stranger)
        await store.delete_attachment(attachment_id=key, context=stranger)

    assert await store.load_attachment(attachment_id="atc_1", context=ADA) == attachment("atc_1")
