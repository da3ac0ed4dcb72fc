"""Tasks as files: the tools for export and import, and the resource that holds what is too long for an answer."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import islice
from typing import Any, Final, Literal, TypeVar

import anyio
import anyio.to_thread
from fastmcp.resources import ResourceContent, ResourceResult, ResourceTemplate
from fastmcp.tools.base import ToolResult
from mcp_types import Annotations, ContentBlock, ResourceLink, TextContent

from mcp_server.access import EXPORT_SCOPE, EXPORTS, CallMeta, Resources, TheResources, ThisCall, current_caller
from mcp_server.answering import SpokenTemplate
from mcp_server.snapshot.running.process import Size
from mcp_server.tasks.calendar.dates import shown
from mcp_server.tasks.sight import Sight, read_sight
from mcp_server.tasks.transfer import formats
from mcp_server.tasks.transfer.document import Document
from mcp_server.tasks.transfer.exporting import part_of, plan, read_document
from mcp_server.tasks.transfer.importing import Imported, import_document
from mcp_server.tasks.writing.journal import Answer, Op
from mcp_server.tools.confirming import Question, write_confirmed
from mcp_server.tools.database import ask, left_out
from mcp_server.tools.progress import reported
from mcp_server.tools.receipts import changed_words, reading_of, receipt_text, receipt_values, write_call
from mcp_server.tools.render import Reading, notes_lines, task_line, title_shown, without_empty
from mcp_server.tools.sheets import sheet_file
from mcp_server.tools.surface import LONG_S, TaskTool, adds, make_tool, reads
from shared.db import Tx, microseconds
from shared.errors import Problem

INLINE_BYTES: Final = 8_000
INLINE_TASKS: Final = 100  # of more it is not even tried
LINK_LIFETIME_US: Final = 3_600 * 1_000_000
LINES: Final = 10
FAULTS: Final = 200
QUERY_FORMATS: Final = ("csv", "json")
QUERY_MARK: Final = "q."  # before what is sealed, which holds no full stop
QUERY_SIZE: Final = Size(rows=10_000, all=512_000, cell=20_000)
LINKED_SQL: Final = 4_000
COLUMNS: Final = 50
MIME_TYPES: Final = {
    "json": "application/json",
    "csv": "text/csv",
    "ics": "text/calendar",
    "markdown": "text/markdown",
}

T = TypeVar("T")
Format = Literal["json", "csv", "ics", "markdown"]


async def data_export(
    format: Format = "json",  # noqa: A002 (the name on the wire)
    filter: str = "",  # noqa: A002 (the name on the wire)
    sql: str = "",
    call: CallMeta = ThisCall,
    resources: Resources = TheResources,
) -> ToolResult:
    """The file itself if it is short, else links to its parts."""
    if sql.strip():
        return await _export_query(format, filter, sql, call, resources)
    async with resources.database.begin(current_caller()) as tx:
        sight = await read_sight(tx, call.tz)
        found = await plan(tx, sight, filter)
        text = None
        if found.total <= INLINE_TASKS:
            text = formats.write(await read_document(tx, sight, filter, fully=format == "json"), format)
    links = []
    if text is None or len(text.encode()) > INLINE_BYTES:
        text = None
        sealed = resources.cursors.seal(_question(sight), [tx.now_us, format, filter, *found.ends])
        links = [f"{EXPORTS}{sealed}?part={part}" for part in range(1, len(found.ends) + 1)]
    values = {**Reading(sight, tx.now).values(), "format": format, "count": found.total, "notes": list(found.notes)}
    return _exported(f"{found.total:,} tasks as {format}: {found.filter}", text, links, values)


async def _export_query(
    format_name: Format, filter_text: str, sql: str, call: CallMeta, resources: Resources
) -> ToolResult:
    if filter_text.strip():
        raise Problem("bad_argument", "an export is of a filter or of sql", "put the condition into the sql")
    if format_name not in QUERY_FORMATS:
        raise Problem("bad_argument", f"the rows of a query cannot be {format_name}", "format csv or json")
    asked = await ask(sql, QUERY_SIZE, call, resources)
    count, notes = len(asked.found.rows), left_out(asked, QUERY_SIZE)
    head = f"{count:,} rows as {format_name}"
    values = {**Reading(asked.sight, asked.now).values(), "format": format_name, "count": count, "notes": notes}
    text = sheet_file(asked.found, format_name)
    if len(text.encode()) <= INLINE_BYTES:
        return _exported(head, text, [], values)
    if len(sql) > LINKED_SQL:
        raise Problem("too_long", f"the sql has {len(sql):,} characters", f"at most {LINKED_SQL:,} for a long result")
    sealed = resources.cursors.seal(_query_question(asked.sight), [microseconds(asked.now), format_name, sql])
    return _exported(head, None, [f"{EXPORTS}{QUERY_MARK}{sealed}?part=1"], values)


def _exported(head: str, text: str | None, links: Sequence[str], values: dict[str, Any]) -> ToolResult:
    """The text of an export, or the links to its parts, and at the end what it is."""
    mime_type = MIME_TYPES[values["format"]]
    blocks: list[ContentBlock] = [TextContent(type="text", text=text)] if text is not None else []
    blocks += [
        ResourceLink(type="resource_link", uri=uri, name=f"export, part {part}", mime_type=mime_type)
        for part, uri in enumerate(links, start=1)
    ]
    lines = [head]
    if links:
        lines.append(f"parts: {len(links)}, each a file of its own; read them as resources within an hour")
    # At the end, because whoever has something to add to an answer adds it to the last text.
    blocks.append(TextContent(type="text", text="\n".join([*lines, *notes_lines(values["notes"])])))
    values = {**values, "content": text, "uri": list(links)}
    return ToolResult(content=blocks, structured_content=without_empty(values, keep=("rev", "count")))


async def data_import(
    content: str,
    format: Literal["auto", "json", "csv", "ics", "markdown", "todoist"] = "auto",  # noqa: A002 (the name on the wire)
    list: str = "",  # noqa: A002 (the name on the wire)
    dry_run: bool = True,
    request_id: str = "",
    call: CallMeta = ThisCall,
    resources: Resources = TheResources,
) -> ToolResult:
    """Bring a file of tasks in, or show what that would do."""
    # Before the transaction, and where it holds up nobody else.
    document = await anyio.to_thread.run_sync(formats.read, content, format)
    arguments = {"content": content, "format": format, "list": list}
    asked = write_call("data_import", arguments, call, dry_run, request_id)
    async with reported() as progress, resources.database.begin(current_caller(), write=True) as tx:

        async def work(op: Op) -> Answer:
            op.progress = progress
            return _answer(op, document, await import_document(op, document, list), dry_run=dry_run)

        receipt = await write_confirmed(tx, asked, work, _import_question)
    reading = Reading(receipt.sight, tx.now)
    values = {
        **receipt_values(receipt, reading),
        "format": document.format,
        "mapping": {shown(name): column for name, column in _first(document.mapping.items())},
        "unrecognised": [shown(name) for name in _first(document.unrecognised)],
    }
    return ToolResult(
        content=[TextContent(type="text", text=receipt_text(receipt, reading))],
        structured_content=without_empty(values, keep=("rev", "counts")),
    )


async def export_part(
    sealed: str, part: str = "1", call: CallMeta = ThisCall, resources: Resources = TheResources
) -> ResourceResult:
    """One part of an export, with its tasks as they are now: for the person who asked for it, within an hour."""
    try:
        if sealed.startswith(QUERY_MARK):
            format_name, text = await _query_part(sealed.removeprefix(QUERY_MARK), call, resources)
        else:
            async with resources.database.begin(current_caller()) as tx:
                format_name, text = await _part(tx, await read_sight(tx, call.tz), sealed, part, resources)
    except Problem as problem:
        # Whoever reads an address knows nothing of cursors.
        raise (_gone() if problem.code == "bad_cursor" else problem) from None
    return ResourceResult([ResourceContent(text, mime_type=MIME_TYPES[format_name])])


def transfer_tools() -> list[TaskTool]:
    """The tools of this file, in the order in which clients see them."""
    return [
        make_tool(data_export, hints=reads, scope=EXPORT_SCOPE, view="receipt"),
        make_tool(
            data_import,
            hints=adds,
            scope="tasks:write",
            view="receipt",
            repeatable=True,
            confirms=True,
            file="content",
            limit_s=LONG_S,
        ),
    ]


def export_template() -> ResourceTemplate:
    """Where the parts of exports are read."""
    return SpokenTemplate.from_function(
        export_part,
        EXPORTS + "{sealed}{?part}",
        name="export",
        title="Export",
        description="A part of an export; data_export gives the address.",
        mime_type="text/plain",
        annotations=Annotations(audience=["user"], priority=0.2),
    )


async def _part(tx: Tx, sight: Sight, sealed: str, part: str, resources: Resources) -> tuple[str, str]:
    issued_us, format_name, filter_text, *ends = resources.cursors.open(_question(sight), sealed)
    bounds = part_of(ends, int(part)) if part.isascii() and part.isdigit() and len(part) < 6 else None
    if bounds is None or tx.now_us - issued_us > LINK_LIFETIME_US:
        raise _gone()
    document = await read_document(tx, sight, filter_text, bounds, fully=format_name == "json")
    return format_name, formats.write(document, format_name)


async def _query_part(sealed: str, call: CallMeta, resources: Resources) -> tuple[str, str]:
    async with resources.database.begin(current_caller()) as tx:
        sight = await read_sight(tx, call.tz)
    issued_us, format_name, sql = resources.cursors.open(_query_question(sight), sealed)
    if tx.now_us - issued_us > LINK_LIFETIME_US:
        raise _gone()
    return format_name, sheet_file((await ask(sql, QUERY_SIZE, call, resources)).found, format_name)


def _gone() -> Problem:
    return Problem("bad_cursor", "this address leads nowhere any more", "export again")


def _question(sight: Sight) -> str:
    return f"export of {sight.own.space.id}"


def _query_question(sight: Sight) -> str:
    return f"query export of {sight.own.space.id}"


def _answer(op: Op, document: Document, imported: Imported, *, dry_run: bool) -> Answer:
    """What an import did: the first tasks, how the file was read, and everything that was not understood."""
    reading = reading_of(op)
    if dry_run:  # its numbers would belong to other tasks tomorrow
        added = (now for before, now in imported.changed if before is None)
        reading = replace(reading, new={task.no: f"new{index}" for index, task in enumerate(added, start=1)})
    lines = []
    for before, now in imported.changed[:LINES]:
        if before is None:
            lines.append(task_line(now, reading))
        else:
            words = "; ".join(changed_words(before, now, reading))
            lines.append(f"{reading.sight.ref(now)}: {words} | {title_shown(now)}")
    if len(imported.changed) > LINES:
        lines.append(f"... and {len(imported.changed) - LINES:,} more")
    return Answer(dict(imported.counts), lines=lines, notes=_notes(document, imported))


def _import_question(answer: Answer) -> Question:
    counts = ", ".join(f"{count:,} {what}" for what, count in answer.counts.items())
    return Question(f"Import this file? {counts}.", "Import")


def _notes(document: Document, imported: Imported) -> Sequence[str]:
    named = [f"{shown(name)} = {column}" for name, column in _first(document.mapping.items()) if name != column]
    unrecognised = ", ".join(map(shown, _first(document.unrecognised)))
    faults = [f"line {fault.line}: {fault.what}" for fault in imported.faults]
    more = len(faults) - FAULTS
    return [
        *([f"read as {document.format}; {', '.join(named)}"] if named else [f"read as {document.format}"]),
        *([f"not recognised: {unrecognised}"] if unrecognised else []),
        *document.notes,
        *faults[:FAULTS],
        *([f"... and {more:,} more lines with faults; mend these first"] if more > 0 else []),
    ]


def _first(names: Iterable[T]) -> Iterable[T]:
    """As many names of columns as anybody reads."""
    return islice(names, COLUMNS)
