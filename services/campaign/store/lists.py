"""Lists of a tenant's templates and campaigns: filtered, sorted, and continued by the keys of the last row."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, RowMapping, Table, func, literal_column, select, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection

from services.campaign.tables import CAMPAIGNS, TEMPLATES

UNSCHEDULED = "timestamptz '9999-12-31 00:00:00+00'"
"""Where campaigns without a time stand; the index has the same words."""


@dataclass(frozen=True, slots=True)
class Order:
    """What a list can be sorted by; an index of the tenant's rows begins with it. `read` takes it from a cursor."""

    key: ColumnElement[Any]
    read: Callable[[str], Any]


def _by_id(table: Table) -> Order:
    return Order(table.c.id, UUID)


def _by_name(column: ColumnElement[str]) -> Order:
    return Order(func.lower(column), str)


TEMPLATE_ORDERS: Mapping[str, Mapping[str, Order]] = {
    name: {"createdAt": _by_id(table), "templateName": _by_name(table.c.template_name)}
    for name, table in TEMPLATES.items()
}
CAMPAIGN_ORDERS: Mapping[str, Mapping[str, Order]] = {
    name: {
        "createdAt": _by_id(table),
        "campaignName": _by_name(table.c.campaign_name),
        "scheduledSendTime": Order(
            func.coalesce(table.c.scheduled_send_time, literal_column(UNSCHEDULED)), datetime.fromisoformat
        ),
    }
    for name, table in CAMPAIGNS.items()
}
"""Ids rise with the time at which they were made."""


@dataclass(frozen=True, slots=True)
class Place:
    """How a list is sorted, and the sort key and id of the row behind which it goes on."""

    order: Order
    is_descending: bool
    after: Sequence[Any] | None


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which of the tenant's rows. `search` is a part of the name, in whatever case."""

    search: str | None = None
    statuses: Sequence[str] = ()
    created_from: datetime | None = None
    created_to: datetime | None = None
    scheduled_from: datetime | None = None
    scheduled_to: datetime | None = None


async def find_listed(
    connection: AsyncConnection,
    table: Table,
    user_id: str,
    wanted: Wanted,
    place: Place,
    rows_max: int,
) -> list[RowMapping]:
    """The tenant's rows that are wanted, from the place on, each with its `sort_key`."""
    key = place.order.key
    query = select(*table.c, key.label("sort_key")).where(table.c.user_id == user_id, *_conditions(table, wanted))
    if place.after is not None:
        here, there = tuple_(key, table.c.id), tuple_(*place.after)
        query = query.where(here < there if place.is_descending else here > there)
    keys = [one.desc() if place.is_descending else one.asc() for one in (key, table.c.id)]
    return list((await connection.execute(query.order_by(*keys).limit(rows_max))).mappings())


def _conditions(table: Table, wanted: Wanted) -> list[ColumnElement[bool]]:
    name = table.c["campaign_name" if "campaign_name" in table.c else "template_name"]
    found: list[ColumnElement[bool]] = []
    if wanted.search:
        found.append(name.icontains(wanted.search, autoescape=True))
    if wanted.statuses:
        found.append(table.c.status.in_(wanted.statuses))
    for column, earliest, latest in (
        ("created_at", wanted.created_from, wanted.created_to),
        ("scheduled_send_time", wanted.scheduled_from, wanted.scheduled_to),
    ):
        if earliest is not None:
            found.append(table.c[column] >= earliest)
        if latest is not None:
            found.append(table.c[column] < latest)
    return found
