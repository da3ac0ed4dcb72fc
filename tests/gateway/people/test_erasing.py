"""Of a person who is erased no row is left in any table, and nothing of anybody else's is missing."""

import asyncio
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from chatkit.store import NotFoundError
from sqlalchemy import event
from sqlalchemy.engine import Connection

from gateway.answering.answer import Answer
from gateway.attachments.disk import Disk
from gateway.people import erase
from gateway.people.belonging import PERSONAL
from gateway.store import Beat, Leases, ThreadStore
from gateway.tables import chat_items, metadata, revocations
from shared.errors import Problem
from shared.tokens import Caller
from tests.gateway.people.place import ADA, BOB, Place, Rows, owned_by
from tests.gateway.store.conversations import ADA as ADAS
from tests.gateway.store.conversations import BOB as BOBS
from tests.gateway.store.conversations import item, thread

pytestmark = pytest.mark.anyio


async def fill(place: Place, person: Caller) -> None:
    """A row of this person in every table, whichever there are."""
    for table in metadata.sorted_tables:
        row: dict[str, Any] = {column.name: person.subject for column in table.primary_key}
        whose = {"owner": person.key, "issuer": person.issuer, "subject": person.subject}
        row |= {name: value for name, value in whose.items() if name in table.c}
        await place.add(table, row)


def of(person: Caller, rows: Rows) -> Rows:
    """The rows in which anything tells of this person."""
    marks = (person.key, person.subject)
    return {
        name: [row for row in found if any(mark in map(str, row.values()) for mark in marks)]
        for name, found in rows.items()
    }


async def test_no_row_of_ada_is_left_in_any_table_and_all_of_bobs_are(place: Place, tmp_path: Path) -> None:
    await fill(place, ADA)
    await fill(place, BOB)
    before = await place.everything()
    assert all(len(of(person, before)[table.name]) == 1 for person in (ADA, BOB) for table in metadata.sorted_tables)
    counts = await erase(place.database, ADA, Disk(tmp_path / "files"))
    after = await place.everything()
    assert counts == {table.name: 1 for table in PERSONAL}
    # That nothing is believed that was given to her before is what keeps her out.
    kept = {name: rows for name, rows in of(ADA, after).items() if rows}
    assert kept == {revocations.name: of(ADA, before)[revocations.name]}
    assert of(BOB, after) == of(BOB, before)


async def test_more_than_a_batch_goes_as_well(place: Place) -> None:
    for person in (ADA, BOB):
        rows = [{"thread_id": f"thr_{n % 3}", "id": str(n)} for n in range(2_100)]
        await place.add(chat_items, *owned_by(person, rows))
    assert (await erase(place.database, ADA))["chat_items"] == 2_100
    assert not any((await erase(place.database, ADA)).values())
    assert await place.count(chat_items) == 2_100


async def test_an_answer_that_is_running_writes_nothing_more(place: Place) -> None:
    store, leases = ThreadStore(place.database), Leases(place.database)
    for turn in (ADAS, BOBS):
        await store.save_thread(thread("thr_1"), context=turn)
        await leases.take("thr_1", turn)
    await erase(place.database, ADA)
    assert await leases.beat("thr_1", ADAS, None) is Beat.LOST
    assert await leases.beat("thr_1", BOBS, None) is Beat.GO
    with pytest.raises(NotFoundError):
        await store.add_thread_item("thr_1", item("msg_1"), context=ADAS.answered_by(Answer()))
    assert of(ADA, await place.everything()) == {name: [] for name in metadata.tables}


async def test_what_is_left_of_an_interrupted_run_is_gone_for_people_and_found_by_the_next(place: Place) -> None:
    store = ThreadStore(place.database)
    for turn in (ADAS, BOBS):
        await store.save_thread(thread("thr_1"), context=turn)
        await store.add_thread_item("thr_1", item("msg_1"), context=turn)
    commits, reached = count(1), asyncio.Event()

    @event.listens_for(place.database.engine.sync_engine, "commit")
    def tell(_: Connection) -> None:
        if next(commits) == 2:  # the first is about attachments
            reached.set()

    erasing = asyncio.create_task(erase(place.database, ADA))
    await reached.wait()
    erasing.cancel()
    await asyncio.wait({erasing})
    assert erasing.cancelled()
    assert (await store.load_threads(20, None, "desc", context=ADAS)).data == []
    assert len((await store.load_threads(20, None, "desc", context=BOBS)).data) == 1
    await erase(place.database, ADA)
    assert of(ADA, await place.everything()) == {name: [] for name in metadata.tables}


async def test_while_nobody_knows_where_files_are_kept_everything_stays(place: Place) -> None:
    await fill(place, ADA)
    before = await place.everything()
    with pytest.raises(Problem, match="ATTACHMENTS"):
        await erase(place.database, ADA)
    assert await place.everything() == before
