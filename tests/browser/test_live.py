"""What is watched is asked about once, however many watch, and nothing is sent twice to one who returns."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from services.gateway.routes.pages import live
from services.gateway.routes.pages.live import Watch
from shared.http import Problem
from tests.waiting import until


class Source:
    """Something that changes when it is told to, and counts who asks."""

    def __init__(self) -> None:
        self.value = 1
        self.asked = 0
        self.problem: Problem | None = None

    async def ask(self) -> Any:
        self.asked += 1
        if self.problem is not None:
            raise self.problem
        return {"value": self.value}


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "POLL_SECONDS", 0.02)


@contextlib.asynccontextmanager
async def watching(
    watch: Watch, source: Source, last_id: str | None = None, name: str = "campaign"
) -> AsyncIterator[AsyncIterator[str]]:
    """The events, as a browser reads them; the first line says when to come back."""
    response = watch.stream("acme", name, source.ask, lambda data: f"value {data['value']}", last_id)
    events = response.body_iterator
    assert await anext(events) == b"retry: 2000\n\n"  # type: ignore[comparison-overlap]
    try:
        yield events  # type: ignore[misc]
    finally:
        await events.aclose()  # type: ignore[attr-defined]


async def data_of(events: AsyncIterator[Any]) -> tuple[str, str]:
    async with asyncio.timeout(5):
        text = (await anext(events)).decode()
    first, second = text.strip().splitlines()
    return first.removeprefix("id: "), json.loads(second.removeprefix("data: "))


async def test_many_watch_and_one_asks() -> None:
    watch, source = Watch(), Source()
    async with contextlib.AsyncExitStack() as stack:
        streams = [await stack.enter_async_context(watching(watch, source)) for _ in range(20)]
        assert [await data_of(one) for one in streams] == [await data_of_first(source)] * 20
        source.value = 2
        assert {text for _, text in [await data_of(one) for one in streams]} == {"value 2"}
        rounds = source.asked
        await until(lambda: source.asked >= rounds + 3)
        assert source.asked < 200, "twenty watchers do not ask twenty times as often"
    rounds = source.asked
    await until(lambda: not watch._watched, what="nobody asks when nobody watches")
    assert source.asked <= rounds + 1


async def data_of_first(source: Source) -> tuple[str, str]:
    watch = Watch()
    async with watching(watch, source) as events:
        return await data_of(events)


async def test_who_returns_hears_only_what_is_new() -> None:
    watch, source = Watch(), Source()
    async with watching(watch, source) as events:
        last_id, _ = await data_of(events)
        async with watching(watch, source, last_id) as again:
            source.value = 2
            assert (await data_of(again))[1] == "value 2"


async def test_who_begins_to_watch_hears_nothing_older_than_the_page() -> None:
    watch, source = Watch(), Source()
    async with watching(watch, source) as events:
        await data_of(events)
        source.value = 2
        async with watching(watch, source) as begun_later:
            assert (await data_of(begun_later))[1] == "value 2"


async def test_a_stream_ends_when_its_subject_is_gone() -> None:
    watch, source = Watch(), Source()
    async with watching(watch, source) as events:
        await data_of(events)
        source.problem = Problem(404, "No such campaign")
        with pytest.raises(StopAsyncIteration):
            async with asyncio.timeout(5):
                await anext(events)


async def test_a_service_that_is_away_is_asked_again() -> None:
    watch, source = Watch(), Source()
    source.problem = Problem(503, "Temporarily unavailable")
    async with watching(watch, source) as events:
        await until(lambda: source.asked > 2)
        source.problem = None
        assert (await data_of(events))[1] == "value 1"


async def test_streams_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "WATCHERS_MAX", 1)
    watch, source = Watch(), Source()
    async with watching(watch, source):
        with pytest.raises(Problem, match="Too many"):
            watch.stream("acme", "other", source.ask, str, None)


async def test_who_may_look_no_more_sees_no_more_while_others_do() -> None:
    watch, theirs, others = Watch(), Source(), Source()
    async with watching(watch, theirs) as ended, watching(watch, others) as going_on:
        assert [text for _, text in (await data_of(ended), await data_of(going_on))] == ["value 1"] * 2
        theirs.problem = Problem(401, "Not signed in")
        async with asyncio.timeout(5):
            assert [event async for event in ended] == []
        others.value = 2
        assert (await data_of(going_on))[1] == "value 2"
