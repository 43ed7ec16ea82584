"""Sinch's delivery reports, signed with Sinch's own code."""

from __future__ import annotations

import json
import time
from typing import Any

from sinch.domains.authentication.sinch_events.v1.authentication_validation import (
    calculate_sinch_event_signature,
    compute_signed_data,
)

from shared.providers.provider import CallbackRequest


def signed(body: str, secret: str, nonce: str, age_seconds: float = 0.0) -> dict[str, str]:
    """The headers of a callback with this body."""
    stamp = str(int(time.time() - age_seconds))
    return {
        "x-sinch-webhook-signature": calculate_sinch_event_signature(compute_signed_data(body, nonce, stamp), secret),
        "x-sinch-webhook-signature-nonce": nonce,
        "x-sinch-webhook-signature-timestamp": stamp,
        "x-sinch-webhook-signature-algorithm": "HmacSHA256",
    }


def callback(values: dict[str, Any], number: int, secret: str | None = None) -> CallbackRequest:
    """The report number so-and-so, signed with the account's secret or another one."""
    report = {
        "type": "recipient_delivery_report_sms",
        "batch_id": f"01FC{number}",
        "recipient": f"4915{number:09d}",
        "status": "Delivered",
        "code": 0,
        "at": "2026-11-01T09:30:00.125Z",
        "client_reference": f"ref{number}",
    }
    body = json.dumps(report)
    headers = signed(body, secret or values["config"]["webhookSecret"], f"N{number}")
    return CallbackRequest(method="POST", url="https://notify.example/c/sinch/1", headers=headers, body=body.encode())
