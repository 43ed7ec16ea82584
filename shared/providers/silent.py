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
    Message,
    Unclear,
)

CALLBACK_REPLY = HttpReply(404, "text/plain", b"")


def question(_account: Any, _message: Message, _attempted_at: datetime) -> None:
    """There is nobody to ask."""


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
