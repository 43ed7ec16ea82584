"""Choosing people: a list of conditions that a form can edit, to and from the API's filter language."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from contracts.http.filters import OPERATORS, TEXT_FIELDS, TIME_FIELDS
from services.gateway.routes.pages.desks import Form

CONDITIONS_MAX = 50
MODES = {
    "everybody": "Everybody",
    "all": "People for whom all of these hold",
    "any": "People for whom at least one of these holds",
    "added": "Only those added by hand or by file",
    "expert": "A filter written as JSON",
}
EXAMPLE = {"all": [{"field": "country", "op": "eq", "value": "DE"}]}
"""Of a filter, for whoever begins with JSON."""

OPERATOR_WORDS = {
    "eq": "is",
    "ne": "is not",
    "in": "is one of",
    "contains": "contains",
    "startsWith": "starts with",
    "gt": "is more than",
    "gte": "is at least",
    "lt": "is less than",
    "lte": "is at most",
    "withinDays": "is within the last days",
    "exists": "is known (yes or no)",
}
FIELD_WORDS = {
    "customerId": "Customer number",
    "phoneNumber": "Phone number",
    "email": "E-mail address",
    "firstName": "First name",
    "lastName": "Last name",
    "country": "Country",
    "locale": "Language",
    "timeZone": "Time zone",
    "deviceType": "Kind of device",
    "segment": "Segment",
    "lastSeenAt": "Last seen",
    "createdAt": "Customer since",
}
FIELDS = (*TEXT_FIELDS, *TIME_FIELDS)
_ORDERED = frozenset({"gt", "gte", "lt", "lte", "withinDays"})
_YES = frozenset({"yes", "true", "1", ""})


@dataclass(frozen=True, slots=True)
class Condition:
    """One line of the form, as it is written there."""

    field: str = ""
    op: str = "eq"
    value: str = ""


@dataclass(frozen=True, slots=True)
class Choice:
    """What the form says: a mode, its conditions, and the JSON of what is too deep for lines."""

    mode: str = "all"
    conditions: list[Condition] = field(default_factory=list)
    text: str = ""


class Unfinished(ValueError):
    """Nothing was chosen yet."""


def choice_of_form(form: Form) -> Choice:
    """The form as it was sent, after the button that was pressed: a line more, or one less."""
    mode = form["mode"] if form["mode"] in MODES else "all"
    lines = zip(form.all("field"), form.all("op"), form.all("value"), strict=False)
    conditions = [Condition(*line) for line in lines][:CONDITIONS_MAX]
    intent, _, number = form["intent"].partition("-")
    if intent == "add":
        conditions.append(Condition())
    if intent == "remove":
        conditions = [one for index, one in enumerate(conditions) if str(index) != number]
    text = form["text"]
    if mode == "expert" and form["from"] != "expert":
        text = _json_of(Choice(form["from"], conditions)) or text or _shown_as_json(EXAMPLE)
    return Choice(mode, conditions, text)


def _json_of(choice: Choice) -> str:
    """What the lines say, as JSON; empty where they say nothing yet."""
    try:
        return _shown_as_json(filter_of(choice)) if choice.mode in MODES else ""
    except ValueError:
        return ""


def _shown_as_json(audience_filter: Mapping[str, Any]) -> str:
    return json.dumps(audience_filter, indent=2, ensure_ascii=False)


def choice_of_filter(audience_filter: Mapping[str, Any] | None) -> Choice:
    """The filter as lines, or as JSON where it is deeper than lines are; an empty line where there is none yet."""
    if audience_filter is None:
        return Choice("all", [Condition()])
    if not audience_filter:
        return Choice("added")
    if audience_filter == {"all": []}:
        return Choice("everybody")
    text = _shown_as_json(audience_filter)
    for mode in ("all", "any"):
        nodes = audience_filter.get(mode)
        if set(audience_filter) == {mode} and isinstance(nodes, Sequence) and all(_is_line(node) for node in nodes):
            return Choice(mode, [_line_of(node) for node in nodes], text)
    return Choice("expert", text=text)


def filter_of(choice: Choice) -> dict[str, Any]:
    """The API's filter; raises `ValueError` for JSON that is none, and `Unfinished` where nothing was chosen."""
    if choice.mode == "everybody":
        return {"all": []}
    if choice.mode == "added":
        return {}
    if choice.mode == "expert":
        try:
            found = json.loads(choice.text)
        except json.JSONDecodeError as error:
            place = f"line {error.lineno}, column {error.colno}"
            raise ValueError(f"the filter is not JSON: look at {place}; {json.dumps(EXAMPLE)} would be") from None
        except (ValueError, RecursionError):
            raise ValueError("the filter is not JSON that can be read: it is too deep, or a number too long") from None
        if not isinstance(found, dict):
            raise ValueError(f"the filter must be an object, such as {json.dumps(EXAMPLE)}")
        return found
    nodes = [_node_of(one) for one in choice.conditions if one.field]
    if not nodes:
        raise Unfinished("choose a condition, or choose everybody")
    return {choice.mode: nodes}


def _is_line(node: Any) -> bool:
    return isinstance(node, Mapping) and "field" in node and node.get("op") in OPERATORS


def _line_of(node: Mapping[str, Any]) -> Condition:
    value = node.get("value", True)
    if isinstance(value, list):
        return Condition(node["field"], node["op"], ", ".join(str(one) for one in value))
    if isinstance(value, bool):
        return Condition(node["field"], node["op"], "yes" if value else "no")
    return Condition(node["field"], node["op"], str(value))


def _node_of(line: Condition) -> dict[str, Any]:
    return {"field": line.field, "op": line.op, "value": _value_of(line)}


def _value_of(line: Condition) -> Any:
    if line.op == "exists":
        return line.value.lower() in _YES
    if line.op == "in":
        return [one.strip() for one in line.value.split(",") if one.strip()]
    if line.field in TIME_FIELDS and line.op != "withinDays":
        return line.value if "T" in line.value else f"{line.value}T00:00:00Z"
    if line.op in _ORDERED:
        return _number(line.value)
    return line.value


def _number(text: str) -> float | int | str:
    try:
        return float(text) if "." in text else int(text)
    except ValueError:
        return text


def audience_words(audience_filter: Mapping[str, Any] | None) -> str:
    """Who a filter finds, as a sentence."""
    choice = choice_of_filter(audience_filter)
    if choice.mode not in ("all", "any"):
        return MODES[choice.mode]
    joined = {"all": " and ", "any": " or "}[choice.mode].join(
        _line_words(one) for one in choice.conditions if one.field
    )
    return joined or "Not chosen yet"


def node_words(node: Mapping[str, Any]) -> str:
    """One condition of the API's filter as a sentence's part, such as `Country is DE`."""
    return _line_words(_line_of(node))


def _line_words(line: Condition) -> str:
    name = FIELD_WORDS.get(line.field) or line.field.removeprefix("attributes.")
    if line.op == "exists":
        return f"{name} is {'known' if line.value.lower() in _YES else 'not known'}"
    if line.op == "withinDays":
        return f"{name} is within the last {line.value} days"
    return f"{name} {OPERATOR_WORDS.get(line.op, line.op)} {line.value}".strip()
