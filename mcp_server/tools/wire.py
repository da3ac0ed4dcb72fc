"""What a model sees of each tool before it calls one: written by hand, because every word is paid for in every turn.

Plain strings, no null and no default: several model vendors refuse a nullable type, or send null for everything.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

Schema = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Face:
    """What clients see of one tool: its title, what it says it does, its arguments, and the top of its results."""

    title: str
    description: str
    parameters: Schema
    output: Mapping[str, str]


def face_of(name: str) -> Face:
    """What clients see of the tool of that name."""
    return Face(TITLES[name], DESCRIPTIONS[name], WIRE[name], OUTPUT[name])


TITLES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "overview": "Overview",
        "tasks_find": "Find tasks",
        "tasks_add": "Add tasks",
        "tasks_edit": "Edit tasks",
        "tasks_complete": "Complete tasks",
        "tasks_delete": "Delete tasks",
        "organize": "Organize lists, tags and settings",
        "undo": "Undo",
        "history": "History",
        "data_query": "Query data",
        "data_export": "Export tasks",
        "data_import": "Import tasks",
        "share": "Share a list",
    }
)

CORE: Final = frozenset(
    {"overview", "tasks_find", "tasks_add", "tasks_edit", "tasks_complete", "tasks_delete", "undo", "data_query"}
)

FILTER: Final = (
    'list:Work tag:home -tag:x p1 due:overdue|today|none|<=fri|2026-12-01..2026-12-31 done:"last 7 days" changed:today '
    'is:open|done|trash|blocked|repeating under:T12 with:ann view:Name words "a phrase" prefix*'
)

DESCRIPTIONS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "overview": "Now and time zone, counts, lists, sections, tags, views, custom fields, what is due. Call first "
        "if you lack names or the date.",
        "tasks_find": "Find, list or open tasks: a line each, exact total, cursor if there is more. "
        f"Filter: `{FILTER}`; terms are ANDed; OR, ( ). Default is:open.",
        "tasks_add": "Add 1-100 tasks. Unknown tags are created, unknown lists refused.",
        "tasks_edit": "Edit, move, reschedule, tag, comment. Only given fields change; formats as in tasks_add.",
        "tasks_complete": "Complete tasks (a repeating one moves to its next date), cancel them, or reopen "
        "with done=false.",
        "tasks_delete": "Move tasks to the trash for 30 days, or restore them. Give refs or filter.",
        "organize": "Manage lists, sections, tags, views, custom fields and settings (time zone, week start, "
        "date order).",
        "undo": "Revert one write exactly, or an undo (redo). What changed since is reported, not overwritten.",
        "history": "Who changed what and when: before, after, client, op ids.",
        "data_query": "SQL over a private read-only copy of the user's own data, for statistics. Tables: tasks, lists, "
        "tags, comments, deps, completions, history, me(today, now, tz).",
        "data_export": "Export tasks, or the rows of sql (csv, json); a large result is a resource link.",
        "data_import": "Import tasks. dry_run (default true) shows the mapping. Importing again updates.",
        "share": "See or change who can access a list.",
    }
)

# What stands on top of a result; whatever else is there is described by its name. Counted like the schemas above.
WRITTEN: Final = {"op": "integer", "counts": "object", "refs": "array", "tasks": "array", "changes": "array"}
OUTPUT: Final[Mapping[str, Mapping[str, str]]] = MappingProxyType(
    {
        "overview": {
            "now": "string",
            "tz": "string",
            "counts": "object",
            "lists": "array",
            "tags": "array",
            "views": "array",
            "fields": "array",
            "tasks": "array",
        },
        "tasks_find": {"total": "integer", "filter": "string", "cursor": "string", "tasks": "array"},
        "tasks_add": WRITTEN,
        "tasks_edit": WRITTEN,
        "tasks_complete": WRITTEN,
        "tasks_delete": WRITTEN,
        "organize": WRITTEN,
        "undo": {**WRITTEN, "conflicts": "array"},
        "history": {"ops": "array", "cursor": "string"},
        "data_query": {"columns": "array", "rows": "array", "truncated": "boolean", "chart": "object"},
        "data_export": {"format": "string", "count": "integer", "uri": "array"},
        "data_import": {"op": "integer", "counts": "object", "mapping": "object"},
        "share": {"op": "integer", "changes": "array"},
    }
)


def text(description: str = "") -> Schema:
    """Any text."""
    return _described({"type": "string"}, description)


def texts(description: str = "") -> Schema:
    """A list of texts."""
    return _described({"type": "array", "items": {"type": "string"}}, description)


def flag(description: str = "") -> Schema:
    """Yes or no."""
    return _described({"type": "boolean"}, description)


def whole(description: str = "") -> Schema:
    """A whole number."""
    return _described({"type": "integer"}, description)


def limit(most: int) -> Schema:
    """How many at most; the only kind of number with a maximum."""
    return {"type": "integer", "maximum": most}


def choice(*values: str, description: str = "") -> Schema:
    """One of these texts; the first is the default."""
    return _described({"type": "string", "enum": list(values)}, description)


def open_object(description: str) -> Schema:
    """An object whose keys people choose."""
    return {"type": "object", "description": description}


def closed(properties: Mapping[str, Schema], required: Iterable[str] = ()) -> Schema:
    """An object with exactly these keys."""
    schema: Schema = {"type": "object", "properties": dict(properties), "additionalProperties": False}
    if names := list(required):
        schema["required"] = names
    return schema


def _described(schema: Schema, description: str) -> Schema:
    return {**schema, "description": description} if description else schema


PRIORITY: Final = choice("p1", "p2", "p3", "p4")
WRITE: Final = {"dry_run": flag(), "request_id": text()}

WIRE: Final[Mapping[str, Schema]] = MappingProxyType(
    {
        "overview": closed({"show": choice("today", "week", "all")}),
        "tasks_find": closed(
            {
                "filter": text(),
                "refs": texts("open these in full: ids (T12) or exact titles"),
                "sort": choice("smart", "due", "priority", "created", "updated", "title", "manual", "relevance"),
                "detail": choice("line", "full", description="full: notes, comments, subtasks, blockers"),
                "limit": limit(200),
                "cursor": text(),
            }
        ),
        "tasks_add": closed(
            {
                "tasks": {
                    "type": "array",
                    "items": closed(
                        {
                            "title": text(),
                            "notes": text(),
                            "list": text("List or List/Section"),
                            "due": text("tomorrow 9am, or ISO"),
                            "start": text(),
                            "deadline": text(),
                            "repeat": text("every weekday; every! 2 weeks on mon (! = from completion); RRULE"),
                            "priority": PRIORITY,
                            "estimate": text("45m"),
                            "remind": texts("30m before; fri 9am"),
                            "tags": texts(),
                            "parent": text(),
                            "assignee": text(),
                            "fields": open_object("custom fields"),
                            "blocked_by": texts("refs, or #2 = 2nd task here"),
                            "subtasks": texts("titles"),
                        },
                        required=["title"],
                    ),
                },
                "duplicates": choice("warn", "skip", "allow", description="same open title in its list"),
                "dry_run": flag(),
                "request_id": text("same on a retry: no double write"),
            },
            required=["tasks"],
        ),
        "tasks_edit": closed(
            {
                "changes": {
                    "type": "array",
                    "items": closed(
                        {
                            "refs": texts(),
                            "title": text(),
                            "notes": text(),
                            "append_notes": text(),
                            "comment": text(),
                            "list": text(),
                            "due": text("keeps repeat"),
                            "start": text(),
                            "deadline": text(),
                            "repeat": text(),
                            "priority": PRIORITY,
                            "estimate": text(),
                            "remind": texts(),
                            "tags": texts("home adds, -home removes"),
                            "parent": text(),
                            "assignee": text(),
                            "fields": {"type": "object"},
                            "blocked_by": texts("like tags"),
                            "position": text("top, bottom, after T3"),
                            "clear": texts("fields to empty"),
                            "version": whole("refuse if changed since"),
                        }
                    ),
                },
                "filter": text("instead of refs: all matches, one change"),
                **WRITE,
            },
            required=["changes"],
        ),
        "tasks_complete": closed(
            {
                "refs": texts(),
                "done": flag(),
                "cancelled": flag(),
                "at": text("past date or time"),
                "end_series": flag(),
                **WRITE,
            },
            required=["refs"],
        ),
        "tasks_delete": closed({"refs": texts(), "filter": text(), "restore": flag(), **WRITE}),
        "organize": closed(
            {
                "kind": choice("list", "section", "tag", "view", "field", "setting"),
                "action": choice("create", "set", "rename", "move", "archive", "unarchive", "merge", "delete"),
                "name": text(),
                "to": text("new name, parent, merge target, setting value"),
                "filter": text(),
                "options": open_object("color, description, favorite; field: type, choices"),
                **WRITE,
            },
            required=["kind", "action", "name"],
        ),
        "undo": closed(
            {
                "op": text("default: this client's last write"),
                "force": flag("overwrite it"),
                **WRITE,
            }
        ),
        "history": closed(
            {
                "ref": text(),
                "since": text(),
                "until": text(),
                "actor": text("me, agent or a name"),
                "limit": limit(200),
                "cursor": text(),
            }
        ),
        "data_query": closed(
            {
                "sql": text("one SELECT, SQLite; empty returns schema and examples"),
                "limit": limit(1000),
                "chart": choice("none", "bar", "line", "pie"),
            }
        ),
        "data_export": closed({"format": choice("json", "csv", "ics", "markdown"), "filter": text(), "sql": text()}),
        "data_import": closed(
            {
                "content": text(),
                "format": choice("auto", "json", "csv", "ics", "markdown", "todoist"),
                "list": text(),
                **WRITE,
            },
            required=["content"],
        ),
        "share": closed(
            {
                "list": text(),
                "action": choice("show", "invite", "accept", "role", "revoke", "leave"),
                "who": text("your name for the other person"),
                "role": choice("view", "edit"),
                "code": text("of an invitation"),
                **WRITE,
            }
        ),
    }
)
