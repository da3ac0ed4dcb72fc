"""The process's one MCP connection, and the transport that lends it the identity of whoever is calling.

The connection carries no identity. Each call brings a token minted for its caller and for this call; the transport adds
it to exactly that request and never raises, because an exception there would end the connection for everybody.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from contextvars import ContextVar
from typing import Any, Final, NoReturn, cast

import httpx2
from mcp import MCPError
from mcp.client.client import Client
from mcp.client.streamable_http import streamable_http_client
from mcp_types import (
    HEADER_MISMATCH,
    CallToolResult,
    InputRequiredResult,
    InputResponses,
    PaginatedRequestParams,
    RequestParamsMeta,
    Tool,
)

log = logging.getLogger(__name__)

PROTOCOL: Final = "2026-07-28"  # pinned: negotiating would fall back to a session that belongs to its first caller
READ_LIMIT_S: Final = 35.0
UNAUTHENTICATED, FORBIDDEN, BUSY, UNSENT, UNKNOWN = -31401, -31403, -31429, -31503, -31504
LIST_FRESH_S: Final = (5.0, 3_600.0)  # the least and the most a tool list is believed

_bearer: ContextVar[str | None] = ContextVar("taskgate_bearer", default=None)


class CallerTransport(httpx2.AsyncBaseTransport):
    """Adds the calling turn's token to the request; answers every failure as an HTTP response of its own."""

    def __init__(self, url: str, inner: httpx2.AsyncBaseTransport) -> None:
        self._url = httpx2.URL(url)
        self._inner = inner

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        bearer = _bearer.get()
        if bearer is None:
            return _refusal(request, 401, UNAUTHENTICATED)
        if request.url != self._url:  # a redirect: the token goes to one address only
            return _refusal(request, 503, UNSENT)
        request.headers["authorization"] = f"Bearer {bearer}"
        try:
            response = await self._inner.handle_async_request(request)
            if response.headers.get("content-type", "").startswith("text/event-stream"):
                return response
            await response.aread()
        except (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout):
            return _refusal(request, 503, UNSENT)
        except Exception as error:  # noqa: BLE001 (an exception would end the connection for everybody)
            log.warning("a tool call was cut", extra={"error_class": type(error).__name__})
            return _refusal(request, 504, UNKNOWN)
        return _judged(request, response)

    async def aclose(self) -> None:
        await self._inner.aclose()


def _judged(request: httpx2.Request, response: httpx2.Response) -> httpx2.Response:
    """Our own code for what the tool server's HTTP layer refused; every other answer as it is."""
    challenge = response.headers.get("www-authenticate", "")
    match response.status_code:
        case 401:
            return _refusal(request, 401, UNAUTHENTICATED)
        case 403 if "insufficient_scope" in challenge:
            return _refusal(request, 403, FORBIDDEN)
        case 429:
            return _refusal(request, 429, BUSY)
        # With Retry-After our tool server says that it did not even start.
        case 503 if "retry-after" in response.headers:
            return _refusal(request, 503, UNSENT)
        case 403 | 413 | 421 | 500 | 502 | 503 | 504:
            return _refusal(request, 503, UNKNOWN)
    return response


def _refusal(request: httpx2.Request, status: int, code: int) -> httpx2.Response:
    error = {"jsonrpc": "2.0", "id": None, "error": {"code": code, "message": "refused"}}
    return httpx2.Response(status, json=error, request=request)


class Connection:
    """The process's one MCP client. Enter it while no caller is bound."""

    def __init__(self, url: str, *, transport: httpx2.AsyncBaseTransport | None = None) -> None:
        limits = httpx2.Limits(max_connections=256, max_keepalive_connections=64, keepalive_expiry=30)
        inner = transport or httpx2.AsyncHTTPTransport(limits=limits)
        self._http = httpx2.AsyncClient(
            transport=CallerTransport(url, inner), timeout=httpx2.Timeout(READ_LIMIT_S, connect=3, pool=2)
        )
        self._client = Client(
            streamable_http_client(url, http_client=self._http),
            mode=PROTOCOL,
            cache=None,  # a cache of the client would serve one person's answers to another
            read_timeout_seconds=READ_LIMIT_S,
            elicitation_callback=_never,  # says that questions may be put to our people; `call` hands them on
        )
        self._stack = AsyncExitStack()
        self._listing = asyncio.Lock()
        self._tools: tuple[Tool, ...] = ()
        self._instructions = ""
        self._stale_at = 0.0

    async def __aenter__(self) -> "Connection":
        assert _bearer.get() is None
        await self._stack.enter_async_context(self._http)
        await self._stack.enter_async_context(self._client)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    @property
    def instructions(self) -> str:
        """What the tool server tells models about itself; empty until it was first reached."""
        return self._instructions

    @property
    def known_tools(self) -> tuple[Tool, ...]:
        """The newest list there was; empty until the tool server was first reached."""
        return self._tools

    async def call(
        self,
        bearer: str,
        name: str,
        arguments: Mapping[str, Any],
        meta: Mapping[str, Any],
        answers: InputResponses | None = None,
        state: str | None = None,
    ) -> CallToolResult | InputRequiredResult:
        """One tool call with this token, perhaps with answers to what the tool asked before. Raises `MCPError`.

        A tool that wants to know something first comes back with its questions, and has done nothing.
        """

        async def send() -> CallToolResult | InputRequiredResult:
            return await self._client.session.call_tool(
                name,
                dict(arguments),
                input_responses=answers,
                request_state=state,
                meta=cast("RequestParamsMeta", dict(meta)),
                allow_input_required=True,
            )

        bound = _bearer.set(bearer)
        try:
            return await send()
        except MCPError as error:
            if error.code != HEADER_MISMATCH:
                raise
            # The tool is not what the list said any more; reading the list again mends that.
            self.forget_tools()
            await self._fetch()
            return await send()
        finally:
            _bearer.reset(bound)

    async def tools(self, bearer: Callable[[], Awaitable[str]]) -> tuple[Tool, ...]:
        """The tools on offer: one list for everybody, fetched again when it is old, or kept if that fails.

        Raises `MCPError` only when there has never been a list.
        """
        if time.monotonic() < self._stale_at:
            return self._tools
        token = await bearer()  # before the lock: one person's sign-in may take a while to be renewed
        async with self._listing:
            if time.monotonic() < self._stale_at:
                return self._tools
            bound = _bearer.set(token)
            try:
                self._tools, fresh_s = await self._fetch()
            except MCPError:
                if not self._tools:
                    raise
                log.warning("the tool list could not be fetched again; the old one is used")
                fresh_s = LIST_FRESH_S[0]
            finally:
                _bearer.reset(bound)
            self._stale_at = time.monotonic() + fresh_s
            return self._tools

    def forget_tools(self) -> None:
        """Fetch the list again before the next turn: the tool server did not know a tool of ours."""
        self._stale_at = 0.0

    async def _fetch(self) -> tuple[tuple[Tool, ...], float]:
        found: list[Tool] = []
        cursor: str | None = None
        ttl_ms: float = 0
        if not self._instructions:
            # A pinned client never asks by itself.
            discovered = await self._client.session.send_discover(PROTOCOL)
            self._instructions = str(discovered.get("instructions") or "")
        while True:
            page = await self._client.session.list_tools(params=PaginatedRequestParams(cursor=cursor))
            found += page.tools
            ttl_ms, cursor = page.ttl_ms or 0, page.next_cursor
            if cursor is None:
                break
        least, most = LIST_FRESH_S
        # A tool without a declared scope is never offered: we would not know what token to make for it.
        return tuple(tool for tool in found if scopes_of(tool) is not None), min(max(ttl_ms / 1_000, least), most)


async def _never(context: Any, params: Any) -> NoReturn:
    """Questions end a call and are never put in the middle of one: nobody could tell then whose call it is."""
    raise NotImplementedError


def scopes_of(tool: Tool) -> tuple[str, ...] | None:
    """The scopes a tool declares; None when it declares nothing."""
    declared = (tool.meta or {}).get("taskgate/scopes")
    return tuple(declared) if isinstance(declared, list) else None
