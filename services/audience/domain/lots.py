"""Recipients into lots."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from uuid import UUID

from contracts.content import LINK_VARIABLES, Template, parse
from contracts.events import Content, LotResolved, Recipient
from shared.ids import new_id, new_ids

BULK = "bulk"

RECIPIENTS_MAX = 1_000_000
"""Of one campaign, as the specification says; whoever is found later is excluded as `over_limit`."""

Unit = tuple[str | None, str, str | None, str | None, dict[str, str] | None]
"""Customer id, address, name, device type, variables."""


def templates_of(content: Content, is_known: Callable[[str], bool] | None = None) -> list[Template]:
    """All texts of a message; raises `ContentError`."""
    texts = [content.body, content.title, content.image_url, content.action_url, *(content.data or {}).values()]
    return [parse(text, is_known) for text in texts if text]


def variables_of(content: Content, is_known: Callable[[str], bool] | None = None) -> tuple[list[str], frozenset[str]]:
    """The variables that a message names and we can supply, and those of them that have no fallback."""
    templates = templates_of(content, is_known)
    named = {name for template in templates for name in template.variables} - LINK_VARIABLES
    required = {name for template in templates for name in template.required} - LINK_VARIABLES
    return sorted(named), frozenset(required)


def cut_lots(
    campaign_id: UUID, user_id: str, channel: str, category: str, units: Sequence[Unit], lot_max: int, at: datetime
) -> list[LotResolved]:
    """Lots of up to `lot_max` recipients, in the order given."""
    lots = []
    for start in range(0, len(units), lot_max):
        chosen = units[start : start + lot_max]
        ids = new_ids(len(chosen))
        lots.append(
            LotResolved(
                event_id=new_id(),
                occurred_at=at,
                lot_id=new_id(),
                campaign_id=campaign_id,
                user_id=user_id,
                channel=channel,
                lane=BULK,
                category=category,
                recipients=[
                    Recipient(
                        recipient_id=recipient_id,
                        address=address,
                        customer_id=customer_id,
                        name=name,
                        device_type=device_type,
                        variables=variables,
                    )
                    for recipient_id, (customer_id, address, name, device_type, variables) in zip(
                        ids, chosen, strict=True
                    )
                ],
            )
        )
    return lots
