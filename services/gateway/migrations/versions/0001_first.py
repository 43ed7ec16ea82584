"""API keys, answers to repeat, and requests to publish."""

from alembic import op

from shared.database.tables import create_outbox

revision = "gateway_0001"
down_revision = None


def upgrade() -> None:
    op.execute(
        """
        CREATE TABLE api_keys (
            id uuid PRIMARY KEY,
            user_id text NOT NULL,
            name text NOT NULL,
            prefix text NOT NULL UNIQUE,
            secret_hash bytea NOT NULL,
            scopes text[] NOT NULL,
            created_at timestamptz NOT NULL DEFAULT now(),
            expires_at timestamptz,
            revoked_at timestamptz
        )
        """
    )
    op.execute("CREATE INDEX api_keys_user ON api_keys (user_id)")
    op.execute(
        """
        CREATE TABLE idempotency_keys (
            user_id text NOT NULL,
            key text NOT NULL,
            request_hash bytea NOT NULL,
            claimed_at timestamptz NOT NULL DEFAULT clock_timestamp(),
            status integer,
            content_type text,
            body bytea,
            PRIMARY KEY (user_id, key)
        )
        """
    )
    op.execute("CREATE INDEX idempotency_keys_claimed ON idempotency_keys (claimed_at)")
    create_outbox(op)
