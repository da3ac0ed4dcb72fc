"""Sources of an answer: the tasks it names that a tool has returned, and nothing else."""

import pytest
from chatkit.types import Annotation, EntitySource
from hypothesis import given
from hypothesis import strategies as st

from gateway.sources import cited

KNOWN = {"T1": "Buy milk", "T12": "Call the dentist", "ann:T12": "Paint the fence", "T123": "Read"}


def refs(text: str) -> list[str]:
    return [source_of(annotation).id for annotation in cited(text, KNOWN)]


def source_of(annotation: Annotation) -> EntitySource:
    assert isinstance(annotation.source, EntitySource)
    return annotation.source


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("T12 is due today.", ["T12"]),
        ("Done: **T1**, (T12), T123/T1 and #T12!", ["T1", "T12", "T123"]),
        ("Ann asks about ann:T12, not about T12.", ["ann:T12", "T12"]),
        ("Only ann:T12.", ["ann:T12"]),
        ("bob:T12 is somebody else's", []),
        ("T99 is unknown", []),
        ("XT12, T12x, T_12, T1234, t12, v1.T12", []),
        ("Type `T12` or ``T1 T12``.", []),
        ("```\nT12\n```\nand T1", ["T1"]),
        ("before T1\n~~~sql\nT12", ["T1"]),
        ("https://example.com/T12?x=T1#T12 and www.example.com/T1", []),
        ("[T12](https://example.com/T1)", ["T12"]),
        ("mailto:T12@example.com", []),
        ("a stray ` before T12", ["T12"]),
        ("", []),
    ],
)
def test_only_known_tasks_that_the_text_names_are_sources(text: str, named: list[str]) -> None:
    assert refs(text) == named


def test_a_task_named_twice_is_one_source_where_it_is_named_first() -> None:
    [annotation] = cited("First T12, then T12.", KNOWN)
    assert annotation.index == len("First T12")
    assert source_of(annotation).title == "Call the dentist"
    assert source_of(annotation).interactive


def test_the_place_is_counted_as_browsers_count() -> None:
    [annotation] = cited("🎉 T12", KNOWN)
    assert annotation.index == 6


def test_a_long_title_is_cut() -> None:
    [annotation] = cited("T1", {"T1": "word " * 100})
    assert len(source_of(annotation).title) <= 100


def test_without_tools_nothing_is_a_source() -> None:
    assert cited("T1 and T12", {}) == []


@given(st.text(), st.dictionaries(st.text(min_size=1, max_size=8), st.text(max_size=20), max_size=5))
def test_any_text_is_read_to_its_end(text: str, known: dict[str, str]) -> None:
    annotations = cited(text, known)
    assert len({source_of(annotation).id for annotation in annotations}) == len(annotations)
    for annotation in annotations:
        assert source_of(annotation).id in text


@pytest.mark.parametrize("piece", ["`", "```\n", "a.", "a+", "](", "T1", "~~~", "http://", "www."])
def test_a_text_that_is_made_to_be_slow_is_not(piece: str) -> None:
    # Twice the text takes about twice the time; a pattern that starts over would need minutes for this.
    cited(piece * 50_000, KNOWN)
