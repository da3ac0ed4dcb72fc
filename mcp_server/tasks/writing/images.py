"""Tasks as the journal keeps them: JSON of their content, and only of the fields that a write has changed.

What can be computed again (`due_day`, `search`, ...) and what every write touches (`rev`, `updated_us`) is no content.
"""

from collections.abc import Mapping
from dataclasses import fields, replace
from datetime import date
from typing import Any, Final

from mcp_server.tasks.rows import sorted_reminders
from mcp_server.tasks.task import Reminder, Status, Task

Image = dict[str, Any]

_DERIVED: Final = frozenset({"space_id", "no", "rev", "updated_us", "blocked"})
CONTENT: Final = tuple(field.name for field in fields(Task) if field.name not in _DERIVED)
DATES: Final = frozenset({"due_date", "start_date", "deadline", "repeat_anchor"})
NUMBERS: Final = frozenset({"tags", "blocked_by"})
# Fields as people call them, where the column has another name.
_SPOKEN: Final[Mapping[str, str]] = {
    "due_date": "due",
    "due_min": "due",
    "due_tz": "due",
    "start_date": "start",
    "rrule": "repeat",
    "repeat_text": "repeat",
    "repeat_from": "repeat",
    "repeat_anchor": "repeat",
    "completed_us": "status",
    "list_no": "list",
    "parent_no": "parent",
    "estimate_min": "estimate",
    "deleted_us": "trash",
    "archived_us": "archived",
    "ext_src": "source",
    "ext_id": "source",
}
_EMPTY: Final = Task("", 0, "")


def content(task: Task) -> Image:
    """All content."""
    return {name: _out(name, getattr(task, name)) for name in CONTENT}


def image(task: Task) -> Image:
    """All content that is not what a new task has anyway."""
    return {name: _out(name, getattr(task, name)) for name in CONTENT if _differs(name, _EMPTY, task)}


def difference(before: Task, after: Task) -> tuple[Image, Image]:
    """The changed content, as it was and as it is."""
    names = [name for name in CONTENT if _differs(name, before, after)]
    return {name: _out(name, getattr(before, name)) for name in names}, {
        name: _out(name, getattr(after, name)) for name in names
    }


def with_content(task: Task, values: Mapping[str, Any]) -> Task:
    """The task with this content in place of its own."""
    return replace(task, **{name: _in(name, value) for name, value in values.items()})


def _differs(name: str, one: Task, other: Task) -> bool:
    return bool(getattr(one, name) != getattr(other, name))


def _out(name: str, value: Any) -> Any:
    if isinstance(value, date):
        return value.isoformat()
    if name == "reminders":
        return [[reminder.offset_min, reminder.at_us] for reminder in value]
    if name in NUMBERS:
        return list(value)
    if name == "status":
        return int(value)
    return dict(value) if name == "fields" else value


def _in(name: str, value: Any) -> Any:
    if name in DATES:
        return None if value is None else date.fromisoformat(value)
    if name == "reminders":
        return sorted_reminders(Reminder(offset_min, at_us) for offset_min, at_us in value)
    if name in NUMBERS:
        return tuple(sorted(value))
    return Status(value) if name == "status" else value


def field_word(name: str) -> str:
    """A changed field as people call it; a custom field keeps its number."""
    head, dot, rest = name.partition(".")
    return f"{_SPOKEN.get(head, head)}{dot}{rest}"
