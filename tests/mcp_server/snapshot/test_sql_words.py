"""SQL in tokens: nothing is lost, nothing is refused, and quotes hide what they hold."""

import sqlite3
from contextlib import closing

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mcp_server.snapshot.teaching.words import ECHO_LENGTH, Kind, depths, echo, pieces, words

SQL_TEXT = st.one_of(st.text(max_size=200), st.text("'\"`[]/*-\n;:$@?.0x9aE_# ()|<>=!~^é", max_size=200))

CUT = [
    ("SELECT a", [(Kind.WORD, "SELECT"), (Kind.WORD, "a")]),
    ("'it''s' x'00ff' X'0", [(Kind.STRING, "'it''s'"), (Kind.BLOB, "x'00ff'"), (Kind.BLOB, "X'0")]),
    ('"a""b" `c``d` [e f]', [(Kind.NAME, '"a""b"'), (Kind.NAME, "`c``d`"), (Kind.NAME, "[e f]")]),
    ("1.5e-3 .5 0x1F 7days 1", [(Kind.NUMBER, text) for text in ("1.5e-3", ".5", "0x1F", "7days", "1")]),
    ("? ?12 :a @b $c $1", [(Kind.PARAMETER, text) for text in ("?", "?12", ":a", "@b", "$c", "$1")]),
    ("a::int", [(Kind.WORD, "a"), (Kind.SIGN, "::"), (Kind.WORD, "int")]),
    ("a->>'b'", [(Kind.WORD, "a"), (Kind.SIGN, "->>"), (Kind.STRING, "'b'")]),
    ("a<=b<>c||d", [(Kind.WORD, "a"), (Kind.SIGN, "<="), (Kind.WORD, "b"), (Kind.SIGN, "<>"), (Kind.WORD, "c")]),
    ("1 -- it's /* \n2", [(Kind.NUMBER, "1"), (Kind.NUMBER, "2")]),
    ("1 /* ' */ 2 /* ;", [(Kind.NUMBER, "1"), (Kind.NUMBER, "2")]),
    ("größe 数", [(Kind.WORD, "größe"), (Kind.WORD, "数")]),
    ("\ufeffSELECT", [(Kind.WORD, "SELECT")]),
]


@pytest.mark.parametrize(("sql", "expected"), CUT)
def test_a_statement_is_cut_as_sqlite_cuts_it(sql: str, expected: list[tuple[Kind, str]]) -> None:
    assert [(token.kind, token.text) for token in words(sql)][: len(expected)] == expected


@settings(max_examples=300, deadline=None)
@given(SQL_TEXT)
def test_any_text_is_its_tokens_put_together(sql: str) -> None:
    found = pieces(sql)
    assert "".join(token.text for token in found) == sql
    for token in found:
        assert token.text
        assert isinstance(token.value, str)
        assert token.is_closed in (True, False)


@settings(max_examples=200, deadline=None)
@given(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=50))
def test_the_value_of_a_string_is_what_sqlite_reads(text: str) -> None:
    written = "'" + text.replace("'", "''") + "'"
    (token,) = words(written)
    with closing(sqlite3.connect(":memory:")) as connection:
        (value,) = connection.execute(f"SELECT {written}").fetchone()
    assert (token.kind, token.is_closed, token.value) == (Kind.STRING, True, value)


@pytest.mark.parametrize("sql", ["'a", "'a''", '"a', "`a", "[a", "/* a", "/*/", "x'0"])
def test_what_is_not_closed_is_known(sql: str) -> None:
    (token,) = pieces(sql)
    assert not token.is_closed


@pytest.mark.parametrize("sql", ["'a'", "''", '"a"', "`a`", "[a]", "/* a */", "/**/", "-- a", "x'00'", "a"])
def test_what_is_closed_is_known(sql: str) -> None:
    (token,) = pieces(sql)
    assert token.is_closed


def test_words_in_quotes_are_names_and_no_words() -> None:
    (quoted, bare) = words('"select" select')
    assert (quoted.word, quoted.name) == ("", "select")
    assert (bare.word, bare.name) == ("SELECT", "select")


def test_depths_count_open_parentheses() -> None:
    assert depths(words("a(b(c))d)")) == [0, 0, 1, 1, 2, 1, 0, 0, -1]


@given(st.text(max_size=300))
def test_an_echo_is_one_short_line(text: str) -> None:
    said = echo(text)
    assert len(said) <= ECHO_LENGTH
    assert said.isprintable()


def test_an_echo_keeps_short_text_and_marks_what_it_cuts() -> None:
    assert echo("due_date") == "due_date"
    assert echo("a\nb\x00\u2028c") == "a b c"
    assert echo("x" * 41) == "x" * 37 + "..."
