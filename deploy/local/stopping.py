"""SIGINT and SIGTERM for programs that must clean up."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import sys
from collections.abc import Coroutine
from typing import Any


async def until_told(work: Coroutine[Any, Any, None]) -> bool:
    """Runs the work until it ends or SIGINT or SIGTERM cancels it; its clean-up is awaited and further signals change
    nothing. True means that it was cancelled."""
    task = asyncio.create_task(work)
    told = False

    def tell() -> None:
        nonlocal told
        if not told:
            told = True
            print("stopping", file=sys.stderr, flush=True)
            task.cancel()

    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, tell)
    with contextlib.suppress(asyncio.CancelledError):
        await task
    return told
