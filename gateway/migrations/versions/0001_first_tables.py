"""The first tables of the gateway: conversations and browser sign-ins.

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
WORDS = sa.Text()
BIG = sa.BigInteger()

TABLES = (
    "chat_threads",
    "chat_items",
    "chat_feedback",
    "chat_attachments",
    "chat_turns",
    "chat_pending",
    "sessions",
)


def upgrade() -> None:
    """Create everything."""
    _create_conversations()
    _create_answers()
    _create_sessions()
    if op.get_context().dialect.name == "postgresql":
        _grant()


def downgrade() -> None:
    """Drop everything."""
    for table in reversed(TABLES):
        op.drop_table(table)


def _create_conversations() -> None:
    op.create_table(
        "chat_threads",
        _required("owner", KEY),
        _required("id", KEY),
        _required("seq", BIG),
        _required("created_us", BIG),
        _optional("title", WORDS),
        _required("title_by", WORDS, "'none'"),
        _required("status", WORDS),
        _required("data", WORDS),
        _optional("history_from", KEY),
        _optional("deleted_us", BIG),
        sa.PrimaryKeyConstraint("owner", "id", name="pk_chat_threads"),
    )
    op.create_index("chat_threads_order", "chat_threads", ["owner", "created_us", "seq"])

    op.create_table(
        "chat_items",
        _required("owner", KEY),
        _required("thread_id", KEY),
        _required("id", KEY),
        _required("seq", BIG),
        _required("created_us", BIG),
        _required("kind", WORDS),
        _required("data", WORDS),
        sa.PrimaryKeyConstraint("owner", "thread_id", "id", name="pk_chat_items"),
    )
    op.create_index("chat_items_order", "chat_items", ["owner", "thread_id", "created_us", "seq"])

    op.create_table(
        "chat_feedback",
        _required("owner", KEY),
        _required("thread_id", KEY),
        _required("item_id", KEY),
        _required("kind", WORDS),
        _required("at_us", BIG),
        _optional("trace_id", WORDS),
        sa.PrimaryKeyConstraint("owner", "thread_id", "item_id", name="pk_chat_feedback"),
    )
    op.create_table(
        "chat_attachments",
        _required("owner", KEY),
        _required("id", KEY),
        _required("data", WORDS),
        sa.PrimaryKeyConstraint("owner", "id", name="pk_chat_attachments"),
    )


def _create_answers() -> None:
    op.create_table(
        "chat_turns",
        _required("owner", KEY),
        _required("thread_id", KEY),
        _required("run_id", WORDS),
        _required("started_us", BIG),
        _required("expires_us", BIG),
        _required("stop", sa.SmallInteger(), "0"),
        _optional("partial", WORDS),
        sa.PrimaryKeyConstraint("owner", "thread_id", name="pk_chat_turns"),
    )
    op.create_table(
        "chat_pending",
        _required("owner", KEY),
        _required("id", KEY),
        _required("thread_id", KEY),
        _required("item_id", KEY),
        _required("kind", WORDS),
        _required("status", WORDS),
        _required("expires_us", BIG),
        _required("data", WORDS),
        sa.PrimaryKeyConstraint("owner", "id", name="pk_chat_pending"),
    )


def _create_sessions() -> None:
    op.create_table(
        "sessions",
        _required("id_hash", KEY),
        _required("issuer", WORDS),
        _required("subject", WORDS),
        _required("scopes", WORDS),
        _required("client_id", WORDS),
        _required("created_us", BIG),
        _required("expires_us", BIG),
        _required("idle_us", BIG),
        sa.PrimaryKeyConstraint("id_hash", name="pk_sessions"),
    )


def _grant() -> None:
    """The server's role reads and writes rows and owns nothing. A deployment with one role for all has no such role."""
    op.execute(
        "DO $$ BEGIN IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'taskgate_app') THEN"
        f" GRANT SELECT, INSERT, UPDATE, DELETE ON {', '.join(TABLES)} TO taskgate_app;"
        " GRANT SELECT ON alembic_version_gateway TO taskgate_app;"
        " END IF; END $$"
    )


def _required(name: str, kind: TypeEngine[Any], default: str | None = None) -> sa.Column[Any]:
    return sa.Column(name, kind, nullable=False, server_default=None if default is None else sa.text(default))


def _optional(name: str, kind: TypeEngine[Any]) -> sa.Column[Any]:
    return sa.Column(name, kind, nullable=True)
