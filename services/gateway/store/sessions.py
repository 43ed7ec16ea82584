"""Sessions and attempts to sign in, as stored."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from services.gateway.domain.access import Person
from services.gateway.domain.sessions import SessionLimits
from services.gateway.domain.sign_ins import KNOWN_DAYS, Record, Subject
from shared.database import Connection

SEEN_SECONDS = 60
"""How exact the last use of a session is."""


async def insert_session(connection: Connection, id_hash: bytes, person_id: UUID, limits: SessionLimits) -> None:
    """Somebody signs in."""
    await connection.execute(
        "INSERT INTO sessions (id_hash, person_id, idle, expires_at) VALUES (%s, %s, %s, now() + %s)",
        (id_hash, person_id, limits.idle, limits.absolute),
    )
    await connection.execute("UPDATE people SET last_sign_in_at = now() WHERE id = %s", (person_id,))


async def find_person(connection: Connection, id_hash: bytes) -> Person | None:
    """Whose session it is, if it goes on; marks it as used."""
    cursor = await connection.execute(
        """
        SELECT people.id, user_id, email, name, role, last_seen_at < now() - %s * interval '1 second'
        FROM sessions JOIN people ON people.id = person_id
        WHERE id_hash = %s AND is_active AND now() < expires_at AND now() < last_seen_at + idle
        """,
        (SEEN_SECONDS, id_hash),
    )
    row = await cursor.fetchone()
    if row is None:
        return None
    if row[5]:
        await connection.execute("UPDATE sessions SET last_seen_at = now() WHERE id_hash = %s", (id_hash,))
    return Person(*row[:5])


async def delete_session(connection: Connection, id_hash: bytes) -> None:
    """Somebody signs out."""
    await connection.execute("DELETE FROM sessions WHERE id_hash = %s", (id_hash,))


async def delete_sessions(connection: Connection, person_id: UUID, but: bytes = b"") -> None:
    """All of a person's sessions end, but the one named."""
    await connection.execute("DELETE FROM sessions WHERE person_id = %s AND id_hash <> %s", (person_id, but))


async def delete_ended(connection: Connection) -> None:
    """Forgets sessions and invitations whose time is over, and attempts to sign in that count no more."""
    await connection.execute("DELETE FROM sessions WHERE expires_at < now() OR last_seen_at + idle < now()")
    await connection.execute("DELETE FROM invitations WHERE expires_at < now()")
    await connection.execute(
        "DELETE FROM sign_in_attempts WHERE updated_at < now() - %s * interval '1 day'", (KNOWN_DAYS,)
    )


async def lock_records(connection: Connection, subjects: Sequence[Subject]) -> list[tuple[Subject, Record]]:
    """What is known of the subjects, which nobody else counts for before the transaction ends."""
    by_digest = {subject.digest: subject for subject in subjects}
    cursor = await connection.execute(
        """
        INSERT INTO sign_in_attempts (subject) SELECT unnest(%s::bytea[])
        ON CONFLICT (subject) DO UPDATE SET updated_at = now()
        RETURNING subject, failures, failed_at, locked_until, succeeded_at
        """,
        (sorted(by_digest),),
    )
    return [(by_digest[row[0]], Record(*row[1:])) for row in await cursor.fetchall()]


async def update_records(connection: Connection, records: Sequence[tuple[Subject, Record]]) -> None:
    """Keeps what is now known of them."""
    async with connection.cursor() as cursor:
        await cursor.executemany(
            "UPDATE sign_in_attempts SET failures = %s, failed_at = %s, locked_until = %s, succeeded_at = %s"
            " WHERE subject = %s",
            [(one.failures, one.failed_at, one.locked_until, one.succeeded_at, key.digest) for key, one in records],
        )
