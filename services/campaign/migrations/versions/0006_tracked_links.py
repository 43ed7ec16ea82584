"""Whether clicks are counted: templates say it, and campaigns may say otherwise."""

from alembic import op

from contracts.channels import CHANNELS

revision = "campaign_0006"
down_revision = "campaign_0005"


def upgrade() -> None:
    for channel in CHANNELS:
        op.execute(f"ALTER TABLE {channel}_templates ADD COLUMN track_links boolean NOT NULL DEFAULT false")
        op.execute(f"ALTER TABLE {channel}_campaigns ADD COLUMN track_links boolean")
