"""German for whoever asks for it, English for everybody else: in refusals and within answers, never for the model."""

from typing import Any, Final

import pytest

from tests.gateway.operations.refusals import assert_refused
from tests.gateway.operations.table import ADD, OPERATIONS, STREAMS, UNKNOWN, Params, a_thread, begun, read, send
from tests.living import ChatClient, Databases, Living, message
from tests.models import BrokenModel, ObedientModel

pytestmark = pytest.mark.anyio

GERMAN: Final = {"Accept-Language": "de-CH, de;q=0.9, en;q=0.5"}
NO_MESSAGE: Final = {"input": message(" ")}
REFUSED: Final[dict[str, tuple[str, Params, str, str]]] = {
    "unknown thread": (
        "threads.get_by_id",
        {"thread_id": UNKNOWN},
        "there is no such conversation or message",
        "diese Unterhaltung oder Nachricht gibt es nicht",
    ),
    "empty message": ("threads.create", NO_MESSAGE, "the message is empty", "die Nachricht ist leer"),
    "long message": (
        "threads.create",
        {"input": message("x" * 16_001)},
        "the message has 16,001 characters",
        "die Nachricht hat 16001 Zeichen",
    ),
    "long title": (
        "threads.update",
        {"thread_id": UNKNOWN, "title": "t" * 201},
        "a title has 1 to 200 characters",
        "ein Titel hat 1 bis 200 Zeichen",
    ),
    "no dictation": ("input.transcribe", {"audio_base64": "", "mime_type": ""}, "dictation", "Diktieren"),
    "no attachments": ("attachments.delete", {"attachment_id": "a"}, "attachments are not", "Anhänge sind"),
    "no operation": ("threads.destroy", {}, "this is no ChatKit request we know", "ChatKit"),
    "no feedback": (
        "items.feedback",
        {"thread_id": UNKNOWN, "item_ids": [], "kind": "positive"},
        "feedback is about 1 to 50 messages",
        "eine Rückmeldung gilt 1 bis 50 Nachrichten",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
async def test_a_refusal_is_said_in_the_language_of_the_person(place: Living, case: str) -> None:
    kind, params, english, german = REFUSED[case]
    async with place.chat("ada") as ada:
        first, second = await send(ada, kind, params), await send(ada, kind, params, headers=GERMAN)
        in_english, in_german = assert_refused(first), assert_refused(second)
        assert english in in_english["message"]
        assert german.lower() in in_german["message"].lower()
        assert in_english["code"] == in_german["code"]
        assert in_english["message"] != in_german["message"]
        assert in_english["hint"] != in_german["hint"]


@pytest.mark.parametrize("kind", STREAMS)
async def test_no_refusal_of_an_operation_is_left_in_english(place: Living, kind: str) -> None:
    async with place.chat("ada") as ada:
        params = await OPERATIONS[kind].ready(ada)
        wrong: list[tuple[Params, dict[str, Any] | None]] = [(params, {"x": "x" * 5_000}), ({}, None)]
        if "item_id" in params:
            other = await a_thread(ada)
            page = await ada.reply("items.list", **other)
            wrong.append(({**params, **other, "item_id": page["data"][0]["id"]}, None))
        if kind == "threads.add_client_tool_output":
            wrong.append(({**await a_thread(ada), "result": 1}, None))
        for bad, metadata in wrong:
            in_english = assert_refused(await send(ada, kind, bad, metadata))
            in_german = assert_refused(await send(ada, kind, bad, metadata, GERMAN))
            assert in_english["code"] == in_german["code"]
            assert in_english["message"] != in_german["message"]


async def test_whoever_is_not_signed_in_is_told_so_in_german(place: Living) -> None:
    async with place.chat("ada", token="garbage") as nobody:
        refused = assert_refused(await send(nobody, "threads.list", {}, headers=GERMAN), 401, "sign_in")
        assert refused["message"] != assert_refused(await send(nobody, "threads.list", {}), 401)["message"]


async def events(chat: ChatClient, text: str, headers: dict[str, str]) -> Any:
    return await read(chat, "threads.create", {"input": message(text)}, headers=headers)


async def test_steps_and_cards_are_in_the_language_of_the_person_and_the_model_reads_english(
    place: Living, model: ObedientModel
) -> None:
    async with place.chat("ada") as ada, place.chat("bob") as bob:
        english, german = await events(ada, ADD, {}), await events(bob, ADD, GERMAN)
        assert english.of("progress_update")[0]["text"] == "Add tasks..."
        assert german.of("progress_update")[0]["text"] != "Add tasks..."
        summaries = [
            next(item["workflow"]["summary"]["title"] for item in done(said) if item["type"] == "workflow")
            for said in (english, german)
        ]
        assert summaries == ["1 step", "1 Schritt"]
        cards = [next(item for item in done(said) if item["type"] == "widget") for said in (english, german)]
        assert "Undo" in str(cards[0]["widget"])
        assert "Rückgängig" in str(cards[1]["widget"])
        outputs = [[one["output"] for one in items if "output" in one] for items in model.inputs if len(items) > 2]
        assert outputs[0] == outputs[1]
        assert len(set(model.instructions)) == 1


def done(said: Any) -> list[dict[str, Any]]:
    return [event["item"] for event in said.of("thread.item.done")]


async def test_what_ends_an_answer_is_said_in_german(databases: Databases) -> None:
    model = BrokenModel()
    async with Living(databases, model=model) as living, living.chat("ada") as ada:
        model.go_on.set()
        endless = "\n".join(["call tasks_find {}"] * 40)
        [error] = (await events(ada, endless, GERMAN)).of("error")
        assert error["message"] == "Das waren zu viele Schritte. Frag nach einem Teil davon."
        await living.mcp.stop()
        [notice] = (await events(ada, "call tasks_find {}", GERMAN)).of("notice")
        assert notice["message"].startswith("Die Aufgaben sind gerade nicht erreichbar.")


@pytest.mark.parametrize("header", ["", "fr", "*", "xx-YY", "de;q=0", "en, de", "de;q=x", ";;;,,,", "d" * 5_000])
async def test_english_is_said_where_nothing_else_is_asked_for(place: Living, header: str) -> None:
    async with place.chat("ada") as ada:
        refused = await send(ada, "threads.create", NO_MESSAGE, headers={"Accept-Language": header})
        assert assert_refused(refused)["message"] == "the message is empty"


async def test_each_request_has_its_own_language(place: Living) -> None:
    async with place.chat("ada") as ada:
        said = await events(ada, "hello", GERMAN)
        again = await read(
            ada, "threads.add_user_message", {"thread_id": said.thread_id, "input": message("call tasks_find {}")}
        )
        assert again.of("progress_update")[0]["text"] == "Find tasks..."
        await begun(ada)
