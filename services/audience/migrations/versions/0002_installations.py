"""Firebase's installation ids beside the device tokens."""

from alembic import op

revision = "audience_0002"
down_revision = "audience_0001"


def upgrade() -> None:
    op.execute("ALTER TABLE devices ADD COLUMN installation_id text")
