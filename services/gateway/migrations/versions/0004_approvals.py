"""Sends that wait for a second person, and who has seen the secret of a key."""

from alembic import op

revision = "gateway_0004"
down_revision = "gateway_0003"


def upgrade() -> None:
    op.execute("ALTER TABLE api_keys ADD COLUMN holders uuid[] NOT NULL DEFAULT '{}'")
    op.execute(
        """
        CREATE TABLE approvals (
            id uuid PRIMARY KEY,
            user_id text NOT NULL,
            channel text NOT NULL,
            campaign_id uuid NOT NULL,
            action text NOT NULL CHECK (action IN ('send', 'schedule')),
            body bytea NOT NULL,
            digest text NOT NULL,
            added bigint NOT NULL,
            size bigint NOT NULL,
            state text NOT NULL DEFAULT 'pending'
                CHECK (state IN ('pending', 'approved', 'performed', 'failed', 'rejected', 'void')),
            requested_at timestamptz NOT NULL DEFAULT now(),
            requester_kind text NOT NULL,
            requester_id text,
            requester_name text,
            requesters uuid[] NOT NULL,
            decided_at timestamptz,
            decider_id uuid,
            decider_name text,
            ended_at timestamptz,
            reason text,
            CHECK ((state IN ('pending', 'approved')) = (ended_at IS NULL))
        )
        """
    )
    op.execute("CREATE INDEX approvals_user ON approvals (user_id, id)")
    op.execute("CREATE UNIQUE INDEX approvals_open ON approvals (campaign_id) WHERE ended_at IS NULL")
    op.execute("CREATE INDEX approvals_approved ON approvals (decided_at) WHERE state = 'approved'")
