"""Hostile SQL in a worker with nobody before it who looks at statements: its own walls hold."""

from typing import Final

import pytest

from mcp_server.snapshot.running.process import Found
from mcp_server.snapshot.running.workers import Workers
from tests.mcp_server.snapshot import hostile_deeds, hostile_sql
from tests.mcp_server.snapshot.few_rows import asking, few_rows
from tests.mcp_server.snapshot.hostile_deeds import NOW

pytestmark = pytest.mark.anyio

KINDS: Final = {**hostile_sql.KINDS, **hostile_deeds.KINDS}


@pytest.mark.parametrize("kind", KINDS)
async def test_a_worker_alone_refuses_hostile_statements_and_lives_on(kind: str) -> None:
    snapshot = few_rows()
    faults = []
    async with Workers(1) as workers:
        before = await workers.run(snapshot, asking("SELECT * FROM tasks"))
        assert isinstance(before, Found)
        pids = workers.pids
        for hostile in KINDS[kind]:
            found = await workers.run(snapshot, asking(hostile.sql))
            if isinstance(found, Found) and not hostile.may_answer and hostile.codes != NOW:
                faults.append(f"{hostile.name}: {found.rows[:3]}")
        after = await workers.run(snapshot, asking("SELECT * FROM tasks"))
        assert workers.pids == pids
    assert not faults, "\n".join(faults)
    assert isinstance(after, Found)
    assert after.rows == before.rows
