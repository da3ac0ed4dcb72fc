"""The tables of the tool server: this page is its data model. How they change over time is the migrations' business.

Every row belongs to a space, and `space_id` leads its keys and indices, so one person's rows lie together and spaces
can be spread over machines. Only what jobs sweep is indexed across spaces. `no` is a number counted per space (`T12`,
`L3`, `C5`), `rev` the number of the write that last touched a row. Instants are microseconds UTC (`*_us`), days are
dates, times of day are minutes (`*_min`). Requests only ever set `deleted_us`; rows leave by the purge.
"""

from typing import Any, Final

from sqlalchemy import (
    JSON,
    BigInteger,
    Column,
    Date,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    MetaData,
    SmallInteger,
    Table,
    Text,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB, TEXT
from sqlalchemy.types import TypeEngine

from shared.limits import limits_table
from shared.revocations import revocations_table

# Text that is compared or sorted. PostgreSQL's usual collations order it unlike SQLite, which would break fractional
# positions, prefix ranges and paging; byte order is the same everywhere.
KEY: Final = Text().with_variant(TEXT(collation="C"), "postgresql")
# None is stored as NULL; the type would otherwise write the four letters `null`.
DOCUMENT: Final = JSON(none_as_null=True).with_variant(JSONB(none_as_null=True), "postgresql")

metadata: Final = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    }
)


def _space() -> Column[Any]:
    """The first column of every key; closing an account is one DELETE of the space."""
    return Column("space_id", KEY, ForeignKey("spaces.id", ondelete="CASCADE"), primary_key=True)


def _key(name: str, kind: TypeEngine[Any]) -> Column[Any]:
    return Column(name, kind, primary_key=True)


def _required(name: str, kind: TypeEngine[Any], default: str | None = None) -> Column[Any]:
    return Column(name, kind, nullable=False, server_default=None if default is None else text(default))


def _optional(name: str, kind: TypeEngine[Any]) -> Column[Any]:
    return Column(name, kind, nullable=True)


def _to_task(column: str) -> ForeignKeyConstraint:
    return ForeignKeyConstraint(["space_id", column], ["tasks.space_id", "tasks.no"], ondelete="CASCADE")


def _partial(name: str, *columns: str, where: str, unique: bool = False) -> Index:
    return Index(name, *columns, unique=unique, sqlite_where=text(where), postgresql_where=text(where))


WORDS: Final = Text()
INT: Final = Integer()
SMALL: Final = SmallInteger()
BIG: Final = BigInteger()
DAY: Final = Date()


# Whose it is --------------------------------------------------------------------------------------------------------

# One row per person: `id` is made of issuer and subject, so no unique index across spaces is needed, which could not be
# spread over machines. All writers of a space queue on its row: it hands out the next `rev` and the next `no`.
spaces = Table(
    "spaces",
    metadata,
    _key("id", KEY),
    _required("owner_iss", KEY),
    _required("owner_sub", KEY),
    _required("tz", WORDS, "'UTC'"),
    _required("settings", DOCUMENT, "'{}'"),
    _required("rev", BIG, "0"),
    _required("next_no", BIG, "1"),
    _required("created_us", BIG),
    _optional("deleted_us", BIG),
)

# Who may see a list is asked from both sides: `members` lies with the space, `memberships` with the person it was
# shared with. A foreign key between them would cross spaces; a job compares them instead.
members = Table(
    "members",
    metadata,
    _space(),
    _key("list_no", BIG),
    _key("user_key", KEY),  # of a person; of an invitation that is still open it begins with `i`
    _required("role", WORDS),
    _required("name", WORDS, "''"),  # what the owner calls that person
    _required("since_us", BIG, "0"),
)

memberships = Table(
    "memberships",
    metadata,
    _key("user_key", KEY),
    _key("space_id", KEY),
    _key("list_no", BIG),
    _required("role", WORDS),
)

# The short name under which a person refers to somebody else's space: `ann:T12`.
aliases = Table(
    "aliases",
    metadata,
    _key("user_key", KEY),
    _key("alias", KEY),
    _required("space_id", KEY),
)


# What people keep ---------------------------------------------------------------------------------------------------

# Lists, sections, tags, views and custom fields, told apart by `kind`: each is a name with a place.
lists = Table(
    "lists",
    metadata,
    _space(),
    _key("no", BIG),
    _required("kind", KEY),
    _required("name", WORDS),
    _required("name_key", KEY),  # the name folded: what must be unique
    _required("parent_no", BIG, "0"),  # the list of a section; 0 because NULLs are never equal in a unique index
    _required("position", KEY, "'m'"),
    _required("filter", WORDS, "''"),
    _required("options", DOCUMENT, "'{}'"),
    _optional("archived_us", BIG),
    _optional("deleted_us", BIG),
    _required("rev", BIG),
    _partial("lists_name", "space_id", "kind", "parent_no", "name_key", where="deleted_us IS NULL", unique=True),
    Index("lists_order", "space_id", "kind", "position", "no"),
)

# `list_no`, `parent_no` and `assignee` have no foreign keys: 0 is the Inbox, and the purge may take a list first.
tasks = Table(
    "tasks",
    metadata,
    _space(),
    _key("no", BIG),
    _required("list_no", BIG, "0"),
    _optional("parent_no", BIG),
    _required("title", WORDS),
    _required("notes", WORDS, "''"),
    _required("status", SMALL, "0"),  # 0 open, 1 done, 2 cancelled
    _required("priority", SMALL, "4"),  # 1 to 4
    _optional("due_date", DAY),
    _optional("due_min", SMALL),  # NULL is all day
    _optional("due_tz", WORDS),  # NULL floats with the person
    _required("due_day", DAY, "'9999-12-31'"),  # due_date, or the far day: paging by a NULL loses rows
    _optional("due_at_us", BIG),  # the same as an instant
    _optional("start_date", DAY),
    _optional("deadline", DAY),
    _optional("rrule", WORDS),
    _optional("repeat_text", WORDS),
    _optional("repeat_from", WORDS),  # `due` or `done`
    _optional("repeat_anchor", DAY),  # where its periods are counted from
    _optional("estimate_min", INT),
    _optional("assignee", WORDS),
    _optional("author", WORDS),
    _required("position", KEY, "'m'"),
    _required("fields", DOCUMENT, "'{}'"),
    _required("search", KEY, "''"),  # title and notes folded; it is also the order by title
    _optional("ext_src", KEY),  # where it was imported from, so that importing again finds it
    _optional("ext_id", KEY),
    _required("created_us", BIG),
    _required("updated_us", BIG),
    _optional("completed_us", BIG),
    _optional("deleted_us", BIG),
    _required("rev", BIG),
    Index("tasks_open", "space_id", "status", "due_day", "priority", "no"),
    Index("tasks_list", "space_id", "list_no", "position", "no"),
    Index("tasks_parent", "space_id", "parent_no"),
    Index("tasks_rev", "space_id", "rev"),
    Index("tasks_done", "space_id", "completed_us", "no"),
    Index("tasks_ext", "space_id", "ext_src", "ext_id", unique=True),
    _partial("tasks_trash", "deleted_us", where="deleted_us IS NOT NULL"),
)

# A tag is a row of `lists`, so renaming one is one row.
task_tags = Table(
    "task_tags",
    metadata,
    _space(),
    _key("task_no", BIG),
    _key("tag_no", BIG),
    _to_task("task_no"),
    Index("task_tags_tag", "space_id", "tag_no", "task_no"),
)

deps = Table(
    "deps",
    metadata,
    _space(),
    _key("task_no", BIG),
    _key("blocked_by", BIG),
    _to_task("task_no"),
    _to_task("blocked_by"),
    Index("deps_blocking", "space_id", "blocked_by", "task_no"),
)

comments = Table(
    "comments",
    metadata,
    _space(),
    _key("no", BIG),
    _required("task_no", BIG),
    _required("author", WORDS),
    _required("body", WORDS),
    _required("created_us", BIG),
    _optional("edited_us", BIG),
    _optional("deleted_us", BIG),
    _required("rev", BIG),
    _to_task("task_no"),
    Index("comments_task", "space_id", "task_no", "no"),
)

# Each time something was finished, every occurrence of a repeating task too. It outlives the task, hence no key to it.
completions = Table(
    "completions",
    metadata,
    _space(),
    _key("no", BIG),
    _required("task_no", BIG),
    _optional("due_date", DAY),
    _required("done_us", BIG),
    _required("done_day", DAY),  # the day on which it was for the person
    _required("status", SMALL),
    _required("rev", BIG),
    Index("completions_day", "space_id", "done_day", "no"),
    Index("completions_task", "space_id", "task_no", "no"),
)

# Relative to the due time (`offset_min`) or at an instant (`at_us`); `fire_us` is what came out of it.
reminders = Table(
    "reminders",
    metadata,
    _space(),
    _key("no", BIG),
    _required("task_no", BIG),
    _optional("offset_min", INT),
    _optional("at_us", BIG),
    _optional("fire_us", BIG),
    _optional("claimed_us", BIG),
    _optional("sent_us", BIG),
    _to_task("task_no"),
    _partial("reminders_due", "fire_us", where="sent_us IS NULL AND fire_us IS NOT NULL"),
)


# What happened ------------------------------------------------------------------------------------------------------

# One row per write call. `undo_of` and `undone_by` point at each other.
ops = Table(
    "ops",
    metadata,
    _space(),
    _key("rev", BIG),
    _required("at_us", BIG),
    _required("actor", KEY),
    _required("client", KEY),
    _required("via", WORDS),  # `agent`, `direct` or `job`
    _required("tool", WORDS),
    _required("summary", WORDS),
    _optional("undo_of", BIG),
    _optional("undone_by", BIG),
    _required("size", INT),
    Index("ops_actor", "space_id", "actor", "client", "rev"),
)

# The changed fields of one row, before and after: undo and history read only this. No `before` is a creation, no
# `after` a removal.
changes = Table(
    "changes",
    metadata,
    _space(),
    _key("rev", BIG),
    _key("n", INT),
    _required("kind", KEY),
    _required("no", BIG),
    _optional("before", DOCUMENT),
    _optional("after", DOCUMENT),
    ForeignKeyConstraint(["space_id", "rev"], ["ops.space_id", "ops.rev"], ondelete="CASCADE"),
    Index("changes_row", "space_id", "kind", "no", "rev"),
)

# What was answered to a call that brought its own id, so that sending it twice does it once.
requests = Table(
    "requests",
    metadata,
    _space(),
    _key("client", KEY),
    _key("request_id", KEY),
    _required("args_hash", WORDS),
    _optional("rev", BIG),
    _required("response", DOCUMENT),
    _required("at_us", BIG),
    Index("requests_age", "at_us"),
)


# Who is turned away -------------------------------------------------------------------------------------------------

# The two tables without a space: they belong to the service, and no person's statement finds them.
revocations = revocations_table("mcp", metadata)
limits = limits_table("mcp", metadata)
