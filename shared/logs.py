"""Logs: one JSON object a line on stderr, constant lower_snake event names, values as fields."""

from __future__ import annotations

import logging
import sys
from typing import Any

import structlog

from contracts.masked import Masked

_QUIET = ("aiokafka", "faststream", "uvicorn.access", "uvicorn.error", "asyncio", "alembic", "httpx", "urllib3")


def configure(service: str, level: str) -> None:
    """Sends our own events and every library's warnings to stderr as JSON."""
    number = logging.getLevelNamesMapping()[level.upper()]
    renderer: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _mask,
        structlog.processors.format_exc_info,
        structlog.processors.JSONRenderer(),
    ]
    structlog.configure(
        processors=renderer,
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    structlog.contextvars.bind_contextvars(service=service)
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(foreign_pre_chain=renderer[:4], processors=[_keep_message, *renderer[4:]])
    )
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)
    for name in _QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)


def logger() -> structlog.typing.FilteringBoundLogger:
    """The logger of this process."""
    bound: structlog.typing.FilteringBoundLogger = structlog.get_logger()
    return bound


def begin_request(request_id: str) -> None:
    """Names the request in every event of its task, those of libraries included."""
    structlog.contextvars.bind_contextvars(request_id=request_id)


def current_request_id() -> str | None:
    """The id by which the log knows the request that is being answered."""
    request_id: str | None = structlog.contextvars.get_contextvars().get("request_id")
    return request_id


def _mask(_logger: Any, _method: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    for name, value in event.items():
        if isinstance(value, Masked):
            event[name] = repr(value)
    return event


def _keep_message(_logger: Any, _method: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    event.pop("_record", None)
    event.pop("_from_structlog", None)
    return event
