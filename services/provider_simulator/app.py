"""The composition root of the provider simulator."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from services.provider_simulator import apns, fcm, metrics, nexmo, onesignal, sinch, sns, twilio
from services.provider_simulator.callbacks import Courier
from services.provider_simulator.handlers import Simulator
from services.provider_simulator.http_text import Answer, Request
from services.provider_simulator.routes import build_routes
from services.provider_simulator.server import Server, Speak
from services.provider_simulator.settings import SimulatorSettings
from services.provider_simulator.store import RequestLog
from shared.probes import Health, with_probes

PATHS = {
    fcm.TOKEN_PATH: fcm.give_token,
    nexmo.MESSAGES_PATH: nexmo.handle_messages,
    nexmo.SMS_PATH: nexmo.handle_sms,
    nexmo.BALANCE_PATH: nexmo.give_balance,
    sns.PATH: sns.handle,
    sns.CERTIFICATE_PATH: sns.give_certificate,
    sns.CONFIRMATION_PATH: sns.give_confirmation,
}
ROOTS = (
    (twilio.ROOT, twilio.handle),
    (sinch.ROOT, sinch.handle),
    (fcm.ROOT, fcm.handle),
    (apns.ROOT, apns.handle),
    *((root, onesignal.handle) for root in onesignal.ROOTS),
)
"""Who answers what begins with which path."""


@asynccontextmanager
async def serving(settings: SimulatorSettings) -> AsyncIterator[int]:
    """A running simulator; gives its port."""
    log = RequestLog(settings.log_path)
    courier = Courier(
        settings.callback_connections_max,
        settings.callback_timeout_seconds,
        settings.callback_retry_seconds,
        settings.callbacks_waiting_max,
    )
    simulator = Simulator(log, courier)
    metrics.CALLBACKS_WAITING.set_function(lambda: courier.unfinished)
    health = Health(started=True)
    server = Server(speaker(simulator), with_probes(build_routes(simulator), health), settings.request_bytes_max)
    listening: asyncio.Server | None = None
    try:
        listening = await server.listen(settings.http_host, settings.http_port)
        yield listening.sockets[0].getsockname()[1]
    finally:
        health.stopping = True
        if listening is not None:
            listening.close()
        server.close()
        await courier.close()
        log.close()


def speaker(simulator: Simulator) -> Speak:
    """Finds the provider that a request is meant for; the log is on disk before any answer."""

    def speak(request: Request) -> Answer | None:
        path = request.path
        handle = PATHS.get(path) or next((handle for root, handle in ROOTS if path.startswith(root)), None)
        if handle is None:
            return None
        answer = handle(simulator, request)
        simulator.log.flush()
        return answer

    return speak
