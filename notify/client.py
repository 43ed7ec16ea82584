"""Talking to the gateway."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp
import msgspec

from notify.settings import Settings

BASE = "/api/notification"
ANSWER_SECONDS = 60.0
CONNECT_SECONDS = 5.0
IMPORT_SECONDS = 3600.0
PAGE_MAX = 1000


class ApiError(Exception):
    """An answer that is not a success; the text is for people."""

    def __init__(self, status: int, problem: dict[str, Any]) -> None:
        parts = [str(problem.get("title", f"status {status}")), str(problem.get("detail", ""))]
        parts += [f"{error.get('field')}: {error.get('message')}" for error in problem.get("errors", [])]
        super().__init__("; ".join(part for part in parts if part))
        self.status = status


@dataclass(slots=True)
class Api:
    """The API as one tenant sees it."""

    session: aiohttp.ClientSession
    url: str
    token: str

    async def ask(self, method: str, path: str, body: Any = None, **parameters: Any) -> Any:
        """The decoded answer; raises `ApiError`. Paths are below `/api/notification` unless they start with `//`."""
        url = self.url + (path[1:] if path.startswith("//") else BASE + path)
        data = None if body is None else msgspec.json.encode(body)
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"}
        wanted = {name: str(value) for name, value in parameters.items() if value is not None}
        async with self.session.request(method, url, data=data, headers=headers, params=wanted) as answer:
            return await _read(answer)

    async def data(self, method: str, path: str, body: Any = None, **parameters: Any) -> Any:
        """The `data` of the answer."""
        return (await self.ask(method, path, body, **parameters))["data"]

    async def pages(self, path: str, **parameters: Any) -> AsyncIterator[dict[str, Any]]:
        """All entries of a list, page by page."""
        cursor = None
        while True:
            page = await self.ask("GET", path, limit=PAGE_MAX, cursor=cursor, **parameters)
            for entry in page["data"]:
                yield entry
            cursor = page.get("nextCursor")
            if cursor is None:
                return

    async def upload(self, path: str, content_type: str, pieces: AsyncIterator[bytes]) -> Any:
        """Streams a file; the decoded answer."""
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": content_type}
        timeout = aiohttp.ClientTimeout(total=IMPORT_SECONDS, connect=CONNECT_SECONDS)
        async with self.session.post(self.url + BASE + path, data=pieces, headers=headers, timeout=timeout) as answer:
            return (await _read(answer))["data"]

    async def download(self, path: str) -> bytes:
        """The bytes of a file at a path of the gateway."""
        headers = {"Authorization": f"Bearer {self.token}"}
        async with self.session.get(self.url + path, headers=headers) as answer:
            if answer.status >= 400:
                await _read(answer)
            return await answer.read()


async def _read(answer: aiohttp.ClientResponse) -> Any:
    raw = await answer.read()
    try:
        decoded = msgspec.json.decode(raw) if raw else {}
    except msgspec.DecodeError:
        decoded = {}
    if answer.status >= 400:
        raise ApiError(answer.status, decoded if isinstance(decoded, dict) else {})
    return decoded


@asynccontextmanager
async def open_api(url: str, token: str, user: str | None = None) -> AsyncIterator[Api]:
    """The API until the end of the block; raises `aiohttp.ClientError` when nobody answers.

    `user` says on behalf of which tenant the fleet's own token is used.
    """
    timeout = aiohttp.ClientTimeout(total=ANSWER_SECONDS, connect=CONNECT_SECONDS)
    headers = {} if user is None else {"X-User-Id": user}
    async with aiohttp.ClientSession(timeout=timeout, headers=headers) as session:
        yield Api(session, url.rstrip("/"), token)


def as_operator(settings: Settings, user: str) -> AbstractAsyncContextManager[Api]:
    """The API as an operator of the fleet uses it on behalf of a tenant."""
    return open_api(settings.url, settings.internal_token, user)


async def find_campaign(api: Api, campaign_id: str) -> tuple[str, dict[str, Any]]:
    """(channel, campaign) of an id, whichever channel it is of; raises `ApiError` when there is none."""
    problem: ApiError | None = None
    for channel in ("sms", "push"):
        try:
            return channel, await api.data("GET", f"/{channel}/campaigns/{campaign_id}")
        except ApiError as error:
            problem = error
            if error.status not in (404, 422):
                break
    assert problem is not None
    if problem.status == 404:
        detail = "the API key's user has none with this id; NOTIFY_API_KEY names another key"
        raise ApiError(404, {"title": "No such campaign", "detail": detail})
    raise problem
