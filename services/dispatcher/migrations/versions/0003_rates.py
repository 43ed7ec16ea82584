"""How fast each account may send, over all processes."""

from alembic import op

revision = "dispatcher_0003"
down_revision = "dispatcher_0002"


def upgrade() -> None:
    op.execute(
        """
        CREATE TABLE rates (
            account_id uuid PRIMARY KEY,
            available_at timestamptz NOT NULL DEFAULT now(),
            learned float8,
            learned_at timestamptz,
            held_until timestamptz NOT NULL DEFAULT now()
        )
        """
    )
