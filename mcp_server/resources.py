"""What can be read by address: what is due, the Inbox, everything at a glance, one list, one task; as Markdown.

The lines are those of the tools. Nothing here depends on who asks but what is read.
"""

import json
from collections.abc import Sequence
from typing import Any, Final, Literal

from fastmcp.resources import Resource, ResourceTemplate
from mcp_types import Annotations

from mcp_server.access import CallMeta, ReadTx, Resources, TheResources, ThisCall
from mcp_server.addresses import INBOX, OVERVIEW, SCHEME, TODAY, read_address
from mcp_server.answering import SpokenResource, SpokenTemplate
from mcp_server.tasks.finding.details import read_details
from mcp_server.tasks.finding.find import find
from mcp_server.tasks.finding.overview import read_overview, read_reminded
from mcp_server.tasks.names import INBOX_NAME
from mcp_server.tasks.refs import NUMBER, read_refs, split_alias
from mcp_server.tasks.sight import Sight, read_sight
from mcp_server.tools.overview import WEEK, overview_text, reminded_lines
from mcp_server.tools.render import Reading, detail_lines, in_quotes, notes_lines, task_line
from shared.db import Tx
from shared.errors import Problem

MARKDOWN: Final = "text/markdown"
TASK_TEMPLATES: Final = (f"{SCHEME}task/{{ref}}", f"{SCHEME}{{ref}}")
LIST_TEMPLATE: Final = f"{SCHEME}list/{{name}}"
LINES: Final = 200
SIZE: Final = 200_000  # bytes: what clients take as one event, with room for its envelope


class _AddressTemplate(SpokenTemplate):
    """Matches every spelling of an address; the library would stop at a slash that is not encoded."""

    kind: Literal["task", "list"] = "task"

    def matches(self, uri: str) -> dict[str, Any] | None:
        """The one argument in an address, if it is of this kind."""
        address = read_address(uri)
        if address is None or address.kind != self.kind:
            return None
        return dict.fromkeys(self.parameters["properties"], address.name)


def task_resources() -> list[Resource]:
    """What everybody has."""
    return [
        _fixed(TODAY, today, "Today", "Tasks due today or overdue, and the reminders of the last day", 0.9),
        _fixed(INBOX, inbox, "Inbox", "Open tasks that lie in no list yet", 0.6),
        _fixed(OVERVIEW, overview, "Overview", "Lists, tags and views with counts, and what is due this week", 0.8),
    ]


def task_templates() -> list[ResourceTemplate]:
    """What has a name. A task has a short address besides, which reads the same."""
    long, short = TASK_TEMPLATES
    a_task = "One task in full, by its reference: T12, or ann:T12 in a list that ann shares"
    a_list = "Open tasks of a list: List, List/Section or ann:List"
    return [
        _template(long, task, "task", "task", "Task", a_task, 0.5),
        _template(short, task, "task", "short_task", "Task, short address", a_task, 0.3),
        _template(LIST_TEMPLATE, task_list, "list", "list", "List", a_list, 0.5),
    ]


async def today(tx: Tx = ReadTx, call: CallMeta = ThisCall, resources: Resources = TheResources) -> str:
    """What is due, and what went off lately."""
    sight = await read_sight(tx, call.tz)
    lines = await _page(tx, sight, "due today or overdue", "due:<=today", resources)
    if reminded := await read_reminded(tx, sight):
        lines += ["reminders of the last 24 hours:", *reminded_lines(reminded, Reading(sight, tx.now))]
    return _document("Today", lines)


async def inbox(tx: Tx = ReadTx, call: CallMeta = ThisCall, resources: Resources = TheResources) -> str:
    """What lies in no list."""
    sight = await read_sight(tx, call.tz)
    return _document(INBOX_NAME, await _page(tx, sight, "in no list", f"list:{INBOX_NAME}", resources))


async def overview(tx: Tx = ReadTx, call: CallMeta = ThisCall) -> str:
    """Everything at a glance."""
    sight = await read_sight(tx, call.tz)
    found = await read_overview(tx, sight, days=WEEK)
    text = overview_text(found, Reading(sight, tx.now), "week")
    return _document("Overview", _cut(text.split("\n"), 'overview(show="all")'))


async def task_list(name: str, tx: Tx = ReadTx, call: CallMeta = ThisCall, resources: Resources = TheResources) -> str:
    """One list or section."""
    sight = await read_sight(tx, call.tz)
    area, number = sight.place(name)
    path = area.label(area.names.path(number) or INBOX_NAME)
    return _document("List", await _page(tx, sight, f"in {in_quotes(path)}", f'list:"{path}"', resources))


async def task(ref: str, tx: Tx = ReadTx, call: CallMeta = ThisCall) -> str:
    """One task with everything around it."""
    sight = await read_sight(tx, call.tz)
    _, number = split_alias(sight, ref)
    # A title is no address: it may be that of another task tomorrow.
    if not NUMBER.fullmatch(number):
        raise Problem("unknown_ref", "no task has this reference", "use an id from tasks_find")
    [found] = await read_refs(tx, sight, [ref], trash=True)
    details = await read_details(tx, sight, [found])
    reading = Reading(sight, tx.now)
    lines = [
        _moment(reading),
        task_line(found, reading),
        *detail_lines(found, details[found.space_id, found.no], reading),
    ]
    return _document("Task", _cut(lines, f'tasks_find(refs=["{sight.ref(found)}"])'))


async def _page(tx: Tx, sight: Sight, which: str, text: str, resources: Resources) -> list[str]:
    """The tasks that a filter finds, as many as one answer holds, and how to go on."""
    reading = Reading(sight, tx.now)
    page = await find(tx, sight, text, limit=LINES, cursors=resources.cursors)
    lines = [task_line(one, reading) for one in page.tasks]
    fitting = _fitting(lines)
    if fitting < len(lines):
        page = await find(tx, sight, text, limit=fitting, cursors=resources.cursors)
    lines = [
        f"{len(page.tasks)} of {page.total:,} {which}. {_moment(reading)}",
        *lines[:fitting],
        *notes_lines(page.notes),
    ]
    if page.cursor:
        asked = f'filter={json.dumps(text, ensure_ascii=False)}, cursor="{page.cursor}"'
        lines.append(f"... and {page.total - len(page.tasks):,} more: tasks_find({asked})")
    return lines


def _document(heading: str, lines: Sequence[str]) -> str:
    """The lines as they are: in a block of code nothing that somebody wrote becomes a link, a picture or a heading.

    No line can end the block, because none of ours begins with somebody's words and holds nothing else.
    """
    return "\n".join([f"# {heading}", "", "```text", *lines, "```"])


def _fitting(lines: Sequence[str]) -> int:
    """How many of these lines one answer holds."""
    size = 0
    for count, line in enumerate(lines):
        size += len(line.encode()) + 1
        if size > SIZE:
            return count
    return len(lines)


def _cut(lines: Sequence[str], whole: str) -> Sequence[str]:
    fitting = _fitting(lines)
    return lines if fitting == len(lines) else [*lines[:fitting], f"... and more: {whole}"]


def _moment(reading: Reading) -> str:
    return f"{reading.moment}, rev {reading.sight.own.space.rev}"


def _fixed(uri: str, function: Any, title: str, description: str, priority: float) -> Resource:
    return SpokenResource.from_function(
        function,
        uri,
        name=uri.removeprefix(SCHEME),
        title=title,
        description=f"{description}.",
        mime_type=MARKDOWN,
        annotations=_for_both(priority),
    )


def _template(
    uri: str, function: Any, kind: Literal["task", "list"], name: str, title: str, description: str, priority: float
) -> ResourceTemplate:
    template = _AddressTemplate.from_function(
        function,
        uri,
        name=name,
        title=title,
        description=f"{description}.",
        mime_type=MARKDOWN,
        annotations=_for_both(priority),
        security=None,  # no argument comes near a file, and lists may be called ".." or "C:"
    )
    return template.model_copy(update={"kind": kind})


def _for_both(priority: float) -> Annotations:
    return Annotations(audience=["user", "assistant"], priority=priority)
