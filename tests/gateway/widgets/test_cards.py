"""Cards of real results: what is to be seen on them, and that every button does what it says.

The functions are pure and are given one person's results; whose they are was decided by the tool server.
"""

import pytest

from gateway.widgets import Call, effect, named, offered
from tests.gateway.widgets.looking import actions, of_type, press, sent, shown_to, stored, words_in
from tests.living import Living

pytestmark = pytest.mark.anyio


async def test_a_task_list_says_of_each_task_what_matters(living: Living) -> None:
    async with living.client("ada") as person:
        ada = await shown_to(person)
        await person.values(
            "tasks_add",
            tasks=[
                {"title": "Buy milk", "due": "tomorrow 9:00", "priority": "p1", "tags": ["home"]},
                {"title": "Report", "due": "2020-01-05"},
                {"title": "Water plants", "due": "today", "repeat": "every day"},
                {"title": "Later", "blocked_by": ["#1"]},
            ],
        )
        await person.values("organize", action="create", kind="list", name="Work")
        await person.values("tasks_add", tasks=[{"title": "Review", "list": "Work"}, {"title": "Old"}])
        [old] = [task["ref"] for task in (await person.values("tasks_find", filter="Old"))["tasks"]]
        await person.values("tasks_complete", refs=[old])

        card = await ada.card("tasks_find", filter="is:all")

    seen = words_in(card)
    assert card.view == "task_list"
    assert card.source == Call("tasks_find", {"filter": "is:all"})
    assert card.widget["type"] == "ListView"
    assert card.widget["status"] == {"text": "6 tasks"}
    assert {"due tomorrow at 09:00", "priority 1", "@home"} <= set(seen)
    assert {"overdue since 2020-01-05", "due today", "blocked", "#Work", "done"} <= set(seen)
    [struck] = [one["value"] for one in of_type(card, "Text") if one.get("lineThrough")]
    assert struck == "Old"
    assert "T1 Buy milk, due tomorrow at 09:00, priority 1" in card.copy_text
    assert "T3 Water plants, due today, repeats every day" in card.copy_text
    assert f"{old} Old, done" in card.copy_text


async def test_a_list_says_how_many_there_are_besides_those_it_shows(living: Living) -> None:
    async with living.client("ada") as person:
        ada = await shown_to(person)
        await person.add(*(f"Task {number}" for number in range(60)))
        page = await ada.card("tasks_find", limit=2)
        everything = await ada.card("tasks_find", limit=200)

    assert page.widget["status"] == {"text": "2 of 60 tasks"}
    assert "58 more: ask for them in the chat." in words_in(page)
    shown = [one for one in of_type(everything, "ListViewItem") if one["key"].startswith("T")]
    assert 40 <= len(shown) <= 50
    assert f"{60 - len(shown)} more: ask for them in the chat." in words_in(everything)


async def test_tasks_that_were_asked_for_by_title_are_read_again_by_reference(living: Living) -> None:
    async with living.client("ada") as person:
        ada = await shown_to(person)
        await person.add("Buy milk", "Call mum")
        card = await ada.card("tasks_find", refs=["Call mum", "Buy milk"])
        await person.values("tasks_edit", changes=[{"refs": ["T1"], "title": "Buy oat milk"}])
        again = await ada.press(card, "Complete")

    assert card.source == Call("tasks_find", {"refs": ["T2", "T1"]})
    assert {"Call mum", "Buy oat milk", "done"} <= set(words_in(again))


async def test_an_empty_list_is_a_card_too(living: Living) -> None:
    async with living.client("ada") as person:
        card = await (await shown_to(person)).card("tasks_find", filter="nothing")

    assert card.widget["status"] == {"text": "No tasks"}


async def test_completing_on_a_list_shows_the_list_as_it_is_then_and_the_way_back(living: Living) -> None:
    async with living.client("ada") as person:
        ada = await shown_to(person)
        await person.add("Buy milk", "Call mum")
        card = await ada.card("tasks_find")

        left = await ada.press(card, "Complete")
        back = await ada.press(left, "Undo")

    assert "1 completed: T1" in words_in(left)
    assert "Buy milk" not in words_in(left)
    assert "Call mum" in words_in(left)
    assert "Buy milk" in words_in(back)
    assert press(back, "Redo")


async def test_completing_a_repeating_task_twice_from_one_card_is_completing_it_once(living: Living) -> None:
    async with living.client("ada") as person:
        ada = await shown_to(person)
        await person.values("tasks_add", tasks=[{"title": "Water plants", "due": "today", "repeat": "every day"}])
        card = await ada.card("tasks_find")

        once = await ada.press(card, "Complete")
        twice = await ada.press(card, "Complete")
        again = await ada.press(twice, "Complete")

    assert "due tomorrow" in words_in(once)
    assert "due tomorrow" in words_in(twice)
    assert "due tomorrow" not in words_in(again)


async def test_the_day_moves_and_the_time_stays(living: Living) -> None:
    async with living.client("ada") as person:
        ada = await shown_to(person)
        tasks = [{"title": "Call mum", "due": "today 23:59"}, {"title": "Tokyo", "due": "today 23:59 Asia/Tokyo"}]
        await person.values("tasks_add", tasks=tasks)
        moved = await ada.press(await ada.card("tasks_find", refs=["T1"]), "Tomorrow")
        later = await ada.press(moved, "Next week")
        await ada.press(await ada.card("tasks_find", refs=["T2"]), "Tomorrow")
        [tokyo] = (await person.values("tasks_find", refs=["T2"]))["tasks"]

    assert "due tomorrow at 23:59" in words_in(moved)
    assert any(one.startswith("due 20") and one.endswith("23:59") for one in words_in(later))
    assert tokyo["due"].endswith("T23:59")
    assert tokyo["tz"] == "Asia/Tokyo"


async def test_a_button_of_an_old_card_overwrites_nothing(living: Living) -> None:
    async with living.client("ada") as person:
        ada = await shown_to(person)
        await person.values("tasks_add", tasks=[{"title": "Buy milk", "due": "today"}])
        card = await ada.card("tasks_find")
        await person.values("tasks_edit", changes=[{"refs": ["T1"], "due": "2031-05-06"}])

        shown = await ada.press(card, "Tomorrow")

    assert "It has changed meanwhile. This is how it is now." in words_in(shown)
    assert "due 2031-05-06" in words_in(shown)
    assert "It has changed meanwhile." in shown.copy_text


async def test_one_task_is_shown_with_all_that_is_known_of_it(living: Living) -> None:
    async with living.client("ada") as person:
        ada = await shown_to(person)
        await person.values(
            "tasks_add",
            tasks=[
                {"title": "Report", "notes": "# one\n\n<b>two</b>", "subtasks": ["Draft", "Send"], "due": "tomorrow"}
            ],
        )
        await person.values("tasks_edit", changes=[{"refs": ["T1"], "comment": "Nearly done"}])
        await person.values("tasks_complete", refs=["T2"])

        card = await ada.card("tasks_find", refs=["Report"])

    assert card.view == "task"
    assert card.source == Call("tasks_find", {"refs": ["T1"]})
    assert card.widget["type"] == "Card"
    assert {"Report", "# one", "<b>two</b>", "Draft", "Send", "Subtasks", "me: Nearly done"} <= set(words_in(card))
    assert len(press(card, "Complete")) == 2  # the task and one subtask
    assert len(press(card, "Reopen")) == 1
    assert "# one" in card.copy_text
    assert "T2 Draft, done" in card.copy_text


async def test_the_form_of_a_task_changes_what_was_changed_in_it(living: Living) -> None:
    async with living.client("ada") as person:
        ada = await shown_to(person)
        await person.values("tasks_add", tasks=[{"title": "Report", "due": "tomorrow 9:00", "priority": "p2"}])
        card = await ada.card("tasks_find", refs=["T1"])
        fields = {one["name"]: one["defaultValue"] for one in [*of_type(card, "Input"), *of_type(card, "Select")]}

        edited = await ada.press(card, "Save", title="Great report", due=fields["due"], priority="p1")
        emptied = await ada.press(edited, "Save", title="Great report", due="", priority="p1")
        grown = await ada.press(emptied, "Add subtask", title="Draft")
        grown = await ada.press(grown, "Add subtask", title="Draft")
        [task] = (await person.values("tasks_find", refs=["T1"]))["tasks"]

    assert fields["priority"] == "p2"
    assert {"Great report", "due tomorrow at 09:00", "priority 1"} <= set(words_in(edited))
    assert not [one for one in words_in(emptied) if one.startswith("due ")]
    assert (task["title"], task["priority"]) == ("Great report", "p1")
    assert [child["title"] for child in task["subtasks"]] == ["Draft", "Draft"]
    assert words_in(grown).count("Draft") == 2


async def test_sending_a_form_twice_is_sending_it_once(living: Living) -> None:
    async with living.client("ada") as person:
        ada = await shown_to(person)
        await person.add("Report")
        card = await ada.card("tasks_find", refs=["T1"])
        await ada.press(card, "Add subtask", title="Draft")
        await ada.press(card, "Add subtask", title="Draft")
        grown = await ada.press(card, "Add subtask", title="Send")

    assert words_in(grown).count("Draft") == 1
    assert words_in(grown).count("Send") == 1


async def test_the_keys_of_a_form_change_with_what_it_shows(living: Living) -> None:
    async with living.client("ada") as person:
        ada = await shown_to(person)
        await person.add("Report")
        card = await ada.card("tasks_find", refs=["T1"])
        edited = await ada.press(card, "Save", due="tomorrow")

    keys = [[one["key"] for one in [shown.widget, *of_type(shown, "Form")]] for shown in (card, edited)]
    assert set(keys[0]).isdisjoint(keys[1])


async def test_a_receipt_says_what_changed_and_takes_it_back(living: Living) -> None:
    async with living.client("ada") as person:
        ada = await shown_to(person)
        added = await ada.card("tasks_add", tasks=[{"title": "Buy milk", "due": "tomorrow"}, {"title": "Call mum"}])
        edited = await ada.card("tasks_edit", changes=[{"refs": ["T1"], "due": "2031-05-06", "priority": "p1"}])
        undone = await ada.press(edited, "Undo")
        redone = await ada.press(undone, "Redo")
        [task] = (await person.values("tasks_find", refs=["T1"]))["tasks"]

    assert added.view != edited.view  # each has its own place: both can be taken back
    assert "2 added" in words_in(added)
    assert "T1 Buy milk, due tomorrow" in words_in(added)
    assert "1 edited" in words_in(edited)
    [line] = [one for one in words_in(edited) if one.startswith("T1 Buy milk: ")]
    assert "→ 2031-05-06" in line
    assert "priority: none → p1" in line
    assert "1 taken back" in words_in(undone)
    assert undone.source is None
    assert "1 taken back" in words_in(redone)
    assert task["due"] == "2031-05-06"


async def test_a_long_receipt_is_cut_and_says_so(living: Living) -> None:
    async with living.client("ada") as person:
        card = await (await shown_to(person)).card("tasks_add", tasks=[{"title": f"Task {n}"} for n in range(30)])

    assert "30 added" in words_in(card)
    assert "and 22 more" in words_in(card)


async def test_what_was_only_tried_is_not_said_to_be_done(living: Living) -> None:
    async with living.client("ada") as person:
        ada = await shown_to(person)
        await person.add("Buy milk")
        tried = await ada.card("tasks_complete", refs=["T1"], dry_run=True)
        nothing = await ada.card("tasks_complete", refs=["T1"], done=False)

    assert "Nothing is changed yet. It would be: 1 completed" in words_in(tried)
    assert "Nothing had to be changed." in words_in(nothing)
    assert not actions(tried)
    assert not actions(nothing)


async def test_an_import_and_a_new_list_can_be_taken_back_and_an_invitation_cannot(living: Living) -> None:
    async with living.client("ada") as person:
        ada = await shown_to(person)
        imported = await ada.card("data_import", content="title\nBuy milk", dry_run=False)
        # A name that looks like a reference.
        organized = await ada.card("organize", action="create", kind="list", name="L7")
        shared = await ada.card("share", action="invite", list="L7", who="bob", role="view")
        history = await ada.card("history")
        await ada.press(imported, "Undo")
        await ada.press(organized, "Undo")

    assert not actions(shared)
    assert [action["payload"]["args"]["op"] for action in press(history, "Undo")] == ["2", "1"]
    assert "list" in " ".join(words_in(organized))


async def test_the_history_is_a_timeline_that_can_be_taken_back(living: Living) -> None:
    async with living.client("ada") as person:
        ada = await shown_to(person)
        await person.add("Buy milk")
        await person.values("tasks_edit", changes=[{"refs": ["T1"], "title": "Buy oat milk"}])
        card = await ada.card("history")
        after = await ada.press(card, "Undo")
        [task] = (await person.values("tasks_find", refs=["T1"]))["tasks"]

    assert card.view == "timeline"
    assert 'T1 title "Buy milk" -> "Buy oat milk"' in words_in(card)
    assert card.copy_text.startswith("2 changes\nop 2, ")
    assert "undone" in words_in(after)
    assert [action["payload"]["args"]["op"] for action in press(after, "Undo")] == ["1"]
    assert task["title"] == "Buy milk"


async def test_rows_of_a_query_are_a_table(living: Living) -> None:
    async with living.client("ada") as person:
        ada = await shown_to(person)
        await person.add("Buy milk", "Call mum")
        card = await ada.card("data_query", sql="SELECT id, title, due FROM tasks ORDER BY no")
        called = await person.call("data_query", sql="SELECT id, title, due FROM tasks ORDER BY no")

    assert card.view == "table"
    assert card.copy_text == "id | title | due\nT1 | Buy milk | –\nT2 | Call mum | –"
    assert [one["value"] for one in of_type(card, "Text")][:6] == ["id", "title", "due", "T1", "Buy milk", "–"]
    assert named(called) == {"T1": "Buy milk", "T2": "Call mum"}


@pytest.mark.parametrize("kind", [{}, {"chart": "bar"}])
async def test_a_query_that_finds_nothing_says_so(living: Living, kind: dict[str, str]) -> None:
    async with living.client("ada") as person:
        ada = await shown_to(person)
        card = await ada.card("data_query", sql="SELECT title, 1 AS n FROM tasks WHERE 1 = 0", **kind)

    assert card.copy_text == "Nothing was found."
    assert [one["value"] for one in of_type(card, "Text")] == ["Nothing was found."]


async def test_numbers_of_a_query_are_a_chart_and_its_figures_are_in_the_words(living: Living) -> None:
    async with living.client("ada") as person:
        ada = await shown_to(person)
        await person.add("Buy milk", "Call mum", "Old")
        await person.values("tasks_complete", refs=["T3"])
        cards = [
            await ada.card(
                "data_query", sql="SELECT status, count(*) AS n FROM tasks GROUP BY 1 ORDER BY 1", chart=kind
            )
            for kind in ("bar", "line", "pie")
        ]

    for card, kind in zip(cards, ("bar", "line", "bar"), strict=True):
        assert card.view == "chart"
        [chart] = of_type(card, "Chart")
        assert chart["data"] == [{"label": "done", "value0": 1}, {"label": "open", "value0": 2}]
        assert chart["series"] == [{"type": kind, "dataKey": "value0", "label": "n"}]
        assert card.copy_text.endswith("done | 1\nopen | 2")


async def test_an_overview_lists_what_is_due(living: Living) -> None:
    async with living.client("ada") as person:
        ada = await shown_to(person)
        await person.values("tasks_add", tasks=[{"title": "Report", "due": "2020-01-05"}, {"title": "Later"}])
        card = await ada.card("overview")

    assert card.view == "task_list"
    assert card.widget["status"] == {"text": "2 open, 1 overdue, 0 due today"}
    assert "Report" in words_in(card)


async def test_every_button_of_every_card_is_offered_as_it_stands(living: Living) -> None:
    async with living.client("ada") as person:
        ada = await shown_to(person)
        tasks = [
            {"title": "Report", "due": "today 23:59", "repeat": "every day", "subtasks": ["Draft"]},
            {"title": "B"},
        ]
        cards = [await ada.card("tasks_add", tasks=tasks)]
        cards.append(await ada.card("tasks_complete", refs=["T2"]))
        cards += [await ada.card("tasks_find", filter="is:all"), await ada.card("tasks_find", refs=["T1"])]
        cards += [await ada.card("overview", show="week"), await ada.card("history")]

    for card in cards:
        assert actions(card)
        for config in actions(card):
            offer = offered(stored(card), sent(config))
            assert (offer is None) == (config["handler"] == "client")
            assert config["streaming"] is False


async def test_what_others_should_hear_of_a_write(living: Living) -> None:
    async with living.client("ada") as person:
        ada = await shown_to(person)
        added = await person.call("tasks_add", tasks=[{"title": "Report", "subtasks": ["Draft"]}])
        tried = await person.call("tasks_complete", refs=["T1"], dry_run=True)
        nothing = await person.call("tasks_complete", refs=["T1"], done=False)
        refused = await person.call("tasks_complete", refs=["T99"])
        found = await person.call("tasks_find", refs=["T1"])

    assert effect(ada.tools["tasks_add"], added) == {"rev": 1, "refs": ["T1", "T2"], "op": 1}
    for silent in (tried, nothing, refused):
        assert effect(ada.tools["tasks_complete"], silent) is None
    assert effect(ada.tools["tasks_find"], found) is None
    assert named(found) == {"T1": "Report", "T2": "Draft"}
    assert named(refused) == {}


async def test_tasks_in_a_list_that_bob_shared_are_changed_in_his_space(living: Living) -> None:
    async with living.client("ada") as ada_, living.client("bob") as bob_:
        await ada_.add("Mine")
        await bob_.values("organize", action="create", kind="list", name="House")
        invited = await bob_.values("share", action="invite", list="House", who="ada", role="edit")
        await ada_.values("share", action="accept", code=invited["code"], who="bob")
        await bob_.values("tasks_add", tasks=[{"title": "Paint", "list": "House"}])
        ada = await shown_to(ada_)
        [ref] = [task["ref"] for task in (await ada_.values("tasks_find", filter="Paint"))["tasks"]]
        card = await ada.card("tasks_find", refs=[ref])
        edited = await ada.card("tasks_edit", changes=[{"refs": [ref], "title": "Paint the fence"}])
        await ada.press(edited, "Undo")
        [task] = (await bob_.values("tasks_find", filter="Paint"))["tasks"]

    assert ref.startswith("bob:")
    assert card.source == Call("tasks_find", {"refs": [ref]})
    assert press(edited, "Undo")[0]["payload"]["args"]["op"].startswith("bob:")
    assert task["title"] == "Paint"
