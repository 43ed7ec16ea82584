"""What the dispatcher does when it hears something. Nothing here calls a provider."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from hashlib import sha256
from uuid import UUID

import msgspec

from contracts import topics
from contracts.channels import CHANNELS, Channel
from contracts.events import (
    AddressesJudged,
    AddressVerdict,
    AudienceResolved,
    CampaignCancelled,
    CampaignHalted,
    CampaignLaunched,
    CampaignPaused,
    CampaignResumed,
    LinksTracked,
    LotResolved,
    MessageReference,
    MessagesReferenced,
    NotificationEvent,
    NotificationsRecorded,
    PreferencesChanged,
    Receipt,
    ReceiptsRecorded,
    Repricing,
    TemplateChanged,
    TrackedLink,
)
from services.dispatcher import metrics
from services.dispatcher.domain import (
    PRICE_AFTER_SECONDS,
    CampaignState,
    Change,
    Joined,
    events_of,
    join_parts,
    join_prices,
    join_receipts,
    repricing_of,
)
from services.dispatcher.guard import JUDGED, Guard
from services.dispatcher.store import campaigns, links, lots, parts, receipts
from services.dispatcher.store.prices import insert_price_questions
from shared.codec import now
from shared.database import Connection, Database
from shared.errors import Rejected
from shared.ids import new_id
from shared.outbox import Outgoing, put
from shared.providers.provider import Price
from shared.providers.registry import VENDORS

EVENTS_PER_RECORD_MAX = 500

Lifecycle = CampaignLaunched | CampaignPaused | CampaignResumed | CampaignCancelled


async def on_lots_resolved(database: Database, events: Sequence[LotResolved]) -> None:
    """Stores the lots; the senders find them."""
    for event in events:
        if event.channel not in CHANNELS:
            raise Rejected(f"unknown channel {event.channel!r}")
        if not event.recipients:
            raise Rejected("a lot without recipients")
    async with database.transaction() as connection:
        await lots.insert_lots(connection, events, now())


async def on_lifecycle(database: Database, events: Sequence[Lifecycle]) -> None:
    """Lets a campaign's lots go, holds them, or lets them go to be skipped."""
    async with database.transaction() as connection:
        await lots.mark_campaigns(connection, [_update(event) for event in events])


def _update(event: Lifecycle) -> lots.CampaignUpdate:
    if isinstance(event, CampaignLaunched):
        return lots.CampaignUpdate(
            event.campaign_id,
            event.user_id,
            event.channel,
            event.version,
            CampaignState.SENDING,
            provider_id=event.provider_id,
            category=event.category,
            unknown_policy=event.unknown_policy,
            content=event.content,
        )
    reason = event.reason if isinstance(event, CampaignPaused) else None
    state = {
        CampaignPaused: CampaignState.PAUSED,
        CampaignResumed: CampaignState.SENDING,
        CampaignCancelled: CampaignState.CANCELLED,
    }[type(event)]
    return lots.CampaignUpdate(event.campaign_id, event.user_id, event.channel, event.version, state, reason)


async def on_audience_resolved(database: Database, events: Sequence[AudienceResolved]) -> None:
    """Keeps the totals that the accounting starts from."""
    async with database.transaction() as connection:
        await lots.insert_audiences(connection, events)


async def on_preferences_changed(database: Database, events: Sequence[PreferencesChanged]) -> None:
    """From the commit on, nobody who opted out can be attempted."""
    rows = [
        (event.user_id, event.channel, change.address, change.scope, change.opted_out, change.at)
        for event in events
        for change in event.changes
    ]
    if rows:
        async with database.transaction() as connection:
            await lots.mark_opt_outs(connection, rows)


async def on_templates_changed(database: Database, events: Sequence[TemplateChanged]) -> None:
    """Keeps the newest content for send requests that name a template."""
    async with database.transaction() as connection:
        await campaigns.mark_templates(connection, list(events))


async def on_receipts_recorded(database: Database, guard: Guard, events: Sequence[ReceiptsRecorded]) -> None:
    """Folds receipts into the ledger and says what is new."""
    by_channel: dict[tuple[str, str], list[ReceiptsRecorded]] = defaultdict(list)
    for event in events:
        if event.channel not in CHANNELS:
            raise Rejected(f"unknown channel {event.channel!r}")
        by_channel[event.channel, event.provider].append(event)
    async with database.transaction() as connection:
        for (name, provider), group in sorted(by_channel.items()):
            channel = CHANNELS[name]
            stated = await _placed(connection, channel, [receipt for event in group for receipt in event.receipts])
            stated = await _whole(connection, channel, stated)
            await _fold(connection, guard, channel, provider, join_receipts(channel, stated))


async def record_prices(
    connection: Connection, guard: Guard, name: str, provider: str, prices: Mapping[UUID, Price]
) -> None:
    """Folds prices that a vendor has stated when asked into the ledger, and says what is new."""
    channel = CHANNELS[name]
    await _fold(connection, guard, channel, provider, join_prices(channel, prices))


async def record_parts(
    connection: Connection, guard: Guard, channel: Channel, provider: str, recipient_ids: Collection[UUID]
) -> None:
    """Folds what was heard of parts before their number was known, in the transaction that has made it known."""
    if known := await parts.find_parts(connection, recipient_ids):
        expected = await parts.lock_parts(connection, channel, known)
        whole = [join_parts(receipts, expected[recipient_id]) for recipient_id, receipts in known.items()]
        await _fold(connection, guard, channel, provider, join_receipts(channel, whole))


async def _fold(
    connection: Connection, guard: Guard, channel: Channel, provider: str, joined: Sequence[Joined]
) -> None:
    changes = await receipts.mark_receipts(connection, channel, joined)
    metrics.UNMATCHED_RECEIPTS.inc(len(joined) - len(changes))
    await _publish(connection, channel.name, provider, changes)
    await _judge(connection, guard, channel, provider, changes)
    if unpriced := _unpriced(channel.name, provider, changes):
        await insert_price_questions(connection, channel, unpriced, PRICE_AFTER_SECONDS)


async def _judge(
    connection: Connection, guard: Guard, channel: Channel, provider: str, changes: Sequence[Change]
) -> None:
    """Says whose address is dead, and who has opted out at the provider: with many it shows only after the message was
    taken."""
    news = [one for one in changes if one.is_final or one.old_status == "delivered"]
    judging = [one for one in news if one.joined.error_class in JUDGED]
    ids = [one.joined.recipient_id for one in judging]
    addresses = await receipts.find_addresses(connection, channel, ids) if ids else {}
    for user_id, answered in Counter(one.user_id for one in news).items():
        verdicts = [_verdict(one, addresses) for one in judging if one.user_id == user_id]
        dead = [one for one in verdicts if one.verdict == "dead"]
        believed = guard.believe((user_id, channel.name, provider), answered, dead)
        if found := [one for one in verdicts if one.verdict != "dead"] + believed:
            await put(connection, [judged(user_id, channel.name, found)])


def _verdict(change: Change, addresses: Mapping[UUID, tuple[str, str | None]]) -> AddressVerdict:
    joined = change.joined
    assert joined.error_class is not None
    address, customer_id = addresses[joined.recipient_id]
    return AddressVerdict(
        address=address, verdict=JUDGED[joined.error_class], at=joined.failed_at or now(), customer_id=customer_id
    )


def _unpriced(channel: str, provider: str, changes: Sequence[Change]) -> list[UUID]:
    """The messages that are now in their final state, and the price of which their vendor says when it is asked."""
    vendor = VENDORS.get((channel, provider))
    if vendor is None or vendor.CAPABILITIES.price != "later":
        return []
    return [one.joined.recipient_id for one in changes if one.is_final and one.joined.cost_micros is None]


async def _placed(connection: Connection, channel: Channel, stated: Sequence[Receipt]) -> list[Receipt]:
    """The receipts with the recipients that they mean; without those that mean nobody."""
    batches = {(one.recipient_id, one.address) for one in stated if one.address is not None}
    meant = await receipts.find_meant(connection, channel, batches) if batches else {}
    placed = []
    for one in stated:
        if one.address is None:
            placed.append(one)
        elif (found := meant.get((one.recipient_id, one.address))) is not None:
            placed.append(msgspec.structs.replace(one, recipient_id=found, address=None))
    metrics.UNMATCHED_RECEIPTS.inc(len(stated) - len(placed))
    return placed


async def _whole(connection: Connection, channel: Channel, stated: Sequence[Receipt]) -> list[Receipt]:
    """The receipts with those of parts of long texts joined into what they say about the whole message."""
    in_parts = [one for one in stated if one.part is not None]
    whole = [one for one in stated if one.part is None]
    if not in_parts:
        return whole
    expected = await parts.lock_parts(connection, channel, {one.recipient_id for one in stated})
    kept = [one for one in in_parts if one.recipient_id in expected and expected[one.recipient_id] != 1]
    metrics.UNMATCHED_RECEIPTS.inc(sum(one.recipient_id not in expected for one in in_parts))
    whole += [join_parts([one], 1) for one in in_parts if expected.get(one.recipient_id) == 1]
    if kept:
        await parts.insert_parts(connection, kept)
        known = await parts.find_parts(connection, {one.recipient_id for one in kept})
        whole += [join_parts(receipts, expected[recipient_id]) for recipient_id, receipts in known.items()]
    return whole


async def _publish(connection: Connection, channel: str, provider: str, changes: Sequence[Change]) -> None:
    facts: dict[tuple[UUID, str, str], list[NotificationEvent]] = defaultdict(list)
    prices: dict[tuple[UUID, str, str], list[Repricing]] = defaultdict(list)
    for change in changes:
        of = (change.campaign_id, change.user_id, change.lane)
        facts[of].extend(events_of(CHANNELS[channel], change))
        if (price := repricing_of(change, new_id(), now())) is not None:
            prices[of].append(price)
    for of, events in facts.items():
        campaign_id, user_id, lane = of
        await put(connection, recorded(campaign_id, user_id, channel, provider, events, lane, prices.get(of, ())))


def recorded(
    campaign_id: UUID,
    user_id: str,
    channel: str,
    provider: str,
    events: Sequence[NotificationEvent],
    lane: str,
    repricings: Sequence[Repricing] = (),
) -> list[Outgoing]:
    """The events as records of the public stream."""
    return [
        Outgoing(
            topics.NOTIFICATION_EVENTS,
            str(campaign_id),
            NotificationsRecorded(
                event_id=new_id(),
                occurred_at=now(),
                campaign_id=campaign_id,
                user_id=user_id,
                channel=channel,
                provider=provider,
                lane=lane,
                events=list(events[start : start + EVENTS_PER_RECORD_MAX]),
                repricings=list(repricings[start : start + EVENTS_PER_RECORD_MAX]),
            ),
        )
        for start in range(0, max(len(events), len(repricings)), EVENTS_PER_RECORD_MAX)
    ]


def judged(user_id: str, channel: str, verdicts: Sequence[AddressVerdict]) -> Outgoing:
    """Verdicts about a tenant's addresses as a record."""
    event = AddressesJudged(
        event_id=new_id(), occurred_at=now(), user_id=user_id, channel=channel, verdicts=list(verdicts)
    )
    return Outgoing(topics.ADDRESS_VERDICTS, user_id, event)


def referenced(user_id: str, channel: str, provider: str, messages: Mapping[str, UUID]) -> list[Outgoing]:
    """Recipients by their message's id at the provider, as records."""
    references = [
        MessageReference(provider_message_id=message_id, recipient_id=recipient_id)
        for message_id, recipient_id in messages.items()
    ]
    return [
        Outgoing(
            topics.MESSAGE_REFERENCES,
            user_id,
            MessagesReferenced(
                event_id=new_id(),
                occurred_at=now(),
                user_id=user_id,
                channel=channel,
                provider=provider,
                references=references[start : start + EVENTS_PER_RECORD_MAX],
            ),
        )
        for start in range(0, len(references), EVENTS_PER_RECORD_MAX)
    ]


async def track(database: Database, user_id: str, destinations: Sequence[str]) -> tuple[int, ...]:
    """The numbers of a tenant's links, in order; those that are new are told before any message can leave with them."""
    by_digest = {sha256(destination.encode()).digest(): destination for destination in destinations}
    async with database.transaction() as connection:
        numbers = await links.find_links(connection, user_id, list(by_digest))
        if len(numbers) < len(by_digest):
            new = await links.insert_links(connection, user_id, by_digest)
            numbers = await links.find_links(connection, user_id, list(by_digest))
            told = [TrackedLink(number=numbers[digest], destination=by_digest[digest]) for digest in sorted(new)]
            event = LinksTracked(event_id=new_id(), occurred_at=now(), user_id=user_id, links=told)
            await put(connection, [Outgoing(topics.TRACKED_LINKS, user_id, event)] if told else [])
    return tuple(numbers[digest] for digest in by_digest)


def halted(campaign_id: UUID, user_id: str, channel: str, reason: str) -> Outgoing:
    """A campaign that was stopped here, as a record."""
    event = CampaignHalted(
        event_id=new_id(), occurred_at=now(), campaign_id=campaign_id, user_id=user_id, channel=channel, reason=reason
    )
    return Outgoing(topics.CAMPAIGN_PROGRESS, str(campaign_id), event)
