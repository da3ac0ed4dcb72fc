"""Which card shows which result."""

from collections.abc import Mapping
from typing import Any, Final

from mcp_types import CallToolResult, Tool

from gateway.widgets.card import Card, Say, repeatable
from gateway.widgets.chart import chart
from gateway.widgets.generic import generic
from gateway.widgets.reading import Values, is_read, records, ref_of, values_of, view_of
from gateway.widgets.receipt import receipt
from gateway.widgets.table import table
from gateway.widgets.task import one_task
from gateway.widgets.task_list import task_list
from gateway.widgets.timeline import timeline

# What stands in every result of ours beside what was asked for, or is a file and no fact.
_BESIDE: Final = frozenset({"rev", "now", "tz", "content"})


def render(
    tool: Tool, arguments: Mapping[str, Any], result: CallToolResult, say: Say, *, after: CallToolResult | None = None
) -> Card | None:
    """The card of a result; None where there is nothing to show.

    `after` is what came of a button of the card that is being shown again: it says so, and offers the way back.
    """
    values = values_of(result)
    if not values:
        return None
    match view_of(tool, result):
        case "task_list" if "tasks" in values:
            return _tasks(tool, arguments, values, say, after)
        case "receipt" if not is_read(tool) and "counts" in values:
            return receipt(tool, values, say, after)
        case "timeline" if "ops" in values:
            return timeline(values, repeatable(tool.name, arguments), say, after)
        case "chart":
            return chart(values, repeatable(tool.name, arguments), say)
        case "table":
            return table(values, repeatable(tool.name, arguments), say)
        case "":
            return generic(tool, values, say)
    return generic(tool, {name: value for name, value in values.items() if name not in _BESIDE}, say)


def _tasks(
    tool: Tool, arguments: Mapping[str, Any], values: Values, say: Say, after: CallToolResult | None
) -> Card | None:
    tasks = records(values, "tasks")
    source = repeatable(tool.name, arguments)
    if arguments.get("refs"):
        if len(tasks) == 1:
            return one_task(tasks[0], values, say, after)
        # They may have been asked for by titles, which can change.
        source = repeatable(tool.name, {**arguments, "refs": [ref_of(task) for task in tasks if ref_of(task)]})
    return task_list(values, source, say, after)
