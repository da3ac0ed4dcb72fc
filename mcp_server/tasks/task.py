"""The family of values a task is read and written as."""

from dataclasses import dataclass
from datetime import date
from enum import IntEnum
from typing import Final

FAR_DAY: Final = date(9999, 12, 31)  # stands for "no due day" where the paging key may not be NULL
NO_PRIORITY: Final = 4


class Status(IntEnum):
    """Where a task stands."""

    OPEN = 0
    DONE = 1
    CANCELLED = 2


@dataclass(frozen=True, slots=True)
class Task:
    """One task as its owner sees it."""

    no: int
    title: str
    notes: str
    status: Status
    priority: int
    due_date: date | None
    due_min: int | None
    due_tz: str | None
    completed_us: int | None
    rev: int

    @property
    def ref(self) -> str:
        """The name people and models call it by."""
        return f"T{self.no}"


@dataclass(frozen=True, slots=True)
class NewTask:
    """A task as it is asked for: the words are still words."""

    title: str
    notes: str = ""
    due: str = ""
    priority: int = NO_PRIORITY


@dataclass(frozen=True, slots=True)
class TaskPage:
    """Some of the tasks a filter found, how many there are in all, and where to go on."""

    tasks: tuple[Task, ...]
    total: int
    filter: str
    sort: str
    cursor: str
    notes: tuple[str, ...] = ()
