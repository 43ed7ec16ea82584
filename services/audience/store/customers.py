"""Customers and their devices: set-based upserts, erasing, and queries."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, Row, Select, and_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from services.audience.domain.customers import DEVICES_MAX, Customer, Device
from services.audience.store.filters import Condition
from services.audience.tables import CUSTOMERS, DEVICES, PREFERENCES
from shared.database import Connection

_DETAILS = ("email", "first_name", "last_name", "country", "locale", "time_zone", "last_seen_at")
_FLAGS = ("sms_opted_in", "push_opted_in", "marketing_opted_in", "transactional_opted_in")
_LISTS = ("sms_categories", "push_categories")
_INCOMING = ("phone_number", *_DETAILS, *_FLAGS, *_LISTS)


async def copy_incoming(connection: Connection, customers: Sequence[Customer]) -> None:
    """Puts a batch into a table of this connection that is empty again after the transaction. Ids must be unique."""
    await connection.execute(
        """
        CREATE TEMPORARY TABLE IF NOT EXISTS incoming (
            customer_id text COLLATE "C" PRIMARY KEY, phone_number text, email text, first_name text, last_name text,
            country text, locale text, time_zone text, last_seen_at timestamptz, sms_opted_in boolean,
            push_opted_in boolean, marketing_opted_in boolean, transactional_opted_in boolean, sms_categories text[],
            push_categories text[], attributes jsonb NOT NULL, device_token text
        ) ON COMMIT DELETE ROWS
        """
    )
    columns = ", ".join(("customer_id", *_INCOMING, "attributes", "device_token"))
    async with (
        connection.cursor() as cursor,
        cursor.copy(f"COPY incoming ({columns}) FROM STDIN") as copy,
    ):
        for customer in customers:
            await copy.write_row(
                (
                    customer.customer_id,
                    *[getattr(customer, name) for name in _INCOMING],
                    msgspec.json.encode(customer.attributes).decode() if customer.attributes else "{}",
                    customer.devices[-1].device_token if customer.devices else None,
                )
            )


async def upsert_incoming(connection: Connection, user_id: str, rows: int) -> None:
    """Makes the incoming customers (so many) and their preferences, or takes over what the batch says about known ones.

    Rows are locked in order of id. What the batch leaves out stays as it is. Where all are new nothing is compared,
    which is a quarter of the work of a first import.
    """
    # Never prepared: a plan made while the tables were small would scan them whole when they have grown.
    details = ", ".join(("phone_number", *_DETAILS))
    made = await connection.execute(
        f"""
        INSERT INTO customers (user_id, customer_id, {details}, attributes)
        SELECT %b, customer_id, {details}, attributes FROM incoming ORDER BY customer_id
        ON CONFLICT DO NOTHING
        """,  # noqa: S608
        (user_id,),
        prepare=False,
    )
    if made.rowcount < rows:
        await connection.execute(
            f"""
            UPDATE customers c SET attributes = c.attributes || i.attributes, updated_at = now(),
                {_taken_over("c", ("phone_number", *_DETAILS))}
            FROM incoming i WHERE c.user_id = %b AND c.customer_id = i.customer_id AND (
                NOT c.attributes @> i.attributes OR {_differs("c", ("phone_number", *_DETAILS))})
            """,  # noqa: S608
            (user_id,),
            prepare=False,
        )
    made = await connection.execute(
        f"""
        INSERT INTO notification_preferences
            (user_id, customer_id, phone_number, device_token, {", ".join(_FLAGS)}, {", ".join(_LISTS)})
        SELECT %b, customer_id, phone_number, device_token,
               {", ".join(f"coalesce({name}, true)" for name in _FLAGS)}, {", ".join(_LISTS)}
        FROM incoming ORDER BY customer_id ON CONFLICT DO NOTHING
        """,  # noqa: S608
        (user_id,),
        prepare=False,
    )
    if made.rowcount < rows:
        columns = ("phone_number", "device_token", *_FLAGS, *_LISTS)
        await connection.execute(
            f"""
            UPDATE notification_preferences p SET updated_at = now(), {_taken_over("p", columns)}
            FROM incoming i WHERE p.user_id = %b AND p.customer_id = i.customer_id AND ({_differs("p", columns)})
            """,  # noqa: S608
            (user_id,),
            prepare=False,
        )


def _taken_over(table: str, columns: Sequence[str]) -> str:
    return ", ".join(f"{name} = coalesce(i.{name}, {table}.{name})" for name in columns)


def _differs(table: str, columns: Sequence[str]) -> str:
    return " OR ".join(f"i.{name} IS DISTINCT FROM {table}.{name} AND i.{name} IS NOT NULL" for name in columns)


async def find_consent_to_change(connection: Connection, user_id: str) -> dict[str, tuple[Any, ...]]:
    """Preferences, by customer id, of those whose consent or number the incoming batch may change; as before it.

    A customer who is new and restricts nothing is left out.
    """
    asked = ", ".join(f"coalesce(i.{name}, p.{name}, true)" for name in _FLAGS)
    stored = ", ".join(f"coalesce(p.{name}, true)" for name in _FLAGS)
    lists = " OR ".join(f"(i.{name} IS NOT NULL AND i.{name} IS DISTINCT FROM p.{name})" for name in _LISTS)
    cursor = await connection.execute(
        f"""
        SELECT i.customer_id, p.phone_number, {stored}, {", ".join(f"p.{name}" for name in _LISTS)}
        FROM incoming i LEFT JOIN notification_preferences p ON p.user_id = %b AND p.customer_id = i.customer_id
        WHERE ({asked}) IS DISTINCT FROM ({stored}) OR {lists}
            OR (p.restricted AND i.phone_number IS DISTINCT FROM p.phone_number AND i.phone_number IS NOT NULL)
        """,  # noqa: S608
        (user_id,),
        prepare=False,
        binary=True,
    )
    return {row[0]: row[1:] for row in await cursor.fetchall()}


async def upsert_devices(connection: Connection, user_id: str, devices: Sequence[tuple[str, Device]]) -> None:
    """Adds devices to customers that exist, newest last; a customer keeps the `DEVICES_MAX` seen last.

    Without a time a new device is seen now, and a known one no later than before.
    """
    chosen = {(customer_id, device.device_token): device for customer_id, device in devices}
    if not chosen:
        return
    await connection.execute(
        """
        INSERT INTO devices AS d (user_id, customer_id, device_token, device_type, installation_id, last_seen_at)
        SELECT %(user)b, i.customer_id, i.device_token, i.device_type, i.installation_id,
               coalesce(i.last_seen_at, k.last_seen_at, now())
        FROM unnest(%(customers)b::text[], %(tokens)b::text[], %(types)b::text[], %(installations)b::text[],
                    %(times)b::timestamptz[])
             AS i (customer_id, device_token, device_type, installation_id, last_seen_at)
        LEFT JOIN devices k ON k.user_id = %(user)b AND k.customer_id = i.customer_id
                           AND k.device_token = i.device_token
        ORDER BY i.customer_id, i.device_token
        ON CONFLICT (user_id, customer_id, device_token) DO UPDATE SET
            device_type = CASE excluded.device_type WHEN 'unknown' THEN d.device_type ELSE excluded.device_type END,
            installation_id = coalesce(excluded.installation_id, d.installation_id),
            last_seen_at = greatest(excluded.last_seen_at, d.last_seen_at)
        WHERE excluded.last_seen_at > d.last_seen_at OR excluded.device_type NOT IN (d.device_type, 'unknown')
           OR excluded.installation_id <> coalesce(d.installation_id, '')
        """,
        {
            "user": user_id,
            "customers": [customer_id for customer_id, _ in chosen],
            "tokens": [token for _, token in chosen],
            "types": [device.device_type for device in chosen.values()],
            "installations": [device.installation_id for device in chosen.values()],
            "times": [device.last_seen_at for device in chosen.values()],
        },
        prepare=False,
    )
    await connection.execute(
        """
        DELETE FROM devices WHERE ctid = ANY (ARRAY(
            SELECT old.ctid FROM unnest(%b::text[]) AS i (customer_id), LATERAL (
                SELECT d.ctid FROM devices d WHERE d.user_id = %b AND d.customer_id = i.customer_id
                ORDER BY d.last_seen_at DESC, d.device_token OFFSET %b) old
        ))
        """,
        (sorted({customer_id for customer_id, _ in chosen}), user_id, DEVICES_MAX),
        prepare=False,
    )


async def find_known_customers(connection: Connection, user_id: str, customer_ids: Sequence[str]) -> set[str]:
    """Which of the ids the tenant has."""
    cursor = await connection.execute(
        "SELECT customer_id FROM customers WHERE user_id = %b AND customer_id = ANY(%b)", (user_id, list(customer_ids))
    )
    return {row[0] for row in await cursor.fetchall()}


async def find_customers(connection: AsyncConnection, user_id: str, after: str, rows_max: int) -> Sequence[Row[Any]]:
    """Customers with their preferences, by id."""
    # Said of the preferences, too, which would else be walked through from the tenant's first to the place.
    statement = _with_preferences(PREFERENCES.c.customer_id > after)
    statement = statement.where(CUSTOMERS.c.user_id == user_id, CUSTOMERS.c.customer_id > after)
    return list(await connection.execute(statement.order_by(CUSTOMERS.c.customer_id).limit(rows_max)))


async def find_these(connection: AsyncConnection, user_id: str, customer_ids: Sequence[str]) -> Sequence[Row[Any]]:
    """Some customers with their preferences, by id."""
    statement = _with_preferences().where(CUSTOMERS.c.user_id == user_id, CUSTOMERS.c.customer_id.in_(customer_ids))
    return list(await connection.execute(statement.order_by(CUSTOMERS.c.customer_id)))


def _with_preferences(*conditions: ColumnElement[bool]) -> Select[tuple[Any, ...]]:
    return select(CUSTOMERS, *(PREFERENCES.c[name] for name in (*_FLAGS, *_LISTS))).join(
        PREFERENCES,
        and_(
            PREFERENCES.c.user_id == CUSTOMERS.c.user_id,
            PREFERENCES.c.customer_id == CUSTOMERS.c.customer_id,
            *conditions,
        ),
        isouter=True,
    )


async def find_customer(connection: AsyncConnection, user_id: str, customer_id: str) -> Row[Any] | None:
    """One customer with preferences, or None."""
    rows = await find_these(connection, user_id, [customer_id])
    return rows[0] if rows else None


async def find_devices(connection: AsyncConnection, user_id: str, customer_ids: Sequence[str]) -> Sequence[Row[Any]]:
    """The devices of some customers, the one seen last first."""
    statement = (
        select(DEVICES)
        .where(DEVICES.c.user_id == user_id, DEVICES.c.customer_id.in_(customer_ids))
        .order_by(DEVICES.c.customer_id, DEVICES.c.last_seen_at.desc())
    )
    return (await connection.execute(statement)).all()


async def delete_customer(connection: Connection, user_id: str, customer_id: str) -> bool:
    """Erases a customer; opt-outs by address stay, because they must be honoured for ever."""
    cursor = await connection.execute(
        "DELETE FROM customers WHERE user_id = %b AND customer_id = %b", (user_id, customer_id)
    )
    for table in ("notification_preferences", "additions", "consent_log"):
        await connection.execute(
            f"DELETE FROM {table} WHERE user_id = %b AND customer_id = %b",  # noqa: S608
            (user_id, customer_id),
        )
    # Samples of a forecast show texts; it can be made again.
    await connection.execute("DELETE FROM forecasts WHERE user_id = %b", (user_id,))
    return cursor.rowcount == 1


async def analyze(connection: Connection) -> None:
    """Lets the planner know what a large import has changed."""
    await connection.execute("ANALYZE customers, devices, notification_preferences")


async def count_matching(
    connection: Connection, user_id: str, condition: Condition, sample_max: int
) -> tuple[int, list[str]]:
    """How many customers match, and the first ids."""
    parameters = {**condition.parameters, "user_id": user_id, "sample_max": sample_max}
    matching = f"FROM customers c WHERE c.user_id = %(user_id)b AND {condition.sql}"
    cursor = await connection.execute(
        f"""
        SELECT (SELECT count(*) {matching}),
               ARRAY(SELECT c.customer_id {matching} ORDER BY c.customer_id LIMIT %(sample_max)b)
        """,
        parameters,
    )
    row = await cursor.fetchone()
    assert row is not None
    return row[0], row[1]
