"""The filter language against real rows."""

from __future__ import annotations

import pytest

from contracts.http.filters import DEPTH_MAX
from services.audience.store.customers import count_matching
from services.audience.store.filters import FilterError, compile_filter
from tests.audience.conftest import person

PEOPLE = [
    person(1, country="DE", locale="de", attributes={"plan": "gold", "age": 30, "tags": ["a", "b"]}),
    person(2, country="AT", locale="de-AT", **{"attributes.plan": "silver", "attributes.age": "41"}, phoneNumber=None),
    person(3, country="US", locale="en-US", deviceType="android", attributes={"vip": True, "segment": "early"}),
    person(4, country=None, deviceToken=None, lastSeenAt="2020-01-01T00:00:00Z", attributes={"plan": "o'gold%"}),
]


def leaf(field, op, value=True):
    return {"field": field, "op": op, "value": value}


@pytest.mark.parametrize(
    ("audience_filter", "expected"),
    [
        ({"all": []}, {1, 2, 3, 4}),
        ({"any": []}, set()),
        (leaf("country", "eq", "DE"), {1}),
        (leaf("country", "ne", "DE"), {2, 3, 4}),
        (leaf("country", "in", ["DE", "US"]), {1, 3}),
        (leaf("country", "exists", True), {1, 2, 3}),
        ({"field": "country", "op": "exists"}, {1, 2, 3}),
        (leaf("country", "exists", False), {4}),
        (leaf("locale", "startsWith", "de"), {1, 2}),
        (leaf("locale", "contains", "-"), {2, 3}),
        (leaf("locale", "gt", "de"), {2, 3}),
        (leaf("attributes.plan", "eq", "gold"), {1}),
        (leaf("attributes.plan", "ne", "gold"), {2, 3, 4}),
        (leaf("attributes.plan", "in", ["gold", "silver"]), {1, 2}),
        (leaf("attributes.plan", "eq", "o'gold%"), {4}),
        (leaf("attributes.plan", "contains", "gold"), {1, 4}),
        (leaf("attributes.plan", "startsWith", "s"), {2}),
        (leaf("attributes.plan", "exists"), {1, 2, 4}),
        (leaf("attributes.age", "gt", 30), {2}),
        (leaf("attributes.age", "lte", 41), {1, 2}),
        (leaf("attributes.age", "eq", 30), {1}),
        (leaf("attributes.plan", "gt", 1), set()),
        (leaf("attributes.tags", "contains", "b"), {1}),
        (leaf("attributes.tags", "in", ["b", "z"]), {1}),
        (leaf("attributes.vip", "eq", True), {3}),
        (leaf("segment", "eq", "early"), {3}),
        (leaf("deviceType", "eq", "ios"), {1, 2}),
        (leaf("deviceType", "ne", "ios"), {3, 4}),
        (leaf("deviceType", "exists"), {1, 2, 3}),
        (leaf("lastSeenAt", "lt", "2021-01-01T00:00:00Z"), {4}),
        (leaf("lastSeenAt", "withinDays", 30), set()),
        (leaf("createdAt", "withinDays", 1), {1, 2, 3, 4}),
        (leaf("phoneNumber", "exists"), {1, 3, 4}),
        (leaf("attributes.'; DROP TABLE customers; --", "exists"), set()),
        (leaf("attributes.\x00", "ne", 1), {1, 2, 3, 4}),
        ({"not": {"any": [leaf("country", "eq", "DE"), leaf("country", "eq", "US")]}}, {2, 4}),
        ({"all": [leaf("locale", "startsWith", "de"), {"not": leaf("country", "eq", "DE")}]}, {2}),
    ],
)
async def test_a_filter_selects(tenant, audience_filter, expected):
    await tenant.save(*PEOPLE)
    condition = compile_filter(audience_filter)
    async with tenant.database.transaction() as connection:
        count, ids = await count_matching(connection, tenant.user_id, condition, 10)
    assert {int(one[1:]) for one in ids} == expected
    assert count == len(expected)


@pytest.mark.parametrize(
    ("audience_filter", "path"),
    [
        ({"some": []}, ""),
        ({"all": {}}, "all"),
        ({"all": [1]}, "all.0"),
        ({"all": [], "any": []}, ""),
        ({"all": [leaf("shoe", "eq", 1)]}, "all.0.field"),
        ({"not": {"any": [leaf("country", "like", "%")]}}, "not.any.0.op"),
        (leaf("country", "eq", {"a": 1}), "value"),
        (leaf("country", "in", []), "value"),
        (leaf("country", "withinDays", 3), "value"),
        (leaf("lastSeenAt", "gt", "soon"), "value"),
        (leaf("lastSeenAt", "withinDays", "3"), "value"),
        (leaf("country", "exists", "no"), "value"),
        ({"field": "country", "op": "eq", "value": "DE", "extra": 1}, ""),
        (leaf("attributes.", "exists"), "field"),
        (leaf("x.attributes.plan", "exists"), "field"),
    ],
)
def test_a_filter_that_cannot_be_used_says_where(audience_filter, path):
    with pytest.raises(FilterError) as caught:
        compile_filter(audience_filter)
    assert caught.value.path == path


def test_a_filter_has_limits():
    deep = {"all": []}
    for _ in range(DEPTH_MAX):
        deep = {"not": deep}
    for too_much in (deep, {"any": [{"all": []}] * 300}):
        with pytest.raises(FilterError, match="at most"):
            compile_filter(too_much)


def test_values_and_names_are_never_part_of_the_statement():
    nasty = "x'; DROP TABLE customers; --"
    condition = compile_filter({"all": [leaf("attributes.plan", "eq", nasty), leaf("country", "in", [nasty])]})
    assert condition is not None
    assert "DROP" not in condition.sql
    assert "plan" not in condition.sql
