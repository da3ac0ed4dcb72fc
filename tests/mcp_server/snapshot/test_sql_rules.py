"""SQL that breaks a rule of the language: each rule is named, and nothing that is sent or said gets past the words."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mcp_server.snapshot.running.process import Fault
from mcp_server.snapshot.teaching.refusals import check, taught
from mcp_server.snapshot.teaching.words import vocabulary
from shared.errors import Problem
from tests.mcp_server.snapshot.asked_sql import answer, said_by_sqlite

SYNTAX = [
    ("SELECT 1 FROM tasks WHERE title ILIKE 'a%'", 'sql: syntax error near "ILIKE". Fix: LIKE ignores case here.'),
    ("SELECT 1 FROM tasks WHERE title NOT ILIKE 'a%'", "LIKE ignores case here."),
    ("SELECT 1 FROM tasks WHERE title ~ 'a'", 'near "~". Fix: `title LIKE'),
    ("SELECT 1 FROM tasks WHERE title ~* 'a'", "`title LIKE"),
    ("SELECT 1 FROM tasks WHERE title !~ 'a'", "`title LIKE"),
    ("SELECT 1 FROM tasks WHERE title SIMILAR TO 'a'", 'near "SIMILAR TO"'),
    ("SELECT 1 FROM tasks WHERE title REGEXP 'a'", "regexp is not available. Fix: `title LIKE"),
    ("SELECT due::date FROM tasks", 'near "::". Fix: columns are local text already; else `CAST('),
    ("SELECT 1 FROM me WHERE today > today - INTERVAL '7 days'", "`date((SELECT today FROM me), '-7 days')`"),
    ("SELECT DATE_ADD(due, INTERVAL 7 DAY) FROM tasks", "`date((SELECT today FROM me), '-7 days')`"),
    ("SELECT DATEDIFF(day, due, done) FROM tasks", "datediff is not available. Fix: days_open, days_late or"),
    ("SELECT EXTRACT(dow FROM due) FROM tasks", "due_weekday"),
    ("SELECT EXTRACT(EPOCH FROM due) FROM tasks", "days_open, days_late or `julianday"),
    ("SELECT 1 FROM tasks WHERE due > DATE '2026-01-01'", "days are text: `due >= '2026-11-01'`"),
    ("SELECT DISTINCT ON (list) title FROM tasks", "row_number() OVER (PARTITION BY list"),
    ("SELECT title FROM tasks QUALIFY row_number() OVER () = 1", "row_number() OVER (PARTITION BY list"),
    ("SELECT title FROM tasks t LEFT JOIN LATERAL (SELECT 1) x ON 1", "a subquery"),
    ("SELECT title FROM tasks t CROSS APPLY (SELECT 1) x", "a subquery"),
    ("SELECT TOP 5 title FROM tasks", "`ORDER BY due LIMIT 5`"),
    ("SELECT title FROM tasks FETCH FIRST 5 ROWS ONLY", "`ORDER BY due LIMIT 5`"),
    ("SELECT title FROM tasks OFFSET 5 LIMIT 5", "`LIMIT 5 OFFSET 5`"),
    ("SELECT title FROM tasks OFFSET 5", "`LIMIT 5 OFFSET 5`"),
    ("SELECT title FROM tasks LIMIT ALL", "leave it out"),
    ("SELECT * FROM tasks PIVOT (x)", "FILTER (WHERE status = 'done')"),
    ("SELECT 1 FROM tasks WHERE id = ANY(ARRAY['a'])", "`id IN ('T1', 'T2')`"),
    ("SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY no) FROM tasks", "`SELECT avg(days_open)"),
    ("SELECT done AT TIME ZONE 'UTC' FROM tasks", "the person's own zone"),
    ("SELECT list FROM tasks GROUP BY list WITH ROLLUP", "UNION ALL"),
    ("SELECT 1 FROM tasks FOR UPDATE", "leave it out"),
    ("SELECT substring(title FROM 1 FOR 3) FROM tasks", "`substr(title, 1, 10)`"),
    ("SELECT trim(BOTH ' ' FROM title) FROM tasks", "`trim(title)`"),
    ("SELECT position('a' IN title) FROM tasks", "`instr(title, 'word')`"),
    ("SELECT LEFT(title, 3) FROM tasks", "`substr(title, 1, 10)`"),
    ("SELECT RIGHT(title, 3) FROM tasks", "`substr(title, -10)`"),
    ("SELECT ISNULL(title, '') FROM tasks", "`coalesce(list, '')`"),
    ("SELECT TRY_CAST(no AS int) FROM tasks", "`CAST(no AS INTEGER)`"),
    ("SELECT CONVERT(int, no) FROM tasks", "`CAST(no AS INTEGER)`"),
    ("SELECT group_concat(title SEPARATOR ',') FROM tasks", "`group_concat(title, ', ')`"),
    ("SELECT list FROM tasks EXCEPT ALL SELECT list FROM tasks", "leave out ALL"),
    ("SELECT list FROM tasks MINUS SELECT list FROM tasks", "EXCEPT instead of MINUS"),
    ("SELECT * EXCLUDE (notes) FROM tasks", "name the columns"),
    ("SELECT list, count(*) FROM tasks GROUP BY ALL", "name the columns"),
    ("SELECT title FROM tasks # all of them", "a comment begins with --"),
    ("SELECT fields #>> 'a' FROM tasks", "->>"),
    ("SELECT 1 FROM tasks WHERE overdue && blocked", "AND instead of &&"),
    ("SELECT 2 ^ 3", "`power(no, 2)`"),
    ("SELECT 5 DIV 2", "`days_open / 7`"),
    ("SELECT title INTO x FROM tasks", "leave out INTO"),
    ("SELECT count(*) FILTER (overdue = 1) FROM tasks", "`count(*) FILTER (WHERE overdue = 1)`"),
    ("SELECT 1 FROM tasks WHERE title IS NOT IN ('a')", "leave out IS"),
    ("SELECT 1 ! 2", "NOT instead of !"),
    ("SELECT E'a'", "leave out the letter"),
    ("SELECT ‘done’ FROM tasks", "plain quotes around text: 'word'"),
    ("SELECT\u00a0title FROM\u00a0tasks", "plain blanks"),
    ("SELECT title, FROM tasks", "sql: a comma stands before FROM. Fix: leave the comma out."),
    ("SELECT 1 FROM tasks WHERE id IN (1,)", "a comma stands before )"),
    ("SELECT title,", "ends with a comma"),
    ("SELECT 1 FROM tasks WHERE (no = 1", 'a "(" is never closed'),
    ("SELECT count(1 FROM tasks", 'a "(" is never closed'),
    ("SELECT 1 FROM tasks WHERE no = 1)", 'a ")" has no "("'),
    ("SELECT 'it's'", "a quote ' is never closed"),
    ("SELECT 'its", "a quote ' is never closed"),
    ('SELECT "its', 'a quote " is never closed'),
    ("SELECT CASE WHEN 1 THEN 2 FROM tasks", "a CASE has no END"),
    ("SELECT title AS order FROM tasks", 'in double quotes: "order"'),
    ("SELECT title group FROM tasks", 'in double quotes: "group"'),
    ("SELECT title FROM tasks ORDER due", "BY is missing after ORDER"),
    ("SELECT title FROM tasks GROUP list", "BY is missing after GROUP"),
    ("SELECT title FROM tasks ORDER BY list WHERE no = 1", "WHERE stands too late or twice"),
    ("SELECT list FROM tasks SELECT list FROM tasks", "a second SELECT begins"),
    ("SELECT title FORM tasks", "is FROM meant?"),
    ("SELECT title FROM tasks WERE no = 1", "is WHERE meant?"),
    ("SELECT 1 FROM tasks WHERE AND no = 1", "on both sides"),
    ("(SELECT 1)", "begin with SELECT"),
    ("SELECT title FROM", 'the statement ends too early after "FROM"'),
    ("SELECT 7days", '"7days" is neither number nor name'),
    ("SELECT \\", "means nothing in SQL"),
    (
        "SELECT title a b FROM tasks",
        'syntax error near "b". Fix: call data_query without sql for the tables and examples.',
    ),
]


@pytest.mark.parametrize(("sql", "expected"), SYNTAX)
def test_broken_syntax_says_what_to_write(sql: str, expected: str) -> None:
    assert expected in answer(sql)


def test_an_aggregate_that_sorts_runs_or_says_how_to_sort() -> None:
    assert answer("SELECT group_concat(title ORDER BY due) FROM tasks") == "" or (
        "sort in a subquery" in answer("SELECT group_concat(title ORDER BY due) FROM tasks")
    )


RECURSIVE = "WITH RECURSIVE a(n) AS (SELECT 1 UNION ALL SELECT {}) SELECT * FROM a"
RULES = [
    ("SELECT title FROM tasks, lists, comments WHERE author = 1", '"author" is in several tables'),
    ("SELECT count(*) FROM tasks WHERE count(*) > 1", "count: an aggregate cannot stand here"),
    ("SELECT sum(no) s FROM tasks WHERE s > 1", "an aggregate cannot stand here"),
    ("SELECT row_number() OVER () s FROM tasks WHERE s > 1", "a window function cannot stand here"),
    ("SELECT row_number() FROM tasks", "row_number needs OVER"),
    ("SELECT lower(title) OVER () FROM tasks", "lower takes no OVER"),
    ("SELECT sum(DISTINCT no) OVER () FROM tasks", "no DISTINCT with OVER"),
    ("SELECT group_concat(DISTINCT title, ';') FROM tasks", "with DISTINCT an aggregate takes one argument"),
    ("SELECT abs(1) FILTER (WHERE no) FROM tasks", "abs is no aggregate"),
    ("SELECT row_number() FILTER (WHERE no) OVER () FROM tasks", "only aggregates take FILTER"),
    ("SELECT count(*) FROM tasks GROUP BY count(*)", "no aggregate in GROUP BY"),
    ("SELECT title FROM tasks HAVING no > 1", ""),
    ("SELECT lower() FROM tasks", "wrong number of arguments for lower. Fix: `lower(title)`"),
    ("SELECT abs(1, 2)", "wrong number of arguments for abs"),
    ("SELECT count(DISTINCT title, list) FROM tasks", "count(DISTINCT ..) takes one column"),
    ("SELECT list FROM tasks GROUP BY 5", "GROUP BY a column that is not there"),
    ("SELECT list FROM tasks ORDER BY 5", "ORDER BY a column that is not there"),
    ("SELECT list FROM tasks UNION SELECT list FROM tasks ORDER BY title", "takes only result columns"),
    ("SELECT 1 ORDER BY 1 UNION SELECT 2", "ORDER BY stands before UNION"),
    ("SELECT 1 LIMIT 1 UNION SELECT 2", "LIMIT stands before UNION"),
    ("SELECT 1 UNION SELECT 1, 2", "both sides of UNION need as many columns"),
    ("VALUES (1, 2), (3)", "all rows of VALUES"),
    ("SELECT 1 IN (SELECT 1, 2)", "that subquery needs one column"),
    ("SELECT (1, 2) IN (1, 2)", "another width"),
    ("SELECT (1, 2)", "several values"),
    ("WITH a(x, y) AS (SELECT 1) SELECT * FROM a", "the columns of a do not match"),
    ("WITH a AS (SELECT * FROM b), b AS (SELECT * FROM a) SELECT * FROM a", "a asks itself"),
    ("WITH a AS (SELECT 1), a AS (SELECT 2) SELECT * FROM a", "two WITH tables are called a"),
    (RECURSIVE.format("a.n FROM a, a b"), "a may be used once"),
    (RECURSIVE.format("max(n) FROM a"), "inside recursion"),
    (RECURSIVE.format("row_number() OVER () FROM a"), "inside recursion"),
    ("SELECT sum(no) OVER w FROM tasks", "no window w"),
    ("SELECT sum(no) OVER (w ORDER BY id) FROM tasks WINDOW w AS (ORDER BY no)", "has this clause already"),
    ("SELECT sum(no) OVER (ORDER BY no ROWS -1 PRECEDING) FROM tasks", "that frame is impossible"),
    ("SELECT sum(no) OVER (RANGE BETWEEN 1 PRECEDING AND CURRENT ROW) FROM tasks", "that frame is impossible"),
    ("SELECT sum(no) OVER (ROWS UNBOUNDED FOLLOWING) FROM tasks", "`sum(no) OVER (ORDER BY id ROWS BETWEEN"),
    ("SELECT ntile(0) OVER () FROM tasks", "a whole number from 1"),
    ("SELECT nth_value(no, 0) OVER () FROM tasks", "a whole number from 1"),
    ("SELECT * FROM tasks ON 1", "ON without JOIN"),
    ("SELECT * FROM tasks FULL OUTER INNER JOIN lists", "no such JOIN: FULL OUTER INNER"),
    ("SELECT * FROM tasks NATURAL JOIN tags ON 1", "NATURAL takes no ON"),
    ("SELECT 1 FROM tasks JOIN lists USING (zz)", '"zz" is not in both tables'),
    ("SELECT *", "* without FROM"),
    ("SELECT * FROM lists('a')", "lists takes no arguments"),
    ("SELECT * FROM tasks INDEXED BY nix", "there are no indices"),
    ("SELECT 1 FROM tasks ORDER BY title COLLATE nix", "no such collation"),
    ("SELECT json_extract('{', '$') FROM tasks", "that is no JSON"),
    ("SELECT * FROM json_each('{')", "that is no JSON"),
    ("SELECT json_extract('{}', 'a[') FROM tasks", "that is no path"),
    ("SELECT json_object('a')", "names and values in turn"),
    ("SELECT json_array(x'00')", "JSON holds no bytes"),
    ("SELECT abs(-9223372036854775808)", "a number is too large"),
    ("SELECT 1 LIMIT 'a'", "a number is needed there"),
    ("SELECT title LIKE 'a' ESCAPE 'bb' FROM tasks", "ESCAPE takes one character"),
    ("SELECT RAISE(ABORT, 'a')", "RAISE is for triggers"),
    ("SELECT " + "(" * 200 + "1" + ")" * 200, "sql_limit: nested too deeply"),
    ("SELECT " + "+".join(["1"] * 300), "sql_limit: nested too deeply"),
    ("SELECT " + ",".join(["1"] * 200), "sql_limit: too many columns"),
    (" UNION ALL ".join(["SELECT 1"] * 30), "sql_limit: too many SELECTs"),
    ("SELECT max(" + ",".join(["1"] * 30) + ")", "sql_limit: too many arguments for max"),
    ("SELECT title LIKE '" + "a%" * 50 + "' FROM tasks", "sql_limit: that pattern is too long"),
    ("SELECT '" + "€" * 19_000 + "'", "sql_limit: longer than 20,000 bytes"),
    ("SELECT due_date, '" + "x" * 9_000 + "' FROM tasks", 'sql: no column "due_date" in tasks. Fix: due.'),
    ("SELECT ('" + "x" * 9_000 + "'), title FRM tasks WHERE 1", "is FROM meant?"),
    ("SELECT 1 FROM " + ",".join(["tags"] * 70), "sql_limit: too many terms"),
    ("SELECT 1 ORDER BY " + ",".join(["1"] * 200), "sql_limit: too many terms"),
    ("SELECT replace(printf('%999999s', ''), ' ', 'xx')", "sql_limit: a text becomes longer"),
]


@pytest.mark.parametrize(("sql", "expected"), RULES, ids=[sql[:50] for sql, _ in RULES])
def test_a_broken_rule_is_named(sql: str, expected: str) -> None:
    assert expected in answer(sql)


# What versions say that may not be the one in use.
OTHER_VERSIONS = [
    ('no such column: "due_date" - should this be a string literal in single-quotes?', "Fix: due."),
    ("a GROUP BY clause is required before HAVING", "HAVING without groups"),
    ("HAVING clause on a non-aggregate query", "HAVING without groups"),
    ("ON clause references tables to its right", "joined later"),
    ("RIGHT and FULL OUTER JOINs are not currently supported", "LEFT JOIN"),
    ("unknown or unsupported join type: LEFT FOO", "no such JOIN: LEFT FOO"),
    ("bad JSON path: '$['", "that is no path"),
    ("JSON path error near '['", "that is no path"),
    ("sub-select returns 2 columns - expected 1", "that subquery needs one column"),
    ("ORDER BY may not be used with non-aggregate abs()", "abs takes no ORDER BY"),
    ("not authorized", "sql: one SELECT only; this is a read-only copy. Fix: change tasks with tasks_edit."),
    ("not a query", "one SELECT only"),
    ("access to sqlite_schema.sql is prohibited", 'no table "sqlite_schema"'),
    ("access to main.soon.task is prohibited", 'no table "soon"'),
    ("You can only execute one statement at a time.", "one statement at a time"),
    ("Incorrect number of bindings supplied. The current statement uses 1", "there are no parameters"),
    ("interrupted", "sql_limit: stopped after 1.2 s"),
    ("out of memory", "sql_limit: it needs too much memory"),
    ("string or blob too big", "sql_limit: a text becomes longer"),
    ("database disk image is malformed", "sql: SQLite cannot run this. Fix: call data_query without sql"),
    ("", "sql: SQLite cannot run this."),
]


@pytest.mark.parametrize(("said", "expected"), OTHER_VERSIONS)
def test_the_words_of_other_versions_are_known(said: str, expected: str) -> None:
    assert expected in str(taught("SELECT due_date FROM tasks", Fault("sql", said)))


def test_limits_say_what_to_do() -> None:
    late = "sql_limit: stopped after 1.2 s. Fix: filter earlier, fewer joins, no cross joins."
    assert str(taught("SELECT 1", Fault("time", "interrupted"))) == late
    assert str(taught("SELECT 1", Fault("memory", ""))).startswith("sql_limit: it needs too much memory. Fix: ")
    assert str(taught("SELECT 1", Fault("size", "anything"))).startswith("sql_limit: a value or the statement becomes")
    assert str(taught("SELECT 1", Fault("size", "too many columns in result set"))).startswith(
        "sql_limit: too many col"
    )


def test_long_and_hostile_names_are_echoed_short_and_in_one_line() -> None:
    said = answer(f"SELECT [{'x' * 400}] FROM tasks")
    assert "x" * 41 not in said
    for fault in ("no such column: a\nb\u2028c\x07", "no such function: \x1b[31m", 'near "\n\n": syntax error'):
        assert str(taught("SELECT 1 FROM tasks", Fault("sql", fault))).isprintable()


PARTS = sorted(
    vocabulary(
        "SELECT FROM WHERE GROUP BY ORDER HAVING LIMIT OFFSET JOIN LEFT ON USING AS WITH RECURSIVE UNION ALL DISTINCT"
        " CASE WHEN THEN END OVER PARTITION FILTER VALUES NOT IN LIKE ILIKE BETWEEN AND IS NULL INTERVAL EXTRACT"
        " strftime date now count date_trunc json_each string_agg tasks t tags lists me soon sqlite_master title"
        " due_date t.due done"
        " 'now' 'x' 'it \"q \" ( ) , ; . * + = :: ? :p # -- /* 1 7d 0x e ‘y’ [z] `w` - || ->> ~ ! @ $ \\"
    )
)
WHOLE = [sql for sql, _ in [*SYNTAX, *RULES] if len(sql) < 300]
TOLD = [said for said, _ in OTHER_VERSIONS]


@st.composite
def mutated(draw: st.DrawFn) -> str:
    """A statement with some of its words replaced, lost or doubled."""
    parts = draw(st.sampled_from(WHOLE)).split(" ")
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, len(parts)))
        parts[at : at + draw(st.integers(0, 2))] = draw(st.lists(st.sampled_from(PARTS), max_size=2))
    return " ".join(parts)


PLAIN_TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=80)
STATEMENTS = st.one_of(mutated(), st.lists(st.sampled_from(PARTS), max_size=15).map(" ".join), PLAIN_TEXT)


def assert_taught(problem: Problem) -> None:
    text = str(problem)
    assert problem.code in ("sql", "sql_now", "sql_limit")
    assert problem.hint
    assert len(text) <= 300
    assert text.isprintable()


@settings(max_examples=400, deadline=None)
@given(STATEMENTS)
def test_any_statement_runs_or_teaches(sql: str) -> None:
    try:
        check(sql)
    except Problem as problem:
        assert_taught(problem)
    if said := said_by_sqlite(sql):
        refusal = taught(sql, Fault("sql", said[:500]))
        assert_taught(refusal)
        assert said not in str(refusal)


@settings(max_examples=300, deadline=None)
@given(
    STATEMENTS,
    st.sampled_from(["sql", "time", "memory", "size", "other"]),
    st.one_of(st.text(max_size=600), st.tuples(st.sampled_from(TOLD), st.text(max_size=600)).map("".join)),
)
def test_whatever_a_worker_says_becomes_a_refusal(sql: str, kind: str, said: str) -> None:
    assert_taught(taught(sql, Fault(kind, said)))


@pytest.mark.parametrize(
    "part", ["'", "(", "a,", "AS (", "FROM a,", "date(", "SUBSTRING ( ", "[", "-- \n", ")AS", "a.", "IN "]
)
def test_the_longest_statement_is_answered(part: str) -> None:
    sql = f"SELECT {part * (19_000 // len(part))}"
    for said in (
        'near "x": syntax error',
        "incomplete input",
        "no such column: x",
        'unrecognized token: "x"',
        "no such table: x",
    ):
        assert_taught(taught(sql, Fault("sql", said)))
