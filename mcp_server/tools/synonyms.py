"""What models write instead of our words: which of them are surely ours, and what to say about the others."""

import difflib
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

Schema = Mapping[str, Any]

# argument -> other names for it; they count only in an object that has the argument and no argument of that name
SYNONYMS: Final[Mapping[str, Sequence[str]]] = {
    "tasks": ("task", "items", "todos"),
    "changes": ("change", "edits", "updates", "tasks", "items"),
    "refs": ("id", "ids", "ref", "task_id", "task_ids", "task", "tasks"),
    "ref": ("id", "refs", "task_id", "task"),
    "title": ("name", "content", "text", "summary"),
    "notes": ("description", "body", "note"),
    "due": ("due_date", "date", "due_at", "due_string"),
    "start": ("start_date",),
    "tags": ("label", "labels", "tag"),
    "list": ("project", "list_name"),
    "blocked_by": ("depends_on", "dependencies"),
    "repeat": ("recurrence", "recurring", "rrule"),
    "remind": ("reminder", "reminders"),
    "parent": ("parent_id",),
    "assignee": ("assigned_to",),
    "fields": ("custom_fields",),
    "filter": ("query", "q", "search"),
    "sql": ("query", "q", "statement", "sql_query"),
    "chart": ("chart_type", "plot"),
    "sort": ("sort_by", "order_by"),
    "limit": ("page_size", "count", "max", "max_results"),
    "cursor": ("next_cursor", "page_token", "next_page_token"),
    "request_id": ("idempotency_key",),
    "at": ("completed_at",),
    "op": ("op_id", "operation"),
    "to": ("new_name", "value"),
    "name": ("title",),
    "content": ("text", "data"),
    "who": ("person", "member"),
}

# Other words for the values of enumerations. 1 is never the lowest priority.
VALUES: Final[Mapping[str, str]] = {
    **dict.fromkeys(("urgent", "critical", "highest", "1"), "p1"),
    **dict.fromkeys(("high", "2"), "p2"),
    **dict.fromkeys(("medium", "3"), "p3"),
    **dict.fromkeys(("normal", "low", "none", "4"), "p4"),
    **dict.fromkeys(("add", "new"), "create"),
    **dict.fromkeys(("ical", "icalendar"), "ics"),
    "remove": "delete",
    "project": "list",
    "label": "tag",
    "md": "markdown",
}

IDENTITY: Final = re.compile(
    r"(^|_)(users?|userid|username|uid|owner|account|tenant|space|workspace|org|organization|session|token|auth|"
    r"authorization|bearer|password|secret|credentials|api_?key|identity|principal|caller|impersonate)(_|$)|^sub$"
)

# What is said inside the filter of a tool that has one.
TERMS: Final[Mapping[str, str]] = {
    **dict.fromkeys(("list", "project", "list_name", "section"), "list:Work"),
    **dict.fromkeys(("tag", "tags", "label", "labels"), "tag:home"),
    **dict.fromkeys(("due", "due_date", "date", "due_before", "due_after"), "due:<=fri"),
    **dict.fromkeys(("status", "state", "done", "completed", "is_completed", "include_completed"), "is:done"),
    **dict.fromkeys(("title", "name", "text", "keyword", "keywords"), "call mum"),
    "priority": "p1",
    "assignee": "with:ann",
    "parent": "under:T12",
}
FILTERED: Final = frozenset({"tasks_find", "tasks_delete", "data_export"})

REMEDIES: Final[Mapping[str, str]] = {
    **dict.fromkeys(("status", "state", "done", "completed", "is_completed"), "tasks_complete closes and reopens"),
    **dict.fromkeys(("page", "offset", "skip"), "cursor, from the answer before"),
    **dict.fromkeys(("time", "due_time"), 'due, e.g. "fri 9am"'),
    **dict.fromkeys(("timezone", "time_zone", "tz"), 'organize(kind=setting, action=set, name="time zone")'),
    **dict.fromkeys(("add_tags", "remove_tags"), 'tags, e.g. ["home", "-work"]'),
    "subtasks": "tasks_add with parent",
    "section": 'list, e.g. "Work/Design"',
}

EXAMPLES: Final[Mapping[str, str]] = {
    "tasks": '[{"title": "Call mum"}]',
    "changes": '[{"refs": ["T12"], "due": "fri"}]',
    "refs": '["T12"]',
    "ref": '"T12"',
    "title": '"Call mum"',
    "filter": '"list:Work due:today"',
    "due": '"fri 9am"',
    "start": '"mon"',
    "deadline": '"dec 31"',
    "repeat": '"every week"',
    "estimate": '"45m"',
    "remind": '["30m before"]',
    "tags": '["home"]',
    "list": '"Work"',
    "fields": '{"Effort": 3}',
    "blocked_by": '["T3"]',
    "subtasks": '["Buy paint"]',
    "clear": '["due"]',
    "options": '{"color": "red"}',
    "kind": '"list"',
    "action": '"create"',
    "name": '"Work"',
    "content": '"- [ ] Call mum"',
    "op": '"4711"',
}

LONGEST_NAME: Final = 40
NAMES_TOLD: Final = 110


def meant_name(key: str, properties: Schema) -> str | None:
    """The argument that a key surely means: itself in another spelling, or a synonym."""
    plain = snake(key)
    if plain in properties:
        return plain
    joined = plain.replace("_", "")
    for name in properties:
        if name.replace("_", "") == joined:
            return name
    return next((name for name in properties if plain in SYNONYMS.get(name, ())), None)


def meant_value(word: str, allowed: Sequence[str]) -> str | None:
    """The value of an enumeration that a word surely means."""
    plain = word.strip().lower()
    return next((found for found in (plain, VALUES.get(plain)) if found in allowed), None)


def remedy(key: str, tool: str, properties: Schema) -> str:
    """What to do about a key that nobody knows."""
    plain = snake(key)
    if IDENTITY.search(plain):
        who = "who" in properties
        return "who, your own name for the other person" if who else "identity comes from the sign-in; leave it out"
    if tool in FILTERED and plain in TERMS:
        return f'filter, e.g. "{TERMS[plain]}"'
    if plain in ("filter", *SYNONYMS["filter"]) and "refs" in properties:
        return "refs, found by tasks_find"
    if plain in REMEDIES and not REMEDIES[plain].startswith(tool):
        return REMEDIES[plain]
    if plain in re.findall(r"\w+", properties.get("options", {}).get("description", "")):
        return f'options, e.g. {{"{plain}": ...}}'
    if near := _nearest(plain, properties):
        return near
    names = ", ".join(properties)
    if len(names) > NAMES_TOLD:
        return f"leave it out, or see the schema of {tool}"
    return f"leave it out; there is {names}"


def snake(key: str) -> str:
    """A key as we spell keys, from camelCase, Title Case and hyphens."""
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", key.strip())
    return re.sub(r"[\s-]+", "_", spaced).lower()


def _nearest(key: str, properties: Schema) -> str:
    if len(key) > LONGEST_NAME:
        return ""
    meant = {word: name for name in properties for word in SYNONYMS.get(name, ())} | {name: name for name in properties}
    near = difflib.get_close_matches(key, list(meant), n=1, cutoff=0.8)
    return meant[near[0]] if near else ""
