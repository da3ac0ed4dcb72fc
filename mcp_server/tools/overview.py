"""The tool to begin with: the moment, the names of everything, and what is due."""

from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import Any, Final, Literal

from fastmcp.tools.base import ToolResult
from mcp_types import TextContent

from mcp_server.access import CallMeta, ReadTx, ThisCall
from mcp_server.board.board import URI
from mcp_server.tasks.custom import type_of
from mcp_server.tasks.finding.overview import Overview, read_overview
from mcp_server.tasks.names import INBOX_NAME, Kind, Named
from mcp_server.tasks.sight import Area, Sight, read_sight
from mcp_server.tasks.task import INBOX, Task
from mcp_server.tools.render import Reading, quoted, task_line, task_values, title_shown, without_empty
from mcp_server.tools.surface import TaskTool, make_tool, reads
from shared.db import Tx

LISTS_SHOWN: Final = 30
TAGS_SHOWN: Final = 40
VIEWS_SHOWN: Final = 20
WEEK: Final = 7


async def overview(
    show: Literal["today", "week", "all"] = "today", tx: Tx = ReadTx, call: CallMeta = ThisCall
) -> ToolResult:
    """Counts, names, and what is due."""
    sight = await read_sight(tx, call.tz)
    found = await read_overview(tx, sight, days=WEEK if show == "week" else 0)
    reading = Reading(sight, tx.now)
    return ToolResult(
        content=[TextContent(type="text", text=overview_text(found, reading, show))],
        structured_content=_values(found, reading),
    )


def overview_tools() -> list[TaskTool]:
    """The tool of this file."""
    return [make_tool(overview, hints=reads, scope="tasks:read", view="task_list", app=URI)]


def overview_text(found: Overview, reading: Reading, show: str) -> str:
    """Everything at a glance, as a model reads it."""
    sight, everything = reading.sight, show == "all"
    counts = f"{found.open:,} open, {found.overdue:,} overdue, {found.today:,} due today, {found.trash:,} in the trash"
    lines = [f"{reading.moment}, rev {sight.own.space.rev}. {counts}"]
    lists = [_list_shown(area, row, found) for area in sight.areas for row in _lists(area)]
    inbox = found.by_list.get((sight.own.space.id, INBOX), 0)
    lines.append(f"lists: {_cut([f'{INBOX_NAME} {inbox}', *lists], None if everything else LISTS_SHOWN)}")
    tags = [f"@{quoted(name)} {count}" for name, count in _tags(found, sight).items()]
    views = [f"{row.name} = {row.filter}" for row in sight.own.names.of(Kind.VIEW)]
    fields = [_field_shown(row) for row in sight.own.names.of(Kind.FIELD)]
    for word, names, most in (("tags", tags, TAGS_SHOWN), ("views", views, VIEWS_SHOWN), ("fields", fields, None)):
        if names:
            lines.append(f"{word}: {_cut(names, None if everything else most)}")
    if found.due:
        lines.append("due this week:" if show == "week" else "due:")
        lines += [task_line(task, reading) for task in found.due]
        if found.due_total > len(found.due):
            last = reading.today + timedelta(WEEK if show == "week" else 0)
            lines.append(f'... and {found.due_total - len(found.due):,} more: tasks_find(filter="due:<={last}")')
    if found.reminded:
        lines += ["reminders of the last 24 hours:", *reminded_lines(found.reminded, reading)]
    return "\n".join(lines)


def reminded_lines(reminded: Sequence[tuple[int, Task]], reading: Reading) -> list[str]:
    """What went off lately, a line each."""
    return [
        f"{reading.local(at_us):%m-%d %H:%M} {reading.sight.ref(task)} | {title_shown(task)}"
        for at_us, task in reminded
    ]


def _values(found: Overview, reading: Reading) -> dict[str, Any]:
    sight = reading.sight
    lists = [
        without_empty(
            {
                "ref": area.label(f"L{row.no}"),
                "name": row.name,
                "of": area.alias,
                "role": area.roles[row.no].value if row.no in area.roles else "",
                "open": _open_in(area, row.no, found),
                "sections": [section.name for section in area.names.of(Kind.SECTION, row.no)],
                "archived": row.archived_us is not None,
                **{key: value for key, value in row.options.items() if key in ("color", "description", "favorite")},
            },
            keep=("open",),
        )
        for area in sight.areas
        for row in area.names.of(Kind.LIST)
    ]
    inbox = {"name": INBOX_NAME, "open": found.by_list.get((sight.own.space.id, INBOX), 0)}
    return without_empty(
        {
            **reading.values(),
            "counts": {"open": found.open, "overdue": found.overdue, "today": found.today, "trash": found.trash},
            "lists": [inbox, *lists],
            "tags": [{"name": name, "open": count} for name, count in _tags(found, sight).items()],
            "views": [{"name": row.name, "filter": row.filter} for row in sight.own.names.of(Kind.VIEW)],
            "fields": [
                {"name": row.name, **row.options, "type": type_of(row)} for row in sight.own.names.of(Kind.FIELD)
            ],
            "settings": dict(sight.own.space.settings),
            "tasks": [task_values(task, reading) for task in found.due],
            "reminders": [
                {"at": f"{reading.local(at_us):%Y-%m-%dT%H:%M}", "ref": sight.ref(task)}
                for at_us, task in found.reminded
            ],
        },
        keep=("rev", "counts", "lists", "tasks"),
    )


def _lists(area: Area) -> Iterable[Named]:
    return (row for row in area.names.of(Kind.LIST) if row.archived_us is None)


def _list_shown(area: Area, row: Named, found: Overview) -> str:
    sections = ", ".join(
        f"{section.name} {found.by_list.get((area.space.id, section.no), 0)}"
        for section in area.names.of(Kind.SECTION, row.no)
    )
    role = "" if area.is_own else f" ({area.roles[row.no].value})"
    inside = f" ({sections})" if sections else ""
    return f"{area.label(row.name)} {_open_in(area, row.no, found)}{role}{inside}"


def _open_in(area: Area, list_no: int, found: Overview) -> int:
    return sum(found.by_list.get((area.space.id, number), 0) for number in area.names.with_sections(list_no))


def _tags(found: Overview, sight: Sight) -> dict[str, int]:
    """Open tasks by tag: the most used first, and every tag of the person's own."""
    counts: dict[str, int] = {}
    for area in sight.areas:
        for row in area.names.of(Kind.TAG):
            counts[row.name] = counts.get(row.name, 0) + found.by_tag.get((area.space.id, row.no), 0)
    return dict(sorted(counts.items(), key=lambda entry: (-entry[1], entry[0])))


def _field_shown(row: Named) -> str:
    choices = ", ".join(map(str, row.options.get("choices", ())))
    return f"{row.name} ({type_of(row)}: {choices})" if choices else f"{row.name} ({type_of(row)})"


def _cut(names: Sequence[str], most: int | None) -> str:
    if most is None or len(names) <= most:
        return ", ".join(names)
    return f"{', '.join(names[:most])}, +{len(names) - most} more"
