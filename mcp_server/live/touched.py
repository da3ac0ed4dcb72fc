"""What the journal says was touched between two looks at an area, as far as its reader may see it.

A task is touched with what stands on its page: its comments, its subtasks, who waits for it and for whom it waits.
"""

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from sqlalchemy import BigInteger, Integer, and_, bindparam, case, or_, select, tuple_

from mcp_server.tasks.names import Kind
from mcp_server.tasks.sight import Area
from mcp_server.tasks.tables import changes, comments, deps, tasks
from mcp_server.tasks.task import Status
from shared.db import AnyRow, Tx

ROWS_AT_ONCE: Final = 500


@dataclass(slots=True)
class Touched:
    """What was touched of one area; `everything` where it is not worth while to tell things apart."""

    everything: bool = False
    tasks: set[int] = field(default_factory=set)
    lists: set[int] = field(default_factory=set)

    @property
    def anything(self) -> bool:
        """Whether it was anything at all."""
        return self.everything or bool(self.tasks) or bool(self.lists)


async def read_touched(tx: Tx, was: Area, now: Area) -> Touched:
    """What was touched of an area between its two states.

    Of his own a reader may be told too much, so a long tale is cut short there.
    """
    touched = Touched()
    parents: set[int] = set()
    was_open: dict[int, bool] = {}
    is_open: dict[int, bool] = {}
    after: tuple[int, int] | None = (was.space.rev + 1, 0)
    while after is not None:
        rows = await tx.all(_WRITTEN, {"space": now.space.id, "rev": after[0], "n": after[1]})
        after = (rows[-1].rev, rows[-1].n) if len(rows) == ROWS_AT_ONCE else None
        if now.is_own and after is not None:
            return Touched(everything=True)
        for row in rows:
            if row.kind == "list":
                _add_name(touched, was, now, row)
                continue
            if row.kind == "task":
                was_open.setdefault(row.no, _was_open(row))
                is_open[row.no] = _is_open(row)
            elif row.task_no is None:  # a comment that is gone for good
                continue
            places = {row.list_no, row.list_before, row.list_after} - {None}
            if now.is_own or any(was.may_see(place) or now.may_see(place) for place in places):
                touched.tasks.add(row.task_no)
                touched.lists |= places
                parents |= {row.parent_no, row.parent_before, row.parent_after} - {None}
    flipped = {no for no in is_open if is_open[no] != was_open[no]}
    await _add_near(tx, now, touched, parents, flipped)
    return touched


_TASK_NO: Final = case((changes.c.kind == "comment", comments.c.task_no), else_=changes.c.no)
_COLUMNS: Final = (
    changes.c.rev,
    changes.c.n,
    changes.c.kind,
    changes.c.no,
    changes.c.before.is_(None).label("is_new"),
    _TASK_NO.label("task_no"),
    tasks.c.list_no,
    tasks.c.parent_no,
    tasks.c.status,
    tasks.c.deleted_us,
    changes.c.before["list_no"].as_integer().label("list_before"),
    changes.c.after["list_no"].as_integer().label("list_after"),
    changes.c.before["parent_no"].as_integer().label("parent_before"),
    changes.c.after["parent_no"].as_integer().label("parent_after"),
    changes.c.before["status"].as_integer().label("status_before"),
    changes.c.before["deleted_us"].as_string().label("deleted_before"),
    changes.c.after["deleted_us"].as_string().label("deleted_after"),
)
_WRITTEN: Final = (
    select(*_COLUMNS)
    .outerjoin_from(
        changes,
        comments,
        and_(changes.c.kind == "comment", comments.c.space_id == changes.c.space_id, comments.c.no == changes.c.no),
    )
    .outerjoin(tasks, and_(tasks.c.space_id == changes.c.space_id, tasks.c.no == _TASK_NO))
    .where(
        changes.c.space_id == bindparam("space"),
        changes.c.kind.in_(("task", "comment", "list")),
        tuple_(changes.c.rev, changes.c.n) > tuple_(bindparam("rev", type_=BigInteger), bindparam("n", type_=Integer)),
    )
    .order_by(changes.c.rev, changes.c.n)
    .limit(ROWS_AT_ONCE)
)


def _add_name(touched: Touched, was: Area, now: Area, row: AnyRow) -> None:
    """A name that the reader sees. Whatever has the tag or field is touched with it, unless that is new."""
    for name in (was.names.get(row.no), now.names.get(row.no)):
        match name and name.kind:
            case Kind.LIST:
                touched.lists.add(row.no)
            case Kind.SECTION:
                assert name is not None
                touched.lists |= {row.no, name.parent_no}
            case Kind.TAG | Kind.FIELD if not row.is_new:
                touched.everything = True


def _is_open(row: AnyRow) -> bool:
    return bool(row.status == Status.OPEN and row.deleted_us is None)


def _was_open(row: AnyRow) -> bool:
    """Whether a task was open before the first of its changes; a new one counts as it is now, nobody waited for it."""
    if row.is_new:
        return _is_open(row)
    status = row.status if row.status_before is None else row.status_before
    moved = row.deleted_before is not None or row.deleted_after is not None
    deleted = row.deleted_before if moved else row.deleted_us
    return bool(status == Status.OPEN and deleted is None)


async def _add_near(tx: Tx, area: Area, touched: Touched, parents: Iterable[int], flipped: Collection[int]) -> None:
    """What stands beside these tasks. Whether one is blocked shows in lists, and to who does not see by what."""
    own = frozenset(touched.tasks)
    near, blocked = set(parents), set[int]()
    for some in _portions(own.union(flipped)):
        links = await tx.all(
            select(deps.c.task_no, deps.c.blocked_by)
            .where(deps.c.space_id == area.space.id)
            .where(or_(deps.c.blocked_by.in_(some), deps.c.task_no.in_(own.intersection(some))))
        )
        near |= {link.task_no for link in links} | {link.blocked_by for link in links if link.task_no in own}
        blocked |= {link.task_no for link in links if link.blocked_by in flipped}
    for some in _portions(near - own):
        rows = await tx.all(select(tasks.c.no, tasks.c.list_no).where(area.rows(), tasks.c.no.in_(some)))
        touched.tasks |= {row.no for row in rows}
        touched.lists |= {row.list_no for row in rows if row.no in blocked}


def _portions(numbers: Iterable[int]) -> Iterator[Sequence[int]]:
    ordered = sorted(numbers)
    for start in range(0, len(ordered), ROWS_AT_ONCE):
        yield ordered[start : start + ROWS_AT_ONCE]
