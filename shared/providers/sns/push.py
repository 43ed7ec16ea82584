"""AWS SNS, mobile push: one platform endpoint a request, which a device token has to be made first.

https://docs.aws.amazon.com/sns/latest/dg/sns-mobile-application-as-subscriber.html
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import msgspec

from shared.providers.provider import (
    Capabilities,
    Deferred,
    HttpAnswer,
    HttpRequest,
    Message,
    Outcome,
    Refused,
    Unknown,
    Verification,
)
from shared.providers.silent import finding as finding
from shared.providers.silent import question as question
from shared.providers.sns import answers
from shared.providers.sns.account import OFFICIAL_HOSTS, Account, attribute_parameters
from shared.providers.sns.account import account as account
from shared.providers.sns.account import problems as problems
from shared.providers.sns.callbacks import CALLBACK_REPLY as CALLBACK_REPLY
from shared.providers.sns.callbacks import is_genuine as is_genuine
from shared.providers.sns.callbacks import read_callback as read_callback
from shared.providers.standing import authorize as authorize

CAPABILITIES = Capabilities(
    channel="push",
    provider_type="aws_sns",
    official_hosts=OFFICIAL_HOSTS,
    batch_max=1,
    in_flight_max=100,
    receipts="log",
    resend_is_safe=False,
    can_be_asked=False,
    price="none",
    echoes_reference=False,
    prepares=True,
)

_ENDPOINT = re.compile(r"arn:aws[a-z-]*:sns:[a-z0-9-]+:\d{12}:endpoint/[A-Za-z0-9._/=-]+")
_APNS = "AWS.SNS.MOBILE.APNS"
"""Begins the names of attributes that are the same in the sandbox; only the TTL is named after the platform."""

_TTL_SECONDS_MAX = 28 * 86_400
_encode = msgspec.json.encode


def preparation(account: Account, message: Message) -> HttpRequest | None:
    """Makes the endpoint of a device token, or finds it: the request can be repeated.

    An endpoint that was refused as disabled is enabled: nobody sends to such an address until it is registered anew.
    """
    address = str(message.address)
    if (arn := account.disabled.get(address)) is not None:
        attributes = {"Enabled": "true"} if arn == address else {"Enabled": "true", "Token": address}
        return account.request("SetEndpointAttributes", ("EndpointArn", arn), *_entries(attributes))
    if message.address.startswith("arn:") or message.address in account.endpoints:
        return None
    return account.request(
        "CreatePlatformEndpoint",
        ("PlatformApplicationArn", account.application_arn),
        ("Token", message.address),
    )


def prepared(account: Account, message: Message, answer: HttpAnswer) -> Refused | Deferred | None:
    """A token that is known with other user data is refused with its endpoint in the text."""
    address = str(message.address)
    if (enabled := account.disabled.pop(address, None)) is not None:
        return _enabled(account, address, enabled, answer)
    arn = answers.element(answer.body, "EndpointArn") if answer.status == 200 else ""
    if not arn and answer.status == 400:
        known = _ENDPOINT.search(answers.element(answer.body, "Message"))
        arn = known[0] if known else ""
    if _ENDPOINT.fullmatch(arn):
        account.keep_endpoint(address, arn)
        return None
    if answer.status == 200:
        return Deferred("endpoint_missing")
    problem = _certain(answers.problem_of(answer))
    if isinstance(problem, Refused) and problem.error_class == "content":
        return Refused("recipient_permanent", problem.code)  # nothing but the token was in question
    return problem


def _enabled(account: Account, address: str, arn: str, answer: HttpAnswer) -> Refused | Deferred | None:
    """An endpoint that is gone meanwhile is made again by the next attempt."""
    if answer.status == 200:
        if arn != address:
            account.keep_endpoint(address, arn)
        return None
    problem = _certain(answers.problem_of(answer))
    if isinstance(problem, Deferred):
        account.keep_disabled(address, arn)
    elif problem.error_class == "recipient_permanent" and arn != address:
        return Deferred("endpoint_missing", None, problem.code)
    return problem


def _certain(problem: Refused | Deferred | Unknown) -> Refused | Deferred:
    """Preparing sends nothing to anyone, so it can always be repeated."""
    return Deferred(problem.reason, None, problem.code) if isinstance(problem, Unknown) else problem


def _entries(attributes: Mapping[str, str]) -> list[tuple[str, str]]:
    found = []
    for number, (name, value) in enumerate(attributes.items(), 1):
        found += [(f"Attributes.entry.{number}.key", name), (f"Attributes.entry.{number}.value", value)]
    return found


def request(account: Account, message: Message) -> HttpRequest:
    """The platform stands in the endpoint's ARN. `reportUrl` is where the app reports."""
    address = str(message.address)
    arn = address if address.startswith("arn:") else account.endpoints.get(address, "")
    platform = (arn.partition(":endpoint/")[2] or account.application_arn.partition(":app/")[2]).partition("/")[0]
    data = dict(message.data) if message.data else {}
    named = {"reportUrl": message.report_url, "actionUrl": message.action_url}
    data |= {name: value for name, value in named.items() if value is not None}
    body = {"default": message.text}
    ttl = None if message.ttl_seconds is None else min(max(message.ttl_seconds, 0), _TTL_SECONDS_MAX)
    attributes: dict[str, tuple[str, str]] = {}
    if platform.startswith("APNS"):
        body[platform] = _encode(_apns(message, data)).decode()
        attributes[f"{_APNS}.PUSH_TYPE"] = ("String", "alert")
        attributes[f"{_APNS}.PRIORITY"] = ("String", "10" if message.urgent else "5")
        if message.collapse_id is not None:
            attributes[f"{_APNS}.COLLAPSE_ID"] = ("String", message.collapse_id)
        if ttl is not None:
            attributes[f"AWS.SNS.MOBILE.{platform}.TTL"] = ("String", str(ttl))
    elif platform == "GCM":
        body["GCM"] = _encode({"fcmV1Message": {"message": _fcm(message, data, ttl)}}).decode()
        if ttl is not None:
            attributes["AWS.SNS.MOBILE.FCM.TTL"] = ("String", str(ttl))
    return account.request(
        "Publish",
        ("TargetArn", arn),
        ("MessageStructure", "json"),
        ("Message", _encode(body).decode()),
        *attribute_parameters(attributes),
    )


def _apns(message: Message, data: Mapping[str, str]) -> dict[str, Any]:
    alert = {"body": message.text} if message.title is None else {"title": message.title, "body": message.text}
    aps: dict[str, Any] = {"alert": alert, "sound": "default"}
    payload: dict[str, Any] = {**data, "aps": aps}
    if message.image_url is not None:
        aps["mutable-content"] = 1
        payload["imageUrl"] = message.image_url
    return payload


def _fcm(message: Message, data: Mapping[str, str], ttl: int | None) -> dict[str, Any]:
    named = {"title": message.title, "body": message.text, "image": message.image_url}
    android: dict[str, Any] = {"priority": "HIGH" if message.urgent else "NORMAL"}
    if ttl is not None:
        android["ttl"] = f"{ttl}s"
    if message.collapse_id is not None:
        android["notification"] = {"tag": message.collapse_id}
    notification = {name: value for name, value in named.items() if value is not None}
    return {"notification": notification, "data": data, "android": android}


def outcome(account: Account, message: Message, answer: HttpAnswer) -> Outcome:
    """An endpoint that is gone may be made again, so it is forgotten here; one that is disabled may be enabled."""
    found = answers.published(answer)
    if isinstance(found, Refused) and found.error_class == "recipient_permanent":
        address = str(message.address)
        arn = account.endpoints.pop(address, address)
        if found.code == "EndpointDisabled" and arn.startswith("arn:"):
            account.keep_disabled(address, arn)
    return found


def verification(account: Account) -> HttpRequest:
    """Reads the platform application, or where none is named the settings for SMS."""
    if not account.application_arn:
        return account.request("GetSMSAttributes")
    return account.request("GetPlatformApplicationAttributes", ("PlatformApplicationArn", account.application_arn))


def verified(_account: Account, answer: HttpAnswer) -> Verification:
    """See `Vendor.verified`."""
    return answers.verified(answer)
