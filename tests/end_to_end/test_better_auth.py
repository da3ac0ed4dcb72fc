"""Better Auth, an issuer nobody here wrote: its people chat, let MCP clients act for them, and stay the same people."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from itertools import count
from typing import Final
from urllib.parse import urlsplit

import httpx2
import pytest
from sqlalchemy import select

from gateway.migrations import SCHEMA as GATEWAY_SCHEMA
from mcp_server.migrations import SCHEMA as MCP_SCHEMA
from mcp_server.tasks.spaces import space_of
from mcp_server.tasks.tables import tasks
from shared.migrate import upgrade
from shared.tokens import SCOPES, IssuerProfile, restored
from tests.end_to_end.clients import SDKS, Sdk, python_client
from tests.javascript import Node
from tests.living import MODERN, Databases, Living
from tests.web import web

pytestmark = [pytest.mark.anyio, pytest.mark.node]

PASSWORD: Final = "correct horse battery"

_numbers: Final = count(1)


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who has signed up, in the browser they did it with."""

    browser: httpx2.AsyncClient
    email: str
    subject: str
    asked: list[str] = field(default_factory=list)

    async def token(self) -> str:
        """What a page of the application sends to the gateway."""
        return str((await self.browser.get("/api/auth/token")).json()["token"])

    async def approve(self, address: str) -> str:
        """Sign in and consent, in a browser that has not been there yet; returns where it is sent back to."""
        self.asked.append(address)
        headers = {"Origin": self.browser.headers["Origin"]}
        async with web(base_url=self.browser.base_url, headers=headers) as browser:
            login = urlsplit((await browser.get(address)).headers["location"])
            assert login.path == "/login"
            who = {"email": self.email, "password": PASSWORD, "oauth_query": login.query}
            sent_on = str((await browser.post("/api/auth/sign-in/email", json=who)).json()["url"])
            consent = urlsplit(sent_on)
            if consent.path != "/consent":
                # They have said yes to all of it before.
                return sent_on
            yes = {"accept": True, "oauth_query": consent.query}
            return str((await browser.post("/api/auth/oauth2/consent", json=yes)).json()["url"])


@dataclass(frozen=True, slots=True)
class Application:
    """An application with Better Auth in it, and our services, which trust it."""

    living: Living
    issuer: str

    @asynccontextmanager
    async def person(self, name: str) -> AsyncGenerator[Person]:
        """Somebody who has just signed up."""
        origin = self.issuer.removesuffix("/api/auth")
        async with web(base_url=origin, headers={"Origin": origin}) as browser:
            email = f"{name}-{next(_numbers)}@example.test"
            account = {"email": email, "password": PASSWORD, "name": name}
            response = await browser.post("/api/auth/sign-up/email", json=account)
            yield Person(browser, email, response.json()["user"]["id"])

    async def titles_of(self, person: Person) -> list[str]:
        """A person's rows, straight from the database."""
        assert self.living.mcp_database is not None
        caller = restored(self.issuer, person.subject, SCOPES, 2**40, "the tests")
        async with self.living.mcp_database.begin(caller) as tx:
            rows = await tx.all(select(tasks.c.title).where(tasks.c.space_id == space_of(caller)))
        return [title for (title,) in rows]


@pytest.fixture(scope="module")
async def application(
    node: Node,
    tmp_path_factory: pytest.TempPathFactory,
    anyio_backend: str,  # noqa: ARG001
) -> AsyncGenerator[Application]:
    """One application for all tests of this file."""
    folder = tmp_path_factory.mktemp("application")
    databases = Databases(mcp=f"sqlite:///{folder}/mcp.db", gateway=f"sqlite:///{folder}/gateway.db")
    await upgrade(MCP_SCHEMA, databases.mcp)
    await upgrade(GATEWAY_SCHEMA, databases.gateway)
    living = Living(databases)
    async with node.running("better-auth.mjs", living.gateway_url, living.mcp_url, *SCOPES) as better_auth:
        issuer = (await better_auth.hear())["issuer"]
        # What its pages send has no type and names no scope; what it gives to MCP clients is as it should be.
        living.gateway_issuers = [
            IssuerProfile(issuer=issuer, jwks_uri=f"{issuer}/jwks", types=None, default_scopes=tuple(SCOPES))
        ]
        living.mcp_issuers = [IssuerProfile(issuer=issuer)]
        async with living:
            yield Application(living, issuer)


async def test_a_person_of_another_issuer_chats_and_owns_what_comes_of_it(application: Application) -> None:
    living = application.living
    async with application.person("ada") as ada, application.person("bob") as bob:
        async with living.chat("ada", token=await ada.token()) as chat:
            assert "buy milk" in (await chat.say("add buy milk")).text.lower()
        async with living.chat("bob", token=await bob.token()) as chat:
            assert "milk" not in (await chat.say("what is open?")).text.lower()
            assert len((await chat.reply("threads.list"))["data"]) == 1
        assert [title.lower() for title in await application.titles_of(ada)] == ["buy milk"]
        assert await application.titles_of(bob) == []


@pytest.mark.parametrize("sdk", SDKS, ids=str)
async def test_a_client_that_signs_the_person_in_finds_the_tasks_of_the_chat(
    application: Application, node: Node, sdk: Sdk
) -> None:
    living, sdk = application.living, replace(sdk, node=node)
    async with application.person("ada") as ada, application.person("bob") as bob:
        async with living.chat("ada", token=await ada.token()) as chat:
            await chat.say("add water the plants")
        async with sdk.client(living.mcp_url, ada.approve) as client:
            assert "water the plants" in (await client.call("tasks_find")).text.lower()
            await client.call("tasks_add", tasks=[{"title": "Feed the cat"}])
            assert len(ada.asked) == 2
            await client.spoil_access_token()
            assert "Feed the cat" in (await client.call("tasks_find")).text
            # The first TypeScript SDK does not ask for a refresh token, and this issuer gives none unasked.
            assert len(ada.asked) == (3 if sdk.name == "TypeScript 1" else 2)
        async with living.chat("ada", token=await ada.token()) as chat:
            assert "Feed the cat" in (await chat.say("what is open?")).text
        async with sdk.client(living.mcp_url, bob.approve) as client:
            assert "0 of 0" in (await client.call("tasks_find")).text


async def test_a_token_is_good_for_nothing_but_the_service_it_was_made_for(application: Application) -> None:
    living = application.living
    async with application.person("ada") as ada:
        for_the_gateway = await ada.token()
        async with python_client(living.mcp_url, MODERN, ada.approve) as client:
            await client.call("tasks_find")
            tokens = client.provider.context.current_tokens
        assert tokens is not None
        async with web() as http:
            refused = await http.post(living.mcp_url, headers=bearer(for_the_gateway))
            assert refused.status_code == 401
            assert 'error="invalid_token"' in refused.headers["www-authenticate"]
            me = f"{living.gateway_url}/auth/me"
            assert (await http.get(me, headers=bearer(tokens.access_token))).status_code == 401
            answered = await http.get(me, headers=bearer(for_the_gateway))
            assert answered.json()["subject"] == ada.subject


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}
