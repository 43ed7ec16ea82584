"""The filter language as SQL over `customers c`; values and attribute names are always parameters.

A customer without the field matches `ne` and `exists: false`, and nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from contracts.http.filters import filter_problems
from services.audience.domain.customers import ATTRIBUTE_PREFIX, is_attribute_name

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
_DEVICE = "EXISTS (SELECT 1 FROM devices f WHERE f.user_id = c.user_id AND f.customer_id = c.customer_id AND {})"
_NUMBER = "^-?[0-9]{1,30}([.][0-9]{1,30})?$"


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

    def value(self, value: Any, kind: str) -> str:
        """A place for the value in the statement."""
        name = f"f{len(self.parameters)}"
        self.parameters[name] = value
        return f"%({name})b::{kind}"


def compile_filter(audience_filter: Mapping[str, Any] | None) -> Condition | None:
    """The condition of a filter; None for the filter that selects nobody. Raises `FilterError`."""
    if not audience_filter:
        return None
    for path, reason in filter_problems(audience_filter):
        raise FilterError(path, reason)
    condition = Condition()
    condition.sql = _node(condition, audience_filter)
    return condition


@dataclass(frozen=True, slots=True)
class Leaf:
    """One comparison of a filter: where it stands, what it compares, and its SQL."""

    path: str
    node: Mapping[str, Any]
    sql: str


def compile_leaves(audience_filter: Mapping[str, Any], condition: Condition) -> list[Leaf]:
    """The comparisons of a good filter one by one, in order; their values become the condition's parameters."""
    found: list[Leaf] = []
    pending: list[tuple[str, Mapping[str, Any]]] = [("", audience_filter)]
    while pending:
        path, node = pending.pop(0)
        children = [
            (f"{path}.{name}.{number}".lstrip("."), child)
            for name in ("all", "any")
            for number, child in enumerate(node.get(name, ()))
        ]
        if "not" in node:
            children.append((f"{path}.not".lstrip("."), node["not"]))
        pending = children + pending
        if "field" in node:
            found.append(Leaf(path, node, _node(condition, node)))
    return found


def _node(condition: Condition, node: Mapping[str, Any]) -> str:
    if "all" in node:
        return f"({' AND '.join(_node(condition, child) for child in node['all']) or 'true'})"
    if "any" in node:
        return f"({' OR '.join(_node(condition, child) for child in node['any']) or 'false'})"
    if "not" in node:
        return f"(NOT {_node(condition, node['not'])})"
    operator, value = node["op"], node.get("value", True)
    test = _test(condition, node["field"], value)
    if operator == "ne" or (operator == "exists" and value is False):
        return f"(NOT coalesce({test('eq' if operator == 'ne' else 'exists')}, false))"
    return f"coalesce({test(operator)}, false)"


def _test(condition: Condition, name: str, value: Any) -> Callable[[str], str]:
    """From an operator to the SQL that applies it to the field."""
    if name in _TEXT_COLUMNS:
        return lambda operator: _text(condition, _TEXT_COLUMNS[name], operator, value)
    if name in _TIME_COLUMNS:
        return lambda operator: _time(condition, _TIME_COLUMNS[name], operator, value)
    if name == "deviceType":
        return lambda operator: _DEVICE.format(_text(condition, "f.device_type", operator, value))
    attribute = name.removeprefix(ATTRIBUTE_PREFIX)
    if not is_attribute_name(attribute):
        return lambda _operator: "false"
    return lambda operator: _attribute(condition, attribute, operator, value)


def _text(condition: Condition, column: str, operator: str, value: Any) -> str:
    match operator:
        case "exists":
            return f"({column} IS NOT NULL)"
        case "eq":
            return f"({column} = {condition.value(_as_text(value), 'text')})"
        case "in":
            return f"({column} = ANY({condition.value([_as_text(one) for one in value], 'text[]')}))"
        case "contains":
            return f"(strpos({column}, {condition.value(_as_text(value), 'text')}) > 0)"
        case "startsWith":
            return f"starts_with({column}, {condition.value(_as_text(value), 'text')})"
    return f'({column} COLLATE "C" {_COMPARISONS[operator]} {condition.value(_as_text(value), "text")})'


def _time(condition: Condition, column: str, operator: str, value: Any) -> str:
    match operator:
        case "exists":
            return f"({column} IS NOT NULL)"
        case "withinDays":
            return f"({column} >= now() - {condition.value(float(value), 'float8')} * interval '1 day')"
        case "eq":
            return f"({column} = {condition.value(_as_time(value), 'timestamptz')})"
        case "in":
            return f"({column} = ANY({condition.value([_as_time(one) for one in value], 'timestamptz[]')}))"
    return f"({column} {_COMPARISONS[operator]} {condition.value(_as_time(value), 'timestamptz')})"


def _attribute(condition: Condition, name: str, operator: str, value: Any) -> str:
    key = condition.value(name, "text")
    text, document = f"(c.attributes ->> {key})", f"(c.attributes -> {key})"
    match operator:
        case "exists":
            return f"(c.attributes ? {key})"
        case "eq":
            place = condition.value(_as_text(value), "text")
            return f"({text} = {place} OR {document} @> to_jsonb({place}))"
        case "in":
            place = condition.value([_as_text(one) for one in value], "text[]")
            return f"({text} = ANY({place}) OR ({document} ?| {place} AND jsonb_typeof({document}) = 'array'))"
        case "contains":
            place = condition.value(_as_text(value), "text")
            return (
                f"(CASE jsonb_typeof({document}) WHEN 'array' THEN {document} @> to_jsonb({place})"
                f" ELSE strpos({text}, {place}) > 0 END)"
            )
        case "startsWith":
            return f"starts_with({text}, {condition.value(_as_text(value), 'text')})"
    if isinstance(value, int | float) and not isinstance(value, bool):
        number = f"(CASE WHEN {text} ~ '{_NUMBER}' THEN {text}::numeric END)"
        return f"({number} {_COMPARISONS[operator]} {condition.value(str(value), 'text')}::numeric)"
    return f'({text} COLLATE "C" {_COMPARISONS[operator]} {condition.value(_as_text(value), "text")})'


def _as_text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def _as_time(value: str) -> datetime:
    moment = datetime.fromisoformat(value)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
