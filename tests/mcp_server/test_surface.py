"""What clients see of the tools before they call one; kept as a snapshot that is read when it changes."""

import json
from pathlib import Path
from typing import Any, Final

import pytest
from pydantic import SecretStr

from mcp_server.app import CACHE_HINTS, build_server
from mcp_server.settings import McpSettings
from mcp_server.tools.surface import reads
from mcp_server.tools.tasks import task_tools
from shared.db import Database
from shared.tokens import SCOPES, IssuerProfile, Signer, SigningKey, build_verifier
from tests.living import Living
from tests.web import web

pytestmark = pytest.mark.anyio

SNAPSHOT: Final = Path(__file__).parent.parent / "snapshots" / "tools.json"
CHARACTERS_FOR_MODELS: Final = 1_800  # a budget that only goes down for the tools there are


async def listed(living: Living) -> list[dict[str, Any]]:
    async with living.client("ada") as ada:
        result = await ada.client.list_tools()
        return [tool.model_dump(mode="json", by_alias=True, exclude_none=True) for tool in result.tools]


async def test_the_tools_are_as_they_were_agreed(living: Living, request: pytest.FixtureRequest) -> None:
    found = json.dumps(await listed(living), indent=2, ensure_ascii=False) + "\n"
    if request.config.getoption("--update-snapshots"):
        SNAPSHOT.parent.mkdir(exist_ok=True)
        SNAPSHOT.write_text(found, encoding="utf-8")
    assert SNAPSHOT.read_text(encoding="utf-8") == found, "run pytest --update-snapshots and read the difference"


async def test_every_tool_says_what_a_careful_client_needs(living: Living) -> None:
    for tool in await listed(living):
        hints = tool["annotations"]
        assert {"readOnlyHint", "destructiveHint", "idempotentHint", "openWorldHint"} <= set(hints), tool["name"]
        assert tool["title"]
        assert tool["description"]
        assert tool["inputSchema"]["additionalProperties"] is False
        assert tool["outputSchema"]["type"] == "object"
        assert [scope for scope in tool["_meta"]["taskgate/scopes"] if scope in SCOPES]


async def test_no_argument_is_nullable_or_a_reference(living: Living) -> None:
    text = json.dumps([tool["inputSchema"] for tool in await listed(living)])
    for costly in ("anyOf", "$ref", "$defs", "null", '"default"'):
        assert costly not in text


async def test_the_tools_cost_a_model_no_more_than_agreed(living: Living) -> None:
    functions = [
        {
            "type": "function",
            "name": tool["name"],
            "description": tool["description"],
            "parameters": tool["inputSchema"],
        }
        for tool in await listed(living)
    ]
    assert len(json.dumps(functions, separators=(",", ":"))) <= CHARACTERS_FOR_MODELS


async def test_everybody_gets_the_same_list(living: Living) -> None:
    async with living.client("ada") as ada, living.client("bob", token=living.token("bob", scopes=())) as bob:
        assert (await ada.client.list_tools()).tools == (await bob.client.list_tools()).tools


async def test_the_lists_may_be_cached_by_anybody_and_say_so(living: Living) -> None:
    async with living.client("ada") as ada:
        tools = await ada.client.list_tools()
        assert (tools.ttl_ms, tools.cache_scope) == (300_000, "public")
    assert CACHE_HINTS["resources/read"].ttl_ms == 0
    assert CACHE_HINTS["resources/read"].scope == "private"


async def test_a_call_does_not_make_the_server_list_its_tools(tmp_path: Path) -> None:
    """Left to itself the library would list all tools before each call, only to look one schema up."""
    signer = Signer("https://login.example.test", [SigningKey.generate()])
    settings = McpSettings(
        env="dev",
        mcp_url="http://127.0.0.1:1/mcp",
        gateway_url="http://127.0.0.1:2",
        issuers=(IssuerProfile(issuer=signer.issuer, jwks=signer.jwks),),
        state_keys=(SecretStr("k" * 32),),
    )
    database = Database(f"sqlite:///{tmp_path}/x.db")
    async with web() as http:
        verifier = build_verifier(settings.issuers, settings.mcp_url, http)
        tools = task_tools()
        low = build_server(settings, database, verifier, tools)._mcp_server
        for tool in tools:
            assert low.get_tool_input_schema is not None
            assert low.get_tool_input_schema(tool.name) == tool.parameters
        assert low.cache_hints == CACHE_HINTS
    await database.close()


def test_a_reading_tool_promises_to_change_nothing() -> None:
    hints = reads("Find")
    assert hints.read_only_hint
    assert not hints.destructive_hint
    assert hints.idempotent_hint
