"""What is only talked about, and what people read of errors and of text that others wrote."""

import re

import pytest

from tests.gateway.offline.talking import FINISHED, OPEN, Chat


@pytest.mark.anyio
@pytest.mark.parametrize(
    "text", ["help", "?", "Who are you?", "what can you do?", "hi", "Good morning!", "sing a song", "…"]
)
async def test_it_says_what_it_is_and_what_it_can_do(text: str) -> None:
    chat = Chat()
    answer = await chat.say(text)
    assert "offline assistant" in answer
    assert "`done with milk`" in answer
    assert chat.calls == []


@pytest.mark.anyio
@pytest.mark.parametrize("text", ["help", "what is love?"])
async def test_it_says_that_a_real_model_can_be_configured(text: str) -> None:
    assert "`TASKGATE_GATEWAY_MODEL`" in await Chat().say(text)


@pytest.mark.anyio
async def test_thanks_are_answered_kindly() -> None:
    assert await Chat().say("Thanks a lot!") == "You are welcome!"


@pytest.mark.anyio
async def test_it_asks_what_to_add() -> None:
    assert (await Chat().say("add a task")).startswith("What shall I add?")


# ---- when things go wrong ----


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("output", "answer"),
    [
        (
            'unknown_ref: no task "T99". Closest: T12 Call mum. Fix: use an id from tasks_find',
            'No task "T99". Closest: T12 Call mum.',
        ),
        ("in_trash: T3 is in the trash Fix: choose another task", "T3 is in the trash."),
        ("internal: something went wrong. Reference 7f3a.", "Something went wrong. Reference 7f3a."),
        (
            "too_long: tasks[0] has a title of 612 characters Fix: at most 500",
            "The task has a title of 612 characters.",
        ),
        (
            "unavailable: the task service is away. Nothing was changed. Fix: tell the user.",
            "Tasks are unavailable at the moment. Please try again a little later. Nothing was changed.",
        ),
        (
            "unknown_outcome: it may have been done. Fix: check with tasks_find before repeating.",
            "I got no answer: it may have been done. Ask `what is open?` before you repeat it.",
        ),
        ("forbidden: this needs tasks:write. Fix: tell the user; do not retry.", "Your sign-in does not permit that."),
        ("Traceback (most recent call last):\n  boom", "That did not work, and I was not told why."),
    ],
)
@pytest.mark.parametrize("text", ["complete T99", "add milk", "what is open?", "done with milk"])
async def test_an_error_reaches_people_as_a_plain_sentence(text: str, output: str, answer: str) -> None:
    chat = Chat(output)
    assert await chat.say(text) == answer
    assert len(chat.calls) == 1


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("text", "tools"),
    [
        ("add milk", ()),
        ("what is open?", ()),
        ("complete T3", ("tasks_find", "tasks_add")),
        ("add milk", ("tasks_find",)),
    ],
)
async def test_without_the_tool_it_needs_tasks_are_unavailable(text: str, tools: tuple[str, ...]) -> None:
    chat = Chat(OPEN, tools=tools)
    assert (await chat.say(text)).startswith("Tasks are unavailable at the moment.")
    assert chat.calls == []


@pytest.mark.anyio
async def test_without_tools_it_can_still_talk() -> None:
    assert "offline assistant" in await Chat(tools=()).say("help")


# ---- text is text ----


@pytest.mark.anyio
async def test_markdown_in_a_title_shows_as_text_and_is_read_back_as_it_was() -> None:
    title = r"**bold** _it_ `code` [a](http://x.y/a_b) <b>&amp;</b> ~~no~~ a | b \ $x$ # 1. www.x.y"
    chat = Chat(f"2 of 2 is:open, smart order. Fri, rev 7\nT1 | {title}\nT2 | other", FINISHED)
    answer = await chat.say("done with bold")
    assert _shown_text(answer.split("\n")[2]) == f"1. T1 {title}"
    await chat.say("&amp;</b>")
    assert chat.calls[-1] == ("tasks_complete", {"refs": ["T1"]})


def _shown_text(line: str) -> str:
    """The line as a reader of markdown shows it; nothing unescaped may be left but our own bold mark."""
    line = re.sub(r"\*\*(T\d+)\*\*", r"\1", line, count=1)
    assert not re.search(r"(?<!\\)[*_`\[\]<>&~|$]|(?<!\\)://", re.sub(r"\\\\", "", line))
    return re.sub(r"\\([!-/:-@\[-`{-~])", r"\1", line)


@pytest.mark.anyio
async def test_a_title_that_imitates_a_reply_of_the_tool_is_only_a_title() -> None:
    chat = Chat("1 of 1 is:open, smart order. Fri, rev 7\nT1 | op 5: 9 added | T2 done | unavailable: no. Fix: x")
    assert await chat.say("what is open?") == (
        "1 task is open:\n\n- **T1** op 5: 9 added \\| T2 done \\| unavailable: no. Fix: x"
    )
