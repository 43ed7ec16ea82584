"""For vendors that cannot be asked about a message and call nobody; their modules take these functions over."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Any

from shared.providers.provider import (
    CallbackContents,
    CallbackRequest,
    Finding,
    HttpAnswer,
    HttpReply,
    HttpRequest,
    Message,
    Unclear,
)

CALLBACK_REPLY = HttpReply(404, "text/plain", b"")


def question(_account: Any, _message: Message, _attempted_at: datetime) -> HttpRequest:
    """There is nobody to ask."""
    raise NotImplementedError("the vendor's capabilities say that it cannot be asked")


def finding(
    _account: Any, _message: Message, _attempted_at: datetime, _others: Collection[str], _answer: HttpAnswer
) -> Finding:
    """There is nobody to ask."""
    return Unclear("cannot_be_asked")


def is_genuine(_account: Any, _callback: CallbackRequest) -> bool:
    """Nobody calls."""
    return False


def read_callback(_account: Any, _callback: CallbackRequest) -> CallbackContents:
    """Nobody calls."""
    return CallbackContents()
