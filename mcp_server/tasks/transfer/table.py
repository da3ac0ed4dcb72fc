"""Tables of comma-separated values as people have them: RFC 4180 and what spreadsheets make of it."""

import csv
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from io import StringIO
from typing import Final

from shared.errors import Problem

_DELIMITERS: Final = ",;\t"
_NAMED_DELIMITER: Final = re.compile(r"sep=(.)\r?\n", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Table:
    """The header, the rows below it that are not empty, and the line in which each of them begins."""

    header: tuple[str, ...]
    rows: tuple[tuple[int, tuple[str, ...]], ...]


def read_table(text: str) -> Table:
    """The table in a text. Raises `bad_content` with the line where the text is none."""
    rows = _all_rows(text)
    _, header = next(rows, (0, ()))
    width = len(header)
    found = []
    for line, cells in rows:
        # Spreadsheets write the cells to the right of a table too, if somebody once touched them.
        if len(cells) < width or any(cell.strip() for cell in cells[width:]):
            raise Problem("bad_content", f"line {line} has {len(cells)} cells, the header {width}", "mend that line")
        found.append((line, cells[:width]))
    return Table(tuple(cell.strip() for cell in header), tuple(found))


def read_header(text: str) -> tuple[str, ...]:
    """The cells of the first row, if there is a first row and it is one."""
    try:
        return next(((tuple(cell.strip() for cell in cells)) for _, cells in _all_rows(text)), ())
    except Problem:
        return ()


def write_table(rows: Sequence[Sequence[str]]) -> str:
    """The text of a table, as RFC 4180 wants it."""
    text = StringIO(newline="")
    csv.writer(text, lineterminator="\r\n").writerows(rows)
    return text.getvalue()


def _all_rows(text: str) -> Iterator[tuple[int, tuple[str, ...]]]:
    delimiter, skipped = _delimiter(text)
    return _rows(text[skipped:], delimiter, first_line=1 + text.count("\n", 0, skipped))


def _rows(text: str, delimiter: str, first_line: int) -> Iterator[tuple[int, tuple[str, ...]]]:
    reader = csv.reader(StringIO(text, newline=""), delimiter=delimiter, strict=True)
    while True:
        line = first_line + reader.line_num
        try:
            cells = next(reader, None)
        except csv.Error:
            message = f"line {line} is no row of a table: its quotes do not match, or a cell is too long"
            raise Problem("bad_content", message, 'put cells with quotes in quotes, and write "" for a quote') from None
        if cells is None:
            return
        if any(cell.strip() for cell in cells):
            yield line, tuple(cells)


def _delimiter(text: str) -> tuple[str, int]:
    """What parts the cells, and how much of the text stands above the table. Some programs name it in a first line."""
    named = _NAMED_DELIMITER.match(text)
    if named:
        return named[1], named.end()
    top = next((line for line in text.split("\n") if line.strip()), "")
    bare = re.sub(r'"[^"]*"', "", top)
    return max(_DELIMITERS, key=bare.count), 0
