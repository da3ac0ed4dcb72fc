"""How much one person uses up: turns in a minute, tokens in a day."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Create the table."""
    op.create_table(
        "chat_usage",
        sa.Column("owner", sa.Text().with_variant(postgresql.TEXT(collation="C"), "postgresql"), nullable=False),
        sa.Column("day", sa.BigInteger(), nullable=False),
        sa.Column("tokens", sa.BigInteger(), nullable=False),
        sa.Column("minute", sa.BigInteger(), nullable=False),
        sa.Column("turns", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("owner", name="pk_chat_usage"),
    )
    if op.get_context().dialect.name == "postgresql":
        op.execute(
            "DO $$ BEGIN IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'taskgate_app') THEN"
            " GRANT SELECT, INSERT, UPDATE, DELETE ON chat_usage TO taskgate_app;"
            " END IF; END $$"
        )


def downgrade() -> None:
    """Drop it: everybody begins again at nothing."""
    op.drop_table("chat_usage")
