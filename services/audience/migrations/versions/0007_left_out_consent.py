"""Which consents the rows of an import left out."""

from alembic import op

revision = "audience_0007"
down_revision = "audience_0006"


def upgrade() -> None:
    op.execute("ALTER TABLE imports ADD COLUMN consent_left_out text[] NOT NULL DEFAULT '{}'")
