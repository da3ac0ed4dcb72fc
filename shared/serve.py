"""The process that serves one application: its listening socket, its patience with slow senders, its way to stop."""

import asyncio
import errno
import gc
import logging
import re
import signal
import socket
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, Final, cast

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.auto import AutoHTTPProtocol

from shared.asgi import Drain
from shared.errors import Problem

log = logging.getLogger(__name__)

REQUEST_S: Final = 10.0
HEAD_BYTES: Final = 65_536
# How much of a body may still come after its request was answered.
REST_BYTES: Final = 2**21
PACE_BYTES: Final = 65_536  # in a second, as slow lines still do
# Above every idle limit of proxies and clients, or they send into a connection that is just being closed.
KEEP_ALIVE_S: Final = 75
# The net below `finish`, and below that the one for whatever `finish` did not know about.
FINISH_GRACE_S: Final = 2.0
STREAMS_GRACE_S: Final = 5
BACKLOG: Final = 2048

_ADDRESS: Final = re.compile(r"(?:\[(?P<six>[^\]]+)\]|(?P<name>[^:\[\]]+)):(?P<port>\d{1,5})")


def settle() -> None:
    """Tell the garbage collector that what is loaded by now stays: each walk through it keeps everybody waiting."""
    gc.collect()
    gc.freeze()


async def serve(
    app: ASGIApp,
    *,
    bind: str | None = None,
    fd: int | None = None,
    drain: Drain,
    drain_s: float,
    notice_s: float,
    finish: Callable[[float], Awaitable[None]] | None = None,
    on_started: Callable[[str], None] | None = None,
    request_s: float = REQUEST_S,
) -> None:
    """Serve until the drain begins, by SIGTERM, SIGINT or by hand, and return when everything has ended.

    Listens on the inherited socket `fd` if there is one, otherwise on `bind` ("host:port"); `on_started` is told the
    address once requests are answered. After the drain has begun: `notice_s` in which readiness says so and everything
    else goes on, then `finish(drain_s)`, which ends what is running within that time, then the sockets close and the
    application's lifespan ends. A second SIGINT ends the process at once with exit code 130. Raises a Problem when the
    address cannot be had or the application does not start.
    """
    listener = _listen(bind, fd)
    address = _name_of(listener)

    def started() -> None:
        log.info("listening", extra={"address": address})
        if on_started is not None:
            on_started(address)

    server = Server(
        uvicorn.Config(
            cast("Any", app),  # the same protocol in another library's types
            http=receiving(AutoHTTPProtocol, request_s),
            ws="none",
            lifespan="on",
            interface="asgi3",
            workers=1,
            backlog=BACKLOG,
            log_config=None,
            access_log=False,
            server_header=False,
            # The request log does this: it has to see the proxy's own address first.
            proxy_headers=False,
            timeout_keep_alive=KEEP_ALIVE_S,
            timeout_graceful_shutdown=STREAMS_GRACE_S,
            # Without it a request can inherit what an earlier one on its connection left in its context.
            reset_contextvars=True,
        ),
        started,
    )
    stopping = asyncio.create_task(_stop(server, drain, notice_s, drain_s, finish))
    try:
        with _signals(drain):
            await server.serve(sockets=[listener])
    finally:
        stopping.cancel()
        await asyncio.wait({stopping})
        server.close()
        listener.close()


class Server(uvicorn.Server):
    """A uvicorn server that leaves the signals of the process alone and raises instead of exiting."""

    def __init__(self, config: uvicorn.Config, started: Callable[[], None]) -> None:
        super().__init__(config)
        self.servers: list[asyncio.base_events.Server] = []
        self._started = started

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Nothing to capture."""
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Tell that requests are answered now, or raise."""
        try:
            await super().startup(sockets)
        except SystemExit as exit_wanted:
            raise Problem("internal", "the service could not start", "its log says why") from exit_wanted
        self._started()

    def close(self) -> None:
        """Stop listening, also when serving was cancelled half way."""
        for listening in self.servers:
            listening.close()


if TYPE_CHECKING:
    from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol as _Parser
else:
    _Parser = asyncio.Protocol  # the real one is put behind it by `receiving`


class Receiving(_Parser):
    """Gives uvicorn's HTTP protocols, which would wait for ever, a limit for the time and size of what is sent.

    A request has to arrive whole within `request_s`, its head within 64 KiB, counting also what is sent ahead while an
    answer is on its way. A large body may take longer while it comes at a pace. Streams and answers have no limit here.
    `cycle` is uvicorn's name for a request with its answer; the newest one of the connection stands in it.
    """

    request_s = REQUEST_S

    _whole: object = None  # the newest request that has arrived whole
    _timer: asyncio.TimerHandle | None = None
    _unclaimed = 0  # bytes that belong to no request yet
    _arrived = 0  # bytes since the timer was set

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self._expect()

    def data_received(self, data: bytes) -> None:
        self._unclaimed += len(data)
        self._arrived += len(data)
        super().data_received(data)
        self._judge()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._judge()

    def connection_lost(self, exc: Exception | None) -> None:
        self._rest()
        super().connection_lost(exc)

    def _judge(self) -> None:
        cycle = self.cycle
        answered = cycle is None or cycle.response_complete
        if cycle is not None and not answered:
            if cycle.more_body:
                self._unclaimed = 0
                self._expect()
                return
            if cycle is not self._whole:
                self._whole = cycle
                self._rest()
                return
        elif self._unclaimed:
            self._expect()
        rest_bytes = REST_BYTES if answered and cycle is not None and cycle.more_body else 0
        if self._unclaimed > HEAD_BYTES + rest_bytes:
            self._close()

    def _expect(self) -> None:
        if self._timer is None and not self.transport.is_closing():
            self._arrived = 0
            self._timer = self.loop.call_later(self.request_s, self._late)

    def _late(self) -> None:
        self._timer = None
        keeps_pace = self._arrived >= PACE_BYTES * self.request_s
        if keeps_pace and self.cycle is not None and self.cycle.more_body:
            self._expect()
        else:
            self._close()

    def _rest(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer, self._unclaimed = None, 0

    def _close(self) -> None:
        if not self.transport.is_closing():
            self.transport.close()


def receiving(parser: type[asyncio.Protocol], request_s: float = REQUEST_S) -> type[asyncio.Protocol]:
    """One of uvicorn's HTTP protocols, with limits for what is sent to it."""
    return type(parser.__name__, (Receiving, parser), {"request_s": request_s})


async def _stop(
    server: Server,
    drain: Drain,
    notice_s: float,
    drain_s: float,
    finish: Callable[[float], Awaitable[None]] | None,
) -> None:
    await drain.wait()
    log.info("draining")
    await asyncio.sleep(notice_s)
    if finish is not None:
        try:
            async with asyncio.timeout(drain_s + FINISH_GRACE_S):
                await finish(drain_s)
        except Exception:
            log.exception("what was running could not be finished")
    server.should_exit = True


@contextmanager
def _signals(drain: Drain) -> Iterator[None]:
    loop = asyncio.get_running_loop()
    seen: set[int] = set()

    def stop(number: int) -> None:
        if number == signal.SIGINT and number in seen:
            # Raised inside the loop this ends it; the runner then cancels whatever is still there.
            raise SystemExit(130)
        seen.add(number)
        drain.begin()

    with suppress(NotImplementedError):  # Windows, where Ctrl-C stays Python's own
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, stop, number)
    try:
        yield
    finally:
        with suppress(NotImplementedError):
            for number in (signal.SIGINT, signal.SIGTERM):
                loop.remove_signal_handler(number)


def _listen(bind: str | None, fd: int | None) -> socket.socket:
    where = bind if fd is None else f"descriptor {fd}"
    try:
        if fd is not None:
            return socket.socket(fileno=fd)
        address = _ADDRESS.fullmatch(bind or "")
        if address is None or int(address["port"]) > 65_535:
            raise Problem("bad_request", f"{bind!r} is no address to listen on", "write it like 127.0.0.1:8000")
        family = socket.AF_INET6 if address["six"] else socket.AF_INET
        place = (address["six"] or address["name"], int(address["port"]))
        # Opened anew from its number, a socket knows its protocol; without that asyncio leaves small packets waiting.
        return socket.socket(fileno=socket.create_server(place, family=family, backlog=BACKLOG).detach())
    except OSError as error:
        raise _refusal(where, error) from error


def _refusal(where: str | None, error: OSError) -> Problem:
    if error.errno == errno.EADDRINUSE:
        return Problem("unavailable", f"{where} is already in use", "stop what listens there, or choose another port")
    if error.errno == errno.EACCES:
        return Problem("forbidden", f"this user may not listen on {where}", "choose a port above 1023")
    return Problem("bad_request", f"this machine cannot listen on {where}", "choose an address that it has")


def _name_of(listener: socket.socket) -> str:
    name = listener.getsockname()
    if listener.family == socket.AF_INET6:
        return f"[{name[0]}]:{name[1]}"
    return f"{name[0]}:{name[1]}" if listener.family == socket.AF_INET else str(name)
