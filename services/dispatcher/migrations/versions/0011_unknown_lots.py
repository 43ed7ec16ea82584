"""Attempts of unknown outcome are looked for in the order of their ids."""

from alembic import op

revision = "dispatcher_0011"
down_revision = "dispatcher_0010"


def upgrade() -> None:
    op.execute("DROP INDEX lots_unknown")
    op.execute("CREATE INDEX lots_unknown ON lots (channel, first_id) WHERE unknown > 0")
