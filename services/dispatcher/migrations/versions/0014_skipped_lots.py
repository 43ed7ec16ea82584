"""Why nobody of a lot is sent to, where that is known before anybody is tried."""

from alembic import op

revision = "dispatcher_0014"
down_revision = "dispatcher_0013"


def upgrade() -> None:
    op.execute("ALTER TABLE lots ADD COLUMN skip_reason text")
