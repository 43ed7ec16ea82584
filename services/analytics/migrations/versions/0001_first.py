"""The event log, its aggregates, and the read copies behind the dashboard."""

from alembic import op

from shared.database.tables import create_outbox

revision = "analytics_0001"
down_revision = None


def upgrade() -> None:
    op.execute(
        """
        CREATE TABLE notification_events (
            id uuid PRIMARY KEY,
            campaign_id uuid NOT NULL,
            recipient_id uuid NOT NULL,
            campaign_type text NOT NULL,
            user_id text NOT NULL,
            event_type text NOT NULL CHECK (
                event_type IN ('sent', 'delivered', 'opened', 'clicked', 'failed', 'bounced', 'opted_out')),
            event_timestamp timestamptz NOT NULL,
            metadata jsonb
        ) PARTITION BY RANGE (id)
        """
    )
    op.execute("CREATE TABLE notification_events_rest PARTITION OF notification_events DEFAULT")
    op.execute("CREATE INDEX notification_events_campaign ON notification_events (campaign_id, event_type)")
    op.execute("CREATE INDEX notification_events_user ON notification_events (user_id)")
    op.execute(
        """
        CREATE TABLE campaign_totals (
            campaign_id uuid NOT NULL,
            event_type text NOT NULL,
            user_id text NOT NULL,
            campaign_type text NOT NULL,
            lane text NOT NULL,
            events bigint NOT NULL,
            cost_micros bigint NOT NULL,
            PRIMARY KEY (campaign_id, event_type)
        ) WITH (fillfactor = 50)
        """
    )
    op.execute("CREATE INDEX campaign_totals_user ON campaign_totals (user_id, campaign_type)")
    op.execute(
        """
        CREATE TABLE campaigns (
            id uuid PRIMARY KEY,
            user_id text NOT NULL,
            channel text NOT NULL,
            version bigint NOT NULL,
            campaign_name text NOT NULL,
            status text NOT NULL,
            created_at timestamptz NOT NULL,
            scheduled_send_time timestamptz,
            sent_at timestamptz,
            deleted boolean NOT NULL
        )
        """
    )
    op.execute("CREATE INDEX campaigns_user ON campaigns (user_id, channel, created_at DESC)")
    op.execute(
        """
        CREATE TABLE things (
            kind text NOT NULL CHECK (kind IN ('template', 'provider')),
            id uuid NOT NULL,
            user_id text NOT NULL,
            channel text NOT NULL,
            version bigint NOT NULL,
            deleted boolean NOT NULL,
            PRIMARY KEY (kind, id)
        )
        """
    )
    op.execute("CREATE INDEX things_user ON things (user_id, kind, channel)")
    create_outbox(op)
