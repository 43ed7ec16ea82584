"""Twilio's status webhooks, signed with Twilio's own code."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from twilio.request_validator import RequestValidator

from shared.providers.provider import CallbackRequest


def callback(values: dict[str, Any], number: int, secret: str | None = None) -> CallbackRequest:
    """The webhook number so-and-so, signed with the account's secret or another one."""
    form = {"MessageSid": f"SM{number:032x}", "MessageStatus": "delivered", "To": f"+4915{number:09d}"}
    url = f"https://notify.example/c/twilio/1?ref=ref{number}"
    signature = RequestValidator(secret or values["apiSecret"]).compute_signature(url, form)
    headers = {"x-twilio-signature": signature, "content-type": "application/x-www-form-urlencoded"}
    return CallbackRequest(method="POST", url=url, headers=headers, body=urlencode(form).encode())
