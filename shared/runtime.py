"""Runs one service: its HTTP server, consumers, jobs and outbox in one process and one loop, until told to stop.

Stopping goes from the outside in: requests in hand are answered, no new record or job is taken, what was begun is
finished, the outbox is drained.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import signal
import socket
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Generator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeVar

import uvicorn
import uvloop
from faststream.kafka import KafkaBroker

from contracts.topics import DEAD_LETTERS, Topic
from shared import kafka, logs, outbox
from shared.backoff import Backoff, wait_unless
from shared.bounded_http import BoundedProtocol
from shared.consuming import Consumption, DeadLetters
from shared.database import Database
from shared.errors import Stopped, is_transient
from shared.kafka import Subscription
from shared.logs import logger
from shared.probes import AsgiApp, Health, Heartbeat, with_probes
from shared.quick_http import QuickPath, protocol_of
from shared.settings import HttpSettings, ServiceSettings, SettingsError, load

MEASURE_SECONDS = 2.0
KEEP_ALIVE_SECONDS = 75
ANSWER_GRACE_SECONDS = 10
GC_ALLOCATIONS = 50_000
PURGE_EVERY = 15
"""The outbox is purged once in so many measurements."""


@dataclass(frozen=True, slots=True)
class JobContext:
    """What a job gets from the runtime."""

    stopping: asyncio.Event
    heartbeat: Heartbeat

    async def sleep(self, seconds: float) -> bool:
        """Waits; True means that the service is stopping and the job must return."""
        return await wait_unless(self.stopping, seconds)


@dataclass(frozen=True, slots=True)
class Job:
    """A loop that runs as long as the service. It returns when `stopping` is set."""

    name: str
    run: Callable[[JobContext], Awaitable[None]]
    stuck_seconds: float = 120.0


@dataclass(frozen=True, slots=True)
class Service:
    """What a service's `app.build` composes."""

    name: str
    routes: AsgiApp
    database: Database | None = None
    subscriptions: list[Subscription] = field(default_factory=list)
    jobs: list[Job] = field(default_factory=list)
    quick: QuickPath | None = None


AnySettings = TypeVar("AnySettings", bound=HttpSettings)
Build = Callable[[AnySettings], AbstractAsyncContextManager[Service]]


def main(service_name: str, build: Build[AnySettings], settings_type: type[AnySettings]) -> None:
    """Runs the service with the settings of the environment; exits 2 for bad settings, 1 for a failure."""
    try:
        settings = load(settings_type)
    except SettingsError as error:
        sys.exit(f"{service_name}: {error}")
    logs.configure(service_name, settings.log_level)
    try:
        uvloop.run(run(build, settings))
    except (Stopped, OSError) as error:
        logger().error("service_stopped", reason=str(error))
        sys.exit(1)


async def run(build: Build[AnySettings], settings: AnySettings) -> None:
    """Runs the service until SIGTERM, SIGINT or a failure."""
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    async with build(settings) as service, serving(service, settings, stopping) as health:
        health.started = True
        _relax_collector()
        logger().info("service_started", port=settings.http_port)
        await stopping.wait()
        health.stopping = True
        logger().info("service_stopping")


def _relax_collector() -> None:
    """Lets the collector pass over everything loaded so far, and look at the rest less often: almost all that a
    service makes is freed by reference counts, and the default looks a hundred times as often for nothing."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(GC_ALLOCATIONS, 20, 100)


@asynccontextmanager
async def serving(service: Service, settings: HttpSettings, stopping: asyncio.Event) -> AsyncIterator[Health]:
    """Starts everything of the service; at the end of the block stops it and raises what made it fail."""
    health = Health()
    running = _Running(service, settings, stopping, health)
    server = _Server(_uvicorn_config(with_probes(service.routes, health), service.quick))
    listener = _listen(settings.http_host, settings.http_port)
    http = asyncio.create_task(server.serve(sockets=[listener]), name="http")
    try:
        await running.start()
        yield health
    finally:
        stopping.set()
        server.should_exit = True
        await http
        await running.stop()
    if running.failure is not None:
        raise running.failure


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None]:
        yield


def _uvicorn_config(app: AsgiApp, quick: QuickPath | None) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        http=BoundedProtocol if quick is None else protocol_of(quick),
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        date_header=False,
        proxy_headers=False,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=ANSWER_GRACE_SECONDS,
    )


def _listen(host: str, port: int) -> socket.socket:
    try:
        return socket.create_server((host, port), backlog=2048)
    except OSError as error:
        raise OSError(f"cannot listen on {host}:{port} (HTTP_HOST, HTTP_PORT): {error.strerror}") from None


@dataclass(slots=True)
class _Running:
    service: Service
    settings: HttpSettings
    stopping: asyncio.Event
    health: Health
    broker: KafkaBroker | None = None
    subscribers: list[tuple[Topic, Any]] = field(default_factory=list)
    tasks: list[asyncio.Task[None]] = field(default_factory=list)
    jobs_stopping: asyncio.Event = field(default_factory=asyncio.Event)
    relay: asyncio.Task[None] | None = None
    relay_stopping: asyncio.Event = field(default_factory=asyncio.Event)
    failure: BaseException | None = None

    async def start(self) -> None:
        if isinstance(self.settings, ServiceSettings):
            self.broker = kafka.make_broker(
                self.settings.kafka_bootstrap_servers, self.service.name, self.settings.graceful_seconds
            )
            self._subscribe(self.broker, self.settings.dead_letters_max)
            await kafka.connect(self.broker)
            if self.service.database is not None:
                self.relay = self._spawn(Job("outbox", self._relay), self.relay_stopping)
            self.tasks.append(self._spawn(Job("measurements", self._measure), self.jobs_stopping))
        self.tasks.extend(self._spawn(job, self.jobs_stopping) for job in self.service.jobs)
        if self.broker is not None:  # last, because Kafka may still wait for a consumer that was killed
            await self.broker.start()

    def _subscribe(self, broker: KafkaBroker, dead_letters_max: int) -> None:
        async def put_aside(key: bytes, value: bytes, headers: dict[str, str]) -> None:
            await (await kafka.publish(broker, DEAD_LETTERS.name, key, value, headers))

        dead_letters = DeadLetters(self.service.name, dead_letters_max, put_aside)
        for subscription in self.service.subscriptions:
            heartbeat = self.health.heartbeat(f"consumer {subscription.topic.name}")
            consumption = Consumption(
                subscription.topic, subscription.handle, dead_letters, heartbeat, self.stopping, self.fail
            )
            subscriber = kafka.subscribe(broker, self.service.name, subscription, consumption)
            self.subscribers.append((subscription.topic, subscriber))

    async def stop(self) -> None:
        for _, subscriber in self.subscribers:
            await subscriber.stop()
        self.jobs_stopping.set()
        await _finish(self.tasks, self.settings.graceful_seconds)
        self.relay_stopping.set()
        if self.relay is not None:
            await _finish([self.relay], self.settings.graceful_seconds)
        if self.broker is not None:
            await self.broker.stop()

    def fail(self, error: BaseException) -> None:
        """Ends the service with this error."""
        if self.failure is None:
            self.failure = error
        self.stopping.set()

    def _spawn(self, job: Job, stopping: asyncio.Event) -> asyncio.Task[None]:
        context = JobContext(stopping, self.health.heartbeat(job.name, job.stuck_seconds))
        return asyncio.create_task(self._keep_running(job, context), name=job.name)

    async def _keep_running(self, job: Job, context: JobContext) -> None:
        backoff, attempt = Backoff(), 0
        while True:
            try:
                await job.run(context)
            except Exception as error:
                if not is_transient(error):
                    logger().exception("job_failed", job=job.name)
                    self.fail(error)
                    return
                attempt += 1
                logger().warning("job_retried", job=job.name, attempt=attempt, error=type(error).__name__)
                context.heartbeat.end()
                if await context.sleep(backoff.delay(attempt)):
                    return
            else:
                return

    async def _relay(self, context: JobContext) -> None:
        assert self.service.database is not None
        assert self.broker is not None
        await outbox.relay(
            self.service.database, partial(kafka.publish, self.broker), context.stopping, context.heartbeat
        )

    async def _measure(self, context: JobContext) -> None:
        rounds = 0
        while not await context.sleep(MEASURE_SECONDS):
            await kafka.measure_lag(self.subscribers)
            if self.service.database is not None:
                await outbox.measure(self.service.database)
                if rounds % PURGE_EVERY == 0:
                    await outbox.purge(self.service.database)
            rounds += 1


async def _finish(tasks: list[asyncio.Task[None]], seconds: float) -> None:
    if not tasks:
        return
    _, late = await asyncio.wait(tasks, timeout=seconds)
    for task in late:
        logger().warning("job_cancelled", job=task.get_name())
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
