"""A database of each test alone, on either engine."""

from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from gateway.migrations import SCHEMA
from shared.db import Database
from shared.migrate import upgrade
from tests.conftest import engine
from tests.gateway.people.place import NOW, Place


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
async def place(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncGenerator[Place]:
    with engine(request, tmp_path) as found:
        await upgrade(SCHEMA, found.gateway_owner or found.gateway)
        database = Database(found.gateway, pool_size=3, now=lambda: NOW)
        yield Place(database, found.gateway)
        await database.close()
