"""Logs of AWS SNS as Amazon Data Firehose delivers them."""

from __future__ import annotations

import base64
import gzip
import json
from typing import Any

from shared.providers.provider import CallbackRequest


def callback(values: dict[str, Any], number: int, secret: str | None = None) -> CallbackRequest:
    """The delivery number so-and-so, with the account's secret or another one."""
    record = {
        "notification": {"messageId": f"message-{number}", "timestamp": "2026-11-01 09:30:00.125"},
        "delivery": {"destination": f"+4915{number:09d}", "priceInUSD": 0.00645, "providerResponse": "accepted"},
        "status": "SUCCESS",
    }
    events = [{"id": str(number), "timestamp": 1, "message": json.dumps(record)}]
    logs = {
        "messageType": "DATA_MESSAGE",
        "logGroup": "sns/us-east-1/1/DirectPublishToPhoneNumber",
        "logEvents": events,
    }
    packed = base64.b64encode(gzip.compress(json.dumps(logs).encode(), mtime=0)).decode()
    body = json.dumps({"requestId": f"request-{number}", "timestamp": number, "records": [{"data": packed}]}).encode()
    headers = {"x-amz-firehose-access-key": secret or values["config"]["logSecret"]}
    return CallbackRequest(method="POST", url="https://notify.example/c/aws_sns/1", headers=headers, body=body)
