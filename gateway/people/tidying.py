"""Pruning by the running service itself, every hour, so that nobody has to remember it."""

import asyncio
import logging
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from secrets import SystemRandom
from typing import Final

from gateway.attachments import Keeping
from gateway.people.pruning import prune
from shared.db import Database
from shared.retention import Retention

log = logging.getLogger(__name__)

PAUSE_S: Final = 3_600.0


@asynccontextmanager
async def kept_tidy(
    database: Database, kept: Retention, keeping: Keeping | None = None, *, pause_s: float = PAUSE_S
) -> AsyncGenerator[None]:
    """What is past its time goes again and again until the block ends. Each replica may do so."""
    pruning = asyncio.create_task(_prune_on(database, kept, keeping, pause_s))
    try:
        yield
    finally:
        pruning.cancel()
        await asyncio.wait({pruning})


async def _prune_on(database: Database, kept: Retention, keeping: Keeping | None, pause_s: float) -> None:
    # Replicas that start together need not do this together.
    pause = SystemRandom().uniform(0, pause_s)
    while True:
        await asyncio.sleep(pause)
        try:
            counts = await prune(database, kept, keeping)
        except Exception:  # whatever it was: nothing is lost but time
            log.exception("pruning failed; it will be tried again")
        else:
            if pruned := {name: count for name, count in counts.items() if count}:
                log.info("pruned", extra={"rows": pruned})
        pause = pause_s
