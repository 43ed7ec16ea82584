"""Raw callbacks, what customers wrote, and the accounts whose signatures we check."""

from alembic import op

from shared.database.tables import create_outbox

revision = "delivery_receipt_0001"
down_revision = None


def upgrade() -> None:
    op.execute(
        """
        CREATE TABLE callbacks (
            id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
            received_at timestamptz NOT NULL DEFAULT clock_timestamp(),
            provider text NOT NULL,
            account_id uuid,
            target text NOT NULL,
            headers jsonb NOT NULL,
            body bytea NOT NULL,
            rejection text
        )
        """
    )
    op.execute("CREATE INDEX callbacks_rejected ON callbacks (id) WHERE rejection IS NOT NULL")
    op.execute("CREATE INDEX callbacks_received ON callbacks USING brin (received_at)")
    op.execute(
        """
        CREATE TABLE inbound_messages (
            id uuid PRIMARY KEY,
            user_id text NOT NULL,
            channel text NOT NULL,
            provider_id uuid NOT NULL,
            provider_message_id text,
            address text NOT NULL,
            sent_to text NOT NULL,
            text text NOT NULL,
            intent text NOT NULL CHECK (intent IN ('stop', 'start', 'help', 'other')),
            received_at timestamptz NOT NULL DEFAULT clock_timestamp(),
            UNIQUE (provider_id, provider_message_id)
        )
        """
    )
    op.execute(
        """
        CREATE TABLE accounts (
            id uuid PRIMARY KEY,
            user_id text NOT NULL,
            channel text NOT NULL,
            provider_type text NOT NULL,
            version bigint NOT NULL,
            sealed bytea NOT NULL
        )
        """
    )
    create_outbox(op)
