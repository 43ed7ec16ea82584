"""Vonage's status webhooks, signed with the library that Vonage's own code signs and verifies with."""

from __future__ import annotations

import hashlib
import json
import time
from typing import Any

import jwt

from shared.providers.provider import CallbackRequest


def token(body: bytes, secret: str, api_key: str, age_seconds: float = 0.0, **claims: object) -> str:
    """The token that goes with a body."""
    said = {
        "iat": int(time.time() - age_seconds),
        "jti": hashlib.sha256(body).hexdigest()[:16],
        "iss": "Vonage",
        "payload_hash": hashlib.sha256(body).hexdigest(),
        "api_key": api_key,
        "application_id": "app",
    }
    return jwt.encode(said | claims, secret, algorithm="HS256")


def callback(values: dict[str, Any], number: int, secret: str | None = None) -> CallbackRequest:
    """The webhook number so-and-so, signed with the account's secret or another one."""
    status = {"message_uuid": f"uuid-{number}", "status": "delivered", "client_ref": f"ref{number}", "channel": "sms"}
    body = json.dumps(status).encode()
    bearer = token(body, secret or values["config"]["signatureSecret"], values["apiKey"])
    headers = {"authorization": f"Bearer {bearer}", "content-type": "application/json"}
    return CallbackRequest(method="POST", url="https://notify.example/c/nexmo/1", headers=headers, body=body)
