"""What each operation answers, takes besides its body, and looks like: beside the table of endpoints, by method and
path. The specification's functions give the names."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from contracts.channels import CHANNELS
from contracts.http.described import access, examples, explanations, people, queries, reports, resources
from contracts.http.described.queries import Query
from contracts.http.described.words import Shown
from contracts.http.endpoints import REVEAL
from contracts.http.model import Model
from contracts.http.providers import PROVIDER_CHANGES, PROVIDER_WRITES
from contracts.http.sending import SendWrite

CSV, JSON_LINES = "text/csv", "application/x-ndjson"


@dataclass(frozen=True, slots=True)
class Described:
    """One operation. `answer` is what `data` holds, `listed` that it is a page of them; `body` describes what a service
    reads by itself; `problems` are the statuses that only this kind of operation has; `files` are content types of an
    answer that is no JSON."""

    name: str
    answer: type[Shown] | None = None
    listed: bool = False
    many: bool = False
    beside: Mapping[str, str] = field(default_factory=dict)
    """What a page says of itself beside its cursor, yes or no, with the meaning."""
    query: type[Query] | None = None
    body: type[Model] | None = None
    example: Any = None
    text: str = ""
    problems: tuple[int, ...] = ()
    files: tuple[str, ...] = ()
    scope: str | None = None
    """What it takes where the table of endpoints does not say it."""
    is_public: bool = False
    also: tuple[tuple[int, type[Shown]], ...] = ()
    """Further statuses of success, with what `data` holds then."""


WAITING = ((202, access.Waiting),)
"""Where the tenant wants a second person to agree."""

REVEALING = (
    "Answers to people show phone numbers and device tokens in part; answers to keys show them in full. "
    "Who looks, and at whose, is in the audit log."
)

WORDS = {"sms": "SMS", "push": "Push"}
TAGS = {
    "dashboard": "The numbers of everything.",
    "campaigns": "Whom to send what, through which account, when; and what became of it.",
    "recipients": "People in a campaign.",
    "templates": "Texts with placeholders.",
    "providers": "Accounts with the vendors that send.",
    "customers": "People, their addresses and devices.",
    "preferences": "What people agreed to.",
    "audience": "Filters.",
    "send": "Single messages.",
    "costs": "What messages have cost.",
    "events": "The log of everything that happened to a message.",
    "users": "Colleagues, and what they may do.",
    "api-keys": "What programs sign in with.",
    "settings": "What holds for the whole tenant.",
    "approvals": "What waits for a second person.",
    "audit": "Who changed what.",
    "dead-letters": "Requests on Kafka that could not be processed.",
    "session": "Signing in and out.",
    "invitations": "How colleagues get their first password.",
}


def _of_channel(channel: str) -> Iterator[tuple[str, Described]]:
    word = WORDS[channel]
    shown = resources.PROVIDERS[channel]
    at = f"/{channel}/providers"
    yield f"GET {at}", Described(f"get{word}Providers", shown, listed=True, query=queries.Page)
    yield (
        f"POST {at}",
        Described(
            f"create{word}Provider",
            shown,
            body=PROVIDER_WRITES[channel],
            example=examples.PROVIDERS[channel],
            text="Credentials are encrypted at rest and come back masked. `verify` says whether they work.",
        ),
    )
    yield f"GET {at}/{{id}}", Described(f"get{word}Provider", shown)
    yield (
        f"PATCH {at}/{{id}}",
        Described(
            f"update{word}Provider", shown, body=PROVIDER_CHANGES[channel], example={"providerName": "Second account"}
        ),
    )
    yield f"DELETE {at}/{{id}}", Described(f"delete{word}Provider", problems=(409,))
    yield f"POST {at}/{{id}}/verify", Described(f"verify{word}Provider", reports.ProviderVerification)
    shown = resources.TEMPLATES[channel]
    at = f"/{channel}/templates"
    yield f"GET {at}", Described(f"get{word}Templates", shown, listed=True, query=queries.Templates)
    yield f"POST {at}", Described(f"create{word}Template", shown, example=examples.TEMPLATES[channel])
    yield f"GET {at}/{{id}}", Described(f"get{word}Template", shown)
    yield f"PATCH {at}/{{id}}", Described(f"update{word}Template", shown, example={"templateName": "Spring sale"})
    yield f"DELETE {at}/{{id}}", Described(f"delete{word}Template", problems=(409,))
    yield (
        f"POST {at}/{{id}}/preview",
        Described(
            f"preview{word}Template", reports.TemplatePreviewed, example={"variables": {"firstName": "Alexandra"}}
        ),
    )
    yield (
        f"GET /{channel}/recipients",
        Described(
            f"getAll{word}Recipients", resources.RECIPIENTS[channel], listed=True, query=queries.RECIPIENTS[channel]
        ),
    )
    yield from _of_campaigns(channel, word)


def _of_campaigns(channel: str, word: str) -> Iterator[tuple[str, Described]]:
    shown = resources.CAMPAIGNS[channel]
    at = f"/{channel}/campaigns"
    yield f"GET {at}", Described(f"get{word}Campaigns", shown, listed=True, query=queries.Campaigns)
    yield f"POST {at}", Described(f"create{word}Campaign", shown, example=examples.CAMPAIGN)
    yield f"GET {at}/{{id}}", Described(f"get{word}Campaign", shown)
    yield (
        f"PATCH {at}/{{id}}",
        Described(f"update{word}Campaign", shown, example={"campaignName": "Spring sale"}, problems=(409,)),
    )
    yield f"DELETE {at}/{{id}}", Described(f"delete{word}Campaign", problems=(409,))
    yield (
        f"POST {at}/{{id}}/schedule",
        Described(f"schedule{word}Campaign", shown, example=examples.SCHEDULE, problems=(409, 412), also=WAITING),
    )
    yield f"POST {at}/{{id}}/send", Described(f"send{word}Campaign", shown, problems=(409, 412), also=WAITING)
    for action in ("pause", "resume", "cancel"):
        yield f"POST {at}/{{id}}/{action}", Described(f"{action}{word}Campaign", shown, problems=(409,))
    yield f"POST {at}/{{id}}/clone", Described(f"clone{word}Campaign", shown)
    yield f"GET {at}/{{id}}/accounting", Described(f"get{word}CampaignAccounting", reports.Accounting)
    yield f"GET {at}/{{id}}/verification", Described(f"verify{word}Campaign", reports.Verification)
    yield (
        f"POST {at}/{{id}}/forecast",
        Described(
            f"forecast{word}Campaign",
            reports.Forecast,
            example={"restart": False},
            problems=(409,),
            also=((202, reports.Forecast),),
            text="202 while it runs: ask again to see how far it is.",
        ),
    )
    yield f"DELETE {at}/{{id}}/forecast", Described(f"cancel{word}Forecast")
    yield (
        f"POST {at}/{{id}}/test",
        Described(
            f"test{word}Campaign",
            reports.Tested,
            example=examples.TESTS[channel],
            problems=(409,),
            text="Goes out under the campaign's category: whoever opted out of it gets no test, and the answer says "
            "so. It is counted in no campaign, but among all messages and their cost. A tenant has a number of test "
            "messages a day; beyond it 429.",
        ),
    )
    yield (
        f"GET {at}/{{id}}/explain",
        Described(f"explain{word}Customer", explanations.CustomerExplanation, query=queries.OneCustomer),
    )
    yield f"GET {at}/{{id}}/timeline", Described(f"get{word}Timeline", reports.Timeline)
    recipients = f"{at}/{{id}}/recipients"
    query = queries.RECIPIENTS[channel]
    yield (
        f"GET {recipients}",
        Described(f"get{word}Recipients", resources.RECIPIENTS[channel], listed=True, query=query),
    )
    yield (
        f"POST {recipients}",
        Described(
            f"add{word}Recipients",
            reports.Saved,
            body=people.RECIPIENTS_WRITES[channel],
            example=examples.RECIPIENTS[channel],
            problems=(409,),
        ),
    )
    yield (
        f"POST {recipients}/import",
        Described(
            f"import{word}Recipients",
            reports.FileImported,
            query=queries.Upload,
            example=examples.RECIPIENT_FILES[channel],
            problems=(409,),
        ),
    )
    files = (CSV, JSON_LINES)
    yield f"GET {recipients}/export", Described(f"export{word}Recipients", query=queries.Export, files=files)
    yield f"GET {recipients}/{{recipientId}}/explain", Described(f"explain{word}Recipient", explanations.Explanation)
    yield (
        f"POST {recipients}/{{recipientId}}/{REVEAL}",
        Described(f"reveal{word}Recipient", access.REVEALED[channel], text=REVEALING, scope="write"),
    )


OPERATIONS: Mapping[str, Described] = {
    **{key: described for channel in CHANNELS for key, described in _of_channel(channel)},
    "GET /customers": Described("getCustomers", reports.Customer, listed=True, query=queries.Customers),
    "POST /customers": Described(
        "saveCustomers",
        reports.Saved,
        body=people.CustomersWrite,
        example=examples.CUSTOMERS,
        text="What a row leaves out stays as it is. Bad rows are named, good ones saved.",
    ),
    "POST /customers/import": Described(
        "importCustomers",
        reports.FileImported,
        query=queries.Upload,
        example=examples.CUSTOMER_FILE,
        problems=(409,),
        text="A file of any length, read as it comes. It may be sent again: the same rows change nothing.",
    ),
    "GET /customers/export": Described("exportCustomers", query=queries.Export, files=(CSV, JSON_LINES)),
    "GET /customers/imports": Described("getImports", reports.Import, listed=True, query=queries.People),
    "GET /customers/imports/{id}": Described("getImport", reports.Import),
    "GET /customers/imports/{id}/errors": Described("getImportErrors", query=queries.Export, files=(CSV, JSON_LINES)),
    "GET /customers/{id}": Described("getCustomer", reports.Customer),
    f"POST /customers/{{id}}/{REVEAL}": Described(
        "revealCustomer", access.RevealedPhoneNumber, text=REVEALING, scope="write"
    ),
    "DELETE /customers/{id}": Described("eraseCustomer"),
    "POST /customers/{id}/devices": Described(
        "addDevice", reports.CustomerDevice, body=people.DeviceWrite, example=examples.DEVICE
    ),
    "GET /preferences": Described(
        "getNotificationPreferences", resources.NotificationPreferences, listed=True, query=queries.Preferences
    ),
    "PUT /preferences/{id}": Described(
        "updateNotificationPreferences",
        resources.NotificationPreferences,
        body=people.PreferencesWrite,
        example={"smsOptedIn": True, "marketingOptedIn": False},
        text="`id` is the customer's, or the preferences' own. Updates what is given, and makes what does not exist. "
        "A flag that is taken away holds from then on.",
    ),
    "POST /audience/preview": Described(
        "previewAudience",
        reports.AudiencePreviewed,
        body=people.AudiencePreviewWrite,
        example=examples.AUDIENCE,
    ),
    "GET /dashboard": Described(
        "getNotificationDashboardData", reports.NotificationDashboardData, query=queries.Dashboard
    ),
    "GET /costs": Described("getCosts", reports.Costs),
    "GET /events": Described("getNotificationEvents", resources.NotificationEvent, listed=True, query=queries.Events),
    "POST /send": Described(
        "sendMessages",
        reports.SendAccepted,
        many=True,
        body=SendWrite,
        example=examples.SEND,
        text="202 says that the requests were taken up. Nothing is sent to somebody who opted out, is suppressed or "
        "has no address. An unknown customer or template, or a number that its country does not have, is found in "
        "`GET /dead-letters`, with the reason. Of several requests with one `requestId` only the first counts, "
        "whatever the others ask for.",
        scope="send",
    ),
    "GET /users": Described("getUsers", access.User, listed=True, query=queries.Page, scope="admin"),
    "POST /users": Described("createUser", access.NewUser, example=access.USER, scope="admin"),
    "GET /users/{id}": Described("getUser", access.User, scope="admin"),
    "PATCH /users/{id}": Described(
        "updateUser", access.User, example={"role": "viewer"}, problems=(409,), scope="admin"
    ),
    "DELETE /users/{id}": Described("deleteUser", problems=(409,), scope="admin"),
    "POST /users/{id}/invitation": Described("inviteUser", access.Invitation, scope="admin"),
    "GET /api-keys": Described("getApiKeys", access.ApiKey, listed=True, query=queries.Page, scope="admin"),
    "POST /api-keys": Described(
        "createApiKey", access.NewApiKey, example={"name": "Shop", "scopes": ["read", "send"]}, scope="admin"
    ),
    "POST /api-keys/{id}/rotate": Described(
        "rotateApiKey", access.NewApiKey, example={"overlapHours": 24}, problems=(409,), scope="admin"
    ),
    "DELETE /api-keys/{id}": Described("revokeApiKey", scope="admin"),
    "GET /approvals": Described("getApprovals", access.Approval, listed=True, query=queries.Approvals, scope="read"),
    "GET /approvals/{id}": Described("getApproval", access.Approval, scope="read"),
    "POST /approvals/{id}/approve": Described("approve", access.Approval, problems=(409, 412), scope="approve"),
    "POST /approvals/{id}/reject": Described("reject", access.Approval, problems=(409,), scope="approve"),
    "GET /settings": Described("getSettings", access.Settings, scope="read"),
    "PATCH /settings": Described("updateSettings", access.Settings, example={"approvalAbove": 10_000}, scope="admin"),
    "GET /audit": Described("getAuditLog", access.AuditEntry, listed=True, query=queries.Audit, scope="admin"),
    "GET /dead-letters": Described(
        "getDeadLetters",
        access.DeadLetter,
        listed=True,
        query=queries.DeadLetters,
        scope="admin",
        text="Those whose key is your user id. Others belong to the operators.",
        beside={"olderLeftOut": "Whether there are older ones than were looked at; your operator sees them all."},
    ),
    "GET /dead-letters/{id}": Described("getDeadLetter", access.DeadLetterRead, scope="admin"),
    "POST /dead-letters/{id}/redrive": Described(
        "redriveDeadLetter",
        access.DeadLetter,
        scope="admin",
        text="It is taken up again as it came. If its cause was not mended, it becomes a dead letter again.",
    ),
    "POST /session": Described(
        "signIn",
        access.Session,
        example={"email": access.EXAMPLE_EMAIL, "password": access.EXAMPLE_PASSWORD},
        problems=(401,),
        is_public=True,
    ),
    "GET /session": Described("getSession", access.Session),
    "DELETE /session": Described("signOut", scope="read"),
    "POST /session/password": Described(
        "changePassword",
        example={"currentPassword": access.EXAMPLE_PASSWORD, "newPassword": f"{access.EXAMPLE_PASSWORD} 2"},
        scope="read",
    ),
    "POST /invitations": Described(
        "acceptInvitation",
        example={"token": "the-last-part-of-the-link", "password": access.EXAMPLE_PASSWORD},
        is_public=True,
    ),
}
