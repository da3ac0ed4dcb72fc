"""Settings that cannot work: the service that was started with them says in one sentence what to set, and ends."""

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tests.end_to_end.processes import Service, deployment, ended, reserved_port
from tests.living import SESSION_KEY, Served

pytestmark = pytest.mark.anyio

UNREACHABLE: Final = 4
METADATA: Final = "/.well-known/openid-configuration"


async def says_when_started(folder: Path, service: Service, program: str, **settings: str) -> str:
    """What a service says instead of starting."""
    done = await asyncio.to_thread(ended, program, cwd=folder, settings={**service.settings, **settings})
    assert done.returncode == UNREACHABLE
    assert done.stdout == ""
    told = [line for line in done.stderr.splitlines() if not line.startswith("{")]
    assert len(told) == 2, done.stderr
    assert told[1].startswith("  Fix: ")
    return told[0]


@asynccontextmanager
async def issuer(**about: object) -> AsyncGenerator[str]:
    """The address of an issuer that says this about itself; it is somebody else's service, so it may be played."""
    with reserved_port() as port:
        url = f"http://127.0.0.1:{port}"

        async def describe(_: Request) -> Response:
            return JSONResponse({"issuer": url, "jwks_uri": f"{url}/jwks", **about})

        served = Served(port)
        await served.start(Starlette(routes=[Route(METADATA, describe)]))
        try:
            yield url
        finally:
            await served.stop()


@pytest.mark.parametrize("name", ["mcp", "gateway"])
async def test_an_issuer_that_calls_itself_something_else_stops_the_start(tmp_path: Path, name: str) -> None:
    async with issuer(issuer="https://login.example.test") as url, deployment(tmp_path) as found:
        await found.upgrade()
        service = {"mcp": found.mcp, "gateway": found.gateway}[name]
        issuers = {f"TASKGATE_{name.upper()}_ISSUERS": json.dumps([{"issuer": url}])}
        said = await says_when_started(tmp_path, service, f"taskgate-{name}", **issuers)
    assert said == f"taskgate: the issuer {url} calls itself 'https://login.example.test'."


async def test_an_issuer_where_browsers_cannot_sign_in_stops_the_gateway(tmp_path: Path) -> None:
    async with issuer(code_challenge_methods_supported=["plain"]) as url, deployment(tmp_path) as found:
        await found.upgrade()
        said = await says_when_started(
            tmp_path,
            found.gateway,
            "taskgate-gateway",
            TASKGATE_GATEWAY_ISSUERS=json.dumps([{"issuer": url}]),
            TASKGATE_GATEWAY_OIDC_CLIENT_ID="the gateway",
            TASKGATE_GATEWAY_SESSION_KEYS=SESSION_KEY,
        )
    assert said == f"taskgate: the issuer {url} does not offer PKCE with S256."
