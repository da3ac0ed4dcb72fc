"""The past of a person's own lists in words: a row for each field that was changed, as it was and as it is now."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby, islice
from typing import Any, Final

from mcp_server.snapshot.copying.clocks import Clock
from mcp_server.snapshot.copying.reading import HISTORY_LIMIT, Rows
from mcp_server.tasks.custom import shown
from mcp_server.tasks.names import INBOX_NAME, Kind, Names
from mcp_server.tasks.organizing.settings import DEFAULT, SETTINGS
from mcp_server.tasks.sight import Sight
from mcp_server.tasks.spaces import person_of
from mcp_server.tasks.task import Status
from mcp_server.tasks.writing.images import field_word

VALUE_SHOWN: Final = 500  # characters of a long text

# One field: its name, as it was, and as it is.
Fact = tuple[str, str | None, str | None]
Image = Mapping[str, Any]

_SETTING_NAMES: Final = {setting.key: name for name, setting in SETTINGS.items()}
# Told with another field, or of use for programs only.
_UNTOLD: Final = frozenset(
    {"due_date", "due_min", "due_tz", "rrule", "repeat_from", "repeat_anchor", "completed_us", "created_us", "ext_id",
     "reminders", "fields"}
)  # fmt: skip
_SWITCHES: Final = frozenset({"archived_us", "deleted_us"})


def history_rows(rows: Rows) -> Iterator[tuple[Any, ...]]:
    """The rows of the table `history`, newest first."""
    return islice(_all_rows(rows), HISTORY_LIMIT)


def due_words(image: Image) -> str | None:
    """Day, time and zone of a due date, as much of it as is known."""
    day, minutes, zone = image.get("due_date"), image.get("due_min"), image.get("due_tz")
    time = None if minutes is None else f"{minutes // 60:02}:{minutes % 60:02}"
    return " ".join(part for part in (day, time, zone) if part) or None


def _all_rows(rows: Rows) -> Iterator[tuple[Any, ...]]:
    own = rows.sight.own
    clock = Clock(own.space.zone)
    teller = _Teller(rows.sight, own.names.including(rows.gone_names))
    changes = (_change(*row) for portion in rows.changes for row in json.loads(portion.text))
    for _, group in groupby(changes, key=lambda change: change.op):
        of_one_op = list(group)
        finished = {one.no for one in of_one_op if one.kind == "task" and "status" in (one.after or {})}
        for one in of_one_op:
            if one.kind == "completion" and one.task_no in finished:
                continue  # the task itself tells it
            head = (one.op, clock.shown(one.at_us), teller.actor(one.actor), int(one.via == "agent"))
            task = None if one.task_no is None else f"T{one.task_no}"
            for name, was, now in teller.facts(one):
                yield *head, one.client, one.tool, one.summary, task, name, _cut(was), _cut(now)


@dataclass(frozen=True, slots=True)
class _Change:
    """One change of the journal, in the order in which it was read. `about` is the task of a comment."""

    at_us: int
    actor: str
    via: str
    client: str
    tool: str
    summary: str
    kind: str
    no: int
    before: Image | None
    after: Image | None
    about: int | None
    op: int

    @property
    def task_no(self) -> int | None:
        """The task that it is about, if it is about one."""
        match self.kind:
            case "task":
                return self.no
            case "completion":
                return int((self.after or self.before or {})["task_no"])
        return self.about


def _change(*row: Any) -> _Change:
    *head, before, after, about, op, _ = row
    values = (*head, before and json.loads(before), after and json.loads(after), about, op)
    return _Change(*values)


def _cut(text: str | None) -> str | None:
    return text if text is None or len(text) <= VALUE_SHOWN else f"{text[:VALUE_SHOWN]}..."


class _Teller:
    """Puts what the journal keeps into words."""

    def __init__(self, sight: Sight, names: Names) -> None:
        self._sight = sight
        self._names = names
        self._actors: dict[str, str] = {}

    def actor(self, identity: str) -> str:
        """What the person calls who did it."""
        if identity not in self._actors:
            self._actors[identity] = self._sight.name_of(person_of(identity)) or "me"
        return self._actors[identity]

    def facts(self, change: _Change) -> Iterable[Fact]:
        """What one change did."""
        no, before, after = change.no, change.before, change.after
        match change.kind:
            case "task":
                return self._task(before, after)
            case "list":
                return self._name(no, before, after)
            case "comment":
                return [self._comment(no, before, after)]
            case "completion":
                return [("completed", _occurrence(before), _occurrence(after))]
            case "setting":
                return [_setting(key, before or {}, after or {}) for key in sorted(after or {})]
        return [("member", self._member(no, before), self._member(no, after))]

    def _task(self, before: Image | None, after: Image | None) -> Iterator[Fact]:
        if before is None or after is None:
            title = (after or before or {}).get("title")
            yield ("added", None, title) if before is None else ("removed", title, None)
            return
        if "due_date" in after or "due_min" in after or "due_tz" in after:
            yield "due", due_words(before), due_words(after)
        for name in sorted(after):
            if name not in _UNTOLD:
                yield field_word(name), self._value(name, before[name]), self._value(name, after[name])
        yield from self._fields(before.get("fields") or {}, after.get("fields") or {})

    def _fields(self, before: Image, after: Image) -> Iterator[Fact]:
        for number in sorted({*before, *after}, key=int):
            field = self._names.get(int(number))
            if field is not None and before.get(number) != after.get(number):
                was, now = (
                    shown(field, image[number]) if image.get(number) is not None else None for image in (before, after)
                )
                yield f"fields.{field.name}", was, now

    def _value(self, name: str, value: Any) -> str | None:
        match name:
            case "list_no":
                return self._names.path(value) or INBOX_NAME
            case "tags":
                return ", ".join(self._names.tags(value)) or None
            case "blocked_by":
                return ", ".join(f"T{number}" for number in value) or None
            case "status":
                return Status(value).name.lower()
            case "deleted_us" | "archived_us":
                return "no" if value is None else "yes"
            case "assignee" | "author":
                return None if value is None else self._sight.name_of(value) or "me"
            case "parent_no":
                return None if value is None else f"T{value}"
            case "position":
                return None  # says something to the next position only
        return None if value in (None, "") else str(value)

    def _name(self, no: int, before: Image | None, after: Image | None) -> Iterator[Fact]:
        named = self._names.get(no)
        kind = (after or before or {}).get("kind") or (named.kind.value if named else "name")
        if before is None or after is None:
            name = (after or before or {}).get("name")
            yield (f"{kind} added", None, name) if before is None else (f"{kind} removed", name, None)
            return
        called = (self._names.path(no) if kind in (Kind.LIST, Kind.SECTION) else named.name) if named else None
        for name in sorted(after):
            if name in _SWITCHES:  # tells by its name what has come to be so, or is so no longer
                was, now = (called if image[name] is not None else None for image in (before, after))
                yield f"{kind} {field_word(name)}", was, now
            elif name == "options":
                yield from _options(kind, before[name], after[name])
            else:
                about = "list_no" if name == "parent_no" else name  # above a section is its list
                yield f"{kind} {field_word(about)}", self._value(about, before[name]), self._value(about, after[name])

    def _comment(self, no: int, before: Image | None, after: Image | None) -> Fact:
        if before is None:
            return "comment", None, (after or {}).get("body")
        was, now = (None if (image or {}).get("deleted_us") is not None else f"C{no}" for image in (before, after))
        return "comment", was, now

    def _member(self, list_no: int, image: Image | None) -> str | None:
        if image is None:
            return None
        name = self._sight.name_of(image.get("person")) or image.get("name", "")
        invited = "" if image.get("person") else " (invited)"
        return f"{name} {image['role']} {self._names.path(list_no)}{invited}"


def _occurrence(image: Image | None) -> str | None:
    return None if image is None else image.get("due_date") or image["done_day"]


def _setting(key: str, before: Image, after: Image) -> Fact:
    name = _SETTING_NAMES.get(key, key)

    def shown_value(value: Any) -> str:
        return DEFAULT if value is None else SETTINGS[name].show(value) if name in SETTINGS else str(value)

    return name, shown_value(before.get(key)), shown_value(after.get(key))


def _options(kind: str, before: Image, after: Image) -> Iterator[Fact]:
    for key in sorted({*before, *after}):
        if before.get(key) != after.get(key):
            yield f"{kind} {key}", _option(before.get(key)), _option(after.get(key))


def _option(value: Any) -> str | None:
    if isinstance(value, Sequence) and not isinstance(value, str):
        return ", ".join(map(str, value)) or None
    return None if value is None else str(value)
