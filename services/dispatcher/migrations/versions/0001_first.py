"""Provider accounts, the ledger, lots, and the read copies that the sender checks."""

from alembic import op

from shared.database.tables import create_outbox

revision = "dispatcher_0001"
down_revision = None


def upgrade() -> None:
    for channel, columns in (
        ("sms", "account_sid text, phone_number text"),
        ("push", "server_key bytea, sender_id text"),
    ):
        op.execute(
            f"""
            CREATE TABLE {channel}_providers (
                id uuid PRIMARY KEY,
                user_id text NOT NULL,
                provider_name text NOT NULL,
                provider_type text NOT NULL,
                api_key bytea,
                api_secret bytea,
                {columns},
                is_active boolean NOT NULL DEFAULT true,
                config bytea,
                version bigint NOT NULL DEFAULT 1,
                created_at timestamptz NOT NULL DEFAULT now()
            )
            """
        )
        op.execute(f"CREATE INDEX {channel}_providers_user ON {channel}_providers (user_id, is_active)")

    for channel, address, engagement in (
        ("sms", "phone_number text NOT NULL", "read_at timestamptz"),
        (
            "push",
            "device_token text NOT NULL, device_type text CHECK (device_type IN ('ios', 'android', 'web', 'unknown'))",
            "opened_at timestamptz, clicked_at timestamptz",
        ),
    ):
        table = f"{channel}_campaign_recipients"
        op.execute(
            f"""
            CREATE TABLE {table} (
                id uuid PRIMARY KEY,
                campaign_id uuid NOT NULL,
                lot_id uuid NOT NULL,
                user_id text NOT NULL,
                customer_id text,
                {address},
                recipient_name text,
                status text NOT NULL DEFAULT 'queued' CHECK (
                    status IN ('queued', 'sending', 'delivered', 'failed', 'bounced', 'opted_out')),
                outcome text CHECK (outcome IN ('accepted', 'refused', 'unknown', 'skipped')),
                attempts smallint NOT NULL DEFAULT 0,
                attempted_at timestamptz,
                accepted_at timestamptz,
                delivered_at timestamptz,
                {engagement},
                failure_reason text,
                error_class text,
                provider_message_id text,
                segments smallint,
                cost_micros bigint,
                currency text,
                personalization_data jsonb,
                CHECK (status <> 'queued' OR outcome IS NULL),
                CHECK (outcome IS DISTINCT FROM 'unknown' OR status = 'sending')
            ) WITH (fillfactor = 50)
            """
        )
        column = address.split()[0]
        op.execute(f"CREATE UNIQUE INDEX {table}_campaign_address ON {table} (campaign_id, {column})")
        op.execute(f"CREATE INDEX {table}_address ON {table} ({column})")

    op.execute(
        """
        CREATE TABLE campaigns (
            id uuid PRIMARY KEY,
            user_id text NOT NULL,
            channel text NOT NULL,
            version bigint NOT NULL,
            state text NOT NULL CHECK (state IN ('sending', 'paused', 'cancelled')),
            reason text,
            provider_id uuid,
            category text,
            unknown_policy text CHECK (unknown_policy IN ('hold', 'resend_if_proven_absent', 'resend')),
            content jsonb,
            launched_at timestamptz NOT NULL DEFAULT now(),
            progress_version bigint NOT NULL DEFAULT 0,
            progress jsonb,
            final boolean NOT NULL DEFAULT false
        )
        """
    )
    op.execute("CREATE INDEX campaigns_open ON campaigns (id) WHERE NOT final")
    op.execute(
        """
        CREATE TABLE audiences (
            campaign_id uuid PRIMARY KEY,
            audience bigint NOT NULL,
            recipients bigint NOT NULL,
            lots bigint NOT NULL,
            excluded jsonb NOT NULL
        )
        """
    )
    op.execute(
        """
        CREATE TABLE lots (
            id uuid PRIMARY KEY,
            campaign_id uuid NOT NULL,
            user_id text NOT NULL,
            channel text NOT NULL,
            lane text NOT NULL CHECK (lane IN ('bulk', 'transactional')),
            first_id uuid NOT NULL,
            last_id uuid NOT NULL,
            state text NOT NULL CHECK (state IN ('held', 'waiting', 'leased', 'done')),
            reason text,
            due_at timestamptz NOT NULL,
            expires_at timestamptz,
            provider_id uuid,
            category text NOT NULL,
            template_id uuid,
            content jsonb,
            worker uuid,
            lease_until timestamptz,
            deferrals integer NOT NULL DEFAULT 0,
            size integer NOT NULL,
            duplicates integer NOT NULL DEFAULT 0,
            queued integer NOT NULL DEFAULT 0,
            sending integer NOT NULL DEFAULT 0,
            accepted integer NOT NULL DEFAULT 0,
            refused integer NOT NULL DEFAULT 0,
            unknown integer NOT NULL DEFAULT 0,
            skipped integer NOT NULL DEFAULT 0,
            received_at timestamptz NOT NULL DEFAULT now(),
            CHECK (queued >= 0 AND sending >= 0 AND accepted >= 0 AND refused >= 0 AND unknown >= 0 AND skipped >= 0),
            CHECK (state <> 'leased' OR (worker IS NOT NULL AND lease_until IS NOT NULL))
        ) WITH (fillfactor = 50)
        """
    )
    op.execute("CREATE INDEX lots_waiting ON lots (lane, user_id, due_at) WHERE state = 'waiting'")
    op.execute("CREATE INDEX lots_leased ON lots (lease_until) WHERE state = 'leased'")
    op.execute("CREATE INDEX lots_unknown ON lots (id) WHERE unknown > 0")
    op.execute("CREATE INDEX lots_campaign ON lots (campaign_id)")
    op.execute(
        """
        CREATE TABLE attempts (
            id uuid PRIMARY KEY,
            lot_id uuid NOT NULL,
            worker uuid NOT NULL,
            first_id uuid NOT NULL,
            last_id uuid NOT NULL,
            recipients integer NOT NULL,
            started_at timestamptz NOT NULL DEFAULT clock_timestamp(),
            finished_at timestamptz
        )
        """
    )
    op.execute("CREATE INDEX attempts_lot ON attempts (lot_id)")
    op.execute(
        """
        CREATE TABLE opt_outs (
            user_id text NOT NULL,
            channel text NOT NULL,
            address text NOT NULL,
            scope text NOT NULL,
            opted_out boolean NOT NULL,
            at timestamptz NOT NULL,
            PRIMARY KEY (user_id, channel, address, scope)
        )
        """
    )
    op.execute(
        """
        CREATE TABLE templates (
            id uuid PRIMARY KEY,
            user_id text NOT NULL,
            channel text NOT NULL,
            version bigint NOT NULL,
            content jsonb NOT NULL,
            deleted boolean NOT NULL
        )
        """
    )
    op.execute(
        """
        CREATE TABLE tariffs (
            channel text NOT NULL,
            provider_type text NOT NULL,
            prefix text NOT NULL,
            cost_micros bigint NOT NULL CHECK (cost_micros >= 0),
            currency text NOT NULL,
            PRIMARY KEY (channel, provider_type, prefix)
        )
        """
    )
    op.execute(
        """
        INSERT INTO tariffs (channel, provider_type, prefix, cost_micros, currency) VALUES
            ('sms', 'twilio', '+', 60000, 'USD'),
            ('sms', 'twilio', '+1', 7900, 'USD'),
            ('sms', 'twilio', '+33', 79800, 'USD'),
            ('sms', 'twilio', '+44', 52400, 'USD'),
            ('sms', 'twilio', '+49', 111800, 'USD')
        """
    )
    create_outbox(op)
