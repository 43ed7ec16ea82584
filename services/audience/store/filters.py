"""The filter language as SQL over `customers c`; values and attribute names are always parameters.

A customer without the field matches `ne` and `exists: false`, and nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from services.audience.domain.customers import is_attribute_name

NODES_MAX = 200
DEPTH_MAX = 10
VALUES_MAX = 1_000
TEXT_LENGTH_MAX = 1_000
OPERATORS = frozenset({"eq", "ne", "in", "gt", "gte", "lt", "lte", "contains", "startsWith", "exists", "withinDays"})
_COMPARISONS: Mapping[str, str] = {"gt": ">", "gte": ">=", "lt": "<", "lte": "<="}
_TEXT_COLUMNS: Mapping[str, str] = {
    "customerId": "c.customer_id",
    "phoneNumber": "c.phone_number",
    "email": "c.email",
    "firstName": "c.first_name",
    "lastName": "c.last_name",
    "country": "c.country",
    "locale": "c.locale",
    "timeZone": "c.time_zone",
}
_TIME_COLUMNS: Mapping[str, str] = {"lastSeenAt": "c.last_seen_at", "createdAt": "c.created_at"}
FIELDS = (*_TEXT_COLUMNS, *_TIME_COLUMNS, "deviceType", "segment")


class FilterError(ValueError):
    """A filter that cannot be used; `path` names the node, such as `all.0.value`."""

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(f"{path or 'filter'}: {reason}")
        self.path = path
        self.reason = reason


@dataclass(slots=True)
class Condition:
    """A condition with its parameters, all named f0, f1, …"""

    sql: str = ""
    parameters: dict[str, Any] = field(default_factory=dict)
    nodes: int = 0

    def value(self, value: Any, kind: str) -> str:
        """A place for the value in the statement."""
        name = f"f{len(self.parameters)}"
        self.parameters[name] = value
        return f"%({name})b::{kind}"


def compile_filter(audience_filter: Mapping[str, Any] | None) -> Condition | None:
    """The condition of a filter; None for the filter that selects nobody. Raises `FilterError`."""
    if not audience_filter:
        return None
    condition = Condition()
    condition.sql = _node(condition, audience_filter, "", 1)
    return condition


def _node(condition: Condition, node: Any, path: str, depth: int) -> str:
    condition.nodes += 1
    if condition.nodes > NODES_MAX or depth > DEPTH_MAX:
        raise FilterError(path, f"at most {NODES_MAX} conditions in {DEPTH_MAX} levels are allowed")
    if not isinstance(node, Mapping):
        raise FilterError(path, "must be an object")
    keys = set(node)
    for name, joiner, of_none in (("all", " AND ", "true"), ("any", " OR ", "false")):
        if keys == {name}:
            if not isinstance(node[name], list):
                raise FilterError(_under(path, name), "must be a list")
            parts = [
                _node(condition, child, f"{_under(path, name)}.{number}", depth + 1)
                for number, child in enumerate(node[name])
            ]
            return f"({joiner.join(parts) or of_none})"
    if keys == {"not"}:
        return f"(NOT {_node(condition, node['not'], _under(path, 'not'), depth + 1)})"
    if "field" in keys and "op" in keys and keys <= {"field", "op", "value"}:
        return _leaf(condition, node, path)
    raise FilterError(path, "must have one of all, any, not, or field, op and value")


def _under(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def _leaf(condition: Condition, node: Mapping[str, Any], path: str) -> str:
    name, operator, value = node["field"], node["op"], node.get("value")
    if operator not in OPERATORS:
        raise FilterError(_under(path, "op"), f"must be one of {', '.join(sorted(OPERATORS))}")
    if not isinstance(name, str):
        raise FilterError(_under(path, "field"), "must be text")
    if operator == "exists":
        value = True if value is None else value
        if not isinstance(value, bool):
            raise FilterError(_under(path, "value"), "must be true or false")
    at = _under(path, "value")
    if name in _TEXT_COLUMNS:
        return _negatable(operator, value, lambda op: _text(condition, _TEXT_COLUMNS[name], op, value, at))
    if name in _TIME_COLUMNS:
        return _negatable(operator, value, lambda op: _time(condition, _TIME_COLUMNS[name], op, value, at))
    if name == "deviceType":
        return _negatable(
            operator,
            value,
            lambda op: (
                f"EXISTS (SELECT 1 FROM devices f WHERE f.user_id = c.user_id AND f.customer_id = c.customer_id"  # noqa: S608
                f" AND {_text(condition, 'f.device_type', op, value, at)})"
            ),
        )
    attribute = (
        name if name == "segment" else (name if name.startswith("attributes.") else "").removeprefix("attributes.")
    )
    if not is_attribute_name(attribute):
        raise FilterError(_under(path, "field"), f"unknown field: use {', '.join(FIELDS)} or attributes.<name>")
    return _negatable(operator, value, lambda op: _attribute(condition, attribute, op, value, at))


def _negatable(operator: str, value: Any, make: Callable[[str], str]) -> str:
    if operator == "ne" or (operator == "exists" and value is False):
        return f"(NOT coalesce({make('eq' if operator == 'ne' else 'exists')}, false))"
    return f"coalesce({make(operator)}, false)"


def _text(condition: Condition, column: str, operator: str, value: Any, at: str) -> str:
    match operator:
        case "exists":
            return f"({column} IS NOT NULL)"
        case "eq":
            return f"({column} = {condition.value(_as_text(value, at), 'text')})"
        case "in":
            return f"({column} = ANY({condition.value([_as_text(v, at) for v in _as_list(value, at)], 'text[]')}))"
        case "contains":
            return f"(strpos({column}, {condition.value(_as_text(value, at), 'text')}) > 0)"
        case "startsWith":
            return f"starts_with({column}, {condition.value(_as_text(value, at), 'text')})"
        case "withinDays":
            raise FilterError(at, f"withinDays is for times ({', '.join(_TIME_COLUMNS)})")
    place = condition.value(_as_text(value, at), "text")
    return f'({column} COLLATE "C" {_COMPARISONS[operator]} {place})'


def _time(condition: Condition, column: str, operator: str, value: Any, at: str) -> str:
    match operator:
        case "exists":
            return f"({column} IS NOT NULL)"
        case "withinDays":
            if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 36_500:
                raise FilterError(at, "must be a number of days up to 36500")
            return f"({column} >= now() - {condition.value(float(value), 'float8')} * interval '1 day')"
        case "eq":
            return f"({column} = {condition.value(_as_time(value, at), 'timestamptz')})"
        case "in":
            return (
                f"({column} = ANY({condition.value([_as_time(v, at) for v in _as_list(value, at)], 'timestamptz[]')}))"
            )
        case "contains" | "startsWith":
            raise FilterError(at, f"{operator} is for texts")
    return f"({column} {_COMPARISONS[operator]} {condition.value(_as_time(value, at), 'timestamptz')})"


def _attribute(condition: Condition, name: str, operator: str, value: Any, at: str) -> str:
    key = condition.value(name, "text")
    text, document = f"(c.attributes ->> {key})", f"(c.attributes -> {key})"
    match operator:
        case "exists":
            return f"(c.attributes ? {key})"
        case "eq":
            place = condition.value(_as_text(value, at), "text")
            return f"({text} = {place} OR {document} @> to_jsonb({place}))"
        case "in":
            place = condition.value([_as_text(entry, at) for entry in _as_list(value, at)], "text[]")
            return f"({text} = ANY({place}) OR ({document} ?| {place} AND jsonb_typeof({document}) = 'array'))"
        case "contains":
            place = condition.value(_as_text(value, at), "text")
            return (
                f"(CASE jsonb_typeof({document}) WHEN 'array' THEN {document} @> to_jsonb({place})"
                f" ELSE strpos({text}, {place}) > 0 END)"
            )
        case "startsWith":
            return f"starts_with({text}, {condition.value(_as_text(value, at), 'text')})"
        case "withinDays":
            raise FilterError(at, f"withinDays is for times ({', '.join(_TIME_COLUMNS)})")
    if isinstance(value, int | float) and not isinstance(value, bool):
        number = f"(CASE WHEN {text} ~ '^-?[0-9]{{1,30}}([.][0-9]{{1,30}})?$' THEN {text}::numeric END)"
        return f"({number} {_COMPARISONS[operator]} {condition.value(str(value), 'text')}::numeric)"
    return f'({text} COLLATE "C" {_COMPARISONS[operator]} {condition.value(_as_text(value, at), "text")})'


def _as_text(value: Any, at: str) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return str(value)
    if not isinstance(value, str) or len(value) > TEXT_LENGTH_MAX or "\x00" in value:
        raise FilterError(at, f"must be a text of at most {TEXT_LENGTH_MAX} characters, a number or a boolean")
    return value


def _as_list(value: Any, at: str) -> list[Any]:
    if not isinstance(value, list) or not 0 < len(value) <= VALUES_MAX:
        raise FilterError(at, f"must be a list of 1 to {VALUES_MAX} values")
    return value


def _as_time(value: Any, at: str) -> datetime:
    try:
        moment = datetime.fromisoformat(value)
    except (TypeError, ValueError):
        raise FilterError(at, "must be a time such as 2026-01-31T09:00:00Z") from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
