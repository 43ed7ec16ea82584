"""One page of the people of a campaign, judged: what a forecast counts and an expansion makes lots of.

A walk goes first through the added recipients, then through the customers that the filter finds, in order of a cursor.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeVar
from uuid import UUID

import msgspec

from contracts.events import Content
from services.audience.domain.consent import flag_of, stop_scopes
from services.audience.store.filters import Condition
from services.audience.tables import REACHES, Reach
from shared.database import Connection

ADDITIONS = "additions"
CUSTOMERS = "customers"
FINISHED = "finished"
MISSING_VARIABLE = "missing_variable"
NEXT_PHASE = {ADDITIONS: CUSTOMERS, CUSTOMERS: FINISHED}


@dataclass(slots=True)
class Walk:
    """Whom to look for, how far it is, what it has counted. Addresses are claimed once for each `claims_id`."""

    claims_id: UUID
    campaign_id: UUID
    user_id: str
    channel: str
    category: str
    content: Content
    audience_filter: dict[str, Any] | None
    phase: str
    cursor: str
    audience: int
    recipients: int
    excluded: dict[str, int]


WALK_COLUMNS = (
    "campaign_id, user_id, channel, category, content, audience_filter, phase, cursor, audience, recipients, excluded"
)

AnyWalk = TypeVar("AnyWalk", bound=Walk)


def read_walk(kind: type[AnyWalk], row: Sequence[Any]) -> AnyWalk:
    """The walk in a row that begins with the claims' id and `WALK_COLUMNS`."""
    walk = kind(*row)
    walk.content = msgspec.convert(walk.content, Content)
    return walk


@dataclass(frozen=True, slots=True)
class Unit:
    """One address that a page looked at, or somebody without one. `claimed` means that it was not seen before."""

    reason: str | None
    claimed: bool
    cursor: str
    customer_id: str | None
    address: str | None
    name: str | None
    device_type: str | None
    values: tuple[str | None, ...]


async def claim_page(
    connection: Connection,
    walk: Walk,
    condition: Condition | None,
    variables: Sequence[str],
    required: frozenset[str],
    rows_max: int,
) -> list[Unit]:
    """The next people in order of the cursor, judged; the addresses that may be used are marked as taken.

    Each unit has the first reason that applies: no_phone or no_device, opted_out, suppressed, missing_variable.
    What has no reason and is not claimed has been seen before in this walk.
    """
    # Scalar subqueries with a limit stay index probes. As EXISTS the planner hashes the whole table for every page.
    reach = REACHES[walk.channel]
    parameters: dict[str, Any] = {
        "user_id": walk.user_id,
        "campaign_id": walk.campaign_id,
        "claims_id": walk.claims_id,
        "channel": walk.channel,
        "category": walk.category,
        "scopes": stop_scopes(walk.category),
        "cursor": walk.cursor,
        "rows_max": rows_max,
        **(condition.parameters if condition else {}),
        **{f"v{number}": _attribute_name(name) for number, name in enumerate(variables)},
    }
    values = [_value(walk.phase, number, name) for number, name in enumerate(variables)]
    named = "".join(f", {sql} AS value{number}" for number, sql in enumerate(values))
    missing = " OR ".join(f"u.value{number} IS NULL" for number, name in enumerate(variables) if name in required)
    source = _added(reach) if walk.phase == ADDITIONS else _stored(reach, condition)
    cursor = await connection.execute(
        f"""
        WITH units AS MATERIALIZED (
            {source.replace("/*values*/", named)}
        ), judged AS MATERIALIZED (
            SELECT u.*, CASE
                WHEN u.address IS NULL THEN '{reach.missing}'
                WHEN (SELECT true {reach.sharers} AND NOT {_allowed(reach, walk.category)} LIMIT 1)
                    THEN 'opted_out'
                WHEN (SELECT true {_SUPPRESSED} AND s.reason = 'opted_out' AND s.scope = ANY(%(scopes)b) LIMIT 1)
                    THEN 'opted_out'
                WHEN (SELECT true {_SUPPRESSED} AND s.reason = 'dead' LIMIT 1) THEN 'suppressed'
                WHEN {missing or "false"} THEN '{MISSING_VARIABLE}'
            END AS reason, md5(u.address)::uuid AS digest
            FROM units u
        ), claimed AS (
            INSERT INTO expansion_addresses (campaign_id, digest)
            SELECT DISTINCT %(claims_id)b::uuid, digest FROM judged WHERE reason IS NULL
            ON CONFLICT DO NOTHING RETURNING digest
        )
        SELECT j.reason, c.digest IS NOT NULL, j.position, j.customer_id, j.address, j.name, j.device_type
               {"".join(f", j.value{number}" for number in range(len(values)))}
        FROM judged j LEFT JOIN claimed c ON c.digest = j.digest AND j.reason IS NULL ORDER BY j.position
        """,  # noqa: S608
        parameters,
        prepare=False,
        binary=True,
    )
    return [Unit(row[0], row[1], row[2], row[3], row[4], row[5], row[6], row[7:]) for row in await cursor.fetchall()]


def _stored(reach: Reach, condition: Condition | None) -> str:
    return f"""
        SELECT c.customer_id AS position, c.customer_id, {reach.address} AS address, {_FULL_NAME} AS name,
               {reach.device_type} AS device_type /*values*/
        FROM (
            SELECT * FROM customers c WHERE c.user_id = %(user_id)b AND c.customer_id > %(cursor)b
                AND {condition.sql if condition else "false"}
            ORDER BY c.customer_id LIMIT %(rows_max)b
        ) c {reach.devices}
    """  # noqa: S608


def _added(reach: Reach) -> str:
    return f"""
        SELECT a.digest::text COLLATE "C" AS position, a.customer_id, coalesce(a.address, {reach.address}) AS address,
               coalesce(a.recipient_name, {_FULL_NAME}) AS name,
               coalesce(a.device_type, {reach.device_type}) AS device_type /*values*/
        FROM (
            SELECT * FROM additions a WHERE a.campaign_id = %(campaign_id)b AND a.user_id = %(user_id)b
                AND a.channel = %(channel)b AND (%(cursor)b = '' OR a.digest > nullif(%(cursor)b, '')::uuid)
            ORDER BY a.digest LIMIT %(rows_max)b
        ) a
        LEFT JOIN customers c ON c.user_id = a.user_id AND c.customer_id = a.customer_id {reach.devices}
    """  # noqa: S608


_SUPPRESSED = "FROM suppressions s WHERE s.user_id = %(user_id)b AND s.channel = %(channel)b AND s.address = u.address"


def _allowed(reach: Reach, category: str) -> str:
    return (
        f"(o.{reach.opted_in} AND o.{flag_of(category)}"
        f" AND (o.{reach.categories} IS NULL OR %(category)b = ANY(o.{reach.categories})))"
    )


_FULL_NAME = "nullif(concat_ws(' ', c.first_name, c.last_name), '')"
_VALUES = {
    "firstName": "c.first_name",
    "lastName": "c.last_name",
    "fullName": _FULL_NAME,
    "customerId": "c.customer_id",
    "email": "c.email",
    "country": "c.country",
    "locale": "c.locale",
}


def _attribute_name(variable: str) -> str:
    return variable.removeprefix("attributes.")


def _value(phase: str, number: int, variable: str) -> str:
    """The SQL of a variable's value; NULL where there is none. What was added with a recipient comes first."""
    stored = _VALUES.get(variable, f"c.attributes ->> %(v{number})b")
    if phase == CUSTOMERS:
        return f"nullif({stored}, '')"
    given = f"a.personalization_data ->> %(v{number})b"
    if variable.startswith("attributes."):
        given = f"a.personalization_data ->> ('attributes.' || %(v{number})b), {given}"
    named = ", a.recipient_name" if variable == "fullName" else ""
    return f"coalesce({given}{named}, nullif({stored}, ''))"
