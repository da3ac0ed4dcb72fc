"""`Budget`: what one person may ask for in a minute, by whatever client and token, and what is said beyond that."""

import logging
from collections.abc import Mapping, Set
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from shared.errors import Problem
from shared.limits import Limits, Verdict
from shared.telemetry import caller_mark
from shared.tokens import Caller

log = logging.getLogger(__name__)

CALLS, WRITES, QUERIES, COMPLETIONS = "calls", "writes", "queries", "completions"
CALL: Final = "tools/call"
BUSY: Final = -31429  # what a refusal is called where it is an error of the protocol

# What else can be done about it than to wait.
_INSTEAD: Final = MappingProxyType(
    {
        CALLS: ", or do more in one call",
        WRITES: "; up to 100 tasks fit one call",
        QUERIES: ", or ask for more in one query",
        COMPLETIONS: "",
    }
)
# Everything else that can be asked for is a list or a greeting, and costs nothing.
_METHODS: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        CALL: (CALLS,),
        "resources/read": (CALLS,),
        "prompts/get": (CALLS,),
        "completion/complete": (COMPLETIONS,),
        "subscriptions/listen": (CALLS,),
    }
)


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why somebody is not heard any more, and for how long."""

    problem: Problem
    retry_after_s: int


class Budget:
    """The counts of a person. Nobody pays for what another one does, and no address is ever counted."""

    def __init__(self, limits: Limits, per_minute: Mapping[str, int], *, writing: Set[str], querying: Set[str]) -> None:
        """The limits by their names, of which 0 is none; and which tools write, and which run queries."""
        self._limits = limits
        self._per_minute = {name: limit for name, limit in per_minute.items() if limit}
        self._writing = writing
        self._querying = querying

    def counts(self, method: str | None) -> bool:
        """Whether such requests are counted at all."""
        return method in _METHODS

    async def spend_on_request(self, caller: Caller, method: str | None, tool: str) -> None:
        """Count a request, and raise `Problem` where it is one too many. Queries are counted where they run."""
        for name in self._counted(method, tool):
            await self._spend(caller, name)

    async def spend_on_query(self, caller: Caller) -> None:
        """Count a query, and raise `Problem` where it is one too many."""
        await self._spend(caller, QUERIES)

    def flood(self, caller: Caller, method: str, tool: str = "") -> Refusal | None:
        """The refusal of those who went on after as many refusals as a limit allows requests."""
        queried = (QUERIES,) if method == CALL and tool in self._querying else ()
        for name in (*self._counted(method, tool), *queried):
            limit = self._per_minute.get(name)
            if limit is None:
                continue
            verdict = self._limits.look(_key(caller, name))
            if verdict.refused >= limit:
                return Refusal(_used_up(name, limit, verdict), verdict.retry_after_s)
        return None

    def _counted(self, method: str | None, tool: str) -> tuple[str, ...]:
        written = (WRITES,) if method == CALL and tool in self._writing else ()
        return (*_METHODS.get(method or "", ()), *written)

    async def _spend(self, caller: Caller, name: str) -> None:
        limit = self._per_minute.get(name)
        if limit is None:
            return
        verdict = await self._limits.hit(_key(caller, name), limit)
        if verdict.allowed:
            return
        if verdict.refused == 1:
            mark = caller_mark(caller.issuer, caller.subject)
            log.info("limit reached", extra={"limit": name, "caller": mark})
        raise _used_up(name, limit, verdict)


def _key(caller: Caller, name: str) -> str:
    return f"{name} {caller.key}"


def _used_up(name: str, limit: int, verdict: Verdict) -> Problem:
    hint = f"go on in {verdict.retry_after_s} s{_INSTEAD[name]}"
    return Problem("busy", f"{limit:,} {name} in this minute are used up", hint)
