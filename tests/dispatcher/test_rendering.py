"""From a content snapshot and a recipient to the message that leaves."""

from __future__ import annotations

from dataclasses import replace
from uuid import UUID

import msgspec
import pytest

from contracts.channels import CHANNELS
from contracts.content import MissingVariable
from contracts.events import Content
from services.dispatcher.rendering import Links, rendering
from services.dispatcher.store.claims import Claimed
from shared.ids import new_id
from shared.links import PREFERENCES, TRACKED, Named, link_codes
from shared.security import References

CONTENT = {
    "body": "Hi {{firstName|there}}",
    "title": "Your {{attributes.plan}}",
    "imageUrl": "https://example.com/{{customerId}}.png",
    "actionUrl": "shop://{{customerId}}",
    "data": {"who": "{{customerId}}", "kind": "sale"},
}
LINKS = Links(link_codes("key"), "https://n.example")
VARIABLES = {"attributes.plan": "Gold", "customerId": "c1"}


def message(variables, content=CONTENT, links=LINKS):
    references = References(b"k" * 32)
    campaign = UUID(int=7)
    texts = rendering(
        CHANNELS["push"],
        msgspec.convert(content, Content),
        links,
        "firebase",
        "account",
        "https://us.example",
        references,
        campaign,
        True,
    )
    return texts.message(Claimed(new_id(), "token", "Ada", "c1", 1, variables), 60)


def test_every_text_is_rendered():
    made = message(VARIABLES)
    assert (made.text, made.title) == ("Hi there", "Your Gold")
    assert (made.image_url, made.action_url) == ("https://example.com/c1.png", "shop://c1")
    assert made.data == {"who": "c1", "kind": "sale"}
    assert made.callback_url == (f"https://us.example/api/notification/callbacks/firebase/account?ref={made.reference}")
    assert (made.collapse_id, made.urgent) == ("0" * 31 + "7", True)
    assert made.report_url == f"https://us.example/api/notification/t/{made.reference}"


@pytest.mark.parametrize("missing", sorted(VARIABLES))
def test_no_text_leaves_with_a_hole(missing):
    with pytest.raises(MissingVariable, match=missing):
        message({name: value for name, value in VARIABLES.items() if name != missing})


def test_texts_that_are_not_given_stay_away():
    made = message(None, {"body": "Hello"})
    assert (made.title, made.image_url, made.action_url, made.data) == (None, None, None, None)


def test_links_are_made_for_each_recipient_and_nobody_else_can_name_them():
    body = "{{trackedLink.1}} {{trackedLink.0}} {{unsubscribeUrl}}"
    links = replace(LINKS, numbers=(7, 8))
    made = message({"unsubscribeUrl": "https://elsewhere.example"}, {"body": body}, links)
    first, second, third = made.text.split()
    for url, path, kind, number in (
        (first, "/l/", TRACKED, 8),
        (second, "/l/", TRACKED, 7),
        (third, "/u/", PREFERENCES, 0),
    ):
        code = url.removeprefix(f"https://n.example{path}")
        assert links.codes.read(kind, code) == Named("push", made.recipient_id, number)
