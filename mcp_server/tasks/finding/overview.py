"""Everything at a glance: how much there is and where, and what is due."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from sqlalchemy import ColumnElement, and_, case, func, or_, select

from mcp_server.tasks.rows import LINE_COLUMNS, as_task
from mcp_server.tasks.sight import Sight
from mcp_server.tasks.tables import reminders, task_tags, tasks
from mcp_server.tasks.task import Status, Task
from shared.db import Tx, microseconds

DUE_SHOWN = 20
REMINDED_S = 24 * 3600

Where = tuple[str, int]  # a space and a number in it


@dataclass(frozen=True, slots=True)
class Overview:
    """Counts of open tasks, in all and by list and tag, what is due up to a day, and what went off lately."""

    open: int
    overdue: int
    today: int
    trash: int
    by_list: Mapping[Where, int]
    by_tag: Mapping[Where, int]
    due: Sequence[Task]
    due_total: int
    reminded: Sequence[tuple[int, Task]]


async def read_overview(tx: Tx, sight: Sight, *, days: int) -> Overview:
    """What the caller has; `days` ahead of today counts as due soon. Five statements, however much there is."""
    today = tx.now.astimezone(sight.own.space.zone).date()
    is_open = _is_open(sight)
    overdue = or_(and_(tasks.c.due_min.is_(None), tasks.c.due_day < today), tasks.c.due_at_us < microseconds(tx.now))
    last = today + timedelta(days)
    by_list = await tx.all(
        select(
            tasks.c.space_id,
            tasks.c.list_no,
            func.count(),
            func.sum(case((overdue, 1), else_=0)),
            func.sum(case((tasks.c.due_day == today, 1), else_=0)),
            func.sum(case((tasks.c.due_day <= last, 1), else_=0)),
        )
        .where(is_open)
        .group_by(tasks.c.space_id, tasks.c.list_no)
    )
    by_tag = await tx.all(
        select(tasks.c.space_id, task_tags.c.tag_no, func.count())
        .join_from(tasks, task_tags, and_(task_tags.c.space_id == tasks.c.space_id, task_tags.c.task_no == tasks.c.no))
        .where(is_open)
        .group_by(tasks.c.space_id, task_tags.c.tag_no)
    )
    trash = await tx.one(select(func.count()).select_from(tasks).where(sight.rows(), tasks.c.deleted_us.is_not(None)))
    due = await _due(tx, is_open, last)
    return Overview(
        open=sum(row[2] for row in by_list),
        overdue=sum(row[3] for row in by_list),
        today=sum(row[4] for row in by_list),
        trash=trash[0] if trash else 0,
        by_list={(row[0], row[1]): row[2] for row in by_list},
        by_tag={(row[0], row[1]): row[2] for row in by_tag},
        due=due,
        due_total=sum(row[5] for row in by_list),
        reminded=await read_reminded(tx, sight),
    )


async def read_reminded(tx: Tx, sight: Sight) -> Sequence[tuple[int, Task]]:
    """The reminders of the last day, for those who were not there when they went off."""
    since = tx.now_us - REMINDED_S * 1_000_000
    rows = await tx.all(
        select(*LINE_COLUMNS, reminders.c.fire_us)
        .join_from(tasks, reminders, and_(reminders.c.space_id == tasks.c.space_id, reminders.c.task_no == tasks.c.no))
        .where(_is_open(sight), reminders.c.fire_us > since, reminders.c.fire_us <= tx.now_us)
        .order_by(reminders.c.fire_us.desc(), tasks.c.no)
        .limit(DUE_SHOWN)
    )
    return [(row[-1], as_task(row)) for row in rows]


async def _due(tx: Tx, is_open: ColumnElement[bool], last: date) -> Sequence[Task]:
    rows = await tx.all(
        select(*LINE_COLUMNS)
        .where(is_open, tasks.c.due_day <= last)
        .order_by(tasks.c.due_day, tasks.c.priority, tasks.c.space_id, tasks.c.no)
        .limit(DUE_SHOWN)
    )
    return [as_task(row) for row in rows]


def _is_open(sight: Sight) -> ColumnElement[bool]:
    return and_(sight.rows(), tasks.c.status == Status.OPEN, tasks.c.deleted_us.is_(None))
