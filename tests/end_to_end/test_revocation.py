"""What an operator withdraws is refused by the running services within seconds, and by those that start afterwards."""

import asyncio
import time
from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest

from shared.revocations import PAUSE_S
from shared.tokens import SCOPES, Signer
from tests.end_to_end.processes import Deployment, deployment, taskgate
from tests.engines import PostgresDatabase
from tests.web import web

HELLO: Final = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "initialize",
    "params": {
        "protocolVersion": "2025-06-18",
        "capabilities": {},
        "clientInfo": {"name": "a client of the tests", "version": "1"},
    },
}
ACCEPT: Final = {"Accept": "application/json, text/event-stream"}
# Generous, because the machine may be busy; the promise is one pause.
LIMIT_S: Final = PAUSE_S + 15


@dataclass(frozen=True, slots=True)
class Visitor:
    """Somebody with a credential who knocks at both doors."""

    services: Deployment
    headers: Mapping[str, str]

    async def knock(self) -> dict[str, int]:
        """The status that each service answers with."""
        async with web(headers=self.headers, timeout=30) as http:
            gateway = await http.get(f"{self.services.gateway_url}/auth/me")
            mcp = await http.post(self.services.mcp_url, json=HELLO, headers=ACCEPT)
        return {"gateway": gateway.status_code, "mcp": mcp.status_code}

    async def is_let_in(self) -> bool:
        """Whether both know who this is."""
        return set((await self.knock()).values()) == {200}

    async def is_turned_away(self) -> bool:
        """Whether neither does."""
        return set((await self.knock()).values()) == {401}


@dataclass(frozen=True, slots=True)
class Operator:
    """Both services on one engine, and somebody who runs commands with their settings."""

    services: Deployment
    folder: Path

    def visitor(self, subject: str, *, ahead_s: int = 0, **more: Any) -> Visitor:
        """Somebody with a token for both services; made a little later than now, if wished."""
        services = self.services
        signer = Signer(services._issuer.issuer, services._issuer._keys, now=lambda: time.time() + ahead_s)
        audiences = [services.gateway_url, services.mcp_url]
        token = signer.issue(subject, audiences, SCOPES, lifetime_s=600, client_id="a client of the tests", **more)
        return Visitor(services, {"Authorization": f"Bearer {token}"})

    async def browser(self, visitor: Visitor) -> Visitor:
        """The same person, whose browser got a cookie for the token."""
        async with web(headers=visitor.headers) as http:
            response = await http.post(f"{self.services.gateway_url}/auth/session")
        assert response.status_code == 204, response.text
        return Visitor(self.services, {"Cookie": response.headers["set-cookie"].partition(";")[0]})

    async def run(self, *arguments: str) -> None:
        """A command that has to succeed at both services."""
        settings = self.services.gateway.settings | self.services.mcp.settings
        done = await asyncio.to_thread(taskgate, *arguments, cwd=self.folder, settings=settings)
        assert done.returncode == 0, done.stderr
        assert done.stderr == ""

    async def restart(self) -> None:
        """Both anew."""
        await asyncio.gather(self.services.mcp.stop(), self.services.gateway.stop())
        await self.services.start()


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
async def operator(request: pytest.FixtureRequest, tmp_path: Path, anyio_backend: str) -> AsyncGenerator[Operator]:  # noqa: ARG001 (its loop)
    async with deployment(tmp_path) as services:
        if request.param == "postgres":
            # Both in one database, as the role that serves.
            database: PostgresDatabase = request.getfixturevalue("postgres_database")
            for name, one in (("MCP", services.mcp), ("GATEWAY", services.gateway)):
                one.settings[f"TASKGATE_{name}_DATABASE_URL"] = database.app_url
                one.settings[f"TASKGATE_{name}_DATABASE_DIRECT_URL"] = database.owner_url
        found = Operator(services, tmp_path)
        await found.run("db", "upgrade")
        await services.start()
        yield found


async def until_turned_away(visitor: Visitor) -> None:
    async with asyncio.timeout(LIMIT_S):
        turned_away = await visitor.is_turned_away()
        while not turned_away:
            await asyncio.sleep(0.2)
            turned_away = await visitor.is_turned_away()


@pytest.mark.anyio
async def test_what_is_withdrawn_is_refused_by_both_services_within_seconds_and_after_a_restart(
    operator: Operator,
) -> None:
    lost, kept = operator.visitor("ada"), operator.visitor("ada")
    evening = operator.visitor("ada", session_id="evening")
    bob = operator.visitor("bob")
    everybody = (lost, kept, evening, bob)
    browsers = [await operator.browser(visitor) for visitor in everybody]
    assert all([await visitor.is_let_in() for visitor in everybody])
    assert [(await browser.knock())["gateway"] for browser in browsers] == [200, 200, 200, 200]

    token = lost.headers["Authorization"].removeprefix("Bearer ")
    await asyncio.gather(
        operator.run("token", "revoke", token),
        operator.run("token", "revoke", "--session", "evening"),
        operator.run("user", "revoke", "--subject", "bob"),
    )
    for visitor in (lost, evening, bob):
        await until_turned_away(visitor)
    await check(operator, everybody, browsers)

    await operator.restart()
    await check(operator, everybody, browsers)


async def check(operator: Operator, everybody: Sequence[Visitor], browsers: Sequence[Visitor]) -> None:
    """Who lost something is turned away at once, with the cookie too; nobody else is, and anybody may come back."""
    lost, kept, evening, bob = everybody
    assert await kept.is_let_in()
    assert all([await visitor.is_turned_away() for visitor in (lost, evening, bob)])
    assert [(await browser.knock())["gateway"] for browser in browsers] == [401, 200, 401, 401]
    assert await operator.visitor("bob", ahead_s=5).is_let_in()
    assert await operator.visitor("ada", session_id="morning").is_let_in()
