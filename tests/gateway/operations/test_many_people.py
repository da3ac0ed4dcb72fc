"""Sixty-four people who talk at the same time: everything in each conversation belongs to the one who leads it."""

import asyncio
import json
import re
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any, Final

import pytest

from tests.gateway.cards import cards_of
from tests.gateway.operations.behind import behind
from tests.gateway.operations.table import visible
from tests.living import ChatClient, Databases, Living, Said
from tests.models import ObedientModel

pytestmark = pytest.mark.anyio

PEOPLE: Final = 64
SECRET: Final = re.compile(r"secret-[0-9]+-")


class CrowdedModel(ObedientModel):
    """Begins no answer before as many are asked for at once as there are people: all their turns lie across."""

    def __init__(self, people: int) -> None:
        super().__init__()
        self._barrier = asyncio.Barrier(people)
        self.met: set[str] = set()

    async def stream_response(self, *args: Any, **kwargs: Any) -> AsyncIterator[Any]:
        newest: dict[str, Any] = (kwargs["input"] if "input" in kwargs else args[1])[-1]
        asked = json.dumps(newest)
        if "meet" in asked and newest.get("role") == "user":
            self.met.add(asked)
            await self._barrier.wait()
        async for event in super().stream_response(*args, **kwargs):
            yield event
            await asyncio.sleep(0)


def secrets(something: Any) -> set[str]:
    """Whose words something holds."""
    return set(SECRET.findall(json.dumps(something, default=str)))


async def a_life(number: int, chat: ChatClient) -> tuple[list[Said], str]:
    """Three turns of one person, all of the same words but for one."""
    mine = f"secret-{number}-"
    title = json.dumps({"tasks": [{"title": "Same title", "notes": mine}]})
    said = [await chat.say(f"meet {mine}\nboth tasks_add {title}\ncall tasks_find {{}}")]
    thread = said[0].thread_id
    change = json.dumps({"changes": [{"refs": ["T1"], "title": mine}]})
    said.append(await chat.say(f"meet {mine}\ncall tasks_edit {change}", thread))
    said.append(await chat.say(f"meet {mine}\ncall overview {{}}\ncall tasks_find {{}}", thread))
    return said, thread


async def test_nothing_of_one_person_reaches_another(databases: Databases) -> None:
    model = CrowdedModel(PEOPLE)
    async with Living(databases, model=model) as living, behind(living) as inside, AsyncExitStack() as stack:
        names = [f"person {number}" for number in range(PEOPLE)]
        chats = [await stack.enter_async_context(living.chat(name)) for name in names]
        lives = await asyncio.gather(*(a_life(number, chat) for number, chat in enumerate(chats)))
        threads: set[str] = set()
        for number, (said, thread) in enumerate(lives):
            mine = {f"secret-{number}-"}
            threads.add(thread)
            for turn in said:
                assert not turn.of("error"), turn.of("error")
                assert secrets(turn.events) == mine
                for event in turn.events:
                    assert event.get("item", {}).get("thread_id", thread) == thread
            effects = [event["data"]["refs"] for turn in said for event in turn.of("client_effect")]
            assert effects == [["T1"], ["T1"]]
            assert cards_of(said[2])
            assert secrets(cards_of(said[2])) == mine
            assert secrets(said[2].text) == mine
            stored = await visible(chats[number], thread)
            assert secrets(stored) == mine
            assert len([item for item in stored if item["type"] == "user_message"]) == 3
            assert secrets(await inside.rows(names[number])) == mine
            listed = (await chats[number].reply("threads.list"))["data"]
            assert [row["id"] for row in listed] == [thread]
        assert len(threads) == PEOPLE
        # Whatever the model ever read at once was one person's.
        assert all(len(secrets(items)) == 1 for items in model.inputs)
        assert len(model.met) == PEOPLE * 3
