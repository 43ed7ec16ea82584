"""What forms make of what people type, and what they say when it is wrong."""

from __future__ import annotations

import json

import pytest

from contracts.channels import CHANNELS
from contracts.http.access import PasswordChange, SettingsChange, SignIn
from contracts.http.campaigns import CampaignSchedule
from services.gateway.routes.pages.accounts import VENDOR_FORMS, _account_of, _by_labels, _values_of
from services.gateway.routes.pages.dead_letters import reason_said
from services.gateway.routes.pages.desks import Form
from services.gateway.routes.pages.filters import EXAMPLE, choice_of_form, filter_of
from services.gateway.routes.pages.previews import preview_of
from services.gateway.routes.pages.rendering import worded
from services.gateway.routes.pages.review import _faults
from shared.http import Problem, read_shape

UTC_TIME = "2026-01-31T09:00:00Z is in UTC"
LINES = (("field", "country"), ("op", "eq"), ("value", "FR"), ("text", ""))


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        (LINES, {"all": [{"field": "country", "op": "eq", "value": "FR"}]}),
        ((("text", ""),), EXAMPLE),
    ],
)
def test_json_begins_with_what_was_chosen_or_with_an_example(sent, expected):
    form = Form((("mode", "expert"), ("from", "all"), *sent))
    assert json.loads(choice_of_form(form).text) == expected


def test_json_that_is_written_is_kept():
    form = Form((("mode", "expert"), ("from", "expert"), *LINES[:-1], ("text", "{")))
    choice = choice_of_form(form)
    assert choice.text == "{"
    with pytest.raises(ValueError, match=r"line 1, column 2; .*country"):
        filter_of(choice)


def test_a_preview_without_customers_is_of_a_made_up_one():
    preview = preview_of(CHANNELS["sms"], {"content": "Acme: hi {{firstName}}"}, [], "https://a.example")
    assert preview.is_made_up
    assert preview.people["next"].text == "Acme: hi Alexandra"
    assert preview.people["next"].segments.count == 1


@pytest.mark.parametrize(
    ("shape", "body", "message"),
    [
        (PasswordChange, {"currentPassword": "x", "newPassword": "short"}, "must have at least 12 characters"),
        (SettingsChange, {"approvalAbove": "many"}, "must be a whole number"),
        (SettingsChange, {"approvalAbove": -1}, "must be at least 0"),
        (SettingsChange, {"businessName": ""}, "must have at least 1 character"),
        (SignIn, {"email": "ada", "password": "x"}, "must be an e-mail address, such as ada@example.com"),
        (CampaignSchedule, {"scheduledSendTime": "2026-01-31T09:00:00"}, "must name its time zone: " + UTC_TIME),
        (CampaignSchedule, {"scheduledSendTime": "soon"}, "must be a time such as 2026-01-31T09:00:00Z"),
    ],
)
def test_what_is_wrong_is_said_as_a_person_would(shape, body, message):
    with pytest.raises(Problem) as refused:
        read_shape(shape, json.dumps(body).encode())
    assert [error["message"] for error in refused.value.errors] == [message]
    assert "short" not in message


def test_a_test_names_whom_it_does_not_know():
    people = [{"customerId": "hello"}, {"customerId": "C99999"}]
    errors = [{"field": "recipients.1.customerId", "message": "there is no such customer"}]
    assert _faults(Problem(422, "Invalid input", errors=errors), people) == "“C99999”: there is no such customer"
    assert _faults(Problem(429, "Too many", "come back tomorrow"), people) == "come back tomorrow"


@pytest.mark.parametrize(
    ("reason", "said"),
    [
        ("customerId: there is no such customer", "Customer number: there is no such customer"),
        ("give either templateId or content", "Give either template id or content"),
        ("unknown channel 'fax'", "Unknown channel 'fax'"),
    ],
)
def test_reasons_of_dead_letters_name_no_field(reason, said):
    assert reason_said(reason) == said


def test_messages_use_the_forms_own_words():
    labels = {"phoneNumber": "Sender number", "config.messagingServiceSid": "Messaging service SID"}
    said = _by_labels("is required unless config.messagingServiceSid is given", labels)
    assert said == "is required unless “Messaging service SID” is given"
    assert worded("approvalAbove") == "Approval above"


def test_accounts_can_be_made_in_the_ways_that_are_documented():
    offered = {
        kind: {setting.name for setting in form.settings}
        for forms in VENDOR_FORMS.values()
        for kind, form in forms.items()
    }
    assert "config.authToken" in offered["twilio"]
    assert "config.certificate" in offered["apns"]
    assert "config.platformApplicationArn" in {one.name for one in VENDOR_FORMS["push"]["aws_sns"].settings}


@pytest.mark.parametrize(("ticked", "sandbox"), [((("config.sandbox", "yes"),), True), ((), False)])
def test_the_sandbox_is_ticked(ticked, sandbox):
    body = _account_of(Form((("providerName", "Apple"), *ticked)), VENDOR_FORMS["push"]["apns"])
    assert body["config"] == {"sandbox": sandbox}


def test_an_account_is_shown_as_it_was_typed():
    typed = {"config.topicArns": "arn:a, arn:b", "config.maxPrice": "0.5", "config.concurrentMax": "8"}
    body = _account_of(Form((("providerName", "Amazon"), *typed.items())), VENDOR_FORMS["sms"]["aws_sns"])
    assert body["config"] == {"topicArns": ["arn:a", "arn:b"], "maxPrice": 0.5, "concurrentMax": 8}
    shown = _values_of({**body, "providerType": "aws_sns"}, VENDOR_FORMS["sms"])
    assert {name: str(shown[name]) for name in typed} == typed
