"""`python -m services.provider_simulator`: runs until SIGTERM or SIGINT."""

from __future__ import annotations

import asyncio
import gc
import signal
import sys

import uvloop

from services.provider_simulator.app import serving
from services.provider_simulator.settings import SimulatorSettings
from shared import logs
from shared.logs import logger
from shared.settings import SettingsError, load


async def run(settings: SimulatorSettings) -> None:
    """Serves until told to stop."""
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    async with serving(settings) as port:
        logger().info("service_started", port=port)
        await stopping.wait()
        logger().info("service_stopping")


if __name__ == "__main__":
    try:
        given = load(SimulatorSettings)
    except SettingsError as error:
        sys.exit(f"provider_simulator: {error}")
    gc.set_threshold(50_000, 20, 100)
    logs.configure("provider_simulator", given.log_level)
    try:
        uvloop.run(run(given))
    except OSError as error:
        logger().error(
            "service_stopped", reason=f"cannot listen on {given.http_host}:{given.http_port}: {error.strerror}"
        )
        sys.exit(1)
