"""Every construction of a statement that people may use."""

from typing import Final

from tests.mcp_server.snapshot.honest_sql import Honest, Rows, numbers, same
from tests.mcp_server.snapshot.sql_stage import Stage, first, last, tally


def titles(stage: Stage, *, reverse: bool = False) -> Rows:
    return sorted(([task.title] for task in stage.tasks), reverse=reverse)


SHAPES: Final = (
    Honest("trailing semicolon", "SELECT count(*) FROM tasks;", lambda s: [[len(s.tasks)]]),
    Honest("semicolon and blanks", "SELECT count(*) FROM tasks ; \n\t ", lambda s: [[len(s.tasks)]]),
    Honest("comment behind", "SELECT count(*) FROM tasks -- how many?", lambda s: [[len(s.tasks)]]),
    Honest(
        "comment behind a semicolon",
        "SELECT count(*) FROM tasks; -- how many?\n/* that is all */",
        lambda s: [[len(s.tasks)]],
    ),
    Honest(
        "comments before", "-- how many?\n/* all;\nof them */ SELECT count(*) FROM tasks", lambda s: [[len(s.tasks)]]
    ),
    Honest("comments between", "SELECT/* a */count(*)--b\nFROM/**/tasks", lambda s: [[len(s.tasks)]]),
    Honest("lower case", "select count(*) from tasks where status = 'open'", lambda s: [[len(s.open)]]),
    Honest("names in capitals", "SELECT COUNT(*) FROM TASKS WHERE STATUS = 'open'", lambda s: [[len(s.open)]]),
    Honest(
        "quoted names",
        'SELECT "no" AS "the number" FROM "tasks" AS "t" WHERE "t"."no" < 3 ORDER BY "the number"',
        lambda _: [[1], [2]],
    ),
    Honest("bracketed names", "SELECT [no] FROM [tasks] WHERE [no] < 3 ORDER BY 1", lambda _: [[1], [2]]),
    Honest("backticked names", "SELECT `no` FROM `tasks` WHERE `no` < 3 ORDER BY 1", lambda _: [[1], [2]]),
    Honest(
        "names in every script",
        'SELECT no AS größe, no AS "数", no AS "a b;c" FROM tasks WHERE no = 1',
        lambda _: [[1, 1, 1]],
    ),
    Honest(
        "everything of one",
        "SELECT * FROM tags WHERE task = 'T1' ORDER BY tag",
        lambda s: [[t.id, tag] for t, tag in s.tags if t.no == 1],
    ),
    Honest(
        "everything of a table",
        "SELECT d.* FROM deps AS d ORDER BY 1, 2",
        lambda s: sorted([t.id, b] for t in s.tasks for b in t.blocked_by),
    ),
    Honest("values", "VALUES (1, 'a'), (2, NULL)", lambda _: [[1, "a"], [2, None]]),
    Honest(
        "values as a table",
        "WITH v(p, word) AS (VALUES (1, 'high'), (4, 'low')) SELECT word, count(*) FROM v JOIN tasks t "
        "ON t.priority = v.p GROUP BY word ORDER BY 1",
        lambda s: [["high", sum(t.priority == 1 for t in s.tasks)], ["low", sum(t.priority == 4 for t in s.tasks)]],
    ),
    Honest("parentheses around a subquery", "SELECT * FROM ((SELECT no FROM tasks WHERE no = 2))", lambda _: [[2]]),
    Honest(
        "order by position",
        "SELECT priority, no FROM tasks ORDER BY 1 DESC, 2",
        lambda s: [[t.priority, t.no] for t in sorted(s.tasks, key=lambda t: (-t.priority, t.no))],
    ),
    Honest(
        "order by alias",
        "SELECT no * -1 AS minus FROM tasks ORDER BY minus LIMIT 3",
        lambda s: [[-t.no] for t in reversed(s.tasks)][:3],
    ),
    Honest(
        "order by expression",
        "SELECT no FROM tasks ORDER BY no % 7, no",
        lambda s: sorted(([t.no] for t in s.tasks), key=lambda r: (r[0] % 7, r[0])),
    ),
    Honest(
        "order by case",
        "SELECT DISTINCT status FROM tasks ORDER BY CASE status WHEN 'open' THEN 0 WHEN 'done' THEN 1 ELSE 2 END",
        lambda _: [["open"], ["done"], ["cancelled"]],
    ),
    Honest(
        "nulls first",
        "SELECT no FROM tasks ORDER BY due NULLS FIRST, no",
        lambda s: [[t.no] for t in sorted(s.tasks, key=lambda t: (first(t.due), t.no))],
    ),
    Honest(
        "nulls last",
        "SELECT no FROM tasks ORDER BY due ASC NULLS LAST, no",
        lambda s: [[t.no] for t in sorted(s.tasks, key=lambda t: (last(t.due), t.no))],
    ),
    Honest("order of letters", "SELECT title FROM tasks ORDER BY title", titles),
    Honest(
        "order of letters backwards", "SELECT title FROM tasks ORDER BY title DESC", lambda s: titles(s, reverse=True)
    ),
    Honest(
        "order without case",
        "SELECT title FROM tasks WHERE title LIKE 'buy%' ORDER BY title COLLATE NOCASE, no",
        lambda s: [
            [t.title]
            for t in sorted(s.tasks, key=lambda t: (t.title.lower(), t.no))
            if t.title.lower().startswith("buy")
        ],
    ),
    Honest("limit", "SELECT no FROM tasks ORDER BY no LIMIT 4", lambda _: [[n] for n in range(1, 5)]),
    Honest(
        "limit and offset", "SELECT no FROM tasks ORDER BY no LIMIT 4 OFFSET 10", lambda _: [[n] for n in range(11, 15)]
    ),
    Honest(
        "offset with a comma", "SELECT no FROM tasks ORDER BY no LIMIT 10, 4", lambda _: [[n] for n in range(11, 15)]
    ),
    Honest(
        "distinct",
        "SELECT DISTINCT list, priority FROM tasks ORDER BY 1, 2",
        lambda s: sorted(map(list, {(t.list, t.priority) for t in s.tasks})),
    ),
    Honest("no rows", "SELECT no, title FROM tasks WHERE no < 0", lambda _: []),
    Honest(
        "having",
        "SELECT list FROM tasks GROUP BY list HAVING count(*) > 10 ORDER BY 1",
        lambda s: [[name] for name, n in tally(t.list for t in s.tasks) if n > 10],
    ),
    Honest(
        "row values",
        "SELECT no FROM tasks WHERE (status, priority) = ('open', 1) ORDER BY no",
        lambda s: numbers([t for t in s.open if t.priority == 1]),
    ),
    Honest(
        "row values in a list",
        "SELECT no FROM tasks WHERE (list, status) IN (VALUES ('Work', 'open'), ('Home', 'done')) ORDER BY no",
        lambda s: numbers([t for t in s.tasks if (t.list, t.status) in {("Work", "open"), ("Home", "done")}]),
    ),
    Honest("between", "SELECT no FROM tasks WHERE no BETWEEN 5 AND 7 ORDER BY no", lambda _: [[5], [6], [7]]),
    Honest(
        "not in",
        "SELECT no FROM tasks WHERE priority NOT IN (1, 2, 3) ORDER BY no",
        lambda s: numbers([t for t in s.tasks if t.priority == 4]),
    ),
    Honest(
        "is distinct",
        "SELECT count(*) FROM tasks WHERE due IS NOT done_date",
        lambda s: [[sum(t.due != t.done_date for t in s.tasks)]],
    ),
    Honest(
        "union",
        "SELECT list FROM tasks UNION SELECT tag FROM tags ORDER BY 1",
        lambda s: sorted([n] for n in {t.list for t in s.tasks} | {tag for _, tag in s.tags}),
    ),
    Honest(
        "union all",
        "SELECT count(*) FROM (SELECT id FROM tasks UNION ALL SELECT task FROM tags)",
        lambda s: [[len(s.tasks) + len(s.tags)]],
    ),
    Honest(
        "intersect",
        "SELECT id FROM tasks WHERE status = 'open' INTERSECT SELECT task FROM tags ORDER BY id",
        lambda s: sorted([t.id] for t in s.open if t.tags),
    ),
    Honest(
        "except",
        "SELECT id FROM tasks EXCEPT SELECT task FROM tags ORDER BY id",
        lambda s: sorted([t.id] for t in s.tasks if not t.tags),
    ),
    Honest("cross join", "SELECT count(*) FROM tasks a CROSS JOIN tasks b", lambda s: [[len(s.tasks) ** 2]]),
    Honest(
        "join using",
        "SELECT count(*) FROM tags JOIN comments USING (task)",
        lambda s: [[sum(len(t.tags) * len(t.comments) for t in s.tasks)]],
    ),
    Honest(
        "natural join",
        "SELECT count(*) FROM tags NATURAL JOIN deps",
        lambda s: [[sum(len(t.tags) * len(t.blocked_by) for t in s.tasks)]],
    ),
    Honest(
        "left join",
        "SELECT l.name, count(t.id) FROM lists l LEFT JOIN tasks t ON t.list = l.name WHERE l.parent IS "
        "NULL GROUP BY l.name ORDER BY 1",
        lambda s: [[name, sum(t.list == name for t in s.tasks)] for name in ("Home", "Inbox", "Old", "Work")],
    ),
    Honest(
        "right join",
        "SELECT count(*) FROM tags g RIGHT JOIN tasks t ON g.task = t.id",
        lambda s: [[sum(max(1, len(t.tags)) for t in s.tasks)]],
    ),
    Honest(
        "full join",
        "SELECT count(*) FROM deps d FULL JOIN tags g ON g.task = d.task",
        lambda s: [[sum(len(t.tags) * len(t.blocked_by) or len(t.tags) + len(t.blocked_by) for t in s.tasks)]],
    ),
    Honest(
        "exists",
        "SELECT no FROM tasks t WHERE EXISTS (SELECT 1 FROM comments c WHERE c.task = t.id) ORDER BY no",
        lambda s: numbers([t for t in s.tasks if t.comments]),
    ),
    Honest(
        "scalar subquery",
        "SELECT no, (SELECT count(*) FROM tags g WHERE g.task = t.id) FROM tasks t ORDER BY no",
        lambda s: [[t.no, len(t.tags)] for t in s.tasks],
    ),
    Honest(
        "several ctes",
        "WITH a AS (SELECT no FROM tasks WHERE status = 'open'), b AS (SELECT no FROM a WHERE no > 30) "
        "SELECT (SELECT count(*) FROM a), (SELECT count(*) FROM b)",
        lambda s: [[len(s.open), sum(t.no > 30 for t in s.open)]],
    ),
    Honest(
        "cte whose columns nobody reads",
        "WITH x AS (SELECT * FROM tasks) SELECT count(*) FROM x",
        lambda s: [[len(s.tasks)]],
    ),
    Honest(
        "materialized cte",
        "WITH a AS MATERIALIZED (SELECT no FROM tasks), b AS NOT MATERIALIZED (SELECT no FROM a) SELECT "
        "count(*) FROM b",
        lambda s: [[len(s.tasks)]],
    ),
    same(
        "series",
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 5) SELECT i, i * i FROM n",
        [1, 1],
        [2, 4],
        [3, 9],
        [4, 16],
        [5, 25],
    ),
    same(
        "series with a limit",
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 3) SELECT i FROM n",
        [1],
        [2],
        [3],
    ),
    same(
        "fibonacci",
        "WITH RECURSIVE f(a, b) AS (SELECT 0, 1 UNION ALL SELECT b, a + b FROM f WHERE b < 50) SELECT "
        "group_concat(a, ' ') FROM f",
        ["0 1 1 2 3 5 8 13 21 34"],
    ),
    Honest(
        "grouping by a case",
        "SELECT CASE WHEN days_open > 30 THEN 'old' WHEN days_open > 7 THEN 'middle' ELSE 'new' END AS "
        "age, count(*) FROM tasks GROUP BY age ORDER BY age",
        lambda s: tally("old" if t.days_open > 30 else "middle" if t.days_open > 7 else "new" for t in s.tasks),
    ),
    Honest(
        "conditional sums",
        "SELECT sum(CASE WHEN status = 'done' THEN 1 ELSE 0 END), total(status = 'open') FROM tasks",
        lambda s: [[len(s.finished), float(len(s.open))]],
    ),
    Honest(
        "window with a filter",
        "SELECT DISTINCT list, count(*) FILTER (WHERE status = 'open') OVER (PARTITION BY list) FROM "
        "tasks ORDER BY list",
        lambda s: [[name, sum(t.list == name for t in s.open)] for name in sorted({t.list for t in s.tasks})],
    ),
    Honest(
        "frames by range",
        "SELECT DISTINCT priority, count(*) OVER (ORDER BY priority RANGE BETWEEN 1 PRECEDING AND "
        "CURRENT ROW) FROM tasks ORDER BY 1",
        lambda s: [[p, sum(p - 1 <= t.priority <= p for t in s.tasks)] for p in sorted({t.priority for t in s.tasks})],
    ),
    Honest(
        "cumulative distribution",
        "SELECT DISTINCT priority, cume_dist() OVER (ORDER BY priority) FROM tasks ORDER BY 1",
        lambda s: [
            [p, sum(t.priority <= p for t in s.tasks) / len(s.tasks)] for p in sorted({t.priority for t in s.tasks})
        ],
    ),
    Honest(
        "percent rank",
        "SELECT DISTINCT priority, percent_rank() OVER (ORDER BY priority) FROM tasks ORDER BY 1",
        lambda s: [
            [p, sum(t.priority < p for t in s.tasks) / (len(s.tasks) - 1)]
            for p in sorted({t.priority for t in s.tasks})
        ],
    ),
    Honest(
        "second value",
        "SELECT DISTINCT nth_value(no, 2) OVER (ORDER BY no ROWS BETWEEN UNBOUNDED PRECEDING AND "
        "UNBOUNDED FOLLOWING) FROM tasks",
        lambda _: [[2]],
    ),
)
