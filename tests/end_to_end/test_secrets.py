"""A whole conversation, and then a search for everything secret in everything it left behind."""

import json
import re
from collections.abc import AsyncGenerator, Iterable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import parse_qsl

import httpx2
import pytest
from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from shared.tokens import SCOPES
from tests.end_to_end.model_server import ADD_MILK, ModelServer
from tests.end_to_end.processes import Deployment, deployment, reserved_port
from tests.issuer import Issuing, approve, dev_issuer
from tests.living import SESSION_KEY, ChatClient, Served, ToolClient
from tests.web import web

pytestmark = pytest.mark.anyio

# Nobody else is called so, so that it is found wherever it should not be.
PERSON: Final = "ada-the-canary"
LIFETIME_S: Final = 25  # so short that every request of a browser's session renews it
SECRET_NAMES: Final = frozenset(
    {"access_token", "refresh_token", "id_token", "code", "code_verifier", "state", "nonce", "client_secret"}
)


@dataclass
class Wire:
    """What stands between the gateway and the tool server and listens."""

    target: str
    tokens: set[str] = field(default_factory=set)
    bodies: list[str] = field(default_factory=list)

    async def pass_on(self, request: Request) -> Response:
        body = await request.body()
        sent = {name: value for name, value in request.headers.items() if name not in {"host", "content-length"}}
        self.tokens.add(sent["authorization"].removeprefix("Bearer "))
        async with web() as http:
            answer = await http.request(request.method, self.target, headers=sent, content=body)
        self.bodies += [body.decode(), answer.text]
        return Response(answer.content, answer.status_code, {"Content-Type": answer.headers["content-type"]})


@dataclass
class Scene:
    """Both services as processes that log all they can, an issuer, a model provider, and a wire between the two."""

    services: Deployment
    issuer: Issuing
    provider: ModelServer
    wire: Wire
    secrets: set[str] = field(default_factory=set)
    # What people and their programs were told.
    told: list[str] = field(default_factory=list)

    async def hear(self, response: httpx2.Response) -> None:
        """Keep what was answered; a redirect carries its secrets to where they belong."""
        await response.aread()
        self.told.append(response.text)

    def token(self, audience: str, lifetime_s: int = 600) -> str:
        """One of this person's tokens."""
        token = self.issuer.signer.issue(PERSON, audience, SCOPES, lifetime_s=lifetime_s, client_id="a program")
        self.secrets.add(token)
        return token

    def all_secrets(self) -> Iterator[str]:
        """Everything that proves something, whole and, of a token, what it says and what proves it."""
        used = self.secrets | self.wire.tokens | set(_found(self.issuer.traffic)) | set(self.services.secrets)
        for secret in used:
            yield secret
            if secret.startswith("eyJ") and secret.count(".") == 2:
                yield from secret.split(".")[1:]

    def places(self) -> Iterator[tuple[str, str]]:
        """Everywhere that no secret belongs."""
        yield "the log of the tool server", json.dumps(self.services.mcp.log)
        yield "the log of the gateway", json.dumps(self.services.gateway.log)
        yield "what the model was given", "\n".join(self.provider.received)
        yield "what people were told", "\n".join(self.told)
        yield "the calls of tools and their results", "\n".join(self.wire.bodies)
        for file in (self.services.mcp_file, self.services.gateway_file):
            written = b"".join(path.read_bytes() for path in sorted(file.parent.glob(f"{file.name}*")))
            yield f"the database {file.name}", written.decode("latin-1")


def _found(traffic: Iterable[str]) -> Iterator[str]:
    """The secrets among what an issuer was sent and answered."""
    for text in traffic:
        pairs: Iterable[tuple[str, Any]] = parse_qsl(text)
        if text.startswith("{"):
            pairs = json.loads(text).items()
        yield from (value for name, value in pairs if name in SECRET_NAMES)


@pytest.fixture(scope="module")
async def scene(tmp_path_factory: pytest.TempPathFactory, anyio_backend: str) -> AsyncGenerator[Scene]:  # noqa: ARG001
    """The scene when everything has happened."""
    async with AsyncExitStack() as stack:
        services = await stack.enter_async_context(deployment(tmp_path_factory.mktemp("scene")))
        issuer = await stack.enter_async_context(
            dev_issuer([services.mcp_url, services.gateway_url], lifetime_s=LIFETIME_S)
        )
        provider = ModelServer(stack.enter_context(reserved_port()))
        await provider.start()
        stack.push_async_callback(provider.stop)
        wire = Wire(services.mcp_url)
        listening = Served(stack.enter_context(reserved_port()))
        await listening.start(Starlette(routes=[Route("/mcp", wire.pass_on, methods=["POST"])]))
        stack.push_async_callback(listening.stop)

        people = {"issuer": issuer.url}
        delegate = {
            "issuer": services.gateway_url,
            "delegates_for": [issuer.url],
            "interactive": False,
        }
        services.mcp.settings |= {
            "TASKGATE_LOG_LEVEL": "debug",
            "TASKGATE_MCP_ISSUERS": json.dumps([people, delegate]),
        }
        services.gateway.settings |= {
            "TASKGATE_LOG_LEVEL": "debug",
            "TASKGATE_GATEWAY_ISSUERS": json.dumps([people]),
            "TASKGATE_GATEWAY_MCP_ADDRESS": f"http://127.0.0.1:{listening.port}/mcp",
            "TASKGATE_GATEWAY_OIDC_CLIENT_ID": "taskgate-gateway",
            "TASKGATE_GATEWAY_SESSION_KEYS": SESSION_KEY,
            "OPENAI_BASE_URL": provider.url,
        }
        await services.upgrade()
        await services.start()
        found = Scene(services, issuer, provider, wire, {SESSION_KEY})
        await converse(found)
        yield found


@asynccontextmanager
async def browser(scene: Scene) -> AsyncGenerator[httpx2.AsyncClient]:
    """The person's browser, signed in."""
    async with web(
        base_url=scene.services.gateway_url,
        headers={"Sec-Fetch-Site": "same-origin"},
        timeout=60,
        event_hooks={"response": [scene.hear]},
    ) as http:
        begun = await http.get("/auth/login")
        scene.secrets.add(http.cookies["taskgate-login"])
        finished = await http.get(await approve(begun.headers["location"], PERSON))
        assert finished.status_code == 303, finished.text
        scene.secrets.add(http.cookies["taskgate"])
        yield http


async def converse(scene: Scene) -> None:
    """What people do, and what goes wrong."""
    gateway, tools = scene.services.gateway_url, scene.services.mcp_url
    async with browser(scene) as http:
        page = ChatClient(http)
        thread = (await page.say(ADD_MILK)).thread_id
        await page.say('call tasks_find {"filter": "is:nonsense"}\ncall tasks_complete {"refs": ["T1"]}', thread)
        await page.say("Who am I, and what is my token?", thread)
        scene.provider.fault = "500"
        assert (await page.say("and now?", thread)).of("error")
        scene.provider.fault = ""
        await page.reply("items.list", thread_id=thread)
        await http.get("/auth/me")
        # Programs with tokens: good ones, and some that are refused.
        for audience in (gateway, tools):
            for token in (scene.token(gateway), scene.token(tools), scene.token(audience, lifetime_s=-60)):
                sent = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
                listing = {"type": "threads.list", "params": {}}
                path = f"{gateway}/chatkit" if audience == gateway else tools
                await http.post(path, json=listing, headers=sent)
        cut = f"{scene.token(gateway)[:-9]}x"
        scene.secrets.add(cut)
        await http.get(f"/auth/me?access_token={cut}", headers={"Authorization": f"Bearer {cut}"})
        await http.post("/auth/session", json={}, headers={"Authorization": f"Bearer {scene.token(gateway)}"})
        scene.secrets.add(http.cookies["taskgate"])
        assert (await http.post("/auth/logout", json={})).status_code == 200
        assert (await http.get("/auth/me")).status_code == 401
    bearer = {"Authorization": f"Bearer {scene.token(tools)}"}
    async with (
        web(headers=bearer, event_hooks={"response": [scene.hear]}) as http,
        Client(streamable_http_client(tools, http_client=http), mode="2026-07-28", cache=None) as client,
    ):
        assert await ToolClient(client).titles("is:all") == ["Buy milk"]


async def test_no_secret_is_left_anywhere_but_where_it_belongs(scene: Scene) -> None:
    secrets = set(scene.all_secrets())
    granted = "".join(scene.issuer.traffic)
    assert granted.count('"refresh_token"') > 2, "the session was renewed on the way"
    assert len(scene.wire.tokens) >= 3
    assert all(len(secret) > 15 for secret in secrets)
    for place, text in scene.places():
        assert len(text) > 1_000, place
        for secret in secrets:
            assert secret not in text, f"{secret[:12]}... is in {place}"
        assert not re.search(r"eyJ[\w-]{16,}\.[\w-]{16,}", text), place


async def test_neither_the_model_nor_a_log_learns_who_is_asking(scene: Scene) -> None:
    places = dict(scene.places())
    for place in ("the log of the tool server", "the log of the gateway", "what the model was given"):
        assert PERSON not in places[place]
    assert PERSON not in places["the calls of tools and their results"]
    assert scene.issuer.url not in places["what the model was given"]
