"""Finding tasks: a filter in, a page with the exact total out, in one statement; or all matches for a write."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, func, select

from mcp_server.tasks.cursors import Cursors
from mcp_server.tasks.filtering.filters import read_filter
from mcp_server.tasks.finding.orders import Sort, order_of
from mcp_server.tasks.rows import COLUMNS, LINE_COLUMNS, WIDTH, as_task
from mcp_server.tasks.sight import Area, Sight
from mcp_server.tasks.tables import tasks
from mcp_server.tasks.task import Task, TaskPage
from mcp_server.tasks.writing.adding import ROW_LIMIT
from shared.db import AnyRow, Tx
from shared.errors import Problem


async def find(
    tx: Tx,
    sight: Sight,
    text: str,
    *,
    sort: Sort = "smart",
    full: bool = False,
    limit: int,
    cursor: str = "",
    cursors: Cursors,
) -> TaskPage:
    """One page of what a filter matches, and a cursor if there is more; `bad_cursor` is one of another question.

    Pages continue from the last row, not from a count: whoever writes meanwhile, nothing comes twice and nothing that
    stays in its place is left out. Unless `full` is asked for, tasks come without notes and reminders.
    """
    wanted = await read_filter(tx, sight, text)
    order = order_of(sort, wanted)
    own = sight.own.space.id
    question = f"2 {own} {sort} {full} {wanted.tree!r}"
    rev = rev_then = sum(area.space.rev for area in sight.areas)
    columns = COLUMNS if full else LINE_COLUMNS
    page = select(*columns, *order.keys).where(wanted.condition)
    if cursor:
        rev_then, *place = cursors.open(question, cursor)
        page = page.where(order.after(order.read_place(place, own)))
    rows, total = await _page_and_total(
        tx, page.order_by(*order.by).limit(limit + 1), wanted.condition, is_continued=bool(cursor)
    )
    more = len(rows) > limit
    rows = rows[:limit]
    if more:
        cursor = cursors.seal(question, [rev_then, *order.place(rows[-1][WIDTH:-1], own)])
    changed = ("changed since page 1",) if rev_then != rev else ()
    return TaskPage(
        tasks=tuple(as_task(row) for row in rows),
        total=total,
        filter=wanted.text,
        sort=sort,
        cursor=cursor if more else "",
        notes=(*wanted.notes, *changed),
    )


async def matching(
    tx: Tx, sight: Sight, area: Area, text: str, *, trash: bool = False, most: int = ROW_LIMIT
) -> Sequence[Task]:
    """All that a filter matches in one space, in the order of the numbers, for those who change or export it.

    With `trash` the filter ranges over the trash. Raises `too_many` instead of leaving out a part.
    """
    wanted = await read_filter(tx, sight, text, only_trash=trash)
    mine = and_(area.rows(), wanted.condition)
    rows, total = await _page_and_total(tx, select(*COLUMNS).where(mine).order_by(tasks.c.no).limit(most), mine)
    if total > most:
        hint = "narrow the filter, e.g. add list:Work"
        raise Problem("too_many", f"{total:,} tasks match; one write changes at most {most:,}", hint)
    return [as_task(row) for row in rows]


async def _page_and_total(
    tx: Tx, page: Select[Any], matches: ColumnElement[bool], *, is_continued: bool = False
) -> tuple[Sequence[AnyRow], int]:
    total = select(func.count()).select_from(tasks).where(matches)
    rows = await tx.all(page.add_columns(total.correlate(None).scalar_subquery()))
    if rows or not is_continued:
        return rows, rows[0][-1] if rows else 0
    row = await tx.one(total)  # the tasks behind the cursor have gone meanwhile
    return rows, row[0] if row else 0
