"""The name by which customers know a tenant."""

from alembic import op

revision = "gateway_business_names"
down_revision = "gateway_0003"


def upgrade() -> None:
    op.execute("ALTER TABLE tenant_settings ADD COLUMN business_name text")
