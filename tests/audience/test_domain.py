"""Decisions without a database: numbers, rows, files, consent, lots."""

from __future__ import annotations

import random
from itertools import pairwise
from uuid import uuid4

import phonenumbers
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.channels import PUSH, SMS
from contracts.events import Content
from services.audience.domain.additions import read_addition
from services.audience.domain.consent import Consent, consent_changes, stop_scopes
from services.audience.domain.customers import InvalidRow, read_customer
from services.audience.domain.files import BadFile, CsvRows, JsonRows, Malformed
from services.audience.domain.lots import cut_lots, variables_of
from services.audience.domain.phones import InvalidPhoneNumber, normalise_phone_number
from shared import ids
from shared.codec import now
from shared.ids import new_id

COLUMNS = b"customerId,phoneNumber,firstName\n"


def judged_by_library(number: str) -> bool:
    try:
        parsed = phonenumbers.parse(number, None)
    except phonenumbers.NumberParseException:
        return False
    same = phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164) == number
    return same and phonenumbers.is_valid_number(parsed)


def is_accepted(number: str) -> bool:
    try:
        return normalise_phone_number(number, None) == number
    except InvalidPhoneNumber:
        return False


def test_the_short_way_judges_numbers_as_the_library_does():
    chance = random.Random(7)
    numbers = []
    for region in sorted(phonenumbers.SUPPORTED_REGIONS):
        for kind in range(11):
            example = phonenumbers.example_number_for_type(region, kind)
            if example is not None:
                digits = list(phonenumbers.format_number(example, phonenumbers.PhoneNumberFormat.E164))
                numbers.append("".join(digits))
                for _ in range(3):
                    digits[chance.randrange(3, len(digits))] = chance.choice("0123456789")
                    numbers.append("".join(digits))
    assert len(numbers) > 4_000
    assert [n for n in numbers if is_accepted(n) != judged_by_library(n)] == []


@pytest.mark.parametrize(
    ("text", "country", "expected"),
    [
        ("0151 23456789", "DE", "+4915123456789"),
        ("+49 (151) 234-56789", None, "+4915123456789"),
        ("0049 151 23456789", "DE", "+4915123456789"),
        ("(212) 555-2368", "US", "+12125552368"),
        ("06 12 34 56 78", "FR", "+33612345678"),
        ("00447400123456", None, "+447400123456"),
    ],
)
def test_national_formats_are_read_as_of_the_country(text, country, expected):
    assert normalise_phone_number(text, country) == expected


@pytest.mark.parametrize("text", ["12", "call me", "+999123456789", "0151 23456789", "+4915", "1" * 60, ""])
def test_an_invalid_number_is_refused_without_showing_it(text):
    with pytest.raises(InvalidPhoneNumber) as caught:
        normalise_phone_number(text, None)
    assert not text or text not in str(caught.value)


def test_a_row_names_every_field_that_is_wrong():
    with pytest.raises(InvalidRow) as caught:
        read_customer(
            {
                "customerId": "",
                "phoneNumber": "12",
                "country": "Germany",
                "smsOptedIn": "maybe",
                "timeZone": "Mars/Base",
                "lastSeenAt": "yesterday",
                "deviceToken": "t o k e n",
                "attributes.plan": "x" * 2_000,
                "shoeSize": "46",
            }
        )
    assert {error.field for error in caught.value.errors} == {
        "customerId",
        "phoneNumber",
        "country",
        "smsOptedIn",
        "timeZone",
        "lastSeenAt",
        "deviceToken",
        "attributes.plan",
        "shoeSize",
    }


def test_an_invalid_number_refuses_the_row_even_with_a_device():
    with pytest.raises(InvalidRow, match="phoneNumber"):
        read_customer({"customerId": "a", "phoneNumber": "12", "country": "DE", "deviceToken": "token"})


def test_a_row_of_json_may_have_types_lists_and_objects():
    customer = read_customer(
        {
            "customerId": 42,
            "smsOptedIn": False,
            "smsCategories": ["news", "marketing"],
            "attributes": {"age": 31, "vip": True, "tags": ["a", "b"], "none": None},
            "devices": [{"deviceToken": "t1", "deviceType": "ios"}, {"deviceToken": "t2"}],
        }
    )
    assert customer.customer_id == "42"
    assert customer.sms_opted_in is False
    assert customer.marketing_opted_in is None
    assert customer.sms_categories == ["marketing", "news"]
    assert customer.attributes == {"age": 31, "vip": True, "tags": ["a", "b"]}
    assert [d.device_type for d in customer.devices] == ["ios", "unknown"]


def test_an_addition_is_a_customer_or_an_address():
    by_number = read_addition({"phoneNumber": "0151 23456789", "country": "de", "recipientName": "Ada"}, SMS)
    assert (by_number.address, by_number.recipient_name) == ("+4915123456789", "Ada")
    assert by_number.digest == read_addition({"phoneNumber": "+4915123456789"}, SMS).digest
    assert read_addition({"deviceToken": "abc", "deviceType": "ios"}, PUSH).device_type == "ios"
    for wrong in ({}, {"customerId": "a", "phoneNumber": "+4915123456789"}, {"deviceToken": "abc"}):
        with pytest.raises(InvalidRow, match=r"phoneNumber|deviceToken"):
            read_addition(wrong, SMS)


@given(st.lists(st.integers(1, 30), max_size=20))
def test_a_csv_file_may_be_cut_anywhere(cuts):
    text = COLUMNS + 'a,1,"Ada\nLovelace, ""Countess"""\r\n\nb,2,Grüße\nc,3'.encode()
    rows, start, reader = [], 0, CsvRows(lambda header: None, 4096)
    for cut in cuts:
        rows += reader.feed(text[start : start + cut])
        start += cut
    rows += reader.feed(text[start:])
    rows += reader.finish()
    assert rows[0][1]["firstName"] == 'Ada\nLovelace, "Countess"'
    assert rows[1][1] == {"customerId": "b", "phoneNumber": "2", "firstName": "Grüße"}
    assert rows[2][1] == Malformed("has 2 columns instead of 3", "c,3")
    assert len(rows) == 3


def test_bad_rows_of_a_file_leave_their_neighbours_alone():
    reader = CsvRows(lambda header: None, 4096)
    rows = list(reader.feed(COLUMNS + b"a,1,\xff\xfe\nb,2,B,extra\nc,3,C\n"))
    assert rows == [
        (2, Malformed("is not UTF-8", "a,1,\udcff\udcfe")),
        (3, Malformed("has 4 columns instead of 3", "b,2,B,extra")),
        (4, {"customerId": "c", "phoneNumber": "3", "firstName": "C"}),
    ]
    lines = JsonRows(4096)
    found = [*lines.feed(b'{"a": 1}\n[1]\n\n{"a"'), *lines.feed(b": 2}"), *lines.finish()]
    assert found == [(1, {"a": 1}), (2, Malformed("is not a JSON object", "[1]")), (4, {"a": 2})]


def test_semicolons_and_a_byte_order_mark_are_understood():
    reader = CsvRows(lambda header: None, 4096)
    assert list(reader.feed("\ufeffcustomerId;firstName\na;Ada\n".encode())) == [
        (2, {"customerId": "a", "firstName": "Ada"})
    ]


def test_a_file_that_cannot_be_read_says_why():
    with pytest.raises(BadFile, match="empty"):
        list(CsvRows(lambda header: None, 4096).finish())
    with pytest.raises(BadFile, match="longer than"):
        list(CsvRows(lambda header: None, 4096).feed(b"x" * 5_000))
    with pytest.raises(BadFile, match="not UTF-8"):
        list(CsvRows(lambda header: None, 4096).feed("customerId\n".encode("utf-16")))
    with pytest.raises(BadFile, match="first row has a quote"):
        list(CsvRows(lambda header: None, 4096).feed(b'"a"b,c\n1,2\n'))
    with pytest.raises(BadFile, match="twice: a"):
        list(CsvRows(lambda header: None, 4096).feed(b"a,a\n"))


def test_a_quote_that_nobody_closes_does_not_hold_the_file():
    reader = CsvRows(lambda header: None, 4096)
    rows = list(reader.feed(COLUMNS + b'a,1,5" nail\n'))
    for _ in range(20):
        rows += reader.feed(b"b,2,B\n" * 10_000)
    rows += reader.finish()
    assert len(rows) > 150_000


@pytest.mark.parametrize(
    "bad",
    [
        'x,9,"open',
        'x,"9,open',
        '"x,9,open',
        'x,9,"closed" and more',
        'x,9,"open\ny,"9,open too',
    ],
)
def test_a_bad_quote_costs_its_own_line_only(bad):
    reader = CsvRows(lambda header: None, 4096)
    rows = [*reader.feed(COLUMNS + f"a,1,A\n{bad}\nb,2,B\nc,3,C\n".encode()), *reader.finish()]
    assert [values["customerId"] for _, values in rows if isinstance(values, dict)] == ["a", "b", "c"]
    assert [values for _, values in rows if isinstance(values, Malformed)] == [
        Malformed("has a quote that is not closed, or text behind a closing quote", f"{line}\n")
        for line in bad.split("\n")
    ]
    assert [number for number, _ in rows] == list(range(2, len(rows) + 2))


CONSENTS = st.builds(
    Consent,
    st.booleans(),
    st.booleans(),
    st.booleans(),
    st.none() | st.frozensets(st.sampled_from(["marketing", "transactional", "news", "offers"])),
)


@given(CONSENTS, CONSENTS)
def test_changes_of_consent_say_the_new_answer_of_every_scope_they_name(before, after):
    changes = dict(consent_changes(before, after))
    for scope in before.scopes() | after.scopes():
        if scope in changes:
            assert changes[scope] is not after.allows(scope)
        else:
            assert before.allows(scope) == after.allows(scope)


def test_marketing_stands_for_every_category_but_transactional():
    assert not Consent(marketing=False).allows("news")
    assert Consent(marketing=False).allows("transactional")
    assert not Consent(categories=frozenset({"news"})).allows("marketing")
    assert set(stop_scopes("news")) == {"all", "marketing"}
    assert set(stop_scopes("transactional")) == {"all", "transactional"}


def test_recipient_ids_of_a_lot_rise_and_no_other_lot_lies_between():
    units = [(f"c{n}", f"a{n}", None, None, None) for n in range(1_000)]
    lots = []
    for _ in range(20):
        lots += cut_lots(uuid4(), "u", "sms", "marketing", units, 300, now())
        new_id()
    spans = []
    for lot in lots:
        made = [recipient.recipient_id for recipient in lot.recipients]
        assert made == sorted(set(made))
        assert all(one.bytes[-1] == 0 and one.version == 7 for one in made)
        spans.append((made[0], made[-1]))
    spans.sort()
    assert all(earlier[1] < later[0] for earlier, later in pairwise(spans))
    assert [len(lot.recipients) for lot in lots[:4]] == [300, 300, 300, 100]


def test_lots_of_two_processes_do_not_interleave_even_in_the_same_tick(monkeypatch):
    spans = []
    monkeypatch.setattr(ids.time, "time_ns", lambda: 1_800_000_000_000_000_000)
    for _ in range(50):
        monkeypatch.setattr(ids, "_last", 0)
        together = ids.new_ids(500)
        spans.append((together[0], together[-1]))
    assert len({span[0].int >> 64 for span in spans}) == 1
    spans.sort()
    assert all(earlier[1] < later[0] for earlier, later in pairwise(spans))


def test_the_variables_of_all_texts_are_found():
    content = Content(
        body="Hi {{firstName}}, {{attributes.plan|basic}}",
        title="{{attributes.city}}",
        data={"who": "{{customerId}}"},
    )
    variables, required = variables_of(content)
    assert variables == ["attributes.city", "attributes.plan", "customerId", "firstName"]
    assert required == {"attributes.city", "customerId", "firstName"}
