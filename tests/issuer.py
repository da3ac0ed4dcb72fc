"""The development issuer as it really is, on a port of its own, and people who sign in at it with their browsers."""

import asyncio
import html
import re
import socket
import time
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import httpx2
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared.asgi import Drain
from shared.development.issuer import Grants, Issuer, run
from shared.tokens import Signer, SigningKey
from tests.living import answering
from tests.web import web

_QUESTION: Final = re.compile(r'name="request" value="([^"]+)"')


@dataclass
class Issuing:
    """A development issuer. It keeps its clients and grants when it is stopped and started again."""

    resources: tuple[str, ...]
    lifetime_s: int
    people: tuple[str, ...]
    key: SigningKey
    port: int
    file: Path
    now: Callable[[], float] = time.time
    requests: list[str] = field(default_factory=list)
    # What programs sent to it and got from it, with every secret of a sign-in.
    traffic: list[str] = field(default_factory=list)
    _grants: Grants | None = None
    _drain: Drain = field(default_factory=Drain)
    _task: "asyncio.Task[None] | None" = None

    @property
    def url(self) -> str:
        """What it calls itself, now and after every start."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def signer(self) -> Signer:
        """Makes tokens in its name."""
        return Signer(self.url, [self.key], now=self.now)

    @property
    def jwks(self) -> dict[str, Any]:
        """Its public keys."""
        return self.signer.jwks

    async def start(self) -> None:
        """Listen, on the same port as before, until requests are answered."""
        listener = socket.create_server(("127.0.0.1", self.port))
        self.port = listener.getsockname()[1]
        self._drain, started = Drain(), asyncio.Event()
        self._grants = Grants(self.file, now=self.now)
        issuer = Issuer(
            self.signer,
            self.resources,
            self._grants,
            people=self.people,
            lifetime_s=self.lifetime_s,
            now=self.now,
        )
        app = _Noting(issuer.app(self._drain), self.requests, self.traffic)
        self._task = asyncio.create_task(run(app, listener.detach(), self._drain, lambda _: started.set()))
        await answering(self._task, started)

    async def stop(self) -> None:
        """Refuse connections until it is started again."""
        self._drain.begin()
        if self._task is not None:
            await self._task
            self._task = None

    def end_grants(self) -> None:
        """From now on no refresh token that was given is good: `invalid_grant`."""
        assert self._grants is not None
        self._grants.end_families()


class _Noting:
    """ASGI: remembers "METHOD path" of each request, and all that was said on both sides."""

    def __init__(self, app: ASGIApp, seen: list[str], traffic: list[str]) -> None:
        self._app = app
        self._seen = seen
        self._traffic = traffic

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            self._seen.append(f"{scope['method']} {scope['path']}")
            self._traffic.append(scope["query_string"].decode())

        async def hear() -> Message:
            message = await receive()
            self._traffic.append(message.get("body", b"").decode(errors="replace"))
            return message

        async def say(message: Message) -> None:
            self._traffic.append(message.get("body", b"").decode(errors="replace"))
            await send(message)

        await self._app(scope, hear, say)


@asynccontextmanager
async def dev_issuer(
    resources: Sequence[str],
    *,
    lifetime_s: int = 900,
    people: Sequence[str] = ("ada", "bob"),
    key: SigningKey | None = None,
    port: int = 0,
    now: Callable[[], float] = time.time,
) -> AsyncGenerator[Issuing]:
    """A running issuer of access tokens for these services, the usual one first, in this event loop."""
    with TemporaryDirectory() as folder:
        file = Path(folder) / "issuer.json"
        issuing = Issuing(tuple(resources), lifetime_s, tuple(people), key or SigningKey.generate(), port, file, now)
        await issuing.start()
        try:
            yield issuing
        finally:
            await issuing.stop()


async def approve(authorize_url: str, person: str = "ada", *, deny: bool = False) -> str:
    """What the person's browser does with this address: returns where it is sent back to, and does not go there."""
    async with web(trust_env=False, follow_redirects=False) as browser:
        page = await browser.get(authorize_url)
        if page.status_code != 200:
            return _sent_back(page)
        question = _QUESTION.search(page.text)
        assert question is not None, page.text
        answer = {"request": html.unescape(question[1]), **({"deny": "yes"} if deny else {"person": person})}
        at = httpx2.URL(authorize_url)
        origin = f"{at.scheme}://{at.netloc.decode()}"
        return _sent_back(await browser.post(f"{origin}/login", data=answer, headers={"Origin": origin}))


def _sent_back(response: httpx2.Response) -> str:
    assert response.is_redirect, f"{response.status_code} {response.text}"
    return response.headers["location"]
