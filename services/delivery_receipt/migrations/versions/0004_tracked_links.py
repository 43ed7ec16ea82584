"""Where the links lead whose clicks are counted."""

from alembic import op

revision = "delivery_receipt_0004"
down_revision = "delivery_receipt_0003"


def upgrade() -> None:
    op.execute(
        """
        CREATE TABLE tracked_links (
            number bigint PRIMARY KEY,
            user_id text NOT NULL,
            destination text NOT NULL CHECK (destination ~* '^https?://')
        )
        """
    )
