"""How long a provider is waited for, when it is asked again, when another one is, and what a stop does to it."""

import asyncio
from typing import Final

import pytest
from agents import Agent, RunConfig, Runner

from tests.end_to_end.model_server import FOREIGN, chunk
from tests.faults.model_server import Behaviour, FaultyModelServer, Step, refuses, streams
from tests.faults.model_words import DONE, response, said
from tests.gateway.models.asking import LONG_S, QUESTION, SPEECHES, ask, asked_of, begin

pytestmark = pytest.mark.anyio

SHORT_S: Final = 0.3
BEGUN: Final = response("response.created", status="in_progress")
HTML: Final = f"<html><body>{FOREIGN}</body></html>"
GO_ON: Final = {"x": chunk({"content": "one "}), "openai:x": BEGUN + said("one ")}

PASSING: Final[list[tuple[Behaviour, str]]] = [
    (refuses(429, headers={"Retry-After": "0"}), "limited"),
    (refuses(429, headers={"retry-after-ms": "1"}), "limited"),
    (refuses(429), "limited"),
    (refuses(500), "away"),
    (refuses(503, HTML, {"Retry-After": "0"}), "away"),
    (refuses(408), "away"),
    (streams(Step.CUT), "away"),
]


@pytest.mark.parametrize("speech", SPEECHES)
@pytest.mark.parametrize(("fault", "kind"), PASSING)
async def test_what_may_pass_is_asked_once_more(
    server: FaultyModelServer, speech: str, fault: Behaviour, kind: str
) -> None:
    async with asked_of(server, speech) as choice:
        server.will(fault)
        answer = await ask(choice.model)
        assert (answer.kind, answer.text) == ("", QUESTION)
        assert len(server.asked) == 2
        server.forget()
        server.will(fault, fault)
        assert (await ask(choice.model)).kind == kind
        assert len(server.asked) == 2


async def test_a_response_that_failed_before_its_first_word_is_asked_for_again(server: FaultyModelServer) -> None:
    failed = response("response.failed", error={"code": "server_error", "message": FOREIGN})
    server.will(streams(BEGUN, failed), streams(BEGUN, Step.CUT))
    async with asked_of(server, "openai:x") as choice:
        assert (await ask(choice.model)).kind == "away"
        assert (await ask(choice.model)).text == QUESTION
    assert len(server.asked) == 3


async def test_a_server_that_is_away_is_said_to_be_away_and_answers_once_it_is_back(server: FaultyModelServer) -> None:
    async with asked_of(server, "x") as choice:
        await server.stop()
        try:
            assert (await ask(choice.model)).kind == "away"
        finally:
            await server.start()
        assert (await ask(choice.model)).text == QUESTION


@pytest.mark.parametrize("speech", SPEECHES)
async def test_a_limit_that_lasts_longer_than_we_wait_is_told_with_its_time(
    server: FaultyModelServer, speech: str
) -> None:
    server.will(refuses(429, headers={"Retry-After": "900"}))
    async with asked_of(server, speech) as choice:
        answer = await ask(choice.model)
    assert answer.failed is not None
    assert (answer.kind, answer.failed.retry_after_s) == ("limited", 900)
    assert len(server.asked) == 1


async def test_a_provider_that_says_so_is_not_asked_again(server: FaultyModelServer) -> None:
    server.will(refuses(503, headers={"x-should-retry": "false"}))
    async with asked_of(server, "x") as choice:
        assert (await ask(choice.model)).kind == "away"
    assert len(server.asked) == 1


@pytest.mark.parametrize("speech", SPEECHES)
@pytest.mark.parametrize("begun", [False, True])
async def test_a_provider_that_says_nothing_is_left_and_the_connection_closed(
    server: FaultyModelServer, speech: str, begun: bool
) -> None:
    server.will(streams(*([BEGUN] if begun and speech != "x" else []), Step.WAIT))
    async with asked_of(server, speech, first_s=SHORT_S) as choice:
        answer = await ask(choice.model)
        await asyncio.wait_for(server.left.wait(), 5)
    assert (answer.kind, answer.text) == ("silent", "")
    assert len(server.asked) == 1


@pytest.mark.parametrize("speech", SPEECHES)
async def test_a_provider_that_falls_silent_is_left_with_what_it_said(server: FaultyModelServer, speech: str) -> None:
    server.will(streams(GO_ON[speech], Step.WAIT))
    async with asked_of(server, speech, silence_s=SHORT_S) as choice:
        answer = await ask(choice.model)
        await asyncio.wait_for(server.left.wait(), 5)
    assert (answer.kind, answer.text) == ("silent", "one ")
    assert len(server.asked) == 1


async def test_signs_of_life_that_are_no_answer_do_not_prolong_the_wait(server: FaultyModelServer) -> None:
    server.will(streams(b": ping\n\n", chunk({"role": "assistant", "content": ""}), Step.WAIT))
    async with asked_of(server, "x", first_s=SHORT_S) as choice:
        assert (await ask(choice.model)).kind == "silent"


async def test_a_slow_provider_is_waited_for_within_its_limits(server: FaultyModelServer) -> None:
    end = chunk({"content": "two"}), chunk({}, "stop"), DONE
    server.will(streams(Step.WAIT, chunk({"content": "one "}), Step.WAIT, *end))
    async with asked_of(server, "x") as choice:
        asking = asyncio.create_task(ask(choice.model))
        await server.begun.wait()
        assert not asking.done()
        server.go_on.set()
        assert (await asking).text == "one two"


@pytest.mark.parametrize("speech", SPEECHES)
@pytest.mark.parametrize("words", [False, True])
async def test_a_stop_closes_the_connection_at_once(server: FaultyModelServer, speech: str, words: bool) -> None:
    server.will(streams(*([GO_ON[speech]] if words else []), Step.WAIT))
    before = asyncio.all_tasks()
    async with asked_of(server, speech) as choice:
        run = begin(choice.model)
        if words:
            async for event in run.stream_events():
                if event.type == "raw_response_event" and event.data.type == "response.output_text.delta":
                    break
        else:
            await server.begun.wait()
        run.cancel()
        async for _ in run.stream_events():
            pass
        await asyncio.wait_for(server.left.wait(), 5)
    left = asyncio.all_tasks() - before
    assert not left or not (await asyncio.wait(left, timeout=5))[1]
    assert len(server.asked) == 1


@pytest.mark.parametrize("speech", SPEECHES)
@pytest.mark.parametrize(
    ("faults", "first_s"),
    [
        ([refuses(500)] * 2, LONG_S),
        ([refuses(429, headers={"Retry-After": "900"})], LONG_S),
        ([streams(Step.CUT)] * 2, LONG_S),
        ([streams(BEGUN, Step.WAIT)], 2.0),
    ],
)
async def test_a_second_model_answers_where_the_first_cannot(
    server: FaultyModelServer, speech: str, faults: list[Behaviour], first_s: float
) -> None:
    async with asked_of(server, speech, first_s=first_s, fallback="spare") as choice:
        server.will(*faults)
        answer = await ask(choice.model)
        assert (answer.kind, answer.text) == ("", QUESTION)
        assert [request["model"] for request in server.asked] == ["x"] * len(faults) + ["spare"]
        server.forget()
        # What has just failed is not waited for again.
        assert (await ask(choice.model)).text == QUESTION
        assert [request["model"] for request in server.asked] == ["spare"]
        server.forget()
        # But it is when the second fails as well.
        server.will(refuses(500), refuses(500))
        assert (await ask(choice.model)).text == QUESTION
        assert [request["model"] for request in server.asked] == ["spare", "spare", "x"]


@pytest.mark.parametrize("speech", SPEECHES)
@pytest.mark.parametrize("fault", [refuses(401), refuses(400)])
async def test_a_second_model_is_not_asked_what_the_first_has_refused(
    server: FaultyModelServer, speech: str, fault: Behaviour
) -> None:
    server.will(fault)
    async with asked_of(server, speech, fallback="spare") as choice:
        assert (await ask(choice.model)).kind == "refused"
    assert len(server.asked) == 1


@pytest.mark.parametrize("speech", SPEECHES)
async def test_a_second_model_is_not_asked_to_go_on_with_what_the_first_began(
    server: FaultyModelServer, speech: str
) -> None:
    server.will(streams(GO_ON[speech], Step.CUT))
    async with asked_of(server, speech, fallback="spare") as choice:
        answer = await ask(choice.model)
    assert (answer.kind, answer.text) == ("broken", "one ")
    assert len(server.asked) == 1


async def test_without_a_second_model_nobody_else_is_asked(server: FaultyModelServer) -> None:
    server.will(refuses(500), refuses(500))
    async with asked_of(server, "x") as choice:
        assert (await ask(choice.model)).kind == "away"
    assert [request["model"] for request in server.asked] == ["x", "x"]


@pytest.mark.parametrize("speech", SPEECHES)
async def test_a_request_that_does_not_stream_has_the_same_limits(server: FaultyModelServer, speech: str) -> None:
    server.will(streams(Step.WAIT))
    async with asked_of(server, speech, first_s=SHORT_S) as choice:
        agent = Agent(name="title", model=choice.model)
        with pytest.raises(Exception, match="silent"):
            await Runner.run(agent, QUESTION, run_config=RunConfig(tracing_disabled=True))
        await asyncio.wait_for(server.left.wait(), 5)
