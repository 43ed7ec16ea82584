"""A bug that a request runs into: the answer names what the log can be searched for."""

from __future__ import annotations

import asyncio
import logging

import aiohttp

from deploy.local.state import free_port
from shared.http import REQUEST_ID, internal_app, only_with_token
from shared.logs import current_request_id
from shared.runtime import Service, serving
from tests.shared.test_runtime import settings

HEADERS = {"Authorization": "Bearer t", REQUEST_ID.decode(): "abc123"}


class Kept(logging.Handler):
    """What is logged, with the request that a line of ours would name."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[tuple[object, str | None]] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append((record.exc_info and record.exc_info[0], current_request_id()))


async def test_the_answer_to_a_bug_names_the_request_that_the_log_names(servers) -> None:
    app = internal_app("buggy")

    @app.get("/")
    async def fail() -> None:
        raise LookupError("of ours")

    given = settings(servers.kafka).model_copy(update={"http_port": free_port()})
    log, kept = logging.getLogger("uvicorn.error"), Kept()
    log.addHandler(kept)
    async with (
        serving(Service("buggy", only_with_token(app, "t")), given, asyncio.Event()),
        aiohttp.ClientSession() as http,
        http.get(f"http://127.0.0.1:{given.http_port}/", headers=HEADERS) as answer,
    ):
        problem = await answer.json(content_type=None)
    log.removeHandler(kept)
    assert (problem["status"], "as request abc123" in problem["detail"]) == (500, True)
    assert (LookupError, "abc123") in kept.lines
