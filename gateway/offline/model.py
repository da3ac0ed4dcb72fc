"""`OfflineModel`: what the Agents SDK asks of a model, answered by rules and streamed word by word."""

import asyncio
import json
import math
import re
import secrets
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from itertools import count
from typing import Any, Final

from agents import (
    AgentOutputSchemaBase,
    Handoff,
    Model,
    ModelResponse,
    ModelSettings,
    ModelTracing,
    Tool,
    TResponseInputItem,
    Usage,
)
from agents.items import TResponseStreamEvent
from openai.types.responses import (
    Response,
    ResponseCompletedEvent,
    ResponseContentPartAddedEvent,
    ResponseContentPartDoneEvent,
    ResponseCreatedEvent,
    ResponseFunctionToolCall,
    ResponseOutputItemAddedEvent,
    ResponseOutputItemDoneEvent,
    ResponseOutputMessage,
    ResponseOutputText,
    ResponseTextDeltaEvent,
    ResponseTextDoneEvent,
    ResponseUsage,
)
from openai.types.responses.response_prompt_param import ResponsePromptParam
from openai.types.responses.response_usage import InputTokensDetails, OutputTokensDetails
from typing_extensions import override

from gateway.offline.asking import Ask, Call
from gateway.offline.thinking import next_step

BYTES_PER_TOKEN: Final = 3.5

Item = ResponseFunctionToolCall | ResponseOutputMessage


class OfflineModel(Model):
    """Answers without a language model. Words come `delay_s` apart, so that people see the answer grow."""

    def __init__(self, *, delay_s: float = 0.0) -> None:
        self._delay_s = delay_s

    @override
    async def get_response(
        self,
        system_instructions: str | None,
        input: str | list[TResponseInputItem],
        model_settings: ModelSettings,
        tools: list[Tool],
        output_schema: AgentOutputSchemaBase | None,
        handoffs: list[Handoff],
        tracing: ModelTracing,
        *,
        previous_response_id: str | None,
        conversation_id: str | None,
        prompt: ResponsePromptParam | None,
    ) -> ModelResponse:
        response = _response(system_instructions, input, tools)
        assert response.usage is not None
        usage = Usage(
            requests=1,
            input_tokens=response.usage.input_tokens,
            output_tokens=response.usage.output_tokens,
            total_tokens=response.usage.total_tokens,
        )
        return ModelResponse(output=response.output, usage=usage, response_id=response.id)

    @override
    async def stream_response(
        self,
        system_instructions: str | None,
        input: str | list[TResponseInputItem],
        model_settings: ModelSettings,
        tools: list[Tool],
        output_schema: AgentOutputSchemaBase | None,
        handoffs: list[Handoff],
        tracing: ModelTracing,
        *,
        previous_response_id: str | None,
        conversation_id: str | None,
        prompt: ResponsePromptParam | None,
    ) -> AsyncIterator[TResponseStreamEvent]:
        for event in _events(_response(system_instructions, input, tools)):
            if isinstance(event, ResponseTextDeltaEvent):
                await asyncio.sleep(self._delay_s)
            yield event


def _response(instructions: str | None, heard: str | list[TResponseInputItem], tools: Sequence[Tool]) -> Response:
    step = next_step(heard, {tool.name for tool in tools})
    output = _output(step)
    read = _tokens(f"{instructions or ''}{json.dumps(heard, ensure_ascii=False, default=str)}")
    written = sum(_tokens(_written(item)) for item in output)
    return Response(
        id=_new_id("resp"),
        object="response",
        created_at=time.time(),
        model="offline",
        status="completed",
        output=list(output),
        tools=[],
        tool_choice="auto",
        parallel_tool_calls=False,
        usage=ResponseUsage(
            input_tokens=read,
            input_tokens_details=InputTokensDetails(cached_tokens=0, cache_write_tokens=0),
            output_tokens=written,
            output_tokens_details=OutputTokensDetails(reasoning_tokens=0),
            total_tokens=read + written,
        ),
    )


def _output(step: Call | str) -> Sequence[Item]:
    """What is asked of the person stands in the text as well: not everybody sees forms."""
    match step:
        case Ask():
            return [_message(step.saying), _function_call(step)]
        case Call():
            return [_function_call(step)]
    return [_message(step)]


def _function_call(call: Call) -> ResponseFunctionToolCall:
    return ResponseFunctionToolCall(
        type="function_call",
        id=_new_id("fc"),
        call_id=_new_id("call"),
        name=call.tool,
        arguments=json.dumps(call.arguments, ensure_ascii=False),
        status="completed",
    )


def _message(text: str) -> ResponseOutputMessage:
    part = ResponseOutputText(type="output_text", text=text, annotations=[], logprobs=[])
    return ResponseOutputMessage(
        type="message", id=_new_id("msg"), role="assistant", status="completed", content=[part]
    )


def _written(item: Item) -> str:
    if isinstance(item, ResponseFunctionToolCall):
        return item.arguments
    [part] = item.content
    assert isinstance(part, ResponseOutputText)
    return part.text


def _new_id(kind: str) -> str:
    return f"{kind}_{secrets.token_hex(16)}"


def _tokens(text: str) -> int:
    return math.ceil(len(text.encode("utf-8", "replace")) / BYTES_PER_TOKEN)


def _events(response: Response) -> Iterator[TResponseStreamEvent]:
    """The same response as a stream."""
    number = count()
    begun = response.model_copy(update={"status": "in_progress", "output": [], "usage": None})
    yield ResponseCreatedEvent(type="response.created", response=begun, sequence_number=next(number))
    for index, item in enumerate(response.output):
        assert isinstance(item, Item)
        yield from _item_events(item, number, {"output_index": index})
    yield ResponseCompletedEvent(type="response.completed", response=response, sequence_number=next(number))


def _item_events(item: Item, number: Iterator[int], place: dict[str, Any]) -> Iterator[TResponseStreamEvent]:
    is_message = isinstance(item, ResponseOutputMessage)
    empty = item.model_copy(update={"status": "in_progress", **({"content": []} if is_message else {"arguments": ""})})
    yield ResponseOutputItemAddedEvent(
        type="response.output_item.added", item=empty, sequence_number=next(number), **place
    )
    if isinstance(item, ResponseOutputMessage):
        yield from _text_events(item, number, {**place, "item_id": item.id, "content_index": 0})
    yield ResponseOutputItemDoneEvent(
        type="response.output_item.done", item=item, sequence_number=next(number), **place
    )


def _text_events(
    message: ResponseOutputMessage, number: Iterator[int], place: dict[str, Any]
) -> Iterator[TResponseStreamEvent]:
    [part] = message.content
    assert isinstance(part, ResponseOutputText)
    yield ResponseContentPartAddedEvent(
        type="response.content_part.added",
        part=part.model_copy(update={"text": ""}),
        sequence_number=next(number),
        **place,
    )
    for word in re.findall(r"\S+\s*|\s+", part.text):
        yield ResponseTextDeltaEvent(
            type="response.output_text.delta", delta=word, logprobs=[], sequence_number=next(number), **place
        )
    yield ResponseTextDoneEvent(
        type="response.output_text.done", text=part.text, logprobs=[], sequence_number=next(number), **place
    )
    yield ResponseContentPartDoneEvent(
        type="response.content_part.done", part=part, sequence_number=next(number), **place
    )
