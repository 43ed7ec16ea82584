"""Fixture pairs: a vendor's raw answer or callback in, the outcome or receipts out."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from shared.providers.provider import CallbackRequest, HttpAnswer, Vendor
from shared.providers.registry import VENDORS
from tests.providers.samples import message_of, values_of

BASE = "http://127.0.0.1:9"
VENDOR = {vendor.CAPABILITIES.provider_type: vendor for vendor in VENDORS.values()}


def _pairs(kind: str) -> list[Any]:
    return [
        pytest.param(path.parent.name, pair, id=f"{path.parent.name}-{pair['name']}")
        for path in sorted((Path(__file__).parent / "fixtures").glob(f"*/{kind}.json"))
        for pair in json.loads(path.read_text())
    ]


def _account(provider_type: str) -> tuple[Vendor, Any]:
    vendor = VENDOR[provider_type]
    return vendor, vendor.account(values_of(provider_type, BASE))


def _told(value: Any) -> dict[str, Any]:
    fields: dict[str, Any] = {"is": type(value).__name__, **msgspec.structs.asdict(value)}
    return {name: field for name, field in fields.items() if field is not None}


@pytest.mark.parametrize(("provider_type", "pair"), _pairs("answers"))
def test_answers(provider_type: str, pair: dict[str, Any]) -> None:
    vendor, account = _account(provider_type)
    answer = HttpAnswer(pair["status"], json.dumps(pair["body"]).encode(), pair.get("retryAfter"))
    assert _told(vendor.outcome(account, message_of(provider_type), answer)) == pair["outcome"]


@pytest.mark.parametrize(("provider_type", "pair"), _pairs("callbacks"))
def test_callbacks(provider_type: str, pair: dict[str, Any]) -> None:
    vendor, account = _account(provider_type)
    callback = CallbackRequest(method="POST", url=pair["url"], headers={}, body=pair["body"].encode())
    contents = vendor.read_callback(account, callback)
    stated = [_told(receipt) for receipt in contents.receipts] + [_told(message) for message in contents.inbound]
    assert stated == pair["states"]
    assert vendor.read_callback(account, callback) == contents
