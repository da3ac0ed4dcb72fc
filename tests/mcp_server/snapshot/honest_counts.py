"""Questions about how many there are of what."""

from typing import Final

from tests.mcp_server.snapshot.honest_sql import Honest, numbers, ranked
from tests.mcp_server.snapshot.sql_stage import TAGS, tally

COUNTS: Final = (
    Honest("all", "SELECT count(*) FROM tasks", lambda s: [[len(s.tasks)]]),
    Honest(
        "by status",
        "SELECT status, count(*) FROM tasks GROUP BY status ORDER BY 1",
        lambda s: tally(t.status for t in s.tasks),
    ),
    Honest(
        "open by list",
        "SELECT list, COUNT(*) AS n FROM tasks WHERE status = 'open' GROUP BY list ORDER BY n DESC, list",
        lambda s: ranked(tally(t.list for t in s.open)),
    ),
    Honest(
        "open by priority",
        "SELECT priority, count(*) FROM tasks WHERE status = 'open' GROUP BY priority ORDER BY priority",
        lambda s: tally(t.priority for t in s.open),
    ),
    Honest(
        "open per tag",
        "SELECT g.tag, count(*) FROM tags g JOIN tasks t ON t.id = g.task WHERE t.status = 'open' GROUP "
        "BY g.tag ORDER BY 1",
        lambda s: tally(tag for t, tag in s.tags if t.is_open),
    ),
    Honest(
        "done per week",
        "SELECT done_week, count(*) FROM tasks WHERE status = 'done' GROUP BY done_week ORDER BY done_week",
        lambda s: tally(t.done_week for t in s.finished),
    ),
    Honest(
        "done per month",
        "select done_month, count(*) from tasks where status = 'done' group by 1 order by 1",
        lambda s: tally(t.done_month for t in s.finished),
    ),
    Honest(
        "completions per week",
        "SELECT done_week, count(*) FROM completions GROUP BY 1 ORDER BY 1",
        lambda s: tally(c.done_week for c in s.completions),
    ),
    Honest(
        "completions of the routine",
        "SELECT task, count(*) FROM completions GROUP BY task HAVING count(*) > 1 ORDER BY task",
        lambda s: [[task, n] for task, n in tally(c.task for c in s.completions) if n > 1],
    ),
    Honest(
        "busiest weekday",
        "SELECT done_weekday, count(*) n FROM tasks WHERE done IS NOT NULL GROUP BY 1 ORDER BY n DESC, 1 LIMIT 1",
        lambda s: ranked(tally(t.done_weekday for t in s.tasks if t.done))[:1],
    ),
    Honest(
        "busiest hours",
        "SELECT done_hour, count(*) FROM tasks WHERE done_hour IS NOT NULL GROUP BY done_hour ORDER BY 2 "
        "DESC, 1 LIMIT 3",
        lambda s: ranked(tally(t.done_hour for t in s.tasks if t.done))[:3],
    ),
    Honest(
        "due by weekday",
        "SELECT due_weekday, count(*) FROM tasks GROUP BY due_weekday ORDER BY 1",
        lambda s: tally(t.due_weekday for t in s.tasks),
    ),
    Honest(
        "due by month",
        "SELECT due_month, count(*) FROM tasks GROUP BY 1 ORDER BY 1",
        lambda s: tally(t.due_month for t in s.tasks),
    ),
    Honest(
        "due by week",
        "SELECT due_week, count(due) FROM tasks WHERE due IS NOT NULL GROUP BY due_week ORDER BY due_week",
        lambda s: tally(t.due_week for t in s.tasks if t.due),
    ),
    Honest(
        "sections",
        "SELECT list, section, count(*) FROM tasks WHERE section IS NOT NULL GROUP BY 1, 2 ORDER BY 1, 2",
        lambda s: [[*key, n] for key, n in tally((t.list, t.section) for t in s.tasks if t.section)],
    ),
    Honest(
        "without a due day",
        "SELECT count(*) - count(due) FROM tasks",
        lambda s: [[sum(t.due is None for t in s.tasks)]],
    ),
    Honest(
        "share done",
        "SELECT round(100.0 * sum(status = 'done') / count(*), 1) FROM tasks",
        lambda s: [[round(100 * len(s.finished) / len(s.tasks) + 1e-9, 1)]],
    ),
    Honest(
        "done and open side by side",
        "SELECT list, count(*) FILTER (WHERE status = 'done') AS done, count(*) FILTER (WHERE status = "
        "'open') AS open FROM tasks GROUP BY list ORDER BY list",
        lambda s: [
            [name, sum(t.list == name for t in s.finished), sum(t.list == name for t in s.open)]
            for name in sorted({t.list for t in s.tasks})
        ],
    ),
    Honest(
        "created per week",
        "SELECT created_week, count(*) FROM tasks GROUP BY created_week ORDER BY created_week",
        lambda s: tally(t.created_week for t in s.tasks),
    ),
    Honest(
        "created in hours",
        "SELECT substr(created, 12, 2) AS hour, count(*) FROM tasks GROUP BY hour ORDER BY hour",
        lambda s: tally(t.created[11:13] for t in s.tasks),
    ),
    Honest(
        "comments per task",
        "SELECT task, count(*) FROM comments GROUP BY task ORDER BY task",
        lambda s: tally(t.id for t in s.tasks for _ in t.comments),
    ),
    Honest(
        "most talked about",
        "SELECT id, comments FROM tasks WHERE comments > 0 ORDER BY comments DESC, no LIMIT 5",
        lambda s: [
            [t.id, len(t.comments)] for t in sorted(s.tasks, key=lambda t: (-len(t.comments), t.no)) if t.comments
        ][:5],
    ),
    Honest(
        "tags per task",
        "SELECT t.no, count(g.tag) FROM tasks t LEFT JOIN tags g ON g.task = t.id GROUP BY t.no ORDER BY t.no",
        lambda s: [[t.no, len(t.tags)] for t in s.tasks],
    ),
    Honest(
        "tag pairs",
        "SELECT a.tag, b.tag, count(*) FROM tags a JOIN tags b ON a.task = b.task AND a.tag < b.tag "
        "GROUP BY 1, 2 ORDER BY 1, 2",
        lambda s: [[*pair, n] for pair, n in tally((a, b) for t in s.tasks for a in t.tags for b in t.tags if a < b)],
    ),
    Honest(
        "untagged",
        "SELECT no FROM tasks WHERE tags IS NULL OR tags = '' ORDER BY no",
        lambda s: numbers([t for t in s.tasks if not t.tags]),
    ),
    Honest(
        "untagged by absence",
        "SELECT no FROM tasks t WHERE NOT EXISTS (SELECT 1 FROM tags WHERE task = t.id) ORDER BY no",
        lambda s: numbers([t for t in s.tasks if not t.tags]),
    ),
    Honest(
        "with both tags",
        "SELECT t.no FROM tasks t JOIN tags g ON g.task = t.id WHERE g.tag IN ('errand', 'phone') GROUP "
        "BY t.no HAVING count(DISTINCT g.tag) = 2 ORDER BY 1",
        lambda s: numbers([t for t in s.tasks if {"errand", "phone"} <= set(t.tags)]),
    ),
    Honest("all tags", "SELECT DISTINCT tag FROM tags ORDER BY tag", lambda _: [[tag] for tag in TAGS]),
    Honest(
        "lists",
        "SELECT name, parent, archived FROM lists WHERE owner = 'me' ORDER BY parent NULLS FIRST, name",
        lambda _: [
            ["Home", None, 0],
            ["Inbox", None, 0],
            ["Old", None, 1],
            ["Work", None, 0],
            ["Build", "Work", 0],
            ["Design", "Work", 0],
        ],
    ),
    Honest(
        "open in lists",
        "SELECT name, open, done FROM lists WHERE parent IS NULL ORDER BY name",
        lambda s: [
            [name, sum(t.list == name for t in s.open), sum(t.list == name for t in s.finished)]
            for name in ("Home", "Inbox", "Old", "Work")
        ],
    ),
    Honest(
        "me",
        "SELECT today, substr(now, 1, 10), tz, week_start, partial FROM me",
        lambda s: [[s.day(0), s.day(0), "Europe/Berlin", "Monday", 0]],
    ),
)
