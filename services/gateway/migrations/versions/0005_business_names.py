"""The name by which customers know a tenant."""

from alembic import op

revision = "gateway_0005"
down_revision = "gateway_0004"


def upgrade() -> None:
    op.execute("ALTER TABLE tenant_settings ADD COLUMN business_name text")
