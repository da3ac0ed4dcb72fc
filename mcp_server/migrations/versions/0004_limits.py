"""What callers have used of the current minute, shared by the processes of the tool server; only it sees the rows."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Create the table; on PostgreSQL without a log, because a crash may cost a minute's counts."""
    on_postgresql = op.get_context().dialect.name == "postgresql"
    op.create_table(
        "mcp_limits",
        sa.Column("key", sa.Text().with_variant(postgresql.TEXT(collation="C"), "postgresql"), nullable=False),
        sa.Column("minute", sa.BigInteger(), nullable=False),
        sa.Column("taken", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("key", "minute", name="pk_mcp_limits"),
        prefixes=["UNLOGGED"] if on_postgresql else [],
    )
    if on_postgresql:
        _fence()
        _grant()


def downgrade() -> None:
    """Drop it, and its policy with it."""
    op.drop_table("mcp_limits")


def _fence() -> None:
    """A statement of a person's request, whatever got into it, neither finds these rows nor adds any."""
    own = "current_setting('taskgate.service', true) = 'mcp'"
    op.execute("ALTER TABLE mcp_limits ENABLE ROW LEVEL SECURITY")
    op.execute("ALTER TABLE mcp_limits FORCE ROW LEVEL SECURITY")
    op.execute(f"CREATE POLICY own ON mcp_limits USING ({own}) WITH CHECK ({own})")


def _grant() -> None:
    op.execute(
        "DO $$ BEGIN IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'taskgate_app') THEN"
        " GRANT SELECT, INSERT, UPDATE, DELETE ON mcp_limits TO taskgate_app;"
        " END IF; END $$"
    )
