"""Both services as they really are: the product's own factories, served on 127.0.0.1, with tokens for anybody.

They share the test's event loop, so a test may look into a database or count requests; nothing of ours is replaced
but the model.
"""

import asyncio
import json
import socket
import time
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final, Self

import httpx2
from agents import Model
from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from mcp_types import CallToolResult, TextContent
from pydantic import SecretStr
from starlette.types import ASGIApp

import gateway.app
import mcp_server.app
from gateway.answering.running import Running
from gateway.attachments import Keeping
from gateway.connection import Connection
from gateway.dictation import Dictation
from gateway.models import Choice, Models, client_of
from gateway.offline import OfflineModel
from gateway.settings import GatewaySettings
from mcp_server.offered import Offer
from mcp_server.settings import McpSettings
from mcp_server.snapshot.running.workers import Workers
from mcp_server.tasks.spaces import row_policies
from shared.asgi import Drain
from shared.db import Database, clock
from shared.limits import Limits
from shared.serve import serve
from shared.tokens import (
    SCOPES,
    Caller,
    IssuerProfile,
    Revocations,
    Signer,
    SigningKey,
    build_verifier,
    restored,
    with_known_keys,
)
from tests.web import web

ISSUER: Final = "https://login.example.test"
STATE_KEY: Final = "a key for the tests that is long enough"
SESSION_KEY: Final = "a key for the sessions of the tests"
MODERN, LEGACY = "2026-07-28", "legacy"


@dataclass(frozen=True, slots=True)
class Databases:
    """Addresses of the data of both services, as their own roles and as the owner of the tables reach them."""

    mcp: str
    gateway: str
    mcp_owner: str = ""
    gateway_owner: str = ""


@dataclass(slots=True)
class Served:
    """One application that listens; it can be stopped and started again on the same port."""

    port: int
    drain: Drain = field(default_factory=Drain)
    task: "asyncio.Task[None] | None" = None
    stack: AsyncExitStack = field(default_factory=AsyncExitStack)

    async def start(self, app: ASGIApp) -> None:
        """Listen and wait until requests are answered."""
        started = asyncio.Event()
        self.task = asyncio.create_task(
            serve(
                app,
                bind=f"127.0.0.1:{self.port}",
                drain=self.drain,
                drain_s=1,
                notice_s=0,
                on_started=lambda _: started.set(),
            )
        )
        await answering(self.task, started)

    async def stop(self) -> None:
        """Stop listening and release everything."""
        self.drain.begin()
        if self.task is not None:
            await self.task
        await self.stack.aclose()
        self.drain, self.stack, self.task = Drain(), AsyncExitStack(), None


async def answering(server: "asyncio.Task[None]", started: asyncio.Event) -> None:
    """Wait until a server has started, or raise what kept it from that."""
    waiting = asyncio.create_task(started.wait())
    await asyncio.wait({server, waiting}, return_when=asyncio.FIRST_COMPLETED)
    waiting.cancel()
    if server.done():
        server.result()


class Counted:
    """ASGI: remembers the JSON-RPC method of each request, so that a test can count them."""

    def __init__(self, app: ASGIApp, seen: list[str]) -> None:
        self._app = app
        self._seen = seen

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            headers = dict(scope["headers"])
            self._seen.append(headers.get(b"mcp-method", scope["path"].encode()).decode())
        await self._app(scope, receive, send)


class Living:
    """A tool server and a gateway that talk to each other."""

    def __init__(
        self,
        databases: Databases,
        *,
        model: Model | None = None,
        offer: Offer | None = None,
        start_mcp: bool = True,
        limits: str = "calls=0 writes=0 queries=0 completions=0",
        counts: Limits | None = None,
        chat_limits: str = "turns=1000",
    ) -> None:
        self.databases = databases
        self.model = model or OfflineModel()
        self.offer = offer
        # None by default: the tests of one person call far more often than a person would.
        self.limits = limits
        self.counts = counts
        self.chat_limits = chat_limits
        # Further models that people may choose, and where speech becomes text.
        self.choices: list[Choice] = []
        self.speech_url = ""
        # Where files are kept that people attach; nowhere, and they attach none.
        self.keeping: Keeping | None = None
        self.mcp = Served(_free_port())
        self.gateway = Served(_free_port())
        self.issuer = Signer(ISSUER, [SigningKey.generate()])
        self.gateway_key = SigningKey.generate()
        self.mcp_revocations = Revocations()
        self.gateway_revocations = Revocations()
        # Further issuers, offered before ours; filled before the start by those who need the addresses first.
        self.mcp_issuers: list[IssuerProfile] = []
        self.gateway_issuers: list[IssuerProfile] = []
        # Browsers can sign in at the first of the gateway's issuers once it has a name for the gateway.
        self.login_client_id = ""
        self.session_keys = [SESSION_KEY]
        # How far the gateway's idea of when tokens expire is ahead of the clock.
        self.gateway_ahead_s = 0.0
        # How far the clock of the tool server is ahead.
        self.mcp_ahead = timedelta()
        self.requests: list[str] = []
        self._suffix = ""
        self.connection: Connection | None = None
        self.running = Running()
        self.mcp_database: Database | None = None
        self.workers: Workers | None = None
        self._start_mcp = start_mcp

    @property
    def mcp_url(self) -> str:
        return f"http://127.0.0.1:{self.mcp.port}/mcp"

    @property
    def gateway_url(self) -> str:
        return f"http://127.0.0.1:{self.gateway.port}"

    async def __aenter__(self) -> Self:
        if self._start_mcp:
            await self.start_mcp()
        await self.start_gateway()
        return self

    async def __aexit__(self, *_: object) -> None:
        # Both at once, but waited for in this task: what it entered must be left in it.
        self.gateway.drain.begin()
        self.mcp.drain.begin()
        await self.gateway.stop()
        await self.mcp.stop()

    def begin_test(self, number: int) -> None:
        """From now on ada and bob are people whom nobody has seen before."""
        self._suffix = f" of test {number}"
        self.requests.clear()

    def subject(self, name: str) -> str:
        """Who a name is in this test."""
        return f"{name}{self._suffix}"

    def person(self, name: str) -> Caller:
        """That person, for a look into the database."""
        return restored(ISSUER, self.subject(name), SCOPES, 2**40, "the tests")

    async def start_mcp(self) -> None:
        """Start the tool server, on the same port as before."""
        settings = McpSettings(
            env="dev",
            mcp_url=self.mcp_url,
            gateway_url=self.gateway_url,
            database_url=SecretStr(self.databases.mcp),
            issuers=(
                *self.mcp_issuers,
                IssuerProfile(issuer=ISSUER, jwks=self.issuer.jwks),
                IssuerProfile(
                    issuer=self.gateway_url,
                    jwks=Signer(self.gateway_url, [self.gateway_key]).jwks,
                    delegates_for=frozenset({ISSUER, *(profile.issuer for profile in self.gateway_issuers)}),
                    max_lifetime_s=120,
                    interactive=False,
                ),
            ),
            state_keys=(SecretStr(STATE_KEY),),
            limits=self.limits,
        )
        stack = self.mcp.stack
        http = await stack.enter_async_context(web())
        self.mcp_database = Database(
            self.databases.mcp, pool_size=10, scope=row_policies, now=lambda: clock() + self.mcp_ahead
        )
        stack.push_async_callback(self.mcp_database.close)
        issuers = await with_known_keys(settings.issuers, http)
        verifier = build_verifier(
            issuers,
            self.mcp_url,
            http,
            self.mcp_revocations,
            now=lambda: time.time() + self.mcp_ahead.total_seconds(),
        )
        self.workers = await stack.enter_async_context(Workers(2))
        app = mcp_server.app.create_app(
            settings, self.mcp_database, verifier, self.mcp.drain, self.workers, self.offer, self.counts
        )
        await self.mcp.start(Counted(app, self.requests))

    async def start_gateway(self) -> None:
        """Start the gateway, on the same port as before."""
        settings = GatewaySettings(
            env="dev",
            mcp_url=self.mcp_url,
            gateway_url=self.gateway_url,
            database_url=SecretStr(self.databases.gateway),
            issuers=(*self.gateway_issuers, IssuerProfile(issuer=ISSUER, jwks=self.issuer.jwks)),
            signing_keys=(SecretStr(self.gateway_key.pem),),
            session_keys=tuple(SecretStr(key) for key in self.session_keys),
            oidc_client_id=self.login_client_id,
            limits=self.chat_limits,
        )
        stack = self.gateway.stack
        http = await stack.enter_async_context(web())
        database = Database(self.databases.gateway, pool_size=10)
        stack.push_async_callback(database.close)
        self.connection = await stack.enter_async_context(Connection(self.mcp_url))
        issuers = await with_known_keys(settings.issuers, http)
        verifier = build_verifier(
            issuers, self.gateway_url, http, self.gateway_revocations, now=lambda: time.time() + self.gateway_ahead_s
        )
        issuer = await gateway.app.login_issuer(settings, http, verifier)
        running = self.running = Running()
        stack.push_async_callback(running.finish_or_stop, 1)
        models = Models([Choice("default", "the model", "", self.model), *self.choices])
        dictation = Dictation(client_of(self.speech_url, "", read_s=5), "whisper" if self.speech_url else "")
        around = gateway.app.Surroundings(self.connection, models, dictation, self.keeping, issuer)
        app = gateway.app.create_app(settings, database, verifier, around, self.gateway.drain, running)
        await self.gateway.start(app)

    def token(
        self,
        subject: str,
        audience: str = "",
        scopes: Sequence[str] = tuple(SCOPES),
        lifetime_s: int = 600,
    ) -> str:
        """A person's token; for the tool server unless said otherwise."""
        return self.issuer.issue(
            self.subject(subject),
            audience or self.mcp_url,
            scopes,
            lifetime_s=lifetime_s,
            client_id="a client of the tests",
        )

    @asynccontextmanager
    async def client(self, subject: str, *, mode: str = MODERN, token: str = "") -> AsyncGenerator["ToolClient"]:
        """An MCP client of this person, straight at the tool server."""
        headers = {"Authorization": f"Bearer {token or self.token(subject)}"}
        async with (
            web(headers=headers) as http,
            Client(streamable_http_client(self.mcp_url, http_client=http), mode=mode, cache=None) as client,
        ):
            yield ToolClient(client)

    @asynccontextmanager
    async def chat(self, subject: str, *, token: str = "") -> AsyncGenerator["ChatClient"]:
        """A ChatKit client of this person."""
        headers = {"Authorization": f"Bearer {token or self.token(subject, self.gateway_url)}"}
        async with web(base_url=self.gateway_url, headers=headers, timeout=30) as http:
            yield ChatClient(http)


@dataclass(frozen=True, slots=True)
class ToolClient:
    """A person with an MCP client."""

    client: Client

    async def call(self, name: str, /, **arguments: Any) -> CallToolResult:
        return await self.client.call_tool(name, arguments)

    async def text(self, name: str, /, **arguments: Any) -> str:
        """The text a model would read; also of an error."""
        return text_of(await self.call(name, **arguments))

    async def values(self, name: str, /, **arguments: Any) -> dict[str, Any]:
        """The structured result of a call that must succeed."""
        result = await self.call(name, **arguments)
        assert not result.is_error, text_of(result)
        assert result.structured_content is not None
        return result.structured_content

    async def add(self, *titles: str) -> list[str]:
        """Add tasks by title and return their references."""
        values = await self.values("tasks_add", tasks=[{"title": title} for title in titles])
        return list(values["refs"])

    async def titles(self, filter: str = "") -> list[str]:  # noqa: A002 (the tool's own word)
        """The titles a filter finds."""
        values = await self.values("tasks_find", filter=filter, limit=200)
        return [task["title"] for task in values["tasks"]]


@dataclass(frozen=True, slots=True)
class ChatClient:
    """A person with a chat window."""

    http: httpx2.AsyncClient

    async def post(self, kind: str, metadata: Mapping[str, Any] | None = None, **params: Any) -> httpx2.Response:
        """One ChatKit request, answered as a whole."""
        return await self.http.post("/chatkit", json={"type": kind, "params": params, "metadata": metadata or {}})

    async def reply(self, kind: str, **params: Any) -> Any:
        """The JSON answer to a request that does not stream."""
        response = await self.post(kind, **params)
        assert response.status_code == 200, response.text
        return response.json()

    async def items(self, thread_id: str) -> list[dict[str, Any]]:
        """What a conversation shows, oldest first."""
        page = await self.reply("items.list", thread_id=thread_id, order="asc", limit=100)
        return list(page["data"])

    async def say(self, text: str, thread_id: str = "") -> "Said":
        """Send a message and read the answer to its end."""
        return Said([event async for event in self.events(text, thread_id)])

    async def events(self, text: str, thread_id: str = "") -> AsyncIterator[dict[str, Any]]:
        """Send a message and read the events as they come."""
        kind = "threads.add_user_message" if thread_id else "threads.create"
        params: dict[str, Any] = {"input": message(text)}
        if thread_id:
            params["thread_id"] = thread_id
        body = {"type": kind, "params": params}
        async with self.http.stream("POST", "/chatkit", json=body) as response:
            assert response.status_code == 200, await response.aread()
            rest = ""
            # Not line by line as Python has it: only this is the end of an event, whatever the text holds.
            async for piece in response.aiter_text():
                *whole, rest = (rest + piece).split("\n\n")
                for event in whole:
                    if event.startswith("data: "):
                        yield json.loads(event.removeprefix("data: "))


@dataclass(frozen=True, slots=True)
class Said:
    """The events of one answer."""

    events: list[dict[str, Any]]

    @classmethod
    def read(cls, stream: str) -> Self:
        """An answer that was read as a whole."""
        events = (event.removeprefix("data: ") for event in stream.split("\n\n") if event.startswith("data: "))
        return cls([json.loads(event) for event in events])

    @property
    def thread_id(self) -> str:
        [created] = [event for event in self.events if event["type"] == "thread.created"]
        return str(created["thread"]["id"])

    @property
    def text(self) -> str:
        """What the assistant said in the end."""
        done = [event["item"] for event in self.events if event["type"] == "thread.item.done"]
        parts = [part for item in done if item["type"] == "assistant_message" for part in item["content"]]
        return "\n".join(part["text"] for part in parts)

    def of(self, kind: str) -> list[dict[str, Any]]:
        """The events of one type."""
        return [event for event in self.events if event["type"] == kind]


def message(text: str) -> dict[str, Any]:
    """A message as ChatKit sends it."""
    return {"content": [{"type": "input_text", "text": text}], "attachments": [], "inference_options": {}}


def text_of(result: CallToolResult) -> str:
    """The text blocks of a tool result."""
    return "\n".join(block.text for block in result.content if isinstance(block, TextContent))


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
