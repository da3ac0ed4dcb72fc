"""Answering a question once more: what followed it goes, and what it had done is done once."""

import pytest

from tests.living import ChatClient, Databases, Living
from tests.models import BrokenModel, ObedientModel

pytestmark = pytest.mark.anyio

ADD = 'call tasks_add {"tasks": [{"title": "Buy milk"}]}'


async def retry(chat: ChatClient, thread_id: str, item_id: str) -> int:
    response = await chat.post("threads.retry_after_item", thread_id=thread_id, item_id=item_id)
    return response.status_code


async def test_a_retry_does_the_same_writes_once_and_the_model_knows_what_was_done(databases: Databases) -> None:
    model = ObedientModel()
    async with Living(databases, model=model) as living, living.chat("ada") as ada, living.client("ada") as client:
        thread = (await ada.say(ADD)).thread_id
        question = (await ada.items(thread))[0]
        assert await retry(ada, thread, question["id"]) == 200
        assert await client.titles() == ["Buy milk"]
        assert "An earlier attempt at this answer already did" in str(model.inputs[-1])
        assert "T1 | Buy milk" in str(model.inputs[-1])


async def test_a_retry_after_a_model_that_broke_does_not_add_a_task_twice(databases: Databases) -> None:
    model = BrokenModel()
    async with Living(databases, model=model) as living, living.chat("ada") as ada, living.client("ada") as client:
        events = []
        async for event in ada.events(ADD):
            events.append(event)
            if "text_delta" in str(event.get("update", {}).get("type")):
                model.go_on.set()
        [error] = [event for event in events if event["type"] == "error"]
        assert error["allow_retry"] is True
        [thread] = (await ada.reply("threads.list"))["data"]
        question = (await ada.items(thread["id"]))[0]
        assert await retry(ada, thread["id"], question["id"]) == 200
        assert await client.titles() == ["Buy milk"]


async def test_a_retry_removes_exactly_what_followed(databases: Databases) -> None:
    model = ObedientModel()
    async with Living(databases, model=model) as living, living.chat("ada") as ada:
        thread = (await ada.say("one")).thread_id
        await ada.say("two", thread)
        await ada.say("three", thread)
        before = await ada.items(thread)
        assert await retry(ada, thread, before[2]["id"]) == 200
        after = await ada.items(thread)
        assert after[:3] == before[:3]
        assert [item["content"][0]["text"] for item in after] == ["one", "one", "two", "two"]
        assert "three" not in str(model.inputs[-1])


async def test_the_same_call_twice_in_one_answer_is_done_twice(databases: Databases) -> None:
    async with (
        Living(databases, model=ObedientModel()) as living,
        living.chat("ada") as ada,
        living.client("ada") as client,
    ):
        thread = (await ada.say(f"{ADD}\n{ADD}")).thread_id
        assert await client.titles() == ["Buy milk"] * 2
        question = (await ada.items(thread))[0]
        await retry(ada, thread, question["id"])
        assert await client.titles() == ["Buy milk"] * 2


async def test_only_a_question_of_ones_own_can_be_answered_again(databases: Databases) -> None:
    living = Living(databases, model=ObedientModel())
    async with living, living.chat("ada") as ada, living.chat("bob") as bob:
        thread = (await ada.say("hello")).thread_id
        question, answer = await ada.items(thread)
        assert await retry(ada, thread, answer["id"]) == 400
        assert await retry(ada, thread, "msg_" + "0" * 32) == 404
        assert await retry(bob, thread, question["id"]) == 404
        other = (await ada.say("elsewhere")).thread_id
        assert await retry(ada, other, question["id"]) == 404
        assert await ada.items(thread) == [question, answer]
