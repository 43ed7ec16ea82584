"""Customers as a file: the query that a snapshot is asked."""

from __future__ import annotations

from typing import Any

from services.audience.store.preferences import FIELDS
from shared.database import Connection
from shared.exports import Query

ATTRIBUTES_EXPORTED_MAX = 500
"""Columns that a file of customers can have for attributes."""


async def customers_query(connection: Connection, user_id: str, is_flat: bool) -> Query | None:
    """All of a tenant's customers by id, with the names that an import reads; None where there are too many columns.

    A flat file has a column per attribute, and the device that was seen last.
    """
    parameters: dict[str, Any] = {"user_id": user_id}
    columns = {name: f"c.{column}" for name, column in _EXPORTED.items()}
    columns |= {name: f"p.{column}" for name, column in FIELDS.items()}
    if is_flat:
        columns = {
            name: f"array_to_string({sql}, ';')" if "ategories" in name else sql for name, sql in columns.items()
        }
        names = await _attribute_names(connection, user_id)
        if len(names) > ATTRIBUTES_EXPORTED_MAX:
            return None
        parameters |= {f"a{number}": name for number, name in enumerate(names)}
        columns |= {f"attributes.{name}": f"c.attributes ->> %(a{number})b" for number, name in enumerate(names)}
        columns |= {"deviceToken": "d.device_token", "deviceType": "d.device_type"}
        columns["installationId"] = "d.installation_id"
        devices = f"SELECT * {_OWN_DEVICES} ORDER BY d.last_seen_at DESC, d.device_token LIMIT 1"
    else:
        columns |= {"attributes": "c.attributes", "devices": "coalesce(d.devices, '[]')"}
        fields = "'deviceToken', d.device_token, 'deviceType', d.device_type, 'lastSeenAt', d.last_seen_at"
        devices = (
            f"SELECT jsonb_agg(jsonb_build_object({fields}, 'installationId', d.installation_id)"
            f" ORDER BY d.last_seen_at, d.device_token) AS devices {_OWN_DEVICES}"
        )
    return Query(
        f"""
        SELECT {", ".join(columns.values())} FROM customers c
        LEFT JOIN notification_preferences p ON p.user_id = c.user_id AND p.customer_id = c.customer_id
        LEFT JOIN LATERAL ({devices}) d ON true
        WHERE c.user_id = %(user_id)b ORDER BY c.customer_id
        """,  # noqa: S608
        parameters,
        tuple(columns),
    )


_OWN_DEVICES = "FROM devices d WHERE d.user_id = c.user_id AND d.customer_id = c.customer_id"
_EXPORTED = {
    "customerId": "customer_id",
    "phoneNumber": "phone_number",
    "email": "email",
    "firstName": "first_name",
    "lastName": "last_name",
    "country": "country",
    "locale": "locale",
    "timeZone": "time_zone",
    "lastSeenAt": "last_seen_at",
}


async def _attribute_names(connection: Connection, user_id: str) -> list[str]:
    cursor = await connection.execute(
        """
        SELECT DISTINCT name FROM customers c, jsonb_object_keys(c.attributes) AS name
        WHERE c.user_id = %b ORDER BY name LIMIT %b
        """,
        (user_id, ATTRIBUTES_EXPORTED_MAX + 1),
    )
    return [row[0] for row in await cursor.fetchall()]
