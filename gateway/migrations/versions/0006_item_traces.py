"""Which request wrote an item: a vote on an answer names it, so that its log can be found.

What was written before this revision names none.
"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Add the column."""
    op.add_column("chat_items", sa.Column("trace_id", sa.Text(), nullable=True))


def downgrade() -> None:
    """Drop it."""
    op.drop_column("chat_items", "trace_id")
