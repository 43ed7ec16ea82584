"""The name that SMS accounts send under, where the vendor takes one."""

from alembic import op

revision = "dispatcher_0013"
down_revision = "dispatcher_0012"


def upgrade() -> None:
    op.execute("ALTER TABLE sms_providers ADD COLUMN sender_id text")
