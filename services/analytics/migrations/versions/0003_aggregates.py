"""Sums by tenant, by minute and by failure; each keeps what it owes to months whose events are gone."""

from alembic import op

revision = "analytics_0003"
down_revision = "analytics_0002"


def upgrade() -> None:
    op.execute(
        """
        CREATE TABLE tenant_totals (
            user_id text NOT NULL,
            campaign_type text NOT NULL,
            event_type text NOT NULL,
            events bigint NOT NULL,
            closed bigint NOT NULL DEFAULT 0,
            PRIMARY KEY (user_id, campaign_type, event_type)
        ) WITH (fillfactor = 50)
        """
    )
    op.execute(
        """
        INSERT INTO tenant_totals (user_id, campaign_type, event_type, events)
        SELECT user_id, campaign_type, event_type, sum(events) FROM campaign_totals GROUP BY 1, 2, 3
        """
    )
    op.execute(
        """
        CREATE TABLE tenant_costs (
            user_id text NOT NULL,
            campaign_type text NOT NULL,
            currency text NOT NULL,
            cost_micros bigint NOT NULL,
            closed bigint NOT NULL DEFAULT 0,
            PRIMARY KEY (user_id, campaign_type, currency)
        ) WITH (fillfactor = 50)
        """
    )
    op.execute(
        """
        INSERT INTO tenant_costs (user_id, campaign_type, currency, cost_micros)
        SELECT user_id, campaign_type, currency, sum(cost_micros) FROM campaign_costs GROUP BY 1, 2, 3
        """
    )
    op.execute(
        """
        CREATE TABLE campaign_minutes (
            user_id text NOT NULL,
            campaign_id uuid NOT NULL,
            minute timestamptz NOT NULL,
            event_type text NOT NULL,
            events bigint NOT NULL,
            closed bigint NOT NULL DEFAULT 0,
            PRIMARY KEY (user_id, campaign_id, minute, event_type)
        ) WITH (fillfactor = 70)
        """
    )
    op.execute(
        """
        CREATE TABLE campaign_failures (
            user_id text NOT NULL,
            campaign_id uuid NOT NULL,
            error_class text NOT NULL,
            code text NOT NULL,
            events bigint NOT NULL,
            closed bigint NOT NULL DEFAULT 0,
            PRIMARY KEY (user_id, campaign_id, error_class, code)
        ) WITH (fillfactor = 50)
        """
    )
    op.execute("ALTER TABLE repricings ADD COLUMN campaign_type text")
    op.execute(
        """
        UPDATE repricings r SET campaign_type = c.campaign_type FROM campaign_costs c
        WHERE c.campaign_id = r.campaign_id AND c.currency = r.currency
        """
    )
    op.execute("ALTER TABLE repricings ALTER COLUMN campaign_type SET NOT NULL")
    for table, own in (("campaign_totals", "event_type"), ("campaign_costs", "currency")):
        op.execute(f"DROP INDEX {table}_user")
        op.execute(
            f"""
            ALTER TABLE {table} DROP CONSTRAINT {table}_pkey, ADD PRIMARY KEY (user_id, campaign_id, {own}),
                DROP COLUMN campaign_type, ADD COLUMN closed bigint NOT NULL DEFAULT 0
            """
        )
    op.execute("ALTER TABLE campaign_totals DROP COLUMN lane")
    op.execute("DROP INDEX notification_events_campaign")
    op.execute("DROP INDEX notification_events_user")
    for name, columns in (("campaign", "user_id, campaign_id"), ("user", "user_id")):
        op.execute(
            f"""
            CREATE INDEX notification_events_{name}
            ON notification_events ({columns}, event_type, event_timestamp, id)
            """
        )
