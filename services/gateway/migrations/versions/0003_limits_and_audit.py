"""Rotation of keys, settings of tenants, limits over all replicas, and who changed what."""

from alembic import op

revision = "gateway_0003"
down_revision = "gateway_0002"


def upgrade() -> None:
    op.execute(
        """
        ALTER TABLE api_keys
            ADD COLUMN last_used_at timestamptz,
            ADD COLUMN previous_secret_hash bytea,
            ADD COLUMN previous_until timestamptz
        """
    )
    op.execute(
        """
        CREATE TABLE tenant_settings (
            user_id text PRIMARY KEY,
            approval_above integer CHECK (approval_above >= 0),
            requests_per_minute integer CHECK (requests_per_minute > 0),
            updated_at timestamptz NOT NULL DEFAULT now()
        )
        """
    )
    op.execute(
        """
        CREATE UNLOGGED TABLE rate_buckets (
            subject text PRIMARY KEY,
            tokens double precision NOT NULL,
            refilled_at timestamptz NOT NULL DEFAULT clock_timestamp()
        ) WITH (fillfactor = 70)
        """
    )
    op.execute(
        """
        CREATE TABLE audit_log (
            id uuid PRIMARY KEY,
            user_id text NOT NULL,
            at timestamptz NOT NULL DEFAULT clock_timestamp(),
            actor_kind text NOT NULL CHECK (actor_kind IN ('person', 'key', 'operator', 'unknown')),
            actor_id text,
            actor_name text,
            action text NOT NULL,
            resource_type text,
            resource_id text,
            source text NOT NULL,
            request_id text NOT NULL,
            status integer
        )
        """
    )
    op.execute("CREATE INDEX audit_log_user ON audit_log (user_id, id)")
    op.execute("CREATE INDEX audit_log_resource ON audit_log (user_id, resource_id, id)")
    op.execute("CREATE INDEX audit_log_at ON audit_log (at)")
    op.execute(
        """
        CREATE FUNCTION audit_log_only_grows() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            IF TG_OP = 'UPDATE' AND OLD.status IS NULL THEN
                OLD.status := NEW.status;
                OLD.resource_id := coalesce(OLD.resource_id, NEW.resource_id);
                IF NEW IS NOT DISTINCT FROM OLD THEN
                    RETURN NEW;
                END IF;
            ELSIF TG_OP = 'DELETE' AND OLD.at < now() - interval '365 days' THEN
                RETURN OLD;
            END IF;
            RAISE EXCEPTION 'the audit log only grows';
        END
        $$
        """
    )
    op.execute(
        "CREATE TRIGGER audit_log_only_grows BEFORE UPDATE OR DELETE ON audit_log"
        " FOR EACH ROW EXECUTE FUNCTION audit_log_only_grows()"
    )
    op.execute(
        "CREATE TRIGGER audit_log_is_not_emptied BEFORE TRUNCATE ON audit_log"
        " FOR EACH STATEMENT EXECUTE FUNCTION audit_log_only_grows()"
    )
