"""Dies at every statement, one after the other."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable

import psycopg
import pytest

STEPS_MAX = 300

Run = Callable[[], Awaitable[object]]
Crashing = Callable[[Run], Awaitable[None]]


class Crash(BaseException):
    """The process dies here."""


async def every_step(monkeypatch: pytest.MonkeyPatch, at_least: int) -> AsyncIterator[Crashing]:
    """Yields a way to run something that dies at its first statement, then one that dies at its second, … until one
    came to its end alive; fails the test when that was before `at_least` deaths."""
    execute = psycopg.AsyncConnection.execute
    left = 0

    async def failing(self: psycopg.AsyncConnection, *arguments: object, **options: object) -> object:
        nonlocal left
        left -= 1
        if left == 0:
            raise Crash
        return await execute(self, *arguments, **options)

    for step in range(1, STEPS_MAX):
        died = False

        async def crashing(run: Run, step: int = step) -> None:
            nonlocal left, died
            left = step
            with monkeypatch.context() as patch:
                patch.setattr(psycopg.AsyncConnection, "execute", failing)
                try:
                    await run()
                except Crash:
                    died = True

        yield crashing
        if not died:
            assert step > at_least, f"only {step - 1} steps to die at"
            return
    raise AssertionError(f"still dying after {STEPS_MAX} steps")
