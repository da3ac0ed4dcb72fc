"""Transport and envelope in both eras, row by row, as bytes: whatever a client sends, it learns what is wrong."""

import asyncio
import inspect
import json
from collections.abc import AsyncIterator, Mapping
from typing import Any, Final

import httpx2
import pytest
from fastmcp import Context
from fastmcp.dependencies import CurrentContext
from fastmcp.prompts.function_prompt import FunctionPrompt
from fastmcp.resources.function_resource import FunctionResource
from fastmcp.resources.template import FunctionResourceTemplate
from fastmcp.tools.base import ToolResult
from mcp_types import TextContent

from mcp_server.offered import Offer, offered
from mcp_server.tools.surface import make_tool, reads
from mcp_server.tools.wire import Face, closed
from shared import __version__
from tests.living import MODERN, Databases, Living
from tests.mcp_server.wire import ADD, ERAS, FIND, META, answer, ask, assert_nothing_changed, headers, message, post
from tests.web import web

pytestmark = pytest.mark.anyio

LEGACY_ERA: Final = ERAS[1]
SERVER_INFO: Final = "io.modelcontextprotocol/serverInfo"
VERSION: Final = "io.modelcontextprotocol/protocolVersion"
HEADER_MISMATCH, UNSUPPORTED_VERSION = -32020, -32022
INVALID_REQUEST, METHOD_NOT_FOUND, INVALID_PARAMS = -32600, -32601, -32602

LISTS: Final = ("tools/list", "prompts/list", "resources/list", "resources/templates/list")
PUBLIC, PRIVATE = (300_000, "public"), (0, "private")
CACHED: Final = {
    "server/discover": PUBLIC,
    "tools/list": PUBLIC,
    "prompts/list": PUBLIC,
    "resources/templates/list": PUBLIC,
    "resources/list": PRIVATE,
    "resources/read": PRIVATE,
}
# One good request of each kind that the newer era knows.
GOOD: Final[dict[str, dict[str, Any]]] = {
    **{method: {} for method in ("server/discover", *LISTS)},
    "resources/read": {"uri": "tasks://today"},
    "prompts/get": {"name": "plan_day"},
    "completion/complete": {
        "ref": {"type": "ref/prompt", "name": "plan_day"},
        "argument": {"name": "date", "value": ""},
    },
    "tools/call": FIND,
}


def changed(sent: list[tuple[str, str]], name: str, value: str | None) -> list[tuple[str, str]]:
    """These headers with another value of this one, or without it."""
    others = [(key, old) for key, old in sent if key.lower() != name.lower()]
    return others if value is None else [*others, (name, value)]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("Mcp-Method", "tools/list"),
        ("Mcp-Method", "TOOLS/CALL"),
        ("Mcp-Method", None),
        ("Mcp-Name", "tasks_find"),
        ("Mcp-Name", None),
        ("MCP-Protocol-Version", LEGACY_ERA),
        ("MCP-Protocol-Version", "2099-01-01"),
        ("MCP-Protocol-Version", None),
    ],
)
async def test_headers_that_say_something_else_than_the_body_are_refused(
    living: Living, name: str, value: str | None
) -> None:
    response = await post(living.mcp_url, changed(headers(living.token("ada")), name, value), message())
    assert response.status_code == 400
    assert response.json()["error"]["code"] == HEADER_MISMATCH
    assert response.json()["id"] == 1
    await assert_nothing_changed(living)


@pytest.mark.parametrize("name", ["Mcp-Method", "Mcp-Name", "MCP-Protocol-Version"])
async def test_a_header_that_comes_twice_is_refused_even_when_both_agree(living: Living, name: str) -> None:
    sent = headers(living.token("ada"))
    response = await post(living.mcp_url, [*sent, (name, dict(sent)[name])], message())
    assert response.status_code == 400
    assert response.json()["error"]["code"] == HEADER_MISMATCH
    await assert_nothing_changed(living)


async def test_names_of_headers_have_no_case_and_blanks_around_a_value_do_not_count(living: Living) -> None:
    sent = headers(living.token("ada"), params=FIND)
    lines = [f"{name.upper()}: {value}" for name, value in sent if name != "Mcp-Name"] + ["mcp-name: \t tasks_find \t "]
    assert (await raw(living, lines, message(params=FIND))).startswith("HTTP/1.1 200 ")


async def raw(living: Living, lines: list[str], body: Mapping[str, Any]) -> str:
    """The whole answer to a request with these lines of headers, which no client library would send."""
    content = json.dumps(body)
    host = living.mcp_url.split("/")[2]
    head = ["POST /mcp HTTP/1.1", f"Host: {host}", f"Content-Length: {len(content)}", "Connection: close", *lines]
    reader, writer = await asyncio.open_connection("127.0.0.1", living.mcp.port)
    writer.write("\r\n".join([*head, "", content]).encode())
    received = (await reader.read()).decode()
    writer.close()
    return received


async def test_a_version_that_nobody_speaks_is_refused_with_those_that_are_spoken(living: Living) -> None:
    sent = changed(headers(living.token("ada")), "MCP-Protocol-Version", "2099-01-01")
    response = await post(living.mcp_url, sent, message(MODERN, "tools/call", ADD, **{VERSION: "2099-01-01"}))
    assert response.status_code == 400
    error = response.json()["error"]
    assert error["code"] == UNSUPPORTED_VERSION
    assert error["data"] == {"supported": [MODERN], "requested": "2099-01-01"}
    await assert_nothing_changed(living)


async def test_an_older_client_with_a_version_of_the_future_is_offered_the_newest_of_its_era(living: Living) -> None:
    greeting = {"protocolVersion": "2099-01-01", "capabilities": {}, "clientInfo": {"name": "x", "version": "1"}}
    response = await ask(living, LEGACY_ERA, living.token("ada"), "initialize", greeting)
    assert answer(response)["result"]["protocolVersion"] == LEGACY_ERA
    # A session would belong to one process and one person.
    assert "mcp-session-id" not in response.headers


@pytest.mark.parametrize("missing", [*META, "all"])
async def test_a_request_without_its_envelope_is_refused(living: Living, missing: str) -> None:
    body = message()
    if missing == "all":
        del body["params"]["_meta"]
    else:
        del body["params"]["_meta"][missing]
    response = await post(living.mcp_url, headers(living.token("ada")), body)
    assert response.status_code == 400
    assert response.json()["error"]["code"] == INVALID_PARAMS
    await assert_nothing_changed(living)


@pytest.mark.parametrize("era", ERAS)
@pytest.mark.parametrize("method", ["nothing/here", "resources/subscribe", "tasks/list"])
async def test_an_unknown_method_is_told_as_such(living: Living, era: str, method: str) -> None:
    response = await ask(living, era, living.token("ada"), method, {"uri": "tasks://today"})
    assert response.status_code == (404 if era == MODERN else 200)
    assert answer(response)["error"]["code"] == METHOD_NOT_FOUND
    assert answer(response)["id"] == 1


@pytest.mark.parametrize(
    ("era", "gone"),
    [(MODERN, "initialize"), (MODERN, "ping"), (MODERN, "logging/setLevel"), (LEGACY_ERA, "server/discover")],
)
async def test_each_era_knows_only_its_own_methods(living: Living, era: str, gone: str) -> None:
    assert answer(await ask(living, era, living.token("ada"), gone, {}))["error"]["code"] == METHOD_NOT_FOUND


@pytest.mark.parametrize("era", ERAS)
@pytest.mark.parametrize("method", LISTS)
async def test_a_cursor_that_nobody_gave_is_refused(living: Living, era: str, method: str) -> None:
    response = await ask(living, era, living.token("ada"), method, {"cursor": "bogus"})
    assert response.status_code == (400 if era == MODERN else 200)
    assert answer(response)["error"]["code"] == INVALID_PARAMS


@pytest.mark.parametrize("era", ERAS)
@pytest.mark.parametrize(
    ("method", "params"), [("resources/read", {"uri": "tasks://nowhere"}), ("prompts/get", {"name": "nobody"})]
)
async def test_what_is_not_there_is_a_protocol_error(
    living: Living, era: str, method: str, params: dict[str, Any]
) -> None:
    response = await ask(living, era, living.token("ada"), method, params)
    assert response.status_code == (400 if era == MODERN else 200)
    assert answer(response)["error"]["code"] == INVALID_PARAMS


@pytest.mark.parametrize("era", ERAS)
async def test_several_messages_at_once_are_refused_and_none_of_them_happens(living: Living, era: str) -> None:
    response = await post(living.mcp_url, headers(living.token("ada"), era), [message(era), message(era)])
    assert response.status_code == 400
    assert response.json()["error"]["code"] == INVALID_REQUEST
    await assert_nothing_changed(living)


@pytest.mark.parametrize("era", ERAS)
@pytest.mark.parametrize("method", ["notifications/cancelled", "notifications/nobody_knows"])
async def test_a_notification_is_taken_and_not_answered(living: Living, era: str, method: str) -> None:
    body = message(era, method, {"requestId": 1})
    del body["id"]
    response = await post(living.mcp_url, headers(living.token("ada"), era, method, {}), body)
    assert (response.status_code, response.text) == (202, "")


@pytest.mark.parametrize("era", ERAS)
async def test_an_answer_that_the_client_cannot_read_is_not_even_made(living: Living, era: str) -> None:
    for name, value, status in (("Accept", "text/html", 406), ("Content-Type", "text/plain", 400)):
        response = await post(living.mcp_url, changed(headers(living.token("ada"), era), name, value), message(era))
        assert response.status_code == status
    await assert_nothing_changed(living)


@pytest.mark.parametrize("era", ERAS)
async def test_a_token_in_the_address_is_no_token(living: Living, era: str) -> None:
    address = f"{living.mcp_url}?access_token={living.token('ada')}"
    assert (await post(address, headers(None, era), message(era))).status_code == 401


async def test_every_result_of_the_newer_era_says_what_it_is_and_who_speaks(living: Living) -> None:
    for method, params in GOOD.items():
        result = answer(await ask(living, MODERN, living.token("ada"), method, params))["result"]
        assert result["resultType"] == "complete", method
        speaker = result["_meta"][SERVER_INFO]
        assert (speaker["name"], speaker["version"]) == ("taskgate", __version__), method


async def test_every_result_says_for_how_long_and_for_whom_it_may_be_kept(living: Living) -> None:
    for method, params in GOOD.items():
        result = answer(await ask(living, MODERN, living.token("ada"), method, params))["result"]
        assert (result.get("ttlMs"), result.get("cacheScope")) == CACHED.get(method, (None, None)), method


async def test_the_older_era_sees_nothing_of_the_newer_one(living: Living) -> None:
    for method, params in GOOD.items():
        if method != "server/discover":
            result = answer(await ask(living, LEGACY_ERA, living.token("ada"), method, params))["result"]
            assert not {"resultType", "ttlMs", "cacheScope"} & set(result), method


async def test_the_server_says_what_it_can_and_how_it_is_used(living: Living) -> None:
    found = answer(await ask(living, MODERN, living.token("ada"), "server/discover", {}))["result"]
    assert found["supportedVersions"] == [MODERN]
    fixed = {"listChanged": False}
    can = {"tools": fixed, "prompts": fixed, "resources": {**fixed, "subscribe": True}, "completions": {}}
    assert {name: found["capabilities"][name] for name in can} == can
    greeting = {"protocolVersion": LEGACY_ERA, "capabilities": {}, "clientInfo": {"name": "x", "version": "1"}}
    older = answer(await ask(living, LEGACY_ERA, living.token("ada"), "initialize", greeting))["result"]
    # There is no stream on which an older client could hear of anything.
    can["resources"] = {**fixed, "subscribe": False}
    assert {name: older["capabilities"][name] for name in can} == can
    # Nothing essential stands only where clients that are pinned to a version never look.
    assert found["instructions"] == older["instructions"] != ""


async def test_an_answer_that_streams_passes_proxies_unhindered(living: Living) -> None:
    response = await ask(living, LEGACY_ERA, living.token("ada"))
    assert response.headers["content-type"].startswith("text/event-stream")
    assert response.headers["x-accel-buffering"] == "no"
    assert "no-transform" in response.headers["cache-control"]
    assert "content-encoding" not in response.headers
    # What comes in one piece is not streamed.
    whole = await ask(living, MODERN, living.token("ada"))
    assert whole.headers["content-type"] == "application/json"
    assert "x-accel-buffering" not in whole.headers


TheContext: Final[Context] = CurrentContext()


@pytest.mark.parametrize("era", ERAS)
async def test_progress_rises_arrives_before_the_answer_and_ends_with_it(databases: Databases, era: str) -> None:
    async def climb(context: Context = TheContext) -> ToolResult:
        for done in (1, 2, 3):
            await context.report_progress(done, 3, f"step {done}")
        return ToolResult(content=[TextContent(type="text", text="On top.")], structured_content={})

    face = Face("Climb", "Reports each step.", closed({}), {})
    tool = make_tool(climb, hints=reads, scope="tasks:read", view="receipt", face=face)
    async with Living(databases, offer=Offer([tool])) as living:
        params = {"name": "climb", "arguments": {}}
        body = message(era, params=params, progressToken="the token")
        sent = headers(living.token("ada"), era, params=params)
        events = [event async for event in streamed(living, sent, body)]
        *reports, last = events
        assert [report["params"]["progress"] for report in reports] == [1, 2, 3]
        assert {report["params"]["progressToken"] for report in reports} == {"the token"}
        assert {report["method"] for report in reports} == {"notifications/progress"}
        assert last["id"] == 1
        assert last["result"]["content"][0]["text"] == "On top."
        # Nobody who did not ask is told.
        unasked = message(era, params=params)
        assert len([event async for event in streamed(living, sent, unasked)]) == 1


async def streamed(living: Living, sent: list[tuple[str, str]], body: Mapping[str, Any]) -> AsyncIterator[Any]:
    """Each message of the answer as it comes."""
    async with web(headers=httpx2.Headers(sent)) as http, http.stream("POST", living.mcp_url, json=body) as response:
        if response.headers["content-type"] == "application/json":
            yield json.loads(await response.aread())
            return
        async for line in response.aiter_lines():
            if line.startswith("data: "):
                yield json.loads(line.removeprefix("data: "))


def test_everything_that_can_be_asked_for_can_be_cancelled() -> None:
    """A function that is not async runs in a thread, and to its end, whether anybody still waits for it or not."""
    offer = offered()
    functions = [
        *(tool.fn for tool in offer.tools),
        *(one.fn for one in offer.resources if isinstance(one, FunctionResource)),
        *(one.fn for one in offer.templates if isinstance(one, FunctionResourceTemplate)),
        *(one.fn for one in offer.prompts if isinstance(one, FunctionPrompt)),
        *([offer.complete] if offer.complete else []),
    ]
    for function in functions:
        called = function if inspect.isroutine(function) else type(function).__call__
        assert inspect.iscoroutinefunction(called), function
