"""How many rows of an import left out what somebody agreed to."""

from alembic import op

revision = "audience_0006"
down_revision = "audience_0005"


def upgrade() -> None:
    op.execute("ALTER TABLE imports ADD COLUMN consent_assumed bigint NOT NULL DEFAULT 0")
