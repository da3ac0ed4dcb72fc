"""Reading tasks: a filter or references in, a page with the exact total out, in one statement."""

from collections.abc import Sequence
from datetime import date
from typing import Any, Final

from sqlalchemy import ColumnElement, Select, func, literal, select, tuple_

from mcp_server.tasks.cursors import Cursors
from mcp_server.tasks.filters import TaskFilter, parse
from mcp_server.tasks.rows import COLUMNS, as_task
from mcp_server.tasks.spaces import Space
from mcp_server.tasks.tables import tasks
from mcp_server.tasks.task import TaskPage
from shared.db import AnyRow, Tx
from shared.errors import Problem

# The order of open tasks, and what a cursor holds: every part is never NULL, so no task is lost between two pages.
OPEN_ORDER: Final = (tasks.c.due_day, tasks.c.priority, tasks.c.no)
CLOSED_ORDER: Final = (tasks.c.completed_us, tasks.c.no)


async def find(tx: Tx, space: Space, text: str, *, limit: int, cursor: str, cursors: Cursors) -> TaskPage:
    """The tasks a filter matches: open ones by due day and priority, finished ones newest first."""
    wanted = parse(text, tx.now, space.habits)
    question = f"{space.id} {wanted.text}"
    order = CLOSED_ORDER if wanted.closed_only else OPEN_ORDER
    mine = _own(space, wanted)
    page = select(*COLUMNS, *order[:1]).where(mine)
    rev_then = space.rev
    if cursor:
        rev_then, *position = cursors.open(question, cursor)
        page = page.where(_after(order, _position_in(position, wanted), wanted))
    page = page.order_by(*(column.desc() for column in order) if wanted.closed_only else order).limit(limit + 1)
    rows, total = await _page_and_total(tx, page, mine)
    more = len(rows) > limit
    rows = rows[:limit]
    last = [rev_then, *_position_out(rows[-1], wanted)] if more else []
    return TaskPage(
        tasks=tuple(as_task(row) for row in rows),
        total=total,
        filter=wanted.text,
        sort="newest first" if wanted.closed_only else "smart",
        cursor=cursors.seal(question, last) if more else "",
        notes=("changed since page 1",) if cursor and rev_then != space.rev else (),
    )


def _own(space: Space, wanted: TaskFilter) -> ColumnElement[bool]:
    return (tasks.c.space_id == space.id) & tasks.c.deleted_us.is_(None) & wanted.condition


async def _page_and_total(tx: Tx, page: Select[Any], mine: ColumnElement[bool]) -> tuple[Sequence[AnyRow], int]:
    total = select(func.count()).select_from(tasks).where(mine)
    rows = await tx.all(page.add_columns(total.scalar_subquery()))
    # An empty page holds no total: nothing matches, or the tasks behind the cursor have gone meanwhile.
    return rows, (rows[0][-1] if rows else (await tx.one(total) or (0,))[0])


def _after(order: Sequence[ColumnElement[Any]], position: Sequence[Any], wanted: TaskFilter) -> ColumnElement[bool]:
    here = tuple_(*order)
    there = tuple_(*(literal(value, column.type) for value, column in zip(position, order, strict=True)))
    return here < there if wanted.closed_only else here > there


def _position_out(row: AnyRow, wanted: TaskFilter) -> list[Any]:
    no, priority, leading = row[0], row[4], row[len(COLUMNS)]
    return [leading, no] if wanted.closed_only else [leading.isoformat(), priority, no]


def _position_in(position: Sequence[Any], wanted: TaskFilter) -> Sequence[Any]:
    try:
        if wanted.closed_only:
            completed_us, no = position
            return [int(completed_us), int(no)]
        day, priority, no = position
        return [date.fromisoformat(day), int(priority), int(no)]
    except (TypeError, ValueError):
        raise Problem("bad_cursor", "this cursor belongs to another sort", "start again without cursor") from None
