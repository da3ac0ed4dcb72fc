"""What people ask to see, and what is looked for."""

import pytest

from tests.gateway.offline.talking import EMPTY, ONE, OPEN, Chat


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("text", "arguments"),
    [
        ("what is open?", {}),
        ("What's open", {}),
        ("show my tasks", {}),
        ("please list all my tasks", {}),
        ("tasks", {}),
        ("what do I have to do?", {}),
        ("I'd like to see my to-do list", {}),
        ("what is left", {}),
        ("What’s due today?", {"filter": "due:today"}),
        ("what do i have to do tomorrow", {"filter": "due:tomorrow"}),
        ("tomorrow?", {"filter": "due:tomorrow"}),
        ("what about friday", {"filter": "due:friday"}),
        ("what is due by dec 1?", {"filter": 'due:"<=dec 1"'}),
        ("what is due dec 1, 2026", {"filter": 'due:"dec 1 2026"'}),
        ("tasks for this week", {"filter": "due:today..eow"}),
        ("what's due next week", {"filter": 'due:"next mon..next sun"'}),
        ("what's due", {"filter": "due:any"}),
        ("overdue", {"filter": "due:overdue"}),
        ("is anything overdue?", {"filter": "due:overdue"}),
        ("show urgent tasks", {"filter": "p1"}),
        ("urgent tasks due today", {"filter": "p1 due:today"}),
        ("what did I finish", {"filter": "is:done"}),
        ("what did we finish this week?", {"filter": 'is:done done:"this week"'}),
        ("what did I finish yesterday", {"filter": 'is:done done:"yesterday"'}),
        ("what is in the trash?", {"filter": "is:trash"}),
        ("tasks in Work", {"filter": "list:Work"}),
        ("show overdue tasks in my Work list", {"filter": "due:overdue list:Work"}),
        ("what is on the Big Plans list?", {"filter": 'list:"Big Plans"'}),
        ("show Groceries", {"filter": "list:Groceries"}),
        ("show @Groceries <LIST>Groceries</LIST>", {"filter": "list:Groceries"}),
        ("is T12 urgent?", {"refs": ["T12"]}),
        ('tell me about @x <TASK id="ann:T12"/>', {"refs": ["ann:T12"]}),
        ("show completed tasks", {"filter": "is:done"}),
        ("cancelled tasks", {"filter": "is:cancelled"}),
        ("find milk", {"filter": '"milk"'}),
        ("search for “oat milk”", {"filter": '"oat" "milk"'}),
        ("show tasks about the milk", {"filter": '"milk"'}),
        ("find due:today -is:open", {"filter": '"due:today" "-is:open"'}),
        ("show T12", {"refs": ["T12"]}),
        ("t12", {"refs": ["T12"]}),
        ("what is T12, T40?", {"refs": ["T12", "T40"]}),
        ('tell me about @Call mum <TASK id="T12"/>', {"refs": ["T12"]}),
    ],
)
async def test_questions_about_tasks_become_one_search(text: str, arguments: object) -> None:
    chat = Chat(OPEN)
    answer = await chat.say(text)
    assert chat.calls == [("tasks_find", arguments)]
    assert answer.endswith("\n\n- **T12** Call mum (p1, Fri 11-20 09:00)\n- **T40** Buy oat milk")


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("text", "output", "head"),
    [
        ("what is open?", OPEN, "2 tasks are open:"),
        ("find milk", ONE, '1 task is open and about "milk":'),
        ("what's due today", EMPTY, "No task is due today."),
        ("what did I finish", EMPTY, "No task is finished."),
        ("find a*b", EMPTY, 'No task is open and about "a\\*b".'),
        (
            "what is open?",
            OPEN.replace("2 of 2", "2 of 1,212") + "\nmore: cursor=fk3V",
            "1,212 tasks are open. The first 2:",
        ),
        ("show T12", "1 tasks. Fri 2026-11-20 10:40 Europe/Berlin, rev 7\nT12 | Call mum", "Here it is:"),
    ],
)
async def test_a_list_says_how_many_tasks_there_are(text: str, output: str, head: str) -> None:
    answer = await Chat(output).say(text)
    assert answer.split("\n")[0] == head
    assert "cursor" not in answer


@pytest.mark.anyio
async def test_of_many_tasks_the_first_are_said_and_the_rest_is_counted() -> None:
    lines = "\n".join(f"T{number} | task {number}" for number in range(1, 21))
    answer = await Chat(f"20 of 31 is:open, smart order. Fri 2026-11-20 10:40 UTC, rev 7\n{lines}").say("what is open?")
    assert answer.startswith("31 tasks are open. The first 5:\n\n- **T1** task 1\n")
    assert answer.endswith("- **T5** task 5")


@pytest.mark.anyio
async def test_what_is_no_list_is_searched_for() -> None:
    chat = Chat('unknown_list: no list "milk". Fix: organize(kind=list, action=create)', ONE)
    answer = await chat.say("show milk")
    assert chat.calls == [("tasks_find", {"filter": "list:milk"}), ("tasks_find", {"filter": '"milk"'})]
    assert answer.startswith('1 task is open and about "milk":')


@pytest.mark.anyio
async def test_a_list_that_was_named_as_one_is_not_searched_for() -> None:
    chat = Chat('unknown_list: no list "milk". Closest: "Milky". Fix: use one')
    assert await chat.say("show the milk list") == (
        'There is no list "milk". Closest: "Milky". Say `new list` and its name to make one.'
    )
    assert len(chat.calls) == 1


@pytest.mark.anyio
async def test_an_overview_says_how_much_there_is_and_which_lists() -> None:
    chat = Chat("Sat 2026-11-21 04:36 Europe/Berlin, rev 20. 2 open, 0 overdue\nlists: Inbox 1, Big_Plans 1")
    assert await chat.say("what lists do I have?") == "2 open, 0 overdue.\n\nLists: Inbox 1, Big\\_Plans 1."
    assert chat.calls == [("overview", {})]


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("text", "terms"),
    [
        ("plan my day", "due:overdue OR due:today OR p1"),
        ("what should I do next?", "due:overdue OR due:today OR p1"),
        ("plan tomorrow", 'due:overdue OR due:"<=tomorrow" OR p1'),
    ],
)
async def test_a_day_is_planned_from_what_presses(text: str, terms: str) -> None:
    chat = Chat(OPEN)
    answer = await chat.say(text)
    assert chat.calls == [("tasks_find", {"filter": terms, "limit": 50})]
    assert answer.startswith("2 tasks, the most pressing first:\n\n- **T12** Call mum")


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("text", "kind", "parts", "head"),
    [
        ("chart of tasks per list", "bar", ("SELECT list,", "status = 'open'"), "Open tasks per list"),
        ("pie chart of finished tasks by tag", "pie", ("tags JOIN tasks", "status = 'done'"), "Finished tasks per tag"),
        (
            "how many tasks did I finish each day?",
            "line",
            ("done_date AS day", "completions"),
            "Finished tasks per day",
        ),
        ("show overdue tasks by priority", "bar", ("'p' || priority", "overdue = 1"), "Overdue tasks per priority"),
        ("how many tasks do I add a week", "line", ("created_week AS week",), "Added tasks per week"),
        ("bar chart of tasks per weekday", "bar", ("AS weekday", "ORDER BY ("), "Open tasks per weekday"),
        ("tasks per status", "bar", ("SELECT status,",), "All tasks per status"),
    ],
)
async def test_figures_are_counted_and_drawn(text: str, kind: str, parts: tuple[str, ...], head: str) -> None:
    chat = Chat("2 rows. Sat 2026-11-21 04:36 UTC, rev 20\nx | open\na | b | 4\n_c_ | 1")
    answer = await chat.say(text)
    [(tool, arguments)] = chat.calls
    assert (tool, arguments["chart"]) == ("data_query", kind)
    assert all(part in arguments["sql"] for part in parts)
    assert answer == f"{head}: a \\| b 4, \\_c\\_ 1."


@pytest.mark.anyio
async def test_a_chart_of_nothing_says_so() -> None:
    chat = Chat("0 rows. Sat 2026-11-21 04:36 UTC, rev 4\nlist | open\nnote: no chart: it needs labels")
    assert await chat.say("chart of tasks per list") == "Open tasks per list: there is nothing to count yet."
