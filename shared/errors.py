"""The two failures that are expected of a handler, and how to tell the world's trouble from a bug."""

from __future__ import annotations

import psycopg
from psycopg_pool import PoolTimeout

_TRANSIENT_SQLSTATES = frozenset({"40001", "40P01", "55P03", "57014", "57P01", "57P02", "57P03", "53300", "25P03"})


class Transient(Exception):
    """The world is unwell: the same batch may succeed later, so try it again."""


class Rejected(Exception):
    """This record is bad and will stay so; the text names what is wrong, without the record's contents."""


class Stopped(Exception):
    """The service must end now rather than go on doing harm; the text says why."""


def is_transient(error: BaseException) -> bool:
    """True where trying again can help: lost connections, deadlocks, time-outs, a restarting server."""
    if isinstance(error, Transient | PoolTimeout | ConnectionError | TimeoutError):
        return True
    if isinstance(error, psycopg.Error):
        if error.sqlstate is not None:
            return error.sqlstate in _TRANSIENT_SQLSTATES or error.sqlstate.startswith("08")
        return isinstance(error, psycopg.OperationalError | psycopg.InterfaceError)
    return False
