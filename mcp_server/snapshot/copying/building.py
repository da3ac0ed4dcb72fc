"""The rows of one person made into the tables that his SQL sees, as the bytes of a database of their own.

Runs in a thread and needs nothing but the rows. What is left out when there are too many is the oldest finished work.
"""

import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing
from datetime import date, timedelta
from typing import Any, Final

from mcp_server.snapshot.copying.clocks import week_name
from mcp_server.snapshot.copying.past import history_rows
from mcp_server.snapshot.copying.reading import Rows
from mcp_server.snapshot.copying.staging import ME, TABLES, key_of, stage
from mcp_server.snapshot.schema import creation
from mcp_server.snapshot.version import Snapshot
from mcp_server.tasks.calendar.dates import When, instant_us
from mcp_server.tasks.names import INBOX_NAME, Kind
from mcp_server.tasks.organizing.settings import SETTINGS
from mcp_server.tasks.sight import Sight
from mcp_server.tasks.task import INBOX
from shared.db import microseconds

IMAGE_LIMIT: Final = 40_000_000  # bytes

_COUNTS: Final = """
CREATE TABLE raw.week (number INTEGER PRIMARY KEY, name TEXT);
CREATE TABLE raw.below (key INTEGER PRIMARY KEY, count INTEGER, done INTEGER);
CREATE TABLE raw.said (key INTEGER PRIMARY KEY, count INTEGER, size INTEGER);
"""
_FAR: Final = 150_000  # weeks; SQL divides towards zero, so numbers of weeks before 1970 are moved beyond it


def _week(column: str) -> str:
    """The number of the week in which a column of seconds lies, for SQL; as `week_name` knows it."""
    return f"(({column} + {604_800 * _FAR + 259_200}) / 604800 - {_FAR})"


def _week_of_day(column: str) -> str:
    """The same of a column of days."""
    return _week(f"CAST(strftime('%s', {column}) AS INTEGER)")


_WEEKS: Final = f"""
SELECT {_week("created_s")} FROM raw.task UNION SELECT {_week("done_s")} FROM raw.task
UNION SELECT {_week_of_day("due")} FROM raw.task UNION SELECT {_week_of_day("done_day")} FROM raw.completion
"""  # noqa: S608
_SAID: Final = (
    "INSERT INTO raw.said SELECT key, count(*), sum(length(CAST(body AS BLOB))) FROM raw.comment GROUP BY key"
)
_TASKS: Final = f"""
INSERT INTO tasks (
    id, no, owner, title, list, section, status, priority, due, due_time, due_tz, due_week, start, deadline, repeat,
    estimate_min, parent, assignee, author, tags, created, created_week, updated, done, done_week, days_open, days_late,
    overdue, blocked, subtasks, subtasks_done, comments, fields, notes
)
SELECT
    place.ref || task.no, task.no, place.owner, task.title, place.list, place.section,
    CASE task.status WHEN 0 THEN 'open' WHEN 1 THEN 'done' ELSE 'cancelled' END, task.priority,
    task.due, CASE WHEN task.due_min >= 0 THEN printf('%02d:%02d', task.due_min / 60, task.due_min % 60) END,
    task.due_tz, due.name,
    task.start, task.deadline, task.repeat, task.estimate_min, place.ref || above.no,
    task.assignee, task.author, task.tags,
    strftime('%Y-%m-%d %H:%M', task.created_s, 'unixepoch'), created.name,
    strftime('%Y-%m-%d %H:%M', task.updated_s, 'unixepoch'),
    strftime('%Y-%m-%d %H:%M', task.done_s, 'unixepoch'), done.name,
    coalesce(task.done_s / 86400, :today) - (task.created_s + 86400) / 86400 + 1,
    max(0, coalesce(task.done_s / 86400, :today) - CAST(julianday(task.due) - 2440587.5 AS INTEGER)),
    task.status = 0 AND coalesce(task.due_at_us < :now_us, task.due < :day, 0),
    task.is_blocked, coalesce(below.count, 0), coalesce(below.done, 0), coalesce(said.count, 0),
    task.fields, task.notes
FROM raw.task task
JOIN raw.place place ON place.key = task.place
LEFT JOIN raw.week created ON created.number = {_week("task.created_s")}
LEFT JOIN raw.week done ON done.number = {_week("task.done_s")}
LEFT JOIN raw.week due ON due.number = {_week_of_day("task.due")}
LEFT JOIN raw.task above ON above.key = task.parent
LEFT JOIN raw.below below ON below.key = task.key
LEFT JOIN raw.said said ON said.key = task.key
ORDER BY task.key
"""  # noqa: S608
_OF_TASKS: Final = (
    "DELETE FROM raw.below",
    """INSERT INTO raw.below SELECT parent, count(*), sum(status = 1) FROM raw.task
    WHERE parent IS NOT NULL GROUP BY parent""",
    _TASKS,
    """INSERT INTO tags SELECT place.ref || task.no, tag.tag FROM raw.tag tag
    JOIN raw.task task ON task.key = tag.key JOIN raw.place place ON place.key = task.place
    ORDER BY tag.key, tag.place""",
    """INSERT INTO deps SELECT place.ref || task.no, place.ref || other.no FROM raw.blocker blocker
    JOIN raw.task task ON task.key = blocker.key JOIN raw.task other ON other.key = blocker.blocked_by
    JOIN raw.place place ON place.key = task.place
    ORDER BY task.key, other.key""",
    """INSERT INTO comments (id, task, author, at, body)
    SELECT rtrim(place.ref, 'T') || 'C' || comment.no, place.ref || task.no, comment.author,
        strftime('%Y-%m-%d %H:%M', comment.at_s, 'unixepoch'), comment.body
    FROM raw.comment comment
    JOIN raw.task task ON task.key = comment.key JOIN raw.place place ON place.key = task.place
    ORDER BY comment.key >> 44, comment.no""",
    """INSERT INTO soon SELECT place.ref || task.no, task.due_at_us FROM raw.task task
    JOIN raw.place place ON place.key = task.place
    WHERE task.status = 0 AND task.due_at_us >= :now_us AND task.due_at_us < :soon_us
    ORDER BY task.due_at_us, task.key""",
)
_EMPTY: Final = (
    "DELETE FROM tasks",
    "DELETE FROM tags",
    "DELETE FROM deps",
    "DELETE FROM comments",
    "DELETE FROM soon",
)
_COMPLETIONS: Final = f"""
INSERT INTO completions (task, title, list, status, due, done, done_date, done_week, days_late)
SELECT place.ref || task.no, task.title, place.list,
    CASE completion.status WHEN 1 THEN 'done' ELSE 'cancelled' END, completion.due,
    strftime('%Y-%m-%d %H:%M', completion.done_s, 'unixepoch'), completion.done_day, week.name,
    max(0, CAST(julianday(completion.done_day) - julianday(completion.due) AS INTEGER))
FROM raw.completion completion
LEFT JOIN raw.task task ON task.key = completion.key
LEFT JOIN raw.place place ON place.key = task.place
LEFT JOIN raw.week week ON week.number = {_week_of_day("completion.done_day")}
ORDER BY completion.key >> 44, completion.no
"""  # noqa: S608
_HISTORY: Final = """
INSERT INTO history (op, at, actor, agent, client, tool, summary, task, field, before, after)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
"""
# The first tasks that weigh as much together as there is too much, finished ones in the order in which they were.
_LEAVE_OUT: Final = """
DELETE FROM raw.task WHERE key IN (
    SELECT key FROM (
        SELECT key, sum(size) OVER (ORDER BY status = 0, done_s, key ROWS UNBOUNDED PRECEDING) - size AS before
        FROM (
            SELECT task.key, status, done_s,
                250 + length(CAST(title AS BLOB)) + coalesce(length(CAST(notes AS BLOB)), 0) + coalesce(said.size, 0)
                AS size
            FROM raw.task task LEFT JOIN raw.said said ON said.key = task.key
            WHERE status > 0 OR :open_too
        )
    ) WHERE before < :excess
)
"""
_BY_PLACE: Final = "SELECT place, sum(status = 0), sum(status = 1) FROM raw.task GROUP BY place"
_HAS_OTHERS: Final = """
SELECT EXISTS (SELECT 1 FROM lists WHERE owner <> 'me') OR EXISTS (SELECT 1 FROM tasks WHERE author <> 'me')
    OR EXISTS (SELECT 1 FROM comments WHERE author <> 'me') OR EXISTS (SELECT 1 FROM history WHERE actor <> 'me')
"""


def build(rows: Rows, *, limit: int = IMAGE_LIMIT) -> Snapshot:
    """The snapshot of these rows, of at most so many bytes."""
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        connection.execute("ATTACH ':memory:' AS raw")
        # Without a journal: nobody reads this before it is done, or after it has failed.
        connection.executescript("PRAGMA main.journal_mode = OFF; PRAGMA raw.journal_mode = OFF;")
        connection.executescript(f"{creation()}; {TABLES} {_COUNTS} BEGIN")
        stage(connection, rows)
        filling = _Filling(connection, rows)
        filling.fill()
        filling.fit(limit)
        filling.close()
        [(has_others,)] = connection.execute(_HAS_OTHERS)
        connection.execute("COMMIT")
        if filling.left_out:
            connection.execute("VACUUM main")
        image = connection.serialize()
    return Snapshot(rows.version, image, filling.is_partial, bool(has_others))


class _Filling:
    """Fills the tables of one snapshot."""

    def __init__(self, connection: sqlite3.Connection, rows: Rows) -> None:
        self.left_out = False
        self._connection = connection
        self._rows = rows
        self._space = rows.sight.own.space
        self._local = rows.now.astimezone(self._space.zone)
        today = self._local.date()
        self._times = {
            "today": (today - date(1970, 1, 1)).days,
            "day": today.isoformat(),
            "now_us": microseconds(rows.now),
            "soon_us": instant_us(When(today + timedelta(2), 0, None), self._space.zone),
        }

    @property
    def is_partial(self) -> bool:
        """Whether there is more than what is in the tables."""
        return self.left_out or self._rows.is_cut

    def fill(self) -> None:
        """Fill in everything that was read."""
        self._connection.executemany("INSERT INTO raw.week VALUES (?, ?)", self._weeks())
        self._connection.execute(_SAID)
        self._connection.execute(_COMPLETIONS)
        self._connection.executemany(_HISTORY, history_rows(self._rows))
        self._fill_tasks()

    def fit(self, limit: int) -> None:
        """Leave out what does not fit: finished tasks, then the past, and in the end open tasks, the oldest first."""
        self._leave_out_tasks(limit, open_too=False)
        for statement in ("DELETE FROM completions", "DELETE FROM history"):
            if self._size() > limit:
                self.left_out = True
                self._connection.execute(statement)
        self._leave_out_tasks(limit, open_too=True)

    def close(self) -> None:
        """Fill in what counts and tells about the rest."""
        counts = {place: (still_open, done) for place, still_open, done in self._connection.execute(_BY_PLACE)}
        self._connection.executemany("INSERT INTO lists VALUES (?, ?, ?, ?, ?, ?)", _lists(self._rows.sight, counts))
        week_start = SETTINGS["week start"].show(self._space.habits.week_start)
        me = (self._times["day"], f"{self._local:%Y-%m-%d %H:%M}", self._space.tz, week_start, self.is_partial)
        self._connection.execute("INSERT INTO me VALUES (?, ?, ?, ?, ?)", me)

    def _weeks(self) -> Iterator[tuple[int, str]]:
        """The weeks in which anything lies, for the database to look up: it cannot name them."""
        for (number,) in self._connection.execute(_WEEKS):
            if number is not None:
                yield number, week_name(number)

    def _fill_tasks(self) -> None:
        for statement in _OF_TASKS:
            self._connection.execute(statement, self._times)

    def _leave_out_tasks(self, limit: int, *, open_too: bool) -> None:
        while (excess := self._size() - limit) > 0:
            if not self._connection.execute(_LEAVE_OUT, {"excess": excess, "open_too": open_too}).rowcount:
                return
            self.left_out = True
            for statement in _EMPTY:
                self._connection.execute(statement)
            self._fill_tasks()

    def _size(self) -> int:
        [(pages,)] = self._connection.execute("PRAGMA main.page_count")
        [(free,)] = self._connection.execute("PRAGMA main.freelist_count")
        [(size,)] = self._connection.execute("PRAGMA main.page_size")
        return int((pages - free) * size)


def _lists(sight: Sight, counts: Mapping[int, tuple[int, int]]) -> Iterator[tuple[Any, ...]]:
    """The rows of the table `lists`: each list with its sections behind it, the Inbox first."""
    for index, area in enumerate(sight.areas):
        owner = area.alias or ME
        if area.is_own:
            yield INBOX_NAME, None, owner, 0, *_sum(counts, index, [INBOX])
        for row in area.names.of(Kind.LIST):
            is_archived = row.archived_us is not None
            yield row.name, None, owner, is_archived, *_sum(counts, index, area.names.with_sections(row.no))
            for section in area.names.of(Kind.SECTION, row.no):
                is_put_away = is_archived or section.archived_us is not None
                yield section.name, row.name, owner, is_put_away, *_sum(counts, index, [section.no])


def _sum(counts: Mapping[int, tuple[int, int]], area: int, places: Iterable[int]) -> tuple[int, int]:
    found = [counts.get(key_of(area, place), (0, 0)) for place in places]
    return sum(still_open for still_open, _ in found), sum(done for _, done in found)
