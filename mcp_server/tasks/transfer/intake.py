"""The cells of one task in a file, each under the name of a column, become its record.

It is the same for every format. A cell that is not understood is a fault with its line, and the task comes without it.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from mcp_server.tasks.calendar.dates import shown
from mcp_server.tasks.transfer.columns import (
    OWN_FIELD,
    canonical_due,
    is_repeat,
    minutes_of,
    priority_of,
    several,
    status_of,
)
from mcp_server.tasks.transfer.document import TaskRecord, Value
from mcp_server.tasks.transfer.faults import Faults
from mcp_server.tasks.words import NAME_LIMIT, checked_notes, checked_title, fold
from shared.errors import Problem

Cell = Value | Sequence[str]
Cells = Mapping[str, Cell]

SOURCE_LIMIT: Final = 30
_SHORTEST_ID: Final = 8
_TEXTS: Final = ("start", "deadline", "parent", "assignee", "created")
_SEVERAL: Final = ("reminders", "blocked_by")
_READ: Final[Mapping[str, Callable[[str], Any]]] = {
    "status": status_of,
    "priority": priority_of,
    "estimate_min": minutes_of,
}
_RULE: Final = ("repeat", "rrule", "anchor")


class Intake:
    """Makes the records of one file and remembers what was not understood."""

    def __init__(self, origin: str) -> None:
        """`origin` is the source of tasks that name none."""
        self.faults = Faults()
        self._origin = origin
        self._refs: dict[str, int] = {}
        self._identities: dict[tuple[str, str], int] = {}

    def task(self, line: int, cells: Cells, *, dates_have_times: bool = True) -> TaskRecord | None:
        """The record of these cells; nothing if they are no task, or one that the file had before.

        `dates_have_times` says that a due date without a time means the whole day; otherwise it may be that the file
        knows no times.
        """
        title = self.title(line, _text(cells.get("title", "")))
        if not title:
            return None
        given_id = self.text(line, "source_id", cells)
        source = re.sub(r"[^\w.-]+", "-", self.text(line, "source", cells))[:SOURCE_LIMIT]
        # A short id that nobody in particular gave is another task in the next file.
        if given_id and (source or len(given_id) >= _SHORTEST_ID):
            identity = (source or self._origin, given_id)
            if identity in self._identities:
                self.faults.leave_out(line, f"the same task as in line {self._identities[identity]}")
                return None
            self._identities[identity] = line
        else:
            identity = ("", "")
        ref = self._new_ref(line, self.text(line, "ref", cells), given_id)
        found = self._fields(line, cells)
        given = {"title", *found}
        if "due" in found and (dates_have_times or "time" in cells):
            given.add("time")
        if given.intersection(_RULE):
            given = given.difference(_RULE) | {"repeat"}
        record = TaskRecord(ref, title, line, frozenset(given), *identity)
        return replace(record, **found)

    def title(self, line: int, text: str) -> str:
        """A title, on one line; empty, with a fault, if it cannot be one."""
        try:
            return checked_title(re.sub(r"[\r\n\t]+", " ", text), "this line")
        except Problem as problem:
            self.faults.leave_out(line, problem.message)
            return ""

    def notes(self, line: int, text: str) -> str | None:
        """Text of any number of lines; nothing, with a fault, if it cannot be kept."""
        try:
            return checked_notes(text, "this line")
        except Problem as problem:
            self.faults.add(line, f"{problem.message}; they are left out")
            return None

    def text(self, line: int, column: str, cells: Cells) -> str:
        """The text of a cell, on one line; empty, with a fault, if it cannot be kept."""
        return self._plain(line, column, _text(cells.get(column, "")))

    def name(self, line: int, kind: str, text: str) -> str:
        """A name as names are here. One that has to be written otherwise is told once."""
        plain = self._plain(line, f"the name of a {kind}", text)
        clean = " ".join(re.split(r'\s*["|,/]\s*', plain))[:NAME_LIMIT].strip()
        if clean != plain:
            self.faults.add_once(line, f'the {kind} "{shown(plain)}" is written "{shown(clean)}" here')
        return clean

    def place(self, line: int, path: str) -> tuple[str, str]:
        """List and section of a text `List` or `List/Section`; who lies in the Inbox lies in no list."""
        name, _, section = path.partition("/")
        return "" if fold(name) == "inbox" else self.name(line, "list", name), self.name(line, "section", section)

    def linked(self, records: Iterable[TaskRecord]) -> tuple[TaskRecord, ...]:
        """The records, with others named by ref where the file named them by title."""
        records = tuple(records)
        refs = {record.ref: record.ref for record in records}
        names = {record.title: record.ref for record in reversed(records)} | refs
        return tuple(
            replace(
                record,
                parent=names.get(record.parent, record.parent),
                blocked_by=tuple(names.get(name, name) for name in record.blocked_by),
            )
            for record in records
        )

    def _new_ref(self, line: int, own: str, given_id: str) -> str:
        if own in self._refs:
            self.faults.add(line, f'"{shown(own)}" is the task in line {self._refs[own]} too; the two are kept apart')
        ref = own or given_id or f"line {line}"
        if ref in self._refs:
            ref = f"line {line}, number {len(self._refs)}"
        self._refs[ref] = line
        return ref

    def _fields(self, line: int, cells: Cells) -> dict[str, Any]:
        found: dict[str, Any] = {name: self.text(line, name, cells) for name in _TEXTS if name in cells}
        for name, read in _READ.items():
            text = self.text(line, name, cells)
            try:
                found |= {name: read(text)} if name in cells else {}
            except ValueError:
                self.faults.add(line, f'the {name} "{shown(text)}" is not understood')
        if "notes" in cells and (notes := self.notes(line, _text(cells["notes"]))) is not None:
            found["notes"] = notes
        for name in _SEVERAL:
            if name in cells:
                found[name] = tuple(filter(None, (self._plain(line, name, text) for text in _texts(cells[name]))))
        if "tags" in cells:
            tags = (self.name(line, "tag", tag.lstrip("@#")) for tag in _texts(cells["tags"]))
            found["tags"] = tuple(dict.fromkeys(filter(None, tags)))
        own = [name for name in cells if name.startswith(OWN_FIELD)]
        if own:
            found["fields"] = tuple((self._own_name(line, name), self._own_value(line, cells[name])) for name in own)
        return found | self._place(line, cells) | self._when(line, cells) | self._completion(line, cells)

    def _place(self, line: int, cells: Cells) -> dict[str, str]:
        found = {}
        if "list" in cells:
            found["list_name"], section = self.place(line, self.text(line, "list", cells))
            if section:
                found["section"] = section
        if "section" in cells and "section" not in found:
            found["section"] = self.name(line, "section", self.text(line, "section", cells))
        return found

    def _when(self, line: int, cells: Cells) -> dict[str, str]:
        found = {name: self.text(line, name, cells) for name in _RULE if name in cells}
        if "due" in cells:
            day, time, zone = (self.text(line, name, cells) for name in ("due", "time", "tz"))
            if is_repeat(day) and not found.get("repeat"):
                return found | {"repeat": " at ".join(filter(None, [day, time]))}
            found["due"] = canonical_due(day, time, zone) if day else ""
        return found

    def _completion(self, line: int, cells: Cells) -> dict[str, Any]:
        """When a task was finished; in a file without a column for the status this also says whether it was."""
        if "completed" not in cells:
            return {}
        text = self.text(line, "completed", cells)
        if "status" in cells:
            return {"completed": text}
        try:
            return {"status": status_of(text)}
        except ValueError:
            return {"status": "done", "completed": text}

    def _own_name(self, line: int, column: str) -> str:
        return self.name(line, "field", column.removeprefix(OWN_FIELD))

    def _own_value(self, line: int, cell: Cell) -> Value:
        return cell if isinstance(cell, bool | int | float) else self.notes(line, _text(cell)) or ""

    def _plain(self, line: int, what: str, text: str) -> str:
        try:
            return checked_title(text, what) if text.strip() else ""
        except Problem as problem:
            self.faults.add(line, f"{problem.message}; left out")
            return ""


def _texts(cell: Cell) -> tuple[str, ...]:
    return several(cell if isinstance(cell, Sequence) else _text(cell))


def _text(cell: Cell) -> str:
    if isinstance(cell, bool):
        return "true" if cell else "false"
    return cell if isinstance(cell, str) else str(cell) if isinstance(cell, int | float) else ", ".join(cell)
