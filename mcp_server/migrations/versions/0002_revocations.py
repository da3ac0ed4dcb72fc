"""What the tool server no longer accepts although it was signed; on PostgreSQL only the service itself sees it."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Create the table."""
    op.create_table(
        "mcp_revocations",
        sa.Column("id", sa.Text().with_variant(postgresql.TEXT(collation="C"), "postgresql"), nullable=False),
        sa.Column("issuer", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=True),
        sa.Column("token_id", sa.Text(), nullable=True),
        sa.Column("session_id", sa.Text(), nullable=True),
        sa.Column("not_before", sa.BigInteger(), nullable=False),
        sa.Column("keep_until_us", sa.BigInteger(), nullable=False),
        sa.Column("created_us", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_mcp_revocations"),
    )
    if op.get_context().dialect.name == "postgresql":
        _fence()
        _grant()


def downgrade() -> None:
    """Drop it, and its policy with it: what was revoked and has not expired is accepted again."""
    op.drop_table("mcp_revocations")


def _fence() -> None:
    """A statement of a person's request, whatever got into it, neither finds these rows nor adds any."""
    own = "current_setting('taskgate.service', true) = 'mcp'"
    op.execute("ALTER TABLE mcp_revocations ENABLE ROW LEVEL SECURITY")
    op.execute("ALTER TABLE mcp_revocations FORCE ROW LEVEL SECURITY")
    op.execute(f"CREATE POLICY own ON mcp_revocations USING ({own}) WITH CHECK ({own})")


def _grant() -> None:
    op.execute(
        "DO $$ BEGIN IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'taskgate_app') THEN"
        " GRANT SELECT, INSERT, DELETE ON mcp_revocations TO taskgate_app;"
        " END IF; END $$"
    )
