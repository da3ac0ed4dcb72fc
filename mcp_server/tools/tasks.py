"""The tools people use most: find, add, edit, complete and delete tasks."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final, Literal

from fastmcp.tools.base import ToolResult
from mcp_types import TextContent
from pydantic import BaseModel, ConfigDict

from mcp_server.access import CallMeta, ReadTx, Resources, TheResources, ThisCall, WriteTx
from mcp_server.board.board import URI
from mcp_server.tasks.finding.details import Details, read_details
from mcp_server.tasks.finding.find import find, matching
from mcp_server.tasks.refs import read_refs
from mcp_server.tasks.sight import read_sight
from mcp_server.tasks.task import Status, Task, TaskPage
from mcp_server.tasks.writing import adding, completing, deleting, editing
from mcp_server.tasks.writing.journal import Answer, Op, write
from mcp_server.tasks.writing.wishes import NewTask, TaskChange
from mcp_server.tools.confirming import ASKED_ABOVE, Question, write_confirmed
from mcp_server.tools.receipts import answer_with_changes, answer_with_tasks, next_line, result_of, write_call
from mcp_server.tools.render import Reading, detail_lines, in_quotes, page_text, page_values
from mcp_server.tools.surface import TaskTool, adds, changes, make_tool, reads
from shared.db import Tx
from shared.errors import Problem

OUTCOMES: Final = {Status.OPEN: "reopened", Status.DONE: "completed", Status.CANCELLED: "cancelled"}
LINES: Final = 25
FULL_LIMIT: Final = 50
FULL: Final = 10
ANSWER_LIMIT: Final = 100_000  # characters in all: what a model, and an event of a client, can take

Priority = Literal["", "p1", "p2", "p3", "p4"]
Sort = Literal["smart", "due", "priority", "created", "updated", "title", "manual", "relevance"]


class _Words(BaseModel):
    """What a client says of a task."""

    model_config = ConfigDict(extra="forbid")

    title: str = ""
    notes: str = ""
    list: str = ""
    due: str = ""
    start: str = ""
    deadline: str = ""
    repeat: str = ""
    priority: Priority = ""
    estimate: str = ""
    remind: Sequence[str] = ()
    tags: Sequence[str] = ()
    parent: str = ""
    assignee: str = ""
    fields: Mapping[str, Any] = {}
    blocked_by: Sequence[str] = ()

    def words(self) -> dict[str, Any]:
        """The same, for a wish."""
        given = {name: getattr(self, name) for name in type(self).model_fields}
        return {**given, "priority": int(self.priority[1]) if self.priority else None}

    def said(self) -> dict[str, Any]:
        """Only what was said, to tell whether two calls are equal."""
        return self.model_dump(exclude_defaults=True)


class TaskToAdd(_Words):
    """One task as a client sends it."""

    subtasks: Sequence[str] = ()


class ChangeToMake(_Words):
    """One change as a client sends it."""

    refs: Sequence[str] = ()
    append_notes: str = ""
    comment: str = ""
    position: str = ""
    clear: Sequence[str] = ()
    version: int | None = None


async def tasks_find(
    filter: str = "",  # noqa: A002 (the name on the wire)
    refs: Sequence[str] = (),
    sort: Sort = "smart",
    detail: Literal["line", "full"] = "line",
    limit: int = 0,
    cursor: str = "",
    tx: Tx = ReadTx,
    call: CallMeta = ThisCall,
    resources: Resources = TheResources,
) -> ToolResult:
    """Find by filter, or open by reference; what was named is shown in full."""
    sight = await read_sight(tx, call.tz)
    if refs and (filter or cursor):
        raise Problem("bad_argument", "refs and filter exclude each other", "give one of them")
    full = detail == "full" or bool(refs)
    reading = Reading(sight, tx.now)

    async def page_of(most: int, notes: Sequence[str] = ()) -> tuple[ToolResult, int, int]:
        page = await find(tx, sight, filter, sort=sort, full=full, limit=most, cursor=cursor, cursors=resources.cursors)
        page = replace(page, notes=(*page.notes, *notes))
        details = await read_details(tx, sight, page.tasks) if full else None
        return *_shown(page, reading, details), len(page.tasks)

    if refs:
        adding.require_batch(len(refs), "refs")
        tasks = await read_refs(tx, sight, refs, trash=True)
        page = TaskPage(tasks, len(tasks), "", "as named", "")
        result, fitting = _shown(page, reading, await read_details(tx, sight, tasks))
        if fitting < len(tasks):
            raise Problem("too_many", "these tasks are too long for one answer", f"at most {fitting} of them at once")
        return result
    result, fitting, count = await page_of(min(limit or FULL, FULL_LIMIT) if full else limit or LINES)
    if fitting < count:
        result, _, _ = await page_of(fitting, [f"{fitting} tasks fill one answer; more with the cursor"])
    return result


async def tasks_add(
    tasks: Sequence[TaskToAdd],
    duplicates: adding.Duplicates = "warn",
    dry_run: bool = False,
    request_id: str = "",
    tx: Tx = WriteTx,
    call: CallMeta = ThisCall,
) -> ToolResult:
    """Add tasks, all or none of them."""
    new = [NewTask(**{**task.words(), "title": task.title}) for task in tasks]
    asked = write_call(
        "tasks_add",
        {"tasks": [task.said() for task in tasks], "duplicates": duplicates},
        call,
        dry_run,
        request_id,
        refs=[ref for task in new for ref in (task.parent, *task.blocked_by) if ref and not ref.startswith("#")],
        places=[task.list or ("" if task.parent else "Inbox") for task in new],
    )

    async def work(op: Op) -> Answer:
        added = await adding.add(op, new, duplicates)
        counts = {"added": len(added.tasks)} | ({"skipped": len(added.skipped)} if added.skipped else {})
        numbers = [task.no for task in added.tasks]
        there = list({task.no: task for task in added.skipped if task.no not in numbers}.values())
        # A dry run's numbers would belong to other tasks tomorrow.
        refs = [f"new{index}" if dry_run else op.sight.ref(task) for index, task in enumerate(added.tasks, start=1)]
        refs += map(op.sight.ref, there)
        return answer_with_tasks(op, counts, [*added.tasks, *there], refs, added.notes)

    return result_of(tx, await write(tx, asked, work))


async def tasks_edit(
    changes: Sequence[ChangeToMake],
    filter: str = "",  # noqa: A002 (the name on the wire)
    dry_run: bool = False,
    request_id: str = "",
    tx: Tx = WriteTx,
    call: CallMeta = ThisCall,
) -> ToolResult:
    """Change tasks by reference, or all that a filter matches."""
    wishes = [TaskChange(**change.words()) for change in changes]
    asked = write_call(
        "tasks_edit",
        {"changes": [change.said() for change in changes], "filter": filter},
        call,
        dry_run,
        request_id,
        refs=[ref.removeprefix("-") for wish in wishes for ref in (*wish.refs, wish.parent, *wish.blocked_by) if ref],
        places=[wish.list for wish in wishes],
        filter=filter,
    )

    async def work(op: Op) -> Answer:
        matches = await matching(op.tx, op.sight, op.area, filter) if filter else None
        edited = await editing.edit(op, wishes, matches)
        changed = sum(before.rev != now.rev or now.no in edited.commented for before, now in edited.tasks)
        return answer_with_changes(
            op,
            _counted("edited", changed, len(edited.tasks)),
            edited.tasks,
            edited.notes,
            also=dict.fromkeys(edited.commented, "commented"),
        )

    def question(answer: Answer) -> Question | None:
        changed = answer.counts["edited"]
        if not filter or changed <= ASKED_ABOVE:
            return None
        return Question(f"Change {changed:,} tasks, all that match {in_quotes(filter)}?", f"Change {changed:,} tasks")

    return result_of(tx, await write_confirmed(tx, asked, work, question))


async def tasks_complete(
    refs: Sequence[str],
    done: bool = True,
    cancelled: bool = False,
    at: str = "",
    end_series: bool = False,
    dry_run: bool = False,
    request_id: str = "",
    tx: Tx = WriteTx,
    call: CallMeta = ThisCall,
) -> ToolResult:
    """Complete tasks, or cancel or reopen them."""
    if not done and (cancelled or at or end_series):
        raise Problem("bad_argument", "done=false reopens; it goes with nothing else", "leave the others out")
    status = Status.CANCELLED if cancelled else Status.DONE if done else Status.OPEN
    arguments = {"refs": list(refs), "status": status.name, "at": at, "end_series": end_series}
    asked = write_call("tasks_complete", arguments, call, dry_run, request_id, refs=refs)

    async def work(op: Op) -> Answer:
        result = await completing.set_status(op, refs, status, at=at, end_series=end_series)
        counts = _counted(OUTCOMES[status], len(result.moved), len(result.tasks))
        refs_now = [op.sight.ref(task) for task in result.tasks]
        answer = answer_with_tasks(op, counts, result.tasks, refs_now, result.notes)
        goes_on = result.moved if status is not Status.OPEN else frozenset()
        lines = [
            next_line(task, OUTCOMES[status], op) if task.no in goes_on and task.is_open and task.rrule else line
            for task, line in zip(result.tasks, answer.lines, strict=True)
        ]
        return replace(answer, lines=lines)

    return result_of(tx, await write(tx, asked, work))


async def tasks_delete(
    refs: Sequence[str] = (),
    filter: str = "",  # noqa: A002 (the name on the wire)
    restore: bool = False,
    dry_run: bool = False,
    request_id: str = "",
    tx: Tx = WriteTx,
    call: CallMeta = ThisCall,
) -> ToolResult:
    """Move tasks into the trash, or bring them back."""
    if bool(refs) == bool(filter):
        raise Problem("bad_argument", "give refs or filter, exactly one of them", 'e.g. refs=["T12"]')
    arguments = {"refs": list(refs), "filter": filter, "restore": restore}
    asked = write_call("tasks_delete", arguments, call, dry_run, request_id, refs=refs, filter=filter)

    async def work(op: Op) -> Answer:
        if refs:
            adding.require_batch(len(refs), "refs")
            chosen: Sequence[Task] = await read_refs(op.tx, op.sight, refs, trash=True)
        else:
            chosen = await matching(op.tx, op.sight, op.area, filter, trash=restore)
        notes: Sequence[str] = ()
        if restore:
            moved, notes = await deleting.restore(op, [task for task in chosen if task.deleted_us is not None])
        else:
            moved = await deleting.delete(op, [task for task in chosen if task.deleted_us is None])
        there = [task for task in chosen if task.no not in {one.no for one in moved}]
        counts = _counted("restored" if restore else "deleted", len(moved), len(moved) + len(there))
        tasks = [*moved, *there]
        return answer_with_tasks(op, counts, tasks, [op.sight.ref(task) for task in tasks], notes)

    def question(answer: Answer) -> Question | None:
        deleted = answer.counts.get("deleted", 0)
        if not filter or deleted <= ASKED_ABOVE:
            return None
        text = f"Move {deleted:,} tasks to the trash, all that match {in_quotes(filter)}? They stay there for 30 days."
        return Question(text, f"Delete {deleted:,} tasks")

    return result_of(tx, await write_confirmed(tx, asked, work, question))


def task_tools() -> list[TaskTool]:
    """The tools of this file, in the order in which clients see them."""
    return [
        make_tool(tasks_find, hints=reads, scope="tasks:read", view="task_list", app=URI),
        make_tool(tasks_add, hints=adds, scope="tasks:write", view="receipt"),
        make_tool(tasks_edit, hints=changes, scope="tasks:write", view="receipt", confirms=True),
        make_tool(tasks_complete, hints=adds, scope="tasks:write", view="receipt"),
        make_tool(tasks_delete, hints=changes, scope="tasks:delete", view="receipt", repeatable=True, confirms=True),
    ]


def _shown(page: TaskPage, reading: Reading, details: Mapping[Any, Details] | None) -> tuple[ToolResult, int]:
    """A page as it is sent, and how many of its tasks one answer can hold."""
    text = page_text(page, reading, details)
    values = page_values(page, reading, details)
    result = ToolResult(content=[TextContent(type="text", text=text)], structured_content=values)
    size, fitting = 0, 0
    for task, value in zip(page.tasks, values["tasks"], strict=True):
        lines = detail_lines(task, details[task.space_id, task.no], reading) if details is not None else []
        size += sum(map(len, lines)) + len(str(value))
        if size > ANSWER_LIMIT and fitting:
            break
        fitting += 1
    return result, fitting


def _counted(what: str, changed: int, total: int) -> dict[str, int]:
    return {what: changed} | ({"unchanged": total - changed} if total > changed else {})
