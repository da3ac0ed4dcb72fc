"""A person who listens, and what it takes to know that nothing was said."""

import asyncio
from collections.abc import AsyncGenerator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import Final

import anyio
from mcp import MCPError
from mcp.client.subscriptions import ResourceUpdated, Subscription
from sqlalchemy import event
from sqlalchemy.exc import OperationalError

from shared.db import Database
from tests.living import ToolClient

# Beyond any delay; nothing waits for it to pass but a test that fails.
NEVER_S: Final = 20.0
# What a listener reads when he looks whom something may concern, and what is asked for all listeners.
LOOKED: Final = "LEFT OUTER JOIN comments"
ASKED: Final = "SELECT spaces.id, spaces.rev"


@dataclass(frozen=True, slots=True)
class Listener:
    """One stream of a person."""

    stream: Subscription

    async def hears(self, count: int = 1) -> list[str]:
        """The addresses of the next events, in their order."""
        heard = []
        with anyio.fail_after(NEVER_S):
            for _ in range(count):
                news = await anext(self.stream)
                assert isinstance(news, ResourceUpdated)
                heard.append(news.uri)
        return heard

    async def hears_the_end(self) -> list[str]:
        """What is still said until the stream ends with its result; raises if it just breaks off."""
        with anyio.fail_after(NEVER_S):
            return [news.uri async for news in self.stream if isinstance(news, ResourceUpdated)]


@asynccontextmanager
async def listening(person: ToolClient, *uris: str) -> AsyncGenerator[Listener]:
    """A stream that watches these addresses."""
    async with person.client.listen(resource_subscriptions=list(uris)) as stream:
        yield Listener(stream)


@asynccontextmanager
async def listening_once_there_is_room(person: ToolClient, *uris: str) -> AsyncGenerator[Listener]:
    """The same where the server may not have noticed yet that others have left."""
    async with AsyncExitStack() as stack:
        with anyio.fail_after(NEVER_S):
            while True:
                try:
                    listener = await stack.enter_async_context(listening(person, *uris))
                    break
                except MCPError as error:
                    if not error.error.message.startswith("busy:"):
                        raise
        yield listener


@contextmanager
def sent(database: Database, words: str, *, failing: int = 0) -> Iterator[asyncio.Semaphore]:
    """Released for each statement with these words; the first so many of them fail."""
    seen = asyncio.Semaphore(0)
    left = failing

    def note(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        nonlocal left
        if words not in statement:
            return
        seen.release()
        if left:
            left -= 1
            raise OperationalError(statement, {}, Exception("database is locked"))

    event.listen(database.engine.sync_engine, "before_cursor_execute", note)
    try:
        yield seen
    finally:
        event.remove(database.engine.sync_engine, "before_cursor_execute", note)
