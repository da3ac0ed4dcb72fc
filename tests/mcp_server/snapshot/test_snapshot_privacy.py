"""Whose words are in a snapshot: nobody's that its person does not see, and it says so when there are others'."""

import pytest
from sqlalchemy import insert, update

from mcp_server.tasks.spaces import space_of
from mcp_server.tasks.tables import comments, tasks
from tests.living import Living
from tests.mcp_server.filled import opened
from tests.mcp_server.snapshot.snapshots import snapshot_of, table

pytestmark = pytest.mark.anyio


async def test_nothing_of_what_bob_keeps_to_himself_is_in_the_bytes(living: Living) -> None:
    async with living.client("ada") as ada, living.client("bob") as bob:
        await bob.values("organize", kind="list", action="create", name="Team")
        await bob.values("organize", kind="field", action="create", name="Zebrafield")
        await bob.values(
            "tasks_add",
            tasks=[
                {"title": "Zebra one", "notes": "zebra notes", "tags": ["zebratag"]},
                {
                    "title": "Gate",
                    "list": "Team",
                    "notes": "green",
                    "fields": {"Zebrafield": "zebra"},
                    "blocked_by": ["#1"],
                },
            ],
        )
        await bob.values("tasks_edit", refs=["Zebra one"], changes=[{"comment": "zebra said"}])
        await bob.values("tasks_add", tasks=[{"title": "Hinge", "list": "Team", "parent": "Gate"}])
        code = (await bob.values("share", action="invite", list="Team", who="ada", role="edit"))["code"]
        await ada.values("share", action="accept", code=code, who="bob")
        await ada.add("My own")
        [gate] = (await ada.values("tasks_find", filter="Gate"))["tasks"]
        await ada.values("tasks_edit", refs=[gate["ref"]], changes=[{"comment": "ada was here"}])
    assert living.mcp_database is not None
    snapshot = await snapshot_of(living.mcp_database, living.person("ada"))
    assert b"green" in snapshot.image
    assert b"ada was here" in snapshot.image
    assert b"zebra" not in snapshot.image.lower()
    for name in ("ada", "bob"):
        person = living.person(name)
        assert space_of(person).encode() not in snapshot.image
        assert person.subject.encode() not in snapshot.image
    rows = {row["title"]: row for row in table(snapshot, "tasks")}
    assert (rows["Gate"]["blocked"], rows["Gate"]["fields"]) == (1, None)
    assert rows["Hinge"]["parent"] == rows["Gate"]["id"] == gate["ref"]
    assert table(snapshot, "deps") == []
    assert snapshot.has_others


async def test_a_space_holds_nobody_elses_text_until_somebody_else_writes_there(living: Living) -> None:
    async with living.client("ada") as ada:
        await ada.add("Mine")
    me, bob = space_of(living.person("ada")), space_of(living.person("bob"))
    said = {"space_id": me, "no": 5, "task_no": 1, "author": bob, "body": "so", "created_us": 0, "rev": 1}
    by_bob = update(tasks).where(tasks.c.space_id == me).values(author=bob)
    found = []
    async with opened(living) as database:
        for statement in (
            None,
            insert(comments).values(said),
            update(comments).where(comments.c.space_id == me).values(author=me),
            by_bob,
        ):
            if statement is not None:
                async with database.begin(living.person("ada"), write=True) as tx:
                    await tx.execute(statement)
            found.append((await snapshot_of(database, living.person("ada"))).has_others)
    assert found == [False, True, False, True]


async def test_a_comment_that_was_taken_back_is_not_there(living: Living) -> None:
    async with living.client("ada") as ada:
        await ada.add("Gate")
        for said in ("one", "two"):
            await ada.values("tasks_edit", refs=["Gate"], changes=[{"comment": said}])
        await ada.values("undo")
    async with opened(living) as database:
        snapshot = await snapshot_of(database, living.person("ada"))
    assert [row["body"] for row in table(snapshot, "comments")] == ["one"]
    assert [row["comments"] for row in table(snapshot, "tasks")] == [1]
