"""Requests that are none: each is refused in one short sentence, and nothing of it is stored or said back."""

import json
from collections.abc import Iterator
from typing import Any, Final

import httpx2
import pytest

from tests.gateway.operations.behind import Behind
from tests.gateway.operations.refusals import CANARY, assert_refused
from tests.gateway.operations.table import OPERATIONS, Params, begun, read, send, visible
from tests.living import ChatClient, Living, Said, message

pytestmark = pytest.mark.anyio

DEEP: Final = 100_000
# Parameters that may be left out, and those that take anything.
OPTIONAL: Final = {"limit", "order", "after"}
ANYTHING: Final = {"result"}
WRONG: Final[tuple[Any, ...]] = (None, True, 7, 1.5, [], {}, [[CANARY]], {"deep": {"deep": CANARY}}, [None], CANARY)
# What is right after all, of the values above.
RIGHT: Final = {
    "title": (CANARY,),
    "name": (CANARY,),
    "thread_id": (CANARY,),
    "item_id": (CANARY,),
    "attachment_id": (CANARY,),
    "audio_base64": (CANARY,),
    "mime_type": (CANARY,),
    "size": (True, 7),
    # Of an action or an answer everything may be left out; what is not asked is not read.
    "action": ({}, {"deep": {"deep": CANARY}}),
}


async def raw(chat: ChatClient, body: str | bytes, kind: str | None = "application/json") -> httpx2.Response:
    headers = {} if kind is None else {"Content-Type": kind}
    content = body.encode() if isinstance(body, str) else body
    return await chat.http.post("/chatkit", content=content, headers=headers)


def broken(kind: str, params: Params) -> Iterator[Any]:
    """The request with one thing wrong in it."""
    right = {**RIGHT, "input": ({}, {"deep": {"deep": CANARY}})} if kind == "threads.add_structured_input" else RIGHT
    good = {"type": kind, "params": params, "metadata": {"note": CANARY}}
    for name in params:
        if name in ANYTHING:
            continue
        yield {**good, "params": {other: value for other, value in params.items() if other != name}}
        for wrong in WRONG:
            if not any(wrong is right or wrong == right for right in right.get(name, ())):
                yield {**good, "params": {**params, name: wrong}}
    if params:
        yield {"type": kind}
        for wrong in ([], {}, None, CANARY, [params], {"params": params}, {kind: params}, {CANARY: params}):
            yield {**good, "params": wrong}
    for metadata in (None, [], CANARY, 7, [CANARY]):
        yield {**good, "metadata": metadata}
    no_kinds: list[Any] = [None, 7, "", [], {}, [kind], kind.upper(), f"{kind} ", f"{kind}\0", CANARY, "__proto__"]
    yield from ({**good, "type": no_kind} for no_kind in no_kinds)
    yield {"params": params}
    yield [good]
    yield {"request": good}
    yield json.dumps(good)


def damaged(kind: str, params: Params) -> Iterator[str | bytes]:
    """The request as text that is no JSON, or not only JSON, or more than a parser bears."""
    good = json.dumps({"type": kind, "params": params, "metadata": "HERE"})
    yield from ("", " ", "null", good[:-1], good + good, good + "x", f"//{CANARY}\n{good}", good.replace('"', "'"))
    yield good.replace('"HERE"', '{"x": "\\ud800"}')
    yield good.replace('"HERE"', '{"x": "\\udc00 \\ud800"}')
    yield good.replace('"HERE"', '{"x": "a\tb\n"}')
    yield good.replace('"HERE"', '{"x": ' + "[" * DEEP + "]" * DEEP + "}")
    yield good.replace('"HERE"', '{"x": ' + '{"x": ' * (DEEP // 4) + "1" + "}" * (DEEP // 4) + "}")
    yield good.replace('"HERE"', '{"x": ' + "9" * 5_000 + "}")
    yield good.encode("utf-16")
    yield b"\xef\xbb\xbf" + good.encode()
    yield good.encode().replace(b'"HERE"', b'{"x": "\xff\xfe"}')
    yield good.encode().replace(b'"HERE"', b'{"x": "\xed\xa0\x80"}')
    yield "\0" + good


@pytest.mark.parametrize("kind", OPERATIONS)
async def test_what_is_wrong_in_any_place_is_refused_and_leaves_nothing(
    place: Living, inside: Behind, kind: str
) -> None:
    async with place.chat("ada") as ada:
        params = await OPERATIONS[kind].ready(ada)
        before = await inside.rows("ada")
        for body in broken(kind, params):
            assert_refused(await raw(ada, json.dumps(body)), 400)
        for body in damaged(kind, params):
            assert_refused(await raw(ada, body), 400, "bad_request")
        assert await inside.rows("ada") == before


@pytest.mark.parametrize("kind", OPERATIONS)
async def test_what_is_not_sent_as_json_is_refused(place: Living, inside: Behind, kind: str) -> None:
    async with place.chat("ada") as ada:
        body = json.dumps({"type": kind, "params": await OPERATIONS[kind].ready(ada)})
        before = await inside.rows("ada")
        for content_type in (None, "", "text/plain", "application/x-www-form-urlencoded", "application/jsonp", "a, b"):
            assert_refused(await raw(ada, body, content_type), 415, "wrong_type")
        assert await inside.rows("ada") == before


@pytest.mark.parametrize("kind", OPERATIONS)
async def test_a_key_that_is_there_twice_counts_once(place: Living, inside: Behind, kind: str) -> None:
    async with place.chat("ada") as ada:
        params = json.dumps(await OPERATIONS[kind].ready(ada))
        before = await inside.rows("ada")
        for body in (
            f'{{"type": "{kind}", "params": {params}, "type": "{CANARY}"}}',
            f'{{"type": "{kind}", "params": {params}, "params": []}}',
        ):
            assert_refused(await raw(ada, body), 400, "bad_request")
        assert await inside.rows("ada") == before


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e400", "-0.0", "1e-400", "9" * 4_300])
async def test_numbers_that_json_or_a_database_cannot_hold_do_no_harm(place: Living, number: str) -> None:
    """ChatKit's parser takes what JSON does not know; what goes out again is JSON."""
    async with place.chat("ada") as ada:
        for body in (
            f'{{"type": "threads.list", "params": {{"limit": {number}}}}}',
            f'{{"type": "threads.list", "params": {{}}, "metadata": {{"x": {number}, "time_zone": {number}}}}}',
        ):
            answer = await raw(ada, body)
            if answer.status_code != 200:
                assert_refused(answer, 400)
        params = await OPERATIONS["threads.add_client_tool_output"].ready(ada)
        body = json.dumps({"type": "threads.add_client_tool_output", "params": {**params, "result": {"n": "HERE"}}})
        answer = await raw(ada, body.replace('"HERE"', number))
        if answer.status_code != 200:
            assert_refused(answer, 400)
            return
        said = Said.read(answer.text)
        assert not said.of("error")
        stored = await ada.http.post(
            "/chatkit", json={"type": "items.list", "params": {"thread_id": params["thread_id"]}}
        )
        assert_is_json(stored.text)
        assert (await ada.say("and now?", params["thread_id"])).text == "and now?"


@pytest.mark.parametrize("number", ["NaN", "-Infinity", "1e400", "9" * 4_300])
async def test_what_a_mention_brings_goes_out_as_json(place: Living, number: str) -> None:
    async with place.chat("ada") as ada:
        tag = {"type": "input_tag", "id": "T1", "text": "milk", "data": {"n": "HERE"}}
        body = json.dumps({"type": "threads.create", "params": {"input": {**message(""), "content": [tag]}}})
        answer = await raw(ada, body.replace('"HERE"', number))
        if answer.status_code != 200:
            assert_refused(answer, 400)
            return
        for line in answer.text.split("\n"):
            assert_is_json(line.removeprefix("data: ") or "{}")
        said = Said.read(answer.text)
        assert not said.of("error")
        listed = await send(ada, "items.list", {"thread_id": said.thread_id})
        assert_is_json(listed.text)


def assert_is_json(text: str) -> None:
    def refuse(name: str) -> None:
        raise AssertionError(f"{name} is no JSON")

    json.loads(text, parse_constant=refuse)


HARMLESS: Final = (
    "\0",
    "a\0b",
    "\u2028\u2029",
    "\u202e\u2066",
    "\U0010ffff\ufffe",
    "a\u0300" * 80,
    "data: {}\n\ndata: [DONE]\n\n",
    "</script><PAGE_CONTEXT>{}</PAGE_CONTEXT>",
    "{{x}} {x} %s ${x}",
    "日本 🙂",
)


@pytest.mark.parametrize("text", HARMLESS)
async def test_any_text_comes_back_to_the_letter(place: Living, text: str) -> None:
    async with place.chat("ada") as ada:
        thread_id = (await begun(ada)).thread_id
        sent = {"thread_id": thread_id, "input": message(f"x{text}")}
        response = await send(ada, "threads.add_user_message", sent)
        # Only a line feed ends a line of the stream.
        events = [json.loads(line.removeprefix("data: ")) for line in response.text.split("\n") if line]
        assert "error" not in [event["type"] for event in events]
        question, answer = (await visible(ada, thread_id))[2:]
        assert question["content"][0]["text"] == f"x{text}"
        assert answer["content"][0]["text"].replace("\n", "") == "".join(f"x{text}".splitlines())
        renamed = await ada.reply("threads.update", thread_id=thread_id, title=f"x{text}")
        assert renamed["title"] == " ".join(f"x{text}".split()).replace("\0", "")


async def test_a_message_that_is_only_unseen_characters_is_refused(place: Living, inside: Behind) -> None:
    async with place.chat("ada") as ada:
        for text in ("", " ", "\n\t\r", "\u2003\u3000"):
            assert_refused(await send(ada, "threads.create", {"input": message(text)}), 400, "missing_argument")
        no_content: Params = {"content": [], "attachments": [], "inference_options": {}}
        assert_refused(await send(ada, "threads.create", {"input": no_content}), 400, "missing_argument")
    assert not any((await inside.rows("ada")).values())


async def test_a_title_of_nothing_is_refused(place: Living) -> None:
    async with place.chat("ada") as ada:
        thread_id = (await begun(ada)).thread_id
        for title in ("", " ", "\n\t", "\u3000"):
            refused = await send(ada, "threads.update", {"thread_id": thread_id, "title": title})
            assert_refused(refused, 400, "bad_argument")
        assert (await ada.reply("threads.get_by_id", thread_id=thread_id))["title"] == "hello"


async def test_a_file_in_a_message_is_refused_where_files_are_not_offered(place: Living, inside: Behind) -> None:
    async with place.chat("ada") as ada:
        sent = {"input": {**message("see this"), "attachments": ["atc_" + "0" * 32]}}
        assert_refused(await send(ada, "threads.create", sent), 501, "disabled")
    assert not any((await inside.rows("ada")).values())


async def test_what_is_more_than_the_form_asks_is_not_kept(place: Living, inside: Behind) -> None:
    async with place.chat("ada") as ada:
        sent = message("hello")
        sent["content"][0]["more"] = CANARY
        sent["metadata"] = {"more": CANARY}
        sent["id"] = sent["thread_id"] = sent["created_at"] = CANARY
        said = await read(ada, "threads.create", {"input": sent, "more": CANARY, "thread_id": CANARY})
        assert not said.of("error")
        assert CANARY not in str(said.events)
        await begun(ada, "hello", more=CANARY)
    assert CANARY not in str(await inside.rows("ada"))
