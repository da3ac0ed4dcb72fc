"""What every test may ask for. Tests talk to real servers, clients and databases; only the model is ours."""

import shutil
from collections.abc import AsyncGenerator, Generator, Iterator
from contextlib import AsyncExitStack, ExitStack, contextmanager
from itertools import count
from pathlib import Path
from typing import Final

import pytest

from gateway.migrations import SCHEMA as GATEWAY_SCHEMA
from mcp_server.migrations import SCHEMA as MCP_SCHEMA
from shared.migrate import upgrade
from tests.engines import EngineMissing, PostgresDatabase, PostgresServer, postgres_cluster
from tests.javascript import Node, install_node
from tests.living import Databases, Living

BROWSER_INSTALL: Final = "apt-get install --no-install-recommends chromium"

_numbers: Final = count(1)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--require-all", action="store_true", help="a test whose engine is missing fails instead of being skipped"
    )
    parser.addoption("--update-snapshots", action="store_true", help="write what the tests compare with, then read it")


def missing(request: pytest.FixtureRequest, install: str) -> None:
    """Skip a test whose engine this machine lacks, or fail it where all engines are required."""
    if request.config.getoption("--require-all"):
        pytest.fail(f"missing: {install}")
    pytest.skip(f"install it with: {install}")


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """Async tests run on asyncio, the loop both services run on."""
    return "asyncio"


@pytest.fixture(scope="session")
def postgres_server(request: pytest.FixtureRequest) -> Iterator[PostgresServer]:
    """A PostgreSQL cluster of our own, started once for the whole run."""
    with ExitStack() as stack:
        try:
            server = stack.enter_context(postgres_cluster())
        except EngineMissing as error:
            missing(request, str(error))
            raise
        yield server


@pytest.fixture
def postgres_database(postgres_server: PostgresServer) -> Generator[PostgresDatabase]:
    """An empty database on it, for one test."""
    name = f"taskgate_{next(_numbers)}"
    yield postgres_server.create_database(name)
    postgres_server.drop_database(name)


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty database on either engine, as its owner reaches it."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/data.db"
    database: PostgresDatabase = request.getfixturevalue("postgres_database")
    return database.owner_url


@pytest.fixture(scope="session", params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
async def house(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    anyio_backend: str,  # noqa: ARG001
) -> AsyncGenerator[Living]:
    """Both services on one engine, kept running for all tests that do them no harm."""
    async with AsyncExitStack() as stack:
        databases = stack.enter_context(engine(request, tmp_path_factory.mktemp("house")))
        await migrate(databases)
        yield await stack.enter_async_context(Living(databases))


@pytest.fixture
def living(house: Living) -> Living:
    """Both services, really listening; ada and bob are new people in each test."""
    house.begin_test(next(_numbers))
    return house


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
async def databases(request: pytest.FixtureRequest, tmp_path: Path, anyio_backend: str) -> AsyncGenerator[Databases]:  # noqa: ARG001
    """Databases of this test alone, with the schema of both services, for tests that stop, break or count things."""
    with engine(request, tmp_path) as found:
        await migrate(found)
        yield found


@contextmanager
def engine(request: pytest.FixtureRequest, folder: Path) -> Generator[Databases]:
    """Empty databases on the engine the fixture was asked for."""
    if request.param == "sqlite":
        yield Databases(mcp=f"sqlite:///{folder}/mcp.db", gateway=f"sqlite:///{folder}/gateway.db")
        return
    server: PostgresServer = request.getfixturevalue("postgres_server")
    name = f"taskgate_{next(_numbers)}"
    found = server.create_database(name)
    try:
        yield Databases(found.app_url, found.app_url, mcp_owner=found.owner_url, gateway_owner=found.owner_url)
    finally:
        server.drop_database(name)


async def migrate(databases: Databases) -> None:
    """Create the schema of both services."""
    await upgrade(MCP_SCHEMA, databases.mcp_owner or databases.mcp)
    await upgrade(GATEWAY_SCHEMA, databases.gateway_owner or databases.gateway)


@pytest.fixture(scope="session")
def chromium(request: pytest.FixtureRequest) -> str:
    """The path of the system's browser."""
    found = shutil.which("chromium")
    if found is None:
        missing(request, BROWSER_INSTALL)
    assert found is not None
    return found


@pytest.fixture(scope="session")
def node(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Node:
    """Node.js, with the programs of the tests and their packages."""
    try:
        return install_node(tmp_path_factory.mktemp("node"))
    except EngineMissing as error:
        missing(request, str(error))
        raise
