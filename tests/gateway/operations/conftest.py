"""A house whose model does what it is told and whose tools also ask, kept for all tests that do it no harm."""

from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack
from itertools import count
from typing import Final

import pytest

from tests.asking_server import AskingServer
from tests.conftest import engine, migrate
from tests.gateway.operations.behind import Behind, behind
from tests.living import Living
from tests.models import ObedientModel

_numbers: Final = count(2_000_000)


@pytest.fixture(scope="module", params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
async def open_house(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    anyio_backend: str,  # noqa: ARG001
) -> AsyncGenerator[Living]:
    """Both services for all tests of a file."""
    async with AsyncExitStack() as stack:
        databases = stack.enter_context(engine(request, tmp_path_factory.mktemp("operations")))
        await migrate(databases)
        limits = "turns=100000 tokens=1000000000"
        living = Living(databases, model=ObedientModel(), offer=AskingServer().offer(), chat_limits=limits)
        yield await stack.enter_async_context(living)


@pytest.fixture
def place(open_house: Living) -> Living:
    """That house; ada and bob are new people in each test."""
    open_house.begin_test(next(_numbers))
    return open_house


@pytest.fixture
async def inside(place: Living) -> AsyncGenerator[Behind]:
    """A look behind it."""
    async with behind(place) as found:
        yield found


@pytest.fixture
def model(place: Living) -> ObedientModel:
    """Its model, which has not been asked anything yet."""
    assert isinstance(place.model, ObedientModel)
    for heard in (place.model.inputs, place.model.instructions, place.model.tools):
        heard.clear()
    return place.model
