"""Random programs of writes: most calls make sense in what there is, and some do not."""

from collections.abc import Callable, Mapping, Sequence
from random import Random
from typing import Any, Final

from tests.mcp_server.model import Call, Model

LISTS: Final = ("Work", "Garden", "Trip")
SECTIONS: Final = ("Later", "Now")
TAGS: Final = ("home", "urgent", "deep", "phone")
TITLES: Final = ("Milk", "Bank", "Plan", "Letter", "Fence", "Bike", "Roof")
DUES: Final = ("2030-01-05", "2030-02-01 09:00", "2030-02-28 18:30", "2031-12-24", "2020-03-01")
DAYS: Final = ("2029-12-24", "2030-01-01", "2030-06-30")
REPEATS: Final = ("every day", "every 3 days", "every! day", "every! 10 days")
REMINDERS: Final = ("30m before", "2h before", "at due")
CLEARABLE: Final = (
    "notes", "due", "time", "start", "deadline", "repeat", "priority", "estimate", "remind", "tags", "parent", "list",
    "blocked_by", "fields", "fields.Effort",
)  # fmt: skip
ENOUGH: Final = 45  # tasks; after that there are more deletions than additions


class Program:
    """Calls, one after the other, for what a model holds."""

    def __init__(self, seed: int) -> None:
        self._random = Random(seed)

    def next(self, model: Model) -> Call:
        """The next call."""
        makers: list[Callable[[Model], Call]] = [
            *[self._add] * (6 if len(model.items) < ENOUGH else 1),
            *[self._edit] * 10,
            *[self._complete] * 4,
            *[self._delete] * 4,
            *[self._organize] * 5,
        ]
        tool, arguments = self._one(makers)(model)
        return tool, {**arguments, "dry_run": True} if self._chance(0.1) else arguments

    def _one(self, options: Sequence[Any]) -> Any:
        return self._random.choice(options)

    def _some(self, options: Sequence[str], most: int) -> list[str]:
        return self._random.sample(options, min(len(options), self._random.randint(1, most)))

    def _chance(self, share: float) -> bool:
        return self._random.random() < share

    def _ref(self, model: Model) -> str:
        """Mostly a task that is there, sometimes one of the trash, and sometimes none."""
        options = model.trash() if self._chance(0.04) else model.living()
        return self._one(options) if options and not self._chance(0.02) else "T4711"

    def _refs(self, model: Model, most: int) -> list[str]:
        return list(dict.fromkeys(self._ref(model) for _ in range(self._random.randint(1, most))))

    def _place(self) -> str:
        place = self._one((*LISTS, "Inbox"))
        return f"{place}/{self._one(SECTIONS)}" if place != "Inbox" and self._chance(0.3) else str(place)

    def _add(self, model: Model) -> Call:
        tasks: list[dict[str, Any]] = []
        for index in range(self._random.randint(1, 4)):
            task: dict[str, Any] = {"title": self._one(TITLES), **self._content(5)}
            above = [ref for ref in model.living() if model.depth(ref) > 1] or model.living()
            if index and self._chance(0.3):
                task["parent"] = f"#{self._random.randint(1, index)}"
            elif above and self._chance(0.3):
                task["parent"] = self._one(above)
            elif self._chance(0.5):
                task["list"] = self._place()
            if self._chance(0.2):
                task["subtasks"] = self._some(TITLES, 3)
            if self._chance(0.2):
                earlier = [f"#{number}" for number in range(1, index + 1)]
                task["blocked_by"] = self._some([*earlier, self._ref(model)], 2)
            tasks.append(task)
        if self._chance(0.1):
            tasks.append(self._one([{"title": "Bad", "due": "banana"}, {"title": "Bad", "list": "Nowhere"}]))
        return "tasks_add", {"tasks": tasks, "duplicates": self._one(["warn", "skip", "allow"])}

    def _content(self, most: int) -> dict[str, Any]:
        """What can be said of any task, new or not."""
        options: Mapping[str, Any] = {
            "notes": "One line\nand another",
            "due": self._one(DUES),
            "start": self._one(DAYS),
            "deadline": self._one(DAYS),
            "repeat": self._one(REPEATS),
            "priority": self._one(["p1", "p2", "p3", "p4"]),
            "estimate": self._one(["15m", "45m"]),
            "remind": self._some(REMINDERS, 2),
            "tags": self._some(TAGS, 2),
            "fields": {"Effort": self._random.randint(1, 9)},
        }
        chosen = {name: options[name] for name in self._random.sample(sorted(options), self._random.randint(0, most))}
        if "remind" in chosen and self._chance(0.9):
            chosen["due"] = options["due"]
        return chosen

    def _edit(self, model: Model) -> Call:
        if self._chance(0.12):
            text = self._one([f"tag:{self._one(TAGS)}", f"list:{self._one(LISTS)}", self._one(["p1", "p2"])])
            return "tasks_edit", {"filter": text, "changes": [self._change(model, 5)]}
        changes = [{"refs": self._refs(model, 3), **self._change(model, 2)} for _ in range(self._one([1, 1, 1, 2, 3]))]
        return "tasks_edit", {"changes": changes}

    def _change(self, model: Model, most: int) -> dict[str, Any]:
        sign = self._one(["", "", "-"])
        change = self._content(most)
        if "tags" in change:
            change["tags"] = [f"{sign}{tag}" for tag in change["tags"]]
        options: list[Mapping[str, Any]] = [
            {},
            {"append_notes": "Later"},
            {"comment": self._one(["Called", "Waiting for an answer"])},
            {"clear": self._some(CLEARABLE, 2)},
            {"list": self._place()},
            {"parent": self._ref(model)},
            {"blocked_by": [f"{sign}{self._ref(model)}"]},
            {"blocked_by": [self._ref(model)], "clear": ["blocked_by"]},
            {"position": self._one(["top", "bottom"])},
            {"position": f"after {self._ref(model)}"},
        ]
        return {**change, **self._one(options)}

    def _complete(self, model: Model) -> Call:
        repeating = [ref for ref in model.living() if model.items[ref].every]
        refs = [self._one(repeating)] if repeating and self._chance(0.4) else self._refs(model, 3)
        options: list[Mapping[str, Any]] = [
            {},
            {},
            {},
            {"done": False},
            {"done": False},
            {"cancelled": True},
            {"at": "2026-01-31"},
            {"end_series": True},
        ]
        return "tasks_complete", {"refs": refs, **self._one(options)}

    def _delete(self, model: Model) -> Call:
        trash = model.trash()
        if trash and self._chance(0.5):
            return "tasks_delete", {"refs": self._some(trash, 3), "restore": True}
        if self._chance(0.15):
            return "tasks_delete", {"filter": f"tag:{self._one(TAGS)}", "restore": self._chance(0.5)}
        return "tasks_delete", {"refs": self._refs(model, 2)}

    def _organize(self, _: Model) -> Call:
        lists, sections, tags = (self._random.sample(some, 2) for some in (LISTS, SECTIONS, TAGS))
        section = f"{lists[0]}/{sections[0]}"
        kind, action, name, to = self._one(
            [
                *[("list", "create", lists[0], ""), ("section", "create", section, "")] * 2,
                ("list", "rename", *lists),
                ("list", "delete", lists[0], ""),
                ("list", "delete", lists[0], self._place()),
                ("list", "merge", lists[0], self._place()),
                ("section", "rename", section, sections[1]),
                ("section", "move", section, lists[1]),
                ("section", "delete", section, ""),
                ("section", "delete", section, self._place()),
                ("section", "merge", section, self._place()),
                ("tag", "create", tags[0], ""),
                ("tag", "rename", *tags),
                ("tag", "merge", *tags),
                ("tag", "delete", tags[0], ""),
            ]
        )
        return "organize", {"kind": kind, "action": action, "name": name, **({"to": to} if to else {})}
