"""Opt-outs and opt-ins, from wherever they come: remembered by address, logged, and told to the fleet."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from types import MappingProxyType
from typing import Any

from contracts import topics
from contracts.channels import CHANNELS
from contracts.events import AddressesJudged, InboundMessageReceived, OptOutChange, PreferencesChanged
from services.audience import metrics
from services.audience.domain.consent import ALL, MARKETING, TRANSACTIONAL, Consent, consent_changes, flag_scopes
from services.audience.domain.customers import Customer
from services.audience.store import customers, preferences
from services.audience.tables import REACHES
from shared import inbox
from shared.codec import now
from shared.database import Connection, Database, Transactions
from shared.errors import Rejected
from shared.ids import new_id
from shared.outbox import Outgoing, put

CHANGES_PER_RECORD_MAX = 500


async def on_inbound_messages(database: Database, events: Sequence[InboundMessageReceived]) -> None:
    """STOP and START count from the commit on; other messages are none of our business."""
    async with database.transaction() as connection:
        fresh = await inbox.remember(connection, [event.event_id for event in events])
        for event in events:
            _check_channel(event.channel)
            if event.event_id in fresh and event.intent in ("stop", "start"):
                fresh.discard(event.event_id)
                moments = {event.address: event.occurred_at}
                change = opt_out if event.intent == "stop" else opt_in
                await change(connection, event.user_id, event.channel, moments, "message")


async def on_addresses_judged(database: Database, events: Sequence[AddressesJudged]) -> None:
    """Addresses that are dead or opted out at the provider are not used again."""
    async with database.transaction() as connection:
        fresh = await inbox.remember(connection, [event.event_id for event in events])
        for event in events:
            _check_channel(event.channel)
            if event.event_id not in fresh:
                continue
            fresh.discard(event.event_id)
            dead = [(v.address, v.at) for v in event.verdicts if v.verdict == "dead"]
            stopped = {v.address: v.at for v in event.verdicts if v.verdict == "opted_out"}
            await preferences.insert_dead(connection, event.user_id, event.channel, dead)
            await opt_out(connection, event.user_id, event.channel, stopped, "provider")


def _check_channel(channel: str) -> None:
    if channel not in CHANNELS:
        raise Rejected(f"unknown channel {channel!r}")


async def opt_out(
    connection: Connection, user_id: str, channel: str, moments: Mapping[str, datetime], source: str
) -> None:
    """Nobody at these addresses gets anything on the channel any more, whichever customers they belong to."""
    if not moments:
        return
    rows = [(address, ALL, at) for address, at in moments.items()]
    await preferences.insert_suppressions(connection, user_id, channel, "opted_out", rows)
    owners = await preferences.mark_opted_in(connection, user_id, channel, list(moments), False)
    await say(connection, user_id, channel, source, _by_address(moments, owners, opted_out=True))


async def opt_in(
    connection: Connection, user_id: str, channel: str, moments: Mapping[str, datetime], source: str
) -> None:
    """Takes back an opt-out from everything; one from a category stays."""
    pairs = [(address, ALL) for address in moments]
    await preferences.delete_suppressions(connection, user_id, channel, "opted_out", pairs)
    owners = await preferences.mark_opted_in(connection, user_id, channel, list(moments), True)
    await say(connection, user_id, channel, source, _by_address(moments, owners, opted_out=False))


def _by_address(
    moments: Mapping[str, datetime], owners: Mapping[str, Sequence[str]], *, opted_out: bool
) -> list[OptOutChange]:
    return [
        OptOutChange(address=address, scope=ALL, opted_out=opted_out, at=at, customer_id=customer_id)
        for address, at in moments.items()
        for customer_id in owners.get(address) or (None,)
    ]


async def say(connection: Connection, user_id: str, channel: str, source: str, changes: Sequence[OptOutChange]) -> None:
    """Logs the changes and publishes them; an opt-in of an address that somebody else opted out is not published."""
    if not changes:
        return
    await preferences.insert_consent_log(connection, user_id, channel, source, changes)
    opted_in = sorted({change.address for change in changes if not change.opted_out})
    consents = await preferences.find_consents(connection, user_id, channel, opted_in) if opted_in else {}
    told: dict[tuple[str, str], OptOutChange] = {}
    for change in changes:
        blocked = any(not consent.allows(change.scope) for consent in consents.get(change.address, ()))
        if change.opted_out or not blocked:
            told[change.address, change.scope] = change
    kept = list(told.values())
    records = [
        PreferencesChanged(
            event_id=new_id(),
            occurred_at=now(),
            user_id=user_id,
            channel=channel,
            changes=kept[start : start + CHANGES_PER_RECORD_MAX],
        )
        for start in range(0, len(kept), CHANGES_PER_RECORD_MAX)
    ]
    await put(connection, [Outgoing(topics.PREFERENCE_CHANGES, user_id, record) for record in records])
    for opted_out, word in ((True, "opt_out"), (False, "opt_in")):
        count = sum(change.opted_out is opted_out for change in kept)
        metrics.CONSENT_CHANGES.labels(channel, source, word).inc(count)


async def say_incoming(connection: Connection, user_id: str, before: Mapping[str, Sequence[Any]]) -> None:
    """Tells what an upsert changed for customers whose phone number and choices were `before`."""
    if not before:
        return
    after = await preferences.find_choices(connection, user_id, list(before))
    at = now()
    for channel in CHANNELS:
        addresses = await preferences.find_addresses(connection, user_id, channel, list(before))
        changes = []
        for customer_id, (new_number, *new) in after.items():
            old_number, *old = before[customer_id]
            moved = old_number != new_number
            old_consent = Consent() if moved else preferences.consent_on(channel, old)
            for scope, opted_out in consent_changes(old_consent, preferences.consent_on(channel, new)):
                changes += [
                    OptOutChange(address=address, scope=scope, opted_out=opted_out, at=at, customer_id=customer_id)
                    for address in addresses.get(customer_id, ())
                ]
        await say(connection, user_id, channel, "import", changes)


async def set_preferences(database: Transactions, user_id: str, customer: Customer, choices: Mapping[str, Any]) -> None:
    """Writes the choices that are given (columns of `notification_preferences`); makes what does not exist.

    Of `customer` only the addresses count.
    """
    customer_id = customer.customer_id
    async with database.transaction() as connection:
        if customer.phone_number or customer.devices:
            addresses_only = Customer(customer_id, phone_number=customer.phone_number, devices=customer.devices)
            await customers.copy_incoming(connection, [addresses_only])
            await customers.upsert_incoming(connection, user_id, 1)
            await customers.upsert_devices(connection, user_id, [(customer_id, d) for d in customer.devices])
        await choose(connection, user_id, customer_id, choices, "api")


async def choose(
    connection: Connection,
    user_id: str,
    customer_id: str,
    choices: Mapping[str, Any],
    source: str,
    also_at: Mapping[str, str] = MappingProxyType({}),
) -> None:
    """A customer's choices count from the commit on, at all of their addresses and one more of a channel in `also_at`.

    A flag that is taken away stands by address, whatever a later import says, until it is given back by the person
    or, for the whole channel, by START.
    """
    await preferences.upsert_choices(connection, user_id, customer_id, {})
    _, *before = (await preferences.find_choices(connection, user_id, [customer_id], lock=True))[customer_id]
    await preferences.upsert_choices(connection, user_id, customer_id, choices)
    _, *after = (await preferences.find_choices(connection, user_id, [customer_id]))[customer_id]
    for channel in CHANNELS:
        found = await preferences.find_addresses(connection, user_id, channel, [customer_id])
        addresses = set(found.get(customer_id, ()))
        if channel in also_at:
            addresses.add(also_at[channel])
        await _apply(
            connection,
            user_id,
            channel,
            customer_id,
            sorted(addresses),
            preferences.consent_on(channel, before),
            preferences.consent_on(channel, after),
            scopes_of(channel, choices),
            source,
        )


async def choose_at(
    connection: Connection, user_id: str, channel: str, address: str, choices: Mapping[str, Any], source: str
) -> None:
    """The same for an address that is no customer's; of `choices` only the flags count."""
    before = await preferences.find_consent_at(connection, user_id, channel, address)
    decided = scopes_of(channel, choices)
    after = before.with_flags(
        {scope: choices[column] for column, scope in flag_columns(channel).items() if scope in decided}
    )
    await _apply(connection, user_id, channel, None, [address], before, after, decided, source)


def flag_columns(channel: str) -> dict[str, str]:
    """The flags that decide about a channel, with their scopes."""
    return {
        REACHES[channel].opted_in: ALL,
        "marketing_opted_in": MARKETING,
        "transactional_opted_in": TRANSACTIONAL,
    }


def scopes_of(channel: str, choices: Mapping[str, Any]) -> set[str]:
    """The flags that a request decides about, by scope."""
    return {scope for column, scope in flag_columns(channel).items() if column in choices}


async def _apply(
    connection: Connection,
    user_id: str,
    channel: str,
    customer_id: str | None,
    addresses: Sequence[str],
    before: Consent,
    after: Consent,
    decided: set[str],
    source: str,
) -> None:
    at = now()
    flags = after.flags()
    rows = [(address, scope, at) for address in addresses for scope in sorted(decided) if not flags[scope]]
    await preferences.insert_suppressions(connection, user_id, channel, "opted_out", rows)
    pairs = [(address, scope) for address in addresses for scope in sorted(decided) if flags[scope]]
    lifted = await preferences.delete_suppressions(connection, user_id, channel, "opted_out", pairs)
    changed = consent_changes(before, after)
    told = {(address, scope): out for address in addresses for scope, out in changed}
    told |= {
        (address, scope): False for address, flag in lifted for scope in flag_scopes(flag, after) if after.allows(scope)
    }
    changes = [
        OptOutChange(address=address, scope=scope, opted_out=out, at=at, customer_id=customer_id)
        for (address, scope), out in sorted(told.items())
    ]
    await say(connection, user_id, channel, source, changes)
