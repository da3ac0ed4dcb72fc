"""A database for conversations, on either engine."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator

import pytest
from sqlalchemy import text

from gateway.migrations import SCHEMA
from gateway.store import Feedback, Leases, ThreadStore, Waiting
from gateway.tables import chat_attachments, chat_feedback, chat_items, chat_pending, chat_threads, chat_turns
from shared.db import Database
from shared.engines import migration_engine
from shared.migrate import upgrade
from tests.engines import PostgresDatabase, PostgresServer
from tests.gateway.store.conversations import ADA


@pytest.fixture(scope="session", params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def conversations(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Generator[PostgresDatabase]:
    """One database for all tests here: making one takes longer than any of them."""
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path_factory.mktemp('store')}/gateway.db"
        asyncio.run(upgrade(SCHEMA, url))
        yield PostgresDatabase(owner_url=url, app_url=url)
        return
    server: PostgresServer = request.getfixturevalue("postgres_server")
    created = server.create_database("conversation_store")
    asyncio.run(upgrade(SCHEMA, created.owner_url))
    yield created
    server.drop_database("conversation_store")


@pytest.fixture
def conversations_url(conversations: PostgresDatabase) -> str:
    """Its address, for the role that serves."""
    return conversations.app_url


@pytest.fixture
def analyze(conversations: PostgresDatabase) -> Callable[[], Awaitable[None]]:
    """Lets the database look at its rows, as one in service does by itself after a while."""

    async def look() -> None:
        engine = migration_engine(conversations.owner_url)
        async with engine.begin() as connection:
            await connection.execute(text("ANALYZE"))
        await engine.dispose()

    return look


@pytest.fixture
async def database(conversations_url: str) -> AsyncGenerator[Database]:
    opened = Database(conversations_url, pool_size=3)
    yield opened
    async with opened.begin(ADA.caller, write=True) as tx:
        for table in (chat_threads, chat_items, chat_feedback, chat_attachments, chat_turns, chat_pending):
            await tx.execute(table.delete())
    await opened.close()


@pytest.fixture
def store(database: Database) -> ThreadStore:
    return ThreadStore(database)


@pytest.fixture
def leases(database: Database) -> Leases:
    return Leases(database)


@pytest.fixture
def waiting(database: Database) -> Waiting:
    return Waiting(database)


@pytest.fixture
def feedback(database: Database) -> Feedback:
    return Feedback(database)
