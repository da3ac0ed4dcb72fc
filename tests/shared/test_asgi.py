"""The pieces both services wear, in front of small applications on a real server."""

import asyncio
import io
import json
import logging
from collections.abc import AsyncGenerator, Callable, Iterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import httpx2
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route, Router
from starlette.types import ASGIApp, Receive, Scope, Send

from shared.asgi import (
    BodyLimit,
    Check,
    Drain,
    HostOriginGuard,
    Probes,
    RequestLog,
    SecurityHeaders,
    problem_response,
)
from shared.errors import Problem
from shared.serve import serve
from shared.telemetry import REQUEST_ID, configure_logs
from tests.web import web

pytestmark = pytest.mark.anyio
PROXY = ["127.0.0.1"]

ClientOf = Callable[[ASGIApp], AbstractAsyncContextManager[httpx2.AsyncClient]]


@pytest.fixture(scope="module")
async def client_of() -> AsyncGenerator[ClientOf]:
    """A client of the application that is given, which takes its turn on the one server of this module."""
    turn: list[ASGIApp] = []
    drain = Drain()
    address: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    async def stage(scope: Scope, receive: Receive, send: Send) -> None:
        await turn[-1](scope, receive, send)

    @asynccontextmanager
    async def client_of(app: ASGIApp) -> AsyncGenerator[httpx2.AsyncClient]:
        turn.append(app)
        async with web(base_url=f"http://{address.result()}") as client:
            yield client

    # The router brings the lifespan that a server expects of an application.
    served = serve(
        Router(default=stage),
        bind="127.0.0.1:0",
        drain=drain,
        drain_s=1,
        notice_s=0,
        on_started=address.set_result,
    )
    serving = asyncio.create_task(served)
    await asyncio.wait({serving, address}, return_when=asyncio.FIRST_COMPLETED)
    yield client_of
    drain.begin()
    await serving


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    root = logging.root
    handlers, level = root.handlers[:], root.level
    stream = io.StringIO()
    configure_logs("gateway", "info", stream=stream)
    yield stream
    logging.captureWarnings(capture=False)
    root.handlers[:], root.level = handlers, level


def lines(log: io.StringIO, event: str) -> list[dict[str, Any]]:
    return [line for line in map(json.loads, log.getvalue().splitlines()) if line["event"] == event]


async def hello(scope: Scope, receive: Receive, send: Send) -> None:
    await PlainTextResponse(f"hello {REQUEST_ID.get()}")(scope, receive, send)


async def echo(scope: Scope, receive: Receive, send: Send) -> None:
    await Response(await Request(scope, receive).body())(scope, receive, send)


# Problems


async def test_a_problem_leaves_under_its_own_status_with_the_request_it_belongs_to(client_of: ClientOf) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        problem = Problem("quota", "that is enough for \ud800 today", "come back tomorrow")
        await problem_response(problem, {"Retry-After": "60"})(scope, receive, send)

    async with client_of(RequestLog(app)) as client:
        answer = await client.get("/")
    assert answer.status_code == 429
    assert answer.headers["retry-after"] == "60"
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["content-type"] == "application/json"
    assert answer.json() == {
        "code": "quota",
        "message": "that is enough for \ud800 today",
        "hint": "come back tomorrow",
        "request_id": answer.headers["x-request-id"],
    }


# The request log


async def test_every_answer_carries_a_request_id_of_our_own_making(client_of: ClientOf) -> None:
    async with client_of(RequestLog(hello)) as client:
        answers = [await client.get("/", headers={"X-Request-Id": "from-the-client"}) for _ in range(2)]
    ids = [answer.headers["x-request-id"] for answer in answers]
    assert len({*ids, "from-the-client"}) == 3
    assert [answer.text for answer in answers] == [f"hello {name}" for name in ids]


@pytest.mark.parametrize("brought", ["a2345678", "A-_9" * 16])
async def test_a_trusted_proxy_may_bring_the_request_id(client_of: ClientOf, brought: str) -> None:
    async with client_of(RequestLog(hello, PROXY)) as client:
        answer = await client.get("/", headers={"X-Request-Id": brought, "X-Forwarded-For": "203.0.113.9"})
    assert answer.headers["x-request-id"] == brought
    assert answer.text == f"hello {brought}"


@pytest.mark.parametrize("brought", ["", "a234567", "a" * 65, "with space", "a2345678.", "a2345678é", "a2345678;b"])
async def test_an_odd_request_id_is_replaced_even_when_a_trusted_proxy_brings_it(
    client_of: ClientOf, brought: str
) -> None:
    async with client_of(RequestLog(hello, PROXY)) as client:
        answer = await client.get("/", headers={"X-Request-Id": brought.encode()})
    assert answer.headers["x-request-id"] != brought
    assert len(answer.headers["x-request-id"]) == 16


@pytest.mark.parametrize(("trusted", "seen"), [(PROXY, "203.0.113.9 https"), ([], "127.0.0.1 http")])
async def test_only_a_trusted_proxy_is_believed_about_the_client(
    client_of: ClientOf, trusted: list[str], seen: str
) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await PlainTextResponse(f"{scope['client'][0]} {scope['scheme']}")(scope, receive, send)

    async with client_of(RequestLog(app, trusted)) as client:
        forwarded = {"X-Forwarded-For": "198.51.100.1, 203.0.113.9", "X-Forwarded-Proto": "https"}
        assert (await client.get("/", headers=forwarded)).text == seen


async def test_a_forwarded_address_does_not_make_a_stranger_a_proxy(client_of: ClientOf) -> None:
    async with client_of(RequestLog(hello, ["203.0.113.9"])) as client:
        headers = {"X-Forwarded-For": "203.0.113.9", "X-Request-Id": "a2345678"}
        assert (await client.get("/", headers=headers)).headers["x-request-id"] != "a2345678"


async def test_one_line_per_request_without_the_query(client_of: ClientOf, log: io.StringIO) -> None:
    async with client_of(RequestLog(hello)) as client:
        answer = await client.post(f"/chat/{'x' * 500}?code=canary", content=b"canary")
    (line,) = lines(log, "request")
    assert line.pop("ms") >= 0
    assert line.pop("time")
    assert line == {
        "level": "info",
        "event": "request",
        "service": "gateway",
        "request_id": answer.headers["x-request-id"],
        "method": "POST",
        "path": f"/chat/{'x' * 194}",
        "status": 200,
        "client_left": False,
    }
    assert "canary" not in log.getvalue()


async def test_the_line_says_when_the_client_left_before_the_end(client_of: ClientOf, log: io.StringIO) -> None:
    ended = asyncio.Event()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        async def endless() -> AsyncGenerator[bytes]:
            yield b"first"
            await asyncio.Event().wait()

        await StreamingResponse(endless())(scope, receive, send)

    async def watched(scope: Scope, receive: Receive, send: Send) -> None:
        await RequestLog(app)(scope, receive, send)
        ended.set()

    async with client_of(watched) as client:
        async with client.stream("GET", "/") as answer:
            assert await anext(answer.aiter_bytes()) == b"first"
        async with asyncio.timeout(10):
            await ended.wait()
    (line,) = lines(log, "request")
    assert line["status"] == 200
    assert line["client_left"] is True


async def test_a_client_that_leaves_within_its_body_is_no_error(client_of: ClientOf, log: io.StringIO) -> None:
    ended = asyncio.Event()

    async def watched(scope: Scope, receive: Receive, send: Send) -> None:
        await RequestLog(Starlette(routes=[Route("/", _echo, methods=["POST"])]))(scope, receive, send)
        ended.set()

    async with client_of(watched) as client:
        _, writer = await asyncio.open_connection(client.base_url.host, client.base_url.port)
        writer.write(b"POST / HTTP/1.1\r\nHost: here\r\nContent-Length: 10\r\n\r\nhalf")
        await writer.drain()
        writer.close()
        async with asyncio.timeout(10):
            await ended.wait()
    (line,) = lines(log, "request")
    assert line["client_left"] is True
    assert lines(log, "unhandled exception") == []


async def _echo(request: Request) -> Response:
    return Response(await request.body())


async def _broken(_: Request) -> Response:
    raise RuntimeError("SELECT canary FROM secrets")


async def _refusing(_: Request) -> Response:
    return problem_response(Problem("internal", "the card could not be drawn", "reload"))


@pytest.mark.parametrize("kind", [Router, Starlette])
async def test_an_unhandled_exception_is_an_answer_without_internals(
    client_of: ClientOf, kind: type[Router | Starlette], log: io.StringIO
) -> None:
    app = RequestLog(kind(routes=[Route("/broken", _broken), Route("/refusing", _refusing)]))
    async with client_of(app) as client:
        answer = await client.get("/broken")
        meant = await client.get("/refusing")
    assert answer.status_code == 500
    assert "canary" not in answer.text
    assert answer.json()["code"] == "internal"
    assert answer.json()["request_id"] == answer.headers["x-request-id"]
    assert answer.headers["cache-control"] == "no-store"
    (line,) = lines(log, "unhandled exception")
    assert "SELECT canary FROM secrets" in line["exception"]
    assert line["request_id"] == answer.headers["x-request-id"]
    assert [found["status"] for found in lines(log, "request")] == [500, 500]
    assert meant.json()["message"] == "the card could not be drawn"
    assert log.getvalue().count("Traceback") == 1


async def test_an_exception_in_mid_answer_ends_the_connection(client_of: ClientOf, log: io.StringIO) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        async def failing() -> AsyncGenerator[bytes]:
            yield b"first"
            raise RuntimeError("in the middle")

        await StreamingResponse(failing())(scope, receive, send)

    async with client_of(RequestLog(app)) as client:
        with pytest.raises(httpx2.RemoteProtocolError):
            await client.get("/")
        async with client.stream("GET", "/") as answer:
            with pytest.raises(httpx2.RemoteProtocolError):
                assert b"".join([part async for part in answer.aiter_bytes()]) == b"first"
    assert len(lines(log, "unhandled exception")) == 2
    assert {line["status"] for line in lines(log, "request")} == {200}


# The body limit


async def chunks(*sizes: int) -> AsyncGenerator[bytes]:
    for size in sizes:
        yield b"x" * size


async def test_a_body_up_to_the_limit_passes_with_and_without_a_length(client_of: ClientOf) -> None:
    async with client_of(BodyLimit(echo, 100_000)) as client:
        assert len((await client.post("/", content=b"x" * 100_000)).content) == 100_000
        assert len((await client.post("/", content=chunks(60_000, 40_000))).content) == 100_000
        assert (await client.get("/")).content == b""


@pytest.mark.parametrize("kind", ["announced", "arriving"])
@pytest.mark.parametrize("framework", [False, True])
async def test_a_body_above_the_limit_is_refused_and_the_connection_closed(
    client_of: ClientOf, kind: str, *, framework: bool
) -> None:
    app = Starlette(routes=[Route("/", _echo, methods=["POST"])]) if framework else echo
    async with client_of(BodyLimit(app, 100_000)) as client:
        body = b"x" * 100_001 if kind == "announced" else chunks(60_000, 40_001)
        answer = await client.post("/", content=body)
    assert answer.status_code == 413
    assert answer.headers["connection"] == "close"
    assert answer.json()["code"] == "too_big"


async def test_only_what_may_be_larger_is_taken_where_it_goes(client_of: ClientOf) -> None:
    async with client_of(BodyLimit(echo, 10, {("PUT", "/files/"): 100, ("POST", "/speech"): 1000})) as client:
        assert (await client.put("/files/one", content=b"x" * 100)).status_code == 200
        assert (await client.put("/files/one", content=chunks(60, 40))).status_code == 200
        for method, path, size in (
            ("PUT", "/files/one", 101),
            ("POST", "/files/one", 11),
            ("PUT", "/elsewhere/files/", 11),
            ("PUT", "/files", 11),
            ("PUT", "/speech", 11),
        ):
            for body in (b"x" * size, chunks(size)):
                answer = await client.request(method, path, content=body)
                assert (answer.status_code, answer.headers["connection"]) == (413, "close")


async def test_an_application_is_not_even_asked_about_a_body_announced_too_big(client_of: ClientOf) -> None:
    asked: list[str] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        asked.append(scope["path"])
        await echo(scope, receive, send)

    async with client_of(BodyLimit(app, 10)) as client:
        assert (await client.post("/small", content=b"x" * 10)).status_code == 200
        assert (await client.post("/big", content=b"x" * 11)).status_code == 413
    assert asked == ["/small"]


@pytest.mark.parametrize("then", ["answers", "fails"])
async def test_an_application_never_sees_a_byte_above_the_limit_nor_has_a_say_after_it(
    client_of: ClientOf, then: str, log: io.StringIO
) -> None:
    seen: list[tuple[str, int]] = []

    async def stubborn(scope: Scope, receive: Receive, send: Send) -> None:
        for _ in range(4):
            message = await receive()
            seen.append((message["type"], len(message.get("body", b""))))
        if then == "fails":
            raise RuntimeError("no body")
        await PlainTextResponse("took it all")(scope, receive, send)

    async with client_of(RequestLog(BodyLimit(stubborn, 10))) as client:
        answer = await client.post("/", content=chunks(11))
    assert answer.status_code == 413
    assert seen == [("http.disconnect", 0)] * 4
    assert [line["status"] for line in lines(log, "request")] == [413]
    assert lines(log, "unhandled exception") == []


async def test_a_body_that_grows_too_big_after_the_answer_began_ends_for_the_application(client_of: ClientOf) -> None:
    async def eager(_: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"begun ", "more_body": True})
        while (message := await receive())["type"] == "http.request":
            assert message["more_body"]
        await send({"type": "http.response.body", "body": message["type"].encode()})

    async with client_of(BodyLimit(eager, 10)) as client:
        answer = await client.post("/", content=chunks(5, 6))
    assert answer.status_code == 200
    assert answer.text == "begun http.disconnect"


async def test_a_failing_application_still_fails_behind_the_limit(client_of: ClientOf, log: io.StringIO) -> None:
    async with client_of(RequestLog(BodyLimit(Router(routes=[Route("/", _broken)]), 10))) as client:
        assert (await client.get("/")).status_code == 500
    assert len(lines(log, "unhandled exception")) == 1


# Headers


async def test_every_answer_has_the_strict_headers_unless_it_brings_its_own(client_of: ClientOf) -> None:
    async def page(_: Request) -> Response:
        return Response(
            "page", headers={"Content-Security-Policy": "default-src 'self'", "Cache-Control": "max-age=60"}
        )

    app = Router(routes=[Route("/page", page)])
    async with client_of(SecurityHeaders(app, {"X-DNS-Prefetch-Control": "off"}, https=False)) as client:
        missing, found = await client.get("/missing"), await client.get("/page")
    assert missing.status_code == 404
    strict = {
        "x-content-type-options": "nosniff",
        "referrer-policy": "no-referrer",
        "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
        "cache-control": "no-store",
        "x-dns-prefetch-control": "off",
    }
    assert strict.items() <= dict(missing.headers).items()
    own = {"content-security-policy": "default-src 'self'", "cache-control": "max-age=60"}
    assert {**strict, **own}.items() <= dict(found.headers).items()
    assert "strict-transport-security" not in found.headers


async def test_browsers_are_told_to_stay_with_https_only_where_it_is_used(client_of: ClientOf) -> None:
    async with client_of(SecurityHeaders(hello, https=True)) as client:
        answer = await client.get("/")
    assert answer.headers["strict-transport-security"] == "max-age=31536000"


# Names and origins


def guarded() -> HostOriginGuard:
    return HostOriginGuard(hello, ["tasks.example", "Localhost:8001"], {"https://tasks.example", "null"})


@pytest.mark.parametrize("host", ["tasks.example", "TASKS.example", "localhost:8001"])
async def test_our_own_names_are_answered(client_of: ClientOf, host: str) -> None:
    async with client_of(guarded()) as client:
        assert (await client.get("/", headers={"Host": host})).status_code == 200


@pytest.mark.parametrize(
    "host",
    ["evil.example", "tasks.example:8001", "localhost", "localhost:80", "tasks.example.", "tasks.example.evil.example"],
)
async def test_a_foreign_name_is_refused(client_of: ClientOf, host: str) -> None:
    async with client_of(guarded()) as client:
        answer = await client.get("/", headers={"Host": host})
    assert answer.status_code == 421
    assert answer.json()["code"] == "wrong_host"


@pytest.mark.parametrize(
    "head", ["GET / HTTP/1.0", "GET / HTTP/1.1\r\nHost: tasks.example\r\nHost: evil.example", "GET / HTTP/1.1\r\nHost:"]
)
async def test_no_name_and_two_names_are_refused(client_of: ClientOf, head: str) -> None:
    async with client_of(guarded()) as client:
        reader, writer = await asyncio.open_connection(client.base_url.host, client.base_url.port)
        writer.write(f"{head}\r\nConnection: close\r\n\r\n".encode())
        answer = await reader.read()
        writer.close()
    assert answer.split(b" ")[1] in {b"421", b"400"}


async def test_a_page_of_a_known_origin_may_ask(client_of: ClientOf) -> None:
    async with client_of(guarded()) as client:
        answer = await client.post("/", headers={"Host": "tasks.example", "Origin": "https://tasks.example"})
    assert answer.status_code == 200


@pytest.mark.parametrize(
    "origins",
    [
        ["https://evil.example"],
        ["http://tasks.example"],
        ["https://tasks.example:8443"],
        ["https://tasks.example.evil.example"],
        ["https://tasks.example/"],
        ["null"],
        [""],
        ["*"],
        ["https://tasks.example", "https://evil.example"],
    ],
)
async def test_a_page_of_another_origin_is_refused(client_of: ClientOf, origins: list[str]) -> None:
    async with client_of(guarded()) as client:
        headers = [("Host", "tasks.example"), *(("Origin", origin) for origin in origins)]
        answer = await client.post("/", headers=headers)
    assert answer.status_code == 403
    assert answer.json()["code"] == "forbidden"


# Probes


async def fine() -> None:
    pass


async def away() -> None:
    raise OSError("canary: no route to 10.0.0.7")


async def silent() -> None:
    await asyncio.Event().wait()


async def get(client: httpx2.AsyncClient, path: str) -> tuple[int, Mapping[str, Any]]:
    answer = await client.get(path, headers={"Host": "10.1.2.3"})
    return answer.status_code, answer.json()


async def test_probes_are_answered_before_names_and_tokens_are_asked_for(client_of: ClientOf) -> None:
    app = Probes(guarded(), [Check("database", required=True, run=fine)], Drain())
    async with client_of(app) as client:
        assert await get(client, "/healthz") == (200, {"ok": True})
        assert await get(client, "/readyz") == (200, {"ok": True, "checks": [{"name": "database", "ok": True}]})
        head = await client.head("/readyz")
        assert (head.status_code, head.content) == (200, b"")
        assert (await client.post("/readyz", headers={"Host": "10.1.2.3"})).status_code == 421
        assert (await client.get("/", headers={"Host": "tasks.example"})).text == "hello "


async def test_readiness_fails_with_what_is_required_and_says_no_more_than_its_name(
    client_of: ClientOf, log: io.StringIO
) -> None:
    checks = [Check("database", required=True, run=away), Check("tools", required=False, run=fine)]
    async with client_of(Probes(hello, checks, Drain())) as client:
        status, body = await get(client, "/readyz")
        assert await get(client, "/healthz") == (200, {"ok": True})
    assert status == 503
    assert body == {"ok": False, "checks": [{"name": "database", "ok": False}, {"name": "tools", "ok": True}]}
    (line,) = lines(log, "check failed")
    assert line["check"] == "database"
    assert "no route" in line["exception"]


async def test_what_is_merely_used_may_be_away_and_nobody_waits_for_it_for_ever(client_of: ClientOf) -> None:
    checks = [Check("database", required=True, run=fine), Check("model", required=False, run=silent)]
    async with client_of(Probes(hello, checks, Drain())) as client:
        status, body = await get(client, "/readyz")
    assert status == 200
    assert body == {"ok": True, "checks": [{"name": "database", "ok": True}, {"name": "model", "ok": False}]}


async def test_many_probes_at_once_run_each_check_once_and_side_by_side(client_of: ClientOf) -> None:
    both = asyncio.Barrier(2)
    runs: list[str] = []

    def together(name: str) -> Check:
        async def run() -> None:
            runs.append(name)
            # Passes only when the other check runs at the same time.
            await both.wait()

        return Check(name, required=True, run=run)

    app = Probes(hello, [together("one"), together("two")], Drain())
    async with client_of(app) as client:
        answers = await asyncio.gather(*(get(client, "/readyz") for _ in range(20)))
    assert {status for status, _ in answers} == {200}
    assert sorted(runs) == ["one", "two"]


async def test_readiness_comes_back_by_itself(client_of: ClientOf) -> None:
    broken = True

    async def run() -> None:
        if broken:
            await away()

    async with client_of(Probes(hello, [Check("database", required=True, run=run)], Drain())) as client:
        assert (await get(client, "/readyz"))[0] == 503
        broken = False
        async with asyncio.timeout(10):
            while (await get(client, "/readyz"))[0] != 200:
                pass


async def test_a_draining_service_is_healthy_but_not_ready(client_of: ClientOf) -> None:
    drain = Drain()
    async with client_of(Probes(hello, [Check("database", required=True, run=fine)], drain)) as client:
        assert (await get(client, "/readyz"))[0] == 200
        drain.begin()
        assert await get(client, "/readyz") == (503, {"ok": False, "checks": [{"name": "database", "ok": True}]})
        assert await get(client, "/healthz") == (200, {"ok": True})
        assert (await client.get("/")).status_code == 200


async def test_whoever_waits_for_the_drain_learns_of_it() -> None:
    drain = Drain()
    waiting = asyncio.create_task(drain.wait())
    assert not drain.draining
    drain.begin()
    drain.begin()
    await waiting
    assert drain.draining
