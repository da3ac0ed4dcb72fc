"""The revisions of each service build the tables it declares, and take them away again."""

from typing import Final

import pytest
from sqlalchemy import MetaData

import gateway.tables
import mcp_server.tasks.tables
from gateway.migrations import SCHEMA as GATEWAY
from mcp_server.migrations import SCHEMA as MCP
from shared.engines import migration_engine
from shared.migrate import Schema, downgrade, upgrade
from tests.engines import catalog

TABLES: Final = pytest.mark.parametrize(
    ("schema", "metadata"),
    [
        pytest.param(MCP, mcp_server.tasks.tables.metadata, id="mcp"),
        pytest.param(GATEWAY, gateway.tables.metadata, id="gateway"),
    ],
)


@TABLES
@pytest.mark.anyio
async def test_the_revisions_build_exactly_the_declared_tables(
    schema: Schema, metadata: MetaData, database_url: str
) -> None:
    engine = migration_engine(database_url)
    async with engine.begin() as connection:
        await connection.run_sync(metadata.create_all)
    declared = await catalog(database_url)
    async with engine.begin() as connection:
        await connection.run_sync(metadata.drop_all)
    await engine.dispose()

    await upgrade(schema, database_url)

    built = await catalog(database_url)
    assert built.pop(schema.version_table)
    assert set(built) == set(metadata.tables)
    for table in metadata.tables:
        assert built[table] == declared[table]


@pytest.mark.parametrize("schema", [MCP, GATEWAY], ids=["mcp", "gateway"])
@pytest.mark.anyio
async def test_going_down_leaves_nothing_and_up_again_builds_the_same(schema: Schema, database_url: str) -> None:
    await upgrade(schema, database_url)
    first = await catalog(database_url)

    assert await downgrade(schema, database_url, "base") == (schema.head, None)
    assert await catalog(database_url) == {}

    assert await upgrade(schema, database_url) == (None, schema.head)
    assert await catalog(database_url) == first
