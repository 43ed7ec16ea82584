"""The errors of an import belong to its tenant."""

from alembic import op

from shared.database.wall import see_through

revision = "audience_wall"
down_revision = "audience_0002"


def upgrade() -> None:
    see_through(op, "audience", "import_errors", "import_id", "imports", "id")
