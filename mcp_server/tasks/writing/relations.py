"""How tasks hang together: subtasks lie in the list of their parent, and neither they nor blockers run in circles."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Final

from sqlalchemy import select

from mcp_server.tasks.tables import deps
from mcp_server.tasks.task import Task
from mcp_server.tasks.writing.bench import Bench
from mcp_server.tasks.writing.journal import Op
from shared.errors import Problem

DEPTH_LIMIT: Final = 5  # a task, and so many levels below it


async def load_lines(bench: Bench, numbers: Iterable[int]) -> None:
    """Fetch these tasks with everything above and below them."""
    family = await bench.load_family(numbers)
    seen = {task.no for task in family}
    while above := {task.parent_no for task in family if task.parent_no is not None} - seen:
        await bench.load(above)  # what is on the bench for another reason leads further up all the same
        family = [task for number in above if (task := bench.get(number))]
        seen |= above


def below(bench: Bench, number: int) -> Sequence[Task]:
    """The subtasks of a task on the bench, whatever their depth, those in the trash too."""
    found: list[Task] = []
    level = {number}
    while level:
        children = [task for task in bench.tasks if task.parent_no in level and task not in found]
        found += children
        level = {task.no for task in children}
    return found


def put_below(bench: Bench, task: Task, parent: Task, op: Op) -> None:
    """Make a task a subtask of another; it moves into that one's list with all below it."""
    if task.no in _ancestors(bench, parent):
        label = op.area.label
        raise Problem("cycle", f"T{parent.no} lies below T{task.no}", f"move {label(f'T{parent.no}')} out first")
    require_depth(bench, parent, _height(bench, task.no))
    bench.put(replace(bench[task.no], parent_no=parent.no))
    move(bench, task.no, parent.list_no)


def require_depth(bench: Bench, parent: Task, height: int = 0) -> None:
    """Refuse a subtask that has so many levels below it where there is no room for them."""
    if len(_ancestors(bench, parent)) + height > DEPTH_LIMIT:
        raise Problem("too_deep", f"subtasks go {DEPTH_LIMIT} levels deep", "hang it higher")


def move(bench: Bench, number: int, list_no: int) -> None:
    """Put a task and all below it into a list or section. A subtask that leaves its parent's list leaves the parent."""
    task = bench[number]
    parent = bench.get(task.parent_no) if task.parent_no is not None else None
    alone = parent is not None and parent.list_no != list_no
    bench.put(replace(task, list_no=list_no, parent_no=None if alone else task.parent_no))
    for child in below(bench, number):
        bench.put(replace(child, list_no=list_no))


def _ancestors(bench: Bench, task: Task) -> list[int]:
    """The number of a task and of all above it."""
    numbers = [task.no]
    while task.parent_no is not None and (above := bench.get(task.parent_no)) and above.no not in numbers:
        numbers.append(above.no)
        task = above
    return numbers


def _height(bench: Bench, number: int) -> int:
    # Those in the trash count: they come back to where they were.
    children = [task for task in bench.tasks if task.parent_no == number]
    return 1 + max((_height(bench, child.no) for child in children), default=-1)


class Blockers:
    """Who waits for whom, as far as it matters for some tasks that shall wait for others."""

    def __init__(self) -> None:
        self._waits_for: dict[int, set[int]] = {}

    async def load(self, op: Op, numbers: Iterable[int]) -> None:
        """Fetch everything that these tasks wait for, directly or not, in one statement."""
        known = sorted(set(numbers))
        if not known:
            return
        chain = (
            select(deps.c.task_no, deps.c.blocked_by)
            .where(deps.c.space_id == op.space.id, deps.c.task_no.in_(known))
            .cte("chain", recursive=True)
        )
        further = select(deps.c.task_no, deps.c.blocked_by).where(
            deps.c.space_id == op.space.id, deps.c.task_no == chain.c.blocked_by
        )
        for task_no, blocked_by in await op.tx.all(select(chain.union(further))):
            self._waits_for.setdefault(task_no, set()).add(blocked_by)

    def add(self, task: Task, blocker: Task, op: Op) -> None:
        """Let a task wait for another; a circle is refused."""
        if task.no == blocker.no or self._reaches(blocker.no, task.no):
            one, other = (op.area.label(f"T{number}") for number in (blocker.no, task.no))
            message = f"{one} is already blocked by {other}" if one != other else f"{one} cannot block itself"
            raise Problem("cycle", message, "remove that first" if one != other else "name another task")
        self._waits_for.setdefault(task.no, set()).add(blocker.no)

    def remove(self, task: Task, *blockers: int) -> None:
        """Let a task no longer wait for these."""
        self._waits_for.get(task.no, set()).difference_update(blockers)

    def _reaches(self, start: int, goal: int) -> bool:
        seen, ahead = {start}, [start]
        while ahead:
            for number in self._waits_for.get(ahead.pop(), ()):
                if number == goal:
                    return True
                if number not in seen:
                    seen.add(number)
                    ahead.append(number)
        return False
