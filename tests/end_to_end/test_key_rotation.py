"""The gateway's signing keys are replaced while people chat through two gateways with one tool server."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import AsyncExitStack, ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import pytest
from pydantic import SecretStr

import gateway.app
import mcp_server.app
from gateway.answering.running import Running
from gateway.connection import Connection
from gateway.dictation import Dictation
from gateway.migrations import SCHEMA as GATEWAY
from gateway.models import choose, client_of
from gateway.settings import GatewaySettings
from mcp_server.migrations import SCHEMA as MCP
from mcp_server.settings import McpSettings
from shared.asgi import Drain
from shared.commands.key_file import change, read
from shared.db import Database
from shared.errors import Problem
from shared.migrate import upgrade
from shared.serve import serve
from shared.tokens import (
    SCOPES,
    IssuerProfile,
    KeptKey,
    Refused,
    Signer,
    SigningKey,
    Verifier,
    build_verifier,
    restored,
)
from shared.tokens.keys import FRESH_S, FetchedKeys, FixedKeys
from shared.tokens.rotation import PUBLISHED_S, RETIRED_S, add, drop, promote
from tests.end_to_end.processes import chat, reserved_port
from tests.living import ISSUER, STATE_KEY, Served, answering
from tests.web import web

pytestmark = pytest.mark.anyio

START: Final = datetime(2026, 7, 1, 12, tzinfo=UTC)
Keys = Sequence[KeptKey | SecretStr]


class Replica:
    """One gateway. What it opens it closes again in the same task, so each has its own."""

    def __init__(self, port: int) -> None:
        self.port = port
        self._drain = Drain()
        self._task: asyncio.Task[None] | None = None

    @property
    def url(self) -> str:
        """Where this one is, and the other is not."""
        return f"http://127.0.0.1:{self.port}"

    async def start(self, settings: GatewaySettings) -> None:
        """Run until stopped; returns when requests are answered."""
        self._drain, started = Drain(), asyncio.Event()
        self._task = asyncio.create_task(self._run(settings, started))
        await answering(self._task, started)

    async def stop(self) -> None:
        """End, if it runs."""
        self._drain.begin()
        if self._task is not None:
            await self._task
            self._task = None

    async def _run(self, settings: GatewaySettings, started: asyncio.Event) -> None:
        async with AsyncExitStack() as stack:
            http = await stack.enter_async_context(web())
            database = Database(settings.database_url.get_secret_value())
            stack.push_async_callback(database.close)
            connection = await stack.enter_async_context(Connection(settings.mcp_url))
            verifier = build_verifier(settings.issuers, settings.gateway_url, http)
            models = await choose("offline", first_s=1, silence_s=1)
            around = gateway.app.Surroundings(connection, models, Dictation(client_of("", "", read_s=1), ""))
            running = Running()
            app = gateway.app.create_app(settings, database, verifier, around, self._drain, running)
            await serve(
                app,
                bind=f"127.0.0.1:{self.port}",
                drain=self._drain,
                drain_s=1,
                notice_s=0,
                finish=running.finish_or_stop,
                on_started=lambda _: started.set(),
            )


class House:
    """Two gateways that are one to the world, and a tool server for whose knowledge of their keys time is made to pass.

    The tool server fetches the keys from the first gateway, whichever of the two has signed.
    """

    def __init__(self, folder: Path, mcp_port: int, gateway_ports: Sequence[int]) -> None:
        self.file = folder / "keys.json"
        self.gateways = tuple(map(Replica, gateway_ports))
        self.gateway_url = self.gateways[0].url
        self.passed_s = 0.0
        self._folder = folder
        self._mcp = Served(mcp_port)
        self._mcp_url = f"http://127.0.0.1:{mcp_port}/mcp"
        self._issuer = Signer(ISSUER, [SigningKey.generate()])
        self._people = IssuerProfile(issuer=ISSUER, jwks=self._issuer.jwks)
        self._verifier: Verifier | None = None

    @property
    def now(self) -> datetime:
        """The time of whoever changes the file."""
        return START + timedelta(seconds=self.passed_s)

    async def start_mcp(self) -> None:
        """Start the tool server, which knows no key of the gateways yet."""
        http = await self._mcp.stack.enter_async_context(web())
        database = Database(self._database_url("mcp").get_secret_value())
        self._mcp.stack.push_async_callback(database.close)
        gateways = IssuerProfile(
            issuer=self.gateway_url,
            audience=self._mcp_url,
            jwks_uri=f"{self.gateway_url}/.well-known/jwks.json",
            delegates_for=frozenset({ISSUER}),
            max_lifetime_s=120,
        )
        settings = McpSettings(
            env="dev",
            mcp_url=self._mcp_url,
            gateway_url=self.gateway_url,
            database_url=self._database_url("mcp"),
            issuers=(self._people, gateways),
            state_keys=(SecretStr(STATE_KEY),),
        )
        people = self._people.model_copy(update={"audience": self._mcp_url})
        self._verifier = Verifier(
            {
                ISSUER: (people, FixedKeys(self._issuer.jwks)),
                self.gateway_url: (gateways, FetchedKeys(gateways.jwks_uri, http, now=lambda: self.passed_s)),
            }
        )
        await self._mcp.start(mcp_server.app.create_app(settings, database, self._verifier, self._mcp.drain))

    async def restart(self, replica: Replica, keys: Keys = ()) -> None:
        """Start a gateway, again or for the first time, with these keys or else with those of the file."""
        await replica.stop()
        settings = GatewaySettings(
            env="dev",
            mcp_url=self._mcp_url,
            gateway_url=self.gateway_url,
            database_url=self._database_url("gateway"),
            issuers=(self._people,),
            signing_keys=tuple(keys or read(self.file)),
            hosts=(urlsplit(replica.url).netloc,),
        )
        await replica.start(settings)

    async def stop(self) -> None:
        """End everything."""
        for replica in self.gateways:
            await replica.stop()
        await self._mcp.stop()

    async def works(self) -> bool:
        """Whether ada's tools work through either gateway."""
        token = self._issuer.issue("ada", self.gateway_url, SCOPES, lifetime_s=600, client_id="a client of the tests")
        answers = []
        for replica in self.gateways:
            async with chat(replica.url, token) as ada:
                answers.append(await ada.say("add water the plants"))
        return all("water the plants" in said.text.lower() and not said.of("error") for said in answers)

    async def believes(self, key: SigningKey) -> bool:
        """Whether the tool server accepts a call that this key has signed just now."""
        assert self._verifier is not None
        ada = restored(ISSUER, "ada", SCOPES, 2**40, "a client of the tests")
        call = Signer(self.gateway_url, [key]).delegate(ada, self._mcp_url, ["tasks:read"])
        try:
            await self._verifier.verify(call)
        except Refused:
            return False
        return True

    def _database_url(self, name: str) -> SecretStr:
        return SecretStr(f"sqlite:///{self._folder}/{name}.db")


@pytest.fixture
async def house(tmp_path: Path, anyio_backend: str) -> AsyncGenerator[House]:  # noqa: ARG001 (its loop)
    for schema in (GATEWAY, MCP):
        await upgrade(schema, f"sqlite:///{tmp_path}/{schema.service}.db")
    with ExitStack() as ports:
        mcp_port, *gateway_ports = [ports.enter_context(reserved_port()) for _ in range(3)]
        found = House(tmp_path, mcp_port, gateway_ports)
        await found.start_mcp()
        yield found
        await found.stop()


def kept(*keys: SigningKey) -> Keys:
    return [SecretStr(key.pem) for key in keys]


async def test_gateways_on_both_sides_of_a_promotion_are_believed(house: House) -> None:
    old, new = SigningKey.generate(), SigningKey.generate()
    one, other = house.gateways
    await house.restart(one, kept(old, new))
    await house.restart(other, kept(new, old))
    assert await house.works()


@pytest.mark.parametrize("first", [0, 1])
async def test_nobody_notices_that_the_keys_are_replaced(first: int, house: House) -> None:
    gateways = (house.gateways[first], house.gateways[1 - first])

    async def roll() -> None:
        """Restart one after the other; in between they have different lists."""
        for replica in gateways:
            await house.restart(replica)
            assert await house.works()

    [old] = change(house.file, add, house.now, create=True)
    for replica in gateways:
        await house.restart(replica)
    assert await house.works()

    # The last moment at which the tool server may have fetched the old list, and with it the longest wait.
    house.passed_s += FRESH_S + 1
    assert await house.works()
    *_, new = change(house.file, add, house.now, create=True)
    await roll()

    house.passed_s += PUBLISHED_S - 1
    with pytest.raises(Problem):
        change(house.file, promote, house.now)
    house.passed_s += 1
    change(house.file, promote, house.now)
    await roll()

    house.passed_s += RETIRED_S - 1
    with pytest.raises(Problem):
        change(house.file, drop, house.now)
    assert await house.believes(SigningKey.from_pem(old.pem.get_secret_value()))
    house.passed_s += 1
    change(house.file, drop, house.now)
    await roll()

    assert [key.kid for key in read(house.file)] == [new.kid]
    house.passed_s += FRESH_S + 1
    assert await house.works()
    assert not await house.believes(SigningKey.from_pem(old.pem.get_secret_value()))
