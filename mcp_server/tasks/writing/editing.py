"""Changing tasks: only what is said changes, in the order in which it is said, all of a call or nothing."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Final

from sqlalchemy import select

from mcp_server.tasks.positions import between, place_of
from mcp_server.tasks.tables import changes, ops, tasks
from mcp_server.tasks.task import INBOX, Task
from mcp_server.tasks.writing.adding import BATCH_LIMIT, ROW_LIMIT, require_batch
from mcp_server.tasks.writing.bench import Bench
from mcp_server.tasks.writing.comments import add_comments
from mcp_server.tasks.writing.images import field_word
from mcp_server.tasks.writing.journal import Op
from mcp_server.tasks.writing.relations import load_lines
from mcp_server.tasks.writing.wishes import TaskChange, speaking_of
from mcp_server.tasks.writing.wording import Wording
from shared.errors import Problem

UNSPOKEN: Final = ("author", "created_us")
POSITIONS: Final = 'one of "top", "bottom", "after T3"'


@dataclass(frozen=True, slots=True)
class Edited:
    """The tasks that were named, as they were and as they are, those commented on, and what to say."""

    tasks: Sequence[tuple[Task, Task]]
    commented: frozenset[int]
    notes: Sequence[str]


async def edit(op: Op, wishes: Sequence[TaskChange], matches: Sequence[Task] | None = None) -> Edited:
    """Change tasks by reference; or, with one change, all of `matches`."""
    require_batch(len(wishes), "changes")
    bench = Bench(op)
    _require_targets(wishes, matches)
    bench.take(matches or ())
    more = [ref for wish in wishes for ref in (*wish.refs, *filter(None, [_after(wish.position)]))]
    wording = await Wording.prepare(op, bench, wishes, {}, more)
    targets = [[task.no for task in matches] if matches is not None else wording.numbers_of(wish) for wish in wishes]
    moved = [number for wish, some in zip(wishes, targets, strict=True) if _moves(wish) for number in some]
    await load_lines(bench, moved)
    order = await _Order.read(op, bench, wording, wishes, moved)
    for index, (wish, numbers) in enumerate(zip(wishes, targets, strict=True)):
        with speaking_of(f"changes[{index}]"):
            if wish.version is not None:
                await _require_version(op, bench[numbers[0]], wish.version)
            for number in dict.fromkeys(numbers):
                wording.apply(number, wish)
                order.place(number, wish.position)
    named = dict.fromkeys(number for numbers in targets for number in numbers)
    were = {number: was for number in named if (was := bench.before(number))}
    await bench.save()
    await add_comments(op, wording.comments)
    pairs = [(was, bench[number]) for number, was in were.items()]
    return Edited(pairs, frozenset(number for number, _ in wording.comments), wording.here.notes)


def _require_targets(wishes: Sequence[TaskChange], matches: Sequence[Task] | None) -> None:
    if matches is not None:
        if len(wishes) != 1 or wishes[0].refs:
            raise Problem("bad_argument", "a filter takes one change, without refs", "give refs or filter, not both")
        if wishes[0].version is not None:
            raise Problem("bad_argument", "version is for one task", "leave it out with a filter")
        if wishes[0].title and len(matches) > 1:
            raise _one_title(0)
        return
    for index, wish in enumerate(wishes):
        if not wish.refs:
            raise Problem("missing_argument", f"changes[{index}] names no task", 'add refs, e.g. ["T12"], or a filter')
        if len(wish.refs) > BATCH_LIMIT:
            raise Problem("too_many", f"changes[{index}] has {len(wish.refs)} refs", f"at most {BATCH_LIMIT}")
        if wish.version is not None and len(wish.refs) != 1:
            raise Problem("bad_argument", f"changes[{index}]: version is for one task", "one ref in that change")
    if sum(len(wish.refs) for wish in wishes) > ROW_LIMIT:
        raise Problem("too_many", "too many tasks", f"one write changes at most {ROW_LIMIT}")
    for index, wish in enumerate(wishes):
        if wish.title and len(wish.refs) > 1:
            raise _one_title(index)


def _one_title(index: int) -> Problem:
    return Problem("bad_argument", f"changes[{index}] gives one title to several tasks", "one change for each")


async def _require_version(op: Op, task: Task, version: int) -> None:
    if task.rev == version:
        return
    row = await op.tx.one(
        select(ops.c.at_us, ops.c.client, changes.c.after)
        .join_from(ops, changes, (changes.c.space_id == ops.c.space_id) & (changes.c.rev == ops.c.rev))
        .where(ops.c.space_id == op.space.id, ops.c.rev == task.rev)
        .where(changes.c.kind == "task", changes.c.no == task.no)
    )
    label = op.area.label(f"T{task.no}")
    what = f"{label} is at version {task.rev}"
    if row is not None:
        at = datetime.fromtimestamp(row.at_us / 1_000_000, UTC).astimezone(op.sight.own.space.zone)
        fields = dict.fromkeys(field_word(name) for name in row.after or {} if name not in UNSPOKEN)
        what = f"{label} changed at {at:%H:%M} by {row.client[:40]} ({', '.join(fields)})"
    raise Problem("conflict", what, f'tasks_find(refs=["{label}"]) and retry, or omit version')


class _Order:
    """The order of the lists in which tasks are moved by hand; read in one statement."""

    def __init__(self, op: Op, bench: Bench, wording: Wording, rows: Sequence[tuple[int, int, str]]) -> None:
        self._op = op
        self._bench = bench
        self._wording = wording
        self._read = rows

    @classmethod
    async def read(
        cls, op: Op, bench: Bench, wording: Wording, wishes: Sequence[TaskChange], numbers: Sequence[int]
    ) -> "_Order":
        if not any(wish.position for wish in wishes):
            return cls(op, bench, wording, ())
        lists = {INBOX, *(bench[number].list_no for number in numbers)}
        for index, wish in enumerate(wishes):
            with speaking_of(f"changes[{index}]"):
                lists |= {wording.place(wish.list)} if wish.list else set()
                lists |= {wording.refs[wish.parent].list_no} if wish.parent else set()
        rows = await op.tx.all(
            select(tasks.c.no, tasks.c.list_no, tasks.c.position).where(
                op.area.rows(), tasks.c.list_no.in_(sorted(lists)), tasks.c.deleted_us.is_(None)
            )
        )
        return cls(op, bench, wording, [(row[0], row[1], row[2]) for row in rows])

    def place(self, number: int, words: str) -> None:
        """Move a task within its list, as the words say. One that stands there already keeps its place."""
        if not words:
            return
        task = self._bench[number]
        order = self._siblings(task)
        if ref := _after(words):
            upper = self._bench[self._wording.refs[ref].no]
            if upper.no == number or upper.list_no != task.list_no:
                label = self._op.area.label(f"T{upper.no}")
                raise Problem("bad_argument", f"{label} is not another task of the same list", POSITIONS)
            index = order.index(upper.position) + 1
        elif words.strip().lower() in ("top", "bottom"):
            index = 0 if words.strip().lower() == "top" else len(order)
        else:
            raise Problem("bad_argument", f'"{words[:40]}" is no position', POSITIONS)
        upper_place, lower_place = order[index - 1] if index else "", order[index] if index < len(order) else ""
        if not upper_place < task.position or (lower_place and not task.position < lower_place):
            self._bench.put(replace(task, position=self._new_place(upper_place, lower_place)))

    def _new_place(self, upper: str, lower: str) -> str:
        """A place between two, with a new number in it: no other task ever has it, whatever list it comes from."""
        number = self._op.number()
        if upper and lower:
            return f"{between(upper, lower)}{number:08x}i"
        return place_of(number if upper else -number)

    def _siblings(self, task: Task) -> list[str]:
        places = {no: position for no, list_no, position in self._read if list_no == task.list_no}
        for other in self._bench.tasks:
            places.pop(other.no, None)
            if other.list_no == task.list_no and other.deleted_us is None:
                places[other.no] = other.position
        places.pop(task.no, None)
        return sorted(places.values())


def _after(words: str) -> str:
    head, _, ref = words.strip().partition(" ")
    return ref.strip() if head.lower() == "after" else ""


def _moves(wish: TaskChange) -> bool:
    return bool(wish.list or wish.parent or wish.position or {"list", "parent"} & set(wish.clear))
