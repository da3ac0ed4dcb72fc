"""A small copy behind the real fence, and what becomes of a statement there."""

import sqlite3

from mcp_server.snapshot import schema
from mcp_server.snapshot.running.fence import fence
from mcp_server.snapshot.running.process import Fault
from mcp_server.snapshot.teaching.refusals import check, taught
from shared.errors import Problem


def stage() -> sqlite3.Connection:
    """A copy as the worker has it, with a task in it."""
    connection = sqlite3.connect(":memory:")
    connection.executescript(schema.creation())
    connection.execute("INSERT INTO me VALUES ('2026-11-20', '2026-11-20 10:40', 'Europe/Berlin', 'mon', 0)")
    connection.execute(
        "INSERT INTO tasks (id, no, title, list, status, due, created, overdue, days_open, days_late, subtasks,"
        " comments, fields) VALUES ('T1', 1, 'call Bob', 'home', 'open', '2026-11-21', '2026-11-20 10:40', 0, 3, 0, 1,"
        " 2, '{}')"
    )
    connection.commit()
    fence(connection)
    return connection


STAGE = stage()


def said_by_sqlite(sql: str) -> str:
    """Its words against a statement; nothing if there are none."""
    try:
        STAGE.execute(sql).fetchall()
    except (sqlite3.Error, sqlite3.Warning) as error:
        return str(error)
    return ""


def answer(sql: str) -> str:
    """The whole way: looked at, run, taught; nothing if it runs."""
    try:
        check(sql)
    except Problem as problem:
        return str(problem)
    said = said_by_sqlite(sql)
    return str(taught(sql, Fault("sql", said))) if said else ""
