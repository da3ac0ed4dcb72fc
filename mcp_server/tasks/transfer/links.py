"""What hangs on what: parents and blockers as a file has them, without circles and not too deep."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from mcp_server.tasks.transfer.document import TaskRecord
from mcp_server.tasks.transfer.faults import Faults
from mcp_server.tasks.writing.bench import Bench
from mcp_server.tasks.writing.relations import DEPTH_LIMIT

_PLACE = frozenset({"list_name", "section"})


def parents_first(records: Sequence[TaskRecord]) -> list[TaskRecord]:
    """The records in their order, but each after the one it lies under, wherever that stands in the file."""
    by_ref = {record.ref: record for record in records}
    done: dict[str, TaskRecord] = {}
    for record in records:
        line: dict[str, TaskRecord] = {}
        one = record
        while one.ref not in done and one.ref not in line:
            line[one.ref] = one
            one = by_ref.get(one.parent, one)
        done |= dict(reversed(line.items()))
    return list(done.values())


def hang(bench: Bench, wishes: Mapping[int, int | None], records: Mapping[int, TaskRecord], faults: Faults) -> None:
    """Put tasks under the parents that the file gives them. Subtasks lie in the list of their parent.

    `records` are those of the tasks by number. Everything above and below a task that moves is on the bench.
    """
    parents = _without_circles(bench, wishes, records, faults)
    below: dict[int, list[int]] = {}
    tops = []
    for number, parent_no in parents.items():
        if parent_no in parents:
            below.setdefault(parent_no, []).append(number)
        else:
            tops.append(number)
    depths = dict.fromkeys(tops, 0)
    ahead = tops
    for number in ahead:
        for child in below.get(number, ()):
            parent_no = _place(bench, child, number, depths, records.get(child), faults)
            depths[child] = 0 if parent_no is None else depths[parent_no] + 1
        ahead.extend(below.get(number, ()))


def _place(
    bench: Bench, number: int, parent_no: int, depths: Mapping[int, int], record: TaskRecord | None, faults: Faults
) -> int | None:
    """Put one task under its parent, or under the one above that; or under none, if it cannot be. Returns where."""
    task, parent = bench[number], bench[parent_no]
    above: int | None = parent_no
    if task.deleted_us is None and depths[parent_no] >= DEPTH_LIMIT:
        above = parent.parent_no
        if record is not None:
            faults.add(record.line, f"it would lie deeper than {DEPTH_LIMIT} levels and lies beside its parent")
    moved = record is not None and _PLACE & record.given and task.list_no != parent.list_no
    if task.deleted_us is None and parent.deleted_us is not None:
        above = None
    elif moved and record is not None and "parent" not in record.given:
        above = None  # whoever leaves the list of his parent leaves the parent
    elif moved and record is not None:
        faults.add(record.line, "it lies in the list of its parent")
    list_no = task.list_no if above is None else parent.list_no
    bench.put(replace(task, parent_no=above, list_no=list_no))
    return above


def _without_circles(
    bench: Bench, wishes: Mapping[int, int | None], records: Mapping[int, TaskRecord], faults: Faults
) -> dict[int, int | None]:
    """Who lies under whom. Wishes that would close a circle are left out, until there is none."""
    wishes = dict(wishes)
    while True:
        parents = {task.no: wishes.get(task.no, task.parent_no) for task in bench.tasks}
        circles = in_circles({number: [parent] for number, parent in parents.items() if parent is not None})
        closing = [number for number in wishes if number in circles]
        if not closing:
            return parents
        for number in closing:
            del wishes[number]
            faults.add(records[number].line, "its parent lies below it; left as it is")


def wait_for(
    bench: Bench,
    wishes: Mapping[int, Sequence[int]],
    known: Iterable[tuple[int, int]],
    records: Mapping[int, TaskRecord],
    faults: Faults,
) -> None:
    """Let tasks wait for the blockers that the file gives them; `known` is who waits for whom so far."""
    links: dict[int, set[int]] = {number: set(blockers) for number, blockers in wishes.items()}
    for number, blocker in known:
        if number not in wishes:
            links.setdefault(number, set()).add(blocker)
    circles = in_circles(links)
    for number, blockers in wishes.items():
        task = bench[number]
        kept = {one for one in blockers if one in task.blocked_by or not {one, number} <= circles}
        if len(kept) < len(set(blockers)):
            faults.add(records[number].line, "it waits for a task that waits for it; left out")
        bench.put(replace(task, blocked_by=tuple(sorted(kept))))


def in_circles(links: Mapping[int, Iterable[int]]) -> set[int]:
    """Everything that lies on a circle of links, or between two circles."""
    ahead = {start: set(goals) for start, goals in links.items()}
    behind: dict[int, set[int]] = {}
    for start, goals in ahead.items():
        for goal in goals:
            behind.setdefault(goal, set()).add(start)
    left = ahead.keys() | behind.keys()
    for there, back in ((ahead, behind), (behind, ahead)):
        count = {one: len(there.get(one, set()) & left) for one in left}
        ends = [one for one in left if not count[one]]
        while ends:
            end = ends.pop()
            left.discard(end)
            for other in back.get(end, set()) & left:
                count[other] -= 1
                if count[other] == 0:
                    ends.append(other)
    return left
