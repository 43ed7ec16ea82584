"""What a page draws and what a form says, without a browser: numbers that add up, filters that survive a form."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.channels import PUSH, SMS
from contracts.content import count_segments
from contracts.http.filters import OPERATORS, TEXT_FIELDS, filter_problems
from contracts.links import PREFERENCE_CODE_CHARACTERS, link_values
from services.gateway.routes.pages.desks import Form
from services.gateway.routes.pages.filters import (
    Choice,
    Condition,
    Unfinished,
    audience_words,
    choice_of_filter,
    choice_of_form,
    filter_of,
)
from services.gateway.routes.pages.pictures import curve_of, parts_of, steps_of
from services.gateway.routes.pages.previews import preview_of
from services.gateway.routes.pages.rendering import amount, duration, masked, number

counts = st.integers(0, 1_000_000)
by_reason = st.dictionaries(st.sampled_from(["opted_out", "duplicate", "transient", "new_reason"]), counts)


@st.composite
def accountings(draw: st.DrawFn) -> dict[str, Any]:
    names = ("delivered", "bounced", "failedLater", "unconfirmed")
    found: dict[str, Any] = {name: draw(counts) for name in ("unknown", "expired", "cancelled", "waiting", "inFlight")}
    found |= {name: draw(by_reason) for name in ("excluded", "skipped", "refused")}
    found["accepted"] = {name: draw(counts) for name in names}
    sums = [sum(found[name].values()) for name in ("excluded", "skipped", "refused", "accepted")]
    plain = [found[name] for name in ("unknown", "expired", "cancelled", "waiting", "inFlight")]
    return found | {"audience": sum(sums) + sum(plain)}


@given(accountings())
def test_the_bar_adds_up_to_the_audience(accounting: dict[str, Any]) -> None:
    parts = parts_of(accounting)
    assert sum(part.count for part in parts) == accounting["audience"]
    if accounting["audience"]:
        assert sum(part.width for part in parts) == pytest.approx(100, abs=0.1)
        assert all(part.width > 0 for part in parts if part.count)
    for before, after in itertools.pairwise(parts):
        assert after.x == pytest.approx(before.x + before.width, abs=0.01)


@given(accountings())
def test_the_waterfall_ends_with_those_delivered(accounting: dict[str, Any]) -> None:
    steps = steps_of(accounting)
    lost = sum(step.count for step in steps if not step.is_total)
    assert steps[0].count - lost == steps[-1].count == accounting["accepted"]["delivered"]
    assert all(0 <= step.x <= 100 and step.x + step.width <= 100.01 for step in steps)


BEGIN = datetime(2026, 11, 25, 10, tzinfo=UTC)
END = BEGIN + timedelta(minutes=4)


def minutes(*counts: int) -> list[dict[str, Any]]:
    """A point each minute with so many sent, and half of them delivered."""
    starts = (BEGIN + timedelta(minutes=number) for number in itertools.count())
    return [
        {"at": start.isoformat(), "sent": one, "delivered": one // 2}
        for start, one in zip(starts, counts, strict=False)
    ]


def test_the_curve_is_the_running_sum() -> None:
    curve = curve_of(minutes(10, 10, 10, 10), 60, ("sent", "delivered"), BEGIN, END, {})
    assert curve is not None
    assert curve.totals == {"sent": 40, "delivered": 20}
    assert curve.lines["sent"].endswith("480.0 12.0")
    assert [count for _, count in curve.rules] == [0, 10, 20, 30, 40]
    assert curve.rules[0] == (172, 0)
    assert [at.minute for _, at in curve.ticks] == [0, 1, 2, 3, 4]
    assert curve.ends == (BEGIN, END)


def test_a_curve_begins_with_the_campaign_and_ends_now() -> None:
    begin, now = BEGIN + timedelta(seconds=40), BEGIN + timedelta(seconds=150)
    curve = curve_of(minutes(10, 10, 10), 60, ("sent",), begin, now, {})
    assert curve is not None
    assert curve.ends == (begin, now)
    assert curve.is_brief
    assert [at for _, at in curve.ticks] == [BEGIN + timedelta(seconds=one) for one in (60, 90, 120, 150)]


@pytest.mark.parametrize("total", [0, 25, 31, 40])
def test_a_curve_ends_where_the_ledger_is(total: int) -> None:
    curve = curve_of(minutes(10, 10, 10), 60, ("sent", "delivered"), BEGIN, END, {"sent": total})
    assert curve is not None
    assert curve.totals == {"sent": total, "delivered": 15}
    heights = [float(place.split()[1]) for place in curve.lines["sent"].removeprefix("M").split("L")]
    assert heights == sorted(heights, reverse=True)


@given(st.lists(st.integers(0, 10**6), min_size=1, max_size=200), st.floats(-300, 300), st.floats(-300, 20_000))
def test_a_curve_stays_in_its_frame(counts: list[int], begins: float, ends: float) -> None:
    begin, now = BEGIN + timedelta(seconds=begins), BEGIN + timedelta(seconds=ends)
    curve = curve_of(minutes(*counts), 60, ("sent",), begin, now, {})
    if curve is None:
        assert not any(counts)
        return
    places = [tuple(map(float, place.split())) for place in curve.lines["sent"].removeprefix("M").split("L")]
    assert places == sorted(places, key=lambda place: (place[0], -place[1]))
    assert all(44 <= x <= 480 and 12 <= y <= 172 for x, y in places)
    assert len(curve.rules) <= 5
    assert len(curve.ticks) <= 5
    assert all(44 <= round(x, 3) <= 480 for x, _ in curve.ticks)


def test_a_single_point_is_a_line_and_nothing_is_none() -> None:
    assert curve_of([], 60, ("sent",), BEGIN, END, {}) is None
    assert curve_of(minutes(0), 60, ("sent",), BEGIN, END, {}) is None
    curve = curve_of(minutes(3), 60, ("sent",), BEGIN, END, {})
    assert curve is not None
    assert curve.lines["sent"].count("L") == 1


@pytest.mark.parametrize(
    ("chosen", "words"),
    [
        (None, "Not chosen yet"),
        ({"all": []}, "Everybody"),
        ({"any": [{"field": "country", "op": "in", "value": ["DE", "AT"]}]}, "Country is one of DE, AT"),
        (
            {
                "all": [
                    {"field": "attributes.plan", "op": "eq", "value": "pro"},
                    {"field": "email", "op": "exists", "value": False},
                    {"field": "lastSeenAt", "op": "withinDays", "value": 90},
                ]
            },
            "plan is pro and E-mail address is not known and Last seen is within the last 90 days",
        ),
    ],
)
def test_a_filter_is_a_sentence(chosen: Any, words: str) -> None:
    assert audience_words(chosen) == words


words = st.text("abcXYZ äß09", min_size=1, max_size=12).map(str.strip).filter(bool)
lines = st.builds(
    Condition, st.sampled_from(TEXT_FIELDS), st.sampled_from(("eq", "ne", "contains", "startsWith")), words
)


@given(st.sampled_from(("all", "any")), st.lists(lines, min_size=1, max_size=5))
def test_a_filter_survives_the_form(mode: str, conditions: list[Condition]) -> None:
    made = filter_of(Choice(mode, conditions))
    assert filter_problems(made) == []
    again = choice_of_filter(made)
    assert (again.mode, again.conditions) == (mode, conditions)
    pairs = [("mode", mode)]
    for one in again.conditions:
        pairs += [("field", one.field), ("op", one.op), ("value", one.value)]
    assert filter_of(choice_of_form(Form(tuple(pairs)))) == made


@pytest.mark.parametrize(
    ("line", "value"),
    [
        (Condition("country", "in", "DE, AT,"), ["DE", "AT"]),
        (Condition("lastSeenAt", "gt", "2026-01-31"), "2026-01-31T00:00:00Z"),
        (Condition("lastSeenAt", "withinDays", "90"), 90),
        (Condition("attributes.points", "gte", "1.5"), 1.5),
        (Condition("email", "exists", "no"), False),
    ],
)
def test_a_line_becomes_the_value_that_the_api_takes(line: Condition, value: Any) -> None:
    made = filter_of(Choice("all", [line]))
    assert made["all"][0]["value"] == value
    assert filter_problems(made) == []


def test_a_deep_filter_is_shown_as_it_is() -> None:
    deep = {"all": [{"field": "country", "op": "eq", "value": "DE"}, {"not": {"any": []}}]}
    choice = choice_of_filter(deep)
    assert choice.mode == "expert"
    assert filter_of(choice) == deep
    with pytest.raises(ValueError, match="object"):
        filter_of(Choice("expert", text="[]"))


def test_nobody_is_chosen_by_an_empty_form() -> None:
    assert choice_of_filter(None).conditions == [Condition()]
    with pytest.raises(Unfinished):
        filter_of(choice_of_filter(None))
    assert filter_of(choice_of_filter({})) == {}


def test_every_operator_can_be_chosen() -> None:
    from services.gateway.routes.pages.filters import OPERATOR_WORDS

    assert set(OPERATOR_WORDS) == set(OPERATORS)


LINK_BASE_URL = "https://n.example"
CUSTOMERS = [
    {"customerId": "1", "firstName": "Ada", "attributes": {"city": "Graz"}},
    {"customerId": "2", "firstName": "Şişli", "attributes": {}},
]


def test_a_preview_shows_who_is_worth_a_look() -> None:
    preview = preview_of(SMS, {"content": "Hi {{firstName}} in {{attributes.city}}"}, CUSTOMERS, LINK_BASE_URL)
    assert preview.people["next"].text == "Hi Ada in Graz"
    assert preview.people["missing"].text == "Hi Şişli in [attributes.city?]"
    assert preview.people["otherAlphabet"].segments.encoding == "UCS-2"


def test_a_previews_links_are_as_long_as_those_that_are_sent() -> None:
    body = "x" * 120 + " {{unsubscribeUrl}}"
    one = preview_of(SMS, {"content": body}, CUSTOMERS, LINK_BASE_URL).people["next"]
    sent = link_values(LINK_BASE_URL, "c" * PREFERENCE_CODE_CHARACTERS)["unsubscribeUrl"]
    assert (one.missing, len(one.text)) == ((), 121 + len(sent))
    assert one.segments == count_segments(body.replace("{{unsubscribeUrl}}", sent))


def test_a_preview_names_what_is_wrong() -> None:
    preview = preview_of(PUSH, {"title": "x" * 66, "body": "{{nope}}"}, CUSTOMERS, LINK_BASE_URL)
    assert list(preview.problems) == ["body", "title"]


def test_values_are_shown_for_people() -> None:
    assert [duration(s) for s in (0.2, 59, 3_660, 90_061)] == ["less than 1 s", "59 s", "1 h 1 min", "1 d 1 h"]
    assert [number(n) for n in (1_234_567, 326.8486, 2.0, None)] == ["1,234,567", "326.8", "2", "–"]
    assert [amount(12.5, "EUR"), amount(0.0074, "USD"), amount(3, "CHF")] == ["€12.50", "$0.0074", "CHF 3.00"]
    assert masked("+4366412345678") == "+43•••••••••78"
    assert masked("fcm-token-abcdef") == "…abcdef"
