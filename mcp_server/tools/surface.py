"""How a function becomes a tool: its schema on the wire, its hints and scope, and errors in our own words."""

import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, Protocol
from unicodedata import category

import anyio
from fastmcp.exceptions import ToolError, ValidationError
from fastmcp.tools.base import ToolResult
from fastmcp.tools.function_tool import FunctionTool
from mcp import MCPError
from mcp_types import TextContent, ToolAnnotations
from pydantic import ValidationError as PydanticValidationError

from mcp_server.access import current_caller
from mcp_server.answering import LIMIT_S, one_line, problem_behind
from mcp_server.icons import tool_icons
from mcp_server.tools.confirming import Ended, end_behind
from mcp_server.tools.repair import repair
from mcp_server.tools.wire import Face, face_of
from shared.errors import Problem
from shared.telemetry import REQUEST_ID, caller_mark
from shared.tokens import SCOPES

log = logging.getLogger(__name__)

LONG_S: Final = 120.0  # for what may work on 10,000 tasks


class _Hints(Protocol):
    def __call__(self, title: str, *, repeatable: bool = False) -> ToolAnnotations: ...


def _hints(*, read_only: bool, destructive: bool, outside: bool = False) -> _Hints:
    def make(title: str, *, repeatable: bool = False) -> ToolAnnotations:
        # Every hint is sent, because a missing one means the worst to a careful client.
        return ToolAnnotations(
            title=title,
            read_only_hint=read_only,
            destructive_hint=destructive,
            idempotent_hint=read_only or repeatable,
            open_world_hint=outside,
        )

    return make


reads: Final = _hints(read_only=True, destructive=False)
adds: Final = _hints(read_only=False, destructive=False)
changes: Final = _hints(read_only=False, destructive=True)
reaches_others: Final = _hints(read_only=False, destructive=True, outside=True)


class TaskTool(FunctionTool):
    """A tool whose every failure is a sentence of ours: what is wrong and how to mend it."""

    limit_s: float = LIMIT_S

    async def run(self, arguments: dict[str, Any]) -> ToolResult:
        """Run the tool, and leave one line about it in the log: who, what, how it ended, and no word of the content."""
        try:
            result = await self._run_spoken(arguments)
        except Ended as ended:
            self._log(ended.outcome)
            return ended.result
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
            repaired, readings = repair(self.parameters, self.name, arguments)
            with anyio.fail_after(self.limit_s):
                return _with_notes(await super().run(repaired), readings)
        except ValidationError as error:
            raise _spoken(_argument_problem(error.__cause__)) from None
        except (ToolError, MCPError):
            raise
        except Exception as error:
            if (ended := end_behind(error)) is not None:
                raise ended from None
            problem = problem_behind(error)
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
    hints: _Hints,
    scope: str,
    view: str,
    repeatable: bool = False,
    confirms: bool = False,
    app: str = "",
    file: str = "",
    face: Face | None = None,
    limit_s: float = LIMIT_S,
) -> TaskTool:
    """The tool a function becomes; what clients see of it stands in `wire.py` under its name, unless it is given.

    Hosts that can show the results to a person find what shows them at the address `app`. The argument `file` takes
    what a file says, so that hosts that hold the file may put it there themselves.
    """
    if scope not in SCOPES:
        raise ValueError(f"{scope} is no scope")
    seen = face or face_of(function.__name__)
    tool = TaskTool.from_function(
        function,
        title=seen.title,
        description=seen.description,
        icons=tool_icons(function.__name__),
        annotations=hints(seen.title, repeatable=repeatable),
        output_schema={"type": "object", "properties": {key: {"type": kind} for key, kind in seen.output.items()}},
        meta={
            "taskgate/scopes": [scope],
            "taskgate/view": view,
            **({"taskgate/confirms": True} if confirms else {}),
            **({"taskgate/file": file} if file else {}),
            # Older hosts know the flat key alone.
            **({"ui": {"resourceUri": app}, "ui/resourceUri": app} if app else {}),
        },
    )
    assert isinstance(tool, TaskTool)
    if set(tool.parameters["properties"]) != set(seen.parameters["properties"]):
        raise ValueError(f"{tool.name}: the wire schema and the function have other arguments")
    return tool.model_copy(update={"parameters": dict(seen.parameters), "limit_s": limit_s})


def scope_of(tool: TaskTool) -> str:
    """The one scope a tool needs."""
    [scope] = (tool.meta or {})["taskgate/scopes"]
    assert isinstance(scope, str)
    return scope


def _with_notes(result: ToolResult, notes: Sequence[str]) -> ToolResult:
    """The result, and what was read into the arguments said at its end."""
    if not notes:
        return result
    lines = "".join(f"\nnote: {note}" for note in notes)
    [*before, last] = result.content
    assert isinstance(last, TextContent)
    values = dict(result.structured_content or {})
    values["notes"] = [*values.get("notes", []), *notes]
    content = [*before, TextContent(type="text", text=last.text + lines)]
    return ToolResult(content=content, structured_content=values, meta=result.meta)


def _spoken(problem: Problem) -> ToolError:
    return ToolError(one_line(problem), log_level=logging.DEBUG)


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
