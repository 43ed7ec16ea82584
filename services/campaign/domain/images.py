"""What the first bytes of a picture say about it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from io import BytesIO
from typing import Any

import imagesize

_BEGINNINGS = (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"GIF87a", b"GIF89a", b"RIFF")
"""Of the formats that phones show; nothing else is given to the reader of headers."""


@dataclass(frozen=True, slots=True)
class Image:
    """Its size in pixels, or in `trouble` why that is not known."""

    width: int = 0
    height: int = 0
    trouble: str | None = None


_NOT_SEEN = Image(trouble="it was saved before pictures were looked at; save it again")


def read_image(beginning: bytes) -> Image:
    """The size in the header of a PNG, JPEG, GIF or WebP."""
    if beginning.startswith(_BEGINNINGS):
        width, height = imagesize.get(BytesIO(beginning))
        if width > 0 and height > 0:
            return Image(width, height)
    return Image(trouble="it is not a PNG, JPEG, GIF or WebP")


def image_of(template: Mapping[Any, Any]) -> Image | None:
    """What a stored template's picture was found to be; None where it has none."""
    if template.get("image_url") is None:
        return None
    return Image(**template["image"]) if template["image"] else _NOT_SEEN
