"""Parts of long texts that people send, until the others have come."""

from alembic import op

revision = "delivery_receipt_0003"
down_revision = "delivery_receipt_0002"


def upgrade() -> None:
    op.execute(
        """
        CREATE TABLE inbound_parts (
            id uuid PRIMARY KEY,
            user_id text NOT NULL,
            channel text NOT NULL,
            provider_id uuid NOT NULL,
            address text NOT NULL,
            recipient text NOT NULL,
            text text NOT NULL,
            intent text NOT NULL CHECK (intent IN ('stop', 'start', 'help', 'other')),
            provider_message_id text NOT NULL,
            received_at timestamptz NOT NULL,
            reference text NOT NULL,
            number smallint NOT NULL,
            total smallint NOT NULL CHECK (number BETWEEN 1 AND total),
            handed_on_at timestamptz
        )
        """
    )
    op.execute("CREATE UNIQUE INDEX inbound_parts_message ON inbound_parts (provider_id, provider_message_id)")
    op.execute("CREATE INDEX inbound_parts_open ON inbound_parts (received_at) WHERE handed_on_at IS NULL")
    op.execute("CREATE INDEX inbound_parts_handed_on ON inbound_parts (handed_on_at) WHERE handed_on_at IS NOT NULL")
