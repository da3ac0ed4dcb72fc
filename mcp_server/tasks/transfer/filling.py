"""The words of a record put on a task. What is not understood is left as it was, and told with its line."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, date, datetime, time
from typing import Final

from mcp_server.tasks import schedule
from mcp_server.tasks.calendar.dates import resolve, shown
from mcp_server.tasks.calendar.repeat import parse_repeat
from mcp_server.tasks.custom import field_value
from mcp_server.tasks.names import Kind
from mcp_server.tasks.schedule import ESTIMATE_LIMIT, REMINDER_LIMIT, Here
from mcp_server.tasks.spaces import space_of
from mcp_server.tasks.task import Status, Task
from mcp_server.tasks.transfer.document import StatusWord, TaskRecord
from mcp_server.tasks.transfer.faults import Faults
from mcp_server.tasks.writing.journal import Op
from mcp_server.tasks.writing.wording import TAG_LIMIT
from shared.db import microseconds
from shared.errors import Problem

STATUS: Final[Mapping[StatusWord, Status]] = {
    "open": Status.OPEN,
    "done": Status.DONE,
    "cancelled": Status.CANCELLED,
}
_SECOND_US: Final = 1_000_000


class Filling:
    """Puts records on tasks, all in one operation."""

    def __init__(self, op: Op, faults: Faults) -> None:
        habits = op.sight.own.space.habits
        self.here = Here(op.tx.now, habits, op.space.habits)
        self._op = op
        self._faults = faults
        self._me = space_of(op.tx.caller)

    def fill(self, task: Task, record: TaskRecord) -> Task:
        """The task with all that the file says about it, but for what it hangs on."""
        for name, put in self._puts().items():
            if name in record.given:
                try:
                    task = put(task, record)
                except Problem as problem:
                    self._faults.add(record.line, f"{name}: {problem.message.rstrip('.')}")
        return task

    def instant_us(self, words: str, line: int) -> int | None:
        """The instant of ISO 8601 with a zone, or of words about the past; never one that is still to come."""
        try:
            exact = datetime.fromisoformat(words)
            if exact.tzinfo is not None:
                return min(microseconds(exact.astimezone(UTC)), self._op.tx.now_us)
        except (ValueError, OverflowError):
            pass  # words, then
        try:
            when = resolve(words, self.here.now, self.here.habits, prefer="past")
        except Problem as problem:
            self._faults.add(line, problem.message.rstrip("."))
            return None
        minutes = 12 * 60 if when.minutes is None else when.minutes
        local = datetime.combine(when.day, time(*divmod(minutes, 60)), self.here.habits.zone)
        return min(microseconds(local.astimezone(UTC)), self._op.tx.now_us)

    def _puts(self) -> Mapping[str, Callable[[Task, TaskRecord], Task]]:
        """How each field is put on a task, in this order: a repeat needs the due date, reminders too."""
        return {
            "title": self._title,
            "notes": self._notes,
            "priority": lambda task, record: replace(task, priority=record.priority),
            "due": self._due,
            "start": lambda task, record: replace(task, start_date=self._day(record.start)),
            "deadline": lambda task, record: replace(task, deadline=self._day(record.deadline)),
            "repeat": self._repeat,
            "reminders": self._reminders,
            "estimate_min": self._estimate,
            "tags": self._tags,
            "fields": self._fields,
            "assignee": self._assignee,
            "status": self._status,
        }

    def _title(self, task: Task, record: TaskRecord) -> Task:
        return replace(task, title=record.title, author=self._me) if record.title != task.title else task

    def _notes(self, task: Task, record: TaskRecord) -> Task:
        return replace(task, notes=record.notes, author=self._me) if record.notes != task.notes else task

    def _due(self, task: Task, record: TaskRecord) -> Task:
        if not record.due:
            return schedule.without_due(task)
        due = schedule.with_due(task, record.due, self.here)
        if due.due_min is None and "time" not in record.given:  # the file knows days only
            return replace(due, due_min=task.due_min, due_tz=due.due_tz or task.due_tz)
        return due

    def _day(self, words: str) -> date | None:
        """A day; other programs write midnight behind it."""
        return resolve(words, self.here.now, self.here.habits).day if words else None

    def _repeat(self, task: Task, record: TaskRecord) -> Task:
        words = record.repeat or record.rrule
        if not words:
            return schedule.without_repeat(task)
        anchor = self._day(record.anchor)
        if words in (task.repeat_text, task.rrule) and anchor in (None, task.repeat_anchor):
            return task
        if task.due_date is None or anchor is None:
            repeating = schedule.with_repeat(task, words, self.here)
            keeps_time = task.due_date is not None and "time" in record.given
            return replace(repeating, due_min=task.due_min, due_tz=task.due_tz) if keeps_time else repeating
        # A rule may have ended by now, but not before the date that is still to be done.
        then = datetime.combine(task.due_date, time(), self.here.habits.zone)
        repeat = parse_repeat(words, then, self.here.habits)
        return replace(
            task,
            rrule=repeat.rrule,
            repeat_text=repeat.text,
            repeat_from="done" if repeat.from_done else "due",
            repeat_anchor=anchor,
        )

    def _reminders(self, task: Task, record: TaskRecord) -> Task:
        kept = []
        for words in record.reminders:
            try:
                schedule.with_reminders(task, [words], self.here)
            except Problem as problem:
                self._faults.add(record.line, f"reminder: {problem.message.rstrip('.')}")
            else:
                kept.append(words)
        if len(kept) > REMINDER_LIMIT:
            self._faults.add(record.line, f"{len(kept)} reminders; the first {REMINDER_LIMIT} are kept")
        return schedule.with_reminders(task, kept[:REMINDER_LIMIT], self.here)

    def _estimate(self, task: Task, record: TaskRecord) -> Task:
        minutes = record.estimate_min or None
        if minutes is not None and minutes > ESTIMATE_LIMIT:
            raise Problem("bad_estimate", f"{minutes:,} minutes is no useful duration", "1m to 10,000h")
        return replace(task, estimate_min=minutes)

    def _tags(self, task: Task, record: TaskRecord) -> Task:
        names = self._op.area.names
        found = [row.no for tag in record.tags if (row := names.find(Kind.TAG, tag))]
        if len(found) > TAG_LIMIT:
            self._faults.add(record.line, f"{len(found)} tags; the first {TAG_LIMIT} are kept")
        unseen = [number for number in task.tags if names.get(number) is None]
        return replace(task, tags=tuple(sorted({*found[:TAG_LIMIT], *unseen})))

    def _fields(self, task: Task, record: TaskRecord) -> Task:
        values = dict(task.fields)
        for name, value in record.fields:
            row = self._op.area.names.find(Kind.FIELD, name)
            if row is None:
                self._faults.add_once(record.line, f'there is no custom field "{shown(name)}"; its values are left out')
            elif value == "":
                values.pop(str(row.no), None)
            else:
                try:
                    values[str(row.no)] = field_value(row, value, self.here)
                except Problem as problem:
                    self._faults.add(record.line, problem.message.rstrip("."))
        return replace(task, fields=values)

    def _assignee(self, task: Task, record: TaskRecord) -> Task:
        if not record.assignee:
            return replace(task, assignee=None)
        try:
            return replace(task, assignee=self._op.sight.person(record.assignee))
        except Problem as problem:
            self._faults.add_once(record.line, problem.message)
            return task

    def _status(self, task: Task, record: TaskRecord) -> Task:
        status = STATUS[record.status]
        if status is Status.OPEN:
            return replace(task, status=status, completed_us=None)
        at_us = self.instant_us(record.completed, record.line) if record.completed else None
        was_us = task.completed_us
        # Some formats know whole seconds only.
        if at_us is None or (was_us is not None and at_us // _SECOND_US == was_us // _SECOND_US):
            at_us = was_us or at_us or self._op.tx.now_us
        if task.is_open and task.rrule and task.rev:
            self._faults.add(record.line, "it repeats, and is finished for good")
        return replace(task, status=status, completed_us=at_us)
