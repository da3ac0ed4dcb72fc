"""What people say to add tasks, and what is added."""

import pytest

from tests.gateway.offline.talking import ADDED, Chat, added


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("text", "task"),
    [
        ("add buy milk tomorrow", added("buy milk", "tomorrow")),
        ("Add buy milk tomorrow, please.", added("buy milk", "tomorrow")),
        ("Could you please ADD Buy Milk TOMORROW?", added("Buy Milk TOMORROW?")),
        ("remind me to call mum on friday at 9am", added("call mum", "friday at 9am")),
        ("remind me tomorrow to call mum", added("call mum", "tomorrow")),
        ("Remind me in 2 hours to check the oven!", added("check the oven", "in 2 hours")),
        ("new task: write the report by fri p1", added("write the report", "fri", "p1")),
        ("task: pay rent dec 1", added("pay rent", "dec 1")),
        ("I need to pay the rent", added("pay the rent")),
        ("i have to see ann next week, urgent", added("see ann", "next week", "p1")),
        ("don’t forget to water the plants in 3 days", added("water the plants", "in 3 days")),
        ("add milk, eggs and bread", added("milk, eggs and bread")),
        ("add milk to my list tomorrow", added("milk", "tomorrow")),
        ("put milk on my to-do list", added("milk")),
        ("add pay rent p1 2026-12-01", added("pay rent", "2026-12-01", "p1")),
        ("add pay rent tonight p3", added("pay rent", "tonight", "p3")),
        ("add important: pay rent", added("pay rent", "", "p2")),
        ("add an urgent task: pay rent", added("pay rent", "", "p1")),
        ("add lunch tomorrow at 12:30", added("lunch", "tomorrow at 12:30")),
        ("add lunch at noon", added("lunch", "at noon")),
        ("add lunch monday morning", added("lunch", "monday morning")),
        ("add beach on sun", added("beach", "sun")),
        ('add "see you tomorrow"', added("see you tomorrow")),
        ("add “see you tomorrow” friday p2", added("see you tomorrow", "friday", "p2")),
        # What looks like a date and is none, or is only a part of the title.
        ("add enjoy the sun", added("enjoy the sun")),
        ("add call tom", added("call tom")),
        ("add water the plants every monday", added("water the plants every monday")),
        ("add prepare slides for tomorrow", added("prepare slides for tomorrow")),
        ("add tomorrow", added("tomorrow")),
        ("add read chapter 5", added("read chapter 5")),
    ],
)
async def test_what_people_say_to_add_a_task_becomes_its_title_date_and_priority(text: str, task: object) -> None:
    chat = Chat(ADDED)
    answer = await chat.say(text)
    assert chat.calls == [("tasks_add", {"tasks": [task]})]
    assert answer == "Added:\n\n- **T105** Call mum (p1, Sat 11-21 09:00)"


@pytest.mark.anyio
@pytest.mark.parametrize(
    "text",
    [
        "add milk; eggs tomorrow; bread",
        "please add milk; - eggs tomorrow; [ ] bread",
        "add:\n- milk\n* eggs tomorrow\n3. bread",
        "add milk\nadd eggs tomorrow\n\nadd bread",
    ],
)
async def test_several_tasks_stand_on_lines_or_between_semicolons(text: str) -> None:
    chat = Chat("op 4: 3 added\nT1 | milk\nT2 Sat 11-21 | eggs\nT3 | bread")
    answer = await chat.say(text)
    assert chat.calls == [("tasks_add", {"tasks": [added("milk"), added("eggs", "tomorrow"), added("bread")]})]
    assert answer == "Added 3 tasks:\n\n- **T1** milk\n- **T2** eggs (Sat 11-21)\n- **T3** bread"


@pytest.mark.anyio
async def test_a_further_line_keeps_every_word_of_its_own() -> None:
    chat = Chat(ADDED)
    await chat.say("add milk\n*well* [x] - so what?\nnow\nadd add-ons, please!")
    titles = [task["title"] for task in chat.calls[0][1]["tasks"]]
    assert titles == ["milk", "*well* [x] - so what?", "now", "add-ons"]


@pytest.mark.anyio
async def test_words_that_are_no_date_go_back_into_the_title_and_the_answer_says_so() -> None:
    chat = Chat('bad_date: tasks[0]: "feb 30" is no date. Fix: e.g. "dec 31".', "op 5: 1 added\nT7 | buy milk feb 30")
    answer = await chat.say("add buy milk feb 30")
    assert chat.calls == [
        ("tasks_add", {"tasks": [added("buy milk", "feb 30")]}),
        ("tasks_add", {"tasks": [added("buy milk feb 30")]}),
    ]
    assert answer == (
        'Added:\n\n- **T7** buy milk feb 30\n\n"feb 30" is no date. I kept those words in the title and set no date.'
    )


@pytest.mark.anyio
async def test_only_the_task_whose_date_was_refused_loses_it() -> None:
    refusal = "ambiguous_date: tasks[1]: 12/01/2026 is Jan 12 or Dec 1. Fix: 2026-12-01 or 2026-01-12."
    chat = Chat(refusal, "op 5: 2 added\nT7 | milk\nT8 | lunch 12/01/2026")
    answer = await chat.say("add milk today; lunch 12/01/2026")
    assert chat.calls[1] == ("tasks_add", {"tasks": [added("milk", "today"), added("lunch 12/01/2026")]})
    assert "12/01/2026 is Jan 12 or Dec 1. I kept those words" in answer


@pytest.mark.anyio
async def test_a_tool_that_refuses_every_date_is_not_asked_for_ever() -> None:
    chat = Chat('bad_date: tasks[0]: "today" is no date. Fix: e.g. "dec 31".')
    answer = await chat.say("add milk today; eggs today; bread today")
    assert len(chat.calls) == 3
    assert chat.calls[-1][1] == {"tasks": [added("milk today"), added("eggs today"), added("bread today")]}
    assert answer == '"today" is no date.'


@pytest.mark.anyio
async def test_what_the_tool_notes_is_passed_on() -> None:
    chat = Chat(f"{ADDED}\nnote: T77 has the same title\nnote: tasks[0]: this is in the past")
    answer = await chat.say("add call mum yesterday")
    assert answer.endswith("(p1, Sat 11-21 09:00)\n\nT77 has the same title.\n\nThis is in the past.")


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("text", "task"),
    [
        ("add milk to Groceries", added("milk") | {"list": "Groceries"}),
        ("add milk to Groceries tomorrow p1", added("milk", "tomorrow", "p1") | {"list": "Groceries"}),
        ("add milk tomorrow to groceries", added("milk", "tomorrow") | {"list": "groceries"}),
        ('add "milk" to "My Things"', added("milk") | {"list": "My Things"}),
        ("add eggs on the groceries list", added("eggs") | {"list": "groceries"}),
        ("add milk to @Groceries <LIST>Groceries</LIST>", added("milk") | {"list": "Groceries"}),
        # No lists, whatever there may be.
        ("add talk to Anna", added("talk to Anna")),
        ("add drive to work tomorrow", added("drive to work", "tomorrow")),
        ("add reply to Bob", added("reply to Bob")),
        ("add dinner in Berlin", added("dinner in Berlin")),
        ("add milk to my list", added("milk")),
    ],
)
async def test_a_task_can_be_put_into_a_list(text: str, task: object) -> None:
    chat = Chat(ADDED)
    await chat.say(text)
    assert chat.calls == [("tasks_add", {"tasks": [task]})]


@pytest.mark.anyio
async def test_words_that_are_no_list_go_back_into_the_title_and_the_date_stays() -> None:
    chat = Chat('unknown_list: tasks[0]: no list "Anna". Fix: organize(kind=list, action=create)', ADDED)
    answer = await chat.say("add present to Anna tomorrow")
    assert chat.calls[1] == ("tasks_add", {"tasks": [added("present to Anna", "tomorrow")]})
    assert answer.endswith(
        'There is no list "Anna". Say `new list` and its name to make one. I kept those words in the title.'
    )


@pytest.mark.anyio
async def test_no_more_tasks_are_added_at_once_than_the_tool_takes_and_the_rest_is_told() -> None:
    chat = Chat(ADDED)
    answer = await chat.say("add:\n" + "\n".join(f"task {number}" for number in range(130)))
    assert len(chat.calls[0][1]["tasks"]) == 100
    assert answer.endswith("These are the first 100: 30 more are not added yet.")
