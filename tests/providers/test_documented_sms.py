"""Every status and code that an SMS vendor documents stands as a fixture pair, and means what it should."""

from __future__ import annotations

import json
import re
from functools import cache
from typing import Any

import pytest

from tests.providers.documented import ANSWERS, CALLBACKS, PHRASES, STATUSES
from tests.providers.samples import folder_of

SAID_INSTEAD = {"throttled": {"throttled"}, "transient": {"server_error", "transient"}, "unknown": {"already_sent"}}
"""What outcomes that are no refusals say instead of their class."""


@cache
def pairs(kind: str, of: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads((folder_of(kind) / f"{of}.json").read_text())
    return found


def each(documented: dict[str, dict[str, str]]) -> list[Any]:
    return [
        pytest.param(kind, meaning, word, id=f"{kind}-{word}")
        for kind, by_meaning in documented.items()
        for meaning, words in by_meaning.items()
        for word in words.split()
    ]


@pytest.mark.parametrize(("kind", "error_class", "code"), each(ANSWERS))
def test_each_code_of_an_answer_has_its_pair(kind: str, error_class: str, code: str) -> None:
    outcomes = [pair["outcome"] for pair in pairs(kind, "answers") if pair["outcome"].get("code") == code]
    said = {one.get("error_class", one.get("reason")) for one in outcomes}
    assert said & SAID_INSTEAD.get(error_class, {error_class})


@pytest.mark.parametrize(("kind", "error_class", "code"), each(CALLBACKS))
def test_each_code_of_a_failure_has_its_pair(kind: str, error_class: str, code: str) -> None:
    stated = [state for pair in pairs(kind, "callbacks") for state in pair["states"] if state.get("code") == code]
    assert {state["error_class"] for state in stated} == {error_class}
    assert all((state["kind"] == "opted_out") == (error_class == "recipient_opted_out") for state in stated)


@pytest.mark.parametrize(("kind", "meaning", "word"), each(STATUSES))
def test_each_status_has_its_pair(kind: str, meaning: str, word: str) -> None:
    names = "MessageStatus=|status=|[Ss]tatus.{0,6}: .{0,4}|eventType.{0,6}: .{0,4}"
    stating = re.compile(rf"(?:{names}){word}(?![\w-])")
    stated = [pair["states"] for pair in pairs(kind, "callbacks") if stating.search(json.dumps(pair["body"]))]
    assert stated
    kinds = {state.get("kind", "") for states in stated for state in states} or {""}
    assert meaning in kinds


@pytest.mark.parametrize(
    ("error_class", "phrase"), [(error_class, phrase) for error_class, said in PHRASES.items() for phrase in said]
)
def test_each_phrase_of_awss_logs_has_its_pair(error_class: str, phrase: str) -> None:
    (pair,) = (pair for pair in pairs("sns_sms", "callbacks") if pair["name"] == phrase)
    assert phrase in pair["body"]["logEvents"][0]["message"]
    assert [state["error_class"] for state in pair["states"]] == [error_class]
