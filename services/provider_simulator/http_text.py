"""Requests and answers as bytes, for the few kinds that the simulator needs."""

from __future__ import annotations

from binascii import a2b_qp

_REASONS = {
    200: b"OK",
    201: b"Created",
    202: b"Accepted",
    204: b"No Content",
    400: b"Bad Request",
    401: b"Unauthorized",
    403: b"Forbidden",
    404: b"Not Found",
    405: b"Method Not Allowed",
    411: b"Length Required",
    413: b"Content Too Large",
    429: b"Too Many Requests",
    500: b"Internal Server Error",
    503: b"Service Unavailable",
}


class Request:
    """A request that arrived in full. `headers` is the head in lower case, `head` as it came."""

    __slots__ = ("body", "head", "http2", "lower_head", "method", "path", "query")

    def __init__(
        self, method: str, path: str, query: str, head: bytes, lower_head: bytes, body: bytes, http2: bool = False
    ) -> None:
        self.http2 = http2
        self.method = method
        self.path = path
        self.query = query
        self.head = head
        self.lower_head = lower_head
        self.body = body

    def header(self, name: bytes) -> str:
        """The value of a header, given in lower case; "" without one."""
        start = self.lower_head.find(b"\r\n" + name + b":")
        if start < 0:
            return ""
        start += len(name) + 3
        end = self.head.find(b"\r\n", start)
        return self.head[start : end if end >= 0 else len(self.head)].strip().decode("latin-1")


class Answer:
    """What goes back: bytes after a delay, a connection that is closed, or one that hangs first.

    On HTTP/2 no bytes reset the stream, with `refuse` as one that was not looked at; `close` with bytes says goodbye.
    """

    __slots__ = ("close", "data", "delay_seconds", "refuse")

    def __init__(self, data: bytes, delay_seconds: float = 0.0, close: bool = False, refuse: bool = False) -> None:
        self.refuse = refuse
        self.data = data
        self.delay_seconds = delay_seconds
        self.close = close


def answer_bytes(status: int, body: bytes, headers: bytes = b"", content_type: bytes = b"application/json") -> bytes:
    """A whole HTTP answer; `headers` are complete lines."""
    return b"HTTP/1.1 %d %b\r\ncontent-type: %b\r\ncontent-length: %d\r\n%b\r\n%b" % (
        status,
        _REASONS.get(status, b"Unknown"),
        content_type,
        len(body),
        headers,
        body,
    )


def request_bytes(url: str, body: bytes, headers: bytes) -> bytes:
    """A whole POST to an absolute URL; `headers` are complete lines."""
    authority, slash, target = url.partition("://")[2].partition("/")
    return b"POST /%b HTTP/1.1\r\nhost: %b\r\ncontent-length: %d\r\n%b\r\n%b" % (
        target.encode() if slash else b"",
        authority.encode(),
        len(body),
        headers,
        body,
    )


def form_of(encoded: bytes) -> dict[str, str]:
    """The fields of a form or a query, of a repeated field the last value; raises UnicodeDecodeError."""
    fields = {}
    for part in encoded.split(b"&"):
        name, equals, value = part.partition(b"=")
        if equals:
            fields[_unquoted(name)] = _unquoted(value)
    return fields


def _unquoted(encoded: bytes) -> str:
    """What a form's encoding stands for; quoted-printable differs by one character and is decoded in C."""
    if b"+" in encoded:
        encoded = encoded.replace(b"+", b" ")
    if b"%" in encoded:
        encoded = a2b_qp(encoded.replace(b"=", b"=3D").replace(b"%", b"="))
    return encoded.decode()
