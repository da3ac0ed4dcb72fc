"""What tools want to know of a person while they are called, over HTTP: asked, answered, and gone on with."""

import asyncio
import json
from typing import Any

import pytest

from tests.gateway.asking.conftest import Asked, actions_of, asked, filling_in, pressing, replaced

pytestmark = pytest.mark.anyio

BOOK = "call book {}"


def outputs(house: Asked) -> str:
    """What the model was last told."""
    return json.dumps(house.model.inputs[-1])


async def test_a_tool_asks_in_the_middle_of_its_call_and_goes_on_with_the_answers(house_of_questions: Asked) -> None:
    house = house_of_questions
    async with house.person("ada") as ada:
        said = await ada.say(BOOK)
        item = asked(said)
        assert said.text == ""
        assert item["status"] == "pending"
        assert [one["question"].splitlines()[-1] for one in item["inputs"]] == [
            "Your name",
            "How many seats?",
            "meal",
            "At the window?",
        ]
        assert item["inputs"][0]["question"].startswith("Book a trip.")
        assert [one["type"] for one in item["inputs"]] == ["freeform", "freeform", "multiple_choice", "multiple_choice"]
        assert house.server.done["book"] == 0
        done = await ada.fill_in(item, "Ada", "2", "Meat", "No")
        assert "booked: [('meal', 'm'), ('name', 'Ada'), ('seats', 2), ('window', False)]" in done.text
        assert house.server.done["book"] == 1
        [answered] = [one for one in await ada.items(said.thread_id) if one["id"] == item["id"]]
        assert answered["status"] == "answered"
        assert answered["inputs"][0]["answer"]["values"] == ["Ada"]


async def test_the_model_is_called_once_before_and_once_after(house_of_questions: Asked) -> None:
    house = house_of_questions
    async with house.person("ada") as ada:
        item = asked(await ada.say(BOOK))
        assert len(house.model.inputs) == 1
        await ada.fill_in(item, "Ada", "2", None, None)
        assert len(house.model.inputs) == 2
        assert "booked: [('name', 'Ada'), ('seats', 2)]" in outputs(house)


@pytest.mark.parametrize("values", [(), (None, "2", None, None)])
async def test_skipping_what_is_required_declines(house_of_questions: Asked, values: Any) -> None:
    house = house_of_questions
    async with house.person("ada") as ada:
        done = await ada.fill_in(asked(await ada.say(BOOK)), *values)
        assert "not booked: declined" in done.text
        assert house.server.done["book"] == 0


async def test_an_answer_that_does_not_fit_is_asked_for_again_with_the_reason(house_of_questions: Asked) -> None:
    house = house_of_questions
    async with house.person("ada") as ada:
        first = asked(await ada.say(BOOK))
        again = asked(await ada.fill_in(first, "Ada", "nine", "Meat", None))
        assert [one["question"].splitlines() for one in again["inputs"]] == [["Write a number.", "How many seats?"]]
        third = asked(await ada.fill_in(again, "9"))
        assert third["inputs"][0]["question"].startswith("Write a number of at most 4.")
        # Nothing of it has reached the model.
        assert len(house.model.inputs) == 1
        done = await ada.fill_in(third, "4")
        assert "booked: [('meal', 'm'), ('name', 'Ada'), ('seats', 4)]" in done.text


async def test_after_three_rounds_of_unfit_answers_the_model_hears_of_it(house_of_questions: Asked) -> None:
    house = house_of_questions
    async with house.person("ada") as ada:
        item = asked(await ada.say(BOOK))
        for _ in range(2):
            item = asked(await ada.fill_in(item, *(["Ada", "x", None, None] if len(item["inputs"]) > 1 else ["x"])))
        done = await ada.fill_in(item, "x")
        assert "unanswered: the answers did not fit" in done.text
        assert house.server.done["book"] == 0


async def test_a_tool_may_ask_twice_and_not_for_ever(house_of_questions: Asked) -> None:
    house = house_of_questions
    async with house.person("ada") as ada:
        second = asked(await ada.fill_in(asked(await ada.say("call two_rounds {}")), "Ada"))
        assert second["inputs"][0]["question"].startswith("And a colour?")
        assert "colour: blue" in (await ada.fill_in(second, "blue")).text
        item = asked(await ada.say("call endless {}"))
        for _ in range(2):
            item = asked(await ada.fill_in(item, "more"))
        assert "unanswered" in (await ada.fill_in(item, "more")).text


async def test_a_question_is_answered_once(house_of_questions: Asked) -> None:
    house = house_of_questions
    async with house.person("ada") as ada:
        item = asked(await ada.say(BOOK))
        sent = filling_in(item, "Ada", "2", None, None)
        both = await asyncio.gather(*(ada.chat.post("threads.add_structured_input", **sent) for _ in range(2)))
        assert sorted(response.status_code for response in both) == [200, 409]
        late = await ada.chat.post("threads.add_structured_input", **sent)
        assert (late.status_code, late.json()["code"]) == (409, "conflict")
        assert house.server.done["book"] == 1


async def test_bob_cannot_answer_what_ada_was_asked(house_of_questions: Asked) -> None:
    house = house_of_questions
    async with house.person("ada") as ada, house.person("bob") as bob:
        item = asked(await ada.say(BOOK))
        sent = filling_in(item, "Bob", "4", None, None)
        stolen = await bob.chat.post("threads.add_structured_input", **sent)
        unknown = await bob.chat.post("threads.add_structured_input", **{**sent, "thread_id": "thr_0"})
        assert (stolen.status_code, stolen.json()["code"]) == (404, "not_found")
        assert stolen.json()["message"] == unknown.json()["message"]
        # Nor from a conversation of his own.
        own = await bob.say("hello")
        moved = await bob.chat.post("threads.add_structured_input", **{**sent, "thread_id": own.thread_id})
        assert moved.status_code == 404
        assert house.server.done["book"] == 0
        assert "('name', 'Ada')" in (await ada.fill_in(item, "Ada", "1", None, None)).text


async def test_an_item_that_asks_nothing_takes_no_answer(house_of_questions: Asked) -> None:
    house = house_of_questions
    async with house.person("ada") as ada:
        said = await ada.say("hello")
        [question, *_] = await ada.items(said.thread_id)
        sent = filling_in({**question, "inputs": []})
        assert (await ada.chat.post("threads.add_structured_input", **sent)).status_code == 400


async def test_a_new_message_skips_the_question_and_the_model_knows(house_of_questions: Asked) -> None:
    house = house_of_questions
    async with house.person("ada") as ada:
        said = await ada.say(BOOK)
        item = asked(said)
        [closed] = replaced(await ada.say("something else", said.thread_id))
        assert (closed["id"], closed["status"]) == (item["id"], "skipped")
        assert "The person did not answer; book was not run." in outputs(house)
        late = await ada.chat.post("threads.add_structured_input", **filling_in(item, "Ada", "1", None, None))
        assert late.status_code == 409
        assert house.server.done["book"] == 0


async def test_an_answer_after_a_day_is_too_late_and_the_model_says_so(house_of_questions: Asked) -> None:
    house = house_of_questions
    async with house.person("ada") as ada:
        item = asked(await ada.say(BOOK))
        await house.drawer.change(expires_us=1)
        await ada.fill_in(item, "Ada", "1", None, None)
        assert "The person did not answer; book was not run." in outputs(house)
        assert house.server.done["book"] == 0


async def test_a_state_that_the_tool_forgot_is_no_reason_to_ask_the_same_again(house_of_questions: Asked) -> None:
    house = house_of_questions
    async with house.person("ada") as ada:
        item = asked(await ada.say(BOOK))
        await house.drawer.forget_state()
        assert "('name', 'Ada')" in (await ada.fill_in(item, "Ada", "1", None, None)).text
        # What has changed since is asked for anew.
        item = asked(await ada.say(BOOK))
        await house.drawer.forget_state()
        house.server.words = "Book a longer trip."
        again = asked(await ada.fill_in(item, "Ada", "1", None, None))
        assert again["inputs"][0]["question"].startswith("Book a longer trip.")
        assert house.server.done["book"] == 1


async def test_two_questions_of_one_step_are_asked_together(house_of_questions: Asked) -> None:
    house = house_of_questions
    async with house.person("ada") as ada:
        item = asked(await ada.say("both book {}\ncall two_rounds {}"))
        assert len(item["inputs"]) == 5
        assert len({one["id"] for one in item["inputs"]}) == 5
        second = asked(await ada.fill_in(item, "Ada", "1", None, None, "Bob"))
        assert house.server.done["book"] == 1
        done = await ada.fill_in(second, "red")
        assert "('name', 'Ada')" in done.text
        assert "colour: red" in done.text


async def test_no_form_asks_for_more_than_can_be_answered_at_once(house_of_questions: Asked) -> None:
    house = house_of_questions
    async with house.person("ada") as ada:
        said = await ada.say("\n".join(["both book {}"] * 5 + ["call book {}"]))
        forms = [event["item"] for event in said.of("thread.item.done") if event["item"]["type"] == "structured_input"]
        assert [len(form["inputs"]) for form in forms] == [20, 4]
        for form in forms:
            await ada.fill_in(form, *["Ada", "1", None, None] * (len(form["inputs"]) // 4))
        assert house.server.done["book"] == 6


async def test_the_model_goes_on_only_when_nothing_waits_any_more(house_of_questions: Asked) -> None:
    house = house_of_questions
    async with house.person("ada") as ada:
        said = await ada.say("both book {}\ncall wipe {}")
        items = [item for item in await ada.items(said.thread_id) if item["type"] in {"widget", "structured_input"}]
        card, form = sorted(items, key=lambda item: str(item["type"]), reverse=True)
        answered = await ada.fill_in(form, "Ada", "1", None, None)
        assert house.server.done == {"book": 1}
        assert answered.text == ""
        assert len(house.model.inputs) == 1
        approved = await ada.press(card, "approve")
        assert house.server.done == {"book": 1, "wipe": 1}
        assert "wipe is done" in approved.text
        assert "('name', 'Ada')" in approved.text


@pytest.mark.parametrize("name", ["sample", "nested"])
async def test_what_cannot_be_asked_of_a_person_is_told_to_the_model(house_of_questions: Asked, name: str) -> None:
    house = house_of_questions
    async with house.person("ada") as ada:
        said = await ada.say(f"call {name} {{}}")
        assert "unavailable: this tool asks for something that cannot be asked for here" in said.text
        assert await house.drawer.rows() == []


async def test_a_page_is_shown_with_its_host_before_it_is_visited(house_of_questions: Asked) -> None:
    house = house_of_questions
    async with house.person("ada") as ada:
        card = asked(await ada.say("call pay {}"))
        assert card["copy_text"].splitlines() == [
            "A page of pay.example.com wants a visit.",
            "Pay 12 euros.",
            "https://pay.example.com/cart?id=7",
        ]
        assert {action["payload"]["answer"] for action in actions_of(card["widget"])} == {"approve", "reject"}
        assert "[pay.example.com](<https://pay.example.com/cart?id=7>)" in json.dumps(card["widget"])
        assert house.server.done["pay"] == 0
        assert "paid" in (await ada.press(card, "approve")).text
        assert house.server.done["pay"] == 1


async def test_whoever_does_not_want_to_visit_a_page_declines(house_of_questions: Asked) -> None:
    house = house_of_questions
    async with house.person("ada") as ada:
        done = await ada.press(asked(await ada.say("call pay {}")), "reject")
        assert "not paid: declined" in done.text
        assert house.server.done["pay"] == 0


@pytest.mark.parametrize(
    "page",
    [
        "http://pay.example.com/",
        "javascript:alert(1)",
        "https://pay.example.com@evil.example/",
        "https://p\u0430y.example.com/",
        "https://pay.example.com/ <b>",
        "https:///nowhere",
        "https://pay.example.com/" + "x" * 2_000,
        "https://[::1",
    ],
)
async def test_a_page_in_disguise_is_never_shown(house_of_questions: Asked, page: str) -> None:
    house = house_of_questions
    house.server.page = page
    async with house.person("ada") as ada:
        assert "cannot be asked for here" in (await ada.say("call pay {}")).text
        assert await house.drawer.rows() == []


async def test_the_model_itself_may_ask_for_what_it_must_know(house_of_questions: Asked) -> None:
    house = house_of_questions
    asks = {"questions": [{"question": "When?", "options": ["today", "tomorrow"]}, {"question": "How often?"}]}
    async with house.person("ada") as ada:
        item = asked(await ada.say(f"call ask_person {json.dumps(asks)}"))
        assert [one["question"] for one in item["inputs"]] == ["When?", "How often?"]
        assert [option["value"] for option in item["inputs"][0]["options"]] == ["today", "tomorrow"]
        done = await ada.fill_in(item, "on Friday", None)
        assert "When? -> on Friday" in done.text
        assert "How often? -> (not answered)" in done.text


async def test_the_model_asks_three_questions_at_most(house_of_questions: Asked) -> None:
    house = house_of_questions
    asks = {"questions": [{"question": str(number)} for number in range(4)]}
    async with house.person("ada") as ada:
        said = await ada.say(f"call ask_person {json.dumps(asks)}")
        assert "bad_argument: give 1 to 3 questions" in said.text
        assert await house.drawer.rows() == []


async def test_the_model_asks_once_in_a_step(house_of_questions: Asked) -> None:
    house = house_of_questions
    async with house.person("ada") as ada:
        lines = [f'ask_person {{"questions": [{{"question": "{number}?"}}]}}' for number in range(2)]
        item = asked(await ada.say(f"both {lines[0]}\ncall {lines[1]}"))
        assert [one["question"] for one in item["inputs"]] == ["0?"]


async def test_a_question_of_the_model_that_nobody_answers_is_forgotten(house_of_questions: Asked) -> None:
    house = house_of_questions
    async with house.person("ada") as ada:
        said = await ada.say('call ask_person {"questions": [{"question": "When?"}]}')
        await ada.say("forget it", said.thread_id)
        assert "The person did not answer." in outputs(house)


async def test_people_are_asked_in_their_language(house_of_questions: Asked) -> None:
    house = house_of_questions
    async with house.person("ada") as ada:
        ada.chat.http.headers["Accept-Language"] = "de"
        item = asked(await ada.say(BOOK))
        yes = item["inputs"][3]["options"][0]["value"]
        assert yes == "Ja"
        ada.chat.http.headers["Accept-Language"] = "en"
        assert "('window', True)" in (await ada.fill_in(item, "Ada", "1", None, yes)).text


async def test_a_page_that_was_pressed_twice_is_paid_once(house_of_questions: Asked) -> None:
    house = house_of_questions
    async with house.person("ada") as ada:
        card = asked(await ada.say("call pay {}"))
        await ada.press(card, "approve")
        assert (await ada.chat.post("threads.custom_action", **pressing(card, "approve"))).status_code == 409
        assert house.server.done["pay"] == 1
