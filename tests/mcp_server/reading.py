"""Reads by address for tests: what stands there, the one answer for what does not, and something to read."""

import re
from collections.abc import Sequence
from typing import Any, Final

import pytest
from mcp import MCPError
from mcp_types import TextResourceContents

from mcp_server.addresses import INBOX, OVERVIEW, TODAY
from tests.living import LEGACY, MODERN, ToolClient

MODES: Final = (MODERN, LEGACY)
FIXED: Final = (TODAY, INBOX, OVERVIEW)


async def text(person: ToolClient, uri: str) -> str:
    """What stands at an address, without the fence around it."""
    [content] = (await person.client.read_resource(uri)).contents
    assert isinstance(content, TextResourceContents)
    assert (content.uri, content.mime_type) == (uri, "text/markdown")
    found = re.fullmatch(r"# (\w+)\n\n```text\n(.*)\n```", content.text, re.DOTALL)
    assert found is not None
    return found[2]


async def refusal(person: ToolClient, uri: str) -> MCPError:
    """The error that an address gets."""
    with pytest.raises(MCPError) as refused:
        await person.client.read_resource(uri)
    return refused.value


async def assert_not_there(person: ToolClient, uri: str) -> None:
    """There is one answer for whatever cannot be read, and it holds nothing but the question."""
    error = (await refusal(person, uri)).error
    assert (error.code, error.message, error.data) == (-32602, "Resource not found", {"uri": uri})


async def furnish(person: ToolClient) -> None:
    """T1 to T4, a list with a section, and something that went off today."""
    await person.values("organize", kind="list", action="create", name="Big Project")
    await person.values("organize", kind="section", action="create", name="Big Project/Design")
    tasks: Sequence[dict[str, Any]] = (
        {"title": "Late", "due": "2020-01-05", "priority": "p1"},
        {"title": "Sketch", "list": "Big Project/Design", "due": "today", "notes": "in pencil", "subtasks": ["Paper"]},
        {"title": "Found", "list": "Big Project", "due": "2099-01-05"},
        {"title": "Loose"},
        {"title": "Rung", "remind": ["today 00:00"], "list": "Big Project"},
    )
    await person.values("tasks_add", tasks=tasks)


async def ref_of(person: ToolClient, title: str) -> str:
    """The reference of the task of that title."""
    [found] = (await person.values("tasks_find", refs=[title]))["tasks"]
    return str(found["ref"])
