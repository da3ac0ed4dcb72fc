"""Tasks as a Markdown checklist: lists are headings, subtasks are indented, notes are quoted below their task.

Any checklist can be read. What a line says about its task stands at its end, `- [ ] Call mum (due fri) !p1 @home`; a
backslash in front of such a sign makes it a part of the title. What a line does not say, it does not change.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Final
from zoneinfo import ZoneInfo

from mcp_server.tasks.calendar.dates import Habits, resolve, shown
from mcp_server.tasks.task import NO_PRIORITY
from mcp_server.tasks.transfer.columns import is_repeat, minutes_of
from mcp_server.tasks.transfer.document import Document, TaskRecord
from mcp_server.tasks.transfer.intake import Cell, Intake
from mcp_server.tasks.transfer.outline import Item, read_outline
from shared.errors import Problem

_BOXES: Final = {"open": " ", "done": "x", "cancelled": "-"}
_STATUS: Final = {"x": "done", "X": "done", "-": "cancelled"}
_KEYS: Final = {
    "due": "due",
    "start": "start",
    "deadline": "deadline",
    "repeat": "repeat",
    "estimate": "estimate_min",
    "remind": "reminders",
    "done": "completed",
}
_SAID: Final = re.compile(r'(?<!\S)(?:@(?P<tag>"[^"]+"|[^\s@"]+)|!(?P<priority>p[1-4])|\((?P<aside>[^()\s][^()]*)\))$')
_NEXT: Final = re.compile(rf", (?=(?:{'|'.join(_KEYS)}|every!?|daily|weekly|monthly|yearly) ?)")
_SIGNS: Final = re.compile(rf"(?<!\S)(?:@|!(?=p[1-4])|\((?=(?:{'|'.join(_KEYS)}|every|daily|weekly|monthly|yearly)))")
_ESCAPED: Final = re.compile(r"\\([!-/:-@\[-`{-~])")
_LONGEST_LINE: Final = 2_000
# Only whether words are a date is asked here, never which.
_ANY_MOMENT: Final = datetime(2000, 1, 1, tzinfo=UTC)
_ANYWHERE: Final = Habits(ZoneInfo("UTC"))


def read(text: str) -> Document:
    """The items with a box, or all items if no item has one."""
    items = read_outline(text)
    boxed = [item for item in items if item.box is not None] or items
    if not boxed:
        raise Problem("bad_content", "there is no list in this text", "write tasks as: - [ ] Title")
    kept = {item.line for item in boxed}
    notes = _fold_into_notes(items, kept)
    intake = Intake("markdown")
    refs: dict[int, str] = {}
    records = []
    for item, place in zip(boxed, _places(boxed), strict=True):
        cells: dict[str, Cell] = {"status": _STATUS.get(item.box or "", "open"), **place}
        above = _nearest(item.above, kept)
        if above is not None and above.line in refs:
            cells["parent"] = refs[above.line]
        if item.below:
            cells["notes"] = "\n".join(item.below)
        record = intake.task(item.line, cells | _said(intake, item))
        if record is not None:
            refs[item.line] = record.ref
            records.append(record)
    return Document(
        "markdown", tuple(records), faults=intake.faults.found, left_out=intake.faults.left_out, notes=notes
    )


def write(document: Document) -> str:
    """The checklist, the tasks without a list first."""
    by_ref = {record.ref for record in document.tasks}
    below: dict[str, list[TaskRecord]] = {}
    tops: dict[str, dict[str, list[TaskRecord]]] = {"": {"": []}}
    for record in document.tasks:
        if record.parent in by_ref:
            below.setdefault(record.parent, []).append(record)
        else:
            tops.setdefault(record.list_name, {"": []}).setdefault(record.section, []).append(record)
    lines: list[str] = []
    for list_name, sections in tops.items():
        lines += _heading("##", list_name)
        for section, records in sections.items():
            lines += _heading("###", section)
            for record in records:
                lines += _lines(record, below, 0)
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).lstrip("\n") + "\n"


# Writing --------------------------------------------------------------------------------------------------------------


def _heading(signs: str, name: str) -> list[str]:
    if not name:
        return []
    text = name.replace("\\", "\\\\")
    return ["", f"{signs} {text[:-1]}\\#" if text.endswith("#") else f"{signs} {text}", ""]


def _lines(record: TaskRecord, below: dict[str, list[TaskRecord]], level: int) -> Iterator[str]:
    indent = "  " * level
    title = _SIGNS.sub(lambda match: f"\\{match[0]}", record.title.replace("\\", "\\\\"))
    tags = [f'@"{tag}"' if re.search(r"[\s@]", tag) else f"@{tag}" for tag in record.tags]
    priority = [] if record.priority == NO_PRIORITY else [f"!p{record.priority}"]
    aside = ", ".join(_aside(record))
    yield " ".join(
        [f"{indent}- [{_BOXES[record.status]}] {title}", *([f"({aside})"] if aside else []), *priority, *tags]
    )
    if record.notes:
        yield from (f"{indent}  > {line}" for line in record.notes.split("\n"))
    for subtask in below.get(record.ref, []):
        yield from _lines(subtask, below, level + 1)


def _aside(record: TaskRecord) -> Iterator[str]:
    repeat = record.repeat or record.rrule
    if record.due:
        yield f"due {record.due}"
    if repeat:
        yield repeat if is_repeat(repeat) else f"repeat {repeat}"
    if record.start:
        yield f"start {record.start}"
    if record.deadline:
        yield f"deadline {record.deadline}"
    if record.estimate_min is not None:
        yield f"estimate {record.estimate_min}m"
    yield from (f"remind {reminder}" for reminder in record.reminders)
    if record.completed:
        yield f"done {record.completed}"


# Reading --------------------------------------------------------------------------------------------------------------


def _fold_into_notes(items: Iterable[Item], kept: set[int]) -> tuple[str, ...]:
    """Items that are no tasks are notes of the task they lie under; how many lie under none is told."""
    lost = 0
    for item in items:
        if item.line in kept:
            continue
        above = _nearest(item.above, kept)
        if above is None:
            lost += 1
        else:
            above.below += [f"- {item.text}", *item.below]
    return (f"{lost} items without a box are left out",) if lost else ()


def _nearest(item: Item | None, kept: set[int]) -> Item | None:
    while item is not None and item.line not in kept:
        item = item.above
    return item


def _places(items: Sequence[Item]) -> list[dict[str, Cell]]:
    """List and section of each item. The outermost headings are lists, or the one title of it all."""
    outermost = {item.headings[0] for item in items if item.headings}
    title = next(iter(outermost)) if len(outermost) == 1 else None
    is_title = title is not None and title[0] == 1 and all(len(item.headings) > 1 for item in items if item.headings)
    return [_place(item.headings[is_title:]) for item in items]


def _place(headings: Sequence[tuple[int, str]]) -> dict[str, Cell]:
    if not headings:
        return {}
    list_name, *sections = (_ESCAPED.sub(r"\1", text) for _, text in headings)
    return {"list": list_name, "section": " - ".join(sections)}


def _said(intake: Intake, item: Item) -> dict[str, Cell]:
    """The title of a line, and what stands behind it: tags, a priority, and dates and the like in parentheses."""
    cells: dict[str, Cell] = {}
    tags: list[str] = []
    title = item.text
    while len(title) <= _LONGEST_LINE and (found := _SAID.search(title)) and title[: found.start()].strip():
        if tag := found["tag"]:
            tags.insert(0, tag.strip('"'))
        elif priority := found["priority"]:
            cells["priority"] = priority
        elif (aside := _read_aside(found["aside"])) is not None:
            cells |= aside
        else:
            if _KEYS.get(found["aside"].split()[0]) and re.search(r"\d", found["aside"]):
                intake.faults.add(item.line, f'"({shown(found["aside"])})" is not understood and stays in the title')
            break
        title = title[: found.start()].rstrip()
    if tags:
        cells["tags"] = tags
    return {**cells, "title": _ESCAPED.sub(r"\1", title)}


def _read_aside(text: str) -> dict[str, Cell] | None:
    """What the words in parentheses say, if all of them say something."""
    cells: dict[str, Cell] = {}
    reminders = []
    for part in _NEXT.split(text):
        key, _, words = part.partition(" ")
        if key == "remind" and words:
            reminders.append(words)
        elif key in _KEYS and _fits(key, words):
            cells[_KEYS[key]] = words
        elif is_repeat(part):
            cells["repeat"] = part
        else:
            return None
    return cells | ({"reminders": reminders} if reminders else {})


def _fits(key: str, words: str) -> bool:
    try:
        if key in {"due", "start", "deadline"}:
            resolve(words, _ANY_MOMENT, _ANYWHERE)
        elif key == "estimate":
            return minutes_of(words) is not None
    except Problem as problem:
        return problem.code == "ambiguous_date"  # a date, and the importing person knows which
    except ValueError:
        return False
    return bool(words)
