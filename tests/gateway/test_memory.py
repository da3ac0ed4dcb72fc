"""What the model remembers: the newest part of the conversation within a budget, with what tools did."""

import json
from typing import Any

import pytest

from tests.living import Databases, Living
from tests.models import ObedientModel, is_question, text_of

pytestmark = pytest.mark.anyio


def questions(items: list[dict[str, Any]]) -> list[str]:
    return [text_of(item) for item in items if is_question(item)]


async def test_the_fifth_answer_can_quote_the_first_question(databases: Databases) -> None:
    model = ObedientModel()
    async with Living(databases, model=model) as living, living.chat("ada") as ada:
        thread = (await ada.say("my cat is called Mango")).thread_id
        for text in ("two", "three", "four", "five"):
            await ada.say(text, thread)
        assert questions(model.inputs[-1]) == ["my cat is called Mango", "two", "three", "four", "five"]


async def test_a_long_conversation_stays_within_the_budget_and_keeps_the_newest(databases: Databases) -> None:
    model = ObedientModel()
    living = Living(databases, model=model, chat_limits="history=1000 turns=1000")
    async with living, living.chat("ada") as ada:
        thread = (await ada.say("question 0 " + "word " * 40)).thread_id
        for number in range(1, 60):
            await ada.say(f"question {number} " + "word " * 40, thread)
        asked = questions(model.inputs[-1])
        assert asked[-1].startswith("question 59 ")
        assert len(json.dumps(model.inputs[-1])) < 3.5 * 1000 * 2
        numbers = [int(text.split()[1]) for text in asked]
        assert numbers == list(range(numbers[0], 60))
        assert numbers[0] > 0


async def test_the_beginning_of_what_is_remembered_stays_the_same_for_many_turns(databases: Databases) -> None:
    model = ObedientModel()
    living = Living(databases, model=model, chat_limits="history=1000 turns=1000")
    async with living, living.chat("ada") as ada:
        thread = (await ada.say("question 0 " + "word " * 40)).thread_id
        for number in range(1, 40):
            await ada.say(f"question {number} " + "word " * 40, thread)
        first = [questions(items)[0] for items in model.inputs[20:]]
        # A provider's cache hits as long as the prefix is the same: it moves every few turns, and never back.
        assert 1 < len(set(first)) < len(first) / 3
        assert [int(text.split()[1]) for text in first] == sorted(int(text.split()[1]) for text in first)


async def test_no_output_of_a_tool_is_ever_without_its_call(databases: Databases) -> None:
    model = ObedientModel()
    living = Living(databases, model=model, chat_limits="history=600 turns=1000")
    async with living, living.chat("ada") as ada:
        thread = (await ada.say('call tasks_add {"tasks": [{"title": "Buy milk"}]}')).thread_id
        for number in range(25):
            await ada.say(f'call tasks_find {{"filter": "{number}"}}\ncall overview {{}}', thread)
        for items in model.inputs:
            called = [item["call_id"] for item in items if item.get("type") == "function_call"]
            answered = [item["call_id"] for item in items if item.get("type") == "function_call_output"]
            assert sorted(called) == sorted(answered)
            assert is_question(next(item for item in items if not text_of(item).startswith("<PAGE_CONTEXT>")))


async def test_a_single_question_larger_than_the_budget_is_still_asked(databases: Databases) -> None:
    model = ObedientModel()
    living = Living(databases, model=model, chat_limits="history=100 turns=1000")
    async with living, living.chat("ada") as ada:
        said = await ada.say("x" * 5_000)
        await ada.say("y" * 5_000, said.thread_id)
        assert questions(model.inputs[-1]) == ["y" * 5_000]


async def test_ids_of_tasks_are_known_turns_later(databases: Databases) -> None:
    model = ObedientModel()
    async with Living(databases, model=model) as living, living.chat("ada") as ada:
        thread = (await ada.say('call tasks_add {"tasks": [{"title": "Buy milk"}]}')).thread_id
        for text in ("one", "two", "three"):
            await ada.say(text, thread)
        outputs = [item["output"] for item in model.inputs[-1] if item.get("type") == "function_call_output"]
        assert outputs == ["op 1: 1 added\nT1 | Buy milk"]


async def test_a_huge_tool_result_is_cut_and_says_so(databases: Databases) -> None:
    model = ObedientModel()
    living = Living(databases, model=model, chat_limits="output=200 turns=1000")
    async with living, living.chat("ada") as ada, living.client("ada") as client:
        await client.add(*(f"A rather long title of a task, number {number}" for number in range(50)))
        thread = (await ada.say('call tasks_find {"filter": "", "limit": 50}')).thread_id
        await ada.say("and now?", thread)
        [output] = [item["output"] for item in model.inputs[-1] if item.get("type") == "function_call_output"]
        assert len(output) < 300
        assert "[cut: " in output
