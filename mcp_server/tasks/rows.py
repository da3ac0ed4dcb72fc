"""A row of the table `tasks` as a `Task`, with its tags, blockers and reminders in the same statement."""

from collections.abc import Iterable, Sequence
from typing import Any, Final

from sqlalchemy import ColumnElement, String, and_, case, cast, func, literal, null, select

from mcp_server.tasks.tables import deps, reminders, task_tags, tasks
from mcp_server.tasks.task import Reminder, Status, Task
from shared.db import AnyRow

_STORED: Final = (
    "space_id",
    "no",
    "title",
    "notes",
    "list_no",
    "parent_no",
    "status",
    "priority",
    "due_date",
    "due_min",
    "due_tz",
    "start_date",
    "deadline",
    "rrule",
    "repeat_text",
    "repeat_from",
    "repeat_anchor",
    "estimate_min",
    "assignee",
    "author",
    "position",
    "fields",
    "ext_src",
    "ext_id",
    "created_us",
    "updated_us",
    "completed_us",
    "deleted_us",
    "rev",
)
_blocker: Final = tasks.alias("blocker")


def _of_task(value: ColumnElement[Any], space_id: ColumnElement[Any], task_no: ColumnElement[Any]) -> Any:
    """One text of all the rows that belong to a task; a second query for each task of a page would cost more."""
    return select(func.aggregate_strings(value, ",")).where(space_id == tasks.c.space_id, task_no == tasks.c.no)


_TAGS: Final = _of_task(cast(task_tags.c.tag_no, String), task_tags.c.space_id, task_tags.c.task_no).scalar_subquery()
# A blocker that is still open has a sign in front.
_BLOCKERS: Final = (
    _of_task(
        case((and_(_blocker.c.status == Status.OPEN, _blocker.c.deleted_us.is_(None)), literal("!")), else_=literal(""))
        + cast(deps.c.blocked_by, String),
        deps.c.space_id,
        deps.c.task_no,
    )
    .where(_blocker.c.space_id == deps.c.space_id, _blocker.c.no == deps.c.blocked_by)
    .correlate(tasks)
    .scalar_subquery()
)
# Minutes before the due time, or an instant with a sign in front.
_REMINDERS: Final = _of_task(
    case(
        (reminders.c.offset_min.is_not(None), cast(reminders.c.offset_min, String)),
        else_=literal("@") + cast(reminders.c.at_us, String),
    ),
    reminders.c.space_id,
    reminders.c.task_no,
).scalar_subquery()

COLUMNS: Final[Sequence[ColumnElement[Any]]] = (*(tasks.c[name] for name in _STORED), _TAGS, _BLOCKERS, _REMINDERS)
# For pages of lines: the notes may be long and the reminders are not shown. What was read so is never written back.
LINE_COLUMNS: Final[Sequence[ColumnElement[Any]]] = (
    *(literal("").label("notes") if name == "notes" else tasks.c[name] for name in _STORED),
    _TAGS,
    _BLOCKERS,
    null().label("reminders"),
)
WIDTH: Final = len(COLUMNS)


def as_task(row: AnyRow) -> Task:
    """A row of `COLUMNS` as a task. By position: reading by name costs as much as the statement."""
    values = list(row[:WIDTH])
    tags, blockers, alarms = values[-3:]
    values[6] = Status(values[6])
    blocked_by = tuple(sorted(int(entry.lstrip("!")) for entry in _split(blockers)))
    values[-3:] = (
        tuple(sorted(map(int, _split(tags)))),
        blocked_by,
        "!" in (blockers or ""),
        sorted_reminders(_reminder(entry) for entry in _split(alarms)),
    )
    return Task(*values)


def sorted_reminders(found: Iterable[Reminder]) -> tuple[Reminder, ...]:
    """Reminders in their one order: the earliest before the due time first, then instants."""
    return tuple(sorted(set(found), key=lambda one: (one.at_us or 0, -(one.offset_min or 0))))


def _split(text: str | None) -> list[str]:
    return text.split(",") if text else []


def _reminder(entry: str) -> Reminder:
    return Reminder(at_us=int(entry[1:])) if entry.startswith("@") else Reminder(offset_min=int(entry))
