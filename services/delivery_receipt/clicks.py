"""Links that count who follows them: where they lead, and which visits are no person's."""

from __future__ import annotations

import re
from collections.abc import Iterable

from contracts.links import TRACKED_PATH
from services.delivery_receipt.store.links import find_destination
from shared.database import Database

LINK_PREFIXES = (TRACKED_PATH, f"/api/notification{TRACKED_PATH}")
KNOWN_MAX = 10_000
"""Destinations that are remembered; a link never changes its own."""

_PREVIEWS = frozenset({b"purpose", b"sec-purpose", b"x-purpose", b"x-moz"})
_ROBOTS = re.compile(
    rb"(?<!cu)bot\b|crawl|spider|preview|prefetch|facebookexternalhit|whatsapp|scanner|safelinks|proofpoint|mimecast|urldefense",
    re.IGNORECASE,
)


class TrackedLinks:
    """Destinations by the number of the link."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._known: dict[int, str] = {}

    async def find(self, number: int) -> str | None:
        """Where the link leads; None for one that we have not heard of."""
        if number not in self._known:
            async with self._database.pool.connection() as connection:
                destination = await find_destination(connection, number)
            if destination is None:
                return None
            if len(self._known) >= KNOWN_MAX:
                self._known.clear()
            self._known[number] = destination
        return self._known[number]


def code_of(path: str) -> str | None:
    """The code in the path of a counted link; None for any other path."""
    for prefix in LINK_PREFIXES:
        if path.startswith(prefix):
            return path[len(prefix) :]
    return None


def is_robot(method: str, headers: Iterable[tuple[bytes, bytes]]) -> bool:
    """Whether the visitor says that no person has followed the link: a look ahead, a preview or a scanner."""
    return method == "HEAD" or any(
        name in _PREVIEWS or (name == b"user-agent" and _ROBOTS.search(value) is not None) for name, value in headers
    )
