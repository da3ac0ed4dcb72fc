"""Attachments as a browser and a model meet them: over HTTP, through both services."""

import json
import logging
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import httpx2
import pytest
from agents.testing import ModelStep
from sqlalchemy import select
from starlette.applications import Starlette

from gateway.attachments import UPLOADS, Attachments, attachment_routes, sweep
from gateway.attachments.disk import Disk
from gateway.endpoints.refusals import answering
from gateway.tables import chat_attachments, chat_items
from shared.asgi import protected
from shared.db import Database, clock
from shared.errors import Problem
from tests.gateway.asking.conftest import pressing
from tests.gateway.attachments.files import CSV, PNG, kept_in, listening
from tests.living import ChatClient, Databases, Living, Said, message
from tests.models import ObedientModel
from tests.web import web

pytestmark = pytest.mark.anyio

UNKNOWN: Final = "atc_" + "0" * 32
INERT: Final = "default-src 'none'; frame-ancestors 'none'; sandbox"


class Obedient(ObedientModel):
    """Obeys what people write, and not what is in their files."""

    async def step(self, items: list[Any]) -> ModelStep:
        return await super().step([_without_files(item) for item in items])


def _without_files(item: dict[str, Any]) -> dict[str, Any]:
    if not isinstance(item.get("content"), list):
        return item
    return {**item, "content": [part for part in item["content"] if not part.get("text", "").startswith("<FILE ")]}


@pytest.fixture
def model() -> Obedient:
    return Obedient()


@pytest.fixture
async def living(databases: Databases, disk: Disk, model: Obedient) -> AsyncGenerator[Living]:
    """Both services, with a place for files."""
    found = Living(databases, model=model)
    found.keeping = disk
    async with found:
        yield found


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody with a browser that attaches files."""

    chat: ChatClient

    async def announce(self, name: str, size: int, mime_type: str) -> dict[str, Any]:
        made: dict[str, Any] = await self.chat.reply("attachments.create", name=name, size=size, mime_type=mime_type)
        return made

    async def attach(self, data: bytes = CSV, name: str = "tasks.csv", mime_type: str = "text/csv") -> dict[str, Any]:
        made = await self.announce(name, len(data), mime_type)
        assert (await upload(made, data)).status_code == 204
        return made

    async def send(self, text: str, *keys: str, thread_id: str = "") -> httpx2.Response:
        """A message with files, answered as a whole."""
        params: dict[str, Any] = {"input": {**message(text), "attachments": list(keys)}}
        if not thread_id:
            return await self.chat.post("threads.create", **params)
        return await self.chat.post("threads.add_user_message", thread_id=thread_id, **params)

    async def say(self, text: str, *keys: str, thread_id: str = "") -> Said:
        response = await self.send(text, *keys, thread_id=thread_id)
        assert response.status_code == 200, response.text
        lines = response.text.splitlines()
        return Said([json.loads(line.removeprefix("data: ")) for line in lines if line.startswith("data: ")])


async def upload(made: dict[str, Any], data: bytes) -> httpx2.Response:
    """What the browser does with an address for an upload: it sends the bytes there, and no token."""
    descriptor = made["upload_descriptor"]
    async with web() as http:
        return await http.request(descriptor["method"], descriptor["url"], headers=descriptor["headers"], content=data)


def refusal(response: httpx2.Response) -> tuple[int, dict[str, Any]]:
    """A refusal without what differs each time."""
    return response.status_code, {**response.json(), "request_id": ""}


async def test_a_file_that_is_attached_can_be_imported_without_passing_through_the_model(
    living: Living, model: Obedient
) -> None:
    lines = "title,list\n" + "".join(f"task number {number},Inbox\n" for number in range(900))
    async with living.chat("ada") as chat:
        ada = Person(chat)
        made = await ada.attach(lines.encode())
        call = {"content": f"attachment:{made['id']}", "dry_run": True}
        said = await ada.say(f"call data_import {json.dumps(call)}", made["id"])
    assert "read as csv" in said.text
    assert "900" in said.text
    assert "task number 899" not in model.seen
    assert "exact text attachment:ID" in model.instructions[0]
    [first, *_] = [part["text"] for item in model.inputs[0] for part in item["content"] if "<FILE" in part["text"]]
    assert first.startswith(f'<FILE id="{made["id"]}" name="tasks.csv" type="text/csv">\ntitle,list\n')


async def test_an_import_that_asks_first_still_knows_the_file_after_the_answer(living: Living) -> None:
    async with living.chat("ada") as chat, living.client("ada") as tools:
        ada = Person(chat)
        made = await ada.attach()
        call = {"content": f"attachment:{made['id']}", "dry_run": False}
        said = await ada.say(f"call data_import {json.dumps(call)}", made["id"])
        [card] = [one["item"] for one in said.of("thread.item.done") if one["item"]["type"] == "widget"]
        assert "Buy milk" in card["copy_text"]
        assert await tools.titles() == []
        assert (await chat.post("threads.custom_action", **pressing(card, "approve"))).status_code == 200
        assert sorted(await tools.titles()) == ["Buy milk", "Call Ada"]


async def test_bob_cannot_import_the_file_of_ada(living: Living, model: Obedient) -> None:
    async with living.chat("ada") as chat, living.chat("bob") as other:
        made = await Person(chat).attach()
        said = []
        for key in (made["id"], UNKNOWN):
            call = json.dumps({"content": f"attachment:{key}", "dry_run": True})
            said.append((await Person(other).say(f"call data_import {call}")).text)
    assert said == ["not_found: there is no such attachment. Fix: give the id of a <FILE>"] * 2
    assert "milk" not in model.seen


async def test_later_the_model_knows_only_the_name_of_a_file(living: Living, model: Obedient) -> None:
    async with living.chat("ada") as chat:
        ada = Person(chat)
        made = await ada.attach()
        thread_id = (await ada.say("look", made["id"])).thread_id
        assert "milk" in json.dumps(model.inputs[0])
        await ada.say("and now?", thread_id=thread_id)
    assert "milk" not in json.dumps(model.inputs[1])
    assert made["id"] in json.dumps(model.inputs[1])


async def test_bob_gets_the_answer_of_the_unknown_and_nothing_is_stored(living: Living) -> None:
    async with living.chat("ada") as chat, living.chat("bob") as other:
        made = await Person(chat).attach()
        waiting = await Person(chat).announce("b.csv", len(CSV), "text/csv")
        bob = Person(other)
        proof = urlsplit(waiting["upload_descriptor"]["url"]).query
        for key in (made["id"], waiting["id"]):
            for ask in (
                lambda key: bob.send("mine?", key),
                lambda key: other.http.get(f"/attachments/{key}"),
                lambda key: other.http.put(f"/attachments/{key}", content=b"bob's"),
            ):
                assert refusal(await ask(key)) == refusal(await ask(UNKNOWN))
            deleted = [await other.post("attachments.delete", attachment_id=asked) for asked in (key, UNKNOWN)]
            assert [(answer.status_code, answer.text) for answer in deleted] == [(200, "{}")] * 2
        assert refusal(await other.http.put(f"/attachments/{made['id']}?{proof}", content=CSV))[0] == 404
        assert (await other.reply("threads.list"))["data"] == []
        assert (await chat.http.get(f"/attachments/{made['id']}")).content == CSV
        assert (await upload(waiting, CSV)).status_code == 204


async def test_what_a_message_may_not_bring_is_refused_before_anything_is_stored(living: Living) -> None:
    async with living.chat("ada") as chat:
        ada = Person(chat)
        made, waiting = await ada.attach(), await ada.announce("b.csv", 10, "text/csv")
        refused = [
            await ada.send("x", UNKNOWN),
            await ada.send("x", made["id"], waiting["id"]),
            await ada.send("x", made["id"], made["id"]),
        ]
        assert [answer.status_code for answer in refused] == [404, 404, 400]
        assert (await chat.reply("threads.list"))["data"] == []
        thread_id = (await ada.say("mine", made["id"])).thread_id
        assert (await ada.send("in another one", made["id"])).status_code == 404
        await ada.say("in the same", made["id"], thread_id=thread_id)
        assert len((await chat.reply("threads.list"))["data"]) == 1
        deleted = await chat.post("attachments.delete", attachment_id=made["id"])
        assert (deleted.status_code, deleted.json()["code"]) == (409, "conflict")


async def test_a_picture_can_be_shown_for_a_while_by_who_has_its_address(
    living: Living, databases: Databases, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    async with living.chat("ada") as chat, web() as anybody:
        ada = Person(chat)
        made = await ada.attach(PNG, 'c"at\r\n.png', "image/png")
        said = await ada.say("look", made["id"])
        thread = await chat.reply("threads.get_by_id", thread_id=said.thread_id)
        listed = await chat.reply("items.list", thread_id=said.thread_id)
        sent = said.of("thread.item.done")[0]["item"]
        for items in ([sent], thread["items"]["data"], listed["data"]):
            [attachment] = [kept for item in items for kept in item.get("attachments", ())]
            shown = await anybody.get(attachment["preview_url"])
            assert (shown.status_code, shown.content, shown.headers["content-type"]) == (200, PNG, "image/png")
        assert "inline" in shown.headers["content-disposition"]
        assert shown.headers["content-disposition"].endswith("''c%22at.png")
        assert shown.headers["content-security-policy"] == INERT
        assert shown.headers["x-content-type-options"] == "nosniff"
        assert shown.headers["cache-control"].startswith("private")
        assert (await anybody.get(f"{living.gateway_url}/attachments/{made['id']}")).status_code == 401
        assert (await anybody.get(attachment["preview_url"][:-3])).status_code == 401
        assert (await chat.http.get(f"/attachments/{made['id']}")).content == PNG
    ours = [vars(record) for record in caplog.records if record.name.startswith(("shared", "gateway"))]
    assert any(made["id"] in line.get("path", "") for line in ours)
    assert "proof" not in str(ours)
    database = Database(databases.gateway, pool_size=1)
    try:
        async with database.begin(living.person("ada")) as tx:
            kept = [*await tx.all(select(chat_items.c.data)), *await tx.all(select(chat_attachments.c.data))]
    finally:
        await database.close()
    assert sum(made["id"] in row.data for row in kept) == 2
    assert not any("proof" in row.data for row in kept)


async def test_a_text_is_only_ever_downloaded(living: Living) -> None:
    async with living.chat("ada") as chat:
        made = await Person(chat).attach(b"1 < 2 <b>", "größe.txt", "text/plain")
        answer = await chat.http.get(f"/attachments/{made['id']}")
    assert answer.headers["content-disposition"] == "attachment; filename*=UTF-8''gr%C3%B6%C3%9Fe.txt"
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    assert answer.headers["content-security-policy"] == INERT


@pytest.mark.parametrize(
    ("mime_type", "announced", "data", "status"),
    [
        ("text/csv", len(CSV), CSV + b"x" * 300_000, 413),
        ("image/png", len(CSV), CSV, 400),
        ("text/plain", 15, b"<!doctype html>", 400),
        ("text/csv", 3, b"", 400),
    ],
)
async def test_what_is_not_as_announced_is_refused(
    living: Living, folder: Path, mime_type: str, announced: int, data: bytes, status: int
) -> None:
    async with living.chat("ada") as chat:
        made = await Person(chat).announce("file", announced, mime_type)
        answer = await upload(made, data)
        assert answer.status_code == status
        assert (await chat.http.get(f"/attachments/{made['id']}")).status_code == 404
    assert kept_in(folder) == set()


async def test_files_up_to_the_limit_arrive_and_nothing_else_may_be_as_large(living: Living) -> None:
    picture = PNG + b"x" * (5 * 1024 * 1024 - len(PNG))
    async with living.chat("ada") as chat:
        made = await Person(chat).attach(picture, "large.png", "image/png")
        assert (await chat.http.get(f"/attachments/{made['id']}")).content == picture
        large = {"type": "threads.list", "params": {}, "metadata": {"x": "x" * 300_000}}
        assert (await chat.http.post("/chatkit", json=large)).status_code == 413
        assert (await chat.http.post(f"/attachments/{made['id']}", content=b"x" * 300_000)).status_code == 413


async def test_a_deleted_conversation_takes_its_files_with_it(
    living: Living, databases: Databases, disk: Disk, folder: Path
) -> None:
    async with living.chat("ada") as chat:
        ada = Person(chat)
        made = await ada.attach()
        said = await ada.say("look", made["id"])
        await chat.reply("threads.delete", thread_id=said.thread_id)
        assert (await chat.http.get(f"/attachments/{made['id']}")).status_code == 404
    database = Database(databases.gateway, pool_size=1)
    try:
        assert await sweep(database, disk, clock()) == 1
    finally:
        await database.close()
    assert kept_in(folder) == set()


async def test_without_a_place_attachments_are_off(databases: Databases, model: Obedient) -> None:
    async with Living(databases, model=model, start_mcp=False) as living, living.chat("ada") as chat:
        answers = [
            await chat.post("attachments.create", name="a.csv", size=1, mime_type="text/csv"),
            await chat.post("attachments.delete", attachment_id=UNKNOWN),
            await Person(chat).send("x", UNKNOWN),
        ]
        assert [(answer.status_code, answer.json()["code"]) for answer in answers] == [(501, "disabled")] * 3
        assert (await chat.http.get(f"/attachments/{UNKNOWN}")).status_code == 404
        assert (await chat.reply("threads.list"))["data"] == []


async def test_a_page_of_a_known_origin_may_send_files(attachments: Attachments) -> None:
    async def nobody(_: Any) -> Any:
        raise Problem("sign_in", "nobody")

    origin = "https://app.example.test"
    app = protected(
        Starlette(routes=attachment_routes(attachments, nobody, answering)),
        public_url="http://tasks.example.test",
        hosts=[],
        origins=[origin],
        headers=[],
        body_limit=100,
        trusted_proxies=[],
        larger=UPLOADS,
    )
    asked = {
        "Host": "tasks.example.test",
        "Access-Control-Request-Method": "PUT",
        "Access-Control-Request-Headers": "content-type",
    }
    async with listening(app) as address, web(base_url=address) as http:
        for asking, status in ((origin, 200), ("https://elsewhere.example.test", 400)):
            answer = await http.options(f"/attachments/{UNKNOWN}", headers={**asked, "Origin": asking})
            assert answer.status_code == status
            assert (answer.headers.get("access-control-allow-origin") == asking) == (status == 200)
