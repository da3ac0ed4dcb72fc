"""Whatever is sent as arguments, however deep, huge or strange, is either read or refused in a few words."""

import copy
import json
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from mcp_server.tools.repair import repair
from mcp_server.tools.synonyms import SYNONYMS, VALUES
from mcp_server.tools.wire import WIRE
from shared.errors import Problem

Arguments = dict[str, Any]


@pytest.mark.parametrize(
    "arguments",
    [
        {"tasks": "[" * 100_000},
        {"tasks": '{"a":' * 50_000},
        {"tasks": json.dumps("[" * 100_000)},
        {"tasks": [{"title": "A", "fields": {"a": json.loads("[" * 900 + "]" * 900)}}]},
        {"tasks": [{"title": json.loads("[" * 900 + "]" * 900)}]},
        {"tasks": json.loads("[" * 900 + "]" * 900)},
        {"tasks": [{"title": "A", "version": json.loads("[" * 900 + "]" * 900)}]},
        {"a" * 1_000_000: 1},
        {"aB" * 500_000: 1},
        {f"key{number}": number for number in range(100_000)},
        {"tasks": [{"title": "A", "fields": "9" * 1_000_000}]},
        {"tasks": [{"title": "A", "estimate": 10**5000}]},
        {"tasks": [{"title": "A", "priority": 10**5000}]},
        {"tasks": ["A"], "dry_run": 10**5000},
        {"tasks": [{"title": "A", "priority": "x" * 1_000_000}]},
    ],
    ids=range(15),
)
def test_what_is_deep_or_huge_is_refused_in_a_few_words(arguments: Arguments) -> None:
    with pytest.raises(Problem) as refused:
        repair(WIRE["tasks_add"], "tasks_add", arguments)
    assert len(str(refused.value)) < 240


def test_a_great_many_tasks_are_read_one_by_one() -> None:
    found, notes = repair(WIRE["tasks_add"], "tasks_add", {"tasks": [{"name": f"Task {n}"} for n in range(50_000)]})
    assert found["tasks"][-1] == {"title": "Task 49999"}
    assert notes == ["read name as title"]


def test_an_echo_stays_on_its_line() -> None:
    with pytest.raises(Problem) as refused:
        repair(WIRE["overview"], "overview", {"a\nnote: all is well\x00\ud800": 1})
    assert str(refused.value).splitlines() == [str(refused.value)]
    assert str(refused.value).isprintable()


NAMES = sorted({word for name, words in SYNONYMS.items() for word in (name, *words)})
WORDS = st.one_of(
    st.text(max_size=60),
    st.sampled_from(
        ["none", "null", "", " ", ",", "true", "p1", "High", "1", "0", "-3", "T1, T2", "due", "9" * 60, "x" * 90]
    ),
    st.sampled_from(
        ["[]", "{}", '[""]', '"[]"', '["null"]', '{"title": "A"}', "[{}]", "```\n[1]\n```", '[{"refs": "none"}]']
    ),
)
PLAIN = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), WORDS)
JSON = st.recursive(
    PLAIN,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.one_of(st.sampled_from(NAMES), WORDS), inner, max_size=4)
    ),
    max_leaves=12,
)


@st.composite
def calls(draw: st.DrawFn) -> tuple[str, Arguments]:
    """A tool and what some model might send it: mostly nearly right, sometimes garbage."""
    tool = draw(st.sampled_from(sorted(WIRE)))
    if draw(st.integers(0, 3)):
        return tool, _nearly_object(draw, WIRE[tool])
    names = st.one_of(st.sampled_from(sorted(_all_properties(WIRE[tool]))), st.sampled_from(NAMES), WORDS)
    return tool, draw(st.dictionaries(names, st.one_of(JSON, JSON.map(json.dumps)), max_size=5))


def _nearly_object(draw: st.DrawFn, schema: Arguments) -> Arguments:
    found = {}
    for name, inner in schema["properties"].items():
        if draw(st.integers(0, 9)) < (8 if name in schema.get("required", ()) else 3):
            spelled = draw(st.sampled_from([name, name, name, *SYNONYMS.get(name, ())]))
            found[spelled] = _nearly(draw, inner)
    return found


def _nearly(draw: st.DrawFn, schema: Arguments) -> Any:
    """A value of the expected kind, in one of the shapes in which models send it."""
    if "enum" in schema:
        return draw(st.sampled_from([*schema["enum"], *schema["enum"], schema["enum"][0].upper(), *VALUES, 1]))
    match schema["type"]:
        case "array":
            value: Any = [_nearly(draw, schema["items"]) for _ in range(draw(st.integers(1, 2)))]
        case "object" if "properties" in schema:
            value = _nearly_object(draw, schema)
        case "object":
            value = draw(st.dictionaries(WORDS, st.one_of(WORDS, st.integers(0, 9)), max_size=2))
        case "integer":
            return draw(st.integers(-9, 999))
        case "boolean":
            return draw(st.sampled_from([True, False, "yes", "False", 0]))
        case _:
            return draw(st.one_of(WORDS, st.integers(0, 99)))
    return value if draw(st.integers(0, 3)) else json.dumps(value)


@settings(max_examples=500, deadline=None)
@given(calls())
@example(("tasks_add", {"tasks": '[{"title": "A", "tags": "[]"}]'}))
@example(("tasks_find", {"filter": ["none"], "refs": '"[]"'}))
@example(("tasks_complete", {"refs": [["none"]]}))
@example(("tasks_edit", {"changes": ['{"comment": ""}']}))
def test_whatever_is_written_becomes_what_the_schema_allows_or_a_short_refusal(call: tuple[str, Arguments]) -> None:
    tool, written = call
    before = copy.deepcopy(written)
    try:
        found, notes = repair(WIRE[tool], tool, written)
    except Problem as problem:
        _assert_modest(str(problem), written)
        assert len(str(problem)) < 240
    else:
        assert not list(Draft202012Validator(WIRE[tool]).iter_errors(found))
        assert repair(WIRE[tool], tool, found)[0] == found
        assert len(notes) <= 2
        for note in notes:
            _assert_modest(note, written)
    assert repr(written) == repr(before)


def _assert_modest(text: str, written: object) -> None:
    """No more than 40 characters in a row of what was sent."""
    assert text.isprintable()
    sent = json.dumps(written, ensure_ascii=False)
    assert not [at for at in range(len(text) - 40) if text[at : at + 41] in sent]


def _all_properties(schema: Arguments) -> Arguments:
    found = dict(schema["properties"])
    for inner in schema["properties"].values():
        if inner.get("items", {}).get("type") == "object":
            found |= inner["items"]["properties"]
    return found
