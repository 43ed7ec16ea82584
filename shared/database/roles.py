"""One schema per service with two roles, its own and that of its requests, which see no other schema."""

from __future__ import annotations

import hmac
from urllib.parse import quote, urlsplit, urlunsplit

import psycopg
from psycopg import sql

SERVICES = ("campaign", "audience", "dispatcher", "delivery_receipt", "analytics", "gateway")


def role_password(service: str, role_secret: str) -> str:
    """The password of a service's role, derived so that only `DATABASE_ROLE_SECRET` has to be kept."""
    return hmac.digest(role_secret.encode(), service.encode(), "sha256").hex()[:32]


def role_url(admin_url: str, service: str, role_secret: str) -> str:
    """The database address that a service gets: same server and database, its own role."""
    parts = urlsplit(admin_url)
    host = parts.netloc.rpartition("@")[2]
    netloc = f"{quote(service)}:{role_password(service, role_secret)}@{host}"
    return urlunsplit(parts._replace(netloc=netloc))


def tenant_role(service: str) -> str:
    """The role that a service takes for a request; nobody can log in as it."""
    return f"{service}_tenant"


def create_role(admin: psycopg.Connection[tuple[object, ...]], service: str, role_secret: str) -> None:
    """Makes the service's role, that of its requests and the schema, or brings them up to date; nobody else may enter
    the schema."""
    role = sql.Identifier(service)
    exists = admin.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", (service,)).fetchone()
    verb = sql.SQL("ALTER") if exists else sql.SQL("CREATE")
    password = sql.Literal(role_password(service, role_secret))
    admin.execute(
        sql.SQL("{} ROLE {} LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE PASSWORD {}").format(verb, role, password)
    )
    admin.execute(sql.SQL("ALTER ROLE {} SET search_path = {}").format(role, role))
    admin.execute(sql.SQL("GRANT {} TO CURRENT_USER").format(role))
    admin.execute(sql.SQL("CREATE SCHEMA IF NOT EXISTS {} AUTHORIZATION {}").format(role, role))
    admin.execute(sql.SQL("REVOKE ALL ON SCHEMA {} FROM PUBLIC").format(role))
    tenant = sql.Identifier(tenant_role(service))
    if not admin.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", (tenant_role(service),)).fetchone():
        admin.execute(sql.SQL("CREATE ROLE {} NOLOGIN NOBYPASSRLS").format(tenant))
    admin.execute(sql.SQL("GRANT {} TO {}").format(tenant, role))
    admin.execute(sql.SQL("GRANT USAGE ON SCHEMA {} TO {}").format(role, tenant))
    admin.execute("REVOKE CREATE ON SCHEMA public FROM PUBLIC")
