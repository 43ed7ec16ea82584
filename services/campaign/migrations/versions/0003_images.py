"""What the pictures of push templates were found to be when they were saved."""

from alembic import op

revision = "campaign_0003"
down_revision = "campaign_0002"


def upgrade() -> None:
    op.execute("ALTER TABLE push_templates ADD COLUMN image jsonb")
