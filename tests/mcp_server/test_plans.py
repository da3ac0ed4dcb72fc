"""Whoever asks, the database looks at the rows of that one person and finds them by an index: 200 people, 1,000 tasks
each.

Only a database that says how it went about a statement can show this; no test from outside sees it.
"""

import json
import re
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final, get_args

import pytest
from sqlalchemy import Connection, event

from mcp_server.migrations import SCHEMA
from mcp_server.tasks.cursors import Cursors
from mcp_server.tasks.finding.find import find
from mcp_server.tasks.finding.orders import Sort
from mcp_server.tasks.names import Kind
from mcp_server.tasks.sight import read_sight
from mcp_server.tasks.spaces import row_policies, space_of
from mcp_server.tasks.task import Task, TaskPage
from mcp_server.tasks.writing.bench import Bench
from mcp_server.tasks.writing.journal import Op
from mcp_server.tasks.writing.naming import new_name, save_names
from shared.db import Database
from shared.migrate import upgrade
from shared.tokens import SCOPES, Caller, restored
from tests.engines import PostgresServer
from tests.living import ISSUER
from tests.mcp_server.filled import written

pytestmark = pytest.mark.anyio

PEOPLE: Final = 200
TASKS: Final = 1_000
NAME: Final = "taskgate_plans"
# The tables with many rows; a small one may be read as a whole.
LARGE: Final = ("tasks", "lists", "task_tags", "deps", "completions", "comments")
CURSORS: Final = Cursors([b"a key of these tests"])
SORTS: Final[tuple[Sort, ...]] = get_args(Sort)
# Each of them finds something, and more than one page.
FILTERS: Final = {
    "first page": "",
    "by list": 'list:"List 3"',
    "by tag": "tag:tag2",
    "by word": "call",
    "by two words": "call 7*",
    "overdue": "due:overdue",
    "by period": 'due:"this year"',
    "closed": "is:done",
    "done": "done:any",
    "blocked": "is:blocked",
    "not blocking": "-is:blocking",
    "below a task": "under:T21 is:all",
    "without comments": "-has:comments",
    "without subtasks": "-has:subtasks",
    "trash": "is:trash",
    "everything": "is:all OR is:trash",
}
FILL: Final = f"""
SET session_replication_role = replica;
INSERT INTO spaces (id, owner_iss, owner_sub, created_us, rev, next_no)
    SELECT id, '{ISSUER}', name, 0, 1, 3000 FROM people;
INSERT INTO lists (space_id, no, kind, name, name_key, rev)
    SELECT id, 2000 + n, 'list', 'List ' || n, 'list ' || n, 1 FROM people, generate_series(1, 10) n;
INSERT INTO lists (space_id, no, kind, name, name_key, rev)
    SELECT id, 2100 + n, 'tag', 'tag' || n, 'tag' || n, 1 FROM people, generate_series(1, 20) n;
INSERT INTO tasks (space_id, no, list_no, parent_no, title, search, status, priority, due_date, due_day, created_us,
                   updated_us, completed_us, deleted_us, rev)
    SELECT id, n, 2000 + n % 11, CASE WHEN n % 20 = 2 THEN 21 END, 'Call ' || n, ' call ' || n || E' \\n ',
           (n % 3 = 0)::int, 1 + n % 4,
           CASE WHEN n % 5 > 0 THEN date '2026-01-01' + n % 700 END,
           CASE WHEN n % 5 > 0 THEN date '2026-01-01' + n % 700 ELSE date '9999-12-31' END,
           n, n, CASE WHEN n % 3 = 0 THEN n END, CASE WHEN n % 13 = 0 THEN n END, 1
    FROM people, generate_series(1, {TASKS}) n;
INSERT INTO task_tags (space_id, task_no, tag_no)
    SELECT id, n, 2100 + 1 + n % 20 FROM people, generate_series(1, {TASKS}) n;
INSERT INTO deps (space_id, task_no, blocked_by)
    SELECT id, n, n - 1 FROM people, generate_series(2, {TASKS}, 10) n;
INSERT INTO completions (space_id, no, task_no, done_us, done_day, status, rev)
    SELECT id, 5000 + n, n, n, date '2026-11-01', 1, 1 FROM people, generate_series(3, {TASKS}, 3) n;
INSERT INTO comments (space_id, no, task_no, author, body, created_us, rev)
    SELECT id, 9000 + n, n, id, 'so it is', 0, 1 FROM people, generate_series(1, {TASKS}, 10) n;
DROP TABLE people;
ANALYZE;
"""


def person(name: str) -> Caller:
    return restored(ISSUER, name, SCOPES, 2**40, "the tests")


@asynccontextmanager
async def filled(postgres_server: PostgresServer) -> AsyncGenerator[Database]:
    """A database with everybody's tasks."""
    found = postgres_server.create_database(NAME)
    try:
        await upgrade(SCHEMA, found.owner_url)
        names = ["ada", *(f"person {number}" for number in range(1, PEOPLE))]
        rows = ", ".join(f"('{space_of(person(name))}', '{name}')" for name in names)
        people = f"SET search_path = taskgate; CREATE TABLE people AS SELECT * FROM (VALUES {rows}) AS p (id, name);"
        postgres_server.run(people + FILL, database=NAME)
        database = Database(found.app_url, pool_size=2, scope=row_policies)
        try:
            yield database
        finally:
            await database.close()
    finally:
        postgres_server.drop_database(NAME)


@pytest.fixture(scope="module")
async def crowded(postgres_server: PostgresServer, anyio_backend: str) -> AsyncGenerator[Database]:  # noqa: ARG001
    async with filled(postgres_server) as database:
        yield database


@asynccontextmanager
async def recorded(database: Database) -> AsyncGenerator[list[tuple[str, Any]]]:
    """The statements that read tables, with their values, as the driver gets them."""
    statements: list[tuple[str, Any]] = []

    def record(_: Connection, _cursor: Any, statement: str, values: Any, *_more: Any) -> None:
        if " FROM " in statement.replace("\n", " "):
            statements.append((statement, values))

    event.listen(database.engine.sync_engine, "before_cursor_execute", record)
    try:
        yield statements
    finally:
        event.remove(database.engine.sync_engine, "before_cursor_execute", record)


async def page_of(database: Database, text: str, **wishes: Any) -> TaskPage:
    async with database.begin(person("ada")) as tx:
        return await find(tx, await read_sight(tx, "UTC"), text, limit=25, cursors=CURSORS, **wishes)


async def plans_of(database: Database, text: str, **wishes: Any) -> list[dict[str, Any]]:
    """How the database goes about the statements of a page, with what it met on the way."""
    async with recorded(database) as statements:
        await page_of(database, text, **wishes)
    async with database.begin(person("ada")) as tx:
        found = []
        for statement, values in statements:
            explain = f"EXPLAIN (ANALYZE, FORMAT JSON) {statement}"
            plan = (await tx.connection.exec_driver_sql(explain, values)).scalar()
            found.append((json.loads(plan) if isinstance(plan, str) else plan)[0]["Plan"])
    return found


def nodes_of(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for inner in plan.get("Plans", ()):
        yield from nodes_of(inner)


def faults_of(plan: dict[str, Any]) -> Iterator[str]:
    """Where a plan leaves the rows of one person, or looks for them among all."""
    for node in nodes_of(plan):
        table, index = node.get("Relation Name"), node.get("Index Name", "")
        if index.removeprefix("pk_").startswith(LARGE) and "(space_id = " not in node.get("Index Cond", ""):
            yield f"{index}: {node.get('Index Cond')}"
        if table in LARGE:
            met = sum(node.get(rows, 0) for rows in ("Actual Rows", "Rows Removed by Filter"))
            if node["Node Type"] == "Seq Scan" or met * node["Actual Loops"] > TASKS:
                yield f"{node['Node Type']} on {table}: {met} rows, {node['Actual Loops']} times"


@pytest.mark.postgres
@pytest.mark.parametrize("name", FILTERS)
async def test_a_page_is_found_by_an_index_of_one_persons_rows(crowded: Database, name: str) -> None:
    for sort in SORTS:
        first = await page_of(crowded, FILTERS[name], sort=sort)
        assert first.cursor, (name, sort)
        for cursor in ("", first.cursor):
            plans = await plans_of(crowded, FILTERS[name], sort=sort, cursor=cursor)
            assert len(plans) == (3 if "under:" in FILTERS[name] else 2)
            assert [fault for plan in plans for fault in faults_of(plan)] == [], (name, sort, cursor)


@pytest.mark.postgres
async def test_the_next_page_of_open_tasks_starts_in_the_index_where_the_last_one_ended(crowded: Database) -> None:
    first = await page_of(crowded, "")
    _, plan = await plans_of(crowded, "", cursor=first.cursor)
    starts = [node["Index Cond"] for node in nodes_of(plan) if node.get("Index Name") == "tasks_open"]
    assert [start for start in starts if "ROW(due_day, priority, " in start and "(status = " in start]


async def test_sqlite_searches_for_one_persons_rows_too(tmp_path: Path) -> None:
    address = f"sqlite:///{tmp_path}/plans.db"
    await upgrade(SCHEMA, address)
    database = Database(address)
    try:
        await written(database, person("ada"), add_names)
        for name, text in FILTERS.items():
            for sort in SORTS:
                steps = await steps_of(database, text, sort)
                assert not [step for step in steps if re.match(rf"SCAN (?:{'|'.join(LARGE)})\b", step)], (name, sort)
                searches = [step for step in steps if re.match(rf"SEARCH (?:{'|'.join(LARGE)})\b", step)]
                assert all("(space_id=?" in step for step in searches), (name, sort)
        for text in ("", "p1 call"):
            steps = await steps_of(database, text, "smart")
            assert "SEARCH tasks USING INDEX tasks_open (space_id=? AND status=?)" in steps
            assert "USE TEMP B-TREE FOR ORDER BY" not in steps
    finally:
        await database.close()


async def add_names(op: Op) -> None:
    """What the filters name."""
    bench = Bench(op)
    bench.add(Task(op.space.id, 21, "Call 21"))
    await bench.save()
    await save_names(
        op, [(None, new_name(op, kind, name)) for kind, name in ((Kind.LIST, "List 3"), (Kind.TAG, "tag2"))]
    )


async def steps_of(database: Database, text: str, sort: Sort) -> list[str]:
    """The steps in which SQLite goes about the statements of a page."""
    async with recorded(database) as statements:
        await page_of(database, text, sort=sort)
    async with database.begin(person("ada")) as tx:
        found = []
        for statement, values in statements:
            found += (await tx.connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", values)).all()
    return [row[3] for row in found]
