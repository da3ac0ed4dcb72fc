"""A person who keeps order in her tasks, and a look at what the journal says about it."""

from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import select

from mcp_server.tasks.spaces import space_of
from mcp_server.tasks.tables import changes, lists, spaces
from mcp_server.tasks.writing.naming import CONTENT
from shared.db import Database
from shared.tokens import Caller
from tests.living import Living, ToolClient
from tests.mcp_server.invariants import faults

KINDS: Final = ("list", "section", "tag", "view", "field")
# A name of each kind, and what it needs beside it.
SAMPLES: Final[dict[str, tuple[str, dict[str, Any]]]] = {
    "list": ("Work", {}),
    "section": ("Home/Kitchen", {}),
    "tag": ("urgent", {}),
    "view": ("Today", {"filter": "due:today"}),
    "field": ("Effort", {"options": {"type": "number"}}),
}


@dataclass(frozen=True, slots=True)
class Organizer:
    """An MCP client of a person, with the words for what the tool `organize` does."""

    client: ToolClient

    async def text(self, kind: str, action: str, name: str, **more: Any) -> str:
        """What a model reads after that; also of an error."""
        return await self.client.text("organize", kind=kind, action=action, name=name, **more)

    async def do(self, kind: str, action: str, name: str, **more: Any) -> dict[str, Any]:
        """The same for programs, and it must succeed."""
        return await self.client.values("organize", kind=kind, action=action, name=name, **more)

    async def make(self, kind: str, *names: str, **more: Any) -> None:
        """Make some of one kind."""
        for name in names:
            await self.do(kind, "create", name, **more)

    async def add(self, title: str, **more: Any) -> str:
        """Add a task and return its reference."""
        values = await self.client.values("tasks_add", tasks=[{"title": title, **more}])
        return str(values["refs"][0])

    async def titles(self, filter: str) -> list[str]:  # noqa: A002 (the tool's own word)
        """The titles a filter finds, sorted."""
        return sorted(await self.client.titles(filter))

    async def names(self, kind: str) -> list[str]:
        """The lists, tags, views or fields there are, in their order."""
        values = await self.client.values("overview", show="all")
        return [row["name"] for row in values.get(f"{kind}s", []) if row["name"] != "Inbox"]

    async def sections(self, name: str) -> list[str]:
        """The sections of a list, in their order."""
        values = await self.client.values("overview", show="all")
        [found] = [row for row in values["lists"] if row["name"] == name]
        return list(found.get("sections", []))


@asynccontextmanager
async def organizer(living: Living, name: str = "ada") -> AsyncGenerator[Organizer]:
    """That person. In the end everything in the space must hold, and the journal must lead to it."""
    async with living.client(name) as client:
        yield Organizer(client)
    assert living.mcp_database is not None
    person = living.person(name)
    assert await faults(living.mcp_database, person) == []
    assert await journal_faults(living.mcp_database, person) == []


async def journal_faults(database: Database, person: Caller) -> list[str]:
    """Where the journal leads to other names or settings than there are, forwards or backwards."""
    found = []
    space_id = space_of(person)
    async with database.begin(person) as tx:
        recorded = await tx.all(
            select(changes.c.kind, changes.c.no, changes.c.before, changes.c.after)
            .where(changes.c.space_id == space_id, changes.c.kind.in_(("list", "setting")))
            .order_by(changes.c.rev, changes.c.n)
        )
        rows = {row.no: row for row in await tx.all(select(lists).where(lists.c.space_id == space_id))}
        space = await tx.one(select(spaces.c.tz, spaces.c.settings).where(spaces.c.id == space_id))
    replayed: dict[tuple[str, int], dict[str, Any]] = {("setting", 0): {}}
    for kind, no, before, after in recorded:
        state = replayed.setdefault((kind, no), {})
        if any(state.get(name) != value for name, value in (before or {}).items() if name in state):
            found.append(f"{kind} {no} was otherwise before a change")
        state.update(after or {})
    for no, row in rows.items():
        if _said(replayed.get(("list", no), {})) != _said({name: getattr(row, name) for name in CONTENT}):
            found.append(f"the journal leads to another name {no}")
    stored = {"tz": space.tz, **space.settings} if space is not None else {}
    found += [
        f"the journal leads to another {key}"
        for key, value in replayed["setting", 0].items()
        if stored.get(key) != value
    ]
    return found


def _said(content: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in content.items() if value}
