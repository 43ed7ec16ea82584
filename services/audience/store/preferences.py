"""Consent: preferences of customers, suppressed addresses, and the log of changes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row, select
from sqlalchemy.ext.asyncio import AsyncConnection

from contracts.channels import PUSH
from contracts.events import OptOutChange
from services.audience.domain.consent import ALL, MARKETING, TRANSACTIONAL, Consent
from services.audience.tables import PREFERENCES, REACHES
from shared.database import Connection
from shared.names import camel

FLAGS = ("sms_opted_in", "push_opted_in", "marketing_opted_in", "transactional_opted_in")
LISTS = ("sms_categories", "push_categories")
FIELDS = {camel(column): column for column in (*FLAGS, *LISTS)}
"""Columns by their names in JSON."""

NOTHING_CHOSEN = (None, True, True, True, True, None, None)
"""What `find_choices` would find of a customer who has no preferences yet."""

_COLUMNS = ", ".join((*FLAGS, *LISTS))


def consent_on(channel: str, choices: Sequence[Any]) -> Consent:
    """The consent on one channel in the values of `FLAGS` and `LISTS`."""
    values = dict(zip((*FLAGS, *LISTS), choices, strict=True))
    categories = values[REACHES[channel].categories]
    return Consent(
        opted_in=values[REACHES[channel].opted_in],
        marketing=values["marketing_opted_in"],
        transactional=values["transactional_opted_in"],
        categories=None if categories is None else frozenset(categories),
    )


async def find_choices(
    connection: Connection, user_id: str, customer_ids: Sequence[str], *, lock: bool = False
) -> dict[str, tuple[Any, ...]]:
    """Phone number, then the values of `FLAGS` and `LISTS`, by customer id."""
    cursor = await connection.execute(
        f"""
        SELECT customer_id, phone_number, {_COLUMNS} FROM notification_preferences
        WHERE user_id = %b AND customer_id = ANY(%b) ORDER BY customer_id {"FOR UPDATE" if lock else ""}
        """,  # noqa: S608
        (user_id, list(customer_ids)),
        binary=True,
    )
    return {row[0]: row[1:] for row in await cursor.fetchall()}


async def find_addresses(
    connection: Connection, user_id: str, channel: str, customer_ids: Sequence[str]
) -> dict[str, dict[str, str | None]]:
    """All addresses of some customers on a channel, with the type of the device."""
    reach = REACHES[channel]
    cursor = await connection.execute(
        f"""
        SELECT c.customer_id, {reach.address}, {reach.device_type} FROM customers c {reach.devices}
        WHERE c.user_id = %b AND c.customer_id = ANY(%b) AND {reach.address} IS NOT NULL
        """,  # noqa: S608
        (user_id, list(customer_ids)),
    )
    found: dict[str, dict[str, str | None]] = defaultdict(dict)
    for customer_id, address, device_type in await cursor.fetchall():
        found[customer_id][address] = device_type
    return found


async def find_consents(
    connection: Connection, user_id: str, channel: str, addresses: Sequence[str]
) -> dict[str, list[Consent]]:
    """The restricted consents of everybody who has one of the addresses; an opt-out by address counts as one."""
    cursor = await connection.execute(
        f"""
        SELECT u.address, s.* FROM unnest(%(addresses)b::text[]) AS u (address)
        CROSS JOIN LATERAL (SELECT {", ".join(f"o.{name}" for name in (*FLAGS, *LISTS))} {REACHES[channel].sharers}) s
        """,  # noqa: S608
        {"user_id": user_id, "addresses": list(addresses)},
        binary=True,
    )
    found: dict[str, list[Consent]] = defaultdict(list)
    for address, *choices in await cursor.fetchall():
        found[address].append(consent_on(channel, choices))
    for address, scopes in (await find_suppressed(connection, user_id, channel, addresses)).items():
        found[address].extend(_suppressed_consent(scope) for scope in scopes)
    return found


def _suppressed_consent(*scopes: str) -> Consent:
    return Consent().with_flags(dict.fromkeys(scopes, False))


async def find_consent_at(connection: Connection, user_id: str, channel: str, address: str) -> Consent:
    """What was said about an address itself, whoever has it; locks it against others who decide about it."""
    await connection.execute(
        "SELECT pg_advisory_xact_lock(hashtextextended(%b, 3))", (f"{user_id} {channel} {address}",)
    )
    suppressed = await find_suppressed(connection, user_id, channel, [address])
    return _suppressed_consent(*suppressed.get(address, ()))


async def find_suppressed(
    connection: Connection, user_id: str, channel: str, addresses: Sequence[str], reason: str = "opted_out"
) -> dict[str, set[str]]:
    """The scopes that are suppressed, by address."""
    cursor = await connection.execute(
        """
        SELECT address, scope FROM suppressions
        WHERE user_id = %b AND channel = %b AND address = ANY(%b) AND reason = %b
        """,
        (user_id, channel, list(addresses), reason),
    )
    found: dict[str, set[str]] = defaultdict(set)
    for address, scope in await cursor.fetchall():
        found[address].add(scope)
    return found


async def insert_suppressions(
    connection: Connection, user_id: str, channel: str, reason: str, rows: Sequence[tuple[str, str, datetime]]
) -> set[tuple[str, str]]:
    """Suppresses (address, scope, at); returns the pairs that were not suppressed before."""
    ordered = sorted(set(rows))
    cursor = await connection.execute(
        """
        INSERT INTO suppressions (user_id, channel, address, scope, reason, at)
        SELECT %b, %b, i.address, i.scope, %b, i.at
        FROM unnest(%b::text[], %b::text[], %b::timestamptz[]) AS i (address, scope, at)
        ON CONFLICT DO NOTHING RETURNING address, scope
        """,
        (user_id, channel, reason, [r[0] for r in ordered], [r[1] for r in ordered], [r[2] for r in ordered]),
    )
    return {(row[0], row[1]) for row in await cursor.fetchall()}


async def insert_dead(connection: Connection, user_id: str, channel: str, rows: Sequence[tuple[str, datetime]]) -> None:
    """Suppresses (address, dead since), but no device that has registered since then."""
    ordered = sorted(dict(rows).items())
    await connection.execute(
        """
        INSERT INTO suppressions (user_id, channel, address, scope, reason, at)
        SELECT %(user)b, %(channel)b, i.address, %(scope)b, 'dead', i.at
        FROM unnest(%(addresses)b::text[], %(times)b::timestamptz[]) AS i (address, at)
        WHERE NOT EXISTS (SELECT FROM devices d WHERE %(channel)b = %(push)b AND d.user_id = %(user)b
                            AND d.device_token = i.address AND d.last_seen_at > i.at)
        ON CONFLICT DO NOTHING
        """,
        {
            "user": user_id,
            "channel": channel,
            "push": PUSH.name,
            "scope": ALL,
            "addresses": [address for address, _ in ordered],
            "times": [at for _, at in ordered],
        },
    )


async def delete_dead(connection: Connection, user_id: str, devices: Sequence[tuple[str, datetime]]) -> None:
    """Takes back that tokens are dead which (token, seen at) were seen after the provider knew it."""
    if devices:
        await connection.execute(
            """
            DELETE FROM suppressions s USING unnest(%b::text[], %b::timestamptz[]) AS i (device_token, seen_at)
            WHERE s.user_id = %b AND s.channel = %b AND s.reason = 'dead' AND s.address = i.device_token
              AND i.seen_at > s.at
            """,
            ([token for token, _ in devices], [at for _, at in devices], user_id, PUSH.name),
        )


async def delete_suppressions(
    connection: Connection, user_id: str, channel: str, reason: str, pairs: Sequence[tuple[str, str]]
) -> set[tuple[str, str]]:
    """Lifts (address, scope); returns the pairs that were suppressed."""
    cursor = await connection.execute(
        """
        DELETE FROM suppressions s USING unnest(%b::text[], %b::text[]) AS i (address, scope)
        WHERE s.user_id = %b AND s.channel = %b AND s.reason = %b AND s.address = i.address AND s.scope = i.scope
        RETURNING s.address, s.scope
        """,
        ([pair[0] for pair in pairs], [pair[1] for pair in pairs], user_id, channel, reason),
    )
    return {(row[0], row[1]) for row in await cursor.fetchall()}


async def mark_opted_in(
    connection: Connection, user_id: str, channel: str, addresses: Sequence[str], opted_in: bool
) -> dict[str, list[str]]:
    """Sets the channel's flag of everybody who has one of the addresses; customer ids by address."""
    reach = REACHES[channel]
    cursor = await connection.execute(
        f"""
        WITH owners AS (
            {reach.owners}
        ), locked AS (
            SELECT p.customer_id FROM notification_preferences p
            WHERE p.user_id = %(user_id)b AND p.customer_id IN (SELECT customer_id FROM owners)
            ORDER BY p.customer_id FOR UPDATE
        ), changed AS (
            UPDATE notification_preferences p SET {reach.opted_in} = %(opted_in)b, updated_at = now()
            FROM locked l WHERE p.user_id = %(user_id)b AND p.customer_id = l.customer_id
                AND p.{reach.opted_in} <> %(opted_in)b
        )
        SELECT address, customer_id FROM owners ORDER BY customer_id
        """,  # noqa: S608
        {"user_id": user_id, "addresses": list(addresses), "opted_in": opted_in},
    )
    found: dict[str, list[str]] = defaultdict(list)
    for address, customer_id in await cursor.fetchall():
        found[address].append(customer_id)
    return found


async def mark_suppressed_as_opted_out(connection: Connection, user_id: str) -> None:
    """Keeps a stale export from undoing what people asked for: opt-outs by address win over the incoming batch."""
    flags = {(name, ALL): reach.opted_in for name, reach in REACHES.items()}
    for name in REACHES:
        flags[name, MARKETING] = "marketing_opted_in"
        flags[name, TRANSACTIONAL] = "transactional_opted_in"
    for channel, reach in REACHES.items():
        sets = ", ".join(
            f"{column} = p.{column} AND NOT '{scope}' = ANY(b.scopes)"
            for (name, scope), column in flags.items()
            if name == channel
        )
        if not await _has_opt_outs(connection, user_id, channel):
            continue
        # Lookups per incoming row, and the rows found by ctid: whatever the statistics say of other tenants, the
        # planner cannot begin with all preferences of this one.
        await connection.execute(
            f"""
            WITH found AS MATERIALIZED (
                SELECT held.ctid AS at, held.scopes FROM incoming i CROSS JOIN LATERAL (
                    SELECT p.ctid, (
                        SELECT array_agg(s.scope) FROM customers c {reach.devices}
                        JOIN suppressions s ON s.user_id = c.user_id AND s.channel = %b AND s.address = {reach.address}
                            AND s.reason = 'opted_out'
                        WHERE c.user_id = p.user_id AND c.customer_id = p.customer_id) AS scopes
                    FROM notification_preferences p
                    WHERE p.user_id = %b AND p.customer_id = i.customer_id LIMIT 1 FOR UPDATE OF p) held
                WHERE held.scopes IS NOT NULL
            )
            UPDATE notification_preferences p SET {sets} FROM found b WHERE p.ctid = b.at
            """,  # noqa: S608
            (channel, user_id),
            prepare=False,
        )


async def _has_opt_outs(connection: Connection, user_id: str, channel: str) -> bool:
    cursor = await connection.execute(
        "SELECT EXISTS (SELECT FROM suppressions WHERE user_id = %b AND channel = %b AND reason = 'opted_out')",
        (user_id, channel),
    )
    row = await cursor.fetchone()
    return row is not None and bool(row[0])


async def find_topics(connection: Connection, user_id: str, rows_max: int) -> list[str]:
    """The categories of the tenant's campaigns."""
    cursor = await connection.execute(
        "SELECT DISTINCT category FROM expansions WHERE user_id = %b ORDER BY category LIMIT %b",
        (user_id, rows_max),
        binary=True,
    )
    return [row[0] for row in await cursor.fetchall()]


async def upsert_choices(connection: Connection, user_id: str, customer_id: str, changes: Mapping[str, Any]) -> None:
    """Writes the columns that are given; makes the preferences when the customer has none."""
    await connection.execute(
        """
        INSERT INTO notification_preferences (user_id, customer_id, phone_number, device_token)
        SELECT %b, %b, (SELECT phone_number FROM customers WHERE user_id = %b AND customer_id = %b), NULL
        ON CONFLICT DO NOTHING
        """,
        (user_id, customer_id, user_id, customer_id),
    )
    if changes:
        sets = ", ".join(f"{PREFERENCES.c[name].name} = %({name})b" for name in changes)
        await connection.execute(
            f"""
            UPDATE notification_preferences SET {sets}, updated_at = now()
            WHERE user_id = %(user_id)b AND customer_id = %(customer_id)b
            """,  # noqa: S608
            {**changes, "user_id": user_id, "customer_id": customer_id},
        )


async def insert_consent_log(
    connection: Connection, user_id: str, channel: str, source: str, changes: Sequence[OptOutChange]
) -> None:
    """Keeps the record of consent."""
    await connection.execute(
        """
        INSERT INTO consent_log (user_id, channel, customer_id, address, scope, opted_out, source, at)
        SELECT %b, %b, i.customer_id, i.address, i.scope, i.opted_out, %b, i.at
        FROM unnest(%b::text[], %b::text[], %b::text[], %b::boolean[], %b::timestamptz[])
             AS i (customer_id, address, scope, opted_out, at)
        """,
        (
            user_id,
            channel,
            source,
            [change.customer_id for change in changes],
            [change.address for change in changes],
            [change.scope for change in changes],
            [change.opted_out for change in changes],
            [change.at for change in changes],
        ),
    )


async def find_owners(connection: Connection, user_id: str, addresses: Mapping[str, str]) -> list[str]:
    """Ids of customers who have all of the addresses (by channel)."""
    found: set[str] | None = None
    for channel, address in addresses.items():
        cursor = await connection.execute(
            f"SELECT customer_id FROM ({REACHES[channel].owners}) owners",  # noqa: S608
            {"user_id": user_id, "addresses": [address]},
        )
        owners = {row[0] for row in await cursor.fetchall()}
        found = owners if found is None else found & owners
    return sorted(found or ())


async def find_customer_of(connection: AsyncConnection, user_id: str, preferences_id: UUID) -> str | None:
    """Whose the preferences with this id are; reads all of the tenant's."""
    own = PREFERENCES.c.user_id == user_id
    found: str | None = await connection.scalar(
        select(PREFERENCES.c.customer_id).where(own, PREFERENCES.c.id == preferences_id)
    )
    return found


async def find_preferences(
    connection: AsyncConnection, user_id: str, customer_ids: Sequence[str] | None, after: str, rows_max: int
) -> Sequence[Row[Any]]:
    """Preferences by customer id, of some customers or of all."""
    statement = select(PREFERENCES).where(PREFERENCES.c.user_id == user_id, PREFERENCES.c.customer_id > after)
    if customer_ids is not None:
        statement = statement.where(PREFERENCES.c.customer_id.in_(customer_ids))
    return (await connection.execute(statement.order_by(PREFERENCES.c.customer_id).limit(rows_max))).all()
