"""Tasks as iCalendar to-dos (RFC 5545), for calendars and for other programs of tasks.

What that standard has no word for stands in properties of ours, `X-TASKGATE-...`, which others leave alone.
"""

import re
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from mcp_server.tasks.calendar.dates import shown, zone_named
from mcp_server.tasks.transfer.contentlines import Component, Property, escaped, folded, read_components
from mcp_server.tasks.transfer.document import Document, TaskRecord, due_parts
from mcp_server.tasks.transfer.intake import Cell, Intake
from shared.errors import Problem

OWN: Final = "X-TASKGATE-"
_OWN_TEXTS: Final = {
    "LIST": "list",
    "SECTION": "section",
    "START": "start",
    "DEADLINE": "deadline",
    "REPEAT": "repeat",
    "ANCHOR": "anchor",
    "ESTIMATE": "estimate_min",
    "ASSIGNEE": "assignee",
    "SOURCE": "source",
}
_TEXTS: Final = {"SUMMARY": "title", "DESCRIPTION": "notes", "STATUS": "status", "RRULE": "rrule", "UID": "source_id"}
_INSTANTS: Final = {"COMPLETED": "completed", "CREATED": "created"}
_STATUS: Final = {"open": "NEEDS-ACTION", "done": "COMPLETED", "cancelled": "CANCELLED"}
_PRIORITY: Final = {1: 1, 2: 4, 3: 7, 4: 0}
_BOOKKEEPING: Final = frozenset({"DTSTAMP", "LAST-MODIFIED", "SEQUENCE", f"{OWN}TZ", "PERCENT-COMPLETE"})
_UNDERSTOOD: Final = {
    **_TEXTS,
    **_INSTANTS,
    **{OWN + name: column for name, column in _OWN_TEXTS.items()},
    "DUE": "due",
    "DTSTART": "start",
    "PRIORITY": "priority",
    "CATEGORIES": "tags",
    "RELATED-TO": "parent",
}
_MOMENT: Final = re.compile(r"(\d{4})(\d\d)(\d\d)(?:T(\d\d)(\d\d)(\d\d)?(Z)?)?", re.ASCII)
_DURATION: Final = re.compile(
    r"(?P<sign>[+-]?)P(?:(?P<weeks>\d{1,4})W)?(?:(?P<days>\d{1,5})D)?"
    r"(?:T(?:(?P<hours>\d{1,5})H)?(?:(?P<minutes>\d{1,6})M)?(?:\d{1,7}S)?)?",
    re.ASCII,
)
_BEFORE: Final = re.compile(r"(\d{1,6}) ?([mhdw]) before", re.ASCII)
_MINUTES: Final = {"m": 1, "h": 60, "d": 24 * 60, "w": 7 * 24 * 60}


def read(text: str) -> Document:
    """The to-dos of a calendar; events and the rest are counted in a note."""
    outside = read_components(text)
    todos = list(outside.inside("VTODO"))
    others = Counter(one.name for name in ("VEVENT", "VJOURNAL") for one in outside.inside(name))
    left_out = " and ".join(f"{count} {name}" for name, count in others.items())
    if not todos:
        message = f"there is no to-do in this calendar{f', only {left_out}' if left_out else ''}"
        raise Problem("bad_content", message, "export the tasks (VTODO)")
    intake = Intake("ics")
    calendar = next((name.text for one in outside.components if (name := one.first("X-WR-CALNAME"))), "")
    records = [record for todo in todos if (record := _record(intake, todo, calendar)) is not None]
    names = dict.fromkeys(one.name for todo in todos for one in todo.properties)
    return Document(
        "ics",
        intake.linked(records),
        mapping={name: _UNDERSTOOD[name] for name in names if name in _UNDERSTOOD},
        unrecognised=tuple(name for name in names if name not in _UNDERSTOOD and name not in _BOOKKEEPING),
        faults=intake.faults.found,
        left_out=intake.faults.left_out,
        notes=(f"{left_out} left out: only to-dos are tasks",) if left_out else (),
    )


def write(document: Document) -> str:
    """A calendar of to-dos."""
    uids = {record.ref: _uid(record) for record in document.tasks}
    stamp = _instant(document.exported) or "19700101T000000Z"
    lines = ["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//taskgate//tasks//EN", "CALSCALE:GREGORIAN"]
    for record in document.tasks:
        lines += ["BEGIN:VTODO", f"DTSTAMP:{stamp}", *_lines(record, uids), "END:VTODO"]
    return "".join(folded(line) for line in [*lines, "END:VCALENDAR"])


# Writing --------------------------------------------------------------------------------------------------------------


def _lines(record: TaskRecord, uids: dict[str, str]) -> Iterator[str]:
    yield f"UID:{escaped(uids[record.ref])}"
    yield f"SUMMARY:{escaped(record.title)}"
    if record.notes:
        yield f"DESCRIPTION:{escaped(record.notes)}"
    yield f"STATUS:{_STATUS[record.status]}"
    yield f"PRIORITY:{_PRIORITY[record.priority]}"
    rule = record.rrule or (record.repeat.removeprefix("RRULE:") if "FREQ=" in record.repeat else "")
    if record.due:
        day, clock, zone = due_parts(record.due)
        due = _moment(day, clock, zone)
        yield f"DUE{due}"
        if zone:
            yield f"{OWN}TZ:{escaped(zone)}"
        if rule:
            # The standard wants a start wherever there is a rule, and counts the rule from it.
            yield f"DTSTART{due}"
            yield f"RRULE:{rule}"
        elif record.start and record.start <= day:
            yield f"DTSTART{_moment(record.start, '00:00' if clock else '', zone)}"
    elif record.start:
        yield f"DTSTART{_moment(record.start, '', '')}"
    if record.tags:
        yield f"CATEGORIES:{','.join(map(escaped, record.tags))}"
    for name, instant in (("COMPLETED", record.completed), ("CREATED", record.created)):
        if basic := _instant(instant):
            yield f"{name}:{basic}"
    if record.parent:
        yield f"RELATED-TO:{escaped(uids.get(record.parent, record.parent))}"
    for blocker in record.blocked_by:
        yield f"RELATED-TO;RELTYPE=DEPENDS-ON:{escaped(uids.get(blocker, blocker))}"
    estimate = "" if record.estimate_min is None else str(record.estimate_min)
    own = {
        "LIST": record.list_name,
        "SECTION": record.section,
        "START": record.start,
        "DEADLINE": record.deadline,
        "REPEAT": record.repeat,
        "ANCHOR": record.anchor,
        "ESTIMATE": estimate,
        "ASSIGNEE": record.assignee,
        "SOURCE": record.source if record.source != "ics" else "",
    }
    yield from (f"{OWN}{name}:{escaped(value)}" for name, value in own.items() if value)
    for reminder in record.reminders:
        yield from _alarm(reminder, record.title)


def _uid(record: TaskRecord) -> str:
    """Its own id, with the source in front: ids of two sources may be the same."""
    if not record.source_id:
        return record.ref
    return record.source_id if record.source == "ics" else f"{record.source}:{record.source_id}"


def _moment(day: str, clock: str, zone: str) -> str:
    """A date, a time that floats, or one in UTC: no zone has to be described then."""
    if not clock:
        return f";VALUE=DATE:{day.replace('-', '')}"
    local = datetime.fromisoformat(f"{day}T{clock}")
    if not zone:
        return f":{local:%Y%m%dT%H%M%S}"
    return f":{local.replace(tzinfo=zone_named(zone)).astimezone(UTC):%Y%m%dT%H%M%SZ}"


def _instant(words: str) -> str:
    try:
        return f"{datetime.fromisoformat(words).astimezone(UTC):%Y%m%dT%H%M%SZ}"
    except ValueError:
        return ""


def _alarm(reminder: str, title: str) -> Iterator[str]:
    before = _BEFORE.fullmatch(reminder)
    if before or reminder == "at due":
        minutes = int(before[1]) * _MINUTES[before[2]] if before else 0
        trigger = f";RELATED=END:-PT{minutes}M" if minutes else ";RELATED=END:PT0S"
    elif instant := _instant(reminder):
        trigger = f";VALUE=DATE-TIME:{instant}"
    else:
        return
    yield from ("BEGIN:VALARM", "ACTION:DISPLAY", f"DESCRIPTION:{escaped(title)}", f"TRIGGER{trigger}", "END:VALARM")


# Reading --------------------------------------------------------------------------------------------------------------


def _record(intake: Intake, todo: Component, calendar: str) -> TaskRecord | None:
    if todo.first("RECURRENCE-ID"):
        intake.faults.add(todo.line, "a single occurrence of a repeating to-do; left out")
        return None
    cells: dict[str, Cell] = {"list": calendar} if calendar else {}
    for one in todo.properties:
        column = _TEXTS.get(one.name) or (
            _OWN_TEXTS.get(one.name.removeprefix(OWN)) if one.name.startswith(OWN) else ""
        )
        if column == "list" or (column and column not in cells):
            cells[column] = one.value if column == "rrule" else one.text
        elif one.name in _INSTANTS:
            cells[_INSTANTS[one.name]] = _words(intake, one)
    if tags := [text for one in todo.all("CATEGORIES") for text in one.texts]:
        cells["tags"] = tags
    _read_relations(todo, cells)
    _read_priority(intake, todo, cells)
    _read_dates(intake, todo, cells)
    _read_alarms(intake, todo, cells)
    if "status" not in cells and (percent := todo.first("PERCENT-COMPLETE")):
        cells["status"] = "done" if percent.value.strip() == "100" else "open"
    source = cells.get("source")
    if isinstance(source, str) and isinstance(uid := cells.get("source_id"), str):
        cells["ref"] = uid
        cells["source_id"] = uid.removeprefix(f"{source}:")
    return intake.task(todo.line, cells)


def _read_relations(todo: Component, cells: dict[str, Cell]) -> None:
    blockers = []
    for one in todo.all("RELATED-TO"):
        kind = one.parameters.get("RELTYPE", "PARENT").upper()
        if kind == "PARENT":
            cells["parent"] = one.text
        elif kind == "DEPENDS-ON":
            blockers.append(one.text)
    if blockers:
        cells["blocked_by"] = blockers


def _read_priority(intake: Intake, todo: Component, cells: dict[str, Cell]) -> None:
    """From 1, the highest, to 9, where 0 is none. Some programs write 1, 5 and 9, we write 1, 4 and 7."""
    found = todo.first("PRIORITY")
    if found is None:
        return
    if re.fullmatch(r"\s*[0-9]\s*", found.value, re.ASCII):
        number = int(found.value)
        cells["priority"] = f"p{(number + 2) // 3}" if number else "p4"
    else:
        intake.faults.add(found.line, f'the priority "{shown(found.value)}" is not understood')


def _read_dates(intake: Intake, todo: Component, cells: dict[str, Cell]) -> None:
    due, start = todo.first("DUE"), todo.first("DTSTART")
    zone = todo.first(f"{OWN}TZ")
    if due is not None:
        cells["due"] = _words(intake, due, zone.text if zone else "")
    if "start" in cells or start is None:
        return
    # A rule needs a start, so a to-do that repeats has one whether or not it means anything.
    if "rrule" in cells and (due is None or start.value == due.value):
        if due is None:
            cells["due"] = _words(intake, start)
        return
    cells["start"] = _words(intake, start, zone.text if zone else "")[:10]


def _read_alarms(intake: Intake, todo: Component, cells: dict[str, Cell]) -> None:
    reminders = []
    for alarm in todo.inside("VALARM"):
        trigger = alarm.first("TRIGGER")
        words = _trigger(intake, todo, trigger) if trigger else ""
        if words:
            reminders.append(words)
        else:
            intake.faults.add(alarm.line, "an alarm that is neither before the due date nor at a fixed time; left out")
    if reminders:
        cells["reminders"] = reminders


def _trigger(intake: Intake, todo: Component, trigger: Property) -> str:
    if "DATE-TIME" in trigger.parameters.get("VALUE", ""):
        return _words(intake, trigger)
    duration = _DURATION.fullmatch(trigger.value.strip())
    start, due = todo.first("DTSTART"), todo.first("DUE")
    is_from_start = trigger.parameters.get("RELATED", "START").upper() == "START"
    if duration is None or (is_from_start and start and due and start.value != due.value):
        return ""
    units = {name: int(duration[name] or 0) for name in ("weeks", "days", "hours", "minutes")}
    minutes = int(timedelta(**units) / timedelta(minutes=1))
    if minutes and duration["sign"] != "-":
        return ""
    unit = next(unit for unit in ("w", "d", "h", "m") if minutes % _MINUTES[unit] == 0)
    return f"{minutes // _MINUTES[unit]}{unit} before" if minutes else "at due"


def _words(intake: Intake, found: Property, zone: str = "") -> str:
    """The moment of a property as date words; `zone` is where a time in UTC belongs."""
    match = _MOMENT.fullmatch(found.value.strip())
    if match is None:
        intake.faults.add(found.line, f'the {found.name} "{shown(found.value)}" is no date')
        return ""
    year, month, day, hour, minute, second, is_utc = match.groups()
    date = f"{year}-{month}-{day}"
    if hour is None:
        return date
    home = _zone(intake, found, zone or found.parameters.get("TZID", ""))
    clock = f"{hour}:{minute}"
    if not is_utc:
        return " ".join(filter(None, [date, clock, home.key if home else ""]))
    if home is None:
        return f"{date}T{clock}{f':{second}' if second else ''}Z"
    try:
        local = datetime.fromisoformat(f"{date}T{clock}Z").astimezone(home)
    except (ValueError, OverflowError):
        return f"{date} {clock}"  # the words of a day that does not exist: whoever reads them says so
    return f"{local:%Y-%m-%d %H:%M} {home.key}"


def _zone(intake: Intake, found: Property, name: str) -> ZoneInfo | None:
    """The zone of that name. Some programs write a path of their own in front of it."""
    parts = name.strip("/").split("/")
    for size in (3, 2, 1) if name else ():
        try:
            zone = zone_named("/".join(parts[-size:]))
        except Problem:
            continue
        if "/" in zone.key or zone.key in {"UTC", "GMT"}:  # the others are no words of a date
            return zone
    if name:
        intake.faults.add(found.line, f'the time zone "{shown(name)}" is not known; the time is taken as local')
    return None
