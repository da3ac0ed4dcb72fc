"""The revisions of the gateway build the tables it declares, and the role that serves may use them."""

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from gateway.migrations import SCHEMA
from gateway.tables import chat_turns, metadata
from shared.db import Database
from shared.migrate import upgrade
from shared.tokens import Caller
from tests.engines import PostgresDatabase, catalog

ADA = Caller("ada", "https://issuer.example", frozenset({"tasks:write"}), 0, "a client")


def test_the_owner_leads_every_key_and_index_of_a_conversation() -> None:
    for table in metadata.sorted_tables:
        if table.name.startswith("chat_"):
            assert table.primary_key.columns.keys()[0] == "owner"
            assert {index.columns.keys()[0] for index in table.indexes} <= {"owner"}


@pytest.mark.postgres
@pytest.mark.anyio
async def test_text_in_keys_is_ordered_by_its_bytes(postgres_database: PostgresDatabase) -> None:
    await upgrade(SCHEMA, postgres_database.owner_url)
    found = await catalog(postgres_database.owner_url)
    found.pop(SCHEMA.version_table)

    for parts in found.values():
        kinds = {name: kind for name, kind, _, _ in parts["columns"]}
        assert {kinds[column] for column in parts["key"]["constrained_columns"]} == {"TEXT(collation='C')"}


@pytest.mark.postgres
@pytest.mark.anyio
async def test_the_role_that_serves_reads_and_writes_rows_and_owns_nothing(postgres_database: PostgresDatabase) -> None:
    await upgrade(SCHEMA, postgres_database.owner_url)
    lease = {"owner": ADA.key, "thread_id": "thr_1", "run_id": "run_1", "started_us": 1, "expires_us": 2}
    database = Database(postgres_database.app_url, pool_size=1)
    try:
        assert await database.schema_version(SCHEMA.version_table) == SCHEMA.head
        async with database.begin(ADA, write=True) as tx:
            await tx.execute(chat_turns.insert(), lease)
            await tx.execute(chat_turns.update().values(stop=1))
            assert (await tx.execute(chat_turns.delete())).rowcount == 1
        for statement in ("DROP TABLE chat_turns", "TRUNCATE chat_items", "DELETE FROM alembic_version_gateway"):
            with pytest.raises(DBAPIError) as refused:
                async with database.begin(ADA, write=True) as tx:
                    await tx.execute(text(statement))
            assert getattr(refused.value.orig, "sqlstate", None) == "42501"
    finally:
        await database.close()
