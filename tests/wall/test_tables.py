"""The wall in the database itself: every table of every service, also those that no query here knows."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import psycopg
import pytest
import pytest_asyncio
from psycopg import sql
from psycopg.errors import InsufficientPrivilege
from pydantic import SecretStr

from shared.database import Database, TenantDatabase, ask_for, open_database
from shared.database.roles import SERVICES, tenant_role
from shared.database.tenancy import NOBODY

CLOSED = {
    "alembic_version": "the history of the schema",
    "inbox": "ids of events",
    "message_parts": "receipts of parts of long texts; read where receipts are joined",
    "shares": "requests that processes may have under way; read by senders",
    "expansion_addresses": "digests that only the expansion reads",
    "callback_batches": "one row for many tenants' callbacks",
    "rejections": "callbacks that could not be read; read by a job",
    "rate_buckets": "how often whoever asks has asked; counted before it is known who that is",
    "rates": "how fast accounts send; read by senders",
    "sign_in_attempts": "wrong passwords of people who are not signed in",
    "tariffs": "prices, the same for everybody; read at the start",
}
"""Tables that show a request nothing at all, and why they need not."""

WRITE_ONLY = {"outbox"}
CHILDREN = {
    "attempts": ("lot_id", "lots", "id"),
    "audiences": ("campaign_id", "campaigns", "id"),
    "import_errors": ("import_id", "imports", "id"),
    "sessions": ("person_id", "people", "id"),
    "invitations": ("person_id", "people", "id"),
}
"""Tables whose rows belong to the tenant of another table's row: their column, that table, its key."""

VALUES = {
    "uuid": "gen_random_uuid()", "text": "gen_random_uuid()::text", "bytea": "decode(md5(random()::text), 'hex')",
    "timestamptz": "now()", "date": "now()", "interval": "'1 day'", "bool": "true", "inet": "'127.0.0.1'",
    "int2": "1", "int4": "1", "int8": "(random() * 1e9)::int8", "float8": "1", "jsonb": "'{}'", "_text": "'{}'",
}  # fmt: skip
"""Any value of each type."""


@dataclass(frozen=True)
class TableRow:
    name: str
    has_wall: bool
    has_owner: bool
    policies: list[str]
    rights: bool


@pytest.fixture(params=SERVICES)
def service(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest_asyncio.fixture
async def database(service, database_of) -> AsyncIterator[Database]:
    async with open_database(SecretStr(database_of(service)), 4, "test") as opened:
        yield opened


async def tables_of(database: Database, service: str) -> list[TableRow]:
    async with database.transaction() as connection:
        cursor = await connection.execute(
            """
            SELECT relname, relrowsecurity,
                   EXISTS (SELECT FROM pg_attribute a WHERE attrelid = c.oid AND attname = 'user_id'),
                   ARRAY(SELECT polname::text FROM pg_policy WHERE polrelid = c.oid),
                   has_table_privilege(%s, c.oid, 'SELECT, INSERT, UPDATE, DELETE')
            FROM pg_class c WHERE relnamespace = %s::regnamespace AND relkind IN ('r', 'p')
            """,
            (tenant_role(service), service),
        )
        return [TableRow(*row) for row in await cursor.fetchall()]


async def test_every_table_shows_requests_their_tenants_rows_or_nothing(service, database):
    for table in await tables_of(database, service):
        is_partition = table.name.startswith("notification_events_")
        if is_partition or table.name in CLOSED:
            assert not table.rights, table
            assert table.policies == [], table
        else:
            expected = "publish" if table.name in WRITE_ONLY else "tenant"
            assert (table.policies, table.rights) == ([expected], True), table
            assert table.has_owner or table.name in WRITE_ONLY or table.name in CHILDREN, table
        assert table.has_wall or is_partition, table


async def test_the_role_of_requests_has_no_way_round_the_wall(service, database):
    async with database.transaction() as connection:
        cursor = await connection.execute(
            "SELECT rolsuper, rolbypassrls, rolcanlogin, rolinherit FROM pg_roles WHERE rolname = %s",
            (tenant_role(service),),
        )
        assert await cursor.fetchone() == (False, False, False, True)
        cursor = await connection.execute(
            "SELECT relname FROM pg_class WHERE relowner = %s::regrole", (tenant_role(service),)
        )
        assert await cursor.fetchall() == []


async def insert(connection: Any, table: str, **given: str) -> None:
    """A row with whatever its columns take."""
    cursor = await connection.execute(
        "SELECT attname, typname FROM pg_attribute a JOIN pg_type t ON t.oid = atttypid"
        " WHERE attrelid = %s::regclass AND attnum > 0 AND NOT attisdropped AND attnotnull AND NOT atthasdef"
        " AND attidentity = '' AND attname <> ALL(%s)",
        (table, list(given)),
    )
    made = {name: sql.SQL(VALUES[kind]) for name, kind in await cursor.fetchall()}
    columns = {**made, **{name: sql.Literal(value) for name, value in given.items()}}
    await connection.execute(
        sql.SQL("INSERT INTO {} ({}) VALUES ({})").format(
            sql.Identifier(table),
            sql.SQL(", ").join(map(sql.Identifier, columns)),
            sql.SQL(", ").join(columns.values()),
        )
    )


async def drop_constraints(database: Database, service: str) -> None:
    """Lets any row in: it is not the subject here whether the row makes sense."""
    async with database.transaction() as connection:
        cursor = await connection.execute(
            "SELECT format('ALTER TABLE %%s DROP CONSTRAINT %%I', conrelid::regclass, conname) FROM pg_constraint"
            " WHERE connamespace = %s::regnamespace AND contype IN ('c', 'f') AND conparentid = 0 AND coninhcount = 0",
            (service,),
        )
        for (statement,) in await cursor.fetchall():
            await connection.execute(statement)
        for table in await tables_of(database, service):
            await connection.execute(sql.SQL("ALTER TABLE {} DISABLE TRIGGER USER").format(sql.Identifier(table.name)))


async def count(database: Database | TenantDatabase, statement: sql.Composed) -> int:
    async with database.transaction() as connection:
        return (await connection.execute(statement)).rowcount


async def test_statements_without_a_condition_reach_only_the_tenants_rows(service, database):
    await drop_constraints(database, service)
    requests = TenantDatabase(database)
    owned = [table.name for table in await tables_of(database, service) if table.policies == ["tenant"]]
    assert owned
    for name in sorted(owned, key=CHILDREN.__contains__):
        async with database.transaction() as connection:
            for user_id in ("ada", "bob"):
                if name not in CHILDREN:
                    await insert(connection, name, user_id=user_id)
                    continue
                column, parent, key = CHILDREN[name]
                cursor = await connection.execute(f"SELECT {key} FROM {parent} WHERE user_id = %s", (user_id,))
                row = await cursor.fetchone()
                assert row is not None
                await insert(connection, name, **{column: str(row[0])})
    for name in sorted(owned, key=CHILDREN.__contains__, reverse=True):
        table, column = sql.Identifier(name), sql.Identifier(CHILDREN.get(name, ("user_id",))[0])
        select = sql.SQL("SELECT * FROM {}").format(table)
        update = sql.SQL("UPDATE {} SET {} = {}").format(table, column, column)
        delete = sql.SQL("DELETE FROM {}").format(table)
        ask_for(NOBODY)
        assert await count(requests, select) == 0, name
        ask_for("bob")
        assert await count(requests, select) == 1, name
        assert await count(requests, update) == 1, name
        if name not in CHILDREN:
            with pytest.raises(InsufficientPrivilege):
                async with requests.transaction() as connection:
                    await insert(connection, name, user_id="ada")
        assert await count(requests, delete) == 1, name
        assert await count(database, select) == 1, name


async def test_nothing_of_a_request_outlives_its_transaction(service, database_of):
    ask_for("ada")
    async with open_database(SecretStr(database_of(service)), 1, "test") as database:
        async with TenantDatabase(database).transaction() as connection:
            cursor = await connection.execute("SELECT current_user, current_setting('app.user_id')")
            assert await cursor.fetchone() == (tenant_role(service), "ada")
        with pytest.raises(psycopg.errors.DivisionByZero):
            async with TenantDatabase(database).transaction() as connection:
                await connection.execute("SELECT 1 / 0")
        async with database.transaction() as connection:
            cursor = await connection.execute("SELECT current_user, current_setting('app.user_id')")
            assert await cursor.fetchone() == (service, NOBODY)
