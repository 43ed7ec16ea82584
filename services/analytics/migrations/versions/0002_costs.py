"""Costs by currency, and the corrections that providers' prices made."""

from alembic import op

revision = "analytics_0002"
down_revision = "analytics_0001"


def upgrade() -> None:
    op.execute(
        """
        CREATE TABLE campaign_costs (
            campaign_id uuid NOT NULL,
            currency text NOT NULL,
            user_id text NOT NULL,
            campaign_type text NOT NULL,
            cost_micros bigint NOT NULL,
            PRIMARY KEY (campaign_id, currency)
        ) WITH (fillfactor = 50)
        """
    )
    op.execute("CREATE INDEX campaign_costs_user ON campaign_costs (user_id, campaign_type)")
    op.execute(
        """
        CREATE TABLE repricings (
            id uuid PRIMARY KEY,
            campaign_id uuid NOT NULL,
            recipient_id uuid NOT NULL,
            user_id text NOT NULL,
            at timestamptz NOT NULL,
            cost_micros bigint NOT NULL,
            currency text NOT NULL,
            before_cost_micros bigint,
            before_currency text
        )
        """
    )
    op.execute("CREATE INDEX repricings_campaign ON repricings (campaign_id)")
    op.execute(
        """
        INSERT INTO campaign_costs (campaign_id, currency, user_id, campaign_type, cost_micros)
        SELECT campaign_id, metadata->>'currency', min(user_id), min(campaign_type),
               sum((metadata->>'cost_micros')::bigint)
        FROM notification_events WHERE metadata ? 'cost_micros' AND metadata ? 'currency' GROUP BY 1, 2
        """
    )
    op.execute("ALTER TABLE campaign_totals DROP COLUMN cost_micros")
