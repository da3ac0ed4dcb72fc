"""How many tokens an answer counts: what the provider says, else what its texts tell."""

import json
from typing import Any

import pytest
from agents import Agent, MaxTurnsExceeded, ModelBehaviorError, RunConfig, Runner

from gateway.models import tokens_used
from gateway.models.counting import BYTES_PER_TOKEN
from tests.end_to_end.model_server import ModelServer, chunk
from tests.faults.model_server import FaultyModelServer, Step, refuses, streams
from tests.faults.model_words import DONE, called, line, response, said
from tests.gateway.models.asking import Answer, ask, asked_of, begin

pytestmark = pytest.mark.anyio

CALL = {"index": 0, "id": "a", "function": {"name": "tasks_add", "arguments": "{}"}}


def completion_usage(total: int, cached: int = 0) -> bytes:
    usage = {"prompt_tokens": total - 1, "completion_tokens": 1, "total_tokens": total}
    return line({"choices": [], "usage": usage | {"prompt_tokens_details": {"cached_tokens": cached}}})


def tokens(answer: Answer) -> int:
    assert answer.run is not None
    return tokens_used(answer.run)


def estimated(server: ModelServer, request: int) -> float:
    """About what the texts of a request come to."""
    asked = server.asked[request]
    return len(json.dumps([asked.get("messages", asked.get("input")), asked.get("tools")])) / BYTES_PER_TOKEN


async def test_what_a_completions_server_reports_counts_over_all_requests(server: FaultyModelServer) -> None:
    server.will(
        streams(called(CALL), chunk({}, "tool_calls"), completion_usage(100, cached=90), DONE),
        streams(chunk({"content": "done"}), chunk({}, "stop"), completion_usage(20), DONE),
    )
    async with asked_of(server, "x") as choice:
        assert tokens(await ask(choice.model)) == 120


async def test_what_a_responses_server_reports_counts(server: FaultyModelServer) -> None:
    details: dict[str, Any] = {
        "input_tokens_details": {"cached_tokens": 5},
        "output_tokens_details": {"reasoning_tokens": 3},
    }
    usage = {"input_tokens": 30, "output_tokens": 12, "total_tokens": 42, **details}
    message = {"id": "msg_0", "type": "message", "role": "assistant", "status": "completed"}
    message["content"] = [{"type": "output_text", "text": "one", "annotations": []}]  # type: ignore[assignment]
    server.will(streams(said("one"), response("response.completed", [message], usage=usage)))
    async with asked_of(server, "openai:x") as choice:
        assert tokens(await ask(choice.model)) == 42


async def test_without_a_report_the_texts_of_every_request_are_counted(server: FaultyModelServer) -> None:
    server.will(streams(called(CALL), chunk({}, "tool_calls"), DONE))
    async with asked_of(server, "x") as choice:
        short = tokens(await ask(choice.model))
        assert len(server.asked) == 2
        expected = estimated(server, 0) + estimated(server, 1)
        assert expected / 2 < short < expected * 2
        long = tokens(await ask(choice.model, "word " * 7_000))
    # A question and an answer of 35,000 bytes each.
    assert 19_900 < long - short / 2 < 21_000


async def test_a_request_that_was_stopped_or_failed_counts_what_was_sent(server: FaultyModelServer) -> None:
    server.will(
        streams(chunk({"content": "one "}), Step.CUT),
        refuses(401),
        streams(called(CALL), chunk({}, "tool_calls"), completion_usage(100), DONE),
        refuses(401),
    )
    async with asked_of(server, "x") as choice:
        for reported in (0, 0, 100):
            answer = await ask(choice.model, "word " * 7_000)
            assert answer.failed is not None
            assert 10_000 < tokens(answer) - reported < 10_500


async def test_an_answer_that_took_too_many_steps_counts_each_of_them_once(server: FaultyModelServer) -> None:
    step = streams(called(CALL), chunk({}, "tool_calls"), completion_usage(100), DONE)
    server.will(*[step] * 12)
    async with asked_of(server, "x") as choice:
        run = begin(choice.model)
        with pytest.raises(MaxTurnsExceeded):
            async for _ in run.stream_events():
                pass
    assert tokens_used(run) == 1_200


async def test_a_request_whose_tool_failed_counts(server: FaultyModelServer) -> None:
    server.will(
        streams(called(CALL | {"function": {"name": "nowhere"}}), chunk({}, "tool_calls"), completion_usage(100), DONE)
    )
    async with asked_of(server, "x") as choice:
        agent = Agent(name="assistant", model=choice.model)
        run = Runner.run_streamed(agent, "x" * 9_000, run_config=RunConfig(tracing_disabled=True))
        with pytest.raises(ModelBehaviorError):
            async for _ in run.stream_events():
                pass
    assert tokens_used(run) == 100


async def test_a_run_that_never_began_counts_nothing(server: FaultyModelServer) -> None:
    async with asked_of(server, "x") as choice:
        run = begin(choice.model, "x" * 9_000)
        run.cancel()
        async for _ in run.stream_events():
            pass
    assert tokens_used(run) == 0
