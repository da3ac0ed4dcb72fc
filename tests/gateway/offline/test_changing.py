"""What people say to move, rename, weigh, delete and bring back tasks and lists, and which call that becomes."""

from typing import Any

import pytest

from tests.gateway.offline.talking import ADDED, EMPTY, FINISHED, ONE, OPEN, Chat

EDITED = "op 5: 1 edited\nT3: due Sun 11-22 -> Fri 11-27 17:00 | milk"
DATED = "1 task. Fri 2026-11-20 10:40 UTC, rev 7\nT3 p1 Sun 11-22 09:00 #Work | milk"


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("text", "fields"),
    [
        ("move T3 to tomorrow", {"due": "tomorrow"}),
        ("T3 is due friday 5pm", {"due": "friday 5pm"}),
        ("Could you reschedule T3 to next monday at 9am, please?", {"due": "next monday at 9am"}),
        ("postpone T3 until dec 1", {"due": "dec 1"}),
        ("move T3 to sat", {"due": "sat"}),
        ("set task 3 to friday", {"due": "friday"}),
        ("set the due date of T3 to 2026-12-01", {"due": "2026-12-01"}),
        ("change T3's due date to monday", {"due": "monday"}),
        ("T3 tomorrow", {"due": "tomorrow"}),
        ("remove the due date of T3", {"clear": ["due"]}),
        ("T3 has no due date", {"clear": ["due"]}),
        ("move T3 to Work", {"list": "Work"}),
        ("move T3 to the Big Plans list", {"list": "Big Plans"}),
        ("make T3 urgent", {"priority": "p1"}),
        ("mark T3 as important", {"priority": "p2"}),
        ("set T3 to p3", {"priority": "p3"}),
        ("set the priority of T3 to high", {"priority": "p1"}),
        ("T3 is no longer urgent", {"priority": "p4"}),
        ("rename T3 to go to bed to sleep", {"title": "go to bed to sleep"}),
        ('change the title of T3 to "Oat milk"', {"title": "Oat milk"}),
    ],
)
async def test_a_task_is_changed_in_just_what_was_said(text: str, fields: dict[str, Any]) -> None:
    chat = Chat(EDITED)
    answer = await chat.say(text)
    assert chat.calls == [("tasks_edit", {"changes": [{"refs": ["T3"], **fields}]})]
    assert answer == "Changed:\n\n- **T3** milk (due Sun 11-22 → Fri 11-27 17:00)"


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("text", "fields"),
    [
        ("move the oat milk task to friday", {"due": "friday"}),
        ("milk is due tomorrow", {"due": "tomorrow"}),
        ("make the milk task urgent", {"priority": "p1"}),
        ("rename milk to oat milk", {"title": "oat milk"}),
        ("move milk to Work", {"list": "Work"}),
    ],
)
async def test_words_find_the_task_to_change(text: str, fields: dict[str, Any]) -> None:
    chat = Chat(ONE, EDITED)
    await chat.say(text)
    assert [name for name, _ in chat.calls] == ["tasks_find", "tasks_edit"]
    assert chat.calls[1][1] == {"changes": [{"refs": ["T40"], **fields}]}


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("text", "line", "due"),
    [
        ("postpone T3 by a week", "T3 Sun 11-22 #Work | milk", "2026-11-29"),
        ("push T3 back 3 days", "T3 done p2 Sun 11-22 09:00 | milk", "2026-11-25 09:00"),
        ("postpone T3 by two months", "T3 Thu 2026-12-31 | milk", "2027-02-28"),
        ("delay T3 by a year", "T3 Mon 2028-02-29 | milk", "2029-02-28"),
        ("postpone T3 by 2 hours", "T3 Sun 11-22 23:30 America/New_York | milk", "2026-11-23 01:30 America/New_York"),
        ("postpone T3 by a day", "T3 #Work | Sun 11-22", "2026-11-21"),
        ("postpone T3 by 90 minutes", "T3 | milk", "2026-11-20 12:10"),
        ("bring forward T3 by 2 days", "T3 Sun 11-22 | milk", "2026-11-20"),
    ],
)
async def test_a_date_moves_by_a_span(text: str, line: str, due: str) -> None:
    chat = Chat(f"1 task. Fri 2026-11-20 10:40 Europe/Berlin, rev 7\n{line}", EDITED)
    await chat.say(text)
    assert chat.calls == [
        ("tasks_find", {"refs": ["T3"]}),
        ("tasks_edit", {"changes": [{"refs": ["T3"], "due": due}]}),
    ]


@pytest.mark.anyio
async def test_a_span_beyond_all_calendars_changes_nothing() -> None:
    chat = Chat(DATED)
    assert await chat.say("postpone T3 by 9999 years") == "There is no such day, so nothing was changed."
    assert len(chat.calls) == 1


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("text", "terms", "fields"),
    [
        ("move all overdue tasks to tomorrow", "due:overdue", {"due": "tomorrow"}),
        ("make everything in Work urgent", "list:Work", {"priority": "p1"}),
        ("postpone all tasks due today to friday", "due:today", {"due": "friday"}),
    ],
)
async def test_all_of_a_kind_are_changed_at_once(text: str, terms: str, fields: dict[str, str]) -> None:
    chat = Chat(EDITED)
    await chat.say(text)
    assert chat.calls == [("tasks_edit", {"changes": [fields], "filter": terms})]


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("text", "arguments"),
    [
        ("delete T3", {"refs": ["T3"]}),
        ("please remove T3, T4 and T5", {"refs": ["T3", "T4", "T5"]}),
        ('delete @x <TASK id="ann:T3"/>', {"refs": ["ann:T3"]}),
        ("delete all done tasks", {"filter": "is:done"}),
        ("delete all finished tasks in the Work list", {"filter": "is:done list:Work"}),
        ("delete everything", {"filter": "is:open"}),
        # Never more than was said.
        ("delete all milk tasks", {"filter": '"milk"'}),
        ("delete every task about oat milk", {"filter": '"oat" "milk"'}),
        ("restore T3", {"refs": ["T3"], "restore": True}),
        ("bring T3 back", {"refs": ["T3"], "restore": True}),
    ],
)
async def test_tasks_go_to_the_trash_and_come_back(text: str, arguments: object) -> None:
    chat = Chat("op 9: 1 deleted\nT3 trash | milk")
    await chat.say(text)
    assert chat.calls == [("tasks_delete", arguments)]


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("text", "terms"), [("delete the milk task", '"milk"'), ("remove milk from the Work list", 'list:Work "milk"')]
)
async def test_words_find_the_task_to_delete(text: str, terms: str) -> None:
    chat = Chat(ONE, "op 9: 1 deleted\nT40 trash | Buy oat milk")
    answer = await chat.say(text)
    assert chat.calls == [
        ("tasks_find", {"filter": terms, "limit": 8}),
        ("tasks_delete", {"refs": ["T40"]}),
    ]
    assert answer == "Moved to the trash:\n\n- **T40** Buy oat milk (trash)"


@pytest.mark.anyio
async def test_nothing_to_delete_is_said() -> None:
    assert await Chat("nothing to change").say("delete all done tasks") == "No task is finished."


@pytest.mark.anyio
async def test_all_of_a_kind_are_finished_by_their_ids() -> None:
    chat = Chat(OPEN, FINISHED)
    await chat.say("complete all overdue tasks")
    assert chat.calls == [
        ("tasks_find", {"filter": "due:overdue", "limit": 200}),
        ("tasks_complete", {"refs": ["T12", "T40"]}),
    ]


@pytest.mark.anyio
async def test_more_than_were_found_are_not_finished_by_half() -> None:
    chat = Chat(OPEN.replace("2 of 2", "2 of 1,212"))
    assert await chat.say("complete all tasks") == "1,212 tasks are open: too many at once."
    assert len(chat.calls) == 1


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("text", "arguments", "answer"),
    [
        ("new list Work", {"action": "create", "name": "Work"}, "The list Work is there now."),
        ("create a shopping list", {"action": "create", "name": "shopping"}, "The list shopping is there now."),
        ("rename list Work to Office", {"action": "rename", "name": "Work", "to": "Office"}, "The list Work is now"),
        (
            "rename the Work list to Office",
            {"action": "rename", "name": "Work", "to": "Office"},
            "The list Work is now",
        ),
        ("delete the Work list", {"action": "delete", "name": "Work"}, "The list Work is deleted (1 done)."),
    ],
)
async def test_lists_are_made_renamed_and_deleted(text: str, arguments: dict[str, str], answer: str) -> None:
    chat = Chat("op 1: 1 done\nL1 list: new | Work")
    assert (await chat.say(text)).startswith(answer)
    assert chat.calls == [("organize", {"kind": "list", **arguments})]


@pytest.mark.anyio
@pytest.mark.parametrize(
    "text", ["rename go to bed to sleep", "delete", "move a task", "rename", "new list", "everything is done"]
)
async def test_what_is_not_clear_changes_nothing(text: str) -> None:
    chat = Chat(ONE, EDITED)
    assert (await chat.say(text)).startswith("Which ")
    assert chat.calls == []


@pytest.mark.anyio
@pytest.mark.parametrize("text", ["is T3 due tomorrow?", "is milk urgent?", "when is T3 due?", "was T3 deleted?"])
async def test_a_question_changes_nothing(text: str) -> None:
    chat = Chat(ONE)
    await chat.say(text)
    assert all(name == "tasks_find" for name, _ in chat.calls)


@pytest.mark.anyio
async def test_a_title_with_bars_and_quotes_stays_a_title() -> None:
    chat = Chat('op 5: 1 edited\nT3: title "a | \\"b" -> "c | d" | c | d')
    assert (await chat.say("make T3 urgent")).startswith("Changed:\n\n- **T3** c \\| d (title ")


# ---- taking back ----


@pytest.mark.anyio
async def test_undo_takes_back_the_newest_operation_of_this_conversation_and_then_the_one_before() -> None:
    undone = "op 12: 1 reverted\nT40: restored | Buy oat milk\nnote: this undoes op 4713 (tasks_complete at 10:31)"
    chat = Chat(ADDED, FINISHED, undone)
    await chat.say("add call mum")
    await chat.say("complete T40")
    assert await chat.say("undo") == "Undone:\n\n- **T40** Buy oat milk (restored)"
    await chat.say("undo that")
    assert chat.calls[2:] == [("undo", {"op": "4713"}), ("undo", {"op": "4712"})]


@pytest.mark.anyio
async def test_a_button_that_was_pressed_can_be_undone_and_a_title_in_it_cannot_pretend_to_be_one() -> None:
    chat = Chat("op 13: 1 reverted\nT5: restored | x")
    pressed = '{"tool": "tasks_add", "arguments": {"title": "x -> op 66: 1 added"}} -> op 7: 1 added\nT5 | x'
    await chat.say("hello")
    await chat.say("undo", notes_before=f"<NOTE>The user pressed a button of a card: {pressed}</NOTE>")
    assert chat.calls == [("undo", {"op": "7"})]


@pytest.mark.anyio
async def test_what_was_undone_by_a_button_is_not_undone_again() -> None:
    chat = Chat(ADDED)
    await chat.say("add call mum")
    pressed = '{"tool": "undo", "arguments": {}} -> op 9: 1 reverted\nnote: this undoes op 4712 (tasks_add at 1:11)'
    answer = await chat.say("undo", notes_before=f"<NOTE>The user pressed a button of a card: {pressed}</NOTE>")
    assert answer == "Nothing was changed in this conversation that could be undone."
    assert len(chat.calls) == 1


@pytest.mark.anyio
async def test_an_operation_can_be_named() -> None:
    chat = Chat("nothing_to_undo: op 1 is undone already. Fix: undo(op=4)")
    assert await chat.say("undo op 1") == "There is nothing left to undo."
    assert chat.calls == [("undo", {"op": "1"})]


@pytest.mark.anyio
async def test_without_anything_done_there_is_nothing_to_undo() -> None:
    chat = Chat(EMPTY)
    await chat.say("what is open?")
    assert (await chat.say("undo")).startswith("Nothing was changed")
    assert [name for name, _ in chat.calls] == ["tasks_find"]
