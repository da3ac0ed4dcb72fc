"""A copy with a row or two in each table, and questions about it, for tests of the workers alone."""

import sqlite3
from contextlib import closing
from typing import Final

from mcp_server.snapshot.running.process import Question, Size
from mcp_server.snapshot.schema import creation
from mcp_server.snapshot.version import Snapshot, Version

SIZE: Final = Size(100, 64_000, 2_000)


def few_rows() -> Snapshot:
    """A copy with a row or two in each table."""
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.executescript(creation())
        connection.executescript("""
            INSERT INTO tasks (id, no, title, list, status, due, created, fields, notes)
                VALUES ('T1', 1, 'Buy milk', 'Inbox', 'open', '2026-11-20', '2026-11-01 09:00', '{"Effort": 2}', ''),
                       ('T2', 2, 'Übung', 'Work', 'done', NULL, '2026-11-02 09:00', NULL, 'now');
            INSERT INTO tags VALUES ('T1', 'home'), ('T2', 'home');
            INSERT INTO deps VALUES ('T1', 'T2');
            INSERT INTO me (today, now, tz, partial) VALUES ('2026-11-20', '', 'UTC', 0);
        """)
        return Snapshot(Version("ada", "ada", "1"), connection.serialize(), partial=False, has_others=False)


def asking(sql: str) -> Question:
    """That question, at some time of that day."""
    return Question(sql, SIZE, "2026-11-20 10:40", 0)
