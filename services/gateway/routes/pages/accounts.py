"""Provider accounts: what each vendor needs, setting one up, and asking the vendor whether it works."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal
from uuid import UUID

from fastapi import APIRouter, Response

from contracts.channels import CHANNELS, Channel
from services.gateway.routes.pages.api import Json, path_of
from services.gateway.routes.pages.desks import AtDesk, Desk, Form, Sent, field_errors
from services.gateway.routes.pages.words import CHANNEL_WORDS
from shared.http import Problem

LIST_LIMIT = 100
PREFIX = "config."
router = APIRouter(prefix="/notification/providers")


@dataclass(frozen=True, slots=True)
class Setting:
    """One thing that a vendor needs; `name` is as the API spells it, `config.` before what is in the configuration."""

    name: str
    label: str
    hint: str = ""
    kind: Literal["text", "number", "switch", "list"] = "text"
    is_secret: bool = False
    is_long: bool = False


@dataclass(frozen=True, slots=True)
class VendorForm:
    """A vendor by the name that people know, and its settings."""

    name: str
    settings: tuple[Setting, ...]


_AWS = (
    Setting("apiKey", "Access key id", is_secret=True),
    Setting("apiSecret", "Secret access key", is_secret=True),
    Setting("config.region", "Region", "Such as eu-central-1."),
)
_ELSEWHERE = "Only for rehearsals, at hosts that your operator allows; config.{} in the documentation."
_SERVER = Setting("config.baseUrl", "Base URL of another server", _ELSEWHERE.format("baseUrl"))
_TOPICS = Setting("config.topicArns", "Topics of receipts", "Their ARNs, separated by commas.", "list")
_APPLICATION = Setting("config.platformApplicationArn", "Platform application ARN", "For device tokens.")
_LOG_SECRET = Setting("config.logSecret", "Log secret", "Of the delivery logs' subscription.", is_secret=True)
_PACE = (
    Setting("config.ratePerSecond", "Messages a second at most", "Empty: as fast as the vendor allows.", "number"),
    Setting("config.concurrentMax", "Requests at a time at most", "Empty: as many as the vendor allows.", "number"),
)
_OF_INDIA = "For India, where texts and senders are registered."

VENDOR_FORMS: dict[str, dict[str, VendorForm]] = {
    "sms": {
        "twilio": VendorForm(
            "Twilio",
            (
                Setting("accountSid", "Account SID"),
                Setting("apiKey", "API key SID", "Empty when you use the account's auth token.", is_secret=True),
                Setting("apiSecret", "Secret or auth token", is_secret=True),
                Setting("phoneNumber", "Sender number", "With country code; or a messaging service below."),
                Setting("config.messagingServiceSid", "Messaging service SID"),
                Setting("config.authToken", "Auth token", "With an API key: verifies callbacks.", is_secret=True),
                _SERVER,
                *_PACE,
            ),
        ),
        "aws_sns": VendorForm(
            "Amazon SNS",
            (
                *_AWS,
                Setting("senderId", "Sender name", "Empty: the account's own."),
                Setting("config.maxPrice", "Most to pay for a message", "In US dollars, such as 0.50.", "number"),
                Setting("config.entityId", "Entity id", _OF_INDIA),
                Setting("config.templateId", "Template id", _OF_INDIA),
                _TOPICS,
                _LOG_SECRET,
                _SERVER,
                *_PACE,
            ),
        ),
        "nexmo": VendorForm(
            "Vonage (Nexmo)",
            (
                Setting("apiKey", "API key", is_secret=True),
                Setting("apiSecret", "API secret", is_secret=True),
                Setting("phoneNumber", "Sender number or name"),
                Setting("config.api", "API", "sms for the older SMS API; empty: the Messages API."),
                Setting("config.signatureSecret", "Signature secret", "Verifies callbacks.", is_secret=True),
                Setting("config.signatureMethod", "How it signs", "For the SMS API; md5hash, sha256 or the like."),
                Setting("config.applicationId", "Application id", "For the Messages API."),
                Setting("config.privateKey", "Private key", "For the Messages API.", is_secret=True, is_long=True),
                _SERVER,
                *_PACE,
            ),
        ),
        "sinch": VendorForm(
            "Sinch",
            (
                Setting("apiKey", "API token", is_secret=True),
                Setting("config.servicePlanId", "Service plan id"),
                Setting("config.region", "Region", "us, eu, au, br or ca; empty: us."),
                Setting("config.webhookSecret", "Webhook secret", is_secret=True),
                Setting("phoneNumber", "Sender number"),
                _SERVER,
                *_PACE,
            ),
        ),
    },
    "push": {
        "firebase": VendorForm(
            "Firebase",
            (
                Setting(
                    "config.serviceAccount", "Service account", "The JSON file, whole.", is_secret=True, is_long=True
                ),
                Setting("config.projectId", "Project id", "Empty: the service account's own."),
                _SERVER,
                *_PACE,
            ),
        ),
        "onesignal": VendorForm(
            "OneSignal",
            (
                Setting("apiKey", "REST API key", is_secret=True),
                Setting("config.appId", "App id"),
                Setting("config.webhookSecret", "Webhook secret", is_secret=True),
                _SERVER,
                *_PACE,
            ),
        ),
        "aws_sns": VendorForm("Amazon SNS", (*_AWS, _APPLICATION, _TOPICS, _LOG_SECRET, _SERVER, *_PACE)),
        "apns": VendorForm(
            "Apple (APNs)",
            (
                Setting("config.keyId", "Key id"),
                Setting("config.teamId", "Team id"),
                Setting("config.topic", "Topic", "The bundle id of the app."),
                Setting("config.privateKey", "Private key", "The .p8 file, whole.", is_secret=True, is_long=True),
                Setting(
                    "config.certificate",
                    "Certificate",
                    "PEM with its key, in place of all above.",
                    is_secret=True,
                    is_long=True,
                ),
                Setting("config.sandbox", "Sandbox, for builds from Xcode", kind="switch"),
                Setting("config.host", "Host of another server", _ELSEWHERE.format("host")),
                Setting("config.port", "Its port", kind="number"),
                _SERVER,
                *_PACE,
            ),
        ),
    },
}


@router.get("")
async def list_accounts(desk: AtDesk) -> Response:
    """The accounts of all channels."""
    found = {name: (await desk.get(path_of(name, "providers"), limit=LIST_LIMIT)).data for name in CHANNELS}
    return desk.show("providers/list.html", accounts=found, vendors=VENDOR_FORMS)


def account_pages(channel: Channel) -> APIRouter:
    """The pages under `/{channel}/providers`."""
    pages = APIRouter(prefix=f"/notification/{channel.name}/providers")
    at = path_of(channel.name, "providers")
    words, vendors = CHANNEL_WORDS[channel.name], VENDOR_FORMS[channel.name]

    def form_page(
        desk: Desk, vendor: str, values: Json, account: Json | None = None, problem: Problem | None = None
    ) -> Response:
        labels = {"providerName": "Name"} | {one.name: one.label for one in vendors[vendor].settings}
        errors = {} if problem is None else field_errors(problem)
        return desk.show(
            "providers/form.html",
            status=200 if problem is None else problem.status,
            labels=labels,
            words=words,
            vendor=vendor,
            form=vendors[vendor],
            values=values,
            account=account,
            errors={field: _by_labels(message, labels) for field, message in errors.items()},
        )

    def known(vendor: str) -> str:
        if vendor not in vendors:
            raise Problem(404, "Not found")
        return vendor

    @pages.get("/new")
    async def begin(desk: AtDesk, vendor: str) -> Response:
        return form_page(desk, known(vendor), {"providerName": vendors[known(vendor)].name, "isActive": "yes"})

    @pages.post("/new")
    async def create(desk: AtDesk, sent: Sent, vendor: str) -> Response:
        body = {**_account_of(sent, vendors[known(vendor)]), "providerType": vendor}
        try:
            made = (await desk.do("POST", at, body)).data
        except Problem as problem:
            if problem.status != 422:
                raise
            return form_page(desk, vendor, sent.values, problem=problem)
        return desk.go(f"/notification{at}/{made['id']}", "The account is saved. Ask the vendor whether it works.")

    @pages.get("/{account_id}")
    async def edit(desk: AtDesk, account_id: UUID) -> Response:
        account = (await desk.get(f"{at}/{account_id}")).data
        return form_page(desk, account["providerType"], _values_of(account, vendors), account)

    @pages.post("/{account_id}")
    async def change(desk: AtDesk, sent: Sent, account_id: UUID) -> Response:
        account = (await desk.get(f"{at}/{account_id}")).data
        body = _account_of(sent, vendors[account["providerType"]], account["config"])
        try:
            await desk.do("PATCH", f"{at}/{account_id}", body)
        except Problem as problem:
            if problem.status != 422:
                raise
            return form_page(desk, account["providerType"], sent.values, account, problem)
        return desk.go(f"/notification{at}/{account_id}", "The account is saved.")

    @pages.post("/{account_id}/verify")
    async def verify(desk: AtDesk, account_id: UUID) -> Response:
        found = (await desk.do("POST", f"{at}/{account_id}/verify")).data
        said = "The vendor says that this account works." if found["works"] else f"It does not work: {found['detail']}"
        return desk.go(f"/notification{at}/{account_id}", said)

    async def before_deleting(desk: Desk, account_id: UUID, problem: Problem | None = None) -> Response:
        account = (await desk.get(f"{at}/{account_id}")).data
        status = 200 if problem is None else problem.status
        return desk.show("providers/delete.html", status, words=words, account=account, problem=problem)

    @pages.get("/{account_id}/delete")
    async def ask_before(desk: AtDesk, account_id: UUID) -> Response:
        return await before_deleting(desk, account_id)

    @pages.post("/{account_id}/delete")
    async def delete(desk: AtDesk, account_id: UUID) -> Response:
        try:
            await desk.do("DELETE", f"{at}/{account_id}")
        except Problem as problem:
            if problem.status != 409:
                raise
            return await before_deleting(desk, account_id, problem)
        return desk.go("/notification/providers", "The account is deleted.")

    return pages


def _account_of(sent: Form, vendor: VendorForm, stored: Json | None = None) -> Json:
    """The body for the API. A secret that was left empty stays as it is: its mask is sent back."""
    body: Json = {"providerName": sent["providerName"], "isActive": sent["isActive"] == "yes"}
    known = {setting.name.removeprefix(PREFIX) for setting in vendor.settings if not setting.is_secret}
    config = {name: value for name, value in (stored or {}).items() if name not in known}
    for setting in vendor.settings:
        value = sent[setting.name]
        if not value and setting.is_secret:
            continue
        if setting.name.startswith(PREFIX):
            if value or setting.kind == "switch":
                config[setting.name.removeprefix(PREFIX)] = _typed(setting, value)
        else:
            body[setting.name] = value or None
    return body | {"config": config}


def _by_labels(message: str, labels: Mapping[str, str]) -> str:
    """The message with the fields that it names called as the form calls them."""
    for name in sorted(labels, key=len, reverse=True):
        message = re.sub(rf"(?<![\w.]){re.escape(name)}(?![\w.])", f"“{labels[name]}”", message)
    return message


def _typed(setting: Setting, value: str) -> Any:
    """The value for the API; what is no number stays as it is, for the API to say so."""
    if setting.kind == "switch":
        return value == "yes"
    if setting.kind == "list":
        return [one.strip() for one in value.split(",") if one.strip()]
    if setting.kind == "number":
        try:
            return float(value) if "." in value else int(value)
        except ValueError:
            return value
    return value


def _values_of(account: Json, vendors: dict[str, VendorForm]) -> Json:
    """The form's values of a stored account; secrets are not among them."""
    config = {
        f"{PREFIX}{name}": ", ".join(map(str, value)) if isinstance(value, list) else value
        for name, value in (account["config"] or {}).items()
    }
    stored = {**account, **config, "isActive": "yes" if account["isActive"] else "no"}
    secret = {setting.name for setting in vendors[account["providerType"]].settings if setting.is_secret}
    return {name: value for name, value in stored.items() if name not in secret}
