"""Results of tools that we know nothing about: shown by their shape, with nothing to press, whatever they hold."""

from typing import Any, Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.widgets import effect, named, render
from tests.gateway.widgets.looking import actions, of_type, refusal, result, say, tool, well_made, words_in

JSON: Final = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=6) | st.dictionaries(st.text(max_size=10), inner, max_size=6),
    max_leaves=40,
)
OURS: Final = st.sampled_from(
    [
        *(
            "rev",
            "now",
            "tasks",
            "ref",
            "title",
            "version",
            "op",
            "ops",
            "refs",
            "counts",
            "changes",
            "columns",
            "rows",
        ),
        *("chart", "labels", "series", "values", "due", "status", "notes", "subtasks", "before", "after", "conflicts"),
    ]
)
NEARLY_OURS: Final = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.sampled_from(["T1", "p1", "2026-11-20"]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(OURS, inner, max_size=6),
    max_leaves=40,
)
WEATHER: Final = tool("weather", title="Weather")


def test_objects_are_a_list_with_a_title_and_two_facts_each() -> None:
    rows = [{"id": n, "name": f"Town {n}", "degrees": n, "sky": "clear", "more": "x"} for n in range(30)]
    card = render(WEATHER, {}, result({"result": rows}), say)

    assert card is not None
    well_made(card)
    assert card.widget["type"] == "ListView"
    assert card.widget["status"] == {"text": "Weather"}
    assert len(of_type(card, "ListViewItem")) == 21
    assert [one["label"] for one in of_type(card, "Badge")[:2]] == ["id: 0", "degrees: 0"]
    assert "10 more entries" in words_in(card)
    assert "Town 3, id: 3, degrees: 3" in card.copy_text


def test_a_list_beside_plain_values_is_shown_as_the_list() -> None:
    card = render(WEATHER, {}, result({"page": 1, "towns": [{"name": "Ulm"}, {"name": "Bern"}]}), say)

    assert card is not None
    assert {"Ulm", "Bern"} <= set(words_in(card))
    assert card.widget["type"] == "ListView"


def test_an_object_is_its_values_by_name() -> None:
    values = {"town": "Ulm", "is_cold": True, "degrees": 3.5, "days": [{"a": 1}, {"a": 2}], "empty": None}
    card = render(WEATHER, {}, result(values | {f"more {n}": n for n in range(20)}), say)

    assert card is not None
    well_made(card)
    assert card.widget["type"] == "Card"
    assert words_in(card)[1:] != []
    assert {"Weather", "town", "Ulm", "true", "3.5", "2 entries"} <= set(words_in(card))
    assert "12 more values" in words_in(card)
    assert "empty" not in words_in(card)
    assert "town: Ulm" in card.copy_text


@pytest.mark.parametrize("values", [{}, None, {"result": 3}, {"result": "words"}, {"result": []}, {"result": ["a"]}])
def test_single_values_have_no_card(values: Any) -> None:
    assert render(WEATHER, {}, result(values), say) is None


def test_an_error_has_no_card() -> None:
    assert render(WEATHER, {}, refusal("internal: no"), say) is None


def test_what_can_be_asked_of_the_database_is_for_the_model_alone() -> None:
    values = {"tables": {"tasks": ["id"]}, "examples": ["SELECT 1"], "limits": {"rows": 3}}
    assert render(tool("data_query", "table"), {}, result(values), say) is None


def test_a_chart_leaves_out_what_is_no_number() -> None:
    drawn = {
        "type": "bar",
        "labels": ["a", "b", "c", "d", "e"],
        "series": [{"name": "n", "values": [1, None, True, "2"]}],
    }
    card = render(tool("data_query", "chart"), {}, result({"chart": drawn}), say)

    assert card is not None
    well_made(card)
    [chart] = of_type(card, "Chart")
    assert [point.get("value0") for point in chart["data"]] == [1, None, None, None, None]
    assert card.copy_text.splitlines()[1:] == ["a | 1", "b | –", "c | –", "d | –", "e | –"]


@given(JSON, st.text(max_size=10))
@settings(max_examples=200, deadline=None)
def test_any_result_of_a_foreign_tool_is_shown_or_not_but_offers_nothing(values: Any, name: str) -> None:
    for reads in (True, False):
        asked = tool(name, reads=reads)
        found = result(values if isinstance(values, dict) else {"result": values})
        card = render(asked, {}, found, say)
        assert effect(asked, found) is None or "op" in (found.structured_content or {})
        named(found)
        if card is not None:
            well_made(card)
            assert not actions(card)
            assert card.source is None


@given(
    st.dictionaries(OURS, NEARLY_OURS, max_size=8),
    st.sampled_from(["task_list", "receipt", "timeline", "table", "chart", "hologram"]),
    st.booleans(),
)
@settings(max_examples=200, deadline=None)
def test_a_view_of_ours_over_any_result_is_a_card_or_none(values: dict[str, Any], view: str, reads: bool) -> None:
    asked = tool("tasks_find", view, reads=reads)
    for arguments in ({}, {"refs": ["T1"]}):
        found = result(values)
        card = render(asked, arguments, found, say, after=refusal("conflict: changed. Fix: no"))
        effect(asked, found)
        named(found)
        if card is not None:
            well_made(card)
