"""What clients see of the tools before they call one; kept as a snapshot that is read when it changes."""

import json
from base64 import b64decode
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final
from xml.etree import ElementTree

import pytest
from pydantic import SecretStr

from mcp_server.app import CACHE_HINTS, build_server
from mcp_server.offered import offered
from mcp_server.settings import McpSettings
from mcp_server.tools.offered import offered_tools
from mcp_server.tools.surface import reads
from mcp_server.tools.tasks import ChangeToMake, TaskToAdd
from mcp_server.tools.wire import CORE, WIRE
from shared.db import Database
from shared.tokens import SCOPES, IssuerProfile, Signer, SigningKey, build_verifier
from tests.living import Living
from tests.web import web

pytestmark = pytest.mark.anyio

SNAPSHOTS: Final = Path(__file__).parent.parent / "snapshots" / "tools"
# Budgets in characters, because a tokenizer would have to be fetched: a token is about 4 characters of a schema and
# 2.65 of a task line. They only go down for the tools there are.
ALL_TOOLS: Final = 8_240
CORE_TOOLS: Final = 5_830
OUTPUT_SCHEMAS: Final = 1_900
INSTRUCTIONS: Final = 800
PAGE_OF_50: Final = 3_400
OVERVIEW: Final = 1_400
REFUSAL: Final = 240


async def listed(living: Living) -> list[dict[str, Any]]:
    async with living.client("ada") as ada:
        result = await ada.client.list_tools()
        return [tool.model_dump(mode="json", by_alias=True, exclude_none=True) for tool in result.tools]


async def test_the_tools_are_as_they_were_agreed(living: Living, request: pytest.FixtureRequest) -> None:
    tools = await listed(living)
    for tool in tools:
        snapshot = SNAPSHOTS / f"{tool['name']}.json"
        found = json.dumps(tool, indent=2, ensure_ascii=False) + "\n"
        if request.config.getoption("--update-snapshots"):
            SNAPSHOTS.mkdir(exist_ok=True)
            snapshot.write_text(found, encoding="utf-8")
        assert snapshot.read_text(encoding="utf-8") == found, "run pytest --update-snapshots and read the difference"
    assert {path.stem for path in SNAPSHOTS.glob("*.json")} == {tool["name"] for tool in tools}


async def test_every_tool_says_what_a_careful_client_needs(living: Living) -> None:
    for tool in await listed(living):
        hints = tool["annotations"]
        assert {"readOnlyHint", "destructiveHint", "idempotentHint", "openWorldHint"} <= set(hints), tool["name"]
        assert tool["title"]
        assert tool["description"]
        assert tool["inputSchema"]["additionalProperties"] is False
        assert tool["outputSchema"]["type"] == "object"
        assert [scope for scope in tool["_meta"]["taskgate/scopes"] if scope in SCOPES]
        [icon] = tool["icons"]
        kind, _, data = icon["src"].partition(";base64,")
        assert kind == "data:image/svg+xml"
        assert {element.tag.rpartition("}")[2] for element in ElementTree.fromstring(b64decode(data)).iter()} == {
            "svg",
            "path",
        }


def test_what_clients_see_of_a_task_is_what_is_read_of_it() -> None:
    for tool, argument, model in (("tasks_add", "tasks", TaskToAdd), ("tasks_edit", "changes", ChangeToMake)):
        shown = WIRE[tool]["properties"][argument]["items"]["properties"]
        assert set(shown) == set(model.model_fields)


async def test_no_argument_is_nullable_or_a_reference(living: Living) -> None:
    text = json.dumps([tool["inputSchema"] for tool in await listed(living)])
    for costly in ("anyOf", "$ref", "$defs", "null", '"default"'):
        assert costly not in text


def size(tools: Iterable[dict[str, Any]]) -> int:
    """What a model reads of these tools, in characters."""
    functions = [
        {
            "type": "function",
            "name": tool["name"],
            "description": tool["description"],
            "parameters": tool["inputSchema"],
        }
        for tool in tools
    ]
    return len(json.dumps(functions, separators=(",", ":"), ensure_ascii=False))


async def test_the_tools_cost_a_model_no_more_than_agreed(living: Living) -> None:
    tools = await listed(living)
    assert size(tools) <= ALL_TOOLS
    assert size(tool for tool in tools if tool["name"] in CORE) <= CORE_TOOLS
    outputs = [tool["outputSchema"] for tool in tools]
    assert len(json.dumps(outputs, separators=(",", ":"))) <= OUTPUT_SCHEMAS
    async with living.client("ada") as ada:
        assert len(ada.client.instructions or "") <= INSTRUCTIONS


async def test_the_core_profile_offers_the_tools_without_which_nobody_can_work() -> None:
    assert {tool.name for tool in offered_tools("core")} == CORE
    assert [tool.name for tool in offered_tools("full")] == list(WIRE)


async def test_answers_cost_a_model_no_more_than_agreed(living: Living) -> None:
    words = [
        "buy",
        "call",
        "write",
        "send",
        "fix",
        "plan",
        "book",
        "ask",
        "clean",
        "pay",
        "read",
        "sort",
        "order",
        "print",
        "visit",
    ]
    async with living.client("ada") as ada:
        for name in ("Work", "Home", "Garden", "Errands"):
            await ada.values("organize", kind="list", action="create", name=name)
        tasks = [
            {
                "title": " ".join(words[(number + step) % len(words)] for step in range(2 + number % 6)).capitalize(),
                "list": ("Work", "Home", "Garden", "Errands")[number % 4],
                "due": f"2030-01-{1 + number % 28:02d}" + (" 09:00" if number % 3 == 0 else ""),
                "priority": f"p{1 + number % 4}",
                **({"tags": [("urgent", "phone", "waiting")[number % 3]]} if number % 2 else {}),
            }
            for number in range(60)
        ]
        await ada.values("tasks_add", tasks=tasks, duplicates="allow")
        page = await ada.text("tasks_find", limit=50)
        assert page.count("\nT") == 50
        assert len(page) <= PAGE_OF_50
        assert len(await ada.text("overview")) <= OVERVIEW
        for refused in (
            await ada.text("tasks_find", filter="lst:Work"),
            await ada.text("tasks_add", tasks=[{"title": "x", "due": "banana"}]),
            await ada.text("tasks_add", tasks=[{"title": "x", "list": "Wrok"}]),
            await ada.text("tasks_complete", refs=["T4711"]),
        ):
            assert len(refused) <= REFUSAL


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
        offer = offered()
        low = build_server(settings, database, verifier, offer)._mcp_server
        for tool in offer.tools:
            assert low.get_tool_input_schema is not None
            assert low.get_tool_input_schema(tool.name) == tool.parameters
        assert low.cache_hints == CACHE_HINTS
    await database.close()


def test_a_reading_tool_promises_to_change_nothing() -> None:
    hints = reads("Find")
    assert hints.read_only_hint
    assert not hints.destructive_hint
    assert hints.idempotent_hint
