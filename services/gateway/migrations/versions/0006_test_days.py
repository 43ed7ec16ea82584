"""How many test messages a tenant had sent on a day."""

from alembic import op

revision = "gateway_0006"
down_revision = "gateway_0005"


def upgrade() -> None:
    op.execute(
        """
        CREATE TABLE test_days (
            user_id text NOT NULL,
            day date NOT NULL,
            messages integer NOT NULL,
            PRIMARY KEY (user_id, day)
        )
        """
    )
