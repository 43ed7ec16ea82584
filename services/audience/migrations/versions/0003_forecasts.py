"""What is asked of campaigns before they are sent: forecasts, tests, and how many recipients were added."""

from alembic import op

revision = "audience_0003"
down_revision = "audience_0002"


def upgrade() -> None:
    op.execute(
        """
        CREATE TABLE forecasts (
            id uuid PRIMARY KEY,
            campaign_id uuid NOT NULL,
            user_id text COLLATE "C" NOT NULL,
            channel text NOT NULL,
            category text NOT NULL,
            content jsonb NOT NULL,
            audience_filter jsonb,
            asked_for uuid NOT NULL,
            state text NOT NULL DEFAULT 'running' CHECK (state IN ('running', 'done', 'cancelled')),
            phase text NOT NULL DEFAULT 'additions' CHECK (phase IN ('additions', 'customers', 'finished')),
            cursor text NOT NULL DEFAULT '',
            audience bigint NOT NULL DEFAULT 0,
            recipients bigint NOT NULL DEFAULT 0,
            excluded jsonb NOT NULL DEFAULT '{}',
            tally jsonb NOT NULL DEFAULT '{}',
            started_at timestamptz NOT NULL DEFAULT now(),
            touched_at timestamptz NOT NULL DEFAULT clock_timestamp(),
            finished_at timestamptz,
            CHECK ((state = 'running') = (finished_at IS NULL))
        )
        """
    )
    op.execute("CREATE INDEX forecasts_campaign ON forecasts (campaign_id, user_id, id)")
    op.execute("CREATE INDEX forecasts_running ON forecasts (touched_at) WHERE state = 'running'")
    op.execute("CREATE INDEX forecasts_finished ON forecasts (finished_at) WHERE state <> 'running'")
    op.execute(
        """
        CREATE TABLE addition_counts (
            campaign_id uuid NOT NULL,
            user_id text COLLATE "C" NOT NULL,
            channel text NOT NULL,
            added bigint NOT NULL,
            PRIMARY KEY (campaign_id, user_id, channel)
        )
        """
    )
    op.execute(
        "INSERT INTO addition_counts SELECT campaign_id, user_id, channel, count(*) FROM additions GROUP BY 1, 2, 3"
    )
    op.execute("ALTER TABLE send_requests ADD COLUMN test_of uuid")
