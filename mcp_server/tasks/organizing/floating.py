"""What floats with a person: instants that follow from a local time, computed anew when he lives by another clock.

Nothing is recorded for a task: what people wrote stays as it is, and the same comes out whenever it is computed.
"""

from typing import Final

from sqlalchemy import and_, bindparam, or_, select, update

from mcp_server.tasks.tables import reminders, tasks
from mcp_server.tasks.task import Reminder, Status, Task
from mcp_server.tasks.writing.bench import due_at_us, fires_us
from mcp_server.tasks.writing.journal import Op, in_portions


async def refloat(op: Op) -> None:
    """Compute the due instants and reminders of the space anew, where they hang on its zone or the start of its day."""
    space_id, habits = op.space.id, op.space.habits
    due = await op.tx.all(
        select(tasks.c.no, tasks.c.due_date, tasks.c.due_min, tasks.c.due_at_us).where(
            tasks.c.space_id == space_id, tasks.c.due_min.is_not(None), tasks.c.due_tz.is_(None)
        )
    )
    instants = [
        {"old_no": no, "instant": instant}
        for no, day, minutes, was in due
        if (instant := due_at_us(Task(space_id, no, "", due_date=day, due_min=minutes), habits)) != was
    ]
    for some in in_portions(instants):
        await op.tx.execute(_SET_DUE.where(tasks.c.space_id == space_id), some)
    relative = await op.tx.all(
        select(
            reminders.c.no,
            reminders.c.offset_min,
            reminders.c.fire_us,
            tasks.c.due_date,
            tasks.c.due_min,
            tasks.c.due_tz,
            tasks.c.status,
            tasks.c.deleted_us,
        )
        .join_from(reminders, tasks, and_(tasks.c.space_id == reminders.c.space_id, tasks.c.no == reminders.c.task_no))
        .where(reminders.c.space_id == space_id, reminders.c.offset_min.is_not(None))
        .where(or_(tasks.c.due_tz.is_(None), tasks.c.due_min.is_(None)))
    )
    alarms = []
    for no, offset_min, was, day, minutes, zone, status, deleted_us in relative:
        task = Task(
            space_id, no, "", due_date=day, due_min=minutes, due_tz=zone, status=Status(status), deleted_us=deleted_us
        )
        if (fire_us := fires_us(task, Reminder(offset_min), habits)) != was:
            alarms.append({"old_no": no, "instant": fire_us})
    for some in in_portions(alarms):
        await op.tx.execute(_SET_ALARM.where(reminders.c.space_id == space_id), some)


_SET_DUE: Final = update(tasks).where(tasks.c.no == bindparam("old_no")).values(due_at_us=bindparam("instant"))
_SET_ALARM: Final = update(reminders).where(reminders.c.no == bindparam("old_no")).values(fire_us=bindparam("instant"))
