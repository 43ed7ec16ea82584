"""The simulator as AWS SNS: SMS, platform endpoints and pushes, delivery logs, signed messages of topics.

SNS calls nobody by itself. Where logs go is set at `/_simulator/log-destinations`, by access key: they arrive as Amazon
Data Firehose delivers them. A person's message arrives as a notification of the topic `INBOUND_TOPIC`, signed with a
key of this process whose certificate is served at `CERTIFICATE_PATH`. Signatures of requests are not checked, as nobody
gave us the secret. Bad numbers are taken, as AWS takes them, and only the log says that they failed.

https://docs.aws.amazon.com/sns/latest/api/welcome.html
"""

from __future__ import annotations

import base64
import gzip
import json
from datetime import UTC, datetime, timedelta
from functools import cache
from uuid import uuid4
from xml.sax.saxutils import escape

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.x509.oid import NameOID

from services.provider_simulator.handlers import OF_REQUESTS, Inbound, Simulator, Submission, app_report
from services.provider_simulator.http_text import Answer, Request, answer_bytes, form_of, request_bytes

PATH = "/"
CONFIRMATION_PATH = "/confirmation"
CERTIFICATE_PATH = "/SimpleNotificationService-simulator.pem"
INBOUND_TOPIC = "arn:aws:sns:us-east-1:000000000000:inbound"
REFUSED_KEY_PREFIX = "WRONG"
"""Access keys with such a beginning are refused, so that wrong credentials can be played."""

_MESSAGE_BYTES_MAX = 1600
_PRICE_USD = 0.00645
_ENDPOINT = ":endpoint/"
_encode = msgspec.json.Encoder().encode


class _Content(msgspec.Struct):
    reportUrl: str = ""


class _Fcm(msgspec.Struct):
    data: _Content


class _FcmV1(msgspec.Struct):
    message: _Fcm


class _Gcm(msgspec.Struct):
    fcmV1Message: _FcmV1


_gcm = msgspec.json.Decoder(_Gcm).decode
_apns = msgspec.json.Decoder(_Content).decode


def _answer(action: str, result: str) -> bytes:
    body = (
        f'<{action}Response xmlns="http://sns.amazonaws.com/doc/2010-03-31/"><{action}Result>{result}</{action}Result>'
        f"<ResponseMetadata><RequestId>{uuid4()}</RequestId></ResponseMetadata></{action}Response>"
    )
    return answer_bytes(200, body.encode(), content_type=b"text/xml")


def _error(status: int, code: str, message: str, headers: bytes = b"") -> bytes:
    body = (
        f'<ErrorResponse xmlns="http://sns.amazonaws.com/doc/2010-03-31/"><Error><Type>Sender</Type><Code>{code}</Code>'
        f"<Message>{escape(message)}</Message></Error><RequestId>{uuid4()}</RequestId></ErrorResponse>"
    )
    return answer_bytes(status, body.encode(), headers, b"text/xml")


def handle(simulator: Simulator, request: Request) -> Answer:
    """Every action, posted to `PATH`."""
    key = _access_key(request.header(b"authorization"))
    if not key or key.startswith(REFUSED_KEY_PREFIX):
        return Answer(_error(403, "InvalidClientTokenId", "The security token included in the request is invalid."))
    try:
        form = form_of(request.body)
    except UnicodeDecodeError:
        return Answer(_error(400, "InvalidParameter", "Invalid parameter: the body is not UTF-8"))
    simulator.secrets[key] = request.header(b"host")
    match form.get("Action", ""):
        case "Publish" if "PhoneNumber" in form:
            return _send_text(simulator, key, form)
        case "Publish":
            return _push(simulator, key, form)
        case "CreatePlatformEndpoint":
            return Answer(_make_endpoint(form))
        case "GetSMSAttributes" as action:
            return Answer(_answer(action, "<attributes/>"))
        case "GetPlatformApplicationAttributes" as action:
            entry = "<entry><key>Enabled</key><value>true</value></entry>"
            return Answer(_answer(action, f"<Attributes>{entry}</Attributes>"))
        case "GetEndpointAttributes" as action:
            token = escape(_token_of(form.get("EndpointArn", "")) or "")
            return Answer(
                _answer(action, f"<Attributes><entry><key>Token</key><value>{token}</value></entry></Attributes>")
            )
        case "SetEndpointAttributes" as action:
            return Answer(_answer(action, ""))
    return Answer(_error(400, "InvalidAction", "The action is not valid for this endpoint."))


def _access_key(authorization: str) -> str:
    return authorization.partition("Credential=")[2].partition("/")[0]


def _attribute(form: dict[str, str], name: str) -> str:
    for number in range(1, 20):
        entry = f"MessageAttributes.entry.{number}"
        if form.get(f"{entry}.Name") == name:
            return form.get(f"{entry}.Value.StringValue", "")
    return ""


def _send_text(simulator: Simulator, key: str, form: dict[str, str]) -> Answer:
    number, text = form["PhoneNumber"], form.get("Message", "")
    if not (number[:1] == "+" and number[1:].isdecimal() and 7 <= len(number) <= 16):
        return Answer(_error(400, "InvalidParameter", f"Invalid parameter: PhoneNumber Reason: {number} is not valid"))
    if not text or len(text.encode()) > _MESSAGE_BYTES_MAX:
        return Answer(_error(400, "InvalidParameter", "Invalid parameter: Message too long"))
    submission = Submission("aws_sns", "", key, number, text, "")
    submission.id, submission.refused_later = str(uuid4()), True
    submission.sender = _attribute(form, "AWS.SNS.SMS.SenderID")
    destination = simulator.destinations.get(key)
    if destination is not None:
        submission.url = destination.url

        def report(submission: Submission, state: str) -> bytes:
            return log_delivery(submission, state, destination.secret)

        submission.report = report
    return _result(simulator, submission)


def _make_endpoint(form: dict[str, str]) -> bytes:
    application, token = form.get("PlatformApplicationArn", ""), form.get("Token", "")
    if ":app/" not in application:
        return _error(400, "InvalidParameter", "Invalid parameter: PlatformApplicationArn Reason: An ARN must have ...")
    if not token:
        return _error(400, "InvalidParameter", "Invalid parameter: Token Reason: must not be empty")
    identity = base64.urlsafe_b64encode(token.encode()).rstrip(b"=").decode()
    arn = f"{application.replace(':app/', _ENDPOINT)}/{identity}"
    return _answer("CreatePlatformEndpoint", f"<EndpointArn>{escape(arn)}</EndpointArn>")


def _token_of(arn: str) -> str | None:
    """The device token in an endpoint's ARN, None for what we did not make."""
    identity = arn.rpartition("/")[2]
    try:
        return base64.urlsafe_b64decode(identity + "=" * (-len(identity) % 4)).decode()
    except ValueError:
        return None


def _push(simulator: Simulator, key: str, form: dict[str, str]) -> Answer:
    arn = form.get("TargetArn", "")
    token = _token_of(arn) if _ENDPOINT in arn else None
    if not token:
        return Answer(_error(404, "NotFound", "No endpoint found for the target arn specified"))
    text, url = _text_of(arn, form)
    submission = Submission("aws_sns", "", key, token, text, url.rpartition("/")[2])
    submission.id = str(uuid4())
    if url.startswith(("http://", "https://")):
        submission.url, submission.by_app, submission.report = url, True, app_report
    return _result(simulator, submission)


def _text_of(arn: str, form: dict[str, str]) -> tuple[str, str]:
    """The text, and where the app reports."""
    if form.get("MessageStructure") != "json":
        return form.get("Message", ""), ""
    platform = arn.partition(_ENDPOINT)[2].partition("/")[0]
    try:
        body = msgspec.json.decode(form.get("Message", ""), type=dict[str, str])
        content = body.get(platform)
        if content is None:
            return body.get("default", ""), ""
        url = _gcm(content).fcmV1Message.message.data.reportUrl if platform == "GCM" else _apns(content).reportUrl
    except msgspec.DecodeError:
        return "", ""
    return body.get("default", ""), url


def _result(simulator: Simulator, submission: Submission) -> Answer:
    result = simulator.submit(submission)
    faults = simulator.fates.faults
    match result.name:
        case "accept_then_hang":
            return Answer(b"", faults.hang_seconds, close=True)
        case "accept_then_close":
            return Answer(b"", result.delay_seconds, close=True)
        case "throttled":
            headers = b"retry-after: %d\r\n" % faults.retry_after_seconds
            return Answer(_error(429, "Throttled", "Rate exceeded", headers), result.delay_seconds)
        case "dead_address" | "opted_out_address" if not submission.refused_later:
            return Answer(_error(400, "EndpointDisabled", "Endpoint is disabled"), result.delay_seconds)
        case name if name in OF_REQUESTS:
            return Answer(_error(500, "InternalError", "try again"), result.delay_seconds)
    return Answer(_answer("Publish", f"<MessageId>{submission.id}</MessageId>"), result.delay_seconds)


# --- what SNS tells later --------------------------------------------------------------------------------------------

_RESPONSES = {
    "sent": "Message has been accepted by phone carrier",
    "delivered": "Message has been accepted by phone",
    "undelivered": "Phone is currently unreachable/unavailable",
    "failed": "Invalid phone number",
}


def log_delivery(submission: Submission, state: str, secret: str) -> bytes:
    """A log record as Firehose delivers it."""
    now = datetime.now(UTC)
    delivery: dict[str, object] = {
        "destination": submission.address,
        "priceInUSD": _PRICE_USD if state != "failed" else 0.0,
        "smsType": "Promotional",
        "numberOfMessageParts": 1,
        "providerResponse": _RESPONSES[state],
        "dwellTimeMs": 122,
    }
    if state == "delivered":
        delivery["dwellTimeMsUntilDeviceAck"] = 1344
    record = {
        "notification": {"messageId": submission.id, "timestamp": now.strftime("%Y-%m-%d %H:%M:%S.%f")[:-3]},
        "delivery": delivery,
        "status": "SUCCESS" if state in ("sent", "delivered") else "FAILURE",
    }
    stamp = int(now.timestamp() * 1000)
    logs = {
        "messageType": "DATA_MESSAGE",
        "owner": "000000000000",
        "logGroup": "sns/us-east-1/000000000000/DirectPublishToPhoneNumber",
        "logStream": "simulator",
        "subscriptionFilters": ["firehose"],
        "logEvents": [{"id": "0", "timestamp": stamp, "message": json.dumps(record)}],
    }
    packed = base64.b64encode(gzip.compress(_encode(logs), compresslevel=1)).decode()
    body = _encode({"requestId": str(uuid4()), "timestamp": stamp, "records": [{"data": packed}]})
    headers = (
        b"content-type: application/json\r\nx-amz-firehose-protocol-version: 1.0\r\n"
        b"x-amz-firehose-access-key: %b\r\n" % secret.encode()
    )
    return request_bytes(submission.url, body, headers)


@cache
def _signing() -> tuple[rsa.RSAPrivateKey, bytes]:
    """A key and its certificate, made once."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "sns.simulator")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=365))
        .sign(key, hashes.SHA256())
    )
    return key, certificate.public_bytes(serialization.Encoding.PEM)


def give_certificate(_simulator: Simulator, _request: Request) -> Answer:
    """`CERTIFICATE_PATH`."""
    return Answer(answer_bytes(200, _signing()[1], content_type=b"application/x-pem-file"))


def give_confirmation(_simulator: Simulator, _request: Request) -> Answer:
    """Where a `SubscribeURL` leads."""
    return Answer(_answer("ConfirmSubscription", "<SubscriptionArn>arn</SubscriptionArn>"))


def signed_message(kind: str, topic: str, message: str, authority: str, version: str = "2") -> dict[str, str]:
    """A message of a topic with SNS's signature; `authority` is where this simulator is reached."""
    posted = {
        "Type": kind,
        "MessageId": str(uuid4()),
        "TopicArn": topic,
        "Message": message,
        "Timestamp": datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
    }
    names = ["Message", "MessageId", "Timestamp", "TopicArn", "Type"]
    if kind == "SubscriptionConfirmation":
        posted |= {"Token": uuid4().hex, "SubscribeURL": f"http://{authority}{CONFIRMATION_PATH}"}
        names = ["Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"]
    text = "".join(f"{name}\n{posted[name]}\n" for name in names)
    digest = hashes.SHA256() if version == "2" else hashes.SHA1()
    signature = _signing()[0].sign(text.encode(), PKCS1v15(), digest)
    return posted | {
        "SignatureVersion": version,
        "Signature": base64.b64encode(signature).decode(),
        "SigningCertURL": f"http://{authority}{CERTIFICATE_PATH}",
    }


def inbound_request(inbound: Inbound, authority: str) -> tuple[str, bytes]:
    """The id of a message that a person sends to one of the account's numbers, and the request that tells of it."""
    identity = str(uuid4())
    message = {
        "originationNumber": inbound.from_,
        "destinationNumber": inbound.to,
        "messageKeyword": "KEYWORD",
        "messageBody": inbound.body,
        "inboundMessageId": identity,
    }
    posted = signed_message("Notification", INBOUND_TOPIC, json.dumps(message), authority)
    headers = b"content-type: text/plain; charset=UTF-8\r\nx-amz-sns-message-type: Notification\r\n"
    return identity, request_bytes(inbound.url, _encode(posted), headers)
