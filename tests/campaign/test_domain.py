"""The states of a campaign: diagram, enum and CHECK say the same."""

from __future__ import annotations

import re

import psycopg
import pytest

from contracts.channels import CHANNELS
from contracts.content import LINK_VARIABLES
from contracts.links import PREFERENCE_CODE_CHARACTERS, TRACKED_CODE_CHARACTERS
from deploy.local.state import ROOT
from services.campaign.domain.states import Action, NotPossible, Status, move
from services.campaign.domain.templates import check_template

README = (ROOT / "services" / "campaign" / "README.md").read_text()
EDGES = {
    (Status(before), Action(action)): Status(after)
    for before, after, action in re.findall(r"^    (\w+) --> (\w+): (\w+)$", README, re.M)
}


@pytest.mark.parametrize("action", Action)
@pytest.mark.parametrize("status", Status)
def test_the_diagram_shows_every_transition_and_no_other(status, action):
    if (status, action) in EDGES:
        assert move(status, action) is EDGES[status, action]
    else:
        with pytest.raises(NotPossible, match="must be"):
            move(status, action)


def test_the_diagram_begins_where_a_campaign_begins():
    assert re.findall(r"\[\*\] --> (\w+)", README) == [Status.DRAFT]


@pytest.mark.parametrize("channel", sorted(CHANNELS))
def test_the_table_allows_the_same_states(database_of, channel):
    with psycopg.connect(database_of("campaign")) as connection:
        rows = connection.execute(
            "SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conname = %s",
            (f"{channel}_campaigns_status_check",),
        ).fetchall()
    assert set(re.findall(r"'(\w+)'", rows[0][0])) == set(Status)


BASE_URL = "https://n.example"


def problems(channel: str, **values: object) -> list[str]:
    return [field for field, _ in check_template(CHANNELS[channel], values, BASE_URL).problems]


def test_templates_within_the_limits_are_good():
    assert problems("sms", content="Hi {{firstName|there}}, reply STOP to unsubscribe") == []
    assert problems("push", title="News", body="Your {{attributes.plan|free}} plan", action_url="https://a.b/c") == []


@pytest.mark.parametrize(
    ("channel", "values", "field"),
    [
        ("sms", {"content": "x" * 481}, "content"),
        ("sms", {"content": "Hi {{nobodyKnowsThis}}"}, "content"),
        ("sms", {"content": "Hi {{firstName"}, "content"),
        ("push", {"title": "x" * 66, "body": "x"}, "title"),
        ("push", {"title": "x", "body": "x" * 241}, "body"),
        ("push", {"title": "x", "body": "{{nobodyKnowsThis}}"}, "body"),
    ],
)
def test_a_bad_template_is_refused_with_its_field(channel, values, field):
    assert problems(channel, **values) == [field]


@pytest.mark.parametrize("name", sorted(LINK_VARIABLES))
def test_a_link_to_the_own_preferences_says_how_to_unsubscribe(name):
    values = {"content": "Acme: 20% off. No more? {{" + name + "}}"}
    checked = check_template(CHANNELS["sms"], values, BASE_URL)
    assert (checked.problems, checked.warnings) == ([], [])


@pytest.mark.parametrize("track_links", [False, True])
def test_links_count_with_the_length_that_they_will_have(track_links):
    long = "https://shop.example/" + "x" * 100
    values = {"content": f"{long} {long} {{{{unsubscribeUrl}}}}", "track_links": track_links}
    checked = check_template(CHANNELS["sms"], values, BASE_URL)
    link = len(BASE_URL) + len("/l/") + TRACKED_CODE_CHARACTERS if track_links else len(long)
    assert checked.segments.units == 2 * link + 2 + len(BASE_URL) + len("/u/") + PREFERENCE_CODE_CHARACTERS
