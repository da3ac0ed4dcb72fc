"""Tasks as comma-separated values, one row each, safe to open in a spreadsheet."""

import re
from typing import Final

from mcp_server.tasks.task import NO_PRIORITY
from mcp_server.tasks.transfer.columns import OWN_FIELD, columns_of
from mcp_server.tasks.transfer.document import Document, TaskRecord, due_parts
from mcp_server.tasks.transfer.intake import Cell, Intake
from mcp_server.tasks.transfer.table import read_table, write_table
from shared.errors import Problem

COLUMNS: Final = (
    *("ref", "title", "notes", "list", "section", "status", "priority", "due", "time", "tz", "start", "deadline"),
    *("repeat", "estimate_min", "parent", "tags", "assignee", "created", "completed", "source", "source_id"),
)
# What a spreadsheet takes for a formula. An apostrophe in front makes it text; one that was there gets a second.
_FORMULA: Final = re.compile(r"'*[=+\-@\t\r\n]")


def read(text: str) -> Document:
    """The tasks of a table whose header names at least a column of titles."""
    table = read_table(text)
    columns = columns_of(table.header)
    if "title" not in columns:
        raise Problem("bad_content", "no column of this table holds titles", "name one of them title in the first line")
    intake = Intake("csv")
    records = []
    for line, row in table.rows:
        cells: dict[str, Cell] = {}
        for column, text_of_cell in zip(columns, row, strict=True):
            if column == "tags" and cells.get("tags"):
                cells["tags"] = f"{cells['tags']},{unguarded(text_of_cell)}"
            elif column:
                cells[column] = unguarded(text_of_cell)
        if record := intake.task(line, cells, dates_have_times=False):
            records.append(record)
    return Document(
        "csv",
        intake.linked(records),
        mapping={header: column for header, column in zip(table.header, columns, strict=True) if column},
        unrecognised=tuple(header for header, column in zip(table.header, columns, strict=True) if not column),
        faults=intake.faults.found,
        left_out=intake.faults.left_out,
    )


def write(document: Document) -> str:
    """A row per task; custom fields in columns of their own at the end."""
    own = list(dict.fromkeys(name for record in document.tasks for name, _ in record.fields))
    rows = [[*COLUMNS, *(f"{OWN_FIELD}{name}" for name in own)]]
    for record in document.tasks:
        values = {name: _value_text(value) for name, value in record.fields}
        rows.append([guarded(cell) for cell in (*_row(record), *(values.get(name, "") for name in own))])
    return write_table(rows)


def guarded(cell: str) -> str:
    """A cell that no spreadsheet takes for a formula."""
    return f"'{cell}" if _FORMULA.match(cell) else cell


def unguarded(cell: str) -> str:
    """The cell before it was guarded."""
    return cell[1:] if cell.startswith("'") and _FORMULA.match(cell) else cell


def _row(record: TaskRecord) -> tuple[str, ...]:
    day, clock, zone = due_parts(record.due)
    # The comma at the end says that the semicolon of a lonely tag parts nothing.
    tags = ", ".join(record.tags) + ("," if len(record.tags) == 1 and ";" in record.tags[0] else "")
    return (
        *(record.ref, record.title, record.notes, record.list_name, record.section, record.status),
        *("" if record.priority == NO_PRIORITY else f"p{record.priority}", day, clock, zone),
        *(record.start, record.deadline, record.repeat or record.rrule),
        *("" if record.estimate_min is None else str(record.estimate_min), record.parent, tags),
        *(record.assignee, record.created, record.completed, record.source, record.source_id),
    )


def _value_text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
