"""What happens with callbacks that are genuine, and with accounts that change."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime

import msgspec

from contracts import topics
from contracts.events import InboundMessageReceived, LinksTracked, MessagesReferenced, ProviderChanged, ReceiptsRecorded
from contracts.links import is_countable
from services.delivery_receipt import metrics
from services.delivery_receipt.accounts import Accounts
from services.delivery_receipt.domain import (
    Callback,
    StoredPart,
    complete_texts,
    group_receipts,
    inbound_of,
    is_for_now,
    message_keys,
    part_of,
    place,
    request_of,
    text_of_parts,
)
from services.delivery_receipt.store import accounts as account_store
from services.delivery_receipt.store import callbacks as callback_store
from services.delivery_receipt.store import inbound as inbound_store
from services.delivery_receipt.store import links as link_store
from services.delivery_receipt.store import references as reference_store
from shared.codec import now
from shared.database import Connection, Database
from shared.errors import Rejected
from shared.ids import new_id
from shared.outbox import Outgoing, put
from shared.security import References

RECEIPTS_PER_RECORD_MAX = 500
BATCHES_PER_DELETION_MAX = 100
RECIPIENTS_PER_DELETION_MAX = 10_000
PARTS_PER_DELETION_MAX = 10_000
PARTS_HANDED_ON_MAX = 500


async def record_callbacks(database: Database, callbacks: Sequence[Callback]) -> None:
    """Makes callbacks durable together with what they state, in one transaction."""
    async with database.transaction() as connection:
        callbacks = await _placed(connection, callbacks)
        await callback_store.insert_callbacks(connection, new_id(), callbacks)
        await _publish(connection, callbacks)
    metrics.GROUP_SIZE.observe(len(callbacks))
    _count(callbacks)


async def _placed(connection: Connection, callbacks: Sequence[Callback]) -> Sequence[Callback]:
    """The callbacks with receipts for all messages that we know by the provider's id."""
    keys = message_keys(callbacks)
    if not keys:
        return callbacks
    recipients = await reference_store.find_recipients(connection, keys)
    return [place(callback, recipients) for callback in callbacks]


async def _publish(connection: Connection, callbacks: Sequence[Callback]) -> None:
    outgoing = []
    for (channel, provider), receipts in group_receipts(callbacks, RECEIPTS_PER_RECORD_MAX):
        recorded = ReceiptsRecorded(
            event_id=new_id(), occurred_at=now(), channel=channel, provider=provider, receipts=receipts
        )
        outgoing.append(Outgoing(topics.RECEIPTS, str(recorded.event_id), recorded))
    written = [(callback, message) for callback in callbacks for message in callback.reading.inbound]
    inbound = [inbound_of(callback, message, new_id()) for callback, message in written if is_for_now(message)]
    parts = [part_of(callback, message, new_id()) for callback, message in written if message.part is not None]
    if parts:
        inbound += await _complete(connection, parts)
    await put(connection, outgoing + await _new_inbound(connection, inbound))


async def _complete(connection: Connection, parts: Sequence[StoredPart]) -> list[InboundMessageReceived]:
    """Keeps parts; returns the texts that are complete with them, which are nobody else's to hand on."""
    texts = complete_texts(await inbound_store.insert_parts(connection, parts))
    await inbound_store.mark_handed_on(connection, [one.message.event_id for text in texts for one in text])
    return [text_of_parts(text, new_id()) for text in texts]


async def _new_inbound(connection: Connection, inbound: Sequence[InboundMessageReceived]) -> list[Outgoing]:
    new = await inbound_store.insert_inbound(connection, inbound) if inbound else ()
    return [Outgoing(topics.INBOUND_MESSAGES, one.user_id, one) for one in inbound if one.event_id in new]


async def hand_on_parts(database: Database, wait_seconds: float) -> int:
    """Hands on, each as it is, parts of texts that did not become complete in time; returns how many."""
    async with database.transaction() as connection:
        parts = await inbound_store.claim_parts(connection, wait_seconds, PARTS_HANDED_ON_MAX)
        await inbound_store.mark_handed_on(connection, [one.message.event_id for one in parts])
        await put(connection, await _new_inbound(connection, [one.message for one in parts]))
    return len(parts)


def _count(callbacks: Sequence[Callback]) -> None:
    results = Counter((one.provider, one.reading.result) for one in callbacks)
    for labels, count in results.items():
        metrics.CALLBACKS.labels(*labels).inc(count)
    kinds = Counter((one.channel, receipt.kind) for one in callbacks for receipt in one.reading.receipts)
    for labels, count in kinds.items():
        metrics.RECEIPTS.labels(*labels).inc(count)


async def convert_rejected(
    database: Database,
    accounts: Accounts,
    references: References,
    public_base_url: str,
    tried_before: datetime | None,
    rows_max: int,
) -> int:
    """Reads kept callbacks again that could not be read before that time; returns how many it looked at.

    Without a time, those that came too early, each after as long again as it has waited.
    """
    async with database.transaction() as connection:
        if tried_before is None:
            rejections = await callback_store.claim_early(connection, rows_max)
        else:
            rejections = await callback_store.claim_rejections(connection, tried_before, rows_max)
        callbacks = []
        for one in rejections:
            known = accounts.of(one.callback.account_id) if one.callback.account_id else None
            if known is None:
                callbacks.append(one.callback)
                continue
            request = request_of(one.callback, public_base_url)
            reading = known.read(request, references, one.callback.received_at)
            callbacks.append(msgspec.structs.replace(one.callback, reading=reading))
        callbacks = list(await _placed(connection, callbacks))
        converted = [one for one in callbacks if one.reading.problem is None]
        await _publish(connection, converted)
        await callback_store.mark_tried(
            connection,
            [(one.batch_id, one.number, c.reading.problem) for one, c in zip(rejections, callbacks, strict=True)],
        )
    _count(converted)
    return len(rejections)


async def on_messages_referenced(database: Database, events: Sequence[MessagesReferenced]) -> None:
    """Keeps which recipients the providers' ids stand for."""
    recipients = {
        (event.user_id, event.channel, event.provider, one.provider_message_id): one.recipient_id
        for event in events
        for one in event.references
    }
    async with database.transaction() as connection:
        await reference_store.insert_recipients(connection, recipients)


async def on_links_tracked(database: Database, events: Sequence[LinksTracked]) -> None:
    """Keeps where the links lead; only to what a browser opens, and nothing that could become a header of its own."""
    links = [(event.user_id, link) for event in events for link in event.links]
    if not all(is_countable(link.destination) for _, link in links):
        raise Rejected("links: a destination is no http or https address in plain ASCII")
    async with database.transaction() as connection:
        await link_store.insert_links(connection, links)


async def on_providers_changed(
    database: Database, accounts: Accounts, previous_kept_seconds: float, events: Sequence[ProviderChanged]
) -> None:
    """Keeps the newest state of each account, in the database and in memory; the last secrets hold a while longer."""
    ids = [event.provider_id for event in events]
    async with database.transaction() as connection:
        before = {row.account.id: row.sealed for row in await account_store.find_accounts(connection, ids)}
        rotated = {
            event.provider_id
            for event in events
            if event.provider_id in before and accounts.differ(before[event.provider_id], event.sealed)
        }
        await account_store.mark_accounts(connection, events, rotated, previous_kept_seconds)
        rows = await account_store.find_accounts(connection, ids)
    accounts.keep(rows)


async def forget_old(database: Database, accounts: Accounts, callbacks_kept_days: int, accounts_kept_days: int) -> int:
    """Deletes a bounded number of batches that are out of their time, and accounts that were deleted long ago."""
    async with database.transaction() as connection:
        deleted = await callback_store.delete_callbacks(connection, callbacks_kept_days, BATCHES_PER_DELETION_MAX)
        await reference_store.delete_recipients(connection, callbacks_kept_days, RECIPIENTS_PER_DELETION_MAX)
        await inbound_store.delete_parts(connection, callbacks_kept_days, PARTS_PER_DELETION_MAX)
        accounts.forget(await account_store.delete_accounts(connection, accounts_kept_days))
    return deleted
