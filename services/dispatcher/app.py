"""Composes the dispatcher."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

from fastapi import APIRouter

from contracts.channels import CHANNELS
from services.dispatcher.accounts import open_accounts
from services.dispatcher.consumers import subscriptions
from services.dispatcher.domain import Tariffs
from services.dispatcher.jobs.parts import Sending
from services.dispatcher.jobs.pricing import Pricing
from services.dispatcher.jobs.progress import measure_waiting, publish_progress
from services.dispatcher.jobs.repairing import forget_parts, free_expired_lots, resolve_once, resolve_unknowns
from services.dispatcher.jobs.sending import send_lots
from services.dispatcher.jobs.sharing import renew_shares
from services.dispatcher.routes.addressees import addressee_routes
from services.dispatcher.routes.costs import cost_routes
from services.dispatcher.routes.ledger import ledger_routes
from services.dispatcher.routes.providers import provider_routes
from services.dispatcher.routes.quotes import quote_routes
from services.dispatcher.settings import DispatcherSettings
from services.dispatcher.store.campaigns import find_tariffs
from shared.database import TenantDatabase, open_database
from shared.exports import Exports
from shared.http import internal_app, only_with_token
from shared.links import link_codes
from shared.probes import AsgiApp
from shared.providers.wire import Wire
from shared.runtime import Job, Service
from shared.security import references, seal

NAME = "dispatcher"


@asynccontextmanager
async def build(settings: DispatcherSettings) -> AsyncIterator[Service]:
    """The service with everything it needs, until the end of the block."""
    secrets_key = settings.secrets_key.get_secret_value()
    async with open_database(settings.database_url, settings.database_connections_max, NAME) as database:
        wire = Wire(allowed_hosts=settings.allowed_hosts, timeout_seconds=settings.provider_timeout_seconds)
        async with open_accounts(database, seal(secrets_key), wire) as accounts:
            async with database.pool.connection() as connection:
                tariffs = Tariffs(await find_tariffs(connection))
            sending = Sending(database, settings, accounts, references(secrets_key), link_codes(secrets_key), tariffs)
            yield Service(
                name=NAME,
                routes=_routes(sending),
                database=database,
                subscriptions=subscriptions(database, sending.guard, sending.work.set),
                jobs=_jobs(sending),
            )


def _jobs(sending: Sending) -> list[Job]:
    settings, database = sending.settings, sending.database
    lanes = ["bulk"] * settings.bulk_senders + ["transactional"] * settings.transactional_senders
    return [
        *(Job(f"sender {n} {lane}", partial(send_lots, sending, lane)) for n, lane in enumerate(lanes, 1)),
        Job("shares", partial(renew_shares, sending.pace)),
        Job("expired leases", partial(free_expired_lots, sending)),
        Job("unknowns", partial(resolve_unknowns, sending)),
        Job("parts", partial(forget_parts, sending)),
        Job("prices", Pricing(sending).ask),
        Job("progress", partial(publish_progress, database, settings)),
        Job("waiting lots", partial(measure_waiting, database)),
    ]


def _routes(sending: Sending) -> AsgiApp:
    app, seen = internal_app(NAME), TenantDatabase(sending.database)
    exports = Exports(seen)
    for channel in CHANNELS.values():
        app.include_router(provider_routes(channel, seen, sending.accounts))
        app.include_router(ledger_routes(channel, seen, exports))
    app.include_router(addressee_routes(sending.database))
    app.include_router(quote_routes(sending.accounts, sending.tariffs))
    app.include_router(cost_routes(seen))
    app.include_router(_reconciliation(sending))
    return only_with_token(app, sending.settings.internal_token.get_secret_value())


def _reconciliation(sending: Sending) -> APIRouter:
    router = APIRouter()

    @router.post("/internal/reconcile")
    async def reconcile() -> dict[str, Any]:
        """Asks providers now about attempts of unknown outcome, whatever their age."""
        found = {channel.name: await resolve_once(sending, channel, 0.0) for channel in CHANNELS.values()}
        return {
            "data": {
                name: {"asked": one.asked, "accepted": one.accepted, "refused": one.refused, "requeued": one.requeued}
                for name, one in found.items()
            }
        }

    return router
