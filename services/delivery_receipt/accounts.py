"""The read copy of provider accounts in memory: which callbacks are ours, and what their vendor says they mean."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, cast
from uuid import UUID

from services.delivery_receipt.domain import Account, Reading, read_contents
from services.delivery_receipt.store.accounts import SealedAccount, find_accounts
from shared.database import Database
from shared.ids import created_at
from shared.logs import logger
from shared.providers.provider import CallbackMalformed, CallbackRequest
from shared.providers.registry import VENDORS
from shared.providers.vendor import RepeatingVendor, Vendor
from shared.security import References, Seal, SealBroken

CALLBACKS_PATH = "/api/notification/callbacks/"
LOOKUP_SECONDS = 1.0
NEWS_SECONDS = 600.0
"""How long the news of an account may be under way; its id says when it was made."""


@dataclass(frozen=True, slots=True)
class Known:
    """An account whose callbacks we can verify. `record` is the vendor's own form of it.

    `previous` is the record that it had before, with the secrets that are still good until then.
    """

    account: Account
    version: int
    vendor: Vendor
    record: Any = field(repr=False)
    previous: Any = field(default=None, repr=False)
    previous_until: datetime | None = None

    def is_genuine(self, request: CallbackRequest) -> bool:
        """True only for what the vendor signed, perhaps with the secret from before a rotation."""
        if self._signed_for(self.record, request):
            return True
        if self.previous is None or self.previous_until is None or datetime.now(UTC) > self.previous_until:
            return False
        return self._signed_for(self.previous, request)

    def comes_again_signed(self, request: CallbackRequest) -> bool:
        """True for a callback without any signature that its vendor will repeat with one when told to come later."""
        if not self.vendor.CAPABILITIES.repeats_unsigned:
            return False
        return cast("RepeatingVendor", self.vendor).is_unsigned(self.record, request)

    def _signed_for(self, record: Any, request: CallbackRequest) -> bool:
        try:
            return self.vendor.is_genuine(record, request)
        except ValueError:
            return False

    def read(self, request: CallbackRequest, references: References, at: datetime) -> Reading:
        """What a genuine callback states. Whatever goes wrong is a problem to be kept with it, never a loss."""
        try:
            contents = self.vendor.read_callback(self.record, request)
        except CallbackMalformed as error:
            return Reading(problem=str(error))
        except Exception as error:
            logger().error("callback_reading_failed", provider=self.account.provider_type, error=type(error).__name__)
            return Reading(problem=f"unexpected {type(error).__name__}")
        by_message_id = not self.vendor.CAPABILITIES.echoes_reference
        return read_contents(self.account, contents, references, at, by_message_id)


@dataclass(slots=True)
class Accounts:
    """All accounts, by the path that their vendors call.

    Another replica may have heard of a change that we have not, so an unknown path and a wrong signature are looked
    up in the database, at most `lookups_max` times a second and once a second for each account.
    """

    database: Database
    seal: Seal
    lookups_max: int
    _by_path: dict[str, Known] = field(default_factory=dict)
    _paths: dict[UUID, str] = field(default_factory=dict)
    _looked_up: set[UUID] = field(default_factory=set)
    _lookups_until: float = 0.0

    def find(self, path: str) -> Known | None:
        """The account that is called under this path, if we know it."""
        return self._by_path.get(path)

    def may_come(self, path: str) -> bool:
        """Whether an account that we do not know may be one that we have not heard of yet."""
        account_id = _account_id(path)
        return account_id is not None and abs(time.time() - created_at(account_id)) < NEWS_SECONDS

    def of(self, account_id: UUID) -> Known | None:
        """The account with this id, if we know it."""
        path = self._paths.get(account_id)
        return None if path is None else self._by_path.get(path)

    async def load(self) -> None:
        """Reads all accounts from the database."""
        async with self.database.pool.connection() as connection:
            self.keep(await find_accounts(connection))

    async def look_up(self, path: str) -> Known | None:
        """Reads the path's account from the database, unless that was done just now or too often."""
        account_id = _account_id(path)
        if account_id is not None and self._may_look_up(account_id):
            async with self.database.pool.connection() as connection:
                self.keep(await find_accounts(connection, [account_id]))
        return self._by_path.get(path)

    def keep(self, rows: Sequence[SealedAccount]) -> None:
        """Takes over what is newer than what we have."""
        for row in rows:
            known = self.of(row.account.id)
            if known is None or known.version < row.version:
                self.forget([row.account.id])
                self._open(row)

    def differ(self, one: bytes, other: bytes) -> bool:
        """Whether two sealed accounts hold different values."""
        try:
            return self.seal.open(one) != self.seal.open(other)
        except SealBroken:
            return False

    def forget(self, ids: Sequence[UUID]) -> None:
        """Drops accounts."""
        for account_id in ids:
            path = self._paths.pop(account_id, None)
            if path is not None:
                self._by_path.pop(path, None)

    def _open(self, row: SealedAccount) -> None:
        account = row.account
        vendor = VENDORS.get((account.channel, account.provider_type))
        if vendor is None:
            return
        try:
            record = vendor.account(self.seal.open(row.sealed))
            previous = vendor.account(self.seal.open(row.previous)) if row.previous is not None else None
            known = Known(account, row.version, vendor, record, previous, row.previous_until)
        except (SealBroken, ValueError) as error:
            logger().error("account_unusable", account=str(account.id), error=type(error).__name__)
            return
        path = f"{CALLBACKS_PATH}{account.provider_type}/{account.id}"
        self._by_path[path] = known
        self._paths[account.id] = path

    def _may_look_up(self, account_id: UUID) -> bool:
        now = time.monotonic()
        if now >= self._lookups_until:
            self._lookups_until = now + LOOKUP_SECONDS
            self._looked_up.clear()
        if account_id in self._looked_up or len(self._looked_up) >= self.lookups_max:
            return False
        self._looked_up.add(account_id)
        return True


def _account_id(path: str) -> UUID | None:
    try:
        return UUID(path.rpartition("/")[2])
    except ValueError:
        return None
