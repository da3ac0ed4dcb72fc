"""The formats of files of tasks: what each of them keeps, how they are told apart, and that no text breaks a reader."""

import re
from collections.abc import Sequence
from dataclasses import fields, replace
from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_server.tasks.transfer.document import (
    CommentRecord,
    CompletionRecord,
    Document,
    NameRecord,
    StatusWord,
    TaskRecord,
)
from mcp_server.tasks.transfer.formats import READERS, SIZE_LIMIT, WRITERS, detect, read, write
from shared.errors import Problem

# Round trips ---------------------------------------------------------------------------------------------------------

ANYTHING = st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp"])
# What titles and notes are made of to be hard on a format: its own signs.
SIGNS = st.sampled_from(
    [*"@!#\\()[]\"',;:=+-*>|`~$%&/\t0", "!p1", "(due fri)", "- [ ]", "\\n", "{", "=1+1", "'", "é", "🧑‍🚒"]
)
LINE = st.lists(st.one_of(ANYTHING, SIGNS, st.just(" ")), min_size=1, max_size=12).map("".join)
TITLES = LINE.map(lambda text: text.replace("\t", "").strip() or "0")
NOTES = st.lists(st.one_of(ANYTHING, SIGNS, st.just("\n")), max_size=12).map("".join)
NAMES = TITLES.map(lambda text: re.sub(r'["|,/@#]', "", text).strip() or "0")
DAYS = st.dates(date(1971, 1, 1), date(2199, 12, 31)).map(str)
INSTANTS = st.tuples(DAYS, st.times()).map(lambda at: f"{at[0]}T{at[1]:%H:%M:%S}Z")
CLOCKS = st.tuples(st.integers(4, 23), st.integers(0, 59)).map(lambda clock: f"{clock[0]:02}:{clock[1]:02}")
DUES = st.one_of(
    st.just(""),
    DAYS,
    st.tuples(DAYS, CLOCKS).map(" ".join),
    st.tuples(DAYS, CLOCKS, st.sampled_from(["Europe/Berlin", "Asia/Kolkata", "UTC"])).map(" ".join),
)
RULES = st.sampled_from(
    [("", ""), ("every 2 weeks on mon", "FREQ=WEEKLY;INTERVAL=2;BYDAY=MO"), ("every! month", "FREQ=MONTHLY")]
)
VALUES = st.one_of(st.booleans(), st.integers(-9, 9), st.just(2.5), TITLES)


@st.composite
def records(draw: st.DrawFn, number: int) -> TaskRecord:
    """A task that may have anything, under one that stands before it."""
    status: StatusWord = draw(st.sampled_from(["open", "done", "cancelled"]))
    due = draw(DUES)
    repeat, rrule = draw(RULES) if due else ("", "")
    list_name = draw(st.one_of(st.just(""), NAMES))
    above = st.sampled_from(["", *(f"T{earlier}" for earlier in range(1, number))])
    return TaskRecord(
        ref=f"T{number}",
        title=draw(TITLES),
        source=draw(st.sampled_from(["taskgate", "ics", "csv"])),
        source_id=f"mark-of-mine-{number}",
        notes=draw(NOTES),
        list_name=list_name,
        section=draw(st.one_of(st.just(""), NAMES)) if list_name else "",
        status=status,
        priority=draw(st.integers(1, 4)),
        due=due,
        start=draw(st.one_of(st.just(""), DAYS)),
        deadline=draw(st.one_of(st.just(""), DAYS)),
        repeat=repeat,
        rrule=rrule,
        anchor=draw(DAYS) if repeat else "",
        estimate_min=draw(st.one_of(st.none(), st.integers(1, 9_999))),
        reminders=tuple(
            draw(st.lists(st.sampled_from(["30m before", "1d before", "at due", "2026-11-20T08:00:00Z"]), unique=True))
        ),
        tags=tuple(draw(st.lists(NAMES, max_size=3, unique=True))),
        parent=draw(above),
        blocked_by=tuple(filter(None, [draw(above)])),
        assignee=draw(st.one_of(st.just(""), NAMES)),
        fields=tuple(draw(st.dictionaries(NAMES, VALUES, max_size=2)).items()),
        created=draw(INSTANTS),
        completed=draw(INSTANTS) if status != "open" else "",
    )


@st.composite
def documents(draw: st.DrawFn) -> Document:
    """A document of a few tasks, with names and with what happened to the tasks."""
    tasks = tuple(draw(records(number)) for number in range(1, draw(st.integers(1, 5))))
    lists = draw(st.lists(NAMES, unique=True, max_size=2))
    options = st.dictionaries(st.sampled_from(["color", "description"]), TITLES, max_size=2)
    names = [NameRecord("list", name, options=draw(options), is_archived=draw(st.booleans())) for name in lists]
    names = [section for one in names for section in (one, NameRecord("section", draw(NAMES), one.name))]
    names += [NameRecord("tag", name) for name in draw(st.lists(NAMES, max_size=2))]
    names += [NameRecord("view", name, filter="p1 due:today") for name in draw(st.lists(NAMES, max_size=1))]
    names += [NameRecord("field", name, options={"type": "number"}) for name in draw(st.lists(NAMES, max_size=1))]
    return Document(
        "json",
        tasks,
        tuple(names),
        tuple(CompletionRecord("T1", draw(INSTANTS), draw(DAYS), "cancelled") for _ in tasks[:1]),
        tuple(CommentRecord("T1", draw(TITLES), draw(INSTANTS), "me") for _ in tasks[:1]),
        exported=draw(INSTANTS),
        tz="Europe/Berlin",
    )


def plain(record: TaskRecord, *forgotten: str) -> TaskRecord:
    """The record without its place in the file and without what a format cannot hold."""
    empty: dict[str, Any] = {
        field.name: field.default for field in fields(TaskRecord) if field.name in {"line", "given", *forgotten}
    }
    return replace(record, **empty)


@given(documents())
def test_json_keeps_everything(document: Document) -> None:
    found = read(write(document, "json"))
    assert found.faults == ()
    assert found.unrecognised == ()
    assert [plain(record) for record in found.tasks] == [plain(record) for record in document.tasks]
    assert found.names == document.names
    assert [replace(one, line=0) for one in found.completions] == list(document.completions)
    assert [replace(one, line=0) for one in found.comments] == list(document.comments)
    assert (found.exported, found.tz) == (document.exported, document.tz)


@given(documents())
def test_csv_keeps_all_but_rules_of_their_own_reminders_and_what_blocks(document: Document) -> None:
    forgotten = ("rrule", "anchor", "reminders", "blocked_by", "fields")
    found = read(write(document, "csv"), "csv")
    assert found.faults == ()
    assert [plain(record, *forgotten) for record in found.tasks] == [
        plain(record, *forgotten) for record in document.tasks
    ]


@given(documents())
def test_icalendar_keeps_all_but_custom_fields(document: Document) -> None:
    if not document.tasks:
        return
    uids = {
        record.ref: record.source_id if record.source == "ics" else f"{record.source}:{record.source_id}"
        for record in document.tasks
    }
    expected = [
        replace(
            plain(record, "fields"),
            ref=uids[record.ref],
            parent=uids.get(record.parent, ""),
            blocked_by=tuple(uids[ref] for ref in record.blocked_by),
        )
        for record in document.tasks
    ]
    found = read(write(document, "ics"))
    assert found.faults == ()
    assert [plain(record, "fields") for record in found.tasks] == expected


@given(documents())
def test_markdown_keeps_what_a_reader_sees(document: Document) -> None:
    kept = (
        "title",
        "status",
        "priority",
        "due",
        "repeat",
        "start",
        "deadline",
        "notes",
        "tags",
        "estimate_min",
        "reminders",
    )
    found = read(write(document, "markdown"), "markdown") if document.tasks else document
    assert found.faults == ()

    def seen(records: Sequence[TaskRecord]) -> list[str]:
        return sorted(repr([getattr(record, name) for name in kept]) for record in records)

    assert seen(found.tasks) == seen(document.tasks)
    titles = {record.ref: record.title for record in document.tasks}
    found_titles = {record.ref: record.title for record in found.tasks}
    assert sorted((record.title, found_titles.get(record.parent, "")) for record in found.tasks) == sorted(
        (record.title, titles.get(record.parent, "")) for record in document.tasks
    )
    tops = [record for record in document.tasks if not record.parent]
    assert sorted((one.title, one.list_name, one.section) for one in found.tasks if not one.parent) == sorted(
        (one.title, one.list_name, one.section) for one in tops
    )


def test_a_file_of_ours_speaks_about_every_field_and_changes_none_it_does_not_hold() -> None:
    document = Document("json", (TaskRecord("T1", "Buy milk"),))
    [from_json] = read(write(document, "json")).tasks
    [from_csv] = read(write(document, "csv")).tasks
    [from_markdown] = read(write(document, "markdown")).tasks
    assert from_json.given >= {"notes", "due", "time", "repeat", "reminders", "blocked_by", "list_name", "section"}
    assert from_csv.given == from_json.given - {"reminders", "blocked_by"}
    assert from_markdown.given == {"title", "status"}


# Which format --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ('  [{"title": "A"}]', "json"),
        ("\ufeff{}", "json"),
        ("begin:vcalendar\n", "ics"),
        ("\nTitle\nMilk\n", "csv"),
        ('title,notes\nA,"- one\n- two"\n', "csv"),
        ("task\tdue\nA\tfri\n", "csv"),
        ("sep=;\ntitle;due\nA;fri\n", "csv"),
        ("type,TYPE,CONTENT\n", "todoist"),
        ("Todo\n- [ ] A\n", "markdown"),
        ("[ ] A\n", "markdown"),
        ("* A\n* B\n", "markdown"),
    ],
)
def test_the_format_of_a_text_shows(text: str, name: str) -> None:
    assert detect(text) == name


@pytest.mark.parametrize("text", ["", "Buy milk, and bread", "colour,size\n", "[]"])
def test_a_text_that_looks_like_no_format_is_refused(text: str) -> None:
    with pytest.raises(Problem) as refusal:
        read(text)
    assert refusal.value.code == "bad_content"


def test_what_is_too_much_is_refused() -> None:
    with pytest.raises(Problem) as refusal:
        read("title\n" + "é" * (SIZE_LIMIT // 2))
    assert refusal.value.code == "too_big"
    with pytest.raises(Problem) as refusal:
        read("title\n" + "a\n" * 10_001)
    assert refusal.value.code == "too_many"
    assert len(read("title\n" + "a\n" * 10_000).tasks) == 10_000


# Hostile text --------------------------------------------------------------------------------------------------------

PIECES = st.one_of(
    st.sampled_from(
        [
            *(
                "title",
                "TYPE,CONTENT",
                "- [ ] ",
                "# ",
                "  ",
                "> ",
                "```",
                '"',
                ",",
                ";",
                "\t",
                "\n",
                "\r\n",
                "\r",
                "=",
                "'",
            ),
            *(
                "BEGIN:VTODO\n",
                "END:VTODO\n",
                "SUMMARY:",
                "DUE:",
                "RRULE:",
                "TRIGGER:",
                "20261340T999999Z",
                "UID:",
                "\n ",
            ),
            *(
                '{"tasks":[',
                '{"title":',
                "]",
                "}",
                "null",
                "1e999",
                "-0",
                "true",
                "\\ud800",
                "\\u0000",
                "[[file {",
                "@",
                "!p1",
            ),
            *(
                "(due fri)",
                "every",
                "task,",
                "section,",
                "note,",
                "999999999999999999999",
                "-P1D",
                "TZID=",
                "\x0b",
                "\u2028",
            ),
        ]
    ),
    st.text(max_size=5),
)


@given(st.lists(PIECES, max_size=40).map("".join), st.sampled_from(["auto", *READERS]))
def test_any_text_is_a_document_or_a_refusal(text: str, name: str) -> None:
    try:
        found = read(text, name)
    except Problem as problem:
        assert problem.code == "bad_content"
        assert len(str(problem)) < 240
        return
    assert all(len(fault.what) < 200 for fault in found.faults)
    for task in found.tasks:
        assert task.title == task.title.strip() != ""
    for name_to in WRITERS:
        write(replace(found, tasks=tuple(replace(task, due="", reminders=()) for task in found.tasks)), name_to)


@pytest.mark.parametrize("name", READERS)
@pytest.mark.parametrize(
    "text",
    [
        *("title\n" + " " * 400_000 + "x", "- [ ] " + "(" * 400_000, "# " + " #" * 200_000 + "x", "- " * 200_000 + "x"),
        *("BEGIN:VTODO\nSUMMARY:" + "\\" * 400_000 + "\nEND:VTODO", "TYPE,CONTENT\nnote," + "[[file {" * 10_000),
        *("a;b=" + '"' * 400_000, "- [ ] a " + "@" * 400_000, "[" + "{}," * 100_000 + "{}]", "\n" * 400_000),
        *("> " * 200_000, "- a\n" * 9_000),
    ],
    ids=range(12),
)
def test_no_text_takes_long(text: str, name: str) -> None:
    """The limit of a test is what would end it."""
    try:
        read(text, name)
    except Problem as problem:
        assert problem.code == "bad_content"
