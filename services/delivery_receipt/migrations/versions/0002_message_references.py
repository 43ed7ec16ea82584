"""Recipients by the provider's id of their message, and the secrets that an account had before."""

from alembic import op

revision = "delivery_receipt_0002"
down_revision = "delivery_receipt_0001"


def upgrade() -> None:
    op.execute(
        """
        CREATE TABLE message_references (
            user_id text NOT NULL,
            channel text NOT NULL,
            provider text NOT NULL,
            provider_message_id text NOT NULL,
            recipient_id uuid NOT NULL,
            made_at timestamptz NOT NULL DEFAULT clock_timestamp(),
            PRIMARY KEY (user_id, channel, provider, provider_message_id)
        )
        """
    )
    op.execute("CREATE INDEX message_references_made_at ON message_references (made_at)")
    op.execute("ALTER TABLE accounts ADD COLUMN previous bytea, ADD COLUMN previous_until timestamptz")
