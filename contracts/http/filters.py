"""The language of audience filters: which shapes, fields, operators and values there are.

`{"all": [{"field": "country", "op": "eq", "value": "DE"}, {"any": […]}, {"not": {…}}]}`. The audience service turns a
filter into SQL; here it is only checked, so that a campaign with a filter that cannot work is never stored.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Any, NamedTuple, get_args

from contracts.http.described.words import DeviceType

NODES_MAX = 200
DEPTH_MAX = 10
VALUES_MAX = 1_000
TEXT_MAX = 1_000
DAYS_MAX = 36_500
ATTRIBUTE_MAX = 64

TEXT_FIELDS = (
    "customerId", "phoneNumber", "email", "firstName", "lastName", "country", "locale", "timeZone", "deviceType",
    "segment",
)  # fmt: skip
TIME_FIELDS = ("lastSeenAt", "createdAt")
OPERATORS = ("eq", "ne", "in", "gt", "gte", "lt", "lte", "contains", "startsWith", "exists", "withinDays")

DEVICE_TYPES: tuple[str, ...] = get_args(DeviceType.__value__)


class Hint(NamedTuple):
    """Which values a field has, and what to say of others."""

    values: re.Pattern[str]
    message: str


HINTS: Mapping[str, Hint] = MappingProxyType(
    {
        "country": Hint(re.compile("[A-Z]{2}"), "country holds codes of two capital letters, such as DE for Germany"),
        "deviceType": Hint(re.compile("|".join(DEVICE_TYPES)), f"deviceType is one of {', '.join(DEVICE_TYPES)}"),
    }
)


def filter_problems(audience_filter: Mapping[str, Any] | None) -> list[tuple[str, str]]:
    """What is wrong with a filter, as (path, message); empty for one that the audience service will take."""
    if not audience_filter:
        return []
    nodes = list(_nodes(audience_filter, "", 1))
    if len(nodes) > NODES_MAX or any(depth > DEPTH_MAX for _, _, depth in nodes):
        return [("", f"at most {NODES_MAX} conditions in {DEPTH_MAX} levels are allowed")]
    return [problem for node, path, _ in nodes for problem in _node_problems(node, path)]


def filter_warnings(audience_filter: Mapping[str, Any] | None) -> list[tuple[str, str]]:
    """What a filter without problems asks for and can find nobody by, as (path, message)."""
    nodes = ((node, path) for node, path, _ in _nodes(audience_filter or {}, "", 1))
    return [
        (_under(path, "value"), hint.message)
        for node, path in nodes
        if node.get("op") in ("eq", "ne", "in")
        and (hint := HINTS.get(node.get("field")))
        and not all(hint.values.fullmatch(str(one)) for one in _listed(node.get("value")))
    ]


def conditions_of(audience_filter: Any) -> Iterator[Mapping[str, Any]]:
    """The single comparisons of a filter, at whatever depth one may stand."""
    return (node for node, _, _ in _nodes(audience_filter, "", 1) if isinstance(node, Mapping) and "field" in node)


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _nodes(node: Any, path: str, depth: int) -> Iterator[tuple[Any, str, int]]:
    yield node, path, depth
    if not isinstance(node, Mapping) or depth > DEPTH_MAX:
        return
    for name in ("all", "any"):
        if isinstance(node.get(name), list):
            for number, child in enumerate(node[name]):
                yield from _nodes(child, f"{_under(path, name)}.{number}", depth + 1)
    if "not" in node:
        yield from _nodes(node["not"], _under(path, "not"), depth + 1)


def _under(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def _node_problems(node: Any, path: str) -> list[tuple[str, str]]:
    if not isinstance(node, Mapping):
        return [(path, "must be an object")]
    keys = set(node)
    if keys in ({"all"}, {"any"}):
        (name,) = keys
        return [] if isinstance(node[name], list) else [(_under(path, name), "must be a list")]
    if keys == {"not"}:
        return []
    if not {"field", "op"} <= keys <= {"field", "op", "value"}:
        return [(path, "must have one of all, any, not, or field, op and value")]
    problems = []
    name, operator = node["field"], node["op"]
    if not isinstance(name, str) or not (name in (*TEXT_FIELDS, *TIME_FIELDS) or _is_attribute(name)):
        known = ", ".join((*TEXT_FIELDS, *TIME_FIELDS))
        problems.append((_under(path, "field"), f"unknown field: use {known} or attributes.<name>"))
    if operator not in OPERATORS:
        problems.append((_under(path, "op"), f"must be one of {', '.join(OPERATORS)}"))
    elif wrong := _value_problem(name, operator, node.get("value", True if operator == "exists" else None)):
        problems.append((_under(path, "value"), wrong))
    return problems


def _is_attribute(name: str) -> bool:
    inner = name.removeprefix("attributes.")
    return inner != name and 0 < len(inner) <= ATTRIBUTE_MAX


def _value_problem(name: Any, operator: str, value: Any) -> str | None:
    if operator == "exists":
        return None if isinstance(value, bool) else "must be true or false"
    if operator == "withinDays":
        if name not in TIME_FIELDS:
            return f"withinDays is for times ({', '.join(TIME_FIELDS)})"
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        return None if is_number and 0 <= value <= DAYS_MAX else f"must be a number of days up to {DAYS_MAX}"
    if operator == "in":
        if not isinstance(value, list) or not 0 < len(value) <= VALUES_MAX:
            return f"must be a list of 1 to {VALUES_MAX} values"
        return next((wrong for one in value if (wrong := _single_problem(name, one))), None)
    if name in TIME_FIELDS and operator in ("contains", "startsWith"):
        return f"{operator} is for texts"
    return _single_problem(name, value)


def _single_problem(name: Any, value: Any) -> str | None:
    if name in TIME_FIELDS:
        try:
            datetime.fromisoformat(value)
        except (TypeError, ValueError):
            return "must be a time such as 2026-01-31T09:00:00Z"
        return None
    if isinstance(value, str):
        is_fine = len(value) <= TEXT_MAX and "\x00" not in value
    else:
        is_fine = isinstance(value, bool | int | float)
    return None if is_fine else f"must be a text of at most {TEXT_MAX} characters, a number or a boolean"
