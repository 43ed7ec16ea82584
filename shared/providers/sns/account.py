"""Our access key at AWS, and the requests that it signs.

https://docs.aws.amazon.com/IAM/latest/UserGuide/create-signed-request.html
"""

from __future__ import annotations

import hashlib
import hmac
import re
import time
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlsplit

from contracts.masked import Secret
from shared.providers.forms import form_quoted
from shared.providers.provider import HttpRequest, Problem
from shared.providers.reading import config_of, missing, secrets_of, text_of, with_control_characters

REGIONS = (
    *("af-south-1", "ap-east-1", "ap-east-2", "ap-northeast-1", "ap-northeast-2", "ap-northeast-3", "ap-south-1"),
    *("ap-south-2", "ap-southeast-1", "ap-southeast-2", "ap-southeast-3", "ap-southeast-4", "ap-southeast-5"),
    *("ap-southeast-7", "ca-central-1", "ca-west-1", "eu-central-1", "eu-central-2", "eu-north-1", "eu-south-1"),
    *("eu-south-2", "eu-west-1", "eu-west-2", "eu-west-3", "il-central-1", "me-central-1", "me-south-1"),
    *("mx-central-1", "sa-east-1", "us-east-1", "us-east-2", "us-west-1", "us-west-2", "us-gov-east-1"),
    *("us-gov-west-1", "cn-north-1", "cn-northwest-1"),
)

_VERSION = "2010-03-31"
_CONTENT_TYPE = "application/x-www-form-urlencoded; charset=utf-8"
_ENDPOINTS_MAX = 50_000
_SENDER_ID = re.compile(r"(?=[A-Za-z0-9]*[A-Za-z])[A-Za-z0-9]{3,11}")
_ORIGINATION = re.compile(r"\+?[0-9]{3,15}")
_MAX_PRICE = re.compile(r"([0-9]{1,4}(\.[0-9]{1,5})?)?")
_TOPIC = re.compile(r"arn:aws[a-z-]*:sns:[a-z0-9-]+:\d{12}:[A-Za-z0-9_-]{1,256}(\.fifo)?")
_APPLICATION = re.compile(r"arn:aws[a-z-]*:sns:[a-z0-9-]+:\d{12}:app/[A-Z_0-9]+/[A-Za-z0-9._-]{1,256}")


def host_in(region: str) -> str:
    """The host of SNS in a region."""
    return f"sns.{region}.amazonaws.com{'.cn' if region.startswith('cn-') else ''}"


OFFICIAL_HOSTS = frozenset(host_in(region) for region in REGIONS)


@dataclass(slots=True)
class Account:
    """`endpoints` are the platform endpoints that this process knows, by device token; `disabled` those that SNS would
    not push to, by address. The oldest are forgotten."""

    named_url: str
    base_url: str
    authority: str
    path: str
    region: str
    access_key: str = field(repr=False)
    secret: Secret = field(repr=False)
    session_token: str = field(repr=False)
    sender_id: str = field(repr=False)
    origination_number: str = field(repr=False)
    attributes: tuple[tuple[str, str], ...] = field(repr=False)
    application_arn: str
    topic_arns: frozenset[str]
    log_secrets: tuple[Secret, ...] = field(repr=False)
    endpoints: OrderedDict[str, str] = field(default_factory=OrderedDict, repr=False)
    disabled: OrderedDict[str, str] = field(default_factory=OrderedDict, repr=False)
    _signing_key: bytes = field(default=b"", repr=False)
    _signing_day: str = ""

    def hosts(self) -> list[tuple[str, str]]:
        """The URLs that the account names, with the field that holds each."""
        return [("config.baseUrl", self.named_url)]

    def keep_endpoint(self, token: str, arn: str) -> None:
        """Remembers a token's endpoint."""
        _keep(self.endpoints, token, arn)

    def keep_disabled(self, address: str, arn: str) -> None:
        """Remembers that an address's endpoint is disabled."""
        _keep(self.disabled, address, arn)

    def request(self, action: str, *parameters: tuple[str, str]) -> HttpRequest:
        """A signed request."""
        parts = [f"Action={action}&Version={_VERSION}"]
        parts += [f"{name}={form_quoted(value)}" for name, value in parameters]
        return self._signed("&".join(parts).encode(), time.strftime("%Y%m%dT%H%M%SZ", time.gmtime()))

    def _signed(self, body: bytes, stamp: str) -> HttpRequest:
        headers = {"content-type": _CONTENT_TYPE, "host": self.authority, "x-amz-date": stamp}
        if self.session_token:
            headers["x-amz-security-token"] = self.session_token
        names = ";".join(headers)
        lines = "".join(f"{name}:{value}\n" for name, value in headers.items())
        canonical = f"POST\n{self.path}\n\n{lines}\n{names}\n{hashlib.sha256(body).hexdigest()}"
        scope = f"{stamp[:8]}/{self.region}/sns/aws4_request"
        text = f"AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
        signature = hmac.digest(self._key_of(stamp[:8]), text.encode(), "sha256").hex()
        credential = f"Credential={self.access_key}/{scope}, SignedHeaders={names}, Signature={signature}"
        signed = [f"{name}: {value}" for name, value in headers.items() if name != "host"]
        return HttpRequest("POST", self.base_url, (*signed, f"authorization: AWS4-HMAC-SHA256 {credential}"), body)

    def _key_of(self, day: str) -> bytes:
        if day != self._signing_day:
            key = f"AWS4{self.secret}".encode()
            for part in (day, self.region, "sns", "aws4_request"):
                key = hmac.digest(key, part.encode(), "sha256")
            self._signing_key, self._signing_day = key, day
        return self._signing_key


def _keep(endpoints: OrderedDict[str, str], address: str, arn: str) -> None:
    endpoints[address] = arn
    endpoints.move_to_end(address)
    while len(endpoints) > _ENDPOINTS_MAX:
        endpoints.popitem(last=False)


def problems(values: Mapping[str, Any]) -> list[Problem]:
    """Needs `apiKey` (the access key's id), `apiSecret` and `config.region`.

    Receipts are believed from `config.topicArns` (a list), and from logs that come with `config.logSecret`. For SMS
    `senderId`, `phoneNumber` (origination number), `config.maxPrice`, `entityId` and `templateId` are passed on; a
    push to device tokens needs `config.platformApplicationArn`.
    """
    config = config_of(values)
    found = missing(values, "apiKey", "apiSecret")
    if (sender_id := text_of(values, "senderId")) and not _SENDER_ID.fullmatch(sender_id):
        found.append(Problem("senderId", "must be 3 to 11 letters and digits, one letter at least"))
    if (number := text_of(values, "phoneNumber")) and not _ORIGINATION.fullmatch(number):
        found.append(Problem("phoneNumber", "must be a number of the account, in international format or short"))
    if not _MAX_PRICE.fullmatch(_max_price(config)):
        found.append(Problem("config.maxPrice", "must be an amount of US dollars such as 0.05"))
    region = text_of(config, "region")
    if not region:
        found.append(Problem("config.region", "is required"))
    elif region not in REGIONS and not text_of(config, "baseUrl"):
        found.append(Problem("config.region", "is no region of AWS that has SNS"))
    elif not re.fullmatch(r"[a-z0-9-]{1,32}", region):
        found.append(Problem("config.region", "must be letters, digits and hyphens"))
    if (arn := text_of(config, "platformApplicationArn")) and not _APPLICATION.fullmatch(arn):
        example = "arn:aws:sns:REGION:ACCOUNT:app/GCM/NAME"
        found.append(Problem("config.platformApplicationArn", f"must be such as {example}"))
    topics = config.get("topicArns", [])
    if not isinstance(topics, list) or not all(isinstance(one, str) and _TOPIC.fullmatch(one) for one in topics):
        found.append(Problem("config.topicArns", "must be a list of ARNs of topics"))
    return found + with_control_characters(values, "apiKey", "apiSecret")


def account(values: Mapping[str, Any]) -> Account:
    """See `Vendor.account`."""
    config = config_of(values)
    region = text_of(config, "region")
    named_url = text_of(config, "baseUrl") or f"https://{host_in(region)}"
    scheme, authority, path = _parts_of(named_url)
    named = (
        ("AWS.SNS.SMS.MaxPrice", _max_price(config)),
        ("AWS.MM.SMS.EntityId", text_of(config, "entityId")),
        ("AWS.MM.SMS.TemplateId", text_of(config, "templateId")),
    )
    return Account(
        named_url=named_url,
        base_url=f"{scheme}://{authority}{path}",
        authority=authority,
        path=quote(path, safe="/~"),
        region=region,
        access_key=text_of(values, "apiKey"),
        secret=Secret(text_of(values, "apiSecret")),
        session_token=text_of(config, "sessionToken"),
        sender_id=text_of(values, "senderId"),
        origination_number=text_of(values, "phoneNumber"),
        attributes=tuple((name, value) for name, value in named if value),
        application_arn=text_of(config, "platformApplicationArn"),
        topic_arns=frozenset(config.get("topicArns") or ()),
        log_secrets=secrets_of(config, "logSecret"),
    )


def _max_price(config: Mapping[str, Any]) -> str:
    """The amount, which may come as a number or as text."""
    given = config.get("maxPrice", "")
    return f"{given:.5f}" if isinstance(given, int | float) and not isinstance(given, bool) else str(given or "")


def _parts_of(url: str) -> tuple[str, str, str]:
    """Scheme, Host header and path as libcurl will send them, the path without dot segments; "" for what is no URL."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return "", "", ""
    host = parts.hostname or ""
    host = f"[{host}]" if ":" in host else host
    segments: list[str] = []
    for segment in parts.path.split("/"):
        if segment == "..":
            del segments[-1:]
        elif segment not in ("", "."):
            segments.append(segment)
    authority = host if port in (None, {"https": 443, "http": 80}.get(parts.scheme)) else f"{host}:{port}"
    return parts.scheme, authority, "".join(f"/{segment}" for segment in segments) + "/"


def attribute_parameters(attributes: Mapping[str, tuple[str, str]]) -> list[tuple[str, str]]:
    """Message attributes (name: type and value) as parameters of the query protocol."""
    found = []
    for number, (name, (kind, value)) in enumerate(attributes.items(), 1):
        entry = f"MessageAttributes.entry.{number}"
        found += [(f"{entry}.Name", name), (f"{entry}.Value.DataType", kind), (f"{entry}.Value.StringValue", value)]
    return found
