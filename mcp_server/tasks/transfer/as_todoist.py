"""Todoist's CSV template, read only: a table whose rows are sections, tasks with an indent, and notes about them.

Its columns say less than ours: no ids, no status, no list. Priorities count as everywhere in that program's own texts,
1 is the highest; an empty one is none.
"""

import re
from typing import Final

from mcp_server.tasks.calendar.dates import shown
from mcp_server.tasks.transfer.document import CommentRecord, Document, TaskRecord
from mcp_server.tasks.transfer.intake import Cell, Intake
from mcp_server.tasks.transfer.table import read_table
from shared.errors import Problem

# The columns that become fields as they are. The time zone is that of the person who exported, so times float here.
_COLUMNS: Final = {
    "DESCRIPTION": "notes",
    "PRIORITY": "priority",
    "DATE": "due",
    "RESPONSIBLE": "assignee",
    "DEADLINE": "deadline",
}
_UNDERSTOOD: Final = {"TYPE": "", "CONTENT": "title", "INDENT": "parent", "DURATION": "estimate_min", **_COLUMNS}
_SILENT: Final = frozenset({"DATE_LANG", "DEADLINE_LANG", "DURATION_UNIT"})
_UNITS: Final = {"": 1, "minute": 1, "day": 24 * 60}
_LABEL: Final = re.compile(r"(?<!\S)@([^\s@]+)")
_PERSON_ID: Final = re.compile(r"\(\d+\)$", re.ASCII)
_ATTACHMENT: Final = "[[file {"


def is_template(header: tuple[str, ...]) -> bool:
    """Whether a table with this header comes from Todoist."""
    return {"TYPE", "CONTENT"} <= set(header)


def read(text: str) -> Document:
    """The tasks, sections and notes of a template."""
    table = read_table(text)
    if not is_template(table.header):
        raise Problem("bad_content", "this table has no columns TYPE and CONTENT", "format=csv for other tables")
    intake = Intake("todoist")
    records: list[TaskRecord] = []
    comments = []
    section = ""
    above: list[str] = []
    for line, cells in table.rows:
        row = dict(zip(table.header, cells, strict=True))
        content = row["CONTENT"].strip()
        match row["TYPE"].strip().lower():
            case "section":
                section, above = intake.name(line, "section", content), []
            case "task":
                level = _level(row.get("INDENT", ""))
                above = above[: level - 1]
                found = _task(intake, line, row, section, above[-1] if above else "")
                if found is not None:
                    records.append(found)
                    above.append(found.ref)
            case "note":
                said = content.partition(_ATTACHMENT)[0].rstrip()
                if not records:
                    intake.faults.add(line, "a note about the whole project; left out")
                elif said and (kept := intake.notes(line, said)):
                    comments.append(CommentRecord(records[-1].ref, kept, line=line))
                else:
                    intake.faults.add(line, "a note without text, perhaps a file; left out")
            case "" | "meta":
                pass
            case other:
                intake.faults.add(line, f'the TYPE "{shown(other)}" is not understood; left out')
    return Document(
        "todoist",
        tuple(records),
        comments=tuple(comments),
        mapping={name: _UNDERSTOOD[name] for name in table.header if _UNDERSTOOD.get(name)},
        unrecognised=tuple(name for name in table.header if name not in _UNDERSTOOD and name not in _SILENT),
        faults=intake.faults.found,
        left_out=intake.faults.left_out,
    )


def _task(intake: Intake, line: int, row: dict[str, str], section: str, parent: str) -> TaskRecord | None:
    # A star in front marks a task that cannot be completed, which here is a task like any other.
    content = row["CONTENT"].strip().removeprefix("* ")
    labels = _LABEL.findall(content)
    title = " ".join(_LABEL.sub(" ", content).split()) if labels else content
    cells: dict[str, Cell] = {"title": title or content, "section": section, "parent": parent}
    # An empty cell says nothing: the template has one where the task has nothing and where the writer left it out.
    cells |= {column: row[name].strip() for name, column in _COLUMNS.items() if row.get(name, "").strip()}
    if "assignee" in cells:
        cells["assignee"] = _PERSON_ID.sub("", row["RESPONSIBLE"].strip()).strip()
    if labels:
        cells["tags"] = labels
    amount, unit = row.get("DURATION", "").strip(), row.get("DURATION_UNIT", "").strip().lower()
    if re.fullmatch(r"\d{1,4}", amount, re.ASCII) and unit in _UNITS:
        cells["estimate_min"] = int(amount) * _UNITS[unit]
    return intake.task(line, cells)


def _level(text: str) -> int:
    """How deep a task lies; what is no number is the top."""
    return max(1, int(text)) if re.fullmatch(r"\s*\d{1,2}\s*", text, re.ASCII) else 1
