"""A tenant's people: inviting, changing, removing."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from contracts.http.access import UserWrite
from services.gateway.domain.passwords import password_problem
from services.gateway.domain.sessions import hash_token, make_token
from services.gateway.handlers.sessions import hash_of
from services.gateway.store import people as store
from services.gateway.store import sessions
from services.gateway.store.people import Account, EmailTaken
from shared.codec import now
from shared.database import Connection, Transactions
from shared.http import Problem
from shared.names import camel


@dataclass(frozen=True, slots=True)
class Invitation:
    """How somebody sets a password: the token is shown once."""

    token: str = field(repr=False)
    expires_at: datetime


async def create_person(
    database: Transactions, person_id: UUID, user_id: str, body: UserWrite, invitation_hours: int
) -> tuple[Account, Invitation | None]:
    """The new account, or the one that has this id already, with an invitation when no password was given."""
    values = {"id": person_id, "user_id": user_id, "email": body.email, "name": body.name, "role": body.role}
    if body.password is not None:
        require_good_password("password", body.password.get_secret_value(), body.email)
        values["password_hash"] = await hash_of(body.password.get_secret_value())
    async with database.transaction() as connection:
        try:
            made = await store.find_account(connection, user_id, person_id)
            account = made or await store.insert_account(connection, values)
        except EmailTaken:
            errors = [{"field": "email", "message": "belongs to an account already"}]
            raise Problem(422, "Invalid input", errors=errors) from None
        invitation = None if body.password else await _invite(connection, account.id, invitation_hours)
    return account, invitation


async def invite(database: Transactions, user_id: str, person_id: UUID, invitation_hours: int) -> Invitation:
    """A new link to set a password; older ones work no more."""
    async with database.transaction() as connection:
        account = await _found(connection, user_id, person_id)
        return await _invite(connection, account.id, invitation_hours)


async def find_person(database: Transactions, user_id: str, person_id: UUID) -> Account:
    """One account; a 404 problem when the tenant has none."""
    async with database.transaction() as connection:
        return await _found(connection, user_id, person_id)


async def change_person(database: Transactions, user_id: str, person_id: UUID, values: dict[str, Any]) -> Account:
    """The account after the change. One who is deactivated is signed out everywhere."""
    if null := [name for name, value in values.items() if value is None]:
        raise Problem(
            422, "Invalid input", errors=[{"field": camel(name), "message": "cannot be null"} for name in null]
        )
    async with database.transaction() as connection:
        account = await _found(connection, user_id, person_id, lock=True)
        if values.get("role", account.role) != "admin" or not values.get("is_active", account.is_active):
            await _keep_an_admin(connection, account)
        if not values:
            return account
        changed = await store.update_account(connection, person_id, values)
        if not changed.is_active:
            await sessions.delete_sessions(connection, person_id)
        return changed


async def remove_person(database: Transactions, user_id: str, person_id: UUID) -> None:
    """Deletes the account with its sessions."""
    async with database.transaction() as connection:
        await _keep_an_admin(connection, await _found(connection, user_id, person_id, lock=True))
        await store.delete_account(connection, person_id)


def require_good_password(field: str, password: str, email: str) -> None:
    """A 422 problem that names the field when the password cannot be taken."""
    if problem := password_problem(password, email):
        raise Problem(422, "Invalid input", errors=[{"field": field, "message": problem}])


async def _found(connection: Connection, user_id: str, person_id: UUID, lock: bool = False) -> Account:
    account = await store.find_account(connection, user_id, person_id, lock)
    if account is None:
        raise Problem(404, "No such user")
    return account


async def _keep_an_admin(connection: Connection, account: Account) -> None:
    """Refuses what would leave nobody who can manage the tenant's people."""
    is_admin = account.role == "admin" and account.is_active
    if is_admin and not await store.count_other_admins(connection, account.user_id, account.id):
        raise Problem(409, "Not possible", "this is the only active admin: make somebody else admin first")


async def _invite(connection: Connection, person_id: UUID, hours: int) -> Invitation:
    invitation = Invitation(make_token(), now() + timedelta(hours=hours))
    await store.put_invitation(connection, person_id, hash_token(invitation.token), invitation.expires_at)
    return invitation
