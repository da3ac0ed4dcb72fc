"""The official SDKs as clients that sign a person in by themselves, whichever language they are written in."""

from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final, Protocol
from urllib.parse import parse_qs, urlsplit

from mcp import Client, MCPError
from mcp.client.auth import OAuthClientProvider
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.auth import AuthorizationCodeResult, OAuthClientInformationFull, OAuthClientMetadata, OAuthToken
from pydantic import AnyUrl

from tests.javascript import Conversation, Node
from tests.living import LEGACY, MODERN, text_of
from tests.web import web

REDIRECT: Final = "http://127.0.0.1:1/callback"

# What a person's browser does with the address a client sends it to: it returns where it is sent back to.
Browser = Callable[[str], Awaitable[str]]


class Unanswered(Exception):
    """A call that was refused before any tool ran."""

    def __init__(self, code: object, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True, slots=True)
class Answer:
    """What a client got back from a tool."""

    text: str
    is_error: bool
    progress: Sequence[float]


class SdkClient(Protocol):
    """One SDK, used by one person."""

    async def tools(self) -> list[str]:
        """The names of the tools, in the order in which they come."""

    async def call(self, name: str, **arguments: Any) -> Answer:
        """Call a tool; raises `Unanswered`."""

    async def spoil_access_token(self) -> None:
        """From now on its access token is good for nothing, and it has to use its refresh token."""


@dataclass
class Kept:
    """`TokenStorage` of the Python SDK."""

    tokens: OAuthToken | None = None
    client: OAuthClientInformationFull | None = None

    async def get_tokens(self) -> OAuthToken | None:
        return self.tokens

    async def set_tokens(self, tokens: OAuthToken) -> None:
        self.tokens = tokens

    async def get_client_info(self) -> OAuthClientInformationFull | None:
        return self.client

    async def set_client_info(self, client_info: OAuthClientInformationFull) -> None:
        self.client = client_info


@dataclass
class PythonClient:
    """The Python SDK."""

    client: Client
    provider: OAuthClientProvider

    async def tools(self) -> list[str]:
        return [tool.name for tool in (await self.client.list_tools()).tools]

    async def call(self, name: str, **arguments: Any) -> Answer:
        reported: list[float] = []

        async def noted(progress: float, total: float | None, message: str | None) -> None:  # noqa: ARG001
            reported.append(progress)

        try:
            result = await self.client.call_tool(name, arguments, progress_callback=noted)
        except MCPError as error:
            raise Unanswered(error.error.code, error.error.message) from error
        return Answer(text_of(result), result.is_error, reported)

    async def spoil_access_token(self) -> None:
        # This SDK looks at its clock before it asks the server.
        self.provider.context.token_expiry_time = 1


@dataclass
class JavaScriptClient:
    """One of the TypeScript SDKs, in a process of its own."""

    host: Conversation
    browser: Browser

    async def tools(self) -> list[str]:
        said = await self._do("list")
        return list(said["tools"])

    async def call(self, name: str, **arguments: Any) -> Answer:
        said = await self._do("call", name=name, arguments=arguments)
        return Answer(said["text"], said["isError"], said["progress"])

    async def spoil_access_token(self) -> None:
        await self._do("spoil")

    async def _do(self, deed: str, **details: Any) -> dict[str, Any]:
        self.host.say({"do": deed, **details})
        said = await self.host.hear()
        while "authorize" in said:
            self.host.say({"callback": await self.browser(said["authorize"])})
            said = await self.host.hear()
        if "refused" in said:
            raise Unanswered(said["refused"], said["message"])
        return said


@dataclass(frozen=True, slots=True)
class Sdk:
    """Which SDK, how it chooses the era, and what it runs on unless that is Python."""

    name: str
    mode: str
    program: str = ""
    node: Node | None = None

    def __str__(self) -> str:
        return f"{self.name}, {self.mode}"

    def client(self, url: str, browser: Browser) -> AbstractAsyncContextManager[SdkClient]:
        """It, in front of this server, with a person and their browser."""
        if not self.program:
            return python_client(url, self.mode, browser)
        assert self.node is not None
        return javascript_client(self.node, self.program, url, self.mode, browser)


SDKS: Final = (
    Sdk("Python", MODERN),
    Sdk("Python", LEGACY),
    Sdk("TypeScript 1", LEGACY, "sdk-v1.mjs"),
    Sdk("TypeScript 2", MODERN, "sdk-v2.mjs"),
    Sdk("TypeScript 2", LEGACY, "sdk-v2.mjs"),
    Sdk("TypeScript 2", "auto", "sdk-v2.mjs"),
)


@asynccontextmanager
async def python_client(
    url: str, mode: str, browser: Browser, kept: Kept | None = None
) -> AsyncGenerator[PythonClient]:
    """The Python SDK in front of this server, with what it kept of an earlier visit."""
    sent_back: list[str] = []

    async def redirect(address: str) -> None:
        sent_back.append(await browser(address))

    async def callback() -> AuthorizationCodeResult:
        found = {name: values[0] for name, values in parse_qs(urlsplit(sent_back.pop()).query).items()}
        return AuthorizationCodeResult(code=found.get("code", ""), state=found.get("state"), iss=found.get("iss"))

    metadata = OAuthClientMetadata(
        redirect_uris=[AnyUrl(REDIRECT)], client_name="a client in Python", token_endpoint_auth_method="none"
    )
    provider = OAuthClientProvider(url, metadata, kept or Kept(), redirect, callback)
    async with (
        web(auth=provider) as http,
        Client(streamable_http_client(url, http_client=http), mode=mode, cache=None) as client,
    ):
        yield PythonClient(client, provider)


@asynccontextmanager
async def javascript_client(
    node: Node, program: str, url: str, mode: str, browser: Browser
) -> AsyncGenerator[JavaScriptClient]:
    """A TypeScript SDK in front of this server."""
    async with node.running(program, url, mode) as host:
        yield JavaScriptClient(host, browser)
