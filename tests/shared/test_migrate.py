"""Schema changes: all or nothing, one at a time, and never without the rows. The revisions are made for the test."""

import asyncio
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from textwrap import indent
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from gateway.migrations import SCHEMA as GATEWAY
from gateway.tables import metadata as gateway_metadata
from mcp_server.migrations import SCHEMA as MCP
from mcp_server.tasks.tables import metadata as mcp_metadata
from shared.db import Database
from shared.engines import migration_engine
from shared.errors import Problem
from shared.migrate import Schema, downgrade, require_schema, status, upgrade
from tests.engines import PostgresDatabase, catalog

SHELVES = """
op.create_table("shelves", sa.Column("id", sa.Integer(), primary_key=True), sa.Column("name", sa.Text()))
op.create_table(
    "books",
    sa.Column("id", sa.Integer(), primary_key=True),
    sa.Column("shelf", sa.Integer(), sa.ForeignKey("shelves.id", ondelete="CASCADE"), nullable=False),
)
"""
SHELVES_DOWN = """
op.drop_table("books")
op.drop_table("shelves")
"""
MENDED = """
op.create_table("readers", sa.Column("id", sa.Integer(), primary_key=True))
"""
FAILING = MENDED + 'op.execute("INSERT INTO nowhere VALUES (1)")'
COPYING = """
with op.batch_alter_table("shelves") as shelves:
    shelves.alter_column("name", new_column_name="title", existing_type=sa.Text())
"""

REVISION = '''"""A revision."""

import sqlalchemy as sa
from alembic import op

revision = "{number:04}"
down_revision = {before!r}


def upgrade():
{up}


def downgrade():
{down}
'''

# Says that it is ready and waits for the word, so that two of them start on the same instant.
UPGRADING = """
import asyncio, sys
from pathlib import Path
from shared.migrate import Schema, upgrade
print("ready", flush=True)
sys.stdin.readline()
print(*asyncio.run(upgrade(Schema("shop", sys.argv[1], Path(sys.argv[2])), sys.argv[3])))
"""

SERVING = """
import asyncio, sys
from pathlib import Path
from shared.db import Database
from shared.migrate import Schema, require_schema

async def serve():
    database = Database(sys.argv[1])
    await require_schema(database, Schema("shop", "0001", Path("nowhere")))
    await database.close()

asyncio.run(serve())
print("alembic" in sys.modules)
"""


def revisions(folder: Path, *changes: str, down: str = "pass") -> Schema:
    """A service whose revisions 0001, 0002, ... do these things."""
    folder.mkdir()
    for number, change in enumerate(changes, start=1):
        before = f"{number - 1:04}" if number > 1 else None
        source = REVISION.format(number=number, before=before, up=indent(change, "    "), down=indent(down, "    "))
        (folder / f"{number:04}_change.py").write_text(source)
    return Schema("shop", f"{len(changes):04}", folder)


async def run(url: str, *statements: str) -> Sequence[Any]:
    """Run these in one transaction; returns what the last one found."""
    engine = migration_engine(url)
    found: Sequence[Any] = []
    try:
        async with engine.begin() as connection:
            for statement in statements:
                result = await connection.execute(text(statement))
                found = result.all() if result.returns_rows else []
    finally:
        await engine.dispose()
    return found


async def fill_shelves(url: str) -> None:
    await run(url, "INSERT INTO shelves VALUES (1, 'poems')", "INSERT INTO books VALUES (7, 1), (8, 1)")


@pytest.mark.anyio
async def test_an_upgrade_says_where_it_came_from_and_where_it_got_to(database_url: str, tmp_path: Path) -> None:
    first = revisions(tmp_path / "first", SHELVES)
    second = revisions(tmp_path / "second", SHELVES, MENDED)

    assert await upgrade(first, database_url) == (None, "0001")
    assert await status(first, database_url) == "0001"
    assert await upgrade(second, database_url) == ("0001", "0002")
    assert await upgrade(second, database_url) == ("0002", "0002")
    assert set(await catalog(database_url)) == {"shelves", "books", "readers", "alembic_version_shop"}


@pytest.mark.anyio
async def test_going_down_to_base_leaves_nothing(database_url: str, tmp_path: Path) -> None:
    schema = revisions(tmp_path / "versions", SHELVES, down=SHELVES_DOWN)
    await upgrade(schema, database_url)

    assert await downgrade(schema, database_url, "base") == ("0001", None)

    assert await catalog(database_url) == {}
    assert await status(schema, database_url) is None


@pytest.mark.anyio
async def test_upgrades_whose_statements_alternate_build_one_schema(database_url: str, tmp_path: Path) -> None:
    schema = revisions(tmp_path / "versions", SHELVES, MENDED)

    results = await asyncio.gather(*(upgrade(schema, database_url) for _ in range(4)))

    assert sorted(results, key=str) == [("0002", "0002")] * 3 + [(None, "0002")]
    assert set(await catalog(database_url)) == {"shelves", "books", "readers", "alembic_version_shop"}


@pytest.mark.anyio
async def test_two_processes_that_upgrade_at_once_both_succeed(database_url: str, tmp_path: Path) -> None:
    schema = revisions(tmp_path / "versions", SHELVES, MENDED)
    command = [sys.executable, "-c", UPGRADING, schema.head, str(schema.versions), database_url]
    pipe = asyncio.subprocess.PIPE
    processes = [await asyncio.create_subprocess_exec(*command, stdin=pipe, stdout=pipe, stderr=pipe) for _ in range(2)]
    for process in processes:
        assert process.stdout is not None
        assert await process.stdout.readline() == b"ready\n"

    results = await asyncio.gather(*(process.communicate(b"go\n") for process in processes))

    assert [process.returncode for process in processes] == [0, 0], results
    assert {output for output, _ in results} == {b"None 0002\n", b"0002 0002\n"}
    assert set(await catalog(database_url)) == {"shelves", "books", "readers", "alembic_version_shop"}


@pytest.mark.anyio
async def test_a_first_upgrade_that_fails_leaves_nothing_behind(database_url: str, tmp_path: Path) -> None:
    with pytest.raises(DBAPIError):
        await upgrade(revisions(tmp_path / "failing", SHELVES, FAILING), database_url)

    assert await catalog(database_url) == {}

    assert await upgrade(revisions(tmp_path / "mended", SHELVES, MENDED), database_url) == (None, "0002")


@pytest.mark.anyio
async def test_a_later_upgrade_that_fails_leaves_tables_and_rows_as_they_were(
    database_url: str, tmp_path: Path
) -> None:
    await upgrade(revisions(tmp_path / "first", SHELVES), database_url)
    await fill_shelves(database_url)
    before = await catalog(database_url)

    with pytest.raises(DBAPIError):
        await upgrade(revisions(tmp_path / "failing", SHELVES, COPYING, FAILING), database_url)

    assert await catalog(database_url) == before
    assert await run(database_url, "SELECT id, shelf FROM books ORDER BY id") == [(7, 1), (8, 1)]
    assert await upgrade(revisions(tmp_path / "mended", SHELVES, COPYING, MENDED), database_url) == ("0001", "0003")


@pytest.mark.anyio
async def test_children_survive_a_change_that_copies_the_table_of_their_parents(
    database_url: str, tmp_path: Path
) -> None:
    await upgrade(revisions(tmp_path / "first", SHELVES), database_url)
    await fill_shelves(database_url)

    await upgrade(revisions(tmp_path / "second", SHELVES, COPYING), database_url)

    joined = "SELECT title, books.id FROM books JOIN shelves ON shelves.id = shelf ORDER BY books.id"
    assert await run(database_url, joined) == [("poems", 7), ("poems", 8)]
    assert (await catalog(database_url))["books"]["references"][0]["referred_table"] == "shelves"


@pytest.mark.anyio
async def test_a_revision_that_would_orphan_rows_is_taken_back(database_url: str, tmp_path: Path) -> None:
    orphaning = """op.execute("INSERT INTO books VALUES (9, 5)")"""
    await upgrade(revisions(tmp_path / "first", SHELVES), database_url)

    with pytest.raises((RuntimeError, DBAPIError), match=r"broke 1 references|violates foreign key"):
        await upgrade(revisions(tmp_path / "second", SHELVES, orphaning), database_url)

    assert await run(database_url, "SELECT id FROM books") == []
    assert await status(MCP, database_url) is None


@pytest.mark.anyio
async def test_an_older_program_leaves_a_newer_schema_alone(database_url: str, tmp_path: Path) -> None:
    older = revisions(tmp_path / "older", SHELVES)
    await upgrade(revisions(tmp_path / "newer", SHELVES, MENDED), database_url)

    assert await upgrade(older, database_url) == ("0002", "0002")

    assert "readers" in await catalog(database_url)


@pytest.mark.anyio
async def test_a_service_serves_on_its_own_schema_and_a_newer_one_but_on_no_older_one(
    database_url: str, tmp_path: Path
) -> None:
    first = revisions(tmp_path / "first", SHELVES)
    second = revisions(tmp_path / "second", SHELVES, MENDED)
    database = Database(database_url)
    try:
        with pytest.raises(Problem, match=r"no tables yet.*taskgate db upgrade shop") as absent:
            await require_schema(database, first)
        assert absent.value.code == "unavailable"

        await upgrade(first, database_url)
        await require_schema(database, first)
        with pytest.raises(Problem, match=r"revision 0001 and this program needs 0002.*taskgate db upgrade shop"):
            await require_schema(database, second)

        await upgrade(second, database_url)
        await require_schema(database, first)
    finally:
        await database.close()


@pytest.mark.anyio
async def test_both_services_may_share_one_database(database_url: str) -> None:
    assert not set(mcp_metadata.tables) & set(gateway_metadata.tables)

    await upgrade(MCP, database_url)
    tools = await catalog(database_url)
    await upgrade(GATEWAY, database_url)

    assert set(await catalog(database_url)) - set(tools) == {*gateway_metadata.tables, "alembic_version_gateway"}
    await downgrade(GATEWAY, database_url, "base")
    assert await catalog(database_url) == tools


@pytest.mark.postgres
@pytest.mark.anyio
async def test_an_upgrade_gives_up_rather_than_queue_in_front_of_everybody(
    postgres_database: PostgresDatabase, tmp_path: Path
) -> None:
    impatient = """
op.execute("SET LOCAL lock_timeout = '20ms'")
op.execute("ALTER TABLE shelves ADD COLUMN colour text")
"""
    url = postgres_database.owner_url
    await upgrade(revisions(tmp_path / "first", SHELVES), url)
    reader = migration_engine(url)
    async with reader.begin() as reading:
        await reading.execute(text("SELECT * FROM shelves"))

        with pytest.raises(Problem, match="somebody is using the tables") as refused:
            await upgrade(revisions(tmp_path / "second", SHELVES, impatient), url)

    await reader.dispose()
    assert refused.value.code == "busy"


@pytest.mark.anyio
async def test_an_address_where_nothing_listens_is_named_without_its_password(tmp_path: Path) -> None:
    schema = revisions(tmp_path / "versions", SHELVES)

    with pytest.raises(Problem, match=r"127\.0\.0\.1:1/tasks cannot be reached") as refused:
        await upgrade(schema, "postgresql://ada:secret@127.0.0.1:1/tasks")

    assert refused.value.code == "unavailable"
    assert "secret" not in str(refused.value)


@pytest.mark.anyio
async def test_a_new_sqlite_file_is_for_its_owner_alone(tmp_path: Path) -> None:
    schema = revisions(tmp_path / "versions", SHELVES)
    file = tmp_path / "state" / "tasks.db"

    assert await status(schema, f"sqlite:///{file}") is None
    assert not file.exists()
    await upgrade(schema, f"sqlite:///{file}")

    assert file.stat().st_mode & 0o777 == 0o600
    assert file.parent.stat().st_mode & 0o777 == 0o700


@pytest.mark.anyio
async def test_serving_needs_no_alembic(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/tasks.db"
    await upgrade(revisions(tmp_path / "versions", SHELVES), url)

    served = await asyncio.to_thread(
        subprocess.run, [sys.executable, "-c", SERVING, url], capture_output=True, text=True, check=True
    )

    assert served.stdout == "False\n"


def test_naming_a_schema_loads_no_database_code() -> None:
    naming = "import sys, shared.migrate; print({'alembic', 'sqlalchemy'} & set(sys.modules))"

    named = subprocess.run([sys.executable, "-c", naming], capture_output=True, text=True, check=True)

    assert named.stdout == "set()\n"


@pytest.mark.parametrize("schema", [MCP, GATEWAY], ids=["mcp", "gateway"])
def test_the_head_of_a_service_is_its_newest_revision(schema: Schema) -> None:
    assert schema.head == max(file.name[:4] for file in schema.versions.glob("*.py"))


def test_the_lock_of_a_service_is_its_own_and_the_same_in_every_process() -> None:
    assert (MCP.lock, GATEWAY.lock) == (Schema("mcp", "0009", Path()).lock, Schema("gateway", "0009", Path()).lock)
    assert MCP.lock != GATEWAY.lock
