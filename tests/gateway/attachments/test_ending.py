"""How files end: with their conversation, unused, or with everything of a person."""

import asyncio
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import select, update

from gateway.attachments import Attachments, erase, rows, sweep, unneeded
from gateway.attachments.disk import Disk
from gateway.store import ThreadStore
from gateway.tables import chat_attachments
from shared.db import Database
from tests.gateway.attachments.files import (
    ADA,
    BOB,
    Clock,
    Gated,
    announced,
    attach,
    kept_in,
    refused,
    send,
    stored,
)

pytestmark = pytest.mark.anyio


async def test_files_end_with_their_conversation_and_their_bytes_follow(
    attachments: Attachments, database: Database, disk: Disk, folder: Path, clock: Clock
) -> None:
    gone, kept, hers = await attach(attachments, ADA), await attach(attachments, ADA), await attach(attachments, BOB)
    for made, turn, thread in ((gone, ADA, "thr_1"), (kept, ADA, "thr_2"), (hers, BOB, "thr_1")):
        assert await send(database, made, turn, thread)
    async with database.begin(ADA.caller, write=True) as tx:
        await rows.bury(tx, "thr_1")
    assert (await refused(attachments.read(gone.id, ADA.caller)))[0] == "not_found"
    assert not await send(database, gone, ADA)
    async with database.begin(ADA.caller) as tx:
        row = await tx.one(select(chat_attachments.c.data).where(chat_attachments.c.id == gone.id))
    assert row is not None
    assert row.data == ""
    assert await unneeded(database, clock()) == 1
    assert await sweep(database, disk, clock()) == 1
    assert await stored(database) == {kept.id: "ready", hers.id: "ready"}
    assert kept_in(folder) == {kept.id, hers.id}


async def test_what_was_never_sent_goes_after_a_day(
    attachments: Attachments, database: Database, disk: Disk, folder: Path, clock: Clock
) -> None:
    waiting, unbound, bound = (
        await attachments.create(announced(), ADA),
        *[await attach(attachments, ADA) for _ in "12"],
    )
    assert await send(database, bound, ADA)
    clock.pass_(timedelta(hours=24))
    assert (await unneeded(database, clock()), await sweep(database, disk, clock())) == (0, 0)
    assert await stored(database) == {waiting.id: "waiting", unbound.id: "ready", bound.id: "ready"}
    clock.pass_(timedelta(seconds=1))
    assert (await unneeded(database, clock()), await sweep(database, disk, clock())) == (2, 2)
    assert (await stored(database), kept_in(folder)) == ({bound.id: "ready"}, {bound.id})


async def test_what_a_message_that_was_never_stored_took_goes_after_a_day(
    attachments: Attachments, database: Database, disk: Disk, folder: Path, clock: Clock
) -> None:
    made, hers = await attach(attachments, ADA), await attach(attachments, BOB)
    for attachment, turn in ((made, ADA), (hers, BOB)):
        assert await send(database, attachment, turn)
    # As if both had happened at once: the conversation was deleted, and a message of it was still on its way.
    await ThreadStore(database).delete_thread("thr_1", ADA)
    async with database.begin(ADA.caller, write=True) as tx:
        mine = chat_attachments.c.id == made.id
        await tx.execute(update(chat_attachments).where(mine).values(state="ready", thread_id="thr_1"))
    assert (await sweep(database, disk, clock()), kept_in(folder)) == (0, {made.id, hers.id})
    clock.pass_(timedelta(days=2))
    assert (await unneeded(database, clock()), await sweep(database, disk, clock())) == (1, 1)
    assert (await stored(database), kept_in(folder)) == ({hers.id: "ready"}, {hers.id})


async def test_two_sweeps_at_once_take_everything_away_and_no_more(
    attachments: Attachments, database: Database, disk: Disk, folder: Path, clock: Clock
) -> None:
    for _ in range(5):
        await attach(attachments, ADA)
    kept = await attach(attachments, BOB)
    assert await send(database, kept, BOB)
    clock.pass_(timedelta(days=2))
    await asyncio.gather(*(sweep(database, disk, clock()) for _ in range(3)))
    assert (await stored(database), kept_in(folder)) == ({kept.id: "ready"}, {kept.id})


async def test_while_the_place_is_away_no_row_is_forgotten_before_its_bytes(
    slowly: Attachments, gated: Gated, database: Database, folder: Path, clock: Clock
) -> None:
    gated.opened.set()
    made = await attach(slowly, ADA)
    gated.is_away = True
    assert (await refused(slowly.remove(made.id, ADA)))[0] == "unavailable"
    assert (await refused(sweep(database, gated, clock())))[0] == "unavailable"
    assert (await stored(database), kept_in(folder)) == ({made.id: "deleted"}, {made.id})
    gated.is_away = False
    assert await sweep(database, gated, clock()) == 1
    assert (await stored(database), kept_in(folder)) == ({}, set())


async def test_a_person_can_be_erased_with_every_file(
    attachments: Attachments, database: Database, disk: Disk, folder: Path
) -> None:
    hers = await attach(attachments, BOB)
    for number in range(3):
        assert await send(database, await attach(attachments, ADA), ADA, f"thr_{number}")
    await attachments.create(announced(), ADA)
    assert (await refused(erase(database, None, ADA.caller)))[0] == "unavailable"
    assert await erase(database, disk, ADA.caller) == 4
    assert (await stored(database), kept_in(folder)) == ({hers.id: "ready"}, {hers.id})
    assert await erase(database, None, ADA.caller) == 0
