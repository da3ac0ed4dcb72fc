"""Ada's space full of all kinds of tasks, and a list of bob's that he shares with her."""

import random
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Final, TypeVar
from zoneinfo import ZoneInfo

from sqlalchemy import insert

from mcp_server.tasks.names import Kind, Named
from mcp_server.tasks.sight import Role
from mcp_server.tasks.spaces import row_policies, space_of
from mcp_server.tasks.tables import aliases, members, memberships
from mcp_server.tasks.task import INBOX, Reminder, Status, Task
from mcp_server.tasks.writing.bench import Bench, due_at_us
from mcp_server.tasks.writing.comments import Comment, insert_comments
from mcp_server.tasks.writing.completions import Completion, insert_completions
from mcp_server.tasks.writing.journal import Answer, Call, Op, write
from mcp_server.tasks.writing.naming import new_name, save_names
from shared.db import Database, microseconds
from shared.tokens import Caller
from tests.living import Living

T = TypeVar("T")

ZONE: Final = ZoneInfo("Europe/Berlin")
NOW: Final = datetime(2026, 11, 20, 9, 40, tzinfo=UTC)  # Friday, 10:40 in Berlin
TODAY: Final = date(2026, 11, 20)

VIEWS: Final = {
    "Focus": "p1 OR due:overdue",
    "Finished": "is:done tag:home",
    "Nested": "view:Focus -tag:urgent",
    "Stale": "tag:nothing OR list:Nowhere OR view:Nobody OR under:T9999 OR p2",
}
# Days in words: from, to; looking ahead, and looking back where that differs.
DAYS: Final = {
    "today": ((0, 0), (0, 0)),
    "tomorrow": ((1, 1), (1, 1)),
    "yesterday": ((-1, -1), (-1, -1)),
    "mon": ((3, 3), (-4, -4)),
    "this week": ((-4, 2), (-4, 2)),
    "last week": ((-11, -5), (-11, -5)),
    "7d": ((0, 6), (-6, 0)),
    "last 7 days": ((-6, 0), (-6, 0)),
    "2026-11": ((-19, 10), (-19, 10)),
    "2026-11-22": ((2, 2), (2, 2)),
}
FIELDS: Final = {
    "Effort": {"type": "number"},
    "Client": {"type": "text"},
    "Story Points": {"type": "number"},
    "Signed": {"type": "date"},
    "Billable": {"type": "bool"},
    "Size": {"type": "choice", "choices": ["Small", "Large"]},
}
TAGS: Final = ("home", "homework", "urgent")
# Lists and sections, and whether they are archived.
ADAS_PLACES: Final = {
    "Work": False, "Work/Design": False, "Work/Past": True, "Big Project": False, "Big Project/Design": False,
    "Old": True, "Old/Cellar": False,
}  # fmt: skip
BOBS_PLACES: Final = {"Team": False, "Team/Alpha": False, "Private": False}
TITLES: Final = (
    "Call mum",
    "Recall the offer",
    "Buy milk",
    "Café 100%",
    "Übung",
    "co-op plan",
    "牛奶 kaufen",
    "Pay 10:30",
)


@dataclass(frozen=True, slots=True)
class Known:
    """A task and all that a filter may ask about it, with names instead of numbers."""

    task: Task
    alias: str
    place: str
    tags: frozenset[str]
    fields: Mapping[str, Any]
    due_at_us: int | None
    has_comments: bool = False
    done_days: Sequence[tuple[date, Status]] = ()

    @property
    def key(self) -> tuple[str, int]:
        return self.task.space_id, self.task.no


@dataclass(slots=True)
class World:
    """What ada sees, what she does not see, and people."""

    database: Database
    ada: Caller
    bob: Caller
    known: list[Known] = field(default_factory=list)
    hidden: list[Known] = field(default_factory=list)
    team_no: int = 0


@asynccontextmanager
async def opened(living: Living, now: datetime = NOW) -> AsyncGenerator[Database]:
    """The tool server's database, at a moment of the test's choice."""
    database = Database(living.databases.mcp, pool_size=5, scope=row_policies, now=lambda: now)
    try:
        yield database
    finally:
        await database.close()


async def written(database: Database, who: Caller, work: Any) -> None:
    """Do something as one operation of a person."""

    async def answering(op: Op) -> Answer:
        await work(op)
        return Answer({})

    async with database.begin(who, write=True) as tx:
        await write(tx, Call("tests", {}, tz=ZONE.key), answering)


@asynccontextmanager
async def filled(living: Living, seed: int = 1) -> AsyncGenerator[World]:
    """Ada's space, and a list in bob's that she sees."""
    async with opened(living) as database:
        world = World(database, living.person("ada"), living.person("bob"))
        dice = random.Random(seed)
        await written(database, world.bob, lambda op: _Filling(op, world, dice, "bob", BOBS_PLACES).run(50))
        await _share(world)
        await written(database, world.ada, lambda op: _Filling(op, world, dice, "", ADAS_PLACES).run(120))
        yield world


async def _share(world: World) -> None:
    """Bob shares his list Team with ada, who calls him bob."""
    ada, bob = space_of(world.ada), space_of(world.bob)
    membership = {"space_id": bob, "list_no": world.team_no, "user_key": ada, "role": Role.EDIT.value}
    async with world.database.begin(world.bob, write=True) as tx:
        await tx.execute(insert(members), {**membership, "name": "ada", "since_us": 0})
    async with world.database.begin(world.ada, write=True) as tx:
        await tx.execute(insert(memberships), membership)
        await tx.execute(insert(aliases), {"user_key": ada, "alias": "bob", "space_id": bob})


class _Filling:
    """Writes names and random tasks into one space, and tells the world what ada sees of them."""

    def __init__(self, op: Op, world: World, dice: random.Random, alias: str, places: Mapping[str, bool]) -> None:
        self.op = op
        self.world = world
        self.dice = dice
        self.alias = alias
        self.places = places
        self.names: dict[str, Named] = {}

    async def run(self, count: int) -> None:
        await self._write_names()
        bench = Bench(self.op)
        made: list[Task] = []
        for _ in range(count):
            made.append(self._task(made))
            bench.add(made[-1])
        await bench.save()
        said = [task for task in made if self.dice.random() < 0.2]
        comments = [Comment(self.op.number(), task.no, task.space_id, "so it is", 0) for task in said]
        await insert_comments(self.op, comments)
        ends = [(task, *self._end(task)) for task in made if task.status is not Status.OPEN or task.rrule]
        await insert_completions(
            self.op,
            [Completion(self.op.number(), task.no, None, start_us(day), day, status) for task, day, status in ends],
        )
        for task in made:
            place = next((path for path, named in self.names.items() if named.no == task.list_no), "Inbox")
            seen = not self.alias or place.startswith("Team")
            (self.world.known if seen else self.world.hidden).append(
                Known(
                    task,
                    self.alias,
                    place,
                    frozenset(
                        path[1:] for path, named in self.names.items() if path[0] == "@" and named.no in task.tags
                    ),
                    {} if self.alias else {name: task.fields.get(str(self.names[f"={name}"].no)) for name in FIELDS},
                    due_at_us(task, self.op.space.habits),
                    has_comments=task in said,
                    done_days=[(day, status) for one, day, status in ends if one is task],
                )
            )

    async def _write_names(self) -> None:
        # The same numbers mean other tags in the other space.
        for tag in TAGS if self.alias else reversed(TAGS):
            self.names[f"@{tag}"] = new_name(self.op, Kind.TAG, tag)
        for path, is_archived in self.places.items():
            above, slash, name = path.partition("/")
            parent = self.names[above].no if slash else 0
            kind = Kind.SECTION if slash else Kind.LIST
            archived_us = 1 if is_archived else None
            self.names[path] = new_name(self.op, kind, name if slash else path, parent, archived_us=archived_us)
        self.names["gone"] = replace(new_name(self.op, Kind.TAG, "gone"), deleted_us=1)
        if not self.alias:
            for name, options in FIELDS.items():
                self.names[f"={name}"] = new_name(self.op, Kind.FIELD, name, options=options)
            for name, text in VIEWS.items():
                self.names[f"view {name}"] = new_name(self.op, Kind.VIEW, name, filter=text)
        else:
            self.world.team_no = self.names["Team"].no
        await save_names(self.op, [(None, named) for named in self.names.values()])

    def _task(self, earlier: Sequence[Task]) -> Task:
        dice = self.dice
        places = [INBOX, *(named.no for path, named in self.names.items() if path in self.places)]
        status = dice.choices([Status.OPEN, Status.DONE, Status.CANCELLED], [6, 3, 1])[0]
        due = self._maybe(self._day)
        minutes = dice.choice((None, 0, 10 * 60 + 39, 10 * 60 + 41, 23 * 60)) if due else None
        repeats = due is not None and dice.random() < 0.2
        above = [task for task in earlier if self._depth(task, earlier) < 5]
        return Task(
            self.op.space.id,
            self.op.number(),
            dice.choice(TITLES),
            dice.choice(("", "", "buy milk too", "Call back at 10:30")),
            list_no=dice.choice(places),
            parent_no=dice.choice(above[-9:]).no if above and dice.random() < 0.6 else None,
            status=status,
            priority=dice.randrange(1, 5),
            due_date=due,
            due_min=minutes,
            due_tz=dice.choice((None, "Asia/Tokyo", "America/New_York")) if minutes is not None else None,
            start_date=self._maybe(self._day),
            deadline=self._maybe(self._day),
            rrule="FREQ=WEEKLY" if repeats else None,
            repeat_text="every week" if repeats else None,
            repeat_from="due" if repeats else None,
            repeat_anchor=due if repeats else None,
            assignee=self._maybe(self._person),
            author=self._person(),
            fields={} if self.alias else self._fields(),
            created_us=start_us(self._day()) + dice.choice((0, 1, 86_399_999_999)),
            completed_us=start_us(self._day()) + dice.choice((0, 86_399_999_999))
            if status is not Status.OPEN
            else None,
            deleted_us=start_us(self._day()) if dice.random() < 0.15 else None,
            tags=tuple(
                sorted(named.no for path, named in self.names.items() if path[0] in "@g" and dice.random() < 0.25)
            ),
            blocked_by=tuple({dice.choice(earlier).no}) if earlier and dice.random() < 0.3 else (),
            reminders=(Reminder(at_us=1),) if dice.random() < 0.2 else (),
        )

    def _fields(self) -> dict[str, Any]:
        drawn = {
            "Effort": self.dice.choice((1, 2.5, 3, 10)),
            "Client": self.dice.choice(("Acme", "any old", "Zürich")),
            "Story Points": self.dice.choice((1, 5)),
            "Signed": self._day().isoformat(),
            "Billable": self.dice.random() < 0.5,
            "Size": self.dice.choice(("Small", "Large")),
        }
        return {str(self.names[f"={name}"].no): value for name, value in drawn.items() if self.dice.random() < 0.5}

    def _end(self, task: Task) -> tuple[date, Status]:
        return self._day(), task.status if task.status is not Status.OPEN else Status.DONE

    def _day(self) -> date:
        return TODAY + timedelta(self.dice.choice((-30, -12, -7, -6, -5, -4, -1, 0, 0, 1, 2, 3, 6, 7, 10, 11, 30)))

    def _person(self) -> str:
        return space_of(self.dice.choice((self.world.ada, self.world.bob)))

    def _maybe(self, draw: Callable[[], T]) -> T | None:
        return draw() if self.dice.random() < 0.6 else None

    def _depth(self, task: Task, earlier: Sequence[Task]) -> int:
        above = next((one for one in earlier if one.no == task.parent_no), None)
        return 1 + self._depth(above, earlier) if above else 0


def start_us(day: date) -> int:
    """The instant at which a day begins in Berlin."""
    return microseconds(datetime.combine(day, time(), ZONE).astimezone(UTC))
