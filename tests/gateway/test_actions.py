"""Buttons of cards: done through the tools without the model, only what the stored card offers, only by its owner."""

import asyncio
import copy
from typing import Any

import pytest

from tests.gateway.cards import actions_of, cards_of, pressed
from tests.living import ChatClient, Databases, Living, Said
from tests.models import ObedientModel

pytestmark = pytest.mark.anyio

FIND = 'call tasks_find {"filter": ""}'


async def press(
    chat: ChatClient, card: dict[str, Any], action: dict[str, Any], kind: str = "threads.sync_custom_action"
) -> Any:
    return await chat.post(kind, thread_id=card["thread_id"], item_id=card["id"], action=action)


async def test_a_button_acts_without_the_model_and_the_card_shows_it_at_once_and_after_a_reload(
    databases: Databases,
) -> None:
    model = ObedientModel()
    async with Living(databases, model=model) as living, living.chat("ada") as ada, living.client("ada") as client:
        await client.add("Water the plants", "Call Bob")
        [card] = cards_of(await ada.say(FIND))
        asked = len(model.inputs)
        done = await press(ada, card, pressed(card, "tasks_complete"))
        assert done.status_code == 200, done.text
        updated = done.json()["updated_item"]
        assert updated["id"] == card["id"]
        assert "Call Bob" in str(updated["widget"])
        assert len(model.inputs) == asked
        assert await client.titles("is:done") == ["Water the plants"]
        stored = await ada.reply("items.list", thread_id=card["thread_id"], order="asc")
        [now] = [item for item in stored["data"] if item["id"] == card["id"]]
        assert now["copy_text"] == updated["copy_text"]
        assert pressed(updated, "undo")


async def test_after_a_button_the_model_knows_what_happened(databases: Databases) -> None:
    model = ObedientModel()
    async with Living(databases, model=model) as living, living.chat("ada") as ada, living.client("ada") as client:
        await client.add("Water the plants")
        [card] = cards_of(await ada.say(FIND))
        await press(ada, card, pressed(card, "tasks_complete"))
        await ada.say("and now?", card["thread_id"])
        assert "The user pressed a button of a card" in str(model.inputs[-1])
        assert "T1 done" in str(model.inputs[-1])


async def test_a_streamed_action_replaces_the_card_and_says_that_tasks_changed(databases: Databases) -> None:
    living = Living(databases, model=ObedientModel())
    async with living, living.chat("ada") as ada, living.client("ada") as client:
        await client.add("Water the plants")
        [card] = cards_of(await ada.say(FIND))
        response = await press(ada, card, pressed(card, "tasks_complete"), "threads.custom_action")
        said = Said.read(response.text)
        [replaced] = said.of("thread.item.replaced")
        assert replaced["item"]["id"] == card["id"]
        [effect] = said.of("client_effect")
        assert effect["name"] == "tasks.changed"
        assert effect["data"]["refs"] == ["T1"]
        assert not said.of("error")


async def test_a_double_click_equals_one(databases: Databases) -> None:
    living = Living(databases, model=ObedientModel())
    async with living, living.chat("ada") as ada, living.client("ada") as client:
        await client.add("Water the plants")
        [card] = cards_of(await ada.say(FIND))
        action = pressed(card, "tasks_complete")
        answers = await asyncio.gather(press(ada, card, action), press(ada, card, action))
        assert {answer.status_code for answer in answers} <= {200, 409}
        assert 200 in {answer.status_code for answer in answers}
        assert await client.titles("is:done") == ["Water the plants"]
        history = await client.values("history")
        assert len(history["ops"]) == 2


async def test_what_the_stored_card_does_not_offer_is_refused_and_nothing_is_called(databases: Databases) -> None:
    living = Living(databases, model=ObedientModel())
    async with living, living.chat("ada") as ada, living.client("ada") as client:
        await client.add("Water the plants", "Call Bob")
        [card] = cards_of(await ada.say(FIND))
        good = pressed(card, "tasks_complete")
        forged: list[dict[str, Any]] = []
        for change in (
            {"args": {**good["payload"]["args"], "refs": ["T2", "T1"]}},
            {"args": {**good["payload"]["args"], "extra": True}},
            {"tool": "tasks_delete"},
            {"then": {"tool": "tasks_delete", "args": {"refs": ["T1"]}}},
            {"more": 1},
        ):
            action = copy.deepcopy(good)
            action["payload"].update(change)
            forged.append(action)
        forged.append({"type": "mcp.call", "payload": {"tool": "tasks_delete", "args": {"filter": "all"}}})
        forged.append({"type": "approval", "payload": {"id": "x", "answer": "approve"}})
        forged.append({"type": "mcp.call", "payload": None})
        living.requests.clear()
        for action in forged:
            for kind in ("threads.sync_custom_action", "threads.custom_action"):
                refused = await press(ada, card, action, kind)
                assert refused.status_code == 409, (action, refused.text)
        assert "tools/call" not in living.requests
        assert sorted(await client.titles()) == ["Call Bob", "Water the plants"]


async def test_bob_cannot_press_a_button_of_adas(databases: Databases) -> None:
    living = Living(databases, model=ObedientModel())
    async with living, living.chat("ada") as ada, living.chat("bob") as bob, living.client("ada") as client:
        await client.add("Water the plants")
        [card] = cards_of(await ada.say(FIND))
        bobs = await bob.say("hello")
        action = pressed(card, "tasks_complete")
        for kind in ("threads.sync_custom_action", "threads.custom_action"):
            assert (await press(bob, card, action, kind)).status_code == 404
            moved = {**card, "thread_id": bobs.thread_id}
            assert (await press(bob, moved, action, kind)).status_code == 404
        assert await client.titles("is:open") == ["Water the plants"]


async def test_an_old_card_acts_on_the_tasks_as_they_are_now(databases: Databases) -> None:
    living = Living(databases, model=ObedientModel())
    async with living, living.chat("ada") as ada, living.client("ada") as client:
        await client.add("Water the plants", "Call Bob")
        [card] = cards_of(await ada.say(FIND))
        await client.values("tasks_delete", refs=["T1"])
        gone = await press(ada, card, pressed(card, "tasks_complete"))
        assert gone.status_code == 200
        assert "That did not work: T1 is in the trash" in str(gone.json()["updated_item"]["widget"])
        second = next(
            action for action in actions_of(card["widget"]) if action["payload"].get("args", {}).get("refs") == ["T2"]
        )
        done = await press(ada, card, {"type": second["type"], "payload": second["payload"]})
        assert done.status_code == 200
        assert "Water the plants" not in str(done.json()["updated_item"]["widget"])


async def test_while_the_tool_server_is_away_a_button_says_so_and_the_card_stays(databases: Databases) -> None:
    living = Living(databases, model=ObedientModel())
    async with living, living.chat("ada") as ada:
        async with living.client("ada") as client:
            await client.add("Water the plants")
        [card] = cards_of(await ada.say(FIND))
        await living.mcp.stop()
        away = await press(ada, card, pressed(card, "tasks_complete"))
        assert away.status_code == 503
        stored = await ada.reply("items.list", thread_id=card["thread_id"], order="asc")
        [now] = [item for item in stored["data"] if item["id"] == card["id"]]
        assert now["copy_text"] == card["copy_text"]


async def test_an_action_without_a_card_or_on_something_else_is_refused(databases: Databases) -> None:
    living = Living(databases, model=ObedientModel())
    async with living, living.chat("ada") as ada:
        said = await ada.say("hello")
        [question, *_] = (await ada.reply("items.list", thread_id=said.thread_id, order="asc"))["data"]
        action = {"type": "mcp.call", "payload": {"tool": "undo", "args": {"op": "1"}}}
        for kind in ("threads.sync_custom_action", "threads.custom_action"):
            assert (await ada.post(kind, thread_id=said.thread_id, action=action)).status_code == 400
            assert (await press(ada, question, action, kind)).status_code == 400
            assert (await press(ada, {**question, "id": "msg_0"}, action, kind)).status_code == 404
