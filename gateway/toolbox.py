"""Tools as one caller in one turn: his tokens, his order of calls, his errors in plain words."""

import asyncio
import hashlib
import json
import logging
import time
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, Final

from agents import AgentBase, RunContextWrapper
from agents.mcp import MCPServer
from agents.mcp.util import MCPToolMetaContext
from chatkit.agents import AgentContext
from mcp import MCPError
from mcp_types import (
    CONNECTION_CLOSED,
    INVALID_PARAMS,
    REQUEST_TIMEOUT,
    CallToolResult,
    GetPromptResult,
    ListPromptsResult,
    TextContent,
    Tool,
)

from gateway.connection import BUSY, FORBIDDEN, UNAUTHENTICATED, UNKNOWN, UNSENT, Connection, scopes_of
from gateway.turn import Turn
from shared.errors import Problem
from shared.telemetry import REQUEST_ID
from shared.tokens import Signer

log = logging.getLogger(__name__)

CALLS_PER_TURN: Final = 30
LEFT_TO_CALL_S: Final = 2
REPEAT_AFTER_S: Final = 0.2
UNKNOWN_OUTCOME: Final = "unknown_outcome: it may have been done. Fix: check with tasks_find before repeating."

# What the model reads of a call that failed outside of the tool; the SDK's own texts hold addresses and dumps.
EXPLAINED: Final = {
    FORBIDDEN: "forbidden: this person's sign-in does not permit it. Fix: tell the user; do not retry.",
    BUSY: "busy: too many calls. Fix: wait, or do less per turn.",
    UNSENT: "unavailable: the task service is away. Nothing was changed. Fix: tell the user.",
    UNKNOWN: UNKNOWN_OUTCOME,
    CONNECTION_CLOSED: UNKNOWN_OUTCOME,
    REQUEST_TIMEOUT: UNKNOWN_OUTCOME,
    INVALID_PARAMS: "unknown_tool: the task service does not know this tool any more. Fix: tell the user.",
}


class SignInNeeded(Exception):
    """Nobody is signed in any more for whom to call: the turn ends and the person signs in again."""


class Toolbox:
    """The connection as one caller in one turn: his tokens, his order of calls, his errors in plain words."""

    def __init__(self, connection: Connection, signer: Signer, audience: str, turn: Turn, anchor: str) -> None:
        self._connection = connection
        self._signer = signer
        self._audience = audience
        self._turn = turn
        self._anchor = anchor  # the message being answered: repeats of the turn make the same idempotency keys
        self._tools: dict[str, Tool] = {}
        self._running: list[tuple[bool, asyncio.Future[None]]] = []
        self._seen: dict[str, int] = {}
        self._calls = 0

    async def tools(self) -> tuple[Tool, ...]:
        """What this turn may call. Raises `Problem` while the tool server has never been reached."""
        try:
            tools = await self._connection.tools(partial(self._token, ()))
        except MCPError as error:
            if error.code == UNAUTHENTICATED:
                raise SignInNeeded from error
            raise Problem("unavailable", "the task service is away", "try again in a moment") from error
        self._tools = {tool.name: tool for tool in tools}
        return tools

    def title(self, name: str) -> str:
        """What people call a tool."""
        tool = self._tools.get(name)
        return (tool.title if tool else None) or name

    async def call(self, name: str, arguments: Mapping[str, Any]) -> CallToolResult:
        """Call a tool. What can be explained to the model comes back as an error result; a lost sign-in is raised."""
        self._calls += 1
        if self._calls > CALLS_PER_TURN:
            return _said("too_many: this answer has used all its tool calls. Fix: answer with what you have.")
        tool = self._tools.get(name)
        scopes = scopes_of(tool) if tool is not None else None
        if tool is None or scopes is None:
            return _said(f"unknown_tool: there is no tool {name[:40]!r}.")
        writes = not (tool.annotations is not None and tool.annotations.read_only_hint)
        done = await self._wait_for_earlier(writes=writes)
        try:
            return await self._send(name, arguments, scopes)
        except MCPError as error:
            return self._explained(error)
        except Problem as problem:
            return _said(str(problem))
        finally:
            done.set_result(None)

    async def _send(self, name: str, arguments: Mapping[str, Any], scopes: Sequence[str]) -> CallToolResult:
        meta = self._meta(name, arguments)
        try:
            return await self._connection.call(await self._token(scopes), name, arguments, meta)
        except MCPError as error:
            if error.code not in {UNSENT, UNKNOWN}:
                raise
            first = error
        # Once more, and safely: the same idempotency key, so what was done is not done again.
        await asyncio.sleep(REPEAT_AFTER_S)
        try:
            return await self._connection.call(await self._token(scopes), name, arguments, meta)
        except (MCPError, Problem) as error:
            # A repeat that was refused says nothing about a first try that was cut.
            if first.code == UNKNOWN and error.code != UNAUTHENTICATED:
                raise first from error
            raise

    async def _wait_for_earlier(self, *, writes: bool) -> asyncio.Future[None]:
        """Keep the model's order: all tools of a step start at once, but a write waits for everything before it, and a
        read for the writes before it."""
        earlier = [future for wrote, future in self._running if wrote or writes]
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._running.append((writes, done))
        try:
            for future in earlier:
                await asyncio.shield(future)
        except asyncio.CancelledError:
            done.set_result(None)
            raise
        return done

    async def _token(self, scopes: Sequence[str]) -> str:
        """A token for one call as the person asking, who may have signed out or lost a permission since the last."""
        try:
            caller = await self._turn.caller_now()
        except Problem as problem:
            if problem.code == "sign_in":
                raise SignInNeeded from problem
            raise
        if caller.expires_at - time.time() < LEFT_TO_CALL_S:
            raise SignInNeeded
        if not all(caller.may(scope) for scope in scopes):
            raise Problem("forbidden", f"this needs {', '.join(scopes)}", "tell the user; do not retry")
        return self._signer.delegate(caller, self._audience, scopes, request_id=self._turn.request_id)

    def _meta(self, name: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
        canonical = json.dumps([self._anchor, name, arguments], sort_keys=True, separators=(",", ":"))
        nth = self._seen[canonical] = self._seen.get(canonical, 0) + 1
        meta = {"taskgate/request_id": hashlib.sha256(f"{canonical} {nth}".encode()).hexdigest()}
        if self._turn.time_zone:
            meta["taskgate/tz"] = self._turn.time_zone
        return meta

    def _explained(self, error: MCPError) -> CallToolResult:
        log.info("tool call failed", extra={"code": error.code})
        if error.code == UNAUTHENTICATED:
            raise SignInNeeded from error
        if error.code == INVALID_PARAMS:
            self._connection.forget_tools()
        if known := EXPLAINED.get(error.code):
            return _said(known)
        return _said(f"internal: something went wrong. Reference {REQUEST_ID.get()}.")


class ToolFront(MCPServer):
    """What the Agents SDK holds as its MCP server: it finds the toolbox of the turn that is calling.

    One front serves all turns, so the SDK converts the tools once and not before every call of the model.
    """

    def __init__(self) -> None:
        super().__init__(
            use_structured_content=False,
            failure_error_function=None,
            tool_meta_resolver=lambda context: {"taskgate/turn": _turn_of(context)},
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
        toolbox = self._open.get((meta or {}).get("taskgate/turn", ""))
        if toolbox is None:
            raise SignInNeeded
        return await toolbox.call(tool_name, arguments or {})

    async def list_prompts(self) -> ListPromptsResult:
        return ListPromptsResult(prompts=[])

    async def get_prompt(self, name: str, arguments: dict[str, Any] | None = None) -> GetPromptResult:
        raise Problem("not_found", f"there is no prompt {name[:40]!r}")


def _turn_of(context: MCPToolMetaContext) -> str:
    agent_context = context.run_context.context
    assert isinstance(agent_context, AgentContext)
    turn = agent_context.request_context
    assert isinstance(turn, Turn)
    return turn.id


def _said(text: str) -> CallToolResult:
    return CallToolResult(content=[TextContent(type="text", text=text)], is_error=True)
