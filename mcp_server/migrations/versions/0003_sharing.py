"""What an invitation to a list needs to be kept, and on PostgreSQL a view of one's own memberships from both sides."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Add the columns. Nobody could be a member before this, so there are no rows to fill."""
    op.add_column("members", sa.Column("name", sa.Text(), nullable=False, server_default=sa.text("''")))
    op.add_column("members", sa.Column("since_us", sa.BigInteger(), nullable=False, server_default=sa.text("0")))
    if op.get_context().dialect.name == "postgresql":
        # The row with the owner decides, so a person may see it before the owner's space is opened to a transaction.
        op.execute("CREATE POLICY mine ON members FOR SELECT USING (user_key = current_setting('taskgate.user', true))")


def downgrade() -> None:
    """Drop the columns; open invitations are lost."""
    on_postgresql = op.get_context().dialect.name == "postgresql"
    if on_postgresql:
        op.execute("DROP POLICY mine ON members")
        op.execute("ALTER TABLE members NO FORCE ROW LEVEL SECURITY")  # or the owner of the table would see no rows
    op.execute("DELETE FROM members WHERE user_key LIKE 'i%'")
    if on_postgresql:
        op.execute("ALTER TABLE members FORCE ROW LEVEL SECURITY")
    op.drop_column("members", "since_us")
    op.drop_column("members", "name")
