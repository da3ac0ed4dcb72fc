"""Names that no table or column has: which one was probably meant, and what there is instead."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from itertools import pairwise
from typing import Final

from mcp_server.snapshot.schema import HIDDEN, TABLES
from mcp_server.snapshot.teaching.words import Kind, Token, depths, echo, vocabulary
from shared.errors import Problem

OVERVIEW: Final = "call data_query without sql for the tables and examples."
_ROOM: Final = 240  # characters of a whole refusal

COLUMNS: Final[Mapping[str, tuple[str, ...]]] = {
    table: tuple(column.name for column in columns) for table, columns in TABLES.items()
}

# What other databases call a table, a column. An expression stands where there is no column for it.
_TABLES_MEANT: Final = (
    ("tasks", "task todo todos to_dos item items card cards issue issues ticket tickets reminders"),
    ("lists", "list project projects board boards folder folders category categories section sections"),
    ("tags", "tag label labels task_tag task_tags task_labels tagging taggings keywords"),
    ("comments", "comment note notes remark remarks message messages"),
    ("deps", "dep dependency dependencies blocker blockers blocked links relations"),
    ("completions", "completion completed finished done log_done occurrences"),
    ("history", "event events log logs audit audit_log activity activities changes operations journal"),
    ("me", "user users account accounts person people profile settings whoami owner owners"),
)
_COLUMNS_MEANT: Final = (
    ("due", "due_date due_at due_on duedate deadline_date"),
    ("deadline", "hard_due must_be_done_by"),
    (
        "done done_date",
        "completed_at completed_on finished finished_at done_at done_on completion_date closed_at closed",
    ),
    ("done done_date", "resolved_at date_completed completed_date date_done end_date ended_at"),
    (
        "created at",
        "created_at created_on creation_date createdat date_created added added_at timestamp ts inserted_at",
    ),
    ("updated at", "updated_at updated_on modified modified_at last_modified changed_at changed last_updated"),
    ("date at", "day when time occurred_at happened_at posted_at commented_at"),
    ("title name tag", "name task_name summary_text subject text caption item todo content"),
    ("name", "title list_name project_name"),
    ("list", "project project_name list_name project_id list_id category folder board"),
    ("tags tag", "label labels tag tag_name keyword keywords"),
    ("owner author actor", "user user_id owner_id username account person who by created_by creator author_id"),
    ("assignee", "assigned assigned_to assignee_id responsible"),
    ("notes body summary", "body description desc_ descr details detail note content text comment"),
    ("comments", "comment_count num_comments comments_count"),
    ("subtasks", "subtask_count num_subtasks children child_count"),
    ("subtasks_done", "done_subtasks completed_subtasks"),
    ("done_week due_week created_week", "week week_number iso_week"),
    ("done_month due_month", "month"),
    ("done_weekday due_weekday", "weekday day_of_week dow"),
    ("done_hour", "hour"),
    ("estimate_min", "estimate estimated duration minutes effort estimate_minutes time_estimate estimated_time"),
    ("parent", "parent_id parent_task parent_task_id parent_list"),
    ("section list", "section_id section_name column_name heading"),
    ("start", "start_date starts start_at start_on scheduled defer_date"),
    ("task id", "task_id taskid tid"),
    ("task", "id"),
    ("id", "uuid pk key"),
    ("no", "number num seq"),
    ("blocked_by", "depends_on blocker blocking dependency"),
    ("days_late", "late lateness delay days_overdue"),
    ("days_open", "age lead_time cycle_time open_days"),
    ("repeat", "recurrence recurring rrule repeats repeat_rule"),
    ("fields", "custom_fields custom metadata meta properties attributes extra"),
    ("tz", "timezone time_zone zone"),
    ("op", "op_id operation operation_id"),
    ("before", "old old_value previous"),
    ("after", "new new_value value"),
    ("field", "column attribute"),
    ("tool", "action event type verb"),
    ("archived", "is_archived"),
    ("open", "open_count open_tasks"),
    ("done", "done_count completed_count done_tasks"),
    ("overdue", "is_overdue past_due is_late"),
    ("blocked", "is_blocked"),
    ("status", "state"),
    ("priority", "prio importance urgency"),
)
_EXPRESSIONS: Final = (
    ("status = 'done'", "is_done is_completed completed complete is_complete is_finished is_closed"),
    ("status = 'open'", "is_open active is_active pending incomplete open"),
    ("status = 'cancelled'", "cancelled canceled is_cancelled"),
)
TABLES_MEANT: Final = {word: table for table, known in _TABLES_MEANT for word in known.split()}
EXPRESSIONS: Final = {word: made for made, known in _EXPRESSIONS for word in known.split()}
COLUMNS_MEANT: Final[dict[str, tuple[str, ...]]] = {}
for _columns, _known in _COLUMNS_MEANT:
    for _word in _known.split():
        COLUMNS_MEANT[_word] = (*COLUMNS_MEANT.get(_word, ()), *_columns.split())

_AFTER_A_TABLE: Final = vocabulary(
    "WHERE GROUP ORDER HAVING LIMIT WINDOW UNION EXCEPT INTERSECT SELECT ON USING FROM SET VALUES OFFSET"
)
_NO_ALIAS: Final = _AFTER_A_TABLE | vocabulary("JOIN LEFT RIGHT FULL INNER CROSS NATURAL OUTER INDEXED NOT")
_UNSEEN: Final = HIDDEN.split()[2]  # CREATE TABLE name

# How to get from tasks to another table, where it is not by the id of the task.
_REACHED: Final = {"tasks": "", "lists": " (lists.name = tasks.list)", "me": ", it has one row"}


@dataclass(slots=True)
class Sources:
    """Where a statement takes rows from: its own tables (CTEs), and by which names it knows the person's."""

    made: set[str] = field(default_factory=set)
    aliases: dict[str, str] = field(default_factory=dict)  # name in the statement -> table
    results: set[str] = field(default_factory=set)  # names that it gives to its own columns

    @property
    def tables(self) -> list[str]:
        """The person's tables that are asked, each once."""
        return [table for table in dict.fromkeys(self.aliases.values()) if table in TABLES and table not in self.made]


def sources(tokens: Sequence[Token]) -> Sources:
    """Read FROM, JOIN, WITH and AS; what is too clever for that is left out."""
    found = Sources()
    inside: dict[int, bool] = {}  # is this a list of tables, by depth
    levels = depths(tokens)
    for at, token in enumerate(tokens):
        following = tokens[at + 1 : at + 6]
        if token.word in ("FROM", "JOIN"):
            inside[levels[at]] = True
        elif token.word in _AFTER_A_TABLE:
            inside[levels[at]] = False
        if token.word in ("FROM", "JOIN") or (token.text == "," and inside.get(levels[at])):
            _note_table(following, found)
        elif token.word == "AS" and following:
            if following[0].name:
                found.results.add(following[0].name.lower())
        elif token.text == "(" and at and tokens[at - 1].word in ("AS", "MATERIALIZED"):
            found.made.add(_made_before(tokens, at))
        elif token.text == ")" and following:
            alias = following[1:2] if following[0].word == "AS" else following[:1]
            if alias and alias[0].name and alias[0].word not in _NO_ALIAS and inside.get(levels[at]):
                found.made.add(alias[0].name.lower())
    return found


def _note_table(following: Sequence[Token], found: Sources) -> None:
    rest = list(following)
    while len(rest) > 2 and rest[1].text == ".":
        del rest[:2]
    if not rest or not rest[0].name:
        return
    table = rest[0].name.lower()
    alias = rest[2:3] if rest[1:2] and rest[1].word == "AS" else rest[1:2]
    named = bool(alias and alias[0].name and alias[0].word not in _NO_ALIAS)
    found.aliases[alias[0].name.lower() if named else table] = table


def _made_before(tokens: Sequence[Token], at: int) -> str:
    """The name of the CTE whose parenthesis opens here."""
    before = at - 1
    while before > 0 and tokens[before].word in ("AS", "NOT", "MATERIALIZED"):
        before -= 1
    if tokens[before].text == ")":
        while before > 0 and tokens[before].text != "(":
            before -= 1
        before -= 1
    return tokens[before].name.lower() if before >= 0 else ""


def only_tables_for_people(tokens: Sequence[Token]) -> None:
    """Refuse the tables that are there and are none of the person's, whatever else is wrong with the statement."""
    found = sources(tokens)
    for table in found.aliases.values():
        if table not in found.made and (table == _UNSEEN or _is_catalog(table)):
            raise no_table(table)


def _is_catalog(name: str) -> bool:
    return name.startswith(("sqlite_", "pg_", "pragma_", "information_schema", "sys"))


def no_table(written: str) -> Problem:
    """A table that is not there, or that is not the person's: the same answer."""
    name = written.rsplit(".", 1)[-1].strip('"`[]').lower()
    is_catalog = _is_catalog(name) or written.lower().startswith(("information_schema.", "pg_catalog."))
    what = f'no table "{echo(name)}"'
    if is_catalog:
        return Problem("sql", what, OVERVIEW)
    near = TABLES_MEANT.get(name) or "".join(get_close_matches(name[:60], TABLES, n=1))
    return Problem("sql", what, f"{f'{near}. ' if near else ''}Tables: {', '.join(TABLES)}.")


def no_column(written: str, tokens: Sequence[Token]) -> Problem:
    """A column that is not there, for the tables that the statement asks."""
    found = sources(tokens)
    *above, name = written.split(".")
    alias = above[-1].lower() if above else ""
    shown = echo(written)
    if alias and alias in found.made:
        return Problem("sql", f'no column "{echo(name)}" in {echo(alias)}', "name it in the SELECT that makes it.")
    table = found.aliases.get(alias, alias)
    if alias and table not in TABLES:
        there = ", ".join(echo(name) for name in [*found.aliases, *sorted(found.made)][:5])
        return Problem("sql", f'"{shown}" is of no table in this FROM', f"use {there}." if there else OVERVIEW)
    tables = [table] if alias else found.tables
    if any(name.lower() in COLUMNS[table] for table in tables):
        return Problem("sql", f'"{shown}" is out of reach there', "select it inside the subquery or CTE that is asked.")
    if not tables:
        where = " or ".join(echo(made) for made in sorted(found.made)[:3] if made)
        return Problem("sql", f'no column "{shown}" in {where}', "name it there.") if where else _no_from(shown, name)
    what = f'no column "{shown}" in {", ".join(tables)}'
    hint = _guess(name, tables, found, _is_compared(name, tokens))
    return Problem("sql", what, _with_columns(hint, tables, _ROOM - len(what) - len(hint)))


def _no_from(shown: str, name: str) -> Problem:
    homes = [table for table, columns in COLUMNS.items() if name.lower() in columns]
    return Problem("sql", f'"{shown}" without a FROM', f"FROM {homes[0]}." if homes else "'text' in single quotes.")


def _guess(name: str, tables: Sequence[str], found: Sources, is_compared: bool) -> str:
    plain = re.sub(r"(?<=[a-z])(?=[A-Z])|[ -]", "_", name[:60]).lower()
    here = list(dict.fromkeys(column for table in tables for column in COLUMNS[table]))
    meant = [plain, *COLUMNS_MEANT.get(plain, ()), *_shorter(plain)]
    if plain in EXPRESSIONS and "status" in here:
        is_value = is_compared and f"'{plain}'" in EXPRESSIONS[plain]
        return f"'{plain}' in single quotes." if is_value else f"{EXPRESSIONS[plain]}."
    if known := [column for column in dict.fromkeys(meant) if column in here]:
        return f"{' or '.join(known[:3])}."
    if plain in COLUMNS["me"]:
        return " ".join(("(SELECT", plain, "FROM me)."))
    if elsewhere := _elsewhere(meant):
        return elsewhere
    near = get_close_matches(plain, [*here, *sorted(found.results)[:50]], n=2)
    if near:
        return f"{' or '.join(echo(one) for one in near)}."
    return f"text stands in single quotes: '{echo(name)}'." if is_compared else ""


def _shorter(plain: str) -> tuple[str, ...]:
    """`task_title` is a title, `is_blocked` is blocked."""
    _, _, rest = plain.partition("_")
    return (rest, *COLUMNS_MEANT.get(rest, ())) if plain.startswith(("task_", "is_", "todo_", "t_")) else ()


def _elsewhere(meant: Iterable[str]) -> str:
    for column in meant:
        for table, columns in COLUMNS.items():
            if column in columns:
                return f"{table}.{column}{_REACHED.get(table, f' ({table}.task = tasks.id)')}."
    return ""


def _is_compared(name: str, tokens: Sequence[Token]) -> bool:
    return any(
        token.kind in (Kind.WORD, Kind.NAME)
        and token.name == name
        and before.word in ("=", "==", "<>", "!=", "LIKE", "IS", "(")
        for before, token in pairwise(tokens)
    )


def _with_columns(hint: str, tables: Sequence[str], room: int) -> str:
    """The hint, and as many columns as there is room for."""
    every = [column for table in tables for column in COLUMNS[table]]
    kept: list[str] = []
    for column in dict.fromkeys(every):
        room -= len(column) + 2
        if room < 30:
            kept.append("...")
            break
        kept.append(column)
    return f"{hint} Columns: {', '.join(kept)}".lstrip()
