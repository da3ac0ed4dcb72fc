"""What browser sign-ins need to be renewed and revoked: what proved them, until when, and how to ask again.

The program before this revision goes on writing sessions; what it leaves out means: nothing to renew, and not proven
after any moment that somebody was revoked at.
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision: str | None = "0001"

WORDS = sa.Text()
BIG = sa.BigInteger()


def upgrade() -> None:
    """Add the columns."""
    op.add_column("sessions", sa.Column("name", WORDS, nullable=True))
    op.add_column("sessions", sa.Column("session_id", WORDS, nullable=True))
    op.add_column("sessions", sa.Column("token_id", WORDS, nullable=True))
    op.add_column("sessions", sa.Column("issued_us", BIG, nullable=False, server_default=sa.text("0")))
    op.add_column("sessions", sa.Column("verified_until_us", BIG, nullable=True))
    op.add_column("sessions", sa.Column("refresh_token", WORDS, nullable=True))
    op.add_column("sessions", sa.Column("renewing_until_us", BIG, nullable=False, server_default=sa.text("0")))


def downgrade() -> None:
    """Sign everybody out who would otherwise stay without being asked about again, and drop the columns."""
    op.execute("DELETE FROM sessions WHERE refresh_token IS NOT NULL")
    for name in (
        "renewing_until_us",
        "refresh_token",
        "verified_until_us",
        "issued_us",
        "token_id",
        "session_id",
        "name",
    ):
        op.drop_column("sessions", name)
