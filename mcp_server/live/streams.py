"""`subscriptions/listen`: the streams of a process, from the first frame to the last, and why each of them ends.

A stream waits without a transaction. When it is woken it looks once, tells what is new and waits again: however much
happens meanwhile, it is told once, so nothing piles up for a client that reads slowly.
"""

import asyncio
import logging
from collections.abc import AsyncGenerator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import Any, Final

import anyio
from mcp import MCPError
from mcp.server import ServerRequestContext
from mcp.shared.subscriptions import SUBSCRIPTION_ID_META_KEY, ResourceUpdated, event_to_notification
from mcp_types import (
    INTERNAL_ERROR,
    INVALID_PARAMS,
    ServerNotification,
    SubscriptionFilter,
    SubscriptionsAcknowledgedNotification,
    SubscriptionsAcknowledgedNotificationParams,
    SubscriptionsListenRequestParams,
    SubscriptionsListenResult,
)

from mcp_server.access import BASE_SCOPE, permitted_caller
from mcp_server.addresses import Address, read_address
from mcp_server.live.bell import Bell, Ear
from mcp_server.live.news import read_news
from mcp_server.live.seeing import Seen, look
from mcp_server.tasks.spaces import space_of
from shared.asgi import Drain
from shared.db import Database
from shared.errors import Problem
from shared.tokens import Caller, Refused, Verifier

log = logging.getLogger(__name__)

LISTEN: Final = "subscriptions/listen"
STREAMS: Final = 500
STREAMS_OF_A_PERSON: Final = 8
ADDRESSES: Final = 100
ADDRESS_BYTES: Final = 2_048
LOOKS_AT_ONCE: Final = 2  # the other connections are for those who wait for an answer
PAUSE_S: Final = 1.0
UNREAD_S: Final = 30.0


@dataclass(eq=False, slots=True)
class _Stream:
    """One listener: who it is, what he watches, and what he saw last."""

    caller: Caller
    addresses: Mapping[str, Address | None]
    ear: Ear
    seen: Seen | None = None


class Streams:
    """All streams of a process."""

    def __init__(self, database: Database, verifier: Verifier, drain: Drain, default_tz: str) -> None:
        self._database = database
        self._verifier = verifier
        self._drain = drain
        self._default_tz = default_tz
        self._bell = Bell(database)
        self._looks = asyncio.Semaphore(LOOKS_AT_ONCE)
        self._open: set[_Stream] = set()

    @asynccontextmanager
    async def running(self) -> AsyncGenerator[None]:
        """Meanwhile streams are woken: by writes here at once, by everything else once a second."""
        with self._database.heard_by(self._bell.ring):
            waking = {asyncio.create_task(self._tick_on()), asyncio.create_task(self._end_all())}
            try:
                yield
            finally:
                for task in waking:
                    task.cancel()
                await asyncio.wait(waking)

    async def __call__(
        self, ctx: ServerRequestContext[Any, Any], params: SubscriptionsListenRequestParams
    ) -> SubscriptionsListenResult:
        """Serve one stream until its token ends, the process stops or the client has left."""
        caller = permitted_caller(BASE_SCOPE)
        addresses = _addresses(params.notifications)
        meta: dict[str, Any] = {SUBSCRIPTION_ID_META_KEY: ctx.request_id}
        with self._opened(caller, addresses) as stream:
            try:
                await self._news(stream)
            except Problem as problem:
                raise MCPError(INTERNAL_ERROR, str(problem)) from None
            acknowledged = SubscriptionsAcknowledgedNotificationParams(
                notifications=_honored(params.notifications), _meta=meta
            )
            reads = await _sent(ctx, SubscriptionsAcknowledgedNotification(params=acknowledged))
            while reads and not self._is_over(caller):
                await stream.ear.woken()
                if self._is_over(caller):
                    break
                for uri in await self._news_or_none(stream):
                    reads = reads and await _sent(ctx, event_to_notification(ResourceUpdated(uri), meta))
        return SubscriptionsListenResult(_meta=meta)

    @contextmanager
    def _opened(self, caller: Caller, addresses: Mapping[str, Address | None]) -> Iterator[_Stream]:
        if self._drain.draining:
            raise _refusal("unavailable", "this process is about to stop", "listen again in a moment")
        if sum(stream.caller.key == caller.key for stream in self._open) >= STREAMS_OF_A_PERSON:
            hint = "end one, or watch more addresses with each"
            raise _refusal("busy", f"too many streams: {STREAMS_OF_A_PERSON} of yours are open", hint)
        if len(self._open) >= STREAMS:
            raise _refusal("busy", "too many streams are open here", "try again in a minute, or read now and then")
        with self._bell.ear(space_of(caller)) as ear:
            stream = _Stream(caller, addresses, ear)
            self._open.add(stream)
            try:
                yield stream
            finally:
                self._open.remove(stream)

    def _is_over(self, caller: Caller) -> bool:
        try:
            self._verifier.require_current(caller)
        except Refused:
            return True
        return self._drain.draining

    async def _news_or_none(self, stream: _Stream) -> Sequence[str]:
        """What is new. Who cannot look tries again at the next tick, and has missed nothing then."""
        try:
            return await self._news(stream)
        except Problem as problem:
            log.info("a listener cannot look", extra={"code": problem.code})
            stream.ear.forget()
            return ()

    async def _news(self, stream: _Stream) -> Sequence[str]:
        async with self._looks, self._database.begin(stream.caller, steady=True) as tx:
            seen = await look(tx, stream.addresses, self._default_tz)
            news = await read_news(tx, stream.addresses, stream.seen, seen) if stream.seen else ()
        stream.seen = seen
        stream.ear.know({area.space.id: area.space.rev for area in seen.sight.areas})
        return news

    async def _tick(self) -> None:
        """Wake those whose time is over, and those who missed a write or a midnight."""
        for stream in self._open:
            if self._is_over(stream.caller):
                stream.ear.wake()
        now = await self._bell.ask()
        for stream in self._open:
            if now and stream.seen and stream.seen.is_past(now):
                stream.ear.wake()

    async def _tick_on(self) -> None:
        fails = False
        while True:
            await asyncio.sleep(PAUSE_S)
            try:
                await self._tick()
            except Exception:  # whatever it was: the streams stay, and the next try may succeed
                if not fails:
                    log.exception("changes by other processes cannot be read")
                fails = True
            else:
                if fails:
                    log.info("changes by other processes can be read again")
                fails = False

    async def _end_all(self) -> None:
        await self._drain.wait()
        for stream in self._open:
            stream.ear.wake()


def _addresses(wanted: SubscriptionFilter) -> Mapping[str, Address | None]:
    uris = wanted.resource_subscriptions or ()
    if len(uris) > ADDRESSES:
        raise MCPError(INVALID_PARAMS, f"too_big: {len(uris)} addresses. Fix: at most {ADDRESSES} with one stream")
    if any(len(uri.encode("utf-8", "surrogatepass")) > ADDRESS_BYTES for uri in uris):
        raise MCPError(INVALID_PARAMS, f"too_big: an address is too long. Fix: at most {ADDRESS_BYTES} bytes")
    return {uri: read_address(uri) for uri in uris}


def _honored(wanted: SubscriptionFilter) -> SubscriptionFilter:
    """All of it: what is offered changes only with a restart, which ends the stream."""
    return SubscriptionFilter(
        tools_list_changed=wanted.tools_list_changed or None,
        prompts_list_changed=wanted.prompts_list_changed or None,
        resources_list_changed=wanted.resources_list_changed or None,
        resource_subscriptions=wanted.resource_subscriptions or None,
    )


async def _sent(ctx: ServerRequestContext[Any, Any], notification: ServerNotification) -> bool:
    """Whether the client took it in time; one that does not read any more loses its stream."""
    with anyio.move_on_after(UNREAD_S) as waiting:
        await ctx.session.send_notification(notification, related_request_id=ctx.request_id)
    return not waiting.cancelled_caught


def _refusal(code: str, message: str, hint: str) -> MCPError:
    return MCPError(INTERNAL_ERROR, str(Problem(code, message, hint)))
