"""The audience service's tables as queries see them, and where each channel finds its addresses and consent."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from sqlalchemy import ARRAY, BigInteger, Boolean, Column, DateTime, MetaData, String, Table, Uuid
from sqlalchemy.dialects.postgresql import JSONB

from contracts.channels import PUSH, SMS

metadata = MetaData()

CUSTOMERS = Table(
    "customers",
    metadata,
    Column("user_id", String, primary_key=True),
    Column("customer_id", String, primary_key=True),
    Column("phone_number", String),
    Column("email", String),
    Column("first_name", String),
    Column("last_name", String),
    Column("country", String),
    Column("locale", String),
    Column("time_zone", String),
    Column("attributes", JSONB),
    Column("last_seen_at", DateTime(timezone=True)),
    Column("created_at", DateTime(timezone=True)),
    Column("updated_at", DateTime(timezone=True)),
)
DEVICES = Table(
    "devices",
    metadata,
    Column("user_id", String, primary_key=True),
    Column("customer_id", String, primary_key=True),
    Column("device_token", String, primary_key=True),
    Column("device_type", String),
    Column("installation_id", String),
    Column("last_seen_at", DateTime(timezone=True)),
)
PREFERENCES = Table(
    "notification_preferences",
    metadata,
    Column("id", Uuid),
    Column("user_id", String, primary_key=True),
    Column("customer_id", String, primary_key=True),
    Column("phone_number", String),
    Column("device_token", String),
    Column("sms_opted_in", Boolean),
    Column("push_opted_in", Boolean),
    Column("marketing_opted_in", Boolean),
    Column("transactional_opted_in", Boolean),
    Column("sms_categories", ARRAY(String)),
    Column("push_categories", ARRAY(String)),
    Column("updated_at", DateTime(timezone=True)),
)
IMPORTS = Table(
    "imports",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("user_id", String),
    Column("kind", String),
    Column("campaign_id", Uuid),
    Column("state", String),
    Column("imported", BigInteger),
    Column("rejected", BigInteger),
    Column("started_at", DateTime(timezone=True)),
    Column("finished_at", DateTime(timezone=True)),
    Column("bytes_read", BigInteger),
    Column("touched_at", DateTime(timezone=True)),
    Column("problem", String),
    Column("consent_assumed", BigInteger),
    Column("consent_left_out", ARRAY(String)),
)


@dataclass(frozen=True, slots=True)
class Reach:
    """Where a channel's addresses are.

    In the pieces of SQL, `c` is a customer, `d` one of the devices, `u` a unit with its address, `o` the preferences
    of anybody who has the same address.
    """

    opted_in: str
    categories: str
    address: str
    """Of a customer; one unit per row that `devices` yields."""
    device_type: str
    devices: str
    """A join that multiplies customers by their addresses, or nothing."""
    owners: str
    """Customer id and address of everybody who has one of the addresses."""
    sharers: str
    """FROM and WHERE of the restricted preferences of everybody who has the address `u.address`."""
    missing: str
    """The reason of exclusion of a customer without an address."""


REACHES: Mapping[str, Reach] = MappingProxyType(
    {
        SMS.name: Reach(
            opted_in="sms_opted_in",
            categories="sms_categories",
            address="c.phone_number",
            device_type="NULL::text",
            devices="",
            owners=(
                "SELECT customer_id, phone_number AS address FROM customers"
                " WHERE user_id = %(user_id)b AND phone_number = ANY(%(addresses)b)"
            ),
            sharers=(
                "FROM notification_preferences o WHERE o.restricted"
                " AND o.user_id = %(user_id)b AND o.phone_number = u.address"
            ),
            missing="no_phone",
        ),
        PUSH.name: Reach(
            opted_in="push_opted_in",
            categories="push_categories",
            address="d.device_token",
            device_type="d.device_type",
            devices=(
                "LEFT JOIN LATERAL (SELECT * FROM devices d"
                " WHERE d.user_id = c.user_id AND d.customer_id = c.customer_id OFFSET 0) d ON true"
            ),
            owners=(
                "SELECT customer_id, device_token AS address FROM devices"
                " WHERE user_id = %(user_id)b AND device_token = ANY(%(addresses)b)"
            ),
            sharers=(
                "FROM devices s JOIN notification_preferences o"
                " ON o.user_id = s.user_id AND o.customer_id = s.customer_id AND o.restricted"
                " WHERE s.user_id = %(user_id)b AND s.device_token = u.address"
            ),
            missing="no_device",
        ),
    }
)
