"""Numbers as bars, lines or areas; a pie is drawn as bars, which the chat can show and people compare better."""

from math import isfinite

from gateway.widgets.card import Call, Card, Component, Say
from gateway.widgets.parts import ROWS, card, text
from gateway.widgets.plain import plain
from gateway.widgets.reading import Values, inside, number, records, texts, word
from gateway.widgets.table import cut_short, figures

SERIES = 5
LABEL = "label"


def chart(values: Values, source: Call | None, say: Say) -> Card | None:
    """The card of a chart; None if there is nothing to draw."""
    drawn = inside(values, "chart")
    labels = [plain(label, 60) for label in texts(drawn, "labels")]
    series = records(drawn, "series")[:SERIES]
    if not labels or not series:
        return None
    columns = [plain(word(one, "name"), 60) for one in series]
    rows = [[_at(one, index) for one in series] for index in range(len(labels))]
    kind = "line" if word(drawn, "type") == "line" else "bar"
    notes = cut_short(values, len(labels) - ROWS, 0, say)
    picture: Component = {
        "type": "Chart",
        # Names of columns are anybody's words; the fields of the data are ours.
        "data": [
            {LABEL: label} | {f"value{nth}": value for nth, value in enumerate(row) if value is not None}
            for label, row in list(zip(labels, rows, strict=True))[:ROWS]
        ],
        "series": [{"type": kind, "dataKey": f"value{nth}", "label": column} for nth, column in enumerate(columns)],
        "xAxis": {"dataKey": LABEL},
        "showYAxis": True,
        "showLegend": len(columns) > 1,
    }
    heading = ", ".join(columns)
    widget = card(f"chart@{number(values, 'rev')}", text(heading, strong=True), picture, *map(text, notes))
    said = figures(["", *columns], [[label, *row] for label, row in zip(labels, rows, strict=True)][:ROWS], notes)
    return Card("chart", widget, said, source)


def _at(series: Values, index: int) -> int | float | None:
    values = series.get("values")
    value = values[index] if isinstance(values, list) and index < len(values) else None
    is_number = isinstance(value, int | float) and not isinstance(value, bool) and isfinite(value)
    return value if is_number else None
