"""What an undo leaves alone: everything that somebody has changed since, and what would not fit any more."""

from typing import Any

import pytest
from sqlalchemy import delete

from mcp_server.tasks.spaces import space_of
from mcp_server.tasks.tables import tasks
from tests.living import Living, ToolClient, text_of
from tests.mcp_server.guests import home
from tests.mcp_server.invariants import faults
from tests.mcp_server.past import client_called, look_of

pytestmark = pytest.mark.anyio


async def edit(ada: ToolClient, ref: str, **change: Any) -> str:
    """Change one task. Returns the operation."""
    return str((await ada.values("tasks_edit", changes=[{"refs": [ref], **change}]))["op"])


async def full(ada: ToolClient, ref: str) -> dict[str, Any]:
    """A task with everything about it."""
    found: dict[str, Any] = (await ada.values("tasks_find", refs=[ref]))["tasks"][0]
    return found


async def assert_sound(living: Living) -> None:
    """Every rule of ada's space holds."""
    look = look_of(living, "ada")
    assert await faults(look.database, look.person) == []


async def test_a_later_change_of_the_same_field_is_reported_with_who_and_left_alone(living: Living) -> None:
    async with client_called(living, "ada", "phone") as ada, client_called(living, "ada", "web") as web:
        await ada.add("Milk")
        op = await edit(ada, "T1", title="Cream", priority="p1")
        await edit(web, "T1", title="Ghee")
        await edit(web, "T1", title="Butter")
        values = await ada.values("undo", op=op)
        assert values["counts"] == {"reverted": 1, "not reverted": 1}
        [conflict] = values["conflicts"]
        assert (conflict["ref"], conflict["fields"], conflict["op"]) == ("T1", ["title"], 4)
        assert (conflict["by"], conflict["client"]) == ("me", "web")
        task = await full(ada, "T1")
        assert (task["title"], task.get("priority")) == ("Butter", None)
        at = conflict["at"][-5:]
        assert await ada.text("undo", op=op, dry_run=True) == (
            f'conflict: not reverted: T1 (title changed by op 4 at {at}, web). Fix: undo(op="2", force=true) overwrites'
        )


async def test_force_overwrites_what_came_later_and_says_so(living: Living) -> None:
    async with living.client("ada") as ada:
        await ada.add("Milk")
        op = await edit(ada, "T1", title="Cream")
        await edit(ada, "T1", title="Butter", notes="Later")
        text = await ada.text("undo", op=op, force=True)
        assert 'T1: title "Butter" -> "Milk" | Milk' in text
        assert "note: overwritten: T1 (title)" in text
        assert (await full(ada, "T1"))["notes"] == "Later"
        await ada.values("undo", op="4")
        assert await ada.titles() == ["Butter"]


async def test_a_later_change_of_another_field_is_no_conflict(living: Living) -> None:
    async with living.client("ada") as ada:
        await ada.add("Milk")
        op = await edit(ada, "T1", title="Cream")
        await edit(ada, "T1", priority="p1", notes="Later")
        assert "conflicts" not in await ada.values("undo", op=op)
        task = await full(ada, "T1")
        assert (task["title"], task["priority"], task["notes"]) == ("Milk", "p1", "Later")


async def test_tags_blockers_and_reminders_are_taken_back_one_by_one(living: Living) -> None:
    async with living.client("ada") as ada:
        await ada.values("tasks_add", tasks=[{"title": "Milk", "due": "2030-01-05", "tags": ["a", "b"]}])
        await ada.add("One", "Two")
        op = await edit(ada, "T1", tags=["c", "-a"], blocked_by=["One"], remind=["1h before"])
        await edit(ada, "T1", tags=["d", "-b"], blocked_by=["Two"], remind=["1h before", "2h before"])
        assert "conflicts" not in await ada.values("undo", op=op)
        task = await full(ada, "T1")
        assert sorted(task["tags"]) == ["a", "d"]
        assert len(task["blocked_by"]) == 1
        assert task["reminders"] == ["2h before"]


async def test_custom_fields_are_taken_back_one_by_one(living: Living) -> None:
    async with living.client("ada") as ada:
        for name in ("Effort", "Cost"):
            await ada.values("organize", kind="field", action="create", name=name, options={"type": "number"})
        await ada.add("Milk")
        op = await edit(ada, "Milk", fields={"Effort": 1, "Cost": 1})
        await edit(ada, "Milk", fields={"Cost": 2})
        [conflict] = (await ada.values("undo", op=op))["conflicts"]
        assert conflict["fields"] == ["fields.Cost"]
        assert (await full(ada, "Milk"))["fields"] == {"Cost": "2"}


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"priority": "p1"}, "priority changed by op 2"),
        ({"tags": ["new"]}, "tags changed by op 2"),
        ({"comment": "Important"}, "comments changed since"),
    ],
)
async def test_a_created_task_that_somebody_has_changed_stays(
    living: Living, change: dict[str, Any], reason: str
) -> None:
    async with living.client("ada") as ada:
        await ada.add("Milk", "Bread")
        await edit(ada, "T1", **change)
        text = await ada.text("undo", op="1")
        assert f"not reverted: T1 ({reason}" in text
        assert await ada.titles() == ["Milk"]
        assert "overwritten: T1" in await ada.text("undo", op="1", force=True)
        assert await ada.titles() == []
        await assert_sound(living)


async def test_a_created_task_with_a_later_subtask_stays_or_takes_it_along_by_force(living: Living) -> None:
    async with living.client("ada") as ada:
        await ada.values("tasks_add", tasks=[{"title": "Plan", "subtasks": ["Ask"]}])
        await ada.values("tasks_add", tasks=[{"title": "Later", "parent": "Ask"}])
        refused = await ada.text("undo", op="1")
        assert refused == (
            "conflict: not reverted: T1 (trash: its subtask T2 stays), T2 (trash: its subtask T3 stays). "
            'Fix: undo(op="1", force=true) overwrites'
        )
        values = await ada.values("undo", op="1", force=True)
        assert values["counts"] == {"reverted": 3}
        assert await ada.titles() == []
        await ada.values("undo", op=str(values["op"]))
        assert await ada.titles() == ["Plan", "Ask", "Later"]
        await assert_sound(living)


async def test_a_date_stays_where_something_counts_from_it_by_now(living: Living) -> None:
    async with living.client("ada") as ada:
        await ada.add("Milk")
        op = await edit(ada, "T1", due="2030-01-05", priority="p1")
        await edit(ada, "T1", remind=["1h before"], repeat="every week")
        text = await ada.text("undo", op=op)
        assert "not reverted: T1 (due: a time, repeat or reminder counts from it)" in text
        assert (await full(ada, "T1"))["due"] == "2030-01-05"
        await ada.values("undo", op=op, force=True)
        assert {"due", "repeat", "reminders"}.isdisjoint(await full(ada, "T1"))
        await assert_sound(living)


async def test_a_repeat_does_not_come_back_without_a_date(living: Living) -> None:
    async with living.client("ada") as ada:
        await ada.values("tasks_add", tasks=[{"title": "Milk", "due": "2030-01-05 09:00", "repeat": "every week"}])
        op = await edit(ada, "T1", clear=["repeat", "time"], priority="p1")
        await edit(ada, "T1", clear=["due"])
        text = await ada.text("undo", op=op)
        assert "not reverted: T1 (due: it has no due date any more; repeat: it has no due date any more)" in text
        await assert_sound(living)


async def test_a_due_date_is_put_back_whole_or_not_at_all(living: Living) -> None:
    async with living.client("ada") as ada:
        await ada.add("Milk")
        op = await edit(ada, "T1", due="2030-01-05 09:00 America/New_York", priority="p1")
        await edit(ada, "T1", due="2030-02-01 09:00 America/New_York")
        assert "not reverted: T1 (due changed by op 3" in await ada.text("undo", op=op)
        task = await full(ada, "T1")
        assert (task["due"], task["tz"]) == ("2030-02-01T09:00", "America/New_York")


async def test_half_of_a_rule_is_never_put_back(living: Living) -> None:
    async with living.client("ada") as ada:
        await ada.values("tasks_add", tasks=[{"title": "Milk", "due": "2030-01-05"}])
        op = await edit(ada, "T1", repeat="every week")
        await edit(ada, "T1", repeat="every month")
        assert (await ada.text("undo", op=op)).startswith("conflict: not reverted: T1 (repeat changed by op 3")
        await ada.values("undo", op=op, force=True)
        assert "repeat" not in await full(ada, "T1")
        await assert_sound(living)


async def test_an_occurrence_is_not_taken_back_under_a_later_one(living: Living) -> None:
    look = look_of(living, "ada")
    async with living.client("ada") as ada:
        await ada.values("tasks_add", tasks=[{"title": "Daily", "due": "2030-01-05", "repeat": "every day"}])
        await ada.values("tasks_complete", refs=["Daily"])
        await ada.values("tasks_complete", refs=["Daily"])
        done = await look()
        assert len(done["completions"]) == 2
        assert (await ada.text("undo", op="2")).startswith("conflict: not reverted: T1 (due changed by op 3")
        assert await look() == done
        await ada.values("undo", op="3")
        await ada.values("undo", op="2")
        assert (await look())["completions"] == {}


async def test_a_task_whose_list_is_gone_comes_back_to_the_inbox(living: Living) -> None:
    async with living.client("ada") as ada:
        await ada.values("organize", kind="list", action="create", name="Work")
        await ada.values("tasks_add", tasks=[{"title": "Plan", "list": "Work", "subtasks": ["Ask"]}])
        await ada.values("tasks_delete", refs=["Plan"])
        await ada.values("organize", kind="list", action="delete", name="Work")
        text = await ada.text("undo", op="3")
        assert "note: the list of T2 is gone; it lies in the Inbox now" in text
        assert await ada.titles("list:Inbox") == ["Plan", "Ask"]
        await assert_sound(living)


async def test_a_subtask_whose_parent_is_gone_comes_back_alone(living: Living) -> None:
    async with living.client("ada") as ada:
        await ada.values("tasks_add", tasks=[{"title": "Plan", "subtasks": ["Ask"]}])
        await ada.values("tasks_delete", refs=["Ask"])
        await ada.values("tasks_delete", refs=["Plan"])
        assert "note: the parent of T2 is gone" in await ada.text("undo", op="2")
        assert await ada.titles("is:top") == ["Ask"]
        await assert_sound(living)


async def test_a_moved_task_takes_later_subtasks_back_with_it(living: Living) -> None:
    async with living.client("ada") as ada:
        await ada.values("organize", kind="list", action="create", name="Work")
        await ada.add("Plan")
        op = await edit(ada, "Plan", list="Work")
        await ada.values("tasks_add", tasks=[{"title": "Ask", "parent": "Plan"}])
        assert (await ada.values("undo", op=op))["counts"] == {"reverted": 2}
        assert await ada.titles("list:Inbox") == ["Plan", "Ask"]
        await assert_sound(living)


async def test_a_task_that_lies_below_another_by_now_stays_there(living: Living) -> None:
    async with living.client("ada") as ada:
        await ada.values("organize", kind="list", action="create", name="Work")
        await ada.values("tasks_add", tasks=[{"title": "Plan"}, {"title": "Above", "list": "Work"}])
        op = await edit(ada, "Plan", list="Work", priority="p1")
        await edit(ada, "Plan", parent="Above")
        assert "not reverted: T2 (list: it lies below another task now)" in await ada.text("undo", op=op)
        assert await ada.titles("list:Work under:Above") == ["Plan"]
        await ada.values("undo", op=op, force=True)
        assert await ada.titles("list:Inbox") == ["Plan"]
        await assert_sound(living)


async def test_parents_and_blockers_never_run_in_a_circle(living: Living) -> None:
    async with living.client("ada") as ada:
        await ada.add("One", "Two")
        await edit(ada, "One", parent="Two", blocked_by=["Two"])
        op = await edit(ada, "One", clear=["parent", "blocked_by"], priority="p1")
        await edit(ada, "Two", parent="One", blocked_by=["One"])
        for force in (False, True):
            result = await ada.call("undo", op=op, force=force)
            text = text_of(result)
            assert "parent: it would lie below itself" in text
            assert "blocked_by: T2 is already blocked by T1" in text
            assert await ada.titles("under:One") == ["Two"]
        await assert_sound(living)


async def test_a_task_does_not_go_back_where_it_would_lie_too_deep(living: Living) -> None:
    async with living.client("ada") as ada:
        line = [{"title": "A"}, *({"title": title, "parent": f"#{place}"} for place, title in enumerate("BCDEF", 1))]
        await ada.values("tasks_add", tasks=line)
        op = await edit(ada, "C", clear=["parent"], priority="p1")
        await ada.values("tasks_add", tasks=[{"title": "G", "parent": "F"}])
        text = await ada.text("undo", op=op, force=True)
        assert "not reverted: T3 (parent: subtasks go 5 levels deep)." in text
        assert await ada.titles("is:top") == ["A", "C"]
        await assert_sound(living)


async def test_a_name_that_another_has_by_now_is_not_given_back(living: Living) -> None:
    async with living.client("ada") as ada:
        await ada.values("organize", kind="list", action="create", name="Work")
        await ada.values("organize", kind="list", action="rename", name="Work", to="Job")
        await ada.values("organize", kind="list", action="create", name="Work")
        await ada.values("organize", kind="tag", action="create", name="home")
        await ada.values("organize", kind="tag", action="delete", name="home")
        await ada.values("organize", kind="tag", action="create", name="Home")
        assert await ada.text("undo", op="2") == (
            'name_taken: not reverted: list "Job" (name: another list is called "Work" now)'
        )
        assert (await ada.text("undo", op="5")).startswith("name_taken:")


async def test_a_deleted_list_with_new_tasks_does_not_go_again(living: Living) -> None:
    async with living.client("ada") as ada:
        await ada.values("organize", kind="list", action="create", name="Work")
        await ada.values("tasks_add", tasks=[{"title": "Plan", "list": "Work"}])
        await ada.values("organize", kind="list", action="delete", name="Work")
        await ada.values("undo", op="3")
        await ada.values("tasks_add", tasks=[{"title": "New", "list": "Work"}])
        assert 'note: list "Work" stays, because it is in use' in await ada.text("undo", op="4")
        assert await ada.titles("list:Work") == ["New"]
        await assert_sound(living)


async def test_a_setting_that_was_set_since_stays(living: Living) -> None:
    async with living.client("ada") as ada:
        for zone in ("Europe/Berlin", "Asia/Tokyo"):
            await ada.values("organize", kind="setting", action="set", name="time zone", to=zone)
        refused = await ada.text("undo", op="1")
        assert refused.startswith("conflict: not reverted: setting time zone (tz changed by op 2")
        assert (await ada.values("overview"))["tz"] == "Asia/Tokyo"


async def test_what_was_purged_is_reported_as_gone(living: Living) -> None:
    look = look_of(living, "ada")
    async with living.client("ada") as ada:
        await ada.add("Milk", "Bread")
        await ada.values("tasks_delete", refs=["T1", "T2"])
        async with look.database.begin(look.person, write=True) as tx:
            await tx.execute(delete(tasks).where(tasks.c.space_id == space_of(look.person), tasks.c.no == 1))
        assert "not reverted: T1 (it is gone)." in await ada.text("undo", op="2")
        assert await ada.titles() == ["Bread"]


async def test_many_conflicts_are_told_in_a_few_lines(living: Living) -> None:
    async with living.client("ada") as ada:
        refs = await ada.add(*(f"Task {number}" for number in range(100)))
        await ada.values("tasks_edit", changes=[{"refs": refs, "priority": "p1"}])
        await ada.values("tasks_edit", changes=[{"refs": refs[:80], "priority": "p2"}])
        text = await ada.text("undo", op="2")
        assert text.startswith("op 4: 20 reverted, 80 not reverted\nnot reverted: T1 (priority changed by op 3 at ")
        assert "... and 30 more" in text
        assert len(text) < 8_000
        refused = await ada.text("undo", op="2")
        assert " and 78 more" in refused
        assert len(refused) < 240


async def test_what_a_guest_may_only_view_by_now_stays_and_the_rest_goes_back(living: Living) -> None:
    async with home(living, "bob") as house:
        await house["ada"].values("organize", kind="list", action="create", name="Garden")
        await house["ada"].values("tasks_add", tasks=[{"title": "Hedge", "list": "Garden"}])
        await house.let_in("bob", "edit")
        await house.let_in("bob", "edit", "Garden")
        hedge = (await house["bob"].values("tasks_find", filter="list:Garden"))["tasks"][0]["ref"]
        changes = [{"refs": [house.ref("Fence"), hedge], "priority": "p1"}]
        op = (await house["bob"].values("tasks_edit", changes=changes))["op"]
        await house["ada"].values("share", action="role", list="Garden", who="bob", role="view")
        text = await house["bob"].text("undo", op=f"ada:{op}")
        assert f"not reverted: {hedge} (you may not change it)." in text
        assert await house["ada"].titles("p1") == ["Hedge"]


async def test_the_words_of_a_guest_stay_his_when_half_of_them_is_undone(living: Living) -> None:
    async with home(living, "bob") as house:
        await house.let_in("bob", "edit")
        ref = house.ref("Fence")
        title = (await house["bob"].values("tasks_edit", changes=[{"refs": [ref], "title": "Fences"}]))["op"]
        await house["bob"].values("tasks_edit", changes=[{"refs": [ref], "notes": "Bob's words"}])
        await house["bob"].values("undo", op=f"ada:{title}")
        task = await full(house["ada"], house.refs["Fence"])
        assert (task["title"], task["notes"], task["by"]) == ("Fence", "Bob's words", "several")


async def test_a_guest_undoes_his_own_last_write_wherever_it_was(living: Living) -> None:
    async with home(living, "bob") as house:
        await house.let_in("bob", "edit")
        await house["bob"].add("His own")
        ref = house.ref("Fence")
        await house["bob"].values("tasks_edit", changes=[{"refs": [ref], "title": "Fences", "tags": ["fresh"]}])
        text = await house["bob"].text("undo")
        assert f'{ref}: title "Fences" -> "Fence"' in text
        assert "(tasks_edit at " in text
        assert (await house["bob"].text("undo")).startswith("op 2: 1 reverted\nT1: to the trash | His own")
        assert await house["ada"].titles("tag:paint") == ["Fence"]
        await assert_sound(living)


async def test_what_others_did_is_no_guests_to_undo(living: Living) -> None:
    async with home(living, "bob", "carol") as house:
        await house.let_in("bob", "edit")
        await house.let_in("carol", "edit")
        ref = house.refs["Fence"]
        hers = await edit(house["ada"], ref, title="Fences")
        carols = await edit(house["carol"], f"ada:{ref}", priority="p1")
        for op in (hers, carols):
            told = await house["bob"].text("undo", op=f"ada:{op}", force=True)
            assert told == (await house["bob"].text("undo", op="ada:9999")).replace("9999", op)
        assert await house["ada"].titles("p1") == ["Fences"]


async def test_the_owner_undoes_what_a_guest_did_and_hears_who_changed_it_since(living: Living) -> None:
    async with home(living, "bob") as house:
        await house.let_in("bob", "edit")
        ref = house.refs["Fence"]
        mine = await edit(house["ada"], ref, title="Fences")
        his = (await house["bob"].values("tasks_edit", changes=[{"refs": [f"ada:{ref}"], "title": "Wall"}]))["op"]
        refused = await house["ada"].text("undo", op=mine)
        assert f"{ref} (title changed by op {his} at " in refused
        assert ", bob via a client of the tests)" in refused
        await house["ada"].values("undo", op=str(his))
        assert (await full(house["ada"], ref))["title"] == "Fences"
        assert "by" not in await full(house["ada"], ref)
