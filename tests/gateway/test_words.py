"""What pages make of the audit log and of a recipient's story."""

from __future__ import annotations

import json
from typing import Any

import pytest

from contracts.channels import SMS
from contracts.http.endpoints import BASE, QUESTIONS
from deploy import openapi
from services.gateway.domain.approvals import State
from services.gateway.routes.pages.deeds import KINDS, deed_words
from services.gateway.routes.pages.recipients import WILL_BE_SKIPPED, estimate_of, rule_of, scope_words, story_of
from services.gateway.routes.pages.rendering import make_environment, percent
from services.gateway.routes.pages.statics import read_statics
from services.gateway.routes.pages.words import (
    APPROVAL_STATES,
    CHANNEL_WORDS,
    UNTRIED,
    event_words,
    reason_words,
    recipient_badges,
)

DOCUMENT = json.loads(openapi.PATH.read_text())
WRITTEN_DOWN = [
    f"{method.upper()} {path.removeprefix(BASE)}"
    for path, operations in DOCUMENT["paths"].items()
    for method, operation in operations.items()
    if method != "get" and path not in QUESTIONS and operation["security"]
]


@pytest.mark.parametrize("action", [*WRITTEN_DOWN, "sign in", "show address", "find by address"])
def test_every_deed_has_words(action: str) -> None:
    words = deed_words(action)
    assert words != action
    assert words[0].islower()
    assert "{" not in words


@pytest.mark.parametrize("action", [*WRITTEN_DOWN, "sign in, refused"])
def test_a_deed_that_was_refused_is_told_as_tried(action: str) -> None:
    words = deed_words(action, is_refused=True)
    assert words.startswith("tried to ")
    assert words.count("tried") == 1
    assert "{" not in words


def test_deeds_and_tries_read_well() -> None:
    action = "POST /sms/templates"
    assert (deed_words(action), deed_words(action, is_refused=True)) == (
        "added the SMS template",
        "tried to add the SMS template",
    )


def test_a_deed_that_is_new_is_shown_as_it_is() -> None:
    assert deed_words("POST /sms/campaigns/{id}/levitate") == "POST /sms/campaigns/{id}/levitate"
    assert "sms/campaigns" in KINDS


def test_a_choice_is_said_to_hold_for_its_channel() -> None:
    sms, push = CHANNEL_WORDS["sms"], CHANNEL_WORDS["push"]
    assert scope_words("all", sms) == "every text message"
    assert scope_words("news", push) == "push notifications of the category news"
    refused = {"rule": "consent", "met": False, "message": "", "details": {"refusedScopes": ["all"]}}
    assert rule_of(refused, sms)["words"].startswith("Opted out of every text message at every phone number")


def test_who_is_not_in_the_audience_is_told_in_words() -> None:
    condition = {"met": False, "field": "country", "op": "eq", "value": "DE"}
    rule = {"rule": "audience", "met": False, "message": "(country eq)", "details": {"conditions": [condition]}}
    said = rule_of(rule, CHANNEL_WORDS["sms"])
    assert said["words"] == "Was not added, and the filter does not find them"
    assert [one["words"] for one in said["conditions"]] == ["Country is DE"]
    assert reason_words("not_in_audience") == "neither found by the filter nor added"


def test_a_part_of_nothing_is_no_percentage() -> None:
    assert (percent(0.0, 0), percent(0.0, 3), percent(12.34)) == ("–", "0.0%", "12.3%")


@pytest.mark.parametrize("state", State)
def test_every_state_of_an_approval_has_a_word(state: State) -> None:
    assert state in APPROVAL_STATES


def told(*events: tuple[str, str], price: Any = (7_900, "USD")) -> dict[str, Any]:
    recipient = {"outcome": "accepted", "failureReason": None, "costMicros": price[0], "currency": price[1]}
    sent = {"cost_micros": 7_900, "currency": "USD"}
    return {
        "recipient": recipient,
        "attempts": [{"startedAt": "2026-01-31T09:00:01.700000Z"}],
        "events": [
            {"eventType": kind, "eventTimestamp": at, "metadata": sent if kind == "sent" else None}
            for kind, at in events
        ],
    }


def test_within_a_second_things_stand_as_they_can_only_have_been() -> None:
    story = story_of(
        told(
            ("clicked", "2026-01-31T09:00:02Z"),
            ("delivered", "2026-01-31T09:00:01Z"),
            ("sent", "2026-01-31T09:00:01.900000Z"),
            ("opened", "2026-01-31T09:00:02.100000Z"),
        )
    )
    assert [one["words"] for one in story] == [
        "Attempt 1 was handed to the provider",
        "The provider accepted it",
        "Delivered",
        "Opened",
        "Link followed",
    ]


@pytest.mark.parametrize(
    ("price", "estimate"), [((7_900, "USD"), None), ((8_300, "USD"), (7_900, "USD")), ((7_900, "EUR"), (7_900, "USD"))]
)
def test_an_estimate_is_told_where_the_provider_has_its_own_price(price: Any, estimate: Any) -> None:
    assert estimate_of(told(("sent", "2026-01-31T09:00:01Z"), price=price)) == estimate
    assert estimate_of(told()) is None


@pytest.mark.parametrize("reason", UNTRIED)
def test_who_was_never_tried_is_no_failure(reason: str) -> None:
    recipient = {"status": "failed", "outcome": "skipped", "failureReason": reason}
    event = {"eventType": "failed", "eventTimestamp": "2026-01-31T09:00:01Z", "metadata": {"error_class": reason}}
    assert [one.look for one in recipient_badges(recipient)] == ["draft", "draft"]
    assert event_words(event) == (f"Not tried: {reason_words(reason)}", "skipped")
    story = story_of({"recipient": recipient, "attempts": [], "events": [event]})
    assert [one["words"] for one in story] == [f"Not tried: {reason_words(reason)}"]
    assert event_words(event | {"metadata": {"error_class": "content"}})[0] == "Failed: this message was refused"


def test_who_opted_out_before_their_turn_will_be_skipped() -> None:
    waiting = {"status": "queued", "outcome": None, "failureReason": None}
    refused = {"rule": "consent", "met": False, "message": "", "details": {"refusedScopes": ["all"]}}
    story = story_of({"recipient": waiting, "attempts": [], "events": [], "rules": [refused]})
    assert [one["words"] for one in story] == [WILL_BE_SKIPPED]
    sms = CHANNEL_WORDS["sms"]
    assert rule_of(refused, sms, [waiting])["verdict"] == WILL_BE_SKIPPED
    assert rule_of(refused, sms, [waiting | {"status": "delivered"}])["verdict"] == "Does not hold now"
    assert rule_of(refused, sms)["verdict"] == "Stopped here"


@pytest.mark.parametrize(
    ("countries", "shown"),
    [
        ((), "not known, because the numbers tell none"),
        (("ZZ",), "not known, because the numbers tell none"),
        (("DE",), "<summary>By country</summary>"),
        (("DE", "ZZ"), '<th scope="row">not known</th>'),
    ],
)
def test_countries_that_are_not_known_are_said_to_be(countries: tuple[str, ...], shown: str) -> None:
    price = {"recipients": 1, "segments": 1, "costMicros": None, "currency": None}
    forecast = {"recipients": 2, "countries": [{"country": one, **price} for one in countries]}
    template = make_environment(read_statics()).get_template("drafts/countries.html")
    assert shown in template.render(forecast=forecast, channel=SMS)


@pytest.mark.parametrize(
    ("costs", "rates", "note"),
    [
        ({}, {}, "nothing sent yet"),
        ({"EUR": 0.331, "USD": 195.1}, {"EUR": 1.1, "USD": 1.0}, "of €0.3310 + $195.10, at 1 EUR = 1.1 USD"),
        (
            {"CHF": 2.0, "EUR": 1.0, "GBP": 1.0, "USD": 1.0},
            {"EUR": 1.1, "GBP": 1.3, "USD": 1.0},
            "of CHF 2.00 (left out: no rate) + €1.00 + £1.00 + $1.00, at 1 EUR = 1.1 USD and 1 GBP = 1.3 USD",
        ),
    ],
)
def test_a_cost_in_several_currencies_names_its_rates(
    costs: dict[str, float], rates: dict[str, float], note: str
) -> None:
    data = {"smsSendCostByCurrency": costs, "smsSendCostRates": rates, "smsSendCostCurrency": "USD"}
    parts: Any = make_environment(read_statics()).get_template("parts.html").module
    assert parts.cost_note(data | {"totalSMSDelivered": 0, "smsSendCost": 0}).strip() == note
