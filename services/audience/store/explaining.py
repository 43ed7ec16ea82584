"""What is known of one person in one campaign: the facts by which an expansion decides."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from contracts.events import Content
from services.audience.store.filters import Condition, Leaf
from shared.database import Connection


@dataclass(frozen=True, slots=True)
class Launch:
    """What a campaign was launched with."""

    category: str
    content: Content
    audience_filter: dict[str, Any] | None
    launched_at: datetime


async def find_launch(connection: Connection, user_id: str, campaign_id: UUID) -> Launch | None:
    """The launch of a tenant's campaign, None before it."""
    cursor = await connection.execute(
        """
        SELECT category, content, audience_filter, launched_at FROM expansions WHERE campaign_id = %b AND user_id = %b
        """,
        (campaign_id, user_id),
    )
    row = await cursor.fetchone()
    return None if row is None else Launch(row[0], msgspec.convert(row[1], Content), row[2], row[3])


async def find_changed_at(connection: Connection, user_id: str, customer_id: str) -> datetime | None:
    """When the customer was changed last, None where there is no such customer."""
    cursor = await connection.execute(
        "SELECT updated_at FROM customers WHERE user_id = %b AND customer_id = %b", (user_id, customer_id)
    )
    row = await cursor.fetchone()
    return None if row is None else row[0]


async def find_addition(
    connection: Connection, user_id: str, campaign_id: UUID, channel: str, digest: UUID
) -> dict[str, str] | None:
    """The personalization of somebody who was added to the campaign, None for others."""
    cursor = await connection.execute(
        """
        SELECT personalization_data FROM additions
        WHERE campaign_id = %b AND user_id = %b AND channel = %b AND digest = %b
        """,
        (campaign_id, user_id, channel, digest),
    )
    row = await cursor.fetchone()
    return None if row is None else row[0]


async def find_met(
    connection: Connection, user_id: str, customer_id: str, condition: Condition, leaves: Sequence[Leaf]
) -> tuple[bool, list[bool]]:
    """Whether a customer meets a filter, and each of its comparisons."""
    columns = ", ".join((condition.sql, *(leaf.sql for leaf in leaves)))
    cursor = await connection.execute(
        f"SELECT {columns} FROM customers c WHERE c.user_id = %(user_id)b AND c.customer_id = %(customer_id)b",  # noqa: S608
        {**condition.parameters, "user_id": user_id, "customer_id": customer_id},
        prepare=False,
    )
    row = await cursor.fetchone()
    return (False, [False] * len(leaves)) if row is None else (bool(row[0]), [bool(met) for met in row[1:]])


async def find_suppressions(
    connection: Connection, user_id: str, channel: str, addresses: Sequence[str]
) -> list[tuple[str, str, str, datetime]]:
    """(address, reason, scope, since) of the addresses that must not be used."""
    cursor = await connection.execute(
        """
        SELECT address, reason, scope, at FROM suppressions
        WHERE user_id = %b AND channel = %b AND address = ANY(%b) ORDER BY at
        """,
        (user_id, channel, list(addresses)),
    )
    return await cursor.fetchall()


async def find_consent_log(
    connection: Connection, user_id: str, channel: str, customer_id: str, rows_max: int
) -> list[tuple[str, bool, str, datetime]]:
    """(scope, opted out, source, at) of a customer's changes of mind, the newest first."""
    cursor = await connection.execute(
        """
        SELECT scope, opted_out, source, at FROM consent_log
        WHERE user_id = %b AND customer_id = %b AND channel = %b ORDER BY id DESC LIMIT %b
        """,
        (user_id, customer_id, channel, rows_max),
    )
    return await cursor.fetchall()
