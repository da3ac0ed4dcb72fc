"""Comments: words beside a task, each with its author."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Select, bindparam, insert, select, update

from mcp_server.tasks.sight import Area
from mcp_server.tasks.spaces import space_of
from mcp_server.tasks.tables import comments
from mcp_server.tasks.writing.journal import Op, in_portions
from shared.db import Tx


@dataclass(frozen=True, slots=True)
class Comment:
    """One comment."""

    no: int
    task_no: int
    author: str
    body: str
    created_us: int
    deleted_us: int | None = None


_COLUMNS: Final = (
    comments.c.no,
    comments.c.task_no,
    comments.c.author,
    comments.c.body,
    comments.c.created_us,
    comments.c.deleted_us,
)


async def read_comments(tx: Tx, area: Area, task_numbers: Sequence[int]) -> Sequence[Comment]:
    """The comments of these tasks, which the caller has to see already, oldest first."""
    rows = await tx.all(
        select(*_COLUMNS)
        .where(comments.c.space_id == area.space.id, comments.c.task_no.in_(task_numbers))
        .where(comments.c.deleted_us.is_(None))
        .order_by(comments.c.task_no, comments.c.no)
    )
    return [Comment(*row) for row in rows]


async def add_comments(op: Op, said: Sequence[tuple[int, str]]) -> Sequence[Comment]:
    """Say something about tasks, in the caller's name."""
    me = space_of(op.tx.caller)
    made = [Comment(op.number(), task_no, me, body, op.tx.now_us) for task_no, body in said]
    await insert_comments(op, made)
    return made


async def insert_comments(op: Op, made: Sequence[Comment]) -> None:
    """Write and record new comments, whoever their author is."""
    rows = [{"space_id": op.space.id, "no": one.no, **image_of(one), "rev": op.rev} for one in made]
    for some in in_portions(rows):
        await op.tx.execute(insert(comments), some)
    for one in made:
        op.record("comment", one.no, None, {name: value for name, value in image_of(one).items() if value is not None})


async def set_deleted(op: Op, which: Sequence[Comment], deleted_us: int | None) -> None:
    """Take comments away, or bring them back."""
    values = [{"old_no": one.no, "new_deleted": deleted_us, "new_rev": op.rev} for one in which]
    for some in in_portions(values):
        await op.tx.execute(_SET_DELETED.where(comments.c.space_id == op.space.id), some)
    for one in which:
        op.record("comment", one.no, {"deleted_us": one.deleted_us}, {"deleted_us": deleted_us})


async def comments_numbered(op: Op, numbers: Sequence[int] | Select[tuple[int]]) -> dict[int, Comment]:
    """These comments, deleted ones too."""
    rows = await op.tx.all(select(*_COLUMNS).where(comments.c.space_id == op.space.id, comments.c.no.in_(numbers)))
    return {row.no: Comment(*row) for row in rows}


def image_of(comment: Comment) -> dict[str, Any]:
    """All content of a comment."""
    return {
        "task_no": comment.task_no,
        "author": comment.author,
        "body": comment.body,
        "created_us": comment.created_us,
        "deleted_us": comment.deleted_us,
    }


_SET_DELETED: Final = (
    update(comments)
    .where(comments.c.no == bindparam("old_no"))
    .values(deleted_us=bindparam("new_deleted"), rev=bindparam("new_rev"))
)
