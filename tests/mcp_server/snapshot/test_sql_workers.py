"""The processes in which people's SQL runs: whose rows they hold, how they end, and that nobody waits for ever."""

import asyncio
import os
import sqlite3
import sys
from asyncio.subprocess import DEVNULL, PIPE, create_subprocess_exec
from contextlib import closing, suppress
from pathlib import Path
from typing import Final

import pytest

from mcp_server.snapshot.running.frames import LARGEST, packed
from mcp_server.snapshot.running.process import Broken, Fault, Found, Locks, Question, Size, Worker
from mcp_server.snapshot.running.turns import KILLS, KILLS_WITHIN_S, PAUSE_S, WAITING, Turns
from mcp_server.snapshot.running.workers import MOST_QUERIES, Workers
from mcp_server.snapshot.schema import creation
from mcp_server.snapshot.version import Snapshot, Version
from shared.errors import Problem

pytestmark = pytest.mark.anyio

ENDLESS: Final = "WITH RECURSIVE c(x) AS (VALUES (1) UNION ALL SELECT x + 1 FROM c) SELECT count(*) FROM c"
# One step of the engine, which looks at nothing while it runs.
ONE_STEP: Final = "SELECT instr(printf('%0900000d', 1), printf('%0450000d', 2))"
TITLES: Final = "SELECT title FROM tasks"
ALL_LOCKS: Final = {"clock": True, "memory": True, "files": True, "writes": True, "dumps": True, "processes": True}


def snapshot_of(person: str, *titles: str, rev: int = 1, scope: str = "") -> Snapshot:
    """A snapshot with these tasks."""
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.executescript(creation())
        connection.executemany("INSERT INTO tasks (title) VALUES (?)", [(title,) for title in titles])
        connection.execute("INSERT INTO me (today, now, tz, partial) VALUES ('2026-11-20', '', 'UTC', 0)")
        connection.commit()
        image = connection.serialize()
    version = Version(person, scope or f"what {person} sees", f"{person} {rev}")
    return Snapshot(version, image, partial=False, has_others=False)


def question(sql: str, *, rows: int = 100, size: int = 64_000) -> Question:
    return Question(sql, Size(rows, size, 2_000), "2026-11-20 10:40", 0)


async def titles(workers: Workers, snapshot: Snapshot) -> list[str]:
    found = await workers.run(snapshot, question(TITLES))
    assert isinstance(found, Found)
    return [str(row[0]) for row in found.rows]


async def test_a_worker_that_is_ready_has_closed_its_locks() -> None:
    async with Workers(1) as workers:
        assert workers.locks.is_shut
        if sys.platform == "linux":
            assert workers.locks.missing == ()


async def test_each_person_is_answered_from_his_own_rows_by_a_process_that_saw_no_others() -> None:
    async with Workers(2) as workers:
        people = {name: snapshot_of(name, f"task of {name}") for name in ("ada", "bob", "cid", "dan")}
        seen = dict[str, set[int]]()
        for _ in range(3):
            for name, snapshot in people.items():
                before = workers.pids
                assert await titles(workers, snapshot) == [f"task of {name}"]
                [used] = [one.pid for one in workers._alive if one.scope == snapshot.version.scope]
                assert used not in {pid for other, pids in seen.items() if other != name for pid in pids}
                seen.setdefault(name, set()).add(used)
                assert len(before) <= 2
        assert len(set.union(*seen.values())) > len(people)  # they were replaced, as there are too few of them


async def test_there_are_never_more_processes_with_rows_than_agreed() -> None:
    async with Workers(2) as workers:
        for turn in range(4):
            people = [snapshot_of(f"{name} {turn}", name) for name in ("ada", "bob")]
            assert await asyncio.gather(*(titles(workers, one) for one in people)) == [["ada"], ["bob"]]
            assert len(workers.pids) <= 2


async def test_what_somebody_may_no_longer_see_is_in_no_process_of_his() -> None:
    async with Workers(2) as workers:
        await titles(workers, snapshot_of("ada", "hers", "shared by bob", scope="her own and bob's list"))
        [first] = [one.pid for one in workers._alive if one.scope]
        assert await titles(workers, snapshot_of("ada", "hers", scope="her own")) == ["hers"]
        [second] = [one.pid for one in workers._alive if one.scope == "her own"]
        assert second != first


async def test_new_rows_go_to_the_same_worker_and_the_old_ones_are_gone() -> None:
    async with Workers(2) as workers:
        assert await titles(workers, snapshot_of("ada", "old")) == ["old"]
        [pid] = [one.pid for one in workers._alive if one.scope]
        assert await titles(workers, snapshot_of("ada", "new", rev=2)) == ["new"]
        assert [one.pid for one in workers._alive if one.scope] == [pid]


async def test_nothing_of_a_query_is_left_for_the_next_one() -> None:
    async with Workers(1) as workers:
        ada = snapshot_of("ada", "hers")
        for sql in ("CREATE TEMP TABLE t AS SELECT 1", "PRAGMA temp_store = 1", "BEGIN", "DELETE FROM tasks"):
            assert isinstance(await workers.run(ada, question(sql)), Fault)
        assert await titles(workers, ada) == ["hers"]


async def test_an_endless_query_is_stopped_and_its_worker_goes_on() -> None:
    async with Workers(1) as workers:
        ada = snapshot_of("ada", "hers")
        await titles(workers, ada)
        [pid] = [one.pid for one in workers._alive if one.scope]
        assert await workers.run(ada, question(ENDLESS)) == Fault("time", "interrupted")
        assert await titles(workers, ada) == ["hers"]
        assert [one.pid for one in workers._alive if one.scope] == [pid]


async def test_a_single_step_that_does_not_end_costs_its_worker_and_the_next_query_works() -> None:
    async with Workers(1) as workers:
        ada = snapshot_of("ada", "hers")
        await titles(workers, ada)
        [pid] = [one.pid for one in workers._alive if one.scope]
        assert await workers.run(ada, question(ONE_STEP)) == Fault("time", killed=True)
        assert await titles(workers, ada) == ["hers"]
        await gone(pid)


async def test_a_query_that_needs_too_much_memory_is_stopped_and_its_worker_goes_on() -> None:
    greedy = "WITH RECURSIVE n(x) AS (VALUES (1) UNION ALL SELECT x + 1 FROM n LIMIT 900) "
    greedy += "SELECT length(t) FROM (SELECT printf('%0900000d', x) AS t FROM n ORDER BY t)"
    async with Workers(1) as workers:
        ada = snapshot_of("ada", "hers")
        await titles(workers, ada)
        before = workers.pids
        answer = await workers.run(ada, question(greedy))
        assert isinstance(answer, Fault)
        assert (answer.kind, answer.killed) == ("memory", False)
        assert await titles(workers, ada) == ["hers"]
        assert workers.pids == before


async def test_a_worker_that_stands_still_is_killed() -> None:
    async with Workers(1) as workers:
        ada = snapshot_of("ada", "hers")
        await titles(workers, ada)
        [worker] = [one for one in workers._alive if one.scope]
        os.kill(worker.pid, 19)  # SIGSTOP: as if it had been taken over and said nothing
        assert await workers.run(ada, question(TITLES)) == Fault("time", killed=True)
        assert await titles(workers, ada) == ["hers"]
        await gone(worker.pid)


async def test_a_worker_that_died_between_two_queries_is_replaced_unnoticed() -> None:
    async with Workers(1) as workers:
        ada = snapshot_of("ada", "hers")
        await titles(workers, ada)
        for one in list(workers._alive):
            os.kill(one.pid, 9)
            await one._process.wait()
        assert await titles(workers, ada) == ["hers"]


async def test_whoever_leaves_takes_his_worker_with_him() -> None:
    async with Workers(1) as workers:
        ada = snapshot_of("ada", "hers")
        await titles(workers, ada)
        [pid] = [one.pid for one in workers._alive if one.scope]
        leaving = asyncio.create_task(workers.run(ada, question(ENDLESS)))
        await asyncio.sleep(0)  # the question is on its way
        assert workers._busy
        leaving.cancel()
        with pytest.raises(asyncio.CancelledError):
            await leaving
        assert await titles(workers, ada) == ["hers"]
        assert pid not in workers.pids
        await gone(pid)


async def test_an_answer_holds_no_more_than_was_asked_for() -> None:
    async with Workers(1) as workers:
        ada = snapshot_of("ada")
        count = "WITH RECURSIVE c(x) AS (VALUES (1) UNION ALL SELECT x + 1 FROM c LIMIT 500) SELECT {} FROM c"

        async def found(what: str, **limits: int) -> Found:
            answer = await workers.run(ada, question(count.format(what), **limits))
            assert isinstance(answer, Found)
            return answer

        assert (await found("x", rows=500)).cut == frozenset()
        few = await found("x", rows=499)
        assert (len(few.rows), few.cut) == (499, {"rows"})
        small = await found("x, 'ü'", rows=500, size=1_000)
        assert sum(len(f'[{x}, "ü"]'.encode()) for x, _ in small.rows) <= 1_000
        assert small.cut == {"bytes"}
        long = await found("printf('%05000d', x)", rows=3)
        assert all(str(row[0]).endswith("...") and len(str(row[0])) == 2_003 for row in long.rows)
        assert long.cut == {"rows", "cells"}


async def test_every_kind_of_value_arrives() -> None:
    async with Workers(1) as workers:
        sql = "SELECT NULL, 1, 9223372036854775807, 1.5, 'ü', x'00ff', 9e999, -9e999, CAST(x'ff' AS TEXT), '', char(10)"
        found = await workers.run(snapshot_of("ada"), question(sql))
        assert isinstance(found, Found)
        expected = [None, 1, 2**63 - 1, 1.5, "ü", "x'00ff'", None, None, "\N{REPLACEMENT CHARACTER}", "", "\n"]
        assert found.rows == [expected]


async def test_tasks_become_overdue_while_the_snapshot_stays() -> None:
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.deserialize(snapshot_of("ada").image)
        connection.executescript("INSERT INTO tasks (id, overdue) VALUES ('T1', 0), ('T2', 0)")
        connection.executescript("INSERT INTO soon VALUES ('T1', 100), ('T2', 200)")
        image = connection.serialize()
    snapshot = Snapshot(Version("ada", "s", "k"), image, partial=False, has_others=False)
    sql = "SELECT group_concat(id), (SELECT now FROM me) FROM tasks WHERE overdue = 1"
    async with Workers(1) as workers:
        for now_us, late in ((100, None), (101, "T1"), (201, "T1,T2"), (100, None)):
            answer = await workers.run(snapshot, Question(sql, Size(1, 1000, 100), f"now {now_us}", now_us))
            assert isinstance(answer, Found)
            assert answer.rows == [[late, f"now {now_us}"]]


async def test_too_many_who_wait_are_sent_away_and_the_others_are_served() -> None:
    async with Workers(1) as workers:
        people = [snapshot_of(f"person {number}", str(number)) for number in range(6)]
        answers = await asyncio.gather(
            workers.run(people[0], question(ENDLESS)),
            *(workers.run(one, question(TITLES)) for one in people[1:]),
            return_exceptions=True,
        )
        refused = [answer for answer in answers if isinstance(answer, Problem)]
        served = [answer for answer in answers if isinstance(answer, Found)]
        assert (len(served), [problem.code for problem in refused]) == (2, ["busy"] * 3)


async def test_a_worker_is_replaced_after_many_queries() -> None:
    async with Workers(1) as workers:
        ada = snapshot_of("ada", "hers")
        await titles(workers, ada)
        [worker] = [one for one in workers._alive if one.scope]
        worker.asked = MOST_QUERIES - 1
        await titles(workers, ada)
        assert worker.pid not in workers.pids
        assert await titles(workers, ada) == ["hers"]


async def test_no_process_and_no_descriptor_is_left_behind() -> None:
    async def some_queries() -> None:
        async with Workers(2) as workers:
            for name in ("ada", "bob", "cid"):
                await titles(workers, snapshot_of(name, "x"))
            await workers.run(snapshot_of("ada", "x"), question(ONE_STEP))
            pids = workers.pids
        for pid in pids:
            await gone(pid)

    await some_queries()
    before = descriptors()
    await some_queries()
    assert descriptors() <= before


# Workers that have been taken over ----------------------------------------------------------------------------------

TAKEN_OVER: Final = """
import sys
ready, answer = (open(path, "rb").read() for path in sys.argv[1:])
sys.stdout.buffer.write(ready)
sys.stdout.buffer.flush()
while sys.stdin.buffer.read1(65536):
    sys.stdout.buffer.write(answer)
    sys.stdout.buffer.flush()
"""


async def taken_over(answer: bytes, folder: Path) -> Worker:
    """A process that answers everything with these bytes."""
    ready = packed({"ready": {"landlock": 0, **ALL_LOCKS}})
    paths = [folder / "ready", folder / "answer"]
    for path, content in zip(paths, (ready, answer), strict=True):
        path.write_bytes(content)
    process = await create_subprocess_exec(
        *(sys.executable, "-I", "-S", "-c", TAKEN_OVER, *map(str, paths)),
        stdin=PIPE,
        stdout=PIPE,
        stderr=DEVNULL,
    )
    assert process.stdout is not None
    await process.stdout.readexactly(len(ready))
    worker = Worker(process)
    worker.locks = Locks(0, frozenset(ALL_LOCKS))
    return worker


LOADED: Final = packed({"loaded": len(snapshot_of("ada", "hers").image)})
ROWS: Final = {"id": 1, "columns": ["a"], "rows": [[1]], "cut": []}
ODD: Final[dict[str, bytes]] = {
    "no answer to an image": packed({"loaded": 1}),
    "not JSON": (5).to_bytes(4, "big") + b"hello",
    "not an object": packed({})[:4].replace(b"\x02", b"\x01") + b"1",
    "deep JSON": (100_000).to_bytes(4, "big") + b"[" * 100_000,
    "too long": (LARGEST + 1).to_bytes(4, "big") + b"x" * 100,
    "another number": packed({**ROWS, "id": 7}),
    "no number": packed({name: value for name, value in ROWS.items() if name != "id"}),
    "too many rows": packed({**ROWS, "rows": [[1]] * 101}),
    "a short row": packed({**ROWS, "rows": [[]]}),
    "a row that is none": packed({**ROWS, "rows": ["a"]}),
    "a cell that is a list": packed({**ROWS, "rows": [[[1]]]}),
    "a cell that is an object": packed({**ROWS, "rows": [[{"a": 1}]]}),
    "a cell that is a flag": packed({**ROWS, "rows": [[True]]}),
    "a column that is a number": packed({**ROWS, "columns": [1]}),
    "too many columns": packed({**ROWS, "columns": ["a"] * 101, "rows": [[1] * 101]}),
    "an unknown limit": packed({**ROWS, "cut": ["all"]}),
    "an unhashable limit": packed({**ROWS, "cut": [["rows"]]}),
    "no rows": packed({name: value for name, value in ROWS.items() if name != "rows"}),
    "an unknown kind of fault": packed({"id": 1, "error": "x", "kind": "other"}),
    "a fault that is no text": packed({"id": 1, "error": 1, "kind": "sql"}),
}


@pytest.mark.parametrize("odd", list(ODD))
async def test_a_worker_that_says_something_odd_is_killed_and_replaced(odd: str, tmp_path: Path) -> None:
    answer = ODD[odd] if odd == "no answer to an image" else LOADED + ODD[odd]
    workers, bad = await with_one_taken_over(answer, tmp_path)
    async with workers:
        answer_told = await workers.run(snapshot_of("ada", "hers"), question(TITLES))
        assert answer_told == Fault("broken", killed=True)
        await gone(bad.pid)
        assert await titles(workers, snapshot_of("ada", "hers")) == ["hers"]


async def test_column_names_of_a_worker_are_cut_and_cleaned(tmp_path: Path) -> None:
    workers, _ = await with_one_taken_over(LOADED + packed({**ROWS, "columns": ["a\nb\x1b" + "c" * 500_000]}), tmp_path)
    async with workers:
        found = await workers.run(snapshot_of("ada", "hers"), question(TITLES))
        assert isinstance(found, Found)
        assert found.columns == ["a b " + "c" * 56]


async def test_without_a_lock_on_files_no_worker_is_used() -> None:
    async def unlocked() -> Worker:
        worker = await Worker.start()
        worker.locks = Locks(0, frozenset({"clock"}))
        return worker

    async with Workers(1, start=unlocked) as workers:
        with pytest.raises(Problem) as refused:
            await titles(workers, snapshot_of("ada", "hers"))
        assert refused.value.code == "sql_unavailable"
        assert workers.pids == frozenset()
        assert not workers.locks.is_shut


async def test_where_no_process_can_be_started_queries_are_refused_and_the_rest_works() -> None:
    async with Workers(1, start=refuses) as workers:
        with pytest.raises(Problem) as refused:
            await titles(workers, snapshot_of("ada", "hers"))
        assert refused.value.code == "sql_unavailable"


# Turns --------------------------------------------------------------------------------------------------------------


async def test_one_person_has_one_query_running_and_few_waiting() -> None:
    turns, running, most = Turns(), 0, 0
    release = asyncio.Event()

    async def ask(person: str) -> str:
        nonlocal running, most
        try:
            async with turns.of(person):
                running += 1
                most = max(most, running)
                await release.wait()
                running -= 1
        except Problem as problem:
            return problem.code
        return "served"

    asked = [asyncio.create_task(ask("ada")) for _ in range(WAITING + 3)]
    await asyncio.sleep(0)
    release.set()
    assert sorted(await asyncio.gather(*asked)) == ["busy"] * 2 + ["served"] * (WAITING + 1)
    assert most == 1


async def test_people_do_not_wait_for_each_others_turns() -> None:
    turns = Turns()
    async with turns.of("ada"), turns.of("bob"), turns.of("cid"):
        pass


async def test_who_keeps_breaking_workers_pauses_for_a_minute_and_nobody_else_does() -> None:
    now = 0.0
    turns = Turns(now=lambda: now)

    async def broken(person: str) -> None:
        async with turns.of(person):
            turns.killed(person)

    for later in (0.0, KILLS_WITHIN_S + 1, 1.0, 1.0):  # the first is too long ago
        now += later
        await broken("ada")
    with pytest.raises(Problem) as refused:
        async with turns.of("ada"):
            pass
    assert refused.value.code == "quota"
    assert f"{KILLS} queries" in str(refused.value)
    async with turns.of("bob"):
        pass
    now += PAUSE_S
    async with turns.of("ada"):
        pass
    assert set(turns._people) <= {"ada", "bob"}


async def test_those_who_no_longer_ask_are_forgotten() -> None:
    turns = Turns()
    for number in range(1_000):
        async with turns.of(f"person {number}"):
            pass
    assert len(turns._people) == 1


# What the tests above need ------------------------------------------------------------------------------------------


async def refuses() -> Worker:
    raise Broken


async def with_one_taken_over(answer: bytes, folder: Path) -> tuple[Workers, Worker]:
    """Workers of whom the first has been taken over."""
    bad = await taken_over(answer, folder)
    given = iter([bad])

    async def start() -> Worker:
        one = next(given, None)
        return one if one is not None else await Worker.start()

    return Workers(1, start=start), bad


async def gone(pid: int) -> None:
    """Wait until a process is no more; the test's own limit ends a wait in vain."""
    with suppress(ProcessLookupError):
        while True:
            os.kill(pid, 0)
            await asyncio.sleep(0.01)


def descriptors() -> int:
    return sum(1 for _ in Path("/dev/fd").iterdir())
