"""How what is read, asked with or completed ends: in time, in our own words, and with one line in the log.

Tools see to that by themselves; these requests have no result that could say what went wrong, only errors.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import anyio
from fastmcp.exceptions import FastMCPError, NotFoundError
from fastmcp.resources import FunctionResource, ResourceResult
from fastmcp.resources.template import FunctionResourceTemplate
from mcp import MCPError
from mcp_types import INTERNAL_ERROR, INVALID_PARAMS

from mcp_server.budget import BUSY
from shared.errors import Problem
from shared.telemetry import REQUEST_ID, caller_mark
from shared.tokens import Caller

log = logging.getLogger(__name__)

LIMIT_S: Final = 30.0


class SpokenResource(FunctionResource):
    """A resource whose failures reach `answered` as they are."""

    async def read(self) -> str | bytes | ResourceResult:
        """The content."""
        with carried():
            return await super().read()


class SpokenTemplate(FunctionResourceTemplate):
    """The same for many resources of one kind."""

    async def read(self, arguments: dict[str, Any]) -> str | bytes | ResourceResult:
        """The content of the one that these arguments name."""
        with carried():
            return await super().read(arguments)


@contextmanager
def carried() -> Iterator[None]:
    """Carry an error through the library, which would log what was asked for and hide what went wrong."""
    try:
        yield
    except Exception as error:
        raise FastMCPError("failed", log_level=logging.DEBUG) from error


@contextmanager
def answered(event: str, caller: Caller, missing: MCPError, **facts: str) -> Iterator[None]:
    """Let nothing out but errors in our words, `missing` for what is not there; say in the log who asked and the end.

    Whatever is not there for this caller gets the same answer, whether it is there for others or never was.
    """
    outcome = "cancelled"
    try:
        with anyio.fail_after(LIMIT_S):
            yield
        outcome = "ok"
    except Exception as error:
        outcome, refusal = _refusal(error, missing)
        if outcome == "internal":
            log.exception("answer failed")
        raise refusal from None
    finally:
        mark = caller_mark(caller.issuer, caller.subject)
        log.info(event, extra={"caller": mark, "outcome": outcome, **facts})


def problem_behind(error: BaseException | None) -> Problem | None:
    """The problem that an error comes from."""
    found = _behind(error, Problem)
    return found if isinstance(found, Problem) else None


def one_line(problem: Problem) -> str:
    """What a problem says; on lines of its own, what it quotes could pass for words of ours."""
    return " ".join(str(problem).splitlines())


def _refusal(error: Exception, missing: MCPError) -> tuple[str, MCPError]:
    found = _behind(error, MCPError, Problem, NotFoundError, TimeoutError)
    match found:
        case MCPError():
            return "refused", found
        case NotFoundError():
            return "not_found", missing
        case TimeoutError():
            problem = Problem("timeout", "this took too long", "ask for less")
        case Problem():
            problem = found
        case _:
            problem = Problem("internal", f"something went wrong. Reference {REQUEST_ID.get()}.")
    if problem.status == 404:
        return problem.code, missing
    code = BUSY if problem.code == "busy" else INVALID_PARAMS if problem.status == 400 else INTERNAL_ERROR
    return problem.code, MCPError(code, one_line(problem))


def _behind(error: BaseException | None, *kinds: type[BaseException]) -> BaseException | None:
    while error is not None and not isinstance(error, kinds):
        error = error.__cause__
    return error
