"""Customers and recipients from request bodies and files: good rows are kept, bad ones named."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import chain
from typing import Any, Generic, TypeVar
from uuid import UUID

import msgspec

from contracts.channels import Channel
from services.audience import metrics
from services.audience.domain.additions import Addition, is_known_column, read_addition
from services.audience.domain.customers import (
    Customer,
    Device,
    FieldError,
    InvalidRow,
    read_customer,
    unknown_columns,
)
from services.audience.domain.files import BadFile, CsvRows, JsonRows, Malformed, Row, RowReader, refuse_workbook
from services.audience.domain.lots import RECIPIENTS_MAX
from services.audience.handlers import consent
from services.audience.store import additions, customers, expansions, imports, preferences
from services.audience.store.imports import RowError
from shared.codec import now
from shared.database import Connection, Transactions

ERRORS_SHOWN_MAX = 100
STORED_LENGTH_MAX = 1_000
"""Characters that are kept of a refused row, and of what is wrong with it or with the file."""
ANALYZE_FROM_ROWS = 5_000

ALIVE_SECONDS = imports.SILENT_SECONDS_MAX / 6
"""How often a running import shows that it goes on."""
FORMATS = ("csv", "jsonl")

Read = TypeVar("Read")


class AlreadyLaunched(Exception):
    """Recipients can be added only before the launch."""


class AlreadyImported(Exception):
    """There is an import of this id."""


class TooManyRecipients(Exception):
    """A campaign has at most `RECIPIENTS_MAX`."""


@dataclass(slots=True)
class Imported:
    """What became of a file or a list: counts of rows, and the first errors. `consent_assumed` counts the good rows
    that left a consent out, `consent_left_out` names which."""

    imported: int = 0
    rejected: int = 0
    consent_assumed: int = 0
    consent_left_out: set[str] = field(default_factory=set)
    errors: list[RowError] = field(default_factory=list)


@dataclass(slots=True)
class Batch(Generic[Read]):
    """Rows that are saved in one transaction, by their numbers, and those that are not."""

    good: dict[int, Read] = field(default_factory=dict)
    rejected: int = 0
    errors: list[RowError] = field(default_factory=list)
    originals: dict[int, str] = field(default_factory=dict)

    def take(self, rows: Iterable[Row], read: Callable[[dict[str, Any]], Read]) -> None:
        """Reads the rows."""
        for number, values in rows:
            if isinstance(values, Malformed):
                self.originals[number] = values.original
                self.reject(number, [FieldError("row", values.reason)])
                continue
            try:
                self.good[number] = read(values)
            except InvalidRow as row:
                self.originals[number] = msgspec.json.encode(values).decode()
                self.reject(number, row.errors)

    def reject(self, number: int, errors: Sequence[FieldError]) -> None:
        """Refuses a row."""
        self.good.pop(number, None)
        self.rejected += 1
        self.errors.extend((number, error) for error in errors)

    def stored_errors(self) -> list[tuple[int, str, str, str | None]]:
        """(row, field, reason, the beginning of the row) of every error."""
        originals = {row: _storable(text) for row, text in self.originals.items()}
        return [(row, _storable(one.field), _storable(one.reason), originals.get(row)) for row, one in self.errors]

    @property
    def rows(self) -> int:
        return len(self.good) + self.rejected


def _storable(text: str) -> str:
    """The beginning of a text as PostgreSQL can hold it; it has no NUL, and no halves of characters."""
    return text[:STORED_LENGTH_MAX].replace("\0", "\ufffd").encode("utf-8", "replace").decode()


@dataclass(frozen=True, slots=True)
class Kind(Generic[Read]):
    """What is imported: how a row is read, which columns a CSV file may have, how a batch is saved, and which
    consents a row leaves out."""

    name: str
    read: Callable[[dict[str, Any]], Read]
    check_header: Callable[[list[str]], None]
    save: Callable[[Connection, Batch[Read]], Awaitable[None]]
    campaign_id: UUID | None = None
    consent_left_out: Callable[[Read], Sequence[str]] = lambda _: ()


def customers_of(user_id: str) -> Kind[Customer]:
    """A tenant's customers."""

    async def save(connection: Connection, batch: Batch[Customer]) -> None:
        await save_customers(connection, user_id, list(batch.good.values()))

    def check_header(header: list[str]) -> None:
        if unknown := unknown_columns(header):
            raise BadFile(f"unknown columns: {', '.join(unknown[:10])}")
        if "customerId" not in header:
            raise BadFile("the column customerId is missing")

    return Kind("customers", read_customer, check_header, save, consent_left_out=lambda row: row.consent_left_out)


def recipients_of(user_id: str, channel: Channel, campaign_id: UUID) -> Kind[Addition]:
    """People added to a campaign; saving raises `AlreadyLaunched` or `TooManyRecipients`."""

    async def save(connection: Connection, batch: Batch[Addition]) -> None:
        await expansions.lock_additions(connection, campaign_id, exclusive=False)
        if await expansions.find_state(connection, campaign_id) is not None:
            raise AlreadyLaunched("recipients can be added only before the launch")
        named = {number: row.customer_id for number, row in batch.good.items() if row.customer_id is not None}
        known = await customers.find_known_customers(connection, user_id, sorted(set(named.values())))
        for number, customer_id in named.items():
            if customer_id not in known:
                batch.reject(number, [FieldError("customerId", "there is no such customer")])
        rows = list(batch.good.values())
        if await additions.insert_additions(connection, campaign_id, user_id, channel.name, rows) > RECIPIENTS_MAX:
            raise TooManyRecipients(f"a campaign has at most {RECIPIENTS_MAX:,} recipients")

    def check_header(header: list[str]) -> None:
        if unknown := [name for name in header if not is_known_column(name, channel)]:
            raise BadFile(f"unknown columns: {', '.join(unknown[:10])}")
        if not {"customerId", channel.address_field} & set(header):
            raise BadFile(f"a column customerId or {channel.address_field} is needed")

    return Kind("recipients", partial(read_addition, channel=channel), check_header, save, campaign_id)


async def save_customers(connection: Connection, user_id: str, rows: Sequence[Customer]) -> None:
    """Makes or updates the customers; a later row of the same customer adds to an earlier one."""
    merged: dict[str, Customer] = {}
    for row in rows:
        known = merged.get(row.customer_id)
        if known is None:
            merged[row.customer_id] = row
        else:
            known.merge(row)
    await customers.copy_incoming(connection, list(merged.values()))
    before = await customers.find_consent_to_change(connection, user_id)
    await customers.upsert_incoming(connection, user_id, len(merged))
    devices = [(customer.customer_id, device) for customer in merged.values() for device in customer.devices]
    await customers.upsert_devices(connection, user_id, devices)
    seen = [(device.device_token, device.last_seen_at) for _, device in devices if device.last_seen_at is not None]
    await preferences.delete_dead(connection, user_id, seen)
    await preferences.mark_suppressed_as_opted_out(connection, user_id)
    await consent.say_incoming(connection, user_id, before)


async def save_list(database: Transactions, kind: Kind[Any], rows: Sequence[Row]) -> Imported:
    """Saves the good ones of a list in one transaction."""
    batch: Batch[Any] = Batch()
    batch.take(rows, kind.read)
    async with database.transaction() as connection:
        await kind.save(connection, batch)
    result = Imported()
    _count(result, kind, batch)
    return result


async def import_file(
    database: Transactions,
    user_id: str,
    import_id: UUID,
    kind: Kind[Any],
    file_format: str,
    pieces: AsyncIterator[bytes],
    batch_rows: int,
    row_bytes_max: int,
) -> Imported:
    """Saves the good rows of a file, batch by batch, in memory bounded by a batch.

    Raises `BadFile` when the file cannot be read from some row on; what came before is kept. Raises `AlreadyImported`.
    """
    reader: RowReader = CsvRows(kind.check_header, row_bytes_max) if file_format == "csv" else JsonRows(row_bytes_max)
    async with database.transaction() as connection:
        if not await imports.insert_import(connection, import_id, user_id, kind.name, kind.campaign_id):
            raise AlreadyImported
    result, batch, bytes_read = Imported(), Batch[Any](), 0
    state = "failed"
    problem: str | None = "this is a fault of ours and is in our log"
    alive = asyncio.create_task(_keep_alive(database, import_id))
    try:
        async for piece in pieces:
            if not bytes_read:
                refuse_workbook(piece)
            bytes_read += len(piece)
            batch.take(reader.feed(piece), kind.read)
            if batch.rows >= batch_rows:
                await _save_batch(database, kind, import_id, batch, bytes_read, result)
                batch = Batch()
        batch.take(reader.finish(), kind.read)
        await _save_batch(database, kind, import_id, batch, bytes_read, result)
        state, problem = "done", None
    except BadFile as error:
        problem = str(error)
        await _save_batch(database, kind, import_id, batch, bytes_read, result)
        raise
    except (AlreadyLaunched, TooManyRecipients) as error:
        problem = str(error)
        raise
    finally:
        alive.cancel()
        async with database.transaction() as connection:
            await imports.mark_finished(connection, import_id, state, problem and _storable(problem))
    if result.imported >= ANALYZE_FROM_ROWS:
        async with database.whole_fleet.transaction() as connection:
            await customers.analyze(connection)
    return result


async def _keep_alive(database: Transactions, import_id: UUID) -> None:
    """Shows that the import goes on, until it is cancelled, also while whoever sends it takes their time."""
    while True:
        await asyncio.sleep(ALIVE_SECONDS)
        async with database.transaction() as connection:
            await imports.mark_alive(connection, import_id)


async def _save_batch(
    database: Transactions, kind: Kind[Any], import_id: UUID, batch: Batch[Any], bytes_read: int, result: Imported
) -> None:
    async with database.transaction() as connection:
        await kind.save(connection, batch)
        assumed, left_out = _assumed(kind, batch)
        await imports.mark_batch(
            connection,
            import_id,
            len(batch.good),
            batch.rejected,
            assumed,
            sorted(left_out),
            bytes_read,
            batch.stored_errors(),
        )
    _count(result, kind, batch)


def _assumed(kind: Kind[Any], batch: Batch[Any]) -> tuple[int, set[str]]:
    """How many of the good rows left a consent out, and which ones they left out."""
    found = [left_out for row in batch.good.values() if (left_out := kind.consent_left_out(row))]
    return len(found), set(chain.from_iterable(found))


def _count(result: Imported, kind: Kind[Any], batch: Batch[Any]) -> None:
    result.imported += len(batch.good)
    result.rejected += batch.rejected
    assumed, left_out = _assumed(kind, batch)
    result.consent_assumed += assumed
    result.consent_left_out |= left_out
    result.errors += batch.errors[: max(ERRORS_SHOWN_MAX - len(result.errors), 0)]
    metrics.IMPORTED_ROWS.labels(kind.name, "imported").inc(len(batch.good))
    metrics.IMPORTED_ROWS.labels(kind.name, "rejected").inc(batch.rejected)


async def add_device(database: Transactions, user_id: str, customer_id: str, device: Device) -> bool:
    """Adds a device to a customer, or notes that it was seen; False when there is no such customer."""
    seen_at = device.last_seen_at = device.last_seen_at or now()
    async with database.transaction() as connection:
        if not await customers.find_known_customers(connection, user_id, [customer_id]):
            return False
        await customers.copy_incoming(connection, [Customer(customer_id=customer_id, devices=[device])])
        await customers.upsert_incoming(connection, user_id, 1)
        await customers.upsert_devices(connection, user_id, [(customer_id, device)])
        await preferences.delete_dead(connection, user_id, [(device.device_token, seen_at)])
    return True
