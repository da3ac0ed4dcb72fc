"""The tool for questions that no other tool answers: SQL over a private copy of the caller's own rows."""

import re
from typing import Any, Final, Literal

from fastmcp.tools.base import ToolResult
from mcp_types import TextContent

from mcp_server.access import CallMeta, Resources, TheResources, ThisCall, current_caller
from mcp_server.snapshot.queries import Asked
from mcp_server.snapshot.running.process import SOFT_S, Size
from mcp_server.snapshot.schema import NOTES, TABLES, Column
from mcp_server.tools.render import Reading, notes_lines, without_empty
from mcp_server.tools.sheets import chart_of, sheet_lines
from mcp_server.tools.surface import TaskTool, make_tool, reads
from shared.errors import Problem

ROWS: Final = 100
MOST_ROWS: Final = 1_000
SIZE: Final = 64_000
CELL: Final = 2_000
_MARKED: Final = re.compile(r"\s*```(?:\w*\n)?(.*?)```\s*", re.DOTALL)
EXAMPLES: Final = (
    "SELECT done_week, count(*) AS done FROM completions WHERE status = 'done' GROUP BY 1 ORDER BY 1",
    "SELECT list, round(avg(days_late), 1) AS days FROM tasks WHERE status = 'done' AND due NOT NULL GROUP BY 1",
    "SELECT tag, count(*) AS open FROM tags JOIN tasks ON id = task WHERE status = 'open' GROUP BY 1 ORDER BY 2 DESC",
    "SELECT id, title FROM tasks WHERE status = 'open' AND due <= date((SELECT today FROM me), '+7 days')",
)


async def data_query(
    sql: str = "",
    limit: int = ROWS,
    chart: Literal["none", "bar", "line", "pie"] = "none",
    call: CallMeta = ThisCall,
    resources: Resources = TheResources,
) -> ToolResult:
    """The rows of one query, or what can be asked."""
    if not sql.strip():
        return _schema()
    size = Size(limit, SIZE, CELL)
    return _answer(await ask(sql, size, call, resources), size, chart)


def database_tools() -> list[TaskTool]:
    """The tool of this file."""
    return [make_tool(data_query, hints=reads, scope="data:read", view="table")]


async def ask(sql: str, size: Size, call: CallMeta, resources: Resources) -> Asked:
    """The rows of a query, which may stand between the marks that models put around code."""
    if resources.queries is None:
        raise Problem("disabled", "queries are turned off here", "use tasks_find")
    await resources.budget.spend_on_query(current_caller())
    marked = _MARKED.fullmatch(sql)
    return await resources.queries.ask(current_caller(), call.tz, marked[1] if marked else sql, size)


def left_out(asked: Asked, size: Size) -> list[str]:
    """What a reader of these rows should know is missing from them."""
    said = {
        "rows": f"more rows exist than the limit of {size.rows:,}",
        "bytes": f"more rows exist; an answer holds {size.all // 1000} kB: select fewer columns, or aggregate",
        "cells": f"text of more than {size.cell:,} characters is cut",
    }
    return [
        *(words for limit, words in said.items() if limit in asked.found.cut),
        *(["the copy holds no more: the oldest closed tasks are left out"] if asked.partial else []),
    ]


def _answer(asked: Asked, size: Size, chart: str) -> ToolResult:
    reading = Reading(asked.sight, asked.now)
    found = asked.found
    lines, unseen = sheet_lines(found)
    drawn, why_not = chart_of(found, chart) if chart != "none" else (None, "")
    notes = left_out(asked, size)
    if unseen:
        notes.append(f"{unseen:,} rows more in structuredContent")
    if asked.has_others:
        notes.append("shared lists are included: some of the text may be by others")
    if why_not:
        notes.append(why_not)
    count = len(found.rows)
    head = f"{count:,} row{'' if count == 1 else 's'}{' and more' if found.cut & {'rows', 'bytes'} else ''}"
    text = [f"{head}. {reading.moment}, rev {asked.sight.own.space.rev}", *lines, *notes_lines(notes)]
    values = {
        **reading.values(),
        "columns": found.columns,
        "rows": found.rows,
        "truncated": bool(found.cut),
        "limits": {"seconds": SOFT_S, "rows": size.rows, "bytes": size.all},
        "chart": drawn,
        "notes": notes,
    }
    return ToolResult(
        content=[TextContent(type="text", text="\n".join(text))],
        structured_content=without_empty(values, keep=("rev", "columns", "rows", "truncated")),
        meta={"taskgate/view": "chart" if drawn else "table"},
    )


def _schema() -> ToolResult:
    limits = f"{SOFT_S} s, {MOST_ROWS:,} rows (limit, default {ROWS}), {SIZE // 1000} kB"
    lines = [
        f"SQLite: one SELECT over a copy of your data as of now. Limits: {limits}.",
        "Days and times are text in your time zone: compare them as text, count back from (SELECT today FROM me).",
    ]
    for table, columns in TABLES.items():
        note = f" - {NOTES[table]}" if table in NOTES else ""
        lines.append(f"{table}({', '.join(map(_column, columns))}){note}")
    lines += ["Examples:", *EXAMPLES]
    values: dict[str, Any] = {
        "tables": {table: [column.name for column in columns] for table, columns in TABLES.items()},
        "examples": list(EXAMPLES),
        "limits": {"seconds": SOFT_S, "rows": MOST_ROWS, "bytes": SIZE},
    }
    return ToolResult(content=[TextContent(type="text", text="\n".join(lines))], structured_content=values)


def _column(column: Column) -> str:
    return f"{column.name} [{column.note}]" if column.note else column.name
