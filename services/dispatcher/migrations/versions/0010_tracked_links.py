"""Links whose clicks are counted, and when one in a text message was first followed."""

from alembic import op

revision = "dispatcher_0010"
down_revision = "dispatcher_0009"


def upgrade() -> None:
    # A number has four bytes in a link's code. The digest (SHA-256) stands in for a destination too long for an index.
    op.execute(
        """
        CREATE TABLE tracked_links (
            number bigint GENERATED ALWAYS AS IDENTITY (MAXVALUE 4294967295) PRIMARY KEY,
            user_id text NOT NULL,
            digest bytea NOT NULL,
            destination text NOT NULL,
            made_at timestamptz NOT NULL DEFAULT clock_timestamp(),
            UNIQUE (user_id, digest)
        )
        """
    )
    op.execute("ALTER TABLE sms_campaign_recipients ADD COLUMN clicked_at timestamptz")
