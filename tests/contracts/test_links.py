"""Which links of a text are counted."""

from __future__ import annotations

import pytest

from contracts.content import parse
from contracts.events import Content
from contracts.links import TRACKED_MAX, sample_link_values, tracked

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


def test_the_sample_has_a_value_for_each_link():
    content, found = tracked(Content(body="{{unsubscribeUrl}} {{preferencesUrl}} https://a.example"))
    text = parse(content.body, lambda _: True).render(sample_link_values(BASE_URL, len(found)))
    assert text == f"{BASE_URL}/u/{'0' * 30} {BASE_URL}/preferences/{'0' * 30} {BASE_URL}/l/{'0' * 32}"
