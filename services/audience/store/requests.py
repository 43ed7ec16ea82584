"""Send requests: each once, and what is known about the customers that they name."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from shared.database import Connection


async def insert_requests(connection: Connection, requests: Sequence[tuple[str, str, UUID, UUID | None]]) -> set[UUID]:
    """Remembers (user id, request id, id for the ledger, campaign it tests); returns the ledger ids of new ones."""
    ordered = sorted(requests, key=lambda request: request[:3])
    cursor = await connection.execute(
        """
        INSERT INTO send_requests (user_id, request_id, campaign_id, test_of)
        SELECT * FROM unnest(%b::text[], %b::text[], %b::uuid[], %b::uuid[])
        ON CONFLICT DO NOTHING RETURNING campaign_id
        """,
        ([r[0] for r in ordered], [r[1] for r in ordered], [r[2] for r in ordered], [r[3] for r in ordered]),
    )
    return {row[0] for row in await cursor.fetchall()}


async def mark_excluded(connection: Connection, excluded: dict[UUID, str]) -> None:
    """Keeps why nothing is sent."""
    await connection.execute(
        """
        UPDATE send_requests r SET excluded = i.reason FROM unnest(%b::uuid[], %b::text[]) AS i (campaign_id, reason)
        WHERE r.campaign_id = i.campaign_id
        """,
        (list(excluded), list(excluded.values())),
    )


async def find_people(
    connection: Connection, pairs: Sequence[tuple[str, str]]
) -> dict[tuple[str, str], dict[str, Any]]:
    """The variables of customers by (user id, customer id), attributes as `attributes.<name>`."""
    cursor = await connection.execute(
        """
        SELECT c.user_id, c.customer_id, c.first_name, c.last_name, c.email, c.country, c.locale, c.attributes
        FROM customers c JOIN unnest(%b::text[], %b::text[]) AS i (user_id, customer_id)
            ON c.user_id = i.user_id AND c.customer_id = i.customer_id
        """,
        ([pair[0] for pair in pairs], [pair[1] for pair in pairs]),
        binary=True,
    )
    found: dict[tuple[str, str], dict[str, Any]] = {}
    for user_id, customer_id, first_name, last_name, email, country, locale, attributes in await cursor.fetchall():
        found[user_id, customer_id] = {
            "firstName": first_name,
            "lastName": last_name,
            "fullName": " ".join(part for part in (first_name, last_name) if part),
            "customerId": customer_id,
            "email": email,
            "country": country,
            "locale": locale,
            **{f"attributes.{name}": value for name, value in attributes.items()},
        }
    return found
