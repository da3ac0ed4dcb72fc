"""The life of a file, from its announcement to its end; and that nobody meets the files of another."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from chatkit.types import AttachmentCreateParams, AttachmentDeleteParams, AttachmentsDeleteReq, ImageAttachment
from sqlalchemy import select

from gateway.attachments import Attachments, Proofs, rows
from gateway.attachments.disk import Disk
from gateway.attachments.handling import PER_MESSAGE, UPLOADS_AT_ONCE
from gateway.attachments.rows import Quota
from gateway.tables import chat_attachments
from gateway.turn import Turn
from shared.db import Database
from shared.errors import Problem
from tests.gateway.attachments.files import (
    ADA,
    BOB,
    CSV,
    KEYS,
    ORIGIN,
    PNG,
    Clock,
    Gated,
    announced,
    asked_by,
    attach,
    chunks,
    kept_in,
    proof_in,
    refused,
    send,
    stored,
)

pytestmark = pytest.mark.anyio


# From its announcement to its end


async def test_a_file_is_announced_sent_brought_by_a_message_and_read(
    attachments: Attachments, database: Database, folder: Path
) -> None:
    made = await attachments.create(announced("../Tasks.csv"), ADA)
    assert rows.ID.fullmatch(made.id)
    assert (made.name, made.mime_type, made.type) == ("Tasks.csv", "text/csv", "file")
    assert made.upload_descriptor is not None
    assert made.upload_descriptor.method == "PUT"
    assert str(made.upload_descriptor.url).startswith(f"{ORIGIN}/attachments/{made.id}?proof=")
    assert await refused(attachments.read(made.id, ADA.caller)) == ("not_found", "there is no such file")
    assert (await refused(attachments.check([made.id], "thr_1", ADA)))[0] == "not_found"

    caller = attachments.uploader(made.id, proof_in(made))
    await attachments.receive(made.id, chunks(CSV[:5], CSV[5:]), caller)
    assert kept_in(folder) == {made.id}
    [attachment] = await attachments.check([made.id], "thr_1", ADA)
    assert attachment == made.model_copy(update={"upload_descriptor": None})
    assert await send(database, attachment, ADA)
    assert await attachments.read(made.id, ADA.caller) == (attachment.model_copy(update={"thread_id": "thr_1"}), CSV)


async def test_nothing_that_is_stored_proves_anything(attachments: Attachments, database: Database) -> None:
    made = await attach(attachments, ADA, PNG, "cat.png", "image/png")
    async with database.begin(ADA.caller) as tx:
        row = await tx.one(select(chat_attachments))
    assert row is not None
    assert f"{ORIGIN}/attachments/{made.id}" in row.data
    assert "proof" not in row.data


async def test_a_file_belongs_to_one_conversation_for_ever(attachments: Attachments, database: Database) -> None:
    made = await attach(attachments, ADA)
    won = await asyncio.gather(*(send(database, made, ADA, f"thr_{number}") for number in range(4)))
    assert won.count(True) == 1
    its_own = f"thr_{won.index(True)}"
    other = f"thr_{won.index(False)}"
    assert await send(database, made, ADA, its_own)
    assert [found.id for found in await attachments.check([made.id], its_own, ADA)] == [made.id]
    assert await refused(attachments.check([made.id], other, ADA)) == ("not_found", "there is no such file")
    assert (await refused(attachments.remove(made.id, ADA)))[0] == "conflict"
    assert (await attachments.read(made.id, ADA.caller))[1] == CSV


async def test_one_file_that_may_not_be_brought_keeps_out_the_message(attachments: Attachments) -> None:
    good = await attach(attachments, ADA)
    waiting = await attachments.create(announced(), ADA)
    for keys in ([good.id, waiting.id], [good.id, "atc_" + "0" * 32], [good.id, "\0"], [""]):
        assert (await refused(attachments.check(keys, "thr_1", ADA)))[0] == "not_found"
    many = ["atc_" + f"{number:032x}" for number in range(PER_MESSAGE + 1)]
    for keys in (many, [good.id, good.id]):
        assert (await refused(attachments.check(keys, "thr_1", ADA)))[0] == "too_many"
    assert await attachments.check([], "thr_1", ADA) == []


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        (announced("a.svg", 10, "image/svg+xml"), "wrong_type"),
        (announced(size=0), "bad_content"),
        (announced(size=-1), "bad_content"),
        (announced(size=1024 * 1024 + 1), "too_big"),
        (announced("cat.png", 5 * 1024 * 1024 + 1, "image/png"), "too_big"),
    ],
)
async def test_nothing_is_stored_of_what_may_not_be_attached(
    attachments: Attachments, database: Database, wrong: AttachmentCreateParams, code: str
) -> None:
    assert (await refused(attachments.create(wrong, ADA)))[0] == code
    assert await stored(database) == {}


@pytest.mark.parametrize(
    ("parts", "code"),
    [
        ([CSV, b"x"], "too_big"),
        ([], "bad_content"),
        ([b"\x89PNG"], "bad_content"),
        ([b"<html>"], "bad_content"),
    ],
)
async def test_a_file_that_is_not_as_announced_is_forgotten(
    attachments: Attachments, database: Database, folder: Path, parts: list[bytes], code: str
) -> None:
    made = await attachments.create(announced(), ADA)
    assert (await refused(attachments.receive(made.id, chunks(*parts), ADA.caller)))[0] == code
    assert await stored(database) == {}
    assert kept_in(folder) == set()


async def test_a_file_that_claims_to_be_small_is_not_read_to_its_end(attachments: Attachments) -> None:
    made = await attachments.create(announced(size=10), ADA)
    asked = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal asked
        while True:
            asked += 1
            yield b"x" * 10

    assert (await refused(attachments.receive(made.id, endless(), ADA.caller)))[0] == "too_big"
    assert asked == 2


async def test_an_upload_that_breaks_off_may_be_repeated_and_one_that_is_done_may_not(
    attachments: Attachments,
) -> None:
    async def broken() -> AsyncIterator[bytes]:
        yield CSV[:5]
        raise ConnectionResetError

    made = await attachments.create(announced(), ADA)
    with pytest.raises(ConnectionResetError):
        await attachments.receive(made.id, broken(), ADA.caller)
    await attachments.receive(made.id, chunks(CSV), ADA.caller)
    assert (await refused(attachments.receive(made.id, chunks(b"other"), ADA.caller)))[0] == "conflict"
    assert (await attachments.read(made.id, ADA.caller))[1] == CSV


async def test_of_two_uploads_at_once_one_is_kept_whole(attachments: Attachments) -> None:
    made = await attachments.create(announced(), ADA)
    other = CSV.replace(b"milk", b"soap")
    outcomes = await asyncio.gather(
        *(attachments.receive(made.id, chunks(data), ADA.caller) for data in (CSV, other)), return_exceptions=True
    )
    assert [type(outcome) for outcome in outcomes].count(Problem) == 1
    assert (await attachments.read(made.id, ADA.caller))[1] == (CSV if outcomes[0] is None else other)


async def test_while_the_place_is_away_an_upload_may_be_repeated(slowly: Attachments, gated: Gated) -> None:
    gated.opened.set()
    gated.is_away = True
    made = await slowly.create(announced(size=len(CSV) + 5), ADA)
    assert (await refused(slowly.receive(made.id, chunks(CSV), ADA.caller)))[0] == "unavailable"
    gated.is_away = False
    await slowly.receive(made.id, chunks(CSV + b"a,\n"), ADA.caller)
    assert (await slowly.read(made.id, ADA.caller))[1] == CSV + b"a,\n"


async def test_a_file_that_is_removed_while_it_is_written_leaves_nothing(
    slowly: Attachments, gated: Gated, database: Database, folder: Path
) -> None:
    made = await slowly.create(announced(), ADA)
    writing = asyncio.create_task(refused(slowly.receive(made.id, chunks(CSV), ADA.caller)))
    await gated.reached.wait()
    assert (await refused(slowly.check([made.id], "thr_1", ADA)))[0] == "not_found"
    await slowly.remove(made.id, ADA)
    gated.opened.set()
    assert (await writing)[0] == "not_found"
    assert (await stored(database), kept_in(folder)) == ({}, set())


async def test_only_so_many_files_are_held_in_memory_at_once(attachments: Attachments) -> None:
    people = [asked_by(f"person {number}") for number in range(UPLOADS_AT_ONCE // PER_MESSAGE + 1)]
    begun, goes_on = asyncio.Semaphore(0), asyncio.Event()

    async def waiting() -> AsyncIterator[bytes]:
        begun.release()
        await goes_on.wait()
        yield CSV

    async def begin(turn: Turn) -> None:
        made = await attachments.create(announced(), turn)
        uploads.create_task(attachments.receive(made.id, waiting(), turn.caller))
        await begun.acquire()

    async def is_busy(turn: Turn) -> bool:
        made = await attachments.create(announced(), turn)
        return (await refused(attachments.receive(made.id, chunks(CSV), turn.caller)))[0] == "busy"

    async with asyncio.TaskGroup() as uploads:
        for _ in range(PER_MESSAGE):
            await begin(people[0])
        assert await is_busy(people[0])
        for number in range(PER_MESSAGE, UPLOADS_AT_ONCE):
            await begin(people[number // PER_MESSAGE])
        assert await is_busy(BOB)
        goes_on.set()
    await attach(attachments, people[0])
    await attach(attachments, BOB)


async def test_a_chosen_file_can_be_removed_before_it_is_sent(
    attachments: Attachments, database: Database, folder: Path
) -> None:
    made = await attach(attachments, ADA)
    asked = AttachmentsDeleteReq(params=AttachmentDeleteParams(attachment_id=made.id))
    for _ in range(2):
        assert await attachments.answer(asked, ADA) == b"{}"
        assert (await stored(database), kept_in(folder)) == ({}, set())


# How much


async def test_a_person_has_only_so_many_files_that_are_in_no_message(
    database: Database, disk: Disk, proofs: Proofs
) -> None:
    few = Attachments(database, disk, proofs, Quota(unbound=2))
    made = [await attach(few, ADA) for _ in range(2)]
    assert (await refused(few.create(announced(), ADA)))[0] == "quota"
    await attach(few, BOB)
    assert await send(database, made[0], ADA)
    await few.create(announced(), ADA)
    await few.remove(made[1].id, ADA)
    await few.create(announced(), ADA)


async def test_a_person_has_only_so_many_bytes(database: Database, disk: Disk, proofs: Proofs) -> None:
    few = Attachments(database, disk, proofs, Quota(total_bytes=3 * len(CSV)))
    for number in range(3):
        assert await send(database, await attach(few, ADA), ADA, f"thr_{number}")
    assert (await refused(few.create(announced(size=1), ADA)))[0] == "quota"
    await attach(few, BOB)


async def test_many_announcements_at_once_stay_within_the_limit(database: Database, disk: Disk, proofs: Proofs) -> None:
    few = Attachments(database, disk, proofs, Quota(unbound=3))
    outcomes = await asyncio.gather(*(few.create(announced(), ADA) for _ in range(12)), return_exceptions=True)
    assert sum(isinstance(outcome, Problem) for outcome in outcomes) == 9


# Addresses that prove something


async def test_a_proof_is_for_one_file_one_purpose_and_a_while(attachments: Attachments, clock: Clock) -> None:
    made = await attachments.create(announced("cat.png", len(PNG), "image/png"), ADA)
    other = await attachments.create(announced(), ADA)
    proof = proof_in(made)
    assert attachments.uploader(made.id, proof).key == ADA.caller.key
    assert not attachments.uploader(made.id, proof).may("tasks:read")
    assert attachments.reader(made.id, proof) is None
    assert isinstance(made, ImageAttachment)
    preview = str(made.preview_url).partition("?proof=")[2]
    reader = attachments.reader(made.id, preview)
    assert reader is not None
    assert reader.key == ADA.caller.key
    for key, wrong in ((other.id, proof), (made.id, preview), (made.id, ""), (made.id, proof[:-2]), (made.id, "é\0")):
        with pytest.raises(Problem) as unknown:
            attachments.uploader(key, wrong)
        assert unknown.value.code == "not_found"
    clock.pass_(timedelta(minutes=10))
    with pytest.raises(Problem):
        attachments.uploader(made.id, proof)
    assert attachments.reader(made.id, preview) is not None
    clock.pass_(timedelta(minutes=50))
    assert attachments.reader(made.id, preview) is None


def test_a_proof_outlives_a_change_of_keys_and_none_is_made_by_another_key(clock: Clock) -> None:
    key = "atc_" + "0" * 32
    proof = Proofs(KEYS, ORIGIN, clock).proving("upload", key, ADA.caller).partition("?proof=")[2]
    assert Proofs(["a newer key", *KEYS], ORIGIN, clock).caller("upload", key, proof) is not None
    assert Proofs(["a newer key"], ORIGIN, clock).caller("upload", key, proof) is None


# Somebody else's


@pytest.mark.parametrize("state", ["waiting", "ready", "sent"])
async def test_bob_gets_the_answer_of_the_unknown_for_every_file_of_adas(
    attachments: Attachments, database: Database, folder: Path, state: str
) -> None:
    made = await (attachments.create(announced(), ADA) if state == "waiting" else attach(attachments, ADA))
    if state == "sent":
        assert await send(database, made, ADA)
    before = await stored(database)

    async def all_answers(key: str, turn: Turn) -> list[Any]:
        asked: list[Callable[[], Awaitable[Any]]] = [
            partial(attachments.read, key, turn.caller),
            partial(attachments.receive, key, chunks(b"bob's"), turn.caller),
            partial(attachments.check, [key], "thr_1", turn),
        ]
        return [*[await refused(ask()) for ask in asked], await attachments.remove(key, turn)]

    assert await all_answers(made.id, BOB) == await all_answers("atc_" + "0" * 32, BOB)
    assert not await send(database, made, BOB)
    async with database.begin(BOB.caller, write=True) as tx:
        await rows.bury(tx, "thr_1")
        await rows.bury_all(tx)
        await rows.drop(tx, [made.id])
        await rows.forget(tx, made.id)
    assert await stored(database) == before
    if state != "waiting":
        assert (await attachments.read(made.id, ADA.caller))[1] == CSV
        assert kept_in(folder) == {made.id}
