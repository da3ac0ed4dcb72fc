"""What happened to the tasks of a file before it came: when they were finished, and what was said about them."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Final

from sqlalchemy import select

from mcp_server.tasks.spaces import space_of
from mcp_server.tasks.tables import completions
from mcp_server.tasks.task import Status, Task
from mcp_server.tasks.transfer.document import CommentRecord, CompletionRecord
from mcp_server.tasks.transfer.faults import Faults
from mcp_server.tasks.transfer.filling import STATUS, Filling
from mcp_server.tasks.transfer.matching import portions
from mcp_server.tasks.words import checked_comment
from mcp_server.tasks.writing.comments import Comment, insert_comments, read_comments
from mcp_server.tasks.writing.completions import Completion, insert_completions
from mcp_server.tasks.writing.journal import Op
from shared.errors import Problem

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_SECOND_US: Final = 1_000_000


async def add_completions(
    op: Op,
    records: Sequence[CompletionRecord],
    finished: Iterable[Task],
    numbers: Mapping[str, int],
    filling: Filling,
    faults: Faults,
) -> int:
    """Note the completions in the file that are not known yet, and those of tasks that came in finished. Returns how
    many there were."""
    wanted: dict[tuple[int, int], tuple[date | None, Status]] = {}
    for record in records:
        if record.task not in numbers:
            faults.add(record.line, "a completion of a task that is not in this file; left out")
        elif (done_us := filling.instant_us(record.done, record.line)) is not None:
            wanted[numbers[record.task], done_us] = (_day(record.due), STATUS[record.status])
    for task in finished:
        if task.completed_us is not None:
            wanted.setdefault((task.no, task.completed_us), (task.due_date, task.status))
    known = await _known_completions(op, sorted({number for number, _ in wanted}))
    zone = op.space.zone
    made = [
        Completion(
            op.number(),
            number,
            due,
            done_us,
            (_EPOCH + timedelta(microseconds=done_us)).astimezone(zone).date(),
            status,
        )
        for (number, done_us), (due, status) in sorted(wanted.items(), key=lambda item: item[0][1])
        if (number, done_us // _SECOND_US) not in known
    ]
    await insert_completions(op, made)
    return len(made)


async def add_comments(
    op: Op, records: Sequence[CommentRecord], numbers: Mapping[str, int], filling: Filling, faults: Faults
) -> int:
    """Add the comments that are not there yet; returns how many. Nobody can say anything in somebody else's name, so
    all are the caller's, and the name of another author stands in front."""
    there = sorted({numbers[record.task] for record in records if record.task in numbers})
    known = {
        (one.task_no, one.body, at)
        for some in portions(there)
        for one in await read_comments(op.tx, op.area, some)
        for at in (one.created_us // _SECOND_US, None)
    }
    made = []
    for record in records:
        if record.task not in numbers:
            faults.add(record.line, "a comment on a task that is not in this file; left out")
            continue
        said = record.text if record.author in ("", "me") else f"{record.author}: {record.text}"
        at_us = filling.instant_us(record.created, record.line) if record.created else None
        try:
            body = checked_comment(said, "the comment")
        except Problem as problem:
            faults.add(record.line, f"{problem.message}; left out")
            continue
        key = (numbers[record.task], body, None if at_us is None else at_us // _SECOND_US)
        if key not in known:
            known.add(key)
            me = space_of(op.tx.caller)
            made.append(Comment(op.number(), key[0], me, body, op.tx.now_us if at_us is None else at_us))
    await insert_comments(op, made)
    return len(made)


async def _known_completions(op: Op, task_numbers: Sequence[int]) -> set[tuple[int, int]]:
    columns = (completions.c.task_no, completions.c.done_us)
    return {
        (number, done_us // _SECOND_US)
        for some in portions(task_numbers)
        for number, done_us in await op.tx.all(
            select(*columns).where(completions.c.space_id == op.space.id, completions.c.task_no.in_(some))
        )
    }


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text) if text else None
    except ValueError:
        return None
