"""Adding tasks: all of a call or none, with a word about those that are there already."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

from sqlalchemy import and_, or_, select

from mcp_server.tasks.refs import resolve_refs
from mcp_server.tasks.rows import LINE_COLUMNS, as_task
from mcp_server.tasks.spaces import space_of
from mcp_server.tasks.tables import tasks
from mcp_server.tasks.task import INBOX, Status, Task
from mcp_server.tasks.words import checked_title, fold, title_pattern
from mcp_server.tasks.writing.bench import Bench
from mcp_server.tasks.writing.journal import Op
from mcp_server.tasks.writing.relations import require_depth
from mcp_server.tasks.writing.wishes import NewTask, speaking_of
from mcp_server.tasks.writing.wording import Wording
from shared.errors import Problem

BATCH_LIMIT: Final = 100
ROW_LIMIT: Final = 500
SUBTASK_LIMIT: Final = 50

Duplicates = Literal["warn", "skip", "allow"]


@dataclass(frozen=True, slots=True)
class Added:
    """What became of the entries: the new tasks, for each that was left out the one of its title, and what to say."""

    tasks: Sequence[Task]
    skipped: Sequence[Task]
    notes: Sequence[str]


async def add(op: Op, new: Sequence[NewTask], duplicates: Duplicates = "warn") -> Added:
    """Create tasks. An entry may refer to an earlier one as `#1`, the first of the call."""
    require_batch(len(new), "tasks")
    rows = sum(1 + len(task.subtasks) for task in new)
    if rows > ROW_LIMIT:
        raise Problem("too_many", f"{rows:,} tasks with their subtasks", f"at most {ROW_LIMIT} in one call")
    bench = Bench(op)
    parents = await resolve_refs(
        op.tx, op.sight, [task.parent for task in new if task.parent and not _own(task.parent)]
    )
    made, skipped, notes = await _begin(op, bench, new, parents, duplicates)
    known = {f"#{index}": task for index, task in enumerate(made, start=1)}
    wanted = [wish for index, wish in enumerate(new) if index not in skipped]
    _require_earlier(new)
    wording = await Wording.prepare(op, bench, wanted, {**parents, **known})
    for index, (wish, task) in enumerate(zip(new, made, strict=True)):
        if index in skipped:
            continue
        with speaking_of(f"tasks[{index}]"):
            _require_same_list(wish, wording)
            wording.apply(task.no, wish)
            if len(wish.subtasks) > SUBTASK_LIMIT:
                raise Problem("too_many", f"{len(wish.subtasks)} subtasks", f"at most {SUBTASK_LIMIT} of one task")
            if wish.subtasks:
                require_depth(bench, bench[task.no])
            for title in wish.subtasks:
                _add_row(op, bench, checked_title(title, "a subtask"), bench[task.no].list_no, bench[task.no].no)
    saved = await bench.save()
    there = [bench[task.no] for task in skipped.values()]
    return Added([now for before, now in saved if before is None], there, [*notes, *wording.here.notes])


def require_batch(size: int, what: str) -> None:
    """Refuse a call without entries, and one with too many."""
    if size == 0:
        raise Problem("missing_argument", f"{what} is empty", "name at least one")
    if size > BATCH_LIMIT:
        raise Problem("too_many", f"{what} has {size:,} entries", f"at most {BATCH_LIMIT} in one call")


async def _begin(
    op: Op, bench: Bench, new: Sequence[NewTask], parents: dict[str, Task], duplicates: Duplicates
) -> tuple[list[Task], dict[int, Task], list[str]]:
    """The tasks with nothing but their titles, in their lists; or the ones that are there already, by entry as well."""
    titles, places = [], []
    places_of = Wording.at(op, bench)
    for index, wish in enumerate(new):
        with speaking_of(f"tasks[{index}]"):
            titles.append(checked_title(wish.title, "a task"))
            if wish.list:
                places.append(places_of.place(wish.list))
            elif _own(wish.parent) and int(wish.parent[1:]) <= index:
                places.append(places[int(wish.parent[1:]) - 1])
            else:
                places.append(parents[wish.parent].list_no if wish.parent in parents else INBOX)
            op.area.require_edit(places[-1])
    there = {} if duplicates == "allow" else await _open_with_titles(op, titles, places)
    known = {task.no for task in there.values()}
    made: list[Task] = []
    skipped: dict[int, Task] = {}
    notes: list[str] = []
    for index, (title, list_no) in enumerate(zip(titles, places, strict=True)):
        same = there.get((fold(title), list_no))
        if same is not None and duplicates == "skip":
            made.append(same)
            skipped[index] = same
            continue
        if same is not None:
            where = op.area.names.path(list_no)
            what = op.area.label(f"T{same.no}") if same.no in known else f"tasks[{made.index(same)}]"
            notes.append(f"{what} has the same title" + (f" in {where}" if where else ""))
        task = _add_row(op, bench, title, list_no, None)
        made.append(task)
        if duplicates != "allow":
            there.setdefault((fold(title), list_no), task)
    bench.take(skipped.values())
    return made, skipped, list(dict.fromkeys(notes))


def _add_row(op: Op, bench: Bench, title: str, list_no: int, parent_no: int | None) -> Task:
    task = Task(
        op.space.id,
        op.number(),
        title,
        list_no=list_no,
        parent_no=parent_no,
        author=space_of(op.tx.caller),
        created_us=op.tx.now_us,
    )
    bench.add(task)
    return bench[task.no]


async def _open_with_titles(op: Op, titles: Sequence[str], places: Sequence[int]) -> dict[tuple[str, int], Task]:
    same = [tasks.c.search.like(pattern, escape="\\") for pattern in sorted({title_pattern(title) for title in titles})]
    rows = await op.tx.all(
        select(*LINE_COLUMNS)
        .where(op.area.rows(), tasks.c.status == Status.OPEN, tasks.c.deleted_us.is_(None))
        .where(and_(tasks.c.list_no.in_(sorted(set(places))), or_(*same)))
        .order_by(tasks.c.no.desc())
    )
    found = map(as_task, rows)
    return {(fold(task.title), task.list_no): task for task in found}


def _own(ref: str) -> bool:
    """Whether a reference means an entry of the same call."""
    return ref.startswith("#") and len(ref) <= len(f"#{ROW_LIMIT}") and ref[1:].isascii() and ref[1:].isdigit()


def _require_earlier(new: Sequence[NewTask]) -> None:
    for index, wish in enumerate(new):
        for ref in (wish.parent, *wish.blocked_by):
            if _own(ref) and not 1 <= int(ref[1:]) <= index:
                hint = "#1 is the first task of this call; for another one write T12"
                raise Problem("unknown_ref", f'tasks[{index}]: "{ref[:40]}" is no earlier entry', hint)


def _require_same_list(wish: NewTask, wording: Wording) -> None:
    if wish.list and wish.parent:
        parent = wording.bench[wording.refs[wish.parent].no]
        if parent.list_no != wording.place(wish.list):
            there = wording.op.area.names.path(parent.list_no) or "Inbox"
            raise Problem("bad_argument", f"its parent is in {there}", "leave list out")
