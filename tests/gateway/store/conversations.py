"""People, conversations and items as tests write them down."""

from collections.abc import Awaitable, Callable, Generator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Final

from chatkit.store import NotFoundError
from chatkit.types import Attachment, Page, ThreadItem, ThreadMetadata
from pydantic import TypeAdapter
from sqlalchemy import Table, event

from gateway.answering.answer import Answer
from gateway.attachments import rows as attachments
from gateway.store import ThreadStore
from gateway.tables import chat_turns
from gateway.turn import Turn
from shared.db import Database
from shared.errors import Problem
from shared.tokens import Caller

NOON: Final = datetime(2026, 3, 1, 12, tzinfo=UTC)
# When this runs, as far as the order of items goes.
AFTERWARDS: Final = datetime.max.replace(tzinfo=UTC)
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


def answering(turn: Turn = ADA, run: str = "run_1") -> Turn:
    """The turn of a running answer; what it writes needs the lease of its thread."""
    return replace(turn, id=run, answer=Answer())


async def upload(database: Database, given: Attachment, turn: Turn = ADA) -> None:
    """An attachment whose bytes have arrived, and that is in no message yet."""
    async with database.begin(turn.caller, write=True) as tx:
        assert await attachments.add(tx, given, 3, attachments.Quota())
        assert await attachments.move(tx, given.id, attachments.WAITING, attachments.READY)


async def expire(database: Database, turn: Turn = ADA, thread_id: str = "thr_1") -> None:
    """What is left of a lease when the process that held it has died."""
    async with database.begin(turn.caller, write=True) as tx:
        mine = (chat_turns.c.owner == turn.caller.key) & (chat_turns.c.thread_id == thread_id)
        await tx.execute(chat_turns.update().where(mine).values(expires_us=1))


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


@contextmanager
def statements(database: Database) -> Generator[list[str]]:
    """Every statement that is not the frame of a transaction."""
    seen: list[str] = []

    def note(*arguments: Any) -> None:
        if not arguments[2].startswith("BEGIN"):
            seen.append(arguments[2])

    event.listen(database.engine.sync_engine, "before_cursor_execute", note)
    try:
        yield seen
    finally:
        event.remove(database.engine.sync_engine, "before_cursor_execute", note)
