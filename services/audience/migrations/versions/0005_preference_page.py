"""The customer's own page as a source of consent, and the categories that a tenant uses."""

from alembic import op

revision = "audience_0005"
down_revision = "audience_0004"


def upgrade() -> None:
    # The rows that there are passed the narrower rule, so that nothing has to be read under the lock.
    op.execute("ALTER TABLE consent_log DROP CONSTRAINT consent_log_source_check")
    op.execute(
        """
        ALTER TABLE consent_log ADD CONSTRAINT consent_log_source_check
        CHECK (source IN ('import', 'api', 'message', 'provider', 'preference_page')) NOT VALID
        """
    )
    op.execute("CREATE INDEX expansions_user_category ON expansions (user_id, category)")
