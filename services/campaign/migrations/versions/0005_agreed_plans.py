"""What a scheduled campaign may send, where somebody had to agree to it."""

from alembic import op

from contracts.channels import CHANNELS

revision = "campaign_0005"
down_revision = "campaign_0004"


def upgrade() -> None:
    for channel in CHANNELS:
        op.execute(f"ALTER TABLE {channel}_campaigns ADD COLUMN agreed_plan text")
