"""Style sheets and scripts: read once, under an address that changes with any of them, kept by browsers for a year."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from fastapi import APIRouter, Response

from shared.http import Problem

FOLDER = Path(__file__).resolve().parents[2] / "static"
PATH = "/notification/static"
KEPT_SECONDS = 365 * 24 * 3600
_TYPES = {".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml"}


@dataclass(frozen=True, slots=True)
class Statics:
    """The files by name. Modules that import each other stay together, because all share one digest."""

    files: dict[str, bytes]
    digest: str

    def address(self, name: str) -> str:
        """Where the file is; a `KeyError` for a name that is none."""
        self.files[name]
        return f"{PATH}/{self.digest}/{name}"


def read_statics() -> Statics:
    """All files of the folder."""
    files = {path.name: path.read_bytes() for path in sorted(FOLDER.iterdir()) if path.suffix in _TYPES}
    digest = hashlib.sha256(b"\0".join(name.encode() + b"\0" + text for name, text in files.items()))
    return Statics(files, digest.hexdigest()[:16])


def static_routes(statics: Statics) -> APIRouter:
    """The files. An address with an old digest gets the new file, which is not kept."""
    router = APIRouter(prefix=PATH)

    @router.get("/{digest}/{name}")
    async def read_static(digest: str, name: str) -> Response:
        if name not in statics.files:
            raise Problem(404, "Not found")
        fresh = digest == statics.digest
        kept = f"public, max-age={KEPT_SECONDS}, immutable" if fresh else "no-store"
        headers = {"content-type": _TYPES[Path(name).suffix], "cache-control": kept}
        return Response(statics.files[name], headers=headers)

    return router
