"""A room for attachments on either engine, with its files in a directory of the test."""

import asyncio
from collections.abc import AsyncGenerator, Generator
from pathlib import Path

import pytest

from gateway.attachments import Attachments, Proofs
from gateway.attachments.disk import Disk
from gateway.migrations import SCHEMA
from gateway.tables import chat_attachments, chat_threads
from shared.db import Database
from shared.migrate import upgrade
from shared.tokens import service
from tests.engines import PostgresServer
from tests.gateway.attachments.files import KEYS, ORIGIN, Clock, Gated


@pytest.fixture(scope="session", params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def attachments_url(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Generator[str]:
    """One database for all tests here: making one takes longer than any of them."""
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path_factory.mktemp('attachments')}/gateway.db"
        asyncio.run(upgrade(SCHEMA, url))
        yield url
        return
    server: PostgresServer = request.getfixturevalue("postgres_server")
    created = server.create_database("attachments")
    asyncio.run(upgrade(SCHEMA, created.owner_url))
    yield created.app_url
    server.drop_database("attachments")


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def database(attachments_url: str, clock: Clock) -> AsyncGenerator[Database]:
    opened = Database(attachments_url, pool_size=3, now=clock)
    yield opened
    async with opened.begin(service("gateway"), write=True) as tx:
        await tx.execute(chat_attachments.delete())
        await tx.execute(chat_threads.delete())
    await opened.close()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where the bytes are."""
    return tmp_path / "attachments"


@pytest.fixture
def disk(folder: Path) -> Disk:
    return Disk(folder)


@pytest.fixture
def proofs(clock: Clock) -> Proofs:
    return Proofs(KEYS, ORIGIN, clock)


@pytest.fixture
def attachments(database: Database, disk: Disk, proofs: Proofs) -> Attachments:
    return Attachments(database, disk, proofs)


@pytest.fixture
def gated(disk: Disk) -> Gated:
    return Gated(disk)


@pytest.fixture
def slowly(database: Database, gated: Gated, proofs: Proofs) -> Attachments:
    return Attachments(database, gated, proofs)
