"""What a write did, a line for each thing it touched, and the way back."""

from mcp_types import CallToolResult, Tool

from gateway.widgets.aftermath import outcome
from gateway.widgets.card import Card, Say
from gateway.widgets.counting import counts_in_words
from gateway.widgets.deeds import Deeds
from gateway.widgets.parts import card, column, row, text
from gateway.widgets.plain import copied, plain
from gateway.widgets.reading import FINAL, Values, number, op_of, records, ref_of, texts, word
from gateway.widgets.wording import Wording

LINES = 8
NOTES = 2
# Its operations touch nothing but what the person owns, and do not always say what.
OWN_ONLY = "data_import"


def receipt(tool: Tool, values: Values, say: Say, after: CallToolResult | None) -> Card:
    """The card of a write. Each operation has its own place, or the way back from the earlier ones would be lost."""
    wording = Wording(say, word(values, "now"))
    changes, tasks = records(values, "changes"), records(values, "tasks")
    op = "" if tool.name == FINAL else _op(tool, values, changes)
    lines = _lines(tasks, changes, records(values, "conflicts"), wording)
    hidden = len(lines) - LINES
    shown = [*lines[:LINES], *([say("and {more} more", more=hidden)] if hidden > 0 else [])]
    head = _head(values, say)
    notes = [plain(one) for one in texts(values, "notes")[:NOTES]]
    spoken = [outcome(after, say)] if after is not None and after.is_error else []
    undo = Deeds(say, None, number(values, "rev")).undoing(op, again=word(values, "tool") == "undo")
    children = [
        text(head, strong=True),
        column(*map(text, shown)),
        *(text(one, quiet=True) for one in [*notes, *spoken]),
        *([row(*undo)] if undo else []),
    ]
    place = f"receipt {number(values, 'op')}" if number(values, "op") else "receipt"
    widget = card(f"receipt@{number(values, 'rev')}", *children)
    return Card(place, widget, copied([head, *shown, *notes, *spoken], "…"))


def _op(tool: Tool, values: Values, changes: list[Values]) -> str:
    refs = [*texts(values, "refs"), *(word(change, "ref") for change in changes)]
    if tool.name == OWN_ONLY and not refs:
        return str(number(values, "op") or "")
    return op_of(values, refs)


def _head(values: Values, say: Say) -> str:
    counted = counts_in_words(values, say)
    if values.get("dry_run") is True:
        return say("Nothing is changed yet. It would be: {counts}", counts=counted)
    if not number(values, "op"):
        return say("Nothing had to be changed.")
    return counted or say("Done")


def _lines(tasks: list[Values], changes: list[Values], conflicts: list[Values], wording: Wording) -> list[str]:
    """What changed of each task; the task itself where nothing says what changed; then whatever else changed."""
    changed = {word(change, "ref"): change for change in changes}
    lines = [_conflict(one, wording.say) for one in conflicts]
    for task in tasks:
        change = changed.pop(ref_of(task), None)
        if change is None:
            lines.append(wording.line(task))
        else:
            words = wording.changed(change) or wording.say("changed")
            lines.append(f"{plain(word(task, 'ref'))} {plain(word(task, 'title'), 80)}: {words}")
    return lines + [f"{plain(ref)}: {wording.changed(change)}" for ref, change in changed.items()]


def _conflict(one: Values, say: Say) -> str:
    return say("not taken back: {why}", why=plain(word(one, "why")))
