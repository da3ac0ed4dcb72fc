"""The tool server's door: who is let in, for what, and what everybody else is told; raw HTTP."""

import json
import logging
import re
from asyncio import Event, open_connection, timeout
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import httpx2
import pytest
from mcp.server.auth.middleware.bearer_auth import AuthenticatedUser
from pydantic import SecretStr
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mcp_server.access import CallerToken
from mcp_server.app import build_server, create_app
from mcp_server.budget import Budget
from mcp_server.offered import offered
from mcp_server.settings import McpSettings
from mcp_server.stepup import StepUp
from shared.asgi import Drain
from shared.db import Database
from shared.engines import migration_engine
from shared.limits import Limits
from shared.tokens import SCOPES, IssuerProfile, Signer, SigningKey, Verifier, build_verifier, restored
from tests.living import ISSUER, LEGACY, MODERN, STATE_KEY, Databases, Living
from tests.mcp_server.wire import (
    ADD,
    ERAS,
    FIND,
    GREETING,
    OPEN,
    answer,
    ask,
    assert_nothing_changed,
    challenge,
    headers,
    message,
    metadata_url,
    post,
)
from tests.web import web

pytestmark = pytest.mark.anyio

READING: Final[dict[str, dict[str, Any]]] = {
    "resources/read": {"uri": "tasks://inbox"},
    "resources/subscribe": {"uri": "tasks://inbox"},
    "prompts/get": {"name": "plan_day"},
    "completion/complete": {"ref": {"type": "ref/prompt", "name": "plan_day"}, "argument": {"name": "d", "value": ""}},
    "subscriptions/listen": {},
}


@asynccontextmanager
async def tool_server(
    folder: Path,
    *,
    path: str = "/mcp",
    origins: tuple[str, ...] = (),
    make: Callable[[McpSettings, Database, Verifier, Drain], ASGIApp] = create_app,
    **issuer: Any,
) -> AsyncGenerator[Living]:
    """A tool server that is set up otherwise than usual; nobody gets as far as its database."""
    living = Living(Databases(mcp=f"sqlite:///{folder}/mcp.db", gateway=""))
    settings = McpSettings(
        env="dev",
        mcp_url=living.mcp_url.replace("/mcp", path),
        gateway_url=living.gateway_url,
        issuers=(IssuerProfile(issuer=ISSUER, **(issuer or {"jwks": living.issuer.jwks})),),
        state_keys=(SecretStr(STATE_KEY),),
        origins=origins,
    )
    database = Database(living.databases.mcp)
    async with web() as http:
        verifier = build_verifier(settings.issuers, settings.mcp_url, http)
        await living.mcp.start(make(settings, database, verifier, living.mcp.drain))
        try:
            yield living
        finally:
            await living.mcp.stop()
            await database.close()


@pytest.mark.parametrize("era", ERAS)
async def test_the_request_of_these_tests_is_a_good_one(living: Living, era: str) -> None:
    response = await ask(living, era, living.token("ada"))
    assert response.status_code == 200
    assert answer(response)["result"]["structuredContent"]["op"] == 1


@pytest.mark.parametrize("era", ERAS)
@pytest.mark.parametrize("sent", ["", "Bearer", "Basic YWRhOmFkYQ==", "Token {}", "{}"])
async def test_without_a_bearer_token_a_client_learns_where_to_get_one(living: Living, era: str, sent: str) -> None:
    credential = [("Authorization", sent.format(living.token("ada")))] if sent else []
    response = await post(living.mcp_url, [*headers(None, era), *credential], message(era))
    assert response.status_code == 401
    assert challenge(response) == {"scope": "tasks:read", "resource_metadata": metadata_url(living)}
    await assert_nothing_changed(living)


@pytest.mark.parametrize("era", ERAS)
async def test_the_way_a_bad_token_is_refused_differs_only_in_saying_so(living: Living, era: str) -> None:
    found = challenge(await ask(living, era, "garbage"))
    assert found.pop("error_description")
    assert found == {
        "error": "invalid_token",
        "scope": "tasks:read",
        "resource_metadata": metadata_url(living),
    }


async def test_the_metadata_says_where_to_get_a_token_and_stands_in_both_usual_places(living: Living) -> None:
    async with web() as http:
        found = await http.get(metadata_url(living))
        at_the_root = await http.get(metadata_url(living).removesuffix("/mcp"))
    metadata = found.json()
    assert metadata["resource"] == living.mcp_url
    assert metadata["authorization_servers"] == [ISSUER]
    assert metadata["scopes_supported"] == list(SCOPES)
    assert at_the_root.json() == metadata


async def test_a_tool_server_below_a_path_names_itself_as_its_tokens_do(tmp_path: Path) -> None:
    async with tool_server(tmp_path, path="/tasks/mcp") as living:
        url = living.mcp_url.replace("/mcp", "/tasks/mcp")
        refused = challenge(await post(url, headers(None), message()))
        assert refused["resource_metadata"] == url.replace("/tasks", "/.well-known/oauth-protected-resource/tasks")
        async with web() as http:
            assert (await http.get(refused["resource_metadata"])).json()["resource"] == url
        short = await post(url, headers(living.token("ada", url, scopes=[])), message())
        assert challenge(short)["resource_metadata"] == refused["resource_metadata"]


async def test_where_nobody_can_sign_in_no_challenge_points_anywhere(tmp_path: Path) -> None:
    signer = Signer(ISSUER, [SigningKey.generate()])
    async with tool_server(tmp_path, jwks=signer.jwks, interactive=False) as living:
        living.issuer = signer
        assert challenge(await ask(living, MODERN, None)) == {"scope": "tasks:read"}
        assert "resource_metadata" not in challenge(await ask(living, MODERN, living.token("ada", scopes=[])))
        async with web() as http:
            for path in (metadata_url(living), metadata_url(living).removesuffix("/mcp")):
                assert (await http.get(path)).status_code == 404


@pytest.mark.parametrize("era", ERAS)
async def test_while_the_keys_were_never_loaded_a_token_is_neither_good_nor_bad(tmp_path: Path, era: str) -> None:
    async with tool_server(tmp_path, jwks_uri="http://127.0.0.1:1/jwks") as living:
        response = await ask(living, era, living.token("ada"))
        assert response.status_code == 503
        assert response.headers["retry-after"] == "5"
        assert response.json()["code"] == "unavailable"
        assert "www-authenticate" not in response.headers
        assert (await ask(living, era, "garbage")).status_code == 401


async def test_pages_of_a_known_origin_can_read_every_challenge(tmp_path: Path) -> None:
    origin = "https://app.example.test"
    async with tool_server(tmp_path, origins=(origin,)) as living:
        for token, status in ((None, 401), ("garbage", 401), (living.token("ada", scopes=[]), 403)):
            response = await post(living.mcp_url, [*headers(token), ("Origin", origin)], message())
            assert response.status_code == status
            assert response.headers["access-control-allow-origin"] == origin
            assert "www-authenticate" in response.headers["access-control-expose-headers"].lower()


async def test_pages_of_a_known_origin_may_send_all_that_the_protocol_wants(tmp_path: Path) -> None:
    origin = "https://app.example.test"
    wanted = "authorization, content-type, mcp-protocol-version, mcp-method, mcp-name"
    async with tool_server(tmp_path, origins=(origin,)) as living, web() as http:

        async def preflight(asking: str) -> httpx2.Response:
            asked = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": wanted}
            return await http.options(living.mcp_url, headers={"Origin": asking, **asked})

        allowed = await preflight(origin)
        assert allowed.status_code in (200, 204)
        assert allowed.headers["access-control-allow-origin"] == origin
        assert "POST" in allowed.headers["access-control-allow-methods"]
        permitted = {name.strip().lower() for name in allowed.headers["access-control-allow-headers"].split(",")}
        assert set(wanted.split(", ")) <= permitted
        # Neither cookies nor anything else that the browser would add by itself.
        assert "access-control-allow-credentials" not in allowed.headers

        refused = await preflight("https://evil.example.test")
        assert refused.status_code >= 400
        assert "access-control-allow-origin" not in refused.headers
        answered = await post(living.mcp_url, [*headers("garbage"), ("Origin", origin)], message(params=ADD))
        exposed = answered.headers["access-control-expose-headers"].lower()
        assert {"www-authenticate", "retry-after"} <= set(exposed.split(", "))


@pytest.mark.parametrize("era", ERAS)
@pytest.mark.parametrize(
    ("granted", "challenged"),
    [
        ([], "tasks:write"),
        (["tasks:read"], "tasks:read tasks:write"),
        (["tasks:share", "data:read", "tasks:delete"], "data:read tasks:delete tasks:share tasks:write"),
    ],
)
async def test_who_lacks_a_scope_is_told_to_ask_for_it_and_keeps_what_he_has(
    living: Living, era: str, granted: Sequence[str], challenged: str
) -> None:
    response = await ask(living, era, living.token("ada", scopes=granted))
    assert response.status_code == 403
    assert response.headers["www-authenticate"] == (
        f'Bearer error="insufficient_scope", scope="{challenged}", resource_metadata="{metadata_url(living)}", '
        'error_description="This needs: tasks:write"'
    )
    assert response.headers["content-type"] == "application/json"
    assert response.json() == {
        "jsonrpc": "2.0",
        "id": None,
        "error": {"code": -31403, "message": "insufficient scope, needs: tasks:write"},
    }
    await assert_nothing_changed(living)


def without_the_first_line(settings: McpSettings, database: Database, verifier: Verifier, _: Drain) -> ASGIApp:
    """The server as the library alone would serve it: with tokens checked, and no look at the body before the guard."""
    return build_server(settings, database, verifier, offered()).http_app(path="/mcp", stateless_http=True)


@pytest.mark.parametrize("era", ERAS)
async def test_what_gets_past_the_first_line_meets_a_second(tmp_path: Path, era: str) -> None:
    """No request over the product's own door can show this, because the first line stops it."""
    async with tool_server(tmp_path, make=without_the_first_line) as living:
        for scopes, params, needed in (([], FIND, "tasks:read"), (["tasks:read"], ADD, "tasks:write")):
            found = answer(await ask(living, era, living.token("ada", scopes=scopes), params=params))
            assert found["error"] == {"code": -31403, "message": f"insufficient scope, needs: {needed}"}


@pytest.mark.parametrize("era", ERAS)
@pytest.mark.parametrize("method", ["resources/read", "prompts/get", "completion/complete"])
async def test_what_reads_without_being_a_tool_meets_the_second_line_too(tmp_path: Path, era: str, method: str) -> None:
    async with tool_server(tmp_path, make=without_the_first_line) as living:
        found = answer(await ask(living, era, living.token("ada", scopes=[]), method, READING[method]))
        assert found["error"] == {"code": -31403, "message": "insufficient scope, needs: tasks:read"}
        export = {"uri": "tasks://export/x"}
        short = living.token("ada", scopes=["tasks:read"])
        found = answer(await ask(living, era, short, "resources/read", export))
        assert found["error"] == {"code": -31403, "message": "insufficient scope, needs: data:read"}


@pytest.mark.parametrize("mode", [MODERN, LEGACY])
async def test_a_read_only_token_cannot_add_a_task(living: Living, mode: str) -> None:
    token = living.token("ada", scopes=["tasks:read"])
    async with living.client("ada", mode=mode, token=token) as ada:
        with pytest.raises(Exception, match="insufficient scope, needs: tasks:write"):
            await ada.call("tasks_add", tasks=[{"title": "x"}])
        assert await ada.titles("is:all") == []
    await assert_nothing_changed(living)


@pytest.mark.parametrize("era", ERAS)
@pytest.mark.parametrize("scope", SCOPES)
async def test_every_scope_includes_looking(living: Living, era: str, scope: str) -> None:
    response = await ask(living, era, living.token("ada", scopes=[scope]), params=FIND)
    assert response.status_code == 200
    assert answer(response)["result"]["structuredContent"]["total"] == 0


@pytest.mark.parametrize("era", ERAS)
@pytest.mark.parametrize("method", READING)
async def test_what_reads_without_being_a_tool_needs_the_permission_to_look(
    living: Living, era: str, method: str
) -> None:
    response = await ask(living, era, living.token("ada", scopes=[]), method, READING[method])
    assert response.status_code == 403
    assert challenge(response)["scope"] == "tasks:read"
    looking = await ask(living, era, living.token("ada", scopes=["tasks:read"]), method, READING[method])
    assert looking.status_code in (200, 400, 404)


@pytest.mark.parametrize(("method", "era"), [(method, era) for method, eras in OPEN.items() for era in eras])
async def test_getting_to_know_each_other_needs_a_token_and_no_scope(living: Living, method: str, era: str) -> None:
    params = GREETING if method == "initialize" else {}
    found = answer(await ask(living, era, living.token("ada", scopes=[]), method, params))
    assert "result" in found
    assert (await ask(living, era, None, method, params)).status_code == 401


@pytest.mark.parametrize("era", ERAS)
async def test_a_notification_needs_no_scope(living: Living, era: str) -> None:
    sent = message(era, "notifications/initialized", {})
    del sent["id"]
    token = living.token("ada", scopes=[])
    response = await post(living.mcp_url, headers(token, era, "notifications/initialized", {}), sent)
    assert response.status_code == 202


@pytest.mark.parametrize("era", ERAS)
async def test_an_unknown_tool_is_a_protocol_error_whatever_the_token_permits(living: Living, era: str) -> None:
    for scopes in ((), tuple(SCOPES)):
        token = living.token("ada", scopes=scopes)
        error = answer(await ask(living, era, token, params={"name": "tasks_destroy"}))["error"]
        assert error["code"] == -32602
        assert error["message"].startswith("unknown_tool")


@pytest.mark.parametrize("era", ERAS)
@pytest.mark.parametrize("sent", ["announced", "arriving"])
async def test_a_body_over_the_limit_is_413(living: Living, era: str, sent: str) -> None:
    large = message(
        era, params={"name": "tasks_add", "arguments": {"tasks": [{"title": "x", "notes": "n" * 1_100_000}]}}
    )
    async with web() as http:
        content = httpx2.Request("POST", living.mcp_url, json=large).content
        response = await http.post(
            living.mcp_url,
            headers=headers(living.token("ada"), era),
            content=content if sent == "announced" else in_parts(content),
        )
    assert response.status_code == 413
    assert response.json()["code"] == "too_big"
    await assert_nothing_changed(living)


async def in_parts(content: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(content), 100_000):
        yield content[start : start + 100_000]


@pytest.mark.parametrize("era", ERAS)
async def test_a_body_may_arrive_in_parts(living: Living, era: str) -> None:
    content = httpx2.Request("POST", living.mcp_url, json=message(era)).content
    pieces = [content[:10], content[10:]]

    async def slowly() -> AsyncIterator[bytes]:
        for piece in pieces:
            yield piece

    async with web() as http:
        response = await http.post(living.mcp_url, headers=headers(living.token("ada"), era), content=slowly())
    assert answer(response)["result"]["structuredContent"]["op"] == 1


@pytest.mark.parametrize("era", ERAS)
async def test_a_client_that_leaves_within_its_body_is_no_error_and_changes_nothing(
    living: Living, era: str, caplog: pytest.LogCaptureFixture
) -> None:
    gone = Event()

    class Ended(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if record.getMessage() == "request" and getattr(record, "client_left", False):
                gone.set()

    caplog.set_level(logging.INFO, "shared.asgi")
    handler = Ended()
    logging.getLogger("shared.asgi").addHandler(handler)
    whole = httpx2.Request("POST", living.mcp_url, json=message(era)).content
    lines = [("Host", living.mcp_url.split("/")[2]), ("Content-Length", str(len(whole) + 1))]
    head = "".join(f"{name}: {value}\r\n" for name, value in [*headers(living.token("ada"), era), *lines])
    try:
        _, writer = await open_connection("127.0.0.1", living.mcp.port)
        writer.write(f"POST /mcp HTTP/1.1\r\n{head}\r\n".encode() + whole)
        await writer.drain()
        writer.close()
        async with timeout(10):
            await gone.wait()
    finally:
        logging.getLogger("shared.asgi").removeHandler(handler)
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []
    await assert_nothing_changed(living)


async def test_half_a_body_is_not_even_shown_to_the_server() -> None:
    """Below HTTP, because there the server would give up by itself a moment later."""
    ada = restored(ISSUER, "ada", SCOPES, 2**40, "x")
    user = AuthenticatedUser(CallerToken(token="redacted", client_id="x", scopes=[], caller=ada))
    arriving: list[Message] = [
        {"type": "http.request", "body": json.dumps(message()).encode(), "more_body": True},
        {"type": "http.disconnect"},
    ]
    seen: list[object] = []

    async def app(scope: Scope, _: Receive, __: Send) -> None:
        seen.append(scope)

    async def receive() -> Message:
        return arriving.pop(0)

    async def send(sent: Message) -> None:
        seen.append(sent)

    budget = Budget(Limits(), {}, writing=set(), querying=set())
    await StepUp(app, {"tasks_add": "tasks:write"}, None, budget)(
        {"type": "http", "method": "POST", "user": user}, receive, send
    )
    assert seen == []


@pytest.mark.parametrize("content", [b"{", b"nonsense", b"\xff\xfe", b"[" * 5_000, b'"text"', b"[]", b""])
async def test_malformed_json_is_400_with_a_short_message(living: Living, content: bytes) -> None:
    response = await post(living.mcp_url, headers(living.token("ada")), content)
    assert response.status_code == 400
    assert len(response.text) < 400
    assert "Traceback" not in response.text
    await assert_nothing_changed(living)


async def test_a_foreign_host_or_origin_is_turned_away(living: Living) -> None:
    async def status(name: str, value: str) -> int:
        sent = [*headers(living.token("ada")), (name, value)]
        return (await post(living.mcp_url, sent, message())).status_code

    assert await status("Host", "evil.example.test") == 421
    assert await status("Origin", "https://evil.example.test") == 403
    assert await status("Origin", "null") == 403
    await assert_nothing_changed(living)


@pytest.mark.parametrize("era", ERAS)
@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
async def test_only_posts_are_answered(living: Living, method: str, era: str) -> None:
    async with web() as http:
        sent = headers(living.token("ada"), era)
        response = await http.request(method, living.mcp_url, headers=sent, json=message(era))
    assert response.status_code == 405
    await assert_nothing_changed(living)


async def test_every_answer_carries_a_request_id_and_forbids_sniffing(living: Living) -> None:
    for token in (None, living.token("ada", scopes=[]), living.token("ada")):
        response = await ask(living, MODERN, token)
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
