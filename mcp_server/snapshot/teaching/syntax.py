"""Statements that do not hold together: which word, quote, comma or parenthesis it probably is."""

from collections.abc import Sequence
from difflib import get_close_matches
from itertools import pairwise
from typing import Final

from mcp_server.snapshot.teaching.dialects import foreign
from mcp_server.snapshot.teaching.naming import OVERVIEW
from mcp_server.snapshot.teaching.words import Kind, Token, depths, echo, vocabulary
from shared.errors import Problem

_ORDER: Final = ("SELECT", "FROM", "WHERE", "GROUP", "HAVING", "WINDOW", "ORDER", "LIMIT")
_CLAUSES: Final = frozenset(_ORDER)
_COMPOUNDS: Final = frozenset({"UNION", "EXCEPT", "INTERSECT"})
_MISSPELT: Final = vocabulary(
    "SELECT FROM WHERE GROUP ORDER HAVING LIMIT JOIN LEFT INNER UNION DISTINCT BETWEEN PARTITION OFFSET EXISTS WITH"
)
_RESERVED: Final = vocabulary(
    "ADD ALL ALTER AND AS BETWEEN CASE CHECK COLLATE COMMIT CONSTRAINT CREATE DEFAULT DELETE DISTINCT DROP ELSE ESCAPE"
    " EXCEPT EXISTS FOREIGN FROM GROUP HAVING IN INDEX INSERT INTERSECT INTO IS ISNULL JOIN LIMIT NOT NOTNULL NULL ON"
    " OR ORDER PRIMARY REFERENCES SELECT SET TABLE THEN TO TRANSACTION UNION UNIQUE UPDATE USING VALUES WHEN WHERE"
)
_GATHERS: Final = frozenset({"GROUP_CONCAT", "STRING_AGG", "JSON_GROUP_ARRAY", "ARRAY_AGG", "JSON_AGG"})


def borrowed(tokens: Sequence[Token]) -> Problem | None:
    """The refusal of what only other databases take, if the statement has any of it."""
    turn = foreign(tokens)
    return Problem("sql", f'syntax error near "{echo(turn.written)}"', turn.instead) if turn else None


def broken(tokens: Sequence[Token], near: str | None) -> Problem:
    """What to mend: `near` is the word at which SQLite gave up, and nothing where the statement ended too early."""
    if problem := borrowed(tokens):
        return problem
    for find in (_unclosed, _comma, _parentheses, _case, _alias, _by, _sorted_inside, _clause_order, _misspelt):
        if fault := find(tokens, (near or "").upper()):
            return Problem("sql", *fault)
    if near is None:
        last = f' after "{echo(tokens[-1].text)}"' if tokens else ""
        return Problem("sql", f"the statement ends too early{last}", "write the rest of it.")
    return Problem("sql", f'syntax error near "{echo(near)}"', _TURNED.get(near.upper(), OVERVIEW))


_TURNED: Final = {
    "(": "begin with SELECT; a subquery stands in parentheses, a statement does not.",
    ".": "write table.column and no more; there is one database.",
    "SELECT": "put a subquery in parentheses, and UNION ALL between two SELECTs.",
    "FROM": "between SELECT and FROM stand expressions with commas between them.",
    "AND": "there must be a condition on both sides.",
    "PRECEDING": "`sum(no) OVER (ORDER BY id ROWS BETWEEN 6 PRECEDING AND CURRENT ROW)`",
    "FOLLOWING": "`sum(no) OVER (ORDER BY id ROWS BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING)`",
    "OR": "there must be a condition on both sides.",
}


def unknown_token(tokens: Sequence[Token], written: str) -> Problem:
    """A sign or number that SQL does not have."""
    if problem := borrowed(tokens):
        return problem
    if fault := _unclosed(tokens, ""):
        return Problem("sql", *fault)
    if written[:1].isdigit():
        return Problem(
            "sql", f'"{echo(written)}" is neither number nor name', "quote it: text as 'x', a name as \"x\"."
        )
    return Problem("sql", f'"{echo(written)}" means nothing in SQL', "leave it out, or put text in single quotes.")


_Fault = tuple[str, str]  # what, and how to mend it


def _unclosed(tokens: Sequence[Token], _: str) -> _Fault | None:
    for token in tokens:
        if not token.is_closed:
            quote = token.text[0]
            if token.kind is Kind.STRING:
                return "a quote ' is never closed", "close it; a quote inside text is written twice: 'it''s'."
            return f"a quote {quote} is never closed", "close it; text stands in single quotes: 'word'."
    return None


def _comma(tokens: Sequence[Token], _: str) -> _Fault | None:
    for before, token in pairwise(tokens):
        if before.text == "," and (token.word in _CLAUSES - {"SELECT"} or token.text in (",", ")", ";")):
            return f"a comma stands before {token.word}", "leave the comma out."
    return ("the statement ends with a comma", "leave it out.") if tokens and tokens[-1].text == "," else None


def _parentheses(tokens: Sequence[Token], _: str) -> _Fault | None:
    levels = depths(tokens)
    if levels and min(levels) < 0:
        return 'a ")" has no "("', "remove it, or open it earlier."
    opened = sum(token.text == "(" for token in tokens) - sum(token.text == ")" for token in tokens)
    return ('a "(" is never closed', 'add ")" where it ends.') if opened else None


def _case(tokens: Sequence[Token], _: str) -> _Fault | None:
    starts = sum(token.word == "CASE" for token in tokens)
    ends = sum(token.word == "END" for token in tokens)
    return ("a CASE has no END", "CASE WHEN .. THEN .. ELSE .. END.") if starts > ends else None


def _alias(tokens: Sequence[Token], _: str) -> _Fault | None:
    for at, token in enumerate(tokens[1:], 1):
        before, following = tokens[at - 1].word, tokens[at + 1].word if at + 1 < len(tokens) else ""
        is_alias = (
            before == "AS" and token.word in _RESERVED - {"SELECT"} and token.word not in _CLAUSES - {"GROUP", "ORDER"}
        )
        is_name = token.word in ("GROUP", "ORDER") and following in ("", ",", ")", "=", "FROM", "ASC", "DESC")
        if is_alias or is_name:
            return f'"{token.text}" is a word of SQL', f'as a name in double quotes: "{token.text}".'
    return None


def _by(tokens: Sequence[Token], _: str) -> _Fault | None:
    for token, following in pairwise(tokens):
        if token.word in ("GROUP", "ORDER", "PARTITION") and following.word != "BY":
            return f"BY is missing after {token.word}", f"{token.word} BY."
    return None


def _sorted_inside(tokens: Sequence[Token], near: str) -> _Fault | None:
    """Newer versions of SQLite sort inside an aggregate, so it is a fault only where SQLite says so."""
    if near != "ORDER" or not any(token.word in _GATHERS for token in tokens):
        return None
    sorted_before = "`SELECT group_concat(title, ', ') FROM (SELECT title FROM tasks ORDER BY due)`"
    return "no ORDER BY inside a function", f"sort in a subquery: {sorted_before}"


def _clause_order(tokens: Sequence[Token], _: str) -> _Fault | None:
    reached: dict[int, int] = {}
    for token, depth in zip(tokens, depths(tokens), strict=True):
        if token.text == "(":
            reached.pop(depth + 1, None)
        elif token.word in _COMPOUNDS:
            reached[depth] = -1
        elif token.word == "SELECT" and reached.get(depth, -1) > 0:
            return "a second SELECT begins", "put UNION ALL between, or a subquery in parentheses."
        elif token.word in _CLAUSES - {"SELECT"}:
            place = _ORDER.index(token.word)
            if place <= reached.get(depth, -1):
                return (
                    f"{token.word} stands too late or twice",
                    "the order is SELECT, FROM, WHERE, GROUP BY, HAVING, WINDOW, ORDER BY, LIMIT.",
                )
            reached[depth] = place
    return None


def _misspelt(tokens: Sequence[Token], near: str) -> _Fault | None:
    for at, token in enumerate(tokens):
        if token.word != near:
            continue
        for word in (near, tokens[at - 1].word if at else ""):
            if word not in _MISSPELT and (meant := get_close_matches(word[:20], sorted(_MISSPELT), n=1, cutoff=0.74)):
                return f'syntax error near "{echo(word)}"', f"is {meant[0]} meant?"
    return None
