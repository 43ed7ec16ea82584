"""Messages whose price the vendor will say when it is asked."""

from alembic import op

revision = "dispatcher_0005"
down_revision = "dispatcher_0004"


def upgrade() -> None:
    op.execute(
        """
        CREATE TABLE price_questions (
            recipient_id uuid PRIMARY KEY,
            channel text NOT NULL,
            user_id text NOT NULL,
            account_id uuid,
            provider_message_id text NOT NULL,
            attempted_at timestamptz NOT NULL,
            final_at timestamptz NOT NULL DEFAULT clock_timestamp(),
            is_alone boolean NOT NULL DEFAULT false,
            asked smallint NOT NULL DEFAULT 0,
            due_at timestamptz NOT NULL
        )
        """
    )
    op.execute("CREATE INDEX price_questions_due ON price_questions (due_at)")
    op.execute("CREATE INDEX price_questions_message ON price_questions (provider_message_id)")
