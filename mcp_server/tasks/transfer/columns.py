"""What programs call the columns of a task, and what the texts in them mean."""

import re
from collections.abc import Mapping, Sequence
from typing import Final

from mcp_server.tasks.schedule import estimate_minutes
from mcp_server.tasks.task import NO_PRIORITY
from mcp_server.tasks.transfer.document import StatusWord
from shared.errors import Problem

OWN_FIELD: Final = "field:"

# Each of our columns, and how other programs write it; `column_of` also finds a column by its own name.
_SYNONYMS: Final = {
    "ref": "",
    "title": "task,task name,task title,name,content,summary,subject,todo,to do,item",
    "notes": "note,description,details,body",
    "list": "project,list name,project name,projects,board",
    "section": "section name,section/column,column name,bucket,bucket name",
    "status": "state,progress,done,is completed,is done",
    "priority": "prio,importance",
    "due": "due date,due on,due at,date due,date",
    "time": "due time",
    "tz": "timezone,time zone",
    "start": "start date,start on,defer date",
    "deadline": "hard deadline",
    "repeat": "recurrence,recurring,repeats",
    "rrule": "",
    "anchor": "",
    "estimate min": "estimate,duration,time estimate",
    "reminders": "reminder,remind",
    "parent": "parent task,parent id,parentid",
    "blocked by": "blocked by (dependencies),dependencies,depends on",
    "tags": "tag,labels,label,categories,category,contexts,context,keywords",
    "assignee": "assigned to,responsible",
    "created": "created at,created time,created date,created on,date created,creation date",
    "completed": "completed at,completed time,completed on,completion date,date completed,done date",
    "source": "",
    "source id": "id,task id,taskid,uid,gid,key",
}
_COLUMNS: Final = {
    name: column.replace(" ", "_")
    for column, names in _SYNONYMS.items()
    for name in (column, *filter(None, names.split(",")))
}
_STATUS: Final[Mapping[str, StatusWord]] = {
    **dict.fromkeys(
        (
            *("", "open", "needs action", "to do", "todo", "not started", "new", "backlog", "active", "pending"),
            *("in progress", "in process", "started", "doing", "incomplete", "false", "no", "0"),
        ),
        "open",
    ),
    **dict.fromkeys(
        ("done", "complete", "completed", "closed", "finished", "resolved", "true", "yes", "x", "✓", "✔", "1", "100%"),
        "done",
    ),
    **dict.fromkeys(("cancelled", "canceled", "won't do", "abandoned", "dropped"), "cancelled"),
}
_PRIORITIES: Final = {
    **dict.fromkeys(("p1", "1", "urgent", "critical", "highest"), 1),
    **dict.fromkeys(("p2", "2", "high"), 2),
    **dict.fromkeys(("p3", "3", "medium"), 3),
    **dict.fromkeys(("", "p4", "4", "low", "lowest", "normal", "none"), NO_PRIORITY),
}
_REPEATS: Final = re.compile(r"(?:every\b|daily|weekly|monthly|yearly)", re.IGNORECASE)
_LOCAL: Final = re.compile(r"(\d{4}-\d\d-\d\d)[Tt](\d\d:\d\d)(?::\d\d(?:\.\d{1,9})?)?", re.ASCII)


def column_of(header: str) -> str:
    """The column a header means; `field:Name` is a custom field; empty if it means nothing we know."""
    header = header.strip()
    if header.startswith(OWN_FIELD) and len(header) > len(OWN_FIELD):
        return header
    return _COLUMNS.get(" ".join(re.split(r"[\s_-]+", header.casefold())), "")


def columns_of(headers: Sequence[str]) -> list[str]:
    """The column of each header. Of several with one meaning that with our own name counts, else the first; only tags
    may have several."""
    found = [column_of(header) for header in headers]
    if found.count("title") > 1 and "notes" not in found:
        # Who has titles as well calls the notes so.
        found = [
            "notes" if header.strip().casefold() == "content" else c for header, c in zip(headers, found, strict=True)
        ]
    counting: dict[str, int] = {}
    for index, (header, column) in enumerate(zip(headers, found, strict=True)):
        if column not in counting or header.strip().casefold() == column:
            counting[column] = index
    return [column if column == "tags" or counting[column] == index else "" for index, column in enumerate(found)]


def status_of(text: str) -> StatusWord:
    """The status a text means; raises ValueError if none."""
    word = " ".join(re.split(r"[\s_-]+", text.strip().casefold())).replace("’", "'")
    if word not in _STATUS:
        raise ValueError(text)
    return _STATUS[word]


def priority_of(text: str) -> int:
    """The priority from 1, the highest, to 4; raises ValueError if the text means none."""
    word = text.strip().casefold()
    if word not in _PRIORITIES:
        raise ValueError(text)
    return _PRIORITIES[word]


def minutes_of(text: str) -> int | None:
    """The minutes of a duration: `90`, `45m`, `1h30m`; nothing for an empty text, ValueError for any other."""
    plain = text.strip()
    if not plain or re.fullmatch(r"\d{1,6}", plain, re.ASCII):
        return int(plain) if plain else None
    try:
        return estimate_minutes(plain)
    except Problem as problem:
        raise ValueError(text) from problem


def several(cell: str | Sequence[str]) -> tuple[str, ...]:
    """The texts of a cell that holds several, each once; a text without commas is parted at semicolons."""
    parts = re.split(r"[,\n]" if "," in cell else r"[;\n]", cell) if isinstance(cell, str) else cell
    return tuple(dict.fromkeys(filter(None, (part.strip() for part in parts))))


def canonical_due(day: str, time: str, zone: str) -> str:
    """A due date in one text, ISO 8601 with a space in the middle."""
    local = _LOCAL.fullmatch(day)
    return " ".join(filter(None, [f"{local[1]} {local[2]}" if local else day, time, zone]))


def is_repeat(words: str) -> bool:
    """Whether words that stand for a date say how often instead."""
    return _REPEATS.match(words) is not None
