"""Pages: in every order each task exactly once, whoever writes meanwhile, and no cursor works for another question."""

import random
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from dataclasses import replace
from datetime import date, timedelta
from typing import Any, Final, get_args

import pytest
from sqlalchemy import event

from mcp_server.tasks.cursors import Cursors
from mcp_server.tasks.finding.find import find
from mcp_server.tasks.finding.orders import Sort
from mcp_server.tasks.sight import read_sight
from mcp_server.tasks.task import Status, Task, TaskPage
from mcp_server.tasks.words import fold, search_text
from mcp_server.tasks.writing.bench import Bench
from mcp_server.tasks.writing.journal import Op
from shared.db import Database
from shared.errors import Problem
from shared.tokens import Caller
from tests.living import Living
from tests.mcp_server.filled import TODAY, World, filled, opened, written

pytestmark = pytest.mark.anyio

CURSORS: Final = Cursors([b"a key of these tests"])
SORTS: Final[tuple[Sort, ...]] = get_args(Sort)
FAR: Final = date.max

Key = tuple[str, int]
OrderKey = Callable[[Task], tuple[Any, ...]]


def by_place(task: Task) -> tuple[Any, ...]:
    return task.due_date or FAR, task.priority, task.space_id, task.no


def by_standing(task: Task) -> tuple[Any, ...]:
    """Open tasks first, then closed ones from the newest on, then the trash from the last deleted on."""
    if task.deleted_us is not None:
        return 2, FAR, -task.deleted_us, 0, task.space_id, task.no
    if task.status is Status.OPEN:
        return 0, task.due_date or FAR, 0, task.priority, task.space_id, task.no
    return 1, FAR, -(task.completed_us or 0), 0, task.space_id, task.no


def by_relevance(task: Task) -> tuple[Any, ...]:
    """For the word "call"."""
    title = fold(task.title)
    rank = 0 if title.startswith("call") else 1 if " call" in title else 2 if "call" in title else 3
    return rank, *by_standing(task)


# Newest first: each key, and whether it counts down.
DOWN: Final[Mapping[str, OrderKey]] = {
    "completed": lambda task: (task.completed_us, task.space_id, task.no),
    "deleted": lambda task: (task.deleted_us, task.space_id, task.no),
    "created": lambda task: (task.created_us, task.space_id, task.no),
    "updated": lambda task: (task.updated_us, task.space_id, task.no),
}
UP: Final[Mapping[str, OrderKey]] = {
    "open": by_place,
    "mixed": by_standing,
    "relevance": by_relevance,
    "due": lambda task: (task.due_date or FAR, 1440 if task.due_min is None else task.due_min, task.space_id, task.no),
    "priority": lambda task: (task.priority, task.due_date or FAR, task.space_id, task.no),
    "title": lambda task: (search_text(task.title, task.notes)[:40], task.space_id, task.no),
    "manual": lambda task: (task.space_id, task.list_no, task.position, task.no),
}
# What smart and relevance mean for each filter.
FILTERS: Final = {
    "": ("open", "open"),
    "list:bob:Team": ("open", "open"),
    "-is:closed": ("open", "open"),
    "-is:open": ("completed", "completed"),
    "is:done": ("completed", "completed"),
    "is:closed": ("completed", "completed"),
    "is:trash": ("deleted", "deleted"),
    "is:all": ("mixed", "mixed"),
    "is:all OR is:trash": ("mixed", "mixed"),
    "p1 OR call -milk": ("open", "relevance"),
    "call (is:all OR is:trash)": ("mixed", "relevance"),
}


@pytest.fixture
async def world(living: Living) -> AsyncGenerator[World]:
    async with filled(living) as made:
        yield made


async def page_of(database: Database, who: Caller, text: str, **wishes: Any) -> TaskPage:
    async with database.begin(who) as tx:
        return await find(tx, await read_sight(tx, "UTC"), text, **{"limit": 25, "cursors": CURSORS, **wishes})


async def pages_of(database: Database, who: Caller, text: str, **wishes: Any) -> list[TaskPage]:
    """All pages of a question, one after the other."""
    pages = [await page_of(database, who, text, **wishes)]
    while pages[-1].cursor:
        pages.append(await page_of(database, who, text, cursor=pages[-1].cursor, **wishes))
    return pages


def keys_of(*pages: TaskPage) -> list[Key]:
    return [(task.space_id, task.no) for page in pages for task in page.tasks]


def in_order(tasks: Sequence[Task], name: str) -> list[Key]:
    ordered = sorted(tasks, key=UP.get(name) or DOWN[name], reverse=name in DOWN)
    return [(task.space_id, task.no) for task in ordered]


@pytest.mark.parametrize("text", FILTERS)
async def test_every_order_gives_each_task_exactly_once(world: World, text: str) -> None:
    names = dict(zip(("smart", "relevance"), FILTERS[text], strict=True))
    for sort in SORTS:
        [whole] = await pages_of(world.database, world.ada, text, sort=sort, full=True, limit=1_000)
        assert whole.total == len(whole.tasks) > 7
        assert keys_of(whole) == in_order(whole.tasks, names.get(sort, sort)), sort
        pages = await pages_of(world.database, world.ada, text, sort=sort, limit=7)
        assert keys_of(*pages) == keys_of(whole), sort
        assert {page.total for page in pages} == {whole.total}
        assert [len(page.tasks) for page in pages[:-1]] == [7] * (len(pages) - 1)
        assert {page.sort for page in pages} == {sort}


async def test_tasks_without_a_day_are_on_the_last_pages(world: World) -> None:
    for sort in ("smart", "due"):
        pages = await pages_of(world.database, world.ada, "", sort=sort, limit=10)
        days = [task.due_date for page in pages for task in page.tasks]
        without = days.count(None)
        assert without > 0
        assert days[-without:] == [None] * without


@pytest.mark.parametrize("sort", SORTS)
@pytest.mark.parametrize("text", ["", "is:all", "is:closed"])
async def test_a_writer_between_the_pages_makes_nothing_come_twice_or_not_at_all(
    world: World, sort: Sort, text: str
) -> None:
    dice = random.Random(11)
    there = set(keys_of(*await pages_of(world.database, world.ada, text, limit=1_000)))
    page = await page_of(world.database, world.ada, text, sort=sort, limit=9)
    seen = keys_of(page)
    removed: set[Key] = set()
    while page.cursor:
        removed.add(await disturb(world, dice, sorted(there - removed)))
        page = await page_of(world.database, world.ada, text, sort=sort, limit=9, cursor=page.cursor)
        assert page.notes == ("changed since page 1",)
        seen += keys_of(page)
    assert len(seen) == len(set(seen))
    assert there - removed <= set(seen)


async def disturb(world: World, dice: random.Random, there: Sequence[Key]) -> Key:
    """Ada adds tasks everywhere in the order, and one goes to the trash; returns which."""
    own = [no for space_id, no in there if space_id != world.known[0].task.space_id]
    chosen = dice.choice(own)

    async def work(op: Op) -> None:
        bench = Bench(op)
        await bench.load([chosen])
        bench.put(replace(bench[chosen], deleted_us=op.tx.now_us))
        for day in (None, TODAY - timedelta(100), TODAY, TODAY + timedelta(100)):
            status = dice.choice(list(Status))
            closed_us = None if status is Status.OPEN else dice.randrange(op.tx.now_us)
            bench.add(
                Task(
                    op.space.id,
                    op.number(),
                    dice.choice("aMz") + " call",
                    status=status,
                    due_date=day,
                    priority=dice.randrange(1, 5),
                    created_us=dice.randrange(op.tx.now_us),
                    completed_us=closed_us,
                )
            )
        await bench.save()

    await written(world.database, world.ada, work)
    return next(key for key in there if key[1] == chosen and key[0] != world.known[0].task.space_id)


async def test_a_page_behind_the_last_task_still_knows_the_total(world: World) -> None:
    page = await page_of(world.database, world.ada, "", limit=10)

    async def finish(op: Op) -> None:
        bench = Bench(op)
        shown = {task.no for task in page.tasks if task.space_id == op.space.id}
        for task in await bench.load_where():
            if task.no not in shown:
                bench.put(replace(task, deleted_us=1))
        await bench.save()

    for who in (world.ada, world.bob):
        await written(world.database, who, finish)
    last = await page_of(world.database, world.ada, "", limit=10, cursor=page.cursor)
    assert (last.tasks, last.total, last.cursor) == ((), 10, "")


async def test_a_cursor_continues_only_its_own_question(world: World) -> None:
    first = await page_of(world.database, world.ada, "p1 OR p2", limit=5)
    again = await page_of(world.database, world.ada, " p1  or p2", limit=3, cursor=first.cursor)
    assert len(again.tasks) == 3
    assert not set(keys_of(first)) & set(keys_of(again))
    for who, text, wishes in (
        (world.ada, "p1", {}),
        (world.ada, "p1 OR p2 is:all", {}),
        (world.ada, "p1 OR p2", {"sort": "due"}),
        (world.ada, "p1 OR p2", {"full": True}),
        (world.bob, "p1 OR p2", {}),
        (world.ada, "p1 OR p2", {"cursors": Cursors([b"another key"])}),
    ):
        with pytest.raises(Problem) as refused:
            await page_of(world.database, who, text, cursor=first.cursor, **wishes)
        assert refused.value.code == "bad_cursor"
    for cursor in ("x", first.cursor[:-1], first.cursor[1:], first.cursor + "AAAA", "é" * 40):
        with pytest.raises(Problem) as refused:
            await page_of(world.database, world.ada, "p1 OR p2", cursor=cursor)
        assert refused.value.code == "bad_cursor"


async def test_a_cursor_made_with_an_older_key_still_works(world: World) -> None:
    first = await page_of(world.database, world.ada, "", limit=5, cursors=Cursors([b"old"]))
    both = Cursors([b"new", b"old"])
    assert (await page_of(world.database, world.ada, "", cursor=first.cursor, cursors=both)).tasks


async def test_a_short_page_has_no_notes_but_a_full_one_has(world: World) -> None:
    short, full = [
        (await page_of(world.database, world.ada, "has:notes has:reminders", full=full)).tasks for full in (False, True)
    ]
    assert {task.notes for task in short} == {""}
    assert all(task.notes and task.reminders for task in full)
    assert [replace(task, notes="", reminders=()) for task in full] == list(short)


async def test_a_call_takes_as_many_statements_for_many_tasks_as_for_few(living: Living) -> None:
    async with opened(living) as database:
        ada = living.person("ada")
        statements: list[str] = []

        @event.listens_for(database.engine.sync_engine, "before_cursor_execute")
        def count(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
            statements.append(statement)

        counts = []
        for size in (3, 300):
            await written(database, ada, lambda op, size=size: add(op, size))
            for sort in SORTS:
                statements.clear()
                page = await page_of(database, ada, "tag:none call OR -is:blocked", sort=sort, limit=2)
                await page_of(database, ada, "tag:none call OR -is:blocked", sort=sort, limit=200, cursor=page.cursor)
                counts.append(len([text for text in statements if "FROM" in text]))
        assert counts == [4] * len(counts)  # for each page what she sees, and the page with its total


async def add(op: Op, count: int) -> None:
    bench = Bench(op)
    for _ in range(count):
        bench.add(Task(op.space.id, op.number(), "call"))
    await bench.save()


async def test_pages_over_http_are_complete_while_another_client_adds(living: Living) -> None:
    async with living.client("ada") as ada, living.client("ada") as other:
        await ada.values("tasks_add", tasks=[{"title": f"first {number}"} for number in range(30)])
        values = await ada.values("tasks_find", limit=4)
        titles = [task["title"] for task in values["tasks"]]
        while values.get("cursor"):
            await other.values("tasks_add", tasks=[{"title": "later", "due": "today", "priority": "p1"}])
            values = await ada.values("tasks_find", limit=4, cursor=values["cursor"])
            assert values["notes"] == ["changed since page 1"]
            titles += [task["title"] for task in values["tasks"]]
        assert [title for title in titles if title != "later"] == [f"first {number}" for number in range(30)]
