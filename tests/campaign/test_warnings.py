"""Best practices of the specification, said as warnings that programs and people can read."""

from __future__ import annotations

import pytest

from contracts.channels import CHANNELS
from services.campaign.domain.images import Image
from services.campaign.domain.templates import check_template

BASE_URL = "https://n.example"
GOOD_TEXT = "Acme: 20% off until Sunday. Reply STOP to unsubscribe"
GOOD_PUSH = {"title": "Twenty per cent off until Sunday", "body": "Have a look", "action_url": "app://sale"}


def warned(channel: str, image: Image | None = None, **values: object) -> set[tuple[str, str]]:
    return {(one.code, one.field) for one in check_template(CHANNELS[channel], values, BASE_URL, image).warnings}


def test_a_good_template_has_none():
    assert warned("sms", content=GOOD_TEXT) == set()
    assert warned("push", **GOOD_PUSH, image_url="https://a.example/b.png", image=Image(1200, 600)) == set()


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (GOOD_TEXT + "x" * 160, "over_one_segment"),
        (GOOD_TEXT + " ☃" + "x" * 30, "over_one_segment"),
        ("Acme: 20% off until Sunday, at every one-stop-shop but ours", None),
        ("Acme: 20% off until Sunday", "no_unsubscribe"),
        ("20% off until Sunday. Reply STOP to unsubscribe", "no_sender_identity"),
        ("20% off until 9:30 today. Reply STOP to unsubscribe", "no_sender_identity"),
        ("Hi {{firstName}}: see https://a.example. Text STOP to end", "no_sender_identity"),
        ("20% off. STOP to end. – Acme", None),
        ("20% off from Acme. STOP to end.", None),
        ("20% Rabatt. Abmelden: STOP. Dein Acme-Team", None),
    ],
)
def test_texts(text, code):
    assert warned("sms", content=text) == ({(code, "content")} if code else set())


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"title": "x" * 29}, ("title_length", "title")),
        ({"title": "x" * 51}, ("title_length", "title")),
        ({"body": "x" * 151}, ("body_length", "body")),
        ({"action_url": None}, ("no_deep_link", "actionUrl")),
    ],
)
def test_pushes(values, expected):
    assert warned("push", **{**GOOD_PUSH, **values}) == {expected}


@pytest.mark.parametrize(
    ("image", "code"),
    [
        (Image(1200, 600), None),
        (Image(1024, 512), None),
        (Image(1000, 520), None),
        (Image(1000, 1000), "image_ratio"),
        (Image(600, 1200), "image_ratio"),
        (Image(trouble="no answer"), "image_not_seen"),
    ],
)
def test_pictures(image, code):
    found = warned("push", image, **GOOD_PUSH, image_url="https://a.example/b.png")
    assert found == ({(code, "imageUrl")} if code else set())


def test_each_says_what_to_do():
    checked = check_template(CHANNELS["sms"], {"content": "20% off"}, BASE_URL)
    assert [one.message for one in checked.warnings] == [
        "does not say how to unsubscribe: add for example 'Reply STOP to unsubscribe' or {{unsubscribeUrl}}",
        "does not say who writes: begin with your name ('Acme: …') or end with it ('- Acme')",
    ]
