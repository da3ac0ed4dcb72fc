"""The serving process: where it listens, whom it stops waiting for, and how it comes to its end."""

import asyncio
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any, TextIO

import httpx2
import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from shared.asgi import Drain, InFlight
from shared.errors import Problem
from shared.serve import Server, _listen, receiving, serve
from tests.web import web

PATIENCE_S = 20
SOON_S = 0.4  # a limit that tests can wait for
NEVER_S = 3600.0  # one that none of them reaches
GET = b"GET / HTTP/1.1\r\nHost: here\r\n\r\n"


async def hello(_: Request) -> Response:
    return PlainTextResponse("hello")


async def swallow(request: Request) -> Response:
    return PlainTextResponse(str(len(await request.body())))


async def early(_: Request) -> Response:
    return PlainTextResponse("without looking", 401)


def application(**endpoints: Callable[[Request], Awaitable[Response]]) -> Starlette:
    routes = [Route(f"/{name}", endpoint, methods=["GET", "POST"]) for name, endpoint in endpoints.items()]
    return Starlette(routes=[Route("/", hello), *routes])


@asynccontextmanager
async def serving(app: Any, drain: Drain | None = None, **options: Any) -> AsyncIterator[str]:
    drain = drain or Drain()
    address: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    options = {"drain_s": 1, "notice_s": 0, "on_started": address.set_result, **options}
    if "fd" not in options:
        options.setdefault("bind", "127.0.0.1:0")
    server = asyncio.create_task(serve(app, drain=drain, **options))
    await asyncio.wait({server, address}, return_when=asyncio.FIRST_COMPLETED)
    if server.done():
        address.cancel()
        await server
    try:
        yield await address
    finally:
        drain.begin()
        async with asyncio.timeout(PATIENCE_S):
            await server


Connect = Callable[[], Awaitable[tuple[asyncio.StreamReader, asyncio.StreamWriter]]]


async def with_each_parser(app: Any, request_s: float, case: Callable[[Connect], Awaitable[None]]) -> None:
    """Run the case against two servers at once, one with each parser that uvicorn may choose."""
    await asyncio.gather(*(with_parser(parser, app, request_s, case) for parser in (HttpToolsProtocol, H11Protocol)))


async def with_parser(
    parser: type[asyncio.Protocol], app: Any, request_s: float, case: Callable[[Connect], Awaitable[None]]
) -> None:
    started = asyncio.Event()
    config = uvicorn.Config(app, http=receiving(parser, request_s), log_config=None, access_log=False)
    server = Server(config, started.set)
    listener = _listen("127.0.0.1:0", None)
    address = listener.getsockname()
    opened: list[asyncio.StreamWriter] = []

    async def connect() -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        reader, writer = await asyncio.open_connection(*address)
        opened.append(writer)
        return reader, writer

    running = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        async with asyncio.timeout(PATIENCE_S):
            await started.wait()
            await case(connect)
    finally:
        for writer in opened:
            writer.transport.abort()
        server.should_exit = True
        await running


async def everything(reader: asyncio.StreamReader) -> bytes:
    """What arrives until the other side ends the connection, however it does that."""
    received = b""
    try:
        while part := await reader.read(65_536):
            received += part
    except ConnectionError:
        pass
    return received


async def send_all(writer: asyncio.StreamWriter, part: bytes, times: int) -> None:
    """Send it so often, or until the other side has had enough."""
    try:
        for _ in range(times):
            writer.write(part)
            await writer.drain()
    except ConnectionError:
        pass


async def send_endless_head(writer: asyncio.StreamWriter) -> None:
    await send_all(writer, b"GET / HTTP/1.1\r\nHost: here\r\n", 1)
    await send_all(writer, b"X-More: %s\r\n" % (b"x" * 1000), 10_000)


# Where it listens


@pytest.mark.anyio
async def test_it_tells_the_address_where_requests_are_answered() -> None:
    async with serving(application(), bind="localhost:0") as address:
        assert re.fullmatch(r"127\.0\.0\.1:[1-9]\d+", address)
        async with web() as client:
            answer = await client.get(f"http://{address}/")
    assert answer.text == "hello"
    assert "server" not in answer.headers


@pytest.mark.anyio
async def test_it_listens_on_ipv6() -> None:
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        pytest.skip("this machine has no IPv6 loopback")
    async with serving(application(), bind="[::1]:0") as address:
        assert address.startswith("[::1]:")
        async with web() as client:
            assert (await client.get(f"http://{address}/")).text == "hello"


@pytest.mark.anyio
async def test_it_serves_an_inherited_socket() -> None:
    listener = socket.create_server(("127.0.0.1", 0))
    host, port = listener.getsockname()
    async with serving(application(), fd=listener.detach()) as address:
        assert address == f"{host}:{port}"
        async with web() as client:
            assert (await client.get(f"http://{address}/")).text == "hello"


@pytest.mark.anyio
async def test_a_busy_port_is_a_problem_that_names_the_address() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        bind = f"127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(Problem, match=f"{bind} is already in use"):
            async with serving(application(), bind=bind):
                pass


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("options", "code"),
    [
        ({"bind": "8000"}, "bad_request"),
        ({"bind": ":8000"}, "bad_request"),
        ({"bind": "::1:8000"}, "bad_request"),
        ({"bind": "127.0.0.1:http"}, "bad_request"),
        ({"bind": "127.0.0.1:65536"}, "bad_request"),
        ({"bind": "192.0.2.1:0"}, "bad_request"),
        ({"bind": "no-such-host.invalid:0"}, "bad_request"),
        ({"bind": None}, "bad_request"),
        ({"fd": 987_654}, "bad_request"),
    ],
)
async def test_an_address_that_cannot_be_had_is_a_problem(options: dict[str, Any], code: str) -> None:
    with pytest.raises(Problem) as found:
        async with serving(application(), **options):
            pass
    assert found.value.code == code
    assert str(options.get("bind") or options.get("fd")) in found.value.message


def test_small_packets_do_not_wait_for_acknowledgements() -> None:
    # asyncio asks for that only when the socket knows its protocol; outside it could be seen by the clock alone.
    with _listen("127.0.0.1:0", None) as listener:
        assert listener.proto == socket.IPPROTO_TCP


@pytest.mark.anyio
async def test_an_application_that_does_not_start_is_a_problem_and_its_address_is_free_again() -> None:
    @asynccontextmanager
    async def failing(_: Starlette) -> AsyncIterator[None]:
        raise RuntimeError("no schema")
        yield

    with socket.create_server(("127.0.0.1", 0)) as free:
        bind = f"127.0.0.1:{free.getsockname()[1]}"
    with pytest.raises(Problem, match="could not start"):
        async with serving(Starlette(lifespan=failing), bind=bind):
            pass
    async with serving(application(), bind=bind) as address:
        assert address == bind


@pytest.mark.anyio
async def test_a_request_inherits_nothing_from_an_earlier_one_on_its_connection() -> None:
    person: ContextVar[str] = ContextVar("person", default="nobody")

    async def sign_in(request: Request) -> Response:
        person.set("ada")
        # Long enough for the server to stop reading and to begin again in the midst of this request.
        return PlainTextResponse(str(len(await request.body())))

    async def who(_: Request) -> Response:
        return PlainTextResponse(person.get())

    async with serving(application(sign_in=sign_in, who=who)) as address, web() as client:
        assert (await client.post(f"http://{address}/sign_in", content=b"x" * 1_000_000)).text == "1000000"
        assert (await client.get(f"http://{address}/who")).text == "nobody"


# Whom it stops waiting for

POST = b"POST /swallow HTTP/1.1\r\nHost: here\r\n"
HALF_SENT = (
    b"",
    b"GET / HT",
    GET[:-2],
    POST + b"Content-Length: 10\r\n\r\nhalf",
    POST + b"Transfer-Encoding: chunked\r\n\r\n5\r\nha",
    POST.replace(b"swallow", b"early") + b"Content-Length: 10\r\n\r\nhalf",
    GET + POST + b"Content-Length: 10\r\n\r\nhalf",
)


@pytest.mark.anyio
async def test_what_is_sent_by_halves_is_not_waited_for_and_nothing_else_is_cut() -> None:
    finish, both_past_the_limit = asyncio.Event(), asyncio.Barrier(2)

    async def stream(_: Request) -> Response:
        async def parts() -> AsyncGenerator[bytes]:
            yield b"first "
            await finish.wait()
            yield b"last"

        return StreamingResponse(parts())

    async def case(connect: Connect) -> None:
        async def half(sent: bytes) -> None:
            reader, writer = await connect()
            writer.write(sent)
            await everything(reader)

        async def second_half() -> None:
            reader, writer = await connect()
            for _ in range(3):
                writer.write(GET)
                await reader.readuntil(b"hello")
            writer.write(GET[:-2])
            assert await everything(reader) == b""

        async def dripping() -> None:
            reader, writer = await connect()
            ended = asyncio.create_task(everything(reader))
            writer.write(GET[:-2])
            while not ended.done():
                await send_all(writer, b"x", 1)
                await asyncio.wait({ended}, timeout=SOON_S / 10)
            assert await ended == b""

        streaming, writer = await connect()
        writer.write(GET.replace(b"/", b"/stream", 1))
        await streaming.readuntil(b"first ")
        idle, idle_writer = await connect()
        idle_writer.write(GET)
        await idle.readuntil(b"hello")

        await asyncio.gather(second_half(), dripping(), *map(half, HALF_SENT))

        await both_past_the_limit.wait()
        finish.set()
        await streaming.readuntil(b"last")
        idle_writer.write(POST + b"Content-Length: 3000000\r\n\r\n" + b"x" * 3_000_000)
        await idle.readuntil(b"3000000")

    await with_each_parser(application(stream=stream, swallow=swallow, early=early), SOON_S, case)


@pytest.mark.anyio
async def test_a_large_body_may_take_longer_while_it_comes_at_a_pace() -> None:
    size = 40 * 65_536

    async def received(request: Request) -> Response:
        return Response(str(len(await request.body())))

    async def case(connect: Connect) -> None:
        reader, writer = await connect()
        writer.write(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % size)
        clock = asyncio.get_running_loop().time
        # Each piece is half a limit's worth, so the whole takes many times the limit.
        for _ in range(40):
            due = clock() + SOON_S / 2
            await send_all(writer, b"x" * 65_536, 1)
            await asyncio.sleep(due - clock())
        assert (await reader.readuntil(str(size).encode())).startswith(b"HTTP/1.1 200")

    await with_each_parser(Starlette(routes=[Route("/", received, methods=["POST"])]), SOON_S, case)


@pytest.mark.anyio
async def test_a_head_without_end_is_cut_by_its_size() -> None:
    async def case(connect: Connect) -> None:
        reader, writer = await connect()
        ended = asyncio.create_task(everything(reader))
        await send_endless_head(writer)
        assert b"200" not in await ended

    await with_each_parser(application(), NEVER_S, case)


@pytest.mark.anyio
async def test_a_head_without_end_is_cut_also_while_an_answer_is_on_its_way() -> None:
    async def stream(_: Request) -> Response:
        async def parts() -> AsyncGenerator[bytes]:
            yield b"first "
            await asyncio.Event().wait()

        return StreamingResponse(parts())

    async def case(connect: Connect) -> None:
        reader, writer = await connect()
        writer.write(GET.replace(b"/", b"/stream", 1))
        await reader.readuntil(b"first ")
        ended = asyncio.create_task(everything(reader))
        await send_endless_head(writer)
        await ended

    # The other parser stops reading by itself until the answer has ended.
    await with_parser(HttpToolsProtocol, application(stream=stream), NEVER_S, case)


@pytest.mark.anyio
async def test_a_refused_body_may_be_sent_to_its_end_but_not_for_ever() -> None:
    async def late(request: Request) -> Response:
        stream, arrived = request.stream(), 0
        while arrived < 3_000_000:
            arrived += len(await anext(stream))
        return PlainTextResponse("enough")

    async def case(connect: Connect) -> None:
        head = b"POST /early HTTP/1.1\r\nHost: here\r\nContent-Length: %d\r\n\r\n"
        reader, writer = await connect()
        writer.write(head % 1_000_000)
        await reader.readuntil(b"without looking")
        await send_all(writer, b"x" * 10_000, 100)
        writer.write(GET)
        await reader.readuntil(b"hello")
        writer.write(head.replace(b"early", b"late") % 4_000_000 + b"x" * 3_000_000)
        await reader.readuntil(b"enough")
        await send_all(writer, b"x" * 10_000, 100)
        writer.write(GET)
        await reader.readuntil(b"hello")
        writer.write(head % 100_000_000)
        await reader.readuntil(b"without looking")
        ended = asyncio.create_task(everything(reader))
        await send_all(writer, b"x" * 10_000, 10_000)
        await ended

    await with_each_parser(application(early=early, late=late), NEVER_S, case)


# How it comes to its end

PROCESS = """
import asyncio, contextlib, sys
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse, StreamingResponse
from starlette.routing import Route
from shared.asgi import BodyLimit, Drain, HostOriginGuard, Probes, RequestLog, SecurityHeaders
from shared.serve import serve

async def main():
    drain, released = Drain(), asyncio.Event()

    async def stream(request):
        async def parts():
            yield "first "
            await released.wait()
            yield "last"
        return StreamingResponse(parts())

    async def release(request):
        running.set()
        return PlainTextResponse("released")

    running = asyncio.Event()

    async def finish(left_s):
        print("finishing", left_s, flush=True)
        await running.wait()
        released.set()

    @contextlib.asynccontextmanager
    async def lifespan(app):
        yield
        print("lifespan ended", flush=True)

    app = Starlette(routes=[Route("/stream", stream), Route("/release", release)], lifespan=lifespan)
    guarded = HostOriginGuard(BodyLimit(app, 1000), ["tasks.example"], [])
    dressed = Probes(RequestLog(SecurityHeaders(guarded, https=True)), [], drain)
    await serve(
        dressed, bind="127.0.0.1:0", drain=drain, drain_s=30, notice_s=0, finish=finish,
        on_started=lambda address: print(address, flush=True),
    )
    print("stopped", flush=True)

asyncio.run(main())
"""


@contextmanager
def process() -> Iterator[tuple[subprocess.Popen[str], TextIO, httpx2.Client]]:
    """A serving process with everything a service wears, what it prints, and a client of it."""
    here = Path(__file__).parents[2]
    command = [sys.executable, "-c", PROCESS]
    with subprocess.Popen(command, cwd=here, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as running:
        assert running.stdout is not None
        try:
            url = f"http://{running.stdout.readline().strip()}"
            with httpx2.Client(base_url=url, headers={"Host": "tasks.example"}) as client:
                yield running, running.stdout, client
        finally:
            running.kill()


def until_draining(client: httpx2.Client) -> None:
    """Ask on a new connection each time, so that the socket is seen to accept them."""
    while client.get("/readyz", headers={"Connection": "close"}).status_code != 503:
        pass


@pytest.mark.skipif(os.name != "posix", reason="signals of another kind")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_lets_everything_end_and_the_process_with_success(number: signal.Signals) -> None:
    with process() as (running, printed, client):
        with client.stream("GET", "/stream") as stream:
            parts = stream.iter_text()
            assert next(parts) == "first "
            running.send_signal(number)
            until_draining(client)
            assert printed.readline() == "finishing 30\n"
            running.send_signal(signal.SIGTERM)
            until_draining(client)
            assert client.get("/release").text == "released"
            assert "".join(parts) == "last"
        assert running.wait(PATIENCE_S) == 0
        assert printed.read() == "lifespan ended\nstopped\n"


@pytest.mark.skipif(os.name != "posix", reason="signals of another kind")
def test_a_second_interrupt_ends_the_process_at_once() -> None:
    with process() as (running, printed, client):
        running.send_signal(signal.SIGTERM)
        until_draining(client)
        running.send_signal(signal.SIGINT)
        until_draining(client)
        running.send_signal(signal.SIGINT)
        assert running.wait(PATIENCE_S) == 130
        assert "stopped" not in printed.read()


@pytest.mark.anyio
async def test_the_service_is_told_to_finish_after_the_notice_and_before_connections_end() -> None:
    drain, asked = Drain(), asyncio.Event()
    order: list[object] = []

    async def finish(left_s: float) -> None:
        order.append(left_s)
        asked.set()

    async def wait(_: Request) -> Response:
        drain.begin()
        await asked.wait()
        order.append("answered")
        return PlainTextResponse("to the end")

    service = serving(application(wait=wait), drain, drain_s=7, finish=finish)
    async with service as address, web() as client:
        answer = await client.get(f"http://{address}/wait")
    assert answer.text == "to the end"
    assert order == [7, "answered"]


@pytest.mark.anyio
async def test_a_finish_that_fails_does_not_keep_the_process_alive(caplog: pytest.LogCaptureFixture) -> None:
    async def finish(_: float) -> None:
        raise RuntimeError("cannot")

    async with serving(application(), finish=finish):
        pass
    assert "what was running could not be finished" in caplog.text


@pytest.mark.anyio
async def test_two_servers_of_one_loop_leave_no_handler_behind() -> None:
    before = signal.getsignal(signal.SIGTERM)
    first, second = serving(application()), serving(application())
    await first.__aenter__()
    await second.__aenter__()
    assert signal.getsignal(signal.SIGTERM) is not before
    await first.__aexit__(None, None, None)
    await second.__aexit__(None, None, None)
    assert signal.getsignal(signal.SIGTERM) is before


@pytest.mark.anyio
async def test_a_cancelled_server_leaves_its_address_free() -> None:
    started: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    running = asyncio.create_task(
        serve(application(), bind="127.0.0.1:0", drain=Drain(), drain_s=1, notice_s=0, on_started=started.set_result)
    )
    address = await started
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    async with serving(application(), bind=address), web() as client:
        assert (await client.get(f"http://{address}/")).text == "hello"


@pytest.mark.anyio
async def test_a_stop_waits_for_the_requests_that_are_being_answered() -> None:
    inside, go_on = asyncio.Event(), asyncio.Event()

    async def slow(_: Request) -> Response:
        inside.set()
        await go_on.wait()
        return PlainTextResponse("answered")

    drain, app = Drain(), InFlight(application(slow=slow))
    waited: list[float] = []

    async def finish(left_s: float) -> None:
        waited.append(left_s)
        go_on.set()
        await app.finish(left_s)

    async with serving(app, drain, finish=finish, drain_s=PATIENCE_S) as address, web() as client:
        answer = asyncio.create_task(client.get(f"http://{address}/slow"))
        await inside.wait()
        drain.begin()
        assert (await answer).text == "answered"
    assert waited == [PATIENCE_S]


@pytest.mark.anyio
async def test_a_stop_does_not_wait_longer_than_it_may() -> None:
    inside = asyncio.Event()

    async def endless(_: Any, __: Any, ___: Any) -> None:
        inside.set()
        await asyncio.Event().wait()

    app = InFlight(endless)
    request = asyncio.create_task(app({"type": "http"}, None, None))  # type: ignore[arg-type]
    await inside.wait()
    await app.finish(0.01)
    request.cancel()
    await asyncio.gather(request, return_exceptions=True)
    await app.finish(PATIENCE_S)
