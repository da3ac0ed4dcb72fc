"""The size of everything that can be sent: taken at the limit, and refused one above it with nothing stored."""

import json
from collections.abc import Awaitable, Callable
from typing import Any, Final

import pytest

from gateway.limits import ChatLimits
from tests.gateway.operations.behind import Behind, behind
from tests.gateway.operations.refusals import CANARY, assert_refused
from tests.gateway.operations.table import OPERATIONS, Params, a_question, begun, send, visible
from tests.living import ChatClient, Databases, Living, Said, message
from tests.models import ObedientModel

pytestmark = pytest.mark.anyio

LIMITS: Final = ChatLimits()
BODY: Final = 256 * 1024

# Of a number of characters, parts or bytes: the kind of request and its parameters.
Sized = Callable[[ChatClient, int], Awaitable[tuple[str, Params]]]


def tag(data: Any = None, id: str = "T1") -> dict[str, Any]:  # noqa: A002 (the wire's word)
    return {"type": "input_tag", "id": id, "text": "milk", "data": data or {}}


def text_part(text: str) -> dict[str, Any]:
    return {"type": "input_text", "text": text}


def saying(*parts: dict[str, Any], **more: Any) -> tuple[str, Params]:
    return "threads.create", {"input": {**message(""), "content": list(parts), **more}}


def of_size(size: int, room: str = "x") -> dict[str, str]:
    """An object that is so many bytes of JSON."""
    return {room: "v" * (size - len(json.dumps({room: ""})))}


async def text(_: ChatClient, size: int) -> tuple[str, Params]:
    return saying(text_part(CANARY + "x" * (size - len(CANARY))))


async def text_of_wide_letters(_: ChatClient, size: int) -> tuple[str, Params]:
    return saying(text_part("🙂" * (size - 1)), text_part("é"))


async def text_in_a_later_message(chat: ChatClient, size: int) -> tuple[str, Params]:
    return "threads.add_user_message", {"thread_id": (await begun(chat)).thread_id, "input": message("y" * size)}


async def parts(_: ChatClient, count: int) -> tuple[str, Params]:
    return saying(*[text_part("x")] * count)


async def tags(_: ChatClient, count: int) -> tuple[str, Params]:
    return saying(text_part("see "), *[tag()] * count)


async def data_of_a_tag(_: ChatClient, size: int) -> tuple[str, Params]:
    return saying(text_part("see "), tag(of_size(size)))


async def id_of_a_tag(_: ChatClient, size: int) -> tuple[str, Params]:
    return saying(text_part("see "), tag(id="T" * size))


async def quote(_: ChatClient, size: int) -> tuple[str, Params]:
    return saying(text_part("this?"), quoted_text="q" * size)


async def title(chat: ChatClient, size: int) -> tuple[str, Params]:
    return "threads.update", {"thread_id": (await begun(chat)).thread_id, "title": "t" * size}


async def payload(chat: ChatClient, size: int) -> tuple[str, Params]:
    params = await OPERATIONS["threads.custom_action"].ready(chat)
    return "threads.custom_action", {**params, "action": {"type": "mcp.call", "payload": of_size(size)}}


async def payload_without_a_stream(chat: ChatClient, size: int) -> tuple[str, Params]:
    return "threads.sync_custom_action", (await payload(chat, size))[1]


async def result_of_the_page(chat: ChatClient, size: int) -> tuple[str, Params]:
    params = await OPERATIONS["threads.add_client_tool_output"].ready(chat)
    return "threads.add_client_tool_output", {**params, "result": of_size(size)}


async def filled_in(chat: ChatClient, answers: dict[str, Any]) -> tuple[str, Params]:
    params = await OPERATIONS["threads.add_structured_input"].ready(chat)
    given = {"status": "answered", "answers": {**params["input"]["answers"], **answers}}
    return "threads.add_structured_input", {**params, "input": given}


async def answers(chat: ChatClient, count: int) -> tuple[str, Params]:
    asked = await OPERATIONS["threads.add_structured_input"].ready(chat)
    given = dict(asked["input"]["answers"])
    given |= {f"more-{number}": {"values": ["x"]} for number in range(count - len(given))}
    return "threads.add_structured_input", {**asked, "input": {"status": "answered", "answers": given}}


async def values(chat: ChatClient, count: int) -> tuple[str, Params]:
    return await filled_in(chat, {"another": {"values": ["x"] * count}})


async def value(chat: ChatClient, size: int) -> tuple[str, Params]:
    return await filled_in(chat, {"another": {"values": ["v" * size]}})


async def votes(chat: ChatClient, count: int) -> tuple[str, Params]:
    params = await OPERATIONS["items.feedback"].ready(chat)
    return "items.feedback", {**params, "item_ids": params["item_ids"] * count}


HUGE: Final = "h" * 20_000
UNMEASURED: Final[dict[str, dict[str, Any]]] = {
    "group of a tag": {"content": [text_part("see "), {**tag(), "group": HUGE}]},
    "name of a model": {"inference_options": {"model": HUGE}},
    "way of asking": {"inference_options": {"tool_choice": {"id": HUGE}}},
}


@pytest.mark.parametrize("case", UNMEASURED)
async def test_no_part_of_a_message_may_be_larger_than_its_text(place: Living, inside: Behind, case: str) -> None:
    async with place.chat("ada") as ada:
        sent = {"input": {**message("hello"), **UNMEASURED[case]}}
        answer = await send(ada, "threads.create", sent)
        # It is refused, or nothing of it is kept.
        if answer.status_code != 200:
            assert_refused(answer, 400)
    assert HUGE not in str(await inside.rows("ada"))


async def test_an_answer_to_nothing_that_was_asked_is_not_written_into_the_log(
    place: Living, caplog: pytest.LogCaptureFixture
) -> None:
    async with place.chat("ada") as ada:
        kind, params = await filled_in(ada, {f"{CANARY}\n{HUGE}": {"values": ["x"]}})
        await send(ada, kind, params)
    assert CANARY not in caplog.text


SIZES: Final[list[tuple[Sized, int, str]]] = [
    (text, LIMITS.text, "too_long"),
    (text_of_wide_letters, LIMITS.text, "too_long"),
    (text_in_a_later_message, LIMITS.text, "too_long"),
    (parts, LIMITS.parts, "too_long"),
    (tags, LIMITS.tags, "too_long"),
    (data_of_a_tag, LIMITS.metadata, "too_long"),
    (id_of_a_tag, 300, "too_long"),
    (quote, LIMITS.quote, "too_long"),
    (title, LIMITS.title, "bad_argument"),
    (payload, LIMITS.payload, "too_long"),
    (payload_without_a_stream, LIMITS.payload, "too_long"),
    (result_of_the_page, LIMITS.client_result, "too_long"),
    (answers, LIMITS.answers, "too_long"),
    (values, LIMITS.values, "too_long"),
    (value, LIMITS.value, "too_long"),
    (votes, LIMITS.votes, "bad_argument"),
]


@pytest.mark.parametrize(("sized", "limit", "code"), SIZES, ids=[sized.__name__ for sized, _, _ in SIZES])
async def test_at_the_limit_it_is_taken_and_above_it_refused(
    place: Living, inside: Behind, sized: Sized, limit: int, code: str
) -> None:
    async with place.chat("ada") as ada:
        kind, params = await sized(ada, limit + 1)
        before = await inside.rows("ada")
        assert_refused(await send(ada, kind, params), 400, code)
        assert await inside.rows("ada") == before
        kind, params = await sized(ada, limit)
        taken = await send(ada, kind, params)
        if sized in {payload, payload_without_a_stream}:
            # Not too large, and not offered by the card.
            assert_refused(taken, 409, "conflict")
            return
        assert taken.status_code == 200, taken.text
        assert not Said.read(taken.text).of("error")


@pytest.mark.parametrize("kind", OPERATIONS)
async def test_metadata_is_limited_in_every_request(place: Living, inside: Behind, kind: str) -> None:
    async with place.chat("ada") as ada:
        params = await OPERATIONS[kind].ready(ada)
        before = await inside.rows("ada")
        refused = await send(ada, kind, params, of_size(LIMITS.metadata + 1))
        assert_refused(refused, 400, "too_long")
        assert await inside.rows("ada") == before
        taken = await send(ada, kind, params, of_size(LIMITS.metadata))
        assert taken.status_code == (501 if OPERATIONS[kind].is_off else 200)


async def test_a_body_is_taken_at_its_limit_and_cut_above_it(place: Living) -> None:
    listing = json.dumps({"type": "threads.list", "params": {}})

    async def in_pieces(size: int) -> Any:
        yield listing.encode()
        for _ in range(size // 1024):
            yield b" " * 1024

    async with place.chat("ada") as ada:
        ada.http.headers["Content-Type"] = "application/json"
        taken = await ada.http.post("/chatkit", content=listing.ljust(BODY))
        assert taken.status_code == 200
        assert_refused(await ada.http.post("/chatkit", content=listing.ljust(BODY + 1)), 413, "too_big")
        # No length was announced.
        assert_refused(await ada.http.post("/chatkit", content=in_pieces(BODY)), 413, "too_big")


async def test_nobody_keeps_more_conversations_than_there_is_room_for(databases: Databases) -> None:
    living = Living(databases, model=ObedientModel(), chat_limits="threads=2 turns=1000")
    async with living, behind(living) as inside, living.chat("ada") as ada, living.chat("bob") as bob:
        first = (await begun(ada)).thread_id
        await begun(ada)
        before = await inside.rows("ada")
        assert_refused(await send(ada, "threads.create", {"input": message("a third")}), 400, "too_many")
        assert await inside.rows("ada") == before
        await begun(bob)
        await ada.reply("threads.delete", thread_id=first)
        await begun(ada)


async def test_a_full_conversation_takes_no_more_questions_and_is_whole(databases: Databases) -> None:
    living = Living(databases, model=ObedientModel(), chat_limits="items=4 turns=1000")
    async with living, behind(living) as inside, living.chat("ada") as ada:
        params = await a_question(ada)
        thread = params["thread_id"]
        await ada.say("second", thread)
        before = await inside.rows("ada")
        more = {"thread_id": thread, "input": message("third")}
        assert_refused(await send(ada, "threads.add_user_message", more), 400, "too_many")
        assert await inside.rows("ada") == before
        # It can still be answered anew, which makes room.
        assert (await send(ada, "threads.retry_after_item", params)).status_code == 200
        assert [item["type"] for item in await visible(ada, thread)] == ["user_message", "assistant_message"]
        assert (await send(ada, "threads.add_user_message", more)).status_code == 200
