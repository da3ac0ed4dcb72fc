"""Who leaves in the middle of a call has stopped it: the work ends, nothing of it stays, and nobody waits for it."""

from typing import Any, Final

import anyio
import pytest

from tests.living import LEGACY, MODERN, Living

pytestmark = pytest.mark.anyio

ROWS: Final = 2_000


def file_of(rows: int) -> str:
    return "title\n" + "".join(f"Task {number}\n" for number in range(rows))


async def leave_when_it_begins(living: Living, mode: str, tool: str, **arguments: Any) -> list[float]:
    """Call a tool and go away as soon as it tells how far it is."""
    heard: list[float] = []
    async with living.client("ada", mode=mode) as ada:
        with anyio.CancelScope() as scope:

            async def leave(progress: float, total: float | None, message: str | None) -> None:  # noqa: ARG001
                heard.append(progress)
                scope.cancel()

            await ada.client.call_tool(tool, arguments, progress_callback=leave)
        assert scope.cancelled_caught
    return heard


@pytest.mark.parametrize("mode", [MODERN, LEGACY])
async def test_an_import_that_is_left_leaves_nothing(living: Living, mode: str) -> None:
    assert await leave_when_it_begins(living, mode, "data_import", content=file_of(ROWS), dry_run=False)
    async with living.client("ada", mode=mode) as ada:
        # The next write has the number that the first one would have had, and waits for nobody.
        assert (await ada.values("tasks_add", tasks=[{"title": "Afterwards"}]))["op"] == 1
        assert await ada.titles("is:all") == ["Afterwards"]


@pytest.mark.parametrize("mode", [MODERN, LEGACY])
async def test_an_undo_that_is_left_has_taken_nothing_back(living: Living, mode: str) -> None:
    async with living.client("ada", mode=mode) as ada:
        await ada.values("data_import", content=file_of(ROWS), dry_run=False)
    assert await leave_when_it_begins(living, mode, "undo")
    async with living.client("ada", mode=mode) as ada:
        assert (await ada.values("tasks_find", limit=1))["total"] == ROWS
        assert (await ada.values("undo"))["op"] == 2
