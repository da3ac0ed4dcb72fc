"""The family of values a task is read and written as."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from enum import IntEnum
from typing import Any, Final

FAR_DAY: Final = date(9999, 12, 31)  # stands for "no due day" where the paging key may not be NULL
NO_PRIORITY: Final = 4
SEVERAL: Final = "several"  # the author of text that more than one person wrote
INBOX: Final = 0  # the list of what lies in no list


class Status(IntEnum):
    """Where a task stands."""

    OPEN = 0
    DONE = 1
    CANCELLED = 2


@dataclass(frozen=True, slots=True)
class Reminder:
    """When to remind: so many minutes before the task is due, or at an instant."""

    offset_min: int | None = None
    at_us: int | None = None


@dataclass(frozen=True, slots=True)
class Task:
    """One task with all that people write on it. Numbers of tasks, lists and tags mean something in its space only."""

    space_id: str
    no: int
    title: str
    notes: str = ""
    list_no: int = INBOX
    parent_no: int | None = None
    status: Status = Status.OPEN
    priority: int = NO_PRIORITY
    due_date: date | None = None
    due_min: int | None = None
    due_tz: str | None = None
    start_date: date | None = None
    deadline: date | None = None
    rrule: str | None = None
    repeat_text: str | None = None
    repeat_from: str | None = None
    repeat_anchor: date | None = None
    estimate_min: int | None = None
    assignee: str | None = None
    author: str | None = None
    position: str = ""
    fields: Mapping[str, Any] = field(default_factory=dict)
    ext_src: str | None = None
    ext_id: str | None = None
    created_us: int = 0
    updated_us: int = 0
    completed_us: int | None = None
    deleted_us: int | None = None
    rev: int = 0
    tags: tuple[int, ...] = ()
    blocked_by: tuple[int, ...] = ()
    blocked: bool = False  # whether one of `blocked_by` is still open: read, never written
    reminders: tuple[Reminder, ...] = ()

    @property
    def is_open(self) -> bool:
        """Whether it is still to be done: neither finished nor in the trash."""
        return self.status is Status.OPEN and self.deleted_us is None


@dataclass(frozen=True, slots=True)
class TaskPage:
    """Some of the tasks a filter found, how many there are in all, and where to go on."""

    tasks: tuple[Task, ...]
    total: int
    filter: str
    sort: str
    cursor: str
    notes: tuple[str, ...] = ()
