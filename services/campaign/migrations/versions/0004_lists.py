"""Indexes for the ways in which lists of templates and campaigns are sorted and filtered."""

from alembic import op

from contracts.channels import CHANNELS

revision = "campaign_0004"
down_revision = "campaign_0003"


def upgrade() -> None:
    for channel in CHANNELS:
        campaigns, templates = f"{channel}_campaigns", f"{channel}_templates"
        op.execute(f"CREATE INDEX {campaigns}_created ON {campaigns} (user_id, id)")
        op.execute(f"CREATE INDEX {campaigns}_name ON {campaigns} (user_id, lower(campaign_name), id)")
        op.execute(
            f"CREATE INDEX {campaigns}_scheduled ON {campaigns}"
            " (user_id, coalesce(scheduled_send_time, timestamptz '9999-12-31 00:00:00+00'), id)"
        )
        op.execute(f"CREATE INDEX {templates}_name ON {templates} (user_id, lower(template_name), id)")
