"""Tools as one caller in one turn: his tokens, his order of calls, his errors in plain words."""

import asyncio
import hashlib
import json
import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from mcp import MCPError
from mcp_types import (
    CONNECTION_CLOSED,
    INVALID_PARAMS,
    REQUEST_TIMEOUT,
    CallToolResult,
    InputRequiredResult,
    InputResponses,
    TextContent,
    Tool,
)

from gateway.approvals import (
    CONSENT,
    MOST_ROUNDS,
    TOO_OFTEN,
    UNASKABLE,
    WAITING,
    Held,
    held_by_tool,
    held_for_approval,
    needs_approval,
    same_questions,
)
from gateway.attachments import FileReading
from gateway.connection import BUSY, FORBIDDEN, UNAUTHENTICATED, UNKNOWN, UNSENT, Connection, scopes_of
from gateway.questions.fields import Unaskable
from gateway.turn import Turn
from shared.errors import Problem
from shared.telemetry import REQUEST_ID
from shared.tokens import Signer

log = logging.getLogger(__name__)

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


@dataclass(frozen=True, slots=True)
class Finished:
    """A call that has ended, as the tool server answered it."""

    tool: str
    arguments: Mapping[str, Any]
    result: CallToolResult
    away: bool = False  # the tool server was not reached


class Toolbox:
    """The connection as one caller in one turn: his tokens, his order of calls, his errors in plain words."""

    def __init__(
        self,
        connection: Connection,
        signer: Signer,
        audience: str,
        turn: Turn,
        anchor: str,
        most_calls: int,
        files: FileReading | None,
    ) -> None:
        self._connection = connection
        self._files = files
        self._signer = signer
        self._audience = audience
        self._turn = turn
        self._anchor = anchor  # the message being answered: repeats of the turn make the same idempotency keys
        self._tools: dict[str, Tool] = {}
        self._running: list[tuple[bool, asyncio.Future[None]]] = []
        self._seen: dict[str, int] = {}
        self._calls = 0
        self._most_calls = most_calls
        self._finished: dict[str, Finished] = {}
        self.writes = 0  # calls that may have changed something
        self.held: list[Held] = []  # calls that wait for the person
        self.signed_out = False  # the person's sign-in has ended: the run does as well

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

    @property
    def is_empty(self) -> bool:
        """Whether nothing can be called, because the tool server has never been reached."""
        return not self._tools

    def described(self, name: str) -> Tool | None:
        """A tool as the tool server describes it; None for what is no tool of its."""
        return self._tools.get(name)

    def title(self, name: str) -> str:
        """What people call a tool."""
        tool = self._tools.get(name)
        return self._turn.translated((tool.title if tool else None) or name)

    def finished(self, call_id: str) -> Finished | None:
        """How the call of this id ended."""
        return self._finished.get(call_id)

    @property
    def results(self) -> Sequence[Finished]:
        """All calls of the model that have ended, oldest first."""
        return tuple(self._finished.values())

    async def call(self, name: str, arguments: Mapping[str, Any], call_id: str | None = None) -> CallToolResult:
        """Call a tool. What can be explained to the model comes back as an error result; a lost sign-in is raised."""
        self._calls += 1
        if self._calls > self._most_calls:
            return said("too_many: this answer has used all its tool calls. Fix: answer with what you have.")
        tool = self._tools.get(name)
        if tool is None or scopes_of(tool) is None:
            return said(f"unknown_tool: there is no tool {name[:40]!r}.")
        key = self._key(name, arguments)
        if needs_approval(tool):
            return self._wait(held_for_approval(tool, arguments, key), call_id)
        result = await self._made(tool, arguments, key, call_id)
        if isinstance(result, CallToolResult):
            return result
        try:
            return self._wait(held_by_tool(tool, arguments, key, result), call_id)
        except Unaskable:
            return said(UNASKABLE)

    async def resume(self, held: Held, answers: InputResponses, call_id: str) -> CallToolResult | None:
        """Make a call that waited, with the person's answers; None if it waits again: its tool asks otherwise now."""
        tool = self._tools.get(held.tool)
        if tool is None:
            return said(EXPLAINED[UNSENT if self.is_empty else INVALID_PARAMS])
        result = await self._made(tool, held.arguments, held.key, call_id, held, answers)
        if isinstance(result, CallToolResult):
            return result
        if held.round >= MOST_ROUNDS:
            return said(TOO_OFTEN)
        try:
            self.held.append(held_by_tool(tool, held.arguments, held.key, result, round_=held.round + 1))
        except Unaskable:
            return said(UNASKABLE)
        return None

    def _wait(self, held: Held, call_id: str | None) -> CallToolResult:
        """Keep a call until the person has answered. Behind a button there is no answer to go on."""
        if call_id is None:
            return said(CONSENT)
        self.held.append(held)
        result = CallToolResult(content=[TextContent(type="text", text=WAITING)])
        self._finished[call_id] = Finished(held.tool, held.arguments, result)
        return result

    async def _made(
        self,
        tool: Tool,
        arguments: Mapping[str, Any],
        key: str,
        call_id: str | None,
        held: Held | None = None,
        answers: InputResponses | None = None,
    ) -> CallToolResult | InputRequiredResult:
        """Make a call in its turn. Its end is remembered; a question ends nothing."""
        writing = writes(tool)
        done = await self._wait_for_earlier(writes=writing)
        away = False
        result: CallToolResult | InputRequiredResult
        try:
            if held is None:
                result = await self._send(tool, arguments, key)
            else:
                result = await self._send_answers(tool, held, answers or {})
        except MCPError as error:
            away = error.code == UNSENT
            result = self._explained(error)
        except Problem as problem:
            result = said(str(problem))
        finally:
            done.set_result(None)
            self.writes += writing
        if call_id is not None and isinstance(result, CallToolResult):
            self._finished[call_id] = Finished(tool.name, arguments, result, away)
        return result

    async def _send_answers(
        self, tool: Tool, held: Held, answers: InputResponses
    ) -> CallToolResult | InputRequiredResult:
        """Answer a tool. A state that it no longer takes is no reason to ask the person the same thing again."""
        if not answers:
            return await self._send(tool, held.arguments, held.key)
        try:
            return await self._send(tool, held.arguments, held.key, answers, held.state)
        except MCPError as error:
            if error.code != INVALID_PARAMS or held.state is None:
                raise
        asked = await self._send(tool, held.arguments, held.key)
        if isinstance(asked, InputRequiredResult) and same_questions(held, asked):
            return await self._send(tool, held.arguments, held.key, answers, asked.request_state)
        return asked

    async def _send(
        self,
        tool: Tool,
        arguments: Mapping[str, Any],
        key: str,
        answers: InputResponses | None = None,
        state: str | None = None,
    ) -> CallToolResult | InputRequiredResult:
        scopes = scopes_of(tool) or ()
        if self._files is not None:
            # Only on the wire: whatever else holds the arguments, now and later, holds the name of the file.
            arguments = await self._files.filled(tool, arguments, self._turn)
        meta = {"taskgate/request_id": key}
        if self._turn.time_zone:
            meta["taskgate/tz"] = self._turn.time_zone

        async def once() -> CallToolResult | InputRequiredResult:
            bearer = await self._token(scopes)
            return await self._connection.call(bearer, tool.name, arguments, meta, answers, state)

        try:
            return await once()
        except MCPError as error:
            if error.code not in {UNSENT, UNKNOWN}:
                raise
            first = error
        # Once more, and safely: the same idempotency key, so what was done is not done again.
        await asyncio.sleep(REPEAT_AFTER_S)
        try:
            return await once()
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

    def _key(self, name: str, arguments: Mapping[str, Any]) -> str:
        """The idempotency key of a call: the same for the n-th call of its kind, however often the turn is repeated."""
        canonical = json.dumps([self._anchor, name, arguments], sort_keys=True, separators=(",", ":"))
        nth = self._seen[canonical] = self._seen.get(canonical, 0) + 1
        return hashlib.sha256(f"{canonical} {nth}".encode()).hexdigest()

    def _explained(self, error: MCPError) -> CallToolResult:
        log.info("tool call failed", extra={"code": error.code})
        if error.code == UNAUTHENTICATED:
            raise SignInNeeded from error
        if error.code == INVALID_PARAMS:
            self._connection.forget_tools()
        if known := EXPLAINED.get(error.code):
            return said(known)
        return said(f"internal: something went wrong. Reference {REQUEST_ID.get()}.")


def writes(tool: Tool) -> bool:
    """Whether a tool may change something: all do that do not say otherwise."""
    return not (tool.annotations is not None and tool.annotations.read_only_hint)


class Toolboxes:
    """Opens the toolbox of a turn."""

    def __init__(
        self, connection: Connection, signer: Signer, audience: str, most_calls: int, files: FileReading | None = None
    ) -> None:
        self._connection = connection
        self._files = files
        self._signer = signer
        self._audience = audience
        self._most_calls = most_calls

    @property
    def instructions(self) -> str:
        """What the tool server tells models about itself, empty until it was first reached, and how it gets files."""
        theirs = self._connection.instructions
        return theirs if self._files is None else f"{theirs}\n\n{self._files.instructions}"

    def writes(self, name: str) -> bool:
        """Whether the tool of this name may change something; also one that is gone."""
        tool = next((tool for tool in self._connection.known_tools if tool.name == name), None)
        return tool is None or writes(tool)

    def open(self, turn: Turn, anchor: str) -> Toolbox:
        """The toolbox of this turn. The same calls under the same anchor are done once, however often they are made."""
        return Toolbox(self._connection, self._signer, self._audience, turn, anchor, self._most_calls, self._files)


def text_of(result: CallToolResult) -> str:
    """What a model reads of a result."""
    return "\n".join(block.text for block in result.content if isinstance(block, TextContent))


def said(text: str) -> CallToolResult:
    """A refusal of ours in the form of a result."""
    return CallToolResult(content=[TextContent(type="text", text=text)], is_error=True)
