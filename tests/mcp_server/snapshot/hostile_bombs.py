"""Statements that want all time and all memory there is.

`may_answer` is said of those that a fast machine may well finish; the others never end by themselves, or must not.
"""

from typing import Final

from tests.mcp_server.snapshot.hostile_sql import LIMIT, REFUSAL, Hostile, harmless


def bombs(**statements: str) -> tuple[Hostile, ...]:
    """Statements that have to be stopped while they run."""
    return tuple(Hostile(name.replace("_", " "), sql, LIMIT) for name, sql in statements.items())


def too_big(**statements: str) -> tuple[Hostile, ...]:
    """Statements that are stopped or refused before they cost anything."""
    return tuple(Hostile(name.replace("_", " "), sql, LIMIT | REFUSAL) for name, sql in statements.items())


def series(count: int, sql: str) -> str:
    """A query over n(i), the numbers from 1."""
    return f"WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {count}) {sql}"


def endless(sql: str, union: str = "UNION ALL") -> str:
    """A query over n(i), all numbers."""
    return f"WITH RECURSIVE n(i) AS (SELECT 1 {union} SELECT i + 1 FROM n) {sql}"


def nested(before: str, middle: str, after: str, times: int) -> str:
    """One thing in another, in another."""
    return before * times + middle + after * times


def doubling(ctes: int, first: str, step: str) -> str:
    """Each of so many common table expressions reads the one before twice."""
    parts = [f"c0 AS ({first})", *(f"c{i} AS ({step.format(f'c{i - 1}')})" for i in range(1, ctes))]
    return f"WITH {', '.join(parts)} SELECT count(*) FROM c{ctes - 1}"


HALF: Final = "printf('%.*c', 450000, 'a')"
FULL: Final = "printf('%.*c', 950000, 'a')"

# Each runs until somebody ends it.
TIME: Final = bombs(
    recursion=endless("SELECT count(*) FROM n"),
    recursion_without_a_row=endless("SELECT i FROM n WHERE i < 0"),
    recursion_far_away=endless("SELECT i FROM n LIMIT 1 OFFSET 9223372036854775806"),
    recursion_on_one_spot="WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i FROM n) SELECT sum(i) FROM n",
    recursion_in_a_filter=endless("SELECT title FROM tasks WHERE no = (SELECT max(i) FROM n)"),
    two_recursions=endless("SELECT count(*) FROM n a JOIN n b ON a.i = b.i + 1"),
    cross_join=series(3000, "SELECT count(*) FROM n a, n b, n c WHERE a.i + b.i = c.i * 2 + 1"),
    cross_join_of_json=series(
        2000, "SELECT count(*) FROM json_each((SELECT json_group_array(i) FROM n)) a, n b, n c WHERE a.value > b.i"
    ),
    many_way_join="SELECT count(*) FROM " + ", ".join(f"tasks t{i}" for i in range(50)),
    unequal_join=series(100_000, "SELECT max(a.i - b.i) FROM n a JOIN n b ON a.i > b.i"),
    window_over_a_cross_join=series(
        3000, "SELECT max(s) FROM (SELECT sum(a.i * b.i) OVER (ORDER BY a.i % 7, b.i) AS s FROM n a, n b)"
    ),
    sliding_frames=series(
        200_000,
        "SELECT max(m) FROM (SELECT sum(i) OVER (ORDER BY i ROWS BETWEEN 100000 PRECEDING AND CURRENT "
        "ROW EXCLUDE CURRENT "
        "ROW) AS m FROM n)",
    ),
    growing_frames=series(
        200_000,
        "SELECT max(m) FROM (SELECT nth_value(i, 2) OVER (ORDER BY i GROUPS BETWEEN UNBOUNDED PRECEDING "
        "AND 1 "
        "FOLLOWING EXCLUDE TIES) + max(i) OVER (ORDER BY -i RANGE BETWEEN 90000 PRECEDING AND 90000 "
        "FOLLOWING) AS m FROM n)",
    ),
    correlated=series(100_000, "SELECT max((SELECT count(*) FROM n b WHERE b.i % 7 < a.i)) FROM n a"),
    instr_in_one_step=f"SELECT instr({FULL}, {HALF} || 'b')",
    replace_in_one_step=f"SELECT length(replace({FULL}, {HALF} || 'b', ''))",
    trim_in_one_step=f"SELECT length(trim({FULL}, printf('%.*c', 100000, 'b') || 'a'))",
    replace_again_and_again=endless(f"SELECT sum(length(replace({FULL}, 'a', char(i % 90 + 33)))) FROM n"),
    printf_again_and_again=endless("SELECT sum(length(printf('%.*c', 900000, 'a'))) FROM n"),
    formatting_numbers=endless("SELECT max(length(format('%,.300f', i * 1e300))) FROM n"),
    json_again_and_again=endless("SELECT sum(json_array_length(json_array(i, i, json_array(i)))) FROM n"),
    dates_again_and_again=endless("SELECT max(strftime('%Y-%m-%d %H:%M:%S', i, 'unixepoch', '+1 month')) FROM n"),
)

# Each wants more memory than there is, or enough time; which it meets first depends on the machine.
MEMORY: Final = bombs(
    sorting_giants=series(2000, f"SELECT substr(x, 1, 1) FROM (SELECT i || {FULL} AS x FROM n ORDER BY x) LIMIT 1"),
    distinct_giants=series(2000, f"SELECT count(DISTINCT i || {FULL}) FROM n"),
    grouped_giants=series(2000, f"SELECT count(*) FROM (SELECT 1 FROM n GROUP BY i || {FULL})"),
    union_of_giants=series(2000, f"SELECT count(*) FROM (SELECT i || {FULL} FROM n UNION SELECT {HALF} || i FROM n)"),
    materialized_giants=series(
        2000, f", big(x) AS MATERIALIZED (SELECT i || {FULL} FROM n) SELECT max(a.x < b.x) FROM big a, big b"
    ),
    recursion_of_giants=(
        f"WITH RECURSIVE n(i, x) AS (SELECT 1, {FULL} UNION ALL SELECT i + 1, i || substr(x, 9) FROM n "
        "ORDER BY 2) "
        "SELECT max(i) FROM n"
    ),
    recursion_that_remembers=endless("SELECT count(*) FROM n", "UNION"),
    recursion_that_branches=(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i * 2 + column1 FROM n, (VALUES (0), (1))) "
        "SELECT count(*) FROM n"
    ),
    wide_rows=series(
        2000, "SELECT * FROM (SELECT " + ", ".join(f"i || {FULL} AS c{i}" for i in range(90)) + " FROM n ORDER BY 1)"
    ),
    frames_of_giants=series(
        2000,
        "SELECT max(length(y)) FROM (SELECT lag(x, 1500) OVER (ORDER BY i) AS y FROM (SELECT i, i || "
        f"{FULL} AS x FROM n))",
    ),
    sorting_many=endless("SELECT i FROM n ORDER BY i % 1000 LIMIT 5"),
    nested_groups=endless("SELECT i % 10000000, count(*) FROM n GROUP BY 1"),
)

SIZE: Final = too_big(
    printf_width="SELECT length(printf('%.*c', 2147483647, 'a'))",
    replace_that_grows=f"SELECT length(replace({HALF}, 'a', {HALF}))",
    replace_of_replace="SELECT length(" + nested("replace(", "'aa'", ", 'a', 'aaaaaaaa')", 12) + ")",
    concatenation=f"SELECT length({FULL} || {FULL})",
    concatenation_of_twenty="SELECT length(" + " || ".join([HALF] * 20) + ")",
    doubled_text="WITH RECURSIVE n(x) AS (SELECT 'a' UNION ALL SELECT x || x FROM n) SELECT max(length(x)) FROM n",
    doubled_blob=(
        "WITH RECURSIVE n(x) AS (SELECT x'00' UNION ALL SELECT CAST(quote(x) AS BLOB) FROM n) "
        "SELECT max(length(x)) FROM n"
    ),
    group_concat_that_grows=series(1000, f"SELECT length(group_concat({HALF})) FROM n"),
    group_concat_in_windows=series(
        1000, f"SELECT max(length(s)) FROM (SELECT group_concat({HALF}) OVER (ORDER BY i) AS s FROM n)"
    ),
    json_that_grows=series(1000, f"SELECT length(json_group_array({HALF})) FROM n"),
    json_object_that_grows=series(1000, f"SELECT length(json_group_object(i, {HALF})) FROM n"),
    json_array_of_giants=f"SELECT length(json_array({', '.join([FULL] * 19)}))",
    json_that_is_deep="SELECT * FROM json_tree(replace(printf('%.*c', 500000, 'a'), 'a', '['))",
    json_that_is_balanced=(
        "SELECT count(*) FROM json_tree(replace(printf('%.*c', 400000, 'a'), 'a', '[') || "
        "replace(printf('%.*c', 400000, 'a'), 'a', ']'))"
    ),
    parentheses="SELECT " + nested("(", "1", ")", 9_900),
    parentheses_with_signs="SELECT " + nested("(-", "1", ")", 6_000),
    negations="SELECT " + "NOT " * 4_900 + "1",
    minuses="SELECT " + "- " * 9_900 + "1",
    complements="SELECT " + "~" * 19_900 + "1",
    additions="SELECT " + "+".join(["1"] * 9_900),
    concatenations="SELECT " + "||".join(["''"] * 4_900),
    comparisons="SELECT title FROM tasks WHERE " + " OR ".join([f"no = {i}" for i in range(1_500)]),
    cases="SELECT " + nested("CASE WHEN 1 THEN ", "1", " END", 800),
    functions="SELECT " + nested("abs(", "1", ")", 3_900),
    subqueries="SELECT * FROM " + nested("(SELECT * FROM ", "tasks", ")", 1_200),
    scalars="SELECT " + nested("(SELECT ", "1", ")", 2_000),
    unions=" UNION ALL ".join(["SELECT 1"] * 1_000),
    columns="SELECT " + ", ".join(["1"] * 6_000),
    columns_by_stars="SELECT " + ", ".join(["*"] * 300) + " FROM tasks",
    groups="SELECT 1 FROM tasks GROUP BY " + ", ".join(f"no + {i}" for i in range(1_500)),
    orders="SELECT 1 FROM tasks ORDER BY " + ", ".join(f"no + {i}" for i in range(1_500)),
    arguments="SELECT coalesce(" + ", ".join(["NULL"] * 3_000) + ")",
    joins="SELECT 1 FROM " + ", ".join(f"me m{i}" for i in range(900)),
    pattern=f"SELECT title LIKE '{'%a' * 4_000}' FROM tasks",
    glob_pattern=f"SELECT title GLOB '{'*a' * 4_000}' FROM tasks",
    tables_in_tables=doubling(40, "SELECT 1 AS x", "SELECT a.x FROM {0} a, {0} b"),
    unions_of_unions=doubling(40, "SELECT 1 AS x", "SELECT x FROM {0} UNION ALL SELECT x FROM {0}"),
    scalars_of_scalars=doubling(30, "SELECT 1 AS x", "SELECT (SELECT max(x) FROM {0}) + (SELECT min(x) FROM {0}) AS x"),
    stars_of_stars=doubling(30, "SELECT * FROM tasks", "SELECT * FROM {0} a NATURAL JOIN {0} b"),
    too_long="SELECT 1 -- " + "x" * 20_000,
)

CHEAP: Final = harmless(
    like=f"SELECT {FULL} LIKE '{'%a' * 29}b'",
    like_that_ignores_case=f"SELECT upper({FULL}) LIKE '{'%a_' * 19}b'",
    glob=f"SELECT {FULL} GLOB '{'*a' * 29}b'",
    glob_of_sets=f"SELECT {FULL} GLOB '{'*[a-c]' * 9}b'",
    printf_field="SELECT printf('%2000000000d', 1)",
    printf_stars="SELECT printf('%*.*d', 2147483647, 2147483647, 1)",
    printf_precision="SELECT printf('%.2000000000f', 1.0)",
    printf_repeated="SELECT length(printf('" + "%0999999d" * 200 + "', 1))",
    expressions_of_expressions=doubling(40, "SELECT no AS x FROM tasks", "SELECT x + x AS x FROM {0}"),
    endless_rows=endless("SELECT i FROM n"),
    endless_giants=endless(f"SELECT i || {FULL} FROM n"),
    endless_giants_in_columns=endless(f"SELECT {FULL}, {FULL}, {FULL}, {FULL}, i FROM n"),
    rows_without_end_or_order="SELECT title FROM tasks LIMIT -1 OFFSET -1",
    giant_limit="SELECT title FROM tasks LIMIT 9223372036854775807 OFFSET 9223372036854775807",
    long_list="SELECT title FROM tasks WHERE no IN (" + ", ".join(map(str, range(3_000))) + ")",
    many_values="VALUES " + ", ".join(["(1)"] * 3_900),
    longest_comment="SELECT 1 /*" + "x" * 19_000 + "*/",
    longest_string="SELECT length('" + "x" * 19_000 + "')",
    longest_name='SELECT 1 AS "' + "x" * 19_000 + '"',
    long_names_of_many_columns='WITH z AS (SELECT 1 AS "'
    + "x" * 17_000
    + '") SELECT '
    + ", ".join(f"a{i}.*" for i in range(60))
    + " FROM "
    + ", ".join(f"z a{i}" for i in range(60)),
    control_names_of_many_columns='WITH z AS (SELECT 1 AS "'
    + "\x01" * 17_000
    + '") SELECT '
    + ", ".join(f"a{i}.*" for i in range(60))
    + " FROM "
    + ", ".join(f"z a{i}" for i in range(60)),
    hundred_long_names="SELECT " + ", ".join(f'{i} AS "{i:0180d}"' for i in range(100)),
    sixty_joins="SELECT count(*) FROM " + ", ".join(f"me m{i}" for i in range(60)),
    planner="SELECT count(*) FROM "
    + ", ".join(f"me m{i}" for i in range(40))
    + " WHERE "
    + " AND ".join(f"m{i}.today = m{i + 1}.today" for i in range(39)),
    giant_json="SELECT sum(value) FROM json_each('[' || replace(printf('%.*c', 300000, '1'), '1', '1,') || '1]')",
    giant_lag="SELECT lag(title, 9223372036854775807) OVER () FROM tasks",
    giant_tiles="SELECT ntile(9223372036854775807) OVER () FROM tasks",
    giant_dates="SELECT date('2026-11-20', '+9999999999999 years'), date(1e300), strftime('%Y', -1e18)",
    giant_rounding="SELECT round(1e308, 2147483647), round(-1.5, -9223372036854775808)",
    giant_substring="SELECT substr(title, -9223372036854775808, 9223372036854775807) FROM tasks",
    giant_replace="SELECT replace(title, '', 'x'), replace('', '', '') FROM tasks",
)

BOMBS: Final = (*TIME, *MEMORY, *SIZE, *CHEAP)
