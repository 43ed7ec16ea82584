"""What receipts say about the parts of long texts, where each part has its own."""

from alembic import op

revision = "dispatcher_0006"
down_revision = "dispatcher_0005"


def upgrade() -> None:
    op.execute(
        """
        CREATE TABLE message_parts (
            recipient_id uuid NOT NULL,
            part text NOT NULL,
            kind text NOT NULL,
            at timestamptz NOT NULL,
            error_class text,
            code text,
            heard_at timestamptz NOT NULL DEFAULT clock_timestamp(),
            PRIMARY KEY (recipient_id, part)
        )
        """
    )
    op.execute("CREATE INDEX message_parts_heard_at ON message_parts (heard_at)")
