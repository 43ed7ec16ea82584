"""How many requests each process may have under way for an account, and what accounts were seen to achieve."""

from alembic import op

revision = "dispatcher_0007"
down_revision = "dispatcher_0006"


def upgrade() -> None:
    op.execute(
        """
        CREATE TABLE shares (
            account_id uuid NOT NULL,
            worker uuid NOT NULL,
            slots integer NOT NULL,
            expires_at timestamptz NOT NULL,
            PRIMARY KEY (account_id, worker)
        )
        """
    )
    op.execute(
        """
        ALTER TABLE rates ADD COLUMN measured float8,
                          ADD COLUMN counted bigint NOT NULL DEFAULT 0,
                          ADD COLUMN counted_from timestamptz NOT NULL DEFAULT now()
        """
    )
