"""Events of OneSignal in the form of docs/providers/onesignal.md, with the account's secret."""

from __future__ import annotations

import json
from typing import Any

from shared.providers.provider import CallbackRequest


def callback(values: dict[str, Any], number: int, secret: str | None = None) -> CallbackRequest:
    """The event number so-and-so, with the account's secret or another one."""
    event = {
        "event": "message.push.received",
        "timestamp": "2026-11-01T09:30:00Z",
        "messageId": f"message-{number}",
        "subscriptionId": f"subscription-{number}",
    }
    headers = {"authorization": f"Bearer {secret or values['config']['webhookSecret']}"}
    url = "https://notify.example/c/onesignal/1"
    return CallbackRequest(method="POST", url=url, headers=headers, body=json.dumps(event).encode())
