"""The one table of endpoints: who answers, who may ask, and what is sent."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from contracts.channels import CHANNELS
from contracts.http.campaigns import CampaignChange, CampaignSchedule, CampaignWrite
from contracts.http.model import Model
from contracts.http.templates import TEMPLATE_CHANGES, TEMPLATE_WRITES, TemplatePreview

BASE = "/api/notification"
SCOPES = ("read", "write", "send", "admin")
"""read: look. write: change templates, campaigns and people. send: let messages go. admin: accounts and credentials."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One operation. `owner` is the service that answers; `streams` says that the body is a file of any length."""

    method: str
    path: str
    owner: str
    scope: str
    summary: str
    body: type[Model] | None = None
    status: int = 200
    streams: bool = False

    @property
    def tag(self) -> str:
        """The group that it is shown in."""
        return next(part for part in reversed(self.path.split("/")) if part and not part.startswith("{"))


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
    at = f"/{name}/campaigns"
    yield Endpoint("GET", at, "campaign", "read", "Campaigns")
    yield Endpoint("POST", at, "campaign", "write", "Add a campaign", CampaignWrite, 201)
    yield Endpoint("GET", f"{at}/{{id}}", "campaign", "read", "One campaign")
    yield Endpoint("PATCH", f"{at}/{{id}}", "campaign", "write", "Change a campaign", CampaignChange)
    yield Endpoint("DELETE", f"{at}/{{id}}", "campaign", "write", "Remove a campaign", status=204)
    yield Endpoint("POST", f"{at}/{{id}}/schedule", "campaign", "send", "Send it at a time", CampaignSchedule)
    for action, summary in (
        ("send", "Send it now"),
        ("pause", "Attempt nobody further"),
        ("resume", "Go on"),
        ("cancel", "Skip everybody who was not attempted"),
    ):
        yield Endpoint("POST", f"{at}/{{id}}/{action}", "campaign", "send", summary)
    yield Endpoint("POST", f"{at}/{{id}}/clone", "campaign", "write", "Copy a campaign as a draft", status=201)
    yield Endpoint("GET", f"{at}/{{id}}/accounting", "dispatcher", "read", "What became of everybody, term by term")
    yield Endpoint(
        "GET", f"{at}/{{id}}/timeline", "analytics", "read", "Its course in at most 200 points, and failures"
    )
    yield Endpoint("GET", f"{at}/{{id}}/recipients", "dispatcher", "read", "Recipients")
    yield Endpoint("POST", f"{at}/{{id}}/recipients", "audience", "write", "Add recipients, up to 10,000")
    yield Endpoint(
        "POST", f"{at}/{{id}}/recipients/import", "audience", "write", "Add recipients by file", streams=True
    )
    explain = f"{at}/{{id}}/recipients/{{recipientId}}/explain"
    yield Endpoint("GET", explain, "dispatcher", "read", "One recipient's story: attempts and receipts")


ENDPOINTS: tuple[Endpoint, ...] = (
    *(endpoint for name in CHANNELS for endpoint in _of_channel(name)),
    Endpoint("GET", "/customers", "audience", "read", "Customers"),
    Endpoint("POST", "/customers", "audience", "write", "Add or change customers, up to 10,000"),
    Endpoint("POST", "/customers/import", "audience", "write", "Add or change customers by file", streams=True),
    Endpoint("GET", "/customers/imports/{id}", "audience", "read", "One import"),
    Endpoint("GET", "/customers/imports/{id}/errors", "audience", "read", "The rows that were not imported"),
    Endpoint("GET", "/customers/{id}", "audience", "read", "One customer"),
    Endpoint("DELETE", "/customers/{id}", "audience", "write", "Erase a customer", status=204),
    Endpoint("POST", "/customers/{id}/devices", "audience", "write", "Add a device", status=201),
    Endpoint("GET", "/preferences", "audience", "read", "Preferences"),
    Endpoint("PUT", "/preferences/{id}", "audience", "write", "Change a customer's preferences"),
    Endpoint("POST", "/audience/preview", "audience", "read", "Count and sample the people that a filter finds"),
    Endpoint("GET", "/costs", "dispatcher", "read", "What messages have cost: millionths by channel and currency"),
    Endpoint("GET", "/dashboard", "analytics", "read", "The dashboard's numbers"),
    Endpoint("GET", "/events", "analytics", "read", "The event log"),
)
