"""Where browsers are sent on to."""

from __future__ import annotations

HOME = "/notification"


def local_path(wanted: str) -> str:
    """The page to go on to; only one of ours."""
    ours = wanted == HOME or wanted.startswith((f"{HOME}/", f"{HOME}?"))
    return wanted if ours and "\\" not in wanted and wanted.isprintable() else HOME
