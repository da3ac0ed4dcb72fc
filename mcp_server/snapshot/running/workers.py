"""The workers of this server: few, each with the rows of one person, and one in reserve that has seen nobody's."""

import asyncio
import logging
import os
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from typing import Any, Final, Self, TypeVar

from mcp_server.snapshot.running.process import Broken, Fault, Found, Locks, Question, Worker
from mcp_server.snapshot.running.turns import busy, held
from mcp_server.snapshot.version import Snapshot
from shared.errors import Problem

T = TypeVar("T")

log = logging.getLogger(__name__)

MOST_QUERIES: Final = 500
MOST_IDLE_S: Final = 600.0
_OTHERS: Final = "other queries are still running"


def usual_size() -> int:
    """One for each core, but two at least, so that nobody alone keeps the others waiting."""
    return max(2, min(8, os.cpu_count() or 1))


class Workers:
    """Runs queries. At most `size` at once; twice as many wait, for three seconds.

    A worker whose person does not ask now is kept until another person needs one, and is then replaced, never handed
    on: no two people's rows are ever in one process.
    """

    def __init__(self, size: int, start: Callable[[], Awaitable[Worker]] = Worker.start) -> None:
        self._size = size
        self._start = start
        self._free = asyncio.Semaphore(size)
        self._asked = 0  # those that run, and those that wait
        # Those with somebody's rows, the longest unused first, and when they have been idle for too long.
        self._alive = dict[Worker, asyncio.TimerHandle | None]()
        self._busy = set[Worker]()
        self._coming = 0  # those that will be alive in a moment
        self._reserve: asyncio.Task[Worker] | None = None
        self._tasks = set[asyncio.Task[Any]]()
        self._closed = False
        self.locks = Locks(0, frozenset())  # of the newest; all are alike

    async def __aenter__(self) -> Self:
        self._reserve = self._starting()
        await asyncio.wait([self._reserve])
        return self

    async def __aexit__(self, *_: object) -> None:
        self._closed = True
        if self._reserve is not None:
            self._in_background(self._end_of(self._reserve))
        for worker in list(self._alive):
            self._dismiss(worker)
        while self._tasks:
            await asyncio.gather(*self._tasks, return_exceptions=True)

    @property
    def pids(self) -> frozenset[int]:
        """The processes that hold somebody's rows now."""
        return frozenset(worker.pid for worker in self._alive)

    async def run(self, snapshot: Snapshot, question: Question) -> Found | Fault:
        """One query over one person's rows. Whoever leaves before the answer takes the worker with him."""
        async with self._turn():
            worker = await self._take(snapshot.version.scope)
            try:
                if worker.key != snapshot.version.key:
                    await worker.load(snapshot.version.scope, snapshot.version.key, snapshot.image)
                answer = await worker.ask(question)
            except Broken as broken:
                self._dismiss(worker)
                log.warning("sql worker killed", extra={"reason": broken.kind})
                return Fault(broken.kind, killed=True)
            except BaseException:
                self._dismiss(worker)
                raise
            self._give_back(worker)
            return answer

    @asynccontextmanager
    async def _turn(self) -> AsyncGenerator[None]:
        if self._asked >= 3 * self._size:
            raise busy(_OTHERS)
        self._asked += 1
        try:
            async with held(self._free, _OTHERS):
                yield
        finally:
            self._asked -= 1

    async def _take(self, scope: str) -> Worker:
        """The worker that has seen this already, else one that has seen nothing."""
        for one in self._idle():
            if not one.is_alive:
                self._dismiss(one)
        idle = self._idle()
        worker = next((worker for worker in idle if worker.scope == scope), None)
        if worker is None:
            if idle and len(self._alive) + self._coming >= self._size:
                self._dismiss(idle[0])
            self._coming += 1
            try:
                worker = await self._fresh()
            finally:
                self._coming -= 1
        self._keep_in_mind(worker, None)
        self._busy.add(worker)
        return worker

    async def _fresh(self) -> Worker:
        """One that has seen nobody's rows, and the next such one on its way, so that nobody waits for a start."""
        for _ in range(2):  # one that waited for long may have died meanwhile
            reserve, self._reserve = self._reserve or self._starting(), self._starting()
            try:
                worker = await asyncio.shield(reserve)
            except asyncio.CancelledError:
                self._in_background(self._end_of(reserve))
                raise
            except Broken:
                continue
            if worker.is_alive:
                return worker
            self._in_background(worker.bury())
        raise unavailable()

    def _idle(self) -> list[Worker]:
        """Those nobody waits for, the longest unused first."""
        return [worker for worker in self._alive if worker not in self._busy]

    def _give_back(self, worker: Worker) -> None:
        self._busy.discard(worker)
        if worker.asked >= MOST_QUERIES or self._closed:
            self._dismiss(worker)
        else:
            self._keep_in_mind(worker, asyncio.get_running_loop().call_later(MOST_IDLE_S, self._dismiss, worker))

    def _keep_in_mind(self, worker: Worker, timer: asyncio.TimerHandle | None) -> None:
        before = self._alive.pop(worker, None)
        if before is not None:
            before.cancel()
        self._alive[worker] = timer

    def _dismiss(self, worker: Worker) -> None:
        """Kill a worker; another task waits for its end."""
        timer = self._alive.pop(worker, None)
        if timer is not None:
            timer.cancel()
        self._busy.discard(worker)
        self._in_background(worker.bury())

    def _starting(self) -> "asyncio.Task[Worker]":
        return self._in_background(self._started())

    async def _started(self) -> Worker:
        """A new worker that is locked up."""
        try:
            worker = await self._start()
        except Broken:
            if not self._closed:
                log.warning("no sql worker can be started")
            raise
        self.locks = worker.locks
        if not worker.locks.is_shut or self._closed:
            await worker.bury()
            raise Broken
        return worker

    async def _end_of(self, starting: "asyncio.Task[Worker]") -> None:
        with suppress(Broken):
            await (await starting).bury()

    def _in_background(self, work: Coroutine[Any, Any, T]) -> "asyncio.Task[T]":
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._end_task)
        return task

    def _end_task(self, task: "asyncio.Task[Any]") -> None:
        self._tasks.discard(task)
        if not task.cancelled():
            task.exception()  # was told already, or nobody waits for it any more


def unavailable() -> Problem:
    """The refusal when no worker can be had, or none whose answer can be believed."""
    return Problem("sql_unavailable", "no query can be run now", "try again in a moment")
