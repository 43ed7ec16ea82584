"""CPU time of the intake for one callback: `python -m tests.delivery_receipt.measure`."""

from __future__ import annotations

import asyncio
import hashlib
import platform
import time
from collections.abc import Iterator
from typing import Any
from unittest import mock
from uuid import UUID

import uvloop
from cryptography.fernet import Fernet

from services.delivery_receipt.accounts import CALLBACKS_PATH, Accounts
from services.delivery_receipt.clicks import TrackedLinks
from services.delivery_receipt.documents import Documents
from services.delivery_receipt.domain import Account
from services.delivery_receipt.intake import Intake
from services.delivery_receipt.routes import intake_routes
from services.delivery_receipt.settings import DeliveryReceiptSettings
from services.delivery_receipt.store.accounts import SealedAccount
from services.provider_simulator.twilio import signed_request
from shared.ids import new_id, new_ids
from shared.links import link_codes
from shared.probes import AsgiApp
from shared.providers import twilio
from shared.providers.provider import CallbackContents, VendorReceipt
from shared.providers.wire import Wire
from shared.security import References, references, seal

CALLBACKS = 20_000
SENDERS = 200
BASE_URL = "http://127.0.0.1:8085"
SECRET = "secret"
Request = tuple[dict[str, Any], bytes]


def main() -> None:
    """Prints the two figures."""
    uvloop.run(measure())


async def measure() -> None:
    secrets_key = Fernet.generate_key().decode()
    settings = DeliveryReceiptSettings(
        http_port=0,
        database_url="unused",
        kafka_bootstrap_servers="unused",
        secrets_key=secrets_key,
        internal_token="unused",
        public_base_url=BASE_URL,
    )
    account_id = new_id()
    sealed = seal(secrets_key).close({"accountSid": "AC1", "apiSecret": SECRET, "phoneNumber": "+15005550006"})
    accounts = Accounts(mock.Mock(), seal(secrets_key), settings.lookups_max)
    accounts.keep([SealedAccount(Account(account_id, "tenant", "sms", "twilio"), 1, sealed)])
    refs = references(secrets_key)
    requests = list(signed_requests(refs, account_id))

    intake = Intake(settings.waiting_max)
    wire = Wire()
    documents, links = Documents(wire, settings.lookups_max), TrackedLinks(mock.Mock())
    app = intake_routes(settings, accounts, refs, documents, intake, link_codes(secrets_key), links)
    drained = asyncio.create_task(drain(intake))
    whole = await microseconds_each(app, requests)
    stated = CallbackContents((VendorReceipt(reference=refs.sign("sms", new_id()), kind="delivered"),))
    genuine, read = (lambda *_: True), (lambda *_: stated)
    with mock.patch.object(twilio, "is_genuine", genuine), mock.patch.object(twilio, "read_callback", read):
        ours = await microseconds_each(app, requests)
    intake.close()
    await drained
    await wire.close()
    print(f"{whole:.1f} µs a callback: {ours:.1f} µs ours, {whole - ours:.1f} µs the vendor's signature and form")
    print(f"({CALLBACKS} callbacks, {SENDERS} at a time, Python {platform.python_version()})")


def signed_requests(refs: References, account_id: UUID) -> Iterator[Request]:
    """Status webhooks as the simulator signs them, as ASGI scopes and bodies."""
    for number, recipient_id in enumerate(new_ids(CALLBACKS)):
        sid = "SM" + hashlib.md5(recipient_id.bytes, usedforsecurity=False).hexdigest()
        form = {"AccountSid": "AC" + "a" * 32, "ApiVersion": "2010-04-01", "From": "+15005550006", "MessageSid": sid}
        form |= {"MessageStatus": "delivered", "SmsSid": sid, "SmsStatus": "delivered", "To": f"+49170{number:07d}"}
        url = f"{BASE_URL}{CALLBACKS_PATH}twilio/{account_id}?ref={refs.sign('sms', recipient_id)}"
        head, _, body = signed_request(url, form, SECRET).partition(b"\r\n\r\n")
        first, *lines = head.split(b"\r\n")
        path, _, query = first.split(b" ")[1].partition(b"?")
        headers = [tuple(line.split(b": ", 1)) for line in lines]
        scope = {"type": "http", "method": "POST", "path": path.decode(), "raw_path": path}
        yield scope | {"query_string": query, "headers": headers}, body


async def drain(intake: Intake) -> None:
    while group := await intake.take(500, 0):
        for waiting in group:
            waiting.answer(True)


async def microseconds_each(app: AsgiApp, requests: list[Request]) -> float:
    answered = 0

    async def send_all(mine: Iterator[Request]) -> None:
        nonlocal answered
        for scope, body in mine:
            message = {"type": "http.request", "body": body, "more_body": False}

            async def receive(message: dict[str, Any] = message) -> dict[str, Any]:
                return message

            async def send(answer: Any) -> None:
                nonlocal answered
                answered += answer.get("status") == 200

            await app(scope, receive, send)

    began, pending = time.process_time(), iter(requests)
    await asyncio.gather(*(send_all(pending) for _ in range(SENDERS)))
    spent = time.process_time() - began
    assert answered == len(requests)
    return spent / len(requests) * 1e6


if __name__ == "__main__":
    main()
