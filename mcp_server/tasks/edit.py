"""Writing tasks: add and complete. Every change is recorded in the operation it belongs to."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from typing import Any, Final

from sqlalchemy import bindparam, insert, or_, select, update

from mcp_server.tasks.calendar.dates import instant_us, resolve
from mcp_server.tasks.journal import Op
from mcp_server.tasks.refs import read_refs
from mcp_server.tasks.spaces import space_of
from mcp_server.tasks.tables import completions, tasks
from mcp_server.tasks.task import FAR_DAY, NewTask, Status, Task
from mcp_server.tasks.words import checked_notes, checked_title, search_text, title_pattern
from shared.errors import Problem

BATCH_LIMIT: Final = 100


async def add(op: Op, new: Sequence[NewTask]) -> tuple[list[Task], list[str]]:
    """Create tasks, all or none of them. Returns them, and notes the person should read."""
    _require_batch(len(new), "tasks")
    notes: list[str] = []
    rows = [_new_row(op, task, f"tasks[{index}]", notes) for index, task in enumerate(new)]
    notes += await _duplicate_notes(op, new)
    await op.tx.execute(insert(tasks), rows)
    for row in rows:
        op.record("task", row["no"], None, _image(row))
    made = [
        Task(
            no=row["no"],
            title=row["title"],
            notes=row["notes"],
            status=Status.OPEN,
            priority=row["priority"],
            due_date=row["due_date"],
            due_min=row["due_min"],
            due_tz=row["due_tz"],
            completed_us=None,
            rev=op.rev,
        )
        for row in rows
    ]
    return made, notes


_CLOSE = (
    update(tasks)
    .where(tasks.c.space_id == bindparam("space"), tasks.c.no == bindparam("task"))
    .values(
        status=bindparam("new_status"),
        completed_us=bindparam("new_completed_us"),
        updated_us=bindparam("new_updated_us"),
        rev=bindparam("new_rev"),
    )
)


async def set_status(op: Op, refs: Sequence[str], status: Status) -> tuple[list[Task], int]:
    """Finish, cancel or reopen tasks. One that already stands there stays as it is and is no error.

    Returns the tasks as they are now, and how many were changed.
    """
    _require_batch(len(refs), "refs")
    before = await read_refs(op.tx, op.space, refs)
    completed_us = None if status is Status.OPEN else op.tx.now_us
    moving = [task for task in before if task.status is not status]
    if moving:
        values = {"new_status": status, "new_completed_us": completed_us, "new_updated_us": op.tx.now_us}
        await op.tx.execute(
            _CLOSE, [{"space": op.space.id, "task": task.no, "new_rev": op.rev, **values} for task in moving]
        )
        for task in moving:
            op.record(
                "task",
                task.no,
                {"status": task.status, "completed_us": task.completed_us},
                {"status": status, "completed_us": completed_us},
            )
        if status is not Status.OPEN:
            await _record_completions(op, moving, status)
    after = [
        task if task.status is status else replace(task, status=status, completed_us=completed_us, rev=op.rev)
        for task in before
    ]
    return after, len(moving)


async def _record_completions(op: Op, finished: Sequence[Task], status: Status) -> None:
    done_day = op.tx.now.astimezone(op.space.zone).date()
    rows: list[dict[str, Any]] = [
        {
            "space_id": op.space.id,
            "no": op.number(),
            "task_no": task.no,
            "due_date": task.due_date,
            "done_us": op.tx.now_us,
            "done_day": done_day,
            "status": status,
            "rev": op.rev,
        }
        for task in finished
    ]
    await op.tx.execute(insert(completions), rows)
    for row in rows:
        op.record("completion", row["no"], None, {"task_no": row["task_no"], "status": status})


def _new_row(op: Op, new: NewTask, where: str, notes: list[str]) -> dict[str, Any]:
    title, text = checked_title(new.title, where), checked_notes(new.notes, where)
    due_date, due_min, due_tz, due_at_us = _due(op, new.due, where, notes)
    number = op.number()
    return {
        "space_id": op.space.id,
        "no": number,
        "title": title,
        "notes": text,
        "priority": new.priority,
        "due_date": due_date,
        "due_min": due_min,
        "due_tz": due_tz,
        "due_day": due_date or FAR_DAY,
        "due_at_us": due_at_us,
        "author": space_of(op.tx.caller),
        "search": search_text(title, text),
        "created_us": op.tx.now_us,
        "updated_us": op.tx.now_us,
        "rev": op.rev,
    }


def _due(op: Op, words: str, where: str, notes: list[str]) -> tuple[date | None, int | None, str | None, int | None]:
    if not words.strip():
        return None, None, None, None
    try:
        when = resolve(words, op.tx.now, op.space.habits)
    except Problem as problem:
        raise Problem(problem.code, f"{where}: {problem.message}", problem.hint) from None
    at_us = instant_us(when, op.space.zone)
    if when.day < op.tx.now.astimezone(op.space.zone).date() or (at_us is not None and at_us < op.tx.now_us):
        notes.append(f"{where}: this is in the past")
    return when.day, when.minutes, when.zone, at_us


async def _duplicate_notes(op: Op, new: Sequence[NewTask]) -> list[str]:
    """A word about each new title that an open task has already; adding it twice may be meant."""
    same = [tasks.c.search.like(title, escape="\\") for title in sorted({title_pattern(task.title) for task in new})]
    found = await op.tx.all(
        select(tasks.c.no)
        .where(tasks.c.space_id == op.space.id, tasks.c.status == Status.OPEN, tasks.c.deleted_us.is_(None))
        .where(or_(*same))
        .order_by(tasks.c.no)
        .limit(BATCH_LIMIT)
    )
    return [f"T{row.no} has the same title" for row in found]


def _image(row: dict[str, Any]) -> dict[str, Any]:
    """What a new task was made of, without what can be computed again and what is empty."""
    derived = {"space_id", "no", "due_day", "due_at_us", "search", "rev", "updated_us"}
    plain = {name: value for name, value in row.items() if name not in derived and value not in (None, "")}
    return {name: value.isoformat() if isinstance(value, date) else value for name, value in plain.items()}


def _require_batch(size: int, what: str) -> None:
    if size == 0:
        raise Problem("missing_argument", f"{what} is empty", "name at least one")
    if size > BATCH_LIMIT:
        raise Problem("too_many", f"{what} has {size:,} entries", f"at most {BATCH_LIMIT} in one call")
