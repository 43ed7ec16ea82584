"""People and their invitations, as stored."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, LiteralString
from uuid import UUID

from psycopg import sql
from psycopg.errors import UniqueViolation
from psycopg.rows import class_row

from services.gateway.domain.access import Person
from services.gateway.store.rows import assignments, columns_of, insertion
from shared.database import Connection


@dataclass(frozen=True, slots=True)
class Account:
    """A person's account."""

    id: UUID
    user_id: str
    email: str = field(repr=False)
    name: str = field(repr=False)
    role: Any
    is_active: bool
    password_hash: str | None = field(repr=False)
    created_at: datetime
    updated_at: datetime
    last_sign_in_at: datetime | None

    @property
    def person(self) -> Person:
        """Who it is."""
        return Person(self.id, self.user_id, self.email, self.name, self.role)


_COLUMNS = columns_of(Account)


class EmailTaken(Exception):
    """Somebody in the fleet has this address already."""


async def insert_account(connection: Connection, values: dict[str, Any]) -> Account:
    """The new account; raises `EmailTaken`."""
    statement = insertion("people", values) + sql.SQL(" RETURNING ") + _COLUMNS
    try:
        return await _one(connection, statement, values)
    except UniqueViolation:
        raise EmailTaken from None


async def update_account(connection: Connection, person_id: UUID, values: dict[str, Any]) -> Account:
    """The account after the change."""
    statement = sql.SQL("UPDATE people SET {}, updated_at = now() WHERE id = %(person_id)s RETURNING {}")
    composed = statement.format(assignments(values), _COLUMNS)
    return await _one(connection, composed, {**values, "person_id": person_id})


async def find_accounts(connection: Connection, user_id: str, after: UUID | None, rows_max: int) -> list[Account]:
    """A tenant's people, newest first, from before `after`."""
    async with connection.cursor(row_factory=class_row(Account)) as cursor:
        await cursor.execute(
            sql.SQL(
                "SELECT {} FROM people WHERE user_id = %s AND (%s::uuid IS NULL OR id < %s) ORDER BY id DESC LIMIT %s"
            ).format(_COLUMNS),
            (user_id, after, after, rows_max),
        )
        return await cursor.fetchall()


async def find_account(connection: Connection, user_id: str, person_id: UUID, lock: bool = False) -> Account | None:
    """One person of a tenant; with `lock` nobody changes the tenant's people before the transaction ends."""
    if lock:
        await connection.execute("SELECT 1 FROM people WHERE user_id = %s ORDER BY id FOR UPDATE", (user_id,))
    return await _one_or_none(connection, "id = %s AND user_id = %s", (person_id, user_id))


async def find_account_by_email(connection: Connection, email: str) -> Account | None:
    """Whoever signs in with this address, of whatever tenant."""
    return await _one_or_none(connection, "email = %s", (email,))


async def count_other_admins(connection: Connection, user_id: str, person_id: UUID) -> int:
    """The tenant's active admins but this one."""
    cursor = await connection.execute(
        "SELECT count(*) FROM people WHERE user_id = %s AND id <> %s AND role = 'admin' AND is_active",
        (user_id, person_id),
    )
    row = await cursor.fetchone()
    assert row is not None
    return int(row[0])


async def delete_account(connection: Connection, person_id: UUID) -> None:
    """Deletes the person with their sessions and invitation."""
    await connection.execute("DELETE FROM people WHERE id = %s", (person_id,))


async def put_invitation(connection: Connection, person_id: UUID, token_hash: bytes, expires_at: datetime) -> None:
    """The person's only invitation from now on."""
    await connection.execute(
        """
        INSERT INTO invitations (person_id, token_hash, expires_at) VALUES (%s, %s, %s)
        ON CONFLICT (person_id) DO UPDATE SET token_hash = excluded.token_hash, expires_at = excluded.expires_at
        """,
        (person_id, token_hash, expires_at),
    )


async def take_invitation(connection: Connection, token_hash: bytes) -> Account | None:
    """Whom it invites; it is gone with the transaction's end. None when it was used, replaced or is too old."""
    cursor = await connection.execute(
        "DELETE FROM invitations WHERE token_hash = %s AND expires_at > now() RETURNING person_id", (token_hash,)
    )
    row = await cursor.fetchone()
    return None if row is None else await _one_or_none(connection, "id = %s AND is_active", row)


async def _one(connection: Connection, statement: sql.Composed, values: dict[str, Any]) -> Account:
    async with connection.cursor(row_factory=class_row(Account)) as cursor:
        account = await (await cursor.execute(statement, values)).fetchone()
    assert account is not None
    return account


async def _one_or_none(connection: Connection, condition: LiteralString, values: tuple[Any, ...]) -> Account | None:
    statement = sql.SQL("SELECT {} FROM people WHERE ").format(_COLUMNS) + sql.SQL(condition)
    async with connection.cursor(row_factory=class_row(Account)) as cursor:
        await cursor.execute(statement, values)
        return await cursor.fetchone()
