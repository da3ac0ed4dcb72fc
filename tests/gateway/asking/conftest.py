"""A house whose tool server also has tools that ask, and a person's hands for what they ask."""

import json
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from itertools import count
from typing import Any, Final

import pytest
from sqlalchemy import Row, select, update

from gateway.tables import chat_pending
from shared.db import Database, Tx
from tests.asking_server import AskingServer
from tests.conftest import engine, migrate
from tests.living import ChatClient, Databases, Living, Said
from tests.models import ObedientModel

_numbers: Final = count(1)


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody in a chat, who answers what he is asked."""

    chat: ChatClient

    async def say(self, text: str, thread_id: str = "") -> Said:
        return await self.chat.say(text, thread_id)

    async def press(self, item: Mapping[str, Any], answer: str) -> Said:
        """Press a button of an asking card."""
        return await self.streamed("threads.custom_action", **pressing(item, answer))

    async def fill_in(self, item: Mapping[str, Any], *values: Sequence[str] | str | None) -> Said:
        """Answer the questions of an item in their order; None skips one, no values skip them all."""
        return await self.streamed("threads.add_structured_input", **filling_in(item, *values))

    async def streamed(self, kind: str, **params: Any) -> Said:
        response = await self.chat.post(kind, **params)
        assert response.status_code == 200, response.text
        return Said.read(response.text)

    async def items(self, thread_id: str) -> list[dict[str, Any]]:
        """What the person sees after a reload, oldest first."""
        page = await self.chat.reply("items.list", thread_id=thread_id, order="asc", limit=100)
        found: list[dict[str, Any]] = page["data"]
        return found


def pressing(item: Mapping[str, Any], answer: str) -> dict[str, Any]:
    """What the page sends when a button of this card is pressed."""
    [action] = [one for one in actions_of(item["widget"]) if one["payload"]["answer"] == answer]
    sent = {"type": action["type"], "payload": action["payload"]}
    return {"thread_id": item["thread_id"], "item_id": item["id"], "action": sent}


def filling_in(item: Mapping[str, Any], *values: Sequence[str] | str | None) -> dict[str, Any]:
    """What the page sends when these answers are given."""
    answers: dict[str, Any] = {}
    for one, given in zip(item["inputs"], values, strict=False):
        listed = [given] if isinstance(given, str) else list(given or [])
        answers[one["id"]] = {"values": listed, "skipped": given is None}
    sent = {"status": "answered" if values else "skipped", "answers": answers}
    return {"thread_id": item["thread_id"], "item_id": item["id"], "input": sent}


def actions_of(component: Any) -> list[dict[str, Any]]:
    """Every action in a widget."""
    if isinstance(component, list):
        return [action for one in component for action in actions_of(one)]
    if not isinstance(component, dict):
        return []
    own = component.get("onClickAction")
    return [*([own] if own else []), *actions_of(component.get("children"))]


def asked(said: Said) -> dict[str, Any]:
    """The one thing that the person is asked at the end of an answer."""
    kinds = {"widget", "structured_input"}
    [item] = [event["item"] for event in said.of("thread.item.done") if event["item"]["type"] in kinds]
    found: dict[str, Any] = item
    return found


def replaced(said: Said) -> list[dict[str, Any]]:
    """The items that changed in an answer."""
    return [event["item"] for event in said.of("thread.item.replaced")]


@dataclass(frozen=True, slots=True)
class Asked:
    """Both services with tools that ask, and a model that does what it is told."""

    living: Living
    server: AskingServer
    model: ObedientModel

    @property
    def drawer(self) -> "Drawer":
        return Drawer(self.living)

    @asynccontextmanager
    async def person(self, name: str) -> AsyncGenerator[Person]:
        async with self.living.chat(name) as chat:
            yield Person(chat)


class Drawer:
    """What waits for ada in the database, for a look behind the service and for the passing of time."""

    def __init__(self, living: Living) -> None:
        self._living = living

    async def rows(self) -> list[Row[Any]]:
        """All of it, as it is stored."""
        async with self._begin() as tx:
            return list(await tx.all(select(chat_pending).where(chat_pending.c.owner == tx.caller.key)))

    async def change(self, **values: Any) -> None:
        """Write these values into every row."""
        async with self._begin() as tx:
            await tx.execute(update(chat_pending).where(chat_pending.c.owner == tx.caller.key).values(**values))

    async def forget_state(self) -> None:
        """Make what the tools gave along too old to be taken by them, as it is after five minutes."""
        for row in await self.rows():
            data = json.loads(row.data)
            for call in data["calls"]:
                call["state"] = "v1.too-old"
            async with self._begin() as tx:
                chosen = (chat_pending.c.owner == tx.caller.key, chat_pending.c.id == row.id)
                await tx.execute(update(chat_pending).where(*chosen).values(data=json.dumps(data)))

    @asynccontextmanager
    async def _begin(self) -> AsyncGenerator[Tx]:
        database = Database(self._living.databases.gateway, pool_size=1)
        try:
            async with database.begin(self._living.person("ada"), write=True) as tx:
                yield tx
        finally:
            await database.close()


@asynccontextmanager
async def asking_house(databases: Databases) -> AsyncGenerator[Asked]:
    """Start one."""
    server, model = AskingServer(), ObedientModel()
    async with Living(databases, model=model, offer=server.offer()) as living:
        yield Asked(living, server, model)


@pytest.fixture(scope="module", params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
async def asked_house(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    anyio_backend: str,  # noqa: ARG001
) -> AsyncGenerator[Asked]:
    """One house for all tests of a file that do it no harm."""
    async with AsyncExitStack() as stack:
        databases = stack.enter_context(engine(request, tmp_path_factory.mktemp("asking")))
        await migrate(databases)
        yield await stack.enter_async_context(asking_house(databases))


@pytest.fixture
def house_of_questions(asked_house: Asked) -> Asked:
    """That house; ada and bob are new people in each test, and nothing has been done yet."""
    asked_house.living.begin_test(1_000_000 + next(_numbers))
    asked_house.server.done.clear()
    asked_house.server.words, asked_house.server.page = AskingServer().words, AskingServer().page
    asked_house.model.inputs.clear()
    return asked_house
