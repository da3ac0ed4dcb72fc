"""References: `T12`, `12`, `#12` or an exact title become rows of the caller's own space, or a sentence that helps."""

import re
from collections.abc import Sequence, Set
from typing import Final

from sqlalchemy import or_, select

from mcp_server.tasks.rows import COLUMNS, as_task
from mcp_server.tasks.spaces import Space
from mcp_server.tasks.tables import tasks
from mcp_server.tasks.task import Status, Task
from mcp_server.tasks.words import closest, fold, title_pattern
from shared.db import Tx
from shared.errors import Problem

NUMBER: Final = re.compile(r"[Tt#]?(\d{1,15})")
CANDIDATES: Final = 1_000


async def read_refs(tx: Tx, space: Space, refs: Sequence[str]) -> tuple[Task, ...]:
    """The task of every reference, in order and each once; one unknown reference fails them all.

    Another person's number, a purged task and a number that never existed get the same answer.
    """
    names = [ref.strip() for ref in refs]
    numbers = {int(found[1]) for name in names if (found := NUMBER.fullmatch(name))}
    titles = sorted({title_pattern(name) for name in names if not NUMBER.fullmatch(name)})
    rows = await tx.all(
        select(*COLUMNS, tasks.c.deleted_us)
        .where(tasks.c.space_id == space.id)
        .where(or_(tasks.c.no.in_(numbers), *(tasks.c.search.like(title, escape="\\") for title in titles)))
        .order_by(tasks.c.no)
    )
    living = [as_task(row) for row in rows if row.deleted_us is None]
    trash = {as_task(row).no for row in rows if row.deleted_us is not None}
    picked = [await _pick(tx, space, name, living, trash) for name in names]
    return tuple({task.no: task for task in picked}.values())


async def _pick(tx: Tx, space: Space, ref: str, living: Sequence[Task], trash: Set[int]) -> Task:
    if number := NUMBER.fullmatch(ref):
        matching = [task for task in living if task.no == int(number[1])]
        if not matching and int(number[1]) in trash:
            raise Problem("in_trash", f"T{number[1]} is in the trash", "choose another task")
    else:
        same = [task for task in living if fold(task.title) == fold(ref)]
        matching = [task for task in same if task.status is Status.OPEN] or same
    if len(matching) > 1:
        named = ", ".join(f"{task.ref} {task.title[:60]}" for task in matching[:5])
        raise Problem("ambiguous_ref", f'"{ref[:40]}" is {named}', "use the id")
    if not matching:
        raise await _unknown(tx, space, ref)
    return matching[0]


async def _unknown(tx: Tx, space: Space, ref: str) -> Problem:
    titles = await tx.all(
        select(tasks.c.no, tasks.c.title)
        .where(tasks.c.space_id == space.id, tasks.c.deleted_us.is_(None), tasks.c.status == Status.OPEN)
        .order_by(tasks.c.updated_us.desc())
        .limit(CANDIDATES)
    )
    by_title = {row.title: row.no for row in titles}
    near = ", ".join(f"T{by_title[title]} {title[:60]}" for title in closest(ref, by_title))
    closest_words = f" Closest: {near}." if near else ""
    return Problem("unknown_ref", f'no task "{ref[:40]}".{closest_words}', "use an id from tasks_find")
