"""What a tool's result holds, read without trusting its shape."""

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

from mcp_types import CallToolResult, Tool

Values = Mapping[str, Any]

# What it did reached somebody else: no button takes it back.
FINAL: Final = "share"

_WHOSE: Final = r"(?:(?P<alias>[^\s:|\ud800-\udfff]{1,64}):)?"
TASK_REF: Final = re.compile(rf"{_WHOSE}T[0-9]{{1,12}}")
OP: Final = re.compile(rf"{_WHOSE}[0-9]{{1,12}}")
_ANY_REF: Final = re.compile(rf"{_WHOSE}(?:[TLC][0-9]{{1,12}}|settings)")


def values_of(result: CallToolResult) -> Values:
    """The result for programs; nothing for an error, or where there is none."""
    found = result.structured_content
    return found if isinstance(found, dict) and not result.is_error else {}


def view_of(tool: Tool, result: CallToolResult) -> str:
    """How the tool server wants a result to be shown; nothing if it does not say."""
    for meta in (result.meta, tool.meta):
        if meta and isinstance(view := meta.get("taskgate/view"), str):
            return view
    return ""


def is_read(tool: Tool) -> bool:
    """Whether the tool says that it changes nothing."""
    return tool.annotations is not None and bool(tool.annotations.read_only_hint)


def records(values: Values, name: str) -> list[Values]:
    """A list of objects; whatever else is in it is left out."""
    found = values.get(name)
    return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []


def texts(values: Values, name: str) -> list[str]:
    """A list of texts."""
    found = values.get(name)
    return [one for one in found if isinstance(one, str)] if isinstance(found, list) else []


def word(values: Values, name: str) -> str:
    """A text; empty where there is none."""
    found = values.get(name)
    return found if isinstance(found, str) else ""


def number(values: Values, name: str) -> int:
    """A whole number; 0 where there is none."""
    found = values.get(name)
    return found if isinstance(found, int) and not isinstance(found, bool) else 0


def inside(values: Values, name: str) -> Values:
    """An object."""
    found = values.get(name)
    return found if isinstance(found, dict) else {}


def ref_of(task: Values) -> str:
    """What a task is called in a call; empty if nothing can be called with it."""
    ref = word(task, "ref")
    return ref if TASK_REF.fullmatch(ref) else ""


def op_of(values: Values, refs: Iterable[str]) -> str:
    """What an operation is called in an undo: whose it is, as the references say, and its number. Else empty."""
    op = number(values, "op")
    matches = [_ANY_REF.fullmatch(ref) for ref in refs]
    aliases = {match["alias"] or "" for match in matches if match is not None}
    if not op or None in matches or len(aliases) != 1:
        return ""
    [alias] = aliases
    return f"{alias}:{op}" if alias else str(op)


def named(result: CallToolResult) -> dict[str, str]:
    """Reference and title of every task that a result holds."""
    values = values_of(result)
    tasks = records(values, "tasks") + _asked_rows(values)
    tasks += [child for task in tasks for child in records(task, "subtasks")]
    return {ref: word(task, "title") for task in tasks if (ref := ref_of(task)) and word(task, "title")}


def effect(tool: Tool, result: CallToolResult) -> dict[str, Any] | None:
    """What a page should know of a write that has happened; None where none has, as only a write has a number."""
    values = values_of(result)
    if is_read(tool) or not number(values, "op"):
        return None
    return {"rev": number(values, "rev"), "refs": texts(values, "refs"), "op": number(values, "op")}


def _asked_rows(values: Values) -> list[Values]:
    """The rows of a query in which tasks stand with their titles."""
    columns, rows = texts(values, "columns"), values.get("rows")
    if not {"id", "title"} <= set(columns) or not isinstance(rows, list):
        return []
    at = {"ref": columns.index("id"), "title": columns.index("title")}
    return [
        {name: row[index] for name, index in at.items()}
        for row in rows
        if isinstance(row, list) and len(row) == len(columns)
    ]
