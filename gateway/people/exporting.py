"""What a person gets of their rows: everything that is kept of them, without what signs in or lets a run go on."""

import json
from collections.abc import AsyncGenerator, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Column, Table, literal, select, tuple_

from gateway.items import moment
from gateway.people.belonging import rows_of
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
from shared.db import AnyRow, Database
from shared.tokens import Caller

PAGE: Final = 100
DAY_US: Final = 86_400_000_000


@dataclass(frozen=True, slots=True)
class _Part:
    """One table: in which order it is read, which has to be unique, and what is told of a row."""

    kind: str
    table: Table
    order: tuple[Column[Any], ...]
    told: Callable[[AnyRow], Mapping[str, Any]]


async def export(database: Database, person: Caller) -> AsyncGenerator[dict[str, Any]]:
    """Everything that is kept of this person, one thing at a time, each with its `kind`.

    It is read a page at a time, and no transaction is open while the reader is busy with one: what is written meanwhile
    may be in it or not, and nothing that was there before is left out.
    """
    for part in PARTS:
        async for row in _rows(database, person, part):
            yield {"kind": part.kind, **part.told(row)}


async def _rows(database: Database, person: Caller, part: _Part) -> AsyncGenerator[AnyRow]:
    order = tuple_(*part.order)
    page = select(part.table).where(rows_of(part.table, person)).order_by(*part.order).limit(PAGE)
    rest = page
    while True:
        async with database.begin(person) as tx:
            rows = await tx.all(rest)
        for row in rows:
            yield row
        if len(rows) < PAGE:
            return
        place = (literal(getattr(rows[-1], column.name), column.type) for column in part.order)
        rest = page.where(order > tuple_(*place))


def _thread(row: AnyRow) -> dict[str, Any]:
    deleted_at = None if row.deleted_us is None else _time(row.deleted_us)
    told = {"id": row.id, "title": row.title, "status": _json(row.status), "created_at": _time(row.created_us)}
    return {**told, "deleted_at": deleted_at, "thread": _json(row.data)}


def _item(row: AnyRow) -> dict[str, Any]:
    return {"thread_id": row.thread_id, "id": row.id, "created_at": _time(row.created_us), "item": _json(row.data)}


def _answer(row: AnyRow) -> dict[str, Any]:
    started_at = _time(row.started_us)
    return {"thread_id": row.thread_id, "started_at": started_at, "message": _json(row.partial or "")}


def _question(row: AnyRow) -> dict[str, Any]:
    told = {"id": row.id, "thread_id": row.thread_id, "item_id": row.item_id, "about": row.kind}
    return {**told, "status": row.status, "expires_at": _time(row.expires_us)}


def _vote(row: AnyRow) -> dict[str, Any]:
    told = {"thread_id": row.thread_id, "item_id": row.item_id, "vote": row.kind}
    return {**told, "at": _time(row.at_us), "trace_id": row.trace_id}


def _attachment(row: AnyRow) -> dict[str, Any]:
    file = _json(row.data) or {}
    told = {"id": row.id, "thread_id": row.thread_id, "created_at": _time(row.created_us), "size_bytes": row.size_bytes}
    return {**told, "state": row.state, "name": file.get("name"), "mime_type": file.get("mime_type")}


def _use(row: AnyRow) -> dict[str, Any]:
    return {"day": _time(row.day * DAY_US).partition("T")[0], "tokens": row.tokens}


def _session(row: AnyRow) -> dict[str, Any]:
    times = {"created_at": row.created_us, "last_used_at": row.idle_us, "expires_at": row.expires_us}
    told = {"name": row.name, "scopes": row.scopes.split(), "client_id": row.client_id}
    return {**told, **{name: _time(us) for name, us in times.items()}}


def _withdrawal(row: AnyRow) -> dict[str, Any]:
    return {"created_at": _time(row.created_us), "kept_until": _time(row.keep_until_us)}


def _time(us: int) -> str:
    return moment(us).isoformat().replace("+00:00", "Z")


def _json(text: str) -> Any:
    """What was stored as JSON, to the letter; None for nothing, and text that is no JSON as it is."""
    try:
        return json.loads(text) if text else None
    except (ValueError, RecursionError):
        return text


_THREADS, _ITEMS, _LEASES, _PENDING, _VOTES = (
    chat_threads.c,
    chat_items.c,
    chat_turns.c,
    chat_pending.c,
    chat_feedback.c,
)
PARTS: Final = (
    _Part("thread", chat_threads, (_THREADS.created_us, _THREADS.seq, _THREADS.id), _thread),
    _Part("item", chat_items, (_ITEMS.thread_id, _ITEMS.created_us, _ITEMS.seq, _ITEMS.id), _item),
    _Part("answer", chat_turns, (_LEASES.thread_id,), _answer),
    _Part("question", chat_pending, (_PENDING.id,), _question),
    _Part("feedback", chat_feedback, (_VOTES.thread_id, _VOTES.item_id), _vote),
    _Part("attachment", chat_attachments, (chat_attachments.c.id,), _attachment),
    _Part("usage", chat_usage, (chat_usage.c.owner,), _use),
    _Part("session", sessions, (sessions.c.created_us, sessions.c.id_hash), _session),
    _Part("withdrawal", revocations, (revocations.c.created_us, revocations.c.id), _withdrawal),
)
