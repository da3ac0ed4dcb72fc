"""What can be said of a statement before SQLite sees it: one SELECT, written out, that asks the person's own clock."""

from collections.abc import Sequence
from typing import Final

from mcp_server.snapshot.teaching.naming import OVERVIEW
from mcp_server.snapshot.teaching.words import Kind, Token, depths, echo, vocabulary
from shared.errors import Problem

ONE_SELECT: Final = "one SELECT only; this is a read-only copy."
_QUERIES: Final = frozenset({"SELECT", "WITH", "VALUES", "("})
_NO_TRANSACTION: Final = "there are no transactions; leave it out."
_NO_SETTING: Final = "nothing can be set; leave it out."
_NO_TABLE_OF_YOURS: Final = "tables cannot be made or changed; WITH x AS (SELECT ..) SELECT .. FROM x."
_INSTEAD: Final = (
    ("change tasks with tasks_edit.", "INSERT UPDATE DELETE REPLACE MERGE UPSERT TRUNCATE"),
    (_NO_TRANSACTION, "BEGIN START COMMIT ROLLBACK SAVEPOINT RELEASE END ABORT LOCK"),
    (_NO_SETTING, "SET RESET USE ANALYZE VACUUM REINDEX OPTIMIZE CHECKPOINT GRANT REVOKE DISCARD"),
    (_NO_TABLE_OF_YOURS, "CREATE ALTER DROP RENAME COMMENT DECLARE"),
    ("no other database or file is in reach; ask the tables here.", "ATTACH DETACH COPY LOAD INSTALL IMPORT EXPORT"),
    ("plans are not shown; send the SELECT alone.", "EXPLAIN"),
    (OVERVIEW, "PRAGMA SHOW DESCRIBE DESC HELP TABLE"),
    ("there are no procedures; write a SELECT.", "CALL EXEC EXECUTE DO PREPARE LISTEN NOTIFY"),
    ("SELECT * FROM .. comes first.", "FROM"),
)
_HINTS: Final = {word: hint for hint, known in _INSTEAD for word in known.split()}

# Functions that ask the clock where no time is given, and how many arguments come before the time.
_CLOCKS: Final = {"DATE": 0, "TIME": 0, "DATETIME": 0, "JULIANDAY": 0, "UNIXEPOCH": 0, "STRFTIME": 1, "TIMEDIFF": 1}
_CLOCK_WORDS: Final = frozenset({"CURRENT_DATE", "CURRENT_TIME", "CURRENT_TIMESTAMP"})
_ZONES: Final = frozenset({"localtime", "utc"})
_COMPARES: Final = vocabulary("= == <> != < > <= >= IS NOT LIKE GLOB BETWEEN AND OR WHEN IN || CASE")


def begins(tokens: Sequence[Token]) -> None:
    """Refuse what does not begin as a query does."""
    if not tokens:
        raise Problem("sql", "there is no statement", OVERVIEW)
    first = tokens[0]
    if first.word not in _QUERIES:
        if not first.text.isprintable():
            raise Problem("sql", f'"{echo(first.text)}" holds blanks of another kind', "write plain blanks.")
        hint = _HINTS.get(first.word, f'begin with SELECT or WITH, not "{echo(first.text)}".')
        raise Problem("sql", ONE_SELECT, hint)
    for before, token, depth in zip(tokens, tokens[1:], depths(tokens)[1:], strict=False):
        # WITH x AS (SELECT 1) DELETE FROM tasks
        if before.text == ")" and depth == 0 and token.word in ("INSERT", "UPDATE", "DELETE", "MERGE"):
            raise Problem("sql", ONE_SELECT, _HINTS[token.word])


def one_statement(tokens: Sequence[Token]) -> None:
    """Refuse a second statement, even an empty one."""
    if any(token.text == ";" for token in tokens[:-1]):
        raise Problem("sql", "one statement at a time", "send one SELECT; a ; may stand only at its end.")


def without_parameters(tokens: Sequence[Token]) -> None:
    """Refuse places for values that nobody will give."""
    for token in tokens:
        if token.kind is Kind.PARAMETER:
            raise Problem("sql", f'there are no parameters like "{echo(token.text)}"', "write the value itself.")


def not_now(tokens: Sequence[Token]) -> None:
    """Refuse the clock of the machine, which counts in UTC: the person has one of their own."""
    me_is_asked = any(token.word == "ME" for token in tokens)
    calls: list[tuple[str, int, int]] = []  # the open parentheses: the word before, commas so far, where it opened
    clocks = 0  # how many of them belong to a clock
    for at, token in enumerate(tokens):
        before = tokens[at - 1] if at else token
        following = tokens[at + 1] if at + 1 < len(tokens) else token
        if token.text == "(":
            calls.append((before.name.upper() if at else "", 0, at))
            clocks += calls[-1][0] in _CLOCKS
        elif token.text == "," and calls:
            name, commas, opened = calls[-1]
            calls[-1] = (name, commas + 1, opened)
        elif token.text == ")" and calls:
            name, commas, opened = calls.pop()
            clocks -= name in _CLOCKS
            given = commas + 1 if at > opened + 1 else 0
            if given <= _CLOCKS.get(name, -1):
                raise _utc()
        elif token.word in _CLOCK_WORDS and before.text != "." and before.word != "AS":
            raise _utc()
        elif token.kind is Kind.STRING or (token.kind is Kind.NAME and token.text[0] == '"' and not me_is_asked):
            is_compared = before.word in _COMPARES or following.word in _COMPARES or (calls and calls[-1][0] == "IN")
            if is_compared or not clocks:
                continue
            said = token.value.strip().lower()
            if said == "now":
                raise _utc()
            if said in _ZONES:
                raise Problem("sql", f"no '{said}': days and times are local already", "leave it out.")


def _utc() -> Problem:
    return Problem("sql_now", "that would be UTC", "(SELECT today FROM me) or (SELECT now FROM me).")
