"""The description of the API as pages for people: one for each kind of thing, made of the OpenAPI document alone."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from fastapi import APIRouter
from fastapi.responses import HTMLResponse
from jinja2 import Environment
from markupsafe import Markup, escape

from contracts.http.described.problems import PROBLEMS
from services.gateway.routes.pages import POLICY
from services.gateway.routes.pages.rendering import FOLDER, strict_environment
from services.gateway.routes.pages.statics import Statics
from shared.http import Problem

PATH = "/docs"
JSON = "application/json"
_CODE = re.compile("`([^`]+)`")
_BOUNDS = (
    ("minimum", "at least {}"),
    ("maximum", "at most {}"),
    ("minLength", "at least {} characters"),
    ("maxLength", "at most {} characters"),
    ("minItems", "at least {} entries"),
    ("maxItems", "at most {} entries"),
    ("pattern", "matches `{}`"),
    ("default", "else {}"),
)

Schema = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Kind:
    """What a value is, in words; `shape` names the object that it is or is made of."""

    words: str
    shape: str = ""


@dataclass(frozen=True, slots=True)
class Field:
    """A parameter or a field. `place` is where a parameter stands."""

    name: str
    kind: Kind
    is_required: bool
    text: str
    place: str = ""


@dataclass(frozen=True, slots=True)
class Answer:
    """What an operation answers with a status."""

    status: str
    text: str
    kind: Kind | None


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation, ready to be read. `body` is what is sent, `example` a command that sends it."""

    name: str
    method: str
    path: str
    summary: str
    text: str
    scope: str
    parameters: list[Field]
    body: Kind | None
    example: str
    answers: list[Answer]


@dataclass(frozen=True, slots=True)
class Shape:
    """An object by its name, with its fields."""

    name: str
    text: str
    fields: list[Field]


def docs_routes(document: Schema, statics: Statics) -> APIRouter:
    """An overview at `/docs`, and a page for each tag."""
    environment = strict_environment(FOLDER)
    environment.filters["marked"] = _marked
    environment.globals |= {"static": statics.address, "info": document["info"], "docs": PATH}
    tags = {one["name"]: one["description"] for one in document["tags"]}
    operations = {tag: list(_operations(document, tag)) for tag in tags}
    router = APIRouter(prefix=PATH, include_in_schema=False)

    @router.get("")
    async def overview() -> HTMLResponse:
        return _page(environment, "docs/overview.html", tags=tags, operations=operations, problems=PROBLEMS)

    @router.get("/{tag}")
    async def of_tag(tag: str) -> HTMLResponse:
        if tag not in tags:
            raise Problem(404, "Not found")
        shown = operations[tag]
        shapes = _shapes(document, shown)
        return _page(environment, "docs/tag.html", tags=tags, tag=tag, operations=shown, shapes=shapes)

    return router


def _page(environment: Environment, template: str, **values: Any) -> HTMLResponse:
    return HTMLResponse(environment.get_template(template).render(values), headers={"Content-Security-Policy": POLICY})


def _marked(text: str) -> Markup:
    """The description with what stands in backquotes as code."""
    return Markup(_CODE.sub(r"<code>\1</code>", str(escape(text))))


def _operations(document: Schema, tag: str) -> Iterator[Operation]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            if tag in operation["tags"]:
                yield _operation(document, method.upper(), path, operation)


def _operation(document: Schema, method: str, path: str, operation: Schema) -> Operation:
    sent = operation.get("requestBody", {}).get("content", {})
    body = next(iter(sent.values()), None)
    return Operation(
        name=operation["operationId"],
        method=method,
        path=path,
        summary=operation["summary"],
        text=operation.get("description", ""),
        scope=operation.get("x-scope", ""),
        parameters=[
            Field(one["name"], _kind(one["schema"]), one.get("required", False), _text(one, one["schema"]), one["in"])
            for one in operation["parameters"]
        ],
        body=_kind(body["schema"]) if body and JSON in sent else Kind(" or ".join(sent)) if sent else None,
        example=_example(method, path, operation, next(iter(sent), ""), body or {}),
        answers=[_answer(document, status, one) for status, one in operation["responses"].items()],
    )


def _example(method: str, path: str, operation: Schema, content_type: str, body: Schema) -> str:
    """A command for a shell; `$HOST` is ours, `$KEY` an API key, and what stands in braces is to be filled in."""
    lines = [f'curl -X {method} "$HOST{path}"']
    if operation["security"]:
        lines.append('-H "Authorization: Bearer $KEY"')
    if content_type:
        example = body.get("example", "")
        text = example if isinstance(example, str) else json.dumps(example, indent=2, ensure_ascii=False)
        lines += [f'-H "Content-Type: {content_type}"', "--data-binary '" + text.replace("'", "'\\''") + "'"]
    return " \\\n  ".join(lines)


def _answer(document: Schema, status: str, answer: Schema) -> Answer:
    """The answer; problems are all of one shape, and what stands in `data` is what matters of the others."""
    if "$ref" in answer:
        shared = document["components"]["responses"][answer["$ref"].rpartition("/")[2]]
        return Answer(status, shared["description"], None)
    content = answer.get("content", {})
    if JSON not in content:
        return Answer(status, answer["description"], Kind(" or ".join(content)) if content else None)
    fields = content[JSON]["schema"].get("properties", {})
    return Answer(status, "in pages: " if "nextCursor" in fields else "", _kind(fields.get("data", {})))


def _kind(schema: Schema) -> Kind:
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return Kind(name, name)
    if "anyOf" in schema:
        kinds = [_kind(one) for one in schema["anyOf"]]
        return Kind(" or ".join(one.words for one in kinds), next((one.shape for one in kinds if one.shape), ""))
    if "enum" in schema or "const" in schema:
        return Kind(" | ".join(str(one) for one in schema.get("enum", [schema.get("const")])))
    named = schema.get("type", "anything")
    words = " or ".join(named) if isinstance(named, list) else str(named)
    if words == "array":
        inner = _kind(schema.get("items", {}))
        return Kind(f"list of {inner.words}", inner.shape)
    if words == "object" and isinstance(schema.get("additionalProperties"), dict):
        inner = _kind(schema["additionalProperties"])
        return Kind(f"object of {inner.words}", inner.shape)
    return Kind(f"{words} ({schema['format']})" if "format" in schema else words)


def _text(described: Schema, schema: Schema) -> str:
    """What is said of a field, and its bounds."""
    bounded = {**next((one for one in schema.get("anyOf", ()) if one.get("type") != "null"), {}), **schema}
    bounds = [words.format(_shown(bounded[name])) for name, words in _BOUNDS if bounded.get(name) is not None]
    said = described.get("description") or schema.get("description", "")
    return " ".join(part for part in (said, f"({'; '.join(bounds)})" if bounds else "") if part)


def _shown(bound: Any) -> str:
    """As JSON writes it; texts without their quotes."""
    return bound if isinstance(bound, str) else json.dumps(bound)


def _shapes(document: Schema, operations: list[Operation]) -> list[Shape]:
    """Every object that the operations speak of, and those in these."""
    waiting = [one.body for one in operations if one.body]
    waiting += [answer.kind for one in operations for answer in one.answers if answer.kind]
    waiting += [parameter.kind for one in operations for parameter in one.parameters]
    found: dict[str, Shape] = {}
    while waiting:
        name = waiting.pop().shape
        if name and name not in found:
            found[name] = _shape(name, document["components"]["schemas"][name])
            waiting += [field.kind for field in found[name].fields]
    return [found[name] for name in sorted(found)]


def _shape(name: str, schema: Schema) -> Shape:
    required = schema.get("required", ())
    fields = [
        Field(field, _kind(one), field in required, _text(one, one))
        for field, one in schema.get("properties", {}).items()
    ]
    text = schema.get("description", "") or ("One of: " + _kind(schema).words if "enum" in schema else "")
    return Shape(name, text, fields)
