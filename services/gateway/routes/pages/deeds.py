"""What the entries of the audit log mean, in words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from contracts.channels import CHANNELS
from services.gateway.routes.pages.words import CHANNEL_WORDS


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of thing: what it is called, which field of it is its name (else its id is), and where its page is."""

    words: str
    name_field: str = ""
    page: str = ""
    has_pages: bool = True
    is_listed: bool = True


def _kinds() -> Iterator[tuple[str, Kind]]:
    for name in CHANNELS:
        title = CHANNEL_WORDS[name].within
        for things, thing, field in (
            ("campaigns", "campaign", "campaignName"),
            ("templates", "template", "templateName"),
            ("providers", "provider account", "providerName"),
        ):
            yield f"{name}/{things}", Kind(f"{title} {thing}", field, f"/notification/{name}/{things}")
    yield "customers", Kind("customer", page="/notification/customers")
    yield "preferences", Kind("customer’s preferences", page="/notification/customers")
    yield "recipients", Kind("recipient", is_listed=False)
    yield "users", Kind("person", "name", "/notification/users", has_pages=False)
    yield "api-keys", Kind("API key", "name", "/notification/api-keys", has_pages=False)
    yield "approvals", Kind("approval", page="/notification/approvals?state=", has_pages=False)
    yield "settings", Kind("settings")
    yield "dead-letters", Kind("dead letter", page="/notification/dead-letters", has_pages=False)
    yield "session", Kind("sign-in")


KINDS: Mapping[str, Kind] = MappingProxyType(dict(_kinds()))
"""By the type of resource in the log."""

_ACTIONS: Mapping[str, str] = MappingProxyType(
    {
        "send": "sent the {kind}",
        "schedule": "scheduled the {kind}",
        "pause": "paused the {kind}",
        "resume": "let the {kind} go on",
        "cancel": "cancelled the {kind}",
        "clone": "copied the {kind}",
        "test": "sent a test of the {kind}",
        "forecast": "stopped the forecast of the {kind}",
        "recipients": "added recipients to the {kind}",
        "recipients/import": "added recipients by a file to the {kind}",
        "recipients/export": "got the recipients as a file of the {kind}",
        "verify": "asked the vendor about the {kind}",
        "devices": "added a device of the {kind}",
        "rotate": "made a new secret for the {kind}",
        "invitation": "made a new link for the {kind}",
        "approve": "approved what waited",
        "reject": "rejected what waited",
        "redrive": "put back the {kind}",
    }
)
"""By what follows the id in the path."""

_METHODS: Mapping[str, str] = MappingProxyType(
    {
        "POST": "added the {kind}",
        "PATCH": "changed the {kind}",
        "PUT": "changed the {kind}",
        "DELETE": "deleted the {kind}",
    }
)

_WHOLE: Mapping[str, str] = MappingProxyType(
    {
        "sign in": "signed in",
        "sign in, refused": "tried to sign in with a wrong password",
        "sign in, refused and locked": "tried to sign in with a wrong password, and now has to wait",
        "show address": "looked at the address in full of",
        "find by address": "counted people by parts of their phone numbers, or by several numbers",
        "DELETE /session": "signed out",
        "POST /session/password": "changed their own password",
        "POST /send": "sent single messages",
        "POST /customers": "added or changed customers",
        "POST /customers/import": "added or changed customers by a file",
        "DELETE /customers/{id}": "erased the customer",
        "GET /customers/export": "got all customers as a file",
        "GET /customers/imports/{id}/errors": "got the rows that an import left out",
        "PATCH /settings": "changed the settings",
        "DELETE /api-keys/{id}": "revoked the API key",
        "POST /users": "invited the person",
        "PUT /preferences/{id}": "changed what was agreed to by the customer",
    }
)
"""Where the rules do not make a good sentence."""


def deed_words(action: str) -> str:
    """What was done, up to the name of what it was done to; an action that is new to us as it is."""
    if action in _WHOLE:
        return _WHOLE[action]
    method, _, path = action.partition(" ")
    kind, _, rest = path.strip("/").partition("/{id}")
    words = _ACTIONS.get(rest.strip("/")) if rest else _METHODS.get(method)
    return words.format(kind=KINDS[kind].words) if words and kind in KINDS else action
