"""The loops of the delivery_receipt service."""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass, field

from services.delivery_receipt.domain import Stored
from services.delivery_receipt.handlers import store_callbacks
from services.delivery_receipt.store import PURGE_MAX, delete_old_callbacks
from shared.database import Database
from shared.errors import is_transient
from shared.logs import logger
from shared.runtime import JobContext

PURGE_SECONDS = 600.0


@dataclass(slots=True)
class Intake:
    """Callbacks that wait to be made durable; each waiter is answered after the commit that holds its callback."""

    database: Database
    waiting_max: int
    group_max: int
    _waiting: deque[tuple[Stored, asyncio.Future[bool]]] = field(default_factory=deque)
    _arrived: asyncio.Event = field(default_factory=asyncio.Event)

    def add(self, callback: Stored) -> asyncio.Future[bool] | None:
        """A future that is True once the callback is durable, False if that failed; None when too many wait."""
        if len(self._waiting) >= self.waiting_max:
            return None
        future: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._waiting.append((callback, future))
        self._arrived.set()
        return future

    async def write(self, context: JobContext) -> None:
        """Writes whatever waits in one transaction, again and again, until the service stops and nobody waits."""
        stop = asyncio.ensure_future(context.stopping.wait())
        while True:
            if not self._waiting:
                if context.stopping.is_set():
                    break
                self._arrived.clear()
                arrival = asyncio.ensure_future(self._arrived.wait())
                await asyncio.wait((arrival, stop), return_when=asyncio.FIRST_COMPLETED)
                arrival.cancel()
                continue
            context.heartbeat.begin()
            await self._write_group()
            context.heartbeat.end()
        stop.cancel()

    async def _write_group(self) -> None:
        group = [self._waiting.popleft() for _ in range(min(len(self._waiting), self.group_max))]
        try:
            await store_callbacks(self.database, [callback for callback, _ in group])
            stored = True
        except Exception as error:
            if not is_transient(error):
                for _, future in group:
                    _settle(future, False)
                raise
            logger().warning("callbacks_refused", callbacks=len(group), error=type(error).__name__)
            stored = False
        for _, future in group:
            _settle(future, stored)


def _settle(future: asyncio.Future[bool], stored: bool) -> None:
    if not future.done():
        future.set_result(stored)


async def purge_callbacks(database: Database, kept_days: int, context: JobContext) -> None:
    """Deletes old callbacks in small steps."""
    while not await context.sleep(PURGE_SECONDS):
        deleted = PURGE_MAX
        while deleted == PURGE_MAX and not context.stopping.is_set():
            async with database.transaction() as connection:
                deleted = await delete_old_callbacks(connection, kept_days)
