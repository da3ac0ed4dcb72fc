"""Forgiving arguments: what is surely meant is read, and everything else is refused with a remedy."""

import copy
import json
from typing import Any, Final

import pytest

from mcp_server.tools.repair import repair
from mcp_server.tools.synonyms import SYNONYMS, VALUES
from mcp_server.tools.wire import WIRE
from shared.errors import Problem

Arguments = dict[str, Any]

# tool, what a model wrote, what is understood, what is said about it
READ: Final[dict[str, tuple[str, Arguments, Arguments, str]]] = {
    "what is right stays": ("tasks_find", {"filter": "p1", "limit": 5}, {"filter": "p1", "limit": 5}, ""),
    "nothing": ("overview", {}, {}, ""),
    # 1: keys
    "camelCase": ("undo", {"dryRun": True}, {"dry_run": True}, "read dryRun as dry_run"),
    "hyphens": ("undo", {"dry-run": True}, {"dry_run": True}, "read dry-run as dry_run"),
    "capitals": ("tasks_find", {"Filter": "p1"}, {"filter": "p1"}, "read Filter as filter"),
    "words run together": ("undo", {"dryrun": True}, {"dry_run": True}, "read dryrun as dry_run"),
    "an underscore too many": (
        "tasks_add",
        {"tasks": [{"title": "A", "sub_tasks": ["B"]}]},
        {"tasks": [{"title": "A", "subtasks": ["B"]}]},
        "read sub_tasks as subtasks",
    ),
    "a synonym": ("tasks_find", {"query": "milk"}, {"filter": "milk"}, "read query as filter"),
    "a synonym in camelCase": ("tasks_delete", {"taskIds": ["T1"]}, {"refs": ["T1"]}, "read taskIds as refs"),
    "each synonym is told once": (
        "tasks_add",
        {"tasks": [{"name": "A"}, {"name": "B"}]},
        {"tasks": [{"title": "A"}, {"title": "B"}]},
        "read name as title",
    ),
    "several synonyms in one note": (
        "tasks_add",
        {"tasks": [{"content": "A", "description": "B", "due_date": "fri", "labels": ["x"], "project": "Work"}]},
        {"tasks": [{"title": "A", "notes": "B", "due": "fri", "tags": ["x"], "list": "Work"}]},
        "read content as title, description as notes, due_date as due, labels as tags, project as list",
    ),
    "a name that is an argument here is no synonym": (
        "organize",
        {"kind": "list", "action": "create", "name": "Work"},
        {"kind": "list", "action": "create", "name": "Work"},
        "",
    ),
    "one task of the history": ("history", {"task_id": 12}, {"ref": "12"}, "read task_id as ref"),
    "the same thing twice": ("tasks_complete", {"id": "T1", "refs": ["T1"]}, {"refs": ["T1"]}, "read id as refs"),
    # 2: nothing
    "null": ("tasks_find", {"filter": None, "limit": None, "cursor": None, "refs": None}, {}, ""),
    "empty": ("tasks_find", {"filter": "", "refs": [], "cursor": "  "}, {}, ""),
    "words for nothing": (
        "tasks_find",
        {"filter": "null", "cursor": "None", "sort": "undefined", "limit": "null"},
        {},
        "",
    ),
    "a word for nothing instead of references": ("tasks_find", {"refs": "none", "filter": "p1"}, {"filter": "p1"}, ""),
    "nothing beside many tasks": (
        "tasks_add",
        {"tasks": ["A", "B"], "list": None, "due": ""},
        {"tasks": [{"title": "A"}, {"title": "B"}]},
        "",
    ),
    "an empty object": ("tasks_add", {"tasks": [{"title": "A", "fields": {}}]}, {"tasks": [{"title": "A"}]}, ""),
    "a list of nothing": ("tasks_find", {"refs": [""], "filter": "p1"}, {"filter": "p1"}, ""),
    "a gap in a list": ("tasks_complete", {"refs": ["T1", None, ""]}, {"refs": ["T1"]}, ""),
    "a title may be called so": ("tasks_add", {"tasks": [{"title": "None"}]}, {"tasks": [{"title": "None"}]}, ""),
    "due:none in a filter": ("tasks_find", {"filter": "due:none"}, {"filter": "due:none"}, ""),
    "an edit that empties nothing": (
        "tasks_edit",
        {"changes": [{"refs": ["T1"], "due": None}]},
        {"changes": [{"refs": ["T1"]}]},
        'empty values change nothing; to empty a field name it in clear, e.g. clear=["due"]',
    ),
    "an edit that does something": (
        "tasks_edit",
        {"changes": [{"refs": ["T1"], "due": None, "title": "B"}]},
        {"changes": [{"refs": ["T1"], "title": "B"}]},
        "",
    ),
    # 3: shapes
    "JSON text for a list": ("tasks_complete", {"refs": '["T1", "T2"]'}, {"refs": ["T1", "T2"]}, ""),
    "JSON text for objects": ("tasks_add", {"tasks": '[{"title": "A"}]'}, {"tasks": [{"title": "A"}]}, ""),
    "JSON text for one object": ("tasks_add", {"tasks": '{"title": "A"}'}, {"tasks": [{"title": "A"}]}, ""),
    "JSON texts in a list": (
        "tasks_add",
        {"tasks": ['{"title": "A"}', "B"]},
        {"tasks": [{"title": "A"}, {"title": "B"}]},
        "",
    ),
    "JSON text encoded twice": ("tasks_complete", {"refs": json.dumps('["T1"]')}, {"refs": ["T1"]}, ""),
    "JSON text in a fence": ("tasks_complete", {"refs": '```json\n["T1"]\n```'}, {"refs": ["T1"]}, ""),
    "JSON text inside JSON text": (
        "tasks_add",
        {"tasks": '[{"title": "A", "tags": "[\\"x\\"]"}]'},
        {"tasks": [{"title": "A", "tags": ["x"]}]},
        "",
    ),
    "JSON text for an open object": (
        "tasks_add",
        {"tasks": [{"title": "A", "fields": '{"Effort": 3}'}]},
        {"tasks": [{"title": "A", "fields": {"Effort": 3}}]},
        "",
    ),
    "a JSON text in a text is a text": (
        "tasks_add",
        {"tasks": [{"title": '["A"]'}]},
        {"tasks": [{"title": '["A"]'}]},
        "",
    ),
    "one reference": ("tasks_complete", {"refs": "T1"}, {"refs": ["T1"]}, ""),
    "a number as reference": ("tasks_complete", {"refs": 12}, {"refs": ["12"]}, ""),
    "numbers as references": ("tasks_complete", {"refs": [1, 2.0]}, {"refs": ["1", "2"]}, ""),
    "references with commas": ("tasks_complete", {"refs": "T1, T2,T3,"}, {"refs": ["T1", "T2", "T3"]}, ""),
    "tags with commas": (
        "tasks_add",
        {"tasks": [{"title": "A", "tags": "home, @work"}]},
        {"tasks": [{"title": "A", "tags": ["home", "@work"]}]},
        "",
    ),
    "a comma in one subtask": (
        "tasks_add",
        {"tasks": [{"title": "A", "subtasks": "milk, eggs"}]},
        {"tasks": [{"title": "A", "subtasks": ["milk, eggs"]}]},
        "",
    ),
    "a list of one text": ("tasks_find", {"filter": ["p1"]}, {"filter": "p1"}, ""),
    "a number as text": ("undo", {"op": 4711}, {"op": "4711"}, ""),
    "a fraction as text": ("tasks_add", {"tasks": [{"title": 0.5}]}, {"tasks": [{"title": "0.5"}]}, ""),
    # 4: wrappers
    "one task, unwrapped": (
        "tasks_add",
        {"title": "A", "due": "fri", "dry_run": True},
        {"tasks": [{"title": "A", "due": "fri"}], "dry_run": True},
        "",
    ),
    "one change, unwrapped": (
        "tasks_edit",
        {"refs": ["T1"], "due": "fri"},
        {"changes": [{"refs": ["T1"], "due": "fri"}]},
        "",
    ),
    "one change, unwrapped, in other words": (
        "tasks_edit",
        {"id": "T1", "dueDate": "fri", "tasks": None},
        {"changes": [{"refs": ["T1"], "due": "fri"}]},
        "read id as refs, dueDate as due",
    ),
    "a change by filter, unwrapped": (
        "tasks_edit",
        {"filter": "p1", "due": "fri"},
        {"filter": "p1", "changes": [{"due": "fri"}]},
        "",
    ),
    "titles": ("tasks_add", {"tasks": ["A", "B"]}, {"tasks": [{"title": "A"}, {"title": "B"}]}, ""),
    "one title": ("tasks_add", {"tasks": "Milk, eggs"}, {"tasks": [{"title": "Milk, eggs"}]}, ""),
    "a title in brackets": ("tasks_add", {"tasks": ["[urgent] call"]}, {"tasks": [{"title": "[urgent] call"}]}, ""),
    "one object": ("tasks_add", {"tasks": {"title": "A"}}, {"tasks": [{"title": "A"}]}, ""),
    "what stands beside the only change": (
        "tasks_edit",
        {"refs": ["T1"], "changes": {"due": "fri"}},
        {"changes": [{"due": "fri", "refs": ["T1"]}]},
        "",
    ),
    "what stands beside the only title": (
        "tasks_add",
        {"task": "A", "due": "fri"},
        {"tasks": [{"title": "A", "due": "fri"}]},
        "read task as tasks",
    ),
    # 5: numbers and yes or no
    "a number as words": ("tasks_find", {"limit": "25"}, {"limit": 25}, ""),
    "a whole fraction": ("tasks_find", {"limit": 25.0}, {"limit": 25}, ""),
    "true in words": ("undo", {"dry_run": "True", "force": "yes"}, {"dry_run": True, "force": True}, ""),
    "false in words": ("undo", {"dry_run": "false", "force": "no"}, {"dry_run": False, "force": False}, ""),
    "one and zero": ("undo", {"dry_run": 1, "force": 0}, {"dry_run": True, "force": False}, ""),
    "a limit too high": ("tasks_find", {"limit": 5000}, {"limit": 200}, "read limit 5000 as 200"),
    "a limit too low": ("tasks_find", {"limit": -1}, {"limit": 1}, "read limit -1 as 1"),
    "a limit without end": ("tasks_find", {"limit": "9" * 100}, {"limit": 200}, f"read limit {'9' * 37}... as 200"),
    "a limit of nothing": ("history", {"max": 0}, {"limit": 1}, "read limit 0 as 1, max as limit"),
    # 6: enumerations
    "capitals in a choice": ("overview", {"show": "Week"}, {"show": "week"}, 'read show "Week" as week'),
    "urgent": (
        "tasks_add",
        {"tasks": [{"title": "A", "priority": "Urgent"}]},
        {"tasks": [{"title": "A", "priority": "p1"}]},
        'read priority "Urgent" as p1',
    ),
    "priority one": (
        "tasks_add",
        {"tasks": [{"title": "A", "priority": 1}]},
        {"tasks": [{"title": "A", "priority": "p1"}]},
        'read priority "1" as p1',
    ),
    "priority four": (
        "tasks_edit",
        {"changes": [{"refs": ["T1"], "priority": "4"}]},
        {"changes": [{"refs": ["T1"], "priority": "p4"}]},
        'read priority "4" as p4',
    ),
    "no priority": (
        "tasks_edit",
        {"changes": [{"refs": ["T1"], "priority": "none"}]},
        {"changes": [{"refs": ["T1"], "priority": "p4"}]},
        'read priority "none" as p4',
    ),
    "a project": (
        "organize",
        {"kind": "project", "action": "Add", "title": "Work"},
        {"kind": "list", "action": "create", "name": "Work"},
        'read kind "project" as list, action "Add" as create, title as name',
    ),
    "a calendar": ("data_export", {"format": "iCal"}, {"format": "ics"}, 'read format "iCal" as ics'),
}


@pytest.mark.parametrize("case", READ)
def test_what_is_surely_meant_is_read(case: str) -> None:
    tool, written, meant, note = READ[case]
    before = copy.deepcopy(written)
    found, notes = repair(WIRE[tool], tool, written)
    assert found == meant
    assert "; ".join(notes) == note
    assert written == before
    assert repair(WIRE[tool], tool, found)[0] == found


TASK, CHANGE = {"title": "A"}, {"refs": ["T1"]}
# tool, what a model wrote, the whole answer
REFUSED: Final[dict[str, tuple[str, Arguments, str]]] = {
    "no tasks": ("tasks_add", {}, 'missing_argument: tasks is missing. Fix: e.g. tasks=[{"title": "Call mum"}]'),
    "no references": ("tasks_complete", {"refs": []}, 'missing_argument: refs is missing. Fix: e.g. refs=["T12"]'),
    "only commas": ("tasks_complete", {"refs": ","}, 'missing_argument: refs is missing. Fix: e.g. refs=["T12"]'),
    "no title": ("tasks_add", {"tasks": [TASK, TASK, {}]}, "missing_argument: tasks[2] has no title. Fix: add title"),
    "an empty title": (
        "tasks_add",
        {"tasks": [{"title": " "}]},
        "missing_argument: tasks[0] has no title. Fix: add title",
    ),
    "a gap in the tasks": (
        "tasks_add",
        {"tasks": ["A", None]},
        "missing_argument: tasks[1] has no title. Fix: add title",
    ),
    "a due date alone": ("tasks_add", {"due": "fri"}, "missing_argument: tasks[0] has no title. Fix: add title"),
    "no changes": (
        "tasks_edit",
        {"filter": "p1"},
        'missing_argument: changes is missing. Fix: e.g. changes=[{"refs": ["T12"], "due": "fri"}]',
    ),
    "no content": (
        "data_import",
        {"content": ""},
        'missing_argument: content is missing. Fix: e.g. content="- [ ] Call mum"',
    ),
    "no kind": (
        "organize",
        {"action": "create", "name": "Work"},
        'missing_argument: kind is missing. Fix: e.g. kind="list"',
    ),
    "a slip of the keys": ("tasks_find", {"serach": "x"}, 'unknown_argument: "serach". Fix: filter'),
    "a slip in a task": (
        "tasks_add",
        {"tasks": [TASK, {"title": "B", "dedline": "fri"}]},
        'unknown_argument: "dedline" in tasks[1]. Fix: deadline',
    ),
    "an invention": (
        "tasks_find",
        {"fuzzy": True},
        'unknown_argument: "fuzzy". Fix: leave it out; there is filter, refs, sort, detail, limit, cursor',
    ),
    "an invention in a big object": (
        "tasks_edit",
        {"changes": [{**CHANGE, "mood": "good"}]},
        'unknown_argument: "mood" in changes[0]. Fix: leave it out, or see the schema of tasks_edit',
    ),
    "an empty invention": ("overview", {"mood": None}, 'unknown_argument: "mood". Fix: leave it out; there is show'),
    "a part of the filter": ("tasks_find", {"tags": ["x"]}, 'unknown_argument: "tags". Fix: filter, e.g. "tag:home"'),
    "a status": (
        "tasks_edit",
        {"changes": [{**CHANGE, "status": "done"}]},
        'unknown_argument: "status" in changes[0]. Fix: tasks_complete closes and reopens',
    ),
    "a status of what is closed here": (
        "tasks_complete",
        {"refs": ["T1"], "status": "done"},
        (
            'unknown_argument: "status". '
            "Fix: leave it out; there is refs, done, cancelled, at, end_series, dry_run, request_id"
        ),
    ),
    "a filter where there is none": (
        "tasks_complete",
        {"query": "milk"},
        'unknown_argument: "query". Fix: refs, found by tasks_find',
    ),
    "a page": ("history", {"page": 2}, 'unknown_argument: "page". Fix: cursor, from the answer before'),
    "an option": (
        "organize",
        {"kind": "list", "action": "set", "name": "Work", "color": "red"},
        'unknown_argument: "color". Fix: options, e.g. {"color": ...}',
    ),
    "somebody else": (
        "share",
        {"user": "ann"},
        'unknown_argument: "user". Fix: who, your own name for the other person',
    ),
    "two names for one thing": (
        "tasks_add",
        {"tasks": [{"title": "A", "name": "B"}]},
        'bad_argument: "title" and "name" both mean title. Fix: give one of them',
    ),
    "a key twice": (
        "tasks_edit",
        {"due": "fri", "changes": [{**CHANGE, "due": "mon"}]},
        'bad_argument: "due" stands in changes and beside it. Fix: give one of them',
    ),
    "one value beside many tasks": (
        "tasks_add",
        {"list": "Work", "tasks": ["A", "B"]},
        'unknown_argument: "list" stands beside tasks. Fix: put it into each of tasks',
    ),
    "an object for a text": (
        "tasks_add",
        {"tasks": [{**TASK, "due": {"date": "2026-12-01"}}]},
        'bad_argument: tasks[0].due must be text. Fix: e.g. "fri 9am"',
    ),
    "texts for a text": (
        "tasks_find",
        {"filter": ["p1", "p2"]},
        'bad_argument: filter must be text. Fix: e.g. "list:Work due:today"',
    ),
    "yes for a text": (
        "tasks_add",
        {"tasks": [{**TASK, "repeat": True}]},
        'bad_argument: tasks[0].repeat must be text. Fix: e.g. "every week"',
    ),
    "an object for texts": (
        "tasks_edit",
        {"changes": [CHANGE, CHANGE, CHANGE, {"refs": {"id": 1}}]},
        'bad_argument: changes[3].refs must be a list of texts. Fix: e.g. ["T12"]',
    ),
    "objects for texts": (
        "tasks_complete",
        {"refs": [{"id": "T1"}]},
        'bad_argument: refs must be a list of texts. Fix: e.g. ["T12"]',
    ),
    "broken JSON for texts": (
        "tasks_complete",
        {"refs": '["T1", "T'},
        'bad_argument: refs must be a list of texts. Fix: e.g. ["T12"]',
    ),
    "lists of Python": (
        "tasks_complete",
        {"refs": "['T1', 'T2']"},
        'bad_argument: refs must be a list of texts. Fix: e.g. ["T12"]',
    ),
    "broken JSON for objects": (
        "tasks_add",
        {"tasks": '[{"title": "A"'},
        'bad_argument: tasks must be a list of objects. Fix: e.g. [{"title": "Call mum"}]',
    ),
    "text for a change": (
        "tasks_edit",
        {"changes": ["T1 due fri"]},
        'bad_argument: changes must be a list of objects. Fix: e.g. [{"refs": ["T12"], "due": "fri"}]',
    ),
    "numbers for tasks": (
        "tasks_add",
        {"tasks": [1]},
        'bad_argument: tasks must be a list of objects. Fix: e.g. [{"title": "Call mum"}]',
    ),
    "a text for fields": (
        "tasks_add",
        {"tasks": [{**TASK, "fields": "Effort=3"}]},
        'bad_argument: tasks[0].fields must be an object. Fix: e.g. {"Effort": 3}',
    ),
    "an object in fields": (
        "tasks_add",
        {"tasks": [{**TASK, "fields": {"Effort": {"value": 3}}}]},
        'bad_argument: "Effort" in tasks[0].fields must be a plain value or a list of them. Fix: e.g. {"Effort": 3}',
    ),
    "null in fields": (
        "tasks_edit",
        {"changes": [{**CHANGE, "fields": {"Effort": None}}]},
        'bad_argument: "Effort" in changes[0].fields is null. Fix: clear=["fields.Effort"]',
    ),
    "null in options": (
        "organize",
        {"kind": "list", "action": "set", "name": "Work", "options": {"color": None}},
        'bad_argument: "color" in options is null. Fix: leave it out, or write ""',
    ),
    "words for a number": ("tasks_find", {"limit": "all"}, "bad_argument: limit must be a whole number. Fix: e.g. 10"),
    "a number longer than numbers": (
        "tasks_find",
        {"limit": "9" * 5_000},
        "bad_argument: limit must be a whole number. Fix: e.g. 10",
    ),
    "infinity": (
        "tasks_add",
        {"tasks": [{**TASK, "estimate": float("inf")}]},
        'bad_argument: tasks[0].estimate must be text. Fix: e.g. "45m"',
    ),
    "a number without end in fields": (
        "tasks_add",
        {"tasks": [{**TASK, "fields": {"Effort": 10**30}}]},
        'bad_argument: "Effort" in tasks[0].fields must be a plain value or a list of them. Fix: e.g. {"Effort": 3}',
    ),
    "no number in fields": (
        "tasks_add",
        {"tasks": [{**TASK, "fields": {"Effort": float("nan")}}]},
        'bad_argument: "Effort" in tasks[0].fields must be a plain value or a list of them. Fix: e.g. {"Effort": 3}',
    ),
    "yes for a number": ("tasks_find", {"limit": True}, "bad_argument: limit must be a whole number. Fix: e.g. 10"),
    "half a number": ("history", {"limit": 2.5}, "bad_argument: limit must be a whole number. Fix: e.g. 10"),
    "a version without end": (
        "tasks_edit",
        {"changes": [{**CHANGE, "version": 10**30}]},
        "bad_argument: changes[0].version must be a whole number. Fix: e.g. 10",
    ),
    "a number without end for a text": ("undo", {"op": 10**50}, 'bad_argument: op must be text. Fix: e.g. "4711"'),
    "maybe": ("undo", {"force": "maybe"}, "bad_argument: force must be true or false. Fix: e.g. true"),
    "two": ("undo", {"force": 2}, "bad_argument: force must be true or false. Fix: e.g. true"),
    "an unknown choice": (
        "overview",
        {"show": "everything, please, and in order of my mood today"},
        'bad_argument: show cannot be "everything, please, and in order of m...". Fix: one of today, week, all',
    ),
    "a choice close by": ("tasks_find", {"sort": "priorty"}, 'bad_argument: sort cannot be "priorty". Fix: priority'),
    "priority zero": (
        "tasks_add",
        {"tasks": [{**TASK, "priority": 0}]},
        'bad_argument: tasks[0].priority cannot be "0". Fix: one of p1, p2, p3, p4',
    ),
    "two choices": ("tasks_find", {"sort": ["due", "title"]}, "bad_argument: sort must be one word. Fix: one of "),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_not_certain_is_refused_with_the_remedy(case: str) -> None:
    tool, written, answer = REFUSED[case]
    with pytest.raises(Problem) as refused:
        repair(WIRE[tool], tool, written)
    assert str(refused.value).startswith(answer) if answer.endswith(" ") else str(refused.value) == answer


@pytest.mark.parametrize(
    "key", ["user_id", "userId", "user", "token", "access_token", "space", "owner", "accountId", "tenant"]
)
@pytest.mark.parametrize("tool", sorted(WIRE.keys() - {"share"}))
def test_nobody_is_named_by_an_argument(tool: str, key: str) -> None:
    with pytest.raises(Problem) as refused:
        repair(WIRE[tool], tool, {key: "ada"})
    assert str(refused.value) == f'unknown_argument: "{key}". Fix: identity comes from the sign-in; leave it out'


@pytest.mark.parametrize("key", ["user_id", "owner"])
def test_nobody_is_named_inside_a_task(key: str) -> None:
    with pytest.raises(Problem, match="identity comes from the sign-in"):
        repair(WIRE["tasks_add"], "tasks_add", {"tasks": [{"title": "A", key: "ada"}]})


def test_only_some_of_many_readings_are_told() -> None:
    task = {"name": "A", "body": "B", "date": "fri", "label": "x", "project": "W", "rrule": "daily", "reminder": "fri"}
    [note] = repair(WIRE["tasks_add"], "tasks_add", {"tasks": [task]})[1]
    assert note.endswith("rrule as repeat and 1 more")


@pytest.mark.parametrize("word", VALUES)
def test_every_other_word_for_a_value_is_read_somewhere(word: str) -> None:
    enumerations = [
        (tool, name, inner["enum"])
        for tool, schema in WIRE.items()
        for name, inner in _all_properties(schema).items()
        if "enum" in inner
    ]
    assert [found for found in enumerations if VALUES[word] in found[2] and word not in found[2]]


@pytest.mark.parametrize("name", SYNONYMS)
def test_every_synonym_is_for_an_argument_that_exists(name: str) -> None:
    assert any(name in _all_properties(schema) for schema in WIRE.values())


def _all_properties(schema: Arguments) -> Arguments:
    found = dict(schema["properties"])
    for inner in schema["properties"].values():
        if inner.get("items", {}).get("type") == "object":
            found |= inner["items"]["properties"]
    return found


WELL_FORMED: Final = {
    "overview": {"show": "all"},
    "tasks_find": {"filter": "p1", "sort": "due", "detail": "full", "limit": 200, "cursor": "abc"},
    "tasks_add": {
        "tasks": [{"title": "A", "tags": ["x"], "fields": {"Effort": 3, "Who": ["a", "b"]}}],
        "duplicates": "skip",
    },
    "tasks_edit": {"changes": [{"refs": ["T1"], "clear": ["due"], "version": 3}], "filter": "p1", "request_id": "r"},
    "tasks_complete": {"refs": ["T1"], "done": False, "at": "yesterday"},
    "tasks_delete": {"filter": "is:done", "restore": True},
    "organize": {
        "kind": "field",
        "action": "create",
        "name": "Effort",
        "options": {"type": "choice", "choices": ["a"]},
    },
    "undo": {"op": "4711", "force": True},
    "history": {"ref": "T1", "since": "mon", "actor": "me"},
    "data_query": {"sql": "SELECT 1", "limit": 1000, "chart": "bar"},
    "data_export": {"format": "csv", "filter": "is:all", "sql": "SELECT 1"},
    "data_import": {"content": "none", "format": "todoist", "dry_run": False},
    "share": {"list": "Work", "action": "invite", "who": "ann", "role": "edit"},
}


@pytest.mark.parametrize("tool", WIRE)
def test_a_call_without_fault_is_left_alone(tool: str) -> None:
    assert repair(WIRE[tool], tool, WELL_FORMED[tool]) == (WELL_FORMED[tool], [])
