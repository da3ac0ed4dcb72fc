"""The conversations of each person, in the shape ChatKit asks for. Every statement names their owner.

So somebody else's thread, item or attachment is the same as one that never existed.
"""

from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from functools import cache
from typing import Any, Final
from uuid import uuid4

from chatkit.store import NotFoundError, Store, StoreItemType, default_generate_id
from chatkit.types import ActiveStatus, Attachment, Page, ThreadItem, ThreadMetadata, ThreadStatus
from sqlalchemy import (
    BindParameter,
    ColumnElement,
    Executable,
    FromClause,
    Row,
    ScalarSelect,
    Select,
    Table,
    bindparam,
    case,
    delete,
    func,
    select,
    tuple_,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite

from gateway.items import instant, read_attachment, read_item, read_thread, write_status, write_thread
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
from gateway.turn import Turn
from shared.db import Database, Tx
from shared.errors import Problem

PAGE_LIMIT: Final = 100
HIDDEN: Final = ("hidden_context_item", "sdk_hidden_context")


# Statements ---------------------------------------------------------------------------------------------------------

_OWNER: Final = bindparam("mine", type_=KEY)
_THREAD_ID: Final = bindparam("thread", type_=KEY)
_ITEM_ID: Final = bindparam("item", type_=KEY)
_AFTER: Final = bindparam("after", type_=KEY)
_AT_US: Final = bindparam("at_us", type_=BIG)
_KIND: Final = bindparam("new_kind", type_=WORDS)
_JSON: Final = bindparam("new_data", type_=WORDS)
_TITLE: Final = bindparam("new_title", type_=WORDS)
_TITLE_BY: Final = bindparam("new_title_by", type_=WORDS)
_STATUS: Final = bindparam("new_status", type_=WORDS)


def _siblings(table: FromClause) -> ColumnElement[bool]:
    """What is ordered together: the threads of a person, or the items of one thread."""
    mine = table.c.owner == _OWNER
    return mine & (table.c.thread_id == _THREAD_ID) if "thread_id" in table.c else mine


_MY_THREADS: Final = _siblings(chat_threads) & chat_threads.c.deleted_us.is_(None)
_MY_ITEMS: Final = _siblings(chat_items)
_THE_THREAD: Final = _MY_THREADS & (chat_threads.c.id == _THREAD_ID)
_THE_ITEM: Final = _MY_ITEMS & (chat_items.c.id == _ITEM_ID)
_THE_ATTACHMENT: Final = (chat_attachments.c.owner == _OWNER) & (chat_attachments.c.id == _ITEM_ID)

_AS_THREAD: Final = (chat_threads.c.id, chat_threads.c.title, chat_threads.c.status, chat_threads.c.data)
_AS_ITEM: Final = (chat_items.c.id, chat_items.c.data)

_LOAD_THREAD: Final = select(*_AS_THREAD).where(_THE_THREAD)
_CHANGE: Final = update(chat_threads).where(_THE_THREAD)
_RENAME: Final = _CHANGE.values(title=_TITLE, title_by="user").returning(*_AS_THREAD)
_SET_STATUS: Final = _CHANGE.values(status=_STATUS).returning(*_AS_THREAD)
_BURY: Final = _CHANGE.values(title=None, title_by="none", data="", history_from=None, deleted_us=_AT_US)
_EMPTY: Final = tuple(
    delete(table).where(_siblings(table)) for table in (chat_items, chat_turns, chat_pending, chat_feedback)
)
_LOAD_ITEM: Final = select(*_AS_ITEM).where(_THE_ITEM)
_REMOVE_ITEM: Final = delete(chat_items).where(_THE_ITEM)
_LOAD_ATTACHMENT: Final = select(chat_attachments.c.id, chat_attachments.c.data).where(_THE_ATTACHMENT)
_REMOVE_ATTACHMENT: Final = delete(chat_attachments).where(_THE_ATTACHMENT)


def _order(table: FromClause) -> tuple[ColumnElement[Any], ...]:
    return table.c.created_us, table.c.seq, table.c.id


def _place(table: Table, key: BindParameter[Any]) -> ScalarSelect[Any]:
    """Where a row stands in the order; NULL, which nothing precedes or follows, when there is no such row."""
    there = table.alias("there")
    return select(*_order(there)).where(_siblings(there), there.c.id == key).scalar_subquery()


def _next_seq(table: Table) -> ScalarSelect[Any]:
    there = table.alias("there")
    following = select(func.coalesce(func.max(there.c.seq), 0) + 1)
    return following.where(_siblings(there), there.c.created_us == _AT_US).scalar_subquery()


@cache
def _page(table: Table, *, ascending: bool, resumed: bool, visible_only: bool) -> Select[Any]:
    """Rows in order. A resumed page opens with the row of its cursor; when another row comes first, it is unknown."""
    order = _order(table)
    page = select(*_AS_ITEM).where(_MY_ITEMS) if table is chat_items else select(*_AS_THREAD).where(_MY_THREADS)
    if visible_only:
        page = page.where(chat_items.c.kind.not_in(HIDDEN))
    if resumed:
        here, place = tuple_(*order), _place(table, _AFTER)
        page = page.where(here >= place if ascending else here <= place)
    return page.order_by(*(order if ascending else (column.desc() for column in order))).limit(bindparam("rows"))


_TRUNCATE: Final = (
    delete(chat_items)
    .where(_MY_ITEMS, tuple_(*_order(chat_items)) > _place(chat_items, _ITEM_ID))
    .returning(*_AS_ITEM, *_order(chat_items)[:2])
)


@cache
def _save_thread(on_sqlite: bool) -> Executable:
    """A person's title stays, and so does any title when none is given; a deleted thread stays deleted."""
    c = chat_threads.c
    new = (sqlite.insert if on_sqlite else postgresql.insert)(chat_threads).values(
        owner=_OWNER,
        id=_THREAD_ID,
        seq=_next_seq(chat_threads),
        created_us=_AT_US,
        title=_TITLE,
        title_by=_TITLE_BY,
        status=_STATUS,
        data=_JSON,
    )
    kept = (c.title_by == "user") | new.excluded.title.is_(None)
    return new.on_conflict_do_update(
        index_elements=[c.owner, c.id],
        set_={
            "title": case((kept, c.title), else_=new.excluded.title),
            "title_by": case((kept, c.title_by), else_=new.excluded.title_by),
            "data": new.excluded.data,
        },
        where=c.deleted_us.is_(None),
    )


@cache
def _save_item(on_sqlite: bool, *, anew: bool) -> Executable:
    """Write an item into a living thread. `anew` replaces nothing but a workflow, which ChatKit adds open and done."""
    c = chat_items.c
    row = select(chat_threads.c.owner, chat_threads.c.id, _ITEM_ID, _next_seq(chat_items), _AT_US, _KIND, _JSON)
    new = (sqlite.insert if on_sqlite else postgresql.insert)(chat_items).from_select(
        [c.owner, c.thread_id, c.id, c.seq, c.created_us, c.kind, c.data],
        # The lock keeps the thread from being deleted at the same moment, which would leave an item without a thread.
        row.where(_THE_THREAD).with_for_update(read=True),
    )
    return new.on_conflict_do_update(
        index_elements=[c.owner, c.thread_id, c.id],
        set_={"kind": new.excluded.kind, "data": new.excluded.data},
        where=(c.kind == "workflow") & (new.excluded.kind == "workflow") if anew else None,
    ).returning(c.id)


@cache
def _save_attachment(on_sqlite: bool) -> Executable:
    c = chat_attachments.c
    new = (sqlite.insert if on_sqlite else postgresql.insert)(chat_attachments).values(
        owner=_OWNER, id=_ITEM_ID, data=_JSON
    )
    return new.on_conflict_do_update(index_elements=[c.owner, c.id], set_={"data": new.excluded.data})


# The store ----------------------------------------------------------------------------------------------------------


class ThreadStore(Store[Turn]):
    """Threads, their items and attachments. Each call is one transaction of the person who asks.

    What is missing, deleted or somebody else's raises `NotFoundError`; removing it does nothing. What comes back is
    always fresh: changing it changes nothing here.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def generate_thread_id(self, context: Turn) -> str:
        """A new id of 128 random bits: ChatKit's own have 32, which collide."""
        return _new_id("thread")

    def generate_item_id(self, item_type: StoreItemType, thread: ThreadMetadata, context: Turn) -> str:
        """A new id, as random as that of a thread."""
        return _new_id(item_type)

    # Threads

    async def load_thread(self, thread_id: str, context: Turn) -> ThreadMetadata:
        """One thread."""
        async with self._reading(context) as tx:
            return _the_thread(await tx.one(_LOAD_THREAD, _named(tx, thread=thread_id)))

    async def save_thread(self, thread: ThreadMetadata, context: Turn) -> None:
        """Create a thread, or update what an answer may change: an automatic title and the metadata.

        A title that a person gave stays, as does the status; a deleted thread stays deleted.
        """
        values = {
            "at_us": instant(thread.created_at),
            "new_title": _storable(thread.title),
            "new_title_by": "none" if thread.title is None else "auto",
            "new_status": write_status(ActiveStatus()),
            "new_data": write_thread(thread),
        }
        async with self._writing(context) as tx:
            await tx.execute(_save_thread(tx.on_sqlite), {**_named(tx, thread=thread.id), **values})

    async def load_threads(self, limit: int, after: str | None, order: str, context: Turn) -> Page[ThreadMetadata]:
        """The person's threads by age. `limit` is kept within 1 to 100; an unknown `after` raises."""
        rows, more = await self._load_page(chat_threads, {}, limit, after, order, context)
        threads = (read_thread(row) for row in rows)
        return Page[ThreadMetadata](
            data=[thread for thread in threads if thread is not None],
            has_more=more,
            after=rows[-1].id if more else None,
        )

    async def rename(self, thread_id: str, title: str, turn: Turn) -> ThreadMetadata:
        """Give a thread the title its owner wants. No automatic title replaces it."""
        async with self._writing(turn) as tx:
            values = {**_named(tx, thread=thread_id), "new_title": _storable(title)}
            return _the_thread(await tx.one(_RENAME, values))

    async def set_status(self, thread_id: str, status: ThreadStatus, turn: Turn) -> ThreadMetadata:
        """Open, lock or close a thread."""
        async with self._writing(turn) as tx:
            values = {**_named(tx, thread=thread_id), "new_status": write_status(status)}
            return _the_thread(await tx.one(_SET_STATUS, values))

    async def delete_thread(self, thread_id: str, context: Turn) -> None:
        """Remove a thread with everything in it. An empty row stays, so that a late answer cannot bring it back."""
        async with self._writing(context) as tx:
            named = _named(tx, thread=thread_id)
            if (await tx.execute(_BURY, {**named, "at_us": tx.now_us})).rowcount:
                for statement in _EMPTY:
                    await tx.execute(statement, named)

    # Items

    async def load_thread_items(
        self, thread_id: str, after: str | None, limit: int, order: str, context: Turn
    ) -> Page[ThreadItem]:
        """The items of a thread by age; an empty page when there is no such thread.

        `limit` is kept within 1 to 100; an unknown `after` raises. What a person must not see is left out, when the
        turn says so, before the page is cut.
        """
        rows, more = await self._load_page(chat_items, {"thread": thread_id}, limit, after, order, context)
        return Page[ThreadItem](data=_readable(rows), has_more=more, after=rows[-1].id if more else None)

    async def recent(self, thread_id: str, turn: Turn, limit: int = 200) -> list[ThreadItem]:
        """The newest items, newest first, with the hidden ones: the model's memory."""
        newest = _page(chat_items, ascending=False, resumed=False, visible_only=False)
        async with self._reading(turn) as tx:
            return _readable(await tx.all(newest, {**_named(tx, thread=thread_id), "rows": limit}))

    async def load_item(self, thread_id: str, item_id: str, context: Turn) -> ThreadItem:
        """One item, also a hidden one."""
        async with self._reading(context) as tx:
            row = await tx.one(_LOAD_ITEM, _named(tx, thread=thread_id, item=item_id))
        item = None if row is None else read_item(row)
        if item is None:
            raise NotFoundError("no such item")
        return item

    async def add_thread_item(self, thread_id: str, item: ThreadItem, context: Turn) -> None:
        """Store a new item. One that is there already stays as it is: only a workflow may come a second time, done."""
        async with self._writing(context) as tx:
            if not await _saved(tx, thread_id, item, anew=True):
                if await tx.one(_LOAD_ITEM, _named(tx, thread=thread_id, item=item.id)) is None:
                    raise NotFoundError("no such thread")
                raise Problem("conflict", "this message is in the conversation already", "reload the conversation")

    async def save_item(self, thread_id: str, item: ThreadItem, context: Turn) -> None:
        """Store an item, whether or not it is there already. Its place in the thread never changes."""
        async with self._writing(context) as tx:
            if not await _saved(tx, thread_id, item, anew=False):
                raise NotFoundError("no such thread")

    async def delete_thread_item(self, thread_id: str, item_id: str, context: Turn) -> None:
        """Remove one item."""
        async with self._writing(context) as tx:
            await tx.execute(_REMOVE_ITEM, _named(tx, thread=thread_id, item=item_id))

    async def truncate_after(self, thread_id: str, item_id: str, turn: Turn) -> list[ThreadItem]:
        """Remove everything that follows an item, and return it, oldest first."""
        async with self._writing(turn) as tx:
            named = _named(tx, thread=thread_id, item=item_id)
            removed = await tx.all(_TRUNCATE, named)
            if not removed and await tx.one(_LOAD_ITEM, named) is None:
                raise NotFoundError("no such item")
        return _readable(sorted(removed, key=lambda row: (row.created_us, row.seq, row.id)))

    # Attachments

    async def save_attachment(self, attachment: Attachment, context: Turn) -> None:
        """Store what is known of an attachment, whether or not it is there already."""
        async with self._writing(context) as tx:
            values = {**_named(tx, item=attachment.id), "new_data": attachment.model_dump_json()}
            await tx.execute(_save_attachment(tx.on_sqlite), values)

    async def load_attachment(self, attachment_id: str, context: Turn) -> Attachment:
        """What is known of an attachment."""
        async with self._reading(context) as tx:
            row = await tx.one(_LOAD_ATTACHMENT, _named(tx, item=attachment_id))
        attachment = None if row is None else read_attachment(row)
        if attachment is None:
            raise NotFoundError("no such attachment")
        return attachment

    async def delete_attachment(self, attachment_id: str, context: Turn) -> None:
        """Forget an attachment."""
        async with self._writing(context) as tx:
            await tx.execute(_REMOVE_ATTACHMENT, _named(tx, item=attachment_id))

    # How

    def _reading(self, turn: Turn) -> AbstractAsyncContextManager[Tx]:
        return self._database.begin(turn.caller)

    def _writing(self, turn: Turn) -> AbstractAsyncContextManager[Tx]:
        return self._database.begin(turn.caller, write=True)

    async def _load_page(
        self, table: Table, ids: Mapping[str, str], limit: int, after: str | None, order: str, turn: Turn
    ) -> tuple[Sequence[Row[Any]], bool]:
        """The rows of one page, and whether more follow. In one statement, with or without a cursor."""
        resumed = after is not None
        statement = _page(
            table,
            ascending=order == "asc",
            resumed=resumed,
            visible_only=turn.visible_only and table is chat_items,
        )
        wanted = min(max(limit, 1), PAGE_LIMIT)
        async with self._reading(turn) as tx:
            rows = await tx.all(statement, {**_named(tx, **ids, after=after), "rows": wanted + 1 + resumed})
        if resumed:
            if not rows or rows[0].id != after:
                raise NotFoundError("no such place in the list")
            rows = rows[1:]
        return rows[:wanted], len(rows) > wanted


def _new_id(item_type: StoreItemType) -> str:
    # ChatKit's prefix: everything after it is too short.
    return f"{default_generate_id(item_type).partition('_')[0]}_{uuid4().hex}"


def _named(tx: Tx, **ids: str | None) -> dict[str, Any]:
    """The owner and the ids of a statement. U+0000, which PostgreSQL refuses, is in no id: NULL equals none of them."""
    return {"mine": tx.caller.key, **{name: None if value and "\0" in value else value for name, value in ids.items()}}


def _storable(title: str | None) -> str | None:
    """A title as both engines can hold it."""
    return None if title is None else title.replace("\0", "")


async def _saved(tx: Tx, thread_id: str, item: ThreadItem, *, anew: bool) -> bool:
    values = {"at_us": instant(item.created_at), "new_kind": item.type, "new_data": item.model_dump_json()}
    named = _named(tx, thread=thread_id, item=item.id)
    return await tx.one(_save_item(tx.on_sqlite, anew=anew), {**named, **values}) is not None


def _the_thread(row: Row[Any] | None) -> ThreadMetadata:
    thread = None if row is None else read_thread(row)
    if thread is None:
        raise NotFoundError("no such thread")
    return thread


def _readable(rows: Sequence[Row[Any]]) -> list[ThreadItem]:
    items = (read_item(row) for row in rows)
    return [item for item in items if item is not None]
