"""Rows as the API shows them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from contracts.channels import Channel
from contracts.http.plans import CampaignPlan, Finding
from contracts.waiting import describe_waiting
from services.campaign.domain.images import image_of
from services.campaign.domain.states import Status
from services.campaign.domain.templates import check_template
from shared.http import Problem
from shared.names import camel

_INTERNAL = frozenset({"progress_version", "halted_at", "agreed_plan", "image", "sort_key"})


def show(row: Mapping[Any, Any]) -> dict[str, Any]:
    """The row with its columns in camelCase; a campaign with why it does not move, and until when."""
    shown = {camel(name): value for name, value in row.items() if name not in _INTERNAL}
    return shown | _waiting(row) if "scheduled_send_time" in row else shown


def _waiting(campaign: Mapping[Any, Any]) -> dict[str, Any]:
    reason, eta = None, None
    match Status(campaign["status"]):
        case Status.SCHEDULED:
            reason, eta = "scheduled", campaign["scheduled_send_time"]
        case Status.PAUSED:
            reason = campaign["status_reason"] or "paused"
        case Status.SENDING:
            progress = campaign["progress"] or {}
            reason, eta = progress.get("waitingReason"), progress.get("eta")
            if campaign["audience"] is None:
                reason = reason or "expanding"
    return {"waitingReason": reason, "waitingText": describe_waiting(reason), "eta": eta}


def show_findings(findings: Sequence[Finding]) -> list[dict[str, str]]:
    """Blockers or warnings as JSON."""
    return [{"code": one.code, "field": one.field, "message": one.message} for one in findings]


def show_campaign(row: Mapping[Any, Any], plan: CampaignPlan) -> dict[str, Any]:
    """A campaign with what keeps it from being sent, and what a person should look at before."""
    return show(row) | {"blockers": show_findings(plan.blockers), "warnings": show_findings(plan.warnings)}


def refuse_nulls(given: Mapping[str, Any], required: Iterable[str]) -> None:
    """A 422 problem for columns that are to be emptied and must not be."""
    errors = [
        {"field": camel(name), "message": "cannot be null"}
        for name in required
        if name in given and given[name] is None
    ]
    if errors:
        raise Problem(422, "Invalid input", errors=errors)


def show_template(channel: Channel, row: Mapping[Any, Any], link_base_url: str) -> dict[str, Any]:
    """A template with what its texts come to."""
    checked = check_template(channel, row, link_base_url, image_of(row))
    shown = show(row) | {"warnings": show_findings(checked.warnings)}
    if checked.segments is not None:
        shown |= {"segments": checked.segments.count, "encoding": checked.segments.encoding}
    return shown
