"""A valid account and message for each vendor of the registry, read from the vendor's folder of fixtures."""

from __future__ import annotations

import json
import os
from functools import cache
from pathlib import Path
from typing import Any, cast
from uuid import UUID

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from contracts.masked import DeviceToken, PhoneNumber
from shared.providers.provider import HttpAnswer, HttpRequest, Message, Outcome
from shared.providers.registry import VENDORS
from shared.providers.vendor import BatchVendor, SingleVendor, Vendor

FOLDERS = [Path(__file__).parent / "fixtures", *map(Path, os.environ.get("MORE_FIXTURES", "").split())]
"""Where vendors' folders are."""

SECRET = "s3cret-auth-token"
TEXT = "Dear Ümit & co: 20 % off + more! €5 😀"
PHONE = "+4915000000000"
TOKEN = "device-token-0001-0"
APPLE_TOKEN = "00000000" + "d0c0ffee" * 7
REFERENCE = "c2lnbmVkLXJlZmVyZW5jZQ"

SECRETS = (SECRET, PHONE, TOKEN, APPLE_TOKEN, TEXT, REFERENCE, "PRIVATE KEY")
"""What must never be read in a repr, an exception or a log line."""


@cache
def private_key() -> str:
    """A key that Google's library can sign with."""
    return (
        rsa.generate_private_key(public_exponent=65537, key_size=2048)
        .private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        .decode()
    )


@cache
def apple_key() -> str:
    """A key such as Apple gives out."""
    return (
        ec.generate_private_key(ec.SECP256R1())
        .private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        .decode()
    )


_FOLDER_OF = {path.parent.name: path.parent for folder in FOLDERS for path in folder.glob("*/sample.json")}
KINDS = sorted(_FOLDER_OF)


def folder_of(kind: str) -> Path:
    """A vendor's folder, by its name."""
    return _FOLDER_OF[kind]


@cache
def sample_of(kind: str) -> dict[str, Any]:
    """The sample in a vendor's folder: `kind` is the folder's name."""
    sample: dict[str, Any] = json.loads((folder_of(kind) / "sample.json").read_text())
    return sample


KIND_OF = {(sample_of(kind)["channel"], sample_of(kind)["providerType"]): kind for kind in KINDS}
CHANNEL = {kind: sample_of(kind)["channel"] for kind in KINDS}
TYPE = {kind: sample_of(kind)["providerType"] for kind in KINDS}


def kind_of(vendor: Vendor) -> str:
    """The vendor's folder."""
    return KIND_OF[vendor.CAPABILITIES.channel, vendor.CAPABILITIES.provider_type]


def vendor_of(kind: str) -> Vendor:
    """The vendor of a folder."""
    return VENDORS[CHANNEL[kind], TYPE[kind]]


def values_of(kind: str, base_url: str, variant: str | None = None) -> dict[str, Any]:
    """Account values that point at a server of the test; texts such as `{baseUrl}` are filled in.

    A `variant` names values of the sample that differ.
    """
    sample = sample_of(kind)
    values: dict[str, Any] = _filled(sample["values"], base_url)
    if variant is not None:
        differing = _filled(sample["variants"][variant], base_url)
        values |= differing | {"config": values["config"] | differing.get("config", {})}
    return values


def _filled(value: Any, base_url: str) -> Any:
    if isinstance(value, dict):
        return {name: _filled(inner, base_url) for name, inner in value.items()}
    if not isinstance(value, str):
        return value
    for name, make in (("{baseUrl}", lambda: base_url), ("{rsaKey}", private_key), ("{ecKey}", apple_key)):
        if name in value:
            value = value.replace(name, make())
    return value


def message_of(kind: str, number: int = 0, callback_base: str = "http://127.0.0.1:9") -> Message:
    """The message number so-and-so; numbers above 0 change reference and recipient as well as the address."""
    reference = f"{REFERENCE}{number or ''}"
    is_sms = CHANNEL[kind] == "sms"
    address = sample_of(kind)["address"].format(number=number)
    return Message(
        recipient_id=UUID(int=number + 1),
        address=PhoneNumber(address) if is_sms else DeviceToken(address),
        text=TEXT,
        reference=reference,
        title=None if is_sms else "News",
        callback_url=f"{callback_base}/callbacks/{TYPE[kind]}/1?ref={reference}",
        report_url=f"{callback_base}/t/{reference}",
        ttl_seconds=600,
        collapse_id="collapse-1",
    )


def answer_of(kind: str, name: str = "accepted") -> bytes:
    """The vendor's answer to what it takes (`accepted`) or to a verification that works (`verified`), as HTTP."""
    sample = sample_of(kind)
    said = sample.get(name) or sample["accepted"]
    body = said["body"] if isinstance(said["body"], str) else json.dumps(said["body"])
    return b"HTTP/1.1 %d OK\r\ncontent-length: %d\r\n\r\n%b" % (said["status"], len(body.encode()), body.encode())


def request_of(vendor: Vendor, account: Any, *messages: Message) -> HttpRequest:
    """The request that sends the messages; one, unless the vendor takes batches."""
    if vendor.CAPABILITIES.batch_max > 1:
        return cast("BatchVendor", vendor).batch_request(account, messages)
    return cast("SingleVendor", vendor).request(account, *messages)


def outcome_of(vendor: Vendor, account: Any, message: Message, answer: HttpAnswer) -> Outcome:
    """What the answer means for a request of one message."""
    if vendor.CAPABILITIES.batch_max > 1:
        (outcome,) = cast("BatchVendor", vendor).batch_outcomes(account, [message], answer)
        return outcome
    return cast("SingleVendor", vendor).outcome(account, message, answer)
