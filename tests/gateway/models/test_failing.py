"""A provider may fail in any way: an answer ends with what was seen of it, and one word of ours for what went wrong."""

import json
import logging
from typing import Any, Final

import pytest

from gateway.models import ModelFailed
from gateway.models.failing import retry_after_s
from tests.end_to_end.model_server import FOREIGN, chunk
from tests.faults.model_server import Behaviour, FaultyModelServer, Step, refuses, streams
from tests.faults.model_words import DONE, called, line, response, said
from tests.gateway.models.asking import QUESTION, SPEECHES, ask, asked_of

pytestmark = pytest.mark.anyio

LENGTH: Final = {"error": {"message": f"This model's maximum context length is 10. {FOREIGN}", "code": None}}
UNPAID: Final = {"error": {"message": FOREIGN, "type": "insufficient_quota", "code": "insufficient_quota"}}
LIMITED: Final = {"code": "rate_limit_exceeded", "message": FOREIGN}
BEGUN: Final = response("response.created", status="in_progress")


@pytest.mark.parametrize("speech", SPEECHES)
@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        (refuses(400), "refused"),
        (refuses(401), "refused"),
        (refuses(403), "refused"),
        (refuses(404), "refused"),
        (refuses(429, json.dumps(UNPAID)), "refused"),
        (refuses(400, json.dumps(LENGTH)), "too_long"),
        (streams(f"data: {{{FOREIGN}\n\n".encode()), "broken"),
        (streams(b"\xff\xfe\x00\x01" * 99), "broken"),
        (streams(), "broken"),
        (streams(line({"error": {"message": FOREIGN, "code": "context_length_exceeded"}})), "too_long"),
    ],
)
async def test_a_request_that_cannot_succeed_is_made_once(
    server: FaultyModelServer, speech: str, fault: Behaviour, kind: str
) -> None:
    server.will(fault)
    async with asked_of(server, speech) as choice:
        answer = await ask(choice.model)
    assert (answer.kind, answer.text) == (kind, "")
    assert len(server.asked) == 1


@pytest.mark.parametrize(
    ("pieces", "kind", "text"),
    [
        ([chunk({"content": "one "}), Step.CUT], "broken", "one "),
        ([chunk({"content": "one "}), f"data: {{{FOREIGN}\n\n".encode()], "broken", "one "),
        ([chunk({"content": "one "})], "broken", "one "),
        ([chunk({"content": "one "}), line({"error": {"message": FOREIGN}})], "broken", "one "),
        ([chunk({"content": "one "}), line({"choices": [{"index": 0, "delta": "?"}]})], "broken", "one "),
        ([chunk({"content": "one "}), line({"choices": 7})], "broken", "one "),
        ([chunk({"content": "one "}), chunk({}, "length"), DONE], "cut", "one "),
        ([chunk({}, "length"), DONE], "cut", ""),
        ([chunk({"content": "one "}), chunk({}, "content_filter"), DONE], "withheld", "one "),
        ([chunk({}, "content_filter"), DONE], "withheld", ""),
        ([chunk({"role": "assistant", "content": ""}), chunk({}, "stop"), DONE], "empty", ""),
        ([chunk({"content": " \n"}), chunk({}, "stop"), DONE], "empty", " \n"),
        ([chunk({"reasoning_content": "hm"}), chunk({}, "stop"), DONE], "empty", ""),
        ([line({"choices": []}), DONE], "broken", ""),
        ([chunk({"content": "one "}), chunk({"content": "x" * 10_000_000}), chunk({}, "stop"), DONE], "cut", "one "),
        ([chunk({"reasoning": "x" * 10_000_000}), chunk({"content": "one "}, "stop"), DONE], "cut", ""),
        ([called({"index": 0, "function": {"name": "tasks_add", "arguments": "x" * 10_000_000}}), DONE], "cut", ""),
        (
            [called({"index": 0, "function": {"name": "tasks_add", "arguments": '{"ti'}}), chunk({}, "length")],
            "cut",
            "",
        ),
    ],
)
async def test_what_was_seen_of_a_completion_stays_and_it_is_said_that_it_is_not_whole(
    server: FaultyModelServer, pieces: list[bytes | Step], kind: str, text: str
) -> None:
    server.will(streams(*pieces))
    async with asked_of(server, "x") as choice:
        answer = await ask(choice.model)
    assert (answer.kind, answer.text) == (kind, text)
    assert answer.calls == []
    assert len(server.asked) == 1


@pytest.mark.parametrize(
    ("pieces", "kind", "text"),
    [
        ([BEGUN, said("one "), Step.CUT], "broken", "one "),
        ([BEGUN, said("one "), f"data: {{{FOREIGN}\n\n".encode()], "broken", "one "),
        ([BEGUN, said("one ")], "broken", "one "),
        ([BEGUN, said("one "), line({"type": "error", "code": "server_error", "message": FOREIGN})], "broken", "one "),
        ([BEGUN, said("one "), response("response.failed")], "broken", "one "),
        (
            [BEGUN, said("one "), response("response.incomplete", incomplete_details={"reason": "max_output_tokens"})],
            "cut",
            "one ",
        ),
        (
            [BEGUN, said("one "), response("response.incomplete", incomplete_details={"reason": "content_filter"})],
            "withheld",
            "one ",
        ),
        ([BEGUN, said("one "), response("response.failed", error=LIMITED)], "limited", "one "),
        ([BEGUN, response("response.completed")], "empty", ""),
        ([BEGUN, response("response.failed", error={"code": "invalid_prompt", "message": FOREIGN})], "broken", ""),
    ],
)
async def test_what_was_seen_of_a_response_stays_and_it_is_said_that_it_is_not_whole(
    server: FaultyModelServer, pieces: list[bytes | Step], kind: str, text: str
) -> None:
    server.will(streams(*pieces))
    async with asked_of(server, "openai:x") as choice:
        answer = await ask(choice.model)
    assert (answer.kind, answer.text) == (kind, text)
    assert len(server.asked) == 1


@pytest.mark.parametrize(
    "pieces",
    [
        [chunk({"content": "well"}), chunk({}, "stop")],
        [chunk({"role": "assistant"}), line({"choices": []}), chunk({"content": "well"}, "stop"), DONE],
        [chunk({"content": "well"}), b": ping\n\n", chunk({}, "stop"), DONE],
        [chunk({"reasoning_content": "hm"}), chunk({"content": "well"}), chunk({}, "stop"), DONE],
        [chunk({"reasoning": "hm"}), chunk({"content": "well"}), chunk({}, "stop"), DONE],
        [
            line(
                {
                    "choices": [
                        {"index": 1, "delta": {"content": "bad"}, "finish_reason": None},
                        {"index": 0, "delta": {"content": "well"}, "finish_reason": "stop"},
                    ]
                }
            ),
            DONE,
        ],
        [chunk({"refusal": "well"}), chunk({}, "stop"), DONE],
    ],
)
async def test_a_completion_that_is_only_unusual_is_an_answer(
    server: FaultyModelServer, pieces: list[bytes | Step]
) -> None:
    server.will(streams(*pieces))
    async with asked_of(server, "x") as choice:
        answer = await ask(choice.model)
    assert answer.failed is None
    assert answer.run is not None
    assert answer.run.final_output == "well"


@pytest.mark.parametrize("speech", SPEECHES)
async def test_a_failure_holds_no_word_of_the_provider_and_neither_does_the_log(
    server: FaultyModelServer, speech: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    seen: list[Any] = []
    for fault in (
        refuses(400),
        streams(f"data: {{{FOREIGN}\n\n".encode()),
        streams(BEGUN, said("one "), chunk({"content": "one "}), Step.CUT),
    ):
        server.will(fault)
        async with asked_of(server, speech) as choice:
            answer = await ask(choice.model)
        assert answer.failed is not None
        error: BaseException | None = answer.failed
        while error is not None:
            assert isinstance(error, ModelFailed)
            seen += [*error.args, str(error)]
            error = error.__cause__ or error.__context__
    assert FOREIGN not in str(seen)
    # The server of the test logs its own faults.
    told = [record for record in caplog.records if record.name.startswith(("gateway", "openai", "httpx"))]
    assert next(vars(record)["kind"] for record in told if record.name.startswith("gateway")) == "refused"
    formatter = logging.Formatter()
    assert FOREIGN not in "".join(formatter.format(record) + str(vars(record)) for record in told)


async def test_a_good_answer_is_passed_on_word_by_word(server: FaultyModelServer) -> None:
    for speech in SPEECHES:
        async with asked_of(server, speech) as choice:
            answer = await ask(choice.model)
        assert (answer.kind, answer.text) == ("", QUESTION)


@pytest.mark.parametrize(
    ("headers", "wait_s"),
    [
        ({}, None),
        ({"retry-after": "7"}, 7),
        ({"retry-after": "0.2"}, 1),
        ({"retry-after": "7", "retry-after-ms": "1500"}, 2),
        ({"retry-after": "7", "retry-after-ms": "soon"}, 7),
        ({"retry-after": "Mon, 01 Jan 2001 00:00:00 GMT"}, 0),
        ({"retry-after": "Fri, 01 Jan 2999 00:00:00 GMT"}, 86_400),
        ({"retry-after": "999999999"}, 86_400),
        ({"retry-after": "-1"}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "1e9"}, None),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "Mon, 99 Jan 2001 00:00:00 GMT"}, None),
    ],
)
def test_a_provider_may_say_in_several_ways_how_long_to_wait(headers: dict[str, str], wait_s: int | None) -> None:
    assert retry_after_s(headers) == wait_s
