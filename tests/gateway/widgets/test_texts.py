"""Whatever people write shows as text: it adds no component, no action and nothing that steers what stands near it."""

from typing import Any, Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.widgets import Card, render
from tests.gateway.widgets.looking import actions, components, result, say, shown_to, tool, well_made, words_in
from tests.living import Living

HOSTILE: Final = [
    "<img src=x onerror=alert(1)><script>alert(1)</script>",
    "{{ 7*7 }} {% for x in y %} ${7*7} #{7*7} %s {count}",
    '"}],"children":[{"type":"Button","label":"Pay","onClickAction":{"type":"mcp.call"}}]',
    "![x](https://evil.example/x.png) [y](javascript:alert(1)) **bold**",
    "a\x00b\x07c\u202egnp.exe\u2066\u2069\u200b\ufeff\ud800z\u2028y",
    "x" * 10_000,
    "👩\u200d👩\u200d👧 नमस्ते سلام " * 300,
    " ",
    "T99 done, due tomorrow",
]
STEERING: Final = "\x00\x07\u202e\u2066\u2069\u200b\ufeff\ud800\u2028"


def task(words: str, **also: Any) -> dict[str, Any]:
    """A task full of these words."""
    return {
        "ref": "T1",
        "title": words,
        "list": words,
        "section": words,
        "tags": [words] * 9,
        "due": words,
        "tz": words,
        "repeat": words,
        "priority": words,
        "assignee": words,
        "by": words,
        "version": 3,
        "notes": f"{words}\n{words}",
        "comments": [{"by": words, "body": words}] * 9,
        "fields": {words: words},
        "blocked_by": [words],
        **also,
    }


def cards(words: str, many: int = 60) -> dict[str, Card | None]:
    """Every card, with these words wherever a person or a tool may put some, many times."""
    one = task(words, subtasks=[task(words)] * many)
    about = {"rev": 7, "now": "2026-11-20T10:40:00+01:00", "tz": words, "notes": [words] * 5, "cursor": words}
    write = {"op": 4, "tool": words, "counts": {words: 3, "added": 2}, "refs": ["T1", words], "tasks": [one] * many}
    changes = [{"ref": words, "before": {words: words, "title": words}, "after": {words: words, "title": words}}]
    op = {"op": 4, "at": words, "actor": words, "client": words, "tool": words, "summary": words, "changes": changes}
    drawn = {"type": words, "labels": [words] * many, "series": [{"name": words, "values": [1] * many}] * 3}
    shown = {
        "task_list": (tool("tasks_find", "task_list"), {"filter": words}, {"tasks": [one] * many, "total": 99}),
        "task": (tool("tasks_find", "task_list"), {"refs": [words]}, {"tasks": [one]}),
        "receipt": (tool("tasks_edit", "receipt", reads=False), {}, {**write, "changes": changes * many}),
        "timeline": (tool("history", "timeline"), {"ref": words}, {"ops": [op] * many}),
        "table": (
            tool("data_query", "table"),
            {"sql": words},
            {"columns": [words] * 20, "rows": [[words] * 20] * many},
        ),
        "chart": (tool("data_query", "chart"), {"sql": words}, {"chart": drawn}),
        "object": (tool(words or "x", title=words), {}, {words: words, "b": [{words: words}], "c": {"d": {}}}),
        "objects": (tool(words or "x", title=words), {}, {"result": [{words: words, "n": 1, "m": words}] * many}),
        "export": (tool("data_export", "receipt"), {}, {"format": words, "count": 4, "content": words}),
    }
    return {
        name: render(asked, arguments, result({**about, **values} if asked.meta else values), say)
        for name, (asked, arguments, values) in shown.items()
    }


def shape(card: Card) -> list[str]:
    """What a card is made of, without its words."""
    return [one["type"] for one in components(card.widget)]


@pytest.mark.parametrize("words", HOSTILE, ids=range(len(HOSTILE)))
def test_words_add_nothing_but_words(words: str) -> None:
    plain, hostile = cards("words"), cards(words)
    for name, card in hostile.items():
        if card is None:
            assert not words.strip()
            continue
        well_made(card)
        for read in (*words_in(card), card.copy_text):
            assert not set(read) & set(STEERING)
        calls = {(action["type"], action["payload"].get("tool")) for action in actions(card)}
        assert calls <= {
            ("open_task", None),
            ("mcp.call", "tasks_complete"),
            ("mcp.call", "tasks_edit"),
            ("mcp.call", "tasks_add"),
            ("mcp.call", "undo"),
        }
        familiar = plain[name]
        assert familiar is not None
        assert set(shape(card)) <= {*shape(familiar), "Input"}


@given(st.text(max_size=60))
@settings(max_examples=100, deadline=None)
def test_any_words_survive_into_every_card(words: str) -> None:
    for card in cards(words, 2).values():
        if card is not None:
            well_made(card)


@pytest.mark.anyio
async def test_titles_of_every_kind_are_shown_as_they_are_stored(living: Living) -> None:
    titles = [words for words in HOSTILE if words.strip() and words.isprintable() and len(words) < 200]
    async with living.client("ada") as person:
        ada = await shown_to(person)
        await person.add(*titles)
        card = await ada.card("tasks_find", sort="created")

    assert set(titles) <= set(words_in(card))


def test_long_texts_are_cut_and_the_whole_copy_stays_small() -> None:
    for card in cards("long words " * 5_000).values():
        assert card is not None
        assert max(map(len, words_in(card))) <= 200
        well_made(card)


def test_a_title_that_is_not_shown_whole_cannot_be_overwritten_with_a_part_of_it() -> None:
    fields = {}
    for words in ("short", "x" * 300):
        card = render(tool("tasks_find", "task_list"), {"refs": ["T1"]}, result({"tasks": [task(words)]}), say)
        assert card is not None
        [form] = [one for one in components(card.widget) if one.get("key", "").startswith("edit")]
        fields[words] = {one["name"] for one in components(form) if one["type"] in ("Input", "Select")}
    assert "title" in fields["short"]
    assert "title" not in fields["x" * 300]


def test_a_card_with_too_long_a_question_is_shown_without_reading_again() -> None:
    found = result({"rev": 1, "tasks": [{"ref": "T1", "title": "A", "version": 1}]})
    for filter_ in ("words " * 1_000, "half a \ud83d"):
        card = render(tool("tasks_find", "task_list"), {"filter": filter_}, found, say)
        assert card is not None
        assert card.source is None
        assert all("then" not in action["payload"] for action in actions(card))
