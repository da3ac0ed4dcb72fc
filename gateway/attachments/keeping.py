"""Where the bytes of attachments are kept, as the rest of this room sees it."""

from typing import Protocol

from shared.errors import Problem


class Keeping(Protocol):
    """A place for bytes under names of ours. It raises `Problem("unavailable", ...)` while it is away."""

    async def put(self, key: str, data: bytes) -> None:
        """Keep these bytes; they are all there or none is."""

    async def get(self, key: str) -> bytes:
        """The bytes; raises `Problem("not_found", ...)` when there are none."""

    async def remove(self, key: str) -> None:
        """Keep them no longer. It is no fault if there are none."""


def gone() -> Problem:
    """There are no such bytes any more."""
    return Problem("not_found", "there is no such file", "attach it again")


def away() -> Problem:
    """The place cannot be reached."""
    return Problem("unavailable", "files cannot be reached at the moment", "try again in a moment")
