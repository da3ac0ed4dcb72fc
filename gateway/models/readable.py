"""What a model calls, put right where that is safe; where it is not, the call is taken from the tools and explained.

A call that nobody can read must neither end the answer nor reach a tool. It is renamed to a tool that does not exist,
with arguments that are JSON: the SDK then answers it with `refused_call`, and every server accepts it as history.
"""

import json
import re
from collections.abc import AsyncGenerator, AsyncIterator, Iterable
from contextlib import aclosing
from secrets import token_hex
from typing import Any, Final

from agents import Model, ModelResponse, ToolErrorFormatterArgs, TResponseInputItem
from agents.items import TResponseStreamEvent
from openai.types.responses import (
    ResponseCompletedEvent,
    ResponseFunctionToolCall,
    ResponseOutputItem,
    ResponseOutputItemAddedEvent,
    ResponseOutputItemDoneEvent,
    ResponseOutputMessage,
    ResponseOutputRefusal,
    ResponseOutputText,
)
from typing_extensions import override

UNREADABLE: Final = "unreadable_call"
UNNAMED: Final = "unknown_tool"
# What servers accept in a conversation; for a tool of that one name the SDK has an idea of its own, and raises.
NAME: Final = re.compile(r"(?!(?i:apply_patch))[A-Za-z0-9_-]{1,64}")
SHOWN: Final = 100
ARGUMENTS: Final = 262_144  # characters; longer ones are nothing a model meant


def refused_call(refused: ToolErrorFormatterArgs[Any]) -> str | None:
    """What the model reads of a call that no tool took."""
    if refused.kind != "tool_not_found":
        return None
    if refused.tool_name == UNREADABLE:
        return (
            "bad_argument: the arguments of this call were not one JSON object. Nothing was changed. "
            "Fix: call the tool again with its arguments as a JSON object."
        )
    return "unknown_tool: there is no tool of this name. Fix: call one of the tools you have, by its exact name."


class ReadableModel(Model):
    """A model whose calls can be run, answered and told again: each has an id of its own and an object as arguments.

    What it says when it refuses becomes ordinary text, because that is what people should read.
    """

    def __init__(self, model: Model) -> None:
        self._model = model

    @override
    async def get_response(
        self, system_instructions: str | None, input: str | list[TResponseInputItem], *args: Any, **kwargs: Any
    ) -> ModelResponse:
        response = await self._model.get_response(system_instructions, input, *args, **kwargs)
        ids = _Ids(input)
        for index, item in enumerate(response.output):
            _put_right(item, index, ids)
        return response

    @override
    async def stream_response(
        self, system_instructions: str | None, input: str | list[TResponseInputItem], *args: Any, **kwargs: Any
    ) -> AsyncIterator[TResponseStreamEvent]:
        ids = _Ids(input)
        events = self._model.stream_response(system_instructions, input, *args, **kwargs)
        assert isinstance(events, AsyncGenerator)  # only such a stream can be closed in time
        async with aclosing(events):
            async for event in events:
                for index, item in _items(event):
                    _put_right(item, index, ids)
                yield event


class _Ids:
    """The ids of the calls of one response, by their places in it: none is missing, and none was there before."""

    def __init__(self, conversation: str | list[TResponseInputItem]) -> None:
        self._taken: set[object] = {"", None}
        if not isinstance(conversation, str):
            self._taken.update(item.get("call_id") for item in conversation if isinstance(item, dict))
        self._given: dict[int, str] = {}

    def at(self, index: int, wanted: str | None) -> str:
        """The id of the call at this place."""
        if index not in self._given:
            self._given[index] = token_hex(16) if wanted is None or wanted in self._taken else wanted
            self._taken.add(self._given[index])
        return self._given[index]


def _items(event: TResponseStreamEvent) -> Iterable[tuple[int, ResponseOutputItem]]:
    """The items an event brings, with their places in the response."""
    match event:
        case ResponseOutputItemAddedEvent() | ResponseOutputItemDoneEvent():
            return [(event.output_index, event.item)]
        case ResponseCompletedEvent():
            return enumerate(event.response.output)
    return []


def _put_right(item: ResponseOutputItem, index: int, ids: _Ids) -> None:
    match item:
        case ResponseFunctionToolCall():
            item.call_id = ids.at(index, item.call_id)
            _make_readable(item)
        case ResponseOutputMessage():
            item.content = [
                ResponseOutputText(type="output_text", text=part.refusal or "", annotations=[])
                if isinstance(part, ResponseOutputRefusal)
                else part
                for part in item.content
            ]


def _make_readable(call: ResponseFunctionToolCall) -> None:
    arguments = call.arguments if isinstance(call.arguments, str) else ""
    if arguments.strip() in {"", "null"}:
        arguments = "{}"  # that is how some say that there are none
    if not _is_object(arguments):
        call.name, arguments = UNREADABLE, json.dumps({"called": str(call.name)[:SHOWN]})
    elif not isinstance(call.name, str) or not NAME.fullmatch(call.name):
        call.name, arguments = UNNAMED, json.dumps({"called": str(call.name)[:SHOWN]})
    call.arguments = arguments


def _is_object(text: str) -> bool:
    try:
        return len(text) <= ARGUMENTS and isinstance(json.loads(text), dict)
    except (ValueError, RecursionError):
        return False
