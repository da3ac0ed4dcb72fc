"""The conversations of each person, in the shape ChatKit asks for. Every statement names their owner.

So somebody else's thread, item or attachment is the same as one that never existed.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, Final
from uuid import uuid4

from chatkit.store import NotFoundError, Store, StoreItemType, default_generate_id
from chatkit.types import ActiveStatus, Attachment, Page, ThreadItem, ThreadMetadata, ThreadStatus
from sqlalchemy import Row, Table

from gateway.attachments import rows as attachments
from gateway.items import instant, read_attachment, read_item, read_thread, write_status, write_thread
from gateway.store import statements
from gateway.store.statements import named
from gateway.tables import chat_items, chat_threads
from gateway.turn import Turn
from shared.db import Database, Tx
from shared.errors import Problem

PAGE_LIMIT: Final = 100
# A full thread takes no more questions, yet the answer to the last one has to fit in.
ANSWER_ROOM: Final = 500


class LeaseLost(NotFoundError):
    """The answer that writes no longer holds the lease of its thread: it was deleted, or somebody else went on."""


class ThreadStore(Store[Turn]):
    """Threads, their items and attachments. Each call is one transaction of the person who asks.

    It is one statement as well, but for `delete_thread`, which takes six; a refusal takes one more to say why.
    What is missing, deleted or somebody else's raises `NotFoundError`; removing it does nothing. What comes back is
    always fresh: changing it changes nothing here.
    """

    def __init__(
        self,
        database: Database,
        *,
        threads: int = 5_000,
        items: int = 5_000,
        shown: Callable[[ThreadItem, Turn], ThreadItem] = lambda item, _: item,
    ) -> None:
        """`shown` makes of an item what a person sees of it now; it is stored without that."""
        self._database = database
        self.shown = shown
        self._threads = threads
        self._items = items

    def generate_thread_id(self, context: Turn) -> str:
        """The id that this turn has leased for a new thread; without one, a new id."""
        return context.new_thread_id or new_id("thread")

    def generate_item_id(self, item_type: StoreItemType, thread: ThreadMetadata, context: Turn) -> str:
        """A new id, as random as that of a thread."""
        return new_id(item_type)

    # Threads

    async def load_thread(self, thread_id: str, context: Turn) -> ThreadMetadata:
        """One thread."""
        async with self._reading(context) as tx:
            return _the_thread(await tx.one(statements.LOAD_THREAD, named(tx, thread=thread_id)))

    async def save_thread(self, thread: ThreadMetadata, context: Turn) -> None:
        """Create a thread, or update what an answer may change: an automatic title and the metadata.

        A title that a person gave stays, as does the status; a deleted thread stays deleted.
        """
        values = {
            "at": instant(thread.created_at),
            "new_title": _storable(thread.title),
            "new_title_by": "none" if thread.title is None else "auto",
            "new_status": write_status(ActiveStatus()),
            "new_data": write_thread(thread),
        }
        async with self._writing(context) as tx:
            ids = named(tx, thread=thread.id)
            saved = await tx.one(statements.save_thread(tx.on_sqlite), {**ids, **values, "room": self._threads})
            if saved is None and await tx.one(statements.BURIED, ids) is None:
                raise _no_thread_fits()

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
            values = {**named(tx, thread=thread_id), "new_title": _storable(title)}
            return _the_thread(await tx.one(statements.RENAME, values))

    async def set_status(self, thread_id: str, status: ThreadStatus, turn: Turn) -> ThreadMetadata:
        """Open, lock or close a thread."""
        async with self._writing(turn) as tx:
            values = {**named(tx, thread=thread_id), "new_status": write_status(status)}
            return _the_thread(await tx.one(statements.SET_STATUS, values))

    async def auto_title(self, thread_id: str, title: str, turn: Turn) -> str | None:
        """Give a thread a title unless a person gave it one, and return the title it has; None when it is gone."""
        async with self._writing(turn) as tx:
            row = await tx.one(statements.TITLE, {**named(tx, thread=thread_id), "new_title": _storable(title)})
        return None if row is None else row.title

    async def forget_before(self, thread_id: str, item_id: str, turn: Turn) -> None:
        """Let `recent` begin at this item from now on. People still see what came before."""
        async with self._writing(turn) as tx:
            if not (await tx.execute(statements.FORGET, named(tx, thread=thread_id, item=item_id))).rowcount:
                raise NotFoundError("no such item")

    async def delete_thread(self, thread_id: str, context: Turn) -> None:
        """Remove a thread with everything in it. An empty row stays, so that a late answer cannot bring it back."""
        async with self._writing(context) as tx:
            ids = named(tx, thread=thread_id)
            await tx.execute(statements.DROP_LEASE, ids)
            if (await tx.execute(statements.BURY, {**ids, "at": tx.now_us})).rowcount:
                for statement in statements.EMPTY:
                    await tx.execute(statement, ids)
                await attachments.bury(tx, thread_id)

    # Room

    async def require_room(self, thread_id: str | None, turn: Turn) -> None:
        """Refuse what would not fit: another message in this thread, or without one another thread."""
        statement = statements.ROOM_FOR_THREAD if thread_id is None else statements.ROOM_FOR_ITEM
        room = self._threads if thread_id is None else self._items
        async with self._reading(turn) as tx:
            found = await tx.one(statement, {**named(tx, thread=thread_id), "at": tx.now_us, "room": room})
        if found is None or not found.fits:
            raise _no_thread_fits() if thread_id is None else _no_item_fits()

    # Items

    async def load_thread_items(
        self, thread_id: str, after: str | None, limit: int, order: str, context: Turn
    ) -> Page[ThreadItem]:
        """The items of a thread by age; an empty page when there is no such thread.

        `limit` is kept within 1 to 100; an unknown `after` raises. What a person must not see is left out, when the
        turn says so, before the page is cut.
        """
        rows, more = await self._load_page(chat_items, {"thread": thread_id}, limit, after, order, context)
        items = _readable(rows)
        if context.visible_only:
            items = [self.shown(item, context) for item in items]
        return Page[ThreadItem](data=items, has_more=more, after=rows[-1].id if more else None)

    async def recent(self, thread_id: str, turn: Turn, limit: int = 200) -> list[ThreadItem]:
        """The model's memory: the newest items of all kinds, newest first, back to where `forget_before` cut."""
        async with self._reading(turn) as tx:
            return _readable(await tx.all(statements.RECENT, {**named(tx, thread=thread_id), "rows": limit}))

    async def load_item(self, thread_id: str, item_id: str, context: Turn) -> ThreadItem:
        """One item, also a hidden one."""
        async with self._reading(context) as tx:
            row = await tx.one(statements.LOAD_ITEM, named(tx, thread=thread_id, item=item_id))
        item = None if row is None else read_item(row)
        if item is None:
            raise NotFoundError("no such item")
        return item

    async def add_thread_item(self, thread_id: str, item: ThreadItem, context: Turn) -> None:
        """Store a new item. One that is there already stays as it is: only a workflow may come a second time, done."""
        await self._save_item(thread_id, item, context, anew=True)

    async def save_item(self, thread_id: str, item: ThreadItem, context: Turn) -> None:
        """Store an item, whether or not it is there already. Its place in the thread never changes."""
        await self._save_item(thread_id, item, context, anew=False)

    async def delete_thread_item(self, thread_id: str, item_id: str, context: Turn) -> None:
        """Remove one item."""
        fenced = context.answer is not None
        async with self._writing(context) as tx:
            ids = {**named(tx, thread=thread_id, item=item_id), "run": context.id}
            removed = await tx.execute(statements.remove_item(fenced=fenced), ids)
            why = None if removed.rowcount or not fenced else await tx.one(statements.WHY, ids)
        if why is not None and not why.held:
            raise LeaseLost("the lease is gone")

    async def truncate_after(self, thread_id: str, item_id: str, turn: Turn) -> list[ThreadItem]:
        """Remove everything that follows an item, and return it, oldest first."""
        async with self._writing(turn) as tx:
            ids = named(tx, thread=thread_id, item=item_id)
            removed = await tx.all(statements.TRUNCATE, ids)
            if not removed and await tx.one(statements.LOAD_ITEM, ids) is None:
                raise NotFoundError("no such item")
        return _readable(sorted(removed, key=lambda row: (row.created_us, row.seq, row.id)))

    # Attachments

    async def save_attachment(self, attachment: Attachment, context: Turn) -> None:
        """Bind an attachment to the thread it names, whose messages alone may bring it from now on."""
        async with self._writing(context) as tx:
            if not await attachments.bind(tx, attachment):
                raise NotFoundError("no such attachment")

    async def load_attachment(self, attachment_id: str, context: Turn) -> Attachment:
        """What is known of an attachment."""
        async with self._reading(context) as tx:
            row = await tx.one(statements.LOAD_ATTACHMENT, named(tx, item=attachment_id))
        attachment = None if row is None else read_attachment(row)
        if attachment is None:
            raise NotFoundError("no such attachment")
        return attachment

    async def delete_attachment(self, attachment_id: str, context: Turn) -> None:
        """Give up an attachment that is in no message."""
        async with self._writing(context) as tx:
            if "\0" not in attachment_id:
                await attachments.bury_unbound(tx, attachment_id)

    # How

    def _reading(self, turn: Turn) -> AbstractAsyncContextManager[Tx]:
        return self._database.begin(turn.caller)

    def _writing(self, turn: Turn) -> AbstractAsyncContextManager[Tx]:
        return self._database.begin(turn.caller, write=True)

    async def _save_item(self, thread_id: str, item: ThreadItem, turn: Turn, *, anew: bool) -> None:
        fenced = turn.answer is not None
        room = self._items if item.type == "user_message" else self._items + ANSWER_ROOM
        async with self._writing(turn) as tx:
            ids = {**named(tx, thread=thread_id, item=item.id), "run": turn.id}
            values = {**ids, **statements.written(item, turn.request_id if fenced else None), "room": room}
            if await tx.one(statements.save_item(tx.on_sqlite, anew=anew, fenced=fenced), values) is not None:
                return
            why = await tx.one(statements.WHY, ids)
        assert why is not None  # it has no FROM
        if fenced and not why.held:
            raise LeaseLost("the lease is gone")
        if not why.alive:
            raise NotFoundError("no such thread")
        if anew and why.there:
            raise Problem("conflict", "this message is in the conversation already", "reload the conversation")
        raise _no_item_fits()

    async def _load_page(
        self, table: Table, ids: Mapping[str, str], limit: int, after: str | None, order: str, turn: Turn
    ) -> tuple[Sequence[Row[Any]], bool]:
        """The rows of one page, and whether more follow. In one statement, with or without a cursor."""
        resumed = after is not None
        statement = statements.page(
            table,
            ascending=order == "asc",
            resumed=resumed,
            visible_only=turn.visible_only and table is chat_items,
        )
        wanted = min(max(limit, 1), PAGE_LIMIT)
        async with self._reading(turn) as tx:
            rows = await tx.all(statement, {**named(tx, **ids, after=after), "rows": wanted + 1 + resumed})
        if resumed:
            if not rows or rows[0].id != after:
                raise NotFoundError("no such place in the list")
            rows = rows[1:]
        return rows[:wanted], len(rows) > wanted


def new_id(item_type: StoreItemType) -> str:
    """An id of 128 random bits: ChatKit's own have 32, which collide."""
    # ChatKit's prefix: everything after it is too short.
    return f"{default_generate_id(item_type).partition('_')[0]}_{uuid4().hex}"


def _no_thread_fits() -> Problem:
    return Problem("too_many", "there is no room for another conversation", "delete some that are over")


def _no_item_fits() -> Problem:
    return Problem("too_many", "this conversation is full", "start a new one")


def _storable(title: str | None) -> str | None:
    """A title as both engines can hold it."""
    return None if title is None else title.replace("\0", "")


def _the_thread(row: Row[Any] | None) -> ThreadMetadata:
    thread = None if row is None else read_thread(row)
    if thread is None:
        raise NotFoundError("no such thread")
    return thread


def _readable(rows: Sequence[Row[Any]]) -> list[ThreadItem]:
    items = (read_item(row) for row in rows)
    return [item for item in items if item is not None]
