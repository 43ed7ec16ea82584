"""Is it still the code we wanted? Each rule holds for our code and catches a seeded fault."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from deploy.local.state import ROOT
from tests.tidy import rules
from tests.tidy.rules import RULES, Rule

TOPICS = 'LOTS = Topic("lots", "audience", "lot id")\n'
HEARS = "SUBSCRIPTIONS = [Subscription(topics.LOTS, handle)]\n"

FAULTS: Mapping[Rule, Mapping[str, str]] = {
    rules.modules_are_short: {"shared/long.py": "x = 1\n" * 401},
    rules.names_say_something: {"services/audience/helpers.py": ""},
    rules.tests_do_not_sleep: {"tests/test_slow.py": "import time\ntime.sleep(1)\n"},
    rules.only_settings_read_the_environment: {"services/audience/app.py": "import os\nx = os.environ['X']\n"},
    rules.nothing_branches_on_a_channel: {"services/audience/store.py": "def f(c):\n    return c.name == 'sms'\n"},
    rules.handlers_let_errors_through: {
        "services/audience/handlers.py": "try:\n    pass\nexcept Exception:\n    pass\n"
    },
    rules.promises_are_written_down: {"shared/new.py": '"""New."""\ndef promise(): ...\n'},
    rules.topics_have_owner_and_consumer: {"contracts/topics.py": TOPICS, "services/audience/__init__.py": ""},
    rules.files_name_no_package_index: {"requirements/dev.lock": "--index-url http://packages.example/\n"},
}


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_our_code_keeps_the_rule(rule: Rule) -> None:
    assert rule(ROOT) == [], rule.__doc__


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_the_rule_catches_its_fault(rule: Rule, tmp_path: Path) -> None:
    for name, text in FAULTS[rule].items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    assert len(rule(tmp_path)) == 1


def test_a_topic_with_owner_and_consumer_is_fine(tmp_path: Path) -> None:
    for name, text in {"contracts/topics.py": TOPICS, "services/audience/__init__.py": HEARS}.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    assert rules.topics_have_owner_and_consumer(tmp_path) == []


def test_a_lock_of_npm_holds_no_address(tmp_path: Path) -> None:
    lock = tmp_path / "tests" / "package-lock.json"
    lock.parent.mkdir()
    lock.write_text('{"funding": {"url": "https://sponsors.example"}}\n')
    assert rules.files_name_no_package_index(tmp_path) == ["tests/package-lock.json:1 names a package index"]
