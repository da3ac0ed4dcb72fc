"""Refusals of SQL: each teaches what to write instead, what it teaches runs, and none repeats SQLite's own words."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from mcp_server.snapshot.running.fence import FUNCTIONS as ALLOWED
from mcp_server.snapshot.running.process import Fault
from mcp_server.snapshot.teaching import dialects, naming, opening, refusals, syntax
from mcp_server.snapshot.teaching.refusals import check, taught
from shared.errors import Problem
from tests.mcp_server.snapshot.asked_sql import answer, said_by_sqlite

NOW = "sql_now: that would be UTC. Fix: (SELECT today FROM me) or (SELECT now FROM me)."
ONE_SELECT = "sql: one SELECT only; this is a read-only copy. Fix: "
MODULES = (dialects, naming, opening, syntax, refusals)


def hints() -> Iterator[str]:
    """All texts of the modules that may recommend something."""
    for module in MODULES:
        assert module.__file__ is not None
        tree = ast.parse(Path(module.__file__).read_text())
        documents = {
            id(node.body[0].value)
            for node in ast.walk(tree)
            if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef)
            if isinstance(node.body[0], ast.Expr)
        }
        for node in ast.walk(tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in documents:
                yield node.value


REWRITES = sorted({rewrite for hint in hints() for rewrite in re.findall("`([^`]+)`", hint)})


@pytest.mark.parametrize("rewrite", REWRITES)
def test_what_a_hint_recommends_runs(rewrite: str) -> None:
    first = rewrite.split()[0]
    if first in ("SELECT", "WITH"):
        sql = rewrite
    elif first in ("ORDER", "LIMIT"):
        sql = f"SELECT * FROM tasks {rewrite}"
    else:
        sql = f"SELECT {rewrite} FROM tasks"
    check(sql)
    assert said_by_sqlite(sql) == ""


# What hints recommend in plain words.
PLAIN = [
    "SELECT done_week, done_month, due_week, due_month, due_weekday, done_weekday, done_hour, created_week FROM tasks",
    "SELECT days_open, days_late FROM tasks",
    "SELECT 1 FROM tasks WHERE title LIKE 'CALL%'",
    "SELECT title IS NULL, NOT overdue, overdue AND blocked, CAST(no AS TEXT), CAST(no AS REAL) FROM tasks",
    "SELECT 1 AS \"order\", 'it''s' FROM tasks -- a comment",
    "SELECT list FROM tasks EXCEPT SELECT name FROM lists",
    "SELECT list FROM tasks UNION ALL SELECT NULL ORDER BY 1",
    "SELECT (SELECT today FROM me), (SELECT now FROM me)",
    "SELECT tags.tag FROM tasks JOIN tags ON tags.task = tasks.id",
    "SELECT tasks.id FROM lists JOIN tasks ON lists.name = tasks.list",
    "SELECT f.key FROM tasks, json_each(tasks.fields) f",
    "SELECT sum(no) OVER (), rank() OVER (ORDER BY no), no * 1.0 FROM tasks ORDER BY title COLLATE NOCASE",
    "SELECT list FROM tasks GROUP BY list HAVING count(*) > 0",
    "SELECT substr(title, 1, 3), ltrim(title), rtrim(title) FROM tasks",
]


@pytest.mark.parametrize("sql", PLAIN)
def test_what_a_hint_recommends_in_plain_words_runs(sql: str) -> None:
    assert answer(sql) == ""


@pytest.mark.parametrize("made", sorted(set(naming.EXPRESSIONS.values())))
def test_an_expression_for_a_missing_column_runs(made: str) -> None:
    assert answer(f"SELECT {made} FROM tasks") == ""


BEFORE = [
    ("SELECT date('now')", NOW),
    ("SELECT DATE( ' NOW ' )", NOW),
    ("SELECT datetime('now', '-7 days')", NOW),
    ("SELECT julianday(coalesce(due, 'now')) FROM tasks", NOW),
    ("SELECT strftime('%Y', 'now')", NOW),
    ("SELECT strftime('%Y')", NOW),
    ("SELECT date(), time()", NOW),
    ("SELECT unixepoch()", NOW),
    ("SELECT timediff(due, 'now') FROM tasks", NOW),
    ('SELECT date("now") FROM tasks', NOW),
    ("SELECT current_date", NOW),
    ("SELECT 1 FROM tasks WHERE due < CURRENT_TIMESTAMP", NOW),
    ("SELECT Current_Time", NOW),
    ("SELECT datetime(done, 'localtime') FROM tasks", "sql: no 'localtime': days and times are local already."),
    ("SELECT datetime(done, 'UTC') FROM tasks", "sql: no 'utc': days and times are local already."),
    ("SELECT ?", 'sql: there are no parameters like "?"'),
    ("SELECT 1 FROM tasks WHERE id = $1", "write the value itself"),
    ("SELECT 1 FROM tasks WHERE id = :name", '":name"'),
    ("SELECT @name", '"@name"'),
    ("SELECT 1; SELECT 2", "sql: one statement at a time. Fix: send one SELECT"),
    ("SELECT 1;;", "one statement at a time"),
    ("SELECT 1; -- x\n DROP TABLE tasks", "one statement at a time"),
    ("UPDATE tasks SET title = 'x'", f"{ONE_SELECT}change tasks with tasks_edit."),
    ("insert into tasks values (1)", f"{ONE_SELECT}change tasks with tasks_edit."),
    ("WITH a AS (SELECT 1) DELETE FROM tasks", f"{ONE_SELECT}change tasks with tasks_edit."),
    ("BEGIN", f"{ONE_SELECT}there are no transactions"),
    ("SET x = 1", f"{ONE_SELECT}nothing can be set"),
    ("PRAGMA user_version", f"{ONE_SELECT}call data_query without sql"),
    ("EXPLAIN SELECT 1", f"{ONE_SELECT}plans are not shown"),
    ("ATTACH 'x' AS y", f"{ONE_SELECT}no other database or file"),
    ("CREATE TABLE x (a)", f"{ONE_SELECT}tables cannot be made"),
    ("FROM tasks SELECT 1", f"{ONE_SELECT}SELECT * FROM"),
    ("SELCT 1", 'not "SELCT"'),
    ("-- only a comment", "sql: there is no statement"),
    (" ;", ONE_SELECT),
    ("SELECT '" + "x" * 20_000 + "'", "sql_limit: longer than 20,000 bytes"),
]


@pytest.mark.parametrize(("sql", "expected"), BEFORE, ids=[sql[:40] for sql, _ in BEFORE])
def test_a_statement_is_refused_before_it_runs(sql: str, expected: str) -> None:
    with pytest.raises(Problem) as refused:
        check(sql)
    assert expected in str(refused.value)


FINE = [
    "SELECT 1",
    "  select 1 ; -- the end",
    "/* a */ WITH a AS (SELECT 1) SELECT * FROM a",
    "VALUES (1, 2)",
    "SELECT 1 FROM tasks WHERE title = 'now'",
    "SELECT 1 FROM tasks WHERE title LIKE 'now' OR 'now' = title OR title IN ('x', 'now')",
    "SELECT date(CASE WHEN title = 'now' THEN due ELSE done END) FROM tasks",
    "SELECT 'now', 'localtime', '?', ':name', 'a;b', 'utc' FROM tasks",
    "SELECT upper('now')",
    'SELECT now, date(now), date("now") FROM me',
    "SELECT date(due, '+7 days'), date((SELECT today FROM me), '-7 days') FROM tasks",
    "SELECT strftime('%Y', due) FROM tasks",
    "SELECT due AS current_date FROM tasks",
    "SELECT replace(title, 'a', 'b') AS \"update\" FROM tasks",
    "SELECT 1 /* ; */ -- ;",
    "SELECT count(*) FILTER (WHERE overdue = 1) FROM tasks ORDER BY 1 DESC NULLS LAST",
]


@pytest.mark.parametrize("sql", FINE)
def test_a_fine_statement_is_left_alone(sql: str) -> None:
    assert answer(sql) == ""


COLUMNS = [
    ("SELECT due_date FROM tasks", 'sql: no column "due_date" in tasks. Fix: due. Columns: id, no, '),
    ("SELECT t.due_date FROM tasks AS t", 'no column "t.due_date" in tasks. Fix: due. '),
    ("SELECT completed_at FROM tasks", "Fix: done or done_date."),
    ("SELECT created_at FROM tasks", "Fix: created."),
    ("SELECT name FROM tasks", "Fix: title."),
    ("SELECT title FROM lists", "Fix: name. Columns: name, parent, owner, archived, open, done"),
    ("SELECT project FROM tasks", "Fix: list."),
    ("SELECT label FROM tasks", "Fix: tags."),
    ("SELECT user_id FROM tasks", "Fix: owner or author."),
    ("SELECT is_done FROM tasks", "Fix: status = 'done'."),
    ("SELECT description FROM tasks", "Fix: notes."),
    ("SELECT week FROM tasks", "Fix: done_week or due_week or created_week."),
    ("SELECT dueDate FROM tasks", "Fix: due."),
    ("SELECT [due date] FROM tasks", "Fix: due."),
    ("SELECT task_title FROM tasks", "Fix: title."),
    ("SELECT prioritty FROM tasks", "Fix: priority."),
    ("SELECT tag FROM tasks", "Fix: tags."),
    ("SELECT blocked_by FROM tasks", "Fix: deps.blocked_by (deps.task = tasks.id)."),
    ("SELECT today FROM tasks", "Fix: (SELECT today FROM me)."),
    ("SELECT 1 FROM tasks WHERE status = open", "Fix: 'open' in single quotes."),
    ("SELECT 1 FROM tasks WHERE title = zzzz", "Fix: text stands in single quotes: 'zzzz'."),
    ("SELECT x.title FROM tasks t, lists l", '"x.title" is of no table in this FROM. Fix: use t, l.'),
    ("WITH w AS (SELECT 1 a) SELECT w.b FROM w", 'no column "b" in w. Fix: name it in the SELECT that makes it.'),
    ("WITH w AS (SELECT 1 a) SELECT b FROM w", 'no column "b" in w'),
    ("SELECT s.b FROM (SELECT title FROM tasks) s", 'no column "b" in s'),
    ("SELECT title FROM (SELECT id FROM tasks)", "is out of reach there"),
    ("SELECT title", 'sql: "title" without a FROM. Fix: FROM tasks.'),
    ("SELECT sum(no) AS total FROM tasks ORDER BY totl", "Fix: total or title."),
]


@pytest.mark.parametrize(("sql", "expected"), COLUMNS)
def test_a_missing_column_names_the_right_one(sql: str, expected: str) -> None:
    assert expected in answer(sql)


@pytest.mark.parametrize("word", sorted(naming.COLUMNS_MEANT))
def test_every_common_word_leads_to_a_column_that_exists(word: str) -> None:
    every = {column for columns in naming.COLUMNS.values() for column in columns}
    assert set(naming.COLUMNS_MEANT[word]) <= every


@pytest.mark.parametrize("word", sorted(set(naming.COLUMNS_MEANT) - set(naming.COLUMNS["tasks"])))
def test_what_is_named_for_a_common_word_is_there(word: str) -> None:
    named = answer(f"SELECT t.[{word}] FROM tasks t").split("Fix: ")[1].split(" Columns: ")[0]
    if named.startswith("(SELECT"):
        assert said_by_sqlite(f"SELECT {named.rstrip('.')}") == ""
    elif found := re.match(r"(\w+)\.(\w+)", named):
        assert found[2] in naming.COLUMNS[found[1]]
    else:
        assert said_by_sqlite(f"SELECT {named.rstrip('.').replace(' or ', ', ')} FROM tasks") == ""


TABLES = [
    ("SELECT * FROM task", 'sql: no table "task". Fix: tasks. Tables: tasks, lists, '),
    ("SELECT * FROM todos", "Fix: tasks."),
    ("SELECT * FROM users", "Fix: me."),
    ("SELECT * FROM events", "Fix: history."),
    ("SELECT * FROM labels", "Fix: tags."),
    ("SELECT * FROM projects", "Fix: lists."),
    ("SELECT * FROM main.coments", "Fix: comments."),
    ("SELECT * FROM zzz", 'no table "zzz". Fix: Tables: tasks, lists, tags, comments, deps, completions, history, me.'),
    ("SELECT count(*) FROM sqlite_master", 'no table "sqlite_master"'),
    ("SELECT name FROM sqlite_master", 'no table "sqlite_master". Fix: call data_query without sql'),
    ("SELECT * FROM information_schema.tables", "call data_query without sql"),
    ("SELECT * FROM pg_class", "call data_query without sql"),
    ("SELECT * FROM pragma_table_info('tasks')", "call data_query without sql"),
    ("SELECT * FROM generate_series(1, 3)", "generate_series is not available. Fix: `WITH RECURSIVE"),
    ("SELECT * FROM public.tasks", "a schema before it is not needed"),
    ("SELECT tasks.*", "tasks is not in this FROM"),
]


@pytest.mark.parametrize(("sql", "expected"), TABLES)
def test_a_missing_table_names_the_right_one(sql: str, expected: str) -> None:
    assert expected in answer(sql)


HIDDEN = [
    "SELECT * FROM soon",
    "SELECT count(*) FROM soon",
    "SELECT task FROM main.soon",
    "SELECT s.missing FROM soon AS s",
    "SELECT task FROM tags, SOON",
    'SELECT 1 FROM tasks JOIN "soon" ON task = id',
    "SELECT * FROM (SELECT task FROM soon)",
]


@pytest.mark.parametrize("sql", HIDDEN)
def test_the_hidden_table_looks_like_no_table(sql: str) -> None:
    assert answer(sql) == answer(re.sub("soon", "soap", sql, flags=re.IGNORECASE)).replace("soap", "soon")


def test_people_may_call_their_own_things_as_the_hidden_table() -> None:
    assert answer("WITH soon AS (SELECT 1 AS a) SELECT a FROM soon") == ""
    assert answer("SELECT soon.title AS soon FROM tasks AS soon") == ""


@pytest.mark.parametrize("name", sorted(dialects.FUNCTIONS))
def test_a_function_of_another_database_has_a_rewrite(name: str) -> None:
    for said, written in (("no such function: {}", name), ("not authorized to use function: {}", name.upper())):
        problem = taught(f"SELECT {written}(title) FROM tasks", Fault("sql", said.format(written)))
        assert str(problem).startswith(f"sql: {name} is not available. Fix: {dialects.FUNCTIONS[name]}")


@pytest.mark.parametrize("name", sorted(set(dialects.FUNCTIONS) - ALLOWED))
def test_a_function_with_a_rewrite_does_not_run(name: str) -> None:
    assert said_by_sqlite(f"SELECT {name}(title, id) FROM tasks")


def test_an_unknown_function_names_the_nearest() -> None:
    assert answer("SELECT cuont(*) FROM tasks") == "sql: cuont is not available. Fix: count."
    assert "call data_query without sql" in answer("SELECT frobnicate(1)")
