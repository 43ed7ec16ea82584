"""Runs one command: what can go wrong becomes one line and an exit code."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Coroutine
from typing import TypeVar

import aiohttp
import typer
from aiokafka.errors import KafkaError

from notify.checking import Compared
from notify.client import ApiError
from notify.settings import SettingsMissing
from shared.errors import Transient

FELL_SHORT = 1
"""Not done, or a difference was found."""

WRONG_USE = 2
"""Wrong arguments, or settings are missing."""

NOBODY_ANSWERS = 3
"""The gateway, Kafka or the simulator cannot be reached."""

STILL_MOVING = 4
"""What was compared changed from one reading to the next; ask again when it rests."""

Result = TypeVar("Result")


def end_compared(compared: Compared) -> None:
    """Ends the process with the code for what a comparison came to, unless it holds."""
    if not compared.balanced:
        raise typer.Exit(STILL_MOVING if compared.moves else FELL_SHORT)


def run(work: Coroutine[None, None, Result]) -> Result:
    """The command's result; ends the process with a message and one of the codes above instead of an exception."""
    try:
        return asyncio.run(work)
    except ApiError as error:
        problem, code = str(error), FELL_SHORT
    except SettingsMissing as error:
        problem, code = str(error), WRONG_USE
    except (aiohttp.ClientError, TimeoutError, KafkaError, Transient) as error:
        problem, code = f"nobody answers ({type(error).__name__}); is the fleet running?", NOBODY_ANSWERS
    except KeyboardInterrupt:
        problem, code = "stopped", 130
    print(f"notify: {problem}", file=sys.stderr)
    raise typer.Exit(code)
