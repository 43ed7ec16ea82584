"""The dispatcher's tables as queries see them; the twins are made by one function each."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    DateTime,
    LargeBinary,
    MetaData,
    SmallInteger,
    String,
    Table,
    Uuid,
)
from sqlalchemy.dialects.postgresql import JSONB

from contracts.channels import CHANNELS, Channel

metadata = MetaData()

_PROVIDER_COLUMNS = {"sms": ("account_sid", "phone_number"), "push": ("server_key",)}
SEALED_COLUMNS = frozenset({"api_key", "api_secret", "server_key"})


def _providers(channel: Channel) -> Table:
    return Table(
        f"{channel.name}_providers",
        metadata,
        Column("id", Uuid, primary_key=True),
        Column("user_id", String),
        Column("provider_name", String),
        Column("provider_type", String),
        Column("api_key", LargeBinary),
        Column("api_secret", LargeBinary),
        *(Column(name, LargeBinary if name in SEALED_COLUMNS else String) for name in _PROVIDER_COLUMNS[channel.name]),
        Column("sender_id", String),
        Column("is_active", Boolean),
        Column("config", LargeBinary),
        Column("version", BigInteger),
        Column("created_at", DateTime(timezone=True)),
    )


def _recipients(channel: Channel) -> Table:
    return Table(
        f"{channel.name}_campaign_recipients",
        metadata,
        Column("id", Uuid, primary_key=True),
        Column("campaign_id", Uuid),
        Column("lot_id", Uuid),
        Column("user_id", String),
        Column("customer_id", String),
        Column(channel.address_column, String),
        *(Column(name, String) for name in channel.recipient_columns),
        Column("recipient_name", String),
        Column("status", String),
        Column("outcome", String),
        Column("attempts", SmallInteger),
        Column("attempted_at", DateTime(timezone=True)),
        Column("accepted_at", DateTime(timezone=True)),
        Column("delivered_at", DateTime(timezone=True)),
        *(Column(name, DateTime(timezone=True)) for name in channel.engagement_columns),
        Column("failure_reason", String),
        Column("error_class", String),
        Column("provider_message_id", String),
        Column("segments", SmallInteger),
        Column("cost_micros", BigInteger),
        Column("currency", String),
        Column("personalization_data", JSONB),
    )


PROVIDERS = {channel.name: _providers(channel) for channel in CHANNELS.values()}
RECIPIENTS = {channel.name: _recipients(channel) for channel in CHANNELS.values()}
