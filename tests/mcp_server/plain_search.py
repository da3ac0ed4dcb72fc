"""What filters have to find, decided in plain Python over the tasks: something to compare the statements with."""

from collections.abc import Iterable, Sequence
from datetime import date, timedelta
from typing import Any, Final

from mcp_server.tasks.filtering.grammar import parse
from mcp_server.tasks.filtering.tree import And, Not, Or, Term, Tree, Value, Word, leaves
from mcp_server.tasks.spaces import space_of
from mcp_server.tasks.task import Status
from mcp_server.tasks.words import fold
from shared.db import microseconds
from tests.mcp_server.filled import ADAS_PLACES, BOBS_PLACES, DAYS, NOW, TODAY, VIEWS, Known, World, start_us

STATUSES: Final = {
    "open": {Status.OPEN},
    "done": {Status.DONE},
    "cancelled": {Status.CANCELLED},
    "closed": {Status.DONE, Status.CANCELLED},
    "all": set(Status),
}
YES: Final = {"yes": True, "no": False}
PEOPLE: Final = {"me": "ada", "bob": "bob"}


class PlainSearch:
    """Knows the world and looks at each task of it."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.by_key = {known.key: known for known in world.known}

    def keys(self, text: str) -> set[tuple[str, int]]:
        """The spaces and numbers of the tasks that a filter matches."""
        tree = _with_views(parse(text), in_view=False)
        states = {value.text for term in _terms(tree, "is") for value in term.values} & {*STATUSES, "trash"}
        by_name = {value.text for term in _terms(tree, "list") for value in term.values}
        found = [known for known in self.world.known if self.fits(tree, known)]
        if not states and not _terms(tree, "done"):
            found = [known for known in found if known.task.status is Status.OPEN]
        if "trash" not in states:
            found = [known for known in found if known.task.deleted_us is None and not _hidden(known, by_name)]
        return {known.key for known in found}

    def fits(self, tree: Tree, known: Known) -> bool:
        match tree:
            case Word(text, prefix):
                start = " " if prefix else ""
                return any(start + fold(text) in f" {fold(part)}" for part in (known.task.title, known.task.notes))
            case Term():
                return any(self.fits_value(tree, value, known) for value in tree.values)
            case Not(inner):
                return not self.fits(inner, known)
            case And(parts):
                return all(self.fits(part, known) for part in parts)
            case Or(parts):
                return any(self.fits(part, known) for part in parts)

    def fits_value(self, term: Term, value: Value, known: Known) -> bool:
        task, text = known.task, value.text
        match term.key:
            case "list":
                alias, _, path = text.rpartition(":")
                return known.alias == alias and (known.place == path or known.place.startswith(f"{path}/"))
            case "tag":
                match value:
                    case Value("none", ""):
                        return not known.tags
                    case Value("any", ""):
                        return bool(known.tags)
                return any(tag == text or (value.sign and tag.startswith(text)) for tag in known.tags)
            case "p":
                return task.priority == int(text)
            case "due" | "start" | "deadline":
                day = {"due": task.due_date, "start": task.start_date, "deadline": task.deadline}[term.key]
                if text == "overdue":
                    return task.status is Status.OPEN and self.overdue(term.key, known)
                return _in_days(value, day, ahead=True)
            case "created" | "changed":
                return _in_days(value, _day_of(task.created_us if term.key == "created" else microseconds(NOW)))
            case "done":
                days = [day for day, status in known.done_days if status is Status.DONE]
                if task.status is Status.DONE:
                    days.append(_day_of(task.completed_us or 0))
                return not days if text == "none" else any(_in_days(value, day) for day in days)
            case "is":
                return self.is_so(text, known)
            case "under":
                return known.task.space_id == space_of(self.world.ada) and int(text[1:]) in self.above(known)
            case "with" | "by":
                person = task.assignee if term.key == "with" else task.author
                if text in ("any", "none"):
                    return (person is not None) == (text == "any")
                return person == space_of(getattr(self.world, PEOPLE[text]))
            case "has":
                return {
                    "notes": bool(task.notes),
                    "comments": known.has_comments,
                    "subtasks": any(one.task.parent_no == task.no for one in self.living(known)),
                    "reminders": bool(task.reminders),
                }[text]
        stored = {fold(name): held for name, held in known.fields.items()}
        return _fits_field(value, stored.get(fold(term.name)))

    def is_so(self, text: str, known: Known) -> bool:
        task = known.task
        if text in STATUSES:
            return task.status in STATUSES[text]
        waiting = [one for one in self.living(known) if task.no in one.task.blocked_by]
        blockers = [one for one in self.living(known) if one.task.no in task.blocked_by]
        return {
            "trash": task.deleted_us is not None,
            "blocked": any(one.task.is_open for one in blockers),
            "blocking": task.status is Status.OPEN and any(one.task.is_open for one in waiting),
            "repeating": task.rrule is not None,
            "subtask": task.parent_no is not None,
            "top": task.parent_no is None,
            "shared": known.alias == "bob",
            "mine": known.alias == "",
        }[text]

    def overdue(self, key: str, known: Known) -> bool:
        if key == "deadline":
            return known.task.deadline is not None and known.task.deadline < TODAY
        if known.due_at_us is not None:
            return known.due_at_us < microseconds(NOW)
        return known.task.due_date is not None and known.task.due_date < TODAY

    def living(self, known: Known) -> Iterable[Known]:
        """The other tasks of the same space that are not in the trash, also those that ada does not see."""
        everything = (*self.world.known, *self.world.hidden)
        return (one for one in everything if one.key[0] == known.key[0] and one.task.deleted_us is None)

    def above(self, known: Known) -> list[int]:
        parent = self.by_key.get((known.task.space_id, known.task.parent_no or 0))
        return [parent.task.no, *self.above(parent)] if parent else []


def _with_views(tree: Tree, *, in_view: bool) -> Tree:
    match tree:
        case Not(inner):
            return Not(_with_views(inner, in_view=in_view))
        case And(parts):
            return And(tuple(_with_views(part, in_view=in_view) for part in parts))
        case Or(parts):
            return Or(tuple(_with_views(part, in_view=in_view) for part in parts))
        case Term("view", values):
            known = [VIEWS[value.text] for value in values if value.text in VIEWS]
            return Or(tuple(_with_views(parse(text), in_view=True) for text in known))
        case Term("tag" | "list" | "under", (Value("nothing" | "Nowhere" | "T9999"),)) if in_view:
            return Or(())
    return tree


def _terms(tree: Tree, key: str) -> list[Term]:
    return [leaf for leaf in leaves(tree) if isinstance(leaf, Term) and leaf.key == key]


def _hidden(known: Known, by_name: set[str]) -> bool:
    """Whether it lies in something archived that nobody asked for."""
    archived = {path for path, is_archived in (ADAS_PLACES | BOBS_PLACES).items() if is_archived}
    list_name = known.place.partition("/")[0]
    around = {known.place, list_name} & archived
    return bool(around) and not (known.place in by_name or (list_name in archived & by_name))


def _in_days(value: Value, day: date | None, *, ahead: bool = False) -> bool:
    if value.text in ("any", "none"):
        return (day is not None) == (value.text == "any")
    if day is None:
        return False
    first, last = _days(value.text, ahead=ahead) if value.text else (date.min, date.min)
    match value.sign:
        case "..":
            end = _days(value.last, ahead=ahead)[1] if value.last else date.max
            return first <= day <= end
        case "<":
            return day < first
        case "<=":
            return day <= last
        case ">":
            return day > last
        case ">=":
            return day >= first
    return first <= day <= last


def _days(words: str, *, ahead: bool) -> Sequence[date]:
    return [TODAY + timedelta(days) for days in DAYS[words][0 if ahead else 1]]


def _day_of(moment_us: int) -> date:
    return next(
        day for day in (TODAY + timedelta(n) for n in range(-40, 41)) if start_us(day + timedelta(1)) > moment_us
    )


def _fits_field(value: Value, stored: Any) -> bool:
    if value.text in ("any", "none"):
        return (stored is not None) == (value.text == "any")
    if stored is None:
        return False
    if isinstance(stored, bool):
        return stored is YES[value.text]
    if isinstance(stored, str):
        is_day = stored[:2] == "20"
        return (
            _in_days(value, date.fromisoformat(stored), ahead=True) if is_day else stored.lower() == value.text.lower()
        )
    low, high = float(value.text or "-inf"), float(value.last or "inf")
    fits = {
        "": stored == low,
        "<": stored < low,
        "<=": stored <= low,
        ">": stored > low,
        ">=": stored >= low,
        "..": low <= stored <= high,
    }
    return bool(fits[value.sign])
