"""Tasks as JSON: the one form that keeps everything; and whatever list of objects somebody else calls tasks."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from math import isfinite
from typing import Any, Final

from mcp_server.tasks.calendar.dates import shown
from mcp_server.tasks.task import NO_PRIORITY
from mcp_server.tasks.transfer.columns import OWN_FIELD, columns_of
from mcp_server.tasks.transfer.document import (
    CommentRecord,
    CompletionRecord,
    Document,
    NameKind,
    NameRecord,
    StatusWord,
    TaskRecord,
    due_parts,
)
from mcp_server.tasks.transfer.elements import Element, read_members
from mcp_server.tasks.transfer.intake import Cell, Intake
from mcp_server.tasks.writing.relations import DEPTH_LIMIT
from shared.errors import Problem

VERSION: Final = 1
# What a file of ours speaks about in each of its tasks. A value that is missing there is empty.
COLUMNS: Final = (
    *("notes", "list", "section", "status", "priority", "due", "tz", "start", "deadline", "repeat"),
    *("estimate_min", "reminders", "tags", "parent", "blocked_by", "assignee", "created", "completed"),
)
_REF: Final = re.compile(r"[A-Za-z]\d{1,15}", re.ASCII)
_REST: Final = frozenset({"taskgate", "exported", "tz", "columns"})


def read(text: str) -> Document:
    """The tasks of a list, or of the member `tasks` of an object."""
    members = read_members(text)
    if not isinstance(members.get("tasks"), list):
        raise Problem("bad_content", "this JSON has no list of tasks", 'write {"tasks": [{"title": ...}, ...]}')
    if members.get("taskgate", VERSION) != VERSION:
        raise Problem("bad_content", "this file was written by a newer version", "export it as csv there")
    return _Reader(members).document()


def write(document: Document) -> str:
    """All of a document, each task, completion and comment on a line of its own."""
    members: dict[str, Any] = {"taskgate": VERSION, "exported": document.exported, "tz": document.tz}
    if document.tasks:
        members["columns"] = COLUMNS
    lines = [f"{_dump(name)}:{_dump(value)}" for name, value in members.items() if value]
    sections = [record for record in document.names if record.kind == "section"]
    rows: dict[str, Iterable[Mapping[str, Any]]] = {
        "lists": [
            {**_name(record), "sections": [_name(one) for one in sections if one.list_name == record.name]}
            for record in document.names
            if record.kind == "list"
        ],
        **{f"{kind}s": [_name(one) for one in document.names if one.kind == kind] for kind in ("tag", "view", "field")},
        "tasks": [_task(record) for record in document.tasks],
        "completions": [
            {"task": one.task, "done": one.done, "due": one.due, "status": one.status} for one in document.completions
        ],
        "comments": [
            {"task": one.task, "text": one.text, "created": one.created, "author": one.author}
            for one in document.comments
        ],
    }
    lines += [f"{_dump(name)}:{_listed(found)}" for name, found in rows.items() if found or name == "tasks"]
    return "{" + ",\n".join(lines) + "}\n"


def _listed(rows: Iterable[Mapping[str, Any]]) -> str:
    return (
        "["
        + ",".join(f"\n{_dump({name: value for name, value in row.items() if value or value == 0})}" for row in rows)
        + "]"
    )


def _dump(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def _name(record: NameRecord) -> dict[str, Any]:
    kept = {"filter": record.filter, "options": dict(record.options), "archived": record.is_archived}
    return {"name": record.name, **{name: value for name, value in kept.items() if value}}


def _task(record: TaskRecord) -> dict[str, Any]:
    day, clock, zone = due_parts(record.due)
    return {
        "ref": record.ref,
        "title": record.title,
        "notes": record.notes,
        "list": record.list_name,
        "section": record.section,
        "status": "" if record.status == "open" else record.status,
        "priority": "" if record.priority == NO_PRIORITY else f"p{record.priority}",
        "due": f"{day}T{clock}" if clock else day,
        "tz": zone,
        "start": record.start,
        "deadline": record.deadline,
        "repeat": record.repeat,
        "rrule": record.rrule,
        "anchor": record.anchor,
        "estimate_min": "" if record.estimate_min is None else record.estimate_min,
        "reminders": list(record.reminders),
        "tags": list(record.tags),
        "parent": record.parent,
        "blocked_by": list(record.blocked_by),
        "assignee": record.assignee,
        "fields": dict(record.fields),
        "created": record.created,
        "completed": record.completed,
        "source": record.source,
        "source_id": record.source_id,
    }


class _Reader:
    """Reads one file."""

    def __init__(self, members: Mapping[str, Any]) -> None:
        self._members = members
        self._intake = Intake("json")
        self._mapping: dict[str, str] = {}
        self._unrecognised: dict[str, None] = {}
        columns = members.get("columns")
        named = [element.value for element in columns] if isinstance(columns, list) else []
        self._columns = [name for name in COLUMNS if name in named]

    def document(self) -> Document:
        """Everything in the file."""
        records = self._intake.linked(
            record for element in self._objects("tasks") for record in self._tasks(element.line, element.value)
        )
        known = {"tasks", "lists", "tags", "views", "fields", "completions", "comments", *_REST}
        return Document(
            "json",
            records,
            tuple(self._names()),
            tuple(self._completions()),
            tuple(self._comments()),
            exported=self._string(1, "exported", self._members),
            tz=self._string(1, "tz", self._members),
            mapping=self._mapping,
            unrecognised=(*self._unrecognised, *(shown(name) for name in self._members if name not in known)),
            faults=self._intake.faults.found,
            left_out=self._intake.faults.left_out,
        )

    def _tasks(self, line: int, found: Mapping[str, Any], above: Sequence[str] = ()) -> Iterator[TaskRecord]:
        """The record of a task and of the subtasks written inside of it."""
        cells: dict[str, Cell] = {"parent": above[-1]} if above else {}
        for name, column in zip(found, columns_of(list(found)), strict=True):
            if name == "fields" and isinstance(found[name], dict):
                cells |= {f"{OWN_FIELD}{key}": self._cell(line, key, value) for key, value in found[name].items()}
            elif column:
                self._mapping.setdefault(shown(name), column)
                cells[column] = self._cell(line, name, found[name])
            elif name != "subtasks":
                self._unrecognised.setdefault(shown(name))
        record = self._intake.task(line, {**dict.fromkeys(self._columns, ""), **cells})
        if record is None:
            return
        yield record
        below = found.get("subtasks") or []
        if below and (not isinstance(below, list) or len(above) == DEPTH_LIMIT):
            self._intake.faults.add(
                line, f"the subtasks are no list, or lie deeper than {DEPTH_LIMIT} levels; left out"
            )
            return
        for subtask in below:
            # A ref alone is a task of this file, which names its parent itself.
            if isinstance(subtask, str) and not _REF.fullmatch(subtask):
                yield from self._tasks(line, {"title": subtask}, (*above, record.ref))
            elif isinstance(subtask, dict):
                yield from self._tasks(line, subtask, (*above, record.ref))

    def _names(self) -> Iterator[NameRecord]:
        for kind in ("list", "tag", "view", "field"):
            for element in self._objects(f"{kind}s"):
                record = self._name(kind, element.line, element.value)
                if record is None:
                    continue
                yield record
                below = element.value.get("sections") if kind == "list" else None
                for section in below if isinstance(below, list) else []:
                    if isinstance(section, dict) and (found := self._name("section", element.line, section)):
                        yield replace(found, list_name=record.name)

    def _name(self, kind: NameKind, line: int, found: Mapping[str, Any]) -> NameRecord | None:
        name = self._intake.name(line, kind, self._string(line, "name", found))
        if not name:
            self._intake.faults.add(line, f"a {kind} without a name; left out")
            return None
        options, view = found.get("options"), found.get("filter")
        return NameRecord(
            kind,
            name,
            filter=self._intake.notes(line, view) or "" if isinstance(view, str) else "",
            options=options if isinstance(options, dict) else {},
            is_archived=found.get("archived") is True,
        )

    def _completions(self) -> Iterator[CompletionRecord]:
        for element in self._objects("completions"):
            task, done, due, status = self._strings(element, "task", "done", "due", "status")
            if task and done:
                how: StatusWord = "cancelled" if status == "cancelled" else "done"
                yield CompletionRecord(task, done, due, how, element.line)
            else:
                self._intake.faults.add(element.line, "a completion without task or time; left out")

    def _comments(self) -> Iterator[CommentRecord]:
        for element in self._objects("comments"):
            task, created, author = self._strings(element, "task", "created", "author")
            said = element.value.get("text")
            text = self._intake.notes(element.line, said) if isinstance(said, str) else ""
            if task and text:
                yield CommentRecord(task, text, created, author, element.line)
            else:
                self._intake.faults.add(element.line, "a comment without task or text; left out")

    def _strings(self, element: Element, *names: str) -> tuple[str, ...]:
        return tuple(self._string(element.line, name, element.value) for name in names)

    def _objects(self, name: str) -> Iterator[Element]:
        found = self._members.get(name, [])
        for element in found if isinstance(found, list) else []:
            if isinstance(element.value, dict):
                yield element
            elif isinstance(element.value, str) and name != "completions" and name != "comments":
                yield Element(element.line, {"title" if name == "tasks" else "name": element.value})
            else:
                self._intake.faults.add(element.line, f"one of the {name} is no object; left out")

    def _cell(self, line: int, name: str, value: Any) -> Cell:
        match value:
            case None:
                return ""
            case bool() | str() | int():
                return value
            case float() if isfinite(value):
                return int(value) if value.is_integer() else value
            case list():
                texts = [str(one["name"]) if isinstance(one, dict) and "name" in one else one for one in value]
                if all(isinstance(text, str | int) for text in texts):
                    return [str(text) for text in texts]
        self._intake.faults.add(line, f'"{shown(name)}" is no text; left out')
        return ""

    def _string(self, line: int, name: str, found: Mapping[str, Any]) -> str:
        value = found.get(name)
        return self._intake.text(line, name, {name: value}) if isinstance(value, str) else ""
