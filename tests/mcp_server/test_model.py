"""Any program of writes leaves exactly what a plain model of the same program holds, and leaves it sound."""

import re
from collections.abc import Mapping, Sequence
from datetime import date
from random import Random
from typing import Any, Final

import pytest

from tests.living import Living, ToolClient, text_of
from tests.mcp_server.invariants import faults
from tests.mcp_server.model import Call, Done, Item, Model, Refusal
from tests.mcp_server.model_tasks import run
from tests.mcp_server.programs import LISTS, Program

pytestmark = pytest.mark.anyio

STEPS: Final = 40
EVERYTHING: Final = {"filter": "is:all OR is:trash", "sort": "manual", "detail": "full", "limit": 50}

Task = dict[str, Any]


@pytest.mark.parametrize("seed", range(12))
async def test_a_random_program_leaves_what_a_plain_model_holds(living: Living, seed: int) -> None:
    async with living.client("ada") as ada:
        for name in LISTS[:2]:
            await ada.values("organize", kind="list", action="create", name=name)
        await ada.values("organize", kind="field", action="create", name="Effort", options={"type": "number"})
        running = Running(living, ada, seed)
        for _ in range(STEPS):
            await running.step()


class Running:
    """A program that runs in the product and in a model at once."""

    def __init__(self, living: Living, ada: ToolClient, seed: int) -> None:
        self.living = living
        self.ada = ada
        self.program = Program(seed)
        self.random = Random(seed)
        self.model = Model()
        self.rev = 3
        self.versions: dict[str, int] = {}
        self.order: dict[tuple[str, str], list[str]] = {}
        for number, name in enumerate(LISTS[:2], start=1):
            run(self.model, ("organize", {"kind": "list", "action": "create", "name": name}), date.min)
            assert self.model.place(name) == number

    async def step(self) -> None:
        """One more call, and everything that is to be seen after it."""
        call = tool, arguments = self.program.next(self.model)
        request_id = f"request {self.rev}" if self.random.random() < 0.2 else ""
        given = {**arguments, **({"request_id": request_id} if request_id else {})}
        result = await self.ada.call(tool, **given)
        assert self.living.mcp_database is not None
        placed: Sequence[tuple[str, str]] = ()
        if result.is_error:
            self.require_refused(call, text_of(result))
        else:
            values = result.structured_content
            assert values is not None
            placed = self.require_done(call, values)
            if request_id and "op" in values:
                again = await self.ada.values(tool, **given)
                assert {**again, "now": "", "replayed": False} == {**values, "now": "", "replayed": False}, call
                assert again["replayed"]
        await self.require_equal(call, placed)
        assert await faults(self.living.mcp_database, self.living.person("ada")) == [], call

    def require_refused(self, call: Call, text: str) -> None:
        """The model refuses as well, and for the same reason if there can be only one."""
        try:
            run(self.model.copy(), call, date.min)
        except Refusal as refusal:
            code = refusal.code
        else:
            raise AssertionError(f"{call}: {text}")
        if len(re.findall(r"'T\d|-T\d|after T\d|#\d|'title'|'refs'", str(call))) <= 2:
            assert text.startswith(f"{code}: "), (call, text)

    def require_done(self, call: Call, values: Mapping[str, Any]) -> Sequence[tuple[str, str]]:
        """The answer says what the model did; what was put to a place by hand is returned."""
        after = self.model.copy()
        done = run(after, call, date.fromisoformat(values["now"][:10]))
        is_dry = call[1].get("dry_run", False)
        if not done.placed:
            assert values["counts"] == done.counts, call
        if is_dry:
            assert values["dry_run"]
            assert "op" not in values, call
            assert [ref for ref in values["refs"] if ref.startswith("new")] == done.new or call[0] == "organize", call
            return ()
        calls, after.calls = after.calls, self.model.calls
        if after != self.model or not done.placed:
            assert ("op" in values) == (after != self.model), call
        after.calls = calls
        if "op" in values:
            self.rev += 1
            assert values["op"] == values["rev"] == self.rev, call
        named = dict(zip(done.new, values["refs"], strict=False))
        self._adopt(after, done, named)
        self.model = after
        return done.placed

    def _adopt(self, after: Model, done: Done, named: Mapping[str, str]) -> None:
        """Give new tasks the references they got, and what changed the version of this operation."""
        known = [int(ref[1:]) for ref in self.model.items]
        assert all(int(ref[1:]) > max(known, default=0) for ref in named.values())
        assert list(named.values()) == sorted(set(named.values()), key=lambda ref: int(ref[1:]))
        assert len(named) == len(done.new)
        for item in after.items.values():
            item.parent = named.get(item.parent, item.parent)
            item.waits_for = frozenset(named.get(ref, ref) for ref in item.waits_for)
        after.items = {named.get(ref, ref): item for ref, item in after.items.items()}
        for ref, item in after.items.items():
            if item != self.model.items.get(ref):
                self.versions[ref] = self.rev

    async def require_equal(self, call: Call, placed: Sequence[tuple[str, str]]) -> None:
        """Everything that is to be seen is what the model holds."""
        tasks = await self.everything()
        by_ref = {task["ref"]: task for task in tasks}
        assert len(by_ref) == len(tasks)
        moved = {ref for ref, _ in placed}
        for ref in moved:
            self.versions[ref] = max(self.versions[ref], by_ref[ref]["version"])
        assert {ref: comparable(task) for ref, task in by_ref.items()} == {
            ref: self.expected(ref) for ref in self.model.items
        }, call
        self.require_order(call, tasks, placed)
        await self.require_overview(call)
        done = await self.ada.values("tasks_find", filter="done:any", limit=200)
        assert {task["ref"] for task in done["tasks"]} == self.model.ever_done(), call

    async def everything(self) -> list[Task]:
        """All tasks in full, page by page, in the order that people gave them."""
        tasks: list[Task] = []
        more: dict[str, str] = {}
        while True:
            page = await self.ada.values("tasks_find", **EVERYTHING, **more)
            assert page["total"] == len(self.model.items)
            tasks += page["tasks"]
            if "cursor" not in page:
                return tasks
            more = {"cursor": page["cursor"]}

    def expected(self, ref: str) -> Task:
        """What is to be seen of a task."""
        model, item = self.model, self.model.items[ref]
        name, section = model.path(item.place)
        blockers = {other for other in item.waits_for if model.items[other].gone is None}
        return {
            "title": item.title,
            "status": "trash" if item.gone is not None else item.status,
            "list": name,
            "section": section,
            "priority": item.priority,
            "due": f"{item.due}{'T' if item.time else ''}{item.time}" if item.due else "",
            "start": str(item.start or ""),
            "deadline": str(item.deadline or ""),
            "repeat": repeat_shown(item),
            "tags": sorted(name for name, number in model.tags.items() if number in item.tags),
            "parent": item.parent,
            "blocked": item.is_open and any(not model.items[other].status for other in blockers),
            "notes": item.notes,
            "comments": model.comments.get(ref, []),
            "subtasks": {one for one, child in model.items.items() if child.parent == ref and child.gone is None},
            "blocked_by": blockers,
            "blocks": {one for one, other in model.items.items() if ref in other.waits_for and other.gone is None},
            "fields": {"Effort": str(item.effort)} if item.effort is not None else {},
            "reminders": sorted(item.reminders),
            "estimate_min": item.estimate,
            "is finished": bool(item.status),
            "version": self.versions[ref],
        }

    def require_order(self, call: Call, tasks: Sequence[Task], placed: Sequence[tuple[str, str]]) -> None:
        """Nothing changes its place among what stays in its list but what was put there, and that stands there."""
        found: dict[tuple[str, str], list[str]] = {}
        for task in tasks:
            if task.get("status") != "trash":
                found.setdefault((task.get("list", ""), task.get("section", "")), []).append(task["ref"])
        for place, refs in found.items():
            expected = [ref for ref in self.order.get(place, ()) if ref in refs]
            for ref, where in placed:
                if ref in refs:
                    expected = [one for one in expected if one != ref]
                    above = where.removeprefix("after ")
                    if where == "top":
                        expected.insert(0, ref)
                    elif where == "bottom":
                        expected.append(ref)
                    elif above in expected:  # it may have come into this list by the same call
                        expected.insert(expected.index(above) + 1, ref)
            assert [ref for ref in refs if ref in expected] == expected, (call, place)
        self.order = found

    async def require_overview(self, call: Call) -> None:
        """The counts, the names and what is due."""
        model = self.model
        seen = await self.ada.values("overview", show="all")
        today = date.fromisoformat(seen["now"][:10])
        is_open = [item for item in model.items.values() if item.is_open]
        due = {ref for ref, item in model.items.items() if item.is_open and item.due and item.due <= today}
        assert seen["counts"] == {
            "open": len(is_open),
            "overdue": sum(item.due is not None and item.due < today for item in is_open),
            "today": sum(item.due == today for item in is_open),
            "trash": len(model.trash()),
        }, call
        lists: dict[str, tuple[int, list[str]]] = {"Inbox": (sum(not item.place for item in is_open), [])}
        for number, place in model.places.items():
            if place.gone is None and not place.above:
                inside = {number, *model.sections(number)}
                sections = [model.places[section].name for section in model.sections(number)]
                lists[place.name] = (sum(item.place in inside for item in is_open), sections)
        assert {one["name"]: (one["open"], one.get("sections", [])) for one in seen["lists"]} == lists, call
        tags = {name: sum(number in item.tags for item in is_open) for name, number in model.tags.items()}
        assert {tag["name"]: tag["open"] for tag in seen.get("tags", [])} == tags, call
        shown = {task["ref"] for task in seen["tasks"]}
        assert shown <= due
        assert len(shown) == min(len(due), 20), call


def comparable(task: Task) -> Task:
    """What is to be seen of a task, with nothing left out and without what only the clock knows."""
    return {
        **{name: task.get(name, "") for name in TEXTS},
        "priority": task.get("priority", "p4"),
        "tags": sorted(task.get("tags", [])),
        "blocked": task.get("blocked", False),
        "comments": [comment["body"] for comment in task.get("comments", [])],
        "subtasks": {child["ref"] for child in task.get("subtasks", [])},
        "blocked_by": set(task.get("blocked_by", [])),
        "blocks": set(task.get("blocks", [])),
        "fields": task.get("fields", {}),
        "reminders": sorted(REMINDERS[words] for words in task.get("reminders", [])),
        "estimate_min": task.get("estimate_min", 0),
        "is finished": "done" in task,
        "version": task["version"],
    }


TEXTS: Final = ("title", "status", "list", "section", "due", "start", "deadline", "repeat", "parent", "notes")
REMINDERS: Final = {"at due": 0, "30m before": 30, "2h before": 120}


def repeat_shown(item: Item) -> str:
    """The words for how a task repeats."""
    days = "day" if item.every == 1 else f"{item.every} days"
    return f"every{'!' if item.from_done else ''} {days}" if item.every else ""
