"""What imports tell while they run, what was wrong in the words of the file, and indexes to search customers by."""

from alembic import op

revision = "audience_0004"
down_revision = "audience_0003"


def upgrade() -> None:
    op.execute(
        """
        ALTER TABLE imports
            ADD COLUMN bytes_read bigint NOT NULL DEFAULT 0,
            ADD COLUMN touched_at timestamptz NOT NULL DEFAULT now(),
            ADD COLUMN problem text
        """
    )
    op.execute("CREATE INDEX imports_user ON imports (user_id, id)")
    op.execute("CREATE INDEX imports_finished ON imports (finished_at)")
    op.execute("ALTER TABLE import_errors ADD COLUMN original text")
    # Expressions that begin with the tenant, and not the column: see the indexes of addresses in the first revision.
    for name, searched in SEARCHED.items():
        op.execute(
            f"CREATE INDEX customers_by_{name} ON customers ((user_id || ' ' || {searched}) COLLATE \"C\")"
            f" WHERE {searched} IS NOT NULL"
        )


SEARCHED = {
    "phone": "phone_number",
    "email": "lower(email)",
    "first_name": "lower(first_name || ' ' || coalesce(last_name, ''))",
    "last_name": "lower(last_name || ' ' || coalesce(first_name, ''))",
}
