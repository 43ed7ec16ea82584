"""PostgreSQL: one pool for the hot path, one SQLAlchemy engine for the rest, migrations and roles."""

from shared.database.database import Connection, Database, SqlConnection, open_database, raw
from shared.database.inserting import insert_once
from shared.database.tenancy import TenantDatabase, Transactions, ask_for

__all__ = [
    "Connection",
    "Database",
    "SqlConnection",
    "TenantDatabase",
    "Transactions",
    "ask_for",
    "insert_once",
    "open_database",
    "raw",
]
