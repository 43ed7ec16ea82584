"""Customers, their devices and consent, imports, and the expansion of campaigns."""

from alembic import op

from shared.database.tables import create_inbox, create_outbox

revision = "audience_0001"
down_revision = None


def upgrade() -> None:
    op.execute(
        """
        CREATE TABLE customers (
            user_id text COLLATE "C" NOT NULL,
            customer_id text COLLATE "C" NOT NULL,
            phone_number text,
            email text,
            first_name text,
            last_name text,
            country text,
            locale text,
            time_zone text,
            attributes jsonb NOT NULL DEFAULT '{}',
            last_seen_at timestamptz,
            created_at timestamptz NOT NULL DEFAULT now(),
            updated_at timestamptz NOT NULL DEFAULT now(),
            PRIMARY KEY (user_id, customer_id)
        )
        """
    )
    # Indexes of addresses do not begin with the tenant: for one that the statistics do not know yet, the planner would
    # take them for the primary key and read the whole tenant for every row.
    op.execute("CREATE INDEX customers_phone ON customers (phone_number, user_id) WHERE phone_number IS NOT NULL")
    op.execute(
        """
        CREATE TABLE devices (
            user_id text COLLATE "C" NOT NULL,
            customer_id text COLLATE "C" NOT NULL,
            device_token text NOT NULL,
            device_type text NOT NULL CHECK (device_type IN ('ios', 'android', 'web', 'unknown')),
            last_seen_at timestamptz NOT NULL DEFAULT now(),
            PRIMARY KEY (user_id, customer_id, device_token),
            FOREIGN KEY (user_id, customer_id) REFERENCES customers ON DELETE CASCADE
        )
        """
    )
    op.execute("CREATE INDEX devices_token ON devices (device_token, user_id)")
    op.execute(
        """
        CREATE TABLE notification_preferences (
            id uuid NOT NULL DEFAULT gen_random_uuid(),
            user_id text COLLATE "C" NOT NULL,
            customer_id text COLLATE "C" NOT NULL,
            phone_number text,
            device_token text,
            sms_opted_in boolean NOT NULL DEFAULT true,
            push_opted_in boolean NOT NULL DEFAULT true,
            marketing_opted_in boolean NOT NULL DEFAULT true,
            transactional_opted_in boolean NOT NULL DEFAULT true,
            sms_categories text[],
            push_categories text[],
            updated_at timestamptz NOT NULL DEFAULT now(),
            restricted boolean NOT NULL GENERATED ALWAYS AS (
                NOT (sms_opted_in AND push_opted_in AND marketing_opted_in AND transactional_opted_in)
                OR sms_categories IS NOT NULL OR push_categories IS NOT NULL
            ) STORED,
            PRIMARY KEY (user_id, customer_id)
        )
        """
    )
    for address in ("phone_number", "device_token"):
        op.execute(
            f"CREATE INDEX notification_preferences_{address} ON notification_preferences ({address}, user_id)"
            f" WHERE restricted AND {address} IS NOT NULL"
        )
    op.execute(
        """
        CREATE TABLE consent_log (
            id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
            user_id text NOT NULL,
            channel text NOT NULL,
            customer_id text,
            address text,
            scope text NOT NULL,
            opted_out boolean NOT NULL,
            source text NOT NULL CHECK (source IN ('import', 'api', 'message', 'provider')),
            at timestamptz NOT NULL
        )
        """
    )
    op.execute("CREATE INDEX consent_log_customer ON consent_log (user_id, customer_id)")
    op.execute(
        """
        CREATE TABLE suppressions (
            user_id text NOT NULL,
            channel text NOT NULL,
            address text NOT NULL,
            reason text NOT NULL CHECK (reason IN ('opted_out', 'dead')),
            scope text NOT NULL DEFAULT 'all',
            at timestamptz NOT NULL,
            PRIMARY KEY (user_id, channel, address, reason, scope)
        )
        """
    )
    op.execute(
        """
        CREATE TABLE imports (
            id uuid PRIMARY KEY,
            user_id text NOT NULL,
            kind text NOT NULL CHECK (kind IN ('customers', 'recipients')),
            campaign_id uuid,
            state text NOT NULL DEFAULT 'running' CHECK (state IN ('running', 'done', 'failed')),
            imported bigint NOT NULL DEFAULT 0,
            rejected bigint NOT NULL DEFAULT 0,
            started_at timestamptz NOT NULL DEFAULT now(),
            finished_at timestamptz,
            CHECK ((kind = 'recipients') = (campaign_id IS NOT NULL))
        )
        """
    )
    op.execute(
        """
        CREATE TABLE import_errors (
            import_id uuid NOT NULL REFERENCES imports ON DELETE CASCADE,
            row_number bigint NOT NULL,
            field text NOT NULL,
            reason text NOT NULL,
            PRIMARY KEY (import_id, row_number, field)
        )
        """
    )
    op.execute(
        """
        CREATE TABLE additions (
            campaign_id uuid NOT NULL,
            digest uuid NOT NULL,
            user_id text COLLATE "C" NOT NULL,
            channel text NOT NULL,
            customer_id text COLLATE "C",
            address text,
            device_type text,
            recipient_name text,
            personalization_data jsonb NOT NULL DEFAULT '{}',
            added_at timestamptz NOT NULL DEFAULT now(),
            CHECK ((customer_id IS NULL) <> (address IS NULL)),
            PRIMARY KEY (campaign_id, user_id, channel, digest)
        )
        """
    )
    op.execute("CREATE INDEX additions_customer ON additions (user_id, customer_id) WHERE customer_id IS NOT NULL")
    op.execute(
        """
        CREATE TABLE expansions (
            campaign_id uuid PRIMARY KEY,
            user_id text NOT NULL,
            channel text NOT NULL,
            category text NOT NULL,
            content jsonb NOT NULL,
            audience_filter jsonb,
            state text NOT NULL DEFAULT 'running' CHECK (state IN ('running', 'done', 'cancelled')),
            phase text NOT NULL DEFAULT 'additions' CHECK (phase IN ('additions', 'customers', 'finished')),
            cursor text NOT NULL DEFAULT '',
            audience bigint NOT NULL DEFAULT 0,
            recipients bigint NOT NULL DEFAULT 0,
            lots bigint NOT NULL DEFAULT 0,
            excluded jsonb NOT NULL DEFAULT '{}',
            launched_at timestamptz NOT NULL DEFAULT now(),
            touched_at timestamptz NOT NULL DEFAULT clock_timestamp(),
            finished_at timestamptz,
            CHECK ((state = 'running') = (finished_at IS NULL))
        )
        """
    )
    op.execute("CREATE INDEX expansions_running ON expansions (touched_at) WHERE state = 'running'")
    op.execute("CREATE INDEX expansions_finished ON expansions (finished_at) WHERE state <> 'running'")
    op.execute(
        """
        CREATE TABLE expansion_addresses (
            campaign_id uuid NOT NULL,
            digest uuid NOT NULL,
            PRIMARY KEY (campaign_id, digest)
        )
        """
    )
    op.execute(
        """
        CREATE TABLE send_requests (
            user_id text NOT NULL,
            request_id text NOT NULL,
            campaign_id uuid NOT NULL UNIQUE,
            excluded text,
            received_at timestamptz NOT NULL DEFAULT now(),
            PRIMARY KEY (user_id, request_id)
        )
        """
    )
    create_outbox(op)
    create_inbox(op)
