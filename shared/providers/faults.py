"""What every network fault means for a message, decided once for all vendors."""

from __future__ import annotations

import msgspec
import pycurl

from shared.providers.provider import Deferred, Unknown

_E_HTTP2_STREAM = 92
"""CURLE_HTTP2_STREAM, for which pycurl has no name."""

_FAULTS = {
    pycurl.E_COULDNT_RESOLVE_HOST: "dns",
    pycurl.E_COULDNT_RESOLVE_PROXY: "dns",
    pycurl.E_COULDNT_CONNECT: "connect",
    pycurl.E_SSL_CONNECT_ERROR: "tls",
    pycurl.E_PEER_FAILED_VERIFICATION: "tls",
    pycurl.E_SSL_CACERT_BADFILE: "tls",
    pycurl.E_OPERATION_TIMEDOUT: "timeout",
    pycurl.E_GOT_NOTHING: "connection_lost",
    pycurl.E_RECV_ERROR: "connection_lost",
    pycurl.E_SEND_ERROR: "connection_lost",
    pycurl.E_HTTP2: "connection_lost",
    _E_HTTP2_STREAM: "stream_reset",
    pycurl.E_PARTIAL_FILE: "truncated",
    pycurl.E_FTP_WEIRD_SERVER_REPLY: "malformed",
    pycurl.E_UNSUPPORTED_PROTOCOL: "malformed",
    pycurl.E_BAD_CONTENT_ENCODING: "malformed",
    pycurl.E_FILESIZE_EXCEEDED: "too_large",
    pycurl.E_WRITE_ERROR: "too_large",
}

FAULTS = (*sorted(set(_FAULTS.values())), "lease_expired", "stream_refused", "closed", "other")
"""Every kind of fault there is, for metrics."""


class Fault(msgspec.Struct, frozen=True, gc=False):
    """No complete answer came. `maybe_written` is False if the write was never reached, or the server did nothing."""

    kind: str
    maybe_written: bool


def outcome_of(fault: Fault) -> Deferred | Unknown:
    """What a fault means for the message: deferred where it certainly was not written, else unknown."""
    return Unknown(fault.kind) if fault.maybe_written else Deferred(fault.kind)


def fault_kind(number: int) -> str:
    """The kind of a libcurl error."""
    return _FAULTS.get(number, "other")
