"""A hundred thousand tasks: all of them can be asked, in the memory and the bytes there are."""

from typing import Final

import pytest
from sqlalchemy import text

from mcp_server.snapshot.queries import Queries
from mcp_server.snapshot.running.process import Size
from mcp_server.snapshot.running.workers import Workers
from mcp_server.tasks.spaces import row_policies, space_of
from shared.db import Database
from tests.living import Databases, Living

pytestmark = pytest.mark.anyio

MANY: Final = 100_000
NUMBERS: Final = (
    "WITH RECURSIVE numbers(n) AS (SELECT CAST(2 AS bigint) UNION ALL SELECT n + 1 FROM numbers WHERE n <= :many) "
)
TASKS: Final = """
INSERT INTO tasks (space_id, no, title, notes, status, priority, created_us, updated_us, completed_us, rev)
SELECT :space, n, 'Call somebody about number ' || n, 'Some words that say more', n % 2, 1 + n % 4,
    1790000000000000 + n * 1000000, 1790000000000000 + n * 1000000,
    CASE n % 2 WHEN 1 THEN 1790000000000000 + n * 2000000 END, 2
FROM numbers
"""
TAGS: Final = "INSERT INTO task_tags (space_id, task_no, tag_no) SELECT :space, n, 1 FROM numbers WHERE n % 2 = 0"


async def test_a_hundred_thousand_tasks_can_be_asked(databases: Databases) -> None:
    living = Living(databases)
    ada = living.person("ada")
    database = Database(databases.mcp, scope=row_policies)
    async with living, living.client("ada") as client:
        await client.values("organize", kind="tag", action="create", name="home")
    async with database.begin(ada, write=True) as tx:
        for statement in (TASKS, TAGS):
            await tx.execute(text(NUMBERS + statement), {"space": space_of(ada), "many": MANY})
    async with Workers(2) as workers:
        queries = Queries(database, workers)
        sql = "SELECT status, count(*), (SELECT count(*) FROM tags), (SELECT partial FROM me) FROM tasks GROUP BY 1"
        asked = await queries.ask(ada, "UTC", sql, Size(10, 1_000, 100))
        assert asked.found.rows == [["done", MANY // 2, MANY // 2, 0], ["open", MANY // 2, MANY // 2, 0]]
        assert not asked.partial
        join = "SELECT tag, priority, count(*), max(title) FROM tasks JOIN tags ON task = id GROUP BY 1, 2"
        assert len((await queries.ask(ada, "UTC", join, Size(10, 1_000, 100))).found.rows) == 2
    await database.close()
