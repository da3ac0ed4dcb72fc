"""The tools that look back: undo takes a write back, history tells who did what."""

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, Final

from fastmcp.tools.base import ToolResult
from mcp_types import TextContent

from mcp_server.access import CallMeta, ReadTx, Resources, TheResources, ThisCall, WriteTx
from mcp_server.tasks.calendar.dates import shown
from mcp_server.tasks.names import Kind, Names
from mcp_server.tasks.past import conflicts, undoing
from mcp_server.tasks.past.history import Entry, History, Question, read_history
from mcp_server.tasks.past.undoing import Undone
from mcp_server.tasks.sight import read_sight
from mcp_server.tasks.writing.journal import Answer, Op, write
from mcp_server.tools.progress import reported
from mcp_server.tools.receipts import answer_with_changes, reading_of, result_of, write_call
from mcp_server.tools.render import Reading, notes_lines, without_empty
from mcp_server.tools.surface import LONG_S, TaskTool, changes, make_tool, reads
from mcp_server.tools.telling import Teller, Told
from shared.db import Tx

LINES: Final = 50
REFS: Final = 500
OPERATIONS: Final = 25
# What a page of history may hold; the rest comes with the cursor.
TEXT_SIZE: Final = 40_000
VALUES_SIZE: Final = 180_000


async def undo(
    op: str = "",
    force: bool = False,
    dry_run: bool = False,
    request_id: str = "",
    tx: Tx = WriteTx,
    call: CallMeta = ThisCall,
) -> ToolResult:
    """Take one write back."""
    asked = undoing.reference(op)
    alias = asked.alias if op.strip() else await undoing.where_last(tx, call.tz)
    refs = [f"{alias}:T0"] if alias else []

    wanted = write_call("undo", {"op": op, "force": force}, call, dry_run, request_id, refs=refs)
    async with reported() as progress:

        async def work(operation: Op) -> Answer:
            operation.progress = progress
            earlier = operation.area.names
            return _answer(operation, earlier, await undoing.undo(operation, op, force=force), force=force)

        return result_of(tx, await write(tx, wanted, work))


async def history(
    ref: str = "",
    since: str = "",
    until: str = "",
    actor: str = "",
    limit: int = OPERATIONS,
    cursor: str = "",
    tx: Tx = ReadTx,
    call: CallMeta = ThisCall,
    resources: Resources = TheResources,
) -> ToolResult:
    """Who changed what, when and through which client."""
    sight = await read_sight(tx, call.tz)
    asked = Question(ref, since, until, actor)
    found = await read_history(tx, sight, asked, limit=limit, cursor=cursor, cursors=resources.cursors)
    reading = Reading(sight.including(found.area), tx.now)
    return _told_page(found, reading, resources)


def journal_tools() -> list[TaskTool]:
    """The tools of this file, in the order in which clients see them."""
    return [
        make_tool(undo, hints=changes, scope="tasks:write", view="receipt", limit_s=LONG_S),
        make_tool(history, hints=reads, scope="tasks:read", view="timeline"),
    ]


def _answer(op: Op, earlier: Names, undone: Undone, *, force: bool) -> Answer:
    """What was taken back and what was not. What is gone now is told by its name of before."""
    counts = {"reverted": undone.size} | ({"not reverted": len(undone.conflicts)} if undone.conflicts else {})
    answer = answer_with_changes(op, counts, undone.tasks[:LINES], undone.notes)
    names = earlier.including(row for kind in Kind for row in op.area.names.of(kind))
    teller = Teller(replace(op.area, names=names), reading_of(op))
    others = [teller.told(change) for change in undone.others]
    kept = [_conflict_line(one, force=force) for one in undone.conflicts[:LINES]]
    lines = [*kept, *answer.lines, *(one.words for one in others[:LINES])]
    hidden = undone.size + len(undone.conflicts) - len(lines)
    refs = [op.sight.ref(now) for _, now in undone.tasks] + [one.ref for one in others]
    return replace(
        answer,
        lines=[*lines, *([f"... and {hidden:,} more"] if hidden else [])],
        refs=refs[:REFS],
        changes=[*answer.changes, *(one.values for one in others[:LINES])],
        conflicts=[_conflict_values(one) for one in undone.conflicts[:LINES]],
    )


def _conflict_line(one: conflicts.Told, *, force: bool) -> str:
    hint = " force=true overwrites." if one.conflict.yields_to_force and not force else ""
    return f"not reverted: {one.text}.{hint}"


def _conflict_values(one: conflicts.Told) -> dict[str, Any]:
    return without_empty(
        {
            "ref": one.conflict.ref,
            "fields": one.conflict.words,
            "why": one.text,
            "op": one.op,
            "at": one.at and f"{one.at:%Y-%m-%dT%H:%M}",
            "by": one.by,
            "client": one.client,
        },
        keep=("fields",),
    )


def _told_page(found: History, reading: Reading, resources: Resources) -> ToolResult:
    """As many entries as an answer can hold."""
    teller = Teller(found.area, reading, found.task_of)
    lines: list[str] = []
    values: list[dict[str, Any]] = []
    room, values_room = TEXT_SIZE, VALUES_SIZE
    for entry in found.entries:
        told = teller.entry(entry)
        line, value = _line(entry, told, found, reading), _values(entry, told, reading)
        room, values_room = room - len(line), values_room - len(json.dumps(value))
        if lines and (room < 0 or values_room < 0):
            break
        lines.append(line)
        values.append(value)
    is_cut = len(lines) < len(found.entries)
    more = found.cursor(resources.cursors, found.entries[len(lines) - 1]) if is_cut or found.has_more else ""
    notes = [f"only {len(lines)} fit into this answer"] if is_cut else []
    whose = "" if found.area.is_own else f" of {found.area.alias}"
    head = f"{len(lines)} operations{whose}, newest first. {reading.moment}, rev {found.area.space.rev}"
    text = [head, *lines, *notes_lines(notes), *([f"more: cursor={more}"] if more else [])]
    return ToolResult(
        content=[TextContent(type="text", text="\n".join(text))],
        structured_content=without_empty(
            {**reading.values(), "ops": values, "cursor": more, "notes": notes}, keep=("rev", "ops")
        ),
    )


def _line(entry: Entry, told: Sequence[Told], found: History, reading: Reading) -> str:
    at = reading.local(entry.at_us)
    label = found.area.label
    mark = f" (undone by op {label(str(entry.undone_by))})" if entry.undone_by is not None else ""
    mark += f" (undoes op {label(str(entry.undo_of))})" if entry.undo_of is not None else ""
    return (
        f"op {label(str(entry.op))} {_moment(at, reading)} {_actor(entry, reading)} via "
        f"{shown(entry.client)} {entry.tool}{mark}: {_summary(entry, told)}"
    )


def _summary(entry: Entry, told: Sequence[Told]) -> str:
    more = entry.size - len(entry.changes)
    return "; ".join(one.words for one in told) + (f"; and {more:,} more" if more else "")


def _values(entry: Entry, told: Sequence[Told], reading: Reading) -> dict[str, Any]:
    return without_empty(
        {
            "op": entry.op,
            "at": reading.local(entry.at_us).isoformat(timespec="seconds"),
            "actor": reading.sight.name_of(entry.person) or "me",
            "agent": entry.by_agent,
            "client": entry.client,
            "tool": entry.tool,
            "summary": _summary(entry, told),
            "undo_of": entry.undo_of,
            "undone_by": entry.undone_by,
            "changes": [one.values for one in told],
        },
        keep=("op",),
    )


def _actor(entry: Entry, reading: Reading) -> str:
    name = reading.sight.name_of(entry.person)
    if entry.by_agent:
        return f"{name}'s agent" if name else "my agent"
    return name or "me"


def _moment(at: datetime, reading: Reading) -> str:
    return f"{at:%m-%d %H:%M}" if at.year == reading.today.year else f"{at:%Y-%m-%d %H:%M}"
