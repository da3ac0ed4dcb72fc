"""The tables that a person's SQL sees: made for questions, with days and times as text in the person's own zone."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final


@dataclass(frozen=True, slots=True)
class Column:
    """One column: its name and type, what to know about it, and the expression of one that is computed when read."""

    name: str
    kind: str = "TEXT"
    note: str = ""
    made: str = ""

    @property
    def definition(self) -> str:
        """The column as CREATE TABLE has it."""
        made = f" GENERATED ALWAYS AS ({self.made}) VIRTUAL" if self.made else ""
        return f"{self.name} {self.kind}{made}"


def _number(name: str, note: str = "") -> Column:
    return Column(name, "INTEGER", note)


def _month(day: str) -> str:
    return f"substr({day}, 1, 7)"


def _weekday(day: str) -> str:
    return f"substr('SunMonTueWedThuFriSat', 1 + 3 * strftime('%w', {day}), 3)"


TABLES: Final[Mapping[str, tuple[Column, ...]]] = MappingProxyType(
    {
        "tasks": (
            Column("id", "TEXT PRIMARY KEY", "T12; ann:T12 in a list ann shares"),
            _number("no"),
            Column("owner", note="me, or who shares it"),
            Column("title"),
            Column("list"),
            Column("section"),
            Column("status", note="open, done, cancelled"),
            _number("priority", "1-4, 1 is highest"),
            Column("due", note="2026-11-20"),
            Column("due_time", note="09:00"),
            Column("due_tz", note="only if it has a zone of its own"),
            Column("due_week", note="2026-W47"),
            Column("due_month", note="2026-11", made=_month("due")),
            Column("due_weekday", note="Fri", made=_weekday("due")),
            Column("start"),
            Column("deadline"),
            Column("repeat"),
            _number("estimate_min"),
            Column("parent", note="id of the task above"),
            Column("assignee"),
            Column("author"),
            Column("tags", note="comma list; one row each in tags"),
            Column("created", note="2026-11-20 09:41"),
            Column("created_date", made="substr(created, 1, 10)"),
            Column("created_week"),
            Column("updated"),
            Column("done", note="when it was finished or cancelled"),
            Column("done_date", made="substr(done, 1, 10)"),
            Column("done_week"),
            Column("done_month", made=_month("done")),
            Column("done_weekday", made=_weekday("done")),
            Column("done_hour", "INTEGER", made="CAST(substr(done, 12, 2) AS INTEGER)"),
            _number("days_open", "until done, else until today"),
            _number("days_late", "after due; 0 if in time"),
            _number("overdue", "0 or 1"),
            _number("blocked", "0 or 1"),
            _number("subtasks"),
            _number("subtasks_done"),
            _number("comments"),
            Column("fields", note="custom fields: fields ->> '$.\"Effort\"'"),
            Column("notes"),
        ),
        "lists": (
            Column("name"),
            Column("parent", note="the list of a section"),
            Column("owner"),
            _number("archived", "0 or 1"),
            _number("open", "tasks in it and its sections"),
            _number("done"),
        ),
        "tags": (Column("task"), Column("tag")),
        "comments": (
            Column("id"),
            Column("task"),
            Column("author"),
            Column("at"),
            Column("date", made="substr(at, 1, 10)"),
            Column("body"),
        ),
        "deps": (Column("task"), Column("blocked_by")),
        "completions": (
            Column("task"),
            Column("title"),
            Column("list"),
            Column("status", note="done, cancelled"),
            Column("due"),
            Column("done"),
            Column("done_date", note="the day it counted for"),
            Column("done_week"),
            Column("done_month", made=_month("done_date")),
            _number("days_late"),
        ),
        "history": (
            _number("op"),
            Column("at"),
            Column("date", made="substr(at, 1, 10)"),
            Column("actor"),
            _number("agent", "1 if through the chat"),
            Column("client"),
            Column("tool"),
            Column("summary"),
            Column("task"),
            Column("field"),
            Column("before"),
            Column("after"),
        ),
        "me": (
            Column("today"),
            Column("now"),
            Column("tz"),
            Column("week_start"),
            _number("partial", "1 if the oldest closed tasks are left out"),
        ),
    }
)
NOTES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "completions": "every time something was finished, each turn of a repeating task too",
        "history": "one row per changed field in your own lists: 90 days, at most 20,000",
        "me": "one row",
    }
)

# Not for the person: when timed tasks of today become overdue, for the worker to look at right before a query.
HIDDEN: Final = "CREATE TABLE soon (task TEXT, at_us INTEGER)"


def creation() -> str:
    """The statements that create all tables."""
    visible = [
        f"CREATE TABLE {table} ({', '.join(column.definition for column in columns)})"
        for table, columns in TABLES.items()
    ]
    return ";\n".join([*visible, HIDDEN])
