"""The provider that the tests of models talk to."""

from collections.abc import AsyncGenerator

import pytest

from tests.end_to_end.processes import reserved_port
from tests.faults.model_server import FaultyModelServer


@pytest.fixture(scope="session")
async def only_server(anyio_backend: str) -> AsyncGenerator[FaultyModelServer]:  # noqa: ARG001
    with reserved_port() as port:
        server = FaultyModelServer(port)
        await server.start()
        yield server
        server.go_on.set()
        await server.stop()


@pytest.fixture
def server(only_server: FaultyModelServer) -> FaultyModelServer:
    """The server as it is in every test: in good order, with nothing received."""
    only_server.forget()
    return only_server
