"""What a person can do to a task from a card, without the model.

Each button asks for a state, not for a step, so that pressing it twice is pressing it once. Where the tools know no
such state (a repeating task moves on with every completion), the call carries the version it was made for as its key.
"""

from dataclasses import dataclass
from hashlib import sha256

from gateway.widgets.card import Call, Component, Say
from gateway.widgets.parts import action, button, call_action, choice, entry, form, labelled
from gateway.widgets.plain import plain
from gateway.widgets.reading import Values, number, ref_of, word


@dataclass(frozen=True, slots=True)
class Deeds:
    """The buttons of one card; afterwards `then` shows the card again."""

    say: Say
    then: Call | None
    rev: int

    def completing(self, task: Values) -> list[Component]:
        """Complete, or reopen. Nothing for a task in the trash."""
        ref, status = ref_of(task), word(task, "status")
        if not ref or status == "trash":
            return []
        if status:
            reopened = Call("tasks_complete", {"refs": [ref], "done": False})
            return [button(self.say("Reopen"), call_action(reopened, self.then), icon="check-circle-filled")]
        arguments = {"refs": [ref], "done": True}
        if word(task, "repeat"):
            arguments["request_id"] = self._key(task, "done")
        completed = Call("tasks_complete", arguments)
        return [button(self.say("Complete"), call_action(completed, self.then), icon="empty-circle")]

    def postponing(self, task: Values, *, far: bool = False) -> list[Component]:
        """Due tomorrow, and also next week; at the same time of day."""
        if not self._is_open(task):
            return []
        shown = [self._due(task, self.say("Tomorrow"), "tomorrow")]
        if far:
            shown.append(self._due(task, self.say("Next week"), "next week"))
        return shown

    def opening(self, task: Values) -> list[Component]:
        """Show the task beside the conversation; the page does that itself."""
        ref = ref_of(task)
        if not ref or word(task, "status") == "trash":
            return []
        return [button(self.say("Open"), action("open_task", {"ref": ref}, handler="client"))]

    def editing(self, task: Values) -> list[Component]:
        """Fields for what is changed most often. A title that cannot be shown whole is not offered for changing."""
        if not self._is_open(task):
            return []
        say, title = self.say, word(task, "title")
        due = " ".join(filter(None, [word(task, "due").replace("T", " "), word(task, "tz")]))
        fields = [
            labelled(say("Due"), entry("due", plain(due), placeholder=say("tomorrow 9am"))),
            labelled(say("Priority"), choice("priority", word(task, "priority"), self._priorities())),
        ]
        if plain(title) == title:
            fields.insert(0, labelled(say("Title"), entry("title", title, required=True)))
        changed = Call("tasks_edit", {"changes": [self._change(task)], "request_id": self._key(task, "edit")})
        return [form(f"edit {self._at(task)}", call_action(changed, self.then), *fields, submit=say("Save"))]

    def extending(self, task: Values) -> list[Component]:
        """A field for one more subtask."""
        if not self._is_open(task):
            return []
        say = self.say
        added = Call(
            "tasks_add", {"tasks": [{"parent": ref_of(task)}], "request_id": self._key(task, f"add at {self.rev}")}
        )
        field = entry("title", placeholder=say("Title of a subtask"), required=True)
        return [form(f"add {self._at(task)}", call_action(added, self.then), field, submit=say("Add subtask"))]

    def undoing(self, op: str, *, again: bool = False) -> list[Component]:
        """Take an operation back; or, of one that took another back, do that again."""
        if not op:
            return []
        label = self.say("Redo") if again else self.say("Undo")
        return [button(label, call_action(Call("undo", {"op": op}), self.then))]

    def _due(self, task: Values, label: str, day: str) -> Component:
        _, _, time = word(task, "due").partition("T")
        due = " ".join(filter(None, [day, time, word(task, "tz") if time else ""]))
        changed = Call(
            "tasks_edit",
            {"changes": [{**self._change(task), "due": due}], "request_id": self._key(task, f"due {day}")},
        )
        return button(label, call_action(changed, self.then))

    def _change(self, task: Values) -> dict[str, object]:
        return {"refs": [ref_of(task)], "version": number(task, "version")}

    def _priorities(self) -> list[tuple[str, str]]:
        say = self.say
        return [("p1", say("1, urgent")), ("p2", say("2, high")), ("p3", say("3, medium")), ("p4", say("none"))]

    def _is_open(self, task: Values) -> bool:
        return bool(ref_of(task)) and not word(task, "status") and number(task, "version") > 0

    def _at(self, task: Values) -> str:
        return f"{ref_of(task)}@{number(task, 'version')}"

    def _key(self, task: Values, deed: str) -> str:
        return sha256(f"{deed} {self._at(task)}".encode()).hexdigest()[:32]
