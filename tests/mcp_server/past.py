"""A look at what there is for a person, so that two moments can be compared; and clients by name."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select

from mcp_server.tasks.names import Kind
from mcp_server.tasks.rows import COLUMNS, as_task
from mcp_server.tasks.sight import read_sight
from mcp_server.tasks.tables import changes, comments, completions, tasks
from mcp_server.tasks.writing.images import content
from mcp_server.tasks.writing.naming import image_of as image_of_name
from shared.db import Database
from shared.tokens import SCOPES, Caller
from tests.living import Living, ToolClient

State = dict[str, dict[Any, Any]]


@asynccontextmanager
async def client_called(living: Living, name: str, client_id: str) -> AsyncGenerator[ToolClient]:
    """A person with a program of that name."""
    scopes = tuple(SCOPES)
    token = living.issuer.issue(living.subject(name), living.mcp_url, scopes, lifetime_s=600, client_id=client_id)
    async with living.client(name, token=token) as client:
        yield client


async def state(database: Database, person: Caller) -> State:
    """Everything that is to be seen in a person's own space: all content but the trash, and nothing computed."""
    async with database.begin(person) as tx:
        sight = await read_sight(tx, "UTC")
        space, names = sight.own.space, sight.own.names
        rows = await tx.all(select(*COLUMNS).where(tasks.c.space_id == space.id, tasks.c.deleted_us.is_(None)))
        said = await tx.all(select(comments).where(comments.c.space_id == space.id, comments.c.deleted_us.is_(None)))
        finished = await tx.all(select(completions).where(completions.c.space_id == space.id))
    return {
        "tasks": {
            task.no: {**content(task), "tags": [tag for tag in task.tags if names.get(tag)]}
            for task in map(as_task, rows)
        },
        "names": {row.no: image_of_name(row) for kind in Kind for row in names.of(kind)},
        "comments": {row.no: (row.task_no, row.author, row.body) for row in said},
        "completions": {row.no: (row.task_no, row.due_date, row.done_us, row.status) for row in finished},
        "settings": {"tz": space.tz, **space.settings},
    }


async def recorded(database: Database, person: Caller, op: int) -> dict[int, tuple[Any, Any]]:
    """What an operation did to tasks, as the journal has it: before and after by number."""
    async with database.begin(person) as tx:
        sight = await read_sight(tx, "UTC")
        rows = await tx.all(
            select(changes.c.no, changes.c.before, changes.c.after)
            .where(changes.c.space_id == sight.own.space.id, changes.c.rev == op, changes.c.kind == "task")
            .order_by(changes.c.n)
        )
    return {row.no: (row.before, row.after) for row in rows}


@dataclass(frozen=True, slots=True)
class Look:
    """Looks at everything of one person."""

    database: Database
    person: Caller

    async def __call__(self) -> State:
        return await state(self.database, self.person)


def look_of(living: Living, name: str) -> Look:
    """A look into the database of the tool server."""
    assert living.mcp_database is not None
    return Look(living.mcp_database, living.person(name))
