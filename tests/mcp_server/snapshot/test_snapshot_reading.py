"""How the rows of a snapshot are read: in few statements, each row once, and never older than their version says."""

import json
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Final

import pytest
from sqlalchemy import insert

from mcp_server.snapshot.copying.building import build
from mcp_server.snapshot.copying.reading import PORTION
from mcp_server.snapshot.version import Version, version_of
from mcp_server.tasks.names import Kind, Named, Names
from mcp_server.tasks.sight import Area, Role, Sight
from mcp_server.tasks.spaces import Space, space_of
from mcp_server.tasks.tables import comments, deps, task_tags, tasks
from shared.db import Database, microseconds
from tests.conftest import migrate
from tests.engines import PostgresServer
from tests.living import Databases, Living
from tests.mcp_server.filled import NOW, TODAY, filled, opened
from tests.mcp_server.snapshot.snapshots import rows_of, sight_of, snapshot_of, table, tables
from tests.mcp_server.statements import statements

pytestmark = pytest.mark.anyio

OWN: Final = Area(Space("uada", 7, "Europe/Berlin", {"week_start": 0}), Names([Named(1, Kind.LIST, "Work")]))
TEAM: Final = Names([Named(4, Kind.LIST, "Team"), Named(5, Kind.SECTION, "Now", 4), Named(6, Kind.LIST, "Plans")])
BOBS: Final = Area(Space("ubob", 3, "UTC"), TEAM, "bob", {4: Role.VIEW})
SIGHT: Final = Sight((OWN, BOBS), {"ubob": "bob"})


def with_own(space: Space) -> Sight:
    return replace(SIGHT, areas=(replace(OWN, space=space), BOBS))


def with_bobs(area: Area) -> Sight:
    return replace(SIGHT, areas=(OWN, area))


OTHERS: Final = {
    "another write": with_own(replace(OWN.space, rev=8)),
    "another zone": with_own(replace(OWN.space, tz="UTC")),
    "another setting": with_own(replace(OWN.space, settings={"week_start": 6})),
    "another person": with_own(replace(OWN.space, id="ucat")),
    "a write by bob": with_bobs(replace(BOBS, space=replace(BOBS.space, rev=4))),
    "bob elsewhere": with_bobs(replace(BOBS, space=replace(BOBS.space, tz="Asia/Tokyo"))),
    "another alias": with_bobs(replace(BOBS, alias="bobby")),
    "somebody else's list": with_bobs(replace(BOBS, space=replace(BOBS.space, id="ucat"))),
    "another list": with_bobs(replace(BOBS, roles={6: Role.VIEW})),
    "one list more": with_bobs(replace(BOBS, roles={4: Role.VIEW, 6: Role.VIEW})),
    "a section less": with_bobs(replace(BOBS, names=Names([Named(4, Kind.LIST, "Team")]))),
    "nothing shared": replace(SIGHT, areas=(OWN,)),
    "one acquaintance more": replace(SIGHT, people={"ubob": "bob", "ucat": "cat"}),
    "an acquaintance renamed": replace(SIGHT, people={"ubob": "robert"}),
}


@pytest.mark.parametrize("sight", OTHERS.values(), ids=OTHERS)
def test_whatever_changes_what_is_seen_changes_the_key(sight: Sight) -> None:
    assert version_of(sight, TODAY).key != version_of(SIGHT, TODAY).key


def test_each_of_these_keys_is_another_one_and_each_day_has_its_own() -> None:
    keys = [version_of(sight, TODAY).key for sight in (SIGHT, *OTHERS.values())]
    keys += [version_of(SIGHT, TODAY + timedelta(1)).key]
    assert len(set(keys)) == len(keys)


def test_the_scope_says_which_spaces_and_lists_and_no_more() -> None:
    scopes = {name: version_of(sight, TODAY).scope for name, sight in OTHERS.items()}
    same = version_of(SIGHT, TODAY).scope
    assert {name for name, scope in scopes.items() if scope != same} == {
        "another person", "somebody else's list", "another list", "one list more", "nothing shared",
    }  # fmt: skip


def test_what_is_not_to_be_seen_in_the_rows_leaves_the_version_alone() -> None:
    backwards = replace(SIGHT, people=dict(reversed(SIGHT.people.items())))
    editor = with_bobs(replace(BOBS, roles={4: Role.EDIT}))
    assert version_of(backwards, TODAY) == version_of(editor, TODAY) == version_of(SIGHT, TODAY)
    assert version_of(SIGHT, TODAY).person == "uada"


async def test_reading_again_gives_the_same_version_until_somebody_writes(living: Living) -> None:
    async def version(day: date = TODAY) -> Version:
        assert living.mcp_database is not None
        return version_of(await sight_of(living.mcp_database, living.person("ada")), day)

    async with living.client("ada") as ada, living.client("bob") as bob:
        await ada.add("One")
        first = await version()
        await bob.add("Not hers")
        assert await version() == first
        await ada.add("Two")
        assert (await version()).key != first.key
        assert (await version()).scope == first.scope


async def test_the_number_of_statements_depends_neither_on_tasks_nor_on_other_people(living: Living) -> None:
    counted = []
    async with living.client("ada") as ada, living.client("bob") as bob:
        await ada.add("One")
        for _ in range(3):
            assert living.mcp_database is not None
            with statements(living) as seen:
                await rows_of(living.mcp_database, living.person("ada"))
            counted.append(len(seen))
            await ada.add(*(f"Task {number}" for number in range(60)))
            await bob.add(*(f"Task {number}" for number in range(60)))
    # What she sees, open and finished tasks, their tags, comments, completions, changes, old names.
    assert counted == [8, 8, 8]


async def add_many(database: Database, living: Living, count: int, title: Callable[[int], str] = str) -> None:
    """Ada's tasks T1 and on, of which every second one is finished, many of them at the same moment; each with a tag,
    a comment and the next one as its blocker."""
    me = space_of(living.person("ada"))
    async with living.client("ada") as ada:
        await ada.values("organize", kind="tag", action="create", name="home")
    tag = (await sight_of(database, living.person("ada"))).own.names.require(Kind.TAG, "home").no
    row = {"space_id": me, "created_us": 0, "updated_us": 0, "rev": 1}
    numbers = range(10, 10 + count)
    done_us = microseconds(NOW)
    async with database.begin(living.person("ada"), write=True) as tx:
        for some in (numbers[start : start + 1_000] for start in range(0, count, 1_000)):
            await tx.execute(
                insert(tasks),
                [
                    row
                    | {
                        "no": number,
                        "title": title(number),
                        "status": number % 2,
                        "completed_us": done_us + number // 1_000 * 1_000_000 if number % 2 else None,
                    }
                    for number in some
                ],
            )
            await tx.execute(insert(task_tags), [{"space_id": me, "task_no": number, "tag_no": tag} for number in some])
            await tx.execute(
                insert(comments),
                [
                    {
                        "space_id": me,
                        "no": number,
                        "task_no": number,
                        "author": me,
                        "body": "so",
                        "created_us": 0,
                        "rev": 1,
                    }
                    for number in some
                ],
            )
        await tx.execute(
            insert(deps),
            [{"space_id": me, "task_no": number, "blocked_by": number + 1} for number in numbers[:-1]],
        )


async def test_of_more_tasks_than_one_portion_each_is_there_once(living: Living) -> None:
    count = 5 * PORTION // 2
    async with opened(living) as database:
        await add_many(database, living, count)
        rows = await rows_of(database, living.person("ada"))
        found = Counter(row["no"] for row in table(build(rows), "tasks"))
    assert len(rows.tasks) == 4
    assert max(len(json.loads(portion.text)) for portion in rows.tasks) == PORTION
    assert found == Counter(range(10, 10 + count))


async def test_the_oldest_finished_tasks_are_left_out_until_it_fits(living: Living) -> None:
    async with opened(living) as database:
        await add_many(database, living, 3_000, lambda number: f"{number} " + "ü" * 200)
        whole = await snapshot_of(database, living.person("ada"))
        part = await snapshot_of(database, living.person("ada"), limit=len(whole.image) * 3 // 4)
    assert not whole.partial
    assert part.partial
    assert len(part.image) <= len(whole.image) * 3 // 4
    found = tables(part)
    kept = {row["id"]: row for row in found["tasks"]}
    finished = [row["no"] for row in found["tasks"] if row["status"] == "done"]
    assert sum(row["status"] == "open" for row in kept.values()) == 1_500
    assert finished
    assert sorted(finished) == list(range(3_009 - 2 * (len(finished) - 1), 3_010, 2))
    assert {row["task"] for row in found["tags"]} == {row["task"] for row in found["comments"]} == set(kept)
    assert all(row["task"] in kept and row["blocked_by"] in kept for row in found["deps"])
    assert [row["partial"] for row in found["me"]] == [1]
    assert [row["partial"] for row in table(whole, "me")] == [0]


async def test_where_finished_tasks_are_not_enough_open_ones_are_left_out_too(living: Living) -> None:
    async with opened(living) as database:
        await add_many(database, living, 3_000, lambda number: f"{number} " + "ü" * 200)
        part = await snapshot_of(database, living.person("ada"), limit=500_000)
    assert len(part.image) <= 500_000
    kept = {row["no"] for row in table(part, "tasks")}
    assert kept == set(range(3_010 - 2 * len(kept), 3_010, 2))
    assert len(kept) > 100


async def test_reading_ends_where_there_is_more_than_any_snapshot_could_hold(living: Living) -> None:
    async with opened(living) as database:
        await add_many(database, living, 3 * PORTION)
        rows = await rows_of(database, living.person("ada"), room=1)
    snapshot = build(rows)
    assert snapshot.partial
    assert {row["no"] for row in table(snapshot, "tasks")} == set(range(10 + PORTION, 10 + 3 * PORTION, 2))


@pytest.mark.postgres
async def test_both_databases_give_the_same_tables(postgres_server: PostgresServer, tmp_path: Path) -> None:
    server = postgres_server.create_database("taskgate_snapshots")
    try:
        found = []
        for databases in (
            Databases(f"sqlite:///{tmp_path}/mcp.db", f"sqlite:///{tmp_path}/gateway.db"),
            Databases(server.app_url, server.app_url, server.owner_url, server.owner_url),
        ):
            await migrate(databases)
            house = Living(databases)
            house.begin_test(1)
            async with filled(house, seed=5) as world:
                found.append(await snapshot_of(world.database, world.ada, "America/New_York"))
    finally:
        postgres_server.drop_database("taskgate_snapshots")
    assert tables(found[0]) == tables(found[1])
    assert found[0].version == found[1].version
    assert len(table(found[0], "history")) > 100
