"""The rows that honest statements are asked about, and a plain account of what the tables of a person must hold."""

import json
import random
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

ZONE: Final = ZoneInfo("Europe/Berlin")
COUNT: Final = 60
ROUTINE: Final = 5  # how often the task that repeats was finished before

# A list or a section of one, and whether it is archived.
PLACES: Final = {"Work": False, "Work/Design": False, "Work/Build": False, "Home": False, "Old": True}
TAGS: Final = ("errand", "phone", "urgent", "waiting")
TITLES: Final = (
    "Buy milk",
    "Call mum",
    "Pay the rent",
    "Übung am Abend",
    "牛奶 kaufen",
    "Café 100% _open_",
    "Ann's plan",
    'Read "Dune"',
    "buy bread",
    "Fix bike 🚲",
    "x" * 60,
    "Report Q3; draft -- not final",
)
NOTES: Final = ("", "", "ask Bob", "line one\nline two", "50% off", "é" * 300)
WEEKDAYS: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


@dataclass(frozen=True, slots=True)
class Item:
    """One task as it is put on the stage."""

    no: int
    title: str
    place: str
    status: str
    priority: int
    created: datetime
    done: datetime | None
    due: date | None
    due_time: time | None
    estimate: int | None
    parent: int | None
    tags: tuple[str, ...]
    blocked_by: tuple[int, ...]
    notes: str
    effort: float | None
    client: str | None
    comments: tuple[str, ...]
    repeats: bool = False


@dataclass(frozen=True)
class Line:
    """One row of the table tasks."""

    id: str
    no: int
    title: str
    list: str
    section: str | None
    status: str
    priority: int
    due: str | None
    due_time: str | None
    due_week: str | None
    due_month: str | None
    due_weekday: str | None
    estimate_min: int | None
    parent: str | None
    tags: tuple[str, ...]
    created: str
    created_date: str
    created_week: str
    done: str | None
    done_date: str | None
    done_week: str | None
    done_month: str | None
    done_weekday: str | None
    done_hour: int | None
    days_open: int
    days_late: int | None
    overdue: int
    blocked_by: tuple[str, ...]
    blocked: int
    subtasks: int
    subtasks_done: int
    comments: tuple[str, ...]
    effort: float | None
    client: str | None
    notes: str

    @property
    def is_open(self) -> bool:
        return self.status == "open"


@dataclass(frozen=True, slots=True)
class Finish:
    """One row of the table completions."""

    task: str
    title: str
    list: str
    status: str
    due: str | None
    done: str
    done_date: str
    done_week: str
    done_month: str
    days_late: int | None


@dataclass(frozen=True)
class Stage:
    """What honest statements may see. The history is the tool's own: others prove what it holds."""

    today: date
    tasks: Sequence[Line]
    completions: Sequence[Finish]
    history: Sequence[dict[str, Any]] = field(default_factory=tuple)

    def day(self, ahead: int) -> str:
        """A day as text, so many days from today."""
        return (self.today + timedelta(ahead)).isoformat()

    @property
    def open(self) -> list[Line]:
        return [task for task in self.tasks if task.is_open]

    @property
    def finished(self) -> list[Line]:
        return [task for task in self.tasks if task.status == "done"]

    @property
    def tags(self) -> list[tuple[Line, str]]:
        return [(task, tag) for task in self.tasks for tag in task.tags]

    @property
    def by_id(self) -> dict[str, Line]:
        return {task.id: task for task in self.tasks}

    def depth(self, task: Line) -> int:
        return 1 + self.depth(self.by_id[task.parent]) if task.parent else 0


def items(today: date) -> list[Item]:
    """The tasks, numbered from 1; the same each day but for the days."""
    dice = random.Random(11)
    made: list[Item] = []
    for no in range(1, COUNT + 1):
        day = today - timedelta(dice.randrange(1, 120))
        status = dice.choices(["open", "done", "cancelled"], [5, 5, 1])[0]
        ended = min(day + timedelta(dice.randrange(30)), today)
        due = day + timedelta(dice.randrange(45)) if dice.random() < 0.75 else None
        above = [one.no for one in made[-8:]]
        made.append(
            Item(
                no,
                f"{dice.choice(TITLES)} {no}",
                dice.choice(["", *PLACES]),
                status,
                dice.randrange(1, 5),
                datetime.combine(day, time(dice.randrange(4, 9), dice.randrange(60))),
                datetime.combine(ended, time(dice.randrange(9, 23), dice.randrange(60))) if status != "open" else None,
                due,
                # Late in the day nothing may become overdue, nor early: only all-day tasks are due around today.
                time(dice.randrange(24), 30) if due and abs((due - today).days) > 2 and dice.random() < 0.4 else None,
                dice.choice((None, 15, 30, 90)),
                dice.choice(above) if above and dice.random() < 0.45 else None,
                tuple(tag for tag in TAGS if dice.random() < 0.3),
                (dice.choice(above),) if above and dice.random() < 0.5 else (),
                dice.choice(NOTES),
                dice.choice((None, 1, 2.5, 8)),
                dice.choice((None, "Acme", "Zürich AG")),
                tuple(f"Comment {n} on {no}" for n in range(dice.choice((0, 0, 0, 1, 3)))),
                repeats=no == COUNT,
            )
        )
    return made


def stage(begun: date, today: date, history: Sequence[dict[str, Any]] = ()) -> Stage:
    """What the tables must hold today of the tasks that were put there on that day."""
    found = items(begun)
    lines = [_line(one, found, today) for one in found]
    pairs = list(zip(found, lines, strict=True))
    ends = [_finish(line, line.status, one.done) for one, line in pairs if one.done is not None]
    ends += [_finish(line, "done", again) for one, line in pairs for again in turns(one)]
    return Stage(today, lines, ends, history)


def turns(item: Item) -> list[datetime]:
    """When a task that repeats was finished before."""
    return [item.created + timedelta(hours=n) for n in range(ROUTINE)] if item.repeats else []


def _line(one: Item, all_items: Sequence[Item], today: date) -> Line:
    list_, _, section = one.place.partition("/")
    end = one.done.date() if one.done else None
    below = [other for other in all_items if other.parent == one.no]
    is_open = {other.no for other in all_items if other.status == "open"}
    return Line(
        f"T{one.no}",
        one.no,
        one.title,
        list_ or "Inbox",
        section or None,
        one.status,
        one.priority,
        one.due.isoformat() if one.due else None,
        f"{one.due_time:%H:%M}" if one.due_time else None,
        week(one.due) if one.due else None,
        f"{one.due:%Y-%m}" if one.due else None,
        WEEKDAYS[one.due.weekday()] if one.due else None,
        one.estimate,
        f"T{one.parent}" if one.parent else None,
        one.tags,
        minute(one.created),
        one.created.date().isoformat(),
        week(one.created.date()),
        minute(one.done) if one.done else None,
        end.isoformat() if end else None,
        week(end) if end else None,
        f"{end:%Y-%m}" if end else None,
        WEEKDAYS[end.weekday()] if end else None,
        one.done.hour if one.done else None,
        ((end or today) - one.created.date()).days,
        max(0, ((end or today) - one.due).days) if one.due else None,
        int(one.status == "open" and one.due is not None and one.due < today),
        tuple(f"T{no}" for no in one.blocked_by),
        int(one.status == "open" and any(no in is_open for no in one.blocked_by)),
        len(below),
        sum(other.status == "done" for other in below),
        one.comments,
        one.effort,
        one.client,
        one.notes,
    )  # fmt: skip


def _finish(line: Line, status: str, at: datetime) -> Finish:
    day = at.date()
    return Finish(
        line.id,
        line.title,
        line.list,
        status,
        line.due,
        minute(at),
        day.isoformat(),
        week(day),
        f"{day:%Y-%m}",
        max(0, (day - date.fromisoformat(line.due)).days) if line.due else None,
    )


def week(day: date) -> str:
    """2026-W47."""
    year, number, _ = day.isocalendar()
    return f"{year}-W{number:02}"


def minute(at: datetime) -> str:
    """2026-11-20 09:41."""
    return f"{at:%Y-%m-%d %H:%M}"


def fields(line: Line) -> str | None:
    """The custom fields of a task as JSON."""
    held = {"Effort": line.effort, "Client": line.client}
    kept = {name: value for name, value in held.items() if value is not None}
    return json.dumps(kept, ensure_ascii=False) if kept else None


def tally(values: Iterable[Any]) -> list[list[Any]]:
    """Each value and how often it is there, by value; nothing comes first."""
    return [[value, number] for value, number in sorted(Counter(values).items(), key=lambda pair: first(pair[0]))]


def first(value: Any) -> tuple[bool, Any]:
    """Sorts nothing before everything."""
    return (value is not None, value)


def last(value: Any) -> tuple[bool, Any]:
    """Sorts nothing behind everything."""
    return (value is None, value)


def mean(values: Iterable[float | None]) -> float | None:
    """The average of what is there."""
    there = [value for value in values if value is not None]
    return sum(there) / len(there) if there else None
