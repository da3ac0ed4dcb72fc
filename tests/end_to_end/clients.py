"""The official SDKs as clients that sign a person in by themselves, whichever language they are written in."""

from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import Any, Final, cast
from urllib.parse import parse_qs, urlsplit

import anyio
import fastmcp
from fastmcp.client.transports import StreamableHttpTransport
from mcp import Client, MCPError
from mcp.client import ClientRequestContext
from mcp.client.auth import OAuthClientProvider
from mcp.client.session import ElicitationFnT
from mcp.client.streamable_http import streamable_http_client
from mcp.client.subscriptions import ResourceUpdated
from mcp.shared.auth import AuthorizationCodeResult, OAuthClientInformationFull, OAuthClientMetadata, OAuthToken
from mcp.shared.dispatcher import ProgressFnT
from mcp_types import (
    CallToolResult,
    ElicitRequestParams,
    ElicitResult,
    PromptReference,
    TextContent,
    TextResourceContents,
)
from pydantic import AnyUrl

from tests.end_to_end.sdk import Answer, Answering, Browser, SdkClient, Unanswered
from tests.javascript import Conversation, Node
from tests.living import LEGACY, MODERN, text_of
from tests.web import web

REDIRECT: Final = "http://127.0.0.1:1/callback"


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


class Leaving:
    """A progress callback that ends the call it belongs to."""

    def __init__(self) -> None:
        self.scope = anyio.CancelScope()

    async def __call__(self, progress: float, total: float | None, message: str | None) -> None:
        self.scope.cancel()


@contextmanager
def answered() -> Iterator[None]:
    """What the server refused, as `Unanswered`."""
    try:
        yield
    except MCPError as error:
        raise Unanswered(error.error.code, error.error.message) from error


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

        with answered():
            result = await self._call(name, arguments, noted)
        return Answer(text_of(result), result.is_error, reported, result.structured_content or {})

    async def leave(self, name: str, **arguments: Any) -> None:
        leaving = Leaving()
        with leaving.scope:
            await self._call(name, arguments, leaving)
        assert leaving.scope.cancelled_caught

    async def _call(self, name: str, arguments: dict[str, Any], progress: ProgressFnT) -> CallToolResult:
        return await self.client.call_tool(name, arguments, progress_callback=progress)

    async def resources(self) -> list[str]:
        return [str(found.uri) for found in (await self.client.list_resources()).resources]

    async def read(self, uri: str) -> str:
        with answered():
            [content] = (await self.client.read_resource(uri)).contents
        assert isinstance(content, TextResourceContents)
        return content.text

    async def prompts(self) -> list[str]:
        return [prompt.name for prompt in (await self.client.list_prompts()).prompts]

    async def prompt(self, name: str, **arguments: str) -> str:
        with answered():
            [message] = (await self.client.get_prompt(name, arguments)).messages
        assert isinstance(message.content, TextContent)
        return message.content.text

    async def completed(self, prompt: str, argument: str, begun: str) -> list[str]:
        reference = PromptReference(type="ref/prompt", name=prompt)
        return (await self.client.complete(reference, {"name": argument, "value": begun})).completion.values

    async def heard(self, uris: Sequence[str], deed: Callable[[], Awaitable[object]]) -> str:
        async with self.client.listen(resource_subscriptions=uris) as changes:
            await deed()
            event = await anext(aiter(changes))
        assert isinstance(event, ResourceUpdated)
        return event.uri

    async def spoil_access_token(self) -> None:
        # This SDK looks at its clock before it asks the server.
        self.provider.context.token_expiry_time = 1


@dataclass
class FastMcpClient(PythonClient):
    """The client of FastMCP, which stands on the Python SDK and speaks to it in its own words."""

    # Another class with most of the same words; where they differ, the methods are written anew below.
    client: fastmcp.Client[Any]  # type: ignore[assignment]

    async def tools(self) -> list[str]:
        return [tool.name for tool in await self.client.list_tools()]

    async def _call(self, name: str, arguments: dict[str, Any], progress: ProgressFnT) -> CallToolResult:
        return await self.client.call_tool_mcp(name, arguments, progress_handler=progress)

    async def resources(self) -> list[str]:
        return [str(found.uri) for found in await self.client.list_resources()]

    async def read(self, uri: str) -> str:
        with answered():
            [content] = await self.client.read_resource(uri)
        assert isinstance(content, TextResourceContents)
        return content.text

    async def prompts(self) -> list[str]:
        return [prompt.name for prompt in await self.client.list_prompts()]

    async def completed(self, prompt: str, argument: str, begun: str) -> list[str]:
        reference = PromptReference(type="ref/prompt", name=prompt)
        return (await self.client.complete(reference, {"name": argument, "value": begun})).values


@dataclass
class JavaScriptClient:
    """One of the TypeScript SDKs, in a process of its own."""

    host: Conversation
    browser: Browser
    answering: Answering | None

    async def tools(self) -> list[str]:
        said = await self._do("list")
        return list(said["tools"])

    async def call(self, name: str, **arguments: Any) -> Answer:
        said = await self._do("call", name=name, arguments=arguments)
        return Answer(said["text"], said["isError"], said["progress"], said["values"])

    async def leave(self, name: str, **arguments: Any) -> None:
        await self._do("leave", name=name, arguments=arguments)

    async def resources(self) -> list[str]:
        return list((await self._do("resources"))["found"])

    async def read(self, uri: str) -> str:
        return str((await self._do("read", uri=uri))["text"])

    async def prompts(self) -> list[str]:
        return list((await self._do("prompts"))["found"])

    async def prompt(self, name: str, **arguments: str) -> str:
        return str((await self._do("prompt", name=name, arguments=arguments))["text"])

    async def completed(self, prompt: str, argument: str, begun: str) -> list[str]:
        said = await self._do("complete", prompt=prompt, argument={"name": argument, "value": begun})
        return list(said["found"])

    async def heard(self, uris: Sequence[str], deed: Callable[[], Awaitable[object]]) -> str:
        await self._do("listen", uris=list(uris))
        await deed()
        return str((await self._do("hear"))["uri"])

    async def spoil_access_token(self) -> None:
        await self._do("spoil")

    async def _do(self, deed: str, **details: Any) -> dict[str, Any]:
        self.host.say({"do": deed, **details})
        said = await self.host.hear()
        while not {"authorize", "question"}.isdisjoint(said):
            if "authorize" in said:
                self.host.say({"callback": await self.browser(said["authorize"])})
            else:
                assert self.answering is not None
                action, content = self.answering(said["question"])
                self.host.say({"action": action, **({"content": content} if content is not None else {})})
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

    @property
    def listens(self) -> bool:
        """Whether it can hear of changes: FastMCP's client has no words for that yet, and the older era no way."""
        return self.mode != LEGACY and self.name != "FastMCP"

    @property
    def asks(self) -> bool:
        """Whether its person can be asked something in the middle of a call."""
        return self.mode != LEGACY

    def client(
        self, url: str, browser: Browser, answering: Answering | None = None
    ) -> AbstractAsyncContextManager[SdkClient]:
        """It, in front of this server, with a person, their browser and perhaps their answers to questions."""
        if not self.program:
            connect = fastmcp_client if self.name == "FastMCP" else python_client
            return connect(url, self.mode, browser, answering=answering)
        assert self.node is not None
        return javascript_client(self.node, self.program, url, self.mode, browser, answering)


SDKS: Final = (
    Sdk("Python", MODERN),
    Sdk("Python", LEGACY),
    Sdk("FastMCP", MODERN),
    Sdk("FastMCP", LEGACY),
    Sdk("TypeScript 1", LEGACY, "sdk-v1.mjs"),
    Sdk("TypeScript 2", MODERN, "sdk-v2.mjs"),
    Sdk("TypeScript 2", LEGACY, "sdk-v2.mjs"),
    Sdk("TypeScript 2", "auto", "sdk-v2.mjs"),
)


@asynccontextmanager
async def python_client(
    url: str, mode: str, browser: Browser, kept: Kept | None = None, answering: Answering | None = None
) -> AsyncGenerator[PythonClient]:
    """The Python SDK in front of this server, with what it kept of an earlier visit."""
    provider = _signing_in(url, browser, kept or Kept())
    ask = _asking(answering) if answering is not None else None
    async with (
        web(auth=provider) as http,
        Client(
            streamable_http_client(url, http_client=http), mode=mode, cache=None, elicitation_callback=ask
        ) as client,
    ):
        yield PythonClient(client, provider)


@asynccontextmanager
async def fastmcp_client(
    url: str, mode: str, browser: Browser, answering: Answering | None = None
) -> AsyncGenerator[FastMcpClient]:
    """FastMCP's client in front of this server."""
    provider = _signing_in(url, browser, Kept())

    async def asked(message: str, *_: object) -> ElicitResult:
        assert answering is not None
        action, content = answering(message)
        return ElicitResult.model_validate({"action": action, "content": content})

    transport = StreamableHttpTransport(url, auth=provider, verify=False)
    handler = asked if answering is not None else None
    async with fastmcp.Client(transport, mode=cast("Any", mode), elicitation_handler=handler) as client:
        yield FastMcpClient(client, provider)


def _signing_in(url: str, browser: Browser, kept: Kept) -> OAuthClientProvider:
    sent_back: list[str] = []

    async def redirect(address: str) -> None:
        sent_back.append(await browser(address))

    async def callback() -> AuthorizationCodeResult:
        found = {name: values[0] for name, values in parse_qs(urlsplit(sent_back.pop()).query).items()}
        return AuthorizationCodeResult(code=found.get("code", ""), state=found.get("state"), iss=found.get("iss"))

    metadata = OAuthClientMetadata(
        redirect_uris=[AnyUrl(REDIRECT)], client_name="a client in Python", token_endpoint_auth_method="none"
    )
    return OAuthClientProvider(url, metadata, kept, redirect, callback)


def _asking(answering: Answering) -> ElicitationFnT:
    async def ask(context: ClientRequestContext, params: ElicitRequestParams) -> ElicitResult:  # noqa: ARG001
        action, content = answering(params.message)
        return ElicitResult.model_validate({"action": action, "content": content})

    return ask


@asynccontextmanager
async def javascript_client(
    node: Node, program: str, url: str, mode: str, browser: Browser, answering: Answering | None = None
) -> AsyncGenerator[JavaScriptClient]:
    """A TypeScript SDK in front of this server."""
    async with node.running(program, url, mode, *(["asks"] if answering is not None else [])) as host:
        yield JavaScriptClient(host, browser, answering)
