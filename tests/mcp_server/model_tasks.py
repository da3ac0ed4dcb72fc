"""What the writing tools promise to do with tasks, said a second time over a model."""

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import date, timedelta
from typing import Any, Final

from tests.mcp_server.model import INBOX, Call, Done, Item, Model, Refusal, Words, counted
from tests.mcp_server.model_names import organize

LEVELS: Final = 6
REPEAT: Final = re.compile(r"every(!?) (?:(\d+) days|day)")
BEFORE: Final = re.compile(r"(\d+)(m|h) before")


def run(model: Model, call: Call, today: date) -> Done:
    """Do a call to the model; a `Refusal` leaves it half done. New tasks are called new1, new2 and so on."""
    tool, arguments = call
    model.calls += 1
    doing: Mapping[str, Callable[..., Done]] = {
        "tasks_add": _add,
        "tasks_edit": _edit,
        "tasks_complete": _complete,
        "tasks_delete": _delete,
        "organize": organize,
    }
    given = {name: value for name, value in arguments.items() if name not in ("dry_run", "request_id")}
    return doing[tool](model, today, **given)


def _add(model: Model, today: date, tasks: Sequence[Words], duplicates: str = "warn") -> Done:
    done = Done({"added": 0})
    made: list[str] = []
    skipped: dict[int, str] = {}
    for index, words in enumerate(tasks):
        place = model.place(words["list"]) if "list" in words else INBOX
        if "parent" in words and "list" not in words:
            place = model.items[_meant(model, words["parent"], made)].place
        same = [ref for ref, item in model.items.items() if _is_same(item, words["title"], place)]
        if same and duplicates == "skip":
            made.append(same[0])
            skipped[index] = same[0]
        else:
            made.append(_new(model, done, words["title"], place))
    _make_tags(model, [words for index, words in enumerate(tasks) if index not in skipped])
    for index, words in enumerate(tasks):
        if index in skipped:
            continue
        item = model.items[made[index]]
        if (
            "list" in words
            and "parent" in words
            and model.items[_meant(model, words["parent"], made)].place != item.place
        ):
            raise Refusal("bad_argument")
        _apply(model, made[index], words, today, made)
        for title in words.get("subtasks", ()):
            if model.depth(made[index]) >= LEVELS:
                raise Refusal("too_deep")
            model.items[_new(model, done, title, item.place)].parent = made[index]
    done.counts["added"] = len(done.new)
    if skipped:
        done.counts["skipped"] = len(skipped)
    return done


def _is_same(item: Item, title: str, place: int) -> bool:
    return item.is_open and item.place == place and item.title.casefold() == title.casefold()


def _new(model: Model, done: Done, title: str, place: int) -> str:
    ref = f"new{len(done.new) + 1}"
    model.items[ref] = Item(title, place)
    done.new.append(ref)
    return ref


def _meant(model: Model, ref: str, made: Sequence[str]) -> str:
    return made[int(ref[1:]) - 1] if ref.startswith("#") else model.ref(ref)


def _edit(model: Model, today: date, changes: Sequence[Words], filter: str = "") -> Done:  # noqa: A002 (as on the wire)
    earlier = model.copy()
    done = Done({})
    named = [model.matches(filter)] if filter else [[model.ref(ref) for ref in words["refs"]] for words in changes]
    for ref in [ref for words in changes for ref in _others(words)]:
        model.ref(ref)
    _make_tags(model, changes)
    for words, refs in zip(changes, named, strict=True):
        for ref in refs:
            _apply(model, ref, words, today, ())
            if "position" in words:
                above = _above(words)
                if above and (above == ref or model.items[above].place != model.items[ref].place):
                    raise Refusal("bad_argument")
                done.placed.append((ref, words["position"]))
    everything = {ref for refs in named for ref in refs}
    changed = {
        ref
        for ref in everything
        if model.items[ref] != earlier.items[ref] or model.comments.get(ref) != earlier.comments.get(ref)
    }
    done.counts = counted("edited", len(changed), len(everything))
    return done


def _others(words: Words) -> list[str]:
    """The other tasks that a change names."""
    blockers = [ref.removeprefix("-") for ref in words.get("blocked_by", ())]
    return [ref for ref in (words.get("parent"), *blockers, _above(words)) if ref]


def _above(words: Words) -> str:
    """The task after which one is to be put."""
    return str(words.get("position", "")).removeprefix("after ") if "after" in words.get("position", "") else ""


def _complete(
    model: Model,
    today: date,
    refs: Sequence[str],
    done: bool = True,
    cancelled: bool = False,
    at: str = "",
    end_series: bool = False,
) -> Done:
    status = "cancelled" if cancelled else "done" if done else ""
    named = [model.ref(ref) for ref in refs]
    day = date.fromisoformat(at) if at else today
    earlier = model.copy()
    moving = [ref for ref in dict.fromkeys(named) if earlier.items[ref].status != status]
    for ref in moving:
        item = model.items[ref]
        if status == "":
            model.finished[ref].pop()
            item.status = ""
            continue
        if earlier.items[ref].status:
            model.finished[ref].pop()
        model.finished.setdefault(ref, []).append(status)
        if item.every and not earlier.items[ref].status and not end_series:
            _advance(item, today, day)
            for child in model.below(ref):
                if model.items[child].gone is None:
                    model.items[child].status = ""
            continue
        item.status = status
        if end_series:
            _set_repeat(item, 0)
    return Done(counted({"done": "completed", "": "reopened"}.get(status, status), len(moving), len(named)))


def _advance(item: Item, today: date, done_day: date) -> None:
    assert item.due is not None
    assert item.anchor is not None
    was = item.due
    if item.from_done:
        item.due = item.anchor = done_day + timedelta(item.every)
    else:
        item.due = item.anchor
        while item.due <= max(was, today):
            item.due += timedelta(item.every)
    item.start = item.start and item.start + (item.due - was)
    item.deadline = item.deadline and item.deadline + (item.due - was)


def _delete(model: Model, _: date, refs: Sequence[str] = (), filter: str = "", restore: bool = False) -> Done:  # noqa: A002
    chosen = model.matches(filter, trash=restore) if filter else [model.ref(ref, trash=True) for ref in refs]
    if restore:
        moved = _restored(model, [ref for ref in chosen if model.items[ref].gone is not None])
    else:
        going = [ref for ref in chosen if model.items[ref].gone is None]
        family = dict.fromkeys(one for ref in going for one in (ref, *model.below(ref)))
        moved = [ref for ref in family if model.items[ref].gone is None]
        for ref in moved:
            model.items[ref].gone = model.calls
    return Done(counted("restored" if restore else "deleted", len(moved), len({*moved, *chosen})))


def _restored(model: Model, chosen: Sequence[str]) -> list[str]:
    coming: dict[str, int | None] = {}
    for ref in chosen:
        gone = model.items[ref].gone
        coming |= {one: gone for one in (ref, *model.below(ref)) if model.items[one].gone == gone}
    back = {place.gone for place in model.places.values()} & set(coming.values())
    for ref in coming:
        above = model.places[model.items[ref].place].above if model.items[ref].place else INBOX
        for number in filter(None, (above, model.items[ref].place)):
            place = model.places[number]
            is_free = model.find(place.name, place.above) is None
            if place.gone in back and is_free and (not place.above or model.places[place.above].gone is None):
                place.gone = None
    for ref in coming:
        item = model.items[ref]
        if item.place and model.places[item.place].gone is not None:
            item.place = INBOX
        if item.parent and model.items[item.parent].gone is not None and item.parent not in coming:
            item.parent = ""
        item.gone = None
    return list(coming)


def _apply(model: Model, ref: str, words: Words, today: date, made: Sequence[str]) -> None:
    item = model.items[ref]
    for name in words.get("clear", ()):
        _clear(model, ref, name)
    item.title = words.get("title", item.title)
    item.notes = words.get("notes", item.notes)
    if more := words.get("append_notes"):
        item.notes = f"{item.notes}\n{more}" if item.notes else more
    if "comment" in words:
        model.comments.setdefault(ref, []).append(words["comment"])
    if "list" in words:
        _move(model, ref, model.place(words["list"]))
    _schedule(item, words, today)
    item.priority = words.get("priority", item.priority)
    item.estimate = int(words["estimate"].removesuffix("m")) if "estimate" in words else item.estimate
    item.effort = words["fields"]["Effort"] if "fields" in words else item.effort
    for tag in words.get("tags", ()):
        item.tags = item.tags - {model.tag(tag[1:])} if tag.startswith("-") else item.tags | {model.tag(tag)}
    if "parent" in words:
        _put_below(model, ref, _meant(model, words["parent"], made))
    for other in words.get("blocked_by", ()):
        blocker = _meant(model, other.removeprefix("-"), made)
        if other.startswith("-"):
            item.waits_for -= {blocker}
        elif ref in (blocker, *model.waits(blocker)):
            raise Refusal("cycle")
        else:
            item.waits_for |= {blocker}


def _schedule(item: Item, words: Words, today: date) -> None:
    if "due" in words:
        day, _, item.time = words["due"].partition(" ")
        item.due = _day(day)
    item.start = _day(words["start"]) if "start" in words else item.start
    item.deadline = _day(words["deadline"]) if "deadline" in words else item.deadline
    if "repeat" in words:
        found = REPEAT.fullmatch(words["repeat"])
        assert found is not None
        item.due = item.due or today
        _set_repeat(item, int(found[2] or 1), from_done=bool(found[1]))
    if "remind" in words:
        minutes = [_minutes(reminder) for reminder in words["remind"]]
        if item.due is None:
            raise Refusal("no_due")
        item.reminders = frozenset(minutes)


def _set_repeat(item: Item, every: int, *, from_done: bool = False) -> None:
    item.every, item.from_done, item.anchor = every, from_done, item.due if every else None


def _day(words: str) -> date:
    try:
        return date.fromisoformat(words)
    except ValueError:
        raise Refusal("bad_date") from None


def _minutes(words: str) -> int:
    found = BEFORE.fullmatch(words)
    return int(found[1]) * (60 if found[2] == "h" else 1) if found else 0


def _clear(model: Model, ref: str, name: str) -> None:
    item = model.items[ref]
    match name:
        case "due":
            item.due, item.time, item.reminders = None, "", frozenset()
            _set_repeat(item, 0)
        case "repeat":
            _set_repeat(item, 0)
        case "list":
            _move(model, ref, INBOX)
        case "fields" | "fields.Effort":
            item.effort = None
        case _:
            names = {"remind": "reminders", "blocked_by": "waits_for"}
            setattr(item, names.get(name, name), EMPTY[name])


EMPTY: Final[Mapping[str, Any]] = {
    "notes": "",
    "time": "",
    "start": None,
    "deadline": None,
    "priority": "p4",
    "estimate": 0,
    "remind": frozenset(),
    "tags": frozenset(),
    "parent": "",
    "blocked_by": frozenset(),
}


def _move(model: Model, ref: str, place: int) -> None:
    item = model.items[ref]
    if item.parent and model.items[item.parent].place != place:
        item.parent = ""
    for one in (ref, *model.below(ref)):
        model.items[one].place = place


def _put_below(model: Model, ref: str, parent: str) -> None:
    if parent in (ref, *model.below(ref)):
        raise Refusal("cycle")
    if model.depth(parent) + model.height(ref) > LEVELS:
        raise Refusal("too_deep")
    model.items[ref].parent = parent
    _move(model, ref, model.items[parent].place)


def _make_tags(model: Model, wishes: Sequence[Words]) -> None:
    for tag in [tag for words in wishes for tag in words.get("tags", ()) if not tag.startswith("-")]:
        if tag not in model.tags:
            model.tags[tag] = model.number()
