"""Attempts and audiences belong to the tenant of their lot and campaign."""

from alembic import op

from shared.database.wall import see_through

revision = "dispatcher_0008"
down_revision = "dispatcher_0007"


def upgrade() -> None:
    see_through(op, "dispatcher", "attempts", "lot_id", "lots", "id")
    see_through(op, "dispatcher", "audiences", "campaign_id", "campaigns", "id")
