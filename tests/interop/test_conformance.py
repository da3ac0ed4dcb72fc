"""The official conformance suite against the product: its server, its client and its issuer.

The lists beside this file name every check that may fail, and why. A check that fails without standing there fails the
test, and so does one that stands there and passes.
"""

import asyncio
import shlex
import socket
import sys
from contextlib import suppress
from pathlib import Path
from typing import Final

import httpx2
import pytest

from mcp_server.offered import Offer
from tests.conftest import migrate
from tests.interop.components import complete, plain_tools, prompts, resources, templates
from tests.interop.proxy import signed_in
from tests.interop.questions import asking_prompt, asking_tools
from tests.interop.suite import PROGRAM, Findings, recorded, run_suite
from tests.issuer import approve, dev_issuer
from tests.javascript import PATIENCE_S, Node
from tests.living import MODERN, Databases, Living
from tests.web import web

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.node,
    pytest.mark.interop,
    # The suite wants to see log messages, which the newer era has no longer.
    pytest.mark.filterwarnings("ignore:The logging capability is deprecated"),
]

ERAS: Final = (MODERN, "2025-11-25")
LISTS: Final = Path(__file__).parent / "expected"
ROOT: Final = Path(__file__).parents[2]

# What a server that is not there passes is far below this.
MANY: Final = {MODERN: 90, "2025-11-25": 30}

FOR_THE_CONNECTION: Final = (
    "tools_call",
    "request-metadata",
    "http-standard-headers",
    "http-custom-headers",
    "http-invalid-tool-headers",
    "json-schema-ref-no-deref",
    "json-schema-2020-12-preservation",
)
NOT_FOR_THE_CONNECTION: Final = {
    "auth/": "it makes its own tokens, and asks no issuer for any",
    "sep-2322-client-request-state": "it cannot be asked anything: the chat asks before it calls",
}


def all_components() -> Offer:
    """Everything that the suite looks for."""
    return Offer([*plain_tools(), *asking_tools()], resources(), templates(), [*prompts(), asking_prompt()], complete)


async def judged(folder: Path, node: Node, era: str, name: str, offer: Offer | None) -> Findings:
    """What the suite finds at a server with this offer."""
    databases = Databases(mcp=f"sqlite:///{folder}/mcp.db", gateway=f"sqlite:///{folder}/gateway.db")
    await migrate(databases)
    async with (
        Living(databases, offer=offer) as living,
        signed_in(living.mcp_url, lambda: living.token("ada")) as url,
    ):
        what = ("server", "--url", url, "--suite", "all", "--spec-version", era)
        return await run_suite(node, folder / "records", *what, expected=LISTS / f"{name}-{era}.yml")


@pytest.mark.parametrize("era", ERAS)
async def test_the_product_does_all_that_the_suite_can_ask_of_it(tmp_path: Path, node: Node, era: str) -> None:
    found = await judged(tmp_path, node, era, "product", None)
    assert found.surprises == []
    assert found.passed > MANY[era]


@pytest.mark.parametrize("era", ERAS)
async def test_with_the_components_of_the_suite_the_product_conforms(tmp_path: Path, node: Node, era: str) -> None:
    found = await judged(tmp_path, node, era, "components", all_components())
    assert found.surprises == []
    assert found.passed > MANY[era]


@pytest.mark.parametrize("scenario", FOR_THE_CONNECTION)
async def test_the_connection_of_the_gateway_is_a_client_as_the_suite_wants_it(
    tmp_path: Path, node: Node, scenario: str
) -> None:
    driver = f"PYTHONPATH={shlex.quote(str(ROOT))} {shlex.quote(sys.executable)} -m tests.interop.driver"
    what = ("client", "--command", driver, "--scenario", scenario, "--spec-version", MODERN)
    found = await run_suite(node, tmp_path / "records", *what, expected=LISTS / "connection.yml")
    assert found.surprises == []
    assert found.passed > 0


async def test_every_scenario_for_clients_is_tried_or_does_not_apply(node: Node) -> None:
    listed = await node.ended(PROGRAM, "list", "--client", "--spec-version", MODERN)
    found = [line.split()[1] for line in listed.output.splitlines() if line.startswith("  - ")]
    assert set(found) >= set(FOR_THE_CONNECTION)
    assert [
        name for name in found if name not in FOR_THE_CONNECTION and not name.startswith(tuple(NOT_FOR_THE_CONNECTION))
    ] == []


async def test_the_development_issuer_is_one_as_the_suite_wants_it(tmp_path: Path, node: Node) -> None:
    tools = "http://127.0.0.1:1/mcp"
    async with dev_issuer([tools]) as issuer, web() as http:
        port = free_port()
        redirect = f"http://127.0.0.1:{port}/callback"
        registered = await http.post(
            f"{issuer.url}/register",
            json={"redirect_uris": [redirect], "token_endpoint_auth_method": "none", "client_name": "the suite"},
        )
        client_id = registered.json()["client_id"]
        what = ("authorization", "--url", issuer.url, "--client-id", client_id, "--resource", tools, "-p", str(port))
        async with node.running(PROGRAM, *what, "-o", str(tmp_path / "records")) as suite, asyncio.timeout(PATIENCE_S):
            assert suite.process.stdout is not None
            async for line in suite.process.stdout:
                if line.startswith(issuer.url.encode()):
                    assert (await arrived(http, await approve(line.decode().strip()))).status_code == 200
    assert {name.partition(":")[2]: status for name, status, _ in recorded(tmp_path / "records")} == {
        "authorization-server-metadata": "SUCCESS",
        "authorization-code-grant": "SUCCESS",
        # It fetches nothing from the addresses of clients; they register.
        "authorization-server-metadata-cimd": "WARNING",
    }


async def arrived(http: httpx2.AsyncClient, address: str) -> httpx2.Response:
    """The page that a person is sent back to; the suite names it before it listens there."""
    while True:
        with suppress(httpx2.ConnectError):
            return await http.get(address)
        await asyncio.sleep(0.05)


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
