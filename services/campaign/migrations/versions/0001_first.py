"""Templates, campaigns, and what campaigns need to know of provider accounts."""

from alembic import op

from shared.database.tables import create_outbox

revision = "campaign_0001"
down_revision = None


def upgrade() -> None:
    for channel, columns in (
        ("sms", "content text NOT NULL, character_count integer NOT NULL"),
        ("push", "title text NOT NULL, body text NOT NULL, image_url text, action_url text"),
    ):
        op.execute(
            f"""
            CREATE TABLE {channel}_templates (
                id uuid PRIMARY KEY,
                user_id text NOT NULL,
                template_name text NOT NULL,
                {columns},
                variables text[] NOT NULL,
                description text,
                version bigint NOT NULL DEFAULT 1,
                created_at timestamptz NOT NULL DEFAULT now(),
                updated_at timestamptz NOT NULL DEFAULT now()
            )
            """
        )
        op.execute(f"CREATE INDEX {channel}_templates_user ON {channel}_templates (user_id, id)")
        op.execute(
            f"""
            CREATE TABLE {channel}_campaigns (
                id uuid PRIMARY KEY,
                user_id text NOT NULL,
                campaign_name text NOT NULL,
                template_id uuid NOT NULL,
                provider_id uuid,
                description text,
                status text NOT NULL DEFAULT 'draft' CHECK (
                    status IN ('draft', 'scheduled', 'sending', 'paused', 'sent', 'failed', 'cancelled')),
                scheduled_send_time timestamptz,
                sent_at timestamptz,
                audience_filter jsonb,
                category text NOT NULL,
                unknown_policy text NOT NULL CHECK (
                    unknown_policy IN ('hold', 'resend_if_proven_absent', 'resend')),
                status_reason text,
                version bigint NOT NULL DEFAULT 1,
                launched_at timestamptz,
                created_at timestamptz NOT NULL DEFAULT now(),
                updated_at timestamptz NOT NULL DEFAULT now(),
                audience bigint,
                progress jsonb,
                progress_version bigint NOT NULL DEFAULT 0,
                CHECK (status <> 'scheduled' OR scheduled_send_time IS NOT NULL),
                CHECK (status NOT IN ('sending', 'paused', 'sent') OR launched_at IS NOT NULL)
            )
            """
        )
        op.execute(f"CREATE INDEX {channel}_campaigns_user ON {channel}_campaigns (user_id, status)")
        op.execute(
            f"CREATE INDEX {channel}_campaigns_due ON {channel}_campaigns (scheduled_send_time)"
            " WHERE status = 'scheduled'"
        )
    op.execute(
        """
        CREATE TABLE providers (
            id uuid PRIMARY KEY,
            user_id text NOT NULL,
            channel text NOT NULL,
            version bigint NOT NULL,
            is_active boolean NOT NULL,
            deleted boolean NOT NULL
        )
        """
    )
    create_outbox(op)
