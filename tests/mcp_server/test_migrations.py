"""The revisions of the tool server build the tables it declares; on PostgreSQL they fence each person in."""

import datetime
from collections.abc import AsyncGenerator, Iterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import pytest
from sqlalchemy import Table, func, insert, select, text
from sqlalchemy.exc import DBAPIError

from mcp_server.migrations import SCHEMA
from mcp_server.tasks.spaces import row_policies
from mcp_server.tasks.tables import changes, limits, metadata, reminders, revocations, tasks
from shared.db import Database, Tx
from shared.migrate import downgrade, upgrade
from shared.revocations import revoke
from shared.tokens import Caller, Revocation, restored, service
from tests.engines import PostgresDatabase, catalog

NOT_ALLOWED = "42501"
SPACES = {"ada": "uaaaa", "bob": "ubbbb"}
# All but those that belong to the service.
OF_PEOPLE = [table for table in metadata.sorted_tables if table not in (revocations, limits)]
SWEPT = {
    "spaces",
    "members",
    "memberships",
    "lists",
    "tasks",
    "comments",
    "reminders",
    "ops",
    "changes",
    "requests",
}

TEARING_DOWN = (
    "ALTER TABLE tasks DISABLE ROW LEVEL SECURITY",
    "ALTER TABLE tasks NO FORCE ROW LEVEL SECURITY",
    "ALTER TABLE tasks ADD COLUMN mine text",
    "ALTER FUNCTION visible_spaces() RENAME TO nothing_to_see",
    "DROP POLICY own ON tasks",
    "DROP TABLE tasks",
    "TRUNCATE tasks CASCADE",
    "CREATE TABLE mine (id int)",
    "SET ROLE taskgate_owner",
    "UPDATE alembic_version_mcp SET version_num = '0000'",
)


def caller(name: str) -> Caller:
    return Caller(name, "https://issuer.example", frozenset({"tasks:write"}), 0, "a client")


def fence(who: Caller) -> Mapping[str, str]:
    """The settings of a request; somebody without a space is somebody whose code forgot to say who it is for."""
    if who.subject == "the sweeper":
        return {"taskgate.sweep": "on"}
    return {"taskgate.spaces": SPACES[who.subject], "taskgate.user": who.key} if who.subject in SPACES else {}


def row(table: Table, name: str, *, no: int = 1) -> dict[str, Any]:
    """A row of this person in which everything required is filled in; all that has a number has the same."""
    values: dict[str, Any] = {}
    for column in table.columns:
        kind = column.type.python_type
        if column.name == "space_id" or (table.name == "spaces" and column.name == "id"):
            values[column.name] = SPACES[name]
        elif column.name == "user_key":
            values[column.name] = caller(name).key
        elif column.nullable or (column.server_default is not None and not column.primary_key):
            continue
        elif kind is int:
            values[column.name] = no
        elif kind is datetime.date:
            values[column.name] = datetime.date(2026, 7, 1)
        else:
            values[column.name] = {} if kind is dict else f"{name} {no}"
    return values


@asynccontextmanager
async def opened(url: str) -> AsyncGenerator[Database]:
    database = Database(url, pool_size=1, scope=fence)
    try:
        yield database
    finally:
        await database.close()


async def counts(database: Database, who: str) -> dict[str, int]:
    """How many rows this person sees in each table."""
    async with database.begin(caller(who)) as tx:
        return {
            table.name: (await tx.execute(select(func.count()).select_from(table))).scalar_one() for table in OF_PEOPLE
        }


async def refusal(database: Database, who: str, statement: Any) -> str | None:
    """The SQLSTATE with which this statement is refused; None when it runs."""
    try:
        async with database.begin(caller(who), write=True) as tx:
            await tx.execute(text(statement) if isinstance(statement, str) else statement)
    except DBAPIError as error:
        state: str | None = getattr(error.orig, "sqlstate", None)
        return state
    return None


@pytest.fixture
async def peopled(postgres_database: PostgresDatabase) -> PostgresDatabase:
    """Ada and bob have one row in every table."""
    await upgrade(SCHEMA, postgres_database.owner_url)
    async with opened(postgres_database.app_url) as database:
        for name in SPACES:
            async with database.begin(caller(name), write=True) as tx:
                for table in OF_PEOPLE:
                    await tx.execute(insert(table).values(row(table, name)))
    return postgres_database


def texts_in_keys_and_indices(found: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    """(table, column, type) of each text that a key or an index compares."""
    for table, parts in found.items():
        compared = {*parts["key"]["constrained_columns"]}
        compared.update(column for index in parts["indices"] for column in index[1])
        compared.update(column for unique in parts["unique"] for column in unique["column_names"])
        for name, kind, _, _ in parts["columns"]:
            if name in compared and "TEXT" in kind:
                yield table, name, kind


@pytest.mark.anyio
async def test_a_side_of_a_change_that_does_not_exist_is_null(database_url: str) -> None:
    await upgrade(SCHEMA, database_url)
    async with opened(database_url) as database:
        async with database.begin(caller("ada"), write=True) as tx:
            for table in (metadata.tables["spaces"], metadata.tables["ops"]):
                await tx.execute(insert(table).values(row(table, "ada")))
            await tx.execute(insert(changes), [row(changes, "ada") | {"before": None, "after": {"title": "Tea"}}])

        async with database.begin(caller("ada")) as tx:
            created = await tx.all(select(changes.c.after).where(changes.c.before.is_(None)))

    assert [change.after for change in created] == [{"title": "Tea"}]


@pytest.mark.anyio
async def test_closing_an_account_takes_everything_with_it(database_url: str) -> None:
    await upgrade(SCHEMA, database_url)
    async with opened(database_url) as database:
        async with database.begin(caller("ada"), write=True) as tx:
            for table in OF_PEOPLE:
                await tx.execute(insert(table).values(row(table, "ada")))
            await tx.execute(metadata.tables["spaces"].delete())

        left = await counts(database, "ada")

    # These two lie with the person who was let in, not with the space.
    assert {table for table, count in left.items() if count} == {"memberships", "aliases"}


def test_the_space_leads_every_key_and_every_index_of_a_request() -> None:
    swept = {"tasks_trash", "reminders_due", "requests_age"}
    of_a_person = {"memberships", "aliases"}
    for table in OF_PEOPLE:
        leader = "user_key" if table.name in of_a_person else "id" if table.name == "spaces" else "space_id"
        assert table.primary_key.columns.keys()[0] == leader
        for index in table.indexes:
            assert index.name in swept or index.columns.keys()[0] == leader


@pytest.mark.postgres
@pytest.mark.anyio
async def test_text_in_keys_and_indices_is_ordered_by_its_bytes(postgres_database: PostgresDatabase) -> None:
    await upgrade(SCHEMA, postgres_database.owner_url)
    found = await catalog(postgres_database.owner_url)
    found.pop(SCHEMA.version_table)

    compared = list(texts_in_keys_and_indices(found))

    assert ("tasks", "position", "TEXT(collation='C')") in compared
    assert [entry for entry in compared if entry[2] != "TEXT(collation='C')"] == []


@pytest.mark.postgres
@pytest.mark.anyio
async def test_the_schema_owns_no_sequence_and_no_trigger_and_goes_without_a_trace(
    postgres_database: PostgresDatabase,
) -> None:
    left = text(
        "SELECT relname FROM pg_class WHERE relnamespace = 'taskgate'::regnamespace"
        " UNION ALL SELECT proname FROM pg_proc WHERE pronamespace = 'taskgate'::regnamespace"
    )
    kept_out = text(
        "SELECT relname FROM pg_class WHERE relnamespace = 'taskgate'::regnamespace AND relkind = 'S'"
        " UNION ALL SELECT tgname FROM pg_trigger WHERE NOT tgisinternal"
    )
    await upgrade(SCHEMA, postgres_database.owner_url)
    async with opened(postgres_database.owner_url) as database:
        async with database.begin(caller("nobody")) as tx:
            assert await tx.all(kept_out) == []
            assert await tx.all(left) != []

        await downgrade(SCHEMA, postgres_database.owner_url, "base")

        async with database.begin(caller("nobody")) as tx:
            assert await tx.all(left) == []


@pytest.mark.postgres
@pytest.mark.anyio
async def test_a_statement_that_does_not_say_for_whom_finds_no_row(peopled: PostgresDatabase) -> None:
    async with opened(peopled.app_url) as database:
        # The same connection has just worked for ada: her settings ended with her transaction.
        assert set((await counts(database, "ada")).values()) == {1}
        assert set((await counts(database, "nobody")).values()) == {0}
    async with opened(peopled.owner_url) as database:
        assert set((await counts(database, "nobody")).values()) == {0}


@pytest.mark.postgres
@pytest.mark.anyio
async def test_a_statement_that_forgets_whose_rows_it_wants_finds_only_the_callers(peopled: PostgresDatabase) -> None:
    async with opened(peopled.app_url) as database, database.begin(caller("bob")) as tx:
        for table in OF_PEOPLE:
            [only] = await tx.all(select(table))
            assert row(table, "bob").items() <= only._asdict().items()


@pytest.mark.postgres
@pytest.mark.anyio
async def test_bob_can_neither_add_nor_move_nor_change_rows_in_adas_space(peopled: PostgresDatabase) -> None:
    async with opened(peopled.app_url) as database:
        for table in OF_PEOPLE:
            assert await refusal(database, "bob", insert(table).values(row(table, "ada", no=2))) == NOT_ALLOWED
        assert await refusal(database, "bob", tasks.update().values(space_id=SPACES["ada"])) == NOT_ALLOWED

        async with database.begin(caller("bob"), write=True) as tx:
            hers = tasks.c.space_id == SPACES["ada"]
            assert (await tx.execute(tasks.update().where(hers).values(title="Mine"))).rowcount == 0
            assert (await tx.execute(tasks.delete().where(hers))).rowcount == 0
        assert set((await counts(database, "ada")).values()) == {1}


@pytest.mark.postgres
@pytest.mark.anyio
async def test_the_role_that_serves_cannot_take_the_fence_down(peopled: PostgresDatabase) -> None:
    async with opened(peopled.app_url) as database:
        assert not await database.bypasses_row_security()
        for statement in TEARING_DOWN:
            assert await refusal(database, "ada", statement) == NOT_ALLOWED, statement


@pytest.mark.postgres
@pytest.mark.anyio
async def test_no_table_stands_outside_the_fence(peopled: PostgresDatabase) -> None:
    unfenced = text(
        "SELECT relname FROM pg_class WHERE relnamespace = 'taskgate'::regnamespace AND relkind = 'r'"
        " AND NOT (relrowsecurity AND relforcerowsecurity) AND relname <> :versions"
    )
    async with opened(peopled.owner_url) as database, database.begin(caller("nobody")) as tx:
        assert await tx.all(unfenced, {"versions": SCHEMA.version_table}) == []


@pytest.mark.postgres
@pytest.mark.anyio
async def test_a_sweep_sees_and_removes_what_has_an_age_and_writes_nothing_but_claims(
    peopled: PostgresDatabase,
) -> None:
    async with opened(peopled.app_url) as database:
        seen = await counts(database, "the sweeper")
        assert {table for table, count in seen.items() if count == 2} == SWEPT
        assert {count for table, count in seen.items() if table not in SWEPT} == {0}

        async with database.begin(caller("the sweeper"), write=True) as tx:
            assert await changed(tx, "UPDATE reminders SET claimed_us = 1") == 2
            assert await changed(tx, "UPDATE tasks SET title = 'gone'") == 0
            assert await changed(tx, "DELETE FROM requests WHERE at_us < 2") == 2
            assert await changed(tx, "DELETE FROM tasks WHERE no = 1") == 2
        assert await refusal(database, "the sweeper", insert(tasks).values(row(tasks, "ada"))) == NOT_ALLOWED
        assert await refusal(database, "the sweeper", insert(reminders).values(row(reminders, "ada"))) == NOT_ALLOWED


@pytest.mark.postgres
@pytest.mark.anyio
async def test_what_is_revoked_is_seen_and_written_by_the_service_alone(peopled: PostgresDatabase) -> None:
    entry = Revocation("https://issuer.example", 2**33, token_id="one")
    itself = service("mcp")
    # Whatever an issuer writes into a token: a proven caller expires, and the service does not.
    pretender = restored("taskgate", "mcp", (), 2**33, "taskgate-mcp")
    for url in (peopled.app_url, peopled.owner_url):
        database = Database(url, pool_size=1, scope=row_policies)
        try:
            async with database.begin(itself, write=True) as tx:
                await revoke(tx, revocations, entry)
            for who in (caller("ada"), pretender, service("gateway")):
                async with database.begin(who) as tx:
                    assert await tx.all(select(revocations)) == []
                with pytest.raises(DBAPIError) as refused:
                    async with database.begin(who, write=True) as tx:
                        await revoke(tx, revocations, entry)
                assert getattr(refused.value.orig, "sqlstate", None) == NOT_ALLOWED
                async with database.begin(who, write=True) as tx:
                    assert (await tx.execute(revocations.delete())).rowcount == 0
            async with database.begin(itself) as tx:
                assert await tx.all(select(revocations)) != []
        finally:
            await database.close()


async def changed(tx: Tx, statement: str) -> int:
    """How many rows this touched."""
    return (await tx.execute(text(statement))).rowcount
