"""Which actions count: those that stand in the stored widget, to the letter, and that a card may do at all."""

import copy
from typing import Any, Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.widgets import Call, Card, offered, render
from tests.gateway.widgets.looking import actions, press, result, say, sent, stored, tool

FIND: Final = tool("tasks_find", "task_list")
TASK: Final = {
    "ref": "T1",
    "title": "Report",
    "due": "2026-11-20T09:00",
    "repeat": "every day",
    "version": 3,
    "subtasks": [{"ref": "T2", "title": "Draft", "status": "done", "version": 1}],
}
ABOUT: Final = {"rev": 7, "now": "2026-11-20T10:40:00+01:00"}


def found(arguments: dict[str, Any], *tasks: dict[str, Any]) -> Card:
    """The card of these tasks."""
    card = render(FIND, arguments, result({**ABOUT, "tasks": list(tasks)}), say)
    assert card is not None
    return card


CARD: Final = found({"refs": ["T1"]}, TASK)
LIST: Final = found({"filter": "is:all"}, TASK, {"ref": "bob:T4", "title": "Paint", "version": 1})
STORED: Final = [stored(CARD), stored(LIST)]
SERVED: Final = [config for card in (CARD, LIST) for config in actions(card) if config["handler"] == "server"]


def card_with(action: dict[str, Any], **also: Any) -> Card:
    """A stored card that, however it came to be, offers this."""
    button = {"type": "Button", "label": "Do it", "onClickAction": action, **also}
    return Card("task", {"type": "Card", "children": [{"type": "Row", "children": [button]}]}, "A button")


def call(tool_name: str, arguments: Any, **also: Any) -> dict[str, Any]:
    """An action that calls a tool."""
    payload = {"tool": tool_name, "args": arguments, **also}
    return {"type": "mcp.call", "handler": "server", "streaming": False, "payload": payload}


def test_what_a_card_offers_is_made_of_what_is_stored() -> None:
    offer = offered(stored(LIST), sent(press(LIST, "Tomorrow")[0]))

    assert offer is not None
    assert offer.call is not None
    assert offer.call.tool == "tasks_edit"
    [change] = offer.call.arguments["changes"]
    assert change == {"refs": ["T1"], "version": 3, "due": "tomorrow 09:00"}
    assert offer.then == Call("tasks_find", {"filter": "is:all"})


def test_every_button_is_offered_by_its_own_card_alone_and_always_as_the_same_call() -> None:
    for card, other in ((CARD, LIST), (LIST, CARD)):
        for config in actions(card):
            if config["handler"] == "server":
                offer = offered(stored(card), sent(config))
                assert offer is not None
                assert offer == offered(stored(card), sent(config))
                assert offered(stored(other), sent(config)) is None


def test_a_form_sends_what_was_changed_in_it() -> None:
    save = press(CARD, "Save")[0]
    unchanged = offered(stored(CARD), sent(save, title="Report", due="2026-11-20 09:00", priority="p4"))
    changed = offered(stored(CARD), sent(save, title="Great report", due=" ", priority="p1"))

    assert unchanged is not None
    assert unchanged.call is not None
    assert unchanged.call.arguments["changes"] == [{"refs": ["T1"], "version": 3}]
    assert changed is not None
    assert changed.call is not None
    [change] = changed.call.arguments["changes"]
    assert change == {"refs": ["T1"], "version": 3, "title": "Great report", "priority": "p1", "clear": ["due"]}
    assert changed.call.arguments["request_id"] != unchanged.call.arguments["request_id"]


@pytest.mark.parametrize(
    "typed",
    [
        {"due": ["tomorrow"]},
        {"due": None},
        {"due": 3},
        {"due": "x" * 2_001},
        {"priority": "p9"},
        {"notes": "not a field of this form"},
        {"__proto__": "x"},
        {"request_id": "x"},
        {"version": "4"},
    ],
    ids=str,
)
def test_a_form_takes_only_its_own_fields(typed: dict[str, Any]) -> None:
    save = press(CARD, "Save")[0]
    assert offered(stored(CARD), sent(save)) is not None
    assert offered(stored(CARD), sent(save, **typed)) is None


def test_a_field_never_changes_what_is_stored() -> None:
    save = copy.deepcopy(press(CARD, "Save")[0])
    for name, value in (("tool", "tasks_delete"), ("args", {"changes": []}), ("then", {"tool": "x", "args": {}})):
        forged = copy.deepcopy(save)
        forged["payload"][name] = value
        assert offered(stored(CARD), sent(forged)) is None


def test_fields_of_a_form_are_not_taken_by_its_neighbours() -> None:
    complete = press(CARD, "Complete")[0]
    assert offered(stored(CARD), sent(complete)) is not None
    assert offered(stored(CARD), sent(complete, title="x")) is None


def test_only_a_form_sends_what_stands_in_it() -> None:
    pressed = call("tasks_add", {"tasks": [{"parent": "T1"}]})
    row = {"type": "ListViewItem", "children": [{"type": "Input", "name": "title"}], "onClickAction": pressed}
    card = Card("task_list", {"type": "ListView", "children": [row]}, "A row")
    assert offered(stored(card), sent(pressed)) is not None
    assert offered(stored(card), sent(pressed, title="x")) is None


@pytest.mark.parametrize("payload", [None, [], "words", 3, {}, {"tool": "undo"}, {"tool": "undo", "args": {"op": "1"}}])
def test_payloads_that_stand_nowhere_are_refused(payload: Any) -> None:
    action = sent(SERVED[0]).model_copy(update={"payload": payload})
    assert offered(stored(CARD), action) is None


def test_a_button_of_another_card_is_refused() -> None:
    other = found({"refs": ["T9"]}, {"ref": "T9", "title": "Other", "version": 1})
    for config in actions(other):
        assert offered(stored(CARD), sent(config)) is None


def test_what_the_page_does_itself_is_no_business_of_the_server() -> None:
    assert offered(stored(CARD), sent(press(CARD, "Open")[0])) is None


def test_true_is_not_one() -> None:
    forged = copy.deepcopy(press(CARD, "Complete")[0])
    forged["payload"]["args"]["done"] = 1
    assert offered(stored(CARD), sent(forged)) is None


def test_an_action_that_is_only_quoted_in_data_is_not_offered() -> None:
    quoted = call("tasks_complete", {"refs": ["T5"], "done": True})
    outer = call("tasks_complete", {"refs": ["T1"], "done": True})
    outer["payload"]["then"] = {"tool": "tasks_find", "args": {"onClickAction": quoted, "children": [quoted]}}
    assert offered(stored(card_with(outer)), sent(outer)) is not None
    assert offered(stored(card_with(outer)), sent(quoted)) is None


def test_a_deeply_nested_payload_is_refused() -> None:
    deep: Any = []
    for _ in range(100_000):
        deep = [deep]
    action = sent(SERVED[0])
    action.payload["args"] = deep
    assert offered(stored(CARD), action) is None


@pytest.mark.parametrize(
    "action",
    [
        call("tasks_delete", {"refs": ["T1"]}),
        call("organize", {"action": "delete", "kind": "list", "name": "Work"}),
        call("share", {"action": "invite", "list": "Work", "who": "eve"}),
        call("data_import", {"content": "x"}),
        call("tasks_edit", {"filter": "is:all", "changes": [{"due": "today"}]}),
        call("tasks_edit", {"changes": [{"refs": ["T1"], "due": "today"}], "filter": "is:all"}),
        call("tasks_edit", {"changes": [{"refs": ["T1", "T2"], "due": "today"}]}),
        call("tasks_edit", {"changes": [{"refs": ["Buy milk"], "due": "today"}]}),
        call("tasks_edit", {"changes": [{"refs": ["T1"], "due": "today"}, {"refs": ["T2"]}]}),
        call("tasks_edit", {"changes": [{"refs": ["T1"], "assignee": "eve"}]}),
        call("tasks_edit", {"changes": "T1"}),
        call("tasks_complete", {"refs": ["T1"], "end_series": True}),
        call("tasks_complete", {"refs": "T1"}),
        call("tasks_complete", {"filter": "is:all"}),
        call("tasks_add", {"tasks": [{"title": "a", "list": "bob:House"}]}),
        call("tasks_add", {"tasks": [{"title": "a"}, {"title": "b"}]}),
        call("undo", {}),
        call("undo", {"op": "1", "force": True}),
        call("undo", {"op": "last"}),
        call("undo", {"op": 1}),
        call("tasks_complete", {"refs": ["T1"]}, then={"tool": "tasks_delete", "args": {}}),
        call("tasks_complete", {"refs": ["T1"]}, then="tasks_find"),
        call("tasks_complete", ["T1"]),
    ],
    ids=lambda action: str(action["payload"])[:70],
)
def test_a_card_may_not_do_everything_even_if_it_is_stored(action: dict[str, Any]) -> None:
    assert offered(stored(card_with(action)), sent(action)) is None


def test_the_same_card_may_do_what_is_permitted() -> None:
    for arguments in ({"refs": ["T1"], "done": True}, {"refs": ["ann:T1"], "done": False, "request_id": "x"}):
        action = call("tasks_complete", arguments, then={"tool": "overview", "args": {}})
        assert offered(stored(card_with(action)), sent(action)) is not None


def changed(value: Any) -> st.SearchStrategy[Any]:
    """The same JSON with one thing in it that is different, missing or more."""
    other = st.sampled_from(["T9", 0, 1, True, False, [], {}, "", "x"]).filter(lambda one: not same(one, value))
    if isinstance(value, dict):
        ways = [other, st.builds(lambda name: {**value, f"x{name}": 1}, st.text(max_size=3))]
        for name in value:
            ways.append(st.just({key: one for key, one in value.items() if key != name}))
            ways.append(changed(value[name]).map(lambda one, name=name: {**value, name: one}))
        return st.one_of(ways)
    if isinstance(value, list):
        ways = [other, st.just([*value, "T9"]), st.just([value])]
        for nth, one in enumerate(value):
            ways.append(changed(one).map(lambda new, nth=nth: [*value[:nth], new, *value[nth + 1 :]]))
        return st.one_of(ways)
    return other


def same(one: Any, other: Any) -> bool:
    """Equal also in type."""
    return type(one) is type(other) and bool(one == other)


@given(st.sampled_from(SERVED).flatmap(lambda config: st.tuples(st.just(config), changed(config["payload"]))))
@settings(max_examples=400, deadline=None)
def test_nothing_that_differs_in_one_place_is_offered(forged: tuple[dict[str, Any], Any]) -> None:
    config, payload = forged
    if any(repr(payload) == repr(one["payload"]) for one in SERVED):
        return
    for item in STORED:
        action = sent(config).model_copy(update={"payload": payload})
        assert offered(item, action) is None


@given(st.sampled_from(SERVED), st.text(max_size=12))
@settings(max_examples=100, deadline=None)
def test_nothing_of_another_type_is_offered(config: dict[str, Any], kind: str) -> None:
    for item in STORED:
        if kind != config["type"]:
            assert offered(item, sent({**config, "type": kind})) is None
