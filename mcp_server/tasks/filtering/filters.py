"""A filter as one SQL condition: names resolved, and open tasks meant unless it says otherwise.

The condition covers everything the caller sees, his own space and what others share with him.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from sqlalchemy import ColumnElement, and_, false, not_, or_, true

from mcp_server.tasks.filtering.conditions import STATUSES, Conditions, word_condition
from mcp_server.tasks.filtering.expansion import with_views
from mcp_server.tasks.filtering.grammar import parse, show
from mcp_server.tasks.filtering.tree import And, Not, Or, Term, Tree, Value, Word, leaves
from mcp_server.tasks.names import Kind
from mcp_server.tasks.refs import resolve_refs
from mcp_server.tasks.sight import Sight
from mcp_server.tasks.tables import tasks
from mcp_server.tasks.task import Status, Task
from shared.db import Tx
from shared.errors import Problem

# Where a task can stand: its status, and whether it is in the trash.
Standings = frozenset[tuple[Status, bool]]
OPEN: Final[Standings] = frozenset({(Status.OPEN, False)})
CLOSED: Final[Standings] = frozenset({(Status.DONE, False), (Status.CANCELLED, False)})
LIVING: Final = OPEN | CLOSED
TRASH: Final[Standings] = frozenset((status, True) for status in Status)
_STANDINGS: Final = {
    **{
        name: frozenset((status, gone) for status in found for gone in (False, True))
        for name, found in STATUSES.items()
    },
    "trash": TRASH,
}
_STATES: Final = frozenset(_STANDINGS)


@dataclass(frozen=True, slots=True)
class TaskFilter:
    """A filter as it was understood. `tree` holds its views, `standings` tells where its tasks can stand."""

    condition: ColumnElement[bool]
    text: str
    tree: Tree
    standings: Standings
    notes: tuple[str, ...]


async def read_filter(tx: Tx, sight: Sight, text: str, *, only_trash: bool = False) -> TaskFilter:
    """Understand a filter; `only_trash` lets it range over the trash instead of over open tasks.

    Raises `bad_filter`, or says which list, tag, person, view, field or task is unknown. In a saved view, what is
    unknown matches nothing, and a note says so.
    """
    written = parse(text)
    tree, notes = with_views(written, sight.own.names)
    state = "trash" if only_trash else "" if any(map(_names_state, leaves(tree))) else "open"
    if state:
        written, tree = _with_state(state, written), _with_state(state, tree)
    conditions = Conditions(tx, sight, await _roots(tx, sight, tree))
    found = _condition(tree, conditions, notes)
    standings = _standings(tree)
    around = [sight.rows()]
    if not any(_mentions(leaf, "trash") for leaf in leaves(tree)):
        standings &= LIVING
        around += [tasks.c.deleted_us.is_(None), *_without_archived(sight, conditions.named_lists)]
    return TaskFilter(and_(*around, found), show(written), tree, standings, tuple(notes))


def _names_state(leaf: Word | Term) -> bool:
    return isinstance(leaf, Term) and (leaf.key == "done" or any(_mentions(leaf, state) for state in _STATES))


def _mentions(leaf: Word | Term, state: str) -> bool:
    return isinstance(leaf, Term) and leaf.key == "is" and Value(state) in leaf.values


def _with_state(state: str, tree: Tree) -> Tree:
    term = Term("is", (Value(state),))
    parts = tree.parts if isinstance(tree, And) else (tree,)
    return And((term, *parts)) if parts else term


async def _roots(tx: Tx, sight: Sight, tree: Tree) -> dict[str, Task | Problem]:
    """The tasks that `under:` terms refer to; for those of saved views also why there is none."""
    under = [leaf for leaf in leaves(tree) if isinstance(leaf, Term) and leaf.key == "under"]
    asked = [value.text for term in under if not term.view for value in term.values]
    roots: dict[str, Task | Problem] = {**await resolve_refs(tx, sight, asked, trash=True)}
    for ref in {value.text for term in under for value in term.values} - roots.keys():
        try:
            roots |= await resolve_refs(tx, sight, [ref], trash=True)
        except Problem as problem:
            roots[ref] = problem
    return roots


def _condition(tree: Tree, conditions: Conditions, notes: list[str]) -> ColumnElement[bool]:
    match tree:
        case Word():
            return word_condition(tree)
        case Term(values=values):
            return or_(*(_value_condition(tree, value, conditions, notes) for value in values))
        case Not(inner):
            return not_(_condition(inner, conditions, notes))
        case And(parts):
            return and_(true(), *(_condition(part, conditions, notes) for part in parts))
        case Or(parts):
            return or_(false(), *(_condition(part, conditions, notes) for part in parts))


def _value_condition(term: Term, value: Value, conditions: Conditions, notes: list[str]) -> ColumnElement[bool]:
    try:
        return conditions.of(term, value)
    except Problem as problem:
        if not term.view:
            raise
        message = f'view "{term.view}": {problem.message}'
        if not problem.code.startswith(("unknown_", "ambiguous_")):
            raise Problem(problem.code, message, problem.hint) from None
        notes.append(f"{message}; it matches nothing there")
        return false()


def _without_archived(sight: Sight, named: set[tuple[str, int]]) -> Iterator[ColumnElement[bool]]:
    """What is archived is seen only by those who ask for it by name."""
    for area in sight.areas:
        places = (*area.names.of(Kind.LIST), *area.names.of(Kind.SECTION))
        archived = [row for row in places if row.archived_us is not None]
        hidden = {
            number
            for row in archived
            if (area.space.id, row.no) not in named
            for number in area.names.with_sections(row.no)
        }
        hidden -= {number for space_id, number in named if space_id == area.space.id}
        if hidden:
            yield not_(and_(tasks.c.space_id == area.space.id, tasks.c.list_no.in_(sorted(hidden))))


def _standings(tree: Tree) -> Standings:
    """Where the tasks that match can stand, or more than that."""
    match tree:
        case Term("is", values) if all(value.text in _STATES for value in values):
            return frozenset().union(*(_STANDINGS[value.text] for value in values))
        case Not(Term("is", values) as term) if all(value.text in _STATES for value in values):
            return (LIVING | TRASH) - _standings(term)
        case And(parts):
            return (LIVING | TRASH).intersection(*map(_standings, parts))
        case Or(parts):
            return frozenset().union(*map(_standings, parts))
    return LIVING | TRASH
