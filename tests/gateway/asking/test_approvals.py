"""Calls that a person has to agree to: nothing happens before, and exactly that happens afterwards."""

import asyncio
import json
from typing import Any

import pytest
from mcp_types import ElicitRequest as Ask
from mcp_types import ElicitRequestFormParams, InputRequiredResult, Tool, ToolAnnotations

from gateway.approvals import Held, held_by_tool, needs_approval
from gateway.questions.fields import Unaskable
from shared.tokens import SCOPES
from tests.gateway.asking.conftest import Asked, Person, actions_of, asked, pressing, replaced
from tests.living import Said

pytestmark = pytest.mark.anyio

MANY = 12
DELETE_ALL = 'call tasks_delete {"filter": "is:open"}'


async def with_tasks(house: Asked, name: str = "ada", count: int = MANY) -> list[str]:
    """So many open tasks of that person."""
    async with house.living.client(name) as client:
        return await client.add(*(f"Task {number}" for number in range(count)))


async def open_tasks(house: Asked, name: str = "ada") -> int:
    async with house.living.client(name) as client:
        return len(await client.titles("is:open"))


def outputs(house: Asked) -> str:
    """What the model was last told."""
    return json.dumps(house.model.inputs[-1])


def tool(meta: dict[str, Any] | None = None, **hints: bool) -> Tool:
    annotations = ToolAnnotations(**hints) if hints else None
    return Tool(name="t", input_schema={"type": "object"}, annotations=annotations, _meta=meta)


def test_what_does_not_say_otherwise_destroys() -> None:
    assert needs_approval(tool())
    assert needs_approval(tool(read_only_hint=False))
    assert needs_approval(tool(destructive_hint=True))
    assert needs_approval(tool({"taskgate/scopes": ["tasks:read"]}))
    assert not needs_approval(tool(destructive_hint=False))
    assert not needs_approval(tool(read_only_hint=True))
    # Ours can be undone, or ask by themselves.
    assert not needs_approval(tool({"taskgate/view": "receipt"}, destructive_hint=True))


@pytest.mark.parametrize("properties", [None, [], "x", {"ok": "x"}, {"ok": {"type": "boolean"}, "more": {"type": "x"}}])
def test_a_confirmation_of_a_strange_shape_breaks_nothing(properties: Any) -> None:
    form = ElicitRequestFormParams(message="Sure?", requested_schema={"type": "object", "properties": properties})
    asking = InputRequiredResult(input_requests={"q": Ask(params=form)})
    try:
        held = held_by_tool(tool({"taskgate/confirms": True}), {}, "key", asking)
    except Unaskable:
        assert properties
    else:
        assert held.why == "approval"
        assert held.agreed()["q"].model_dump(exclude_none=True) == {"action": "accept", "content": {}}


def test_a_call_that_waits_survives_being_written_down() -> None:
    form = ElicitRequestFormParams(
        message="Sure?", requested_schema={"type": "object", "properties": {"x": {"type": "string"}}}
    )
    asking = InputRequiredResult(input_requests={"q": Ask(params=form)}, request_state="sealed")
    held = held_by_tool(tool(), {"filter": "\u0000 <b>"}, "key", asking)
    assert Held.read(json.loads(json.dumps(held.kept()))) == held


async def test_nothing_is_deleted_before_ada_approves(house_of_questions: Asked) -> None:
    house = house_of_questions
    await with_tasks(house)
    async with house.person("ada") as ada:
        said = await ada.say(DELETE_ALL)
        card = asked(said)
        assert await open_tasks(house) == MANY
        assert said.text == ""
        assert f"Move {MANY} tasks to the trash" in card["copy_text"]
        assert {action["payload"]["answer"] for action in actions_of(card["widget"])} == {"approve", "reject"}
        # The model was called once, and knows nothing yet.
        assert len(house.model.inputs) == 1
        after_reload = (await ada.items(said.thread_id))[-1]
        assert (after_reload["id"], after_reload["copy_text"]) == (card["id"], card["copy_text"])
        payloads = [action["payload"] for action in actions_of(after_reload["widget"])]
        assert payloads == [action["payload"] for action in actions_of(card["widget"])]
        done = await ada.press(card, "approve")
        assert await open_tasks(house) == 0
        [verdict] = replaced(done)
        assert verdict["id"] == card["id"]
        assert verdict["copy_text"].startswith("Approved at ")
        assert not actions_of(verdict["widget"])
        assert f"{MANY} deleted" in done.text
        [receipt] = [event["item"] for event in done.of("thread.item.done") if event["item"]["type"] == "widget"]
        assert [action["payload"]["tool"] for action in actions_of(receipt["widget"])] == ["undo"]
        [effect] = done.of("client_effect")
        assert effect["name"] == "tasks.changed"
        shown = {item["id"]: item for item in await ada.items(said.thread_id)}
        assert shown[card["id"]]["copy_text"] == verdict["copy_text"]


async def test_a_few_tasks_are_deleted_without_a_question(house_of_questions: Asked) -> None:
    house = house_of_questions
    await with_tasks(house, count=3)
    async with house.person("ada") as ada:
        assert "3 deleted" in (await ada.say(DELETE_ALL)).text
    assert await open_tasks(house) == 0


async def test_whoever_rejects_keeps_everything_and_the_model_knows(house_of_questions: Asked) -> None:
    house = house_of_questions
    await with_tasks(house)
    async with house.person("ada") as ada:
        said = await ada.say(DELETE_ALL)
        done = await ada.press(asked(said), "reject")
        assert replaced(done)[0]["copy_text"].startswith("Rejected at ")
        assert "declined: the person said no" in done.text
        assert await open_tasks(house) == MANY
        # Also later.
        await ada.say("and now?", said.thread_id)
        assert "declined: the person said no" in outputs(house)


async def test_a_rejected_tool_of_others_is_never_called(house_of_questions: Asked) -> None:
    house = house_of_questions
    async with house.person("ada") as ada:
        done = await ada.press(asked(await ada.say("both wipe {}\ncall shred {}")), "reject")
        assert done.text.count("declined: the person said no") == 2
        assert not house.server.done


async def test_a_click_counts_once(house_of_questions: Asked) -> None:
    house = house_of_questions
    async with house.person("ada") as ada:
        said = await ada.say("call wipe {}")
        card = asked(said)
        both = await asyncio.gather(
            *(ada.chat.post("threads.custom_action", **pressing(card, "approve")) for _ in range(2))
        )
        assert sorted(response.status_code for response in both) == [200, 409]
        again = await ada.chat.post("threads.custom_action", **pressing(card, "approve"))
        assert (again.status_code, again.json()["code"]) == (409, "conflict")
        assert house.server.done["wipe"] == 1


async def test_a_card_whose_answer_came_from_elsewhere_says_so_and_does_nothing(house_of_questions: Asked) -> None:
    """As after a crash between the claim and the card."""
    house = house_of_questions
    async with house.person("ada") as ada:
        card = asked(await ada.say("call wipe {}"))
        await house.drawer.change(status="approved")
        late = await ada.press(card, "approve")
        assert replaced(late)[0]["copy_text"] == "This was answered already."
        assert not actions_of(replaced(late)[0]["widget"])
        assert house.server.done["wipe"] == 0


async def test_tools_of_others_wait_for_approval_unless_they_only_read_or_add(house_of_questions: Asked) -> None:
    house = house_of_questions
    async with house.person("ada") as ada:
        assert "append is done" in (await ada.say("call append {}")).text
        assert "look is done" in (await ada.say("call look {}")).text
        for name in ("wipe", "shred"):
            said = await ada.say(f"call {name} {{}}")
            assert house.server.done[name] == 0
            assert f"{name} is done" in (await ada.press(asked(said), "approve")).text
            assert house.server.done[name] == 1


async def test_a_tool_of_others_may_ask_more_after_the_approval(house_of_questions: Asked) -> None:
    house = house_of_questions
    async with house.person("ada") as ada:
        approved = await ada.press(asked(await ada.say("call burn {}")), "approve")
        question = asked(approved)
        assert question["type"] == "structured_input"
        assert house.server.done["burn"] == 0
        assert "burnt" in (await ada.fill_in(question, "Yes")).text
        assert house.server.done["burn"] == 1


async def test_two_calls_of_one_step_stand_on_one_card_and_safe_ones_run_once(house_of_questions: Asked) -> None:
    house = house_of_questions
    async with house.person("ada") as ada, house.living.client("ada") as client:
        said = await ada.say('both wipe {}\nboth tasks_add {"tasks": [{"title": "Milk"}]}\ncall shred {}')
        assert await client.titles() == ["Milk"]
        card = asked(said_without_receipts(said))
        assert len(actions_of(card["widget"])) == 2
        assert "Wipe" in card["copy_text"]
        assert "Shred" in card["copy_text"]
        assert sum(house.server.done.values()) == 0
        await ada.press(card, "approve")
        assert house.server.done == {"wipe": 1, "shred": 1}
        assert await client.titles() == ["Milk"]


def said_without_receipts(said: Said) -> Said:
    """The answer without the cards that only tell."""
    told = [
        event
        for event in said.events
        if not (event.get("item", {}).get("type") == "widget" and not asks(event["item"]))
    ]
    return Said(told)


def asks(item: dict[str, Any]) -> bool:
    return any(action["type"] == "approval" for action in actions_of(item["widget"]))


async def test_no_card_asks_for_more_than_it_shows(house_of_questions: Asked) -> None:
    house = house_of_questions
    async with house.person("ada") as ada:
        said = await ada.say("\n".join(["both wipe {}"] * 11 + ["call shred {}"]))
        first, second = [event["item"] for event in said.of("thread.item.done") if event["item"]["type"] == "widget"]
        assert first["copy_text"].count("Wipe") == 10
        assert "Shred" in second["copy_text"]
        await ada.press(first, "approve")
        assert house.server.done == {"wipe": 10}
        await ada.press(second, "approve")
        assert house.server.done == {"wipe": 11, "shred": 1}


async def test_stop_cuts_an_approved_call_and_starts_no_other(house_of_questions: Asked) -> None:
    house = house_of_questions
    async with house.person("ada") as ada:
        said = await ada.say("both linger {}\ncall wipe {}")
        pressed = asyncio.create_task(ada.press(asked(said), "approve"))
        await house.server.begun.wait()
        await ada.chat.http.post("/api/stop", json={"thread_id": said.thread_id})
        done = await pressed
        await house.server.cut.wait()
        assert "but it failed" in replaced(done)[-1]["copy_text"]
        assert done.text == ""
        assert house.server.done["wipe"] == 0
        await ada.say("and now?", said.thread_id)
        assert "unknown_outcome" in outputs(house)
        assert "stopped: the person stopped this answer first" in outputs(house)


async def test_a_new_message_instead_of_an_answer_closes_the_question(house_of_questions: Asked) -> None:
    house = house_of_questions
    await with_tasks(house)
    async with house.person("ada") as ada:
        said = await ada.say(DELETE_ALL)
        card = asked(said)
        talked = await ada.say("never mind", said.thread_id)
        [closed] = replaced(talked)
        assert (closed["id"], closed["copy_text"].splitlines()[0]) == (card["id"], "Not answered. It was not done.")
        assert "The person did not answer; tasks_delete was not run." in outputs(house)
        late = await ada.chat.post("threads.custom_action", **pressing(card, "approve"))
        assert late.status_code == 409
        assert await open_tasks(house) == MANY


async def test_a_question_expires(house_of_questions: Asked) -> None:
    house = house_of_questions
    await with_tasks(house)
    async with house.person("ada") as ada:
        said = await ada.say(DELETE_ALL)
        await house.drawer.change(expires_us=1)
        late = await ada.press(asked(said), "approve")
        assert replaced(late)[0]["copy_text"].startswith("The time to answer is over.")
        assert late.of("notice")
        assert late.text == ""
        assert await open_tasks(house) == MANY
        await ada.say("so?", said.thread_id)
        assert "The person did not answer; tasks_delete was not run." in outputs(house)


async def test_a_new_message_after_the_time_is_over_finds_the_card_expired(house_of_questions: Asked) -> None:
    house = house_of_questions
    async with house.person("ada") as ada:
        said = await ada.say("call wipe {}")
        await house.drawer.change(expires_us=1)
        talked = await ada.say("hello", said.thread_id)
        assert replaced(talked)[0]["copy_text"].startswith("The time to answer is over.")


async def test_a_minute_later_a_changed_effect_is_asked_about_again(house_of_questions: Asked) -> None:
    house = house_of_questions
    await with_tasks(house)
    async with house.person("ada") as ada:
        said = await ada.say(DELETE_ALL)
        await with_tasks(house, count=1)
        again = await ada.press(asked(said), "approve")
        card = asked(again)
        assert f"{MANY + 1} tasks" in card["copy_text"]
        assert await open_tasks(house) == MANY + 1
        await ada.press(card, "approve")
        assert await open_tasks(house) == 0


async def test_a_day_is_left_to_answer_though_the_tool_server_forgets_after_minutes(house_of_questions: Asked) -> None:
    house = house_of_questions
    await with_tasks(house)
    async with house.person("ada") as ada:
        said = await ada.say(DELETE_ALL)
        await house.drawer.forget_state()
        assert f"{MANY} deleted" in (await ada.press(asked(said), "approve")).text
        await with_tasks(house)
        said = await ada.say(DELETE_ALL)
        await house.drawer.forget_state()
        await with_tasks(house, count=1)
        card = asked(await ada.press(asked(said), "approve"))
        assert f"{MANY + 1} tasks" in card["copy_text"]
        assert await open_tasks(house) == MANY + 1


async def test_bob_cannot_answer_for_ada(house_of_questions: Asked) -> None:
    house = house_of_questions
    await with_tasks(house)
    async with house.person("ada") as ada, house.person("bob") as bob:
        card = asked(await ada.say(DELETE_ALL))
        stolen = await bob.chat.post("threads.custom_action", **pressing(card, "approve"))
        unknown = await bob.chat.post("threads.custom_action", **pressing({**card, "thread_id": "thr_0"}, "approve"))
        assert (stolen.status_code, stolen.json()["code"]) == (404, "not_found")
        assert stolen.json()["message"] == unknown.json()["message"]
        # Nor with a card of his own that names her entry.
        own = asked(await bob.say("call wipe {}"))
        forged = pressing(own, "approve")
        forged["action"]["payload"] = pressing(card, "approve")["action"]["payload"]
        assert (await bob.chat.post("threads.custom_action", **forged)).status_code == 409
        assert await open_tasks(house) == MANY
        await ada.press(card, "approve")
        assert await open_tasks(house) == 0
    assert house.server.done["wipe"] == 0


async def test_what_counts_is_what_ada_may_do_when_she_approves(house_of_questions: Asked) -> None:
    house = house_of_questions
    await with_tasks(house)
    async with house.person("ada") as ada:
        card = asked(await ada.say(DELETE_ALL))
    less = [scope for scope in SCOPES if scope != "tasks:delete"]
    token = house.living.token("ada", house.living.gateway_url, scopes=less)
    async with house.living.chat("ada", token=token) as chat:
        done = await Person(chat).press(card, "approve")
    assert "forbidden" in done.text
    assert "but it failed" in replaced(done)[-1]["copy_text"]
    assert await open_tasks(house) == MANY


async def test_an_approval_is_no_quiet_action(house_of_questions: Asked) -> None:
    house = house_of_questions
    async with house.person("ada") as ada:
        card = asked(await ada.say("call wipe {}"))
        quiet = await ada.chat.post("threads.sync_custom_action", **pressing(card, "approve"))
        assert quiet.status_code == 400
        assert house.server.done["wipe"] == 0
        await ada.press(card, "approve")
        assert house.server.done["wipe"] == 1


async def test_what_is_kept_of_a_call_holds_no_secret_and_no_name(house_of_questions: Asked) -> None:
    house = house_of_questions
    await with_tasks(house)
    token = house.living.token("ada", house.living.gateway_url)
    async with house.living.chat("ada", token=token) as chat:
        await Person(chat).say(DELETE_ALL)
    [row] = await house.drawer.rows()
    assert "tasks_delete" in row.data
    for secret in (
        token,
        house.living.subject("ada"),
        house.living.person("ada").issuer,
        "Bearer",
        house.living.mcp_url,
    ):
        assert secret not in row.data


async def test_retry_after_an_approval_does_not_do_it_twice(house_of_questions: Asked) -> None:
    house = house_of_questions
    await with_tasks(house)
    content = "- " + "\\n- ".join(f"Imported {number}" for number in range(3))
    async with house.person("ada") as ada, house.living.client("ada") as client:
        said = await ada.say(f'call data_import {{"content": "{content}", "dry_run": false}}')
        await ada.press(asked(said), "approve")
        assert len(await client.titles("Imported")) == 3
        [question] = [item for item in await ada.items(said.thread_id) if item["type"] == "user_message"]
        again = await ada.streamed("threads.retry_after_item", thread_id=said.thread_id, item_id=question["id"])
        assert "already done" in again.text
        assert len(await client.titles("Imported")) == 3


async def test_retry_while_a_question_waits_asks_anew_and_forgets_the_old_one(house_of_questions: Asked) -> None:
    house = house_of_questions
    await with_tasks(house)
    async with house.person("ada") as ada:
        said = await ada.say(DELETE_ALL)
        [question] = [item for item in await ada.items(said.thread_id) if item["type"] == "user_message"]
        again = await ada.streamed("threads.retry_after_item", thread_id=said.thread_id, item_id=question["id"])
        old, new = asked(said), asked(again)
        assert (await ada.chat.post("threads.custom_action", **pressing(old, "approve"))).status_code == 404
        await ada.press(new, "approve")
        assert await open_tasks(house) == 0
        assert sorted(row.status for row in await house.drawer.rows()) == ["approved", "superseded"]


async def test_a_refused_retry_leaves_the_question_as_it_is(house_of_questions: Asked) -> None:
    house = house_of_questions
    async with house.person("ada") as ada:
        card = asked(await ada.say("call wipe {}"))
        for item_id, status in (("msg_0", 404), (card["id"], 400)):
            sent = {"thread_id": card["thread_id"], "item_id": item_id}
            assert (await ada.chat.post("threads.retry_after_item", **sent)).status_code == status
        assert "wipe is done" in (await ada.press(card, "approve")).text


async def test_an_approved_call_that_fails_says_so_on_the_card(house_of_questions: Asked) -> None:
    house = house_of_questions
    await with_tasks(house)
    async with house.living.client("ada") as client:
        await client.values("organize", kind="list", action="create", name="Team")
    async with house.person("ada") as ada, house.living.client("ada") as client:
        said = await ada.say('call share {"action": "invite", "list": "Team", "who": "bob"}')
        await client.values("organize", kind="list", action="delete", name="Team")
        done = await ada.press(asked(said), "approve")
        assert "but it failed" in replaced(done)[-1]["copy_text"]
        assert "unknown_list" in done.text


async def test_a_deleted_conversation_takes_its_question_with_it(house_of_questions: Asked) -> None:
    house = house_of_questions
    async with house.person("ada") as ada:
        card = asked(await ada.say("call wipe {}"))
        await ada.chat.reply("threads.delete", thread_id=card["thread_id"])
        gone = await ada.chat.post("threads.custom_action", **pressing(card, "approve"))
        assert gone.status_code == 404
        assert await house.drawer.rows() == []
