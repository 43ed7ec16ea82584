"""Since when a campaign that was paused moves again, so that its rate leaves the pause out."""

from alembic import op

revision = "dispatcher_0012"
down_revision = "dispatcher_0011"


def upgrade() -> None:
    op.execute("ALTER TABLE campaigns ADD COLUMN resumed_at timestamptz")
