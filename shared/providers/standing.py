"""For vendors whose credentials go with every request; their modules take this function over."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from shared.providers.provider import Deferred, HttpRequest, Refused
from shared.providers.vendor import Exchange


def authorize(_account: Any, _refused: HttpRequest | None) -> Callable[[Exchange], Refused | Deferred | None] | None:
    """There is nothing to fetch."""
    return None
