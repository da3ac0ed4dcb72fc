"""The caller's rows, read with fixed statements and packed as JSON text by the database, so that the loop stays free.

Everything is read in portions: a statement has little time, and its answer is handled between two others.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Select,
    Text,
    and_,
    case,
    cast,
    func,
    literal,
    select,
    tuple_,
)

from mcp_server.snapshot.version import Version, version_of
from mcp_server.tasks.calendar.dates import When, instant_us
from mcp_server.tasks.names import Kind, Named
from mcp_server.tasks.rows import COLUMNS
from mcp_server.tasks.sight import Area, Sight
from mcp_server.tasks.tables import changes, comments, completions, lists, ops, task_tags, tasks
from shared.db import Tx

PORTION: Final = 2_000  # rows of one statement
TEXT_LIMIT: Final = 4_000  # characters of notes or of a comment
READ_LIMIT: Final = 60_000_000  # characters of one kind of rows: more than fits into a snapshot
HISTORY_DAYS: Final = 90
HISTORY_LIMIT: Final = 20_000


@dataclass(frozen=True, slots=True)
class Portion:
    """Some rows of one area as the text of a JSON array."""

    area: Area
    text: str


@dataclass(frozen=True, slots=True)
class Rows:
    """Everything that a snapshot is made of. `is_cut` says that there was more than it could ever hold."""

    version: Version
    sight: Sight
    now: datetime
    tasks: Sequence[Portion]
    tags: Sequence[Portion]
    comments: Sequence[Portion]
    completions: Sequence[Portion]
    changes: Sequence[Portion]
    gone_names: Sequence[Named]
    is_cut: bool


_LIVING: Final = tasks.c.deleted_us.is_(None)
# The last columns of each row are the key by which the portions follow each other.
_, _BLOCKERS, _ = COLUMNS[-3:]
_TASK: Final[Sequence[ColumnElement[Any]]] = (
    tasks.c.list_no,
    tasks.c.parent_no,
    tasks.c.title,
    func.substr(tasks.c.notes, 1, TEXT_LIMIT).label("notes"),
    tasks.c.status,
    tasks.c.priority,
    tasks.c.due_date,
    tasks.c.due_min,
    tasks.c.due_tz,
    tasks.c.due_at_us,
    tasks.c.start_date,
    tasks.c.deadline,
    tasks.c.repeat_text,
    tasks.c.estimate_min,
    tasks.c.assignee,
    tasks.c.author,
    cast(tasks.c.fields, Text).label("fields"),
    _BLOCKERS.label("blockers"),
    tasks.c.created_us,
    tasks.c.updated_us,
    tasks.c.completed_us,
    tasks.c.no,
)
# Not with the tasks: right after a great many were added, PostgreSQL would look for each task's through all tags.
_TAG: Final[Sequence[ColumnElement[Any]]] = (task_tags.c.task_no, task_tags.c.tag_no)
_COMMENT: Final[Sequence[ColumnElement[Any]]] = (
    comments.c.task_no,
    comments.c.author,
    comments.c.created_us,
    func.substr(comments.c.body, 1, TEXT_LIMIT).label("body"),
    comments.c.no,
)
_COMPLETION: Final[Sequence[ColumnElement[Any]]] = (
    completions.c.task_no,
    completions.c.status,
    completions.c.due_date,
    completions.c.done_day,
    completions.c.done_us,
    completions.c.no,
)
_CHANGE: Final[Sequence[ColumnElement[Any]]] = (
    ops.c.at_us,
    ops.c.actor,
    ops.c.via,
    ops.c.client,
    ops.c.tool,
    ops.c.summary,
    changes.c.kind,
    changes.c.no,
    cast(changes.c.before, Text).label("before"),
    cast(changes.c.after, Text).label("after"),
    case(
        (
            changes.c.kind == "comment",
            select(comments.c.task_no)
            .where(comments.c.space_id == changes.c.space_id, comments.c.no == changes.c.no)
            .correlate(changes)
            .scalar_subquery(),
        )
    ).label("about"),
    changes.c.rev,
    changes.c.n,
)


async def read_rows(tx: Tx, sight: Sight, *, room: int = READ_LIMIT) -> Rows:
    """Everything that this person may ask about, as it is in this transaction, which has to be a steady one."""
    today = tx.now.astimezone(sight.own.space.zone).date()
    since_us = instant_us(When(today - timedelta(HISTORY_DAYS), 0, None), sight.own.space.zone)
    assert since_us is not None
    work, tags, talk, ends, past = (_Reader(tx, room) for _ in range(5))
    for area in sight.areas:
        await work.read(area, _open_tasks(area), (tasks.c.no,))
    for area in sight.areas:
        await work.read(area, _finished_tasks(area), (tasks.c.completed_us, tasks.c.no))
        await tags.read(area, _tags(area), _TAG)
        await talk.read(area, _comments(area), (comments.c.no,))
        await ends.read(area, _completions(area), (completions.c.no,))
    await past.read(sight.own, _past(sight.own, since_us), (changes.c.rev, changes.c.n), most=HISTORY_LIMIT)
    return Rows(
        version_of(sight, today),
        sight,
        tx.now,
        work.portions,
        tags.portions,
        talk.portions,
        ends.portions,
        past.portions,
        await _gone_names(tx, sight.own),
        is_cut=any(reader.is_cut for reader in (work, tags, talk, ends, past)),
    )


class _Reader:
    """Reads rows of one kind, the newest first, until there are no more or until it has read too much."""

    def __init__(self, tx: Tx, room: int) -> None:
        self.portions: list[Portion] = []
        self.is_cut = False
        self._tx = tx
        self._room = room

    async def read(
        self, area: Area, rows: Select[Any], key: Sequence[ColumnElement[Any]], *, most: int | None = None
    ) -> None:
        """Read the rows of a statement, the greatest key first."""
        rows = rows.order_by(*(column.desc() for column in key)).limit(PORTION)
        last: Sequence[int] = ()
        read = 0
        while self._room > 0:
            text, count = await self._packed(rows.where(_below(key, last)) if last else rows)
            if count:
                self._room -= len(text)
                self.portions.append(Portion(area, text))
            read += count
            if count < PORTION or read == most:
                return
            last = [int(number.strip(" [")) for number in text.rstrip("]").rsplit(",", len(key))[1:]]
        self.is_cut = True

    async def _packed(self, rows: Select[Any]) -> tuple[str, int]:
        part = rows.subquery()
        packed: ColumnElement[Any] = (
            func.json_group_array(func.json_array(*part.c))
            if self._tx.on_sqlite
            else cast(func.json_agg(func.json_build_array(*part.c)), Text)
        )
        row = await self._tx.one(select(packed, func.count()).select_from(part))
        assert row is not None
        return row[0] or "", row[1]


def _below(key: Sequence[ColumnElement[Any]], last: Iterable[int]) -> ColumnElement[bool]:
    return tuple_(*key) < tuple_(*(literal(number, BigInteger) for number in last))


def _belongs_to_task(table: Any) -> ColumnElement[bool]:
    return and_(tasks.c.space_id == table.c.space_id, tasks.c.no == table.c.task_no)


def _open_tasks(area: Area) -> Select[Any]:
    return select(*_TASK).where(area.rows(), _LIVING, tasks.c.completed_us.is_(None))


def _finished_tasks(area: Area) -> Select[Any]:
    return select(*_TASK).where(area.rows(), _LIVING, tasks.c.completed_us.is_not(None))


def _tags(area: Area) -> Select[Any]:
    return (
        select(*_TAG)
        .join_from(task_tags, tasks, _belongs_to_task(task_tags))
        .where(task_tags.c.space_id == area.space.id, area.rows(), _LIVING)
    )


def _comments(area: Area) -> Select[Any]:
    return (
        select(*_COMMENT)
        .join_from(comments, tasks, _belongs_to_task(comments))
        .where(comments.c.space_id == area.space.id, area.rows(), _LIVING, comments.c.deleted_us.is_(None))
    )


def _completions(area: Area) -> Select[Any]:
    """In the person's own space also those of tasks that are gone."""
    found = select(*_COMPLETION).where(completions.c.space_id == area.space.id)
    if area.is_own:
        return found
    return found.join_from(completions, tasks, _belongs_to_task(completions)).where(area.rows(), _LIVING)


def _past(own: Area, since_us: int) -> Select[Any]:
    return (
        select(*_CHANGE)
        .join_from(changes, ops, and_(ops.c.space_id == changes.c.space_id, ops.c.rev == changes.c.rev))
        .where(changes.c.space_id == own.space.id, ops.c.at_us >= since_us)
    )


async def _gone_names(tx: Tx, own: Area) -> list[Named]:
    """The names of what the person has deleted: his past speaks of it."""
    rows = await tx.all(
        select(lists.c.no, lists.c.kind, lists.c.name, lists.c.parent_no, lists.c.options).where(
            lists.c.space_id == own.space.id, lists.c.deleted_us.is_not(None)
        )
    )
    return [Named(no, Kind(kind), name, parent_no, options=options) for no, kind, name, parent_no, options in rows]
