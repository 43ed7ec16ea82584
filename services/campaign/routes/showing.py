"""Rows as the API shows them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from contracts.channels import Channel
from services.campaign.domain import check_template

_INTERNAL = frozenset({"progress_version", "halted_at"})


def show(row: Mapping[Any, Any]) -> dict[str, Any]:
    """The row with its columns in camelCase."""
    return {_camel(name): value for name, value in row.items() if name not in _INTERNAL}


def _camel(name: str) -> str:
    head, *tail = name.split("_")
    return head + "".join(part.title() for part in tail)


def show_template(channel: Channel, row: Mapping[Any, Any], link_base_url: str) -> dict[str, Any]:
    """A template with what its texts come to."""
    checked = check_template(channel, row, link_base_url)
    shown = show(row) | {"warnings": checked.warnings}
    if checked.segments is not None:
        shown |= {"segments": checked.segments.count, "encoding": checked.segments.encoding}
    return shown
