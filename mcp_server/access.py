"""From HTTP to `Caller` and from `Caller` to a transaction: what stands between the wire and every tool.

A token is checked on each request. A connection, a session and a cache carry no authority.
"""

import logging
import re
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final, cast
from urllib.parse import urlsplit

from fastmcp.dependencies import Depends
from fastmcp.exceptions import ToolError
from fastmcp.prompts import PromptResult
from fastmcp.resources import ResourceResult
from fastmcp.server.auth import AccessToken, RemoteAuthProvider, TokenVerifier
from fastmcp.server.dependencies import get_access_token, get_context
from fastmcp.server.middleware import CallNext, Middleware, MiddlewareContext
from fastmcp.tools.base import ToolResult
from mcp import MCPError
from mcp_types import INVALID_PARAMS, CallToolRequestParams, GetPromptRequestParams, ReadResourceRequestParams
from pydantic import AnyHttpUrl, ConfigDict
from starlette.datastructures import Headers
from starlette.middleware import Middleware as AsgiLayer
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mcp_server.addresses import read_address
from mcp_server.answering import answered
from mcp_server.budget import BUSY, Budget
from mcp_server.snapshot.queries import Queries
from mcp_server.tasks.calendar.dates import zone_named
from mcp_server.tasks.cursors import Cursors
from shared.asgi import problem_response
from shared.db import Database, Tx
from shared.errors import Problem
from shared.tokens import SCOPES, Caller, IssuerProfile, KeysUnavailable, Refused, Verifier
from shared.tokens.verifier import LEEWAY_S

UNAUTHENTICATED: Final = -31401
FORBIDDEN: Final = -31403
BASE_SCOPE: Final = "tasks:read"
EXPORT_SCOPE: Final = "data:read"
EXPORTS: Final = "tasks://export/"  # where the parts of exports are read
DESCRIPTION: Final = 'error_description="This access token is not accepted. Sign in again."'
METADATA_PATH: Final = "/.well-known/oauth-protected-resource"

_DESCRIPTION: Final = re.compile(r'error_description="[^"]*"')


@dataclass(frozen=True, slots=True)
class Resources:
    """What the process opened once and every call uses."""

    database: Database
    cursors: Cursors
    queries: Queries | None  # none where they are turned off
    budget: Budget
    default_tz: str = "UTC"


@dataclass(frozen=True, slots=True)
class CallMeta:
    """What a client may send beside the arguments, out of reach of its model."""

    request_id: str
    tz: str


class CallerToken(AccessToken):
    """The SDK's access token with our `Caller` in it. The token itself stays outside."""

    model_config = ConfigDict(arbitrary_types_allowed=True)

    caller: Caller


class BearerVerifier(TokenVerifier):
    """Our verifier in the shape the SDK asks for."""

    def __init__(self, verifier: Verifier, resource: str) -> None:
        super().__init__()
        self._verifier = verifier
        self._resource = resource

    async def verify_token(self, token: str) -> CallerToken | None:
        try:
            caller = await self._verifier.verify(token)
        except Refused:
            return None
        return CallerToken(
            token="redacted",  # noqa: S106
            client_id=caller.client_id,
            scopes=sorted(caller.scopes),
            # The SDK compares without leeway; ours was applied already.
            expires_at=caller.expires_at + LEEWAY_S,
            # The SDK binds sealed states to (client_id, iss, subject): left empty, two people would be one.
            subject=caller.key,
            claims={"iss": caller.issuer, "sub": caller.subject},
            resource=self._resource,
            caller=caller,
        )


class TaskgateAuth(RemoteAuthProvider):
    """Bearer tokens of the configured issuers, and the metadata that tells clients where to get one."""

    def __init__(self, verifier: Verifier, profiles: Sequence[IssuerProfile], mcp_url: str) -> None:
        issuers = [profile.issuer for profile in profiles if profile.interactive and not profile.delegates_for]
        at = urlsplit(mcp_url)
        origin = f"{at.scheme}://{at.netloc}"
        # There is nothing to tell where no client can sign in.
        self.metadata_url = f"{origin}{METADATA_PATH}{at.path}" if issuers else None
        super().__init__(
            BearerVerifier(verifier, mcp_url),
            # Plain strings: as URLs they would gain a slash, and clients compare byte by byte.
            authorization_servers=cast("list[AnyHttpUrl]", issuers),
            # The library puts the path behind it again.
            base_url=origin,
            scopes_supported=list(SCOPES),
            challenge_scopes=[BASE_SCOPE],
            resource_name="taskgate",
        )

    def get_routes(self, mcp_path: str | None = None) -> list[Any]:
        """The metadata, if there is any: under the path of its resource, and for clients that try only the root."""
        if self.metadata_url is None:
            return []
        [metadata] = super().get_routes(mcp_path)
        return [metadata, Route(METADATA_PATH, metadata.endpoint, methods=["GET", "OPTIONS"])]

    def get_middleware(self) -> list[Any]:
        """The SDK's layers, inside of ours."""
        return [AsgiLayer(Credentials), *super().get_middleware()]


class Credentials:
    """ASGI: one credential per request, and 503 instead of 401 while an issuer's keys were never loaded.

    A 401 then would make clients throw away good tokens and send people to sign in again.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        if sum(name == b"authorization" for name, _ in scope["headers"]) > 1:
            problem = Problem("bad_request", "two Authorization headers were sent", "send one")
            await problem_response(problem)(scope, receive, send)
            return
        try:
            await self._app(scope, receive, _in_our_words(scope, receive, send))
        except KeysUnavailable:
            problem = Problem("unavailable", "the keys that sign tokens cannot be loaded", "try again in 5 s")
            await problem_response(problem, headers={"Retry-After": "5"})(scope, receive, send)


def _in_our_words(scope: Scope, receive: Receive, send: Send) -> Send:
    """Sends a 401 with the library's challenge and our own words; its own tell clients to forget everything."""
    refused = False

    async def say(message: Message) -> None:
        nonlocal refused
        if message["type"] == "http.response.start" and message["status"] == 401:
            refused = True
            challenge = _DESCRIPTION.sub(DESCRIPTION, Headers(raw=message["headers"])["www-authenticate"])
            problem = Problem("sign_in", "the access token is missing or not accepted", "sign in and try again")
            await problem_response(problem, headers={"WWW-Authenticate": challenge})(scope, receive, send)
        elif not refused:
            await send(message)

    return say


class Guard(Middleware):
    """Before any tool, read or prompt: it is known, a caller is there, his token permits it and his minute has room.

    Tools say by themselves how they end; for the others that is said here.
    """

    def __init__(self, scopes: Mapping[str, str], budget: Budget) -> None:
        self._scopes = dict(scopes)
        self._budget = budget

    async def on_request(self, context: MiddlewareContext[Any], call_next: CallNext[Any, Any]) -> Any:
        """Here and not in the hooks below, because completions have none; only a tool can say what is wrong itself."""
        if self._budget.counts(context.method):
            call = context.message if isinstance(context.message, CallToolRequestParams) else None
            try:
                await self._budget.spend_on_request(current_caller(), context.method, call.name if call else "")
            except Problem as problem:
                if call:
                    raise ToolError(str(problem), log_level=logging.DEBUG) from None
                raise MCPError(BUSY, str(problem)) from None
        return await call_next(context)

    async def on_call_tool(
        self, context: MiddlewareContext[CallToolRequestParams], call_next: CallNext[CallToolRequestParams, ToolResult]
    ) -> ToolResult:
        name = context.message.name
        if name not in self._scopes:
            raise MCPError(INVALID_PARAMS, f"unknown_tool: there is no tool {name[:40]!r}")
        permitted_caller(self._scopes[name])
        return await call_next(context)

    async def on_read_resource(
        self,
        context: MiddlewareContext[ReadResourceRequestParams],
        call_next: CallNext[ReadResourceRequestParams, ResourceResult],
    ) -> ResourceResult:
        uri = context.message.uri
        is_export = uri.startswith(EXPORTS)
        caller = permitted_caller(EXPORT_SCOPE if is_export else BASE_SCOPE)
        address = read_address(uri)
        kind = "export" if is_export else address.kind if address else "other"
        with answered("resource read", caller, MCPError(INVALID_PARAMS, "Resource not found", {"uri": uri}), kind=kind):
            return await call_next(context)

    async def on_get_prompt(
        self,
        context: MiddlewareContext[GetPromptRequestParams],
        call_next: CallNext[GetPromptRequestParams, PromptResult],
    ) -> PromptResult:
        with answered("prompt read", permitted_caller(BASE_SCOPE), unknown_prompt(context.message.name)):
            return await call_next(context)


def unknown_prompt(name: str) -> MCPError:
    """The answer to whoever names a prompt that is not offered."""
    return MCPError(INVALID_PARAMS, f"not_found: there is no prompt {name[:40]!r}. Fix: see prompts/list")


def permitted_caller(scope: str) -> Caller:
    """Who sent the request being answered, if his token permits that much."""
    caller = current_caller()
    if not caller.may(scope):
        raise MCPError(FORBIDDEN, f"insufficient scope, needs: {scope}")
    return caller


def current_caller() -> Caller:
    """Who sent the request being answered."""
    token = get_access_token()
    if not isinstance(token, CallerToken):
        raise MCPError(UNAUTHENTICATED, "sign in first")
    return token.caller


def current_resources() -> Resources:
    """What the process opened once."""
    resources = get_context().lifespan_context["taskgate"]
    assert isinstance(resources, Resources)
    return resources


def current_call() -> CallMeta:
    """What the client sent beside the arguments."""
    request = get_context().request_context
    meta: Mapping[str, Any] = (request.meta if request is not None else None) or {}
    request_id, tz = meta.get("taskgate/request_id"), meta.get("taskgate/tz")
    if request_id is not None and not _is_request_id(request_id):
        raise Problem("bad_argument", "_meta taskgate/request_id is no request id", "1-128 printable ASCII characters")
    return CallMeta(
        request_id=f"m:{request_id}" if request_id else "",
        tz=zone_named(tz).key if isinstance(tz, str) else current_resources().default_tz,
    )


def argument_request_id(value: str) -> str:
    """The key of a repeat that came as an argument; kept apart from those in `_meta`, which the host writes."""
    if not value:
        return ""
    if not _is_request_id(value):
        raise Problem("bad_argument", "request_id is not usable", "1-128 printable ASCII characters")
    return f"a:{value}"


def _is_request_id(value: object) -> bool:
    return isinstance(value, str) and 1 <= len(value) <= 128 and value.isascii() and value.isprintable()


@asynccontextmanager
async def _reading() -> AsyncGenerator[Tx]:
    async with current_resources().database.begin(current_caller()) as tx:
        yield tx


@asynccontextmanager
async def _writing() -> AsyncGenerator[Tx]:
    async with current_resources().database.begin(current_caller(), write=True) as tx:
        yield tx


# Defaults of tool parameters: invisible in the schema, one per call, committed before the reply leaves.
ReadTx: Final[Tx] = Depends(_reading)
WriteTx: Final[Tx] = Depends(_writing)
ThisCall: Final[CallMeta] = Depends(current_call)
TheResources: Final[Resources] = Depends(current_resources)
