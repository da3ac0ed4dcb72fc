"""The process in which people's SQL runs: it locks itself up, and answers one query after another.

Standard library only. It is started with an empty environment and without site packages, holds the rows of one person,
ends with its input, and everything it says is untrusted.
"""

import json
import math
import os
import sqlite3
import sys
import threading
from collections.abc import Callable, Mapping
from contextlib import closing
from time import monotonic
from typing import Any, BinaryIO, Final

from mcp_server.snapshot.running.fence import fence, is_query
from mcp_server.snapshot.running.frames import packed, received
from mcp_server.snapshot.running.jail import MEMORY_BYTES, lock_up, resident_bytes

HEAP_BYTES: Final = 96 * 1024 * 1024
TOO_LATE: Final = 70  # exit codes
TOO_BIG: Final = 71
BLOB_LENGTH: Final = 32
NAME_LENGTH: Final = 60
GLANCE_S: Final = 0.02  # how often memory is looked at

_KINDS: Final = {"SQLITE_INTERRUPT": "time", "SQLITE_NOMEM": "memory", "SQLITE_TOOBIG": "size"}


class Watch(threading.Thread):
    """Ends what takes too long: first the statement, then the process.

    SQLite looks at an interrupt between its steps only, and a single step can take for ever.
    """

    def __init__(self) -> None:
        super().__init__(name="watch", daemon=True)
        self.most_bytes: int | None = None  # where the system does not limit memory
        self._changed = threading.Condition()
        self._connection: sqlite3.Connection | None = None
        self._soft = self._hard = math.inf

    def begins(self) -> bool:
        """Start watching; whether it does."""
        self.start()
        return self.is_alive()

    def begin(self, connection: sqlite3.Connection, soft_s: float, hard_s: float) -> None:
        """A query starts."""
        with self._changed:
            self._connection = connection
            self._soft, self._hard = monotonic() + soft_s, monotonic() + hard_s
            self._changed.notify()

    def end(self) -> None:
        """It is over."""
        with self._changed:
            self._connection = None
            self._soft = self._hard = math.inf

    def run(self) -> None:
        """Wait for the next moment that matters."""
        with self._changed:
            while True:
                now = monotonic()
                if now >= self._hard:
                    os._exit(TOO_LATE)
                if now >= self._soft and self._connection is not None:
                    self._connection.interrupt()
                    self._soft = math.inf
                if self.most_bytes is not None and resident_bytes() > self.most_bytes:
                    os._exit(TOO_BIG)
                glance = GLANCE_S if self.most_bytes is not None and self._connection is not None else math.inf
                wait = min(self._soft - now, self._hard - now, glance)
                self._changed.wait(None if wait == math.inf else wait)


def main() -> None:
    """Lock up, say which locks hold, and answer."""
    questions, answers = sys.stdin.buffer, sys.stdout.buffer
    watch = Watch()
    held = lock_up(watch.begins)
    if not held.get("memory"):
        # A new process may begin with the most that the one before it in its place ever had.
        watch.most_bytes = resident_bytes() + MEMORY_BYTES
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.execute(f"PRAGMA hard_heap_limit={HEAP_BYTES}")  # of the whole process
    _say(answers, {"ready": held})
    image = b""
    while (message := received(questions)) is not None:
        if "image" in message:
            image = b""  # frees the one before first
            image = questions.read(message["image"])
            _say(answers, {"loaded": len(image)})
        else:
            _say(answers, {"id": message["id"], **answer(message, image, watch)})


def answer(question: Mapping[str, Any], image: bytes, watch: Watch) -> dict[str, Any]:
    """The rows of one query, or what SQLite said against it. Nothing of it is left for the next one."""
    connection = sqlite3.connect(":memory:", check_same_thread=False, isolation_level=None)
    watch.begin(connection, question["soft_s"], question["hard_s"])
    try:
        connection.deserialize(image)
        _refresh(connection, question)
        fence(connection)
        # Not all bytes that SQL can make are text.
        connection.text_factory = lambda raw: raw.decode("utf-8", "replace")
        if not is_query(question["sql"]):
            return {"error": "not a query", "kind": "sql"}
        return _fetched(connection.execute(question["sql"]), question)
    except (sqlite3.Error, sqlite3.Warning, ValueError, OverflowError) as error:
        return {"error": str(error)[:500], "kind": _KINDS.get(getattr(error, "sqlite_errorname", ""), "sql")}
    except MemoryError:
        return {"error": "", "kind": "memory"}
    finally:
        watch.end()
        connection.close()


def _refresh(connection: sqlite3.Connection, question: Mapping[str, Any]) -> None:
    """What moves while the rows stay the same: the clock, and the tasks it makes late."""
    connection.execute("UPDATE me SET now = ?", [question["now"]])
    connection.execute(
        "UPDATE tasks SET overdue = 1 WHERE id IN (SELECT task FROM soon WHERE at_us < ?)", [question["now_us"]]
    )
    connection.execute("DROP TABLE soon")


def _fetched(cursor: sqlite3.Cursor, question: Mapping[str, Any]) -> dict[str, Any]:
    rows: list[list[Any]] = []
    cut = set[str]()
    room = question["size"]
    for found in cursor:
        if len(rows) == question["rows"]:
            cut.add("rows")
            break
        row = [_cell(value, question["cell"], cut.add) for value in found]
        room -= len(json.dumps(row, ensure_ascii=False).encode())
        if room < 0:
            cut.add("bytes")
            break
        rows.append(row)
    names = [column[0][:NAME_LENGTH] for column in cursor.description or ()]
    return {"columns": names, "rows": rows, "cut": sorted(cut)}


def _cell(value: Any, longest: int, cut: Callable[[str], None]) -> Any:
    """A value as JSON has it."""
    match value:
        case str() if len(value) > longest:
            cut("cells")
            return f"{value[:longest]}..."
        case bytes():
            return f"x'{value[:BLOB_LENGTH].hex()}'" + ("..." if len(value) > BLOB_LENGTH else "")
        case float() if not math.isfinite(value):
            return None
    return value


def _say(stream: BinaryIO, message: Mapping[str, Any]) -> None:
    stream.write(packed(message))
    stream.flush()
