"""The words and terms of a filter as SQL: conditions over `tasks` with bound values only, and never NULL.

NULL would make a term and its negation both false. Numbers of tasks, lists and tags mean something in one space only,
so each condition on them names its space.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import date, timedelta
from typing import Any, Final

from sqlalchemy import ColumnElement, Date, Exists, and_, exists, false, func, literal, not_, or_, select, true

from mcp_server.tasks.calendar.dates import When, instant_us
from mcp_server.tasks.filtering.bounds import Bounds, bounds
from mcp_server.tasks.filtering.custom_terms import custom_condition
from mcp_server.tasks.filtering.tree import Term, Value, Word, fault
from mcp_server.tasks.names import Kind, unknown_name
from mcp_server.tasks.schedule import Here
from mcp_server.tasks.sight import Area, Sight
from mcp_server.tasks.tables import comments, completions, deps, lists, members, reminders, task_tags, tasks
from mcp_server.tasks.task import FAR_DAY, Status, Task
from mcp_server.tasks.words import escape, fold
from shared.db import Tx
from shared.errors import Problem

STATUSES: Final[Mapping[str, frozenset[Status]]] = {
    "open": frozenset({Status.OPEN}),
    "done": frozenset({Status.DONE}),
    "cancelled": frozenset({Status.CANCELLED}),
    "closed": frozenset({Status.DONE, Status.CANCELLED}),
    "all": frozenset(Status),
}
SUBTASK_DEPTH: Final = 5

_other: Final = tasks.alias("other")
_section: Final = lists.alias("section")


def _belonging(table: Any, *conditions: ColumnElement[bool]) -> Exists:
    """Whether a row of another table belongs to the task."""
    same = and_(table.c.space_id == tasks.c.space_id, table.c.task_no == tasks.c.no)
    return exists().where(same, *conditions).correlate(tasks)


def _other_task(*conditions: ColumnElement[bool]) -> Exists:
    """Whether another living task of the same space is so."""
    same = and_(_other.c.space_id == tasks.c.space_id, _other.c.deleted_us.is_(None))
    return exists().where(same, *conditions).correlate(tasks)


def _linked(here: ColumnElement[int], there: ColumnElement[int]) -> Exists:
    """Whether the task stands at one end of a dependency whose other end is still open.

    One question inside the other: asked as one join, SQLite goes through all open tasks for each task.
    """
    still_open = exists().where(
        _other.c.space_id == deps.c.space_id,
        _other.c.no == there,
        _other.c.status == Status.OPEN,
        _other.c.deleted_us.is_(None),
    )
    return (
        exists()
        .where(deps.c.space_id == tasks.c.space_id, here == tasks.c.no, still_open.correlate(deps))
        .correlate(tasks)
    )


_TAGGED: Final = _belonging(
    task_tags,
    lists.c.space_id == task_tags.c.space_id,
    lists.c.no == task_tags.c.tag_no,
    lists.c.deleted_us.is_(None),
)
_IS: Final[Mapping[str, ColumnElement[bool]]] = {
    **{name: tasks.c.status.in_(sorted(found)) for name, found in STATUSES.items() if len(found) > 1},
    **{name: tasks.c.status == min(found) for name, found in STATUSES.items() if len(found) == 1},
    "all": true(),
    # Not as IS NOT NULL, for which there is an index, but one of everybody's trash.
    "trash": func.coalesce(tasks.c.deleted_us, 0) > 0,
    "blocked": _linked(deps.c.task_no, deps.c.blocked_by),
    "blocking": and_(tasks.c.status == Status.OPEN, _linked(deps.c.blocked_by, deps.c.task_no)),
    "repeating": tasks.c.rrule.is_not(None),
    "subtask": tasks.c.parent_no.is_not(None),
    "top": tasks.c.parent_no.is_(None),
}
_HAS: Final[Mapping[str, ColumnElement[bool]]] = {
    "notes": tasks.c.notes != "",
    "comments": _belonging(comments, comments.c.deleted_us.is_(None)),
    "subtasks": _other_task(_other.c.parent_no == tasks.c.no),
    "reminders": _belonging(reminders),
}


def word_condition(word: Word) -> ColumnElement[bool]:
    """Whether title or notes contain a word."""
    text = escape(fold(word.text))
    return tasks.c.search.like(f"% {text}%" if word.prefix else f"%{text}%", escape="\\")


class Conditions:
    """Reads the terms of one filter for one caller. `roots` are the tasks that its `under:` terms mean, or why not.

    `named_lists` are the spaces and numbers of the lists and sections that were asked for by name.
    """

    def __init__(self, tx: Tx, sight: Sight, roots: Mapping[str, Task | Problem]) -> None:
        self.named_lists: set[tuple[str, int]] = set()
        self._sight = sight
        self._roots = roots
        self._on_sqlite = tx.on_sqlite
        self._now_us = tx.now_us
        habits = sight.own.space.habits
        self._here = Here(tx.now, habits, habits)
        self._readers: Mapping[str, Callable[[Term, Value], ColumnElement[bool]]] = {
            "list": self._in_list,
            "tag": self._tagged,
            "p": lambda _, value: tasks.c.priority == int(value.text),
            "due": lambda term, value: self._on_day(term, value, tasks.c.due_day),
            "start": lambda term, value: self._on_day(term, value, _never_null(tasks.c.start_date)),
            "deadline": lambda term, value: self._on_day(term, value, _never_null(tasks.c.deadline)),
            "done": self._done,
            "created": lambda term, value: self._at_moment(term, value, tasks.c.created_us),
            "changed": lambda term, value: self._at_moment(term, value, tasks.c.updated_us),
            "is": self._is,
            "under": self._under,
            "with": lambda _, value: self._person(value, tasks.c.assignee),
            "by": lambda _, value: self._person(value, tasks.c.author),
            "has": lambda _, value: _HAS[value.text],
            "field": self._custom,
        }

    def of(self, term: Term, value: Value) -> ColumnElement[bool]:
        """One value of a term. Raises `bad_filter` with the term's place, or says which name is unknown."""
        try:
            return self._readers[term.key](term, value)
        except Problem as problem:
            if problem.code in ("bad_date", "ambiguous_date", "bad_argument"):
                raise fault(problem.message.rstrip("."), term.position, problem.hint) from None
            raise

    def _in_list(self, _: Term, value: Value) -> ColumnElement[bool]:
        area, number = self._sight.place(value.text)
        self.named_lists.add((area.space.id, number))
        return and_(tasks.c.space_id == area.space.id, tasks.c.list_no.in_(area.names.with_sections(number)))

    def _tagged(self, _: Term, value: Value) -> ColumnElement[bool]:
        if not value.sign and fold(value.text) in ("any", "none"):
            return _TAGGED if fold(value.text) == "any" else not_(_TAGGED)
        found = [(area, numbers) for area in self._sight.areas if (numbers := _tag_numbers(area, value))]
        if not found:
            known = (row.name for area in self._sight.areas for row in area.names.of(Kind.TAG))
            raise unknown_name(Kind.TAG, value.text, known)
        return or_(
            *(
                and_(tasks.c.space_id == area.space.id, _belonging(task_tags, task_tags.c.tag_no.in_(numbers)))
                for area, numbers in found
            )
        )

    def _on_day(self, term: Term, value: Value, day: ColumnElement[date]) -> ColumnElement[bool]:
        match value:
            case Value("none", ""):
                return day == FAR_DAY
            case Value("any", ""):
                return day < FAR_DAY
            case Value("overdue", "") if term.key == "due":
                all_day = and_(tasks.c.due_at_us.is_(None), day < self._here.today)
                timed = and_(tasks.c.due_at_us.is_not(None), func.coalesce(tasks.c.due_at_us, 0) < self._now_us)
                # A time of tomorrow's date may have passed already in a zone further east.
                return and_(tasks.c.status == Status.OPEN, day <= self._here.today + timedelta(1), or_(all_day, timed))
            case Value("overdue", "") if term.key == "deadline":
                return and_(tasks.c.status == Status.OPEN, day < self._here.today)
        found = bounds(value, self._here.now, self._here.habits)
        return and_(day >= found.first if found.first else true(), day <= found.last if found.last else day < FAR_DAY)

    def _at_moment(self, _: Term, value: Value, moment_us: ColumnElement[int]) -> ColumnElement[bool]:
        match value:
            case Value("none" | "any" as word, ""):
                return true() if word == "any" else false()
        return self._between(self._past(value), moment_us)

    def _done(self, _: Term, value: Value) -> ColumnElement[bool]:
        """Finished in those days, now or, if it repeats, at an earlier occurrence."""
        done = tasks.c.status == Status.DONE
        earlier = completions.c.status == Status.DONE
        if value in (Value("any"), Value("none")):
            ever = or_(done, _belonging(completions, earlier))
            return ever if value.text == "any" else not_(ever)
        days = self._past(value)
        day = completions.c.done_day
        within = [day >= days.first] if days.first else []
        within += [day <= days.last] if days.last else []
        at_us = func.coalesce(tasks.c.completed_us, 0)
        return or_(and_(done, self._between(days, at_us)), _belonging(completions, earlier, *within))

    def _past(self, value: Value) -> Bounds:
        return bounds(value, self._here.now, self._here.habits, prefer="past")

    def _between(self, days: Bounds, moment_us: ColumnElement[int]) -> ColumnElement[bool]:
        """Whether an instant lies in those days as the person's clock counts them."""
        return and_(
            moment_us >= self._start_us(days.first) if days.first else true(),
            moment_us < self._start_us(days.last + timedelta(1)) if days.last else true(),
        )

    def _start_us(self, day: date) -> int | None:
        return instant_us(When(day, 0, None), self._here.habits.zone)

    def _is(self, _: Term, value: Value) -> ColumnElement[bool]:
        own = tasks.c.space_id == self._sight.own.space.id
        if value.text == "mine":
            return own
        if value.text != "shared":
            return _IS[value.text]
        # What others share with the caller, and what he shares with somebody who has accepted.
        joined = and_(
            members.c.space_id == self._sight.own.space.id, func.substr(members.c.user_key, 1, 1) == literal("u")
        )
        direct = select(members.c.list_no).where(joined)
        below = select(_section.c.no).where(
            joined,
            _section.c.space_id == members.c.space_id,
            _section.c.kind == Kind.SECTION,
            _section.c.parent_no == members.c.list_no,
        )
        return or_(not_(own), tasks.c.list_no.in_(direct), tasks.c.list_no.in_(below))

    def _under(self, _: Term, value: Value) -> ColumnElement[bool]:
        root = self._roots[value.text]
        if isinstance(root, Problem):
            raise root
        down = (
            select(_other.c.no, literal(1).label("depth"))
            .where(_other.c.space_id == root.space_id, _other.c.parent_no == root.no)
            .cte(recursive=True)
        )
        child = tasks.alias()
        further = (child.c.space_id == root.space_id, child.c.parent_no == down.c.no, down.c.depth < SUBTASK_DEPTH)
        down = down.union(select(child.c.no, down.c.depth + 1).where(*further))
        return and_(tasks.c.space_id == root.space_id, tasks.c.no.in_(select(down.c.no)))

    def _person(self, value: Value, column: ColumnElement[Any]) -> ColumnElement[bool]:
        if fold(value.text) in ("any", "none"):
            return column.is_not(None) if fold(value.text) == "any" else column.is_(None)
        return func.coalesce(column, "") == self._sight.person(value.text)

    def _custom(self, term: Term, value: Value) -> ColumnElement[bool]:
        if not value.sign and fold(value.text) == "none":  # also true where there is no such field
            return not_(self._custom(term, Value("any")))
        found = [
            (area, row) for area in self._sight.areas if (row := area.names.find(Kind.FIELD, term.name)) is not None
        ]
        if not found:
            known = (row.name for area in self._sight.areas for row in area.names.of(Kind.FIELD))
            raise unknown_name(Kind.FIELD, term.name, known)
        return or_(
            *(
                and_(
                    tasks.c.space_id == area.space.id,
                    custom_condition(field, value, self._here, on_sqlite=self._on_sqlite),
                )
                for area, field in found
            )
        )


def _never_null(column: ColumnElement[Any]) -> ColumnElement[date]:
    return func.coalesce(column, literal(FAR_DAY, Date))


def _tag_numbers(area: Area, value: Value) -> Sequence[int]:
    if value.sign == "*":
        beginning = fold(value.text.lstrip("@#"))
        return [row.no for row in area.names.of(Kind.TAG) if row.key.startswith(beginning)]
    tag = area.names.find(Kind.TAG, value.text)
    return [tag.no] if tag else []
