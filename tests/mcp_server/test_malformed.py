"""Malformed calls over HTTP: each is read as it was surely meant, or refused with the remedy; nothing else, ever."""

import json
import re
from collections import Counter
from collections.abc import Mapping
from typing import Any, Final

import pytest
from mcp_types import CallToolResult

from tests.living import Living, ToolClient, text_of
from tests.mcp_server.malformed import CALLS, READ, Malformed

pytestmark = pytest.mark.anyio

TASKS: Final = (
    {"title": "Buy milk"},
    {"title": "Call mum", "due": "2030-01-05 09:00"},
    {"title": "Call bank", "priority": "p2"},
    {"title": "Twin"},
    {"title": "Twin"},
)
READING: Final = frozenset({"overview", "tasks_find", "history", "data_export"})
LONGEST_REFUSAL: Final = 300
# What only a library, a database or a program would say.
FOREIGN: Final = re.compile(
    r"https?://|pydantic|validation error|input_value|input should|traceback|exception|sqlalchemy|psycopg|sqlite|"
    r"\bselect\b.*\bfrom\b|NoneType|<class|\.py\b|^internal:|went wrong",
    re.IGNORECASE | re.DOTALL,
)


async def test_every_malformed_call_is_read_or_refused_with_the_remedy(living: Living) -> None:
    outcomes: Counter[str] = Counter()
    failures = []
    async with living.client("bob") as bob:
        await furnish(bob)
        before = await everything(bob)
        for number, call in enumerate(CALLS):
            if call.code == READ and call.tool not in READING:
                async with living.client(f"ada {number}") as ada:
                    await furnish(ada)
                    fault = fault_of(call, await ada.call(call.tool, **call.arguments))
            else:
                fault = fault_of(call, await bob.call(call.tool, **call.arguments))
            outcomes["failed" if fault else "read" if call.code == READ else "refused with the remedy"] += 1
            if fault:
                failures.append(f"{call.tool}({json.dumps(call.arguments)[:200]}): {fault}")
        if await everything(bob) != before:
            failures.append("a refused call wrote something")
    print(f"{len(CALLS)} malformed calls: {', '.join(f'{count} {what}' for what, count in outcomes.items())}")
    assert not failures, "\n".join(failures)


def test_there_are_malformed_calls_of_every_tool_and_many_of_them() -> None:
    tools = Counter(call.tool for call in CALLS)
    assert len(tools) == 13
    assert min(tools.values()) >= 8
    assert len(CALLS) >= 120


async def furnish(person: ToolClient) -> None:
    """What everybody has who makes these calls."""
    await person.values("tasks_add", tasks=list(TASKS), duplicates="allow")
    await person.values("organize", kind="list", action="create", name="Work")


async def everything(person: ToolClient) -> Mapping[str, Any]:
    """All that a write could change."""
    found = await person.values("tasks_find", filter="is:all", detail="full")
    names = await person.values("overview", show="all")
    return {"rev": found["rev"], "tasks": found["tasks"], "lists": names["lists"], "tags": names.get("tags")}


def fault_of(call: Malformed, result: CallToolResult) -> str:
    """What is wrong with an answer, or nothing."""
    answer = text_of(result)
    missing = [words for words in call.says if words not in answer]
    if call.code == READ:
        if result.is_error or missing:
            return f"not read: {answer}" if result.is_error else f"says nothing of {missing}: {answer}"
        return ""
    if not result.is_error:
        return f"was read: {answer}"
    if not answer.startswith(f"{call.code}: ") or missing:
        return f"expected {call.code} and {missing}: {answer}"
    return unhelpful(call, answer, result)


def unhelpful(call: Malformed, answer: str, result: CallToolResult) -> str:
    """What a refusal must not be: long, of many lines, in foreign words, an echo, or without a way on."""
    if len(answer) > LONGEST_REFUSAL or "\n" in answer:
        return f"too long: {answer}"
    if foreign := FOREIGN.search(answer):
        return f"foreign words {foreign.group()!r}: {answer}"
    sent = "\n".join(texts_in(call.arguments))
    if echo := next((answer[at : at + 41] for at in range(len(answer) - 40) if answer[at : at + 41] in sent), ""):
        return f"echoes {echo!r}: {answer}"
    if result.structured_content is not None:
        return f"has structured content: {answer}"
    return "" if " Fix: " in answer or "Closest: " in answer else f"says no way on: {answer}"


def texts_in(value: object) -> list[str]:
    """Every text that was sent, keys too."""
    match value:
        case str():
            return [value]
        case Mapping():
            return [text for key, inner in value.items() for text in (str(key), *texts_in(inner))]
        case list():
            return [text for inner in value for text in texts_in(inner)]
    return [str(value)]
