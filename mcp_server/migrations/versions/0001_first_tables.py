"""The first tables of the tool server, and on PostgreSQL the row policies that fence each person in.

Revisions are history: they import nothing from the program, whose tables move on.
"""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql
from sqlalchemy.types import TypeEngine

revision = "0001"
down_revision: str | None = None

KEY = sa.Text().with_variant(postgresql.TEXT(collation="C"), "postgresql")
DOCUMENT = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")
WORDS = sa.Text()
INT = sa.Integer()
SMALL = sa.SmallInteger()
BIG = sa.BigInteger()
DAY = sa.Date()

TABLES = (
    "spaces",
    "members",
    "memberships",
    "aliases",
    "lists",
    "tasks",
    "task_tags",
    "deps",
    "comments",
    "completions",
    "reminders",
    "ops",
    "changes",
    "requests",
)
# The column that says whose a row is: the spaces a request may see, or the person herself.
OF_A_PERSON = ("memberships", "aliases")
# Where jobs look across spaces: what has an age, and the two sides of membership, which are compared.
SWEPT = (
    "spaces",
    "members",
    "memberships",
    "lists",
    "tasks",
    "comments",
    "reminders",
    "ops",
    "changes",
    "requests",
)


def upgrade() -> None:
    """Create everything."""
    _create_spaces()
    _create_content()
    _create_journal()
    if op.get_context().dialect.name == "postgresql":
        _fence()
        _grant()


def downgrade() -> None:
    """Drop everything; the policies go with their tables."""
    for table in reversed(TABLES):
        op.drop_table(table)
    if op.get_context().dialect.name == "postgresql":
        op.execute("DROP FUNCTION visible_spaces()")


def _create_spaces() -> None:
    op.create_table(
        "spaces",
        _required("id", KEY),
        _required("owner_iss", KEY),
        _required("owner_sub", KEY),
        _required("tz", WORDS, "'UTC'"),
        _required("settings", DOCUMENT, "'{}'"),
        _required("rev", BIG, "0"),
        _required("next_no", BIG, "1"),
        _required("created_us", BIG),
        _optional("deleted_us", BIG),
        sa.PrimaryKeyConstraint("id", name="pk_spaces"),
    )
    op.create_table(
        "members",
        _required("space_id", KEY),
        _required("list_no", BIG),
        _required("user_key", KEY),
        _required("role", WORDS),
        sa.PrimaryKeyConstraint("space_id", "list_no", "user_key", name="pk_members"),
        _to_space("members"),
    )
    op.create_table(
        "memberships",
        _required("user_key", KEY),
        _required("space_id", KEY),
        _required("list_no", BIG),
        _required("role", WORDS),
        sa.PrimaryKeyConstraint("user_key", "space_id", "list_no", name="pk_memberships"),
    )
    op.create_table(
        "aliases",
        _required("user_key", KEY),
        _required("alias", KEY),
        _required("space_id", KEY),
        sa.PrimaryKeyConstraint("user_key", "alias", name="pk_aliases"),
    )


def _create_content() -> None:
    op.create_table(
        "lists",
        _required("space_id", KEY),
        _required("no", BIG),
        _required("kind", KEY),
        _required("name", WORDS),
        _required("name_key", KEY),
        _required("parent_no", BIG, "0"),
        _required("position", KEY, "'m'"),
        _required("filter", WORDS, "''"),
        _required("options", DOCUMENT, "'{}'"),
        _optional("archived_us", BIG),
        _optional("deleted_us", BIG),
        _required("rev", BIG),
        sa.PrimaryKeyConstraint("space_id", "no", name="pk_lists"),
        _to_space("lists"),
    )
    _index_some(
        "lists_name", "lists", "space_id", "kind", "parent_no", "name_key", where="deleted_us IS NULL", unique=True
    )
    op.create_index("lists_order", "lists", ["space_id", "kind", "position", "no"])

    op.create_table(
        "tasks",
        _required("space_id", KEY),
        _required("no", BIG),
        _required("list_no", BIG, "0"),
        _optional("parent_no", BIG),
        _required("title", WORDS),
        _required("notes", WORDS, "''"),
        _required("status", SMALL, "0"),
        _required("priority", SMALL, "4"),
        _optional("due_date", DAY),
        _optional("due_min", SMALL),
        _optional("due_tz", WORDS),
        _required("due_day", DAY, "'9999-12-31'"),
        _optional("due_at_us", BIG),
        _optional("start_date", DAY),
        _optional("deadline", DAY),
        _optional("rrule", WORDS),
        _optional("repeat_text", WORDS),
        _optional("repeat_from", WORDS),
        _optional("repeat_anchor", DAY),
        _optional("estimate_min", INT),
        _optional("assignee", WORDS),
        _optional("author", WORDS),
        _required("position", KEY, "'m'"),
        _required("fields", DOCUMENT, "'{}'"),
        _required("search", KEY, "''"),
        _optional("ext_src", KEY),
        _optional("ext_id", KEY),
        _required("created_us", BIG),
        _required("updated_us", BIG),
        _optional("completed_us", BIG),
        _optional("deleted_us", BIG),
        _required("rev", BIG),
        sa.PrimaryKeyConstraint("space_id", "no", name="pk_tasks"),
        _to_space("tasks"),
    )
    op.create_index("tasks_open", "tasks", ["space_id", "status", "due_day", "priority", "no"])
    op.create_index("tasks_list", "tasks", ["space_id", "list_no", "position", "no"])
    op.create_index("tasks_parent", "tasks", ["space_id", "parent_no"])
    op.create_index("tasks_rev", "tasks", ["space_id", "rev"])
    op.create_index("tasks_done", "tasks", ["space_id", "completed_us", "no"])
    op.create_index("tasks_ext", "tasks", ["space_id", "ext_src", "ext_id"], unique=True)
    _index_some("tasks_trash", "tasks", "deleted_us", where="deleted_us IS NOT NULL")

    op.create_table(
        "task_tags",
        _required("space_id", KEY),
        _required("task_no", BIG),
        _required("tag_no", BIG),
        sa.PrimaryKeyConstraint("space_id", "task_no", "tag_no", name="pk_task_tags"),
        _to_space("task_tags"),
        _to_task("task_tags", "task_no"),
    )
    op.create_index("task_tags_tag", "task_tags", ["space_id", "tag_no", "task_no"])

    op.create_table(
        "deps",
        _required("space_id", KEY),
        _required("task_no", BIG),
        _required("blocked_by", BIG),
        sa.PrimaryKeyConstraint("space_id", "task_no", "blocked_by", name="pk_deps"),
        _to_space("deps"),
        _to_task("deps", "task_no"),
        _to_task("deps", "blocked_by"),
    )
    op.create_index("deps_blocking", "deps", ["space_id", "blocked_by", "task_no"])

    op.create_table(
        "comments",
        _required("space_id", KEY),
        _required("no", BIG),
        _required("task_no", BIG),
        _required("author", WORDS),
        _required("body", WORDS),
        _required("created_us", BIG),
        _optional("edited_us", BIG),
        _optional("deleted_us", BIG),
        _required("rev", BIG),
        sa.PrimaryKeyConstraint("space_id", "no", name="pk_comments"),
        _to_space("comments"),
        _to_task("comments", "task_no"),
    )
    op.create_index("comments_task", "comments", ["space_id", "task_no", "no"])

    op.create_table(
        "completions",
        _required("space_id", KEY),
        _required("no", BIG),
        _required("task_no", BIG),
        _optional("due_date", DAY),
        _required("done_us", BIG),
        _required("done_day", DAY),
        _required("status", SMALL),
        _required("rev", BIG),
        sa.PrimaryKeyConstraint("space_id", "no", name="pk_completions"),
        _to_space("completions"),
    )
    op.create_index("completions_day", "completions", ["space_id", "done_day", "no"])
    op.create_index("completions_task", "completions", ["space_id", "task_no", "no"])

    op.create_table(
        "reminders",
        _required("space_id", KEY),
        _required("no", BIG),
        _required("task_no", BIG),
        _optional("offset_min", INT),
        _optional("at_us", BIG),
        _optional("fire_us", BIG),
        _optional("claimed_us", BIG),
        _optional("sent_us", BIG),
        sa.PrimaryKeyConstraint("space_id", "no", name="pk_reminders"),
        _to_space("reminders"),
        _to_task("reminders", "task_no"),
    )
    _index_some("reminders_due", "reminders", "fire_us", where="sent_us IS NULL AND fire_us IS NOT NULL")


def _create_journal() -> None:
    op.create_table(
        "ops",
        _required("space_id", KEY),
        _required("rev", BIG),
        _required("at_us", BIG),
        _required("actor", KEY),
        _required("client", KEY),
        _required("via", WORDS),
        _required("tool", WORDS),
        _required("summary", WORDS),
        _optional("undo_of", BIG),
        _optional("undone_by", BIG),
        _required("size", INT),
        sa.PrimaryKeyConstraint("space_id", "rev", name="pk_ops"),
        _to_space("ops"),
    )
    op.create_index("ops_actor", "ops", ["space_id", "actor", "client", "rev"])

    op.create_table(
        "changes",
        _required("space_id", KEY),
        _required("rev", BIG),
        _required("n", INT),
        _required("kind", KEY),
        _required("no", BIG),
        _optional("before", DOCUMENT),
        _optional("after", DOCUMENT),
        sa.PrimaryKeyConstraint("space_id", "rev", "n", name="pk_changes"),
        _to_space("changes"),
        sa.ForeignKeyConstraint(
            ["space_id", "rev"], ["ops.space_id", "ops.rev"], name="fk_changes_space_id_rev", ondelete="CASCADE"
        ),
    )
    op.create_index("changes_row", "changes", ["space_id", "kind", "no", "rev"])

    op.create_table(
        "requests",
        _required("space_id", KEY),
        _required("client", KEY),
        _required("request_id", KEY),
        _required("args_hash", WORDS),
        _optional("rev", BIG),
        _required("response", DOCUMENT),
        _required("at_us", BIG),
        sa.PrimaryKeyConstraint("space_id", "client", "request_id", name="pk_requests"),
        _to_space("requests"),
    )
    op.create_index("requests_age", "requests", ["at_us"])


def _fence() -> None:
    """A statement that does not say whose rows it wants finds none.

    The settings are local to a transaction; unset they are NULL or empty, which matches nothing. FORCE holds for the
    owner as well, so a later revision that changes rows has to say NO FORCE first, or it silently changes none.
    """
    op.execute(
        "CREATE FUNCTION visible_spaces() RETURNS text[] LANGUAGE sql STABLE PARALLEL SAFE"
        " AS $$ SELECT string_to_array(current_setting('taskgate.spaces', true), ',') $$"
    )
    for table in TABLES:
        if table in OF_A_PERSON:
            own = "user_key = current_setting('taskgate.user', true)"
        else:
            # The inner SELECT makes it one call per statement; without it there may be one per row.
            own = f"{'id' if table == 'spaces' else 'space_id'} = ANY ((SELECT visible_spaces())::text[])"
        op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
        op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
        op.execute(f"CREATE POLICY own ON {table} USING ({own}) WITH CHECK ({own})")
    for table in SWEPT:
        for command in ("SELECT", "UPDATE", "DELETE") if table == "reminders" else ("SELECT", "DELETE"):
            op.execute(
                f"CREATE POLICY sweep_{command.lower()} ON {table} FOR {command}"
                " USING (current_setting('taskgate.sweep', true) = 'on')"
            )


def _grant() -> None:
    """The server's role reads and writes rows and owns nothing. A deployment with one role for all has no such role."""
    op.execute(
        "DO $$ BEGIN IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'taskgate_app') THEN"
        f" GRANT SELECT, INSERT, UPDATE, DELETE ON {', '.join(TABLES)} TO taskgate_app;"
        " GRANT SELECT ON alembic_version_mcp TO taskgate_app;"
        " END IF; END $$"
    )


def _required(name: str, kind: TypeEngine[Any], default: str | None = None) -> sa.Column[Any]:
    return sa.Column(name, kind, nullable=False, server_default=None if default is None else sa.text(default))


def _optional(name: str, kind: TypeEngine[Any]) -> sa.Column[Any]:
    return sa.Column(name, kind, nullable=True)


def _to_space(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(["space_id"], ["spaces.id"], name=f"fk_{table}_space_id", ondelete="CASCADE")


def _to_task(table: str, column: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        ["space_id", column], ["tasks.space_id", "tasks.no"], name=f"fk_{table}_space_id_{column}", ondelete="CASCADE"
    )


def _index_some(name: str, table: str, *columns: str, where: str, unique: bool = False) -> None:
    op.create_index(
        name, table, list(columns), unique=unique, sqlite_where=sa.text(where), postgresql_where=sa.text(where)
    )
