"""The statements that a call needs: counted, because a count says the same on every machine."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import event

from tests.living import Living


@contextmanager
def statements(living: Living) -> Iterator[list[str]]:
    """The data statements the tool server sends meanwhile; what opens a transaction does not count."""
    assert living.mcp_database is not None
    engine = living.mcp_database.engine.sync_engine
    seen: list[str] = []

    def note(_: Any, __: Any, statement: str, *___: Any) -> None:
        if not statement.startswith(("BEGIN", "SELECT set_config", "PRAGMA")):
            seen.append(statement)

    event.listen(engine, "before_cursor_execute", note)
    try:
        yield seen
    finally:
        event.remove(engine, "before_cursor_execute", note)
