"""Who changed what, newest first, and the way back from each operation."""

from mcp_types import CallToolResult

from gateway.widgets.aftermath import note, outcome
from gateway.widgets.card import Call, Card, Component, Say
from gateway.widgets.deeds import Deeds
from gateway.widgets.parts import as_many_as_fit, badge, column, item, listed, row, text
from gateway.widgets.plain import copied, plain
from gateway.widgets.reading import FINAL, Values, number, op_of, records, word


def timeline(values: Values, source: Call | None, say: Say, after: CallToolResult | None) -> Card:
    """A page of the history."""
    deeds = Deeds(say, source, number(values, "rev"))
    entries = records(values, "ops")
    rows = as_many_as_fit(_row(entry, deeds) for entry in entries)
    head = say(("{count} change", "{count} changes"), count=len(rows)) if rows else say("No changes")
    more = say("There are earlier ones: ask for them in the chat.")
    has_more = len(rows) < len(entries) or bool(word(values, "cursor"))
    changed = note(after, deeds)
    items = [
        *([item("after", *changed)] if changed else []),
        *rows,
        *([item("more", text(more, quiet=True))] if has_more else []),
    ]
    lines = [head, *([outcome(after, say)] if after else []), *(_line(entry, say) for entry in entries[: len(rows)])]
    widget = listed(f"timeline@{number(values, 'rev')}", head, items)
    return Card("timeline", widget, copied([*lines, *([more] if has_more else [])], more), source)


def _row(entry: Values, deeds: Deeds) -> Component:
    is_undone = number(entry, "undone_by") > 0
    undone = [badge(deeds.say("undone"))] if is_undone else []
    refs = [word(change, "ref") for change in records(entry, "changes")]
    op = "" if is_undone or word(entry, "tool") == FINAL else op_of(entry, refs)
    return item(
        f"op {number(entry, 'op')} {'undone' if is_undone else 'done'}",
        column(text(word(entry, "summary")), row(text(_who(entry, deeds.say), quiet=True), *undone)),
        *deeds.undoing(op, again=number(entry, "undo_of") > 0),
    )


def _who(entry: Values, say: Say) -> str:
    at = word(entry, "at")[:16].replace("T", " ")
    actor, client = plain(word(entry, "actor"), 60), plain(word(entry, "client"), 60)
    who = say("you") if actor == "me" else actor
    if entry.get("agent") is True:
        return say("{at}, an assistant for {who}", at=plain(at), who=who)
    return say("{at}, {who}, with {client}", at=plain(at), who=who, client=client)


def _line(entry: Values, say: Say) -> str:
    undone = f" ({say('undone')})" if number(entry, "undone_by") else ""
    return f"op {number(entry, 'op')}, {_who(entry, say)}: {plain(word(entry, 'summary'))}{undone}"
