"""What one statement may do: read these tables with these functions, within these sizes. Whatever is not listed here is
refused. The worker imports this file, so it stays with the standard library.
"""

import re
import sqlite3
from collections.abc import Mapping
from typing import Final

from mcp_server.snapshot.schema import TABLES

READABLE: Final = frozenset({*TABLES, "json_each", "json_tree"})

# Nothing here reads files, tells about the engine, is random, or makes a value of a given size; `printf` does, because
# people need it, and is ended by the clock. Some exist only in newer versions of SQLite.
# fmt: off
FUNCTIONS: Final = frozenset({
    # numbers
    "abs", "ceil", "ceiling", "floor", "mod", "power", "round", "sign", "sqrt", "trunc",
    # text
    "char", "concat", "concat_ws", "format", "glob", "instr", "length", "like", "lower", "ltrim", "printf", "quote",
    "replace", "rtrim", "substr", "substring", "trim", "unicode", "upper",
    # choice
    "coalesce", "ifnull", "iif", "nullif", "typeof",
    # days and times
    "date", "datetime", "julianday", "strftime", "time", "timediff", "unixepoch",
    # many rows
    "avg", "count", "group_concat", "max", "min", "string_agg", "sum", "total",
    "cume_dist", "dense_rank", "first_value", "lag", "last_value", "lead", "nth_value", "ntile", "percent_rank", "rank",
    "row_number",
    # JSON
    "->", "->>", "json_array", "json_array_length", "json_each", "json_extract", "json_group_array",
    "json_group_object", "json_object", "json_tree", "json_type", "json_valid",
})
# fmt: on

LIMITS: Final[Mapping[int, int]] = {
    sqlite3.SQLITE_LIMIT_LENGTH: 1_000_000,
    sqlite3.SQLITE_LIMIT_SQL_LENGTH: 20_000,
    sqlite3.SQLITE_LIMIT_COLUMN: 100,
    sqlite3.SQLITE_LIMIT_EXPR_DEPTH: 100,
    sqlite3.SQLITE_LIMIT_COMPOUND_SELECT: 20,
    sqlite3.SQLITE_LIMIT_VDBE_OP: 25_000,
    sqlite3.SQLITE_LIMIT_FUNCTION_ARG: 20,
    sqlite3.SQLITE_LIMIT_ATTACHED: 0,
    sqlite3.SQLITE_LIMIT_LIKE_PATTERN_LENGTH: 60,
    sqlite3.SQLITE_LIMIT_VARIABLE_NUMBER: 50,
    sqlite3.SQLITE_LIMIT_TRIGGER_DEPTH: 0,
    sqlite3.SQLITE_LIMIT_WORKER_THREADS: 0,
}

_PRAGMAS: Final = ("query_only=ON", "trusted_schema=OFF", "temp_store=MEMORY", "cell_size_check=ON")
_CATALOG: Final = re.compile(r"sqlite_|pragma_|dbstat", re.IGNORECASE)
# Blanks and comments as SQLite knows them, then the first word. Nothing here is tried twice, however long it is.
_QUERY: Final = re.compile(
    r"(?:[ \t\r\n\f(\ufeff]|--[^\n]*+\n|/\*(?:[^*]|\*(?!/))*+\*/)*+(?:select|with|values)\b", re.ASCII | re.IGNORECASE
)


def fence(connection: sqlite3.Connection) -> None:
    """Let this connection read the person's tables, and nothing else for the rest of its life."""
    # SQLite declares these two when they are first used, in a way that the authorizer would have to refuse.
    connection.execute("SELECT 1 FROM json_each('[]'), json_tree('[]')")
    for pragma in _PRAGMAS:
        connection.execute(f"PRAGMA {pragma}")
    for limit, value in LIMITS.items():
        connection.setlimit(limit, value)
    connection.set_authorizer(_allow)


def is_query(sql: str) -> bool:
    """Whether a text begins as a query does. EXPLAIN does not: it shows the engine, and no authorizer is asked."""
    return _QUERY.match(sql) is not None


def _allow(action: int, first: str | None, second: str | None, database: str | None, _: str | None) -> int:
    """The last argument, the view or subquery that asks, is never looked at: people choose the names of their CTEs."""
    match action:
        case sqlite3.SQLITE_SELECT | sqlite3.SQLITE_RECURSIVE:
            return sqlite3.SQLITE_OK
        case sqlite3.SQLITE_FUNCTION if (second or "").lower() in FUNCTIONS:
            return sqlite3.SQLITE_OK
        case sqlite3.SQLITE_READ if first in READABLE:
            return sqlite3.SQLITE_OK
        # Without a database it is a subquery, whose own sources are asked about, or a table of which no column is read.
        # The only ones there are besides the person's are the catalog's.
        case sqlite3.SQLITE_READ if database is None and not _CATALOG.match(first or ""):
            return sqlite3.SQLITE_OK
    return sqlite3.SQLITE_DENY
