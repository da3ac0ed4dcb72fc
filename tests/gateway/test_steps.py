"""What people see of the tools while an answer is written: steps, progress, cards, sources, and what changed."""

import pytest

from tests.gateway.cards import cards_of
from tests.living import Databases, Living
from tests.models import ObedientModel

pytestmark = pytest.mark.anyio

ADD = 'call tasks_add {"tasks": [{"title": "Buy milk"}, {"title": "Call Bob"}]}'


async def test_each_tool_call_is_a_step_with_progress_and_the_steps_close_before_the_text(databases: Databases) -> None:
    async with Living(databases, model=ObedientModel()) as living, living.chat("ada") as ada:
        said = await ada.say(f'{ADD}\ncall tasks_find {{"filter": ""}}')
        assert [event["text"] for event in said.of("progress_update")] == ["Add tasks...", "Find tasks..."]
        done = [event["item"] for event in said.of("thread.item.done")]
        [workflow] = [item for item in done if item["type"] == "workflow"]
        tasks = workflow["workflow"]["tasks"]
        assert [(task["title"], task["status_indicator"]) for task in tasks] == [
            ("Add tasks", "complete"),
            ("Find tasks", "complete"),
        ]
        assert workflow["workflow"]["summary"] == {"title": "2 steps"}
        kinds = [item["type"] for item in done]
        assert kinds == ["user_message", "workflow", "widget", "widget", "assistant_message"]


async def test_a_step_that_failed_says_so_and_the_model_reads_what_to_do(databases: Databases) -> None:
    async with Living(databases, model=ObedientModel()) as living, living.chat("ada") as ada:
        said = await ada.say('call tasks_complete {"refs": ["T99"]}')
        [workflow] = [e["item"] for e in said.of("thread.item.done") if e["item"]["type"] == "workflow"]
        assert [task["title"] for task in workflow["workflow"]["tasks"]] == ["Complete tasks failed"]
        assert "unknown_ref" in said.text
        assert not cards_of(said)
        assert not said.of("client_effect")


async def test_every_write_tells_the_page_what_changed_and_reading_does_not(databases: Databases) -> None:
    async with Living(databases, model=ObedientModel()) as living, living.chat("ada") as ada:
        said = await ada.say(f'{ADD}\ncall tasks_find {{"filter": ""}}\ncall tasks_complete {{"refs": ["T1"]}}')
        effects = said.of("client_effect")
        assert [effect["name"] for effect in effects] == ["tasks.changed"] * 2
        assert [effect["data"]["refs"] for effect in effects] == [["T1", "T2"], ["T1"]]
        assert effects[0]["data"]["rev"] < effects[1]["data"]["rev"]
        assert "milk" not in str(effects)


async def test_a_view_has_one_card_which_shows_the_tasks_as_they_are_in_the_end(databases: Databases) -> None:
    async with Living(databases, model=ObedientModel()) as living, living.chat("ada") as ada:
        said = await ada.say(
            f'{ADD}\ncall tasks_find {{"filter": ""}}\ncall tasks_find {{"filter": "milk"}}\n'
            'call tasks_find {"filter": ""}\ncall tasks_complete {"refs": ["T1"]}'
        )
        lists = [card for card in cards_of(said) if card["widget"]["type"] == "ListView"]
        assert len(lists) == 1
        assert lists[0]["copy_text"] == "1 task\nT2 Call Bob"
        stored = await ada.reply("items.list", thread_id=said.thread_id, order="asc")
        [kept] = [item for item in stored["data"] if item["id"] == lists[0]["id"]]
        assert kept["copy_text"] == lists[0]["copy_text"]


async def test_an_answer_cites_the_tasks_it_names_that_a_tool_returned(databases: Databases) -> None:
    async with Living(databases, model=ObedientModel()) as living, living.chat("ada") as ada:
        said = await ada.say(ADD)
        [answer] = [e["item"] for e in said.of("thread.item.done") if e["item"]["type"] == "assistant_message"]
        sources = [annotation["source"] for annotation in answer["content"][0]["annotations"]]
        assert [(source["type"], source["id"], source["title"]) for source in sources] == [
            ("entity", "T1", "Buy milk"),
            ("entity", "T2", "Call Bob"),
        ]
        invented = await ada.say("T1 and T7 are done", said.thread_id)
        assert '"annotations": []' in str(invented.events).replace("'", '"')
        assert "entity" not in str(invented.events)


async def test_writes_and_reads_of_one_step_happen_in_the_models_order(databases: Databases) -> None:
    async with Living(databases, model=ObedientModel()) as living, living.chat("ada") as ada:
        said = await ada.say(
            'both tasks_add {"tasks": [{"title": "One"}]}\nboth tasks_add {"tasks": [{"title": "Two"}]}\n'
            'call tasks_find {"filter": ""}'
        )
        assert "T1 | One\nT2 | Two" in said.text.partition("of 2")[2]


async def test_without_the_tool_server_the_chat_goes_on_says_so_once_and_recovers(databases: Databases) -> None:
    model = ObedientModel()
    async with Living(databases, model=model) as living, living.chat("ada") as ada:
        thread = (await ada.say("hello")).thread_id
        await living.mcp.stop()
        said = await ada.say('call tasks_find {"filter": ""}\ncall overview {}', thread)
        assert len(said.of("notice")) == 1
        assert "unavailable" in said.text
        assert not said.of("error")
        assert (await ada.say("plain words", thread)).text == "plain words"
        await living.start_mcp()
        assert "0 of 0" in (await ada.say('call tasks_find {"filter": ""}', thread)).text


async def test_the_calls_of_one_answer_are_limited(databases: Databases) -> None:
    living = Living(databases, model=ObedientModel(), chat_limits="calls=3 turns=100")
    async with living, living.chat("ada") as ada:
        said = await ada.say("\n".join(["call overview {}"] * 5))
        assert said.text.count("too_many") == 2
