"""Lists of recipients go through the lots, in the order of their ids."""

from alembic import op

revision = "dispatcher_0009"
down_revision = "dispatcher_0008"


def upgrade() -> None:
    op.execute("CREATE INDEX lots_of_campaign ON lots (campaign_id, first_id)")
    op.execute("CREATE INDEX lots_of_user ON lots (user_id, channel, first_id)")
    op.execute("DROP INDEX lots_campaign")
