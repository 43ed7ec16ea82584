"""Which links of a text are counted."""

from __future__ import annotations

import pytest

from contracts.content import LINK_VARIABLES
from contracts.events import Content
from contracts.links import TRACKED_MAX, link_values, tracked, with_sample_links

BASE_URL = "https://n.example"


@pytest.mark.parametrize(
    ("body", "expected", "destinations"),
    [
        ("See https://a.example/x?y=1&z=#top.", "See {{trackedLink.0}}.", ["https://a.example/x?y=1&z=#top"]),
        ("(http://a.example) HTTPS://B.example!", "({{trackedLink.0}}) {{trackedLink.1}}!", None),
        ("https://a.example https://a.example", "{{trackedLink.0}} {{trackedLink.0}}", ["https://a.example"]),
        ("https://a.example/{{customerId}}/x {{firstName}}", None, []),
        ("https://a.example/ü shop://x ftp://a.example javascript:alert(1) https://", None, []),
    ],
)
def test_links_become_placeholders(body, expected, destinations):
    content, found = tracked(Content(body=body))
    assert content.body == (body if expected is None else expected)
    assert destinations is None or found == destinations


def test_the_action_url_is_counted_where_a_browser_opens_it():
    for url, count in (("https://a.example/x", 1), ("shop://x", 0), (None, 0)):
        content, found = tracked(Content(body="Hi", action_url=url))
        assert (len(found), content.action_url) == (count, "{{trackedLink.0}}" if count else url)


def test_only_so_many_links_are_counted():
    body = " ".join(f"https://a.example/{number}" for number in range(TRACKED_MAX + 1))
    content, found = tracked(Content(body=body))
    assert len(found) == TRACKED_MAX
    assert content.body.endswith(f" https://a.example/{TRACKED_MAX}")


@pytest.mark.parametrize("track_links", [False, True])
def test_the_sample_is_as_long_as_the_real_one(track_links):
    body = "{{unsubscribeUrl}} {{ preferencesUrl |x}} {{firstName}} https://a.example"
    sample = with_sample_links(Content(body=body, title="{{firstName}}", track_links=track_links), BASE_URL)
    link = f"{BASE_URL}/l/{'0' * 32}" if track_links else "https://a.example"
    assert sample.body == f"{BASE_URL}/u/{'0' * 30} {BASE_URL}/preferences/{'0' * 30} {{{{firstName}}}} {link}"
    assert (sample.title, sample.action_url, sample.data) == ("{{firstName}}", None, None)
    assert with_sample_links(sample, BASE_URL) == sample


def test_every_variable_of_a_link_has_a_value():
    assert link_values(BASE_URL, "code").keys() == LINK_VARIABLES
