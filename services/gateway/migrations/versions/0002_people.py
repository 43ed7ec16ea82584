"""People of tenants, their invitations and sessions, and wrong passwords."""

from alembic import op

revision = "gateway_0002"
down_revision = "gateway_0001"


def upgrade() -> None:
    op.execute(
        """
        CREATE TABLE people (
            id uuid PRIMARY KEY,
            user_id text NOT NULL,
            email text NOT NULL UNIQUE CHECK (email = lower(email)),
            name text NOT NULL,
            role text NOT NULL CHECK (role IN ('viewer', 'marketer', 'approver', 'admin')),
            password_hash text,
            is_active boolean NOT NULL DEFAULT true,
            created_at timestamptz NOT NULL DEFAULT now(),
            updated_at timestamptz NOT NULL DEFAULT now(),
            last_sign_in_at timestamptz
        )
        """
    )
    op.execute("CREATE INDEX people_user ON people (user_id, id)")
    op.execute(
        """
        CREATE TABLE invitations (
            person_id uuid PRIMARY KEY REFERENCES people ON DELETE CASCADE,
            token_hash bytea NOT NULL UNIQUE,
            expires_at timestamptz NOT NULL
        )
        """
    )
    op.execute(
        """
        CREATE TABLE sessions (
            id_hash bytea PRIMARY KEY,
            person_id uuid NOT NULL REFERENCES people ON DELETE CASCADE,
            created_at timestamptz NOT NULL DEFAULT now(),
            last_seen_at timestamptz NOT NULL DEFAULT now(),
            idle interval NOT NULL,
            expires_at timestamptz NOT NULL
        )
        """
    )
    op.execute("CREATE INDEX sessions_person ON sessions (person_id)")
    op.execute("CREATE INDEX sessions_expires ON sessions (expires_at)")
    op.execute(
        """
        CREATE TABLE sign_in_attempts (
            subject bytea PRIMARY KEY,
            failures integer NOT NULL DEFAULT 0,
            failed_at timestamptz,
            locked_until timestamptz,
            succeeded_at timestamptz,
            updated_at timestamptz NOT NULL DEFAULT now()
        )
        """
    )
    op.execute("CREATE INDEX sign_in_attempts_updated ON sign_in_attempts (updated_at)")
