"""What has been kept for long enough goes, and nothing else, whoever prunes or writes at the same moment."""

import asyncio
import logging
from collections.abc import Generator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any, Final

import pytest
from sqlalchemy import event, insert, select
from sqlalchemy.engine import Connection

from gateway.attachments import Keeping
from gateway.attachments.disk import Disk
from gateway.people import kept_tidy, prune
from gateway.tables import (
    chat_attachments,
    chat_feedback,
    chat_items,
    chat_pending,
    chat_threads,
    chat_turns,
    chat_usage,
    revocations,
    sessions,
)
from shared.db import Database
from shared.retention import Retention
from tests.gateway.people.place import ADA, BOB, ISSUER, NOW, SELF, Place, owned_by

pytestmark = pytest.mark.anyio

KEPT: Final = Retention(threads=365, deleted=30)
DAY_US: Final = 86_400_000_000


async def conversation(place: Place, key: str, *, begun: float, last: float, owner: Any = ADA) -> None:
    """A conversation that began and was last written into so many days ago."""
    await place.add(chat_threads, {"owner": owner.key, "id": key, "created_us": place.us(begun), "title": "t"})
    items = [{"thread_id": key, "id": f"{key}_{at}", "created_us": place.us(at)} for at in {begun, last}]
    await place.add(chat_items, *owned_by(owner, items))


async def test_a_conversation_in_which_nothing_happens_for_a_year_is_emptied(place: Place) -> None:
    await conversation(place, "old", begun=800, last=366)
    await place.add(chat_pending, {"owner": ADA.key, "id": "p", "thread_id": "old", "expires_us": place.us(-1)})
    await place.add(chat_feedback, {"owner": ADA.key, "thread_id": "old", "item_id": "old_366"})
    counts = await prune(place.database, KEPT)
    assert {what: rows for what, rows in counts.items() if rows} == {
        "conversations": 1,
        "chat_items": 2,
        "chat_pending": 1,
        "chat_feedback": 1,
    }
    [left] = (await place.everything())["chat_threads"]
    assert (left["id"], left["title"], left["data"], left["deleted_us"]) == ("old", None, "", place.us())
    assert not any((await prune(place.database, KEPT)).values())


async def test_a_conversation_in_which_something_happens_stays(place: Place) -> None:
    await conversation(place, "old", begun=800, last=364)
    await conversation(place, "new", begun=1, last=1)
    await place.add(chat_threads, {"owner": ADA.key, "id": "empty", "created_us": place.us(364)})
    before = await place.everything()
    assert not any((await prune(place.database, KEPT)).values())
    assert await place.everything() == before


async def test_what_is_bobs_stays_where_ada_has_the_same_ids(place: Place) -> None:
    await conversation(place, "same", begun=800, last=800)
    await conversation(place, "same", begun=800, last=1, owner=BOB)
    before = await place.everything()
    await prune(place.database, KEPT)
    after = await place.everything()
    for table in ("chat_threads", "chat_items"):
        bobs = [row for row in before[table] if row["owner"] == BOB.key]
        assert [row for row in after[table] if row["owner"] == BOB.key] == bobs != []


async def test_a_conversation_that_is_being_answered_stays(place: Place) -> None:
    await conversation(place, "old", begun=800, last=800)
    await place.add(chat_turns, {"owner": ADA.key, "thread_id": "old", "expires_us": place.us() + 1})
    assert not any((await prune(place.database, KEPT)).values())
    assert await place.count(chat_items) == 1


async def test_zero_days_are_for_ever(place: Place) -> None:
    await conversation(place, "old", begun=8_000, last=8_000)
    await place.add(
        chat_threads, {"owner": ADA.key, "id": "gone", "created_us": place.us(9_000), "deleted_us": place.us(8_000)}
    )
    assert not any((await prune(place.database, Retention(threads=0, deleted=0))).values())


@pytest.mark.parametrize(("days", "left"), [(29, ["gone"]), (31, [])])
async def test_the_row_of_a_deleted_conversation_goes_after_its_days(place: Place, days: int, left: list[str]) -> None:
    await place.add(
        chat_threads, {"owner": ADA.key, "id": "gone", "created_us": place.us(90), "deleted_us": place.us(days)}
    )
    await prune(place.database, KEPT)
    assert await place.ids(chat_threads) == left


async def test_what_an_interrupted_run_left_in_a_deleted_conversation_goes(place: Place) -> None:
    await place.add(
        chat_threads, {"owner": ADA.key, "id": "gone", "created_us": place.us(90), "deleted_us": place.us(40)}
    )
    await place.add(chat_items, {"owner": ADA.key, "thread_id": "gone", "id": "left"})
    await prune(place.database, KEPT)
    assert (await place.count(chat_items), await place.count(chat_threads)) == (0, 0)


async def test_a_dead_lease_goes_after_a_day_but_not_with_words_that_nobody_has_read(place: Place) -> None:
    await conversation(place, "living", begun=1, last=1)
    leases = (
        {"thread_id": "never_begun", "expires_us": place.us(1.1), "partial": "{}"},
        {"thread_id": "silent", "expires_us": place.us(1.1)},
        {"thread_id": "living", "expires_us": place.us(1.1), "partial": "{}"},
        {"thread_id": "recent", "expires_us": place.us(0.9)},
    )
    for lease in leases:
        await place.add(chat_turns, {"owner": ADA.key, **lease})
    assert (await prune(place.database, KEPT))["chat_turns"] == 2
    assert await place.ids(chat_turns, "thread_id") == ["living", "recent"]


async def test_everything_else_goes_in_its_own_time(place: Place) -> None:
    await conversation(place, "thr", begun=1, last=1)
    in_thread = {"owner": ADA.key, "thread_id": "thr"}
    await place.add(chat_pending, *({**in_thread, "id": str(at), "expires_us": place.us(at)} for at in (0, 0.9, 1.1)))
    await place.add(chat_feedback, {**in_thread, "item_id": "thr_1"}, {**in_thread, "item_id": "removed"})
    person = {"issuer": ISSUER, "subject": "ada"}
    await place.add(
        sessions,
        {**person, "id_hash": "used", "expires_us": place.us(-1), "idle_us": place.us()},
        {**person, "id_hash": "unused", "expires_us": place.us(-1), "idle_us": place.us(0.5)},
        {**person, "id_hash": "ended", "expires_us": place.us(0.5), "idle_us": place.us()},
    )
    await place.add(
        revocations,
        {**person, "id": "holds", "keep_until_us": place.us(0.01)},
        {**person, "id": "past", "keep_until_us": place.us(1)},
    )
    await place.add(
        chat_usage,
        {"owner": ADA.key, "day": place.us(36) // DAY_US},
        {"owner": BOB.key, "day": place.us(35) // DAY_US},
    )
    await prune(place.database, KEPT)
    assert await place.ids(chat_pending) == ["0", "0.9"]
    assert await place.ids(chat_feedback, "item_id") == ["thr_1"]
    assert await place.ids(sessions, "id_hash") == ["used"]
    assert await place.ids(revocations) == ["holds"]
    assert await place.ids(chat_usage, "owner") == [BOB.key]


async def test_files_go_with_their_conversation_bytes_and_all(place: Place, tmp_path: Path) -> None:
    await conversation(place, "old", begun=800, last=800)
    await conversation(place, "new", begun=1, last=1)
    keeping: Keeping = Disk(tmp_path / "files")
    theirs, other = "atc_" + "a" * 32, "atc_" + "b" * 32
    for key, thread in ((theirs, "old"), (other, "new")):
        await keeping.put(key, b"words")
        row = {"owner": ADA.key, "id": key, "state": "ready", "thread_id": thread, "created_us": place.us()}
        await place.add(chat_attachments, row)
    assert (await prune(place.database, KEPT, keeping))["chat_attachments"] == 1
    assert await place.ids(chat_attachments) == [other]
    assert await keeping.get(other) == b"words"
    assert [path.name for path in (tmp_path / "files").rglob("atc_*")] == [other]


async def fill_with_much(place: Place) -> None:
    """More than two pages of idle conversations, and more than two pages in one of them; every third is in use."""
    threads = [
        {"id": f"thr_{number:04}", "created_us": place.us(2 if number % 3 == 0 else 900)} for number in range(2_100)
    ]
    await place.add(chat_threads, *owned_by(ADA, threads))
    await place.add(chat_items, *owned_by(ADA, [{"thread_id": row["id"], "id": "first"} for row in threads]))
    long = [{"thread_id": "thr_0001", "id": f"{number:04}"} for number in range(2_500)]
    await place.add(chat_items, *owned_by(ADA, long))
    votes = [{"thread_id": row["id"], "item_id": which} for row in threads for which in ("first", "removed")]
    await place.add(chat_feedback, *owned_by(ADA, votes))


async def test_a_dry_run_counts_what_goes_and_changes_nothing(place: Place) -> None:
    await fill_with_much(place)
    await place.add(chat_turns, *owned_by(ADA, [{"thread_id": f"thr_000{n}", "expires_us": 1} for n in range(6)]))
    before = await place.everything()
    counted = await prune(place.database, KEPT, dry_run=True)
    assert await place.everything() == before
    assert await prune(place.database, KEPT) == counted
    assert (counted["conversations"], counted["chat_items"]) == (1_400, 3_900)


async def test_several_prune_at_once_beside_one_who_writes(place: Place) -> None:
    await fill_with_much(place)
    other = Database(place.url, pool_size=3, now=lambda: NOW)

    async def write() -> None:
        for number in range(0, 2_100, 30):
            row = {"thread_id": f"thr_{number:04}", "id": "new", "created_us": place.us()}
            await place.add(chat_items, {"owner": ADA.key, **row})

    try:
        first, second, _ = await asyncio.gather(prune(place.database, KEPT), prune(other, KEPT), write())
    finally:
        await other.close()
    # What one has locked the other leaves, and what is left over goes the next time.
    third = await prune(place.database, KEPT)
    total = {what: first[what] + second[what] + third[what] for what in first}
    assert total == {**dict.fromkeys(total, 0), "conversations": 1_400, "chat_items": 3_900, "chat_feedback": 3_500}
    assert await place.count(chat_items) == 700 + 70
    living = chat_threads.c.deleted_us.is_(None)
    async with place.database.begin(SELF) as tx:
        assert len(await tx.all(select(chat_threads.c.id).where(living))) == 700


@pytest.mark.postgres
@pytest.mark.parametrize("place", ["postgres"], indirect=True)
async def test_a_conversation_into_which_somebody_writes_at_this_moment_stays(place: Place) -> None:
    """On SQLite nobody prunes while somebody writes: it has one writer."""
    await conversation(place, "old", begun=800, last=800)
    mine = (chat_threads.c.owner == ADA.key) & (chat_threads.c.id == "old")
    async with place.database.begin(ADA, write=True) as tx:
        await tx.execute(select(chat_threads.c.id).where(mine).with_for_update(read=True))
        row = {"owner": ADA.key, "thread_id": "old", "id": "new", "seq": 1, "created_us": place.us()}
        await tx.execute(insert(chat_items), {**row, "kind": "", "data": ""})
        assert not any((await prune(place.database, KEPT)).values())
    assert not any((await prune(place.database, KEPT)).values())
    assert await place.count(chat_items) == 2


@pytest.mark.parametrize("commits", [1, 4, 6])
async def test_one_who_is_interrupted_leaves_nothing_that_the_next_one_does_not_find(
    place: Place, commits: int
) -> None:
    await fill_with_much(place)
    left, reached = count(commits, -1), asyncio.Event()

    @event.listens_for(place.database.engine.sync_engine, "commit")
    def tell(_: Connection) -> None:
        if next(left) == 1:
            reached.set()

    pruning = asyncio.create_task(prune(place.database, KEPT))
    await reached.wait()
    pruning.cancel()
    await asyncio.wait({pruning})
    assert pruning.cancelled()
    await prune(place.database, KEPT)
    assert await place.count(chat_items) == 700


@contextmanager
def heard(words: str) -> Generator[asyncio.Event]:
    """Set when the service logs these words."""
    found = asyncio.Event()

    class Hearing(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if words in record.getMessage():
                found.set()

    log, hearing = logging.getLogger("gateway.people.tidying"), Hearing()
    before = log.level
    log.addHandler(hearing)
    log.setLevel(logging.INFO)
    try:
        yield found
    finally:
        log.removeHandler(hearing)
        log.setLevel(before)


async def test_a_service_prunes_by_itself_again_and_again(place: Place) -> None:
    async with kept_tidy(place.database, KEPT, pause_s=0.01):
        for key in ("first", "second"):
            await conversation(place, key, begun=800, last=800)
            with heard("pruned") as pruned:
                await asyncio.wait_for(pruned.wait(), 20)
    assert await place.count(chat_items) == 0


async def test_a_service_goes_on_when_pruning_fails(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path}/empty.db")
    try:
        for _ in range(2):
            with heard("pruning failed") as failed:
                async with kept_tidy(database, KEPT, pause_s=0.01):
                    await asyncio.wait_for(failed.wait(), 20)
    finally:
        await database.close()
