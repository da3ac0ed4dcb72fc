"""Queries that must work: what they give is compared with a plain account of the same tasks."""

import math
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import pytest

from tests.living import Living, ToolClient, text_of
from tests.mcp_server.snapshot.honest import HONEST
from tests.mcp_server.snapshot.honest_sql import Honest
from tests.mcp_server.snapshot.sql_stage import ZONE, Stage
from tests.mcp_server.snapshot.sql_staging import account, put_on_stage

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("group", HONEST)
async def test_honest_statements_give_what_a_plain_account_gives(living: Living, group: str) -> None:
    begun = datetime.now(ZONE).date()
    await put_on_stage(living, "ada", begun)
    async with living.client("ada") as ada:
        seen = await account(ada, begun)
        faults = []
        for honest in HONEST[group]:
            fault = await _fault(ada, honest, seen)
            if fault and (later := await account(ada, begun)).today != seen.today:
                seen = later  # midnight has passed
                fault = await _fault(ada, honest, seen)
            faults += [f"{honest.name}: {fault}"] if fault else []
    assert not faults, "\n".join(faults)


def test_there_are_enough_of_them() -> None:
    names = [honest.name for group in HONEST.values() for honest in group]
    assert len(names) == len(set(names)) >= 160


async def _fault(ada: ToolClient, honest: Honest, seen: Stage) -> str:
    """What is wrong about the answer; nothing if it is right."""
    result = await ada.call("data_query", sql=honest.sql, limit=1000)
    if result.is_error:
        return text_of(result)
    assert result.structured_content is not None
    found, wanted = result.structured_content["rows"], [list(row) for row in honest.rows(seen)]
    return "" if _equal(found, wanted) else f"{found[:4]} instead of {wanted[:4]}"


def _equal(found: Sequence[Sequence[Any]], wanted: Sequence[Sequence[Any]]) -> bool:
    return len(found) == len(wanted) and all(
        len(row) == len(other) and all(map(_same, row, other)) for row, other in zip(found, wanted, strict=True)
    )


def _same(value: Any, other: Any) -> bool:
    # Averages of the same numbers may differ in the last digit.
    if isinstance(value, float) and isinstance(other, int | float):
        return math.isclose(value, other, rel_tol=1e-9, abs_tol=1e-9)
    return bool(value == other)
