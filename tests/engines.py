"""The databases that tests run on: a throw-away PostgreSQL cluster, and what a database holds."""

import os
import random
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from sqlalchemy import inspect
from sqlalchemy.engine import Connection

from shared.engines import migration_engine

INSTALL: Final = "apt-get install postgresql"
OLDEST: Final = 15

# The roles of a careful deployment: one that owns the tables, one that serves, which owns nothing. What stands in
# template1 is in every database made after it.
ROLES: Final = """
CREATE ROLE taskgate_owner LOGIN NOSUPERUSER NOBYPASSRLS;
CREATE ROLE taskgate_app LOGIN NOINHERIT NOSUPERUSER NOBYPASSRLS;
ALTER ROLE taskgate_owner SET search_path = taskgate;
ALTER ROLE taskgate_app SET search_path = taskgate;
ALTER ROLE taskgate_app SET statement_timeout = '5s';
ALTER ROLE taskgate_app SET lock_timeout = '3s';
ALTER ROLE taskgate_app SET idle_in_transaction_session_timeout = '10s';
CREATE SCHEMA taskgate AUTHORIZATION taskgate_owner;
GRANT USAGE ON SCHEMA taskgate TO taskgate_app;
"""


class EngineMissing(Exception):
    """The machine cannot run this engine; the message is the line that installs it."""


@dataclass(frozen=True, slots=True)
class PostgresDatabase:
    """One database, as the two roles reach it."""

    owner_url: str
    app_url: str


@dataclass(frozen=True, slots=True)
class PostgresServer:
    """A running cluster on 127.0.0.1 that trusts everybody."""

    programs: Path
    port: int

    def create_database(self, name: str) -> PostgresDatabase:
        """An empty database with the schema `taskgate`, which its owner may fill and the server's role may use."""
        self.run(f'CREATE DATABASE "{name}" OWNER taskgate_owner')
        address = f"127.0.0.1:{self.port}/{name}"
        return PostgresDatabase(f"postgresql://taskgate_owner@{address}", f"postgresql://taskgate_app@{address}")

    def drop_database(self, name: str) -> None:
        """Remove a database, whoever is still connected to it."""
        self.run(f'DROP DATABASE "{name}" WITH (FORCE)')

    def run(self, sql: str, *, database: str = "postgres") -> None:
        """Run statements as the superuser."""
        place = ["-h", "127.0.0.1", "-p", str(self.port), "-U", "postgres", "-d", database]
        _run([self.programs / "psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", *place, "-c", sql])


@contextmanager
def postgres_cluster() -> Generator[PostgresServer]:
    """Start a cluster on a free port and stop it in the end; raises `EngineMissing` where there is no PostgreSQL."""
    programs = _programs()
    root = os.geteuid() == 0
    with tempfile.TemporaryDirectory(prefix="taskgate-postgres-") as name:
        home = Path(name)
        data = home / "data"
        # PostgreSQL refuses to run as root.
        as_its_user: list[str | Path] = ["runuser", "-u", "postgres", "--"] if root else []
        if root:
            shutil.chown(home, "postgres", "postgres")
        # Sorting by the rules of a language, as most installations do: a missing COLLATE "C" shows.
        language = ["-E", "UTF8", "--locale=C", "--locale-provider=icu", "--icu-locale=en-US"]
        create: list[str | Path] = [
            programs / "initdb",
            "-D",
            data,
            "-U",
            "postgres",
            "-A",
            "trust",
            "--no-sync",
            *language,
        ]
        _run([*as_its_user, *create], cwd=home)
        port = _free_port()
        options = f"-p {port} -k {home} -c listen_addresses=127.0.0.1 -c fsync=off"
        control: list[str | Path] = [*as_its_user, programs / "pg_ctl", "-D", data, "-w"]
        _run([*control, "-l", home / "log", "-o", options, "start"], cwd=home)
        try:
            server = PostgresServer(programs, port)
            server.run(ROLES, database="template1")
            yield server
        finally:
            _run([*control, "-m", "immediate", "stop"], cwd=home)


async def catalog(url: str) -> dict[str, Any]:
    """What the catalog says of every table: columns, keys, references and indices, in a form that can be compared."""
    engine = migration_engine(url)
    try:
        async with engine.connect() as connection:
            return await connection.run_sync(_catalog)
    finally:
        await engine.dispose()


def _catalog(connection: Connection) -> dict[str, Any]:
    found = inspect(connection)
    return {
        table: {
            "columns": [
                (column["name"], repr(column["type"]), column["nullable"], column["default"])
                for column in found.get_columns(table)
            ],
            "key": found.get_pk_constraint(table),
            "references": sorted(found.get_foreign_keys(table), key=str),
            "unique": sorted(found.get_unique_constraints(table), key=str),
            "checks": sorted(found.get_check_constraints(table), key=str),
            "indices": sorted(
                (index["name"], index["column_names"], index["unique"], _condition(index["dialect_options"]))
                for index in found.get_indexes(table)
            ),
        }
        for table in found.get_table_names()
    }


def _condition(options: dict[str, Any]) -> str | None:
    """The WHERE of a partial index."""
    found = [str(value) for name, value in options.items() if name.endswith("_where")]
    return found[0] if found else None


def _programs() -> Path:
    installed = [path for path in Path("/usr/lib/postgresql").glob("*/bin") if (path / "initdb").is_file()]
    recent = [path for path in installed if int(path.parent.name) >= OLDEST]
    if not recent:
        raise EngineMissing(INSTALL)
    return max(recent, key=lambda path: int(path.parent.name))


def _free_port() -> int:
    """A port below those that the system hands out by itself, which collide."""
    for port in random.sample(range(20_000, 30_000), 50):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) != 0:
                return port
    raise RuntimeError("no free port between 20000 and 30000")


def _run(command: Sequence[str | Path], cwd: Path | None = None) -> None:
    done = subprocess.run(command, cwd=cwd, text=True, capture_output=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"{Path(command[0]).name}: {done.stdout}{done.stderr}")
