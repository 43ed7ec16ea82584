"""What the deploy step does for the wall: policies and grants for the role of requests."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

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
           EXISTS (SELECT FROM pg_policy WHERE polrelid = c.oid), parent.*
    FROM pg_class c
    LEFT JOIN LATERAL (
        SELECT mine.attname, confrelid::regclass::text, theirs.attname
        FROM pg_constraint
        JOIN pg_attribute mine ON mine.attrelid = conrelid AND mine.attnum = conkey[1]
        JOIN pg_attribute theirs ON theirs.attrelid = confrelid AND theirs.attnum = confkey[1]
        WHERE conrelid = c.oid AND contype = 'f' AND cardinality(conkey) = 1 ORDER BY conname LIMIT 1
    ) parent ON true
    WHERE relnamespace = current_schema()::regnamespace AND relkind IN ('r', 'p') AND NOT relispartition
    """
)


def build_wall(connection: Connection, service: str) -> None:
    """Shows requests their tenant's rows of every table with a `user_id`, and of tables without one those that a
    foreign key ties to a row that they see; lets them write to the outbox. Nothing else is shown, but by a policy of a
    migration. Only what is missing takes a lock."""
    for table, has_wall, has_owner, has_policy, *parent in connection.execute(_TABLES):
        if not has_wall:
            _execute(connection, f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
        if has_policy:
            continue
        if table == OUTBOX:
            _execute(
                connection, f"CREATE POLICY publish ON {table} FOR INSERT TO {tenant_role(service)} WITH CHECK (true)"
            )
            _execute(connection, f"GRANT INSERT ON {table} TO {tenant_role(service)}")
        elif has_owner:
            _show(partial(_execute, connection), service, table, OWNED)
        elif parent[0] is not None:
            _show(partial(_execute, connection), service, table, _tied(table, *parent))


def see_through(op: Migration, service: str, table: str, column: str, parent: str, key: str) -> None:
    """Shows requests those rows of which they see the parent, where no foreign key says so."""
    _show(op.execute, service, table, _tied(table, column, parent, key))


def _show(execute: Callable[[str], object], service: str, table: str, condition: str) -> None:
    role = tenant_role(service)
    execute(f"CREATE POLICY tenant ON {table} TO {role} USING ({condition})")
    execute(f"GRANT SELECT, INSERT, UPDATE, DELETE ON {table} TO {role}")


def _tied(table: str, column: str, parent: str, key: str) -> str:
    return f"EXISTS (SELECT FROM {parent} WHERE {parent}.{key} = {table}.{column})"


def _execute(connection: Connection, statement: str) -> None:
    connection.execute(text(statement))
