"""Languages: which one a person gets, how sentences are put together, and that no sentence of ours lacks one.

The sentences stand where they are used, so they are found in the code itself.
"""

import ast
import json
import re
import string
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

import gateway
from gateway.words import LANGUAGES, TABLES, Sentence, Template, language_of, said, translated
from shared.errors import STATUS

GATEWAY: Final = Path(gateway.__file__).parent
ROOT: Final = GATEWAY.parent
# Of shared, what people can meet in the middle of a request.
SHARED: Final = (ROOT / "shared" / "db.py",)
TOOLS: Final = ROOT / "tests" / "snapshots" / "tools"
# Where a Problem is for operators, in a terminal or a log, or for the model.
NOT_FOR_PEOPLE: Final = (
    "attachments/disk.py",
    "attachments/reading.py",
    "attachments/sweeping.py",
    "front.py",
    "people/",
    "settings.py",
    "toolbox.py",
)
# What people hear of there nevertheless.
HEARD: Final = {"the task service is away"}
# Which arguments of these are sentences.
SPEAKING: Final = {"say": (0,), "said": (1,), "Sentence": (0,), "Limited": (0, 1)}
# What people read of these has to come from a sentence.
SHOWN: Final = {"CustomStreamError": "message", "NoticeEvent": "message", "ProgressUpdateEvent": "text"}


def sources() -> list[Path]:
    """Our code, but for the tables and the one place that hands sentences on to them."""
    found = sorted(GATEWAY.rglob("*.py"))
    return [path for path in found if "words" not in path.parts and path != GATEWAY / "turn.py"]


def name_of(call: ast.Call) -> str:
    match call.func:
        case ast.Name(name) | ast.Attribute(attr=name):
            return name
    return ""


def calls(path: Path) -> Iterator[ast.Call]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return (node for node in ast.walk(tree) if isinstance(node, ast.Call))


def spoken(path: Path) -> Iterator[ast.expr]:
    """What this file says to people: the sentences it puts together, and the text of its problems."""
    reaches_people = not (
        path.is_relative_to(GATEWAY) and path.relative_to(GATEWAY).as_posix().startswith(NOT_FOR_PEOPLE)
    )
    for call in calls(path):
        yield from (call.args[place] for place in SPEAKING.get(name_of(call), ()) if place < len(call.args))
        match call.args:
            case [ast.Constant(str(code)), *texts] if code in STATUS and reaches_people:
                # What a kind of problem hands on as it got it is found where it is raised.
                is_handed_on = name_of(call) == "__init__"
                yield from (text for text in texts[:2] if not (is_handed_on and isinstance(text, ast.Name)))
                yield from (keyword.value for keyword in call.keywords if keyword.arg in ("message", "hint"))


def sentences(expression: ast.expr) -> Iterator[Template]:
    """The templates that an expression can be. Raises `ValueError` for text that only the running program knows."""
    match expression:
        case ast.Constant(str(text)):
            if text:
                yield text
        case ast.Tuple([ast.Constant(str(one)), ast.Constant(str(many))]):
            yield one, many
        case ast.IfExp(body=one, orelse=other):
            yield from sentences(one)
            yield from sentences(other)
        case ast.Call() if name_of(expression) in SPEAKING:
            pass  # found by itself
        case _:
            raise ValueError(ast.unparse(expression))


def of(path: Path) -> tuple[set[Template], list[str]]:
    """The sentences of a file, and what cannot be looked up in a table."""
    found: set[Template] = set()
    unknown: list[str] = []
    for expression in spoken(path):
        try:
            found.update(sentences(expression))
        except ValueError as error:
            unknown.append(f"{path.relative_to(ROOT)}:{expression.lineno}: {error}")
    return found, unknown


def all_sentences() -> set[Template]:
    """Ours, those of shared, and what our tools are called."""
    titles = {json.loads(path.read_text(encoding="utf-8"))["title"] for path in TOOLS.glob("*.json")}
    return titles.union(HEARD, *(of(path)[0] for path in (*sources(), *SHARED)))


def placeholders(template: Template) -> list[set[str]]:
    texts = (template,) if isinstance(template, str) else template
    return [{name for _, name, _, _ in string.Formatter().parse(text) if name is not None} for text in texts]


def literal(value: ast.expr) -> str:
    """The part of a text that stands in the code."""
    match value:
        case ast.Constant(str(text)):
            return text
        case ast.JoinedStr(parts):
            return "".join(map(literal, parts))
    return ""


def test_every_sentence_is_written_where_it_is_said() -> None:
    assert [place for path in sources() for place in of(path)[1]] == []


def values_of(call: ast.Call) -> set[str] | None:
    """The values that a call puts into a sentence; None if they cannot be told from the code."""
    names = [keyword.arg for keyword in call.keywords]
    return None if None in names else {name for name in names if name is not None}


def test_every_sentence_is_given_its_values() -> None:
    wrong = [
        f"{path.relative_to(ROOT)}:{call.lineno}: {ast.unparse(call)}"
        for path in sources()
        for call in calls(path)
        for place in SPEAKING.get(name_of(call), ())
        if name_of(call) != "Limited" and place < len(call.args) and values_of(call) is not None
        for template in sentences(call.args[place])
        if set[str]().union(*placeholders(template)) != values_of(call)
    ]
    assert wrong == []


def test_nothing_is_shown_to_people_that_is_no_sentence() -> None:
    bare = [
        f"{path.relative_to(ROOT)}:{value.lineno}: {ast.unparse(value)}"
        for path in sources()
        for call in calls(path)
        if (shown := SHOWN.get(name_of(call)))
        for value in [*call.args[:1], *(keyword.value for keyword in call.keywords if keyword.arg == shown)]
        if re.search("[a-z]", literal(value))
    ]
    assert bare == []


@pytest.mark.parametrize("language", TABLES)
def test_every_sentence_exists_in_every_language_and_no_language_has_others(language: str) -> None:
    ours = all_sentences()
    assert sorted(map(str, ours - TABLES[language].keys())) == []
    assert sorted(map(str, TABLES[language].keys() - ours)) == []


@pytest.mark.parametrize("language", TABLES)
def test_a_translation_has_the_values_of_its_sentence(language: str) -> None:
    for english, other in TABLES[language].items():
        assert isinstance(english, str) == isinstance(other, str), english
        # A count of one may stand as a word.
        for names, others in zip(placeholders(english), placeholders(other), strict=True):
            assert names - {"count"} == others - {"count"}, english


@pytest.mark.parametrize(
    ("header", "language"),
    [
        (None, "en"),
        ("", "en"),
        ("de", "de"),
        ("de-AT", "de"),
        ("DE-ch;q=0.5", "de"),
        ("en-US,en;q=0.9,de;q=0.8", "en"),
        ("de;q=0.8,en-GB;q=0.9", "en"),
        ("fr-FR, fr;q=0.9, de;q=0.1", "de"),
        ("fr", "en"),
        ("*", "en"),
        ("en;q=0, *;q=0.1", "de"),
        ("de;q=0", "en"),
        ("de;q=0, en;q=0", "en"),
        ("de;q=x, en;q=0.1", "en"),
        ("de;q=2", "en"),
        ("de;q=nan, en;q=0.1", "en"),
        ("de; q=0.3, *;q=0.2", "de"),
        ("de_DE", "en"),
        (";;;,=,q=1,-,*-*", "en"),
        ("x" * 10_000, "en"),
        ("de," * 3_000, "de"),
    ],
)
def test_the_language_is_the_first_of_ours_by_quality(header: str | None, language: str) -> None:
    assert language_of(header) == language


@given(st.text())
def test_any_header_means_a_language_we_speak(header: str) -> None:
    assert language_of(header) in LANGUAGES


def test_a_sentence_reads_as_english_and_can_be_said_in_another_language() -> None:
    sentence = Sentence(("{count} open task", "{count} open tasks"), count=1)
    assert sentence == "1 open task"
    assert translated("de", sentence) == "1 offene Aufgabe"
    assert translated("en", sentence) == "1 open task"
    assert translated("de", deepcopy(sentence)) == "1 offene Aufgabe"
    assert said("de", ("{count} open task", "{count} open tasks"), count=2) == "2 offene Aufgaben"


def test_what_we_do_not_know_stays_as_it_is() -> None:
    assert translated("de", "Nobody wrote {this} down") == "Nobody wrote {this} down"
    assert said("fr", "Tasks") == "Tasks"


@given(st.text())
def test_a_value_is_put_in_as_it_is(value: str) -> None:
    assert said("en", "in {list}", list=value) == f"in {value}"
    assert translated("de", Sentence("due {day}", day=value)) == f"fällig {value}"
