"""Whose turn it is: nobody waits for ever, each person has one query running, and who keeps breaking workers pauses."""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from time import monotonic
from typing import Final

from shared.errors import Problem

WAIT_S: Final = 3.0
WAITING: Final = 4  # of one person
KILLS: Final = 3
KILLS_WITHIN_S: Final = 60.0
PAUSE_S: Final = 60.0
_BEFORE: Final = "another query of yours is still running"


@asynccontextmanager
async def held(place: asyncio.Lock | asyncio.Semaphore, others: str) -> AsyncGenerator[None]:
    """Hold a place once there is one; `busy`, and why, if that takes too long."""
    try:
        async with asyncio.timeout(WAIT_S):
            await place.acquire()
    except TimeoutError:
        raise busy(others) from None
    try:
        yield
    finally:
        place.release()


def busy(others: str) -> Problem:
    """The refusal of somebody for whom there is no place now."""
    return Problem("busy", others, "try again in 2 s")


@dataclass(slots=True)
class _Person:
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    asked: int = 0  # the one that runs, and those that wait
    kills: deque[float] = field(default_factory=lambda: deque(maxlen=KILLS))


class Turns:
    """Who may ask now."""

    def __init__(self, now: Callable[[], float] = monotonic) -> None:
        self._now = now
        self._people = dict[str, _Person]()

    @asynccontextmanager
    async def of(self, person: str) -> AsyncGenerator[None]:
        """The turn of one person, when the query before has ended; `busy` if that takes too long."""
        self._forget_the_patient()
        one = self._people.setdefault(person, _Person())
        if self._pauses(one):
            raise Problem(
                "quota", f"{KILLS} queries had to be killed within a minute", "wait a minute, then ask for less"
            )
        if one.asked > WAITING:
            raise busy(_BEFORE)
        one.asked += 1
        try:
            async with held(one.lock, _BEFORE):
                yield
        finally:
            one.asked -= 1

    def killed(self, person: str) -> None:
        """A query of this person had to be killed."""
        self._people[person].kills.append(self._now())

    def _pauses(self, one: _Person) -> bool:
        kills = one.kills
        return len(kills) == KILLS and kills[-1] - kills[0] <= KILLS_WITHIN_S and self._now() - kills[-1] < PAUSE_S

    def _forget_the_patient(self) -> None:
        """Keep nothing of those who do not ask and had nothing killed lately."""
        now = self._now()
        for person, one in list(self._people.items()):
            if not one.asked and not (one.kills and now - one.kills[-1] < KILLS_WITHIN_S + PAUSE_S):
                del self._people[person]
