"""What reaches us from AWS: messages that SNS posts for topics, and log records.

https://docs.aws.amazon.com/sns/latest/dg/sns-verify-signature-of-message.html
"""

from __future__ import annotations

import base64
import binascii
import hmac
import re
import time
from functools import lru_cache

import msgspec
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from contracts.masked import PhoneNumber
from shared.providers.keywords import intent_of
from shared.providers.provider import (
    CallbackContents,
    CallbackMalformed,
    CallbackRequest,
    DocumentNeeded,
    HttpReply,
    InboundMessage,
)
from shared.providers.reading import decoded, host_of, is_plain_url, time_of
from shared.providers.sns import logs
from shared.providers.sns.account import Account

CALLBACK_REPLY = HttpReply(200, "text/plain", b"")

_AGE_SECONDS_MAX = 3_600 + 300
"""SNS tries to deliver a message for an hour at most."""

_AMAZON = re.compile(r"sns\.(?!s3-)[a-zA-Z0-9-]{3,}\.amazonaws\.com(\.cn)?")
"""But not the bucket that somebody has called sns."""

_CONFIRMATIONS = ("SubscriptionConfirmation", "UnsubscribeConfirmation")
_SIGNED = ("Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type")
_SIGNED_CONFIRMATION = ("Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type")
_HASHES = {"1": hashes.SHA1, "2": hashes.SHA256}


class _Posted(msgspec.Struct, rename="pascal"):
    """A message of a topic; the fields are signed as they came."""

    type: str
    message_id: str
    topic_arn: str
    message: str
    timestamp: str
    signature_version: str
    signature: str
    signing_cert_url: str = msgspec.field(name="SigningCertURL")
    subject: str | None = None
    token: str | None = None
    subscribe_url: str | None = msgspec.field(default=None, name="SubscribeURL")


_posted = msgspec.json.Decoder(_Posted)
_FIELDS = {"SubscribeURL": "subscribe_url"} | {
    name: re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower() for name in (*_SIGNED, "Token")
}


def is_genuine(account: Account, callback: CallbackRequest) -> bool:
    """A message that SNS signed for one of the account's topics, or logs that come with the account's secret."""
    headers = callback.headers
    if "x-amz-sns-message-type" in headers:
        return _is_signed(account, callback)
    given = headers.get("x-amz-firehose-access-key") or headers.get("authorization", "").removeprefix("Bearer ")
    found = False
    for secret in account.log_secrets:
        found |= hmac.compare_digest(secret.encode(), given.encode())
    return found


def _is_signed(account: Account, callback: CallbackRequest) -> bool:
    posted = decoded(_posted, callback.body)
    if posted is None or posted.topic_arn not in account.topic_arns or not _is_of_aws(account, posted.signing_cert_url):
        return False
    at, digest = time_of(posted.timestamp), _HASHES.get(posted.signature_version)
    if at is None or digest is None or abs(time.time() - at.timestamp()) > _AGE_SECONDS_MAX:
        return False
    if not (is_plain_url(posted.signing_cert_url) and posted.signing_cert_url.endswith(".pem")):
        return False
    certificate = callback.documents.get(posted.signing_cert_url)
    if certificate is None:
        raise DocumentNeeded(posted.signing_cert_url)
    key = _key_in(certificate)
    if key is None or key[1] < time.time():
        return False
    try:
        key[0].verify(base64.b64decode(posted.signature), signed_text(posted), PKCS1v15(), digest())
    except (InvalidSignature, binascii.Error):
        return False
    return True


def signed_text(posted: _Posted) -> bytes:
    """What SNS signs: names and values of the fields, a line each."""
    names = _SIGNED_CONFIRMATION if posted.type in _CONFIRMATIONS else _SIGNED
    values = ((name, getattr(posted, _FIELDS[name])) for name in names)
    return "".join(f"{name}\n{value}\n" for name, value in values if value is not None).encode()


def _is_of_aws(account: Account, url: str) -> bool:
    """A URL of SNS itself, or of the server that the operator has allowed the account to use instead."""
    host = host_of(url)
    if _AMAZON.fullmatch(host) and url.startswith(f"https://{host}/"):
        return True
    return bool(host) and host == host_of(account.base_url) and not _AMAZON.fullmatch(host)


@lru_cache(maxsize=32)
def _key_in(certificate: bytes) -> tuple[RSAPublicKey, float] | None:
    """The key, and when the certificate expires; None for what is none."""
    try:
        read = x509.load_pem_x509_certificate(certificate)
        key = read.public_key()
    except ValueError:
        return None
    return (key, read.not_valid_after_utc.timestamp()) if isinstance(key, RSAPublicKey) else None


class _TwoWay(msgspec.Struct):
    """https://docs.aws.amazon.com/sms-voice/latest/userguide/two-way-sms-payload.html"""

    originationNumber: str
    destinationNumber: str
    messageBody: str
    inboundMessageId: str = ""


_two_way = msgspec.json.Decoder(_TwoWay)


def read_callback(account: Account, callback: CallbackRequest) -> CallbackContents:
    """Receipts in logs and events, a person's message, or a subscription that wants to be confirmed."""
    if "x-amz-sns-message-type" not in callback.headers:
        return logs.read_delivery(callback.body)
    posted = decoded(_posted, callback.body)
    if posted is None:
        raise CallbackMalformed("not a message of SNS")
    if posted.type == "SubscriptionConfirmation":
        if posted.subscribe_url is None or not _is_of_aws(account, posted.subscribe_url):
            raise CallbackMalformed("a confirmation without a SubscribeURL of AWS")
        return CallbackContents(visit=posted.subscribe_url)
    if posted.type != "Notification":
        return CallbackContents()
    two_way = decoded(_two_way, posted.message.encode())
    if two_way is not None:
        return CallbackContents(inbound=(_inbound(two_way),))
    return CallbackContents(receipts=logs.read_records([posted.message.encode()]))


def _inbound(stated: _TwoWay) -> InboundMessage:
    return InboundMessage(
        address=PhoneNumber(stated.originationNumber),
        to=stated.destinationNumber,
        text=stated.messageBody,
        intent=intent_of(stated.messageBody),
        provider_message_id=stated.inboundMessageId or None,
    )
