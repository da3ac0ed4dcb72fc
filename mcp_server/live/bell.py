"""`Bell`: wakes whoever listens to a space that was written, at once here and within a second from another process.

No process tells the others. PostgreSQL's NOTIFY would line up the commits of all writers and is lost in poolers, so
the numbers of the spaces are read instead, all of them in one statement, and only while somebody listens.
"""

import asyncio
from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet
from contextlib import contextmanager
from datetime import datetime
from typing import Final

from sqlalchemy import select

from mcp_server.tasks.tables import spaces
from shared.db import Database
from shared.tokens import service

SPACES_AT_ONCE: Final = 500


class Ear:
    """One listener: the spaces whose writes he hears of, each with the last write that he knows."""

    def __init__(self, space_id: str) -> None:
        self._known = {space_id: -1}
        self._woken = asyncio.Event()

    @property
    def spaces(self) -> AbstractSet[str]:
        """What he listens to."""
        return self._known.keys()

    def know(self, revs: Mapping[str, int]) -> None:
        """From now on he listens to these, and knows everything up to these writes."""
        self._known = dict(revs)

    def forget(self) -> None:
        """He knows none of them any more, and will have missed something."""
        self._known = dict.fromkeys(self._known, -1)

    def missed(self, revs: Mapping[str, int]) -> bool:
        """Whether a space stands elsewhere than he knows. One without a row has not been written yet."""
        return any(revs.get(space_id, 0) != rev for space_id, rev in self._known.items())

    def wake(self) -> None:
        """Let him look, whatever the reason."""
        self._woken.set()

    async def woken(self) -> None:
        """Wait for that."""
        await self._woken.wait()
        self._woken.clear()


class Bell:
    """All who listen in this process."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._service = service("mcp")
        self._ears: set[Ear] = set()

    @contextmanager
    def ear(self, space_id: str) -> Iterator[Ear]:
        """Listen to a space, and to others as soon as they are known."""
        ear = Ear(space_id)
        self._ears.add(ear)
        try:
            yield ear
        finally:
            self._ears.remove(ear)

    def ring(self, written: AbstractSet[str]) -> None:
        """Wake those who listen to any of these spaces."""
        for ear in self._ears:
            if not ear.spaces.isdisjoint(written):
                ear.wake()

    async def ask(self) -> datetime | None:
        """Wake those who have missed a write. Returns the clock of the database's transactions if anybody listens.

        These spaces were read by those who listen to them, under the policies that hold for each.
        """
        listened = sorted({space_id for ear in self._ears for space_id in ear.spaces})
        if not listened:
            return None
        revs: dict[str, int] = {}
        async with self._database.begin(self._service) as tx:
            for start in range(0, len(listened), SPACES_AT_ONCE):
                some = listened[start : start + SPACES_AT_ONCE]
                await tx.widen({"taskgate.spaces": ",".join(some)})
                rows = await tx.all(select(spaces.c.id, spaces.c.rev).where(spaces.c.id.in_(some)))
                revs.update((row.id, row.rev) for row in rows)
        for ear in self._ears:
            if ear.missed(revs):
                ear.wake()
        return tx.now
