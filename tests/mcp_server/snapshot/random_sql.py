"""Statements by chance: grown from a grammar of SQL, and honest ones with their words mixed up."""

from collections.abc import Sequence
from typing import Final

from hypothesis import strategies as st

from mcp_server.snapshot.schema import TABLES
from mcp_server.snapshot.teaching.words import pieces
from tests.mcp_server.snapshot.honest import HONEST
from tests.mcp_server.snapshot.hostile_deeds import KINDS as DEEDS
from tests.mcp_server.snapshot.hostile_sql import KINDS as WISHES

Text = st.SearchStrategy[str]

OTHER_TABLES: Final = ("soon", "sqlite_master", "pragma_table_list", "spaces", "x", "dbstat")
# What works, and how, so that many statements run; the rest is to be refused.
CALLS: Final = (
    "abs({})", "length({})", "upper({})", "coalesce({}, {})", "round({}, 1)", "substr({}, 2, 3)", "typeof({})",
    "max({}, {})", "date({})", "strftime('%Y', {})", "printf('%s', {})", "replace({}, 'a', {})", "instr({}, {})",
    "iif({}, {}, 1)", "({})", "NOT {}", "{} IN ({}, 1)", "{} BETWEEN 1 AND {}", "CASE WHEN {} THEN {} END",
    "CAST({} AS INTEGER)", "quote({})", "(SELECT max({}) FROM tags)", "json_array({}, {})", "{} IS NULL",
    "{} LIKE '%a%'", "trim({})", "char({})",
)  # fmt: skip
SIGNS: Final = (
    "+", "-", "*", "/", "%", "||", "=", "<>", "<", ">=", "AND", "OR", "IS", "IS NOT", "LIKE", "GLOB", "&", "<<",
)  # fmt: skip
ODD_CALLS: Final = (
    "random()", "load_extension({})", "hex({})", "now()", "zeroblob({})", "sqlite_version()", "pg_sleep({})",
    "f({}, {})", "count(*)", "sum({})", "{} MATCH {}", "{} REGEXP {}", "{} ILIKE {}", "{}::text", "{} ~ {}",
    "CAST({} AS date)", "abs()", "row_number() OVER (ORDER BY {})", "lag({}) OVER ()", "json_extract({}, {})",
    "{} -> {}", "EXISTS ({})", "{} COLLATE {}",
)  # fmt: skip
LITERALS: Final = (
    "NULL", "1", "-1", "0.5", "1e999", "9223372036854775807", "''", "'a''b'", "'%'", "'2026-11-20'", "'ü'", "TRUE",
)  # fmt: skip
ODD_LITERALS: Final = (
    "'now'", "x'00ff'", "'{}'", "'$.a'", "?", ":x", "current_date", "rowid", "at_us", "nothing", '"text"', "t.*",
)  # fmt: skip
WORDS: Final = (
    "SELECT", "FROM", "WHERE", "GROUP BY", "ORDER BY", "LIMIT", "UNION ALL", "WITH", "AS", "(", ")", ",", ";", "--",
    "/*", "*/", "'", '"', "`", "[", "*", "OVER", "PARTITION BY", "DELETE", "PRAGMA", "ATTACH", "EXPLAIN",
    "INTERVAL", "\x00", "\ufeff", "\u2028", "\ud7ff", "\U0001f6b2", "0x", "1e", "$$", "@a", ".", "CASE", "END",
    "BETWEEN", "ESCAPE", "COLLATE", "NULLS LAST",
)  # fmt: skip


def mostly(usual: Text, odd: Text) -> Text:
    """Something that works, now and then something that does not."""
    return st.integers(0, 19).flatmap(lambda dice: odd if dice == 0 else usual)


def expressions(names: Sequence[str]) -> Text:
    """An expression over columns of these names."""
    usual = st.one_of(st.sampled_from(names), st.sampled_from(names), st.sampled_from(LITERALS))
    calls = mostly(st.sampled_from(CALLS), st.sampled_from(ODD_CALLS))

    def larger(inner: Text) -> Text:
        return st.one_of(
            st.tuples(inner, st.sampled_from(SIGNS), inner).map(" ".join),
            st.tuples(calls, inner, inner).map(lambda drawn: drawn[0].format(*drawn[1:])),
        )

    return st.recursive(mostly(usual, st.sampled_from(ODD_LITERALS)), larger, max_leaves=6)


EXPRESSIONS: Final = expressions([column.name for column in TABLES["tasks"]])
_TABLES: Final = mostly(st.sampled_from(sorted(TABLES)), st.sampled_from(OTHER_TABLES))


@st.composite
def selects(draw: st.DrawFn) -> str:
    """One SELECT, right or wrong."""
    sources = draw(st.lists(_TABLES, min_size=1, max_size=2, unique=True))
    # Columns of one table only: the others may have some of the same name.
    known = [column.name for source in sources for column in TABLES.get(source, ())] or ["task"]
    names = [name for name in known if known.count(name) == 1] or known
    one = expressions(names)
    clauses = [
        f"SELECT {draw(st.sampled_from(('', 'DISTINCT ')))}{', '.join(draw(st.lists(one, min_size=1, max_size=3)))}",
        f"FROM {draw(st.sampled_from((', ', ' JOIN ', ' LEFT JOIN '))).join(sources)}",
    ]
    for word in ("WHERE", "GROUP BY", "ORDER BY", "LIMIT"):
        if draw(st.integers(0, 3)) == 0:
            clauses += [word, draw(one) if word != "LIMIT" else "3"]
    return " ".join(clauses)


@st.composite
def grown(draw: st.DrawFn) -> str:
    """A statement of one or more SELECTs."""
    first, second = draw(selects()), draw(selects())
    name = draw(_TABLES)
    usual = (
        first,
        f"WITH x AS ({first}) SELECT * FROM x",
        f"WITH {name} AS ({first}) {second}",
        f"SELECT * FROM ({first}) AS {name}",
    )
    odd = (
        f"{first} UNION {second}",
        f"{first}; {second}",
        f"({first})",
        f"EXPLAIN {first}",
        f"INSERT INTO {name} {first}",
    )
    return draw(mostly(st.sampled_from(usual), st.sampled_from(odd)))


@st.composite
def mixed(draw: st.DrawFn) -> str:
    """A statement of ours with some of its words lost, doubled, moved or replaced."""
    tokens = [token.text for token in pieces(draw(st.sampled_from(_WRITTEN)))]
    for _ in range(draw(st.integers(1, 4))):
        at, other = (draw(st.integers(0, len(tokens) - 1)) for _ in range(2))
        match draw(st.integers(0, 4)):
            case 0 if len(tokens) > 1:
                del tokens[at]
            case 1:
                tokens.insert(at, tokens[other])
            case 2:
                tokens[at], tokens[other] = tokens[other], tokens[at]
            case 3:
                tokens[at] = draw(st.sampled_from(WORDS))
            case _:
                tokens.insert(at, draw(st.one_of(st.sampled_from(WORDS), EXPRESSIONS)))
    return "".join(tokens)


_WRITTEN: Final = sorted(
    {honest.sql for group in HONEST.values() for honest in group}
    | {
        hostile.sql
        for kinds in (WISHES, DEEDS)
        for kind in kinds.values()
        for hostile in kind
        if len(hostile.sql) < 500
    }
)
SHUFFLED: Final = st.lists(
    st.one_of(st.sampled_from(WORDS), st.sampled_from(SIGNS), EXPRESSIONS, _TABLES, st.text(max_size=3)), max_size=12
).map(" ".join)

STATEMENTS: Final = st.one_of(grown(), mixed(), SHUFFLED)
