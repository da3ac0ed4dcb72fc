"""The tool server's door: raw HTTP, so that nothing a client library does stands between."""

import json
import re
from typing import Any, Final

import httpx2
import pytest
from sqlalchemy import func, select

from mcp_server.tasks.spaces import space_of
from mcp_server.tasks.tables import ops, tasks
from shared.db import migration_engine
from shared.tokens import SCOPES, Signer, SigningKey
from tests.living import ISSUER, LEGACY, MODERN, Databases, Living

pytestmark = pytest.mark.anyio

ADD: Final = {"name": "tasks_add", "arguments": {"tasks": [{"title": "Planted"}]}}


def headers(token: str | None, method: str = "tools/call", name: str = "tasks_add") -> list[tuple[str, str]]:
    found = [
        ("Content-Type", "application/json"),
        ("Accept", "application/json, text/event-stream"),
        ("MCP-Protocol-Version", MODERN),
        ("Mcp-Method", method),
        ("Mcp-Name", name),
    ]
    return [*found, ("Authorization", f"Bearer {token}")] if token is not None else found


def body(params: Any = None, method: str = "tools/call") -> str:
    meta = {"io.modelcontextprotocol/protocolVersion": MODERN, "io.modelcontextprotocol/clientCapabilities": {}}
    return json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": {**(params or ADD), "_meta": meta}})


async def post(living: Living, sent: list[tuple[str, str]], content: str | bytes = "") -> httpx2.Response:
    async with httpx2.AsyncClient() as http:
        return await http.post(living.mcp_url, headers=sent, content=content or body())


async def assert_nothing_changed(living: Living) -> None:
    assert living.mcp_database is not None
    async with living.mcp_database.begin(living.person("ada")) as tx:
        for table in (tasks, ops):
            mine = table.c.space_id == space_of(living.person("ada"))
            found = await tx.one(select(func.count()).select_from(table).where(mine))
            assert found is not None
            assert found[0] == 0


async def test_the_request_of_these_tests_is_a_good_one(living: Living) -> None:
    response = await post(living, headers(living.token("ada")))
    assert response.status_code == 200
    assert response.json()["result"]["structuredContent"]["op"] == 1


@pytest.mark.parametrize(
    "case", ["none", "empty", "garbage", "expired", "for the gateway", "of a stranger", "too long", "basic"]
)
async def test_without_a_good_token_nothing_happens(living: Living, case: str) -> None:
    stranger = Signer(ISSUER, [SigningKey.generate()])
    tokens = {
        "none": None,
        "empty": "x",
        "garbage": "garbage",
        "expired": living.token("ada", lifetime_s=-60),
        "for the gateway": living.token("ada", living.gateway_url),
        "of a stranger": stranger.issue("ada", living.mcp_url, SCOPES, lifetime_s=60, client_id="x"),
        "too long": "a" * 20_000,
        "basic": "x",
    }
    sent = headers(tokens[case])
    if case == "empty":
        sent[-1] = ("Authorization", "Bearer")
    if case == "basic":
        sent[-1] = ("Authorization", "Basic YWRhOmFkYQ==")
    response = await post(living, sent)
    assert response.status_code == 401
    challenge = response.headers["www-authenticate"]
    assert challenge.startswith("Bearer")
    assert "resource_metadata=" in challenge
    assert 'scope="tasks:read"' in challenge
    await assert_nothing_changed(living)


async def test_two_credentials_are_one_too_many(living: Living) -> None:
    token = living.token("ada")
    response = await post(living, [*headers(token), ("Authorization", f"Bearer {living.token('bob')}")])
    assert response.status_code == 400
    await assert_nothing_changed(living)


async def test_a_token_in_the_address_or_a_cookie_is_not_read(living: Living) -> None:
    token = living.token("ada")
    async with httpx2.AsyncClient() as http:
        address = f"{living.mcp_url}?access_token={token}&token={token}"
        response = await http.post(address, headers=[*headers(None), ("Cookie", f"token={token}")], content=body())
    assert response.status_code == 401
    await assert_nothing_changed(living)


async def test_the_metadata_says_where_to_get_a_token(living: Living) -> None:
    async with httpx2.AsyncClient() as http:
        found = await http.get(f"http://127.0.0.1:{living.mcp.port}/.well-known/oauth-protected-resource/mcp")
    metadata = found.json()
    assert metadata["resource"] == living.mcp_url
    assert metadata["authorization_servers"] == [ISSUER]
    assert metadata["scopes_supported"] == list(SCOPES)


@pytest.mark.parametrize("mode", [MODERN, LEGACY])
async def test_a_read_only_token_cannot_add_a_task(living: Living, mode: str) -> None:
    token = living.token("ada", scopes=["tasks:read"])
    async with living.client("ada", mode=mode, token=token) as ada:
        with pytest.raises(Exception, match="insufficient scope, needs: tasks:write"):
            await ada.call("tasks_add", tasks=[{"title": "x"}])
        assert await ada.titles("is:all") == []
    await assert_nothing_changed(living)


async def test_a_token_without_any_scope_can_list_the_tools_and_call_none(living: Living) -> None:
    async with living.client("ada", token=living.token("ada", scopes=[])) as ada:
        assert len((await ada.client.list_tools()).tools) == 3
        with pytest.raises(Exception, match="insufficient scope, needs: tasks:read"):
            await ada.call("tasks_find")


@pytest.mark.parametrize("mode", [MODERN, LEGACY])
async def test_an_unknown_tool_is_a_protocol_error(living: Living, mode: str) -> None:
    async with living.client("ada", mode=mode) as ada:
        with pytest.raises(Exception, match="unknown_tool"):
            await ada.call("tasks_destroy")


async def test_a_body_over_the_limit_is_413(living: Living) -> None:
    planted = body({"name": "tasks_add", "arguments": {"tasks": [{"title": "x", "notes": "n" * 1_100_000}]}})
    response = await post(living, headers(living.token("ada")), planted)
    assert response.status_code == 413
    assert response.json()["code"] == "too_big"
    await assert_nothing_changed(living)


@pytest.mark.parametrize("content", [b"{", b"nonsense", b"\xff\xfe", b"[" * 5_000, b'"text"', b"[]"])
async def test_malformed_json_is_400_with_a_short_message(living: Living, content: bytes) -> None:
    response = await post(living, headers(living.token("ada")), content)
    assert response.status_code == 400
    assert len(response.text) < 400
    assert "Traceback" not in response.text
    await assert_nothing_changed(living)


async def test_a_foreign_host_or_origin_is_turned_away(living: Living) -> None:
    token = living.token("ada")
    assert (await post(living, [*headers(token), ("Host", "evil.example.test")])).status_code == 421
    assert (await post(living, [*headers(token), ("Origin", "https://evil.example.test")])).status_code == 403
    assert (await post(living, [*headers(token), ("Origin", "null")])).status_code == 403
    await assert_nothing_changed(living)


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
async def test_only_posts_are_answered(living: Living, method: str) -> None:
    async with httpx2.AsyncClient() as http:
        response = await http.request(method, living.mcp_url, headers=headers(living.token("ada")))
    assert response.status_code == 405


async def test_every_answer_carries_a_request_id_and_forbids_sniffing(living: Living) -> None:
    for sent in (headers(None), headers(living.token("ada"))):
        response = await post(living, sent)
        assert response.headers["x-request-id"]
        assert response.headers["x-content-type-options"] == "nosniff"


async def test_a_fault_of_ours_is_told_without_internals(databases: Databases) -> None:
    async with Living(databases) as living, living.client("ada") as ada:
        await ada.add("x")
        await drop_tasks(databases)
        text = await ada.text("tasks_find")
        assert re.fullmatch(r"internal: something went wrong\. Reference [0-9a-f]+\.", text)


async def drop_tasks(databases: Databases) -> None:
    engine = migration_engine(databases.mcp_owner or databases.mcp)
    async with engine.begin() as connection:
        cascade = "" if connection.dialect.name == "sqlite" else " CASCADE"
        await connection.exec_driver_sql(f"DROP TABLE tasks{cascade}")
    await engine.dispose()
