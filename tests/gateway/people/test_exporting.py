"""A person gets everything that is kept of them, and nothing of anybody else's."""

import asyncio
import json
from typing import Any, Final

import pytest
from sqlalchemy import text
from starlette.types import Message

from gateway.people import export, export_own
from gateway.people.exporting import PARTS
from gateway.tables import (
    chat_attachments,
    chat_feedback,
    chat_items,
    chat_pending,
    chat_threads,
    chat_turns,
    chat_usage,
    metadata,
    revocations,
    sessions,
)
from gateway.turn import Turn
from shared.tokens import Caller, restored
from tests.gateway.people.place import ADA, BOB, ISSUER, SELF, Place, owned_by
from tests.gateway.store.conversations import ADA as ADAS
from tests.gateway.store.conversations import BOB as BOBS

pytestmark = pytest.mark.anyio

# What JSON may hold, an escape of U+0000 and half a character included.
HARD: Final = r'{"content": "<b>\u0000 \ud83d 日本 é", "number": 1.5}'


async def exported(place: Place, person: Caller) -> list[dict[str, Any]]:
    return [record async for record in export(place.database, person)]


async def keep_something(place: Place, person: Caller) -> None:
    """A row in every table, with `SECRET` wherever something lets somebody in or lets a run go on."""
    name = person.subject
    data = {"data": json.dumps({"of": name})}
    mine: dict[str, Any] = {"owner": person.key}
    inside = {**mine, "thread_id": "thr"}
    await place.add(chat_threads, {**mine, "id": "thr", "title": name, "status": '{"type":"active"}', **data})
    await place.add(chat_items, {**inside, "id": "msg", "kind": "hidden_context_item", **data})
    await place.add(chat_turns, {**inside, "partial": json.dumps({"of": name}), "run_id": "SECRET"})
    await place.add(chat_pending, {**inside, "id": "p", "item_id": "msg", "kind": "approval", "data": '"SECRET"'})
    await place.add(chat_feedback, {**inside, "item_id": "msg", "kind": "positive", "trace_id": name})
    file = {"name": name, "mime_type": "text/csv", "upload_descriptor": {"url": "https://x.test/SECRET"}}
    await place.add(chat_attachments, {**inside, "id": "atc", "size_bytes": 3, "data": json.dumps(file)})
    await place.add(chat_usage, {**mine, "day": place.us() // 86_400_000_000, "tokens": 7})
    who = {"issuer": person.issuer, "subject": name}
    secrets = {"session_id": "SECRET", "token_id": "SECRET"}
    proof = {"id_hash": f"SECRET {person.key}", "refresh_token": "SECRET", **secrets}
    await place.add(sessions, {**who, **proof, "name": name, "created_us": place.us(), "scopes": "a b"})
    await place.add(revocations, {**who, **secrets, "id": f"SECRET {person.key}", "created_us": place.us()})


async def test_everything_of_ada_and_nothing_of_bob_is_exported(place: Place) -> None:
    for person in (ADA, BOB, restored("https://elsewhere.example.test", "ada", (), 0, "page")):
        await keep_something(place, person)
    found = await exported(place, ADA)
    assert [record["kind"] for record in found] == [part.kind for part in PARTS]
    by_kind = {record.pop("kind"): record for record in found}
    assert by_kind["thread"]["thread"] == by_kind["item"]["item"] == by_kind["answer"]["message"] == {"of": "ada"}
    assert by_kind["thread"]["title"] == by_kind["feedback"]["trace_id"] == by_kind["attachment"]["name"] == "ada"
    assert by_kind["usage"] == {"day": "2026-03-01", "tokens": 7}
    assert by_kind["session"] == {
        "name": "ada",
        "scopes": ["a", "b"],
        "client_id": "",
        "created_at": "2026-03-01T12:00:00Z",
        "last_used_at": "1970-01-01T00:00:00Z",
        "expires_at": "1970-01-01T00:00:00Z",
    }
    assert "bob" not in json.dumps(found)


async def test_what_signs_in_or_lets_a_run_go_on_is_not_exported(place: Place) -> None:
    await keep_something(place, ADA)
    assert "SECRET" not in json.dumps(await exported(place, ADA))


def test_every_table_is_exported() -> None:
    assert {part.table.name for part in PARTS} == set(metadata.tables)


async def test_conversations_come_whole_and_in_order(place: Place) -> None:
    """More than two pages, half of whose rows were written in the same microsecond."""
    items = [{"thread_id": "thr_1", "id": f"{n:03}", "created_us": n // 2, "seq": n % 2} for n in range(250)]
    await place.add(chat_items, *owned_by(ADA, items[::-1]))
    await place.add(chat_items, *owned_by(ADA, [{"thread_id": "thr_2", "id": f"{n:03}"} for n in range(150)]))
    await place.add(chat_items, *owned_by(BOB, items))
    found = [(record["thread_id"], record["id"]) for record in await exported(place, ADA)]
    expected = [("thr_1", f"{n:03}") for n in range(250)] + [("thr_2", f"{n:03}") for n in range(150)]
    assert found == expected


async def test_what_was_stored_comes_back_to_the_letter(place: Place) -> None:
    stored = ("", HARD, "no JSON", "[" * 100_000)
    rows = [{"thread_id": "thr", "id": str(n), "data": data} for n, data in enumerate(stored)]
    await place.add(chat_items, *owned_by(ADA, rows))
    lines = [json.dumps(record) for record in await exported(place, ADA)]
    assert [json.loads(line)["item"] for line in lines] == [None, json.loads(HARD), *stored[2:]]
    assert all(line.isascii() for line in lines)


async def test_a_reader_who_takes_his_time_holds_no_connection(place: Place) -> None:
    await keep_something(place, ADA)
    async for _ in export(place.database, ADA):
        async with place.database.begin(SELF, write=True) as tx:
            await tx.execute(text("DELETE FROM chat_usage"))
        assert place.database.engine.pool.checkedout() == 0  # type: ignore[attr-defined]


async def test_of_somebody_unknown_nothing_is_kept(place: Place) -> None:
    await keep_something(place, ADA)
    for issuer, subject in ((ISSUER, "carol"), ("https://elsewhere.example.test", "ada"), (ISSUER, "ad")):
        assert await exported(place, restored(issuer, subject, (), 0, "page")) == []


@pytest.mark.parametrize("turn", [ADAS, BOBS])
async def test_a_person_gets_their_own_over_http(place: Place, turn: Turn) -> None:
    await keep_something(place, ADAS.caller)
    response = await export_own(place.database, turn)
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    async def receive() -> Message:
        return await asyncio.Event().wait() and {}

    await response({"type": "http", "asgi": {"spec_version": "2.4"}}, receive, send)
    lines = b"".join(message.get("body", b"") for message in sent).splitlines()
    kinds = [json.loads(line)["kind"] for line in lines]
    assert kinds == ([part.kind for part in PARTS] if turn is ADAS else [])
    assert response.headers["cache-control"] == "no-store"
