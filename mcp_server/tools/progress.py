"""Progress of long calls, told to the client from another task: a transaction must not wait for who reads slowly."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from typing import Final

import anyio
import anyio.lowlevel
from fastmcp.server.dependencies import get_context

from mcp_server.tasks.writing.journal import Progress

BACKLOG: Final = 100


@asynccontextmanager
async def reported() -> AsyncGenerator[Progress]:
    """What to call with how much is done and of how much; the client hears of it if it asked to."""
    context = get_context()
    send, receive = anyio.create_memory_object_stream[tuple[int, int]](BACKLOG)

    async def forward() -> None:
        with suppress(anyio.BrokenResourceError, anyio.ClosedResourceError):  # the client has left
            async for done, total in receive:
                await context.report_progress(done, total)

    async def report(done: int, total: int) -> None:
        with suppress(anyio.WouldBlock):  # a client that is so far behind misses a step
            send.send_nowait((done, total))
        await anyio.lowlevel.checkpoint()

    failed: Exception | None = None
    async with receive, anyio.create_task_group() as group:
        group.start_soon(forward)
        with send:
            try:
                yield report
            except Exception as error:  # noqa: BLE001 (it is raised below, where the group cannot wrap it up)
                failed = error
    if failed is not None:
        raise failed
