"""When the dispatcher halted a campaign, so that a repeated message about it changes nothing."""

from alembic import op

from contracts.channels import CHANNELS

revision = "campaign_0002"
down_revision = "campaign_0001"


def upgrade() -> None:
    for channel in CHANNELS:
        op.execute(f"ALTER TABLE {channel}_campaigns ADD COLUMN halted_at timestamptz")
