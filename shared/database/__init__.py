"""PostgreSQL: one pool for the hot path, one SQLAlchemy engine for the rest, migrations and roles."""

from shared.database.database import Connection, Database, SqlConnection, open_database, raw

__all__ = ["Connection", "Database", "SqlConnection", "open_database", "raw"]
