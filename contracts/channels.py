"""What differs between the channels, in one record each. Nothing else may ask which channel it serves."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True, slots=True)
class Channel:
    """One way to reach a person.

    Lengths are in characters, as the specification's system limits state them.
    """

    name: str
    """As in URLs, events and table names."""
    address_column: str
    """Column of the recipient's address in tables; in camelCase on HTTP."""
    engagement_columns: tuple[str, ...]
    """Timestamps beyond `delivered_at` that a receipt can set: first by opening, then by clicking."""
    recipient_columns: tuple[str, ...]
    """Further columns of a recipient, by the name of the field in `Recipient`."""
    body_max: int
    title_max: int | None
    """None where the channel knows no title."""
    billed_by_segment: bool
    success: str
    """The type of event whose share of the accepted messages says how well a campaign did."""
    unknown_policy: str
    """What happens to an attempt whose outcome is unknown, unless the campaign says otherwise."""

    @property
    def address_field(self) -> str:
        """`address_column` as JSON spells it."""
        head, *tail = self.address_column.split("_")
        return head + "".join(part.title() for part in tail)


SMS = Channel(
    name="sms",
    address_column="phone_number",
    engagement_columns=("read_at", "clicked_at"),
    recipient_columns=(),
    body_max=480,
    title_max=None,
    billed_by_segment=True,
    success="delivered",
    unknown_policy="hold",
)

PUSH = Channel(
    name="push",
    address_column="device_token",
    engagement_columns=("opened_at", "clicked_at"),
    recipient_columns=("device_type",),
    body_max=240,
    title_max=65,
    billed_by_segment=False,
    success="opened",
    unknown_policy="hold",
)

CHANNELS: Mapping[str, Channel] = MappingProxyType({channel.name: channel for channel in (SMS, PUSH)})
