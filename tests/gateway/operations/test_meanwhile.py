"""What can be asked of a conversation while an answer is written in it, and of several conversations at once."""

import asyncio
import json

import pytest

from tests.asking_server import AskingServer
from tests.gateway.operations.behind import behind
from tests.gateway.operations.refusals import assert_refused
from tests.gateway.operations.table import NAMING, OPERATIONS, STREAMS, send, visible
from tests.gateway.test_one_answer_at_a_time import writing
from tests.living import ChatClient, Databases, Living, Said
from tests.models import PatientModel

pytestmark = pytest.mark.anyio

IN_THREADS = [kind for kind in NAMING if "thread_id" in OPERATIONS[kind].ids]


@pytest.mark.parametrize("kind", [kind for kind in IN_THREADS if kind in STREAMS])
async def test_no_second_answer_begins_and_nothing_is_changed_by_the_attempt(databases: Databases, kind: str) -> None:
    model = PatientModel()
    living = Living(databases, model=model, offer=AskingServer().offer())
    async with living, behind(living) as inside, living.chat("ada") as ada:
        model.go_on.set()
        params = await OPERATIONS[kind].ready(ada)
        async with writing(model, ada, params["thread_id"]) as reader:
            before = (await inside.rows("ada"))["chat_items"]
            refused = await send(ada, kind, params)
            assert_refused(refused, 409, "busy")
            assert refused.headers["retry-after"] == "2"
            assert (await inside.rows("ada"))["chat_items"] == before
        assert not reader.of("error")
        assert (await visible(ada, params["thread_id"]))[-1]["type"] == "assistant_message"


@pytest.mark.parametrize("kind", [kind for kind in IN_THREADS if kind not in STREAMS and kind != "threads.delete"])
async def test_everything_else_goes_on_beside_an_answer(databases: Databases, kind: str) -> None:
    model = PatientModel()
    async with Living(databases, model=model) as living, living.chat("ada") as ada:
        model.go_on.set()
        params = await OPERATIONS[kind].ready(ada)
        async with writing(model, ada, params["thread_id"]) as reader:
            assert (await send(ada, kind, params)).status_code == 200
        assert not reader.of("error")


async def two_turns(chat: ChatClient, word: str) -> list[Said]:
    """A conversation about one task, like the others in all but this word."""
    add = json.dumps({"tasks": [{"title": f"Same title {word}"}]})
    first = await chat.say(f"call tasks_add {add}")
    return [first, await chat.say(f'{word}\ncall tasks_find {{"filter": "{word}"}}', first.thread_id)]


async def test_the_conversations_of_one_person_do_not_mix(databases: Databases) -> None:
    words = ("alpha", "beta", "gamma")
    model = PatientModel()
    model.go_on.set()
    async with Living(databases, model=model) as living, living.chat("ada") as ada:
        talks = await asyncio.gather(*(two_turns(ada, word) for word in words))
        for word, (first, second) in zip(words, talks, strict=True):
            others = [other for other in words if other != word]
            stored = json.dumps(await visible(ada, first.thread_id))
            for text in (json.dumps(first.events), json.dumps(second.events), stored):
                assert word in text
                assert not any(other in text for other in others)
        for items in model.inputs:
            assert sum(word in json.dumps(items) for word in words) == 1
