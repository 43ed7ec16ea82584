"""The links whose clicks are counted, and whom a message was for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from uuid import UUID

from contracts.channels import Channel
from shared.database import Connection


async def find_links(connection: Connection, user_id: str, digests: Sequence[bytes]) -> dict[bytes, int]:
    """The numbers of a tenant's links by digest of their destination."""
    cursor = await connection.execute(
        "SELECT digest, number FROM tracked_links WHERE user_id = %b AND digest = ANY (%b)",
        (user_id, list(digests)),
        binary=True,
    )
    return {row[0]: row[1] for row in await cursor.fetchall()}


async def insert_links(connection: Connection, user_id: str, destinations: Mapping[bytes, str]) -> set[bytes]:
    """Numbers destinations by digest; returns those that had no number. Waits for others who do the same."""
    digests = sorted(destinations)
    cursor = await connection.execute(
        """
        INSERT INTO tracked_links (user_id, digest, destination)
        SELECT %b, * FROM unnest(%b::bytea[], %b::text[]) ON CONFLICT (user_id, digest) DO NOTHING RETURNING digest
        """,
        (user_id, digests, [destinations[digest] for digest in digests]),
        binary=True,
    )
    return {row[0] for row in await cursor.fetchall()}


@dataclass(frozen=True, slots=True)
class Addressee:
    """Whom a message was for, and the category that it belonged to."""

    user_id: str
    customer_id: str | None
    address: str = field(repr=False)
    category: str


async def find_addressee(connection: Connection, channel: Channel, recipient_id: UUID) -> Addressee | None:
    """Whoever the recipient is, of whatever tenant: for links that the fleet has signed itself."""
    cursor = await connection.execute(
        f"""
        SELECT r.user_id, r.customer_id, r.{channel.address_column}, l.category
        FROM {channel.name}_campaign_recipients r JOIN lots l ON l.id = r.lot_id WHERE r.id = %b
        """,  # noqa: S608
        (recipient_id,),
        binary=True,
    )
    row = await cursor.fetchone()
    return None if row is None else Addressee(*row)
