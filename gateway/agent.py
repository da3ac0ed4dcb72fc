"""The agent and the model behind it: which model, which words it gets, and its tools, converted once for everybody."""

import logging
from collections.abc import AsyncIterator, Iterable
from pathlib import Path
from secrets import token_hex
from typing import Any, Final

from agents import (
    Agent,
    Model,
    OpenAIChatCompletionsModel,
    OpenAIResponsesModel,
    RunContextWrapper,
    Tool,
    TResponseInputItem,
)
from agents.items import TResponseStreamEvent
from agents.mcp import MCPUtil
from agents.models import get_default_model
from chatkit.agents import AgentContext
from mcp_types import Tool as McpTool
from openai import AsyncOpenAI, OpenAIError
from openai import Timeout as ModelTimeout
from openai.types.responses import (
    ResponseCompletedEvent,
    ResponseFunctionToolCall,
    ResponseOutputItem,
    ResponseOutputItemAddedEvent,
    ResponseOutputItemDoneEvent,
)
from typing_extensions import override

from gateway.offline import OfflineModel
from gateway.settings import GatewaySettings
from gateway.toolbox import ToolFront
from gateway.turn import Turn

log = logging.getLogger(__name__)

INSTRUCTIONS: Final = (Path(__file__).parent / "instructions.md").read_text(encoding="utf-8").strip()
NAME: Final = "assistant"  # constant: a run saved under another name could not be resumed
OFFLINE: Final = "offline"
WORD_DELAY_S: Final = 0.02  # so that people see the offline model's answer grow
CATALOGUE_LIMIT_S: Final = 3.0

ChatAgent = Agent[AgentContext[Turn]]


class CompletionsModel(OpenAIChatCompletionsModel):
    """A model behind Chat Completions, with an id of ours for each tool call whose own is missing or taken.

    Some servers call every one of them by the same name, or by none; the SDK would skip or refuse the next call.
    """

    @override
    async def stream_response(
        self, system_instructions: str | None, input: str | list[TResponseInputItem], *args: Any, **kwargs: Any
    ) -> AsyncIterator[TResponseStreamEvent]:
        taken: set[object] = {"", *(item.get("call_id") for item in input if isinstance(item, dict))}
        ids: dict[int, str] = {}
        async for event in super().stream_response(system_instructions, input, *args, **kwargs):
            for index, item in _items(event):
                if isinstance(item, ResponseFunctionToolCall):
                    if index not in ids:
                        ids[index] = token_hex(16) if item.call_id in taken else item.call_id
                        taken.add(ids[index])
                    item.call_id = ids[index]
            yield event


def _items(event: TResponseStreamEvent) -> Iterable[tuple[int, ResponseOutputItem]]:
    """The items an event brings, with their places in the response."""
    match event:
        case ResponseOutputItemAddedEvent() | ResponseOutputItemDoneEvent():
            return [(event.output_index, event.item)]
        case ResponseCompletedEvent():
            return enumerate(event.response.output)
    return []


class Assistant:
    """The one agent, built anew only when the tools on offer have changed."""

    def __init__(self, model: Model, front: ToolFront) -> None:
        self._model = model
        self._front = front
        self._built_of: tuple[tuple[McpTool, ...], str] | None = None
        self._agent: ChatAgent = self._build([], "")

    async def with_tools(self, tools: tuple[McpTool, ...], instructions: str) -> ChatAgent:
        """The agent that may call these tools; with none, it can still talk."""
        if self._built_of == (tools, instructions):
            return self._agent
        self._front.offer(tools)
        converted: list[Tool] = await MCPUtil.get_function_tools(
            self._front,
            convert_schemas_to_strict=False,
            run_context=RunContextWrapper[Any](context=None),
            agent=self._agent,
            failure_error_function=None,
        )
        self._agent = self._build(converted, instructions)
        self._built_of = (tools, instructions)
        return self._agent

    def without_tools(self) -> ChatAgent:
        """The agent while the tool server has never been reached."""
        return self._build([], "")

    def _build(self, tools: list[Tool], instructions: str) -> ChatAgent:
        words = f"{INSTRUCTIONS}\n\n{instructions}" if instructions else INSTRUCTIONS
        return Agent(name=NAME, instructions=words, model=self._model, tools=tools)


async def choose_model(settings: GatewaySettings) -> tuple[str, Model]:
    """The configured model and what to call it: offline unless a key, a URL or a name says otherwise."""
    name, url = settings.model, settings.model_url
    key = settings.model_key.get_secret_value() if settings.model_key is not None else ""
    if name == OFFLINE or not (name or url or key):
        return "offline model", OfflineModel(delay_s=WORD_DELAY_S)
    client = AsyncOpenAI(
        api_key=key or "none",
        base_url=url or None,
        timeout=ModelTimeout(45.0, connect=5.0, pool=5.0),
        max_retries=1,
    )
    if name.startswith("openai:") or not url:
        chosen = name.removeprefix("openai:") or get_default_model()
        return chosen, OpenAIResponsesModel(model=chosen, openai_client=client)
    chosen = name or await _first_offered(client)
    return chosen, CompletionsModel(model=chosen, openai_client=client)


async def _first_offered(client: AsyncOpenAI) -> str:
    """What a server with one model calls it; people who have several name theirs."""
    try:
        async for model in client.with_options(timeout=CATALOGUE_LIMIT_S, max_retries=0).models.list():
            return model.id
    except OpenAIError as error:
        log.warning("the model server did not say what it offers", extra={"error_class": type(error).__name__})
    return get_default_model()
