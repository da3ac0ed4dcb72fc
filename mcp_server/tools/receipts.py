"""A write as it was asked for, and what it did as a model reads it: the operation, what changed on each task, notes."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import date
from typing import Any, Final

from fastmcp.tools.base import ToolResult
from mcp_types import TextContent

from mcp_server.access import CallMeta, argument_request_id
from mcp_server.tasks.custom import shown
from mcp_server.tasks.filtering.grammar import parse
from mcp_server.tasks.filtering.tree import lists_asked
from mcp_server.tasks.names import INBOX_NAME
from mcp_server.tasks.schedule import duration
from mcp_server.tasks.task import Status, Task
from mcp_server.tasks.writing.images import difference
from mcp_server.tasks.writing.journal import Answer, Call, Op, Receipt
from mcp_server.tools.render import (
    Reading,
    cut,
    due_shown,
    fields_shown,
    in_quotes,
    notes_lines,
    quoted,
    reminder_shown,
    tags_shown,
    task_line,
    task_values,
    title_shown,
    without_empty,
)
from shared.db import Tx

SHOWN: Final = 100  # tasks with all that is known of them; the references are always complete
DRY_LINES: Final = 20
NOTES_SHOWN: Final = 500
UNCHANGED: Final = "unchanged"

Pair = tuple[Task, Task]


def reading_of(op: Op) -> Reading:
    """How the caller of a write reads its answer."""
    return Reading(op.sight, op.tx.now)


def answer_with_tasks(
    op: Op, counts: Mapping[str, int], tasks: Sequence[Task], refs: Sequence[str], notes: Sequence[str] = ()
) -> Answer:
    """An answer that shows tasks as they are now, under these references."""
    reading = replace(reading_of(op), new={task.no: ref for task, ref in zip(tasks, refs, strict=True)})
    return Answer(
        counts,
        lines=[task_line(task, reading) for task in tasks],
        refs=list(refs),
        tasks=[task_values(task, reading) for task in tasks[:SHOWN]],
        notes=list(notes),
    )


def answer_with_changes(
    op: Op,
    counts: Mapping[str, int],
    pairs: Sequence[Pair],
    notes: Sequence[str] = (),
    also: Mapping[int, str] | None = None,
) -> Answer:
    """An answer that shows what changed on each task; `also` is said of a task besides."""
    reading = reading_of(op)
    lines: list[str] = []
    changes: list[dict[str, Any]] = []
    for before, now in pairs:
        words = [*changed_words(before, now, reading), *filter(None, [(also or {}).get(now.no, "")])]
        lines.append(f"{reading.sight.ref(now)}: {'; '.join(words) or UNCHANGED} | {title_shown(now)}")
        if before.rev != now.rev and len(changes) < SHOWN:  # not by values: somebody else's end may have unblocked it
            was, is_now = changed_values(before, now, reading)
            changes.append({"ref": reading.sight.ref(now), "before": was, "after": is_now})
    tasks = [now for _, now in pairs]
    return Answer(
        counts,
        lines=lines,
        refs=[reading.sight.ref(task) for task in tasks],
        tasks=[task_values(task, reading) for task in tasks[:SHOWN]],
        changes=changes,
        notes=list(notes),
    )


def next_line(task: Task, outcome: str, op: Op) -> str:
    """A repeating task that was finished once and has gone on to its next date."""
    reading = reading_of(op)
    words = f"{outcome} -> {due_shown(task, reading)} ({task.repeat_text})"
    return f"{reading.sight.ref(task)} {words} | {title_shown(task)}"


def changed_words(before: Task, now: Task, reading: Reading) -> list[str]:
    """What changed on a task, in as few words as will do: `due 11-20 -> Fri 11-27; +@home`."""
    words = [
        f"{name} {old or 'none'} -> {new or 'none'}"
        for name, old, new in _changed_facts(before, now, reading)
        if name not in ("notes", "tags", "reminders")
    ]
    if before.notes != now.notes:
        words.append("notes" if now.notes else "notes removed")
    words += [f"+{tag}" for tag in tags_shown(set(now.tags) - set(before.tags), now, reading)]
    words += [f"-{tag}" for tag in tags_shown(set(before.tags) - set(now.tags), now, reading)]
    label = reading.sight.area(now.space_id).label
    words += [f"blocked by {label(f'T{no}')}" for no in sorted(set(now.blocked_by) - set(before.blocked_by))]
    words += [f"no longer blocked by {label(f'T{no}')}" for no in sorted(set(before.blocked_by) - set(now.blocked_by))]
    if before.reminders != now.reminders:
        reminders = ", ".join(reminder_shown(one, reading) for one in now.reminders)
        words.append(f"reminders {reminders or 'none'}")
    if before.position != now.position:
        words.append("moved within its list")
    if (before.deleted_us is None) != (now.deleted_us is None):
        words.append("restored" if now.deleted_us is None else "to the trash")
    return words


def changed_values(before: Task, now: Task, reading: Reading) -> tuple[dict[str, Any], dict[str, Any]]:
    """The changed fields as a program reads them, before and after."""
    old, new = task_values(before, reading), task_values(now, reading)
    if before.notes != now.notes:
        old["notes"], new["notes"] = cut(before.notes, NOTES_SHOWN), cut(now.notes, NOTES_SHOWN)
    if before.reminders != now.reminders:
        old["reminders"] = [reminder_shown(one, reading) for one in before.reminders]
        new["reminders"] = [reminder_shown(one, reading) for one in now.reminders]
    label = reading.sight.area(now.space_id).label
    if before.blocked_by != now.blocked_by:
        old["blocked_by"] = [label(f"T{number}") for number in before.blocked_by]
        new["blocked_by"] = [label(f"T{number}") for number in now.blocked_by]
    if before.estimate_min != now.estimate_min:
        old["estimate_min"], new["estimate_min"] = before.estimate_min, now.estimate_min
    if before.fields != now.fields:
        old["fields"], new["fields"] = dict(fields_shown(before, reading)), dict(fields_shown(now, reading))
    names = [name for name in {**old, **new} if name != "version" and old.get(name) != new.get(name)]
    return {name: old.get(name) for name in names}, {name: new.get(name) for name in names}


def write_call(
    tool: str,
    arguments: Mapping[str, Any],
    meta: CallMeta,
    dry_run: bool,
    request_id: str,
    *,
    refs: Sequence[str] = (),
    places: Sequence[str] = (),
    filter: str = "",  # noqa: A002 (the name on the wire)
) -> Call:
    """A write as it was asked for, with the references and lists that say whose space is written."""
    # What the host sent beside the arguments wins over what its model wrote.
    key = meta.request_id or argument_request_id(request_id)
    named = [place for place in places if place]
    if filter:  # without a list it means the caller's own tasks
        named += list(lists_asked(parse(filter))) or [INBOX_NAME]
    return Call(tool, arguments, key, dry_run, meta.tz, refs, named)


def result_of(tx: Tx, receipt: Receipt) -> ToolResult:
    """The answer to a write."""
    reading = Reading(receipt.sight, tx.now)
    return ToolResult(
        content=[TextContent(type="text", text=receipt_text(receipt, reading))],
        structured_content=receipt_values(receipt, reading),
    )


def receipt_text(receipt: Receipt, reading: Reading) -> str:
    """The operation, its counts, a line per task, notes."""
    answer = receipt.answer
    counts = ", ".join(_counted(count, what) for what, count in answer.counts.items()) or "done"
    lines = list(answer.lines)
    if receipt.replayed:
        at = reading.local(receipt.at_us)
        head = f"replayed: op {_label(receipt)} was already done at {at:%H:%M}: {counts}"
    elif receipt.call.dry_run:
        head = f"dry run, nothing written: {counts}"
    elif receipt.op is None:
        head = "nothing to change"
    else:
        head = f"op {_label(receipt)}: {counts}"
    most = DRY_LINES if receipt.call.dry_run else SHOWN
    more = [f"... and {len(lines) - most:,} more"] if len(lines) > most else []
    return "\n".join([head, *lines[:most], *more, *notes_lines(answer.notes)])


def receipt_values(receipt: Receipt, reading: Reading) -> dict[str, Any]:
    """The same facts for programs."""
    answer = receipt.answer
    return without_empty(
        {
            **reading.values(),
            "rev": receipt.area.space.rev,
            "op": receipt.op,
            "tool": receipt.call.tool,
            "counts": dict(answer.counts),
            "refs": list(answer.refs),
            "tasks": list(answer.tasks),
            "changes": list(answer.changes),
            "conflicts": list(answer.conflicts),
            "notes": list(answer.notes),
            "dry_run": receipt.call.dry_run,
            "replayed": receipt.replayed,
        },
        keep=("rev", "counts", "refs"),
    )


def _label(receipt: Receipt) -> str:
    return receipt.area.label(str(receipt.op))


def _counted(count: int, what: str) -> str:
    thing, space, done = what.partition(" ")  # "lists added", of which there may be one
    return f"1 {thing.removesuffix('s')}{space}{done}" if count == 1 and space else f"{count:,} {what}"


def _changed_facts(before: Task, now: Task, reading: Reading) -> Iterable[tuple[str, str, str]]:
    changed = difference(before, now)[0].keys()
    area = reading.sight.area(now.space_id)

    def day(value: date | None) -> str:
        return value.isoformat() if value else ""

    def status(task: Task) -> str:
        return Status(task.status).name.lower()

    facts: dict[str, tuple[tuple[str, ...], Callable[[Task], str]]] = {
        "title": (("title",), lambda task: in_quotes(task.title)),
        "status": (("status",), status),
        "due": (("due_date", "due_min", "due_tz"), lambda task: due_shown(task, reading)),
        "start": (("start_date",), lambda task: day(task.start_date)),
        "deadline": (("deadline",), lambda task: day(task.deadline)),
        "repeat": (("rrule", "repeat_text", "repeat_from"), lambda task: task.repeat_text or ""),
        "list": (("list_no",), lambda task: quoted(area.names.path(task.list_no) or INBOX_NAME)),
        "priority": (("priority",), lambda task: f"p{task.priority}"),
        "parent": (("parent_no",), lambda task: area.label(f"T{task.parent_no}") if task.parent_no else ""),
        "assignee": (("assignee",), lambda task: _person(task.assignee, reading)),
        "estimate": (("estimate_min",), lambda task: duration(task.estimate_min) if task.estimate_min else ""),
    }
    for name, (fields, show) in facts.items():
        if changed & set(fields):
            yield name, show(before), show(now)
    for number in sorted({*before.fields, *now.fields}):
        field = area.names.get(int(number))
        if field is not None and before.fields.get(number) != now.fields.get(number):
            old, new = (shown(field, task.fields[number]) if number in task.fields else "" for task in (before, now))
            yield field.name, _plain(old), _plain(new)


def _person(person: str | None, reading: Reading) -> str:
    return (reading.sight.name_of(person) or "me") if person else ""


def _plain(value: str) -> str:
    return value if not value or value.isalnum() else in_quotes(value)
