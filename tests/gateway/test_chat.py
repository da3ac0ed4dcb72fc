"""Conversations: what is streamed, what is stored, what the model remembers, and what Stop and failures leave."""

import asyncio

import pytest

from tests.living import ChatClient, Databases, Living, Said
from tests.models import BrokenModel, ObedientModel, PatientModel

pytestmark = pytest.mark.anyio


async def test_a_conversation_begins_with_its_thread_then_the_question_then_the_answer(living: Living) -> None:
    async with living.chat("ada") as ada:
        said = await ada.say("hello")
        kinds = [event["type"] for event in said.events]
        assert kinds[0] == "thread.created"
        done = [event["item"]["type"] for event in said.of("thread.item.done")]
        assert done == ["user_message", "assistant_message"]
        assert [item["type"] for item in await ada.items(said.thread_id)] == done
        assert said.of("stream_options")[0]["stream_options"] == {"allow_cancel": True}


async def test_the_model_without_a_key_understands_what_the_tools_really_say(living: Living) -> None:
    async with living.chat("ada") as ada, living.client("ada") as client, living.client("bob") as bob:
        thread = (await ada.say("add Water the plants tomorrow 9am")).thread_id
        assert (await ada.say("show T1", thread)).text.startswith("Here it is:")
        assert (await ada.say("done with plants", thread)).text.startswith("Well done!")
        await bob.values("organize", kind="list", action="create", name="Team")
        await bob.values("tasks_add", tasks=[{"title": "Paint the fence", "list": "Team"}])
        invited = await bob.text("share", action="invite", list="Team", who="ada", role="edit")
        [code] = [line.removeprefix("code: ") for line in invited.split("\n") if line.startswith("code: ")]
        await client.values("share", action="accept", code=code, who="bob")
        assert "**bob:T2** Paint the fence" in (await ada.say("what is open?", thread)).text
        assert (await ada.say("done with fence", thread)).text.startswith("Well done!")
        assert await bob.titles("is:done") == ["Paint the fence"]


async def test_every_time_on_the_wire_is_utc(living: Living) -> None:
    async with living.chat("ada") as ada:
        said = await ada.say("hello")
        times = [event["item"]["created_at"] for event in said.events if "item" in event]
        times += [item["created_at"] for item in await ada.items(said.thread_id)]
        assert times
        assert all(time.endswith("Z") for time in times)


async def test_the_first_message_becomes_the_title_and_a_persons_own_title_stays(living: Living) -> None:
    async with living.chat("ada") as ada:
        said = await ada.say("hello there, " + "my old friend " * 10)
        title = said.of("thread.updated")[-1]["thread"]["title"]
        assert title.startswith("hello there")
        assert len(title) <= 63
        renamed = await ada.reply("threads.update", thread_id=said.thread_id, title="  Mine  ")
        assert renamed["title"] == "Mine"
        await ada.say("more", said.thread_id)
        assert (await ada.reply("threads.get_by_id", thread_id=said.thread_id))["title"] == "Mine"


async def test_the_model_remembers_questions_answers_and_tool_results(databases: Databases) -> None:
    model = ObedientModel()
    async with Living(databases, model=model) as living, living.chat("ada") as ada:
        thread = (await ada.say('call tasks_add {"tasks": [{"title": "Buy milk"}]}')).thread_id
        await ada.say("and now?", thread)
        remembered = model.inputs[-1]
        kinds = [item.get("type") for item in remembered]
        # The question, the call and what came of it, the card, the answer, the moment, the new question.
        assert kinds == ["message", "function_call", "function_call_output", *["message"] * 4]
        assert "T1 | Buy milk" in remembered[2]["output"]
        assert "id" not in remembered[1]
        assert "PAGE_CONTEXT" in str(remembered[-2])


async def test_a_model_that_gives_everything_one_id_still_gets_distinct_messages(databases: Databases) -> None:
    async with Living(databases, model=ObedientModel()) as living, living.chat("ada") as ada:
        thread = (await ada.say("one")).thread_id
        for text in ("two", "three"):
            await ada.say(text, thread)
        stored = await ada.items(thread)
        assert len({item["id"] for item in stored}) == 6
        assert [item["content"][0]["text"] for item in stored] == ["one", "one", "two", "two", "three", "three"]


async def test_the_instructions_are_the_same_in_every_turn_and_hold_the_tool_servers(databases: Databases) -> None:
    model = ObedientModel()
    async with Living(databases, model=model) as living, living.chat("ada") as ada:
        await ada.say("one")
        await ada.say("two")
        assert len(set(model.instructions)) == 1
        assert "You are the assistant of taskgate" in model.instructions[0]
        assert "Writes are all-or-nothing" in model.instructions[0]


async def test_leaving_stops_the_answer_and_keeps_the_words_that_were_seen(databases: Databases) -> None:
    model = PatientModel()
    async with Living(databases, model=model) as living, living.chat("ada") as ada:
        thread, seen = "", ""
        async for event in ada.events("some words that are never finished"):
            thread = event["thread"]["id"] if event["type"] == "thread.created" else thread
            if event.get("update", {}).get("type", "").endswith("text_delta"):
                seen += event["update"]["delta"]
                break
        assert seen
        await model.cancelled.wait()
        model.go_on.set()
        await settled(living)
        stored = await ada.items(thread)
        assert [item["type"] for item in stored] == ["user_message", "assistant_message"]
        assert stored[1]["content"][0]["text"] == seen
        assert (await ada.say("next", thread)).text == "next"
        assert "The user stopped this answer." in str(model.inputs[-1])


async def settled(living: Living) -> None:
    """Until no answer is being written any more."""
    await living.running.finish_or_stop(30)


async def test_many_stops_leave_nothing_running(databases: Databases) -> None:
    model = PatientModel()
    async with Living(databases, model=model) as living, living.chat("ada") as ada:
        await leave_one(model, ada)
        await settled(living)
        before = len(asyncio.all_tasks())
        for _ in range(10):
            await leave_one(model, ada)
        await settled(living)
        while len(asyncio.all_tasks()) > before:  # noqa: ASYNC110 (nobody announces the end of the SDK's tasks)
            await asyncio.sleep(0)


async def leave_one(model: PatientModel, chat: ChatClient) -> None:
    model.begun.clear()
    async for event in chat.events("words and words and words"):
        if event.get("update", {}).get("type", "").endswith("text_delta"):
            return


async def test_a_model_that_breaks_keeps_what_was_seen_and_offers_a_retry_that_works(databases: Databases) -> None:
    model = BrokenModel()
    async with Living(databases, model=model) as living, living.chat("ada") as ada:
        said, seen = Said([]), ""
        async for event in ada.events("many words to say"):
            said.events.append(event)
            if event.get("update", {}).get("type", "").endswith("text_delta"):
                seen += event["update"]["delta"]
                model.go_on.set()
        [error] = said.of("error")
        assert error["allow_retry"] is True
        assert "sk-12345" not in str(said.events)
        assert "provider" not in str(said.events)
        stored = await ada.items(said.thread_id)
        assert [item["type"] for item in stored] == ["user_message", "assistant_message"]
        assert stored[1]["content"][0]["text"] == seen
        response = await ada.post("threads.retry_after_item", thread_id=said.thread_id, item_id=stored[0]["id"])
        assert response.status_code == 200
        after = await ada.items(said.thread_id)
        assert [item["type"] for item in after] == ["user_message", "assistant_message"]
        assert after[1]["content"][0]["text"] == "many words to say"


async def test_a_model_that_never_stops_calling_is_stopped(databases: Databases) -> None:
    async with Living(databases, model=ObedientModel()) as living, living.chat("ada") as ada:
        said = await ada.say("\n".join(["call tasks_find {}"] * 40))
        [error] = said.of("error")
        assert error["message"] == "This took too many steps. Ask for a part of it."


async def test_a_sign_in_that_ends_within_a_turn_ends_the_turn_and_says_so(databases: Databases) -> None:
    async with Living(databases, model=ObedientModel()) as living:
        await warm(living)
        token = living.token("ada", living.gateway_url, lifetime_s=1)
        async with living.chat("ada", token=token) as ada:
            said = await ada.say("call tasks_find {}")
            [error] = said.of("error")
            assert error["message"] == "Your sign-in has ended. Sign in again."


async def warm(living: Living) -> None:
    async with living.chat("bob") as bob:
        await bob.say("hello")
