"""Statements by chance in a real worker: each gives rows or a refusal that teaches, and the worker lives on."""

import asyncio
from typing import Final

from hypothesis import HealthCheck, given, settings

from mcp_server.snapshot.running.process import Fault, Found
from mcp_server.snapshot.running.workers import Workers
from mcp_server.snapshot.teaching.refusals import check, taught
from shared.errors import Problem
from tests.mcp_server.snapshot.few_rows import asking, few_rows
from tests.mcp_server.snapshot.random_sql import STATEMENTS
from tests.mcp_server.snapshot.sql_watch import wrong_refusal

EXAMPLES: Final = 300
CODES: Final = frozenset({"sql", "sql_now", "sql_limit"})


def test_any_statement_gives_rows_or_a_refusal_and_the_worker_lives_on() -> None:
    snapshot = few_rows()

    async def answer(workers: Workers, sql: str) -> Found | Problem:
        try:
            check(sql)
            found = await workers.run(snapshot, asking(sql))
        except Problem as problem:
            return problem
        return taught(sql, found) if isinstance(found, Fault) else found

    with asyncio.Runner() as runner:
        workers = runner.run(Workers(1).__aenter__())
        try:
            before = runner.run(answer(workers, "SELECT count(*) FROM tasks"))
            assert isinstance(before, Found)
            seen = {"rows": 0, "refusals": 0}

            @settings(
                max_examples=EXAMPLES,
                derandomize=True,
                database=None,
                deadline=None,
                suppress_health_check=list(HealthCheck),
            )
            @given(STATEMENTS)
            def go(sql: str) -> None:
                found = runner.run(answer(workers, sql))
                if isinstance(found, Problem):
                    seen["refusals"] += 1
                    assert not wrong_refusal(str(found), sql, CODES)
                else:
                    seen["rows"] += 1

            pids = workers.pids
            go()
            assert min(seen.values()) > EXAMPLES // 10, "statements are neither all right nor all wrong"
            assert workers.pids == pids
            assert runner.run(answer(workers, "SELECT count(*) FROM tasks")) == before
        finally:
            runner.run(workers.__aexit__())
