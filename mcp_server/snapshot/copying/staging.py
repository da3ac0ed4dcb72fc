"""The rows as they were read, unpacked into tables beside the snapshot, with names for numbers and times of the wall.

Only what needs a zone or a name is done here, row by row; the rest is arithmetic, which SQL does without holding up
anybody else.
"""

import json
import sqlite3
from collections.abc import Iterator, Mapping
from typing import Any, Final

from mcp_server.snapshot.copying.clocks import Clock
from mcp_server.snapshot.copying.reading import Portion, Rows
from mcp_server.tasks.names import INBOX_NAME, Kind
from mcp_server.tasks.sight import Area, Sight
from mcp_server.tasks.task import INBOX, Status

ME: Final = "me"
# A task is known by one number, made of its area and its own.
AREA_BITS: Final = 44

TABLES: Final = """
CREATE TABLE raw.place (key INTEGER PRIMARY KEY, ref TEXT, owner TEXT, list TEXT, section TEXT);
CREATE TABLE raw.task (
    key INTEGER, no INTEGER, place INTEGER, title TEXT, notes TEXT, status INTEGER, priority INTEGER,
    due TEXT, due_min INTEGER, due_tz TEXT, due_at_us INTEGER, start TEXT, deadline TEXT, repeat TEXT,
    estimate_min INTEGER, parent INTEGER, assignee TEXT, author TEXT, tags TEXT, fields TEXT, is_blocked INTEGER,
    created_s INTEGER, updated_s INTEGER, done_s INTEGER
);
CREATE TABLE raw.tag (key INTEGER, place INTEGER, tag TEXT);
CREATE TABLE raw.blocker (key INTEGER, blocked_by INTEGER);
CREATE TABLE raw.comment (key INTEGER, no INTEGER, author TEXT, at_s INTEGER, body TEXT);
CREATE TABLE raw.completion (key INTEGER, no INTEGER, status INTEGER, due TEXT, done_day TEXT, done_s INTEGER);
"""
# Made when all tasks are there: rows that come in any order would have to be sorted in one by one.
_BY_KEY: Final = "CREATE UNIQUE INDEX raw.by_key ON task (key)"
_PLACE: Final = "INSERT INTO raw.place VALUES (?, ?, ?, ?, ?)"
_TASK: Final = """
INSERT INTO raw.task
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
"""


def stage(connection: sqlite3.Connection, rows: Rows) -> None:
    """Fill the tables."""
    staging = _Staging(rows.sight)
    connection.executemany(_PLACE, staging.places())
    for portion in rows.tags:
        staging.note_tags(portion)
    for portion in rows.tasks:
        connection.executemany(_TASK, staging.tasks(portion))
    connection.execute(_BY_KEY)
    connection.executemany("INSERT INTO raw.tag VALUES (?, ?, ?)", staging.tags)
    connection.executemany("INSERT INTO raw.blocker VALUES (?, ?)", staging.blockers)
    for portion in rows.comments:
        connection.executemany("INSERT INTO raw.comment VALUES (?, ?, ?, ?, ?)", staging.comments(portion))
    for portion in rows.completions:
        connection.executemany("INSERT INTO raw.completion VALUES (?, ?, ?, ?, ?, ?)", staging.completions(portion))


def key_of(area: int, no: int) -> int:
    """One number for a number of an area."""
    return (area << AREA_BITS) + no


class _Staging:
    """Turns rows of the database into rows of these tables."""

    def __init__(self, sight: Sight) -> None:
        self.tags: list[tuple[int, int, str]] = []
        self.blockers: list[tuple[int, int]] = []
        self._tagged: dict[int, list[int]] = {}  # numbers of tags by the key of their task
        self._sight = sight
        self._clock = Clock(sight.own.space.zone)
        self._people = _People(sight)
        self._first = {area.space.id: key_of(index, 0) for index, area in enumerate(sight.areas)}

    def places(self) -> Iterator[tuple[Any, ...]]:
        for area in self._sight.areas:
            first, names = self._first[area.space.id], area.names
            fixed = area.label("T"), area.alias or ME
            yield first + INBOX, *fixed, INBOX_NAME, None
            for row in (*names.of(Kind.LIST), *names.of(Kind.SECTION)):
                above, _, section = names.path(row.no).partition("/")
                yield first + row.no, *fixed, above, section or None

    def note_tags(self, portion: Portion) -> None:
        """Remember which tags the tasks have, before they come themselves."""
        first = self._first[portion.area.space.id]
        for task_no, tag_no in json.loads(portion.text):
            self._tagged.setdefault(first + task_no, []).append(tag_no)

    def tasks(self, portion: Portion) -> Iterator[tuple[Any, ...]]:
        area = portion.area
        first = self._first[area.space.id]
        people, names_of, wall_s = self._people, _Tags(area), self._clock.wall_s
        for (
            place, parent, title, notes, status, priority, due, due_min, due_tz, due_at_us, start, deadline, repeat,
            estimate_min, assignee, author, fields, blockers, created_us, updated_us, completed_us, no,
        ) in json.loads(portion.text):  # fmt: skip
            key = first + no
            tags = names_of[tuple(self._tagged.get(key, ()))]
            self.tags += [(key, position, name) for position, name in enumerate(tags)]
            if blockers:
                self.blockers += [(key, first + int(number.lstrip("!"))) for number in blockers.split(",")]
            yield (
                key, no, first + place, title, notes or None, status, priority,
                due, due_min, due_tz, due_at_us, start, deadline, repeat, estimate_min,
                None if parent is None else first + parent, assignee and people[assignee], people[author],
                ", ".join(tags) or None,
                None if fields == "{}" else _named_fields(area, json.loads(fields)),
                1 if blockers and "!" in blockers and status == Status.OPEN else 0,
                wall_s(created_us), wall_s(updated_us),
                None if completed_us is None or status == Status.OPEN else wall_s(completed_us),
            )  # fmt: skip

    def comments(self, portion: Portion) -> Iterator[tuple[Any, ...]]:
        first = self._first[portion.area.space.id]
        for task_no, author, at_us, body, no in json.loads(portion.text):
            yield first + task_no, no, self._people[author], self._clock.wall_s(at_us), body

    def completions(self, portion: Portion) -> Iterator[tuple[Any, ...]]:
        first = self._first[portion.area.space.id]
        for task_no, status, due, done_day, done_us, no in json.loads(portion.text):
            yield first + task_no, no, status, due, done_day, self._clock.wall_s(done_us)


class _People(dict[str | None, str]):
    """What the person calls people; himself, and whoever wrote what has no author, `me`."""

    def __init__(self, sight: Sight) -> None:
        super().__init__()
        self._sight = sight

    def __missing__(self, person: str | None) -> str:
        self[person] = self._sight.name_of(person) or ME
        return self[person]


class _Tags(dict[tuple[int, ...], list[str]]):
    """The names of tags in their order, by their numbers in whatever order these were read."""

    def __init__(self, area: Area) -> None:
        super().__init__()
        self._names = area.names

    def __missing__(self, numbers: tuple[int, ...]) -> list[str]:
        self[numbers] = self._names.tags(numbers)
        return self[numbers]


def _named_fields(area: Area, values: Mapping[str, Any]) -> str | None:
    """Custom fields by name; one that is gone, or that a guest does not know, has none."""
    named = {field.name: value for number, value in values.items() if (field := area.names.get(int(number)))}
    return json.dumps(named, ensure_ascii=False, sort_keys=True) if named else None
