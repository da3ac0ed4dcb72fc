"""Wishes put into effect: the words of a call, resolved once for all entries, become changes of tasks on a bench."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, Self

from mcp_server.tasks import schedule
from mcp_server.tasks.custom import field_value
from mcp_server.tasks.names import Kind, Named, name_key
from mcp_server.tasks.refs import resolve_refs
from mcp_server.tasks.schedule import Here
from mcp_server.tasks.spaces import space_of
from mcp_server.tasks.task import INBOX, NO_PRIORITY, SEVERAL, Task
from mcp_server.tasks.words import checked_comment, checked_notes, checked_title
from mcp_server.tasks.writing.bench import Bench
from mcp_server.tasks.writing.journal import Op
from mcp_server.tasks.writing.naming import tags_called
from mcp_server.tasks.writing.relations import Blockers, load_lines, move, put_below
from mcp_server.tasks.writing.wishes import TaskChange, Wish
from shared.errors import Problem

TAG_LIMIT: Final = 20
CLEARABLE: Final = (
    "notes",
    "due",
    "time",
    "start",
    "deadline",
    "repeat",
    "priority",
    "estimate",
    "remind",
    "tags",
    "parent",
    "assignee",
    "list",
    "blocked_by",
    "fields",
    "fields.Name",
)


@dataclass(slots=True)
class Wording:
    """Everything that the words of one call refer to, and the tasks they change."""

    op: Op
    bench: Bench
    here: Here
    refs: dict[str, Task] = field(default_factory=dict)
    tags: dict[str, Named] = field(default_factory=dict)
    blockers: Blockers = field(default_factory=Blockers)
    comments: list[tuple[int, str]] = field(default_factory=list)

    @classmethod
    async def prepare(
        cls, op: Op, bench: Bench, wishes: Sequence[Wish], known: Mapping[str, Task], more: Iterable[str] = ()
    ) -> Self:
        """Look up what the wishes name. `known` are references that mean tasks on the bench, `more` other ones."""
        wording = cls.at(op, bench)
        wording.refs = dict(known)
        named = [ref for wish in wishes for ref in (wish.parent, *map(_unsigned, wish.blocked_by)) if ref]
        unknown = dict.fromkeys(ref for ref in (*named, *more) if ref not in known)
        wording.refs |= await resolve_refs(op.tx, op.sight, list(unknown))
        bench.take(wording.refs.values())
        wording.tags = await tags_called(op, _added_tags(wishes))
        moving = [number for wish in wishes if wish.parent for number in wording.numbers_of(wish)]
        await load_lines(bench, [*moving, *(wording.refs[wish.parent].no for wish in wishes if wish.parent)])
        cleared = {name.strip().lower() for wish in wishes if isinstance(wish, TaskChange) for name in wish.clear}
        if "blocked_by" in cleared and not op.area.is_own:  # a guest takes away only what he sees
            await bench.load({number for task in bench.tasks for number in task.blocked_by})
        blocking = [wording.refs[_unsigned(ref)].no for wish in wishes for ref in wish.blocked_by]
        await wording.blockers.load(op, blocking)
        return wording

    @classmethod
    def at(cls, op: Op, bench: Bench) -> Self:
        """Words that name no tasks and no tags."""
        return cls(op, bench, Here(op.tx.now, op.sight.own.space.habits, op.space.habits))

    def numbers_of(self, wish: Wish) -> Sequence[int]:
        """The tasks that a wish is about, as far as it names them itself."""
        return [self.refs[ref].no for ref in wish.refs] if isinstance(wish, TaskChange) else []

    def place(self, path: str) -> int:
        """The list or section of that name in the space that is written."""
        area, number = self.op.sight.place(path)
        if area.space.id != self.op.space.id:
            raise Problem("mixed_spaces", f'"{path[:40]}" is of {area.alias or "yours"}', "one call for each")
        row = area.names.get(area.names.list_of(number))
        if row is not None and row.archived_us is not None:
            name = row.name
            raise Problem(
                "archived", f'list "{name}" is archived', f"organize(kind=list, action=unarchive, name={name})"
            )
        return number

    def apply(self, number: int, wish: Wish) -> None:
        """Put a wish into effect on one task. What is to be cleared is cleared first."""
        if isinstance(wish, TaskChange):
            for name in wish.clear:
                self._clear(number, name)
        self._write_text(number, wish)
        if wish.list:
            move(self.bench, number, self.place(wish.list))
        self._set_time(number, wish)
        self._set_plain(number, wish)
        if wish.tags:
            self._set_tags(number, wish.tags)
        if wish.parent:
            put_below(self.bench, self.bench[number], self.bench[self.refs[wish.parent].no], self.op)
        for ref in wish.blocked_by:
            self._set_blocker(number, ref)

    def _write_text(self, number: int, wish: Wish) -> None:
        task = self.bench[number]
        where = self.op.area.label(f"T{number}") if self.bench.before(number) else "the new task"
        title = checked_title(wish.title, where) if wish.title else task.title
        notes = checked_notes(wish.notes, where) if wish.notes else task.notes
        if isinstance(wish, TaskChange) and wish.append_notes:
            notes = checked_notes(f"{notes}\n{wish.append_notes}" if notes else wish.append_notes, where)
        if (title, notes) != (task.title, task.notes):
            me = space_of(self.op.tx.caller)
            all_new = title != task.title and (bool(wish.notes) or not task.notes)
            self.bench.put(
                replace(task, title=title, notes=notes, author=me if all_new or task.author == me else SEVERAL)
            )
        if isinstance(wish, TaskChange) and wish.comment:
            self.op.area.require_edit(task.list_no)
            self.comments.append((number, checked_comment(wish.comment, "comment")))

    def _set_time(self, number: int, wish: Wish) -> None:
        task = self.bench[number]
        if wish.due:
            task = schedule.with_due(task, wish.due, self.here)
        if wish.start:
            task = schedule.with_start(task, wish.start, self.here)
        if wish.deadline:
            task = schedule.with_deadline(task, wish.deadline, self.here)
        if wish.repeat:
            task = schedule.with_repeat(task, wish.repeat, self.here)
        if wish.remind:
            task = schedule.with_reminders(task, wish.remind, self.here)
        self.bench.put(task)

    def _set_plain(self, number: int, wish: Wish) -> None:
        task = self.bench[number]
        if wish.priority is not None:
            task = replace(task, priority=wish.priority)
        if wish.estimate:
            task = replace(task, estimate_min=schedule.estimate_minutes(wish.estimate))
        if wish.assignee:
            task = replace(task, assignee=self.op.sight.person(wish.assignee))
        if wish.fields:
            values = dict(task.fields)
            for name, value in wish.fields.items():
                row = self.op.area.names.require(Kind.FIELD, name)
                values[str(row.no)] = field_value(row, value, self.here)
            task = replace(task, fields=values)
        self.bench.put(task)

    def _set_tags(self, number: int, words: Sequence[str]) -> None:
        task = self.bench[number]
        numbers = set(task.tags)
        for word in words:
            if word.startswith("-"):
                gone = self.op.area.names.find(Kind.TAG, word[1:])
                if gone is None:
                    raise Problem("unknown_tag", f'no tag "{word[1:41]}"', "leave it out")
                numbers.discard(gone.no)
            else:
                numbers.add(self.tags[name_key(Kind.TAG, word.removeprefix("+"))].no)
        living = [one for one in numbers if one in task.tags or self._is_tag(one)]
        if len(living) > TAG_LIMIT:
            raise Problem("too_many", f"{len(living)} tags", f"at most {TAG_LIMIT} on one task")
        self.bench.put(replace(task, tags=tuple(sorted(numbers))))

    def _is_tag(self, number: int) -> bool:
        return self.op.area.names.get(number) is not None or any(tag.no == number for tag in self.tags.values())

    def _set_blocker(self, number: int, ref: str) -> None:
        task, blocker = self.bench[number], self.bench[self.refs[_unsigned(ref)].no]
        numbers = set(task.blocked_by)
        if ref.startswith("-"):
            self.blockers.remove(task, blocker.no)
            numbers.discard(blocker.no)
        else:
            self.blockers.add(task, blocker, self.op)
            numbers.add(blocker.no)
        still = any(waits.is_open for one in numbers if (waits := self.bench.get(one)))
        self.bench.put(replace(task, blocked_by=tuple(sorted(numbers)), blocked=still))

    def _clear(self, number: int, name: str) -> None:
        task = self.bench[number]
        match name.strip().lower():
            case "notes":
                task = replace(task, notes="")
            case "due":
                task = schedule.without_due(task)
            case "time":
                task = schedule.without_time(task)
            case "start":
                task = replace(task, start_date=None)
            case "deadline":
                task = replace(task, deadline=None)
            case "repeat":
                task = schedule.without_repeat(task)
            case "priority":
                task = replace(task, priority=NO_PRIORITY)
            case "estimate":
                task = replace(task, estimate_min=None)
            case "remind":
                task = replace(task, reminders=())
            case "tags":
                task = replace(task, tags=())
            case "parent":
                task = replace(task, parent_no=None)
            case "assignee":
                task = replace(task, assignee=None)
            case "blocked_by":
                hidden = () if self.op.area.is_own else tuple(no for no in task.blocked_by if not self.bench.get(no))
                self.blockers.remove(task, *(no for no in task.blocked_by if no not in hidden))
                task = replace(task, blocked_by=hidden, blocked=bool(hidden) and task.blocked)
            case "fields":
                task = replace(task, fields={})
            case "list":
                self.op.area.require_edit(INBOX)
                move(self.bench, number, INBOX)
                return
            case _ if name.strip().lower().startswith("fields."):
                row = self.op.area.names.require(Kind.FIELD, name.strip()[len("fields.") :])
                task = replace(task, fields={key: kept for key, kept in task.fields.items() if key != str(row.no)})
            case _:
                raise Problem("bad_argument", f'clear cannot empty "{name[:40]}"', f"one of {', '.join(CLEARABLE)}")
        self.bench.put(task)


def _unsigned(ref: str) -> str:
    return ref.removeprefix("-").strip()


def _added_tags(wishes: Sequence[Wish]) -> list[str]:
    return [tag.removeprefix("+") for wish in wishes for tag in wish.tags if not tag.startswith("-")]
