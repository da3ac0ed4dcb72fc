"""The rows of a query as a model reads them, as a file, and as numbers to draw."""

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final
from unicodedata import category

from mcp_server.snapshot.running.process import Found
from mcp_server.tasks.transfer.as_csv import guarded
from mcp_server.tasks.transfer.table import write_table

CELL_SHOWN: Final = 200
TEXT_SIZE: Final = 16_000
SERIES: Final = 5
POINTS: Final = 50
SLICES: Final = 12
OTHER: Final = "other"

Cell = str | int | float | None


def sheet_lines(found: Found) -> tuple[list[str], int]:
    """The names of the columns and a line per row, and how many rows had no room."""
    lines = [" | ".join(map(_on_one_line, found.columns))]
    room = TEXT_SIZE - len(lines[0])
    for row in found.rows:
        line = " | ".join(map(_shown, row))
        room -= len(line) + 1
        if room < 0:
            break
        lines.append(line)
    return lines, len(found.rows) - (len(lines) - 1)


def sheet_file(found: Found, format_name: str) -> str:
    """The rows as CSV or JSON."""
    if format_name == "json":
        # Not objects: two columns may have one name.
        return json.dumps({"columns": found.columns, "rows": found.rows}, ensure_ascii=False, indent=1) + "\n"
    header = [guarded(name) for name in found.columns]
    return write_table([header, *([_in_table(cell) for cell in row] for row in found.rows)])


def chart_of(found: Found, kind: str) -> tuple[dict[str, Any] | None, str]:
    """The rows as numbers to draw: the first column is the labels, numeric ones are series. Or why that cannot be."""
    columns = [[row[index] for row in found.rows] for index in range(len(found.columns))]
    numeric = [index for index in range(1, len(columns)) if _is_numeric(columns[index])][:SERIES]
    if not numeric:
        return None, "no chart: it needs labels in the first column and numbers in the next"
    labels = [_shown(cell) for cell in columns[0]]
    series: list[Mapping[str, Any]] = [{"name": found.columns[index], "values": columns[index]} for index in numeric]
    if kind == "pie":
        slices = columns[numeric[0]]
        if any(isinstance(value, int | float) and value < 0 for value in slices):
            return None, "no chart: a pie has no negative slices"
        labels, slices = _summed_rest(labels, slices)
        series = [{"name": found.columns[numeric[0]], "values": slices}]
    elif len(labels) > POINTS:
        return None, f"no chart: it holds {POINTS} points; group by week or month, or use LIMIT"
    return {"type": kind, "labels": labels, "series": series}, ""


def _summed_rest(labels: list[str], values: Sequence[Cell]) -> tuple[list[str], list[Cell]]:
    """The largest slices; the others together are one."""
    if len(values) <= SLICES:
        return labels, list(values)
    numbers = [value if isinstance(value, int | float) else 0 for value in values]
    largest = sorted(range(len(numbers)), key=lambda index: -numbers[index])[: SLICES - 1]
    kept = sorted(largest)
    rest = sum(numbers) - sum(numbers[index] for index in kept)
    return [*(labels[index] for index in kept), OTHER], [*(values[index] for index in kept), rest]


def _is_numeric(cells: Sequence[Cell]) -> bool:
    numbers = [cell for cell in cells if cell is not None]
    return bool(numbers) and all(isinstance(cell, int | float) for cell in numbers)


def _shown(cell: Cell) -> str:
    match cell:
        case None:
            return "null"
        case float():
            return f"{cell:.12g}"
        case str() if len(cell) > CELL_SHOWN:
            return f"{_on_one_line(cell[:CELL_SHOWN])}...[{len(cell)}]"
    return _on_one_line(str(cell))


def _on_one_line(text: str) -> str:
    """Text that can neither end its row nor its cell, nor do anything to a terminal."""
    shown = text if text.isprintable() else "".join(" " if category(one) in ("Cc", "Cf") else one for one in text)
    return " ".join(shown.split()).replace("|", "\\|")


def _in_table(cell: Cell) -> str:
    """Only text can be taken for a formula; a negative number is none."""
    return guarded(cell) if isinstance(cell, str) else "" if cell is None else str(cell)
