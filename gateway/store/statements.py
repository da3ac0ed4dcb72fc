"""The statements about threads, items and attachments, and how every statement of this package names its rows.

All of them name the owner. `RUN` fences: what a running answer writes has to hold the lease of its thread. Locks are
taken in one order, first the lease and then the thread, so that two transactions never wait for each other.
"""

from functools import cache
from typing import Any, Final

from chatkit.types import ThreadItem
from sqlalchemy import (
    BindParameter,
    ColumnElement,
    Executable,
    FromClause,
    ScalarSelect,
    Select,
    Table,
    bindparam,
    case,
    delete,
    exists,
    func,
    literal,
    select,
    true,
    tuple_,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite

from gateway.items import instant
from gateway.tables import (
    BIG,
    KEY,
    WORDS,
    chat_attachments,
    chat_feedback,
    chat_items,
    chat_pending,
    chat_threads,
    chat_turns,
)
from shared.db import Tx

HIDDEN: Final = ("hidden_context_item", "sdk_hidden_context")
# Earlier than anything: what a bound that is not set is replaced with, so that the index is used either way.
_BEGINNING: Final = literal(-(2**62), BIG)

OWNER: Final = bindparam("mine", type_=KEY)
THREAD_ID: Final = bindparam("thread", type_=KEY)
ITEM_ID: Final = bindparam("item", type_=KEY)
RUN: Final = bindparam("run", type_=WORDS)
_AFTER: Final = bindparam("after", type_=KEY)
_AT_US: Final = bindparam("at", type_=BIG)
_KIND: Final = bindparam("new_kind", type_=WORDS)
_JSON: Final = bindparam("new_data", type_=WORDS)
_TITLE: Final = bindparam("new_title", type_=WORDS)
_TITLE_BY: Final = bindparam("new_title_by", type_=WORDS)
_STATUS: Final = bindparam("new_status", type_=WORDS)
_TRACE: Final = bindparam("trace", type_=WORDS)
_ROOM: Final = bindparam("room", type_=BIG)


def named(tx: Tx, **ids: str | None) -> dict[str, Any]:
    """The owner and the ids of a statement. U+0000, which PostgreSQL refuses, is in no id: NULL equals none of them."""
    return {"mine": tx.caller.key, **{name: None if value and "\0" in value else value for name, value in ids.items()}}


def written(item: ThreadItem, trace_id: str | None = None) -> dict[str, Any]:
    """What an item puts into its row."""
    at = instant(item.created_at)
    return {"at": at, "new_kind": item.type, "new_data": item.model_dump_json(), "trace": trace_id}


def upsert(on_sqlite: bool, table: Table) -> postgresql.Insert | sqlite.Insert:
    """An INSERT that knows ON CONFLICT, in the words of either engine."""
    return sqlite.insert(table) if on_sqlite else postgresql.insert(table)


def siblings(table: FromClause) -> ColumnElement[bool]:
    """What is ordered together: the threads of a person, or the items of one thread."""
    mine = table.c.owner == OWNER
    return mine & (table.c.thread_id == THREAD_ID) if "thread_id" in table.c else mine


MY_THREADS: Final = siblings(chat_threads) & chat_threads.c.deleted_us.is_(None)
MY_ITEMS: Final = siblings(chat_items)
THE_THREAD: Final = MY_THREADS & (chat_threads.c.id == THREAD_ID)
THE_ITEM: Final = MY_ITEMS & (chat_items.c.id == ITEM_ID)

BURIED: Final = select(chat_threads.c.id).where(
    siblings(chat_threads), chat_threads.c.id == THREAD_ID, chat_threads.c.deleted_us.is_not(None)
)
# The lock keeps the lease from being removed at the same moment, which would let a late write slip in behind; it lets
# the lease be renewed.
HELD: Final = (
    select(chat_turns.c.run_id)
    .where(siblings(chat_turns), chat_turns.c.run_id == RUN)
    .with_for_update(read=True, key_share=True)
    .exists()
)

_AS_THREAD: Final = (chat_threads.c.id, chat_threads.c.title, chat_threads.c.status, chat_threads.c.data)
_AS_ITEM: Final = (chat_items.c.id, chat_items.c.data)


# Order --------------------------------------------------------------------------------------------------------------


def _order(table: FromClause) -> tuple[ColumnElement[Any], ...]:
    return table.c.created_us, table.c.seq, table.c.id


def _place(table: Table, key: BindParameter[Any]) -> ScalarSelect[Any]:
    """Where a row stands in the order; NULL, which nothing precedes or follows, when there is no such row."""
    there = table.alias("there")
    return select(*_order(there)).where(siblings(there), there.c.id == key).scalar_subquery()


def _next_seq(table: Table) -> ColumnElement[int]:
    """One more than that of the row before it in the order, which is one step in the index."""
    there = table.alias("there")
    before = select(there.c.seq).where(siblings(there), there.c.created_us <= _AT_US)
    last = before.order_by(there.c.created_us.desc(), there.c.seq.desc()).limit(1).scalar_subquery()
    return func.coalesce(last, 0) + 1


@cache
def page(table: Table, *, ascending: bool, resumed: bool, visible_only: bool) -> Select[Any]:
    """Rows in order. A resumed page opens with the row of its cursor; when another row comes first, it is unknown."""
    order = _order(table)
    found = select(*_AS_ITEM).where(MY_ITEMS) if table is chat_items else select(*_AS_THREAD).where(MY_THREADS)
    if visible_only:
        found = found.where(chat_items.c.kind.not_in(HIDDEN))
    if resumed:
        here, place = tuple_(*order), _place(table, _AFTER)
        found = found.where(here >= place if ascending else here <= place)
    return found.order_by(*(order if ascending else (column.desc() for column in order))).limit(bindparam("rows"))


_KEPT: Final = chat_items.alias("kept")
_FIRST_KEPT: Final = select(*_order(_KEPT)).where(
    siblings(_KEPT), _KEPT.c.id == select(chat_threads.c.history_from).where(THE_THREAD).scalar_subquery()
)
_SINCE: Final = _FIRST_KEPT.with_only_columns(_KEPT.c.created_us).scalar_subquery()
RECENT: Final = page(chat_items, ascending=False, resumed=False, visible_only=False).where(
    # The first is for the index, the second for the rows of the same instant.
    chat_items.c.created_us >= func.coalesce(_SINCE, _BEGINNING),
    (tuple_(*_order(chat_items)) < _FIRST_KEPT.scalar_subquery()).is_not(true()),
)


# Threads ------------------------------------------------------------------------------------------------------------

LOAD_THREAD: Final = select(*_AS_THREAD).where(THE_THREAD)
_CHANGE: Final = update(chat_threads).where(THE_THREAD)
RENAME: Final = _CHANGE.values(title=_TITLE, title_by="user").returning(*_AS_THREAD)
SET_STATUS: Final = _CHANGE.values(status=_STATUS).returning(*_AS_THREAD)
_BY_USER: Final = chat_threads.c.title_by == "user"
TITLE: Final = _CHANGE.values(
    title=case((_BY_USER, chat_threads.c.title), else_=_TITLE),
    title_by=case((_BY_USER, "user"), else_="auto"),
).returning(chat_threads.c.title)
FORGET: Final = _CHANGE.where(select(chat_items.c.id).where(THE_ITEM).exists()).values(history_from=ITEM_ID)

DROP_LEASE: Final = delete(chat_turns).where(siblings(chat_turns))
BURY: Final = _CHANGE.values(title=None, title_by="none", data="", history_from=None, deleted_us=_AT_US)
EMPTY: Final = tuple(delete(table).where(siblings(table)) for table in (chat_items, chat_pending, chat_feedback))


_THERE: Final = chat_threads.alias("there")
_LAST_THREAD: Final = (
    select(_THERE.c.id).where(siblings(_THERE), _THERE.c.deleted_us.is_(None)).limit(1).offset(_ROOM - 1).exists()
)
# Whether another thread fits, counted up to the limit; and whether another item does.
ROOM_FOR_THREAD: Final = select((~_LAST_THREAD).label("fits"))
ROOM_FOR_ITEM: Final = select((_next_seq(chat_items) <= _ROOM).label("fits"))


@cache
def save_thread(on_sqlite: bool) -> Executable:
    """A person's title stays, and so does any title when none is given; a deleted thread stays deleted.

    Only a new thread needs room: then, and only then, the threads of this person are counted, up to the limit.
    """
    c = chat_threads.c
    known = select(_THERE.c.id).where(siblings(_THERE), _THERE.c.id == THREAD_ID).exists()
    row = select(OWNER, THREAD_ID, _next_seq(chat_threads), _AT_US, _TITLE, _TITLE_BY, _STATUS, _JSON)
    new = upsert(on_sqlite, chat_threads).from_select(
        [c.owner, c.id, c.seq, c.created_us, c.title, c.title_by, c.status, c.data], row.where(known | ~_LAST_THREAD)
    )
    kept = _BY_USER | new.excluded.title.is_(None)
    return new.on_conflict_do_update(
        index_elements=[c.owner, c.id],
        set_={
            "title": case((kept, c.title), else_=new.excluded.title),
            "title_by": case((kept, c.title_by), else_=new.excluded.title_by),
            "data": new.excluded.data,
        },
        where=c.deleted_us.is_(None),
    ).returning(c.id)


# Items --------------------------------------------------------------------------------------------------------------

LOAD_ITEM: Final = select(*_AS_ITEM).where(THE_ITEM)
TRUNCATE: Final = (
    delete(chat_items)
    .where(MY_ITEMS, tuple_(*_order(chat_items)) > _place(chat_items, ITEM_ID))
    .returning(*_AS_ITEM, *_order(chat_items)[:2])
)
# Why an item could not be written.
WHY: Final = select(
    exists(select(chat_threads.c.id).where(THE_THREAD)).label("alive"),
    exists(select(chat_items.c.id).where(THE_ITEM)).label("there"),
    HELD.label("held"),
)


@cache
def remove_item(*, fenced: bool) -> Executable:
    """Remove one item."""
    return delete(chat_items).where(THE_ITEM, HELD) if fenced else delete(chat_items).where(THE_ITEM)


@cache
def save_item(on_sqlite: bool, *, anew: bool, fenced: bool) -> Executable:
    """Write an item into a living thread. `anew` replaces nothing but a workflow, which ChatKit adds open and done."""
    c, there = chat_items.c, chat_items.alias("there")
    known = select(there.c.id).where(siblings(there), there.c.id == ITEM_ID).exists()
    room = (_next_seq(chat_items) <= _ROOM) | known
    new = _new_item(on_sqlite, room, *((HELD,) if fenced else ()))
    return new.on_conflict_do_update(
        index_elements=[c.owner, c.thread_id, c.id],
        set_={"kind": new.excluded.kind, "data": new.excluded.data},
        where=(c.kind == "workflow") & (new.excluded.kind == "workflow") if anew else None,
    ).returning(c.id)


@cache
def leave_item(on_sqlite: bool) -> Executable:
    """Write an item into a living thread unless it is there already."""
    return _new_item(on_sqlite).on_conflict_do_nothing()


def _new_item(on_sqlite: bool, *conditions: ColumnElement[bool]) -> postgresql.Insert | sqlite.Insert:
    c = chat_items.c
    row = select(chat_threads.c.owner, chat_threads.c.id, ITEM_ID, _next_seq(chat_items), _AT_US, _KIND, _JSON, _TRACE)
    return upsert(on_sqlite, chat_items).from_select(
        [c.owner, c.thread_id, c.id, c.seq, c.created_us, c.kind, c.data, c.trace_id],
        # The lock keeps the thread from being deleted at the same moment, which would leave an item without a thread.
        row.where(THE_THREAD, *conditions).with_for_update(read=True, of=chat_threads),
    )


LOAD_ATTACHMENT: Final = select(chat_attachments.c.id, chat_attachments.c.data).where(
    chat_attachments.c.owner == OWNER, chat_attachments.c.id == ITEM_ID
)
