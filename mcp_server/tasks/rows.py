"""A row of the table `tasks` as a `Task`."""

from typing import Final

from mcp_server.tasks.tables import tasks
from mcp_server.tasks.task import Status, Task
from shared.db import AnyRow

COLUMNS: Final = (
    tasks.c.no,
    tasks.c.title,
    tasks.c.notes,
    tasks.c.status,
    tasks.c.priority,
    tasks.c.due_date,
    tasks.c.due_min,
    tasks.c.due_tz,
    tasks.c.completed_us,
    tasks.c.rev,
)


def as_task(row: AnyRow) -> Task:
    """A row of `COLUMNS` as a task. By position: reading by name costs as much as the statement."""
    no, title, notes, status, priority, due_date, due_min, due_tz, completed_us, rev = row[:10]
    return Task(no, title, notes, Status(status), priority, due_date, due_min, due_tz, completed_us, rev)
