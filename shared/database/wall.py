"""What the deploy step does for the wall: policies and grants for the role of requests."""

from __future__ import annotations

from sqlalchemy import Connection, text

from shared.database.roles import tenant_role
from shared.database.tables import Migration

OUTBOX = "outbox"
OWNED = "user_id = (SELECT current_setting('app.user_id', true))"
"""As a sub-select it is read once for a statement, not once for a row."""

_TABLES = text(
    """
    SELECT relname, relrowsecurity,
           EXISTS (SELECT FROM pg_attribute WHERE attrelid = c.oid AND attname = 'user_id' AND NOT attisdropped),
           EXISTS (SELECT FROM pg_policy WHERE polrelid = c.oid)
    FROM pg_class c
    WHERE relnamespace = current_schema()::regnamespace AND relkind IN ('r', 'p') AND NOT relispartition
    """
)


def build_wall(connection: Connection, service: str) -> None:
    """Shows requests their tenant's rows of every table with a `user_id`, lets them write to the outbox, and shows
    them nothing else but tables with a policy of their own (`see_through`). Only what is missing takes a lock."""
    role = tenant_role(service)
    for table, has_wall, has_owner, has_policy in connection.execute(_TABLES):
        if not has_wall:
            connection.execute(text(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY"))
        if not has_policy and table == OUTBOX:
            connection.execute(text(f"CREATE POLICY publish ON {table} FOR INSERT TO {role} WITH CHECK (true)"))
            connection.execute(text(f"GRANT INSERT ON {table} TO {role}"))
        elif not has_policy and has_owner:
            connection.execute(text(f"CREATE POLICY tenant ON {table} TO {role} USING ({OWNED})"))
            connection.execute(text(f"GRANT SELECT, INSERT, UPDATE, DELETE ON {table} TO {role}"))


def see_through(op: Migration, service: str, table: str, column: str, parent: str, key: str) -> None:
    """Shows requests those rows of a table without a `user_id` of which they can see the parent."""
    role = tenant_role(service)
    visible = f"EXISTS (SELECT FROM {parent} WHERE {parent}.{key} = {table}.{column})"
    op.execute(f"CREATE POLICY tenant ON {table} TO {role} USING ({visible})")
    op.execute(f"GRANT SELECT, INSERT, UPDATE, DELETE ON {table} TO {role}")
