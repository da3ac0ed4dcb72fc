"""Several tasks as a list: what each is, and what can be done to it."""

from collections.abc import Sequence

from mcp_types import CallToolResult

from gateway.widgets.aftermath import note, outcome
from gateway.widgets.card import Call, Card, Component, Say
from gateway.widgets.deeds import Deeds
from gateway.widgets.parts import as_many_as_fit, column, item, listed, row, text
from gateway.widgets.plain import copied, plain
from gateway.widgets.reading import Values, inside, number, records, word
from gateway.widgets.wording import Wording


def task_list(values: Values, source: Call | None, say: Say, after: CallToolResult | None) -> Card:
    """A page of tasks, or what is due."""
    wording, deeds = Wording(say, word(values, "now")), Deeds(say, source, number(values, "rev"))
    tasks = records(values, "tasks")
    rows = as_many_as_fit(_row(task, wording, deeds) for task in tasks)
    total = max(number(values, "total"), len(tasks))
    head = _head(values, len(rows), total, say)
    more = say("{more} more: ask for them in the chat.", more=total - len(rows))
    said = [text(more, quiet=True)] if total > len(rows) else []
    changed = note(after, deeds)
    items = [*_items("after", changed), *rows, *_items("more", said)]
    lines = [head, *([outcome(after, say)] if after else []), *map(wording.line, tasks[: len(rows)])]
    return Card(
        "task_list",
        listed(f"task_list@{number(values, 'rev')}", head, items),
        copied([*lines, *([more] if said else [])], more),
        source,
    )


def _head(values: Values, shown: int, total: int, say: Say) -> str:
    counts = inside(values, "counts")
    if counts:
        return say(
            "{open} open, {overdue} overdue, {today} due today",
            open=number(counts, "open"),
            overdue=number(counts, "overdue"),
            today=number(counts, "today"),
        )
    if not total:
        return say("No tasks")
    if shown < total:
        return say("{shown} of {total} tasks", shown=shown, total=total)
    return say(("{count} task", "{count} tasks"), count=total)


def _row(task: Values, wording: Wording, deeds: Deeds) -> Component:
    title = text(word(task, "title"), struck=word(task, "status") in ("done", "cancelled"))
    facts = row(text(word(task, "ref"), quiet=True), *wording.badges(task), *wording.around(task))
    return item(
        f"{plain(word(task, 'ref'))}@{number(task, 'version')}",
        *deeds.completing(task),
        column(title, facts),
        *deeds.postponing(task),
        *deeds.opening(task),
    )


def _items(key: str, parts: Sequence[Component]) -> list[Component]:
    return [item(key, *parts)] if parts else []
