"""What a call costs in statements: counted, because a count says the same on every machine."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import event

from tests.living import Living

pytestmark = pytest.mark.anyio


@contextmanager
def statements(living: Living) -> Iterator[list[str]]:
    """The data statements the tool server sends meanwhile; what opens a transaction does not count."""
    assert living.mcp_database is not None
    engine = living.mcp_database.engine.sync_engine
    seen: list[str] = []

    def note(_: Any, __: Any, statement: str, *___: Any) -> None:
        if not statement.startswith(("BEGIN", "SELECT set_config", "PRAGMA")):
            seen.append(statement)

    event.listen(engine, "before_cursor_execute", note)
    try:
        yield seen
    finally:
        event.remove(engine, "before_cursor_execute", note)


async def test_a_page_costs_two_statements_whatever_its_size(living: Living) -> None:
    async with living.client("ada") as ada:
        await ada.add(*(f"Task {number}" for number in range(60)))
        for arguments in ({"limit": 1}, {"limit": 60}, {"filter": "task p4 due:none -done is:all"}):
            with statements(living) as seen:
                await ada.values("tasks_find", **arguments)
            assert len(seen) == 2


async def test_a_hundred_tasks_cost_as_many_statements_as_one(living: Living) -> None:
    async with living.client("ada") as ada:
        await ada.add("The first one makes the space")
        counts = []
        for size in (1, 100):
            with statements(living) as seen:
                await ada.add(*(f"{size} times {number}" for number in range(size)))
            counts.append(len(seen))
        assert counts == [6, 6]


async def test_completing_many_costs_as_many_statements_as_completing_one(living: Living) -> None:
    async with living.client("ada") as ada:
        refs = await ada.add(*(f"Task {number}" for number in range(51)))
        counts = []
        for chosen in (refs[:1], refs[1:]):
            with statements(living) as seen:
                await ada.values("tasks_complete", refs=chosen)
            counts.append(len(seen))
        assert counts == [7, 7]


async def test_every_statement_about_a_persons_rows_names_the_space(living: Living) -> None:
    async with living.client("ada") as ada:
        with statements(living) as seen:
            await ada.values("tasks_add", tasks=[{"title": "One"}], request_id="r")
            await ada.values("tasks_find", filter="one", limit=1)
            await ada.values("tasks_find", refs=["T1", "one"])
            await ada.text("tasks_find", refs=["unknown"])
            await ada.values("tasks_complete", refs=["one"])
        assert len(seen) > 15
        unfenced = [statement for statement in seen if "space_id" not in statement and "spaces.id" not in statement]
        assert [statement for statement in unfenced if not statement.startswith("INSERT INTO spaces")] == []


async def test_a_repeat_costs_only_the_look_for_its_answer(living: Living) -> None:
    async with living.client("ada") as ada:
        await ada.values("tasks_add", tasks=[{"title": "One"}], request_id="r")
        with statements(living) as seen:
            await ada.values("tasks_add", tasks=[{"title": "One"}], request_id="r")
        assert len(seen) == 2
