"""Results as a model reads them: one compact line per task, metadata first and the title last.

Nothing in a title can imitate metadata, because everything after ` | ` is title and a title has no line break.
"""

from collections.abc import Sequence
from datetime import UTC, date, datetime
from typing import Any, Final

from mcp_server.tasks.calendar.dates import echo
from mcp_server.tasks.journal import Receipt
from mcp_server.tasks.spaces import Space
from mcp_server.tasks.task import NO_PRIORITY, Status, Task, TaskPage

TITLE_SHOWN: Final = 160


def page_text(page: TaskPage, space: Space, now: datetime, *, named: bool = False) -> str:
    """A page of tasks: what this is, a line per task, notes, and how to go on."""
    local = now.astimezone(space.zone)
    count = (
        f"{len(page.tasks)} tasks" if named else f"{len(page.tasks)} of {page.total:,} {page.filter}, {page.sort} order"
    )
    lines = [f"{count}. {local:%a %Y-%m-%d %H:%M} {space.tz}, rev {space.rev}"]
    lines += [task_line(task, local.date()) for task in page.tasks]
    lines += _notes(page.notes)
    if page.cursor:
        lines.append(f"more: cursor={page.cursor}")
    return "\n".join(lines)


def page_values(page: TaskPage, space: Space, now: datetime) -> dict[str, Any]:
    """The same facts for programs."""
    return _without_empty(
        {
            **_moment(space, now),
            "total": page.total,
            "count": len(page.tasks),
            "filter": page.filter,
            "sort": page.sort,
            "cursor": page.cursor,
            "tasks": [task_values(task) for task in page.tasks],
            "notes": list(page.notes),
        },
        keep=("rev", "total", "count", "tasks"),
    )


def task_line(task: Task, today: date, ref: str = "") -> str:
    """One task on one line."""
    parts = [ref or task.ref]
    if task.status is not Status.OPEN:
        parts.append(task.status.name.lower())
    if task.priority != NO_PRIORITY:
        parts.append(f"p{task.priority}")
    if task.due_date is not None:
        parts.append(echo(task.due_date, task.due_min, today))
    if task.due_tz:
        parts.append(task.due_tz)
    title = task.title if len(task.title) <= TITLE_SHOWN else f"{task.title[:TITLE_SHOWN]}...[{len(task.title)}]"
    return f"{' '.join(parts)} | {title}"


def task_values(task: Task) -> dict[str, Any]:
    """One task for programs; what is default or empty is left out."""
    return _without_empty(
        {
            "ref": task.ref,
            "title": task.title,
            "status": "" if task.status is Status.OPEN else task.status.name.lower(),
            "priority": "" if task.priority == NO_PRIORITY else f"p{task.priority}",
            "due": due_text(task),
            "tz": task.due_tz,
            "notes": task.notes,
            "version": task.rev,
        },
        keep=("title",),
    )


def due_text(task: Task) -> str:
    """The local due date, with its time if it has one."""
    if task.due_date is None:
        return ""
    if task.due_min is None:
        return task.due_date.isoformat()
    return f"{task.due_date.isoformat()}T{task.due_min // 60:02d}:{task.due_min % 60:02d}"


def receipt_text(receipt: Receipt) -> str:
    """What a write did: the operation, its counts, a line per task, notes."""
    answer = receipt.answer
    counts = ", ".join(f"{count:,} {what}" for what, count in answer.counts.items())
    if receipt.replayed:
        at = datetime.fromtimestamp(receipt.at_us / 1_000_000, UTC).astimezone(receipt.space.zone)
        head = f"replayed: op {receipt.op} was already done at {at:%H:%M}: {counts}"
    elif receipt.call.dry_run:
        head = f"dry run, nothing written: {counts}"
    elif receipt.op is None:
        head = "nothing to change"
    else:
        head = f"op {receipt.op}: {counts}"
    return "\n".join([head, *answer.lines, *_notes(answer.notes)])


def receipt_values(receipt: Receipt, now: datetime) -> dict[str, Any]:
    """The same facts for programs."""
    answer = receipt.answer
    return _without_empty(
        {
            **_moment(receipt.space, now),
            "op": receipt.op,
            "tool": receipt.call.tool,
            "counts": answer.counts,
            "refs": [task["ref"] for task in answer.tasks],
            "tasks": list(answer.tasks),
            "notes": list(answer.notes),
            "dry_run": receipt.call.dry_run,
            "replayed": receipt.replayed,
        },
        keep=("rev", "counts", "refs"),
    )


def _moment(space: Space, now: datetime) -> dict[str, Any]:
    return {"rev": space.rev, "now": now.astimezone(space.zone).isoformat(timespec="seconds"), "tz": space.tz}


def _notes(notes: Sequence[str]) -> list[str]:
    return [f"note: {note}" for note in notes]


def _without_empty(values: dict[str, Any], keep: Sequence[str]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if name in keep or (value not in (None, "", [], {}, False))}
