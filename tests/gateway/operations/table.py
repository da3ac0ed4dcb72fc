"""Every operation of ChatKit: what a person has to have for it, what its parameters name, and what it leaves."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, get_args

import httpx2
from chatkit.types import ChatKitReq

from tests.gateway.asking.conftest import asked, filling_in
from tests.gateway.cards import cards_of, pressed
from tests.living import ChatClient, Said, message

Params = dict[str, Any]
ADD: Final = 'call tasks_add {"tasks": [{"title": "Water the plants"}]}'
UNKNOWN: Final = "thr_" + "0" * 32


def kinds_of_requests() -> list[str]:
    """The types of all requests that this release of ChatKit knows."""
    streaming_or_not, _ = get_args(ChatKitReq)
    return sorted(request.model_fields["type"].default for request in get_args(streaming_or_not))


@dataclass(frozen=True, slots=True)
class Operation:
    """One type of request."""

    ready: Callable[[ChatClient], Awaitable[Params]]  # makes what it is about, and gives good parameters
    ids: tuple[str, ...] = ()  # the parameters that name something of the person's
    streams: bool = False
    is_off: bool = False
    shows: tuple[str, ...] = ()  # the items that its stream shows as done or changed
    leaves: tuple[str, ...] = ()  # the items of the conversation afterwards


async def send(
    chat: ChatClient,
    kind: str,
    params: Params,
    metadata: Mapping[str, Any] | None = None,
    headers: Mapping[str, str] | None = None,
) -> httpx2.Response:
    """One request, answered as a whole."""
    asked = {"type": kind, "params": params, "metadata": metadata or {}}
    return await chat.http.post("/chatkit", json=asked, headers=dict(headers or {}))


async def read(
    chat: ChatClient,
    kind: str,
    params: Params,
    metadata: Mapping[str, Any] | None = None,
    headers: Mapping[str, str] | None = None,
) -> Said:
    """The events of a request that streams."""
    response = await send(chat, kind, params, metadata, headers)
    assert response.status_code == 200, response.text
    return Said.read(response.text)


async def begun(chat: ChatClient, text: str = "hello", **metadata: Any) -> Said:
    """A conversation that begins with these words."""
    said = await read(chat, "threads.create", {"input": message(text)}, metadata)
    assert not said.of("error"), said.of("error")
    return said


async def visible(chat: ChatClient, thread_id: str) -> list[dict[str, Any]]:
    """The items of a conversation, oldest first."""
    page = await chat.reply("items.list", thread_id=thread_id, order="asc", limit=100)
    assert not page["has_more"]
    found: list[dict[str, Any]] = page["data"]
    return found


async def nothing(_: ChatClient) -> Params:
    return {}


async def a_message(_: ChatClient) -> Params:
    return {"input": message("hello")}


async def a_thread(chat: ChatClient) -> Params:
    return {"thread_id": (await begun(chat)).thread_id}


async def a_thread_and_a_message(chat: ChatClient) -> Params:
    return {**await a_thread(chat), "input": message("and more")}


async def a_thread_and_a_title(chat: ChatClient) -> Params:
    return {**await a_thread(chat), "title": "Mine"}


async def a_question(chat: ChatClient) -> Params:
    said = await begun(chat)
    return {"thread_id": said.thread_id, "item_id": (await visible(chat, said.thread_id))[0]["id"]}


async def a_button(chat: ChatClient) -> Params:
    [card] = cards_of(await begun(chat, ADD))
    return {"thread_id": card["thread_id"], "item_id": card["id"], "action": pressed(card, "undo")}


async def a_call_of_the_page(chat: ChatClient) -> Params:
    said = await begun(chat, "call get_selection {}", client_tools=["get_selection"])
    return {"thread_id": said.thread_id, "result": {"text": "what is selected"}}


async def a_form(chat: ChatClient) -> Params:
    return filling_in(asked(await begun(chat, "call book {}")), "Ada", "2", "Meat", "No")


async def a_vote(chat: ChatClient) -> Params:
    said = await begun(chat)
    answer = (await visible(chat, said.thread_id))[1]
    return {"thread_id": said.thread_id, "item_ids": [answer["id"]], "kind": "positive"}


async def a_file(_: ChatClient) -> Params:
    return {"name": "tasks.csv", "size": 3, "mime_type": "text/csv"}


async def an_attachment(_: ChatClient) -> Params:
    return {"attachment_id": "atc_" + "0" * 32}


async def a_recording(_: ChatClient) -> Params:
    return {"audio_base64": "AAAA", "mime_type": "audio/webm"}


TALK: Final = ("user_message", "assistant_message")

OPERATIONS: Final[Mapping[str, Operation]] = {
    "threads.create": Operation(a_message, streams=True, shows=TALK, leaves=TALK),
    "threads.add_user_message": Operation(
        a_thread_and_a_message, ("thread_id",), streams=True, shows=TALK, leaves=TALK * 2
    ),
    "threads.retry_after_item": Operation(
        a_question, ("thread_id", "item_id"), streams=True, shows=("assistant_message",), leaves=TALK
    ),
    "threads.custom_action": Operation(
        a_button,
        ("thread_id", "item_id"),
        streams=True,
        shows=("widget",),
        leaves=("user_message", "workflow", "widget", "assistant_message"),
    ),
    "threads.add_client_tool_output": Operation(
        a_call_of_the_page,
        ("thread_id",),
        streams=True,
        shows=("assistant_message",),
        leaves=("user_message", "client_tool_call", "assistant_message"),
    ),
    "threads.add_structured_input": Operation(
        a_form,
        ("thread_id", "item_id"),
        streams=True,
        shows=("structured_input", "assistant_message"),
        leaves=("user_message", "workflow", "structured_input", "assistant_message"),
    ),
    "threads.sync_custom_action": Operation(a_button, ("thread_id", "item_id")),
    "threads.get_by_id": Operation(a_thread, ("thread_id",)),
    "threads.list": Operation(nothing),
    "threads.update": Operation(a_thread_and_a_title, ("thread_id",)),
    "threads.delete": Operation(a_thread, ("thread_id",)),
    "items.list": Operation(a_thread, ("thread_id",)),
    "items.feedback": Operation(a_vote, ("thread_id", "item_ids")),
    "attachments.create": Operation(a_file, is_off=True),
    "attachments.delete": Operation(an_attachment, ("attachment_id",), is_off=True),
    "input.transcribe": Operation(a_recording, is_off=True),
}
STREAMS: Final = [kind for kind, operation in OPERATIONS.items() if operation.streams]
NAMING: Final = [kind for kind, operation in OPERATIONS.items() if operation.ids and not operation.is_off]


def without(params: Params, name: str, given: str) -> Params:
    """The parameters with another id in one place."""
    return {**params, name: [given] if isinstance(params[name], list) else given}
