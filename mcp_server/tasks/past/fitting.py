"""Tasks that go back to what they were, among those that went on: dates, parents, lists and blockers must still fit.

What does not fit is left as it is, with the reason; what people would expect to follow, follows.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from mcp_server.tasks.past.merging import DUE, PLACE, REPEAT, STATUS, Image, without
from mcp_server.tasks.schedule import without_due
from mcp_server.tasks.task import INBOX, Status, Task
from mcp_server.tasks.writing.images import with_content
from mcp_server.tasks.writing.relations import DEPTH_LIMIT

TRASH: Final = ("deleted_us",)


@dataclass(frozen=True, slots=True)
class House:
    """Where tasks may lie: which lists are there, and for guests which of them they may change."""

    is_there: Callable[[int], bool]
    is_own: bool
    label: Callable[[str], str]


@dataclass(slots=True)
class Fit:
    """The tasks as they become, why some fields stay as they are, and what is otherwise than it was.

    What stays only because it is not forced, is in `forceable`.
    """

    tasks: dict[int, Task]
    held: dict[int, dict[str, str]] = field(default_factory=dict)
    forceable: set[int] = field(default_factory=set)
    notes: list[str] = field(default_factory=list)


def fit(now: Mapping[int, Task], wanted: Mapping[int, Image], house: House, *, force: bool) -> Fit:
    """Put the wanted values into the tasks, as far as all of them together fit.

    `now` also holds everything above and below the tasks that move. What is held back may hold back more, so this goes
    on until nothing new is.
    """
    held: dict[int, dict[str, str]] = {}
    forceable: set[int] = set()
    while True:
        values = {no: without(some, held.get(no, ())) for no, some in wanted.items()}
        attempt = _Attempt(now, values, house, force=force)
        attempt.run()
        if not attempt.held:
            return Fit(attempt.tasks, held, forceable, attempt.notes())
        forceable |= attempt.forceable
        for no, reasons in attempt.held.items():
            held.setdefault(no, {}).update(reasons)


class _Attempt:
    """The tasks with their values, checked once."""

    def __init__(self, now: Mapping[int, Task], values: Mapping[int, Image], house: House, *, force: bool) -> None:
        self.tasks = {no: with_content(task, values[no]) if no in values else task for no, task in now.items()}
        self.held: dict[int, dict[str, str]] = {}
        self.forceable: set[int] = set()
        self._now = now
        self._values = values
        self._house = house
        self._force = force
        self._homeless: list[int] = []
        self._orphans: list[int] = []

    def run(self) -> None:
        """Find everything that does not fit."""
        for no in self._values:
            self._check_time(no)
            self._leave_lost_parent(no)
        self._check_trash()
        self._check_lines()
        self._settle()

    def notes(self) -> list[str]:
        """What is otherwise than it was, in words."""
        said = []
        if self._homeless:
            which, lie = self._several(self._homeless), "it lies" if len(self._homeless) == 1 else "they lie"
            said.append(f"the list of {which} is gone; {lie} in the Inbox now")
        if self._orphans:
            said.append(f"the parent of {self._several(self._orphans)} is gone")
        return said

    def _several(self, numbers: list[int]) -> str:
        shown = ", ".join(self._house.label(f"T{no}") for no in numbers[:3])
        return shown if len(numbers) <= 3 else f"{shown} and {len(numbers) - 3:,} more"

    def _hold(self, no: int, names: Iterable[str], reason: str) -> None:
        """Leave these fields as they are, as far as they are to be put back."""
        for name in names:
            if name in self._values.get(no, {}):
                self.held.setdefault(no, {})[name] = reason

    def _hold_unless_forced(self, no: int, names: Iterable[str], reason: str) -> None:
        self._hold(no, names, reason)
        self.forceable.add(no)

    def _check_time(self, no: int) -> None:
        task, was = self.tasks[no], self._now[no]
        relative = [one for one in task.reminders if one.offset_min is not None]
        if task.due_date is None and (task.due_min is not None or task.due_tz or task.rrule or relative):
            if was.due_date is None:
                self._hold(no, (*DUE, *REPEAT, "reminders"), "it has no due date any more")
            elif self._force:
                self.tasks[no] = without_due(task)
            else:
                self._hold_unless_forced(no, DUE, "a time, repeat or reminder counts from it")
        if len({value is None for value in (task.rrule, task.repeat_text, task.repeat_from, task.repeat_anchor)}) > 1:
            self._hold(no, REPEAT, "it repeats otherwise now")
        if (task.status is Status.OPEN) != (task.completed_us is None):
            self._hold(no, STATUS, "it was finished otherwise since")

    def _leave_lost_parent(self, no: int) -> None:
        task = self.tasks[no]
        if task.parent_no is None or task.deleted_us is not None or not self._is_moving(no):
            return
        parent, was = self.tasks.get(task.parent_no), self._now.get(task.parent_no)
        if parent is None or (parent.deleted_us is not None and was is not None and was.deleted_us is not None):
            self.tasks[no] = replace(task, parent_no=None)
            self._orphans.append(no)

    def _is_moving(self, no: int) -> bool:
        return any(name in self._values.get(no, {}) for name in (*PLACE, *TRASH))

    def _check_trash(self) -> None:
        """What goes to the trash takes nothing along that was not there when it came; unless it is forced to."""
        leaving = [no for no in self._values if self._now[no].deleted_us is None and not self._is_live(no)]
        below = self._children() if leaving else {}
        while leaving:
            no = leaving.pop()
            for child in below.get(no, ()):
                if not self._is_live(child):
                    continue
                if self._force:
                    self.tasks[child] = replace(self.tasks[child], deleted_us=self.tasks[no].deleted_us)
                    leaving.append(child)
                else:
                    self._hold_unless_forced(no, TRASH, f"its subtask {self._house.label(f'T{child}')} stays")

    def _is_live(self, no: int) -> bool:
        return self.tasks[no].deleted_us is None

    def _children(self) -> dict[int, list[int]]:
        below: dict[int, list[int]] = {}
        for task in self.tasks.values():
            if task.parent_no is not None:
                below.setdefault(task.parent_no, []).append(task.no)
        return below

    def _check_lines(self) -> None:
        if not any(map(self._is_moving, self._values)):
            return
        for no in self.tasks:
            line = self._line(no)
            top = self.tasks[line[-1]].parent_no
            if top is not None and top in line:
                reason = "it would lie below itself"
            elif self._is_live(no) and len(line) > DEPTH_LIMIT + 1:
                reason = f"subtasks go {DEPTH_LIMIT} levels deep"
            else:
                continue
            for member in line:
                self._hold(member, (*PLACE, *TRASH), reason)

    def _line(self, no: int) -> list[int]:
        """A task and all above it, once each."""
        line = [no]
        while (above := self.tasks[line[-1]].parent_no) is not None and above in self.tasks and above not in line:
            line.append(above)
        return line

    def _settle(self) -> None:
        """From the top down: subtasks lie in the list of their parent, and every list is there."""
        if not any(map(self._is_moving, self._values)):
            return
        for no in sorted(self.tasks, key=lambda no: len(self._line(no))):
            task, was = self.tasks[no], self._now[no]
            parent = self.tasks.get(task.parent_no) if task.parent_no is not None else None
            if parent is None:
                self._find_home(no)
            elif parent.list_no != task.list_no:
                parent_stayed = parent.list_no == self._now[parent.no].list_no
                if task.parent_no == was.parent_no and task.list_no != was.list_no and parent_stayed:
                    self._leave_parent(no)
                elif self._is_moving(no) or not parent_stayed:
                    self.tasks[no] = replace(task, list_no=parent.list_no)

    def _leave_parent(self, no: int) -> None:
        if self._force:
            self.tasks[no] = replace(self.tasks[no], parent_no=None)
            self._find_home(no)
        else:
            self._hold_unless_forced(no, PLACE, "it lies below another task now")

    def _find_home(self, no: int) -> None:
        task = self.tasks[no]
        if not self._is_moving(no) or task.deleted_us is not None or self._house.is_there(task.list_no):
            return
        if not self._house.is_own:
            self._hold(no, (*PLACE, *TRASH), "its list is not yours to change")
        elif task.list_no != INBOX:
            self.tasks[no] = replace(task, list_no=INBOX)
            self._homeless.append(no)
