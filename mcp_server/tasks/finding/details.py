"""What belongs to a task but not into a line: comments, subtasks, who waits for it and for whom it waits."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import or_, select

from mcp_server.tasks.rows import LINE_COLUMNS, as_task
from mcp_server.tasks.sight import Area, Sight
from mcp_server.tasks.tables import deps, tasks
from mcp_server.tasks.task import Task
from mcp_server.tasks.writing.comments import Comment, read_comments
from shared.db import Tx


@dataclass(frozen=True, slots=True)
class Details:
    """The surroundings of one task, as far as the caller sees them."""

    comments: Sequence[Comment] = ()
    subtasks: Sequence[Task] = ()
    blocked_by: Sequence[Task] = ()
    blocks: Sequence[Task] = ()


async def read_details(tx: Tx, sight: Sight, shown: Sequence[Task]) -> dict[tuple[str, int], Details]:
    """The details of these tasks by space and number: three statements for each space they lie in."""
    found: dict[tuple[str, int], Details] = {}
    for area in sight.areas:
        own = [task for task in shown if task.space_id == area.space.id]
        if own:
            found |= await _read_in(tx, area, own)
    return found


async def _read_in(tx: Tx, area: Area, shown: Sequence[Task]) -> dict[tuple[str, int], Details]:
    numbers = [task.no for task in shown]
    comments = await read_comments(tx, area, numbers)
    waiting = await tx.all(
        select(deps.c.task_no, deps.c.blocked_by).where(
            deps.c.space_id == area.space.id, deps.c.blocked_by.in_(numbers)
        )
    )
    blockers = {number for task in shown for number in task.blocked_by}
    near = [
        as_task(row)
        for row in await tx.all(
            select(*LINE_COLUMNS)
            .where(area.rows(), tasks.c.deleted_us.is_(None))
            .where(or_(tasks.c.parent_no.in_(numbers), tasks.c.no.in_(sorted(blockers | {row[0] for row in waiting}))))
            .order_by(tasks.c.position, tasks.c.no)
        )
    ]
    by_no = {task.no: task for task in near}
    return {
        (area.space.id, task.no): Details(
            comments=[comment for comment in comments if comment.task_no == task.no],
            subtasks=[other for other in near if other.parent_no == task.no],
            blocked_by=[by_no[number] for number in task.blocked_by if number in by_no],
            blocks=[by_no[row[0]] for row in waiting if row[1] == task.no and row[0] in by_no],
        )
        for task in shown
    }
