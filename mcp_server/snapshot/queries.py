"""From a caller and his SQL to rows: his turn, a snapshot that is as new as his last write, and a worker."""

import asyncio
from collections import OrderedDict
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import anyio.to_thread

from mcp_server.snapshot.copying.building import build
from mcp_server.snapshot.copying.reading import read_rows
from mcp_server.snapshot.running.process import Fault, Found, Question, Size
from mcp_server.snapshot.running.turns import Turns, held
from mcp_server.snapshot.running.workers import Workers, unavailable
from mcp_server.snapshot.teaching.refusals import check, taught
from mcp_server.snapshot.version import Snapshot, Version, version_of
from mcp_server.tasks.sight import Sight, read_sight
from mcp_server.tasks.spaces import space_of
from shared.db import Database, microseconds
from shared.tokens import Caller

KEPT_BYTES: Final = 64 * 1024 * 1024
BUILDS: Final = 2  # at the same time


@dataclass(frozen=True, slots=True)
class Asked:
    """What was found, and what it was found in: whose, when, and whether all of it was there."""

    found: Found
    sight: Sight
    now: datetime
    partial: bool
    has_others: bool


class Queries:
    """Answers SQL over the caller's own rows."""

    def __init__(self, database: Database, workers: Workers) -> None:
        self._database = database
        self._workers = workers
        self._turns = Turns()
        self._kept = _Kept()
        self._builds = asyncio.Semaphore(BUILDS)

    async def ask(self, caller: Caller, tz: str, sql: str, size: Size) -> Asked:
        """The rows of one query. Raises `Problem` with what is wrong about it."""
        # In threads, because a statement of 20,000 bytes takes a while to read.
        await anyio.to_thread.run_sync(check, sql)
        person = space_of(caller)
        async with self._turns.of(person):
            sight, now, snapshot = await self._snapshot(caller, tz)
            local = now.astimezone(sight.own.space.zone)
            question = Question(sql, size, f"{local:%Y-%m-%d %H:%M}", microseconds(now))
            answer = await self._workers.run(snapshot, question)
            if isinstance(answer, Fault):
                if answer.killed:
                    self._turns.killed(person)
                if answer.kind == "broken":
                    raise unavailable()
                raise await anyio.to_thread.run_sync(taught, sql, answer)
            return Asked(answer, sight, now, snapshot.partial, snapshot.has_others)

    async def _snapshot(self, caller: Caller, tz: str) -> tuple[Sight, datetime, Snapshot]:
        """What the caller sees as of his last committed write: as it was copied before, or copied now."""
        async with self._database.begin(caller) as tx:
            sight = await read_sight(tx, tz)
            kept = self._kept.get(_version(sight, tx.now))
            if kept is not None:
                return sight, tx.now, kept
        async with held(self._builds, "other people's rows are being copied"):
            async with self._database.begin(caller, steady=True) as tx:
                sight = await read_sight(tx, tz)
                rows = await read_rows(tx, sight)
            snapshot = await anyio.to_thread.run_sync(build, rows)
        self._kept.put(snapshot)
        return sight, tx.now, snapshot


class _Kept:
    """The newest snapshot of each person, those that were used last, up to a size in all."""

    def __init__(self) -> None:
        self._by_person = OrderedDict[str, Snapshot]()
        self._size = 0

    def get(self, version: Version) -> Snapshot | None:
        found = self._by_person.get(version.person)
        if found is None or found.version != version:
            return None
        self._by_person.move_to_end(version.person)
        return found

    def put(self, snapshot: Snapshot) -> None:
        before = self._by_person.pop(snapshot.version.person, None)
        self._size += len(snapshot.image) - (len(before.image) if before else 0)
        self._by_person[snapshot.version.person] = snapshot
        while self._size > KEPT_BYTES:
            _, oldest = self._by_person.popitem(last=False)
            self._size -= len(oldest.image)


def _version(sight: Sight, now: datetime) -> Version:
    return version_of(sight, now.astimezone(sight.own.space.zone).date())
