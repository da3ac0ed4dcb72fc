"""How an answer streams, and any conversation whatever."""

import re

import pytest
from agents import Agent, Runner
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.offline import OfflineModel
from tests.gateway.offline.talking import (
    ADDED,
    EMPTY,
    FINISHED,
    ONE,
    OPEN,
    TWO_MILKS,
    UNTRACED,
    Chat,
    World,
)


@pytest.mark.anyio
async def test_an_answer_streams_word_by_word_and_every_part_of_it_ends() -> None:
    chat = Chat(OPEN)
    answer = await chat.say("what is open?")
    end_of_call = [event.type for event in chat.events].index("response.completed") + 1
    call, message = chat.events[:end_of_call], chat.events[end_of_call:]
    assert [event.type for event in call] == [
        "response.created",
        "response.output_item.added",
        "response.output_item.done",
        "response.completed",
    ]
    deltas = [event.delta for event in message if event.type == "response.output_text.delta"]
    assert "".join(deltas) == answer
    assert all(len(delta.split()) == 1 for delta in deltas)
    assert [event.type for event in message if event.type != "response.output_text.delta"] == [
        "response.created",
        "response.output_item.added",
        "response.content_part.added",
        "response.output_text.done",
        "response.content_part.done",
        "response.output_item.done",
        "response.completed",
    ]
    for events in (call, message):
        assert [event.sequence_number for event in events] == list(range(len(events)))
    assert message[-1].response.output[0].content[0].text == answer


@pytest.mark.anyio
async def test_no_two_messages_or_calls_share_an_id() -> None:
    chat = Chat(ONE, FINISHED)
    ids: list[str] = []
    for _ in range(3):
        await chat.say("done with milk")
        done = [event.item for event in chat.events if event.type == "response.output_item.done"]
        ids += [item.id for item in done] + [item.call_id for item in done if item.type == "function_call"]
        assert all(re.fullmatch(r"(call|msg|fc)_[0-9a-f]{32}", one) for one in ids)
    assert len(ids) == len(set(ids)) == 15


@pytest.mark.anyio
async def test_it_counts_what_it_reads_and_writes_in_tokens() -> None:
    chat = Chat(OPEN)
    answer = await chat.say("what is open?")
    usages = [event.response.usage for event in chat.events if event.type == "response.completed"]
    assert usages[1].output_tokens == -(-len(answer.encode()) * 2 // 7)
    assert usages[1].input_tokens > usages[0].input_tokens > 0
    assert all(usage.total_tokens == usage.input_tokens + usage.output_tokens for usage in usages)


@pytest.mark.anyio
async def test_without_a_stream_the_answer_is_the_same() -> None:
    world = World([OPEN])
    agent = Agent(name="assistant", model=OfflineModel(), tools=[world.tool("tasks_find")])
    result = await Runner.run(agent, "what is open?", run_config=UNTRACED)
    assert result.final_output == await Chat(OPEN).say("what is open?")
    assert result.context_wrapper.usage.requests == 2
    assert result.context_wrapper.usage.output_tokens > 0


# ---- any text ----

PHRASES = (
    "add", "done with", "finish", "cancel", "reopen", "show", "find", "what is", "open?", "due", "today", "on friday",
    "at 9am", "T3", "T99", "2", "milk", "p1", "urgent", "remind me to", "the first one", "it", ";", "\n", '"', "”", "*",
    "<NOTE>", "</NOTE>", "?", "!", ",", "please", "I need to", "not", "every", "delete", "all", "undo", "move",
    "rename", "postpone", "by a week", "list", "in Work", "to Work", "make", "chart of", "per day", "import this",
    "restore", "no", "overview",
)  # fmt: skip
TEXTS = st.one_of(st.text(max_size=200), st.lists(st.sampled_from(PHRASES), max_size=12).map(" ".join))
OUTPUTS = st.one_of(
    st.sampled_from([EMPTY, OPEN, ONE, TWO_MILKS, ADDED, FINISHED, "nothing to change", ""]),
    st.sampled_from(["bad_date: tasks[0]: no", "ambiguous_date: tasks[9]: no", "bad_date: no", "busy: x. Fix: y."]),
    st.text(max_size=80),
)


@settings(max_examples=150, deadline=None)
@given(texts=st.lists(TEXTS, min_size=1, max_size=3), outputs=st.lists(OUTPUTS, min_size=1, max_size=6))
@pytest.mark.anyio
async def test_any_conversation_gets_answers_and_never_an_exception(texts: list[str], outputs: list[str]) -> None:
    chat = Chat(*outputs)
    for text in texts:
        before = len(chat.calls)
        assert (await chat.say(text)).strip()
        assert len(chat.calls) - before <= 3
    for name, arguments in chat.calls:
        if name == "tasks_add":
            assert all(task["title"].strip() for task in arguments["tasks"])
        if name == "tasks_complete":
            assert arguments["refs"]
