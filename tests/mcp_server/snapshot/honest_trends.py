"""Questions about what became of it: totals that run, streaks, ranks, history."""

from datetime import date, timedelta
from itertools import accumulate
from typing import Any, Final

from tests.mcp_server.snapshot.honest_sql import Honest, ranked
from tests.mcp_server.snapshot.sql_stage import Stage, mean, tally

TRENDS: Final = (
    Honest(
        "running total",
        "SELECT done_week, sum(count(*)) OVER (ORDER BY done_week) FROM completions GROUP BY done_week "
        "ORDER BY done_week",
        lambda s: [[one, n] for (one, _), n in zip(weekly(s), accumulate(n for _, n in weekly(s)), strict=True)],
    ),
    Honest(
        "moving average",
        "WITH w AS (SELECT done_week, count(*) AS n FROM completions GROUP BY 1) SELECT done_week, "
        "avg(n) OVER (ORDER BY done_week ROWS BETWEEN 2 PRECEDING AND CURRENT ROW) FROM w ORDER BY 1",
        lambda s: [
            [t[i][0], mean([n for _, n in t[max(0, i - 2) : i + 1]])] for t in [weekly(s)] for i in range(len(t))
        ],
    ),
    Honest(
        "change to the week before",
        "WITH w AS (SELECT done_week, count(*) AS n FROM completions GROUP BY 1) SELECT done_week, n - "
        "lag(n) OVER (ORDER BY done_week) FROM w ORDER BY 1",
        lambda s: [[t[i][0], t[i][1] - t[i - 1][1] if i else None] for t in [weekly(s)] for i in range(len(t))],
    ),
    Honest(
        "longest streak",
        "WITH d AS (SELECT DISTINCT done_date AS day FROM completions), g AS (SELECT julianday(day) - "
        "row_number() OVER (ORDER BY day) AS run FROM d) SELECT max(n) FROM (SELECT count(*) AS n FROM g "
        "GROUP BY run)",
        lambda s: [[streak({date.fromisoformat(c.done_date) for c in s.completions})]],
    ),
    Honest(
        "first of each list",
        "SELECT list, no FROM (SELECT list, no, row_number() OVER (PARTITION BY list ORDER BY created, "
        "no) AS n FROM tasks) WHERE n = 1 ORDER BY list",
        lambda s: [
            [name, min((t for t in s.tasks if t.list == name), key=lambda t: (t.created, t.no)).no]
            for name in sorted({t.list for t in s.tasks})
        ],
    ),
    Honest(
        "two newest of each list",
        "SELECT list, no, n FROM (SELECT list, no, row_number() OVER (PARTITION BY list ORDER BY no "
        "DESC) AS n FROM tasks) WHERE n <= 2 ORDER BY list, n",
        lambda s: [
            [name, t.no, n]
            for name in sorted({t.list for t in s.tasks})
            for n, t in enumerate([t for t in reversed(s.tasks) if t.list == name][:2], 1)
        ],
    ),
    Honest(
        "rank of the late",
        "SELECT no, rank() OVER (ORDER BY days_late DESC) FROM tasks WHERE days_late > 0 ORDER BY days_late DESC, no",
        lambda s: [
            [t.no, 1 + sum((o.days_late or 0) > (t.days_late or 0) for o in s.tasks)]
            for t in sorted(s.tasks, key=lambda t: (-(t.days_late or 0), t.no))
            if t.days_late
        ],
    ),
    Honest(
        "dense rank",
        "SELECT DISTINCT priority, dense_rank() OVER (ORDER BY priority) FROM tasks ORDER BY 1",
        lambda s: [[p, n] for n, p in enumerate(sorted({t.priority for t in s.tasks}), 1)],
    ),
    Honest(
        "quartiles",
        "SELECT q, count(*) FROM (SELECT ntile(4) OVER (ORDER BY days_open) AS q FROM tasks) GROUP BY q ORDER BY q",
        lambda s: [[q, len(s.tasks) // 4] for q in range(1, 5)],
    ),
    Honest(
        "share of the list",
        "SELECT DISTINCT list, count(*) OVER (PARTITION BY list) * 1.0 / count(*) OVER () FROM tasks ORDER BY list",
        lambda s: [[name, n / len(s.tasks)] for name, n in tally(t.list for t in s.tasks)],
    ),
    Honest(
        "first and last value",
        "SELECT DISTINCT first_value(no) OVER w, last_value(no) OVER w FROM tasks WINDOW w AS (ORDER BY "
        "no ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING)",
        lambda s: [[1, len(s.tasks)]],
    ),
    Honest(
        "next in the list",
        "SELECT no, lead(no, 1, 0) OVER (PARTITION BY list ORDER BY no) FROM tasks ORDER BY no",
        lambda s: [[t.no, next((o.no for o in s.tasks if o.list == t.list and o.no > t.no), 0)] for t in s.tasks],
    ),
    Honest(
        "created and done per month",
        "SELECT m, sum(made), sum(ended) FROM (SELECT substr(created, 1, 7) AS m, 1 AS made, 0 AS ended "
        "FROM tasks UNION ALL SELECT done_month, 0, 1 FROM tasks WHERE done IS NOT NULL) GROUP BY m "
        "ORDER BY m",
        lambda s: [
            [m, sum(t.created[:7] == m for t in s.tasks), sum(t.done_month == m for t in s.tasks)]
            for m in sorted({t.created[:7] for t in s.tasks} | {t.done_month for t in s.tasks if t.done_month})
        ],
    ),
    Honest(
        "backlog",
        "SELECT day, sum(sum(n)) OVER (ORDER BY day) FROM (SELECT created_date AS day, 1 AS n FROM tasks "
        "UNION ALL SELECT done_date, -1 FROM tasks WHERE done IS NOT NULL) GROUP BY day ORDER BY day "
        "DESC LIMIT 1",
        lambda s: [
            [max([t.created_date for t in s.tasks] + [t.done_date for t in s.tasks if t.done_date]), len(s.open)]
        ],
    ),
    Honest(
        "history by actor",
        "SELECT actor, count(*) FROM history GROUP BY actor ORDER BY actor",
        lambda s: tally(h["actor"] for h in s.history),
    ),
    Honest(
        "history by field",
        "SELECT field, count(*) FROM history GROUP BY field ORDER BY 2 DESC, 1",
        lambda s: ranked(tally(h["field"] for h in s.history)),
    ),
    Honest(
        "history by tool",
        "SELECT tool, client, agent, count(*) FROM history GROUP BY 1, 2, 3 ORDER BY 1, 2, 3",
        lambda s: [[*key, n] for key, n in tally((h["tool"], h["client"], h["agent"]) for h in s.history)],
    ),
    Honest(
        "operations",
        "SELECT count(DISTINCT op), min(op), max(op) FROM history",
        lambda s: [[len(ops := {h["op"] for h in s.history}), min(ops), max(ops)]],
    ),
    Honest(
        "history of a task",
        "SELECT op, field, after FROM history WHERE task = 'T1' ORDER BY op, field",
        lambda s: sorted([h["op"], h["field"], h["after"]] for h in s.history if h["task"] == "T1"),
    ),
    Honest(
        "changes that took something away",
        "SELECT count(*) FROM history WHERE before IS NOT NULL AND after IS NULL",
        lambda s: [[sum(h["before"] is not None and h["after"] is None for h in s.history)]],
    ),
    Honest(
        "history per day",
        "SELECT date, count(*) FROM history GROUP BY date ORDER BY date",
        lambda s: tally(h["at"][:10] for h in s.history),
    ),
)


def weekly(stage: Stage) -> list[list[Any]]:
    """How much was finished in each week."""
    return tally(one.done_week for one in stage.completions)


def streak(days: set[date]) -> int:
    """The most days in a row."""
    return max(_run(day, days) for day in days)


def _run(day: date, days: set[date]) -> int:
    """How many days in a row end with this one."""
    return 1 + _run(day - timedelta(1), days) if day in days else 0
