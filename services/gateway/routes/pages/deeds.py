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


APPROVALS = "approvals"
"""A thing that is called as its campaign is."""


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
    yield APPROVALS, Kind("approval", "campaignName", "/notification/approvals?state=", has_pages=False)
    yield "settings", Kind("settings")
    yield "dead-letters", Kind("dead letter", page="/notification/dead-letters", has_pages=False)
    yield "session", Kind("sign-in")


KINDS: Mapping[str, Kind] = MappingProxyType(dict(_kinds()))
"""By the type of resource in the log."""

_DONE: Mapping[str, str] = MappingProxyType(
    {
        "add": "added",
        "approve": "approved",
        "ask": "asked",
        "cancel": "cancelled",
        "change": "changed",
        "copy": "copied",
        "delete": "deleted",
        "erase": "erased",
        "get": "got",
        "invite": "invited",
        "look": "looked",
        "make": "made",
        "pause": "paused",
        "put": "put",
        "reject": "rejected",
        "resume": "resumed",
        "revoke": "revoked",
        "schedule": "scheduled",
        "send": "sent",
        "sign": "signed",
        "stop": "stopped",
    }
)
"""What somebody did, by the verb for what they wanted to do."""

_TRIED: Mapping[str, str] = MappingProxyType({verb: verb for verb in _DONE})

_ACTIONS: Mapping[str, str] = MappingProxyType(
    {
        "send": "{send} the {kind}",
        "schedule": "{schedule} the {kind}",
        "pause": "{pause} the {kind}",
        "resume": "{resume} the {kind}",
        "cancel": "{cancel} the {kind}",
        "clone": "{copy} the {kind}",
        "test": "{send} a test of the {kind}",
        "forecast": "{stop} the forecast of the {kind}",
        "recipients": "{add} recipients to the {kind}",
        "recipients/import": "{add} recipients by a file to the {kind}",
        "recipients/export": "{get} the recipients as a file of the {kind}",
        "verify": "{ask} the vendor about the {kind}",
        "devices": "{add} a device of the {kind}",
        "rotate": "{make} a new secret for the {kind}",
        "invitation": "{make} a new link for the {kind}",
        "approve": "{approve} the sending of",
        "reject": "{reject} the sending of",
        "redrive": "{put} back the {kind}",
    }
)
"""By what follows the id in the path."""

_METHODS: Mapping[str, str] = MappingProxyType(
    {
        "POST": "{add} the {kind}",
        "PATCH": "{change} the {kind}",
        "PUT": "{change} the {kind}",
        "DELETE": "{delete} the {kind}",
    }
)

_WHOLE: Mapping[str, str] = MappingProxyType(
    {
        "sign in": "{sign} in",
        "sign in, refused": "tried to sign in with a wrong password",
        "sign in, refused and locked": "tried to sign in with a wrong password, and now has to wait",
        "show address": "{look} at the address in full of",
        "find by address": "{ask} for people by parts of their phone numbers, or by several numbers",
        "DELETE /session": "{sign} out",
        "POST /session/password": "{change} their own password",
        "POST /send": "{send} single messages",
        "POST /customers": "{add} or {change} customers",
        "POST /customers/import": "{add} or {change} customers by a file",
        "DELETE /customers/{id}": "{erase} the customer",
        "GET /customers/export": "{get} all customers as a file",
        "GET /customers/imports/{id}/errors": "{get} the rows that an import left out",
        "PATCH /settings": "{change} the settings",
        "DELETE /api-keys/{id}": "{revoke} the API key",
        "POST /users": "{invite} the person",
        "PUT /preferences/{id}": "{change} what was agreed to by the customer",
    }
)
"""Where the rules do not make a good sentence."""


def deed_words(action: str, is_refused: bool = False) -> str:
    """What was done, or only tried, up to the name of what it was done to; an action that is new to us as it is."""
    words, kind = _WHOLE.get(action), ""
    if words is None:
        method, _, path = action.partition(" ")
        kind, _, rest = path.strip("/").partition("/{id}")
        words = _ACTIONS.get(rest.strip("/")) if rest else _METHODS.get(method)
        if words is None or kind not in KINDS:
            return action
        kind = KINDS[kind].words
    said = words.format(kind=kind, **(_TRIED if is_refused else _DONE))
    return f"tried to {said}" if is_refused and said != words else said
