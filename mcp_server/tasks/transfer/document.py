"""What a file of tasks says, whatever its format: names, tasks and what happened to them, all of it still words.

Dates are words as `dates.resolve` reads them, repeats are words or an RRULE, instants are ISO 8601. Who writes a
document to be exported writes them canonically: `2026-11-20 09:00 Europe/Berlin`, `2026-11-18T10:31:04Z`.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from mcp_server.tasks.task import NO_PRIORITY

StatusWord = Literal["open", "done", "cancelled"]
NameKind = Literal["list", "section", "tag", "view", "field"]
Value = str | int | float | bool

_DUE: Final = re.compile(r"(?P<day>\d{4}-\d\d-\d\d)(?: (?P<clock>\d\d:\d\d))?(?: (?P<zone>[A-Za-z]\S*))?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Fault:
    """Something in a file that was not understood, and in which of its lines."""

    line: int
    what: str


@dataclass(frozen=True, slots=True)
class NameRecord:
    """A list, section, tag, view or custom field."""

    kind: NameKind
    name: str
    list_name: str = ""  # of a section
    filter: str = ""  # of a view
    options: Mapping[str, Any] = field(default_factory=dict)
    is_archived: bool = False


@dataclass(frozen=True, slots=True)
class TaskRecord:
    """One task as a file has it.

    `ref` is its name within the file, where `parent` and `blocked_by` name others. `given` are the fields that the
    file speaks about; `time` is among them when a due date without a time means the whole day.
    """

    ref: str
    title: str
    line: int = 0
    given: frozenset[str] = frozenset()
    source: str = ""
    source_id: str = ""
    notes: str = ""
    list_name: str = ""
    section: str = ""
    status: StatusWord = "open"
    priority: int = NO_PRIORITY
    due: str = ""
    start: str = ""
    deadline: str = ""
    repeat: str = ""
    rrule: str = ""  # the same rule as `repeat`, or the only form of it
    anchor: str = ""
    estimate_min: int | None = None
    reminders: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    parent: str = ""
    blocked_by: tuple[str, ...] = ()
    assignee: str = ""
    fields: tuple[tuple[str, Value], ...] = ()
    created: str = ""
    completed: str = ""


@dataclass(frozen=True, slots=True)
class CompletionRecord:
    """That a task, or one occurrence of it, was finished."""

    task: str
    done: str
    due: str = ""
    status: StatusWord = "done"
    line: int = 0


@dataclass(frozen=True, slots=True)
class CommentRecord:
    """What somebody said about a task."""

    task: str
    text: str
    created: str = ""
    author: str = ""
    line: int = 0


@dataclass(frozen=True, slots=True)
class Document:
    """All that a file says, and all that was not understood of it."""

    format: str
    tasks: tuple[TaskRecord, ...] = ()
    names: tuple[NameRecord, ...] = ()
    completions: tuple[CompletionRecord, ...] = ()
    comments: tuple[CommentRecord, ...] = ()
    exported: str = ""
    tz: str = ""
    mapping: Mapping[str, str] = field(default_factory=dict)  # what the file calls a field -> the field
    unrecognised: tuple[str, ...] = ()
    faults: tuple[Fault, ...] = ()
    left_out: int = 0  # tasks that could not be read
    notes: tuple[str, ...] = ()


def due_parts(words: str) -> tuple[str, str, str]:
    """Day, time and zone of a canonical due date; words that are not canonical are all day."""
    match = _DUE.fullmatch(words)
    return (match["day"], match["clock"] or "", match["zone"] or "") if match else (words, "", "")
