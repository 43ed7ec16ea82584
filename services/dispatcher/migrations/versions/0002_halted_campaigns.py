"""When the guard halted a campaign, so that it does so once."""

from alembic import op

revision = "dispatcher_0002"
down_revision = "dispatcher_0001"


def upgrade() -> None:
    op.execute("ALTER TABLE campaigns ADD COLUMN halted_at timestamptz")
