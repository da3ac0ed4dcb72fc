"""References: `T12`, `12`, `#12`, `ann:T12` or an exact title become tasks the caller sees, or a sentence that helps.

Another person's number, a purged task and a number that never existed get the same answer.
"""

import re
from collections.abc import Iterable, Sequence
from typing import Final

from sqlalchemy import and_, or_, select

from mcp_server.tasks.rows import COLUMNS, as_task
from mcp_server.tasks.sight import Area, Sight
from mcp_server.tasks.tables import tasks
from mcp_server.tasks.task import Status, Task
from mcp_server.tasks.words import closest, fold, title_pattern
from shared.db import Tx
from shared.errors import Problem

NUMBER: Final = re.compile(r"\s*(?:[Tt]|#)?(\d{1,15})\s*", re.ASCII)
CANDIDATES: Final = 1_000


def split_alias(sight: Sight, ref: str) -> tuple[Area, str]:
    """Whose task a reference means, and what is left of it. `ann:` counts where ann shares something."""
    alias, colon, rest = ref.partition(":")
    if colon:
        for area in sight.shared:
            if fold(area.alias) == fold(alias):
                return area, rest.strip()
    return sight.own, ref.strip()


async def read_refs(tx: Tx, sight: Sight, refs: Sequence[str], *, trash: bool = False) -> tuple[Task, ...]:
    """The task of every reference, in order and each once; one unknown reference fails them all."""
    found = await resolve_refs(tx, sight, refs, trash=trash)
    return tuple({(task.space_id, task.no): task for task in map(found.__getitem__, refs)}.values())


async def resolve_refs(tx: Tx, sight: Sight, refs: Sequence[str], *, trash: bool = False) -> dict[str, Task]:
    """Which task each reference means, in one statement.

    What lies in the trash is found by its number, and refused as `in_trash` unless `trash` is asked for.
    """
    if not refs:
        return {}
    meant = {ref: split_alias(sight, ref) for ref in refs}
    conditions = []
    for area in {area.space.id: area for area, _ in meant.values()}.values():
        names = [name for owner, name in meant.values() if owner is area]
        numbers = sorted({int(found[1]) for name in names if (found := NUMBER.fullmatch(name))})
        titles = sorted({title_pattern(name) for name in names if not NUMBER.fullmatch(name)})
        which = [tasks.c.search.like(title, escape="\\") for title in titles]
        conditions.append(and_(area.rows(), or_(tasks.c.no.in_(numbers), *which)))
    rows = await tx.all(select(*COLUMNS).where(or_(*conditions)).order_by(tasks.c.space_id, tasks.c.no))
    read = [as_task(row) for row in rows]
    picked = {}
    for ref, (area, name) in meant.items():
        candidates = [task for task in read if task.space_id == area.space.id]
        picked[ref] = _picked(area, name, candidates, trash=trash) or await _refuse(tx, area, name, ref)
    return picked


def _picked(area: Area, name: str, candidates: Iterable[Task], *, trash: bool) -> Task | None:
    if number := NUMBER.fullmatch(name):
        found = next((task for task in candidates if task.no == int(number[1])), None)
        if found is not None and found.deleted_us is not None and not trash:
            hint = f'bring it back with tasks_delete(refs=["{area.label(f"T{found.no}")}"], restore=true)'
            raise Problem("in_trash", f"{area.label(f'T{found.no}')} is in the trash", hint)
        return found
    same = [task for task in candidates if fold(task.title) == fold(name)]
    living = [task for task in same if task.deleted_us is None]
    matching = [task for task in living if task.status is Status.OPEN] or living or (same if trash else [])
    if len(matching) > 1:
        named = ", ".join(f"{area.label(f'T{task.no}')} {task.title[:60]}" for task in matching[:5])
        raise Problem("ambiguous_ref", f'"{name[:40]}" is {named}', "use the id")
    return matching[0] if matching else None


async def _refuse(tx: Tx, area: Area, name: str, ref: str) -> Task:
    titles = await tx.all(
        select(tasks.c.no, tasks.c.title)
        .where(area.rows(), tasks.c.deleted_us.is_(None), tasks.c.status == Status.OPEN)
        .order_by(tasks.c.updated_us.desc())
        .limit(CANDIDATES)
    )
    by_title = {row.title: row.no for row in titles}
    near = ", ".join(f"{area.label(f'T{by_title[title]}')} {title[:60]}" for title in closest(name, by_title))
    closest_words = f" Closest: {near}." if near else ""
    raise Problem("unknown_ref", f'no task "{ref[:40]}".{closest_words}', "use an id from tasks_find")
