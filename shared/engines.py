"""Engines with the right habits, and the only place that makes any: how SQLite and PostgreSQL want to be spoken to."""

import asyncio
import sqlite3
from collections.abc import Callable, Sequence
from time import monotonic
from typing import Final

from sqlalchemy import URL, event, make_url
from sqlalchemy.engine import Connection
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import ArgumentError, DisconnectionError, OperationalError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import ConnectionPoolEntry, NullPool, PoolProxiedConnection
from sqlalchemy.util import await_only

from shared.errors import Problem

SQLITE_PRAGMAS: Final = (
    "journal_mode=WAL",
    "synchronous=FULL",  # a reply leaves after COMMIT, so a power cut must not take the COMMIT back
    "busy_timeout=5000",
    "foreign_keys=ON",
    "trusted_schema=OFF",
    "cell_size_check=ON",
    "temp_store=MEMORY",
    "cache_size=-16000",
    "journal_size_limit=67108864",
)
WRITER_WAIT_S: Final = 5.0
UPGRADE_WAIT_S: Final = 60.0
POOL_WAIT_S: Final = 2.0
IDLE_BEFORE_PING_S: Final = 1.0


def service_engine(url: URL, pool_size: int) -> AsyncEngine:
    """The engine of a running service."""
    if url.get_backend_name() == "sqlite":
        engine = create_async_engine(url, pool_size=5, max_overflow=0, pool_timeout=POOL_WAIT_S, hide_parameters=True)
        _speak_sqlite(engine)
        return engine
    engine = create_async_engine(
        url,
        pool_size=pool_size,
        max_overflow=0,
        pool_timeout=POOL_WAIT_S,
        pool_recycle=900,
        hide_parameters=True,  # an error is logged with its statement; the values are people's own
        # No prepared statements: behind a pooler they belong to somebody else's connection.
        connect_args={"statement_cache_size": 0, "command_timeout": 6, "timeout": 3},
    )
    _ping_the_idle(engine)
    return engine


def migration_engine(url: str) -> AsyncEngine:
    """An engine of one unpooled connection for schema changes; migrations bring their own transaction and lock."""
    address = async_url(url)
    if address.get_backend_name() != "sqlite":
        return create_async_engine(address, poolclass=NullPool, connect_args={"statement_cache_size": 0})
    engine = create_async_engine(address, poolclass=NullPool, connect_args={"timeout": UPGRADE_WAIT_S})

    @event.listens_for(engine.sync_engine, "connect")
    def plain(connection: DBAPIConnection, _: ConnectionPoolEntry) -> None:
        # Foreign keys stay off: copying a table for a change would otherwise delete the rows that refer to it.
        connection.isolation_level = None
        _patiently(lambda: _run_pragmas(connection, ("journal_mode=WAL",)), WRITER_WAIT_S)
        _run_pragmas(connection, ("foreign_keys=OFF",))

    @event.listens_for(engine.sync_engine, "begin")
    def lock(connection: Connection) -> None:
        _patiently(lambda: connection.exec_driver_sql("BEGIN IMMEDIATE"), UPGRADE_WAIT_S)

    return engine


def async_url(url: str) -> URL:
    """The address with the driver we use, whichever of the usual spellings it was given in."""
    try:
        address = make_url(url)
    except ArgumentError:  # its text would repeat the address, and with it a password
        raise Problem("bad_request", "this is no database address", "e.g. sqlite:///tasks.db") from None
    drivers = {"sqlite": "sqlite+aiosqlite", "postgresql": "postgresql+asyncpg", "postgres": "postgresql+asyncpg"}
    name = address.get_backend_name() if address.drivername != "postgres" else "postgres"
    if name not in drivers:
        raise Problem("bad_request", f"{name} is no database this runs on", "use sqlite:///... or postgresql://...")
    return address.set(drivername=drivers[name])


def _speak_sqlite(engine: AsyncEngine) -> None:
    """Take BEGIN over from the driver, which would send it too late and not at all for reads."""

    @event.listens_for(engine.sync_engine, "connect")
    def connect(connection: DBAPIConnection, _: ConnectionPoolEntry) -> None:
        connection.isolation_level = None
        _run_pragmas(connection, SQLITE_PRAGMAS)

    @event.listens_for(engine.sync_engine, "begin")
    def begin(connection: Connection) -> None:
        write = connection.get_execution_options().get("taskgate_write")
        connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")


def _run_pragmas(connection: DBAPIConnection, pragmas: Sequence[str]) -> None:
    cursor = connection.cursor()
    for pragma in pragmas:
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _patiently(work: Callable[[], object], wait_s: float) -> None:
    """Do this as soon as SQLite lets us. Where waiting might never end, it refuses at once, whatever its timeout says:
    two that turn a new file into WAL mode, or one that begins while another one is closing.
    """
    deadline = monotonic() + wait_s
    while True:
        try:
            work()
        except (sqlite3.OperationalError, OperationalError) as error:
            if "locked" not in str(error) or monotonic() > deadline:
                raise
            await_only(asyncio.sleep(0.01))
        else:
            return


def _ping_the_idle(engine: AsyncEngine) -> None:
    """Try connections that have rested: after a restart of the database, the first request must not fail.

    A ping before every checkout would cost a round trip each time; under load no connection rests long enough.
    """

    @event.listens_for(engine.sync_engine, "checkin")
    def rest(_: DBAPIConnection | None, entry: ConnectionPoolEntry) -> None:
        entry.info["idle_since"] = monotonic()

    @event.listens_for(engine.sync_engine, "checkout")
    def wake(connection: DBAPIConnection, entry: ConnectionPoolEntry, _: PoolProxiedConnection) -> None:
        since = entry.info.get("idle_since")
        if since is None or monotonic() - since < IDLE_BEFORE_PING_S:
            return
        try:
            alive = engine.dialect.do_ping(connection)
        except engine.dialect.loaded_dbapi.Error as error:
            raise DisconnectionError("the connection did not survive its rest") from error
        if not alive:
            raise DisconnectionError("the connection did not survive its rest")
