"""Schema changes under a lock, and the check that keeps a service off an old schema; the only place that knows Alembic.

An upgrade is one transaction: two that start together both succeed, and one that fails leaves nothing behind. What is
heavy to import is imported where it is used, because serving needs no Alembic and naming a `Schema` needs no database.
"""

from collections.abc import AsyncGenerator
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final
from zlib import crc32

from shared.errors import Problem

if TYPE_CHECKING:
    from alembic.runtime.migration import RevisionStep
    from sqlalchemy.engine import Connection
    from sqlalchemy.ext.asyncio import AsyncConnection

    from shared.db import Database

LOCK_NOT_AVAILABLE: Final = "55P03"


@dataclass(frozen=True, slots=True)
class Schema:
    """What one service expects of its database. Revision ids are numbers padded with zeros, so that they sort."""

    service: str
    head: str
    versions: Path

    @property
    def version_table(self) -> str:
        """Where the database keeps its revision; one table for each service, which may share a database."""
        return f"alembic_version_{self.service}"

    @property
    def lock(self) -> int:
        """The number of the advisory lock: fixed for a service, and unlikely to be anybody else's."""
        return crc32(f"taskgate {self.version_table}".encode())


async def upgrade(schema: Schema, url: str) -> tuple[str | None, str]:
    """Bring the schema to this program's head and return the revisions before and after.

    A newer schema is left as it is: the program before the last one still runs on it.
    """
    _create_private_file(url)
    async with _locked(schema, url) as connection:
        before = await connection.run_sync(_revision, schema)
        if before is not None and before >= schema.head:
            return before, before
        await connection.run_sync(_migrate, schema, schema.head, upwards=True)
        return before, schema.head


async def downgrade(schema: Schema, url: str, to: str) -> tuple[str | None, str | None]:
    """Take the schema back to an older revision, or to `base`, which leaves nothing; returns before and after."""
    async with _locked(schema, url) as connection:
        before = await connection.run_sync(_revision, schema)
        await connection.run_sync(_migrate, schema, to, upwards=False)
        after = await connection.run_sync(_revision, schema)
        if after is None:
            await connection.exec_driver_sql(f"DROP TABLE {schema.version_table}")
        return before, after


async def status(schema: Schema, url: str) -> str | None:
    """The revision of the database; None when it has no such schema."""
    path = _sqlite_file(url)
    if path is not None and not path.is_file():
        return None
    async with _connection(url) as connection:
        return await connection.run_sync(_revision, schema)


async def require_schema(database: "Database", schema: Schema) -> None:
    """Raise unless the schema is at this program's head or newer. A revision never breaks the program before it."""
    found = await database.schema_version(schema.version_table)
    if found is not None and found >= schema.head:
        return
    state = "has no tables yet" if found is None else f"is at revision {found} and this program needs {schema.head}"
    raise Problem(
        "unavailable",
        f"the database of the {schema.service} service {state}",
        f"run `taskgate db upgrade {schema.service}`",
    )


@asynccontextmanager
async def _locked(schema: Schema, url: str) -> AsyncGenerator["AsyncConnection"]:
    """One transaction that is the only one to change this schema."""
    from sqlalchemy.exc import DBAPIError

    try:
        async with _connection(url) as connection, connection.begin():
            postgresql = connection.dialect.name == "postgresql"
            if postgresql:
                # The role may carry limits made for requests; another upgrade and a long backfill take longer.
                await connection.exec_driver_sql("SET LOCAL statement_timeout = 0")
                await connection.exec_driver_sql("SET LOCAL lock_timeout = '60s'")
                await connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({schema.lock})")
                # A change that waits for a table makes everybody behind it wait as well.
                await connection.exec_driver_sql("SET LOCAL lock_timeout = '5s'")
            yield connection
            if not postgresql:
                await _check_references(connection)
    except DBAPIError as error:
        if getattr(error.orig, "sqlstate", None) == LOCK_NOT_AVAILABLE or "database is locked" in str(error.orig):
            raise Problem("busy", "somebody is using the tables; nothing was changed", "run it again") from error
        raise


@asynccontextmanager
async def _connection(url: str) -> AsyncGenerator["AsyncConnection"]:
    from sqlalchemy.exc import DBAPIError

    from shared.engines import async_url, migration_engine

    engine = migration_engine(url)
    try:
        try:
            connection = await engine.connect()
        except (DBAPIError, OSError) as error:
            raise Problem(
                "unavailable",
                f"the database {async_url(url).render_as_string()} cannot be reached",
                "check its address",
            ) from error
        async with aclosing(connection):
            yield connection
    finally:
        await engine.dispose()


def _revision(connection: "Connection", schema: Schema) -> str | None:
    from alembic.runtime.migration import MigrationContext

    context = MigrationContext.configure(connection, opts={"version_table": schema.version_table})
    return context.get_current_revision()


def _migrate(connection: "Connection", schema: Schema, to: str, *, upwards: bool) -> None:
    from alembic.operations import Operations
    from alembic.runtime.migration import MigrationContext, MigrationStep
    from alembic.script import ScriptDirectory

    scripts = ScriptDirectory(schema.versions, version_locations=[schema.versions])

    def steps(current: tuple[str, ...], _: MigrationContext) -> "list[RevisionStep]":
        if upwards:
            newer = list(scripts.iterate_revisions(to, current, implicit_base=True))
            return [MigrationStep.upgrade_from_script(scripts.revision_map, script) for script in reversed(newer)]
        older = scripts.iterate_revisions(current, to, select_for_downgrade=True)
        return [MigrationStep.downgrade_from_script(scripts.revision_map, script) for script in older]

    # A transaction is open, so Alembic begins none of its own: one would end after each revision and release the lock.
    context = MigrationContext.configure(
        connection, opts={"version_table": schema.version_table, "transactional_ddl": True, "fn": steps}
    )
    with Operations.context(context):
        context.run_migrations()


async def _check_references(connection: "AsyncConnection") -> None:
    """Foreign keys are off during a change, so that copying a table deletes nothing; look before it is kept."""
    broken = (await connection.exec_driver_sql("PRAGMA foreign_key_check")).all()
    if broken:
        raise RuntimeError(f"a revision broke {len(broken)} references, first in table {broken[0][0]}")


def _create_private_file(url: str) -> None:
    """Make a new SQLite file readable by its owner alone; its journals inherit that."""
    path = _sqlite_file(url)
    if path is not None:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.touch(mode=0o600, exist_ok=True)


def _sqlite_file(url: str) -> Path | None:
    from shared.engines import async_url

    address = async_url(url)
    return Path(address.database) if address.get_backend_name() == "sqlite" and address.database else None
