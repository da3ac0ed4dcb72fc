"""Hostile SQL through the real tool, beside a neighbour who goes on working."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from time import perf_counter
from typing import Final

import pytest

from mcp_server.snapshot.running.workers import Workers
from mcp_server.tasks.spaces import space_of
from tests.living import Living, ToolClient, text_of
from tests.mcp_server.snapshot import hostile_deeds, hostile_sql
from tests.mcp_server.snapshot.hostile_bombs import BOMBS, CHEAP, MEMORY, SIZE, TIME
from tests.mcp_server.snapshot.hostile_sql import LIMIT, REFUSAL, Hostile
from tests.mcp_server.snapshot.sql_watch import (
    LATEST_S,
    MARK,
    WORKER_BYTES,
    Watched,
    own_bytes,
    own_descriptors,
    watched,
    wrong_words,
)

pytestmark = pytest.mark.anyio

KINDS: Final = {**hostile_sql.KINDS, **hostile_deeds.KINDS, "size": SIZE, "memory": MEMORY, "cheap": CHEAP}
SIMPLE: Final = "SELECT title, status FROM tasks ORDER BY title"
OWN: Final = [["Buy milk", "open"], ["Call mum", "open"]]
IN_ONE_STEP: Final = next(one.sql for one in TIME if one.name == "instr in one step")
AT_ONCE: Final = 2  # as many bombs as there are workers
PEOPLE: Final = 2  # statements that one person makes: after three that had to be killed nobody is answered


@asynccontextmanager
async def person(living: Living, name: str) -> AsyncGenerator[ToolClient]:
    """Somebody new, with the two tasks that hostile statements know of."""
    async with living.client(name) as client:
        await client.add("Buy milk", "Call mum")
        yield client


@asynccontextmanager
async def neighbour(living: Living) -> AsyncGenerator[ToolClient]:
    """Bob, in whose space everything is marked."""
    async with living.client("bob") as bob:
        for kind, name in (("list", f"List {MARK}"), ("tag", f"tag{MARK}"), ("field", f"Field {MARK}")):
            await bob.values("organize", kind=kind, action="create", name=name)
        task = {
            "title": f"A {MARK}",
            "notes": f"Notes {MARK}",
            "list": f"List {MARK}",
            "tags": [f"tag{MARK}"],
            "fields": {f"Field {MARK}": MARK},
            "subtasks": [f"Below {MARK}"],
        }
        [ref, *_] = (await bob.values("tasks_add", tasks=[task]))["refs"]
        await bob.values("tasks_edit", changes=[{"refs": [ref], "comment": f"Comment {MARK}"}])
        await bob.values("tasks_edit", changes=[{"refs": [ref], "notes": f"New notes {MARK}"}])
        await bob.values("tasks_complete", refs=await bob.add(f"Z {MARK}"))
        yield bob


def secrets(living: Living) -> list[str]:
    """What identifies people inside."""
    return [space_of(living.person("bob")), living.subject("bob")]


def workers_of(living: Living) -> Workers:
    assert living.workers is not None
    return living.workers


async def attack(living: Living, client: ToolClient, hostile: Hostile, seen: Watched) -> None:
    """Make one statement; afterwards the simplest query is right."""
    begun = perf_counter()
    result = await client.call("data_query", sql=hostile.sql)
    took = perf_counter() - begun
    seen.answers_s.append(took)
    if fault := wrong_words(hostile, result, secrets(living)):
        seen.faults.append(f"{hostile.name}: {fault}")
    if took >= LATEST_S:
        seen.faults.append(f"{hostile.name}: only after {took:.2f} s")
    after = await client.call("data_query", sql=SIMPLE)
    if after.is_error or (after.structured_content or {}).get("rows") != OWN:
        seen.faults.append(f"{hostile.name}: and then {text_of(after)}")


async def attack_all(living: Living, statements: Sequence[Hostile], seen: Watched, *, by: str, people: int) -> None:
    """One statement after the other, by new people again and again."""
    for start in range(0, len(statements), people):
        async with person(living, f"{by} {start}") as client:
            for hostile in statements[start : start + people]:
                await attack(living, client, hostile, seen)


def assert_nothing_happened(seen: Watched) -> None:
    print(seen)  # the figures, for those who want to read them
    assert not seen.faults, "\n".join(seen.faults[:20])
    assert max(seen.most_bytes.values(), default=0) < WORKER_BYTES
    assert max(seen.neighbour_s) < LATEST_S


@pytest.mark.parametrize("kind", KINDS)
async def test_hostile_statements_get_nothing_and_harm_nobody(living: Living, kind: str) -> None:
    server = living.mcp.task
    people = PEOPLE if kind in ("size", "memory", "cheap") else 1_000
    async with neighbour(living) as bob, watched(workers_of(living), bob) as seen:
        await attack_all(living, KINDS[kind], seen, by="ada", people=people)
    assert_nothing_happened(seen)
    assert living.mcp.task is server
    assert server is not None
    assert not server.done()


async def test_bombs_on_all_workers_are_ended_and_the_neighbour_has_his_turn(living: Living) -> None:
    async with neighbour(living) as bob, watched(workers_of(living), bob) as seen, asyncio.TaskGroup() as group:
        for lane in range(AT_ONCE):
            group.create_task(attack_all(living, TIME[lane::AT_ONCE], seen, by=f"lane {lane}", people=PEOPLE))
    assert_nothing_happened(seen)


def test_there_are_enough_of_them() -> None:
    names = [(kind, hostile.name) for kind, all_ in {**KINDS, "time": TIME}.items() for hostile in all_]
    assert len(names) == len(set(names)) >= 180
    assert len(BOMBS) >= 60


async def test_a_hidden_table_looks_like_none(living: Living) -> None:
    async with person(living, "ada") as ada:
        for sql in ("SELECT * FROM {}", "SELECT count(*) FROM {}", "SELECT task FROM main.{}", 'SELECT x FROM "{}" x'):
            hidden, none = [await ada.text("data_query", sql=sql.format(name)) for name in ("soon", "noos")]
            assert hidden.replace("soon", "noos") == none


async def test_the_rows_of_two_people_are_never_in_one_process(living: Living) -> None:
    async with neighbour(living) as bob, person(living, "ada") as ada:
        await bob.values("data_query", sql="SELECT * FROM tasks")
        of_bob = workers_of(living).pids
        await ada.values("data_query", sql="SELECT * FROM tasks")
        of_ada = workers_of(living).pids - of_bob
        assert of_ada
        for pid in of_ada:
            held = _memory(pid)
            if not held:
                pytest.skip("this system does not show the memory of another process")
            assert b"Buy milk" in held
            assert MARK.encode() not in held


async def test_whoever_needs_killing_again_and_again_pauses_and_nobody_else_does(living: Living) -> None:
    async with AsyncExitStack() as stack:
        ada = await stack.enter_async_context(person(living, "ada"))
        bob = await stack.enter_async_context(neighbour(living))
        for _ in range(3):
            assert (await ada.text("data_query", sql=IN_ONE_STEP)).startswith("sql_limit: ")
            assert len((await bob.values("data_query", sql="SELECT title FROM tasks"))["rows"]) == 3
        assert (await ada.text("data_query", sql=SIMPLE)).startswith("quota: ")
        assert await ada.titles() == ["Buy milk", "Call mum"], "the other tools work"
        assert len((await bob.values("data_query", sql="SELECT title FROM tasks"))["rows"]) == 3


async def test_a_flood_of_bombs_by_one_person_leaves_the_others_alone(living: Living) -> None:
    async with person(living, "ada") as ada, neighbour(living) as bob, watched(workers_of(living), bob) as seen:
        endless = TIME[0].sql
        texts = await asyncio.gather(*(ada.text("data_query", sql=endless) for _ in range(10)))
    assert {text.partition(":")[0] for text in texts} == {"sql_limit", "busy"}
    assert_nothing_happened(seen)


async def test_the_server_does_not_grow_with_attacks(living: Living) -> None:
    quick = [one for kind in ("catalog", "several", "size") for one in KINDS[kind] if len(one.sql) < 1_000][::3]
    async with neighbour(living) as bob:
        seen = Watched()
        await attack_all(living, quick, seen, by="first", people=10)
        before = own_bytes(), own_descriptors()
        for turn in range(4):
            await attack_all(living, quick, seen, by=f"turn {turn}", people=10)
        after = own_bytes(), own_descriptors()
        assert len((await bob.values("data_query", sql="SELECT title FROM tasks"))["rows"]) == 3
    print(f"{len(seen.answers_s)} attacks; bytes and descriptors {before} -> {after}")
    assert not seen.faults, "\n".join(seen.faults[:20])
    assert after[0] - before[0] < 16 * 2**20
    assert abs(after[1] - before[1]) <= 8


async def test_a_statement_with_a_null_character_is_refused_by_the_call(living: Living) -> None:
    async with person(living, "ada") as ada:
        for sql in ("SELECT 1\x00", "\x00SELECT 1", "SELECT '\x00'", "SELECT 1; \x00DELETE FROM tasks"):
            result = await ada.call("data_query", sql=sql)
            assert result.is_error
            assert not wrong_words(Hostile("null", sql, REFUSAL | LIMIT | {"bad_argument"}), result, secrets(living))


async def test_no_statement_is_written_to_the_log(living: Living, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    word = "wombat"
    async with person(living, "ada") as ada:
        for sql in ("SELECT '{}'", "SELECT {} FROM tasks", "SELECT * FROM {}", "SELEC {}", f"{IN_ONE_STEP} || '{{}}'"):
            await ada.call("data_query", sql=sql.format(word))
    ours = [vars(record) for record in caplog.records if record.name.startswith(("mcp_server", "shared"))]
    assert any("killed" in record["message"] for record in ours), "the log is heard"
    assert word not in str(ours)


def _memory(pid: int) -> bytes:
    """All that a process holds and may change; nothing where that is not to be seen."""
    held = b""
    try:
        maps = Path(f"/proc/{pid}/maps").read_text().splitlines()
        with Path(f"/proc/{pid}/mem").open("rb") as memory:
            for line in maps:
                span, rights, *_ = line.split()
                if rights.startswith("rw") and "[v" not in line:
                    start, end = (int(edge, 16) for edge in span.split("-"))
                    memory.seek(start)
                    held += memory.read(end - start)
    except OSError:
        return b""
    return held
