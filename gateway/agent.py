"""The agent: which words it gets and which tools it may call, converted once for everybody."""

from collections.abc import Collection
from pathlib import Path
from typing import Any, Final

from agents import Agent, FunctionToolResult, Model, RunContextWrapper, Tool, ToolsToFinalOutputResult
from agents.mcp import MCPUtil
from mcp_types import Tool as McpTool

from gateway.answering.context import AnswerContext
from gateway.asking import ask_person
from gateway.client_tools import CLIENT_TOOLS
from gateway.front import ToolFront

INSTRUCTIONS: Final = (Path(__file__).parent / "instructions.md").read_text(encoding="utf-8").strip()
NAME: Final = "assistant"  # constant: a run saved under another name could not be resumed

ChatAgent = Agent[AnswerContext]


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
        self._agent = self._build([*converted, ask_person()], instructions)
        self._built_of = (tools, instructions)
        return self._agent

    def without_tools(self) -> ChatAgent:
        """The agent while the tool server has never been reached."""
        return self._build([], "")

    def _build(self, tools: list[Tool], instructions: str) -> ChatAgent:
        words = f"{INSTRUCTIONS}\n\n{instructions}" if instructions else INSTRUCTIONS
        return Agent(name=NAME, instructions=words, model=self._model, tools=tools, tool_use_behavior=_until_asked)


def narrowed(agent: ChatAgent, names: Collection[str] | None, client_tools: Collection[str]) -> ChatAgent:
    """The agent with only the named tools of the tool server, and with those that this page can run."""
    if names is None and not client_tools:
        return agent
    kept = [tool for tool in agent.tools if names is None or tool.name in names]
    return agent.clone(tools=[*kept, *(CLIENT_TOOLS[name] for name in sorted(client_tools))])


def _until_asked(
    context: RunContextWrapper[AnswerContext], _results: list[FunctionToolResult]
) -> ToolsToFinalOutputResult:
    """A run ends where the person or the page has to act first; otherwise the model reads what the tools said."""
    toolbox = context.context.toolbox
    waits = context.context.asked or context.context.client_tool_call is not None or bool(toolbox.held)
    ends = waits or toolbox.signed_out
    return ToolsToFinalOutputResult(is_final_output=ends, final_output="" if ends else None)
