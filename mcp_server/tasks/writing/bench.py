"""The tasks an operation works on: as they were, as they are now. What differs is written once, here and nowhere else.

This file alone writes task rows, so what is computed from them (`due_day`, `search`, reminders ...) is always right,
every change is recorded, and nobody changes a row that he may only view.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any, Final

from sqlalchemy import Table, and_, bindparam, delete, func, insert, or_, select, update

from mcp_server.tasks.calendar.dates import Habits, When, instant_us
from mcp_server.tasks.positions import place_of
from mcp_server.tasks.rows import COLUMNS, as_task
from mcp_server.tasks.sight import require_members
from mcp_server.tasks.tables import deps, reminders, task_tags, tasks
from mcp_server.tasks.task import FAR_DAY, Reminder, Task
from mcp_server.tasks.words import search_text
from mcp_server.tasks.writing.images import difference, image
from mcp_server.tasks.writing.journal import ROWS_AT_ONCE, Op, Progress, in_portions
from shared.errors import Problem

TASK_LIMIT: Final = 100_000  # of one space, finished ones and the trash included


class Bench:
    """Some tasks of the space an operation writes. Ask by number, put back what is changed, save at the end."""

    def __init__(self, op: Op) -> None:
        self._op = op
        self._before: dict[int, Task | None] = {}
        self._now: dict[int, Task] = {}

    async def load(self, numbers: Iterable[int]) -> None:
        """Fetch these tasks, also from the trash; a number that the caller may not see stays unknown."""
        missing = sorted(set(numbers) - self._now.keys())
        for start in range(0, len(missing), 1_000):
            await self.load_where(tasks.c.no.in_(missing[start : start + 1_000]))

    async def load_where(self, *conditions: Any) -> Sequence[Task]:
        """Fetch the tasks of the space that meet the conditions, as they are now; in the order of their numbers."""
        statement = select(*COLUMNS).where(self._op.area.rows(), *conditions).order_by(tasks.c.no)
        found = [as_task(row) for row in await self._op.tx.all(statement)]
        self.take(found)
        return [self._now[task.no] for task in found]

    def take(self, found: Iterable[Task]) -> None:
        """Lay tasks on the bench that were read in this transaction."""
        for task in found:
            if task.no not in self._now:
                self._before[task.no] = self._now[task.no] = task

    async def load_family(self, numbers: Iterable[int]) -> Sequence[Task]:
        """Fetch these tasks and all their subtasks, whatever their depth."""
        await self.load(numbers)
        family = [self._now[number] for number in sorted(set(numbers)) if number in self._now]
        level = [task.no for task in family]
        while level:
            below = await self.load_where(tasks.c.parent_no.in_(level))
            known = {task.no for task in family}
            fresh = [task for task in below if task.no not in known]
            family += fresh
            level = [task.no for task in fresh]
        return family

    def get(self, number: int) -> Task | None:
        """The task as it is now."""
        return self._now.get(number)

    def __getitem__(self, number: int) -> Task:
        return self._now[number]

    def before(self, number: int) -> Task | None:
        """The task as it was before the operation; nothing for a new one."""
        return self._before.get(number)

    def put(self, task: Task) -> None:
        """Change a task; `add` and `load` know it already."""
        if task.no not in self._now:
            raise KeyError(task.no)
        self._now[task.no] = task

    def add(self, task: Task) -> None:
        """A new task."""
        self._before[task.no] = None
        self._now[task.no] = task if task.position else replace(task, position=place_of(task.no))

    @property
    def tasks(self) -> Sequence[Task]:
        """Everything on the bench as it is now, by number."""
        return [self._now[number] for number in sorted(self._now)]

    def changed(self) -> Sequence[tuple[Task | None, Task]]:
        """What differs, as it was and as it is, by number."""
        pairs = [(self._before[number], self._now[number]) for number in sorted(self._now)]
        return [(before, now) for before, now in pairs if before is None or difference(before, now)[1]]

    async def save(self, progress: Progress | None = None) -> Sequence[tuple[Task | None, Task]]:
        """Write and record what differs; returns it. The bench goes on from there.

        What takes several statements is told to `progress`, or else to whoever wants to know about the operation.
        """
        op = self._op
        changed = [(before, replace(now, rev=op.rev, updated_us=op.tx.now_us)) for before, now in self.changed()]
        for before, now in changed:
            if before is not None:
                op.area.require_edit(before.list_no)
            op.area.require_edit(now.list_no)
        given_to = {now.assignee for before, now in changed if before is None or before.assignee != now.assignee}
        await require_members(op.tx, op.sight, op.area, {person for person in given_to if person})
        made = [_row(op, now) for before, now in changed if before is None]
        kept = [{f"new_{name}": value for name, value in _row(op, now).items()} for before, now in changed if before]
        done, total = 0, len(made) + len(kept)
        if made:
            await self._require_room(len(made))
        for rows, statement in ((made, insert(tasks)), (kept, _UPDATE)):
            for some in in_portions(rows):
                await op.tx.execute(statement, some)
                done += len(some)
                if progress is not None or total > ROWS_AT_ONCE:
                    await (progress or op.progress)(done, total)
        await self._save_pairs(task_tags, "tag_no", changed, lambda task: task.tags)
        await self._save_pairs(deps, "blocked_by", changed, lambda task: task.blocked_by)
        await self._save_reminders(changed)
        for before, now in changed:
            if before is None:
                op.record("task", now.no, None, image(now))
            else:
                op.record("task", now.no, *difference(before, now))
            self._before[now.no] = self._now[now.no] = now
        for task in self.tasks:
            waits_for = [self.get(number) for number in task.blocked_by]
            if all(waits_for):
                blocked = any(other.is_open for other in waits_for if other)
                self._before[task.no] = self._now[task.no] = replace(task, blocked=blocked)
        return [(before, self._now[now.no]) for before, now in changed]

    async def _require_room(self, more: int) -> None:
        # Numbers are never used again, so as long as few were given out there is nothing to count.
        if self._op.next_no <= TASK_LIMIT:
            return
        row = await self._op.tx.one(
            select(func.count()).select_from(tasks).where(tasks.c.space_id == self._op.space.id)
        )
        if row is not None and row[0] + more > TASK_LIMIT:
            raise Problem("quota", f"at most {TASK_LIMIT:,} tasks, with those in the trash", "export and delete some")

    async def _save_pairs(
        self,
        table: Table,
        column: str,
        changed: Sequence[tuple[Task | None, Task]],
        numbers: Callable[[Task], tuple[int, ...]],
    ) -> None:
        gone, new = [], []
        for before, now in changed:
            had = set(numbers(before)) if before is not None else set()
            has = set(numbers(now))
            gone += [{"old_task": now.no, "old_other": number} for number in sorted(had - has)]
            new += [{"space_id": self._op.space.id, "task_no": now.no, column: number} for number in sorted(has - had)]
        for some in in_portions(gone):
            await self._op.tx.execute(
                delete(table).where(
                    table.c.space_id == self._op.space.id,
                    table.c.task_no == bindparam("old_task"),
                    table.c[column] == bindparam("old_other"),
                ),
                some,
            )
        for some in in_portions(new):
            await self._op.tx.execute(insert(table), some)

    async def _save_reminders(self, changed: Sequence[tuple[Task | None, Task]]) -> None:
        """Those that stay at the same instant keep what is known about their delivery."""
        habits, space_id = self._op.space.habits, self._op.space.id
        gone, new = [], []
        for before, now in changed:
            had = {one: fires_us(before, one, habits) for one in before.reminders} if before is not None else {}
            has = {one: fires_us(now, one, habits) for one in now.reminders}
            gone += [
                {"old_task": now.no, "old_offset": one.offset_min, "old_at": one.at_us}
                for one, fire_us in had.items()
                if has.get(one, -1) != fire_us
            ]
            new += [
                {
                    "space_id": space_id,
                    "no": self._op.number(),
                    "task_no": now.no,
                    "offset_min": one.offset_min,
                    "at_us": one.at_us,
                    "fire_us": fire_us,
                }
                for one, fire_us in has.items()
                if had.get(one, -1) != fire_us
            ]
        for some in in_portions(gone):
            await self._op.tx.execute(_FORGET_REMINDER.where(reminders.c.space_id == space_id), some)
        for some in in_portions(new):
            await self._op.tx.execute(insert(reminders), some)


_COLUMNS_OF_A_TASK: Final = tuple(column.name for column in tasks.columns if column.name not in ("space_id", "no"))
_UPDATE: Final = (
    update(tasks)
    .where(tasks.c.space_id == bindparam("new_space_id"), tasks.c.no == bindparam("new_no"))
    .values({name: bindparam(f"new_{name}") for name in _COLUMNS_OF_A_TASK})
)
_FORGET_REMINDER: Final = delete(reminders).where(
    reminders.c.task_no == bindparam("old_task"),
    or_(
        reminders.c.offset_min == bindparam("old_offset"),
        and_(reminders.c.offset_min.is_(None), reminders.c.at_us == bindparam("old_at")),
    ),
)


def due_at_us(task: Task, home: Habits) -> int | None:
    """The instant at which a task is due; nothing for a whole day."""
    if task.due_date is None or task.due_min is None:
        return None
    return instant_us(When(task.due_date, task.due_min, task.due_tz), home.zone)


def fires_us(task: Task, reminder: Reminder, home: Habits) -> int | None:
    """When a reminder goes off; never for what is finished or in the trash. A whole day counts from its start hour."""
    if not task.is_open:
        return None
    if reminder.offset_min is None:
        return reminder.at_us
    if task.due_date is None:
        return None
    minutes = home.day_start if task.due_min is None else task.due_min
    at_us = instant_us(When(task.due_date, minutes, task.due_tz), home.zone)
    return None if at_us is None else at_us - reminder.offset_min * 60_000_000


def _row(op: Op, task: Task) -> dict[str, Any]:
    return {
        "space_id": task.space_id,
        "no": task.no,
        "list_no": task.list_no,
        "parent_no": task.parent_no,
        "title": task.title,
        "notes": task.notes,
        "status": int(task.status),
        "priority": task.priority,
        "due_date": task.due_date,
        "due_min": task.due_min,
        "due_tz": task.due_tz,
        "due_day": task.due_date or FAR_DAY,
        "due_at_us": due_at_us(task, op.space.habits),
        "start_date": task.start_date,
        "deadline": task.deadline,
        "rrule": task.rrule,
        "repeat_text": task.repeat_text,
        "repeat_from": task.repeat_from,
        "repeat_anchor": task.repeat_anchor,
        "estimate_min": task.estimate_min,
        "assignee": task.assignee,
        "author": task.author,
        "position": task.position,
        "fields": dict(task.fields),
        "search": search_text(task.title, task.notes),
        "ext_src": task.ext_src,
        "ext_id": task.ext_id,
        "created_us": task.created_us,
        "updated_us": task.updated_us,
        "completed_us": task.completed_us,
        "deleted_us": task.deleted_us,
        "rev": task.rev,
    }
