"""A valid account and message for each vendor of the registry."""

from __future__ import annotations

from functools import cache
from typing import Any
from uuid import UUID

import msgspec
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from contracts.masked import DeviceToken, PhoneNumber
from shared.providers.provider import Message

SECRET = "s3cret-auth-token"
TEXT = "Dear Ümit & co: 20 % off + more! €5 😀"
PHONE = "+4915112345678"
TOKEN = "device-token-0001"
APPLE_TOKEN = "d0c0ffee" * 8
REFERENCE = "c2lnbmVkLXJlZmVyZW5jZQ"


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


def values_of(provider_type: str, base_url: str) -> dict[str, Any]:
    """Account values that point at a server of the test."""
    if provider_type == "twilio":
        return {
            "accountSid": "AC0123456789abcdef",
            "apiSecret": SECRET,
            "phoneNumber": "+15005550006",
            "config": {"baseUrl": base_url},
        }
    if provider_type == "apns":
        config = {"keyId": "KEY1234567", "teamId": "TEAM123456", "topic": "com.example.shop", "privateKey": apple_key()}
        return {"config": {**config, "baseUrl": base_url}}
    service_account = {
        "type": "service_account",
        "project_id": "shop",
        "client_email": "sender@shop.iam.gserviceaccount.com",
        "private_key": private_key(),
        "token_uri": f"{base_url}/token",
    }
    return {"config": {"serviceAccount": msgspec.json.encode(service_account).decode(), "baseUrl": base_url}}


def message_of(provider_type: str, number: int = 0, callback_base: str = "http://127.0.0.1:9") -> Message:
    """The message number so-and-so; numbers above 0 change the address."""
    reference = f"{REFERENCE}{number or ''}"
    phone = PhoneNumber(f"+4915{number:09d}" if number else PHONE)
    if provider_type == "apns":
        token = DeviceToken(f"{number:08x}{APPLE_TOKEN[8:]}" if number else APPLE_TOKEN)
    else:
        token = DeviceToken(f"{TOKEN}-{number}" if number else TOKEN)
    return Message(
        recipient_id=UUID(int=number + 1),
        address=phone if provider_type == "twilio" else token,
        text=TEXT,
        reference=reference,
        title=None if provider_type == "twilio" else "News",
        callback_url=f"{callback_base}/callbacks/{provider_type}/1?ref={reference}",
        report_url=f"{callback_base}/t/{reference}",
        ttl_seconds=600,
        collapse_id="collapse-1",
    )


SECRETS = (SECRET, PHONE, TOKEN, APPLE_TOKEN, TEXT, REFERENCE, "PRIVATE KEY")
"""What must never be read in a repr, an exception or a log line."""
