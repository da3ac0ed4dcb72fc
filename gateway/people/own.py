"""What a person may ask for of their own data over HTTP."""

import json
from collections.abc import AsyncGenerator
from typing import Any, Final

from starlette.responses import Response, StreamingResponse

from gateway.people.exporting import export
from gateway.turn import Turn
from shared.db import Database

HEADERS: Final = {"Content-Disposition": 'attachment; filename="taskgate.jsonl"', "Cache-Control": "no-store"}


async def export_own(database: Database, turn: Turn) -> Response:
    """Everything that is kept of who asks, as lines of JSON, while it is read. Raises `Problem` before the first."""
    records = export(database, turn.caller)
    first = await anext(records, None)
    return StreamingResponse(_lines(first, records), media_type="application/jsonl", headers=HEADERS)


async def _lines(first: dict[str, Any] | None, rest: AsyncGenerator[dict[str, Any]]) -> AsyncGenerator[str]:
    if first is not None:
        yield json.dumps(first) + "\n"
    async for record in rest:
        yield json.dumps(record) + "\n"
