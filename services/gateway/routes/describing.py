"""The description of the API."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from contracts.http.described.fields import FIELDS
from contracts.http.described.operations import OPERATIONS, TAGS, Described
from contracts.http.described.problems import PROBLEMS, Problem
from contracts.http.described.queries import Query
from contracts.http.endpoints import BASE, ENDPOINTS, Endpoint, has_text_id
from services.gateway.routes.messages import WRITES

REFERENCE = "#/components/schemas/{model}"
FILES = ("text/csv", "application/x-ndjson")
ALWAYS = (401, 403, 422, 429, 503)
ALWAYS_PUBLIC = (403, 422, 429, 503)
"""403: pages of other sites are refused."""

IDEMPOTENCY_KEY = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "description": "A write that is repeated with the same key has one effect, and the same answer byte for byte.",
    "schema": {"type": "string", "minLength": 1, "maxLength": 200, "pattern": "^[!-~]+$"},
}
ABOUT = """\
SMS and push campaigns after which you know what happened to every recipient.

Send `Authorization: Bearer <api key>`. Times are RFC 3339 in UTC, ids opaque strings. Lists answer `{"data": [...],
"nextCursor": ...}`: pass `nextCursor` as `cursor` until it is null; a parameter that a list does not have is a 422.
Writes take an `Idempotency-Key` for 24 hours: repeated, they are done once, and answered as the first time, byte for
byte. A refusal is not kept: with the same key the request may be corrected. An import has an `importId` instead: a
second one under the same id is a 409, and `GET /customers/imports/{id}` says what became of the first.
Answers that are no success are `application/problem+json` and say what to change: 400 for a body that is no JSON, 422
for JSON with something wrong in it, of which `errors` names every field at once. A 500 names the request, as
`X-Request-Id` of every answer does, by which our log can be searched. Objects may get further fields."""


def describe(app: FastAPI) -> dict[str, Any]:
    """The OpenAPI document: FastAPI's, with what services behind the gateway read and answer."""
    document = get_openapi(title=app.title, version=app.version, description=ABOUT, routes=app.routes)
    endpoints = {f"{one.method} {one.path}": one for one in ENDPOINTS}
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            key = f"{method.upper()} {path.removeprefix(BASE)}"
            _complete(operation, key, endpoints.get(key), OPERATIONS.get(key, Described("")))
    schemas = {name: one for name, one in document["components"]["schemas"].items() if "ValidationError" not in name}
    _, shared = models_json_schema([(model, "validation") for model in _models()], ref_template=REFERENCE)
    document["components"] = {
        "schemas": _with_texts(_untitled(dict(sorted({**schemas, **shared["$defs"]}.items())))),
        "responses": {_name(status): _problem(text) for status, text in PROBLEMS.items()},
        "securitySchemes": {
            "apiKey": {"type": "http", "scheme": "bearer"},
            "session": {"type": "apiKey", "in": "cookie", "name": "session"},
        },
    }
    document["tags"] = [{"name": name, "description": text} for name, text in TAGS.items()]
    document["servers"] = [{"url": "/"}]
    return document


def _models() -> Iterator[type[BaseModel]]:
    yield Problem
    for described in OPERATIONS.values():
        yield from (
            model
            for model in (described.answer, described.body, *(also for _, also in described.also))
            if model is not None
        )
    yield from (endpoint.body for endpoint in ENDPOINTS if endpoint.body is not None)


def _complete(operation: dict[str, Any], key: str, endpoint: Endpoint | None, described: Described) -> None:
    """Adds what FastAPI cannot know of an operation."""
    method, path = key.split(" ")
    if described.name:
        operation["operationId"] = described.name
    if described.text:
        operation["description"] = described.text
    operation["tags"] = [_tag_of(path)]
    operation["security"] = [] if described.is_public else [{"apiKey": []}, {"session": []}]
    if scope := endpoint.scope if endpoint else described.scope:
        operation["x-scope"] = scope
    is_file = endpoint is not None and endpoint.streams
    repeatable = any(one["name"].lower() == "idempotency-key" for one in operation.get("parameters", ()))
    has_key = repeatable and method in WRITES and not is_file
    operation["parameters"] = [
        *_path_parameters(path),
        *_query_parameters(described.query),
        *([IDEMPOTENCY_KEY] if has_key else []),
    ]
    body = described.body or (endpoint.body if endpoint else None)
    if is_file:
        content = {kind: {"schema": {"type": "string"}, "example": described.example} for kind in FILES[:1]}
        content[FILES[1]] = {"schema": {"type": "string"}}
        operation["requestBody"] = {"required": True, "content": content}
    elif body is not None:
        operation["requestBody"] = {"required": True, "content": {"application/json": {"schema": _reference(body)}}}
    if described.example is not None and not is_file:
        operation["requestBody"]["content"]["application/json"]["example"] = described.example
    success = {status: described.answer for status in operation["responses"] if status.startswith("2")}
    success |= {str(status): answer for status, answer in described.also}
    statuses = {*(ALWAYS if not described.is_public else ALWAYS_PUBLIC), *described.problems}
    statuses |= {404} if "{" in path else set()
    statuses |= {400, 413} if "requestBody" in operation else set()
    statuses |= {415} if "requestBody" in operation and not is_file else set()
    statuses |= {409} if has_key else set()
    operation["responses"] = {
        **{status: _success(status, operation["summary"], described, answer) for status, answer in success.items()},
        **{str(status): {"$ref": f"#/components/responses/{_name(status)}"} for status in sorted(statuses)},
    }


def _tag_of(path: str) -> str:
    """The kind of thing that a path is about; what is sent from a campaign is about campaigns."""
    about = path.removesuffix("/send") or path
    return next((part for part in reversed(about.split("/")) if part in TAGS), "other")


def _path_parameters(path: str) -> Iterator[dict[str, Any]]:
    for part in path.split("/"):
        if part.startswith("{"):
            schema = (
                {"type": "string", "minLength": 1, "maxLength": 200}
                if has_text_id(path)
                else {"type": "string", "format": "uuid"}
            )
            name = part[1:-1]
            said = {"description": FIELDS[name]} if name in FIELDS and name != "id" else {}
            yield {"name": name, "in": "path", "required": True, "schema": schema, **said}


def _query_parameters(query: type[Query] | None) -> Iterator[dict[str, Any]]:
    if query is None:
        return
    _, shared = models_json_schema([(query, "validation")], ref_template=REFERENCE)
    for name, schema in shared["$defs"][query.__name__]["properties"].items():
        given = {key: value for key, value in schema.items() if key not in ("title", "anyOf", "description", "default")}
        given |= next((one for one in schema.get("anyOf", ()) if one.get("type") != "null"), {})
        if schema.get("default") is not None:
            given["default"] = schema["default"]
        text = schema.get("description") or FIELDS.get(name)
        described = {"description": text} if text else {}
        required = name in shared["$defs"][query.__name__].get("required", ())
        yield {"name": name, "in": "query", "required": required, "schema": given, **described}


def _success(status: str, summary: str, described: Described, answer: type[BaseModel] | None) -> dict[str, Any]:
    if described.files:
        return {"description": summary, "content": {kind: {"schema": {"type": "string"}} for kind in described.files}}
    if status == "204" or answer is None:
        return {"description": "Done." if status == "204" else summary}
    one = _reference(answer)
    data = {"type": "array", "items": one} if described.listed or described.many else one
    properties: dict[str, Any] = {"data": data}
    if described.listed:
        properties["nextCursor"] = {"type": ["string", "null"], "description": "Null on the last page."}
    properties |= {name: {"type": "boolean", "description": text} for name, text in described.beside.items()}
    schema = {"type": "object", "required": list(properties), "properties": properties}
    return {"description": summary, "content": {"application/json": {"schema": schema}}}


def _name(status: int) -> str:
    return HTTPStatus(status).phrase.title().replace(" ", "")


def _untitled(schemas: Any) -> Any:
    """Without the titles that are made up from the names of fields."""
    if isinstance(schemas, list):
        return [_untitled(one) for one in schemas]
    if not isinstance(schemas, dict):
        return schemas
    return {name: _untitled(one) for name, one in schemas.items() if name != "title" or not isinstance(one, str)}


def _with_texts(schemas: dict[str, Any]) -> dict[str, Any]:
    """With the common meaning of the fields that do not say their own."""
    for schema in schemas.values():
        for name, field in schema.get("properties", {}).items():
            own = (field, *field.get("anyOf", ()))
            if name in FIELDS and not any("description" in one or "$ref" in one for one in own):
                field["description"] = FIELDS[name]
    return schemas


def _problem(text: str) -> dict[str, Any]:
    return {"description": text, "content": {"application/problem+json": {"schema": _reference(Problem)}}}


def _reference(model: type[BaseModel]) -> Mapping[str, str]:
    return {"$ref": REFERENCE.format(model=model.__name__)}
