"""A server that keeps what vendors' own clients send, so that our requests can be compared with theirs."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl


@dataclass
class Recorded:
    """One request."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def form(self) -> dict[str, str]:
        return dict(parse_qsl(self.body.decode(), keep_blank_values=True, strict_parsing=True))


@dataclass
class Recorder:
    """The requests in order; each is answered with `status` and `answer`."""

    status: int = 200
    answer: bytes = b"{}"
    content_type: str = "application/json"
    url: str = ""
    requests: list[Recorded] = field(default_factory=list)


@contextmanager
def recording(status: int = 200, answer: bytes = b"{}", content_type: str = "application/json") -> Iterator[Recorder]:
    """A running recorder."""
    recorder = Recorder(status, answer, content_type)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            headers = {name.lower(): value for name, value in self.headers.items()}
            recorder.requests.append(Recorded(self.command, self.path, headers, body))
            self.send_response(recorder.status)
            self.send_header("content-type", recorder.content_type)
            self.send_header("content-length", str(len(recorder.answer)))
            self.end_headers()
            self.wfile.write(recorder.answer)

        do_GET = do_POST

        def log_message(self, *_arguments: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    recorder.url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield recorder
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def differing(ours: Mapping[str, Any], theirs: Mapping[str, Any]) -> set[str]:
    """The fields that not both have, or not with the same value; those of what is nested as paths with dots."""
    flat, other = dict(_fields(ours)), dict(_fields(theirs))
    return {path for path in flat.keys() | other.keys() if flat.get(path, ...) != other.get(path, ...)}


def _fields(value: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, Any]]:
    for name, inner in value.items():
        if isinstance(inner, Mapping) and inner:
            yield from _fields(inner, f"{before}{name}.")
        else:
            yield f"{before}{name}", inner
