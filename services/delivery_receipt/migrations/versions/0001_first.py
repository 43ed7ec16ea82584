"""Raw callbacks, what could not be read of them, inbound messages, and the read copy of provider accounts."""

from alembic import op

from shared.database.tables import create_outbox

revision = "delivery_receipt_0001"
down_revision = None


def upgrade() -> None:
    op.execute(
        """
        CREATE TABLE callback_batches (
            id uuid PRIMARY KEY,
            received_at timestamptz NOT NULL DEFAULT clock_timestamp(),
            callbacks integer NOT NULL,
            receipts integer NOT NULL,
            inbound integer NOT NULL,
            rejected integer NOT NULL
        )
        """
    )
    op.execute("CREATE INDEX callback_batches_received_at ON callback_batches (received_at)")
    op.execute(
        """
        CREATE TABLE callbacks (
            batch_id uuid NOT NULL,
            number smallint NOT NULL,
            provider text NOT NULL,
            channel text NOT NULL,
            account_id uuid,
            user_id text,
            received_at timestamptz NOT NULL,
            target text NOT NULL,
            headers bytea NOT NULL,
            body bytea NOT NULL,
            PRIMARY KEY (batch_id, number)
        )
        """
    )
    op.execute(
        """
        CREATE TABLE rejections (
            batch_id uuid NOT NULL,
            number smallint NOT NULL,
            reason text NOT NULL,
            rejected_at timestamptz NOT NULL DEFAULT clock_timestamp(),
            tried_at timestamptz NOT NULL DEFAULT clock_timestamp(),
            converted_at timestamptz,
            PRIMARY KEY (batch_id, number)
        )
        """
    )
    op.execute("CREATE INDEX rejections_open ON rejections (tried_at) WHERE converted_at IS NULL")
    op.execute(
        """
        CREATE TABLE inbound_messages (
            id uuid PRIMARY KEY,
            user_id text NOT NULL,
            channel text NOT NULL,
            provider_id uuid NOT NULL,
            address text NOT NULL,
            recipient text NOT NULL,
            text text NOT NULL,
            intent text NOT NULL CHECK (intent IN ('stop', 'start', 'help', 'other')),
            provider_message_id text,
            received_at timestamptz NOT NULL
        )
        """
    )
    op.execute(
        "CREATE UNIQUE INDEX inbound_messages_provider_message ON inbound_messages (provider_id, provider_message_id)"
    )
    op.execute("CREATE INDEX inbound_messages_user ON inbound_messages (user_id, received_at)")
    op.execute(
        """
        CREATE TABLE accounts (
            id uuid PRIMARY KEY,
            user_id text NOT NULL,
            channel text NOT NULL,
            provider_type text NOT NULL,
            version bigint NOT NULL,
            sealed bytea NOT NULL,
            deleted_at timestamptz
        )
        """
    )
    create_outbox(op)
