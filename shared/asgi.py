"""What both services wear around their applications: request ids and the access line, limits, guards, health, drain."""

import asyncio
import json
import logging
import re
from collections.abc import Awaitable, Callable, Container, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from time import monotonic
from types import MappingProxyType
from typing import Any, Final, cast
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import ClientDisconnect
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from shared.errors import Problem
from shared.telemetry import REQUEST_ID, new_request_id

log = logging.getLogger(__name__)

SECURITY_HEADERS: Final = MappingProxyType(
    {
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
        "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
        "Cache-Control": "no-store",
    }
)
HSTS: Final = "max-age=31536000"
CHECK_LIMIT_S: Final = 1.0
CHECKS_KEPT_S: Final = 1.0
LONGEST_PATH: Final = 200

_REQUEST_ID: Final = re.compile(r"[A-Za-z0-9_-]{8,64}")


def protected(
    app: ASGIApp,
    *,
    public_url: str,
    hosts: Iterable[str],
    origins: Sequence[str],
    headers: Sequence[str],
    body_limit: int,
    trusted_proxies: Sequence[str],
    larger: Mapping[tuple[str, str], int] = MappingProxyType({}),
) -> ASGIApp:
    """An application behind everything that stands between it and the network, from the inside out.

    `origins` are other sites whose pages may call; they may send `headers` besides the usual ones, and no cookies.
    `larger` are the methods and paths, or beginnings of paths, that take larger bodies, and how large those may be.
    """
    public = urlsplit(public_url)
    own = f"{public.scheme}://{public.netloc}"
    app = BodyLimit(app, body_limit, larger)
    app = HostOriginGuard(app, {public.netloc, *hosts}, {own, *origins})
    if origins:
        app = CORSMiddleware(
            app,
            allow_origins=origins,
            allow_methods=sorted({"GET", "POST", *(method for method, _ in larger)}),
            allow_headers=["Authorization", "Content-Type", *headers],
            expose_headers=["WWW-Authenticate", "Retry-After", "X-Request-Id"],
        )
    app = SecurityHeaders(app, https=public.scheme == "https")
    return RequestLog(app, trusted_proxies)


def problem_response(
    problem: Problem, headers: Mapping[str, str] | None = None, more: Mapping[str, str] | None = None
) -> Response:
    """The problem as JSON under its own status, with the id of the request that met it and whatever else helps."""
    body = {
        "code": problem.code,
        "message": problem.message,
        "hint": problem.hint,
        "request_id": REQUEST_ID.get(),
        **(more or {}),
    }
    # Escaped to ASCII, because a message may quote text that UTF-8 cannot carry.
    content = json.dumps(body)
    return Response(content, problem.status, {**SECURITY_HEADERS, **(headers or {})}, "application/json")


class RequestLog:
    """The outermost piece but the probes: gives each request an id and writes one line about it at its end.

    Trusted proxies may bring the id, and what they say about the client's address and scheme counts. An exception that
    nobody handled becomes an answer without internals; if another answer had begun, the server ends the connection.
    """

    def __init__(self, app: ASGIApp, trusted_proxies: Sequence[str] = ()) -> None:
        # Inside this piece, because it puts the client's address where the proxy's own has to be read first. The cast
        # is due to the two libraries, which describe the same protocol in different types.
        self._app: Any = ProxyHeadersMiddleware(cast("Any", app), trusted_hosts=list(trusted_proxies))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        exchange = _Exchange(self._id_for(scope), receive, send)
        token = REQUEST_ID.set(exchange.request_id)
        method, path = scope["method"], scope["path"][:LONGEST_PATH]
        started = monotonic()
        try:
            await self._app(scope, exchange.receive, exchange.send)
            await exchange.finish()
        except ClientDisconnect:
            exchange.client_left = True
        except Exception:
            log.exception("unhandled exception")
            await exchange.fail(scope)
        finally:
            log.info(
                "request",
                extra={
                    "method": method,
                    "path": path,
                    "status": exchange.status,
                    "ms": round((monotonic() - started) * 1000, 1),
                    "client_left": exchange.client_left,
                },
            )
            REQUEST_ID.reset(token)

    def _id_for(self, scope: Scope) -> str:
        peer = scope.get("client")
        if peer and peer[0] in self._app.trusted_hosts:
            brought = Headers(scope=scope).get("x-request-id", "")
            if _REQUEST_ID.fullmatch(brought):
                return brought
        return new_request_id()


class _Exchange:
    """One request and its answer, as far as they have come."""

    def __init__(self, request_id: str, receive: Receive, send: Send) -> None:
        self.request_id = request_id
        self.status: int | None = None
        self.client_left = False
        self._complete = False
        # A 500 waits here until the application returns: Starlette answers an unhandled exception with a text of its
        # own and only then raises it.
        self._held: list[Message] = []
        self._receive = receive
        self._send = send

    async def receive(self) -> Message:
        message = await self._receive()
        if message["type"] == "http.disconnect" and not self._complete:
            self.client_left = True
        return message

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
        if self.status == 500:
            self._held.append(message)
        else:
            await self._pass_on(message)

    async def finish(self) -> None:
        """Send what was held back: the application meant it."""
        for message in self._held:
            await self._pass_on(message)

    async def fail(self, scope: Scope) -> None:
        """Answer for an application that raised, unless part of another answer is on its way."""
        if self.status is not None and not self._held:
            return
        self.status = 500
        hint = "try again; if it stays like this, tell the operator this request id"
        response = problem_response(Problem("internal", "something went wrong here", hint))
        await response(scope, self._receive, self._pass_on)

    async def _pass_on(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            message.setdefault("headers", [])
            MutableHeaders(scope=message)["X-Request-Id"] = self.request_id
        elif message["type"] == "http.response.body" and not message.get("more_body", False):
            self._complete = True
        await self._send(message)


class BodyLimit:
    """Refuses bodies above a size, by what they announce and by what arrives, and keeps none of them.

    Starlette's own limit raises through the application, which may turn that into an answer of its own; this one
    answers by itself and tells the application that the client is gone.
    """

    def __init__(
        self, app: ASGIApp, max_bytes: int, larger: Mapping[tuple[str, str], int] = MappingProxyType({})
    ) -> None:
        """A request whose method and the beginning of whose path stand in `larger` has the limit given there."""
        self._app = app
        self._max_bytes = max_bytes
        self._larger = larger

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        max_bytes = self._limit(scope)
        announced = Headers(scope=scope).get("content-length", "")
        if announced.isdecimal() and int(announced) > max_bytes:
            await _refuse(max_bytes, scope, receive, send)
            return
        arrived = 0
        started = refused = False

        async def counted() -> Message:
            nonlocal arrived, refused
            message = await receive()
            arrived += len(message.get("body", b""))
            if arrived <= max_bytes:
                return message
            if not (started or refused):
                refused = True
                await _refuse(max_bytes, scope, receive, send)
            return {"type": "http.disconnect"}

        async def unless_refused(message: Message) -> None:
            nonlocal started
            if not refused:
                started = True
                await send(message)

        try:
            await self._app(scope, counted, unless_refused)
        except Exception:
            # What an application does when its client is suddenly gone is nobody's concern.
            if not refused:
                raise

    def _limit(self, scope: Scope) -> int:
        for (method, start), limit in self._larger.items():
            if scope["method"] == method and scope["path"].startswith(start):
                return limit
        return self._max_bytes


async def _refuse(max_bytes: int, scope: Scope, receive: Receive, send: Send) -> None:
    problem = Problem("too_big", f"the body is larger than {max_bytes} bytes", "send less at a time")
    await problem_response(problem, {"Connection": "close"})(scope, receive, send)


class SecurityHeaders:
    """Puts the strict headers on every answer that does not bring its own."""

    def __init__(self, app: ASGIApp, headers: Mapping[str, str] | None = None, *, https: bool) -> None:
        """More headers may be given; `https` says that the public address is, so that browsers may insist on it."""
        self._app = app
        self._headers = {**SECURITY_HEADERS, **(headers or {})}
        if https:
            self._headers["Strict-Transport-Security"] = HSTS

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                message.setdefault("headers", [])
                present = MutableHeaders(scope=message)
                for name, value in self._headers.items():
                    present.setdefault(name, value)
            await send(message)

        await self._app(scope, receive, with_headers if scope["type"] == "http" else send)


class HostOriginGuard:
    """Lets through only requests to our own names, and from pages only those of known origins.

    A page anywhere can make a browser send requests to this address, under a name that it has pointed here.
    """

    def __init__(self, app: ASGIApp, hosts: Iterable[str], origins: Container[str]) -> None:
        """Hosts as clients write them, with the port unless it is the scheme's own; origins as browsers do."""
        self._app = app
        self._hosts = frozenset(host.lower() for host in hosts)
        self._origins = origins

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        problem = self._problem(Headers(scope=scope)) if scope["type"] == "http" else None
        if problem is None:
            await self._app(scope, receive, send)
        else:
            await problem_response(problem)(scope, receive, send)

    def _problem(self, headers: Headers) -> Problem | None:
        hosts = headers.getlist("host")
        if len(hosts) != 1 or hosts[0].lower() not in self._hosts:
            return Problem("wrong_host", "this service does not answer under that name", "use its public address")
        for origin in headers.getlist("origin"):
            # What sandboxed frames and local files send: it names nobody.
            if origin == "null" or origin not in self._origins:
                return Problem("forbidden", "pages of that origin may not use this service", "ask its operator")
        return None


class InFlight:
    """ASGI: knows whether requests are being answered, so that a stop can wait for them."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._count = 0
        self._idle = asyncio.Event()
        self._idle.set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        self._count += 1
        self._idle.clear()
        try:
            await self._app(scope, receive, send)
        finally:
            self._count -= 1
            if not self._count:
                self._idle.set()

    async def finish(self, left_s: float) -> None:
        """Wait until nothing is being answered, at most that long."""
        with suppress(TimeoutError):
            async with asyncio.timeout(left_s):
                await self._idle.wait()


class Drain:
    """The wish to stop, once somebody has it: nothing new begins, what runs comes to its end."""

    def __init__(self) -> None:
        self._begun = asyncio.Event()

    @property
    def draining(self) -> bool:
        """Whether it has begun."""
        return self._begun.is_set()

    def begin(self) -> None:
        """From now on; saying it again changes nothing."""
        self._begun.set()

    async def wait(self) -> None:
        """Return once it has begun."""
        await self._begun.wait()


@dataclass(frozen=True, slots=True)
class Check:
    """Something the service needs (or merely uses, when not required); `run` raises when it is away."""

    name: str
    required: bool
    run: Callable[[], Awaitable[None]]


class Probes:
    """Answers `/healthz` and `/readyz` before anything else can refuse them: probes know neither names nor tokens.

    Health asks nothing but the event loop, so that no outage elsewhere restarts this process. Readiness runs the checks
    side by side, at most once a second however many ask, and shows nobody why one of them failed.
    """

    def __init__(self, app: ASGIApp, checks: Sequence[Check], drain: Drain) -> None:
        self._app = app
        self._checks = checks
        self._drain = drain
        self._running = asyncio.Lock()
        self._outcomes: Mapping[str, bool] = {}
        self._valid_until = float("-inf")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        response: Response | None = None
        if scope["type"] == "http" and scope["method"] in {"GET", "HEAD"}:
            if scope["path"] == "/healthz":
                response = JSONResponse({"ok": True}, headers=SECURITY_HEADERS)
            elif scope["path"] == "/readyz":
                response = await self._readiness()
        await (response or self._app)(scope, receive, send)

    async def _readiness(self) -> Response:
        async with self._running:
            if monotonic() >= self._valid_until:
                outcomes = await asyncio.gather(*map(self._holds, self._checks))
                self._outcomes = {check.name: ok for check, ok in zip(self._checks, outcomes, strict=True)}
                self._valid_until = monotonic() + CHECKS_KEPT_S
            outcomes_now = self._outcomes
        ready = not self._drain.draining and all(outcomes_now[c.name] for c in self._checks if c.required)
        body = {"ok": ready, "checks": [{"name": name, "ok": ok} for name, ok in outcomes_now.items()]}
        return JSONResponse(body, 200 if ready else 503, SECURITY_HEADERS)

    async def _holds(self, check: Check) -> bool:
        try:
            async with asyncio.timeout(CHECK_LIMIT_S):
                await check.run()
        except Exception:
            log.warning("check failed", exc_info=True, extra={"check": check.name})
            return False
        return True
