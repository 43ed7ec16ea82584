"""What lists have in common: how they are asked for, and how they go on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from services.campaign.store.lists import Order, Place
from shared.http import Problem, keyset_cursor, read_keyset

LIMIT_MAX = 1_000
SEARCH_MAX = 200


def read_sort(orders: Mapping[str, Order], sort: str, cursor: str | None) -> Place:
    """The sort of a query such as `-createdAt`, with a minus for the greatest first; a 422 problem for others."""
    name = sort.removeprefix("-")
    order = orders.get(name)
    if order is None:
        message = f"must be one of {', '.join(orders)}, with a minus in front for the greatest first"
        raise Problem(422, "Invalid input", errors=[{"field": "sort", "message": message}])
    after = None if cursor is None else read_keyset(cursor, order.read, UUID)
    return Place(order, name != sort, after)


def next_cursor(rows: Sequence[Mapping[Any, Any]], limit: int) -> str | None:
    """The cursor of the next page, where one row more than the limit was found."""
    if len(rows) <= limit:
        return None
    last = rows[limit - 1]
    key = last["sort_key"]
    return keyset_cursor(key.isoformat() if hasattr(key, "isoformat") else str(key), str(last["id"]))
