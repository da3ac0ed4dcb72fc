"""What ChatKit may rely on when it stores a conversation, on either engine; and that people never meet."""

import asyncio
import logging
import re
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any, Final, get_args

import pytest
from chatkit.store import NotFoundError, StoreItemType
from chatkit.types import (
    AssistantMessageItem,
    Attachment,
    ClosedStatus,
    LockedStatus,
    Page,
    Thread,
    ThreadItem,
    ThreadMetadata,
)
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter
from sqlalchemy import Table, event, select, text

from gateway.migrations import SCHEMA
from gateway.store import ThreadStore
from gateway.tables import chat_feedback, chat_items, chat_pending, chat_threads, chat_turns, metadata
from gateway.turn import Turn
from shared.db import Database
from shared.errors import Problem
from shared.migrate import upgrade
from shared.tokens import Caller
from tests.engines import PostgresServer

NOON: Final = datetime(2026, 3, 1, 12, tzinfo=UTC)
# What people and pages write: markup, quotes, an escape that PostgreSQL's jsonb refuses, and every sort of letter.
WORDS: Final = '<b>"it\'s"</b> {{x}} \\ \x00 \u2028 日本 🙂 é'
ITEM: Final[TypeAdapter[ThreadItem]] = TypeAdapter(ThreadItem)
ATTACHMENT: Final[TypeAdapter[Attachment]] = TypeAdapter(Attachment)

Outcome = tuple[str, object]


def asked_by(subject: str, issuer: str = "https://login.example.test") -> Turn:
    caller = Caller(subject, issuer, frozenset(), 0, "page")

    async def still_there() -> Caller:
        return caller

    return Turn(caller=caller, caller_now=still_there, request_id="r1")


ADA: Final = asked_by("ada")
BOB: Final = asked_by("bob")
OTHER_ADA: Final = asked_by("ada", "https://elsewhere.example.test")


def item(key: str, *, at: datetime = NOON, thread: str = "thr_1", kind: str = "assistant_message", **more: Any) -> Any:
    """An item of any kind; an answer of one part unless something else is asked for."""
    if kind == "assistant_message" and not more:
        more = {"content": [{"text": key}]}
    return ITEM.validate_python({"id": key, "thread_id": thread, "created_at": at, "type": kind, **more})


def workflow(key: str, title: str) -> Any:
    return item(key, kind="workflow", workflow={"type": "custom", "tasks": [{"type": "custom", "title": title}]})


def hidden(key: str, *, at: datetime = NOON, kind: str = "hidden_context_item") -> Any:
    return item(key, at=at, kind=kind, content=WORDS)


def thread(key: str = "thr_1", *, at: datetime = NOON, **more: Any) -> ThreadMetadata:
    return ThreadMetadata(id=key, created_at=at, **more)


def attachment(key: str, **more: Any) -> Attachment:
    return ATTACHMENT.validate_python({"type": "file", "id": key, "name": WORDS, "mime_type": "text/csv", **more})


EVERY_KIND: Final = (
    item(
        "1",
        kind="user_message",
        content=[
            {"type": "input_text", "text": WORDS},
            {"type": "input_tag", "id": "T1", "text": "milk", "data": {"deep": [{"a": None}]}},
        ],
        attachments=[
            {"type": "image", "id": "a", "name": "n", "mime_type": "image/png", "preview_url": "https://x.test/a"}
        ],
        quoted_text=WORDS,
        inference_options={"tool_choice": {"id": "plan"}, "model": "m"},
    ),
    item(
        "2",
        kind="assistant_message",
        content=[
            {"text": WORDS, "annotations": [{"source": {"type": "entity", "id": "T1", "title": "milk"}, "index": 3}]}
        ],
    ),
    item(
        "3", kind="client_tool_call", call_id="c", name="get_selection", arguments={"a": [1, 2.5]}, output={"b": None}
    ),
    item(
        "4",
        kind="widget",
        copy_text=WORDS,
        widget={
            "type": "Card",
            "children": [
                {"type": "Text", "value": WORDS},
                {"type": "Button", "label": "Done", "onClickAction": {"type": "task.done", "payload": {"id": "T1"}}},
            ],
        },
    ),
    item("5", kind="generated_image", image={"id": "i", "url": "https://x.test/i.png"}),
    item(
        "6",
        kind="structured_input",
        status="answered",
        inputs=[{"type": "freeform", "id": "q", "question": "Which?", "answer": {"values": [WORDS]}}],
    ),
    item("7", kind="workflow", workflow={"type": "reasoning", "tasks": [], "summary": {"duration": 3}}),
    item("8", kind="task", task={"type": "custom", "title": WORDS, "status_indicator": "complete"}),
    item("9", kind="hidden_context_item", content={"run_items": [{"output": WORDS, "n": 1.5, "none": None}]}),
    item("10", kind="sdk_hidden_context", content=WORDS),
    item("11", kind="end_of_turn"),
)


@pytest.fixture(scope="module", params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def conversations_url(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Generator[str]:
    """One database for all tests here: making one takes longer than any of them."""
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path_factory.mktemp('store')}/gateway.db"
        asyncio.run(upgrade(SCHEMA, url))
        yield url
        return
    server: PostgresServer = request.getfixturevalue("postgres_server")
    created = server.create_database("conversation_store")
    asyncio.run(upgrade(SCHEMA, created.owner_url))
    yield created.app_url
    server.drop_database("conversation_store")


@pytest.fixture
async def database(conversations_url: str) -> AsyncGenerator[Database]:
    opened = Database(conversations_url, pool_size=3)
    yield opened
    async with opened.begin(ADA.caller, write=True) as tx:
        for table in metadata.sorted_tables:
            await tx.execute(table.delete())
    await opened.close()


@pytest.fixture
def store(database: Database) -> ThreadStore:
    return ThreadStore(database)


@pytest.fixture
def central_european_time(monkeypatch: pytest.MonkeyPatch) -> Generator[None]:
    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


async def fill(store: ThreadStore, *items: ThreadItem, turn: Turn = ADA) -> None:
    """The thread `thr_1` with these items, added one after the other."""
    await store.save_thread(thread=thread(), context=turn)
    for each in items:
        await store.add_thread_item(thread_id="thr_1", item=each, context=turn)


async def pages(load: Callable[[str | None], Awaitable[Page[Any]]]) -> list[Page[Any]]:
    """All pages, by the rule a client follows: a cursor exactly when there is more, and it is the last row's id."""
    found = [await load(None)]
    while found[-1].has_more:
        assert found[-1].after == found[-1].data[-1].id
        found.append(await load(found[-1].after))
    assert found[-1].after is None
    return found


async def item_pages(store: ThreadStore, limit: int, order: str, turn: Turn = ADA) -> list[list[str]]:
    found = await pages(
        lambda after: store.load_thread_items(thread_id="thr_1", after=after, limit=limit, order=order, context=turn)
    )
    return [[each.id for each in page.data] for page in found]


async def thread_pages(store: ThreadStore, limit: int, order: str, turn: Turn = ADA) -> list[list[str]]:
    found = await pages(lambda after: store.load_threads(limit=limit, after=after, order=order, context=turn))
    return [[each.id for each in page.data] for page in found]


async def ids(store: ThreadStore, turn: Turn = ADA) -> list[str]:
    return [key for page in await item_pages(store, 100, "asc", turn) for key in page]


async def overwrite(database: Database, table: Table, key: str, data: str) -> None:
    """What another release may have left behind: the store itself writes nothing that it cannot read."""
    async with database.begin(ADA.caller, write=True) as tx:
        await tx.execute(table.update().where(table.c.id == key).values(data=data))


async def outcome(call: Awaitable[object]) -> Outcome:
    """What a caller sees: the value, or the error with its words."""
    try:
        return "value", await call
    except (NotFoundError, Problem) as error:
        return type(error).__name__, str(error)


# Items


@pytest.mark.anyio
async def test_an_item_of_every_kind_comes_back_as_it_was(store: ThreadStore) -> None:
    union = get_args(get_args(ThreadItem)[0])
    assert {type(each) for each in EVERY_KIND} == set(union)
    await fill(store, *EVERY_KIND)

    page = await store.load_thread_items(thread_id="thr_1", after=None, limit=100, order="asc", context=ADA)

    assert page == Page[ThreadItem](data=list(EVERY_KIND))
    assert [each.model_dump_json() for each in page.data] == [each.model_dump_json() for each in EVERY_KIND]
    for each in EVERY_KIND:
        assert await store.load_item(thread_id="thr_1", item_id=each.id, context=ADA) == each


@pytest.mark.anyio
async def test_what_was_returned_or_handed_over_can_be_changed_without_changing_what_is_stored(
    store: ThreadStore,
) -> None:
    given_item, given_thread = item("msg_1"), thread(title="Milk")
    await store.save_thread(thread=given_thread, context=ADA)
    await store.add_thread_item(thread_id="thr_1", item=given_item, context=ADA)
    given_item.content[0].text = given_thread.title = "changed"
    found = await store.load_item(thread_id="thr_1", item_id="msg_1", context=ADA)
    assert isinstance(found, AssistantMessageItem)
    found.content.clear()
    (await store.load_thread(thread_id="thr_1", context=ADA)).metadata["a"] = 1

    assert await store.load_item(thread_id="thr_1", item_id="msg_1", context=ADA) == item("msg_1")
    assert await store.load_thread(thread_id="thr_1", context=ADA) == thread(title="Milk")


@pytest.mark.anyio
@pytest.mark.parametrize("limit", [1, 7, 30, 100])
async def test_items_of_one_instant_keep_their_order_and_appear_once_on_pages_of_any_size(
    store: ThreadStore, limit: int
) -> None:
    # Ids that sort against the order in which they are added; and instants whose ISO text would sort wrongly.
    same = [f"msg_{99 - number}" for number in range(20)]
    later = [(f"after_{number}", NOON + timedelta(microseconds=number)) for number in (1, 2, 10, 1_000_000)]
    earlier = [(f"before_{number}", NOON - timedelta(microseconds=number)) for number in (1, 10, 1_000_000)]
    await fill(store, *(item(key, at=at) for key, at in later), *(item(key) for key in same))
    for key, at in earlier:
        await store.add_thread_item(thread_id="thr_1", item=item(key, at=at), context=ADA)
    expected = ["before_1000000", "before_10", "before_1", *same, "after_1", "after_2", "after_10", "after_1000000"]

    for order, wanted in (("asc", expected), ("desc", expected[::-1])):
        assert await item_pages(store, limit, order) == [wanted[at : at + limit] for at in range(0, 27, limit)]


@pytest.mark.anyio
@pytest.mark.usefixtures("central_european_time")
async def test_a_time_without_a_zone_is_local_and_the_repeated_hour_of_autumn_is_in_order(store: ThreadStore) -> None:
    first = datetime.fromisoformat("2026-10-25T02:40:00")
    second = datetime.fromisoformat("2026-10-25T02:30:00").replace(fold=1)
    await fill(
        store,
        item("four", at=datetime(2026, 10, 25, 1, 31, tzinfo=UTC)),
        item("three", at=second),
        item("two", at=datetime(2026, 10, 25, 0, 41, tzinfo=UTC)),
        item("one", at=first),
    )

    assert await ids(store) == ["one", "two", "three", "four"]


@pytest.mark.anyio
async def test_a_limit_outside_1_to_100_is_brought_back_into_it(store: ThreadStore) -> None:
    await fill(store, *(item(f"msg_{number}") for number in range(101)))

    for limit, size in ((-5, 1), (0, 1), (1, 1), (100, 100), (101, 100), (9999, 100)):
        page = await store.load_thread_items(thread_id="thr_1", after=None, limit=limit, order="desc", context=ADA)
        assert (len(page.data), page.has_more) == (size, True)
        threads = await store.load_threads(limit=limit, after=None, order="desc", context=ADA)
        assert (len(threads.data), threads.has_more, threads.after) == (1, False, None)


@pytest.mark.anyio
async def test_two_thousand_items_are_a_hundred_full_pages_though_hidden_ones_lie_between(
    database: Database, store: ThreadStore
) -> None:
    await fill(store)
    rows = [
        {
            "owner": ADA.caller.key,
            "thread_id": "thr_1",
            "id": each.id,
            "seq": 1,
            "created_us": number // 7,  # seven to an instant, and without distinct numbers, as a race leaves them
            "kind": each.type,
            "data": each.model_dump_json(),
        }
        for number, each in enumerate(
            item(f"msg_{number:04}") if number % 3 else hidden(f"hid_{number:04}") for number in range(3000)
        )
    ]
    # One by one through the store would take most of the time of this file.
    async with database.begin(ADA.caller, write=True) as tx:
        await tx.execute(chat_items.insert(), rows)
    visible = [row["id"] for row in sorted(rows, key=lambda row: (row["created_us"], row["id"])) if row["id"] > "m"]

    for order, wanted in (("asc", visible), ("desc", visible[::-1])):
        found = await item_pages(store, 20, order, replace(ADA, visible_only=True))
        assert [len(page) for page in found] == [20] * 100
        assert [key for page in found for key in page] == wanted


@pytest.mark.anyio
async def test_people_never_see_hidden_items_and_the_model_sees_the_newest_of_all_kinds(store: ThreadStore) -> None:
    person = replace(ADA, visible_only=True)
    await fill(store, item("msg_1"), hidden("hid_1"), hidden("hid_2", kind="sdk_hidden_context"), item("msg_2"))

    assert await item_pages(store, 2, "asc", person) == [["msg_1", "msg_2"]]
    assert await item_pages(store, 1, "desc", person) == [["msg_2"], ["msg_1"]]
    with pytest.raises(NotFoundError):
        await store.load_thread_items(thread_id="thr_1", after="hid_1", limit=2, order="asc", context=person)
    assert [each.id for each in await store.recent("thr_1", person)] == ["msg_2", "hid_2", "hid_1", "msg_1"]
    assert [each.id for each in await store.recent("thr_1", person, limit=2)] == ["msg_2", "hid_2"]
    assert await store.recent("thr_2", person) == []


@pytest.mark.anyio
async def test_an_unknown_cursor_is_refused_and_so_is_one_from_elsewhere(store: ThreadStore) -> None:
    await fill(store, item("msg_1"), item("msg_2"))
    await store.save_thread(thread=thread("thr_2"), context=ADA)
    await store.add_thread_item(thread_id="thr_2", item=item("msg_3", thread="thr_2"), context=ADA)
    await store.save_thread(thread=thread("thr_3"), context=ADA)
    await store.delete_thread(thread_id="thr_3", context=ADA)
    await store.delete_thread_item(thread_id="thr_1", item_id="msg_2", context=ADA)

    for order in ("asc", "desc"):
        for after in ("msg_0", "msg_2", "msg_3", "thr_1", ""):
            with pytest.raises(NotFoundError):
                await store.load_thread_items(thread_id="thr_1", after=after, limit=1, order=order, context=ADA)
        for after in ("thr_0", "thr_3", "msg_1", ""):
            with pytest.raises(NotFoundError):
                await store.load_threads(limit=1, after=after, order=order, context=ADA)


@pytest.mark.anyio
async def test_adding_an_item_twice_is_refused_and_keeps_the_first(store: ThreadStore) -> None:
    await fill(store, item("msg_1"), workflow("wf_1", "Looking up tasks"))
    second = item("msg_1", content=[{"text": "something else"}])

    for again in (second, workflow("msg_1", "x"), item("wf_1")):
        with pytest.raises(Problem, match="conflict"):
            await store.add_thread_item(thread_id="thr_1", item=again, context=ADA)

    assert await store.load_item(thread_id="thr_1", item_id="msg_1", context=ADA) == item("msg_1")
    assert await store.load_item(thread_id="thr_1", item_id="wf_1", context=ADA) == workflow("wf_1", "Looking up tasks")


@pytest.mark.anyio
async def test_a_workflow_is_added_open_and_again_when_it_is_done(store: ThreadStore) -> None:
    await fill(store, workflow("wf_1", "Looking up tasks"), item("msg_1"))

    await store.add_thread_item(thread_id="thr_1", item=workflow("wf_1", "3 tasks"), context=ADA)

    assert await store.load_item(thread_id="thr_1", item_id="wf_1", context=ADA) == workflow("wf_1", "3 tasks")
    assert await ids(store) == ["wf_1", "msg_1"]


@pytest.mark.anyio
async def test_saving_an_item_adds_or_replaces_it_and_never_moves_it(store: ThreadStore) -> None:
    await fill(store, item("msg_1"), item("msg_2"), item("msg_3"))
    changed = item("msg_2", at=NOON + timedelta(hours=1), kind="end_of_turn")

    await store.save_item(thread_id="thr_1", item=changed, context=ADA)
    await store.save_item(thread_id="thr_1", item=hidden("hid_1"), context=ADA)
    # What it has become decides whether people see it.
    await store.save_item(thread_id="thr_1", item=hidden("msg_3"), context=ADA)

    assert await store.load_item(thread_id="thr_1", item_id="msg_2", context=ADA) == changed
    assert await ids(store) == ["msg_1", "msg_2", "msg_3", "hid_1"]
    assert await ids(store, replace(ADA, visible_only=True)) == ["msg_1", "msg_2"]


@pytest.mark.anyio
async def test_truncating_removes_exactly_what_follows_and_returns_it_oldest_first(store: ThreadStore) -> None:
    followers = [hidden("z"), item("a"), item("m", at=NOON + timedelta(seconds=1))]
    await fill(store, item("x", at=NOON - timedelta(seconds=1)), item("y"), *followers)
    await store.save_thread(thread=thread("thr_2"), context=ADA)
    await store.add_thread_item(thread_id="thr_2", item=item("other", thread="thr_2"), context=ADA)

    for thread_id, item_id in (("thr_1", "unknown"), ("thr_1", "other"), ("thr_2", "y")):
        with pytest.raises(NotFoundError):
            await store.truncate_after(thread_id, item_id, ADA)
    assert await store.truncate_after("thr_1", "y", ADA) == followers
    assert await store.truncate_after("thr_1", "y", ADA) == []

    assert await ids(store) == ["x", "y"]
    assert len(await store.recent("thr_2", ADA)) == 1


@pytest.mark.anyio
async def test_an_item_that_cannot_be_read_any_more_is_logged_without_its_words_and_left_out(
    database: Database, store: ThreadStore, caplog: pytest.LogCaptureFixture
) -> None:
    await fill(store, *(item(f"msg_{number}") for number in range(4)))
    await overwrite(database, chat_items, "msg_1", '{"type": "from the future", "id": "hunter2"}')
    await overwrite(database, chat_items, "msg_3", "hunter2")

    with caplog.at_level(logging.WARNING):
        page = await store.load_thread_items(thread_id="thr_1", after=None, limit=2, order="asc", context=ADA)
        assert ([each.id for each in page.data], page.has_more, page.after) == (["msg_0"], True, "msg_1")
        page = await store.load_thread_items(thread_id="thr_1", after="msg_1", limit=9, order="asc", context=ADA)
        assert ([each.id for each in page.data], page.has_more) == (["msg_2"], False)
        assert [each.id for each in await store.recent("thr_1", ADA)] == ["msg_2", "msg_0"]
        with pytest.raises(NotFoundError):
            await store.load_item(thread_id="thr_1", item_id="msg_1", context=ADA)
        assert [each.id for each in await store.truncate_after("thr_1", "msg_0", ADA)] == ["msg_2"]

    assert {"msg_1", "msg_3"} <= set(re.findall(r"msg_\d", caplog.text))
    assert "hunter2" not in caplog.text
    assert await ids(store) == ["msg_0"]


# Threads


@pytest.mark.anyio
async def test_a_thread_comes_back_as_it_was_whether_saved_with_its_items_or_without(
    database: Database, store: ThreadStore
) -> None:
    more: dict[str, Any] = {"allowed_image_domains": ["x.test"], "metadata": {"words": WORDS, "none": None}}
    full = Thread(id="thr_1", created_at=NOON, items=Page[ThreadItem](data=[item("msg_1")]), **more)

    await store.save_thread(thread=full, context=ADA)

    assert await store.load_thread(thread_id="thr_1", context=ADA) == thread(**more)
    assert await ids(store) == []
    async with database.begin(ADA.caller) as tx:
        assert "msg_1" not in str(await tx.one(select(chat_threads.c.data)))
    await store.save_thread(thread=thread(metadata={"b": 1}), context=ADA)
    assert await store.load_thread(thread_id="thr_1", context=ADA) == thread(metadata={"b": 1})


@pytest.mark.anyio
async def test_threads_are_listed_by_age_on_pages_of_any_size_and_saving_moves_none(store: ThreadStore) -> None:
    keys = [f"thr_{9 - number}" for number in range(9)]
    for key in keys:
        await store.save_thread(thread=thread(key), context=ADA)
    await store.save_thread(thread=thread("thr_old", at=NOON - timedelta(days=1)), context=ADA)
    await store.save_thread(thread=thread("thr_7", at=NOON + timedelta(days=1), title="Milk"), context=ADA)
    await store.delete_thread(thread_id="thr_5", context=ADA)
    expected = ["thr_old", *(key for key in keys if key != "thr_5")]

    for limit in (1, 4, 9):
        for order, wanted in (("asc", expected), ("desc", expected[::-1])):
            assert await thread_pages(store, limit, order) == [wanted[at : at + limit] for at in range(0, 9, limit)]


@pytest.mark.anyio
async def test_a_persons_title_outlives_every_automatic_one_and_every_stale_copy(store: ThreadStore) -> None:
    async def title() -> str | None:
        return (await store.load_thread(thread_id="thr_1", context=ADA)).title

    await store.save_thread(thread=thread(), context=ADA)
    assert await title() is None
    await store.save_thread(thread=thread(title="Automatic"), context=ADA)
    await store.save_thread(thread=thread(title="Better"), context=ADA)
    await store.save_thread(thread=thread(metadata={"stale": True}), context=ADA)
    assert await title() == "Better"

    renamed = await store.rename("thr_1", "Groceries", ADA)
    assert renamed == thread(title="Groceries", metadata={"stale": True})
    await store.save_thread(thread=thread(title="Better", metadata={"late": True}), context=ADA)
    assert await store.load_thread(thread_id="thr_1", context=ADA) == thread(title="Groceries", metadata={"late": True})
    await store.rename("thr_1", "Shopping", ADA)
    assert await title() == "Shopping"


@pytest.mark.anyio
async def test_only_an_explicit_call_locks_closes_or_opens_a_thread(store: ThreadStore) -> None:
    locked = LockedStatus(reason=WORDS)
    await store.save_thread(thread=thread(status=locked), context=ADA)
    assert await store.load_thread(thread_id="thr_1", context=ADA) == thread()

    assert (await store.set_status("thr_1", locked, ADA)).status == locked
    await store.save_thread(thread=thread(title="Milk", status=ClosedStatus()), context=ADA)
    await store.rename("thr_1", "Oats", ADA)

    assert await store.load_thread(thread_id="thr_1", context=ADA) == thread(title="Oats", status=locked)


@pytest.mark.anyio
async def test_a_deleted_thread_leaves_nothing_readable_and_stays_deleted(
    database: Database, store: ThreadStore
) -> None:
    lease = {"run_id": "run", "started_us": 1, "expires_us": 2, "partial": "hunter2"}
    pending = {"id": "p", "item_id": "i", "kind": "approval", "status": "open", "expires_us": 1, "data": "hunter2"}
    feedback = {"item_id": "msg_1", "kind": "positive", "at_us": 1}
    kept_ids = [("thr_2", ADA), ("thr_1", BOB)]
    for key, turn in (("thr_1", ADA), *kept_ids):
        await store.save_thread(thread=thread(key, title="hunter2", metadata={"a": "hunter2"}), context=turn)
        await store.add_thread_item(thread_id=key, item=item("msg_1"), context=turn)
        async with database.begin(turn.caller, write=True) as tx:
            for table, row in ((chat_turns, lease), (chat_pending, pending), (chat_feedback, feedback)):
                identity = {"owner": turn.caller.key, "thread_id": key}
                await tx.execute(table.insert(), {**row, **identity, **({"id": key} if table is chat_pending else {})})

    await store.delete_thread(thread_id="thr_1", context=ADA)
    await store.delete_thread(thread_id="thr_1", context=ADA)
    await store.save_thread(thread=thread(title="hunter2 again"), context=ADA)

    assert await thread_pages(store, 9, "asc") == [["thr_2"]]
    assert await ids(store) == []
    missing = await outcome(store.load_thread(thread_id="unknown", context=ADA))
    assert missing[0] == "NotFoundError"
    for call in (
        store.load_thread(thread_id="thr_1", context=ADA),
        store.add_thread_item(thread_id="thr_1", item=item("msg_2"), context=ADA),
        store.save_item(thread_id="thr_1", item=item("msg_1"), context=ADA),
        store.rename("thr_1", "late", ADA),
        store.set_status("thr_1", LockedStatus(), ADA),
    ):
        assert await outcome(call) == missing
    async with database.begin(ADA.caller) as tx:
        for table in (chat_items, chat_turns, chat_pending, chat_feedback):
            left = await tx.all(select(table.c.thread_id, table.c.owner).order_by(table.c.thread_id.desc()))
            assert [tuple(row) for row in left] == [(key, turn.caller.key) for key, turn in kept_ids]
        grave = await tx.one(select(chat_threads).where(chat_threads.c.deleted_us.is_not(None)))
    assert grave is not None
    assert grave.deleted_us > 1_600_000_000_000_000
    assert "hunter2" not in str(grave)


@pytest.mark.postgres
@pytest.mark.anyio
@pytest.mark.parametrize("conversations_url", ["postgres"], indirect=True)
async def test_an_item_that_arrives_while_its_thread_is_being_deleted_is_not_left_behind(
    database: Database, store: ThreadStore
) -> None:
    await fill(store)
    async with database.begin(ADA.caller, write=True) as tx:
        await tx.execute(chat_threads.update().values(deleted_us=1))
        arriving = asyncio.create_task(store.add_thread_item(thread_id="thr_1", item=item("late"), context=ADA))
        waiting = text("SELECT 1 FROM pg_locks WHERE NOT granted")
        async with database.begin(ADA.caller) as watching:
            while not arriving.done() and await watching.one(waiting) is None:
                await asyncio.wait([arriving], timeout=0)

    with pytest.raises(NotFoundError):
        await arriving
    async with database.begin(ADA.caller) as tx:
        assert await tx.all(select(chat_items)) == []


@pytest.mark.anyio
async def test_a_thread_that_cannot_be_read_any_more_does_not_hide_the_others(
    database: Database, store: ThreadStore, caplog: pytest.LogCaptureFixture
) -> None:
    for key in ("thr_1", "thr_2"):
        await store.save_thread(thread=thread(key), context=ADA)
    await overwrite(database, chat_threads, "thr_1", "hunter2")

    with pytest.raises(NotFoundError):
        await store.load_thread(thread_id="thr_1", context=ADA)
    assert await thread_pages(store, 9, "asc") == [["thr_2"]]

    assert "thr_1" in caplog.text
    assert "hunter2" not in caplog.text


# Attachments


@pytest.mark.anyio
async def test_an_attachment_comes_back_as_last_saved_until_it_is_deleted(store: ThreadStore) -> None:
    descriptor = {"url": "https://x.test/up", "method": "PUT", "headers": {"a": "b"}}
    picture = attachment("atc_1", type="image", preview_url="https://x.test/1", upload_descriptor=descriptor)
    bound = attachment("atc_1", thread_id="thr_1", metadata={"key": WORDS})

    for each in (picture, bound):
        await store.save_attachment(attachment=each, context=ADA)
        assert await store.load_attachment(attachment_id="atc_1", context=ADA) == each
    await store.delete_attachment(attachment_id="atc_1", context=ADA)
    await store.delete_attachment(attachment_id="atc_1", context=ADA)
    with pytest.raises(NotFoundError):
        await store.load_attachment(attachment_id="atc_1", context=ADA)


# Ids


def test_ids_have_128_random_bits_behind_their_known_prefix(tmp_path: Path) -> None:
    store = ThreadStore(Database(f"sqlite:///{tmp_path}/none.db"))
    prefixes: dict[StoreItemType, str] = {
        "thread": "thr",
        "message": "msg",
        "tool_call": "tc",
        "task": "tsk",
        "workflow": "wf",
        "attachment": "atc",
        "sdk_hidden_context": "shcx",
    }
    assert set(prefixes) == set(get_args(StoreItemType))
    for kind, prefix in prefixes.items():
        made = {store.generate_item_id(kind, thread(), ADA) for _ in range(100)}
        assert len(made) == 100
        assert all(re.fullmatch(rf"{prefix}_[0-9a-f]{{32}}", key) for key in made)
    assert re.fullmatch("thr_[0-9a-f]{32}", store.generate_thread_id(ADA))


@pytest.mark.anyio
async def test_text_that_a_database_cannot_hold_is_an_unknown_id_and_is_dropped_from_a_title(
    store: ThreadStore,
) -> None:
    await fill(store, item("msg_1"))
    for call in (
        store.load_thread(thread_id="thr_1\0", context=ADA),
        store.load_item(thread_id="thr_1", item_id="msg\0_1", context=ADA),
        store.load_thread_items(thread_id="thr_1", after="msg_1\0", limit=1, order="asc", context=ADA),
        store.load_threads(limit=1, after="\0thr_1", order="asc", context=ADA),
        store.load_attachment(attachment_id="\0", context=ADA),
    ):
        with pytest.raises(NotFoundError):
            await call
    await store.delete_thread(thread_id="thr_1\0", context=ADA)

    assert (await store.rename("thr_1", "Mi\0lk", ADA)).title == "Milk"
    await store.save_thread(thread=thread("thr_2", title="Oa\0ts"), context=ADA)
    assert (await store.load_thread(thread_id="thr_2", context=ADA)).title == "Oats"


# People


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
    yield store.delete_attachment(attachment_id=file_id, context=turn)


@pytest.mark.anyio
@pytest.mark.parametrize("stranger", [BOB, OTHER_ADA], ids=["bob", "ada of another issuer"])
async def test_what_is_adas_is_to_anybody_else_exactly_what_never_existed(store: ThreadStore, stranger: Turn) -> None:
    async def adas() -> list[object]:
        return [
            await store.load_threads(limit=9, after=None, order="asc", context=ADA),
            await store.recent("thr_1", ADA),
            await store.load_attachment(attachment_id="atc_1", context=ADA),
        ]

    await fill(store, item("msg_1"), item("msg_2"))
    await store.save_attachment(attachment=attachment("atc_1"), context=ADA)
    before = await adas()

    foreign = [await outcome(call) for call in everything(store, stranger, "thr_1", "msg_1", "atc_1")]
    unknown = [await outcome(call) for call in everything(store, stranger, "thr_0", "msg_0", "atc_0")]

    assert foreign == unknown
    assert await adas() == before


@pytest.mark.anyio
async def test_people_who_use_the_same_ids_never_meet(store: ThreadStore) -> None:
    people = (ADA, BOB, OTHER_ADA)
    for number, turn in enumerate(people):
        await store.save_thread(thread=thread(title=f"of {number}"), context=turn)
        await store.add_thread_item(
            thread_id="thr_1", item=item("msg_1", content=[{"text": f"{number}"}]), context=turn
        )
        await store.save_attachment(attachment=attachment("atc_1", metadata={"of": number}), context=turn)
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


# Cost


@contextmanager
def statements(database: Database) -> Generator[list[str]]:
    """Every statement that is not the frame of a transaction."""
    seen: list[str] = []

    def note(*arguments: Any) -> None:
        if not arguments[2].startswith("BEGIN"):
            seen.append(arguments[2])

    event.listen(database.engine.sync_engine, "before_cursor_execute", note)
    yield seen
    event.remove(database.engine.sync_engine, "before_cursor_execute", note)


@pytest.mark.anyio
async def test_reading_and_writing_a_conversation_takes_one_statement_each(
    database: Database, store: ThreadStore
) -> None:
    await fill(store, item("msg_1"), item("msg_2"), item("msg_3"))
    calls: list[Awaitable[object]] = [
        store.load_thread(thread_id="thr_1", context=ADA),
        store.load_threads(limit=9, after=None, order="desc", context=ADA),
        store.load_threads(limit=9, after="thr_1", order="desc", context=ADA),
        store.load_thread_items(thread_id="thr_1", after=None, limit=9, order="asc", context=ADA),
        store.load_thread_items(thread_id="thr_1", after="msg_1", limit=9, order="asc", context=ADA),
        store.load_item(thread_id="thr_1", item_id="msg_1", context=ADA),
        store.recent("thr_1", ADA),
        store.save_thread(thread=thread(), context=ADA),
        store.save_thread(thread=thread("thr_2"), context=ADA),
        store.rename("thr_1", "Milk", ADA),
        store.add_thread_item(thread_id="thr_1", item=item("msg_4"), context=ADA),
        store.save_item(thread_id="thr_1", item=item("msg_4"), context=ADA),
        store.delete_thread_item(thread_id="thr_1", item_id="msg_4", context=ADA),
        store.truncate_after("thr_1", "msg_1", ADA),
    ]
    for call in calls:
        with statements(database) as seen:
            await call
        assert len(seen) == 1, seen


# Any program of calls


@dataclass
class Shelf:
    """One person's conversations as a dictionary: what the store must be indistinguishable from."""

    titles: dict[str, str | None] = field(default_factory=dict)
    by_user: set[str] = field(default_factory=set)
    deleted: set[str] = field(default_factory=set)
    # thread -> item -> (instant, number of its insertion, the item)
    items: dict[str, dict[str, tuple[datetime, int, Any]]] = field(default_factory=dict)
    numbers: Iterator[int] = field(default_factory=count)

    def save_thread(self, key: str, title: str | None) -> None:
        if key in self.deleted:
            return
        self.items.setdefault(key, {})
        if key not in self.by_user:
            self.titles[key] = title or self.titles.get(key)

    def rename(self, key: str, title: str) -> str:
        self._require(key)
        self.titles[key] = title
        self.by_user.add(key)
        return title

    def delete_thread(self, key: str) -> None:
        if self.items.pop(key, None) is not None:
            self.deleted.add(key)
            del self.titles[key]

    def add(self, key: str, new: Any) -> None:
        old = self._require(key).get(new.id)
        if old is not None and not old[2].type == new.type == "workflow":
            raise Problem("conflict", "there")
        self.save(key, new)

    def save(self, key: str, new: Any) -> None:
        items = self._require(key)
        at, number = items[new.id][:2] if new.id in items else (new.created_at, next(self.numbers))
        items[new.id] = (at, number, new)

    def remove(self, key: str, item_id: str) -> None:
        self.items.get(key, {}).pop(item_id, None)

    def truncate(self, key: str, item_id: str) -> list[Any]:
        items = self.items.get(key, {})
        if item_id not in items:
            raise NotFoundError
        removed = [new for new in self.in_order(key) if items[new.id][:2] > items[item_id][:2]]
        for new in removed:
            del items[new.id]
        return removed

    def in_order(self, key: str) -> list[Any]:
        return [entry[2] for entry in sorted(self.items.get(key, {}).values(), key=lambda entry: entry[:2])]

    def _require(self, key: str) -> dict[str, tuple[datetime, int, Any]]:
        if key not in self.items:
            raise NotFoundError
        return self.items[key]


THREADS: Final = st.sampled_from(["thr_1", "thr_2"])
ITEM_IDS: Final = st.sampled_from(["a", "b", "c", "d"])
TITLES: Final = st.sampled_from(["Milk", "Oats", "Rye"])
NEW_ITEMS: Final = st.builds(
    lambda key, kind, second: replace_time(kind(key), NOON + timedelta(seconds=second)),
    ITEM_IDS,
    st.sampled_from([item, hidden, lambda key: workflow(key, "open"), lambda key: workflow(key, "done")]),
    st.integers(0, 2),
)
STEPS: Final = st.one_of(
    st.tuples(st.just("add"), THREADS, NEW_ITEMS),
    st.tuples(st.just("save"), THREADS, NEW_ITEMS),
    st.tuples(st.just("remove"), THREADS, ITEM_IDS),
    st.tuples(st.just("truncate"), THREADS, ITEM_IDS),
    st.tuples(st.just("save_thread"), THREADS, st.none() | TITLES),
    st.tuples(st.just("rename"), THREADS, TITLES),
    st.tuples(st.just("delete_thread"), THREADS),
)


def replace_time(new: Any, at: datetime) -> Any:
    return new.model_copy(update={"created_at": at})


async def in_store(store: ThreadStore, turn: Turn, step: tuple[Any, ...]) -> object:
    match step:
        case ("add", key, new):
            await store.add_thread_item(thread_id=key, item=new, context=turn)
        case ("save", key, new):
            await store.save_item(thread_id=key, item=new, context=turn)
        case ("remove", key, item_id):
            await store.delete_thread_item(thread_id=key, item_id=item_id, context=turn)
        case ("truncate", key, item_id):
            return await store.truncate_after(key, item_id, turn)
        case ("save_thread", key, title):
            await store.save_thread(thread=thread(key, title=title), context=turn)
        case ("rename", key, title):
            return (await store.rename(key, title, turn)).title
        case ("delete_thread", key):
            await store.delete_thread(thread_id=key, context=turn)
    return None


async def in_shelf(shelf: Shelf, step: tuple[Any, ...]) -> object:
    result: object = getattr(shelf, step[0])(*step[1:])
    return result


RUN: Final = count()


@pytest.mark.anyio
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(program=st.lists(st.tuples(st.sampled_from(["ada", "bob"]), STEPS), min_size=1, max_size=25))
async def test_any_program_of_calls_does_what_a_dictionary_would_do(
    store: ThreadStore, program: list[tuple[str, tuple[Any, ...]]]
) -> None:
    run = next(RUN)
    people = {name: (asked_by(f"{name} of run {run}"), Shelf()) for name in ("ada", "bob")}
    for turn, shelf in people.values():
        for key in ("thr_1", "thr_2"):
            await in_store(store, turn, ("save_thread", key, None))
            shelf.save_thread(key, None)

    for name, step in program:
        turn, shelf = people[name]
        (stored_kind, stored), (shelf_kind, shelved) = (
            await outcome(in_store(store, turn, step)),
            await outcome(in_shelf(shelf, step)),
        )
        assert stored_kind == shelf_kind
        if stored_kind == "value":
            assert stored == shelved

    for turn, shelf in people.values():
        found = await store.load_threads(limit=9, after=None, order="asc", context=turn)
        assert {each.id: each.title for each in found.data} == shelf.titles
        for key in ("thr_1", "thr_2"):
            assert await store.recent(key, turn) == shelf.in_order(key)[::-1]
