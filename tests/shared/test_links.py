"""Codes of links: short, ours alone, and of one kind."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.channels import CHANNELS
from contracts.links import PREFERENCE_CODE_CHARACTERS, TRACKED_CODE_CHARACTERS
from shared.ids import new_id
from shared.links import PREFERENCES, TRACKED, Named, link_codes

CODES = link_codes("newest")
KINDS = {PREFERENCES: PREFERENCE_CODE_CHARACTERS, TRACKED: TRACKED_CODE_CHARACTERS}
kinds = pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.purpose.decode())


@kinds
@pytest.mark.parametrize("channel", sorted(CHANNELS))
def test_a_code_names_what_it_was_made_for(kind, channel):
    recipient_id, number = new_id(), 2**31 if kind.number_bytes else 0
    code = CODES.make(kind, channel, recipient_id, number)
    assert len(code) == KINDS[kind]
    assert CODES.read(kind, code) == Named(channel, recipient_id, number)


@kinds
def test_no_character_can_be_another(kind):
    code = CODES.make(kind, "sms", new_id(), 0)
    for place in range(len(code)):
        for other in "AaZz09-_=.é\0":
            if other != code[place]:
                assert CODES.read(kind, code[:place] + other + code[place + 1 :]) is None


@kinds
def test_nothing_can_be_added_or_taken_away(kind):
    code = CODES.make(kind, "sms", new_id())
    for other in (code[:-1], code + "A", code + "=", code + "\n", " " + code, code * 3, ""):
        assert CODES.read(kind, other) is None


def test_a_code_is_of_one_kind():
    assert CODES.read(TRACKED, CODES.make(PREFERENCES, "sms", new_id())) is None
    assert CODES.read(PREFERENCES, CODES.make(TRACKED, "sms", new_id())) is None


@given(st.text(max_size=100))
def test_any_text_can_be_asked_about(text):
    assert CODES.read(PREFERENCES, text) is None
    assert CODES.read(TRACKED, text) is None


def test_a_key_is_replaced_while_its_codes_still_hold_and_then_no_more():
    recipient_id = new_id()
    code = CODES.make(PREFERENCES, "sms", recipient_id)
    assert link_codes("newer, newest").read(PREFERENCES, code) == Named("sms", recipient_id, 0)
    assert link_codes("newer").read(PREFERENCES, code) is None
    assert link_codes("newer,newest").make(PREFERENCES, "sms", recipient_id) != code
