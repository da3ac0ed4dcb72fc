"""From a wish to what is done about it: each is a plan that asks for tool calls and ends with what the person reads."""

import re
from collections.abc import Generator, Mapping, Sequence
from typing import Final

from gateway.offline.asking import Call, Ended, Meaning, Steps, asked, picked
from gateway.offline.changing import moved_to
from gateway.offline.naming import search_terms
from gateway.offline.reckoning import moved
from gateway.offline.replies import Refused, Reply, plain, rows_in, sentence
from gateway.offline.speech import understand
from gateway.offline.when import due_alone, span_of
from gateway.offline.wishes import (
    Add,
    Arrange,
    Chart,
    Close,
    Delete,
    Edit,
    Find,
    Import,
    Outcome,
    Overview,
    Plan,
    Restore,
    Show,
    Span,
    Spoken,
    Target,
    Topic,
    Undo,
    Wish,
)

MOST_NEW: Final = 100
PLANNED: Final = 50
POINTS: Final = 7

# What people are asked about an outcome, how they hear of it, and what asks the tool for it.
OUTCOMES: Final[Mapping[Outcome, tuple[Meaning, str, Mapping[str, bool]]]] = {
    Outcome.DONE: (Meaning("Which one did you finish?"), "Well done! Finished:", {}),
    Outcome.CANCELLED: (Meaning("Which one shall I cancel?"), "Cancelled:", {"cancelled": True}),
    Outcome.OPEN: (Meaning("Which one shall I reopen?", "is:closed", "finished"), "Open again:", {"done": False}),
}
TO_DELETE: Final = Meaning("Which one shall I delete?")
TO_RESTORE: Final = Meaning("Which one shall I bring back?", "is:trash", "in the trash")
TO_CHANGE: Final = Meaning("Which one shall I change?")
DELETED: Final = "Moved to the trash:"
CHANGED: Final = "Changed:"
NO_DATE: Final = ("bad_date", "ambiguous_date")
DAYS: Final = ("today", "tomorrow", "next monday", "by a week")
NO_FILE: Final = "There is no file yet. Attach a text, CSV, JSON or iCal file and say `import this`."
NOTHING_DONE: Final = "Nothing was changed in this conversation that could be undone."

_UNDOES: Final = re.compile(r"this undoes op ")
_OVERVIEW: Final = re.compile(r"\w{3} .*?, rev \d+\. (?P<counts>.+)")
_LISTS: Final = "lists: "


def added(wish: Add) -> Steps:
    """Tasks whose words for a day or a list are none keep them in the title."""
    tasks, left = wish.tasks[:MOST_NEW], len(wish.tasks) - MOST_NEW
    undated: set[int] = set()
    unlisted: set[int] = set()
    remarks: list[str] = []
    while True:
        new = [
            _new_task(task, has_due=index not in undated, has_list=index not in unlisted)
            for index, task in enumerate(tasks)
        ]
        output = yield Call("tasks_add", {"tasks": new})
        try:
            reply = Reply.read(output)
        except Refused as refusal:
            where = undated if refusal.code in NO_DATE else unlisted if refusal.code == "unknown_list" else None
            if where is None or not _concerned(where, refusal.index, len(tasks), is_again=bool(where)):
                raise
            kept = "those words in the title"
            remarks.append(f"{refusal.sentence} I kept {kept}{' and set no date' if where is undated else ''}.")
            continue
        if left > 0:
            remarks.append(f"These are the first {MOST_NEW}: {left:,} more are not added yet.")
        return reply.shown("Added:" if len(reply.lines) == 1 else f"Added {len(reply.lines)} tasks:", *remarks)


def _concerned(kept: set[int], index: int | None, count: int, *, is_again: bool) -> bool:
    """Note which tasks keep their words: first the one refused, then all. False if none is left to change."""
    if len(kept) == count:
        return False
    kept |= set(range(count)) if is_again or index is None or index >= count else {index}
    return True


def _new_task(task: Spoken, *, has_due: bool, has_list: bool) -> dict[str, str]:
    title = task.title
    if task.due and not has_due:
        title = f"{title} {task.due}" if task.list and has_list else task.whole
    elif task.list and not has_list:
        title = f"{title} {task.place}"
    new = {"title": title, "due": task.due * has_due, "list": task.list * has_list, "priority": task.priority}
    return {name: value for name, value in new.items() if value}


def found(wish: Find) -> Steps:
    """A list, or a search if there is no list of that name."""
    try:
        reply = Reply.read((yield Call("tasks_find", {"filter": wish.filter} if wish.filter else {})))
    except Refused as refusal:
        if refusal.code != "unknown_list" or not search_terms(wish.words):
            raise
        reply = Reply.read((yield Call("tasks_find", {"filter": search_terms(wish.words)})))
        return reply.counted(f'open and about "{plain(wish.words)}"')
    return reply.counted(plain(wish.about))


def shown(wish: Show) -> Steps:
    """Tasks by their ids."""
    reply = Reply.read((yield Call("tasks_find", {"refs": list(wish.refs)})))
    return reply.shown("Here it is:" if len(reply.lines) == 1 else "Here they are:")


def closed(wish: Close) -> Steps:
    """Finished, cancelled or open again."""
    meaning, head, arguments = OUTCOMES[wish.outcome]
    refs = yield from picked(wish.target, meaning)
    return Reply.read((yield Call("tasks_complete", {"refs": list(refs), **arguments}))).shown(head)


def deleted(wish: Delete) -> Steps:
    """To the trash. What a filter finds goes by the filter: the tool asks the person first if that is much."""
    if wish.target.filter:
        reply = Reply.read((yield Call("tasks_delete", {"filter": wish.target.filter})))
        if not reply.lines:
            return f"No task is {plain(wish.target.about)}."
        return reply.shown(DELETED)
    refs = yield from picked(wish.target, TO_DELETE)
    return Reply.read((yield Call("tasks_delete", {"refs": list(refs)}))).shown(DELETED)


def restored(wish: Restore) -> Steps:
    """Back from the trash."""
    refs = yield from picked(wish.target, TO_RESTORE)
    reply = Reply.read((yield Call("tasks_delete", {"refs": list(refs), "restore": True})))
    return reply.shown("Brought back from the trash:")


def edited(wish: Edit) -> Steps:
    """Fields that are set, dates that move; what was not said is asked for."""
    if wish.lacks:
        wish = yield from _completed(wish, (yield from picked(wish.target, TO_CHANGE)))
    if wish.target.filter and not wish.span:
        reply = Reply.read((yield Call("tasks_edit", {"changes": [dict(wish.fields)], "filter": wish.target.filter})))
        return reply.shown(CHANGED) if reply.lines else f"No task is {plain(wish.target.about)}."
    refs = yield from picked(wish.target, TO_CHANGE)
    if wish.span is None:
        changes = [{"refs": list(refs), **wish.fields}]
    else:
        changes = yield from _moved(refs, wish.span)
    return Reply.read((yield Call("tasks_edit", {"changes": changes}))).shown(CHANGED)


def _completed(wish: Edit, refs: tuple[str, ...]) -> Generator[Call, str, Edit]:
    """The wish with what it lacked."""
    named, target = ", ".join(refs[:3]), Target(refs)
    if wish.lacks == "title":
        question = f"What shall {named} be called?"
        title = yield from asked(question, (), question, lambda text: understand(text) is Topic.UNKNOWN)
        return Edit(target, {"title": title})
    question = f"To which day or list shall {named} move?"
    saying = f"{question} For example `tomorrow`, `by a week` or `to Work`."
    answer = yield from asked(question, DAYS, saying, _is_place)
    if (edit := moved_to(target, answer)) is None:
        raise Ended("I did not understand that, so nothing was changed.")
    return edit


def _is_place(text: str) -> bool:
    """Whether a message says where to, in time or among the lists."""
    if due_alone(text) or span_of(text):
        return True
    return text.lower().startswith(("to ", "into ")) and understand(text) is Topic.UNKNOWN


def _moved(refs: Sequence[str], span: Span) -> Generator[Call, str, list[dict[str, object]]]:
    """The changes that move the dates of these tasks, each by the same span."""
    reply = Reply.read((yield Call("tasks_find", {"refs": list(refs)})))
    try:
        return [
            {"refs": [task.ref], "due": moved(reply.head, facts, span)}
            for task, facts in zip(reply.tasks, reply.facts, strict=True)
        ]
    except ValueError:
        raise Ended("There is no such day, so nothing was changed.") from None


def arranged(wish: Arrange) -> Steps:
    """A list that is made, renamed or deleted."""
    arguments = {"kind": "list", "action": wish.action, "name": wish.name, **({"to": wish.to} if wish.to else {})}
    reply = Reply.read((yield Call("organize", arguments)))
    name, to = plain(wish.name), plain(wish.to)
    if reply.head.startswith("nothing to change"):
        return f"There is a list {name} already." if wish.action == "create" else "Nothing to change, it is so already."
    match wish.action:
        case "create":
            return f"The list {name} is there now. Fill it with `add milk to {wish.name}`."
        case "rename":
            return f"The list {name} is now called {to}."
    return f"The list {name} is deleted ({reply.receipt}). `undo` brings it back."


def undone(wish: Undo, operations: Sequence[str]) -> Steps:
    """The operation that was named, or the newest one of this conversation."""
    op = wish.op or (operations[-1] if operations else "")
    if not op:
        return NOTHING_DONE
    reply = Reply.read((yield Call("undo", {"op": op})))
    others = [f"- {plain(line)}" for line in reply.others]
    notes = [sentence(note) for note in reply.notes if not _UNDOES.match(note)]
    return "\n\n".join(filter(None, ("Undone:", "\n".join(filter(None, (reply.listed(), *others))), *notes)))


def overviewed() -> Steps:
    """Counts and lists."""
    output = yield Call("overview", {})
    head = _OVERVIEW.match(Reply.read(output).head)
    lists = next((line.removeprefix(_LISTS) for line in output.split("\n") if line.startswith(_LISTS)), "")
    counts = sentence(head["counts"]) if head else ""
    return "\n\n".join(filter(None, (counts, f"Lists: {plain(lists)}." if lists else "")))


def planned(wish: Plan) -> Steps:
    """What is overdue, due or urgent, in the order of the task service, which puts first what presses most."""
    until = f'due:"<={wish.day}"' if wish.day else "due:today"
    terms = f"due:overdue OR {until} OR p1"
    reply = Reply.read((yield Call("tasks_find", {"filter": terms, "limit": PLANNED})))
    if not reply.lines:
        day = "by then" if wish.day else "today"
        return f"Nothing is overdue, due {day} or urgent. Ask `what is open?` for the rest."
    head = "One task presses:" if reply.total == 1 else f"{reply.total:,} tasks, the most pressing first:"
    return reply.shown(head, "Everything else can wait.")


def charted(wish: Chart) -> Steps:
    """A chart, and its figures in words."""
    rows = rows_in((yield Call("data_query", {"sql": wish.sql, "chart": wish.kind})))
    about = wish.about[:1].upper() + wish.about[1:]
    if not rows:
        return f"{about}: there is nothing to count yet."
    points = [f"{plain(label)} {figure}" for label, figure in rows[:POINTS]]
    more = [f"and {len(rows) - POINTS} more"] if len(rows) > POINTS else []
    return f"{about}: {', '.join([*points, *more])}."


def imported(wish: Import, files: Sequence[str]) -> Steps:
    """The tasks of files: tried first, then for real, about which the tool asks the person."""
    if not files:
        return NO_FILE
    said: list[str] = []
    for file in files:
        arguments = {"content": f"attachment:{file}", **({"list": wish.list} if wish.list else {})}
        tried = Reply.read((yield Call("data_import", {**arguments, "dry_run": True})))
        if tried.head.startswith("nothing to change"):
            said.append(tried.shown(""))
            continue
        reply = Reply.read((yield Call("data_import", {**arguments, "dry_run": False})))
        said.append(reply.shown(f"Imported: {reply.receipt}."))
    return "\n\n".join(said)


def plan_of(wish: Wish, files: Sequence[str], operations: Sequence[str]) -> Steps | None:
    """What is done about a wish; None for what is only talked about."""
    match wish:
        case Add():
            return added(wish)
        case Find():
            return found(wish)
        case Show():
            return shown(wish)
        case Close():
            return closed(wish)
        case Delete():
            return deleted(wish)
        case Restore():
            return restored(wish)
        case Edit():
            return edited(wish)
        case Arrange():
            return arranged(wish)
        case Undo():
            return undone(wish, operations)
        case Overview():
            return overviewed()
        case Plan():
            return planned(wish)
        case Chart():
            return charted(wish)
        case Import():
            return imported(wish, files)
        case Topic():
            return None
