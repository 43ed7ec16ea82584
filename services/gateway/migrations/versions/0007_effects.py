"""The id by which the effect of a repeated request is known, and whether it may have happened already."""

from alembic import op

revision = "gateway_0007"
down_revision = "gateway_0006"


def upgrade() -> None:
    op.execute(
        """
        ALTER TABLE idempotency_keys
            ADD COLUMN path text NOT NULL DEFAULT '',
            ADD COLUMN effect_id uuid,
            ADD COLUMN is_free boolean NOT NULL DEFAULT false,
            ADD COLUMN is_unsure boolean NOT NULL DEFAULT false
        """
    )
    # Kept answers were not sealed, and digests had no key; they would have been forgotten within a day.
    op.execute("DELETE FROM idempotency_keys")
    op.execute("ALTER TABLE api_keys ADD COLUMN rotation_id uuid")
