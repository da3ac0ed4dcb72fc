"""How a function becomes a tool: its schema on the wire, its hints and scope, and errors in our own words."""

import logging
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, Protocol
from unicodedata import category

import anyio
from fastmcp.exceptions import ToolError, ValidationError
from fastmcp.tools.base import ToolResult
from fastmcp.tools.function_tool import FunctionTool
from mcp import MCPError
from mcp_types import ToolAnnotations
from pydantic import ValidationError as PydanticValidationError

from mcp_server.access import current_caller
from shared.errors import Problem
from shared.telemetry import REQUEST_ID, caller_mark
from shared.tokens import SCOPES

log = logging.getLogger(__name__)

LIMIT_S: Final = 30.0


class _Hints(Protocol):
    def __call__(self, title: str, *, repeatable: bool = False) -> ToolAnnotations: ...


def _hints(*, read_only: bool, destructive: bool) -> _Hints:
    def make(title: str, *, repeatable: bool = False) -> ToolAnnotations:
        # Every hint is sent, because a missing one means the worst to a careful client.
        return ToolAnnotations(
            title=title,
            read_only_hint=read_only,
            destructive_hint=destructive,
            idempotent_hint=read_only or repeatable,
            open_world_hint=False,
        )

    return make


reads: Final = _hints(read_only=True, destructive=False)
adds: Final = _hints(read_only=False, destructive=False)
changes: Final = _hints(read_only=False, destructive=True)
removes: Final = changes


class TaskTool(FunctionTool):
    """A tool whose every failure is a sentence of ours: what is wrong and how to mend it."""

    async def run(self, arguments: dict[str, Any]) -> ToolResult:
        """Run the tool, and leave one line about it in the log: who, what, how it ended, and no word of the content."""
        try:
            result = await self._run_spoken(arguments)
        except ToolError as error:
            self._log(str(error).partition(":")[0])
            raise
        self._log("ok")
        return result

    def _log(self, outcome: str) -> None:
        caller = current_caller()
        mark = caller_mark(caller.issuer, caller.subject)
        log.info("tool call", extra={"tool": self.name, "caller": mark, "outcome": outcome})

    async def _run_spoken(self, arguments: dict[str, Any]) -> ToolResult:
        try:
            _require_storable(arguments, "the call")
            with anyio.fail_after(LIMIT_S):
                return await super().run(arguments)
        except ValidationError as error:
            raise _spoken(_argument_problem(error.__cause__)) from None
        except (ToolError, MCPError):
            raise
        except Exception as error:
            problem = _problem_behind(error)
            if problem is not None:
                raise _spoken(problem) from None
            if isinstance(error, TimeoutError):
                raise _spoken(
                    Problem("timeout", "this took too long; nothing was changed", "do less at once")
                ) from None
            log.exception("tool failed", extra={"tool": self.name})
            reference = REQUEST_ID.get()
            raise _spoken(Problem("internal", f"something went wrong. Reference {reference}.")) from None


def make_tool(
    function: Callable[..., Any],
    *,
    title: str,
    hints: _Hints,
    scope: str,
    view: str,
    parameters: Mapping[str, Any],
    output: Mapping[str, str],
    repeatable: bool = False,
) -> TaskTool:
    """The tool a function becomes. Its wire schema is written by hand beside it and costs a model no word too many;
    its output schema names only the top level, all of it optional."""
    if scope not in SCOPES:
        raise ValueError(f"{scope} is no scope")
    tool = TaskTool.from_function(
        function,
        title=title,
        annotations=hints(title, repeatable=repeatable),
        output_schema={"type": "object", "properties": {name: {"type": kind} for name, kind in output.items()}},
        meta={"taskgate/scopes": [scope], "taskgate/view": view},
    )
    assert isinstance(tool, TaskTool)
    known = set(tool.parameters["properties"])
    if known != set(parameters["properties"]):
        raise ValueError(f"{tool.name}: the wire schema and the function have other arguments")
    return tool.model_copy(update={"parameters": dict(parameters)})


def scope_of(tool: TaskTool) -> str:
    """The one scope a tool needs."""
    [scope] = (tool.meta or {})["taskgate/scopes"]
    assert isinstance(scope, str)
    return scope


def closed(properties: Mapping[str, Any], required: Iterable[str] = ()) -> dict[str, Any]:
    """The schema of an object with exactly these keys."""
    schema: dict[str, Any] = {"type": "object", "properties": dict(properties), "additionalProperties": False}
    if names := list(required):
        schema["required"] = names
    return schema


def _spoken(problem: Problem) -> ToolError:
    return ToolError(str(problem), log_level=logging.DEBUG)


def _problem_behind(error: BaseException | None) -> Problem | None:
    while error is not None:
        if isinstance(error, Problem):
            return error
        error = error.__cause__
    return None


def _argument_problem(error: BaseException | None) -> Problem:
    """The first fault of the arguments in our words; the validator's own words echo the input."""
    if not isinstance(error, PydanticValidationError):
        return Problem("bad_argument", "the arguments do not fit", "see the schema of this tool")
    fault = error.errors(include_url=False, include_input=False)[0]
    place = _place(fault["loc"])
    match fault["type"]:
        case "missing" | "missing_argument" | "missing_keyword_only_argument":
            return Problem("missing_argument", f"{place} is missing", f"give {place}")
        case "extra_forbidden" | "unexpected_keyword_argument":
            return Problem("unknown_argument", f'"{place[:40]}"', "leave it out, or see the schema of this tool")
    expected = fault["msg"].removeprefix("Input should be ").removeprefix("a valid ")
    return Problem("bad_argument", f"{place} does not fit", f"give {expected[:80]}")


def _require_storable(value: object, place: str) -> None:
    """Refuse text that no database can hold, wherever in the arguments it stands."""
    match value:
        case str() if not value.isprintable() and any(
            character == "\0" or category(character) == "Cs" for character in value
        ):
            raise Problem("bad_argument", f"{place} holds a character that cannot be stored", "remove it")
        case Mapping():
            for name, inner in value.items():
                _require_storable(name, place)
                _require_storable(inner, str(name)[:40])
        case list():
            for inner in value:
                _require_storable(inner, place)


def _place(location: tuple[int | str, ...]) -> str:
    text = ""
    for step in location:
        text += f"[{step}]" if isinstance(step, int) else f".{step}" if text else str(step)
    return text or "the call"
