"""Questions about what hangs together: subtasks, and tasks that wait for others."""

from typing import Final

from tests.mcp_server.snapshot.honest_sql import Honest, numbers, ranked
from tests.mcp_server.snapshot.sql_stage import Line, Stage, tally

TREES: Final = (
    Honest(
        "subtasks",
        "SELECT id, subtasks, subtasks_done FROM tasks WHERE subtasks > 0 ORDER BY no",
        lambda s: [[t.id, t.subtasks, t.subtasks_done] for t in s.tasks if t.subtasks],
    ),
    Honest(
        "tree",
        "WITH RECURSIVE tree(id, depth) AS (SELECT id, 0 FROM tasks WHERE parent IS NULL UNION ALL "
        "SELECT t.id, depth + 1 FROM tasks t JOIN tree ON t.parent = tree.id) SELECT depth, count(*) "
        "FROM tree GROUP BY depth ORDER BY depth",
        lambda s: tally(s.depth(t) for t in s.tasks),
    ),
    Honest(
        "deepest",
        "WITH RECURSIVE up(id, parent, n) AS (SELECT id, parent, 0 FROM tasks UNION ALL SELECT up.id, "
        "t.parent, n + 1 FROM up JOIN tasks t ON t.id = up.parent) SELECT max(n) FROM up",
        lambda s: [[max(s.depth(t) for t in s.tasks)]],
    ),
    Honest(
        "below the first",
        "WITH RECURSIVE sub(id, depth) AS (SELECT id, 0 FROM tasks WHERE id = 'T1' UNION ALL SELECT "
        "t.id, depth + 1 FROM tasks t, sub WHERE t.parent = sub.id) SELECT t.no, depth FROM sub JOIN "
        "tasks t USING (id) ORDER BY t.no",
        lambda s: sorted([t.no, depth] for depth, t in subtree(s, s.tasks[0])),
    ),
    Honest(
        "path",
        "WITH RECURSIVE p(id, path) AS (SELECT id, id FROM tasks WHERE parent IS NULL UNION ALL SELECT "
        "t.id, path || ' > ' || t.id FROM tasks t JOIN p ON t.parent = p.id) SELECT path FROM p ORDER BY "
        "path",
        lambda s: sorted([" > ".join(_up(s, t))] for t in s.tasks),
    ),
    Honest(
        "parent and child",
        "SELECT c.no, p.title FROM tasks c JOIN tasks p ON p.id = c.parent ORDER BY c.no",
        lambda s: [[t.no, s.by_id[t.parent].title] for t in s.tasks if t.parent],
    ),
    Honest(
        "ready parents",
        "SELECT no FROM tasks WHERE status = 'open' AND subtasks > 0 AND subtasks = subtasks_done ORDER BY no",
        lambda s: numbers([t for t in s.open if t.subtasks and t.subtasks == t.subtasks_done]),
    ),
    Honest(
        "blocked",
        "SELECT no FROM tasks WHERE blocked = 1 ORDER BY no",
        lambda s: numbers([t for t in s.tasks if t.blocked]),
    ),
    Honest(
        "what blocks",
        "SELECT d.task, b.title FROM deps d JOIN tasks b ON b.id = d.blocked_by WHERE b.status = 'open' "
        "ORDER BY d.task",
        lambda s: sorted([t.id, s.by_id[b].title] for t in s.tasks for b in t.blocked_by if s.by_id[b].is_open),
    ),
    Honest(
        "blocks most",
        "SELECT blocked_by, count(*) FROM deps GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT 3",
        lambda s: ranked(tally(b for t in s.tasks for b in t.blocked_by))[:3],
    ),
    Honest(
        "chains",
        "SELECT a.task, b.blocked_by FROM deps a JOIN deps b ON a.blocked_by = b.task ORDER BY 1, 2",
        lambda s: sorted([t.id, far] for t in s.tasks for near in t.blocked_by for far in s.by_id[near].blocked_by),
    ),
    Honest(
        "chains of any length",
        "WITH RECURSIVE c(task, by) AS (SELECT task, blocked_by FROM deps UNION SELECT c.task, "
        "d.blocked_by FROM c JOIN deps d ON d.task = c.by) SELECT count(*) FROM c",
        lambda s: [[len({(t.id, b) for t in s.tasks for b in _blockers(s, t)})]],
    ),
    Honest(
        "free to start",
        "SELECT no FROM tasks t WHERE status = 'open' AND id NOT IN (SELECT d.task FROM deps d JOIN "
        "tasks b ON b.id = d.blocked_by AND b.status = 'open') ORDER BY no",
        lambda s: numbers([t for t in s.open if not t.blocked]),
    ),
)


def subtree(stage: Stage, top: Line, depth: int = 0) -> list[tuple[int, Line]]:
    """A task and all below it, with their depth."""
    below = [line for line in stage.tasks if line.parent == top.id]
    return [(depth, top), *(found for line in below for found in subtree(stage, line, depth + 1))]


def _up(stage: Stage, task: Line) -> list[str]:
    return [*(_up(stage, stage.by_id[task.parent]) if task.parent else []), task.id]


def _blockers(stage: Stage, task: Line) -> set[str]:
    return {*task.blocked_by, *(far for near in task.blocked_by for far in _blockers(stage, stage.by_id[near]))}
