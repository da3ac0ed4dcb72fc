"""Three states of one thing, merged value by value: as it was, as one write left it, and as it is now.

What that write changed goes back to what it was. What somebody changed after it stays as it is, and is named.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

Image = dict[str, Any]

SETS: Final = frozenset({"tags", "blocked_by", "reminders"})
MAPS: Final = frozenset({"fields", "options"})
DUE: Final = ("due_date", "due_min", "due_tz")
REPEAT: Final = ("rrule", "repeat_text", "repeat_from", "repeat_anchor")
STATUS: Final = ("status", "completed_us")
PLACE: Final = ("list_no", "parent_no")
TEXT: Final = ("title", "notes")
# Half of one of these would say something that nobody ever wrote.
WHOLE: Final = (DUE, REPEAT, STATUS)
_ABSENT: Final = object()


@dataclass(frozen=True, slots=True)
class Change:
    """What one write did to one thing: nothing before is a creation, nothing after a removal."""

    kind: str
    no: int
    before: Image | None
    after: Image | None


@dataclass(frozen=True, slots=True)
class Merged:
    """The values to write, and the fields that hold something else than the write left there."""

    values: Image = field(default_factory=dict)
    lost: tuple[str, ...] = ()


def folded(changes: Iterable[Change]) -> list[Change]:
    """One change for each thing, where a write changed some of them several times; in the order of the first."""
    found: dict[tuple[str, int], Change] = {}
    for change in changes:
        key = (change.kind, change.no)
        found[key] = _after_another(found[key], change) if key in found else change
    return [change for change in found.values() if change.before != change.after]


def _after_another(first: Change, then: Change) -> Change:
    before = None if first.before is None else {**(then.before or {}), **first.before}
    after = None if then.after is None else {**(first.after or {}), **then.after}
    if before is not None and after is not None:
        names = [name for name in after if before[name] != after[name]]
        before, after = {name: before[name] for name in names}, {name: after[name] for name in names}
    return Change(first.kind, first.no, before, after)


def taken_back(now: Image, before: Image, after: Image, *, force: bool = False) -> Merged:
    """How `now` becomes what it was before a change. `force` takes back even what was changed since."""
    merged: Image = {}
    lost: list[str] = []
    for name in after:
        if name in SETS:
            merged[name] = _elements(now[name], before[name], after[name])
        elif name in MAPS:
            merged[name], entries = _entries(now[name], before[name], after[name], force=force)
            lost += [f"{name}.{key}" for key in entries]
        else:
            merged[name], is_lost = _value(now[name], before[name], after[name], force=force)
            lost += [name] if is_lost else []
    values = {name: value for name, value in merged.items() if value != now[name]}
    if not force:
        for whole in WHOLE:
            if any(name in lost for name in whole):
                values = without(values, whole)
    return Merged(values, tuple(name for name in lost if name != "author"))


def changed_since(now: Image, created: Image, empty: Image) -> tuple[str, ...]:
    """The fields of a created thing that hold something else than at its creation."""
    return tuple(name for name in now if name != "author" and now[name] != created.get(name, empty.get(name)))


def without(values: Mapping[str, Any], names: Iterable[str]) -> Image:
    """The values but these."""
    gone = set(names)
    return {name: value for name, value in values.items() if name not in gone}


def _value(now: Any, before: Any, after: Any, *, force: bool) -> tuple[Any, bool]:
    if now == after:
        return before, False
    is_lost = now != before
    return (before if force else now), is_lost


def _elements(now: Sequence[Any], before: Sequence[Any], after: Sequence[Any]) -> list[Any]:
    """Each element is there or not, so what others added or removed never stands in the way."""
    kept = [one for one in now if one not in after or one in before]
    return kept + [one for one in before if one not in after and one not in kept]


def _entries(
    now: Mapping[str, Any], before: Mapping[str, Any], after: Mapping[str, Any], *, force: bool
) -> tuple[dict[str, Any], list[str]]:
    merged, lost = dict(now), []
    for key in [*before, *(key for key in after if key not in before)]:
        was, then, is_now = before.get(key, _ABSENT), after.get(key, _ABSENT), now.get(key, _ABSENT)
        if was == then:
            continue
        value, is_lost = _value(is_now, was, then, force=force)
        if is_lost:
            lost.append(key)
        if value is _ABSENT:
            merged.pop(key, None)
        else:
            merged[key] = value
    return merged, lost
