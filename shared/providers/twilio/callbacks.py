"""Twilio's webhooks: what they are signed with, and what they say.

https://www.twilio.com/docs/usage/webhooks/webhooks-security
https://www.twilio.com/docs/messaging/guides/track-outbound-message-status
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Iterator, Mapping
from urllib.parse import urlsplit

from contracts.masked import PhoneNumber
from shared.providers.forms import body_pairs
from shared.providers.keywords import intent_of
from shared.providers.provider import (
    CallbackContents,
    CallbackMalformed,
    CallbackRequest,
    InboundMessage,
    VendorReceipt,
)
from shared.providers.reading import query_of
from shared.providers.twilio.account import Account
from shared.providers.twilio.codes import error_class_of


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
