"""What must hold of a space after every write, whatever was written: found out by reading all of it."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any, Final

from sqlalchemy import select

from mcp_server.tasks.names import Kind
from mcp_server.tasks.positions import DIGITS
from mcp_server.tasks.rows import COLUMNS, as_task
from mcp_server.tasks.sight import Sight, read_sight
from mcp_server.tasks.tables import changes, completions, lists, ops, reminders, spaces, tasks
from mcp_server.tasks.task import FAR_DAY, INBOX, Status, Task
from mcp_server.tasks.words import search_text
from mcp_server.tasks.writing import bench
from mcp_server.tasks.writing.images import difference, with_content
from shared.db import Database, Tx
from shared.tokens import Caller

PLACE: Final = re.compile(f"[{DIGITS}]+")


async def faults(database: Database, person: Caller) -> list[str]:
    """Every rule that this person's space breaks; none is how it should be."""
    async with database.begin(person) as tx:
        sight = await read_sight(tx, "UTC")
        return [fault async for fault in _faults(tx, sight)]


async def _faults(tx: Tx, sight: Sight) -> Any:
    space = sight.own.space
    everything = [as_task(row) for row in await tx.all(select(*COLUMNS).where(tasks.c.space_id == space.id))]
    by_no = {task.no: task for task in everything}
    stored = {
        row.no: row
        for row in await tx.all(
            select(tasks.c.no, tasks.c.due_day, tasks.c.due_at_us, tasks.c.search).where(tasks.c.space_id == space.id)
        )
    }
    names = {row.no: row for row in await tx.all(select(lists).where(lists.c.space_id == space.id))}
    for task in everything:
        for fault in _of_task(task, by_no, names):
            yield f"T{task.no} {fault}"
        row = stored[task.no]
        if row.due_day != (task.due_date or FAR_DAY) or row.due_at_us != bench.due_at_us(task, space.habits):
            yield f"T{task.no} is due at another moment than its date says"
        if row.search != search_text(task.title, task.notes):
            yield f"T{task.no} is searched by an old text"
    for fault in (*_circles(by_no), *_shared_places(everything)):
        yield fault
    alarms = await tx.all(select(reminders).where(reminders.c.space_id == space.id))
    for alarm in alarms:
        owner = by_no[alarm.task_no]
        [reminder] = [one for one in owner.reminders if (one.offset_min, one.at_us) == (alarm.offset_min, alarm.at_us)]
        if alarm.fire_us != bench.fires_us(owner, reminder, space.habits):
            yield f"a reminder of T{owner.no} goes off at another moment than it says"
    async for fault in _of_journal(tx, space.id, by_no, names):
        yield fault


def _of_task(task: Task, by_no: Mapping[int, Task], names: Mapping[int, Any]) -> Iterator[str]:
    if task.due_date is None and (task.due_min is not None or task.due_tz or task.rrule):
        yield "has a time, a zone or a rule but no date"
    if (task.completed_us is None) != (task.status is Status.OPEN):
        yield "is finished without a moment, or has one and is open"
    if len({value is None for value in (task.rrule, task.repeat_text, task.repeat_from, task.repeat_anchor)}) > 1:
        yield "repeats by half"
    if not PLACE.fullmatch(task.position) or task.position.endswith("0"):
        yield f"has the place {task.position!r}"
    place = names.get(task.list_no)
    if task.deleted_us is None and task.list_no != INBOX and (place is None or place.deleted_us is not None):
        yield "lies in a list that is gone"
    if place is not None and place.kind not in (Kind.LIST, Kind.SECTION):
        yield f"lies in a {place.kind}"
    parent = by_no.get(task.parent_no) if task.parent_no is not None else None
    if parent is not None and task.deleted_us is None and parent.list_no != task.list_no:
        yield "lies in another list than its parent"


def _shared_places(everything: Iterable[Task]) -> Iterator[str]:
    """Whichever list tasks come into, each has a place of its own there."""
    first: dict[str, int] = {}
    for task in everything:
        if first.setdefault(task.position, task.no) != task.no:
            yield f"T{task.no} has the same place as T{first[task.position]}"


def _circles(by_no: Mapping[int, Task]) -> Iterator[str]:
    for task in by_no.values():
        seen, above = {task.no}, task.parent_no
        while above is not None and above in by_no:
            if above in seen:
                yield f"T{task.no} lies below itself"
                break
            seen.add(above)
            above = by_no[above].parent_no
        if len(seen) > 6:
            yield f"T{task.no} lies too deep"
        if task.no in _reached(task.blocked_by, by_no):
            yield f"T{task.no} waits for itself"


def _reached(start: Iterable[int], by_no: Mapping[int, Task]) -> set[int]:
    seen: set[int] = set()
    ahead = list(start)
    while ahead:
        number = ahead.pop()
        if number not in seen:
            seen.add(number)
            ahead += by_no[number].blocked_by
    return seen


async def _of_journal(tx: Tx, space_id: str, by_no: Mapping[int, Task], names: Mapping[int, Any]) -> Any:
    row = await tx.one(select(spaces.c.rev, spaces.c.next_no).where(spaces.c.id == space_id))
    if row is None:
        return
    revs = [one.rev for one in await tx.all(select(ops.c.rev).where(ops.c.space_id == space_id).order_by(ops.c.rev))]
    if revs != list(range(1, row.rev + 1)):
        yield f"the operations have gaps: {revs} up to {row.rev}"
    done = await tx.all(select(completions.c.no).where(completions.c.space_id == space_id))
    if max([0, *by_no, *names, *(one.no for one in done)]) >= row.next_no:
        yield "a number would be used twice"
    for task in by_no.values():
        if task.rev not in range(1, row.rev + 1):
            yield f"T{task.no} has a version that no operation has"
    replayed: dict[int, Task] = {}
    recorded = await tx.all(
        select(changes.c.no, changes.c.before, changes.c.after)
        .where(changes.c.space_id == space_id, changes.c.kind == "task")
        .order_by(changes.c.rev, changes.c.n)
    )
    for no, before, after in recorded:
        if before is None:
            replayed[no] = Task(space_id, no, "")
        elif difference(replayed[no], with_content(replayed[no], before))[1]:
            yield f"the journal says that T{no} was otherwise before a change"
        replayed[no] = with_content(replayed[no], after or {})
    for no, task in by_no.items():
        if no not in replayed or difference(replayed[no], replace(task, blocked=False))[1]:
            yield f"the journal leads to another T{no}"
