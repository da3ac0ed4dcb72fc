"""Finishing tasks: done, cancelled, open again; a repeating one goes on to its next date instead."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, time

from mcp_server.tasks.calendar.dates import resolve
from mcp_server.tasks.refs import read_refs
from mcp_server.tasks.schedule import advanced, without_repeat
from mcp_server.tasks.task import Status, Task
from mcp_server.tasks.writing.adding import require_batch
from mcp_server.tasks.writing.bench import Bench
from mcp_server.tasks.writing.completions import Completion, insert_completions, last_completions, remove_completions
from mcp_server.tasks.writing.journal import Op
from mcp_server.tasks.writing.relations import below
from shared.db import microseconds
from shared.errors import Problem


@dataclass(frozen=True, slots=True)
class Finished:
    """The tasks that were named, as they are, which of them did not stand there already, and what to say."""

    tasks: Sequence[Task]
    moved: frozenset[int]
    notes: Sequence[str]


async def set_status(
    op: Op, refs: Sequence[str], status: Status, *, at: str = "", end_series: bool = False
) -> Finished:
    """Finish, cancel or reopen tasks. One that already stands there stays as it is and is no error."""
    require_batch(len(refs), "refs")
    bench = Bench(op)
    named = await read_refs(op.tx, op.sight, refs)
    bench.take(named)
    moving = [task for task in named if task.status is not status]
    if status is Status.OPEN:
        await _reopen(op, bench, moving)
    else:
        await _finish(op, bench, moving, status, at, end_series=end_series)
    await bench.save()
    notes = [
        f"{op.area.label(f'T{task.no}')} was blocked by {', '.join(op.area.label(f'T{no}') for no in task.blocked_by)}"
        for task in moving
        if task.blocked and status is Status.DONE and op.area.is_own
    ]
    return Finished([bench[task.no] for task in named], frozenset(task.no for task in moving), notes)


async def _finish(op: Op, bench: Bench, moving: Sequence[Task], status: Status, at: str, *, end_series: bool) -> None:
    done_us, done_day = _moment(op, at)
    repeating = [task.no for task in moving if task.rrule and task.is_open and not end_series]
    if repeating:
        await bench.load_family(repeating)
    completions = []
    for task in moving:
        home = op.space.habits
        following = advanced(task, done_day, op.tx.now, home) if task.no in repeating else None
        if following is not None:
            bench.put(following)
            for child in below(bench, task.no):
                if child.deleted_us is None:
                    bench.put(replace(child, status=Status.OPEN, completed_us=None))
        else:
            last = without_repeat(task) if end_series else task
            bench.put(replace(last, status=status, completed_us=done_us))
        completions.append(Completion(op.number(), task.no, task.due_date, done_us, done_day, status))
    # What was cancelled and is called done now was finished only once.
    await _take_back(op, [task for task in moving if task.status is not Status.OPEN])
    await insert_completions(op, completions)


async def _reopen(op: Op, bench: Bench, moving: Sequence[Task]) -> None:
    """Finished by mistake is not finished: its completion goes as well."""
    for task in moving:
        bench.put(replace(task, status=Status.OPEN, completed_us=None))
    await _take_back(op, moving)


async def _take_back(op: Op, finished: Sequence[Task]) -> None:
    """Remove the completions with which these tasks were finished."""
    last = await last_completions(op, [task.no for task in finished]) if finished else {}
    mistaken = [last[task.no] for task in finished if task.no in last and last[task.no].done_us == task.completed_us]
    await remove_completions(op, mistaken)


def _moment(op: Op, at: str) -> tuple[int, date]:
    """When it was finished, as an instant and as the person's day. A day alone means its noon."""
    habits = op.sight.own.space.habits
    today = op.tx.now.astimezone(habits.zone).date()
    if not at:
        return op.tx.now_us, today
    when = resolve(at, op.tx.now, habits, prefer="past")
    minutes = 12 * 60 if when.minutes is None else when.minutes
    moment = datetime.combine(when.day, time(*divmod(minutes, 60)), habits.zone)
    if when.minutes is None and when.day == today:
        return op.tx.now_us, today
    if moment > op.tx.now:
        raise Problem("bad_date", f'at "{at.strip()[:40]}" is still to come', "a date or time in the past")
    return microseconds(moment), when.day
