"""Any program of calls by two people does what dictionaries would do."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any, Final

import pytest
from chatkit.types import ActiveStatus, LockedStatus, Page
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from gateway.store import Entry, Feedback, Leases, ThreadStore, Waiting
from gateway.tables import chat_feedback
from gateway.turn import Turn
from shared.db import Database
from tests.gateway.store.conversations import (
    NOON,
    answering,
    asked_by,
    expire,
    hidden,
    item,
    outcome,
    thread,
    workflow,
)
from tests.gateway.store.dictionaries import MOST_ANSWERS, NOTE, Shelf

PAST, FAR = datetime(2020, 1, 1, tzinfo=UTC), datetime(2999, 1, 1, tzinfo=UTC)
Step = tuple[Any, ...]

THREADS: Final = st.sampled_from(["thr_1", "thr_2", "thr_3"])
ITEM_IDS: Final = st.sampled_from(["a", "b", "c", "d"])
TITLES: Final = st.sampled_from(["Milk", "Oats", "Rye"])
TIMES: Final = st.integers(0, 2).map(lambda second: NOON + timedelta(seconds=second))
NEW_ITEMS: Final = st.builds(
    lambda key, kind, at: kind(key).model_copy(update={"created_at": at}),
    ITEM_IDS,
    st.sampled_from([item, hidden, lambda key: workflow(key, "open"), lambda key: workflow(key, "done")]),
    TIMES,
)
RUNS: Final = st.sampled_from(["run_1", "run_2"])
PERHAPS_RUN: Final = st.none() | RUNS
LIMITS: Final = st.integers(1, 4)
ORDERS: Final = st.sampled_from(["asc", "desc"])
ENTRY_IDS: Final = st.sampled_from(["e1", "e2", "e3"])
ENTRIES: Final = st.builds(
    lambda key, thread_id, expires_at: Entry(key, thread_id, "card", "approval", "pending", expires_at, {"of": key}),
    ENTRY_IDS,
    THREADS,
    st.sampled_from([PAST, FAR]),
)
ANSWERS: Final = st.sampled_from(["approve", "reject"])
STEPS: Final = st.one_of(
    st.tuples(st.just("save_thread"), THREADS, TIMES, st.none() | TITLES),
    st.tuples(st.sampled_from(["rename", "auto_title"]), THREADS, TITLES),
    st.tuples(st.just("set_status"), THREADS, st.sampled_from([ActiveStatus(), LockedStatus(reason="why")])),
    st.tuples(st.just("delete_thread"), THREADS),
    st.tuples(st.just("load_threads"), LIMITS, st.none() | THREADS, ORDERS),
    st.tuples(st.sampled_from(["add", "save"]), THREADS, NEW_ITEMS, PERHAPS_RUN),
    st.tuples(st.sampled_from(["add", "save"]), THREADS, NEW_ITEMS, PERHAPS_RUN),
    st.tuples(st.just("remove"), THREADS, ITEM_IDS, PERHAPS_RUN),
    st.tuples(st.sampled_from(["truncate_after", "forget_before"]), THREADS, ITEM_IDS),
    st.tuples(st.just("recent"), THREADS, LIMITS),
    st.tuples(st.just("load_items"), THREADS, LIMITS, st.none() | ITEM_IDS, ORDERS, st.booleans()),
    st.tuples(st.sampled_from(["take", "release"]), THREADS, RUNS),
    st.tuples(st.just("beat"), THREADS, RUNS, st.none() | ITEM_IDS.map(item)),
    st.tuples(st.sampled_from(["stop", "running", "expire", "recover", "open"]), THREADS),
    st.tuples(st.just("wait"), ENTRIES, PERHAPS_RUN),
    st.tuples(st.sampled_from(["claim", "settle"]), ENTRY_IDS, ANSWERS),
    st.tuples(st.just("vote"), THREADS, st.lists(ITEM_IDS, max_size=2), st.sampled_from(["positive", "negative"])),
)


def alike(items: list[Any]) -> list[Any]:
    """Items to compare; of the note that a recovery leaves only that there is one."""
    return [NOTE if each.id == NOTE or "interrupted" in str(getattr(each, "content", "")) else each for each in items]


def shown(page: Page[Any], known: tuple[str, ...]) -> tuple[list[str], bool]:
    assert page.after == (page.data[-1].id if page.has_more else None)
    return [each.id if each.id.startswith(known) else NOTE for each in page.data], page.has_more


class Rooms:
    """What people call: the store, the leases, the entries and the votes."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._store = ThreadStore(database)
        self._leases = Leases(database, limit=MOST_ANSWERS)
        self._waiting = Waiting(database)
        self._feedback = Feedback(database)

    async def run(self, turn: Turn, step: Step) -> object:
        """Do a step, and return what can be compared."""
        store, leases, waiting = self._store, self._leases, self._waiting

        def writing(run: str | None) -> Turn:
            return turn if run is None else answering(turn, run)

        match step:
            case ("save_thread", key, at, title):
                await store.save_thread(thread=thread(key, at=at, title=title), context=turn)
            case ("rename", key, title):
                return (await store.rename(key, title, turn)).title
            case ("auto_title", key, title):
                return await store.auto_title(key, title, turn)
            case ("set_status", key, status):
                await store.set_status(key, status, turn)
            case ("delete_thread", key):
                await store.delete_thread(thread_id=key, context=turn)
            case ("load_threads", limit, after, order):
                return shown(await store.load_threads(limit=limit, after=after, order=order, context=turn), ("thr",))
            case ("add", key, new, run):
                await store.add_thread_item(thread_id=key, item=new, context=writing(run))
            case ("save", key, new, run):
                await store.save_item(thread_id=key, item=new, context=writing(run))
            case ("remove", key, item_id, run):
                await store.delete_thread_item(thread_id=key, item_id=item_id, context=writing(run))
            case ("truncate_after", key, item_id):
                return alike(await store.truncate_after(key, item_id, turn))
            case ("forget_before", key, item_id):
                await store.forget_before(key, item_id, turn)
            case ("recent", key, limit):
                return alike(await store.recent(key, turn, limit))
            case ("load_items", key, limit, after, order, visible_only):
                page = await store.load_thread_items(
                    thread_id=key,
                    after=after,
                    limit=limit,
                    order=order,
                    context=replace(turn, visible_only=visible_only),
                )
                return [NOTE if len(name) > 1 else name for name in shown(page, ("a", "b", "c", "d"))[0]], page.has_more
            case ("take" | "release" as name, key, run):
                await getattr(leases, name)(key, writing(run))
            case ("beat", key, run, partial):
                return await leases.beat(key, writing(run), partial.model_dump_json() if partial else None)
            case ("stop" | "running" | "recover" as name, key):
                return await getattr(leases, name)(key, turn)
            case ("expire", key):
                await expire(self._database, turn, key)
            case ("wait", entry, run):
                await waiting.add(entry, writing(run))
            case ("open", key):
                return await waiting.open(key, turn)
            case ("claim" | "settle" as name, key, status):
                return await getattr(waiting, name)(key, status, turn)
            case ("vote", key, item_ids, kind):
                await self._feedback.keep(key, item_ids, kind, turn)
        return None

    async def votes(self, turn: Turn) -> dict[tuple[str, str], str]:
        """Every vote of this person."""
        c = chat_feedback.c
        async with self._database.begin(turn.caller) as tx:
            rows = await tx.all(select(c.thread_id, c.item_id, c.kind).where(c.owner == turn.caller.key))
        return {(row.thread_id, row.item_id): row.kind for row in rows}

    async def thread(self, turn: Turn, key: str) -> tuple[str | None, object]:
        """The title and the status of a thread."""
        found = await self._store.load_thread(thread_id=key, context=turn)
        return found.title, found.status


async def on_shelf(shelf: Shelf, step: Step) -> object:
    name, *values = step
    if name == "claim":
        values.append(NOON)
    result = getattr(shelf, name)(*values)
    return alike(result) if name in {"recent", "truncate_after"} else result


RUN_NUMBERS: Final = count()


@pytest.mark.anyio
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(program=st.lists(st.tuples(st.sampled_from(["ada", "bob"]), STEPS), min_size=20, max_size=60))
async def test_any_program_of_calls_does_what_dictionaries_would_do(
    database: Database, program: list[tuple[str, Step]]
) -> None:
    rooms, number = Rooms(database), next(RUN_NUMBERS)
    people = {name: (asked_by(f"{name} of run {number}"), Shelf()) for name in ("ada", "bob")}
    begun = [(name, ("save_thread", key, NOON, None)) for name, key in (("ada", "thr_1"), ("bob", "thr_2"))]

    for name, step in [*begun, *program]:
        turn, shelf = people[name]
        if step[0] == "wait" and step[1].id in shelf.entries:
            continue  # the ids of entries are ours and never repeated
        assert (name, step, await compared(rooms.run(turn, step))) == (
            name,
            step,
            await compared(on_shelf(shelf, step)),
        )

    for turn, shelf in people.values():
        for key, expected in shelf.threads.items():
            assert await rooms.thread(turn, key) == (expected.title, expected.status)
            assert await rooms.run(turn, ("recent", key, 100)) == await on_shelf(shelf, ("recent", key, 100))
        assert await rooms.votes(turn) == shelf.votes


async def compared(call: Any) -> object:
    """What a call comes to; of an error only its kind."""
    kind, value = await outcome(call)
    return value if kind == "value" else kind
