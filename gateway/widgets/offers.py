"""What a stored widget offers: an action counts only if it stands in the widget, exactly as it was sent.

The widget comes from the store and the action from a browser. Whatever the action claims is compared, never used: the
call is made of what is stored, and of the fields that the stored form has.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from chatkit.actions import Action
from chatkit.types import WidgetItem

from gateway.widgets.card import Call, Component
from gateway.widgets.reading import OP, TASK_REF

VALUE_LENGTH: Final = 2_000
CALL: Final = "mcp.call"
READS: Final = frozenset({"tasks_find", "overview", "history", "data_query"})

_FIELDS: Final = frozenset({"Input", "Textarea", "Select"})
_CHANGES: Final = frozenset({"title", "due", "priority"})


@dataclass(frozen=True, slots=True)
class Offer:
    """An action that a person may take: as it is stored, with what was typed into its form."""

    type: str
    payload: Mapping[str, Any]
    fields: Mapping[str, str] = field(default_factory=dict)
    # For a call of a tool: the call to make, and the one that shows the card again, if there is one.
    call: Call | None = None
    then: Call | None = None


def offered(item: WidgetItem, action: Action[str, Any]) -> Offer | None:
    """The action as the widget offers it; None if it does not, or if a card may not do that at all."""
    if not isinstance(action.payload, dict):
        return None
    for config, fields in _actions(item.widget.model_dump(mode="json")):
        if config.get("type") != action.type or config.get("handler") == "client":
            continue
        stored = config.get("payload")
        if isinstance(stored, dict) and (typed := _typed(stored, action.payload, fields)) is not None:
            return _offer(action.type, stored, typed, fields)
    return None


def _actions(component: Any) -> Iterator[tuple[Mapping[str, Any], Mapping[str, Component]]]:
    """Every action of a tree of components, with the fields that are sent along. Nothing inside data is a component."""
    if isinstance(component, list):
        for one in component:
            yield from _actions(one)
    if not isinstance(component, dict):
        return
    for name in ("onClickAction", "onChangeAction", "onSubmitAction"):
        if isinstance(config := component.get(name), dict):
            is_form = name == "onSubmitAction" and component.get("type") == "Form"
            yield config, dict(_fields(component.get("children"))) if is_form else {}
    yield from _actions(component.get("children"))


def _fields(component: Any) -> Iterator[tuple[str, Component]]:
    if isinstance(component, list):
        for one in component:
            yield from _fields(one)
    if isinstance(component, dict):
        if component.get("type") in _FIELDS and isinstance(name := component.get("name"), str):
            yield name, component
        yield from _fields(component.get("children"))


def _typed(stored: Component, sent: Component, fields: Mapping[str, Component]) -> dict[str, str] | None:
    """What was typed into the fields, if everything else is as stored; None if anything else differs."""
    typed: dict[str, str] = {}
    for name, value in sent.items():
        if name in stored:
            continue
        if name not in fields or not isinstance(value, str) or not _is_possible(fields[name], value):
            return None
        typed[name] = value
    if not all(name in sent and _same(value, sent[name]) for name, value in stored.items()):
        return None
    return typed


def _is_possible(component: Component, value: str) -> bool:
    if component.get("type") == "Select":
        return any(option.get("value") == value for option in component.get("options") or ())
    return len(value) <= VALUE_LENGTH


def _same(stored: Any, sent: Any) -> bool:
    """Equal, and of one type: to Python, true is 1 and 1 is 1.0. It looks no deeper than what is stored."""
    if type(stored) is not type(sent):
        return False
    match stored:
        case dict():
            return stored.keys() == sent.keys() and all(_same(value, sent[name]) for name, value in stored.items())
        case list():
            return len(stored) == len(sent) and all(map(_same, stored, sent))
    return bool(stored == sent)


def _offer(kind: str, stored: Component, typed: Mapping[str, str], fields: Mapping[str, Component]) -> Offer | None:
    if kind != CALL:
        return Offer(kind, stored, typed)
    call, then = _call(stored), _call(stored.get("then"))
    if call is None or call.tool not in _PERMITTED or not _PERMITTED[call.tool](call.arguments):
        return None
    if "then" in stored and (then is None or then.tool not in READS):
        return None
    return Offer(kind, stored, typed, _filled(call, typed, fields), then)


def _call(stored: Any) -> Call | None:
    match stored:
        case {"tool": str(tool), "args": dict(arguments)}:
            return Call(tool, arguments)
    return None


def _filled(call: Call, typed: Mapping[str, str], fields: Mapping[str, Component]) -> Call:
    """The stored call with what was typed. It has a key of its own, so that other words are another call."""
    part = {"tasks_edit": "changes", "tasks_add": "tasks"}.get(call.tool)
    if part is None or not fields:
        return call
    changed = {name: value for name, value in typed.items() if value != (fields[name].get("defaultValue") or "")}
    emptied = [name for name, value in changed.items() if not value.strip()]
    [stored] = call.arguments[part]
    filled = {**{name: value for name, value in changed.items() if name not in emptied}, **stored}
    if "due" in emptied:
        filled["clear"] = ["due"]
    words = json.dumps([call.arguments.get("request_id"), filled], sort_keys=True)
    key = hashlib.sha256(words.encode()).hexdigest()
    return Call(call.tool, {**call.arguments, part: [filled], "request_id": key})


def _completes(arguments: Component) -> bool:
    return arguments.keys() <= {"refs", "done", "request_id"} and _is_one_task(arguments.get("refs"))


def _edits(arguments: Component) -> bool:
    match arguments.get("changes"):
        case [dict(change)]:
            known = change.keys() <= {"refs", "version", *_CHANGES} and _is_one_task(change.get("refs"))
            return known and arguments.keys() <= {"changes", "request_id"}
    return False


def _adds(arguments: Component) -> bool:
    match arguments.get("tasks"):
        case [dict(task)]:
            return task.keys() <= {"parent", *_CHANGES} and arguments.keys() <= {"tasks", "request_id"}
    return False


def _takes_back(arguments: Component) -> bool:
    op = arguments.get("op")
    return arguments.keys() == {"op"} and isinstance(op, str) and OP.fullmatch(op) is not None


def _is_one_task(refs: Any) -> bool:
    return isinstance(refs, list) and len(refs) == 1 and isinstance(refs[0], str) and bool(TASK_REF.fullmatch(refs[0]))


# The tools that a card may call, and with what: one task by its reference, never by filter, so never what needs a yes.
_PERMITTED: Final = {
    "tasks_complete": _completes,
    "tasks_edit": _edits,
    "tasks_add": _adds,
    "undo": _takes_back,
}
