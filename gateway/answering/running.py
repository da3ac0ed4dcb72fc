"""All answers of the process: each is written in a task of its own, under a lease that is renewed every second."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Final

from chatkit.types import ErrorEvent

from gateway.answering.answer import LATE, LEFT, LOST, RESTART, STOPPED, Answer
from gateway.store import Beat, Leases
from gateway.turn import Turn
from shared.errors import Problem

log = logging.getLogger(__name__)

UNREAD_LIMIT_S: Final = 30.0
BEAT_S: Final = 1.0
UNHEARD_LIMIT_S: Final = 20.0  # well before the lease ends, so that no two processes ever write one answer


class Running:
    """The answers being written here."""

    def __init__(self) -> None:
        self._tasks: dict[asyncio.Task[None], Answer] = {}

    def start(
        self, events: AsyncIterator[bytes], answer: Answer, leases: Leases, thread_id: str, turn: Turn, limit_s: float
    ) -> None:
        """Write an answer in a task of its own. Its lease has been taken and is given back at the end."""
        task = asyncio.create_task(_write(events, answer, leases, thread_id, turn, limit_s))
        self._tasks[task] = answer
        task.add_done_callback(self._tasks.pop)

    async def finish_or_stop(self, left_s: float) -> None:
        """Let the answers end; after that time, end them with an event that says why."""
        if self._tasks:
            await asyncio.wait(list(self._tasks), timeout=left_s)
        for answer in self._tasks.values():
            answer.stop(RESTART)
        if self._tasks:
            await asyncio.wait(list(self._tasks), timeout=5)


async def _write(
    events: AsyncIterator[bytes], answer: Answer, leases: Leases, thread_id: str, turn: Turn, limit_s: float
) -> None:
    heart = asyncio.create_task(_beat(answer, leases, thread_id, turn, limit_s))
    read = True
    try:
        async for event in events:
            if read and not await _put(answer, event):
                read = False
                answer.stop(LEFT)
    except Exception as error:
        if isinstance(error, Problem):
            message = turn.told(error)
        else:
            log.exception("an answer broke")
            message = turn.say("Something went wrong. ({reference})", reference=turn.request_id)
        if read:
            broken = ErrorEvent(code="custom", message=message, allow_retry=not isinstance(error, Problem))
            await _put(answer, b"data: " + broken.model_dump_json(exclude_none=True).encode() + b"\n\n")
    finally:
        heart.cancel()
        with suppress(asyncio.CancelledError):
            await heart
        await _let_go(leases, thread_id, turn)
        if read:
            await _put(answer, None)


async def _beat(answer: Answer, leases: Leases, thread_id: str, turn: Turn, limit_s: float) -> None:
    """Keep the lease, write down what a crash would leave, and hear whether the answer shall stop."""
    clock = asyncio.get_running_loop().time
    begun = heard = clock()
    while True:
        with suppress(TimeoutError):
            async with asyncio.timeout(BEAT_S):
                await answer.checkpoint.wait()
        answer.checkpoint.clear()
        if clock() - begun > limit_s:
            answer.stop(LATE)
        try:
            seen = answer.seen
            beat = await leases.beat(thread_id, turn, seen.model_dump_json() if seen is not None else None)
        except Exception as error:  # noqa: BLE001 (the database may be away for a moment; the answer goes on)
            log.warning("a lease was not renewed", extra={"error_class": type(error).__name__})
            if clock() - heard > UNHEARD_LIMIT_S:
                answer.stop(LOST)
            continue
        heard = clock()
        if beat is Beat.STOP:
            answer.stop(STOPPED)
        elif beat is Beat.LOST:
            answer.stop(LOST)


async def _let_go(leases: Leases, thread_id: str, turn: Turn) -> None:
    try:
        await leases.release(thread_id, turn)
    except Exception as error:  # noqa: BLE001 (it ends by itself within half a minute)
        log.warning("a lease was not given back", extra={"error_class": type(error).__name__})


async def _put(answer: Answer, event: bytes | None) -> bool:
    """Whether the reader took it in time."""
    if answer.reason == LEFT:
        return False
    try:
        async with asyncio.timeout(UNREAD_LIMIT_S):
            await answer.queue.put(event)
    except TimeoutError:
        return False
    return True
