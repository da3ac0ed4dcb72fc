"""What an operation did to each thing, in words, as the journal keeps it; for the history and for an undo."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from mcp_server.tasks.names import Names
from mcp_server.tasks.organizing.settings import SETTINGS
from mcp_server.tasks.past.history import Entry
from mcp_server.tasks.past.merging import Change, Image, without
from mcp_server.tasks.sight import Area
from mcp_server.tasks.task import Task
from mcp_server.tasks.writing.images import with_content
from mcp_server.tools.receipts import changed_values, changed_words
from mcp_server.tools.render import Reading, in_quotes

TEXT_SHOWN: Final = 60
VALUE_SHOWN: Final = 500
_TIME: Final = ("due_min", "due_tz")


@dataclass(frozen=True, slots=True)
class Told:
    """One change: what it was about, in words, and for programs."""

    ref: str
    words: str
    before: Mapping[str, Any] | None = None
    after: Mapping[str, Any] | None = None

    @property
    def values(self) -> dict[str, Any]:
        """The change for programs; a creation has no `before`, a removal no `after`."""
        sides = {"before": self.before, "after": self.after}
        return {"ref": self.ref, **{name: _cut(side) for name, side in sides.items() if side is not None}}


@dataclass(frozen=True, slots=True)
class Teller:
    """Puts the changes of one space into words for somebody who sees it."""

    area: Area
    reading: Reading
    task_of: Mapping[int, int] = field(default_factory=dict)

    def entry(self, entry: Entry) -> list[Told]:
        """What one operation did. A completion is told where the task itself does not say it."""
        finished = {change.no for change in entry.changes if change.kind == "task" and "status" in (change.after or {})}
        return [
            self.told(change)
            for change in entry.changes
            if change.kind != "completion" or (change.after or change.before or {})["task_no"] not in finished
        ]

    def told(self, change: Change) -> Told:
        """One change."""
        telling: Mapping[str, Callable[[Change], Told]] = {
            "task": self._task,
            "list": self._name,
            "comment": self._comment,
            "completion": self._completion,
            "setting": self._setting,
            "member": self._member,
        }
        return telling[change.kind](change)

    def _task(self, change: Change) -> Told:
        ref = self.area.label(f"T{change.no}")
        blank = Task(self.area.space.id, change.no, "")
        now = with_content(blank, _with_date(change.after))
        if change.before is None:
            values = changed_values(blank, now, self.reading)[1]
            return Told(ref, f"{ref} added {in_quotes(now.title)}", None, without(values, ["status"]))
        was = with_content(blank, _with_date(change.before))
        words = [*changed_words(was, now, self.reading), *_time_words(change)]
        before, after = changed_values(was, now, self.reading)
        return Told(ref, f"{ref} {', '.join(words) or 'changed'}", before, after)

    def _name(self, change: Change) -> Told:
        ref, after = self.area.label(f"L{change.no}"), change.after or {}
        named = self.area.names.get(change.no)
        kind = after.get("kind", named.kind.value if named else "name")
        shown = (
            f'{kind} "{after["name"]}"' if "name" in after else f'{kind} "{named.name}"' if named else f"{kind} {ref}"
        )
        if change.before is None:
            return Told(ref, f"{shown} added", None, {"kind": kind, "name": after["name"]})
        facts = _name_facts(change, self.area.names)
        before_values, after_values = {name: old for name, old, _ in facts}, {name: new for name, _, new in facts}
        return Told(ref, f"{shown} {', '.join(_fact_words(*fact) for fact in facts)}", before_values, after_values)

    def _comment(self, change: Change) -> Told:
        ref = self.area.label(f"C{change.no}")
        task_no = (change.after or {}).get("task_no", self.task_of.get(change.no))
        about = f"{self.area.label(f'T{task_no}')} " if task_no else ""
        after = change.after or {}
        if change.before is None:
            said = {"task": about.strip(), "body": after["body"]}
            return Told(ref, f"{about}comment {_quoted(after['body'])}", None, said)
        gone = after.get("deleted_us") is not None
        words = f"{about}comment {ref} {'taken back' if gone else 'is there again'}"
        return Told(ref, words, {"deleted": not gone}, {"deleted": gone})

    def _completion(self, change: Change) -> Told:
        image = change.after or change.before or {}
        ref = self.area.label(f"T{image['task_no']}")
        due = image.get("due_date") or image["done_day"]
        fact = {"completed": due}
        if change.after is not None:
            return Told(ref, f"{ref} completed for {due}", None, fact)
        return Told(ref, f"{ref} no longer completed for {due}", fact, None)

    def _setting(self, change: Change) -> Told:
        before, after = (_settings(image) for image in (change.before, change.after))
        words = [f"{name} {before.get(name, 'default')} -> {value}" for name, value in after.items()]
        return Told("settings", ", ".join(words), before, after)

    def _member(self, change: Change) -> Told:
        image = change.after or change.before or {}
        name = self.reading.sight.name_of(image.get("person")) or image.get("name", "")
        path = self.area.names.path(change.no)
        before = change.before and {"who": name, "role": change.before["role"]}
        after = change.after and {"who": name, "role": change.after["role"]}
        return Told(self.area.label(f"L{change.no}"), f'list "{path}": {_member_words(change, name)}', before, after)


def _name_facts(change: Change, names: Names) -> list[tuple[str, Any, Any]]:
    """What changed on a list, tag or other name: the fact, as it was and as it is."""
    facts: list[tuple[str, Any, Any]] = []
    before, after = change.before or {}, change.after or {}
    for name in after:
        old, new = before[name], after[name]
        match name:
            case "parent_no":
                facts.append(("list", names.path(old), names.path(new)))
            case "archived_us" | "deleted_us":
                facts.append((name.removesuffix("_us"), old is not None, new is not None))
            case "options":
                keys = [key for key in {**old, **new} if old.get(key) != new.get(key)]
                facts += [(key, old.get(key), new.get(key)) for key in keys]
            case "position":
                facts.append(("moved", False, True))
            case _:
                facts.append((name, old, new))
    return facts


def _fact_words(name: str, old: Any, new: Any) -> str:
    if isinstance(new, bool):
        return name if new else "restored" if name == "deleted" else f"not {name} any more"
    return f"{name} {_shown(old)} -> {_shown(new)}"


def _with_date(image: Image | None) -> Image:
    """The image without a time whose date did not change: alone it is told as a time."""
    return without(image or {}, _TIME) if "due_date" not in (image or {}) else dict(image or {})


def _time_words(change: Change) -> list[str]:
    before, after = change.before or {}, change.after or {}
    if "due_date" in after:
        return []
    words = []
    if "due_min" in after:
        words.append(f"time {_clock(before['due_min'])} -> {_clock(after['due_min'])}")
    if "due_tz" in after:
        words.append(f"zone {before['due_tz'] or 'none'} -> {after['due_tz'] or 'none'}")
    return words


def _clock(minutes: int | None) -> str:
    return "all day" if minutes is None else f"{minutes // 60:02}:{minutes % 60:02}"


def _settings(image: Image | None) -> dict[str, str]:
    shown = {setting.key: (name, setting.show) for name, setting in SETTINGS.items()}
    return {
        shown[key][0]: shown[key][1](value) if value is not None else "default"
        for key, value in (image or {}).items()
        if key in shown
    }


def _member_words(change: Change, name: str) -> str:
    before, after = change.before, change.after
    if after is None:
        return f"{name} {'may not see it any more' if before and before.get('person') else 'is not invited any more'}"
    if after.get("person") is None:
        return f"{name} invited to {after['role']}"
    if before is None or before.get("person") is None:
        return f"{name} joined to {after['role']}"
    return f"{name} {before['role']} -> {after['role']}"


def _shown(value: Any) -> str:
    if value is None or value == "" or value == []:
        return "none"
    return _quoted(", ".join(map(str, value)) if isinstance(value, list) else str(value))


def _quoted(text: str) -> str:
    plain = " ".join(text.split())
    return in_quotes(plain if len(plain) <= TEXT_SHOWN else f"{plain[:TEXT_SHOWN]}...")


def _cut(values: Mapping[str, Any]) -> dict[str, Any]:
    """The values, long texts shortened: the whole text is no news of the past."""
    return {
        name: f"{value[:VALUE_SHOWN]}...[{len(value)}]"
        if isinstance(value, str) and len(value) > VALUE_SHOWN
        else value
        for name, value in values.items()
    }
