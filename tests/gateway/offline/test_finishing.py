"""What people say when a task is done, cancelled or open again, and which task that is."""

import pytest

from tests.gateway.offline.talking import ADDED, EMPTY, FINISHED, ONE, OPEN, TWO_MILKS, Chat, added


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("text", "arguments"),
    [
        ("complete T3", {"refs": ["T3"]}),
        ("Please mark t3 as done!", {"refs": ["T3"]}),
        ("can you complete T3?", {"refs": ["T3"]}),
        ("T3 is done", {"refs": ["T3"]}),
        ("I finished T3 and T4, T5", {"refs": ["T3", "T4", "T5"]}),
        ("complete task 3", {"refs": ["T3"]}),
        ("cancel T3", {"refs": ["T3"], "cancelled": True}),
        ("reopen T3", {"refs": ["T3"], "done": False}),
        ("T3 isn't done", {"refs": ["T3"], "done": False}),
    ],
)
async def test_a_named_task_is_closed_or_reopened_at_once(text: str, arguments: object) -> None:
    chat = Chat("op 9: 1 completed\nT3 done | Buy milk")
    await chat.say(text)
    assert chat.calls == [("tasks_complete", arguments)]


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("text", "terms", "arguments"),
    [
        ("done with milk", '"milk"', {}),
        ("I'm done with the oat milk", '"oat" "milk"', {}),
        ("I finished buying milk", 'buy* "milk"', {}),
        ("i've just finished running", "run*", {}),
        ("milk is done", '"milk"', {}),
        ("check off “milk”", '"milk"', {}),
        ("I did the milk", '"milk"', {}),
        ("cancel milk", '"milk"', {"cancelled": True}),
        ("reopen milk", 'is:closed "milk"', {"done": False}),
    ],
)
async def test_words_find_the_one_task_that_is_meant(text: str, terms: str, arguments: dict[str, object]) -> None:
    chat = Chat(ONE, FINISHED)
    answer = await chat.say(text)
    assert chat.calls == [
        ("tasks_find", {"filter": terms, "limit": 8}),
        ("tasks_complete", {"refs": ["T40"], **arguments}),
    ]
    assert answer.endswith(":\n\n- **T40** Buy oat milk (done)")


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("reply", "refs"),
    [
        ("2", ["T40"]),
        ("the first one", ["T3"]),
        ("#2", ["T40"]),
        ("T3", ["T3"]),
        ("t99", ["T99"]),
        ("40", ["T40"]),
        ("last one please", ["T40"]),
        ("1 and 2", ["T3", "T40"]),
        ("both", ["T3", "T40"]),
        ("the oat milk", ["T40"]),
    ],
)
async def test_of_several_tasks_the_person_chooses(reply: str, refs: list[str]) -> None:
    chat = Chat(TWO_MILKS, "op 9: 1 cancelled\nT40 cancelled | Buy oat milk")
    question = await chat.say("cancel milk")
    assert question == (
        "Which one shall I cancel?\n\n1. **T3** Buy milk (Sat 11-21)\n2. **T40** Buy oat milk\n\n"
        "Tell me its number or its id."
    )
    answer = await chat.say(reply)
    assert chat.calls[1:] == [("tasks_complete", {"refs": refs, "cancelled": True})]
    assert answer == "Cancelled:\n\n- **T40** Buy oat milk (cancelled)"


@pytest.mark.anyio
async def test_a_reply_that_fits_several_tasks_again_asks_again() -> None:
    chat = Chat(TWO_MILKS)
    question = await chat.say("done with milk")
    assert await chat.say("the milk") == question
    assert [name for name, _ in chat.calls] == ["tasks_find"]


@pytest.mark.anyio
@pytest.mark.parametrize("reply", ["none of them", "never mind", "No."])
async def test_a_person_may_choose_none(reply: str) -> None:
    chat = Chat(TWO_MILKS)
    await chat.say("done with milk")
    assert await chat.say(reply) == "All right, nothing was changed."
    assert len(chat.calls) == 1


@pytest.mark.anyio
async def test_another_wish_instead_of_a_choice_is_followed() -> None:
    chat = Chat(TWO_MILKS, ADDED)
    await chat.say("done with milk")
    await chat.say("add call mum")
    assert chat.calls[-1] == ("tasks_add", {"tasks": [added("call mum")]})


@pytest.mark.anyio
async def test_a_number_that_answers_no_question_closes_nothing() -> None:
    chat = Chat(OPEN)
    await chat.say("what is open?")
    assert "offline assistant" in await chat.say("2")
    assert len(chat.calls) == 1


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("shown", "text", "ref"),
    [(OPEN, "done with the first one", "T12"), (OPEN, "complete the last one", "T40"), (ONE, "done with it", "T40")],
)
async def test_a_task_that_was_just_shown_can_be_pointed_at(shown: str, text: str, ref: str) -> None:
    chat = Chat(shown, FINISHED)
    await chat.say("what is open?")
    await chat.say(text)
    assert chat.calls[-1] == ("tasks_complete", {"refs": [ref]})


@pytest.mark.anyio
async def test_when_nothing_matches_nothing_is_closed_and_what_is_open_is_shown() -> None:
    chat = Chat(EMPTY, OPEN)
    answer = await chat.say("done with *bread*")
    assert chat.calls == [
        ("tasks_find", {"filter": '"*bread*"', "limit": 8}),
        ("tasks_find", {"filter": "is:open", "limit": 8}),
    ]
    assert answer == (
        'No task is open and about "\\*bread\\*". 2 tasks are open:\n\n'
        "- **T12** Call mum (p1, Fri 11-20 09:00)\n- **T40** Buy oat milk"
    )


@pytest.mark.anyio
@pytest.mark.parametrize("text", ["done with !!!", "done", "cancel the task", "finished with it"])
async def test_no_task_is_closed_when_none_is_named(text: str) -> None:
    chat = Chat(ONE, FINISHED)
    assert "Which task?" in await chat.say(text)
    assert chat.calls == []


@pytest.mark.anyio
@pytest.mark.parametrize("text", ["is T40 done?", "milk is done?", "did I finish milk?", "are T3 and T4 finished"])
async def test_a_question_whether_something_is_done_closes_nothing(text: str) -> None:
    chat = Chat(ONE)
    await chat.say(text)
    assert all(name == "tasks_find" for name, _ in chat.calls)


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("output", "head"),
    [
        ("nothing to change\nT40 done | Buy oat milk", "Nothing to change, it is so already:"),
        ("replayed: op 9 was already done at 10:31: 1 completed\nT40 done | Buy oat milk", "That was done before:"),
    ],
)
async def test_what_was_so_before_is_not_celebrated(output: str, head: str) -> None:
    assert await Chat(output).say("complete T40") == f"{head}\n\n- **T40** Buy oat milk (done)"
