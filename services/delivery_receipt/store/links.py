"""Links whose clicks are counted."""

from __future__ import annotations

from collections.abc import Sequence

from contracts.events import TrackedLink
from shared.database import Connection


async def insert_links(connection: Connection, links: Sequence[tuple[str, TrackedLink]]) -> None:
    """Keeps where links (with their tenant) lead; one that is known stays as it is."""
    await connection.execute(
        """
        INSERT INTO tracked_links (number, user_id, destination)
        SELECT * FROM unnest(%b::bigint[], %b::text[], %b::text[]) ON CONFLICT DO NOTHING
        """,
        (
            [link.number for _, link in links],
            [user_id for user_id, _ in links],
            [link.destination for _, link in links],
        ),
    )


async def find_destination(connection: Connection, number: int) -> str | None:
    """Where the link leads."""
    cursor = await connection.execute("SELECT destination FROM tracked_links WHERE number = %b", (number,), binary=True)
    row = await cursor.fetchone()
    return None if row is None else row[0]
