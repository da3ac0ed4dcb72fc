"""Completions: each time something was finished, every occurrence of a repeating task too. For trends and history."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

from sqlalchemy import Select, bindparam, delete, insert, select

from mcp_server.tasks.tables import completions
from mcp_server.tasks.task import Status
from mcp_server.tasks.writing.journal import Op, in_portions


@dataclass(frozen=True, slots=True)
class Completion:
    """One time that a task was finished or cancelled. `done_day` is the day it was for the person."""

    no: int
    task_no: int
    due_date: date | None
    done_us: int
    done_day: date
    status: Status


_COLUMNS: Final = (
    completions.c.no,
    completions.c.task_no,
    completions.c.due_date,
    completions.c.done_us,
    completions.c.done_day,
    completions.c.status,
)
_REMOVE: Final = delete(completions).where(completions.c.no == bindparam("old_no"))


async def insert_completions(op: Op, made: Sequence[Completion]) -> None:
    """Write and record completions."""
    rows = [
        {
            "space_id": op.space.id,
            "no": one.no,
            "task_no": one.task_no,
            "due_date": one.due_date,
            "done_us": one.done_us,
            "done_day": one.done_day,
            "status": int(one.status),
            "rev": op.rev,
        }
        for one in made
    ]
    for some in in_portions(rows):
        await op.tx.execute(insert(completions), some)
    for one in made:
        op.record("completion", one.no, None, image_of(one))


async def remove_completions(op: Op, which: Sequence[Completion]) -> None:
    """Take completions back: what was reopened or undone was not finished. The journal keeps them."""
    for some in in_portions([{"old_no": one.no} for one in which]):
        await op.tx.execute(_REMOVE.where(completions.c.space_id == op.space.id), some)
    for one in which:
        op.record("completion", one.no, image_of(one), None)


async def last_completions(op: Op, task_numbers: Sequence[int]) -> dict[int, Completion]:
    """The latest completion of each of these tasks."""
    rows = await op.tx.all(
        select(*_COLUMNS)
        .where(completions.c.space_id == op.space.id, completions.c.task_no.in_(task_numbers))
        .order_by(completions.c.no)
    )
    return {row.task_no: _completion(row) for row in rows}


async def completions_numbered(op: Op, numbers: Sequence[int] | Select[tuple[int]]) -> dict[int, Completion]:
    """These completions, as far as they are there."""
    rows = await op.tx.all(
        select(*_COLUMNS).where(completions.c.space_id == op.space.id, completions.c.no.in_(numbers))
    )
    return {row.no: _completion(row) for row in rows}


def image_of(completion: Completion) -> dict[str, Any]:
    """All content of a completion."""
    return {
        "task_no": completion.task_no,
        "due_date": completion.due_date.isoformat() if completion.due_date else None,
        "done_us": completion.done_us,
        "done_day": completion.done_day.isoformat(),
        "status": int(completion.status),
    }


def from_image(no: int, image: Mapping[str, Any]) -> Completion:
    """The completion that this content describes."""
    due = image.get("due_date")
    return Completion(
        no,
        image["task_no"],
        date.fromisoformat(due) if due else None,
        image["done_us"],
        date.fromisoformat(image["done_day"]),
        Status(image["status"]),
    )


def _completion(row: Sequence[Any]) -> Completion:
    no, task_no, due_date, done_us, done_day, status = row
    return Completion(no, task_no, due_date, done_us, done_day, Status(status))
