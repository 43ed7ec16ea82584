"""OneSignal: pushes with one content to many subscriptions a request, and the only vendor that can be asked twice.

https://documentation.onesignal.com/reference/create-message
Receipts come by an event stream whose body the customer defines; docs/providers/onesignal.md has ours.
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid5

import msgspec

from contracts.masked import Secret
from shared.providers.http_provider import SPLIT
from shared.providers.provider import (
    Accepted,
    CallbackContents,
    CallbackMalformed,
    CallbackRequest,
    Capabilities,
    Deferred,
    HttpAnswer,
    HttpReply,
    HttpRequest,
    Message,
    Outcome,
    Problem,
    Refused,
    Unknown,
    VendorReceipt,
    Verification,
)
from shared.providers.reading import (
    config_of,
    decoded,
    missing,
    secrets_of,
    text_of,
    time_of,
    with_control_characters,
)
from shared.providers.silent import finding as finding
from shared.providers.silent import question as question
from shared.providers.standing import authorize as authorize

CAPABILITIES = Capabilities(
    channel="push",
    provider_type="onesignal",
    official_hosts=frozenset({"api.onesignal.com", "onesignal.com"}),
    batch_max=2_000,  # the least that the vendor's documents name; others say 20,000
    in_flight_max=20,
    receipts="webhook",
    resend_is_safe=True,
    can_be_asked=False,
    price="none",
    echoes_reference=False,
    rate_unit="requests",
)
CALLBACK_REPLY = HttpReply(200, "text/plain", b"")

_OFFICIAL = "https://api.onesignal.com"
_THROTTLED_SECONDS = 1.0
_TTL_SECONDS_MAX = 2_419_200
_KEYS = UUID("6e1f0f9a-7f0e-4c1c-9c7e-0f5a52d0a9c1")
"""The namespace of our idempotency keys."""


@dataclass(frozen=True, slots=True)
class Account:
    """Our app at OneSignal."""

    base_url: str
    app_id: str
    headers: tuple[str, ...] = field(repr=False)
    secrets: tuple[Secret, ...] = field(repr=False)

    def hosts(self) -> list[tuple[str, str]]:
        """The URLs that the account names, with the field that holds each."""
        return [("config.baseUrl", self.base_url)]


def problems(values: Mapping[str, Any]) -> list[Problem]:
    """Needs `apiKey` (the app's) and `config.appId`.

    Events are believed with `config.webhookSecret`, which may be a list while it is rotated.
    """
    config = config_of(values)
    found = missing(values, "apiKey")
    if not text_of(config, "appId"):
        found.append(Problem("config.appId", "is required"))
    elif not _is_uuid(text_of(config, "appId")):
        found.append(Problem("config.appId", "must be a UUID"))
    return found + with_control_characters(values, "apiKey")


def _is_uuid(text: str) -> bool:
    try:
        UUID(text)
    except ValueError:
        return False
    return True


def account(values: Mapping[str, Any]) -> Account:
    """See `Vendor.account`."""
    config = config_of(values)
    return Account(
        base_url=(text_of(config, "baseUrl") or _OFFICIAL).rstrip("/"),
        app_id=text_of(config, "appId"),
        headers=(f"Authorization: Key {text_of(values, 'apiKey')}", "Content-Type: application/json"),
        secrets=secrets_of(config, "webhookSecret"),
    )


# --- sending ---------------------------------------------------------------------------------------------------------


def groups(_account: Account, messages: Sequence[Message]) -> list[list[int]]:
    """Messages with the same content, no subscription twice."""
    found: list[list[int]] = []
    open_groups: dict[object, tuple[list[int], set[str]]] = {}
    for index, message in enumerate(messages):
        key = _content_of(message)
        group = open_groups.get(key)
        if group is None or len(group[0]) == CAPABILITIES.batch_max or message.address in group[1]:
            group = open_groups[key] = ([], set())
            found.append(group[0])
        group[0].append(index)
        group[1].add(message.address)
    return found


def _content_of(message: Message) -> tuple[object, ...]:
    data = None if message.data is None else tuple(sorted(message.data.items()))
    return (message.text, message.title, message.image_url, message.action_url, data, message.ttl_seconds,
            message.collapse_id, message.urgent)  # fmt: skip


def batch_request(account: Account, messages: Sequence[Message]) -> HttpRequest:
    """The key is made of the recipients, so that the same group can be sent again without harm.

    Nothing in the content is anybody's own: the app cannot be told where to report this one.
    """
    first = messages[0]
    names = b"".join(sorted(message.recipient_id.bytes for message in messages))
    body: dict[str, object] = {
        "app_id": account.app_id,
        "target_channel": "push",
        "include_subscription_ids": [str(message.address) for message in messages],
        "contents": {"en": first.text},
        "priority": 10 if first.urgent else 5,
        "idempotency_key": str(uuid5(_KEYS, names.hex())),
    }
    if first.title is not None:
        body["headings"] = {"en": first.title}
    if first.image_url is not None:
        body |= {"big_picture": first.image_url, "chrome_web_image": first.image_url}
        body["ios_attachments"] = {"image": first.image_url}
    if first.action_url is not None:
        body["url"] = first.action_url
    data = dict(first.data) if first.data else {}
    if first.action_url is not None:
        data["actionUrl"] = first.action_url
    if data:
        body["data"] = data
    if first.ttl_seconds is not None:
        body["ttl"] = min(max(first.ttl_seconds, 0), _TTL_SECONDS_MAX)
    if first.collapse_id is not None:
        body["collapse_id"] = first.collapse_id
    url = f"{account.base_url}/notifications?c=push"
    return HttpRequest("POST", url, account.headers, msgspec.json.encode(body))


class _Sent(msgspec.Struct):
    id: str | None = None
    errors: Any = None


_sent = msgspec.json.Decoder(_Sent)
_LISTS = ("invalid_player_ids", "invalid_subscription_ids")
_NOT_SUBSCRIBED = re.compile(r"not subscribed|unsubscribed|no subscribed", re.IGNORECASE)
_ABOUT_THE_ACCOUNT = re.compile(r"app_id|api key|rest api|authorization|plan|organi[sz]ation", re.IGNORECASE)
_ABOUT_A_SUBSCRIPTION = re.compile(r"subscription_ids|player_ids|valid uuid", re.IGNORECASE)


def batch_outcomes(_account: Account, messages: Sequence[Message], answer: HttpAnswer) -> Sequence[Outcome]:
    """A status of 200 does not mean sent: an empty id says that nothing was, and lists name whom it was not sent to."""
    sent = decoded(_sent, answer.body)
    if answer.status in (200, 201, 202) and sent is not None and (sent.id is not None or sent.errors):
        return _each(messages, sent)
    return (_refusal(len(messages), sent, answer),) * len(messages)


def _each(messages: Sequence[Message], sent: _Sent) -> list[Outcome]:
    dead = {subscription for name in _LISTS for subscription in _listed(sent.errors, name)}
    if sent.id:
        good = Accepted(sent.id)
        return [_dead("invalid_player_ids") if message.address in dead else good for message in messages]
    if dead:
        otherwise: Outcome = Refused("unknown", "nothing_sent")
        return [_dead("invalid_player_ids") if message.address in dead else otherwise for message in messages]
    said = " ".join(_texts(sent.errors))
    if _NOT_SUBSCRIBED.search(said):
        return [_dead("not_subscribed")] * len(messages)
    return [Refused("config" if _ABOUT_THE_ACCOUNT.search(said) else "unknown", "nothing_sent")] * len(messages)


def _dead(code: str) -> Refused:
    return Refused("recipient_permanent", code)


def _listed(errors: Any, name: str) -> Iterable[str]:
    found = errors.get(name) if isinstance(errors, dict) else None
    return [one for one in found if isinstance(one, str)] if isinstance(found, list) else []


def _texts(errors: Any) -> Iterable[str]:
    """The texts in an `errors` of whatever shape: a list of texts or of {code, title}, or an object of lists."""
    match errors:
        case str():
            yield errors
        case list():
            for one in errors:
                yield from _texts(one)
        case dict():
            for one in errors.values():
                yield from _texts(one)


def _refusal(messages: int, sent: _Sent | None, answer: HttpAnswer) -> Outcome:
    code = str(answer.status)
    if answer.status == 429:
        return Deferred("throttled", answer.retry_after_seconds or _THROTTLED_SECONDS, code)
    if answer.status >= 500 or answer.status < 400:
        return Unknown("server_error" if answer.status >= 500 else "malformed", code)
    said = " ".join(_texts(sent.errors if sent else None))
    if answer.status != 400 or (_ABOUT_THE_ACCOUNT.search(said) and not _ABOUT_A_SUBSCRIPTION.search(said)):
        return Refused("config", code)
    if _ABOUT_A_SUBSCRIPTION.search(said):
        return SPLIT if messages > 1 else Refused("recipient_permanent", "invalid_subscription_id")
    return Refused("content", code)


def verification(account: Account) -> HttpRequest:
    """Lists one message: the app's key may do no less, and nothing is sent."""
    url = f"{account.base_url}/notifications?app_id={account.app_id}&limit=1"
    return HttpRequest("GET", url, account.headers)


class _Listing(msgspec.Struct):
    total_count: int


_listing = msgspec.json.Decoder(_Listing)


def verified(_account: Account, answer: HttpAnswer) -> Verification:
    """See `Vendor.verified`."""
    if answer.status == 200 and decoded(_listing, answer.body) is not None:
        return Verification(works=True, detail="OneSignal takes messages for the app")
    if answer.status in (400, 401, 403, 404):
        return Verification(works=False, detail="OneSignal refused the API key or does not know the app")
    return Verification(works=False, detail=f"OneSignal answered with status {answer.status}")


# --- events ----------------------------------------------------------------------------------------------------------


def is_genuine(account: Account, callback: CallbackRequest) -> bool:
    """Checks the secret that the event stream sends; OneSignal signs nothing."""
    headers = callback.headers
    given = headers.get("x-webhook-secret") or headers.get("authorization", "").removeprefix("Bearer ")
    found = False
    for secret in account.secrets:
        found |= hmac.compare_digest(secret.encode(), given.encode())
    return found


_KINDS = {
    "sent": "accepted",
    "received": "delivered",
    "confirmed_delivery": "delivered",
    "clicked": "clicked",
    "failed": "failed",
    "unsubscribed": "opted_out",
}


class _Event(msgspec.Struct):
    """Our template: `event` is the kind without what stands before the last dot."""

    event: str
    messageId: str
    subscriptionId: str
    timestamp: str | int | float | None = None
    reason: str | None = None


_events = msgspec.json.Decoder(list[_Event] | _Event)


def read_callback(_account: Account, callback: CallbackRequest) -> CallbackContents:
    """One event, or several."""
    stated = decoded(_events, callback.body)
    if stated is None:
        raise CallbackMalformed("not in the form of docs/providers/onesignal.md")
    events = stated if isinstance(stated, list) else [stated]
    return CallbackContents(receipts=tuple(receipt for event in events if (receipt := _receipt(event)) is not None))


def _receipt(event: _Event) -> VendorReceipt | None:
    kind = _KINDS.get(event.event.rpartition(".")[2].lower())
    if kind is None or not event.messageId or not event.subscriptionId:
        return None
    classes = {"failed": "unknown", "opted_out": "recipient_opted_out"}
    return VendorReceipt(
        reference=None,
        kind=kind,
        provider_message_id=event.messageId,
        address=event.subscriptionId,
        at=_moment(event.timestamp),
        error_class=classes.get(kind),
        code=event.reason if kind in classes else None,
    )


def _moment(stamp: str | int | float | None) -> datetime | None:
    """A time as ISO 8601, or in seconds since 1970."""
    if isinstance(stamp, str) and not stamp.replace(".", "", 1).isdecimal():
        return time_of(stamp)
    try:
        return None if stamp is None else datetime.fromtimestamp(float(stamp), UTC)
    except (ValueError, OverflowError, OSError):
        return None
