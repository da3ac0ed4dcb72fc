"""Ada shares the list Team and hides everything else; whatever she hides is called `zebra` something."""

import asyncio
from collections.abc import AsyncGenerator, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import event, func, select

from mcp_server.tasks.spaces import space_of
from mcp_server.tasks.tables import ops
from shared.db import Database
from tests.living import Living, ToolClient

HIDDEN: Final = "zebra"
NAMES: Final = (
    ("list", "Team", {}),
    ("section", "Team/Now", {}),
    ("tag", "paint", {}),
    ("list", "Zebralist", {}),
    ("section", "Zebralist/Zebrasection", {}),
    ("tag", "zebratag", {}),
    ("view", "Zebraview", {"filter": "tag:zebratag"}),
    ("field", "Zebrafield", {}),
)
TASKS: Final = (
    {"title": "Fence", "list": "Team", "notes": "green", "tags": ["paint"], "due": "2030-01-05"},
    {"title": "Gate", "list": "Team/Now", "subtasks": ["Hinge"]},
    {"title": "Zebra plan", "list": "Zebralist/Zebrasection", "tags": ["zebratag"], "notes": "zebra notes"},
    {"title": "Zebra in the Inbox", "fields": {"Zebrafield": "zebra"}},
    {"title": "Wait", "list": "Team", "blocked_by": ["#3"]},
)


@dataclass(frozen=True, slots=True)
class Home:
    """Ada, and whoever else has a client; `refs` are ada's tasks by title."""

    living: Living
    clients: Mapping[str, ToolClient]
    refs: Mapping[str, str]

    def __getitem__(self, name: str) -> ToolClient:
        return self.clients[name]

    def ref(self, title: str) -> str:
        """Ada's task as a guest writes it."""
        return f"ada:{self.refs[title]}"

    async def code(self, who: str, role: str = "view", list: str = "Team") -> str:  # noqa: A002 (the tool's own word)
        """A new invitation by ada."""
        values = await self["ada"].values("share", action="invite", list=list, who=who, role=role)
        return str(values["code"])

    async def let_in(self, who: str, role: str = "view", list: str = "Team") -> None:  # noqa: A002
        """Ada invites this person, who accepts and calls her ada."""
        code = await self.code(who, role, list)
        await self[who].values("share", action="accept", code=code, who="ada")

    async def writes(self, name: str = "ada") -> int:
        """How many operations there are in this person's space."""
        assert self.living.mcp_database is not None
        person = self.living.person(name)
        async with self.living.mcp_database.begin(person) as tx:
            row = await tx.one(select(func.count()).select_from(ops).where(ops.c.space_id == space_of(person)))
        return int(row[0]) if row else 0


@contextmanager
def turns_asked(database: Database) -> Iterator[asyncio.Semaphore]:
    """Counts the statements by which writers ask for their turn in a space; each can be waited for."""
    asked = asyncio.Semaphore(0)

    def listen(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        if statement.startswith("UPDATE spaces") or "FOR NO KEY UPDATE" in statement:
            asked.release()

    event.listen(database.engine.sync_engine, "before_cursor_execute", listen)
    try:
        yield asked
    finally:
        event.remove(database.engine.sync_engine, "before_cursor_execute", listen)


@asynccontextmanager
async def home(living: Living, *guests: str) -> AsyncGenerator[Home]:
    """Ada's house with clients of these guests, whom she has not let in yet."""
    async with AsyncExitStack() as stack:
        clients = {name: await stack.enter_async_context(living.client(name)) for name in ("ada", *guests)}
        for kind, name, more in NAMES:
            await clients["ada"].values("organize", kind=kind, action="create", name=name, **more)
        await clients["ada"].values("tasks_add", tasks=[dict(task) for task in TASKS])
        found: list[dict[str, Any]] = (await clients["ada"].values("tasks_find", filter="is:all"))["tasks"]
        yield Home(living, clients, {task["title"]: task["ref"] for task in found})
