"""Tools that ask in every way a tool may, beside the product's own: offered by the real tool server."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from fastmcp import Context
from fastmcp.dependencies import CurrentContext
from fastmcp.tools.base import ToolResult
from mcp_types import (
    CreateMessageRequest,
    CreateMessageRequestParams,
    ElicitRequest,
    ElicitRequestFormParams,
    ElicitRequestURLParams,
    ElicitResult,
    InputRequest,
    InputRequiredResult,
    InputResponses,
    SamplingMessage,
    TextContent,
    ToolAnnotations,
)

from mcp_server.offered import Offer, offered
from mcp_server.tools.surface import TaskTool, adds, make_tool, reads
from mcp_server.tools.wire import Face

TheContext: Final[Context] = CurrentContext()
Run = Callable[..., Awaitable[ToolResult | InputRequiredResult]]

TRIP: Final[Mapping[str, Any]] = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "title": "Your name"},
        "seats": {"type": "integer", "title": "How many seats?", "minimum": 1, "maximum": 4},
        "meal": {"type": "string", "oneOf": [{"const": "v", "title": "Vegetarian"}, {"const": "m", "title": "Meat"}]},
        "window": {"type": "boolean", "title": "At the window?"},
    },
    "required": ["name", "seats"],
}
NESTED: Final[Mapping[str, Any]] = {
    "type": "object",
    "properties": {"address": {"type": "object", "properties": {"city": {"type": "string"}}}},
}


@dataclass(slots=True)
class AskingServer:
    """The tools, and how often each of them has really done something."""

    done: Counter[str] = field(default_factory=Counter)
    # What the ticket office says before the form; a test may change its mind.
    words: str = "Book a trip."
    page: str = "https://pay.example.com/cart?id=7"
    # One tool only ends when it is cut: here it says that it has begun, and that it was.
    begun: asyncio.Event = field(default_factory=asyncio.Event)
    cut: asyncio.Event = field(default_factory=asyncio.Event)

    def offer(self) -> Offer:
        """Everything the product offers, and these."""
        ours = offered(queries=False)
        tools = [
            self._tool("book", self._book, hints=adds),
            self._tool("two_rounds", self._two_rounds, hints=adds),
            self._tool("endless", self._endless, hints=adds),
            self._tool("pay", self._pay, hints=adds),
            self._tool("sample", self._sample, hints=adds),
            self._tool("nested", self._nested, hints=adds),
            self._foreign("wipe", None),
            self._foreign("shred", ToolAnnotations(destructive_hint=True)),
            self._foreign("append", ToolAnnotations(destructive_hint=False)),
            self._foreign("look", ToolAnnotations(read_only_hint=True)),
            self._foreign_that_asks("burn"),
            self._stripped(self._tool("linger", self._linger), None),
        ]
        return Offer([*ours.tools, *tools], ours.resources, ours.templates, ours.prompts, ours.complete)

    def _tool(self, name: str, run: Run, hints: Any = reads) -> TaskTool:
        schema = {"type": "object", "properties": {}, "additionalProperties": False}
        face = Face(name.replace("_", " ").capitalize(), f"{name}, for the tests.", schema, {})
        return make_tool(run, hints=hints, scope="tasks:read", view="receipt", face=face).model_copy(
            update={"name": name}
        )

    def _foreign(self, name: str, annotations: ToolAnnotations | None) -> TaskTool:
        """A tool as other servers have them: all that is known of it are its hints."""

        async def run() -> ToolResult:
            self.done[name] += 1
            return _said(f"{name} is done")

        return self._stripped(self._tool(name, run), annotations)

    def _foreign_that_asks(self, name: str) -> TaskTool:
        async def run(context: Context = TheContext) -> ToolResult | InputRequiredResult:
            ask = {"sure": _form("Really?", {"ok": {"type": "boolean", "title": "Burn it"}}, ["ok"])}
            answer = _answer(context, "sure")
            if answer is None:
                return InputRequiredResult(input_requests=ask, request_state="sure")
            if answer.action != "accept" or (answer.content or {}).get("ok") is not True:
                return _said("not burnt")
            self.done[name] += 1
            return _said("burnt")

        return self._stripped(self._tool(name, run), None)

    def _stripped(self, tool: TaskTool, annotations: ToolAnnotations | None) -> TaskTool:
        return tool.model_copy(update={"annotations": annotations, "meta": {"taskgate/scopes": ["tasks:read"]}})

    async def _linger(self) -> ToolResult:
        self.begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            self.cut.set()
        return _said("never")

    async def _book(self, context: Context = TheContext) -> ToolResult | InputRequiredResult:
        answer = _answer(context, "trip")
        if answer is None:
            form = ElicitRequestFormParams(message=self.words, requested_schema=dict(TRIP))
            return InputRequiredResult(input_requests={"trip": ElicitRequest(params=form)}, request_state="the trip")
        if answer.action != "accept":
            return _said("not booked: declined")
        self.done["book"] += 1
        return _said(f"booked: {sorted((answer.content or {}).items())}")

    async def _two_rounds(self, context: Context = TheContext) -> ToolResult | InputRequiredResult:
        match context.request_state, _answer(context, "first"), _answer(context, "second"):
            case "second", _, ElicitResult() as second:
                self.done["two_rounds"] += 1
                return _said(f"colour: {(second.content or {}).get('colour')}")
            case "first", ElicitResult(), _:
                ask = {"second": _form("And a colour?", {"colour": {"type": "string", "enum": ["red", "blue"]}})}
                return InputRequiredResult(input_requests=ask, request_state="second")
        ask = {"first": _form("A name?", {"name": {"type": "string"}})}
        return InputRequiredResult(input_requests=ask, request_state="first")

    async def _endless(self, context: Context = TheContext) -> ToolResult | InputRequiredResult:
        number = int(context.request_state or "0") + 1
        ask = {"more": _form(f"Question {number}?", {"answer": {"type": "string"}})}
        return InputRequiredResult(input_requests=ask, request_state=str(number))

    async def _pay(self, context: Context = TheContext) -> ToolResult | InputRequiredResult:
        answer = _answer(context, "page")
        if answer is None:
            page = ElicitRequestURLParams(message="Pay 12 euros.", url=self.page)
            return InputRequiredResult(input_requests={"page": ElicitRequest(params=page)}, request_state="paying")
        if answer.action != "accept":
            return _said("not paid: declined")
        self.done["pay"] += 1
        return _said("paid")

    async def _sample(self, context: Context = TheContext) -> ToolResult | InputRequiredResult:
        asked = SamplingMessage(role="user", content=TextContent(type="text", text="Who am I?"))
        request: InputRequest = CreateMessageRequest(params=CreateMessageRequestParams(messages=[asked], max_tokens=9))
        return InputRequiredResult(input_requests={"model": request})

    async def _nested(self, context: Context = TheContext) -> ToolResult | InputRequiredResult:
        form = ElicitRequestFormParams(message="Where?", requested_schema=dict(NESTED))
        return InputRequiredResult(input_requests={"where": ElicitRequest(params=form)})


def _form(message: str, properties: dict[str, Any], required: list[str] | None = None) -> ElicitRequest:
    schema = {"type": "object", "properties": properties, "required": required or []}
    return ElicitRequest(params=ElicitRequestFormParams(message=message, requested_schema=schema))


def _answer(context: Context, key: str) -> ElicitResult | None:
    responses: InputResponses = context.input_responses or {}
    found = responses.get(key)
    return found if isinstance(found, ElicitResult) and context.request_state is not None else None


def _said(text: str) -> ToolResult:
    return ToolResult(content=[TextContent(type="text", text=text)], structured_content={})
