"""How a table is gone through that others use: a page at a time, each in a short transaction of its own."""

from collections.abc import Awaitable, Callable
from typing import Any, Final

from sqlalchemy import ColumnElement, Select, Table, and_, delete, func, literal, select, true, tuple_

from gateway.sessions import SELF
from shared.db import AnyRow, Database, Tx

PAGE: Final = 1_000

# Which rows are past their time at this moment, in microseconds.
Rule = Callable[[int], ColumnElement[bool]]
# Does something about the rows of a page, and returns how many they were.
Step = Callable[[Tx, ColumnElement[bool]], Awaitable[int]]


async def each_page(database: Database, table: Table, step: Step, *, write: bool) -> int:
    """Take a step at every page of a table in the order of its key; how many rows that was.

    Where there was a whole page of rows to write, the step is taken again: there may be more of them.
    """
    rest: ColumnElement[bool] = true()
    total = 0
    while True:
        async with database.begin(SELF, write=write) as tx:
            last = await tx.one(select(*key(table)).where(rest).order_by(*key(table)).offset(PAGE - 1).limit(1))
            page = rest if last is None else and_(rest, tuple_(*key(table)) <= _place(table, last))
            count = await step(tx, page)
        total += count
        if write and count >= PAGE:
            continue
        if last is None:
            return total
        rest = tuple_(*key(table)) > _place(table, last)


def deleting(table: Table, rule: Rule, *, may_lock: bool = True) -> Step:
    """Delete the rows of a page that are past their time, but those that somebody has locked.

    A role that may not change rows may not lock any either: then whoever comes second waits for the first.
    """

    async def step(tx: Tx, page: ColumnElement[bool]) -> int:
        if not may_lock:
            return (await tx.execute(delete(table).where(page, rule(tx.now_us)))).rowcount
        return await delete_found(tx, table, select(*key(table)).where(page, rule(tx.now_us)))

    return step


def counting(table: Table, rule: Rule) -> Step:
    """Count the rows of a page that are past their time."""

    async def step(tx: Tx, page: ColumnElement[bool]) -> int:
        return await count_found(tx, select(*key(table)).where(page, rule(tx.now_us)))

    return step


async def delete_found(tx: Tx, table: Table, found: Select[Any]) -> int:
    """Delete at most a page of the rows whose keys are found; nobody is waited for."""
    batch = found.order_by(*key(table)).limit(PAGE).with_for_update(of=table, skip_locked=True)
    return (await tx.execute(delete(table).where(tuple_(*key(table)).in_(batch)))).rowcount


async def count_found(tx: Tx, found: Select[Any]) -> int:
    """How many rows are found."""
    row = await tx.one(select(func.count()).select_from(found.subquery()))
    assert row is not None
    return int(row[0])


def key(table: Table) -> tuple[ColumnElement[Any], ...]:
    """The columns of a table's key in their order."""
    return tuple(table.primary_key.columns)


def _place(table: Table, row: AnyRow) -> ColumnElement[Any]:
    return tuple_(*(literal(value, column.type) for value, column in zip(row, key(table), strict=True)))
