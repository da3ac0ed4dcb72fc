"""Refusals of SQL in words that teach what to write instead. Nothing of SQLite's own text passes."""

import re
from collections.abc import Callable, Sequence
from difflib import get_close_matches
from itertools import pairwise
from typing import Final

from mcp_server.snapshot.running.fence import FUNCTIONS as ALLOWED
from mcp_server.snapshot.running.fence import READABLE
from mcp_server.snapshot.running.process import Fault
from mcp_server.snapshot.teaching.dialects import FUNCTIONS
from mcp_server.snapshot.teaching.naming import OVERVIEW, no_column, no_table, only_tables_for_people
from mcp_server.snapshot.teaching.opening import ONE_SELECT, begins, not_now, one_statement, without_parameters
from mcp_server.snapshot.teaching.syntax import borrowed, broken, unknown_token
from mcp_server.snapshot.teaching.words import Kind, Token, echo, words
from shared.errors import Problem

_LONGEST: Final = 20_000  # bytes
# So many characters are looked at beforehand: beyond them only a hint is lost, and reading keeps others waiting.
_READ: Final = 6_000
_FEWER_ROWS: Final = "filter earlier, fewer joins, no cross joins."


def check(sql: str) -> None:
    """Refuse what is known to be wrong before SQLite is asked."""
    if len(sql.encode("utf-8", "replace")) > _LONGEST:
        raise _too_long()
    tokens = words(sql[:_READ])
    begins(tokens)
    one_statement(tokens)
    without_parameters(tokens)
    not_now(tokens)
    only_tables_for_people(tokens)


def taught(sql: str, fault: Fault) -> Problem:
    """The fault of a statement in words for the one who wrote it. What the worker says of it, nobody has checked."""
    if fault.kind == "time":
        return Problem("sql_limit", "stopped after 1.2 s", _FEWER_ROWS)
    if fault.kind == "memory":
        return _limit("it needs too much memory", "filter earlier; sort, join and gather fewer rows.")
    tokens = words(sql)
    text = fault.text[:1000].strip()
    for pattern, answer in _SAID:
        if found := pattern.match(text):
            return answer(found, tokens)
    if fault.kind == "size":
        return _limit("a value or the statement becomes too big", "shorten texts with substr, gather fewer rows.")
    return Problem("sql", "SQLite cannot run this", OVERVIEW)


def _too_long() -> Problem:
    return _limit("longer than 20,000 bytes", "ask for less, or in several questions.")


def _limit(what: str, hint: str) -> Problem:
    return Problem("sql_limit", what, hint)


def _no_function(written: str) -> Problem:
    name = written.lower()
    what = f"{echo(name)} is not available"
    if hint := FUNCTIONS.get(name):
        return Problem("sql", what, hint)
    if name.startswith(("sqlite_", "pg_", "fts")):
        return Problem("sql", what, "leave it out; only the tables can be asked.")
    near = get_close_matches(name[:60], sorted(ALLOWED), n=1, cutoff=0.7)
    return Problem("sql", what, f"{near[0]}." if near else OVERVIEW)


def _column(found: re.Match[str], tokens: Sequence[Token]) -> Problem:
    if problem := borrowed(tokens):
        return problem
    for token, following in pairwise(tokens):
        name = token.text.lower()
        if following.text == "(" and token.kind is Kind.WORD and name in FUNCTIONS and name not in ALLOWED:
            return _no_function(name)
    return no_column(found[1].strip('"'), tokens)


def _table(found: re.Match[str], tokens: Sequence[Token]) -> Problem:
    if problem := borrowed(tokens):
        return problem
    name = found[1].rsplit(".", 1)[-1].lower()
    if name in FUNCTIONS:
        return _no_function(name)
    if name in READABLE:
        return Problem("sql", f"{name} is not in this FROM", f"add FROM {name}; a schema before it is not needed.")
    return no_table(found[1])


def _prohibited(found: re.Match[str], _: Sequence[Token]) -> Problem:
    return no_table(found[1].rsplit(".", 1)[0])


def _refused(_: re.Match[str], tokens: Sequence[Token]) -> Problem:
    for token in tokens:
        if token.text.lower().startswith(("pragma_", "sqlite_")):
            return no_table(token.text)
    return Problem("sql", ONE_SELECT, "change tasks with tasks_edit.")


def _arguments(found: re.Match[str], tokens: Sequence[Token]) -> Problem:
    name = found[1].lower()
    if name == "count" and any(token.word == "DISTINCT" for token in tokens):
        return Problem("sql", "count(DISTINCT ..) takes one column", "`count(DISTINCT list || '/' || title)`")
    hint = _TAKES.get(name, "give it what it takes, no more and no less.")
    return Problem("sql", f"wrong number of arguments for {echo(name)}", hint)


_TAKES: Final = {
    "round": "`round(days_open / 7.0, 1)`",
    "replace": "`replace(title, 'a', 'b')`",
    "substr": "`substr(title, 1, 10)`",
    "instr": "`instr(title, 'word')`",
    "coalesce": "`coalesce(list, '')`",
    "ifnull": "`ifnull(list, '')`",
    "iif": "`iif(overdue = 1, 'late', 'fine')`",
    "sum": "`sum(estimate_min)`",
    "avg": "`avg(days_open)`",
    "lower": "`lower(title)`",
    "upper": "`upper(title)`",
    "length": "`length(title)`",
    "trunc": "`trunc(days_open / 7.0)`; for days use done_week or done_month.",
    "max": "`max(days_open)`",
    "min": "`min(days_open)`",
}

_Answer = Callable[[re.Match[str], Sequence[Token]], Problem]


def _says(what: str, hint: str, code: str = "sql") -> _Answer:
    """An answer that is always the same but for what SQLite names, which stands for {0}."""
    return lambda found, _: Problem(code, what.format(*map(echo, found.groups(default=""))), hint)


def _bounds(what: str, hint: str) -> _Answer:
    return _says(what, hint, "sql_limit")


_SHORTER: Final = "a simpler statement: fewer terms, lists with IN, steps as WITH .. AS (..)."
_IN_A_SUBQUERY: Final = "compute it in a subquery, then filter outside; for groups use HAVING."
_ONE_VALUE: Final = "one value on each side: compare columns one by one with AND."

# What SQLite says, from 3.37 on, and the answer. Each pattern stands at the beginning.
_SAID: Final[tuple[tuple[re.Pattern[str], _Answer], ...]] = tuple(
    (re.compile(pattern, re.DOTALL), answer)
    for pattern, answer in (
        (r"no such column: (.+?)(?: - should this be a string literal in single-quotes\??)?$", _column),
        (r"no such table column: (.+)", _column),
        (r"no such table: (.+)", _table),
        (r"vtable constructor failed: json_(?:each|tree)|malformed JSON", _says("that is no JSON", "ask fields only.")),
        (r"(?:no such module|vtable constructor failed): (.+)", lambda found, _: no_table(found[1])),
        (
            r"(?:no such function|not authorized to use function|unknown function): (.*?)(?:\(\))?$",
            lambda found, _: _no_function(found[1]),
        ),
        (r"unsafe use of (?:virtual table )?(.+)", lambda found, _: no_table(found[1])),
        (r"access to (.+?) is prohibited", _prohibited),
        (r"not authorized|attempt to write a readonly|not a query", _refused),
        (r"You can only execute one statement", _says("one statement at a time", "send one SELECT and no second ;.")),
        (
            r"Incorrect number of bindings|You did not supply a value for binding",
            _says("there are no parameters", "write the value itself."),
        ),
        (r'near "(.*?)(?:": syntax error)?$', lambda found, tokens: broken(tokens, found[1])),
        (r"incomplete input", lambda _, tokens: broken(tokens, None)),
        (r'unrecognized token: "(.*?)"?$', lambda found, tokens: unknown_token(tokens, found[1])),
        (
            r"ambiguous column name: (.+)",
            _says('"{0}" is in several tables', "write table.column, with the alias of the table."),
        ),
        (
            r"ambiguous reference to (.+) in USING",
            _says('"{0}" is in several tables', "join with ON and table.column."),
        ),
        (
            r"misuse of (?:aggregate|aliased aggregate)(?: function)?:? ?(.*?)(?:\(\))?$",
            _says("{0}: an aggregate cannot stand here", _IN_A_SUBQUERY),
        ),
        (
            r"misuse of (?:aliased )?window function ([a-z_]+)\(\)$",
            _says(
                "{0} needs OVER, outside WHERE",
                "`row_number() OVER (PARTITION BY list ORDER BY due)`; filter on it outside a subquery.",
            ),
        ),
        (
            r"misuse of (?:aliased )?window function (.+)",
            _says("{0}: a window function cannot stand here", _IN_A_SUBQUERY),
        ),
        (
            r"(.+?)(?:\(\))? may not be used as a window function",
            _says("{0} takes no OVER", "leave OVER out, or use sum, count, avg, rank, row_number."),
        ),
        (r"DISTINCT is not supported for window", _says("no DISTINCT with OVER", "group in a subquery first.")),
        (
            r"DISTINCT aggregates must have exactly one",
            _says("with DISTINCT an aggregate takes one argument", "`group_concat(DISTINCT list)`"),
        ),
        (
            r"FILTER may not be used with non-aggregate (.+?)(?:\(\))?$",
            _says("{0} is no aggregate, so it takes no FILTER", "`count(*) FILTER (WHERE overdue = 1)`"),
        ),
        (
            r"FILTER clause may only",
            _says("only aggregates take FILTER", "`count(*) FILTER (WHERE overdue = 1) OVER ()`"),
        ),
        (
            r"ORDER BY may not be used with non-aggregate (.+?)(?:\(\))?$",
            _says("{0} takes no ORDER BY", "sort outside."),
        ),
        (
            r"aggregate functions are not allowed in the GROUP BY",
            _says("no aggregate in GROUP BY", "group by the plain columns."),
        ),
        (
            r"HAVING clause on a non-aggregate|a GROUP BY clause is required before HAVING",
            _says("HAVING without groups", "use WHERE, or add GROUP BY."),
        ),
        (r"wrong number of arguments to function (.+?)\(\)", _arguments),
        (r"too many arguments on function (.+)", _bounds("too many arguments for {0}", "at most 20.")),
        (
            r"\d+\w\w (ORDER|GROUP) BY term out of range",
            _says("{0} BY a column that is not there", "count from 1, or name the column."),
        ),
        (
            r"\d+\w\w ORDER BY term does not match",
            _says(
                "after UNION, ORDER BY takes only result columns", "name a column of the first SELECT, or ORDER BY 1."
            ),
        ),
        (
            r"(ORDER BY|LIMIT) clause should come after",
            _says("{0} stands before UNION", "put it at the very end, or the SELECT into a subquery."),
        ),
        (
            r"SELECTs to the left and right of (.+?) do not have",
            _says("both sides of {0} need as many columns", "select the same number; NULL fills gaps."),
        ),
        (r"all VALUES must have the same", _says("all rows of VALUES need as many values", "fill gaps with NULL.")),
        (r"sub-?select returns \d+ columns", _says("that subquery needs one column", "select one column in it.")),
        (r"IN\(\.\.\.\) element has", _says("the rows of IN have another width", _ONE_VALUE)),
        (r"row value misused", _says("several values stand where one is needed", _ONE_VALUE)),
        (
            r"(?:table|CTE) (.+?) has \d+ (?:values|columns)",
            _says("the columns of {0} do not match its SELECT", "name as many columns as it selects."),
        ),
        (
            r"expected \d+ columns for '(.+?)' but got",
            _says("the columns of {0} do not match its SELECT", "name as many columns as it selects."),
        ),
        (
            r"circular reference: (.+)",
            _says("{0} asks itself", "WITH RECURSIVE, first SELECT UNION ALL second SELECT from it."),
        ),
        (
            r"(?:multiple|recursive|multiple recursive) references? (?:in a subquery|to recursive table|s)?:? ?(.+)",
            _says("{0} may be used once, in FROM of its second SELECT", "ask it once, outside subqueries."),
        ),
        (
            r"recursive aggregate queries|cannot use window functions in recursive",
            _says("no aggregates or windows inside recursion", "count in the SELECT after it."),
        ),
        (r"duplicate WITH table name: (.+)", _says("two WITH tables are called {0}", "give one another name.")),
        (
            r"no such window: (.+)",
            _says("no window {0}", "`SELECT sum(no) OVER w FROM tasks WINDOW w AS (ORDER BY id)`"),
        ),
        (r"cannot override", _says("that window has this clause already", "write the whole OVER (..) instead.")),
        (
            r"(?:frame (?:starting|ending) offset|unsupported frame|RANGE with offset)",
            _says("that frame is impossible", "`sum(no) OVER (ORDER BY id ROWS BETWEEN 6 PRECEDING AND CURRENT ROW)`"),
        ),
        (
            r"argument of ntile|second argument to nth_value",
            _says("that needs a whole number from 1", "`ntile(4) OVER (ORDER BY days_open)`"),
        ),
        (r"a JOIN clause is required before", _says("ON without JOIN", "FROM a JOIN b ON a.x = b.y.")),
        (
            r"ON clause references tables to its right",
            _says("ON names a table that is joined later", "put the JOIN of that table before."),
        ),
        (
            r"unknown (?:or unsupported )?join type: (.+)",
            _says("no such JOIN: {0}", "JOIN, LEFT JOIN, RIGHT JOIN, FULL JOIN, CROSS JOIN."),
        ),
        (
            r"RIGHT and FULL OUTER JOINs are not",
            _says("no RIGHT and FULL JOIN here", "turn it round into a LEFT JOIN."),
        ),
        (r"a NATURAL join may not", _says("NATURAL takes no ON", "JOIN .. ON instead.")),
        (
            r"cannot join using column (.+?) - ",
            _says('"{0}" is not in both tables', "join with ON: tags.task = tasks.id."),
        ),
        (r"cannot have both ON and USING", _says("ON and USING together", "leave one out.")),
        (r"no tables specified", _says("* without FROM", "SELECT * FROM tasks.")),
        (r"'(.+?)' is not a function", _says("{0} takes no arguments", "write its name without parentheses.")),
        (r"too many arguments on (.+?)\(\)", _says("too many arguments for {0}", "json_each(tasks.fields).")),
        (r"no such index", _says("there are no indices", "leave INDEXED BY out.")),
        (r"no such collation", _says("no such collation", "COLLATE NOCASE.")),
        (r"no such database|unknown database", _says("there is one database", "write the table name alone.")),
        (r"(?:JSON path error|bad JSON path)", _says("that is no path", "`fields ->> '$.\"Effort\"'`")),
        (
            r"json_\w+\(\) (?:requires|needs|labels)|json_object\(\)",
            _says("json_object takes names and values in turn", "`json_object('id', id)`"),
        ),
        (r"JSON cannot hold BLOB", _says("JSON holds no bytes", "CAST(x AS TEXT).")),
        (
            r"integer overflow|hex literal too big",
            _says("a number is too large", "`total(no)` instead of sum, or no * 1.0."),
        ),
        (r"Python int|int too (?:large|big)", _says("a number is too large", "divide it, or CAST(x AS REAL).")),
        (r"datatype mismatch", _says("a number is needed there", "LIMIT and OFFSET take whole numbers.")),
        (r"ESCAPE expression", _says("ESCAPE takes one character", "`title LIKE '50\\%' ESCAPE '\\'`")),
        (r"RAISE\(\)", _says("RAISE is for triggers", "leave it out.")),
        (
            r"unsupported use of NULLS|.* unsupported use of NULLS",
            _says("NULLS FIRST and LAST belong to ORDER BY", "`ORDER BY due DESC NULLS LAST`"),
        ),
        (
            r"parameters prohibited|variable number must|too many SQL variables",
            _says("there are no parameters", "write the value itself."),
        ),
        (r"interrupted", _bounds("stopped after 1.2 s", _FEWER_ROWS)),
        (r"out of memory", _bounds("it needs too much memory", "filter earlier; sort, join and gather fewer rows.")),
        (
            r"string or blob too big",
            _bounds("a text becomes longer than 1,000,000", "shorten texts with substr, gather fewer rows."),
        ),
        (r"query string is too large|statement too long", lambda _, __: _too_long()),
        (r"LIKE or GLOB pattern too complex", _bounds("that pattern is too long", "at most 60 characters.")),
        (
            r"Expression tree is too large|parser stack overflow|too many (?:levels|references)|recursion limit",
            _bounds("nested too deeply", _SHORTER),
        ),
        (r"too many columns|too many result columns", _bounds("too many columns", "at most 100.")),
        (r"too many terms in compound", _bounds("too many SELECTs joined by UNION", "at most 20.")),
        (
            r"too many terms|more than \d+ aggregate terms|too many FROM|at most \d+ tables in a join",
            _bounds("too many terms", _SHORTER),
        ),
    )
)
