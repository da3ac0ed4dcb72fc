"""A task in a person's words: what state it is in, when it is due, where it stands; and the whole of it on one line."""

from dataclasses import dataclass
from datetime import date, timedelta

from gateway.widgets.card import Component, Say
from gateway.widgets.parts import badge, text
from gateway.widgets.plain import plain
from gateway.widgets.reading import Values, inside, texts, word


@dataclass(frozen=True, slots=True)
class Wording:
    """Puts tasks into the words of one person, on the day of one result."""

    say: Say
    now: str  # as the tool server says it: local, ISO

    def state(self, task: Values) -> str:
        """What keeps a task from being simply open."""
        say = self.say
        match word(task, "status"):
            case "done":
                return say("done")
            case "cancelled":
                return say("cancelled")
            case "trash":
                return say("in the trash")
        return say("blocked") if task.get("blocked") is True else ""

    def is_overdue(self, task: Values) -> bool:
        """Whether the due date of an open task has passed, on the person's own clock."""
        due = word(task, "due")
        return bool(due) and not word(task, "status") and not word(task, "tz") and due < self.now[: len(due)]

    def due(self, task: Values) -> str:
        """When it is due; a date with a zone of its own is said as it stands."""
        say, due, zone = self.say, word(task, "due"), word(task, "tz")
        if not due:
            return ""
        day, _, time = due.partition("T")
        shown = " ".join(filter(None, [day, time, zone]))
        if self.is_overdue(task):
            return say("overdue since {day}", day=plain(shown))
        if word(task, "status") or zone or day not in (self.now[:10], self._tomorrow):
            return say("due {day}", day=plain(shown))
        if day == self.now[:10]:
            return say("due today at {time}", time=plain(time)) if time else say("due today")
        return say("due tomorrow at {time}", time=plain(time)) if time else say("due tomorrow")

    def priority(self, task: Values) -> str:
        """How urgent it is, if it is."""
        urgency = word(task, "priority").removeprefix("p")
        return self.say("priority {number}", number=plain(urgency)) if urgency else ""

    def place(self, task: Values) -> str:
        """The list and section it stands in; nothing for the Inbox."""
        return "/".join(filter(None, [word(task, "list"), word(task, "section")]))

    def badges(self, task: Values) -> list[Component]:
        """What is to be seen at a glance."""
        shown = []
        if state := self.state(task):
            shown.append(badge(state, "success" if word(task, "status") == "done" else "secondary"))
        if due := self.due(task):
            shown.append(badge(due, "danger" if self.is_overdue(task) else "info"))
        if priority := self.priority(task):
            shown.append(badge(priority, "warning"))
        return shown

    def around(self, task: Values) -> list[Component]:
        """The rest that helps to tell one task from another, as people wrote it."""
        tags = [f"@{tag}" for tag in texts(task, "tags")[:5]]
        place = self.place(task)
        shown = [*([f"#{place}"] if place else []), *tags]
        return [text(" ".join(shown), quiet=True)] if shown else []

    def line(self, task: Values) -> str:
        """The task in words alone."""
        repeat = word(task, "repeat")
        facts = [
            self.state(task),
            self.due(task),
            self.priority(task),
            self.say("repeats {rule}", rule=plain(repeat)) if repeat else "",
            self.say("in {list}", list=plain(self.place(task))) if self.place(task) else "",
        ]
        return ", ".join([f"{plain(word(task, 'ref'))} {plain(word(task, 'title'))}".strip(), *filter(None, facts)])

    def changed(self, change: Values) -> str:
        """What changed on one thing: each field as it was and as it is."""
        before, after = inside(change, "before"), inside(change, "after")
        words = []
        for name in {**before, **after}:
            now = self._value(name, after.get(name))
            words.append(
                f"{self._field(name)}: {self._value(name, before[name])} → {now}"
                if name in before
                else f"{self._field(name)}: {now}"
            )
        return plain("; ".join(words))

    @property
    def _tomorrow(self) -> str:
        try:
            return (date.fromisoformat(self.now[:10]) + timedelta(1)).isoformat()
        except (ValueError, OverflowError):
            return ""

    def _value(self, name: str, value: object) -> str:
        if name == "status":
            return self.state({"status": value}) or self.say("open")
        if value in (None, "", [], {}):
            return self.say("none")
        shown = plain(value, 60)
        return shown.replace("T", " ", 1) if name in ("due", "done") else shown

    def _field(self, name: str) -> str:
        say = self.say
        match name:
            case "title":
                return say("title")
            case "due":
                return say("due")
            case "list":
                return say("list")
            case "section":
                return say("section")
            case "priority":
                return say("priority")
            case "notes":
                return say("notes")
            case "tags":
                return say("tags")
            case "status":
                return say("state")
            case "repeat":
                return say("repeat")
            case "name":
                return say("name")
            case "done":
                return say("completed")
        return plain(name, 40)
