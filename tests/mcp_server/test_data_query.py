"""`data_query` as a client uses it: what it tells, how new it is, whose rows it holds, and what it costs."""

import asyncio
import csv
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from io import StringIO
from typing import Any, Final

import pytest

from mcp_server.snapshot.queries import KEPT_BYTES, Queries
from mcp_server.snapshot.running.process import Size
from mcp_server.snapshot.running.workers import Workers
from mcp_server.snapshot.schema import TABLES
from mcp_server.tasks.spaces import row_policies
from mcp_server.tools.offered import offered_tools
from shared.db import Database
from tests.living import Databases, Living, ToolClient, text_of
from tests.mcp_server.guests import HIDDEN, home
from tests.mcp_server.statements import statements

pytestmark = pytest.mark.anyio

NUMBERS: Final = "WITH RECURSIVE n(x) AS (VALUES (1) UNION ALL SELECT x + 1 FROM n LIMIT {}) "


async def until(holds: Callable[[], bool]) -> None:
    """Wait for what another task does; the limit of the test ends a wait in vain."""
    while not holds():  # noqa: ASYNC110
        await asyncio.sleep(0.005)


async def used_by_a_query(living: Living) -> int:
    """The process in which a query runs, once one does."""
    workers = living.workers
    assert workers is not None
    await until(lambda: bool(workers._busy))
    [worker] = workers._busy
    return worker.pid


async def rows(person: ToolClient, sql: str) -> list[list[Any]]:
    found: list[list[Any]] = (await person.values("data_query", sql=sql, limit=1000))["rows"]
    return found


# What it tells ------------------------------------------------------------------------------------------------------


async def test_without_sql_it_tells_the_tables_the_limits_and_examples_that_work(living: Living) -> None:
    async with living.client("ada") as ada:
        text = await ada.text("data_query")
        values = await ada.values("data_query")
        assert values["tables"] == {table: [column.name for column in columns] for table, columns in TABLES.items()}
        assert values["limits"] == {"seconds": 1.2, "rows": 1000, "bytes": 64000}
        assert "Limits: 1.2 s, 1,000 rows (limit, default 100), 64 kB." in text
        for table, names in values["tables"].items():
            assert f"\n{table}({names[0]}" in text
            await ada.values("data_query", sql=f"SELECT {', '.join(names)} FROM {table}")
        for example in values["examples"]:
            assert example in text
            await ada.values("data_query", sql=example)
        assert len(text) < 4_000


async def test_rows_come_as_lines_and_as_values(living: Living) -> None:
    async with living.client("ada") as ada:
        await ada.values(
            "tasks_add", tasks=[{"title": "Call | mum", "priority": "p1", "notes": "a\nb"}, {"title": "Buy milk"}]
        )
        sql = "SELECT id, title, priority / 2.0 AS half, notes FROM tasks ORDER BY no"
        head, names, *lines = (await ada.text("data_query", sql=sql)).splitlines()
        assert head.startswith("2 rows. ")
        assert head.endswith(", rev 1")
        assert names == "id | title | half | notes"
        assert lines == [r"T1 | Call \| mum | 0.5 | a b", "T2 | Buy milk | 2 | null"]
        values = await ada.values("data_query", sql=sql)
        assert values["columns"] == ["id", "title", "half", "notes"]
        assert values["rows"] == [["T1", "Call | mum", 0.5, "a\nb"], ["T2", "Buy milk", 2.0, None]]
        assert (values["truncated"], values["rev"], values["limits"]["rows"]) == (False, 1, 100)
        none = await ada.text("data_query", sql="SELECT id, title FROM tasks WHERE title = 'nothing'")
        assert none.splitlines()[0].startswith("0 rows. ")
        assert none.splitlines()[1:] == ["id | title"]


async def test_no_character_of_a_cell_breaks_its_line(living: Living) -> None:
    async with living.client("ada") as ada:
        sql = "SELECT 'a' || char(27, 10, 13, 0, 8238, 8232) || 'b|c' AS \"x | y\""
        assert (await ada.text("data_query", sql=sql)).splitlines()[1:] == [r"x \| y", r"a b\|c"]


async def test_what_an_answer_cannot_hold_is_said(living: Living) -> None:
    async with living.client("ada") as ada:
        more = await ada.call("data_query", sql=NUMBERS.format(500) + "SELECT x FROM n", limit=3)
        assert text_of(more).splitlines()[0].startswith("3 rows and more. ")
        assert "note: more rows exist than the limit of 3" in text_of(more)
        assert (more.structured_content or {})["truncated"] is True
        large = await ada.call("data_query", sql=NUMBERS.format(500) + "SELECT printf('%0400d', x) FROM n", limit=500)
        assert "note: more rows exist; an answer holds 64 kB: select fewer columns, or aggregate" in text_of(large)
        assert len(json.dumps((large.structured_content or {})["rows"])) < 70_000
        assert len(text_of(large)) < 17_000
        assert "rows more in structuredContent" in text_of(large)
        cells = await ada.text("data_query", sql="SELECT printf('%03000d', 1)")
        assert "note: text of more than 2,000 characters is cut" in cells
        whole = await ada.text("data_query", sql=NUMBERS.format(3) + "SELECT x FROM n", limit=3)
        assert "note:" not in whole


async def test_a_chart_is_numbers_with_labels(living: Living) -> None:
    sql = "SELECT * FROM (VALUES ('a', 1, 2.5, 'x'), ('b', NULL, 4, 'y'), (NULL, 3, 5, 'z'))"
    async with living.client("ada") as ada:
        for kind in ("bar", "line"):
            result = await ada.call("data_query", sql=sql, chart=kind)
            assert (result.structured_content or {})["chart"] == {
                "type": kind,
                "labels": ["a", "b", "null"],
                "series": [
                    {"name": "column2", "values": [1, None, 3]},
                    {"name": "column3", "values": [2.5, 4, 5]},
                ],
            }
            assert (result.meta or {})["taskgate/view"] == "chart"
        plain = await ada.call("data_query", sql=sql)
        assert "chart" not in (plain.structured_content or {})
        assert (plain.meta or {})["taskgate/view"] == "table"


async def test_a_pie_has_few_slices_and_the_rest_is_one(living: Living) -> None:
    async with living.client("ada") as ada:
        pie = (await ada.values("data_query", sql=NUMBERS.format(30) + "SELECT 'n' || x, x FROM n", chart="pie"))[
            "chart"
        ]
        assert pie["labels"] == [*(f"n{number}" for number in range(20, 31)), "other"]
        assert pie["series"][0]["values"] == [*range(20, 31), sum(range(1, 20))]


@pytest.mark.parametrize(
    ("kind", "sql", "why"),
    [
        ("bar", "SELECT 1", "it needs labels in the first column and numbers in the next"),
        ("bar", "SELECT 'a', 'b'", "it needs labels in the first column and numbers in the next"),
        ("line", "SELECT 'a', 1 WHERE 0", "it needs labels in the first column and numbers in the next"),
        ("pie", "SELECT 'a', -1", "a pie has no negative slices"),
        ("line", NUMBERS.format(51) + "SELECT x, x FROM n", "it holds 50 points; group by week or month, or use LIMIT"),
    ],
)
async def test_rows_that_cannot_be_drawn_come_as_a_table_with_the_reason(
    living: Living, kind: str, sql: str, why: str
) -> None:
    async with living.client("ada") as ada:
        result = await ada.call("data_query", sql=sql, chart=kind)
        assert not result.is_error
        assert "chart" not in (result.structured_content or {})
        assert f"note: no chart: {why}" in text_of(result)


@pytest.mark.parametrize(
    ("sql", "said"),
    [
        ("SELECT due_date FROM tasks", 'sql: no column "due_date" in tasks. Fix: due.'),
        ("SELECT * FROM todos", 'sql: no table "todos". Fix: tasks.'),
        ("SELECT date('now')", "sql_now: that would be UTC. Fix: (SELECT today FROM me)"),
        ("SELECT title FROM tasks WHERE title ILIKE 'a%'", "LIKE ignores case"),
        ("DELETE FROM tasks", "sql: one SELECT only; this is a read-only copy."),
        ("SELECT 1; SELECT 2", "sql: "),
    ],
)
async def test_refusals_say_what_to_write_instead(living: Living, sql: str, said: str) -> None:
    async with living.client("ada") as ada:
        result = await ada.call("data_query", sql=sql)
        assert result.is_error
        assert said in text_of(result)


async def test_arguments_that_are_surely_meant_otherwise_are_read(living: Living) -> None:
    async with living.client("ada") as ada:
        values = await ada.values("data_query", query="SELECT 1 AS one", limit="5", chart="")
        assert values["rows"] == [[1]]
        assert (await ada.values("data_query", sql="SELECT 1", limit=5000))["limits"]["rows"] == 1000
        for limit in (0, -3):
            assert (await ada.text("data_query", sql="SELECT 1", limit=limit)).startswith(("1 row", "bad_argument"))


# How new it is ------------------------------------------------------------------------------------------------------


async def test_a_query_sees_the_write_before_it(living: Living) -> None:
    count = "SELECT count(*), sum(status = 'done'), group_concat(tags) FROM tasks"
    async with living.client("ada") as ada, living.client("ada") as phone:
        assert await rows(ada, count) == [[0, None, None]]
        await ada.add("One")
        assert await rows(phone, count) == [[1, 0, None]]
        await phone.values("tasks_complete", refs=["One"])
        assert await rows(ada, count) == [[1, 1, None]]
        await ada.values("tasks_edit", changes=[{"refs": ["One"], "tags": ["home"]}])
        assert await rows(ada, count) == [[1, 1, "home"]]
        await ada.values("organize", kind="tag", action="rename", name="home", to="house")
        assert await rows(ada, count) == [[1, 1, "house"]]
        await ada.values("organize", kind="setting", action="set", name="time zone", to="Pacific/Auckland")
        assert await rows(ada, "SELECT tz FROM me") == [["Pacific/Auckland"]]
        await ada.values("tasks_delete", refs=["T1"])
        assert await rows(ada, count) == [[0, None, None]]


async def test_between_two_writes_nothing_is_copied_again(living: Living) -> None:
    async with living.client("ada") as ada:
        await ada.add("One")
        await rows(ada, "SELECT 1")
        with statements(living) as seen:
            for _ in range(3):
                await rows(ada, "SELECT count(*) FROM tasks")
        assert len(seen) == 3  # what she sees, each time
        await ada.add("Two")
        with statements(living) as seen:
            await rows(ada, "SELECT count(*) FROM tasks")
        copied = len(seen)
        with statements(living) as seen:
            await rows(ada, "SELECT count(*) FROM tasks")
        assert len(seen) == 1 < copied


async def test_tomorrow_is_another_day(databases: Databases) -> None:
    now = datetime(2026, 11, 20, 10, 40, tzinfo=UTC)
    database = Database(databases.mcp, scope=row_policies, now=lambda: now)
    living = Living(databases)
    late = "SELECT group_concat(id) FROM (SELECT id FROM tasks WHERE overdue ORDER BY no)"
    sql = f"SELECT today, now, ({late}), (SELECT max(days_open) FROM tasks) FROM me"
    async with Workers(2) as workers:
        queries = Queries(database, workers)
        ada = living.person("ada")

        async def asked() -> list[Any]:
            found = await queries.ask(ada, "Europe/Berlin", sql, Size(10, 1000, 100))
            return list(found.found.rows[0])

        async with living, living.client("ada") as client:
            meta: Any = {"taskgate/tz": "Europe/Berlin"}
            tasks = [{"title": "At noon", "due": "2026-11-20 12:00"}, {"title": "All day", "due": "2026-11-20"}]
            await client.client.call_tool("tasks_add", {"tasks": tasks}, meta=meta)
        first = await asked()
        assert first[:3] == ["2026-11-20", "2026-11-20 11:40", None]
        now += timedelta(minutes=21)
        assert (await asked())[:3] == ["2026-11-20", "2026-11-20 12:01", "T1"]
        now += timedelta(hours=12)
        later = await asked()
        assert later[:3] == ["2026-11-21", "2026-11-21 00:01", "T1,T2"]
        assert later[3] == first[3] + 1
    await database.close()


# Whose rows it holds ------------------------------------------------------------------------------------------------


async def test_bobs_queries_find_nothing_of_adas(living: Living) -> None:
    async with living.client("ada") as ada, living.client("bob") as bob:
        await ada.values("organize", kind="list", action="create", name="Adas list")
        await ada.values("tasks_add", tasks=[{"title": "Adas task", "list": "Adas list", "tags": ["adastag"]}])
        await ada.values("tasks_edit", changes=[{"refs": ["Adas task"], "comment": "Adas comment"}])
        await ada.values("tasks_complete", refs=["Adas task"])
        await bob.add("Bobs task")
        for table in TABLES:
            assert "Adas" not in str(await rows(bob, f"SELECT * FROM {table}"))
            assert "adastag" not in str(await rows(bob, f"SELECT * FROM {table}"))
            assert "Bobs" not in str(await rows(ada, f"SELECT * FROM {table}"))
        assert await rows(bob, "SELECT id, title FROM tasks") == [["T1", "Bobs task"]]


async def test_shared_lists_are_included_as_far_as_they_are_shared(living: Living) -> None:
    async with home(living, "bob") as house:
        bob = house["bob"]
        await house.let_in("bob", "view")
        found = await rows(bob, "SELECT id, title, list, owner FROM tasks ORDER BY no")
        assert {title: (list_name, owner) for _, title, list_name, owner in found} == {
            "Fence": ("Team", "ada"),
            "Gate": ("Team", "ada"),
            "Hinge": ("Team", "ada"),
            "Wait": ("Team", "ada"),
        }
        assert all(ref.startswith("ada:T") for ref, *_ in found)
        for table in TABLES:
            assert HIDDEN not in str(await rows(bob, f"SELECT * FROM {table}")).lower(), table
        assert "note: shared lists are included: some of the text may be by others" in await bob.text(
            "data_query", sql="SELECT title FROM tasks"
        )
        # The hidden task that Wait waits for has no row, and no number.
        assert await rows(bob, "SELECT blocked FROM tasks WHERE title = 'Wait'") == [[1]]
        assert await rows(bob, "SELECT * FROM deps") == []
        assert house.refs["Zebra plan"] not in str(await rows(bob, "SELECT * FROM tasks"))


async def test_a_share_that_ends_ends_at_once(living: Living) -> None:
    async with home(living, "bob") as house:
        bob = house["bob"]
        await house.let_in("bob", "edit")
        assert await rows(bob, "SELECT count(*) FROM tasks") == [[4]]
        await house["ada"].values("share", action="revoke", list="Team", who="bob")
        for table in TABLES:
            assert "Fence" not in str(await rows(bob, f"SELECT * FROM {table}"))
        assert await rows(bob, "SELECT count(*) FROM tasks") == [[0]]


async def test_what_the_owner_writes_a_guest_sees_in_his_next_query(living: Living) -> None:
    async with home(living, "bob") as house:
        bob = house["bob"]
        await house.let_in("bob")
        titles = "SELECT group_concat(title) FROM (SELECT title FROM tasks ORDER BY title)"
        assert await rows(bob, titles) == [["Fence,Gate,Hinge,Wait"]]
        await house["ada"].values("tasks_edit", changes=[{"refs": [house.refs["Fence"]], "title": "A fence"}])
        assert await rows(bob, titles) == [["A fence,Gate,Hinge,Wait"]]
        await house["ada"].values("tasks_edit", changes=[{"refs": [house.refs["Gate"]], "list": "Zebralist"}])
        assert await rows(bob, titles) == [["A fence,Wait"]]


async def test_a_token_without_the_scope_may_not_query(living: Living) -> None:
    token = living.token("ada", scopes=["tasks:read", "tasks:write"])
    async with living.client("ada", token=token) as ada:
        with pytest.raises(Exception, match="data:read"):
            await ada.call("data_query", sql="SELECT 1")


# Files --------------------------------------------------------------------------------------------------------------


async def test_rows_of_a_query_can_be_exported(living: Living) -> None:
    async with living.client("ada") as ada:
        await ada.add("=HYPERLINK(1)", 'Ünïcode, "quoted"\nand more'.replace("\n", " "))
        sql = "SELECT id, title, -1 AS less, NULL AS empty FROM tasks ORDER BY no"
        table = await ada.values("data_export", sql=sql, format="csv")
        assert list(csv.reader(StringIO(table["content"]))) == [
            ["id", "title", "less", "empty"],
            ["T1", "'=HYPERLINK(1)", "-1", ""],
            ["T2", 'Ünïcode, "quoted" and more', "-1", ""],
        ]
        assert (table["format"], table["count"]) == ("csv", 2)
        document = json.loads((await ada.values("data_export", sql=sql))["content"])
        assert document["columns"] == ["id", "title", "less", "empty"]
        assert document["rows"][0] == ["T1", "=HYPERLINK(1)", -1, None]


async def test_many_rows_come_as_a_link_that_is_only_for_who_asked(living: Living) -> None:
    sql = NUMBERS.format(5000) + "SELECT x, (SELECT count(*) FROM tasks) AS tasks FROM n"
    async with living.client("ada") as ada, living.client("bob") as bob:
        [uri] = (await ada.values("data_export", sql=sql, format="csv"))["uri"]
        await ada.add("later")
        [part] = (await ada.client.read_resource(uri)).contents
        table = list(csv.reader(StringIO(getattr(part, "text", ""))))
        assert (len(table), table[-1]) == (5001, ["5000", "1"])  # as it is now
        with pytest.raises(Exception, match="bad_cursor"):
            await bob.client.read_resource(uri)
        for wrong in (uri.replace("q.", ""), uri.replace("q.", "q.A")):
            with pytest.raises(Exception, match="bad_cursor"):
                await ada.client.read_resource(wrong)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"sql": "SELECT 1", "filter": "p1"}, "bad_argument: an export is of a filter or of sql."),
        (
            {"sql": "SELECT 1", "format": "ics"},
            "bad_argument: the rows of a query cannot be ics. Fix: format csv or json",
        ),
        ({"sql": "SELECT due_date FROM tasks"}, 'sql: no column "due_date"'),
        ({"sql": NUMBERS.format(5000) + "SELECT x FROM n -- " + "x" * 4000}, "too_long: the sql has"),
    ],
)
async def test_an_export_that_cannot_be_is_refused(living: Living, arguments: dict[str, Any], said: str) -> None:
    async with living.client("ada") as ada:
        result = await ada.call("data_export", **arguments)
        assert result.is_error
        assert text_of(result).startswith(said)


# What it costs ------------------------------------------------------------------------------------------------------


async def test_no_connection_of_the_database_is_held_while_a_query_runs(living: Living) -> None:
    endless = NUMBERS.format(2**40) + "SELECT count(*) FROM n"
    assert living.mcp_database is not None
    async with living.client("ada") as ada:
        await rows(ada, "SELECT 1")
        running = asyncio.create_task(ada.text("data_query", sql=endless))
        await used_by_a_query(living)
        pool: Any = living.mcp_database.engine.pool
        assert pool.checkedout() == 0
        assert (await running).startswith("sql_limit: ")


async def test_a_client_that_leaves_ends_its_query(living: Living) -> None:
    endless = NUMBERS.format(2**40) + "SELECT count(*) FROM n"
    workers = living.workers
    assert workers is not None
    async with living.client("ada") as ada:
        await rows(ada, "SELECT 1")
        before = workers.pids
        running = asyncio.create_task(ada.text("data_query", sql=endless))
        used = await used_by_a_query(living)
        assert used in before
        running.cancel()
        await until(lambda: used not in workers.pids)
        assert await rows(ada, "SELECT 1") == [[1]]


async def test_kept_copies_never_grow_beyond_their_bound(databases: Databases) -> None:
    living = Living(databases)
    database = Database(databases.mcp, scope=row_policies)
    async with Workers(2) as workers:
        queries = Queries(database, workers)
        for number in range(5):
            await queries.ask(living.person(f"person {number}"), "UTC", "SELECT 1", Size(1, 100, 100))
        kept = queries._kept
        assert kept._size == sum(len(one.image) for one in kept._by_person.values()) <= KEPT_BYTES
        assert len(kept._by_person) == 5
        for one in list(kept._by_person.values()):
            kept.put(one)
        assert kept._size == sum(len(one.image) for one in kept._by_person.values())
    await database.close()


def test_where_queries_are_turned_off_the_tool_is_not_offered() -> None:
    assert "data_query" in {tool.name for tool in offered_tools("core")}
    assert "data_query" not in {tool.name for tool in offered_tools(queries=False)}
