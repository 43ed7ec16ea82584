"""Signing in and out."""

from __future__ import annotations

import asyncio
from uuid import UUID

from services.gateway.domain.passwords import hash_password, is_outdated, opens
from services.gateway.domain.sessions import (
    TOKEN_CHARACTERS_MAX,
    Session,
    SessionLimits,
    SignedIn,
    SignInProblem,
    csrf_token_of,
    hash_token,
    make_token,
)
from services.gateway.domain.sign_ins import after_failure, after_success, subjects_of, wait_seconds
from services.gateway.store import people
from services.gateway.store import sessions as store
from services.gateway.store.people import Account
from shared.codec import now
from shared.database import Connection, Database

PASSWORDS_AT_ONCE_MAX = 2
"""So many passwords are hashed at the same time, each with the memory and the processor that Argon2 wants."""

_hashing = asyncio.Semaphore(PASSWORDS_AT_ONCE_MAX)


async def hash_of(password: str) -> str:
    """The password as it is stored."""
    async with _hashing:
        return await asyncio.to_thread(hash_password, password)


async def is_password_of(account: Account | None, password: str) -> bool:
    """Whether it is the account's password; as slow when there is no account."""
    async with _hashing:
        return await asyncio.to_thread(opens, account.password_hash if account else None, password)


async def sign_in(
    database: Database, limits: SessionLimits, email: str, password: str, address: str
) -> SignedIn | SignInProblem:
    """A new session for the right password. An attempt counts as a failure before it is looked at, so that many at
    once do not pass for one."""
    subjects = subjects_of(email, address)
    async with database.transaction() as connection:
        records = await store.lock_records(connection, subjects)
        if wait := wait_seconds(records, now()):
            return SignInProblem(f"too many wrong passwords; try again in {wait} seconds", wait)
        failed = [(one, after_failure(one, record, now())) for one, record in records]
        await store.update_records(connection, failed)
        account = await people.find_account_by_email(connection, email)
    if not await is_password_of(account, password) or account is None or not account.is_active:
        locks = wait_seconds(failed, now()) > 0
        return SignInProblem("e-mail address or password is wrong", email=email, locks=locks)
    renewed = await hash_of(password) if account.password_hash and is_outdated(account.password_hash) else None
    async with database.transaction() as connection:
        if renewed is not None:
            await people.update_account(connection, account.id, {"password_hash": renewed})
        records = await store.lock_records(connection, subjects)
        await store.update_records(connection, [(one, after_success(one, record, now())) for one, record in records])
        return await begin_session(connection, account, limits)


async def begin_session(connection: Connection, account: Account, limits: SessionLimits) -> SignedIn:
    """A session under a new id, whatever the browser held before."""
    cookie = make_token()
    await store.insert_session(connection, hash_token(cookie), account.id, limits)
    return SignedIn(cookie, Session(hash_token(cookie), account.person, csrf_token_of(cookie)))


async def find_session(database: Database, cookie: str) -> Session | None:
    """The session that goes on under this cookie, with the person's role of this moment."""
    if not 0 < len(cookie) <= TOKEN_CHARACTERS_MAX:
        return None
    id_hash = hash_token(cookie)
    async with database.pool.connection() as connection:
        person = await store.find_person(connection, id_hash)
    return None if person is None else Session(id_hash, person, csrf_token_of(cookie))


async def sign_out(database: Database, session: Session) -> None:
    """Ends the session."""
    async with database.transaction() as connection:
        await store.delete_session(connection, session.id_hash)


async def change_password(database: Database, session: Session, current: str, new: str) -> bool:
    """Sets it and ends the person's other sessions; False when the current one is wrong."""
    async with database.transaction() as connection:
        account = await people.find_account(connection, session.person.user_id, session.person.id)
    if not await is_password_of(account, current):
        return False
    await set_password(database, session.person.id, new, session.id_hash)
    return True


async def set_password(database: Database, person_id: UUID, password: str, keep: bytes = b"") -> None:
    """Sets it; all sessions end but the one to keep."""
    password_hash = await hash_of(password)
    async with database.transaction() as connection:
        await people.update_account(connection, person_id, {"password_hash": password_hash})
        await store.delete_sessions(connection, person_id, but=keep)


async def accept_invitation(database: Database, token: str, password: str) -> bool:
    """Sets the password of whoever was invited, once; False for a link that was used or is too old."""
    password_hash = await hash_of(password)
    async with database.transaction() as connection:
        account = await people.take_invitation(connection, hash_token(token))
        if account is None:
            return False
        await people.update_account(connection, account.id, {"password_hash": password_hash})
        await store.delete_sessions(connection, account.id)
    return True
