"""Fixture pairs: a vendor's raw answer or callback in, the outcome or receipts out."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from shared.providers.provider import CallbackRequest, HttpAnswer
from shared.providers.vendor import Vendor
from tests.providers.samples import KINDS, folder_of, message_of, outcome_of, values_of, vendor_of

BASE = "http://127.0.0.1:9"


def _pairs(kind: str) -> list[Any]:
    return [
        pytest.param(path.parent.name, pair, id=f"{path.parent.name}-{pair['name']}")
        for path in sorted(folder_of(of) / f"{kind}.json" for of in KINDS)
        if path.exists()
        for pair in json.loads(path.read_text())
    ]


def _account(kind: str, pair: dict[str, Any]) -> tuple[Vendor, Any]:
    vendor = vendor_of(kind)
    return vendor, vendor.account(values_of(kind, BASE, pair.get("variant")))


def _body(body: Any) -> bytes:
    """A body is given as JSON, or where it is none as text."""
    return body.encode() if isinstance(body, str) else json.dumps(body).encode()


def _told(value: Any) -> dict[str, Any]:
    fields = msgspec.to_builtins({"is": type(value).__name__, **msgspec.structs.asdict(value)}, enc_hook=str)
    return {name: field for name, field in fields.items() if field is not None}


@pytest.mark.parametrize(("kind", "pair"), _pairs("answers"))
def test_answers(kind: str, pair: dict[str, Any]) -> None:
    vendor, account = _account(kind, pair)
    answer = HttpAnswer(pair["status"], _body(pair["body"]), pair.get("retryAfter"))
    assert _told(outcome_of(vendor, account, message_of(kind), answer)) == pair["outcome"]


@pytest.mark.parametrize(("kind", "pair"), _pairs("callbacks"))
def test_callbacks(kind: str, pair: dict[str, Any]) -> None:
    vendor, account = _account(kind, pair)
    headers = pair.get("headers", {})
    callback = CallbackRequest(method="POST", url=pair["url"], headers=headers, body=_body(pair["body"]))
    contents = vendor.read_callback(account, callback)
    stated = [_told(receipt) for receipt in contents.receipts] + [_told(message) for message in contents.inbound]
    assert stated == pair["states"]
    assert vendor.read_callback(account, callback) == contents
