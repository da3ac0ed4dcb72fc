"""What is asked back, in a conversation without forms: the next message answers it, if it can."""

import pytest

from tests.gateway.offline.talking import ADDED, OPEN, TWO_MILKS, Chat

EDITED = "op 5: 1 edited\nT3: due none -> Fri 11-27 | milk"
WHERE = "To which day or list shall T3 move? For example `tomorrow`, `by a week` or `to Work`."


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("reply", "fields"),
    [("friday 5pm", {"due": "friday 5pm"}), ("to tomorrow please", {"due": "tomorrow"}), ("to Work", {"list": "Work"})],
)
async def test_where_a_task_moves_is_asked_for(reply: str, fields: dict[str, str]) -> None:
    chat = Chat(EDITED)
    assert await chat.say("move T3") == WHERE
    await chat.say(reply)
    assert chat.calls == [("tasks_edit", {"changes": [{"refs": ["T3"], **fields}]})]


@pytest.mark.anyio
async def test_two_things_that_are_missing_are_asked_for_one_after_the_other() -> None:
    chat = Chat(TWO_MILKS, EDITED)
    assert (await chat.say("postpone milk")).startswith("Which one shall I change?")
    assert (await chat.say("2")).startswith("To which day or list shall T40 move?")
    await chat.say("tomorrow")
    assert chat.calls[1:] == [("tasks_edit", {"changes": [{"refs": ["T40"], "due": "tomorrow"}]})]


@pytest.mark.anyio
async def test_a_new_title_is_asked_for() -> None:
    chat = Chat(EDITED)
    assert await chat.say("rename T3") == "What shall T3 be called?"
    await chat.say("oat milk from the farm")
    assert chat.calls == [("tasks_edit", {"changes": [{"refs": ["T3"], "title": "oat milk from the farm"}]})]


@pytest.mark.anyio
@pytest.mark.parametrize("reply", ["never mind", "no", "cancel"])
async def test_nobody_has_to_answer(reply: str) -> None:
    chat = Chat(EDITED)
    await chat.say("move T3")
    assert await chat.say(reply) == "All right, nothing was changed."
    assert chat.calls == []


@pytest.mark.anyio
@pytest.mark.parametrize("question", ["move T3", "rename T3", "delete milk"])
async def test_another_wish_instead_of_an_answer_is_followed_and_then_nothing_waits(question: str) -> None:
    chat = Chat(*([TWO_MILKS] if "milk" in question else []), ADDED, OPEN)
    await chat.say(question)
    await chat.say("add call mum")
    assert chat.calls[-1][0] == "tasks_add"
    await chat.say("tomorrow")
    assert chat.calls[-1] == ("tasks_find", {"filter": "due:tomorrow"})


@pytest.mark.anyio
async def test_a_wish_that_happens_to_be_in_a_title_is_no_answer() -> None:
    chat = Chat("2 of 2 is:open milk, smart order. Fri, rev 7\nT3 | help Ann: milk\nT4 | milk")
    await chat.say("delete milk")
    assert "offline assistant" in await chat.say("help")
    assert len(chat.calls) == 1


@pytest.mark.anyio
async def test_an_answer_that_says_too_little_three_times_ends_it() -> None:
    chat = Chat(TWO_MILKS)
    question = await chat.say("delete milk")
    assert [await chat.say("milk") for _ in range(2)] == [question, question]
    assert await chat.say("milk") == "I still do not know which one, so nothing was changed."
    assert len(chat.calls) == 1
