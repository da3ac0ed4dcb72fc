"""Requests to the tool server as bytes, in both eras of the protocol, with no client library in between."""

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

import httpx2
from sqlalchemy import func, select

from mcp_server.tasks.spaces import space_of
from mcp_server.tasks.tables import ops, tasks
from tests.living import MODERN, Living
from tests.web import web

ERAS: Final = (MODERN, "2025-11-25")
ADD: Final = {"name": "tasks_add", "arguments": {"tasks": [{"title": "Planted"}]}}
FIND: Final = {"name": "tasks_find", "arguments": {}}
META: Final = {"io.modelcontextprotocol/protocolVersion": MODERN, "io.modelcontextprotocol/clientCapabilities": {}}
# What a client may ask for with any token, in the eras that know it.
OPEN: Final = {
    "server/discover": ERAS[:1],
    "initialize": ERAS[1:],
    "ping": ERAS[1:],
    "tools/list": ERAS,
    "prompts/list": ERAS,
    "resources/list": ERAS,
    "resources/templates/list": ERAS,
}
GREETING: Final = {"protocolVersion": ERAS[1], "capabilities": {}, "clientInfo": {"name": "x", "version": "1"}}


def message(
    era: str = MODERN, method: str = "tools/call", params: Mapping[str, Any] = ADD, **meta: object
) -> dict[str, Any]:
    """One JSON-RPC request of that era."""
    envelope = {**(META if era == MODERN else {}), **meta}
    return {
        "jsonrpc": "2.0",
        "id": 1,
        "method": method,
        "params": {**params, **({"_meta": envelope} if envelope else {})},
    }


def headers(
    token: str | None, era: str = MODERN, method: str = "tools/call", params: Mapping[str, Any] = ADD
) -> list[tuple[str, str]]:
    """The headers that go with it."""
    found = [
        ("Content-Type", "application/json"),
        ("Accept", "application/json, text/event-stream"),
        ("MCP-Protocol-Version", era),
    ]
    if era == MODERN:
        found += [("Mcp-Method", method), *(("Mcp-Name", params[key]) for key in ("name", "uri") if key in params)]
    return [*found, ("Authorization", f"Bearer {token}")] if token is not None else found


async def post(
    url: str, sent: Iterable[tuple[str, str]], content: "str | bytes | Mapping[str, Any] | list[Any]"
) -> httpx2.Response:
    """The answer to these headers and this body, whether they fit together or not."""
    body = content if isinstance(content, str | bytes) else json.dumps(content)
    encoded = [(name.encode(), value.encode()) for name, value in sent]
    # Nothing here is encrypted, and loading certificates takes longer than the rest.
    async with web() as http:
        return await http.post(url, headers=encoded, content=body)


async def ask(
    living: Living, era: str, token: str | None, method: str = "tools/call", params: Mapping[str, Any] = ADD
) -> httpx2.Response:
    """The answer to a request that is right in all but perhaps its token."""
    return await post(living.mcp_url, headers(token, era, method, params), message(era, method, params))


def answer(response: httpx2.Response) -> dict[str, Any]:
    """The JSON-RPC answer, which the older era sends as one event."""
    text = response.text
    if response.headers["content-type"].startswith("text/event-stream"):
        [text] = [line.removeprefix("data: ") for line in text.splitlines() if line.startswith("data: ")]
    found: dict[str, Any] = json.loads(text)
    return found


def challenge(response: httpx2.Response) -> dict[str, str]:
    """What the server asks for: the parts of its one Bearer challenge."""
    [header] = response.headers.get_list("www-authenticate")
    assert re.fullmatch(r'Bearer \w+="[^"]*"(, \w+="[^"]*")*', header)
    return dict(re.findall(r'(\w+)="([^"]*)"', header))


def metadata_url(living: Living) -> str:
    """Where clients learn who gives tokens."""
    return living.mcp_url.replace("/mcp", "/.well-known/oauth-protected-resource/mcp")


async def assert_nothing_changed(living: Living, name: str = "ada") -> None:
    """This person has no task and has done nothing."""
    assert living.mcp_database is not None
    person = living.person(name)
    async with living.mcp_database.begin(person) as tx:
        for table in (tasks, ops):
            found = await tx.one(select(func.count()).select_from(table).where(table.c.space_id == space_of(person)))
            assert found is not None
            assert found[0] == 0
