"""The one table of endpoints: who answers, who may ask, and what is sent."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from contracts.channels import CHANNELS
from contracts.http.campaigns import (
    CampaignChange,
    CampaignForecast,
    CampaignSchedule,
    CampaignTest,
    CampaignWrite,
)
from contracts.http.model import Model
from contracts.http.templates import TEMPLATE_CHANGES, TEMPLATE_WRITES, TemplatePreview

BASE = "/api/notification"
SCOPES = ("read", "write", "send", "approve", "admin")
"""read: look. write: change templates, campaigns and people. send: let messages go. approve: let go what somebody else
wants to send. admin: accounts, credentials and everything else."""

KEY_SCOPES = tuple(scope for scope in SCOPES if scope != "approve")
"""What an API key may have: only a person approves."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One operation.

    `owner` is the service that answers; where it is the gateway, `composed` names the function that asks several.
    `streams` says that the body is a file of any length, `downloads` that the answer is one. `of_campaign` has the
    campaign in the path looked for first, because the owner does not know those that were not launched. `launches` lets
    it go, which may need a second person: the answer can be 202 with what waits. What `erases` a person makes the
    gateway forget answers about them.
    """

    method: str
    path: str
    owner: str
    scope: str
    summary: str
    body: type[Model] | None = None
    status: int = 200
    streams: bool = False
    downloads: bool = False
    composed: str = ""
    of_campaign: bool = False
    launches: bool = False
    erases: bool = False

    @property
    def shows_people(self) -> bool:
        """Whether addresses in its answers are people's: the sender of an account is the tenant's own."""
        return "/providers" not in self.path


def _of_channel(name: str) -> Iterator[Endpoint]:
    at = f"/{name}/providers"
    yield Endpoint("GET", at, "dispatcher", "read", "Provider accounts")
    yield Endpoint("POST", at, "dispatcher", "admin", "Add a provider account", status=201)
    yield Endpoint("GET", f"{at}/{{id}}", "dispatcher", "read", "One provider account")
    yield Endpoint("PATCH", f"{at}/{{id}}", "dispatcher", "admin", "Change a provider account")
    yield Endpoint("DELETE", f"{at}/{{id}}", "dispatcher", "admin", "Remove a provider account", status=204)
    yield Endpoint("POST", f"{at}/{{id}}/verify", "dispatcher", "admin", "Ask the vendor whether the account works")
    at = f"/{name}/templates"
    yield Endpoint("GET", at, "campaign", "read", "Templates")
    yield Endpoint("POST", at, "campaign", "write", "Add a template", TEMPLATE_WRITES[name], 201)
    yield Endpoint("GET", f"{at}/{{id}}", "campaign", "read", "One template")
    yield Endpoint("PATCH", f"{at}/{{id}}", "campaign", "write", "Change a template", TEMPLATE_CHANGES[name])
    yield Endpoint("DELETE", f"{at}/{{id}}", "campaign", "write", "Remove a template", status=204)
    yield Endpoint("POST", f"{at}/{{id}}/preview", "campaign", "read", "Render a template", TemplatePreview)
    yield Endpoint(
        "GET", f"/{name}/recipients", "dispatcher", "read", "Recipients of all campaigns and single messages"
    )
    at = f"/{name}/campaigns"
    yield Endpoint("GET", at, "campaign", "read", "Campaigns")
    yield Endpoint("POST", at, "campaign", "write", "Add a campaign", CampaignWrite, 201)
    yield Endpoint("GET", f"{at}/{{id}}", "campaign", "read", "One campaign")
    yield Endpoint("PATCH", f"{at}/{{id}}", "campaign", "write", "Change a campaign", CampaignChange)
    yield Endpoint("DELETE", f"{at}/{{id}}", "campaign", "write", "Remove a campaign", status=204)
    yield Endpoint(
        "POST", f"{at}/{{id}}/schedule", "campaign", "send", "Send it at a time", CampaignSchedule, launches=True
    )
    for action, summary in (
        ("send", "Send it now"),
        ("pause", "Attempt nobody further"),
        ("resume", "Go on"),
        ("cancel", "Skip everybody who was not attempted"),
    ):
        yield Endpoint("POST", f"{at}/{{id}}/{action}", "campaign", "send", summary, launches=action == "send")
    yield Endpoint("POST", f"{at}/{{id}}/clone", "campaign", "write", "Copy a campaign as a draft", status=201)
    yield Endpoint("GET", f"{at}/{{id}}/accounting", "dispatcher", "read", "What became of everybody, term by term")
    yield Endpoint(
        "GET", f"{at}/{{id}}/timeline", "analytics", "read", "Its course in at most 200 points, and failures"
    )
    yield Endpoint(
        "POST",
        f"{at}/{{id}}/forecast",
        "gateway",
        "read",
        "Render it for everybody, without sending",
        CampaignForecast,
        composed="forecast",
    )
    yield Endpoint("DELETE", f"{at}/{{id}}/forecast", "audience", "read", "Stop a running forecast", status=204)
    yield Endpoint(
        "POST",
        f"{at}/{{id}}/test",
        "gateway",
        "send",
        "Send it to up to 10 people, not counted in it",
        CampaignTest,
        202,
        composed="test",
    )
    yield Endpoint("GET", f"{at}/{{id}}/explain", "gateway", "read", "Why a customer is in or out", composed="explain")
    at = f"{at}/{{id}}/recipients"
    yield Endpoint("GET", at, "gateway", "read", "Recipients; before the launch those added", composed="recipients")
    yield Endpoint("POST", at, "audience", "write", "Add recipients, up to 10,000", of_campaign=True)
    yield Endpoint(
        "POST", f"{at}/import", "audience", "write", "Add recipients by file", streams=True, of_campaign=True
    )
    yield Endpoint(
        "GET", f"{at}/export", "dispatcher", "read", "Recipients as a file", downloads=True, of_campaign=True
    )
    summary = "One recipient's story: rules, attempts, receipts"
    yield Endpoint("GET", f"{at}/{{recipientId}}/explain", "gateway", "read", summary, composed="explain_recipient")


ENDPOINTS: tuple[Endpoint, ...] = (
    *(endpoint for name in CHANNELS for endpoint in _of_channel(name)),
    Endpoint("GET", "/customers", "audience", "read", "Customers"),
    Endpoint("POST", "/customers", "audience", "write", "Add or change customers, up to 10,000"),
    Endpoint("POST", "/customers/import", "audience", "write", "Add or change customers by file", streams=True),
    Endpoint("GET", "/customers/export", "audience", "read", "Customers as a file", downloads=True),
    Endpoint("GET", "/customers/imports", "audience", "read", "Imports"),
    Endpoint("GET", "/customers/imports/{id}", "audience", "read", "One import"),
    Endpoint(
        "GET", "/customers/imports/{id}/errors", "audience", "read", "The rows that were not imported", downloads=True
    ),
    Endpoint("GET", "/customers/{id}", "audience", "read", "One customer"),
    Endpoint("DELETE", "/customers/{id}", "audience", "write", "Erase a customer", status=204, erases=True),
    Endpoint("POST", "/customers/{id}/devices", "audience", "write", "Add a device", status=201),
    Endpoint("GET", "/preferences", "audience", "read", "Preferences"),
    Endpoint("PUT", "/preferences/{id}", "audience", "write", "Change a customer's preferences"),
    Endpoint("POST", "/audience/preview", "audience", "read", "Count and sample the people that a filter finds"),
    Endpoint("GET", "/costs", "dispatcher", "read", "What messages have cost: millionths by channel and currency"),
    Endpoint("GET", "/dashboard", "analytics", "read", "The dashboard's numbers"),
    Endpoint("GET", "/events", "analytics", "read", "The event log"),
)

REVEAL = "reveal"
"""Last part of the paths by which people see an address in full; who looks is written down as such."""

QUESTIONS = frozenset(f"{BASE}{one.path}" for one in ENDPOINTS if one.method == "POST" and one.scope == "read") | {
    f"{BASE}/customers/{{id}}/{REVEAL}",
    *(f"{BASE}/{name}/campaigns/{{id}}/recipients/{{recipientId}}/{REVEAL}" for name in CHANNELS),
}
"""Paths that only ask, by POST: nothing is changed there."""


def has_text_id(path: str) -> bool:
    """Whether the id in the path is text: a customer's, which the tenant chose, or a dead letter's place.

    Every other id is a UUID of ours.
    """
    return path.startswith(("/customers/{", "/preferences/{", "/dead-letters/{"))
