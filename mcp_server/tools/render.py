"""Tasks as a model reads them: one compact line each, metadata first and the title last; and the same for programs.

Nothing in a title can imitate metadata, because everything after ` | ` is title and neither a name nor a title has a
line break or, before it, a `|`. Longer texts are indented, so no line of them begins like one of ours.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any, Final

from mcp_server.tasks.calendar.dates import echo
from mcp_server.tasks.custom import shown
from mcp_server.tasks.finding.details import Details
from mcp_server.tasks.schedule import duration
from mcp_server.tasks.sight import Sight
from mcp_server.tasks.task import NO_PRIORITY, Reminder, Status, Task, TaskPage

TITLE_SHOWN: Final = 160
NOTES_SHOWN: Final = 2_000
NEAR_SHOWN: Final = 50  # subtasks and others around a task
COMMENTS_SHOWN: Final = 20


@dataclass(frozen=True, slots=True)
class Reading:
    """For whom and when something is shown: what he sees, and the moment in his zone."""

    sight: Sight
    now: datetime
    new: Mapping[int, str] = field(default_factory=dict)  # what tasks are called that have no number yet

    @property
    def today(self) -> date:
        """The day it is for the person."""
        return self.now.astimezone(self.sight.own.space.zone).date()

    @property
    def moment(self) -> str:
        """Day, time and zone, as the first line of an answer has them."""
        space = self.sight.own.space
        return f"{self.now.astimezone(space.zone):%a %Y-%m-%d %H:%M} {space.tz}"

    def values(self) -> dict[str, Any]:
        """The same for programs, and the number of the person's last write."""
        space = self.sight.own.space
        local = self.now.astimezone(space.zone)
        return {"rev": space.rev, "now": local.isoformat(timespec="seconds"), "tz": space.tz}

    def ref(self, task: Task) -> str:
        """The reference of a task."""
        return self.new.get(task.no) or self.sight.ref(task)

    def parent(self, task: Task) -> str:
        """The reference of the task above; nothing for one at the top."""
        if task.parent_no is None:
            return ""
        return self.new.get(task.parent_no) or self.sight.area(task.space_id).label(f"T{task.parent_no}")

    def local(self, at_us: int) -> datetime:
        """An instant on the person's clock."""
        return datetime.fromtimestamp(at_us // 1_000_000, UTC).astimezone(self.sight.own.space.zone)


def page_text(page: TaskPage, reading: Reading, details: Mapping[Any, Details] | None = None) -> str:
    """A page of tasks: what this is, a line per task, notes, and how to go on."""
    if page.sort == "as named":
        count = f"{len(page.tasks)} task{'s' if len(page.tasks) != 1 else ''}"
    else:
        count = f"{len(page.tasks)} of {page.total:,} {page.filter}, {page.sort} order"
    lines = [f"{count}. {reading.moment}, rev {reading.sight.own.space.rev}"]
    for task in page.tasks:
        lines.append(task_line(task, reading))
        if details is not None:
            lines += detail_lines(task, details[task.space_id, task.no], reading)
    lines += notes_lines(page.notes)
    if page.cursor:
        lines.append(f"more: cursor={page.cursor}")
    return "\n".join(lines)


def page_values(page: TaskPage, reading: Reading, details: Mapping[Any, Details] | None = None) -> dict[str, Any]:
    """The same facts for programs."""
    found = [
        task_values(task, reading)
        | (detail_values(task, details[task.space_id, task.no], reading) if details is not None else {})
        for task in page.tasks
    ]
    return without_empty(
        {
            **reading.values(),
            "total": page.total,
            "count": len(page.tasks),
            "filter": page.filter,
            "sort": page.sort,
            "cursor": page.cursor,
            "tasks": found,
            "notes": list(page.notes),
        },
        keep=("rev", "total", "count", "tasks"),
    )


def task_line(task: Task, reading: Reading) -> str:
    """One task on one line."""
    return f"{' '.join([reading.ref(task), *_facts(task, reading)])} | {title_shown(task)}"


def title_shown(task: Task) -> str:
    """A title, cut where it is long, with its whole length."""
    return task.title if len(task.title) <= TITLE_SHOWN else f"{task.title[:TITLE_SHOWN]}...[{len(task.title)}]"


def due_shown(task: Task, reading: Reading) -> str:
    """The due date with its weekday, and the zone if it has one of its own; empty without a date."""
    if task.due_date is None:
        return ""
    day = echo(task.due_date, task.due_min, reading.today)
    return f"{day} {task.due_tz}" if task.due_tz else day


def place_shown(list_no: int, task: Task, reading: Reading) -> str:
    """A list or section as `#List/Section`; nothing for the Inbox."""
    path = reading.sight.area(task.space_id).names.path(list_no)
    return f"#{'/'.join(map(quoted, path.split('/')))}" if path else ""


def tags_shown(numbers: Iterable[int], task: Task, reading: Reading) -> list[str]:
    """The tags as `@tag`."""
    return [f"@{quoted(name)}" for name in reading.sight.area(task.space_id).names.tags(numbers)]


def quoted(name: str) -> str:
    """A name as it can stand between spaces."""
    return f'"{name}"' if " " in name else name


def in_quotes(text: str) -> str:
    """Somebody's words among ours, on one line: nothing in them can end the quotes or pass for what we say."""
    return json.dumps(text if len(text) <= TITLE_SHOWN else f"{text[:TITLE_SHOWN]}...", ensure_ascii=False)


def _facts(task: Task, reading: Reading) -> Iterable[str]:
    sight = reading.sight
    if task.deleted_us is not None:
        yield "trash"
    if task.status is not Status.OPEN:
        yield task.status.name.lower()
    if task.priority != NO_PRIORITY:
        yield f"p{task.priority}"
    if due := due_shown(task, reading):
        yield due
    if task.repeat_text:
        yield f"({task.repeat_text})"
    if place := place_shown(task.list_no, task, reading):
        yield place
    yield from tags_shown(task.tags, task, reading)
    if task.deadline:
        yield f"!{_day(task.deadline, reading)}"
    if task.start_date:
        yield f">{_day(task.start_date, reading)}"
    if task.parent_no is not None:
        yield f"^{reading.parent(task)}"
    if task.assignee:
        yield f"~{sight.name_of(task.assignee) or 'me'}"
    if task.blocked and task.is_open:
        yield "blocked"
    if author := sight.name_of(task.author):
        yield f"by {author}:"
    elif task.ext_src:
        yield f"from {task.ext_src}:"


def _day(day: date, reading: Reading) -> str:
    return f"{day:%m-%d}" if day.year == reading.today.year else day.isoformat()


def task_values(task: Task, reading: Reading) -> dict[str, Any]:
    """One task for programs; what is default or empty is left out."""
    sight = reading.sight
    area = sight.area(task.space_id)
    place, _, section = area.names.path(task.list_no).partition("/")
    status = "" if task.status is Status.OPEN else task.status.name.lower()
    return without_empty(
        {
            "ref": reading.ref(task),
            "title": task.title,
            "status": "trash" if task.deleted_us is not None else status,
            "list": place,
            "section": section,
            "priority": "" if task.priority == NO_PRIORITY else f"p{task.priority}",
            "due": due_value(task),
            "tz": task.due_tz,
            "start": task.start_date and task.start_date.isoformat(),
            "deadline": task.deadline and task.deadline.isoformat(),
            "repeat": task.repeat_text,
            "tags": area.names.tags(task.tags),
            "parent": reading.parent(task),
            "assignee": (sight.name_of(task.assignee) or "me") if task.assignee else "",
            "blocked": task.blocked and task.is_open,
            "done": _at(task.completed_us, reading),
            "by": sight.name_of(task.author),
            "from": task.ext_src,
            "version": task.rev,
        },
        keep=("title",),
    )


def due_value(task: Task) -> str:
    """The local due date, with its time if it has one."""
    if task.due_date is None:
        return ""
    if task.due_min is None:
        return task.due_date.isoformat()
    return f"{task.due_date.isoformat()}T{task.due_min // 60:02d}:{task.due_min % 60:02d}"


def detail_lines(task: Task, details: Details, reading: Reading) -> list[str]:
    """What stands below the line of a task that is shown in full."""
    area = reading.sight.area(task.space_id)
    lines = []
    if task.notes:
        lines += ["  notes:", *_indented(task.notes)]
    if details.subtasks:
        lines.append("  subtasks:")
        lines += [f"    {task_line(child, reading)}" for child in details.subtasks[:NEAR_SHOWN]]
        if len(details.subtasks) > NEAR_SHOWN:
            more = f'tasks_find(filter="under:{reading.ref(task)} is:all")'
            lines.append(f"    ... and {len(details.subtasks) - NEAR_SHOWN:,} more: {more}")
    for word, others in (("blocked by", details.blocked_by), ("blocks", details.blocks)):
        if others:
            lines.append(f"  {word}:")
            lines += [f"    {task_line(other, reading)}" for other in others[:NEAR_SHOWN]]
            if len(others) > NEAR_SHOWN:
                lines.append(f"    ... and {len(others) - NEAR_SHOWN:,} more")
    for name, value in fields_shown(task, reading):
        lines.append(f"  {name}: {value}".replace("\n", "\n    "))
    if task.estimate_min:
        lines.append(f"  estimate: {duration(task.estimate_min)}")
    if task.reminders:
        lines.append(f"  reminders: {', '.join(reminder_shown(one, reading) for one in task.reminders)}")
    if details.comments:
        lines.append("  comments:")
        if len(details.comments) > COMMENTS_SHOWN:
            lines.append(f"    {len(details.comments) - COMMENTS_SHOWN:,} earlier ones are in the history")
        for comment in details.comments[-COMMENTS_SHOWN:]:
            by = reading.sight.name_of(comment.author) or "me"
            at = reading.local(comment.created_us)
            lines += [f"    {area.label(f'C{comment.no}')} {at:%Y-%m-%d %H:%M} {by}:", *_indented(comment.body, 6)]
    created, updated = reading.local(task.created_us), reading.local(task.updated_us)
    lines.append(f"  created {created:%Y-%m-%d %H:%M}, changed {updated:%Y-%m-%d %H:%M}, version: {task.rev}")
    return lines


def detail_values(task: Task, details: Details, reading: Reading) -> dict[str, Any]:
    """The same for programs."""
    sight = reading.sight
    area = sight.area(task.space_id)
    comments = [
        {
            "ref": area.label(f"C{comment.no}"),
            "by": sight.name_of(comment.author) or "me",
            "at": _at(comment.created_us, reading),
            "body": comment.body,
        }
        for comment in details.comments[-COMMENTS_SHOWN:]
    ]
    return without_empty(
        {
            "notes": task.notes,
            "comments": comments,
            "comments_before": max(0, len(details.comments) - COMMENTS_SHOWN) or None,
            "subtasks": [task_values(child, reading) for child in details.subtasks[:NEAR_SHOWN]],
            "subtasks_more": max(0, len(details.subtasks) - NEAR_SHOWN) or None,
            "blocked_by": [sight.ref(other) for other in details.blocked_by],
            "blocks": [sight.ref(other) for other in details.blocks],
            "fields": dict(fields_shown(task, reading)),
            "reminders": [reminder_shown(one, reading) for one in task.reminders],
            "estimate_min": task.estimate_min,
            "created": _at(task.created_us, reading),
            "updated": _at(task.updated_us, reading),
        },
        keep=(),
    )


def reminder_shown(reminder: Reminder, reading: Reading) -> str:
    """A reminder as it can be written."""
    if reminder.at_us is not None:
        return f"{reading.local(reminder.at_us):%Y-%m-%d %H:%M}"
    return f"{duration(reminder.offset_min)} before" if reminder.offset_min else "at due"


def notes_lines(notes: Sequence[str]) -> list[str]:
    """What the person should hear besides, each on one line."""
    return [f"note: {' '.join(note.splitlines())}" for note in notes]


def cut(text: str, most: int) -> str:
    """The beginning of a text, and how much of it is left."""
    return text if len(text) <= most else f"{text[:most]}... {len(text) - most:,} characters more"


def without_empty(values: dict[str, Any], keep: Sequence[str]) -> dict[str, Any]:
    """The values without those that say nothing."""
    return {name: value for name, value in values.items() if name in keep or (value not in (None, "", [], {}, False))}


def fields_shown(task: Task, reading: Reading) -> list[tuple[str, str]]:
    """The custom fields by name, with their values as people read them."""
    area = reading.sight.area(task.space_id)
    known = [(area.names.get(int(number)), value) for number, value in task.fields.items()]
    return [(field.name, shown(field, value)) for field, value in known if field is not None]


def _indented(text: str, by: int = 4) -> list[str]:
    return [" " * by + line for line in cut(text, NOTES_SHOWN).split("\n")]


def _at(at_us: int | None, reading: Reading) -> str:
    return "" if at_us is None else f"{reading.local(at_us):%Y-%m-%dT%H:%M}"
