"""Tasks as they were before one operation, with their comments and completions; as far as nobody changed them since."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from sqlalchemy import Select, select

from mcp_server.tasks.past.conflicts import Conflict
from mcp_server.tasks.past.fitting import House, fit
from mcp_server.tasks.past.merging import PLACE, TEXT, Change, Image, Merged, changed_since, taken_back, without
from mcp_server.tasks.sight import Role
from mcp_server.tasks.tables import changes, comments, tasks
from mcp_server.tasks.task import INBOX, Task
from mcp_server.tasks.writing import comments as talk
from mcp_server.tasks.writing import completions as finishing
from mcp_server.tasks.writing.bench import Bench
from mcp_server.tasks.writing.images import content
from mcp_server.tasks.writing.journal import Op
from mcp_server.tasks.writing.relations import Blockers, load_lines
from shared.errors import Problem

GONE: Final = {"": "it is gone"}
NOT_YOURS: Final = {"": "you may not change it"}
_EMPTY: Final = content(Task("", 0, ""))


@dataclass(slots=True)
class Reverted:
    """What was taken back, what was not, and what to say."""

    tasks: Sequence[tuple[Task, Task]] = ()
    conflicts: list[Conflict] = field(default_factory=list)
    overwritten: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def numbers_in(op: Op, rev: int, kind: str) -> Select[tuple[int]]:
    """The numbers of a kind that an operation changed: for one statement, however many they are."""
    return select(changes.c.no).where(changes.c.space_id == op.space.id, changes.c.rev == rev, changes.c.kind == kind)


async def revert_tasks(op: Op, rev: int, recorded: Sequence[Change], *, force: bool) -> Reverted:
    """Take back what the operation `rev` did to tasks; the lists that come back with them are there already."""
    done = Reverted()
    if not recorded:
        return done
    bench = Bench(op)
    await bench.load_where(tasks.c.no.in_(numbers_in(op, rev, "task")))
    wanted = await _wanted(op, rev, bench, recorded, done, force=force)
    if any(name in values for values in wanted.values() for name in ("deleted_us", *PLACE)):
        await _load_around(bench, wanted)
    fitting = fit({task.no: task for task in bench.tasks}, wanted, _house(op), force=force)
    for no, reasons in sorted(fitting.held.items()):
        conflict = Conflict("task", no, op.area.label(f"T{no}"), reasons=reasons, forceable=no in fitting.forceable)
        done.conflicts.append(conflict)
    done.notes += fitting.notes
    for task in fitting.tasks.values():
        bench.put(task)
    await _fit_blockers(op, bench, done)
    done.tasks = [(before, now) for before, now in await bench.save() if before is not None]
    return done


async def revert_comments(op: Op, rev: int, recorded: Sequence[Change], done: Reverted) -> None:
    """Take back comments: what was said goes, what was taken away comes again."""
    if not recorded:
        return
    there = await talk.comments_numbered(op, numbers_in(op, rev, "comment"))
    mine = await _tasks_to_change(op, {comment.task_no for comment in there.values()})
    moments: dict[int | None, list[talk.Comment]] = {}
    for change in recorded:
        comment = there.get(change.no)
        if comment is None or comment.task_no not in mine:
            done.conflicts.append(Conflict("comment", change.no, op.area.label(f"C{change.no}"), reasons=GONE))
        elif change.before is None:
            if comment.deleted_us is None:
                moments.setdefault(op.tx.now_us, []).append(comment)
        else:
            merged = taken_back(talk.image_of(comment), change.before, change.after or {})
            if merged.lost:
                ref = op.area.label(f"C{change.no}")
                done.conflicts.append(Conflict("comment", change.no, ref, merged.lost))
            elif merged.values:
                moments.setdefault(merged.values["deleted_us"], []).append(comment)
    for deleted_us, some in moments.items():
        await talk.set_deleted(op, some, deleted_us)


async def revert_completions(op: Op, rev: int, recorded: Sequence[Change], done: Reverted) -> None:
    """Take back completions. They go with their tasks: a task that stays finished was finished."""
    if not recorded:
        return
    there = await finishing.completions_numbered(op, numbers_in(op, rev, "completion"))
    staying = {conflict.no for conflict in done.conflicts if conflict.kind == "task"}
    gone, new = [], []
    for change in recorded:
        one = there.get(change.no)
        if change.before is None and one is not None and one.task_no not in staying:
            gone.append(one)
        elif change.before is not None and one is None:
            was = finishing.from_image(change.no, change.before)
            if was.task_no not in staying:
                new.append(was)
    await finishing.remove_completions(op, gone)
    await finishing.insert_completions(op, new)


async def _wanted(
    op: Op, rev: int, bench: Bench, recorded: Sequence[Change], done: Reverted, *, force: bool
) -> dict[int, Image]:
    """What each task should become, whatever the others do."""
    commented = await _commented_since(op, rev) if any(change.before is None for change in recorded) else set()
    wanted: dict[int, Image] = {}
    for change in recorded:
        task, ref = bench.get(change.no), op.area.label(f"T{change.no}")
        if task is None or not _may_change(op, task.list_no):
            reasons = GONE if task is None else NOT_YOURS
            done.conflicts.append(Conflict("task", change.no, ref, reasons=reasons))
            continue
        if change.before is not None:
            merged = taken_back(content(task), change.before, change.after or {}, force=force)
        else:
            merged = _created(op, task, change.after or {}, commented=task.no in commented, force=force)
        lost = tuple(_named_field(op, name) for name in merged.lost)
        if lost and force:
            done.overwritten.append(f"{ref} ({', '.join(lost)})")
        elif lost:
            done.conflicts.append(Conflict("task", change.no, ref, lost))
        if merged.values:
            wanted[change.no] = merged.values
    await _leave_authors(op, rev, bench, wanted)
    return wanted


def _created(op: Op, task: Task, created: Image, *, commented: bool, force: bool) -> Merged:
    """What was created goes to the trash; unless somebody has made something of it since."""
    if task.deleted_us is not None:
        return Merged()
    names = op.area.names
    living = [tag for tag in task.tags if tag in created.get("tags", ()) or names.get(tag) or not op.area.is_own]
    lost = changed_since({**content(task), "tags": living}, created, _EMPTY)
    lost = (*lost, "comments") if commented else lost
    return Merged({} if lost and not force else {"deleted_us": op.tx.now_us}, lost)


async def _commented_since(op: Op, rev: int) -> set[int]:
    """The tasks changed in an operation about which somebody has said something later."""
    rows = await op.tx.all(
        select(comments.c.task_no)
        .where(comments.c.space_id == op.space.id, comments.c.task_no.in_(numbers_in(op, rev, "task")))
        .where(comments.c.deleted_us.is_(None), comments.c.rev > rev)
        .where(comments.c.no.not_in(numbers_in(op, rev, "comment")))
        .distinct()
    )
    return {row.task_no for row in rows}


async def _leave_authors(op: Op, rev: int, bench: Bench, wanted: dict[int, Image]) -> None:
    """The author goes back only where all the text is again what he left: the words of others stay theirs."""
    numbers = [no for no, values in wanted.items() if "author" in values]
    if not numbers:
        return
    rows = await op.tx.all(
        select(changes.c.no, changes.c.before)
        .where(changes.c.space_id == op.space.id, changes.c.kind == "task", changes.c.no.in_(numbers))
        .where(changes.c.rev > rev)
        .order_by(changes.c.rev.desc(), changes.c.n.desc())
    )
    left: dict[int, Image] = {}
    for no, before in rows:
        left.setdefault(no, {}).update(before or {})  # the earliest one says what was left then
    for no in numbers:
        now = content(bench[no]) | wanted[no]
        if any(now[name] != left.get(no, now).get(name, now[name]) for name in TEXT if name not in wanted[no]):
            wanted[no] = without(wanted[no], ["author"])


async def _load_around(bench: Bench, wanted: Mapping[int, Image]) -> None:
    """Fetch everything above and below the tasks, as it is and as it is to be."""
    await load_lines(bench, wanted)
    above = {values["parent_no"] for values in wanted.values() if values.get("parent_no") is not None}
    while above:
        await bench.load(above)
        above = {task.parent_no for no in above if (task := bench.get(no)) and task.parent_no is not None}
        above -= {task.no for task in bench.tasks}


def _house(op: Op) -> House:
    def is_there(list_no: int) -> bool:
        return (list_no == INBOX or op.area.names.get(list_no) is not None) and _may_change(op, list_no)

    return House(is_there, op.area.is_own, op.area.label)


def _may_change(op: Op, list_no: int) -> bool:
    area = op.area
    return area.is_own or area.roles.get(area.names.list_of(list_no)) is Role.EDIT


async def _tasks_to_change(op: Op, numbers: Iterable[int]) -> set[int]:
    """Those of the tasks that the caller may change."""
    wanted = set(numbers)
    if op.area.is_own or not wanted:
        return wanted
    bench = Bench(op)
    await bench.load(wanted)
    return {task.no for task in bench.tasks if _may_change(op, task.list_no)}


async def _fit_blockers(op: Op, bench: Bench, done: Reverted) -> None:
    """Who waits for whom again: not for what is gone, and not in a circle."""
    coming = {
        task.no: sorted(set(task.blocked_by) - set(was.blocked_by))
        for task in bench.tasks
        if (was := bench.before(task.no)) is not None and task.blocked_by != was.blocked_by
    }
    if not coming:
        return
    await bench.load({number for numbers in coming.values() for number in numbers})
    blockers = Blockers()
    await blockers.load(op, [number for numbers in coming.values() for number in numbers])
    for no in coming:
        blockers.remove(bench[no], *set((bench.before(no) or bench[no]).blocked_by) - set(bench[no].blocked_by))
    for no, numbers in coming.items():
        kept = set(bench[no].blocked_by) - set(numbers)
        for number in numbers:
            other = bench.get(number)
            if other is None:
                done.notes.append(f"what {op.area.label(f'T{no}')} waited for is gone")
                continue
            try:
                blockers.add(bench[no], other, op)
            except Problem as problem:
                reasons = {"blocked_by": problem.message}
                done.conflicts.append(Conflict("task", no, op.area.label(f"T{no}"), reasons=reasons))
            else:
                kept.add(number)
        known = [other for number in kept if (other := bench.get(number)) is not None]
        blocked = any(other.is_open for other in known) if len(known) == len(kept) else bench[no].blocked
        bench.put(replace(bench[no], blocked_by=tuple(sorted(kept)), blocked=blocked))


def _named_field(op: Op, name: str) -> str:
    head, dot, number = name.partition(".")
    field_row = op.area.names.get(int(number)) if head == "fields" and dot else None
    return f"{head}.{field_row.name}" if field_row else name
