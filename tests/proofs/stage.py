"""A fleet of its own with a tenant and customers, for proofs to play on."""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deploy.local.fleet import Fleet, Overrides
from deploy.rehearsal import People, create_tenant, import_customers, set_faults, write_customers
from notify.client import Api, open_api


@dataclass(slots=True)
class Stage:
    """A fleet with a tenant and its customers."""

    fleet: Fleet
    api: Api
    people: People

    @property
    def simulator(self) -> str:
        return self.fleet.url("provider_simulator")

    async def count(self, metric: str) -> int:
        """The sum of a counter of the simulator."""
        async with self.api.session.get(f"{self.simulator}/metrics") as answer:
            lines = (await answer.text()).splitlines()
        return sum(int(float(line.rsplit(" ", 1)[1])) for line in lines if line.startswith(metric))


@asynccontextmanager
async def staged(
    size: int, seed: int, faults: dict[str, Any], overrides: Overrides | None = None
) -> AsyncIterator[Stage]:
    """A fresh fleet, faults in the simulator, and customers."""
    with tempfile.TemporaryDirectory(prefix="proof-") as folder:
        people = write_customers(Path(folder) / "customers.csv", size, seed)
        async with (
            Fleet.running(Path(folder) / "state", overrides or {}) as fleet,
            open_api(fleet.url("gateway"), "") as one,
        ):
            api = await create_tenant(fleet, lambda token: Api(one.session, fleet.url("gateway"), token), "proof")
            await set_faults(api, fleet.url("provider_simulator"), faults, seed)
            await import_customers(api, people)
            yield Stage(fleet, api, people)
