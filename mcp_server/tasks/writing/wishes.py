"""What people wish for a task: the words as they were written, not yet understood. What is empty was not said."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from shared.errors import Problem


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What can be said of a new task as well as of one that is there."""

    title: str = ""
    notes: str = ""
    list: str = ""
    due: str = ""
    start: str = ""
    deadline: str = ""
    repeat: str = ""
    priority: int | None = None
    estimate: str = ""
    remind: Sequence[str] = ()
    tags: Sequence[str] = ()
    parent: str = ""
    assignee: str = ""
    fields: Mapping[str, Any] = field(default_factory=dict)
    blocked_by: Sequence[str] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class NewTask(Wish):
    """A task to add."""

    subtasks: Sequence[str] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskChange(Wish):
    """A change of some tasks."""

    refs: Sequence[str] = ()
    append_notes: str = ""
    comment: str = ""
    position: str = ""
    clear: Sequence[str] = ()
    version: int | None = None


@contextmanager
def speaking_of(where: str) -> Iterator[None]:
    """Inside, every refusal says which entry of the call it is about."""
    try:
        yield
    except Problem as problem:
        message = problem.message if problem.message.startswith(where) else f"{where}: {problem.message}"
        raise Problem(problem.code, message, problem.hint) from problem.__cause__
