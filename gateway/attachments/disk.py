"""Attachments in a directory of this machine, or in one that several machines share."""

import logging
import os
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TypeVar
from uuid import uuid4

import anyio.to_thread

from gateway.attachments.keeping import away, gone
from gateway.words import Sentence
from shared.errors import Problem

log = logging.getLogger(__name__)

T = TypeVar("T")


class Disk:
    """A directory that only this user may enter, with a file for each attachment."""

    def __init__(self, folder: Path) -> None:
        """Raises `Problem` if the directory cannot be made or written to."""
        self._folder = folder
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            _write(folder / "taskgate", b"")
            (folder / "taskgate").unlink(missing_ok=True)
        except OSError as error:
            raise Problem(
                "unavailable",
                Sentence("the directory {folder} cannot be written to", folder=folder),
                "check TASKGATE_GATEWAY_ATTACHMENTS",
            ) from error

    async def put(self, key: str, data: bytes) -> None:
        """Keep these bytes."""
        await _aside(partial(_write, self._folder / key, data))

    async def get(self, key: str) -> bytes:
        """The bytes."""
        try:
            return await _aside((self._folder / key).read_bytes)
        except FileNotFoundError:
            raise gone() from None

    async def remove(self, key: str) -> None:
        """Keep them no longer."""
        await _aside(partial((self._folder / key).unlink, missing_ok=True))


def _write(path: Path, data: bytes) -> None:
    """Under another name first, so that nobody ever reads half of it."""
    unfinished = path.with_name(f".{path.name}.{uuid4().hex}")
    try:
        descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with open(descriptor, "wb") as file:  # noqa: PTH123 (a path cannot be opened with a mode)
            file.write(data)
            file.flush()
            os.fsync(descriptor)
        unfinished.replace(path)
    except BaseException:
        with suppress(OSError):
            unfinished.unlink(missing_ok=True)
        raise


async def _aside(work: Callable[[], T]) -> T:
    """Let the disk take its time while others are served."""
    try:
        return await anyio.to_thread.run_sync(work)
    except FileNotFoundError:
        raise
    except OSError as error:
        log.warning("the directory of attachments failed", extra={"error": type(error).__name__})
        raise away() from error
