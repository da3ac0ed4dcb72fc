"""How far each attachment has come, and to which conversation it belongs.

Attachments could not be made before this revision, so there are no rows to fill.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0005"
down_revision = "0004"

WORDS = sa.Text()
BIG = sa.BigInteger()
KEY = sa.Text().with_variant(postgresql.TEXT(collation="C"), "postgresql")


def upgrade() -> None:
    """Add the columns and their index."""
    op.add_column("chat_attachments", sa.Column("state", WORDS, nullable=False, server_default=sa.text("'waiting'")))
    op.add_column("chat_attachments", sa.Column("size_bytes", BIG, nullable=False, server_default=sa.text("0")))
    op.add_column("chat_attachments", sa.Column("created_us", BIG, nullable=False, server_default=sa.text("0")))
    op.add_column("chat_attachments", sa.Column("thread_id", KEY, nullable=True))
    op.create_index("chat_attachments_thread", "chat_attachments", ["owner", "thread_id"])


def downgrade() -> None:
    """Drop them. The bytes stay where they are, known to nobody: take them away before."""
    op.drop_index("chat_attachments_thread", "chat_attachments")
    for name in ("thread_id", "created_us", "size_bytes", "state"):
        op.drop_column("chat_attachments", name)
