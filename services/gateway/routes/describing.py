"""The description of the API, for machines and for people."""

from __future__ import annotations

import base64
import hashlib
import html
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.responses import HTMLResponse

from contracts.http.endpoints import ENDPOINTS


def describe(app: FastAPI) -> dict[str, Any]:
    """The OpenAPI document: FastAPI's, with the bodies that other services read."""
    document = get_openapi(title=app.title, version=app.version, routes=app.routes)
    schemas = document.setdefault("components", {}).setdefault("schemas", {})
    for model in {endpoint.body for endpoint in ENDPOINTS if endpoint.body is not None}:
        schema = model.model_json_schema(ref_template="#/components/schemas/{model}")
        schemas |= schema.pop("$defs", {})
        schemas[model.__name__] = schema
    error = {"type": "object", "properties": {"field": {"type": "string"}, "message": {"type": "string"}}}
    schemas["Problem"] = {
        "type": "object",
        "required": ["type", "title", "status"],
        "properties": {
            "type": {"type": "string"},
            "title": {"type": "string"},
            "status": {"type": "integer"},
            "detail": {"type": "string"},
            "errors": {"type": "array", "items": error},
        },
    }
    for name in ("HTTPValidationError", "ValidationError"):  # FastAPI's own; we answer problems
        schemas.pop(name, None)
    for operation in (one for path in document["paths"].values() for one in path.values()):
        operation["responses"].get("422", {}).get("content", {}).pop("application/json", None)
    document["components"]["schemas"] = dict(sorted(schemas.items()))
    document["components"]["securitySchemes"] = {"apiKey": {"type": "http", "scheme": "bearer"}}
    return document


_STYLE = "body{font:16px/1.5 system-ui;margin:2rem;color-scheme:light dark}td{padding:.2rem .8rem}"
_STYLE_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
_POLICY = f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; frame-ancestors 'none'; base-uri 'none'"


def docs_page(document: dict[str, Any]) -> HTMLResponse:
    """The operations as a page that needs nothing from elsewhere."""
    rows = "".join(
        f"<tr><td><code>{method.upper()}</code></td><td><code>{html.escape(path)}</code></td>"
        f"<td>{html.escape(operation.get('summary', ''))}</td><td>{html.escape(operation.get('x-scope', ''))}</td></tr>"
        for path, operations in document["paths"].items()
        for method, operation in operations.items()
    )
    return HTMLResponse(
        "<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content='width=device-width'>"
        f"<title>{html.escape(document['info']['title'])}</title>"
        f"<style>{_STYLE}</style>"
        f"<h1>{html.escape(document['info']['title'])}</h1><p>The whole description: <a href=/openapi.json>openapi.json"
        f"</a></p><table><tr><th>Method<th>Path<th>Does<th>Scope</tr>{rows}</table></html>",
        headers={"Content-Security-Policy": _POLICY},
    )
