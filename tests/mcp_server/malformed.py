"""Calls as models really write them: what is wrong with each, and what must come of it.

Every call is made by somebody who has T1 "Buy milk", T2 "Call mum" (due 2030-01-05 09:00), T3 "Call bank" (p2), T4 and
T5 "Twin" (op 1) and the list Work (op 2).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

READ: Final = ""


@dataclass(frozen=True, slots=True)
class Malformed:
    """One call: `code` is the refusal it must meet, or empty if it must be read; the answer holds each of `says`."""

    tool: str
    arguments: Mapping[str, Any]
    code: str
    says: tuple[str, ...]


def read(tool: str, arguments: Mapping[str, Any], *says: str) -> Malformed:
    """A call whose meaning is certain."""
    return Malformed(tool, arguments, READ, says)


def refused(code: str, tool: str, arguments: Mapping[str, Any], *says: str) -> Malformed:
    """A call that has to be sent again, with what the answer must say for that."""
    return Malformed(tool, arguments, code, says)


def adding(**task: Any) -> dict[str, Any]:
    """Arguments that add one task."""
    return {"tasks": [{"title": "Paint", **task}]}


def editing(**change: Any) -> dict[str, Any]:
    """Arguments that change T1."""
    return {"changes": [{"refs": ["T1"], **change}]}


def organizing(kind: str, action: str, name: str = "Work", **more: Any) -> dict[str, Any]:
    """Arguments about one name."""
    return {"kind": kind, "action": action, "name": name, **more}


OVERVIEW: Final = (
    read("overview", {"show": None}, "lists: Inbox 5"),
    read("overview", {"show": "Today"}, 'note: read show "Today" as today'),
    read("overview", {"Show": "ALL"}, "Inbox 5", 'note: read show "ALL" as all, Show as show'),
    read("overview", {"show": ["week"]}, "lists: Inbox 5"),
    refused("bad_argument", "overview", {"show": "month"}, "one of today, week, all"),
    refused("bad_argument", "overview", {"show": {"period": "today"}}, "one of today, week, all"),
    refused("unknown_argument", "overview", {"date": "2026-11-20"}, "leave it out; there is show"),
    refused("unknown_argument", "overview", {"user_id": "ada"}, "identity comes from the sign-in"),
    refused("unknown_argument", "overview", {"timezone": "Europe/Berlin"}, 'name="time zone"'),
)

FIND: Final = (
    read("tasks_find", {"query": "milk"}, "1 of 1", "| Buy milk", "note: read query as filter"),
    read("tasks_find", {"search": "milk", "maxResults": "5"}, "| Buy milk", "search as filter, maxResults as limit"),
    read("tasks_find", {"filter": "p2", "pageSize": 1.0}, "T3 p2 | Call bank"),
    read(
        "tasks_find", {"filter": None, "refs": None, "sort": None, "detail": "", "limit": None, "cursor": ""}, "5 of 5"
    ),
    read("tasks_find", {"filter": "none", "refs": [], "cursor": "null"}, "5 of 5"),
    read("tasks_find", {"refs": "T1"}, "T1 | Buy milk"),
    read("tasks_find", {"ids": "1,2"}, "T1 | Buy milk", "| Call mum", "note: read ids as refs"),
    read("tasks_find", {"id": 3}, "T3 p2 | Call bank"),
    read("tasks_find", {"taskId": "#3"}, "T3 p2 | Call bank"),
    read("tasks_find", {"refs": '["t1", "T3"]'}, "T1 | Buy milk", "T3 p2 | Call bank"),
    read("tasks_find", {"refs": ["buy  MILK"]}, "T1 | Buy milk"),
    read("tasks_find", {"limit": -5}, "1 of 5", "note: read limit -5 as 1"),
    read("tasks_find", {"limit": 0}, "1 of 5", "note: read limit 0 as 1"),
    read("tasks_find", {"limit": 100_000}, "5 of 5", "note: read limit 100000 as 200"),
    read("tasks_find", {"limit": "1"}, "1 of 5"),
    read("tasks_find", {"sort": "PRIORITY"}, "priority order"),
    read("tasks_find", {"sort_by": "due"}, "due order"),
    read("tasks_find", {"filter": "due: <=2030-12-31"}, "| Call mum"),
    read("tasks_find", {"filter": ["call*"]}, "| Call mum", "| Call bank"),
    read("tasks_find", {"filter": "“buy milk”"}, "| Buy milk"),
    read("tasks_find", {"filter": "🥛"}, "0 of 0"),
    read("tasks_find", {"filter": "p1,p2"}, "| Call bank"),
    refused("bad_argument", "tasks_find", {"refs": ["T1"], "filter": "milk"}, "refs and filter exclude each other"),
    refused("bad_argument", "tasks_find", {"filter": {"list": "Work"}}, 'filter must be text. Fix: e.g. "list:Work'),
    refused("bad_argument", "tasks_find", {"filter": ["p1", "p2"]}, "filter must be text"),
    refused("bad_argument", "tasks_find", {"limit": "all"}, "limit must be a whole number"),
    refused("bad_argument", "tasks_find", {"limit": "1e3"}, "limit must be a whole number"),
    refused("bad_argument", "tasks_find", {"limit": [1, 2]}, "limit must be a whole number"),
    refused("bad_argument", "tasks_find", {"sort": "due desc"}, 'sort cannot be "due desc"'),
    refused("bad_argument", "tasks_find", {"sort": {"by": "due"}}, "one of smart, due"),
    refused("bad_argument", "tasks_find", {"detail": "verbose"}, "one of line, full"),
    refused("bad_argument", "tasks_find", {"refs": {"id": "T1"}}, 'refs must be a list of texts. Fix: e.g. ["T12"]'),
    refused("bad_argument", "tasks_find", {"refs": [["T1"]]}, "refs must be a list of texts"),
    refused("bad_cursor", "tasks_find", {"cursor": "2"}, "start again without cursor"),
    refused(
        "bad_cursor", "tasks_find", {"cursor": "fk3Vw2q9Zt0aB7dLxRm1cPq8s5uYhE4oJ6iNgQ"}, "start again without cursor"
    ),
    refused("bad_cursor", "tasks_find", {"cursor": "🥛" * 500}, "start again without cursor"),
    refused("unknown_argument", "tasks_find", {"list": "Work"}, 'filter, e.g. "list:Work"'),
    refused("unknown_argument", "tasks_find", {"tag": "home"}, 'filter, e.g. "tag:home"'),
    refused("unknown_argument", "tasks_find", {"status": "open"}, 'filter, e.g. "is:done"'),
    refused("unknown_argument", "tasks_find", {"completed": False}, 'filter, e.g. "is:done"'),
    refused("unknown_argument", "tasks_find", {"dueBefore": "2026-12-01"}, 'filter, e.g. "due:<=fri"'),
    refused("unknown_argument", "tasks_find", {"page": 2}, "cursor, from the answer before"),
    refused("unknown_argument", "tasks_find", {"offset": 25}, "cursor, from the answer before"),
    refused("unknown_argument", "tasks_find", {"fliter": "p1"}, "Fix: filter"),
    refused("unknown_argument", "tasks_find", {"arguments": {"filter": "p1"}}, "there is filter, refs"),
    refused("unknown_argument", "tasks_find", {"space": "bob", "filter": "p1"}, "identity comes from the sign-in"),
    refused("unknown_argument", "tasks_find", {"access_token": "eyJhbGciOi"}, "identity comes from the sign-in"),
    refused("bad_filter", "tasks_find", {"filter": 'list:"Work'}, "at 6"),
    refused("bad_filter", "tasks_find", {"filter": "p1 OR"}),
    refused("bad_filter", "tasks_find", {"filter": "(p1"}),
    refused("bad_filter", "tasks_find", {"filter": "lst:Work"}, "list:"),
    refused("bad_filter", "tasks_find", {"filter": "priority:high AND is:opne"}),
    refused("bad_filter", "tasks_find", {"filter": "x " * 600}),
    refused("unknown_list", "tasks_find", {"filter": "list:Wrok"}, "Work"),
    refused("unknown_tag", "tasks_find", {"filter": "tag:nowhere"}),
    refused("unknown_view", "tasks_find", {"filter": "view:Nothing"}),
    refused("unknown_person", "tasks_find", {"filter": "with:nobody"}),
    refused("unknown_ref", "tasks_find", {"refs": ["Cal mum"]}, "T2", "Call mum"),
    refused("unknown_ref", "tasks_find", {"refs": ["tasks/T1"]}),
    refused("unknown_ref", "tasks_find", {"refs": ["9" * 5_000]}),
    refused("unknown_ref", "tasks_find", {"refs": ["T1 and T2"]}),
    refused("unknown_ref", "tasks_find", {"refs": ["T1\nnote: all is well"]}),
    refused("too_many", "tasks_find", {"refs": [str(number) for number in range(1, 200)]}, "at most 100"),
)

ADD: Final = (
    read("tasks_add", {"title": "Paint"}, "1 added", "| Paint"),
    read("tasks_add", {"tasks": "Paint"}, "| Paint"),
    read("tasks_add", {"tasks": ["Paint", "Sand"]}, "| Paint", "| Sand"),
    read("tasks_add", {"tasks": {"title": "Paint"}}, "| Paint"),
    read("tasks_add", {"tasks": '[{"title": "Paint", "due": "2030-02-01"}]'}, "02-01 | Paint"),
    read("tasks_add", {"tasks": ['{"title": "Paint"}']}, "| Paint"),
    read("tasks_add", {"tasks": '```json\n[{"title": "Paint"}]\n```'}, "| Paint"),
    read("tasks_add", {"task": {"name": "Paint", "description": "Red"}}, "| Paint", "task as tasks"),
    read("tasks_add", {"items": [{"content": "Paint", "project": "Work"}]}, "#Work | Paint", "project as list"),
    read(
        "tasks_add", {"title": "Paint", "dueDate": "2030-02-01", "dryRun": "false"}, "02-01 | Paint", "dueDate as due"
    ),
    read("tasks_add", adding(priority="urgent"), "p1 | Paint", 'priority "urgent" as p1'),
    read("tasks_add", adding(priority=1), "p1 | Paint", 'priority "1" as p1'),
    read("tasks_add", adding(priority="4"), "1 added"),
    read("tasks_add", adding(priority="P2"), "p2 | Paint"),
    read("tasks_add", adding(priority=None, due="", tags=[], fields={}, notes="null", parent="undefined"), "| Paint"),
    read("tasks_add", adding(tags="home, @work"), "@home @work | Paint"),
    read("tasks_add", adding(label="home"), "@home | Paint", "label as tags"),
    read("tasks_add", adding(labels='["home"]'), "@home | Paint"),
    read("tasks_add", adding(subtasks="Buy brushes"), "| Paint"),
    read("tasks_add", adding(sub_tasks=["Buy brushes", ""]), "| Paint"),
    read("tasks_add", adding(due=["2030-02-01"]), "02-01 | Paint"),
    read("tasks_add", adding(due="By Feb 1, 2030"), "02-01 | Paint"),
    read("tasks_add", adding(due="2030-02-01T09:00:00Z"), "02-01 09:00 | Paint"),
    read("tasks_add", adding(blocked_by="T1,T2"), "blocked", "| Paint"),
    read("tasks_add", adding(parentId=1), "^T1", "| Paint"),
    read("tasks_add", adding(list="work"), "#Work | Paint"),
    read("tasks_add", {"tasks": [{"title": 2030}]}, "| 2030"),
    read("tasks_add", {"tasks": [{"title": "🎨 **Paint** | <b>now</b>"}]}, "| 🎨 **Paint** | <b>now</b>"),
    read("tasks_add", {"tasks": ["[urgent] Paint"]}, "| [urgent] Paint"),
    read("tasks_add", {**adding(), "duplicates": "Skip", "request_id": None}, "| Paint"),
    read("tasks_add", {**adding(), "idempotency_key": "k1"}, "| Paint"),
    refused("missing_argument", "tasks_add", {}, "tasks is missing"),
    refused("missing_argument", "tasks_add", {"tasks": []}, "tasks is missing"),
    refused("missing_argument", "tasks_add", {"tasks": [{"title": "A"}, {"notes": "B"}]}, "tasks[1] has no title"),
    refused("missing_argument", "tasks_add", {"tasks": [{"title": "A"}, {"title": " "}]}, "tasks[1] has no title"),
    refused("missing_argument", "tasks_add", {"due": "tomorrow"}, "has no title"),
    refused("bad_argument", "tasks_add", {"tasks": [{"title": "A"}, 7]}, "tasks must be a list of objects"),
    refused("bad_argument", "tasks_add", {"tasks": '[{"title": "A"'}, "tasks must be a list of objects"),
    refused("bad_argument", "tasks_add", {"tasks": "[" * 50_000 + '{"'}, "tasks must be a list of objects"),
    refused(
        "bad_argument", "tasks_add", {"tasks": [{"title": "A"}, {"title": ["B", "C"]}]}, "tasks[1].title must be text"
    ),
    refused("bad_argument", "tasks_add", adding(title="two\nlines")),
    refused("bad_argument", "tasks_add", adding(title="nul\0"), "cannot be stored"),
    refused("bad_argument", "tasks_add", adding(name="Sand"), '"title" and "name" both mean title'),
    refused("bad_argument", "tasks_add", adding(priority="p5"), "one of p1, p2, p3, p4"),
    refused("bad_argument", "tasks_add", adding(priority={"level": 1}), "one of p1, p2, p3, p4"),
    refused(
        "bad_argument",
        "tasks_add",
        adding(due={"date": "2030-02-01"}),
        'tasks[0].due must be text. Fix: e.g. "fri 9am"',
    ),
    refused("bad_argument", "tasks_add", adding(fields="Effort: 3"), "tasks[0].fields must be an object"),
    refused(
        "bad_argument", "tasks_add", adding(fields={"Effort": {"value": {"deep": []}}}), '"Effort" in tasks[0].fields'
    ),
    refused(
        "bad_argument", "tasks_add", adding(subtasks=[{"title": "B"}]), "tasks[0].subtasks must be a list of texts"
    ),
    refused("bad_argument", "tasks_add", {**adding(), "dry_run": "maybe"}, "dry_run must be true or false"),
    refused("bad_argument", "tasks_add", {**adding(), "duplicates": "merge"}, "one of warn, skip, allow"),
    refused("bad_argument", "tasks_add", {**adding(), "request_id": "🔑"}),
    refused("bad_date", "tasks_add", adding(due="someday"), "tasks[0]", "Today is"),
    refused("bad_date", "tasks_add", adding(due="32 dec"), "tasks[0]"),
    refused("bad_date", "tasks_add", adding(due="2026-02-30")),
    refused("bad_date", "tasks_add", adding(due=1893456000)),
    refused("bad_date", "tasks_add", adding(deadline="mañana 🌞")),
    refused("ambiguous_date", "tasks_add", adding(due="12/01/2026"), "2026-12-01", "2026-01-12"),
    refused("bad_repeat", "tasks_add", adding(repeat="whenever")),
    refused("bad_repeat", "tasks_add", adding(rrule="FREQ=HOURLY")),
    refused("bad_estimate", "tasks_add", adding(estimate=45)),
    refused("bad_reminder", "tasks_add", adding(remind=["before"])),
    refused("no_due", "tasks_add", adding(reminder="30m before"), "give due"),
    refused("unknown_list", "tasks_add", adding(list="Wrok"), '"Work"'),
    refused("unknown_section", "tasks_add", adding(list="Work/Nowhere")),
    refused("unknown_field", "tasks_add", adding(fields={"Effort": 3})),
    refused("unknown_person", "tasks_add", adding(assignee="bob@example.com")),
    refused("unknown_ref", "tasks_add", adding(parent="T999")),
    refused("unknown_ref", "tasks_add", adding(blocked_by=["#1"])),
    refused("unknown_ref", "tasks_add", adding(blocked_by=["#" + "9" * 5_000])),
    refused("too_long", "tasks_add", adding(title="x" * 501), "at most 500"),
    refused("too_long", "tasks_add", adding(notes="x" * 20_001), "at most 20,000"),
    refused("too_many", "tasks_add", {"tasks": [f"Task {number}" for number in range(101)]}, "at most 100"),
    refused("too_many", "tasks_add", adding(tags=[f"t{number}" for number in range(21)])),
    refused("bad_name", "tasks_add", adding(tags=["x" * 61])),
    refused("unknown_argument", "tasks_add", adding(dedline="fri"), "deadline"),
    refused("unknown_argument", "tasks_add", adding(section="Design"), '"Work/Design"'),
    refused("unknown_argument", "tasks_add", adding(status="done"), "tasks_complete"),
    refused("unknown_argument", "tasks_add", adding(time="9am"), 'due, e.g. "fri 9am"'),
    refused("unknown_argument", "tasks_add", adding(owner="bob"), "identity comes from the sign-in"),
    refused("unknown_argument", "tasks_add", adding(color="red")),
    refused("unknown_argument", "tasks_add", {"tasks": ["A", "B"], "list": "Work"}, "put it into each of tasks"),
    refused("unknown_argument", "tasks_add", {**adding(), "user_id": "bob"}, "identity comes from the sign-in"),
)

EDIT: Final = (
    read("tasks_edit", {"refs": ["T1"], "due": "2030-02-01"}, "1 edited", "T1: due none -> ", "| Buy milk"),
    read("tasks_edit", {"id": "T1", "name": "Buy oat milk"}, "Buy oat milk", "id as refs, name as title"),
    read("tasks_edit", {"refs": "T1", "changes": {"priority": "high"}}, "p4 -> p2", 'priority "high" as p2'),
    read("tasks_edit", {"changes": {"refs": "T1,T3", "tags": "home, @phone"}}, "+@home; +@phone", "| Call bank"),
    read("tasks_edit", {"changes": '[{"refs": ["T1"], "list": "Work"}]'}, "list Inbox -> Work"),
    read("tasks_edit", {"updates": [{"task_id": 1, "project": "Work"}]}, "list Inbox -> Work"),
    read("tasks_edit", {"query": "milk", "priority": "1"}, "p4 -> p1", "query as filter"),
    read("tasks_edit", {"filter": "call*", "changes": [{"tags": ["phone"]}]}, "2 edited", "+@phone"),
    read("tasks_edit", editing(due=None), "nothing to change", 'clear=["due"]'),
    read("tasks_edit", editing(due="", title="Buy oat milk"), "Buy oat milk"),
    read("tasks_edit", {"changes": [{"refs": ["T2"], "clear": "due, repeat"}]}, "-> none"),
    read("tasks_edit", editing(comment=42), "commented"),
    read("tasks_edit", editing(appendNotes="oat"), "notes"),
    read("tasks_edit", editing(version="null", title="Buy oat milk"), "Buy oat milk"),
    refused("missing_argument", "tasks_edit", {"filter": "milk"}, "changes is missing"),
    refused("missing_argument", "tasks_edit", {"changes": [{"title": "X"}]}, "changes[0] names no task"),
    refused("missing_argument", "tasks_edit", {"changes": [{}]}, "changes[0] names no task"),
    refused("bad_argument", "tasks_edit", {"filter": "milk", **editing(title="X")}, "refs or filter, not both"),
    refused("bad_argument", "tasks_edit", {"changes": ["T1 done"]}, "changes must be a list of objects"),
    refused("bad_argument", "tasks_edit", editing(version="latest"), "changes[0].version must be a whole number"),
    refused("bad_argument", "tasks_edit", editing(version=10**30), "changes[0].version must be a whole number"),
    refused("bad_argument", "tasks_edit", editing(position="first")),
    refused("bad_argument", "tasks_edit", editing(clear=["everything"])),
    refused("bad_argument", "tasks_edit", editing(fields={"Effort": None}), 'clear=["fields.Effort"]'),
    refused("bad_argument", "tasks_edit", {"due": "fri", **editing(due="mon")}, "give one of them"),
    refused("conflict", "tasks_edit", editing(version=999, title="X"), "T1"),
    refused(
        "bad_date",
        "tasks_edit",
        {"changes": [{"refs": ["T1"], "due": "fri"}, {"refs": ["T2"], "due": "banana"}]},
        "changes[1]",
    ),
    refused("unknown_ref", "tasks_edit", {"changes": [{"refs": ["T1"], "title": "X"}, {"refs": ["T99"]}]}),
    refused("unknown_list", "tasks_edit", editing(list="Nowhere")),
    refused("cycle", "tasks_edit", editing(blocked_by=["T1"])),
    refused("unknown_argument", "tasks_edit", editing(status="completed"), "tasks_complete closes and reopens"),
    refused("unknown_argument", "tasks_edit", editing(add_tags=["x"]), 'tags, e.g. ["home", "-work"]'),
    refused("unknown_argument", "tasks_edit", editing(subtasks=["x"]), "tasks_add with parent"),
    refused("unknown_argument", "tasks_edit", editing(descripton="x"), "Fix: notes"),
    refused(
        "unknown_argument",
        "tasks_edit",
        {"refs": ["T1"], "changes": [{"due": "fri"}, {"due": "mon"}]},
        "each of changes",
    ),
)

COMPLETE: Final = (
    read("tasks_complete", {"id": 1}, "1 completed", "T1 done"),
    read("tasks_complete", {"taskIds": "T1, T3"}, "2 completed"),
    read("tasks_complete", {"tasks": ["T1"]}, "1 completed", "tasks as refs"),
    read("tasks_complete", {"refs": ["Buy milk"], "done": "yes"}, "T1 done"),
    read("tasks_complete", {"refs": ["T1"], "cancelled": 1}, "1 cancelled"),
    read("tasks_complete", {"refs": ["T1"], "at": "yesterday", "endSeries": None}, "T1 done"),
    refused("missing_argument", "tasks_complete", {}, "refs is missing"),
    refused("missing_argument", "tasks_complete", {"refs": None}, 'e.g. refs=["T12"]'),
    refused("bad_argument", "tasks_complete", {"refs": [{"ref": "T1"}]}, "refs must be a list of texts"),
    refused("bad_argument", "tasks_complete", {"refs": ["T1"], "done": "finished"}, "done must be true or false"),
    refused("bad_argument", "tasks_complete", {"refs": ["T1"], "done": False, "cancelled": True}),
    refused("bad_date", "tasks_complete", {"refs": ["T1"], "at": "soon"}),
    refused("ambiguous_ref", "tasks_complete", {"refs": ["T1", "Twin"]}, "use the id"),
    refused("unknown_ref", "tasks_complete", {"refs": ["T1", "all"]}),
    refused("unknown_ref", "tasks_complete", {"refs": "Buy milk, eggs"}),
    refused("unknown_argument", "tasks_complete", {"refs": ["T1"], "status": "done"}, "done, cancelled"),
    refused("unknown_argument", "tasks_complete", {"filter": "milk"}, "refs, found by tasks_find"),
)

DELETE: Final = (
    read("tasks_delete", {"ids": ["T1"]}, "1 deleted"),
    read("tasks_delete", {"refs": "T1", "filter": ""}, "1 deleted"),
    read("tasks_delete", {"search": "milk", "dry-run": "true"}, "dry run, nothing written"),
    refused("bad_argument", "tasks_delete", {}, "give refs or filter"),
    refused("bad_argument", "tasks_delete", {"refs": ["T1"], "filter": "milk"}, "give refs or filter"),
    refused("bad_argument", "tasks_delete", {"filter": "none"}, "give refs or filter"),
    refused("bad_argument", "tasks_delete", {"refs": ["T1"], "restore": "perhaps"}, "restore must be true or false"),
    refused("unknown_ref", "tasks_delete", {"refs": ["T1", "T77"]}),
    refused("unknown_argument", "tasks_delete", {"refs": ["T1"], "permanent": True}),
    refused("unknown_argument", "tasks_delete", {"tag": "home"}, 'filter, e.g. "tag:home"'),
    refused("bad_filter", "tasks_delete", {"filter": "-(p1"}),
)

ORGANIZE: Final = (
    read("organize", {"kind": "project", "action": "add", "title": "Home"}, "| Home", 'kind "project" as list'),
    read("organize", {"kind": "List", "action": "CREATE", "name": "Home"}, "| Home"),
    read("organize", organizing("list", "rename", new_name="Office"), "| Office", "new_name as to"),
    read("organize", organizing("list", "set", options='{"color": "red"}'), "color"),
    read("organize", organizing("setting", "set", "time zone", value="Europe/Berlin"), "Europe/Berlin"),
    read("organize", organizing("view", "create", "Mine", query="p1"), "| Mine"),
    refused("missing_argument", "organize", {"action": "create", "name": "Home"}, 'kind="list"'),
    refused("missing_argument", "organize", {"kind": "list", "name": "Home"}, "action is missing"),
    refused("missing_argument", "organize", {"kind": "list", "action": "create", "name": ""}, "name is missing"),
    refused("missing_argument", "organize", organizing("list", "rename")),
    refused("bad_argument", "organize", organizing("lists", "create"), 'kind cannot be "lists". Fix: list'),
    refused("bad_argument", "organize", organizing("folder", "create"), "one of list, section"),
    refused("bad_argument", "organize", organizing("list", "update"), "action cannot be"),
    refused("bad_argument", "organize", organizing("setting", "set", "time zone", to="Mars/Phobos")),
    refused("bad_argument", "organize", organizing("list", "set", options={"color": "warm"})),
    refused("bad_argument", "organize", organizing("list", "set", options=["red"]), "options must be an object"),
    refused("bad_argument", "organize", organizing("tag", "archive", "home")),
    refused("bad_name", "organize", organizing("list", "create", 'My "List"')),
    refused("bad_name", "organize", organizing("list", "create", "x" * 61)),
    refused("unknown_list", "organize", organizing("list", "delete", "Wrok"), "Work"),
    refused("unknown_list", "organize", organizing("list", "delete", "L4711")),
    refused("bad_filter", "organize", organizing("view", "create", "Mine", filter="p1 OR")),
    refused("unknown_argument", "organize", organizing("list", "set", color="red"), "options"),
    refused("unknown_argument", "organize", organizing("field", "create", "Effort", type="number"), "options"),
    refused("unknown_argument", "organize", organizing("list", "create", "Home", owner="bob"), "identity comes from"),
)

UNDO: Final = (
    read("undo", {"op": None, "force": "no"}, "op 3"),
    read("undo", {"op": 2}, "op 3"),
    read("undo", {"operation": "op 2"}, "op 3", "operation as op"),
    read("undo", {"dryRun": "TRUE"}, "dry run, nothing written"),
    refused("unknown_op", "undo", {"op": 999}),
    refused("unknown_op", "undo", {"op": "the last one"}, "history lists them"),
    refused("bad_argument", "undo", {"op": ["1", "2"]}, "op must be text"),
    refused("bad_argument", "undo", {"op": True}, "op must be text"),
    refused("unknown_op", "undo", {"op": "9" * 5_000}),
    refused("unknown_argument", "undo", {"steps": 2}, "there is op, force"),
    refused("unknown_argument", "undo", {"refs": ["T1"]}),
)

HISTORY: Final = (
    read("history", {"id": "T1"}, "op 1", "id as ref"),
    read("history", {"limit": "500", "actor": "ME"}, "op 2", "note: read limit 500 as 200"),
    read("history", {"since": "yesterday", "until": None}, "op 1"),
    refused("unknown_ref", "history", {"ref": "T77"}),
    refused("bad_date", "history", {"since": "the beginning"}),
    refused("bad_cursor", "history", {"cursor": "next"}),
    refused("bad_argument", "history", {"ref": ["T1", "T2"]}, "ref must be text"),
    refused("unknown_person", "history", {"actor": "nobody"}),
    refused("unknown_argument", "history", {"user": "bob"}, "identity comes from the sign-in"),
    refused("unknown_argument", "history", {"days": 7}, "since, until"),
)

TRANSFER: Final = (
    read("data_query", {"query": "SELECT title FROM tasks"}, "Buy milk"),
    read("data_query", {"SQL": "SELECT title FROM tasks;", "limit": "5"}, "Buy milk"),
    read("data_query", {"sql": "SELECT title FROM tasks", "chart": "NONE", "limit": None}, "Buy milk"),
    read("data_query", {"statement": "```sql\nSELECT title FROM tasks\n```"}, "Buy milk"),
    read("data_query", {"sql": ""}, "Examples:"),
    read("data_query", {}, "Examples:"),
    read("data_query", {"sql": "SELECT 1", "limit": 99999}, "limit"),
    refused("bad_argument", "data_query", {"sql": "SELECT 1", "chart": "donut"}, "one of none, bar, line, pie"),
    refused("bad_argument", "data_query", {"sql": ["SELECT 1", "SELECT 2"]}),
    refused("unknown_argument", "data_query", {"sql": "SELECT 1", "user_id": 7}, "identity comes from the sign-in"),
    refused("unknown_argument", "data_query", {"sql": "SELECT ?", "params": [1]}),
    refused("sql", "data_query", {"sql": "SELECT * FROM tasks WHERE done = TRUE AND nme = 'x'"}, "title"),
    refused("sql", "data_query", {"sql": "UPDATE tasks SET title = 'x'"}, "tasks_edit"),
    read("data_export", {"format": "CSV"}, "Buy milk"),
    read("data_export", {"format": "md", "query": "milk"}, "Buy milk", 'format "md" as markdown'),
    read("data_export", {"format": "iCalendar"}, "VTODO"),
    read("data_export", {"format": "", "filter": None}, "Buy milk"),
    refused("bad_argument", "data_export", {"format": "xlsx"}, "one of json, csv, ics, markdown"),
    refused("bad_filter", "data_export", {"filter": "lst:Work"}, "list:"),
    refused("unknown_argument", "data_export", {"list": "Work"}, 'filter, e.g. "list:Work"'),
    refused("unknown_argument", "data_export", {"path": "/tmp/tasks.csv"}),
    read("data_import", {"text": "- [ ] Paint", "format": "md"}, "dry run", "text as content"),
    read("data_import", {"data": "title\nPaint", "dryRun": "no"}, "Paint"),
    read("data_import", {"content": "- [ ] Paint", "format": "AUTO", "list": None}, "Paint"),
    refused("missing_argument", "data_import", {}, "content is missing"),
    refused("bad_argument", "data_import", {"content": {"tasks": []}}, "content must be text"),
    refused("bad_argument", "data_import", {"content": "x", "format": "excel"}, "one of auto, json"),
    refused("bad_content", "data_import", {"content": "{not json", "format": "json"}),
    refused("too_big", "data_import", {"content": "- [ ] Paint\n" * 80_000, "dry_run": False}),
    refused("unknown_argument", "data_import", {"content": "- [ ] Paint", "url": "x"}),
)

SHARE: Final = (
    read("share", {"list": "Work", "action": "Show"}, "0 shared"),
    read("share", {"project": "Work", "action": None}, "0 shared", "project as list"),
    read(
        "share",
        {"list": "Work", "action": "invite", "person": "bob", "role": "Edit"},
        "bob invited to edit",
        "person as who",
    ),
    refused("missing_argument", "share", {"list": "Work", "action": "invite"}, "who"),
    refused("bad_argument", "share", {"list": "Work", "action": "add", "who": "bob"}, "one of show, invite"),
    refused(
        "bad_argument",
        "share",
        {"list": "Work", "action": "invite", "who": "bob", "role": "admin"},
        "one of view, edit",
    ),
    refused("unknown_list", "share", {"list": "Nowhere", "action": "invite", "who": "bob"}),
    refused("bad_code", "share", {"action": "accept", "code": "12345"}),
    refused(
        "unknown_argument",
        "share",
        {"list": "Work", "action": "invite", "user_id": "bob"},
        "your own name for the other person",
    ),
    refused("unknown_argument", "share", {"list": "Work", "email": "bob@example.com"}),
)

CALLS: Final = (
    *OVERVIEW, *FIND, *ADD, *EDIT, *COMPLETE, *DELETE, *ORGANIZE, *UNDO, *HISTORY, *TRANSFER, *SHARE,
)  # fmt: skip
