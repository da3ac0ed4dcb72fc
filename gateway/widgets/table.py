"""The rows of a query as a table of words."""

from collections.abc import Sequence

from gateway.widgets.card import Call, Card, Component, Say
from gateway.widgets.parts import as_many_as_fit, card, cell, divider, row, text
from gateway.widgets.plain import copied, plain
from gateway.widgets.reading import Values, number, texts

COLUMNS = 8


def table(values: Values, source: Call | None, say: Say) -> Card | None:
    """The card of a table; None for what is no table."""
    columns, rows = texts(values, "columns"), rows_of(values)
    if not columns or rows is None:
        return None
    if not rows:
        nothing = say("Nothing was found.")
        return Card("table", card(f"table@{number(values, 'rev')}", text(nothing, quiet=True)), nothing, source)
    shown = as_many_as_fit(_row(cells[:COLUMNS]) for cells in rows)
    head = [row(*(cell(text(column, strong=True)) for column in columns[:COLUMNS])), divider()]
    notes = cut_short(values, len(rows) - len(shown), len(columns) - COLUMNS, say)
    children = [*head, *shown, *(text(note, quiet=True) for note in notes)]
    widget = card(f"table@{number(values, 'rev')}", *children)
    return Card("table", widget, figures(columns, rows[: len(shown)], notes), source)


def rows_of(values: Values) -> list[list[object]] | None:
    """The rows of the result; None if it has none of that shape."""
    rows = values.get("rows")
    if not isinstance(rows, list):
        return None
    return [one for one in rows if isinstance(one, list)]


def figures(columns: Sequence[str], rows: Sequence[Sequence[object]], notes: Sequence[str]) -> str:
    """A table in words: one line per row."""
    table = [columns[:COLUMNS], *(cells[:COLUMNS] for cells in rows)]
    lines = [" | ".join(map(_shown, cells)) for cells in table]
    return copied([*lines, *notes], "…")


def cut_short(values: Values, rows: int, columns: int, say: Say) -> list[str]:
    """What is not shown."""
    notes = []
    if rows > 0:
        notes.append(say("{more} more rows", more=rows))
    elif values.get("truncated") is True:
        notes.append(say("There are more rows than this."))
    if columns > 0:
        notes.append(say("{more} more columns", more=columns))
    return notes


def _row(cells: Sequence[object]) -> Component:
    return row(*(cell(text(_shown(value))) for value in cells))


def _shown(value: object) -> str:
    return "–" if value is None else plain(value)
