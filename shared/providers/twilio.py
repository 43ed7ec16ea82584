"""Twilio Programmable Messaging: one SMS a request, signed status webhooks, no idempotency.

https://www.twilio.com/docs/messaging/api/message-resource
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import quote, urlsplit

import msgspec

from contracts.masked import PhoneNumber, Secret
from shared.providers.forms import body_pairs, form_quoted
from shared.providers.keywords import intent_of
from shared.providers.provider import (
    Absent,
    Accepted,
    CallbackContents,
    CallbackMalformed,
    CallbackRequest,
    Capabilities,
    Deferred,
    Finding,
    Found,
    HttpAnswer,
    HttpReply,
    HttpRequest,
    InboundMessage,
    Message,
    Outcome,
    Problem,
    Refused,
    Unclear,
    Unknown,
    VendorReceipt,
    Verification,
)
from shared.providers.reading import (
    config_of,
    decoded,
    missing,
    query_of,
    seen_before,
    text_of,
    with_control_characters,
)
from shared.providers.standing import authorize as authorize

CAPABILITIES = Capabilities(
    channel="sms",
    provider_type="twilio",
    official_hosts=frozenset({"api.twilio.com"}),
    batch_max=1,
    in_flight_max=100,
    receipts="webhook",
    resend_is_safe=False,
    can_be_asked=True,
    price="later",
    rate_unit="segments",
)
CALLBACK_REPLY = HttpReply(200, "text/xml", b"<Response/>")

_OFFICIAL = "https://api.twilio.com"
_THROTTLED_SECONDS = 1.0
_CLOCK_SKEW = timedelta(seconds=5)
_TTL_SECONDS_MAX = 36_000


@dataclass(frozen=True, slots=True)
class Account:
    """Our credentials at Twilio; everything a request repeats is made once."""

    base_url: str
    messages_url: str
    account_url: str
    headers: tuple[str, ...] = field(repr=False)
    sender_field: str = field(repr=False)
    sender: str = field(repr=False)
    signing_secrets: Mapping[str, Secret] = field(repr=False)

    def hosts(self) -> list[tuple[str, str]]:
        """The URLs that the account names, with the field that holds each."""
        return [("config.baseUrl", self.base_url)]


def problems(values: Mapping[str, Any]) -> list[Problem]:
    """Needs `accountSid`, `apiSecret`, and `phoneNumber` or `config.messagingServiceSid`; an API key is optional."""
    config = config_of(values)
    found = missing(values, "accountSid", "apiSecret")
    account_sid = text_of(values, "accountSid")
    if account_sid and not (account_sid.startswith("AC") and account_sid.isalnum()):
        found.append(Problem("accountSid", "must start with AC and hold letters and digits only"))
    if not text_of(values, "phoneNumber") and not text_of(config, "messagingServiceSid"):
        found.append(Problem("phoneNumber", "is required unless config.messagingServiceSid is given"))
    service = text_of(config, "messagingServiceSid")
    if service and not service.startswith("MG"):
        found.append(Problem("config.messagingServiceSid", "must start with MG"))
    return found + with_control_characters(values, "accountSid", "apiKey", "apiSecret")


def account(values: Mapping[str, Any]) -> Account:
    """See `Vendor.account`. An API key's secret is not what Twilio signs with: that is `config.authToken`."""
    config = config_of(values)
    account_sid, api_key, secret = (text_of(values, name) for name in ("accountSid", "apiKey", "apiSecret"))
    user = api_key if api_key.startswith("SK") else account_sid
    service = text_of(config, "messagingServiceSid")
    base_url = (text_of(config, "baseUrl") or _OFFICIAL).rstrip("/")
    root = f"{base_url}/2010-04-01/Accounts/{quote(account_sid, safe='')}"
    shared_keys = config.get("sharedKeys")
    keys = {str(name): Secret(key) for name, key in shared_keys.items()} if isinstance(shared_keys, dict) else {}
    sender = service or text_of(values, "phoneNumber")
    return Account(
        base_url=base_url,
        messages_url=f"{root}/Messages.json",
        account_url=f"{root}.json",
        headers=(
            "Authorization: Basic " + base64.b64encode(f"{user}:{secret}".encode()).decode(),
            "Content-Type: application/x-www-form-urlencoded",
        ),
        sender_field=("MessagingServiceSid=" if service else "From=") + form_quoted(sender),
        sender=sender,
        signing_secrets={**keys, "": Secret(text_of(config, "authToken") or secret)},
    )


def request(account: Account, message: Message) -> HttpRequest:
    """See `Vendor.request`."""
    parts = [account.sender_field, "&To=", form_quoted(message.address), "&Body=", form_quoted(message.text)]
    if message.callback_url is not None:
        parts += ("&StatusCallback=", form_quoted(message.callback_url))
    if message.ttl_seconds is not None:
        parts.append(f"&ValidityPeriod={min(max(message.ttl_seconds, 1), _TTL_SECONDS_MAX)}")
    return HttpRequest("POST", account.messages_url, account.headers, "".join(parts).encode())


class _SentMessage(msgspec.Struct, gc=False):
    sid: str
    num_segments: str | None = None


class _Error(msgspec.Struct, gc=False):
    code: int | None = None


_sent_message = msgspec.json.Decoder(_SentMessage)
_error = msgspec.json.Decoder(_Error)

# https://www.twilio.com/docs/api/errors (status 20xxx and 21xxx come with the answer, 30xxx with the webhook)
_CLASSES: dict[str, tuple[int, ...]] = {
    "recipient_permanent": (21211, 21217, 21401, 21614, 30005, 30006),
    "recipient_opted_out": (21610,),
    "recipient_temporary": (21612, 30003, 30004, 30450),
    "throttled": (20429, 21611, 30001, 30017, 30022, 30023, 30027),
    "transient": (20500, 20503, 30008),
    "content": (21602, 21617, 21618, 21620, 30007, 30019, 30036),
    "config": (
        *(20003, 20404, 21212, 21219, 21408, 21603, 21606, 21608, 21701, 21703, 21704, 21705),
        *(30002, 30024, 30032, 30033, 30034, 30035, 90010),
    ),
    "unknown": (30410,),
}
_CLASS_OF = {code: error_class for error_class, codes in _CLASSES.items() for code in codes}


def error_class_of(code: int | None) -> str:
    """The class of one of Twilio's codes."""
    return _CLASS_OF.get(code, "unknown") if code is not None else "unknown"


def outcome(_account: Account, _message: Message, answer: HttpAnswer) -> Outcome:
    """429 is documented as never processed; a 5xx is not, so the message may have been taken."""
    if answer.status in (200, 201):
        sent = decoded(_sent_message, answer.body)
        if sent is None or not sent.sid:
            return Unknown("malformed")
        segments = sent.num_segments
        return Accepted(sent.sid, int(segments) if segments and segments.isdecimal() and segments != "0" else None)
    error = decoded(_error, answer.body)
    number = error.code if error else None
    code = str(number) if number is not None else str(answer.status)
    error_class = error_class_of(number)
    if answer.status == 429 or (error_class == "throttled" and answer.status < 500):
        return Deferred("throttled", answer.retry_after_seconds or _THROTTLED_SECONDS, code)
    if answer.status >= 500 or answer.status < 300:
        return Unknown("server_error" if answer.status >= 500 else "malformed", code)
    if error_class == "unknown" and answer.status in (401, 403, 404):
        return Refused("config", code)
    return Refused(error_class if number is not None else "content" if answer.status == 400 else "config", code)


def question(account: Account, message: Message, attempted_at: datetime) -> HttpRequest:
    """Lists what was sent to the address from the day of the attempt on."""
    day = (attempted_at - _CLOCK_SKEW).astimezone(UTC).date().isoformat()
    query = f"To={form_quoted(message.address)}&DateSent%3E={day}&PageSize=200"
    return HttpRequest("GET", f"{account.messages_url}?{query}", account.headers)


class _ListedMessage(msgspec.Struct, gc=False):
    sid: str
    body: str | None = None
    status: str | None = None
    direction: str | None = None
    date_created: str | None = None
    error_code: int | None = None
    num_segments: str | None = None


class _Listing(msgspec.Struct):
    messages: list[_ListedMessage]
    next_page_uri: str | None = None


_listing = msgspec.json.Decoder(_Listing)


def finding(
    _account: Account, message: Message, attempted_at: datetime, others: Collection[str], answer: HttpAnswer
) -> Finding:
    """A listed message does not say its reference, so text and time must match, and exactly one message must."""
    if answer.status != 200:
        return Unclear(f"status_{answer.status}")
    listing = decoded(_listing, answer.body)
    if listing is None:
        return Unclear("malformed")
    earliest = attempted_at - _CLOCK_SKEW
    matching = [
        listed
        for listed in listing.messages
        if listed.body == message.text
        and listed.sid not in others
        and (listed.direction or "outbound").startswith("outbound")
        and not seen_before(_time_of(listed.date_created), earliest)
    ]
    if len(matching) > 1:
        return Unclear("several_match")
    if not matching:
        return Unclear("too_many_listed") if listing.next_page_uri else Absent()
    (match,) = matching
    if match.status in ("failed", "undelivered", "canceled"):
        return Found(Refused(error_class_of(match.error_code), str(match.error_code or match.status)))
    segments = match.num_segments
    return Found(Accepted(match.sid, int(segments) if segments and segments.isdecimal() and segments != "0" else None))


def _time_of(date: str | None) -> datetime | None:
    try:
        return parsedate_to_datetime(date) if date else None
    except ValueError:
        return None


def verification(account: Account) -> HttpRequest:
    """Reads our own account record."""
    return HttpRequest("GET", account.account_url, account.headers)


class _AccountRecord(msgspec.Struct):
    status: str = "active"


_account_record = msgspec.json.Decoder(_AccountRecord)


def verified(_account: Account, answer: HttpAnswer) -> Verification:
    """See `Vendor.verified`."""
    if answer.status == 200:
        record = decoded(_account_record, answer.body)
        if record is None:
            return Verification(works=False, detail="the answer is not Twilio's")
        return Verification(works=record.status == "active", detail=f"the account is {record.status}")
    if answer.status in (401, 403, 404):
        return Verification(works=False, detail="Twilio refused the credentials")
    return Verification(works=False, detail=f"Twilio answered with status {answer.status}")


# https://www.twilio.com/docs/usage/webhooks/webhooks-security
def is_genuine(account: Account, callback: CallbackRequest) -> bool:
    """Checks `X-Twilio-Signature` over the URL (with and without default port) and the form, or `bodySHA256`."""
    given = callback.headers.get("x-twilio-signature")
    stated = callback.headers.get("x-twilio-webhooks-signature-settings")
    settings = dict(parse_setting(stated)) if stated else {}
    secret = account.signing_secrets.get(settings.get("key", ""))
    digest = {"HMAC_SHA1": hashlib.sha1, "HMAC_SHA256": hashlib.sha256}.get(settings.get("algorithm", "HMAC_SHA1"))
    if not given or secret is None or digest is None:
        return False
    form = ""
    expected_body = query_of(callback.url).get("bodySHA256") if "bodySHA256" in callback.url else None
    if expected_body is not None:
        if not _same(hashlib.sha256(callback.body).hexdigest(), expected_body):
            return False
    elif callback.body:
        try:
            pairs = set(body_pairs(callback.body))
        except UnicodeDecodeError:
            return False
        form = "".join(name + value for name, value in sorted(pairs))
    key = secret.encode()
    return any(
        _same(base64.b64encode(hmac.digest(key, (url + form).encode(), digest)).decode(), given)
        for url in _urls(callback.url)
    )


def parse_setting(header: str) -> Iterator[tuple[str, str]]:
    """The pairs of `key=…,algorithm=…`."""
    for part in header.split(","):
        name, equals, value = part.strip().partition("=")
        if equals:
            yield name, value


def _same(ours: str, theirs: str) -> bool:
    return hmac.compare_digest(ours.encode(), theirs.encode())


def _urls(url: str) -> Iterator[str]:
    yield url
    parts = urlsplit(url)
    port = {"https": 443, "http": 80}.get(parts.scheme)
    if parts.port is None and port is not None:
        user, at, host = parts.netloc.rpartition("@")
        yield parts._replace(netloc=f"{user}{at}{host}:{port}").geturl()
    elif parts.port is not None:
        yield parts._replace(netloc=parts.netloc.removesuffix(f":{parts.port}")).geturl()


# https://www.twilio.com/docs/messaging/guides/track-outbound-message-status
_KINDS = {
    "queued": "accepted",
    "accepted": "accepted",
    "scheduled": "accepted",
    "sending": "accepted",
    "sent": "accepted",
    "delivered": "delivered",
    "read": "opened",
    "undelivered": "bounced",
    "failed": "failed",
    "canceled": "failed",
}


def read_callback(_account: Account, callback: CallbackRequest) -> CallbackContents:
    """A status webhook, or a message that a person sent to us."""
    try:
        form = dict(body_pairs(callback.body))
    except UnicodeDecodeError:
        raise CallbackMalformed("the form is not UTF-8") from None
    sid = form.get("MessageSid") or form.get("SmsSid")
    if not sid:
        raise CallbackMalformed("no MessageSid")
    status = form.get("MessageStatus") or form.get("SmsStatus") or ""
    if "Body" in form and status in ("", "received", "receiving"):
        return CallbackContents(inbound=(_inbound(form, sid),))
    kind = _KINDS.get(status)
    if kind is None:
        return CallbackContents()
    code = form.get("ErrorCode") or None
    failed = kind in ("bounced", "failed")
    error_class = error_class_of(int(code) if code and code.isdecimal() else None) if failed else None
    reference = query_of(callback.url).get("ref") or None
    receipt = VendorReceipt(
        reference=reference,
        kind="opted_out" if error_class == "recipient_opted_out" else kind,
        provider_message_id=sid,
        error_class=error_class,
        code=code if failed else None,
    )
    return CallbackContents(receipts=(receipt,))


def _inbound(form: Mapping[str, str], sid: str) -> InboundMessage:
    if not form.get("From"):
        raise CallbackMalformed("an inbound message without From")
    return InboundMessage(
        address=PhoneNumber(form["From"]),
        to=form.get("To", ""),
        text=form["Body"],
        intent=form.get("OptOutType", "").lower() or intent_of(form["Body"]),
        provider_message_id=sid,
    )
