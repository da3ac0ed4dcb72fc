"""What people think of answers: one vote for each item, the last one counts."""

from collections.abc import Sequence
from functools import cache
from typing import Final

from chatkit.store import NotFoundError
from sqlalchemy import Executable, bindparam, select

from gateway.store.statements import HIDDEN, MY_ITEMS, THE_THREAD, named, upsert
from gateway.tables import BIG, KEY, WORDS, chat_feedback, chat_items, chat_threads
from gateway.turn import Turn
from shared.db import Database

_ITEMS: Final = bindparam("items", type_=KEY, expanding=True)
_KIND: Final = bindparam("new_kind", type_=WORDS)
_AT_US: Final = bindparam("at", type_=BIG)


class Feedback:
    """The votes of each person."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def keep(self, thread_id: str, item_ids: Sequence[str], kind: str, turn: Turn) -> None:
        """Keep one vote for all these items, in one statement; for none, unless this person sees all of them.

        A vote names the request that the item comes from.
        """
        wanted = {key for key in item_ids if "\0" not in key}
        async with self._database.begin(turn.caller, write=True) as tx:
            values = {"items": sorted(wanted), "new_kind": kind, "at": tx.now_us}
            kept = await tx.all(_keep(tx.on_sqlite), {**named(tx, thread=thread_id), **values})
            if len(kept) < len(set(item_ids)):
                raise NotFoundError("no such item")


@cache
def _keep(on_sqlite: bool) -> Executable:
    c = chat_feedback.c
    seen = (
        select(chat_items.c.owner, chat_items.c.thread_id, chat_items.c.id, _KIND, _AT_US, chat_items.c.trace_id)
        .join_from(chat_items, chat_threads, chat_threads.c.id == chat_items.c.thread_id)
        .where(MY_ITEMS, THE_THREAD, chat_items.c.id.in_(_ITEMS), chat_items.c.kind.not_in(HIDDEN))
        # As for items: no lock, and a vote could outlive its thread.
        .with_for_update(read=True, of=chat_threads)
    )
    new = upsert(on_sqlite, chat_feedback).from_select(
        [c.owner, c.thread_id, c.item_id, c.kind, c.at_us, c.trace_id], seen
    )
    return new.on_conflict_do_update(
        index_elements=[c.owner, c.thread_id, c.item_id],
        set_={"kind": new.excluded.kind, "at_us": new.excluded.at_us, "trace_id": new.excluded.trace_id},
    ).returning(c.item_id)
