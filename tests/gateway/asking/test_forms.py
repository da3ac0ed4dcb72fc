"""The flat schemas in which tools ask, as questions to a person, and the answers back: without any server.

The whole way, over HTTP and with tools that really ask, is in `test_asking.py`.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import pytest
from chatkit.types import StructuredInput, StructuredInputAnswer, StructuredInputItem, StructuredInputMultipleChoice
from hypothesis import given
from hypothesis import strategies as st

from gateway.questions.fields import Unaskable
from gateway.questions.forms import Known, Read, questions, read_answers, read_forms
from gateway.words import said

Schema = dict[str, Any]


def say(english: Any, **values: object) -> str:
    return said("en", english, **values)


def german(english: Any, **values: object) -> str:
    return said("de", english, **values)


def request(properties: Mapping[str, Any], required: Sequence[str] = (), message: str = "Please say:") -> Schema:
    """What a tool sends to ask for these fields."""
    schema = {"type": "object", "properties": dict(properties), "required": list(required)}
    return {"mode": "form", "message": message, "requestedSchema": schema}


def answer(asked: Sequence[StructuredInput], *values: Sequence[str] | None) -> list[StructuredInput]:
    """The questions as they are stored once they are answered; None skips one."""
    for one, given_values in zip(asked, values, strict=True):
        skipped = given_values is None
        one.answer = StructuredInputAnswer(skipped=skipped, values=list(given_values or []))
    return list(asked)


def ask(properties: Mapping[str, Any], *values: Sequence[str] | None, required: Sequence[str] = ()) -> Read:
    """One form, asked and answered."""
    forms = read_forms({"form": request(properties, required)})
    return read_answers(forms, Known(), answer(questions(forms, Known(), 1, say), *values), say)


def content(read: Read) -> Any:
    """What the tool gets."""
    assert read.fits, read.known.complaints
    assert read.results["form"].action == "accept"
    return read.results["form"].content


def complaint(read: Read) -> str:
    """The one thing that did not fit."""
    [[reason]] = [list(reasons.values()) for reasons in read.known.complaints.values()]
    return reason


def test_a_yes_or_no_is_a_choice_of_two_in_the_language_of_the_person() -> None:
    forms = read_forms({"form": request({"ok": {"type": "boolean", "title": "Go on?"}})})
    [one] = questions(forms, Known(), 1, german)
    assert isinstance(one, StructuredInputMultipleChoice)
    assert [option.value for option in one.options] == [german("Yes"), german("No")]
    # Answered in one language, read in another: what counts is which of the two it was.
    assert content(read_answers(forms, Known(), answer([one], [german("No")]), say)) == {"ok": False}
    assert content(ask({"ok": {"type": "boolean"}}, ["yes "])) == {"ok": True}
    assert complaint(ask({"ok": {"type": "boolean"}}, ["perhaps"])) == "Answer yes or no."


def test_the_tool_speaks_before_its_first_question_and_each_field_has_its_title() -> None:
    forms = read_forms({"form": request({"a": {"type": "string", "title": "Name"}, "b": {"type": "number"}})})
    first, second = questions(forms, Known(), 1, say)
    assert (first.id, first.question) == ("q1", "Please say:\nName")
    assert (second.id, second.question) == ("q2", "b")


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "string", "enum": ["r", "g"], "enumNames": ["Red", "Green"]},
        {"type": "string", "oneOf": [{"const": "r", "title": "Red"}, {"const": "g", "title": "Green"}]},
    ],
)
def test_a_choice_shows_titles_and_gives_values(schema: Schema) -> None:
    forms = read_forms({"form": request({"colour": schema})})
    [one] = questions(forms, Known(), 1, say)
    assert isinstance(one, StructuredInputMultipleChoice)
    assert [option.value for option in one.options] == ["Red", "Green"]
    assert content(ask({"colour": schema}, ["Green"])) == {"colour": "g"}
    assert content(ask({"colour": schema}, ["green"])) == {"colour": "g"}  # written beside the options
    assert complaint(ask({"colour": schema}, ["Blue"])) == "Choose one of the answers."


def test_several_may_be_chosen_within_the_limits_of_the_tool() -> None:
    schema = {"type": "array", "items": {"enum": ["a", "b", "c"]}, "minItems": 1, "maxItems": 2}
    assert content(ask({"x": schema}, ["c", "a", "c"])) == {"x": ["c", "a"]}
    assert complaint(ask({"x": schema}, ["a", "b", "c"])) == "Choose at most 2."


@pytest.mark.parametrize(
    ("schema", "text", "value"),
    [
        ({"type": "integer"}, " 12 ", 12),
        ({"type": "integer"}, "12.0", 12),
        ({"type": "number"}, "2,5", 2.5),
        ({"type": "number"}, "-1e3", -1000.0),
        ({"type": "string", "format": "date"}, " 2026-03-31 ", "2026-03-31"),
        ({"type": "string", "format": "date-time"}, "2026-03-31T09:30+02:00", "2026-03-31T09:30+02:00"),
        ({"type": "string", "format": "email"}, "ada@example.com", "ada@example.com"),
        ({"type": "string", "format": "uri"}, "https://example.com/", "https://example.com/"),
        ({"type": "string"}, "  two  spaces ", "  two  spaces "),
        ({"type": "string", "format": ["date"]}, "anything", "anything"),
    ],
)
def test_what_is_written_becomes_what_the_tool_wants(schema: Schema, text: str, value: object) -> None:
    assert content(ask({"x": schema}, [text])) == {"x": value}


@pytest.mark.parametrize(
    ("schema", "text", "reason"),
    [
        ({"type": "integer"}, "2.5", "Write a whole number."),
        ({"type": "integer"}, "1e999", "Write a whole number."),
        ({"type": "number"}, "inf", "Write a number."),
        ({"type": "number"}, "1e999", "Write a number."),
        ({"type": "number"}, "9" * 5_000, "Write a number."),
        ({"type": "number", "minimum": 3}, "2", "Write a number of at least 3."),
        ({"type": "number", "maximum": 1.5}, "2", "Write a number of at most 1.5."),
        ({"type": "string", "minLength": 3}, "ab", "Write at least 3 characters."),
        ({"type": "string", "maxLength": 3}, "abcd", "Write at most 3 characters."),
        ({"type": "string", "format": "date"}, "tomorrow", "A date, like 2026-03-31."),
        ({"type": "string", "format": "date"}, "2026-02-30", "A date, like 2026-03-31."),
        (
            {"type": "string", "format": "date-time"},
            "2026-03-31T09:30",
            "A date and a time with its zone, like 2026-03-31T09:30+02:00.",
        ),
        ({"type": "string", "format": "email"}, "ada", "An email address."),
        ({"type": "string", "format": "uri"}, "example", "An address, like https://example.com/."),
    ],
)
def test_what_does_not_fit_is_asked_again_with_the_reason(schema: Schema, text: str, reason: str) -> None:
    read = ask({"x": schema}, [text])
    assert complaint(read) == reason
    forms = read_forms({"form": request({"x": schema})})
    [again] = questions(forms, read.known, 1, say)
    assert again.question.startswith(reason)


def test_only_what_did_not_fit_is_asked_again_and_the_rest_is_remembered() -> None:
    forms = read_forms({"form": request({"name": {"type": "string"}, "age": {"type": "integer"}}, ["name", "age"])})
    read = read_answers(forms, Known(), answer(questions(forms, Known(), 1, say), ["Ada"], ["many"]), say)
    again = questions(forms, read.known, 1, say)
    assert [one.id for one in again] == ["q1"]
    assert content(read_answers(forms, read.known, answer(again, ["36"]), say)) == {"name": "Ada", "age": 36}


def test_whoever_skips_a_required_field_declines_and_is_not_asked_again() -> None:
    read = ask({"name": {"type": "string"}, "age": {"type": "integer"}}, None, ["many"], required=["name"])
    assert read.fits
    assert read.results["form"].action == "decline"
    assert read.results["form"].content is None


def test_a_blank_answer_is_none_and_an_optional_field_is_left_out() -> None:
    assert content(ask({"name": {"type": "string"}}, ["   "])) == {}
    assert ask({"name": {"type": "string"}}, ["   "], required=["name"]).results["form"].action == "decline"


def test_a_declined_form_stays_declined_while_another_is_asked_again() -> None:
    forms = read_forms(
        {"one": request({"a": {"type": "string"}}, ["a"]), "two": request({"b": {"type": "integer"}}, ["b"])}
    )
    read = read_answers(forms, Known(), answer(questions(forms, Known(), 1, say), None, ["x"]), say)
    read = read_answers(forms, read.known, answer(questions(forms, read.known, 1, say), ["1"]), say)
    assert {key: result.action for key, result in read.results.items()} == {"one": "decline", "two": "accept"}


def test_suggestions_may_be_taken_or_ignored() -> None:
    schema = {"type": "string", "title": "When?", "examples": ["today", "tomorrow"]}
    assert content(ask({"when": schema}, ["tomorrow"])) == {"when": "tomorrow"}
    assert content(ask({"when": schema}, ["on my birthday"])) == {"when": "on my birthday"}


def test_labels_that_look_alike_are_numbered() -> None:
    schema = {"type": "string", "enum": ["1", "2", "3"], "enumNames": ["Same", "same", ""]}
    forms = read_forms({"form": request({"x": schema})})
    [one] = questions(forms, Known(), 1, say)
    assert isinstance(one, StructuredInputMultipleChoice)
    assert [option.value for option in one.options] == ["1. Same", "2. same", "3."]
    assert content(ask({"x": schema}, ["2. same"])) == {"x": "2"}


def test_what_a_tool_says_is_plain_and_short_text() -> None:
    hostile = "Pay \u202enow\x00 " + "x" * 10_000
    forms = read_forms({"form": request({"x": {"type": "string", "title": hostile}}, message=hostile)})
    [one] = questions(forms, Known(), 1, say)
    assert "\u202e" not in one.question
    assert "\x00" not in one.question
    assert len(one.question) <= 1_000


@pytest.mark.parametrize(
    "properties",
    [
        {},
        {"x": {}},
        {"x": "string"},
        {"x": {"type": "object", "properties": {"y": {"type": "string"}}}},
        {"x": {"type": ["string", "null"]}},
        {"x": {"type": "array", "items": {"type": "string"}}},
        {"x": {"type": "array", "items": {"type": "object", "enum": [{"a": 1}]}}},
        {"x": {"type": "string", "enum": [1, 2]}},
        {"x": {"type": "string", "enum": "abc"}},
        {"x": {"type": "string", "oneOf": "abc"}},
        {"x": {"type": "string", "oneOf": [{"title": "no value"}]}},
        {"x": {"type": "string", "enum": ["a", "b"], "enumNames": ["only one"]}},
        {"x": {"type": "string", "enum": [str(number) for number in range(51)]}},
        {f"x{number}": {"type": "string"} for number in range(21)},
    ],
)
def test_what_cannot_be_asked_is_refused_before_anybody_is_asked(properties: Schema) -> None:
    with pytest.raises(Unaskable):
        read_forms({"form": request(properties)})


@pytest.mark.parametrize("sent", [{}, {"requestedSchema": None}, {"requestedSchema": {"properties": ["x"]}}])
def test_a_request_without_a_schema_is_refused(sent: Schema) -> None:
    with pytest.raises(Unaskable):
        read_forms({"form": sent})


WORDS: Final = st.text(min_size=1, max_size=30)
# What a person can write: something, and nothing that only looks like nothing.
WRITTEN: Final = WORDS.filter(lambda text: bool(text.strip()))
NAMED: Final = st.fixed_dictionaries({}, optional={"title": WORDS, "description": WORDS})
CHOICES: Final = st.lists(WORDS, min_size=1, max_size=6, unique=True)


KINDS_OF_FIELD: Final = ("boolean", "integer", "number", "string", "date", "enum", "titled", "many", "many titled")


@st.composite
def fields(draw: st.DrawFn) -> tuple[Schema, Any, list[str]]:
    """Any field that the protocol allows, a value for it, and how a person answers with that value."""
    schema: Schema = dict(draw(NAMED))
    kind = draw(
        st.sampled_from(["boolean", "integer", "number", "string", "date", "enum", "titled", "many", "many titled"])
    )
    match kind:
        case "boolean":
            value: Any = draw(st.booleans())
            return {**schema, "type": "boolean"}, value, [say("Yes") if value else say("No")]
        case "integer":
            value = draw(st.integers(-(10**18), 10**18))
            return {**schema, "type": "integer", "minimum": value - 1, "maximum": value}, value, [str(value)]
        case "number":
            value = draw(st.floats(allow_nan=False, allow_infinity=False))
            return {**schema, "type": "number", "minimum": value}, value, [repr(value)]
        case "string":
            value = draw(WRITTEN)
            return {**schema, "type": "string", "maxLength": len(value)}, value, [value]
        case "date":
            value = draw(st.dates()).isoformat()
            return {**schema, "type": "string", "format": "date"}, value, [value]
    values = draw(CHOICES)
    titles = draw(st.lists(WORDS, min_size=len(values), max_size=len(values)))
    options = [{"const": one, "title": title} for one, title in zip(values, titles, strict=True)]
    match kind:
        case "enum":
            schema |= {"type": "string", "enum": values}
            if draw(st.booleans()):
                schema["enumNames"] = titles
        case "titled":
            schema |= {"type": "string", "oneOf": options}
        case "many":
            schema |= {"type": "array", "items": {"type": "string", "enum": values}}
        case "many titled":
            schema |= {"type": "array", "items": {"anyOf": options}}
    if kind in {"enum", "titled"}:
        places = [draw(st.integers(0, len(values) - 1))]
        value = values[places[0]]
    else:
        places = draw(st.lists(st.integers(0, len(values) - 1), min_size=1, unique=True))
        value = [values[place] for place in places]
    # Which labels a person sees is for the questions to say.
    [asked] = questions(read_forms({"form": request({"x": schema})}), Known(), 1, say)
    assert isinstance(asked, StructuredInputMultipleChoice)
    return schema, value, [asked.options[place].value for place in places]


@given(st.dictionaries(WORDS, fields(), min_size=1, max_size=5), st.randoms(use_true_random=False))
def test_every_flat_schema_can_be_asked_and_every_value_answered(
    chosen: dict[str, tuple[Schema, Any, list[str]]], dice: Any
) -> None:
    required = [name for name in chosen if dice.random() < 0.5]
    forms = read_forms({"form": request({name: schema for name, (schema, _, _) in chosen.items()}, required)})
    asked = questions(forms, Known(), 1, say)
    # As it comes back from the store.
    item = StructuredInputItem.model_validate_json(
        StructuredInputItem(id="i", thread_id="t", created_at="2026-03-31T00:00:00Z", inputs=asked).model_dump_json()
    )
    skipped = [dice.random() < 0.2 for _ in chosen]
    answered = answer(
        item.inputs, *(None if skip else values for skip, (_, _, values) in zip(skipped, chosen.values(), strict=True))
    )
    read = read_answers(forms, Known(), answered, say)
    if any(skip and name in required for skip, name in zip(skipped, chosen, strict=True)):
        assert read.results["form"].action == "decline"
        return
    kept = {name: value for skip, (name, (_, value, _)) in zip(skipped, chosen.items(), strict=True) if not skip}
    assert content(read) == kept


JSON: Final = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
KEYS: Final = st.sampled_from(["type", "enum", "oneOf", "anyOf", "items", "title", "examples", "enumNames", "minimum"])
KINDS: Final = st.sampled_from(["string", "array", "boolean", "number", "integer", "object"])


@given(
    st.dictionaries(st.text(max_size=5), st.dictionaries(KEYS, JSON | KINDS, max_size=5) | JSON, max_size=4),
    st.lists(st.text(max_size=20), min_size=1, max_size=3),
)
def test_no_schema_and_no_answer_breaks_anything(properties: dict[str, Any], values: list[str]) -> None:
    try:
        forms = read_forms({"form": request(properties)})
    except Unaskable:
        return
    asked = questions(forms, Known(), 1, say)
    read_answers(forms, Known(), answer(asked, *([values] * len(asked))), say)
