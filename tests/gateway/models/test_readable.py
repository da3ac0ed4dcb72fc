"""What a model calls: what can be read is run, with an id of its own; what cannot is explained to it instead."""

import json
from typing import Any

import pytest

from tests.end_to_end.model_server import chunk
from tests.faults.model_server import FaultyModelServer, streams
from tests.faults.model_words import DONE, call_made, called, calls_made
from tests.gateway.models.asking import SPEECHES, ask, asked_of

pytestmark = pytest.mark.anyio

MILK, BREAD = {"title": "Milk"}, {"title": "Bread"}
AS_TEXT = json.dumps(MILK), json.dumps(BREAD)


def a_call(speech: str, name: object, arguments: object) -> bytes:
    """One call, told in either way."""
    if speech != "x":
        return calls_made(call_made(name, arguments))
    function = {"name": name, "arguments": arguments}
    return (
        called({"index": 0, "id": "call_0", "type": "function", "function": function}) + chunk({}, "tool_calls") + DONE
    )


def sent(server: FaultyModelServer) -> list[tuple[str, Any]]:
    """Names and arguments of the calls that the newest request tells of; a server may refuse what is no JSON."""
    request = server.asked[-1]
    if "input" in request:
        calls = [item for item in request["input"] if item.get("type") == "function_call"]
    else:
        calls = [call["function"] for message in request["messages"] for call in message.get("tool_calls") or ()]
    return [(call["name"], json.loads(call["arguments"])) for call in calls]


@pytest.mark.parametrize("speech", SPEECHES)
@pytest.mark.parametrize(
    "arguments",
    [
        '{"title": "Mi',
        '{"title": "Milk"}}',
        "[1]",
        '"{}"',
        "7",
        "Milk",
        "{'title': 'Milk'}",
        "[" * 5_000,
        json.dumps({"title": "x" * 300_000}),
    ],
)
async def test_arguments_that_are_no_object_are_refused_in_words_for_the_model(
    server: FaultyModelServer, speech: str, arguments: str
) -> None:
    server.will(streams(a_call(speech, "tasks_add", arguments)))
    async with asked_of(server, speech) as choice:
        answer = await ask(choice.model)
    assert answer.failed is None
    assert answer.calls == []
    [output] = answer.outputs
    assert output.startswith("bad_argument: the arguments of this call were not one JSON object.")
    assert sent(server) == [("unreadable_call", {"called": "tasks_add"})]


@pytest.mark.parametrize("speech", SPEECHES)
@pytest.mark.parametrize("arguments", ["", "null", " null ", None, "{}"])
async def test_a_call_without_arguments_has_none(server: FaultyModelServer, speech: str, arguments: str | None) -> None:
    server.will(streams(a_call(speech, "tasks_add", arguments)))
    async with asked_of(server, speech) as choice:
        answer = await ask(choice.model)
    assert answer.failed is None
    assert answer.calls == [{}]
    assert sent(server) == [("tasks_add", {})]


@pytest.mark.parametrize("speech", SPEECHES)
@pytest.mark.parametrize(
    ("name", "remembered"),
    [
        ("tasks_ad", "tasks_ad"),
        ("apply_patch", "unknown_tool"),
        ("Apply_Patch_now", "unknown_tool"),
        ("tasks.add", "unknown_tool"),
        ("", "unknown_tool"),
        ("täsks", "unknown_tool"),
        ("x" * 200, "unknown_tool"),
    ],
)
async def test_a_tool_that_does_not_exist_is_explained_to_the_model(
    server: FaultyModelServer, speech: str, name: str, remembered: str
) -> None:
    server.will(streams(a_call(speech, name, AS_TEXT[0])))
    async with asked_of(server, speech) as choice:
        answer = await ask(choice.model)
    assert answer.failed is None
    assert answer.calls == []
    [output] = answer.outputs
    assert output.startswith("unknown_tool: ")
    assert name not in output or name in ("", "unknown_tool")
    assert sent(server) == [(remembered, MILK if remembered == name else {"called": name[:100]})]


@pytest.mark.parametrize("speech", SPEECHES)
async def test_a_model_that_never_learns_is_stopped_by_the_limit_of_steps(
    server: FaultyModelServer, speech: str
) -> None:
    server.will(*[streams(a_call(speech, "tasks_ad", "{}"))] * 20)
    async with asked_of(server, speech) as choice:
        with pytest.raises(Exception, match="Max turns"):
            await ask(choice.model)
    assert len(server.asked) == 12


@pytest.mark.parametrize(
    "pieces",
    [
        # Told apart by the index, with gaps, in pieces, and the ids missing, equal or late.
        [{"index": 3, "id": "a", "a": AS_TEXT[0]}, {"index": 7, "id": "b", "a": AS_TEXT[1]}],
        [{"index": 0, "a": AS_TEXT[0]}, {"index": 1, "a": AS_TEXT[1]}],
        [{"index": 0, "id": "", "a": AS_TEXT[0]}, {"index": 1, "id": "", "a": AS_TEXT[1]}],
        [{"index": 0, "id": "a", "a": AS_TEXT[0]}, {"index": 1, "id": "a", "a": AS_TEXT[1]}],
        [{"index": 0, "a": AS_TEXT[0]}, {"index": 0, "id": "a", "a": ""}, {"index": 1, "a": AS_TEXT[1]}],
        [
            {"index": 0, "id": "a", "a": AS_TEXT[0][:5]},
            {"index": 1, "id": "b", "a": AS_TEXT[1][:5]},
            {"index": 1, "id": "b", "a": AS_TEXT[1][5:]},
            {"index": 0, "id": "a", "a": AS_TEXT[0][5:]},
        ],
        # Told apart by the id, because the index is the same or missing.
        [{"index": 0, "id": "a", "a": AS_TEXT[0]}, {"index": 0, "id": "b", "a": AS_TEXT[1]}],
        [{"id": "a", "a": AS_TEXT[0]}, {"id": "b", "a": AS_TEXT[1]}],
        [
            {"id": "a", "a": AS_TEXT[0][:5]},
            {"a": AS_TEXT[0][5:]},
            {"id": "b", "a": AS_TEXT[1][:5]},
            {"a": AS_TEXT[1][5:]},
        ],
        # Arguments that are no text.
        [{"index": 0, "id": "a", "a": MILK}, {"index": 1, "id": "b", "a": BREAD}],
    ],
)
@pytest.mark.parametrize("at_once", [False, True])
async def test_calls_of_a_completion_are_told_apart(
    server: FaultyModelServer, pieces: list[dict[str, Any]], at_once: bool
) -> None:
    told = [
        {
            **{name: value for name, value in piece.items() if name != "a"},
            "function": {"name": "tasks_add", "arguments": piece["a"]},
        }
        for piece in pieces
    ]
    chunks = [called(*told)] if at_once else [called(piece) for piece in told]
    server.will(streams(*chunks, chunk({}, "tool_calls"), DONE))
    async with asked_of(server, "x") as choice:
        answer = await ask(choice.model)
    assert answer.failed is None
    assert answer.calls == [MILK, BREAD]
    assert sent(server) == [("tasks_add", MILK), ("tasks_add", BREAD)]
    answered = [message["tool_call_id"] for message in server.asked[-1]["messages"] if message["role"] == "tool"]
    assert len(set(answered)) == 2
    assert all(answered)


@pytest.mark.parametrize("ids", [("a", "b"), ("a", "a"), ("", ""), (None, None)])
async def test_calls_of_a_response_have_an_id_each(
    server: FaultyModelServer, ids: tuple[str | None, str | None]
) -> None:
    calls = [call_made("tasks_add", AS_TEXT[index], ids[index], index) for index in (0, 1)]
    # The same ids come again in the next step.
    server.will(streams(calls_made(*calls)), streams(calls_made(*calls)))
    async with asked_of(server, "openai:x") as choice:
        answer = await ask(choice.model)
    assert answer.failed is None
    assert answer.calls == [MILK, BREAD] * 2
    answered = [item["call_id"] for item in server.asked[-1]["input"] if item.get("type") == "function_call_output"]
    assert len(set(answered)) == 4
    assert all(answered)


async def test_text_around_calls_is_kept(server: FaultyModelServer) -> None:
    piece = {"index": 0, "id": "a", "function": {"name": "tasks_add", "arguments": AS_TEXT[0]}}
    around = chunk({"content": "now "}), called(piece), chunk({"content": "done"})
    server.will(streams(*around, chunk({}, "tool_calls"), DONE))
    async with asked_of(server, "x") as choice:
        answer = await ask(choice.model)
    assert answer.failed is None
    assert answer.calls == [MILK]
    assert answer.text.startswith("now done")


async def test_text_beside_a_call_that_cannot_be_read_ends_well(server: FaultyModelServer) -> None:
    server.will(streams(chunk({"content": "now"}) + a_call("x", "tasks_ad", "{}")))
    async with asked_of(server, "x") as choice:
        answer = await ask(choice.model)
    assert answer.failed is None
    assert answer.text.startswith("now")
    assert answer.outputs[0].startswith("unknown_tool: ")
