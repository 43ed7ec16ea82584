"""The campaign service's tables as queries see them; the twins are made by one function each."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, DateTime, Integer, MetaData, String, Table, Uuid
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from contracts.channels import CHANNELS, Channel

metadata = MetaData()

_TEXT_COLUMNS = {"sms": ("content",), "push": ("title", "body", "image_url", "action_url")}
_IMAGE_COLUMN = {"push": ("image",)}


def _templates(channel: Channel) -> Table:
    counted = [Column("character_count", Integer)] if channel.billed_by_segment else []
    return Table(
        f"{channel.name}_templates",
        metadata,
        Column("id", Uuid, primary_key=True),
        Column("user_id", String),
        Column("template_name", String),
        *(Column(name, String) for name in _TEXT_COLUMNS[channel.name]),
        *counted,
        *(Column(name, JSONB(none_as_null=True)) for name in _IMAGE_COLUMN.get(channel.name, ())),
        Column("variables", ARRAY(String)),
        Column("track_links", Boolean),
        Column("description", String),
        Column("version", BigInteger),
        Column("created_at", DateTime(timezone=True)),
        Column("updated_at", DateTime(timezone=True)),
    )


def _campaigns(channel: Channel) -> Table:
    return Table(
        f"{channel.name}_campaigns",
        metadata,
        Column("id", Uuid, primary_key=True),
        Column("user_id", String),
        Column("campaign_name", String),
        Column("template_id", Uuid),
        Column("provider_id", Uuid),
        Column("description", String),
        Column("status", String),
        Column("scheduled_send_time", DateTime(timezone=True)),
        Column("sent_at", DateTime(timezone=True)),
        Column("audience_filter", JSONB(none_as_null=True)),
        Column("category", String),
        Column("unknown_policy", String),
        Column("track_links", Boolean),
        Column("status_reason", String),
        Column("version", BigInteger),
        Column("launched_at", DateTime(timezone=True)),
        Column("created_at", DateTime(timezone=True)),
        Column("updated_at", DateTime(timezone=True)),
        Column("audience", BigInteger),
        Column("progress", JSONB(none_as_null=True)),
        Column("progress_version", BigInteger),
        Column("halted_at", DateTime(timezone=True)),
        Column("agreed_plan", String),
    )


TEMPLATES = {channel.name: _templates(channel) for channel in CHANNELS.values()}
CAMPAIGNS = {channel.name: _campaigns(channel) for channel in CHANNELS.values()}
PROVIDERS = Table(
    "providers",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("user_id", String),
    Column("channel", String),
    Column("version", BigInteger),
    Column("is_active", Boolean),
    Column("deleted", Boolean),
)
