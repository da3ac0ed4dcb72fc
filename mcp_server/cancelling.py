"""`Running`: what the older era can cancel, which is one request by means of another.

A client of that era does not close the request that it gives up, but sends `notifications/cancelled` with its number.
There is no session to look it up in, so a request is known by the token it came with and that number. Where two have
the same, neither is stopped; and another process knows nothing of either.
"""

import asyncio
from typing import Any

from mcp_types import PROTOCOL_VERSION_META_KEY
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared.tokens import Caller

_Key = tuple[str, str, str | None, str | int]


class Running:
    """The requests of the older era that this process is answering."""

    def __init__(self) -> None:
        self._given_up: dict[_Key, list[asyncio.Event]] = {}

    async def answer(
        self, app: ASGIApp, caller: Caller, message: dict[str, Any], scope: Scope, receive: Receive, send: Send
    ) -> None:
        """Pass a request on; if it is given up, the application is told that its client has left."""
        number = _number(message.get("id"))
        match message:
            case {"method": "notifications/cancelled", "params": {"requestId": str() | int() as given_up}}:
                self._cancel(_key(caller, given_up))
            case {"params": {"_meta": {**meta}}} if PROTOCOL_VERSION_META_KEY in meta:
                number = None  # the newer era closes what it gives up
        if number is None:
            await app(scope, receive, send)
            return
        key, event = _key(caller, number), asyncio.Event()
        self._given_up.setdefault(key, []).append(event)
        reply = _Reply(send)
        try:
            await app(scope, _until(event, receive), reply.send)
        finally:
            self._given_up[key].remove(event)
            if not self._given_up[key]:
                del self._given_up[key]
        if event.is_set():
            await reply.end()

    def _cancel(self, key: _Key) -> None:
        found = self._given_up.get(key, [])
        if len(found) == 1:
            found[0].set()


class _Reply:
    """What goes out to the client, and how it ends if nobody else ends it."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._is_begun = self._is_ended = False

    async def send(self, message: Message) -> None:
        self._is_begun = True
        self._is_ended = message["type"] == "http.response.body" and not message.get("more_body", False)
        await self._send(message)

    async def end(self) -> None:
        """A stream without an answer: that is what a request that was cancelled gets."""
        if not self._is_begun:
            headers = [(b"content-type", b"text/event-stream"), (b"cache-control", b"no-store")]
            await self._send({"type": "http.response.start", "status": 200, "headers": headers})
        if not self._is_ended:
            await self._send({"type": "http.response.body", "body": b"", "more_body": False})


def _until(given_up: asyncio.Event, receive: Receive) -> Receive:
    """What comes from the client, and from then on that it has left."""

    async def receive_or_leave() -> Message:
        coming, leaving = asyncio.ensure_future(receive()), asyncio.ensure_future(given_up.wait())
        try:
            await asyncio.wait({coming, leaving}, return_when=asyncio.FIRST_COMPLETED)
            return coming.result() if coming.done() else {"type": "http.disconnect"}
        finally:
            coming.cancel()
            leaving.cancel()

    return receive_or_leave


def _key(caller: Caller, number: str | int) -> _Key:
    return (caller.key, caller.client_id, caller.token_id, number)


def _number(value: object) -> str | int | None:
    return value if isinstance(value, str | int) and not isinstance(value, bool) else None
