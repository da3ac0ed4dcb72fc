"""A gateway where browsers sign in at the development issuer, and people whose browsers do so without a window."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from itertools import count
from typing import Any, Final

import httpx2
from agents import Model
from agents.testing import ModelStep, assistant_message, function_call
from sqlalchemy import select, update

from gateway.tables import sessions
from shared.db import AnyRow, Database
from shared.tokens import SCOPES, IssuerProfile, service
from tests.issuer import Issuing, approve, dev_issuer
from tests.living import ChatClient, Databases, Living
from tests.models import ObedientModel
from tests.web import web

CLIENT_ID: Final = "taskgate-gateway"
COOKIE: Final = "taskgate"
LOGIN_COOKIE: Final = "taskgate-login"
_numbers: Final = count(1)


class TwoErrands(ObedientModel):
    """Adds milk, waits until it is told to go on, and adds bread."""

    def __init__(self) -> None:
        super().__init__()
        self.begin()

    def begin(self) -> None:
        """Wait again, for the next answer."""
        self.between = asyncio.Event()
        self.go_on = asyncio.Event()

    async def step(self, items: list[Any]) -> ModelStep:
        done = [item for item in items if item.get("type") == "function_call_output"]
        match len(done):
            case 0:
                return ModelStep(output=[assistant_message("First the milk."), self._adds("milk")])
            case 1:
                self.between.set()
                await self.go_on.wait()
                return ModelStep(output=[assistant_message("Now the bread."), self._adds("bread")])
        return ModelStep(output=[assistant_message(str(done[-1]["output"]))])

    def _adds(self, title: str) -> Any:
        return function_call("tasks_add", {"tasks": [{"title": title}]}, call_id=f"call-{title}")


@dataclass(frozen=True, slots=True)
class House:
    """Both services, further gateways on the same database, and the issuer."""

    living: Living
    replicas: Sequence[Living]
    issuer: Issuing
    database: Database

    def begin_test(self) -> None:
        """From now on nobody has been here before, and nothing is revoked."""
        self.living.begin_test(next(_numbers))
        self.living.gateway_revocations.replace([])

    @asynccontextmanager
    async def visitor(self, person: str = "") -> AsyncGenerator["Visitor"]:
        """Somebody's browser in front of the gateway; signed in if a name is given."""
        # Everything a page of ours sends has this header, and no other page can make a browser send it.
        headers = {"Sec-Fetch-Site": "same-origin"}
        async with web(base_url=self.living.gateway_url, headers=headers, timeout=30) as http:
            visitor = Visitor(http)
            if person:
                await visitor.sign_in(self.living.subject(person))
            yield visitor

    def token(self, person: str, audience: str = "") -> str:
        """An access token of the issuer; for the gateway unless said otherwise."""
        return self.issuer.signer.issue(
            self.living.subject(person),
            audience or self.living.gateway_url,
            SCOPES,
            lifetime_s=600,
            client_id="a program",
        )

    async def titles(self, person: str) -> list[str]:
        """What the tool server keeps for somebody."""
        async with self.living.client(person, token=self.token(person, self.living.mcp_url)) as client:
            return await client.titles()

    @property
    def renewals(self) -> int:
        """How often the issuer was asked for tokens."""
        return self.issuer.requests.count("POST /token")

    async def rows(self, person: str = "ada") -> Sequence[AnyRow]:
        """A person's sessions as they are stored."""
        mine = (sessions.c.issuer == self.issuer.url, sessions.c.subject == self.living.subject(person))
        async with self.database.begin(service("tests")) as tx:
            return await tx.all(select(sessions).where(*mine))

    async def row(self, person: str = "ada") -> AnyRow:
        """The only one."""
        [row] = await self.rows(person)
        return row

    async def let_time_pass(self, person: str = "ada", **left_s: int) -> None:
        """Give a person's sessions this many seconds until the instants named."""
        async with self.database.begin(service("tests"), write=True) as tx:
            instants = {name: tx.now_us + seconds * 1_000_000 for name, seconds in left_s.items()}
            mine = sessions.c.subject == self.living.subject(person)
            await tx.execute(update(sessions).where(mine).values(instants))


@dataclass(frozen=True, slots=True)
class Visitor:
    """A browser: it keeps cookies and follows no redirect by itself."""

    http: httpx2.AsyncClient

    @property
    def chat(self) -> ChatClient:
        """The page's side of a conversation."""
        return ChatClient(self.http)

    @property
    def session(self) -> str:
        """The id in the session cookie; empty without one."""
        return self.cookie(COOKIE)

    def cookie(self, name: str) -> str:
        """The value of a cookie; empty without one."""
        return self.http.cookies.get(name) or ""

    def carry(self, name: str, value: str) -> None:
        """From now on the browser sends this, whatever it was given."""
        self.http.cookies.set(name, value, domain=str(self.http.base_url.host))

    async def begin(self, return_to: str = "/") -> str:
        """Press "Sign in": the address at the issuer."""
        begun = await self.http.get("/auth/login", params={"return_to": return_to})
        assert begun.status_code == 302, begun.text
        return begun.headers["location"]

    async def sign_in(self, person: str, return_to: str = "/") -> httpx2.Response:
        """The whole way in; the answer of the gateway at its end."""
        landed = await self.http.get(await approve(await self.begin(return_to), person))
        assert landed.status_code == 303, landed.text
        return landed

    async def me(self) -> dict[str, Any]:
        """Who the gateway says is signed in."""
        answer = await self.http.get("/auth/me")
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    async def status(self) -> int:
        """Whether the gateway lets this browser in."""
        return (await self.http.get("/auth/me")).status_code

    async def sign_out(self) -> str:
        """Press "Sign out": the address where the sign-in at the issuer ends."""
        ended = await self.http.post("/auth/logout")
        assert ended.status_code == 200, ended.text
        address: str = ended.json()["end_session"]
        return address


@asynccontextmanager
async def open_house(
    databases: Databases, *, model: Model | None = None, lifetime_s: int = 900, replicas: int = 0
) -> AsyncGenerator[House]:
    """Everything that signing in takes."""
    first = Living(databases, model=model)
    others = [Living(databases, start_mcp=False) for _ in range(replicas)]
    addresses = (first.mcp_url, *(living.gateway_url for living in (first, *others)))
    async with AsyncExitStack() as stack:
        issuer = await stack.enter_async_context(dev_issuer(addresses, lifetime_s=lifetime_s))
        for living in (first, *others):
            profile = IssuerProfile(issuer=issuer.url, jwks=issuer.jwks)
            living.gateway_issuers.append(profile)
            living.mcp_issuers.append(profile)
            living.login_client_id = CLIENT_ID
            await stack.enter_async_context(living)
        database = Database(databases.gateway, pool_size=2)
        stack.push_async_callback(database.close)
        yield House(first, others, issuer, database)
