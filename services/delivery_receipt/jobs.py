"""Loops: writing what waits, reading again what could not be read, forgetting what is old."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress

import msgspec

from services.delivery_receipt import handlers
from services.delivery_receipt.accounts import Accounts
from services.delivery_receipt.domain import Callback, Reading
from services.delivery_receipt.intake import Intake, Waiting
from services.delivery_receipt.settings import DeliveryReceiptSettings
from services.delivery_receipt.store.callbacks import is_about_data
from shared.backoff import Backoff
from shared.codec import now
from shared.database import Database
from shared.errors import is_transient
from shared.logs import logger
from shared.runtime import JobContext
from shared.security import References

CONVERT_EVERY_SECONDS = 3600.0
EARLY_EVERY_SECONDS = 1.0
CONVERTED_TOGETHER_MAX = 500
HAND_ON_EVERY_SECONDS = 5.0
FORGET_EVERY_SECONDS = 300.0

Record = Callable[[Sequence[Callback]], Awaitable[None]]


async def write_callbacks(
    intake: Intake, record: Record, settings: DeliveryReceiptSettings, context: JobContext
) -> None:
    """Writes what waits, one transaction at a time; each sender hears only after the commit.

    When the service stops, nothing more is taken, and what was taken is written.
    """
    closing = asyncio.create_task(_close_when(context.stopping, intake))
    try:
        while group := await intake.take(settings.group_max, settings.gather_seconds):
            context.heartbeat.begin()
            await _write(record, group, settings.answer_seconds, context)
            context.heartbeat.end()
    finally:
        intake.close()
        closing.cancel()
        with suppress(asyncio.CancelledError):
            await closing


async def _close_when(stopping: asyncio.Event, intake: Intake) -> None:
    await stopping.wait()
    intake.close()


async def _write(record: Record, group: list[Waiting], answer_seconds: float, context: JobContext) -> None:
    """Tries for as long as the senders wait; then they are told that nothing was kept."""
    until = group[0].since + answer_seconds
    attempt = 0
    while True:
        try:
            async with asyncio.timeout(max(until - time.monotonic(), 1.0)):
                await record([waiting.callback for waiting in group])
        except Exception as error:
            if is_about_data(error):
                await _write_apart(record, group, answer_seconds, error, context)
                return
            attempt += 1
            delay = Backoff(0.05, 1.0).delay(attempt)
            if is_transient(error) and time.monotonic() + delay < until:
                logger().warning("callbacks_retried", attempt=attempt, error=type(error).__name__)
                context.heartbeat.beat()
                await context.sleep(delay)
                continue
            logger().error("callbacks_unstored", callbacks=len(group), error=type(error).__name__)
            _answer(group, stored=False)
            if not is_transient(error):
                raise
        else:
            _answer(group, stored=True)
        return


async def _write_apart(
    record: Record, group: list[Waiting], answer_seconds: float, error: Exception, context: JobContext
) -> None:
    """Finds the callback that PostgreSQL will not have, by halves, and keeps it raw."""
    if len(group) > 1:
        middle = len(group) // 2
        await _write(record, group[:middle], answer_seconds, context)
        await _write(record, group[middle:], answer_seconds, context)
        return
    (waiting,) = group
    if waiting.callback.reading.problem is not None:
        _answer(group, stored=False)
        raise error
    reading = Reading(problem=f"unexpected {type(error).__name__}")
    bare = Waiting(msgspec.structs.replace(waiting.callback, reading=reading), waiting.answer, waiting.since)
    await _write(record, [bare], answer_seconds, context)


def _answer(group: Sequence[Waiting], stored: bool) -> None:
    for waiting in group:
        waiting.answer(stored)


async def convert_rejected(
    database: Database, accounts: Accounts, references: References, public_base_url: str, context: JobContext
) -> None:
    """Reads again what an earlier version, or an account not yet known, could not read: at the start, then hourly."""
    while True:
        started = now()
        looked_at = CONVERTED_TOGETHER_MAX
        while looked_at == CONVERTED_TOGETHER_MAX and not context.stopping.is_set():
            context.heartbeat.begin()
            looked_at = await handlers.convert_rejected(
                database, accounts, references, public_base_url, started, CONVERTED_TOGETHER_MAX
            )
        context.heartbeat.end()
        if await context.sleep(CONVERT_EVERY_SECONDS):
            return


async def place_early(
    database: Database, accounts: Accounts, references: References, public_base_url: str, context: JobContext
) -> None:
    """Reads receipts again that came before the news of their message."""
    while not await context.sleep(EARLY_EVERY_SECONDS):
        context.heartbeat.begin()
        await handlers.convert_rejected(database, accounts, references, public_base_url, None, CONVERTED_TOGETHER_MAX)
        context.heartbeat.end()


async def hand_on_parts(database: Database, wait_seconds: float, context: JobContext) -> None:
    """Lets no part of a text wait for longer than that for the others."""
    while not await context.sleep(HAND_ON_EVERY_SECONDS):
        context.heartbeat.begin()
        handed_on = handlers.PARTS_HANDED_ON_MAX
        while handed_on == handlers.PARTS_HANDED_ON_MAX and not context.stopping.is_set():
            handed_on = await handlers.hand_on_parts(database, wait_seconds)
            context.heartbeat.beat()
        context.heartbeat.end()


async def forget_old(
    database: Database, accounts: Accounts, settings: DeliveryReceiptSettings, context: JobContext
) -> None:
    """Keeps callbacks, and the credentials of deleted accounts, no longer than the settings say."""
    while not await context.sleep(FORGET_EVERY_SECONDS):
        context.heartbeat.begin()
        deleted = handlers.BATCHES_PER_DELETION_MAX
        while deleted == handlers.BATCHES_PER_DELETION_MAX and not context.stopping.is_set():
            deleted = await handlers.forget_old(
                database, accounts, settings.callbacks_kept_days, settings.deleted_accounts_kept_days
            )
            context.heartbeat.beat()
        context.heartbeat.end()
