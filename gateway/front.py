"""What the Agents SDK holds as its MCP server: it leads each call to the toolbox of the turn that is calling."""

from typing import Any

from agents import AgentBase, RunContextWrapper
from agents.mcp import MCPServer
from agents.mcp.util import MCPToolMetaContext
from agents.tool_context import ToolContext
from chatkit.agents import AgentContext
from mcp_types import CallToolResult, GetPromptResult, ListPromptsResult, Tool

from gateway.toolbox import SignInNeeded, Toolbox, said
from gateway.turn import Turn
from shared.errors import Problem


class ToolFront(MCPServer):
    """One front serves all turns, so the SDK converts the tools once and not before every call of the model."""

    def __init__(self) -> None:
        super().__init__(
            use_structured_content=False,
            failure_error_function=None,
            tool_meta_resolver=_whose,
        )
        self._open: dict[str, Toolbox] = {}
        self._tools: tuple[Tool, ...] = ()

    @property
    def name(self) -> str:
        return "taskgate"

    def offer(self, tools: tuple[Tool, ...]) -> None:
        """The tools that the SDK may convert next."""
        self._tools = tools

    def admit(self, key: str, toolbox: Toolbox) -> None:
        """From now on this turn may call."""
        self._open[key] = toolbox

    def dismiss(self, key: str) -> None:
        """This turn is over; a call that comes late finds nobody."""
        self._open.pop(key, None)

    async def connect(self) -> None:
        """The connection belongs to the process, not to an agent."""

    async def cleanup(self) -> None:
        """The connection belongs to the process, not to an agent."""

    async def list_tools(
        self, run_context: RunContextWrapper[Any] | None = None, agent: AgentBase | None = None
    ) -> list[Tool]:
        return list(self._tools)

    async def call_tool(
        self, tool_name: str, arguments: dict[str, Any] | None, meta: dict[str, Any] | None = None
    ) -> CallToolResult:
        whose = meta or {}
        toolbox = self._open.get(whose.get("taskgate/turn", ""))
        if toolbox is None:
            raise SignInNeeded
        try:
            return await toolbox.call(tool_name, arguments or {}, whose.get("taskgate/call"))
        except SignInNeeded:
            # Raised through the SDK, it would take with it what the model has said and nobody has read yet.
            toolbox.signed_out = True
            return said("sign_in: this person's sign-in has ended. Nothing was done.")

    async def list_prompts(self) -> ListPromptsResult:
        return ListPromptsResult(prompts=[])

    async def get_prompt(self, name: str, arguments: dict[str, Any] | None = None) -> GetPromptResult:
        raise Problem("not_found", f"there is no prompt {name[:40]!r}")


def _whose(context: MCPToolMetaContext) -> dict[str, Any]:
    """Which turn a call belongs to, and the model's id of it. It never leaves the process."""
    agent_context = context.run_context.context
    assert isinstance(agent_context, AgentContext)
    turn = agent_context.request_context
    assert isinstance(turn, Turn)
    call_id = context.run_context.tool_call_id if isinstance(context.run_context, ToolContext) else None
    return {"taskgate/turn": turn.id, "taskgate/call": call_id}
