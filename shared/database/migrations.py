"""Applies a service's Alembic history as the service's own role, in its own schema, and builds the wall."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import psycopg
from alembic import command
from alembic.config import Config
from sqlalchemy import create_engine, pool, text

from shared.database.roles import create_role, role_url
from shared.database.wall import build_wall

_ROOT = Path(__file__).resolve().parents[2]
_LOCK_TIMEOUT = "4s"
_STATEMENT_TIMEOUT = "5s"
_ADVISORY_LOCK = 7_310_527


def migrate(admin_url: str, service: str, role_secret: str) -> str:
    """Brings role, schema and tables of one service to the newest revision; returns the role's database address."""
    with psycopg.connect(admin_url, connect_timeout=5) as admin:
        admin.execute("SELECT pg_advisory_xact_lock(%s)", (_ADVISORY_LOCK,))
        create_role(admin, service, role_secret)
    url = role_url(admin_url, service, role_secret)
    engine = create_engine(
        urlunsplit(urlsplit(url)._replace(scheme="postgresql+psycopg")),
        poolclass=pool.NullPool,
        connect_args={"connect_timeout": 5, "application_name": f"{service} migrations"},
    )
    config = Config()
    config.set_main_option("script_location", str(_ROOT / "shared" / "database" / "alembic"))
    config.set_main_option("version_locations", str(_ROOT / "services" / service / "migrations" / "versions"))
    config.set_main_option("path_separator", "os")
    with engine.begin() as connection:
        connection.execute(text(f"SET LOCAL lock_timeout = '{_LOCK_TIMEOUT}'"))
        connection.execute(text(f"SET LOCAL statement_timeout = '{_STATEMENT_TIMEOUT}'"))
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _ADVISORY_LOCK})
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
        build_wall(connection, service)
    engine.dispose()
    return url
