"""Questions about when: due, done, late, old."""

from datetime import date
from typing import Final

from tests.mcp_server.snapshot.honest_sql import Honest, average_by, numbers
from tests.mcp_server.snapshot.sql_stage import mean, tally, week

TIMES: Final = (
    Honest(
        "overdue",
        "SELECT no FROM tasks WHERE overdue = 1 ORDER BY no",
        lambda s: numbers([t for t in s.tasks if t.overdue]),
    ),
    Honest(
        "overdue by days",
        "SELECT no FROM tasks WHERE status = 'open' AND due < (SELECT today FROM me) ORDER BY no",
        lambda s: numbers([t for t in s.tasks if t.overdue]),
    ),
    Honest(
        "average days late by list",
        "SELECT list, avg(days_late) FROM tasks WHERE status = 'done' GROUP BY list ORDER BY list",
        lambda s: average_by(s.finished, lambda t: t.list, lambda t: t.days_late),
    ),
    Honest(
        "average age by priority",
        "SELECT priority, AVG(days_open) FROM tasks WHERE status = 'open' GROUP BY priority ORDER BY priority",
        lambda s: average_by(s.open, lambda t: t.priority, lambda t: t.days_open),
    ),
    Honest(
        "oldest open",
        "SELECT id, title, days_open FROM tasks WHERE status = 'open' ORDER BY created, no LIMIT 5",
        lambda s: [[t.id, t.title, t.days_open] for t in sorted(s.open, key=lambda t: (t.created, t.no))[:5]],
    ),
    Honest(
        "latest of all",
        "SELECT max(days_late) FROM tasks",
        lambda s: [[max(t.days_late for t in s.tasks if t.days_late is not None)]],
    ),
    Honest(
        "done in time",
        "SELECT count(*) FROM tasks WHERE status = 'done' AND days_late = 0",
        lambda s: [[sum(t.days_late == 0 for t in s.finished)]],
    ),
    Honest(
        "done last seven days",
        "SELECT no FROM tasks WHERE status = 'done' AND done_date > date((SELECT today FROM me), '-7 "
        "days') ORDER BY no",
        lambda s: numbers([t for t in s.finished if (t.done_date or "") > s.day(-7)]),
    ),
    Honest(
        "done this week",
        "SELECT count(*) FROM tasks WHERE status = 'done' AND done_date >= date((SELECT today FROM me), "
        "'-6 days', 'weekday 1')",
        lambda s: [[sum((t.done_date or "") >= s.day(-s.today.weekday()) for t in s.finished)]],
    ),
    Honest(
        "done this month",
        "SELECT count(*) FROM completions, me WHERE done_month = substr(me.today, 1, 7)",
        lambda s: [[sum(c.done_month == s.day(0)[:7] for c in s.completions)]],
    ),
    Honest(
        "done by the start of the month",
        "SELECT count(*) FROM completions WHERE done_date < (SELECT date(today, 'start of month') FROM me)",
        lambda s: [[sum(c.done_date < f"{s.today:%Y-%m}-01" for c in s.completions)]],
    ),
    Honest(
        "due the next two weeks",
        "SELECT no, due FROM tasks WHERE status = 'open' AND due BETWEEN (SELECT today FROM me) AND "
        "(SELECT date(today, '+14 days') FROM me) ORDER BY due, no",
        lambda s: [
            [t.no, t.due]
            for t in sorted(s.open, key=lambda t: (t.due or "", t.no))
            if t.due and s.day(0) <= t.due <= s.day(14)
        ],
    ),
    Honest(
        "days between",
        "SELECT no, CAST(julianday(due) - julianday(created_date) AS INTEGER) FROM tasks WHERE due IS "
        "NOT NULL ORDER BY no",
        lambda s: [
            [t.no, (date.fromisoformat(t.due) - date.fromisoformat(t.created_date)).days] for t in s.tasks if t.due
        ],
    ),
    Honest(
        "days to go",
        "SELECT no, julianday(due) - julianday(today) FROM tasks, me WHERE due > today ORDER BY no",
        lambda s: [
            [t.no, float((date.fromisoformat(t.due) - s.today).days)] for t in s.tasks if t.due and t.due > s.day(0)
        ],
    ),
    Honest(
        "weekend work",
        "SELECT count(*) FROM tasks WHERE done_weekday IN ('Sat', 'Sun')",
        lambda s: [[sum(t.done_weekday in ("Sat", "Sun") for t in s.tasks)]],
    ),
    Honest(
        "year of the week",
        "SELECT DISTINCT substr(done_week, 1, 4) FROM tasks WHERE done_week IS NOT NULL ORDER BY 1",
        lambda s: [[y] for y in sorted({t.done_week[:4] for t in s.tasks if t.done_week})],
    ),
    Honest(
        "week of the day",
        "SELECT no, done_week FROM tasks WHERE done_date IS NOT NULL ORDER BY no",
        lambda s: [[t.no, week(date.fromisoformat(t.done_date))] for t in s.tasks if t.done_date],
    ),
    Honest(
        "quarters",
        "SELECT substr(done_date, 1, 4) || '-Q' || ((substr(done_date, 6, 2) + 2) / 3) AS q, count(*) "
        "FROM tasks WHERE done IS NOT NULL GROUP BY q ORDER BY q",
        lambda s: tally(f"{t.done_date[:4]}-Q{(int(t.done_date[5:7]) + 2) // 3}" for t in s.tasks if t.done_date),
    ),
    Honest(
        "timed",
        "SELECT no, due || ' ' || due_time FROM tasks WHERE due_time IS NOT NULL ORDER BY no",
        lambda s: [[t.no, f"{t.due} {t.due_time}"] for t in s.tasks if t.due_time],
    ),
    Honest(
        "in the morning",
        "SELECT count(*) FROM tasks WHERE due_time < '12:00'",
        lambda s: [[sum((t.due_time or "~") < "12:00" for t in s.tasks)]],
    ),
    Honest(
        "slow ones",
        "SELECT no FROM tasks WHERE status = 'done' AND days_open > (SELECT avg(days_open) FROM tasks "
        "WHERE status = 'done') ORDER BY no",
        lambda s: numbers([t for t in s.finished if t.days_open > (mean([o.days_open for o in s.finished]) or 0)]),
    ),
    Honest(
        "median age",
        "SELECT avg(days_open) FROM (SELECT days_open, row_number() OVER (ORDER BY days_open) AS n, "
        "count(*) OVER () AS c FROM tasks) WHERE n IN ((c + 1) / 2, (c + 2) / 2)",
        lambda s: [[mean(sorted(t.days_open for t in s.tasks)[(len(s.tasks) - 1) // 2 : len(s.tasks) // 2 + 1])]],
    ),
    Honest(
        "estimates by list",
        "SELECT list, sum(estimate_min) / 60.0 FROM tasks WHERE estimate_min IS NOT NULL GROUP BY list ORDER BY list",
        lambda s: [
            [name, sum(t.estimate_min or 0 for t in s.tasks if t.list == name) / 60]
            for name in sorted({t.list for t in s.tasks if t.estimate_min})
        ],
    ),
    Honest(
        "average lateness of completions",
        "SELECT done_month, avg(days_late) FROM completions GROUP BY done_month ORDER BY 1",
        lambda s: [
            [month, mean([c.days_late for c in s.completions if c.done_month == month])]
            for month in sorted({c.done_month for c in s.completions})
        ],
    ),
    Honest(
        "latest completion per list",
        "SELECT list, max(done) FROM completions GROUP BY list ORDER BY list",
        lambda s: [
            [name, max(c.done for c in s.completions if c.list == name)]
            for name in sorted({c.list for c in s.completions})
        ],
    ),
    Honest(
        "idle days",
        "WITH RECURSIVE days(day) AS (SELECT date((SELECT today FROM me), '-29 days') UNION ALL SELECT "
        "date(day, '+1 day') FROM days WHERE day < (SELECT today FROM me)) SELECT count(*) FROM days "
        "WHERE day NOT IN (SELECT done_date FROM completions)",
        lambda s: [[sum(s.day(-n) not in {c.done_date for c in s.completions} for n in range(30))]],
    ),
    Honest(
        "calendar",
        "WITH RECURSIVE d(day, n) AS (SELECT today, 1 FROM me UNION ALL SELECT date(day, '+1 day'), n + "
        "1 FROM d WHERE n < 10) SELECT day, count(t.id) FROM d LEFT JOIN tasks t ON t.due = d.day AND "
        "t.status = 'open' GROUP BY day ORDER BY day",
        lambda s: [[s.day(n), sum(t.due == s.day(n) for t in s.open)] for n in range(10)],
    ),
)
