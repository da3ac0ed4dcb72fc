"""`StepUp`: HTTP 403 for a token that lacks a scope, with what a client has to ask for, and 429 for a flood."""

import json
from collections.abc import Mapping, Set
from typing import Final

from mcp.server.auth.middleware.bearer_auth import AuthenticatedUser
from mcp_types import HEADER_MISMATCH, INVALID_REQUEST, PARSE_ERROR, PROTOCOL_VERSION_META_KEY
from starlette.datastructures import Headers
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mcp_server.access import BASE_SCOPE, EXPORT_SCOPE, EXPORTS, FORBIDDEN, CallerToken
from mcp_server.budget import BUSY, Budget, Refusal
from mcp_server.cancelling import Running
from shared.tokens import Caller

# What reads a person's data without being a tool. Everything else but a tool call needs a token and no scope.
READING: Final = frozenset(
    {"completion/complete", "prompts/get", "resources/read", "resources/subscribe", "subscriptions/listen"}
)


class StepUp:
    """ASGI, inside of authentication: a request passes when its caller may do all that its body asks for.

    Only the body counts, whatever the headers say of it: just one of the two eras compares them. A body that is no
    message is refused here, because the library would quote it. Who has not signed in passes, and so does a call of an
    unknown tool: they are refused further inside.
    """

    def __init__(self, app: ASGIApp, scopes: Mapping[str, str], metadata_url: str | None, budget: Budget) -> None:
        """The scope of each tool, where clients learn who gives tokens if anybody does, and the counts."""
        self._app = app
        self._scopes = dict(scopes)
        self._metadata_url = metadata_url
        self._budget = budget
        self._running = Running()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        caller = _caller(scope)
        if caller is None or scope["method"] != "POST":
            await self._app(scope, receive, send)
            return
        body = await _whole_body(receive)
        if body is None:
            return
        try:
            # Reads whatever the parsers of both eras read: a body that only they understood would pass unjudged.
            found = json.loads(body)
        except (ValueError, RecursionError):
            await _error(400, PARSE_ERROR, "the body is not JSON")(scope, receive, send)
            return
        if (refused := self._flood(caller, found)) is not None:
            wait = {"Retry-After": str(refused.retry_after_s)}
            await _error(429, BUSY, str(refused.problem), wait)(scope, receive, send)
            return
        needs = {self._need(message) for message in (found if isinstance(found, list) else [found])}
        missing = {needed for needed in needs if needed is not None and not caller.may(needed)}
        if missing:
            await self._challenge(caller.scopes, missing)(scope, receive, send)
        elif not _is_message(found):
            await _error(400, INVALID_REQUEST, "the body has to be one JSON-RPC 2.0 request or notification")(
                scope, receive, send
            )
        elif _contradicts(found, trimmed := _trimmed(scope)):
            told = "the MCP-Protocol-Version header and the body name different versions"
            await _error(400, HEADER_MISMATCH, told, request_id=found.get("id"))(scope, receive, send)
        else:
            await self._running.answer(self._app, caller, found, trimmed, _replayed(body, receive), send)

    def _need(self, message: object) -> str | None:
        match message:
            case {"method": "tools/call", "params": {"name": str(name)}}:
                return self._scopes.get(name)
            case {"method": "resources/read", "params": {"uri": str(uri)}} if uri.startswith(EXPORTS):
                return EXPORT_SCOPE
            case {"method": str(method)} if method in READING:
                return BASE_SCOPE
        return None

    def _flood(self, caller: Caller, message: object) -> Refusal | None:
        match message:
            case {"method": "tools/call", "params": {"name": str(name)}}:
                return self._budget.flood(caller, "tools/call", name)
            case {"method": str(method)}:
                return self._budget.flood(caller, method)
        return None

    def _challenge(self, granted: Set[str], missing: Set[str]) -> Response:
        needed = " ".join(sorted(missing))
        parts = [
            'error="insufficient_scope"',
            # With what is granted already, because some clients ask for these scopes alone and would lose the others.
            f'scope="{" ".join(sorted(granted | missing))}"',
            *([f'resource_metadata="{self._metadata_url}"'] if self._metadata_url else []),
            f'error_description="This needs: {needed}"',
        ]
        challenge = {"WWW-Authenticate": f"Bearer {', '.join(parts)}"}
        return _error(403, FORBIDDEN, f"insufficient scope, needs: {needed}", challenge)


def _error(
    status: int,
    code: int,
    message: str,
    headers: Mapping[str, str] | None = None,
    request_id: str | int | None = None,
) -> Response:
    error = {"code": code, "message": message}
    return JSONResponse({"jsonrpc": "2.0", "id": request_id, "error": error}, status, headers)


def _is_message(found: object) -> bool:
    match found:
        case {"jsonrpc": "2.0", "method": str(), **rest}:
            named = isinstance(rest.get("id", ""), str | int) and not isinstance(rest.get("id"), bool)
            return named and isinstance(rest.get("params", {}), dict)
    return False


def _contradicts(message: object, scope: Scope) -> bool:
    """Whether a body of the newer era comes with a header of another, after which the library would judge it."""
    match message:
        case {"params": {"_meta": {**meta}}} if isinstance(version := meta.get(PROTOCOL_VERSION_META_KEY), str):
            return Headers(scope=scope).getlist("mcp-protocol-version") != [version]
    return False


def _caller(scope: Scope) -> Caller | None:
    user = scope.get("user") if scope["type"] == "http" else None
    token = user.access_token if isinstance(user, AuthenticatedUser) else None
    return token.caller if isinstance(token, CallerToken) else None


async def _whole_body(receive: Receive) -> bytes | None:
    """The body of a request, which is limited further outside; None when the client left before its end."""
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] != "http.request":
            return None
        body += message.get("body", b"")
        if not message.get("more_body", False):
            return bytes(body)


def _trimmed(scope: Scope) -> Scope:
    """The request without the blanks around the values of its headers, which not every parser takes away.

    They are no part of a value (RFC 9110, 5.5), but the library would find that it differs from the body.
    """
    return {**scope, "headers": [(name, value.strip(b" \t")) for name, value in scope["headers"]]}


def _replayed(body: bytes, receive: Receive) -> Receive:
    unread: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def replay() -> Message:
        return unread.pop() if unread else await receive()

    return replay
