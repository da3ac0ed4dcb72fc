"""The caller's own tasks on their way out: all that a filter matches, in parts that can each be read alone.

A part is a range of task numbers, so its bounds hold whatever is written in between.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any, Final

from sqlalchemy import ColumnElement, and_, func, select

from mcp_server.tasks.filtering.filters import read_filter
from mcp_server.tasks.names import Kind, Names
from mcp_server.tasks.rows import COLUMNS, as_task
from mcp_server.tasks.sight import Area, Sight
from mcp_server.tasks.tables import comments, completions, tasks
from mcp_server.tasks.task import Reminder, Status, Task
from mcp_server.tasks.transfer.document import (
    CommentRecord,
    CompletionRecord,
    Document,
    NameRecord,
    StatusWord,
    TaskRecord,
)
from mcp_server.tasks.transfer.identity import SOURCE, named, native_id
from mcp_server.tasks.writing.comments import read_comments
from shared.db import Tx

PART_BYTES: Final = 500_000
_TASK_BYTES: Final = 700  # of a task beside its texts, in the longest of the formats
_COMPLETION_BYTES: Final = 150
_CHARACTER_BYTES: Final = 3
_WORDS: Final[Mapping[Status, StatusWord]] = {Status.OPEN: "open", Status.DONE: "done", Status.CANCELLED: "cancelled"}
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_UNITS: Final = (("w", 7 * 24 * 60), ("d", 24 * 60), ("h", 60), ("m", 1))
_EVERYTHING: Final = (0, 2**62)


@dataclass(frozen=True, slots=True)
class Plan:
    """What an export will hold: how many tasks, the filter as it was understood, and the numbers that end the parts."""

    total: int
    filter: str
    ends: tuple[int, ...]
    notes: tuple[str, ...]


async def plan(tx: Tx, sight: Sight, filter_text: str) -> Plan:
    """Look over the tasks that a filter matches, and cut them into parts of less than half a megabyte."""
    wanted = await read_filter(tx, sight, filter_text)
    mine = and_(sight.own.rows(), wanted.condition)
    said = _sums(comments, func.sum(func.length(comments.c.body)), sight.own)
    done = _sums(completions, func.count(), sight.own)
    rows = await tx.all(
        select(tasks.c.no, func.length(tasks.c.title) + func.length(tasks.c.notes), said, done)
        .where(mine)
        .order_by(tasks.c.no)
    )
    ends, size = [], 0
    for number, characters, in_comments, in_completions in rows:
        more = _TASK_BYTES + (characters + (in_comments or 0)) * _CHARACTER_BYTES
        more += (in_completions or 0) * _COMPLETION_BYTES
        if size and size + more > PART_BYTES:
            ends.append(number - 1)
            size = 0
        size += more
    others = ("what others share with you is left out",) if sight.shared else ()
    return Plan(len(rows), wanted.text, (*ends, _EVERYTHING[1]), (*wanted.notes, *others))


def part_of(ends: Sequence[int], part: int) -> tuple[int, int] | None:
    """The numbers after which a part begins and with which it ends; nothing if there is no such part."""
    bounds = list(pairwise((0, *ends)))
    return bounds[part - 1] if 1 <= part <= len(bounds) else None


async def read_document(
    tx: Tx, sight: Sight, filter_text: str, bounds: tuple[int, int] = _EVERYTHING, *, fully: bool = True
) -> Document:
    """The tasks within the bounds that a filter matches, in the order of their lists; `fully` with all names and with
    what was said and finished."""
    own = sight.own
    wanted = await read_filter(tx, sight, filter_text)
    within = and_(own.rows(), wanted.condition, tasks.c.no > bounds[0], tasks.c.no <= bounds[1])
    found = [as_task(row) for row in await tx.all(select(*COLUMNS).where(within).order_by(tasks.c.no))]
    found.sort(key=_order_in(own.names))
    refs = await _refs(tx, own, found)
    return Document(
        "json",
        tuple(_record(task, sight, refs) for task in found),
        tuple(_names(own.names)) if fully else (),
        await _completions(tx, own, within) if fully else (),
        await _comments(tx, sight, found) if fully else (),
        exported=instant_words(tx.now_us),
        tz=own.space.tz,
    )


def instant_words(at_us: int) -> str:
    """An instant in UTC, exact to the microsecond."""
    return (_EPOCH + timedelta(microseconds=at_us)).isoformat().replace("+00:00", "Z")


def _sums(table: Any, what: ColumnElement[Any], area: Area) -> Any:
    return (
        select(what)
        .where(table.c.space_id == area.space.id, table.c.task_no == tasks.c.no)
        .correlate(tasks)
        .scalar_subquery()
    )


def _order_in(names: Names) -> Any:
    places = {row.no: (row.position, row.no) for kind in (Kind.LIST, Kind.SECTION) for row in names.of(kind)}

    def order(task: Task) -> tuple[Any, ...]:
        list_no = names.list_of(task.list_no)
        section = places.get(task.list_no, ("", 0)) if task.list_no != list_no else ("", 0)
        return (places.get(list_no, ("", 0)), section, task.position, task.no)

    return order


async def _refs(tx: Tx, own: Area, found: Sequence[Task]) -> dict[int, str]:
    """What to call each task that is part of this, or that one of them hangs on. Others are called by identity, so
    that whoever reads this after them finds them."""
    refs = {task.no: f"T{task.no}" for task in found}
    near = {number for task in found for number in (task.parent_no, *task.blocked_by) if number is not None}
    for some in _portions(sorted(near - refs.keys())):
        rows = await tx.all(select(tasks.c.no, tasks.c.ext_src, tasks.c.ext_id).where(own.rows(), tasks.c.no.in_(some)))
        for number, source, source_id in rows:
            refs[number] = named((source, source_id) if source else (SOURCE, native_id(own.space.id, number)))
    return refs


def _portions(numbers: Sequence[int]) -> Sequence[Sequence[int]]:
    return [numbers[start : start + 1_000] for start in range(0, len(numbers), 1_000)]


def _record(task: Task, sight: Sight, refs: Mapping[int, str]) -> TaskRecord:
    names, space_id = sight.own.names, sight.own.space.id
    list_name, _, section = names.path(task.list_no).partition("/")
    clock = f"{task.due_min // 60:02}:{task.due_min % 60:02}" if task.due_min is not None else ""
    fields = [(names.get(int(number)), value) for number, value in task.fields.items()]
    return TaskRecord(
        ref=refs[task.no],
        title=task.title,
        source=task.ext_src or SOURCE,
        source_id=task.ext_id or native_id(space_id, task.no),
        notes=task.notes,
        list_name=list_name,
        section=section,
        status=_WORDS[task.status],
        priority=task.priority,
        due=" ".join(filter(None, [str(task.due_date), clock, task.due_tz])) if task.due_date else "",
        start=str(task.start_date or ""),
        deadline=str(task.deadline or ""),
        repeat=task.repeat_text or "",
        rrule=task.rrule or "",
        anchor=str(task.repeat_anchor or ""),
        estimate_min=task.estimate_min,
        reminders=tuple(map(_reminder, task.reminders)),
        tags=tuple(names.tags(task.tags)),
        parent=refs.get(task.parent_no, "") if task.parent_no is not None else "",
        blocked_by=tuple(refs[number] for number in task.blocked_by if number in refs),
        assignee=(sight.name_of(task.assignee) or "me") if task.assignee else "",
        fields=tuple((field.name, value) for field, value in fields if field is not None),
        created=instant_words(task.created_us),
        completed=instant_words(task.completed_us) if task.completed_us is not None else "",
    )


def _reminder(reminder: Reminder) -> str:
    if reminder.at_us is not None:
        return instant_words(reminder.at_us)
    minutes = reminder.offset_min or 0
    unit, size = next((unit, size) for unit, size in _UNITS if minutes % size == 0)
    return f"{minutes // size}{unit} before" if minutes else "at due"


def _names(names: Names) -> Sequence[NameRecord]:
    found = []
    for kind in (Kind.LIST, Kind.SECTION, Kind.TAG, Kind.VIEW, Kind.FIELD):
        for row in names.of(kind):
            above = names.get(row.parent_no)
            found.append(
                NameRecord(
                    row.kind.value,
                    row.name,
                    above.name if above else "",
                    row.filter,
                    row.options,
                    is_archived=row.archived_us is not None,
                )
            )
    return found


async def _completions(tx: Tx, own: Area, within: ColumnElement[bool]) -> tuple[CompletionRecord, ...]:
    rows = await tx.all(
        select(completions.c.task_no, completions.c.done_us, completions.c.due_date, completions.c.status)
        .where(completions.c.space_id == own.space.id, completions.c.task_no.in_(select(tasks.c.no).where(within)))
        .order_by(completions.c.no)
    )
    return tuple(
        CompletionRecord(f"T{number}", instant_words(done_us), str(due or ""), _WORDS[Status(status)])
        for number, done_us, due, status in rows
    )


async def _comments(tx: Tx, sight: Sight, found: Sequence[Task]) -> tuple[CommentRecord, ...]:
    said = [
        comment
        for some in _portions(sorted(task.no for task in found))
        for comment in await read_comments(tx, sight.own, some)
    ]
    return tuple(
        CommentRecord(f"T{one.task_no}", one.body, instant_words(one.created_us), sight.name_of(one.author) or "me")
        for one in said
    )
