"""The past in a snapshot: what each write did to each field, in the words in which people know it."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import insert, update

from mcp_server.snapshot.copying.reading import HISTORY_LIMIT
from mcp_server.tasks.spaces import space_of
from mcp_server.tasks.tables import changes, ops
from shared.db import microseconds
from tests.living import Living, ToolClient
from tests.mcp_server.filled import NOW, opened
from tests.mcp_server.past import client_called
from tests.mcp_server.snapshot.snapshots import Row, snapshot_of, table

pytestmark = pytest.mark.anyio

Told = tuple[str | None, str, str | None, str | None]


async def history(living: Living, name: str = "ada") -> list[Row]:
    assert living.mcp_database is not None
    return table(await snapshot_of(living.mcp_database, living.person(name)), "history")


async def last(living: Living) -> list[Told]:
    """What the last write of ada did: task, field, before and after."""
    rows = await history(living)
    return [(row["task"], row["field"], row["before"], row["after"]) for row in rows if row["op"] == rows[0]["op"]]


async def edit(ada: ToolClient, ref: str, **change: Any) -> None:
    await ada.values("tasks_edit", refs=[ref], changes=[change])


async def test_a_change_of_each_field_is_told_in_words(living: Living) -> None:
    async with living.client("ada") as ada:
        for kind, name in (("list", "Work"), ("section", "Work/Design"), ("tag", "home"), ("tag", "urgent")):
            await ada.values("organize", kind=kind, action="create", name=name)
        await ada.values("organize", kind="field", action="create", name="Effort", options={"type": "number"})
        one, two = await ada.add("One", "Two")
        assert await last(living) == [(two, "added", None, "Two"), (one, "added", None, "One")]
        steps: Sequence[tuple[Mapping[str, Any], list[Told]]] = (
            ({"title": "Uno"}, [(one, "title", "One", "Uno")]),
            ({"notes": "so"}, [(one, "notes", None, "so")]),
            ({"list": "Work/Design"}, [(one, "list", "Inbox", "Work/Design")]),
            ({"tags": ["+urgent", "+home"]}, [(one, "tags", None, "home, urgent")]),
            ({"due": "2030-11-20 09:00"}, [(one, "due", None, "2030-11-20 09:00")]),
            ({"due": "2030-11-20 10:30"}, [(one, "due", "09:00", "10:30")]),
            ({"due": "2030-11-21"}, [(one, "due", "2030-11-20 10:30", "2030-11-21")]),
            ({"priority": "p1"}, [(one, "priority", "4", "1")]),
            ({"estimate": "1h30m"}, [(one, "estimate", None, "90")]),
            ({"blocked_by": [two]}, [(one, "blocked_by", None, two)]),
            ({"fields": {"Effort": 3}}, [(one, "fields.Effort", None, "3")]),
            ({"fields": {"Effort": 5}}, [(one, "fields.Effort", "3", "5")]),
            ({"assignee": "me"}, [(one, "assignee", None, "me")]),
            ({"repeat": "every week"}, [(one, "repeat", None, "every week")]),
        )
        for change, expected in steps:
            await edit(ada, one, **change)
            assert [fact for fact in await last(living) if fact[1] != "position"] == expected
        await edit(ada, two, parent=one)
        assert (two, "parent", None, one) in await last(living)


async def test_finishing_and_deleting_are_told_once(living: Living) -> None:
    async with living.client("ada") as ada:
        await ada.values(
            "tasks_add", tasks=[{"title": "Water", "due": "2030-01-05", "repeat": "every day"}, {"title": "Paint"}]
        )
        await ada.values("tasks_complete", refs=["Paint"])
        assert await last(living) == [("T2", "status", "open", "done")]
        await ada.values("tasks_complete", refs=["Water"])
        assert ("T1", "completed", None, "2030-01-05") in await last(living)
        await ada.values("tasks_delete", refs=["Paint"])
        assert await last(living) == [("T2", "trash", "no", "yes")]


async def test_names_comments_settings_and_members_are_told_too(living: Living) -> None:
    async with living.client("ada") as ada, living.client("bob") as bob:
        await ada.add("Gate")
        await ada.values("organize", kind="list", action="create", name="Team")
        assert await last(living) == [(None, "list added", None, "Team")]
        await ada.values("organize", kind="list", action="rename", name="Team", to="Crew")
        assert await last(living) == [(None, "list name", "Team", "Crew")]
        await ada.values("organize", kind="list", action="archive", name="Crew")
        assert await last(living) == [(None, "list archived", None, "Crew")]
        await edit(ada, "Gate", comment="Green?")
        assert await last(living) == [("T1", "comment", None, "Green?")]
        await ada.values("organize", kind="setting", action="set", name="week start", to="Sunday")
        assert await last(living) == [(None, "week start", "default", "Sunday")]
        await ada.values("organize", kind="list", action="unarchive", name="Crew")
        assert await last(living) == [(None, "list archived", "Crew", None)]
        code = (await ada.values("share", action="invite", list="Crew", who="robert", role="edit"))["code"]
        assert await last(living) == [(None, "member", None, "robert edit Crew (invited)")]
        await bob.values("share", action="accept", code=code, who="ada")
        await bob.values("tasks_add", tasks=[{"title": "Hinge", "list": "ada:Crew"}])
        rows = await history(living)
    assert (rows[0]["actor"], rows[0]["after"], rows[0]["tool"]) == ("robert", "Hinge", "tasks_add")
    assert {row["actor"] for row in rows} == {"me", "robert"}
    joined = next(row for row in rows if row["field"] == "member")
    assert (joined["before"], joined["after"]) == ("robert edit Crew (invited)", "robert edit Crew")


async def test_each_row_says_when_who_and_through_what(living: Living) -> None:
    async with client_called(living, "ada", "a pencil") as ada:
        await ada.add("One")
    assert living.mcp_database is not None
    async with living.mcp_database.begin(living.person("ada"), write=True) as tx:
        await tx.execute(
            update(ops).where(ops.c.space_id == space_of(living.person("ada"))).values(at_us=microseconds(tx.now))
        )
        at = f"{tx.now:%Y-%m-%d %H:%M}"
    [row] = await history(living)
    assert (row["op"], row["at"], row["date"], row["actor"], row["agent"]) == (1, at, at[:10], "me", 0)
    assert (row["client"], row["tool"], row["summary"]) == ("a pencil", "tasks_add", "1 added: T1")


async def test_what_is_gone_keeps_its_name_and_others_keep_their_past(living: Living) -> None:
    async with living.client("ada") as ada, living.client("bob") as bob:
        await bob.add("Zebra")
        await ada.values("organize", kind="list", action="create", name="Old")
        await ada.values("tasks_add", tasks=[{"title": "Stay", "list": "Old"}])
        await edit(ada, "Stay", list="Inbox", tags=["once"])
        await ada.values("organize", kind="tag", action="delete", name="once")
        await ada.values("organize", kind="list", action="delete", name="Old")
        rows = await history(living)
    facts = [(row["field"], row["before"], row["after"]) for row in rows]
    assert ("list", "Old", "Inbox") in facts
    assert ("tags", None, "once") in facts
    assert ("list trash", None, "Old") in facts
    assert "Zebra" not in str(rows)


async def test_the_past_reaches_back_ninety_days_and_to_the_newest_rows_only(living: Living) -> None:
    me = space_of(living.person("ada"))
    first_us = microseconds(NOW.replace(hour=0, minute=0) - timedelta(90))
    op = {
        "space_id": me,
        "actor": living.person("ada").key,
        "client": "c",
        "via": "agent",
        "tool": "t",
        "summary": "s",
        "size": 1,
    }
    change = {
        "space_id": me,
        "kind": "task",
        "no": 1,
        "before": {"title": "a", "notes": ""},
        "after": {"title": "b", "notes": "c"},
    }
    async with living.client("ada") as ada:
        await ada.add("One")
    async with opened(living) as database:
        async with database.begin(living.person("ada"), write=True) as tx:
            await tx.execute(update(ops).where(ops.c.space_id == me).values(at_us=0))
            await tx.execute(
                insert(ops), [{**op, "rev": 5, "at_us": first_us - 1}, {**op, "rev": 6, "at_us": first_us}]
            )
            await tx.execute(insert(changes), [{**change, "rev": 5, "n": 1}, {**change, "rev": 6, "n": 1}])
        rows = table(await snapshot_of(database, living.person("ada"), "UTC"), "history")
        assert [(row["op"], row["field"], row["agent"]) for row in rows] == [(6, "notes", 1), (6, "title", 1)]
        async with database.begin(living.person("ada"), write=True) as tx:
            await tx.execute(insert(ops), {**op, "rev": 7, "at_us": first_us + 1})
            for start in range(0, HISTORY_LIMIT // 2, 500):
                await tx.execute(insert(changes), [{**change, "rev": 7, "n": n} for n in range(start, start + 500)])
        rows = table(await snapshot_of(database, living.person("ada"), "UTC"), "history")
    assert len(rows) == HISTORY_LIMIT
    assert {row["op"] for row in rows} == {7}
