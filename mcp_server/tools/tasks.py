"""The task tools: find, add, complete."""

from collections.abc import Sequence
from typing import Annotated, Any, Final, Literal

from fastmcp.tools.base import ToolResult
from mcp_types import TextContent
from pydantic import BaseModel, ConfigDict, Field

from mcp_server.access import CallMeta, ReadTx, Resources, TheResources, ThisCall, WriteTx, argument_request_id
from mcp_server.tasks import edit
from mcp_server.tasks.find import find
from mcp_server.tasks.journal import Answer, Call, Op, Receipt, write
from mcp_server.tasks.refs import read_refs
from mcp_server.tasks.spaces import read_space
from mcp_server.tasks.task import NewTask, Status, Task, TaskPage
from mcp_server.tools.render import (
    page_text,
    page_values,
    receipt_text,
    receipt_values,
    task_line,
    task_values,
)
from mcp_server.tools.surface import TaskTool, adds, closed, make_tool, reads
from shared.db import Tx
from shared.errors import Problem

OUTCOMES: Final = {Status.OPEN: "reopened", Status.DONE: "completed", Status.CANCELLED: "cancelled"}

TEXT: Final = {"type": "string"}
REFS: Final = {"type": "array", "items": TEXT}
DRY_RUN: Final = {"type": "boolean"}
REQUEST_ID: Final = {"type": "string", "description": "same id on a retry: no double write"}
FIND: Final = closed(
    {
        "filter": {
            "type": "string",
            "description": 'due:overdue|today|none|<=fri|2026-12-01..2026-12-31 p1 is:open|done|cancelled|all words "a '
            'phrase" prefix* -not; terms are ANDed. Default is:open.',
        },
        "refs": {**REFS, "description": "exactly these; excludes filter"},
        "limit": {"type": "integer", "maximum": 200},
        "cursor": TEXT,
    }
)
ADD: Final = closed(
    {
        "tasks": {
            "type": "array",
            "items": closed(
                {
                    "title": TEXT,
                    "notes": TEXT,
                    "due": {"type": "string", "description": '"tomorrow 9am", ISO'},
                    "priority": {"type": "string", "enum": ["p1", "p2", "p3", "p4"]},
                },
                required=["title"],
            ),
        },
        "dry_run": DRY_RUN,
        "request_id": REQUEST_ID,
    },
    required=["tasks"],
)
COMPLETE: Final = closed(
    {
        "refs": {**REFS, "description": "ids (T12) or exact titles"},
        "done": {"type": "boolean", "description": "false reopens"},
        "cancelled": {"type": "boolean", "description": "closed without doing it"},
        "dry_run": DRY_RUN,
        "request_id": REQUEST_ID,
    },
    required=["refs"],
)
MOMENT: Final = {"rev": "integer", "now": "string", "tz": "string", "notes": "array"}
FIND_OUTPUT: Final = {
    **MOMENT,
    "total": "integer",
    "count": "integer",
    "filter": "string",
    "sort": "string",
    "cursor": "string",
    "tasks": "array",
}
WRITE_OUTPUT: Final = {
    **MOMENT,
    "op": "integer",
    "tool": "string",
    "counts": "object",
    "refs": "array",
    "tasks": "array",
    "dry_run": "boolean",
    "replayed": "boolean",
}


class TaskToAdd(BaseModel):
    """One task as a client sends it."""

    model_config = ConfigDict(extra="forbid")

    title: str
    notes: str = ""
    due: str = ""
    priority: Literal["p1", "p2", "p3", "p4"] = "p4"


async def tasks_find(
    filter: str = "",  # noqa: A002 (the name on the wire)
    refs: Sequence[str] = (),
    limit: Annotated[int, Field(ge=1, le=200)] = 25,
    cursor: str = "",
    tx: Tx = ReadTx,
    call: CallMeta = ThisCall,
    resources: Resources = TheResources,
) -> ToolResult:
    """Find, list or open tasks: one line each, the exact total, and a cursor if there is more."""
    space = await read_space(tx, call.tz)
    if refs and filter:
        raise Problem("bad_argument", "refs and filter exclude each other", "give one of them")
    if refs:
        tasks = await read_refs(tx, space, refs)
        page = TaskPage(tasks, len(tasks), "", "as named", "")
    else:
        page = await find(tx, space, filter, limit=limit, cursor=cursor, cursors=resources.cursors)
    return _result(page_text(page, space, tx.now, named=bool(refs)), page_values(page, space, tx.now))


async def tasks_add(
    tasks: Sequence[TaskToAdd],
    dry_run: bool = False,
    request_id: str = "",
    tx: Tx = WriteTx,
    call: CallMeta = ThisCall,
) -> ToolResult:
    """Add 1-100 tasks, all or none of them."""
    new = [NewTask(task.title, task.notes, task.due, int(task.priority[1])) for task in tasks]

    async def work(op: Op) -> Answer:
        added, notes = await edit.add(op, new)
        # A dry run's numbers would belong to other tasks tomorrow.
        refs = [f"new{index}" if dry_run else task.ref for index, task in enumerate(added, start=1)]
        return _answer(op, {"added": len(added)}, added, refs, notes)

    arguments = {"tasks": [task.model_dump() for task in tasks]}
    return _done(tx, await write(tx, _call("tasks_add", arguments, dry_run, request_id, call), work))


async def tasks_complete(
    refs: Sequence[str],
    done: bool = True,
    cancelled: bool = False,
    dry_run: bool = False,
    request_id: str = "",
    tx: Tx = WriteTx,
    call: CallMeta = ThisCall,
) -> ToolResult:
    """Complete tasks, or reopen them with done=false."""
    if cancelled and not done:
        raise Problem("bad_argument", "cancelled and done=false exclude each other", "give one of them")
    status = Status.CANCELLED if cancelled else Status.DONE if done else Status.OPEN

    async def work(op: Op) -> Answer:
        tasks, changed = await edit.set_status(op, refs, status)
        counts = {OUTCOMES[status]: changed}
        if len(tasks) > changed:
            counts["unchanged"] = len(tasks) - changed
        return _answer(op, counts, tasks, [task.ref for task in tasks])

    arguments = {"refs": list(refs), "status": status.name}
    return _done(tx, await write(tx, _call("tasks_complete", arguments, dry_run, request_id, call), work))


def task_tools() -> list[TaskTool]:
    """The tools of this file, in the order in which clients see them."""
    return [
        make_tool(
            tasks_find,
            title="Find tasks",
            hints=reads,
            scope="tasks:read",
            view="task_list",
            parameters=FIND,
            output=FIND_OUTPUT,
        ),
        make_tool(
            tasks_add,
            title="Add tasks",
            hints=adds,
            scope="tasks:write",
            view="receipt",
            parameters=ADD,
            output=WRITE_OUTPUT,
        ),
        make_tool(
            tasks_complete,
            title="Complete tasks",
            hints=adds,
            scope="tasks:write",
            view="receipt",
            parameters=COMPLETE,
            output=WRITE_OUTPUT,
        ),
    ]


def _call(tool: str, arguments: dict[str, Any], dry_run: bool, request_id: str, meta: CallMeta) -> Call:
    # What the host sent beside the arguments wins over what its model wrote.
    return Call(tool, arguments, meta.request_id or argument_request_id(request_id), dry_run, meta.tz)


def _answer(
    op: Op, counts: dict[str, int], tasks: Sequence[Task], refs: Sequence[str], notes: Sequence[str] = ()
) -> Answer:
    today = op.tx.now.astimezone(op.space.zone).date()
    return Answer(
        counts,
        lines=tuple(task_line(task, today, ref) for task, ref in zip(tasks, refs, strict=True)),
        tasks=tuple({**task_values(task), "ref": ref} for task, ref in zip(tasks, refs, strict=True)),
        notes=tuple(notes),
    )


def _done(tx: Tx, receipt: Receipt) -> ToolResult:
    return _result(receipt_text(receipt), receipt_values(receipt, tx.now))


def _result(text: str, values: dict[str, Any]) -> ToolResult:
    return ToolResult(content=[TextContent(type="text", text=text)], structured_content=values)
