"""A loopback proxy that signs requests in: the conformance suite has no way to send a token of its own."""

import asyncio
import re
from asyncio import StreamReader, StreamWriter
from collections.abc import AsyncGenerator, Callable, Coroutine
from contextlib import asynccontextmanager, closing, suppress
from typing import Any, Final
from urllib.parse import urlsplit

_CONNECTION: Final = re.compile(rb"\r\nconnection:[^\r]*", re.IGNORECASE)
_AUTHORIZATION: Final = re.compile(rb"\r\nauthorization:", re.IGNORECASE)


@asynccontextmanager
async def signed_in(url: str, token: Callable[[], str]) -> AsyncGenerator[str]:
    """The address at which this server answers people who bring no token.

    Everything else is passed on byte by byte, faulty or not, until either side leaves.
    """
    there = urlsplit(url)
    here = ""

    async def connected(reader: StreamReader, writer: StreamWriter) -> None:
        with suppress(ConnectionError, asyncio.IncompleteReadError), closing(writer):
            head = (await reader.readuntil(b"\r\n\r\n")).removesuffix(b"\r\n\r\n")
            # Whoever calls the proxy by its name means the server; any other name arrives as it was sent.
            head = _CONNECTION.sub(b"", head).replace(here.encode(), there.netloc.encode())
            if not _AUTHORIZATION.search(head):
                head += f"\r\nAuthorization: Bearer {token()}".encode()
            up_reader, up_writer = await asyncio.open_connection(there.hostname, there.port)
            # One request per connection, so that nothing has to be understood of what follows.
            up_writer.write(head + b"\r\nConnection: close\r\n\r\n")
            with closing(up_writer):
                await _either(_pass_on(reader, up_writer), _pass_on(up_reader, writer))

    async with await asyncio.start_server(connected, "127.0.0.1", 0) as server:
        here = "{}:{}".format(*server.sockets[0].getsockname())
        yield f"http://{here}{there.path}"


async def _either(*ways: Coroutine[Any, Any, None]) -> None:
    """Both at once, until one of them ends."""
    tasks = [asyncio.create_task(way) for way in ways]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _pass_on(reader: StreamReader, writer: StreamWriter) -> None:
    while part := await reader.read(2**16):
        writer.write(part)
        await writer.drain()
