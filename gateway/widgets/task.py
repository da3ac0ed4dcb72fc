"""One task with all that is known of it, and fields to change it."""

from mcp_types import CallToolResult

from gateway.widgets.aftermath import note, outcome
from gateway.widgets.card import Call, Card, Component, Say
from gateway.widgets.deeds import Deeds
from gateway.widgets.parts import card, column, divider, fact, row, text
from gateway.widgets.plain import copied, paragraphs, plain
from gateway.widgets.reading import Values, inside, number, records, ref_of, texts, word
from gateway.widgets.wording import Wording

NOTE_LINES = 8
SUBTASKS = 20
COMMENTS = 3


def one_task(task: Values, values: Values, say: Say, after: CallToolResult | None) -> Card:
    """The card of a task. It is read again by its reference: its title may change."""
    ref = ref_of(task)
    source = Call("tasks_find", {"refs": [ref]}) if ref else None
    wording, deeds = Wording(say, word(values, "now")), Deeds(say, source, number(values, "rev"))
    subtasks = records(task, "subtasks")
    notes, is_cut = paragraphs(word(task, "notes"), NOTE_LINES)
    facts = _facts(task, say)
    children = [
        *note(after, deeds),
        text(word(task, "title"), strong=True, struck=word(task, "status") in ("done", "cancelled")),
        row(text(word(task, "ref"), quiet=True), *wording.badges(task), *wording.around(task)),
        *(fact(label, value) for label, value in facts),
        *(
            [column(*map(text, notes), *([text(say("The notes go on."), quiet=True)] if is_cut else []))]
            if notes
            else []
        ),
        *_below(subtasks, wording, deeds),
        *(text(_comment(comment)) for comment in records(task, "comments")[-COMMENTS:]),
        *_controls(task, deeds),
    ]
    lines = [
        *([outcome(after, say)] if after else []),
        wording.line(task),
        *(f"{label}: {plain(value)}" for label, value in facts),
        *notes,
        *map(wording.line, subtasks[:SUBTASKS]),
        *(_comment(comment) for comment in records(task, "comments")[-COMMENTS:]),
    ]
    return Card("task", card(f"task@{number(values, 'rev')}", *children), copied(lines, "…"), source)


def _facts(task: Values, say: Say) -> list[tuple[str, object]]:
    known = [
        (say("Deadline"), word(task, "deadline")),
        (say("Starts"), word(task, "start")),
        (say("Repeats"), word(task, "repeat")),
        (say("Assigned to"), word(task, "assignee")),
        (say("Part of"), word(task, "parent")),
        (say("Blocked by"), texts(task, "blocked_by")),
        (say("Reminders"), texts(task, "reminders")),
        (say("Written by"), word(task, "by")),
        *((plain(name, 40), value) for name, value in list(inside(task, "fields").items())[:8]),
    ]
    return [(label, value) for label, value in known if value not in ("", [], None)]


def _below(subtasks: list[Values], wording: Wording, deeds: Deeds) -> list[Component]:
    if not subtasks:
        return []
    rows = [
        row(
            *deeds.completing(subtask),
            text(word(subtask, "title"), struck=bool(word(subtask, "status"))),
            text(word(subtask, "ref"), quiet=True),
            *wording.badges(subtask),
            key=f"{plain(word(subtask, 'ref'))}@{number(subtask, 'version')}",
        )
        for subtask in subtasks[:SUBTASKS]
    ]
    hidden = len(subtasks) - len(rows)
    more = [text(deeds.say("{more} more subtasks", more=hidden), quiet=True)] if hidden else []
    return [divider(), text(deeds.say("Subtasks"), quiet=True), *rows, *more]


def _comment(comment: Values) -> str:
    return plain(f"{word(comment, 'by')}: {word(comment, 'body')}")


def _controls(task: Values, deeds: Deeds) -> list[Component]:
    buttons = [*deeds.completing(task), *deeds.postponing(task, far=True), *deeds.opening(task)]
    forms = [*deeds.editing(task), *deeds.extending(task)]
    return [divider(), *([row(*buttons)] if buttons else []), *forms] if buttons else []
