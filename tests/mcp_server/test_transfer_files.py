"""Files of tasks as other programs write them: what is read from them, and what is refused with its line."""

import json

import pytest

from mcp_server.tasks.transfer.document import Document, Fault, TaskRecord
from mcp_server.tasks.transfer.formats import read, write
from shared.errors import Problem

# Tables --------------------------------------------------------------------------------------------------------------

SPREADSHEET = (
    "\ufeffTask;Due Date;Due Time;Project;Labels;Priority;Done;Rating;Labels\r\n"
    "Renew passport;20.11.2026;09:00;Home;errand;High;no;5;papers\r\n"
    '"Paint ""the"" fence";;;Home/Garden;"a, b";;yes;;\r\n'
    ";;;;;;;;\r\n"
    "=Plan;tomorrow;;Work;;soon;;4;;;\r\n"
)


def test_a_table_of_a_spreadsheet_is_read_by_what_its_columns_mean() -> None:
    found = read(SPREADSHEET)
    assert found.format == "csv"
    assert found.mapping == {
        "Task": "title",
        "Due Date": "due",
        "Due Time": "time",
        "Project": "list",
        "Labels": "tags",
        "Priority": "priority",
        "Done": "status",
    }
    assert found.unrecognised == ("Rating",)
    passport, fence, plan = found.tasks
    assert (passport.title, passport.due, passport.list_name) == ("Renew passport", "20.11.2026 09:00", "Home")
    assert (passport.tags, passport.priority, passport.status) == (("errand", "papers"), 2, "open")
    assert (fence.title, fence.list_name, fence.section) == ('Paint "the" fence', "Home", "Garden")
    assert (fence.tags, fence.status, fence.line) == (("a", "b"), "done", 3)
    assert (plan.title, plan.due, plan.line) == ("=Plan", "tomorrow", 5)
    assert plan.given == {"title", "due", "time", "list_name", "tags", "status"}
    assert found.faults == (Fault(5, 'the priority "soon" is not understood'),)


def test_parents_are_found_by_id_and_by_title() -> None:
    text = "Task ID,Name,Parent Task\n11111111,Move,\n22222222,Pack,Move\n33333333,Lift,22222222\n44444444,Rest,Far\n"
    found = read(text)
    assert [(task.title, task.parent) for task in found.tasks] == [
        ("Move", ""),
        ("Pack", "11111111"),
        ("Lift", "22222222"),
        ("Rest", "Far"),
    ]
    assert {(task.source, task.source_id) for task in found.tasks[:2]} == {("csv", "11111111"), ("csv", "22222222")}


def test_a_short_id_of_nobody_in_particular_is_no_identity() -> None:
    [first, second] = read("id,title,parent\n1,Move,\n2,Pack,1\n").tasks
    assert (first.source, first.source_id, second.parent) == ("", "", first.ref)


def test_a_task_that_comes_twice_is_read_once() -> None:
    found = read("source,source_id,title\nx,1,One\nx,1,One again\ny,1,Other\n")
    assert [task.title for task in found.tasks] == ["One", "Other"]
    assert found.faults == (Fault(3, "the same task as in line 2; left out"),)


def test_two_tasks_with_one_ref_are_kept_apart() -> None:
    found = read("ref,title,parent\nT1,One,\nT1,Two,\nT2,Below,T1\n")
    assert len({task.ref for task in found.tasks}) == 3
    assert found.tasks[2].parent == found.tasks[0].ref
    assert found.faults == (Fault(3, '"T1" is the task in line 2 too; the two are kept apart'),)


def test_a_column_completed_may_hold_a_time_or_a_tick() -> None:
    assert [
        (task.status, task.completed) for task in read("Name,Completed At\nA,2026-11-18\nB,\nC,true\nD,FALSE\n").tasks
    ] == [("done", "2026-11-18"), ("open", ""), ("done", ""), ("open", "")]


def test_notes_keep_their_lines_and_titles_lose_them() -> None:
    [task] = read('title,notes\n"Two\r\nlines","first\r\n\r\n  third"\n').tasks
    assert task.title == "Two lines"
    assert task.notes == "first\n\n  third"


@pytest.mark.parametrize("title", ["=1+1", "+49 30 1234", "-5 degrees", "@home", "'=x", "''=x", "'quoted'", "\t=tab"])
def test_no_cell_of_a_table_is_a_formula(title: str) -> None:
    document = Document("csv", (TaskRecord("T1", "Title", notes=title, list_name=title, fields=((title, title),)),))
    text = write(document, "csv")
    cells = [cell for line in text.split("\r\n")[1:] for cell in line.split(",")]
    assert not [cell for cell in cells if cell.strip('"')[:1] in tuple("=+-@\t")]
    [task] = read(text).tasks
    assert task.notes == title
    assert dict(task.fields)[title.strip()] == title


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("title,due\nA,\nB\n", "line 3 has 1 cells, the header 2"),
        ('title,notes\nA,"two\nlines"\nB,1,2,3\n', "line 4 has 4 cells, the header 2"),
        (
            'title,notes\nA,ok\nB,"never\nclosed\n',
            "line 3 is no row of a table: its quotes do not match, or a cell is too long",
        ),
        ('title,notes\nA,"quo"te\n', "line 2 is no row of a table: its quotes do not match, or a cell is too long"),
        ("colour,size\nred,5\n", "no column of this table holds titles"),
        ("", "no column of this table holds titles"),
        ("title\nA\nB\0\n", "line 3 holds U+0000, which is no text"),
        ("title\nA\nB\ud800\n", "line 3 holds U+D800, which is no text"),
        (
            "title,notes\nA," + "x" * 200_000 + "\n",
            "line 2 is no row of a table: its quotes do not match, or a cell is too long",
        ),
    ],
)
def test_what_is_no_table_is_refused_with_its_line(text: str, message: str) -> None:
    with pytest.raises(Problem) as refusal:
        read(text, "csv")
    assert (refusal.value.code, refusal.value.message) == ("bad_content", message)


# JSON ----------------------------------------------------------------------------------------------------------------


def test_a_plain_list_of_objects_is_read_with_lines_and_nested_subtasks() -> None:
    text = """[
  {"name": "Plan trip", "labels": [{"name": "fun"}, "travel"], "project": "Home", "subtasks": ["Book train",
    {"title": "Pack", "due": "2026-12-01T09:00", "subtasks": ["Socks"]}]},
  {"title": "Pay rent", "completed": true, "fields": {"Amount": 900, "Paid by": "card"}, "colour": "red"},
  "Buy milk",
  {"title": "", "due": "fri"},
  {"title": "Call", "due": {"date": "2026-12-01"}, "notes": null},
  17
]"""
    found = read(text)
    assert [(task.line, task.title) for task in found.tasks] == [
        *((2, "Plan trip"), (2, "Book train"), (2, "Pack"), (2, "Socks")),
        *((4, "Pay rent"), (5, "Buy milk"), (7, "Call")),
    ]
    trip, train, pack, socks, rent, _, call = found.tasks
    assert (trip.tags, trip.list_name) == (("fun", "travel"), "Home")
    assert (train.parent, pack.parent, socks.parent) == (trip.ref, trip.ref, pack.ref)
    assert (pack.due, "time" in pack.given) == ("2026-12-01 09:00", True)
    assert (rent.status, rent.fields) == ("done", (("Amount", 900), ("Paid by", "card")))
    assert call.notes == ""
    assert found.unrecognised == ("colour",)
    assert found.faults == (
        Fault(6, "this line has no title; left out"),
        Fault(7, '"due" is no text; left out'),
        Fault(8, "one of the tasks is no object; left out"),
    )


def test_only_the_keys_of_an_object_are_changed_unless_the_file_names_its_columns() -> None:
    [task] = read('{"tasks": [{"ref": "T1", "title": "A", "due": "fri"}]}').tasks
    assert task.given == {"title", "due", "time"}
    [task] = read('{"columns": ["notes", 5, {}], "tasks": [{"title": "A"}]}').tasks
    assert task.given == {"title", "notes"}
    assert read('{"columns": 5, "lists": {"a": 1}, "tasks": [{"title": "A"}], "more": 1}').unrecognised == ("more",)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('[\n{"title": "A"},\n{"title": }\n]', "line 3 is not JSON"),
        ("[" * 100_000, "this JSON is nested too deep"),
        ('[{"title": NaN}]', "this JSON holds a number that is none"),
        ('[{"title": ' + "9" * 5_000 + "}]", "this JSON holds a number that is none"),
        ('"tasks"', "this JSON is neither a list nor an object"),
        ('{"items": []}', "this JSON has no list of tasks"),
        ('{"taskgate": 2, "tasks": []}', "this file was written by a newer version"),
    ],
)
def test_what_is_no_json_of_tasks_is_refused(text: str, message: str) -> None:
    with pytest.raises(Problem) as refusal:
        read(text, "json")
    assert (refusal.value.code, refusal.value.message) == ("bad_content", message)


def test_characters_no_database_can_hold_are_refused_with_their_line() -> None:
    tasks = [{"title": "nul \0"}, {"title": "half \ud800"}, {"title": "bell \a"}, {"title": "ok", "notes": "nul\0"}]
    found = read("[\n" + ",\n".join(json.dumps(task) for task in tasks) + "\n]")
    assert [(task.title, task.notes) for task in found.tasks] == [("ok", "")]
    assert "notes" not in found.tasks[0].given
    assert [fault.line for fault in found.faults] == [2, 3, 4, 5]
    assert all("control character" in fault.what and "left out" in fault.what for fault in found.faults)


def test_subtasks_deeper_than_a_task_can_lie_are_left_out() -> None:
    def nested(levels: int) -> Document:
        text = '{"title": "t"}'
        for _ in range(levels):
            text = f'{{"title": "t", "subtasks": [{text}]}}'
        return read(f"[{text}]")

    assert (len(nested(5).tasks), nested(5).faults) == (6, ())
    found = nested(300)
    assert len(found.tasks) == 6
    assert found.faults == (Fault(1, "the subtasks are no list, or lie deeper than 5 levels; left out"),)


# iCalendar -----------------------------------------------------------------------------------------------------------

PHONE = """BEGIN:VCALENDAR\r
VERSION:2.0\r
X-WR-CALNAME:Shopping\\, weekly\r
BEGIN:VTIMEZONE\r
TZID:Europe/Berlin\r
BEGIN:STANDARD\r
DTSTART:19701025T030000\r
END:STANDARD\r
END:VTIMEZONE\r
BEGIN:VEVENT\r
SUMMARY:A meeting\r
END:VEVENT\r
BEGIN:VTODO\r
UID:7E3E7C0D-6C93-4F7B\r
DTSTAMP:20261101T080000Z\r
SUMMARY:Buy milk\\; and\r
\t bread\r
DESCRIPTION:one\\ntwo\\\\n\r
DUE;TZID="/freeassociation.sourceforge.net/Europe/Berlin":20261120T090000\r
PRIORITY:5\r
CATEGORIES:food,cheap\\, good\r
CATEGORIES:home\r
GEO:52.5;13.4\r
X-APPLE-SORT-ORDER:3\r
BEGIN:VALARM\r
ACTION:DISPLAY\r
TRIGGER:-PT1H30M\r
END:VALARM\r
BEGIN:VALARM\r
TRIGGER;VALUE=DATE-TIME:20261120T070000Z\r
END:VALARM\r
BEGIN:VALARM\r
TRIGGER:PT5M\r
END:VALARM\r
END:VTODO\r
BEGIN:VTODO\r
UID:A2\r
SUMMARY:Return bottles\r
DTSTART;VALUE=DATE:20261115\r
DUE;VALUE=DATE:20261116\r
STATUS:COMPLETED\r
COMPLETED:20261116T101500Z\r
RELATED-TO;RELTYPE=PARENT:7E3E7C0D-6C93-4F7B\r
RELATED-TO;RELTYPE=SIBLING:A9\r
END:VTODO\r
BEGIN:VTODO\r
SUMMARY:Water plants\r
DTSTART:20261120T180000Z\r
DUE:20261120T180000Z\r
RRULE:FREQ=WEEKLY;BYDAY=FR\r
PERCENT-COMPLETE:20\r
DUE;TZID=Customized Time Zone:20261120T090000\r
END:VTODO\r
BEGIN:VTODO\r
SUMMARY:Water plants\r
RECURRENCE-ID:20261127T180000Z\r
END:VTODO\r
BEGIN:VTODO\r
SUMMARY:Odd\r
DUE;TZID=Customized Time Zone:20261120T090000\r
PRIORITY:high\r
COMPLETED:yesterday\r
END:VTODO\r
END:VCALENDAR\r
"""


def test_a_calendar_of_another_program_gives_its_to_dos() -> None:
    found = read(PHONE)
    milk, bottles, plants, odd = found.tasks
    assert found.format == "ics"
    assert (milk.title, milk.notes) == ("Buy milk; and bread", "one\ntwo\\n")
    assert (milk.due, milk.priority, milk.list_name) == ("2026-11-20 09:00 Europe/Berlin", 2, "Shopping weekly")
    assert (milk.tags, milk.source, milk.source_id) == (("food", "cheap good", "home"), "ics", "7E3E7C0D-6C93-4F7B")
    assert milk.reminders == ("90m before", "2026-11-20T07:00:00Z")
    assert (bottles.parent, bottles.status, bottles.completed) == (milk.ref, "done", "2026-11-16T10:15:00Z")
    assert (bottles.due, bottles.start) == ("2026-11-16", "2026-11-15")
    assert (plants.due, plants.start, plants.rrule, plants.status) == (
        *("2026-11-20T18:00:00Z", "", "FREQ=WEEKLY;BYDAY=FR", "open"),
    )
    assert (odd.due, "priority" in odd.given) == ("2026-11-20 09:00", False)
    assert found.notes == ("1 VEVENT left out: only to-dos are tasks",)
    assert found.unrecognised == ("GEO", "X-APPLE-SORT-ORDER", "RECURRENCE-ID")
    assert found.faults == (
        Fault(13, 'the tag "cheap, good" is written "cheap good" here'),
        Fault(13, 'the list "Shopping, weekly" is written "Shopping weekly" here'),
        Fault(32, "an alarm that is neither before the due date nor at a fixed time; left out"),
        Fault(54, "a single occurrence of a repeating to-do; left out"),
        Fault(60, 'the time zone "Customized Time Zone" is not known; the time is taken as local'),
        Fault(61, 'the priority "high" is not understood'),
        Fault(62, 'the COMPLETED "yesterday" is no date'),
    )


def test_a_calendar_has_short_lines_that_part_no_character() -> None:
    title = "🧑‍🚒 " * 60
    text = write(Document("json", (TaskRecord("T1", title.strip(), notes="x\n" * 90),)), "ics")
    lines = text.encode().split(b"\r\n")
    assert max(map(len, lines)) <= 75
    assert all(line.decode() is not None for line in lines)
    assert read(text).tasks[0].title == title.strip()


def test_a_task_that_repeats_is_one_for_every_calendar() -> None:
    record = TaskRecord(
        "T1", "Rent", due="2026-11-20 09:00", repeat="every month", rrule="FREQ=MONTHLY", start="2026-11-01"
    )
    lines = write(Document("json", (record,)), "ics").split("\r\n")
    assert {"DUE:20261120T090000", "DTSTART:20261120T090000", "RRULE:FREQ=MONTHLY"} <= set(lines)
    assert {"X-TASKGATE-START:2026-11-01", "X-TASKGATE-REPEAT:every month"} <= set(lines)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("BEGIN:VCALENDAR\nBEGIN:VTODO\nSUMMARY:A\n", "the VTODO of line 2 has no end"),
        ("BEGIN:VCALENDAR\nEND:VTODO\n", "line 2 ends what was not begun"),
        ("BEGIN:VTODO\n\nSUMMARY\nEND:VTODO\n", "line 3 is no line of iCalendar"),
        (
            "BEGIN:VCALENDAR\nBEGIN:VEVENT\nEND:VEVENT\nEND:VCALENDAR\n",
            "there is no to-do in this calendar, only 1 VEVENT",
        ),
        ("BEGIN:VTODO\n" * 30, "line 20 begins one component too deep inside others"),
    ],
)
def test_what_is_no_calendar_of_to_dos_is_refused_with_its_line(text: str, message: str) -> None:
    with pytest.raises(Problem) as refusal:
        read(text)
    assert (refusal.value.code, refusal.value.message) == ("bad_content", message)


# Checklists ----------------------------------------------------------------------------------------------------------

CHECKLIST = """# Groceries
Some words that nobody needs.

* [ ] Milk
+ [X] Bread @bakery
    * [ ] *Rye* (if they have some)

      with seeds
    - no raisins
  > soon

```
- [ ] an example in code
```
---
## Dairy ##
1. [ ] Cheese (due 2026-12-01 09:00, every week, estimate 1h 30m, remind 30m before) !p1 @"for later" @fri
2. [/] Butter (due 32 dec)
- a plain line

# Hardware
[ ] Nails (due to rust)
- [-] Screws !p9
- [ ] Call bob@example.com \\@home
- [ ]
- [ ] @alone
"""


def test_any_checklist_is_read() -> None:
    found = read(CHECKLIST)
    assert found.format == "markdown"
    milk, bread, rye, cheese, butter, nails, screws, call, alone = found.tasks
    assert [(task.list_name, task.section) for task in found.tasks] == [
        *([("Groceries", "")] * 3),
        *([("Groceries", "Dairy")] * 2),
        *([("Hardware", "")] * 4),
    ]
    assert (milk.title, milk.status, milk.line, milk.parent) == ("Milk", "open", 4, "")
    assert (bread.title, bread.status, bread.tags) == ("Bread", "done", ("bakery",))
    assert (rye.title, rye.parent, rye.notes) == ("*Rye* (if they have some)", bread.ref, "with seeds")
    assert bread.notes == "- no raisins\nsoon"
    assert (cheese.title, cheese.due, cheese.repeat) == ("Cheese", "2026-12-01 09:00", "every week")
    assert (cheese.estimate_min, cheese.reminders) == (90, ("30m before",))
    assert (cheese.priority, cheese.tags) == (1, ("for later", "fri"))
    assert (butter.title, nails.title) == ("Butter (due 32 dec)", "Nails (due to rust)")
    assert (screws.title, screws.status) == ("Screws !p9", "cancelled")
    assert (call.title, call.tags, alone.title) == ("Call bob@example.com @home", (), "@alone")
    assert found.notes == ("1 items without a box are left out",)
    assert found.faults == (
        Fault(18, '"(due 32 dec)" is not understood and stays in the title'),
        Fault(25, "this line has no title; left out"),
    )


def test_the_title_of_a_page_is_no_list() -> None:
    found = read("# My plans\n\n## Work\n- [ ] A\n### Design\n- [ ] B\n## Home\n- [ ] C\n")
    assert [(task.list_name, task.section) for task in found.tasks] == [("Work", ""), ("Work", "Design"), ("Home", "")]


def test_a_list_without_boxes_is_a_list_of_tasks() -> None:
    found = read("Shopping:\n- Milk\n- Bread\n    - Rye\n")
    assert [(task.title, task.parent) for task in found.tasks] == [("Milk", ""), ("Bread", ""), ("Rye", "line 3")]


# Todoist -------------------------------------------------------------------------------------------------------------

TODOIST = (
    "\ufeffTYPE,CONTENT,DESCRIPTION,PRIORITY,INDENT,AUTHOR,RESPONSIBLE,DATE,DATE_LANG,TIMEZONE,"
    "DURATION,DURATION_UNIT,DEADLINE\r\n"
    "meta,view_style=list,,,,,,,,,,,\r\n"
    "task,Plan the party @fun @home,Ask everybody,1,1,Ada (123),Bob (456),every fri at 9am,en,Asia/Tokyo,30,minute,\r\n"
    "task,Write to bob@example.com,,4,2,Ada (123),,tomorrow,en,Europe/Berlin,,None,2026-12-24\r\n"
    "note,The address is new,,,,Ada (123),,,,,,,\r\n"
    'note," [[file {""file_name"":""x.png""}]]",,,,Ada (123),,,,,,,\r\n'
    ",,,,,,,,,,,,\r\n"
    'section,"Food, drinks",,,,,,,,,,,\r\n'
    "task,* Cake,,,1,,,irgendwann,de,Europe/Berlin,,,\r\n"
    "task,Candles,,3,4,,,,,,,,\r\n"
    "label,odd,,,,,,,,,,,\r\n"
)


def test_a_todoist_template_is_read() -> None:
    found = read(TODOIST)
    assert found.format == "todoist"
    party, write_to, cake, candles = found.tasks
    assert (party.title, party.tags, party.notes) == ("Plan the party", ("fun", "home"), "Ask everybody")
    assert (party.priority, party.repeat, party.assignee) == (1, "every fri at 9am", "Bob")
    assert (party.estimate_min, party.section, "due" in party.given) == (30, "", False)
    assert (write_to.title, write_to.parent, write_to.due) == ("Write to bob@example.com", party.ref, "tomorrow")
    assert (write_to.priority, write_to.deadline) == (4, "2026-12-24")
    assert (cake.title, cake.section, cake.due) == ("Cake", "Food drinks", "irgendwann")
    assert (candles.parent, candles.section, candles.priority) == (cake.ref, "Food drinks", 3)
    assert "priority" not in cake.given
    assert [(one.task, one.text) for one in found.comments] == [(write_to.ref, "The address is new")]
    assert found.unrecognised == ("AUTHOR", "TIMEZONE")
    assert found.faults == (
        Fault(6, "a note without text, perhaps a file; left out"),
        Fault(8, 'the section "Food, drinks" is written "Food drinks" here'),
        Fault(11, 'the TYPE "label" is not understood; left out'),
    )


def test_the_indent_of_a_todoist_template_says_what_lies_under_what() -> None:
    rows = [("A", "1"), ("B", "2"), ("C", "3"), ("D", "2"), ("E", ""), ("F", "9")]
    found = read("TYPE,CONTENT,INDENT\n" + "".join(f"task,{title},{indent}\n" for title, indent in rows))
    titles = {task.ref: task.title for task in found.tasks}
    assert [(task.title, titles.get(task.parent, "")) for task in found.tasks] == [
        *(("A", ""), ("B", "A"), ("C", "B"), ("D", "A"), ("E", ""), ("F", "E")),
    ]


def test_a_todoist_template_that_is_called_csv_is_still_one() -> None:
    assert read(TODOIST, "csv").format == "todoist"
