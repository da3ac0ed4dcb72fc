"""What people choose beside a message: a model and a way of asking from our lists; anything else changes nothing."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final

import pytest

from gateway.composer import TOOLS
from gateway.models import Choice
from tests.gateway.operations.refusals import CANARY, assert_refused
from tests.gateway.operations.table import begun, read, send, visible
from tests.living import ChatClient, Databases, Living, Said, message
from tests.models import ObedientModel

pytestmark = pytest.mark.anyio

UNKNOWN: Final[tuple[dict[str, Any], ...]] = (
    {"model": "gpt-9"},
    {"model": ""},
    {"model": "FAST"},
    {"model": f"fast {CANARY}"},
    {"model": "x" * 64},
    {"model": "\0"},
    {"tool_choice": {"id": "bulk_add"}},
    {"tool_choice": {"id": ""}},
    {"tool_choice": {"id": "tasks_delete"}},
    {"tool_choice": {"id": f"plan {CANARY}"}},
    {"tool_choice": None, "model": None},
    {"more": CANARY},
)


@dataclass(frozen=True, slots=True)
class Chosen:
    """A house with two models."""

    living: Living
    usual: ObedientModel
    fast: ObedientModel


@asynccontextmanager
async def two_models(databases: Databases) -> AsyncGenerator[Chosen]:
    usual, fast = ObedientModel(), ObedientModel()
    living = Living(databases, model=usual)
    living.choices.append(Choice("fast", "The fast one", "Thinks less", fast))
    async with living:
        yield Chosen(living, usual, fast)


async def asked(chat: ChatClient, options: dict[str, Any], text: str = "hello", thread_id: str = "") -> Said:
    """A message with these options."""
    given = {"input": {**message(text), "inference_options": options}}
    if thread_id:
        return await read(chat, "threads.add_user_message", {**given, "thread_id": thread_id})
    return await read(chat, "threads.create", given)


def modes(model: ObedientModel) -> int:
    """How often the newest input speaks of a way of asking."""
    return sum("<MODE>" in str(item) for item in model.inputs[-1])


async def test_the_page_is_told_what_can_be_chosen(databases: Databases) -> None:
    async with two_models(databases) as house, house.living.chat("ada") as ada:
        me = (await ada.http.get("/auth/me")).json()
        assert me["models"] == [
            {"id": "default", "label": "the model", "description": ""},
            {"id": "fast", "label": "The fast one", "description": "Thinks less"},
        ]
        assert [tool["id"] for tool in me["tools"]] == [tool.id for tool in TOOLS]
        german = (await ada.http.get("/auth/me", headers={"Accept-Language": "de"})).json()
        assert german["tools"][0]["label"] == "Meinen Tag planen"
        assert german["language"] == "de"


async def test_a_listed_model_answers_this_message_and_no_other(databases: Databases) -> None:
    async with two_models(databases) as house, house.living.chat("ada") as ada:
        said = await asked(ada, {"model": "fast"})
        assert (len(house.usual.inputs), len(house.fast.inputs)) == (0, 1)
        await asked(ada, {}, "and now?", said.thread_id)
        assert (len(house.usual.inputs), len(house.fast.inputs)) == (1, 1)
        await asked(ada, {"model": "default"}, "and now?", said.thread_id)
        assert (len(house.usual.inputs), len(house.fast.inputs)) == (2, 1)
        question = (await visible(ada, said.thread_id))[0]
        assert question["inference_options"] == {"model": "fast"}


@pytest.mark.parametrize("tool", TOOLS, ids=lambda tool: tool.id)
async def test_a_way_of_asking_has_its_words_and_only_its_tools(databases: Databases, tool: Any) -> None:
    async with two_models(databases) as house, house.living.chat("ada") as ada:
        said = await asked(ada, {"tool_choice": {"id": tool.id}})
        offered = set(house.usual.tools[-1])
        assert offered
        assert offered <= tool.tools
        assert tool.instruction in str(house.usual.inputs[-1])
        # The words are not ours to keep: the next message is asked in the usual way.
        await asked(ada, {}, "and now?", said.thread_id)
        assert set(house.usual.tools[-1]) > offered
        assert modes(house.usual) == 0
        assert len(set(house.usual.instructions)) == 1


async def test_a_tool_outside_of_the_way_of_asking_cannot_be_called(databases: Databases) -> None:
    async with two_models(databases) as house, house.living.chat("ada") as ada, house.living.client("ada") as tasks:
        await asked(ada, {"tool_choice": {"id": "plan"}}, 'call tasks_add {"tasks": [{"title": "Milk"}]}')
        assert await tasks.titles() == []
        await asked(ada, {"tool_choice": {"id": "capture"}}, 'call tasks_add {"tasks": [{"title": "Milk"}]}')
        assert await tasks.titles() == ["Milk"]


@pytest.mark.parametrize("options", UNKNOWN, ids=lambda options: str(options)[:40])
async def test_what_is_not_on_the_lists_changes_nothing(databases: Databases, options: dict[str, Any]) -> None:
    async with two_models(databases) as house, house.living.chat("ada") as ada:
        await asked(ada, {})
        said = await asked(ada, options)
        assert not said.of("error")
        assert house.fast.inputs == []
        assert house.usual.tools[0] == house.usual.tools[1]
        assert modes(house.usual) == 0
        assert CANARY not in house.usual.seen


@pytest.mark.parametrize("options", [{"model": 7}, {"model": []}, {"tool_choice": "plan"}, {"tool_choice": {}}, []])
async def test_what_is_no_choice_at_all_is_refused(databases: Databases, options: Any) -> None:
    async with two_models(databases) as house, house.living.chat("ada") as ada:
        given = {"input": {**message("hello"), "inference_options": options}}
        assert_refused(await send(ada, "threads.create", given), 400, "bad_request")
        assert house.usual.inputs == []


async def test_a_retry_asks_as_the_question_was_asked(databases: Databases) -> None:
    async with two_models(databases) as house, house.living.chat("ada") as ada:
        said = await asked(ada, {"model": "fast", "tool_choice": {"id": "plan"}})
        question = (await visible(ada, said.thread_id))[0]
        await asked(ada, {}, "and now?", said.thread_id)
        retried = {"thread_id": said.thread_id, "item_id": question["id"]}
        assert not (await read(ada, "threads.retry_after_item", retried)).of("error")
        assert len(house.fast.inputs) == 2
        assert house.fast.tools[0] == house.fast.tools[1]
        assert modes(house.fast) == 1


async def test_a_choice_that_is_offered_no_more_is_forgotten(databases: Databases) -> None:
    async with two_models(databases) as house:
        async with house.living.chat("ada") as ada:
            said = await asked(ada, {"model": "fast"})
            question = (await visible(ada, said.thread_id))[0]
            await house.living.gateway.stop()
            house.living.choices.clear()
            await house.living.start_gateway()
        async with house.living.chat("ada") as ada:
            retried = {"thread_id": said.thread_id, "item_id": question["id"]}
            assert not (await read(ada, "threads.retry_after_item", retried)).of("error")
        assert (len(house.usual.inputs), len(house.fast.inputs)) == (1, 1)


async def test_the_choice_lasts_through_an_answer_that_waits_for_the_page(databases: Databases) -> None:
    async with two_models(databases) as house, house.living.chat("ada") as ada:
        options = {"model": "fast", "tool_choice": {"id": "plan"}}
        given = {"input": {**message("call get_selection {}"), "inference_options": options}}
        said = await read(ada, "threads.create", given, {"client_tools": ["get_selection"]})
        await read(ada, "threads.add_client_tool_output", {"thread_id": said.thread_id, "result": "words"})
        assert (len(house.usual.inputs), len(house.fast.inputs)) == (0, 2)
        assert modes(house.fast) == 1
        assert "tasks_delete" not in house.fast.tools[-1]


async def test_bobs_choice_is_not_adas(databases: Databases) -> None:
    async with two_models(databases) as house, house.living.chat("ada") as ada, house.living.chat("bob") as bob:
        await asked(bob, {"model": "fast", "tool_choice": {"id": "plan"}})
        await begun(ada)
        assert len(house.usual.inputs) == 1
        assert "tasks_delete" in house.usual.tools[-1]
