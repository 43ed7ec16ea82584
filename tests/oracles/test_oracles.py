"""Segments as two public calculators count them, and messages of SNS as AWS's own validator takes them."""

from __future__ import annotations

import json
import random

from contracts.content import count_segments
from services.provider_simulator.sns import _signing, signed_message
from shared.providers.provider import CallbackRequest
from shared.providers.sns import sms
from tests.oracles import oracle
from tests.providers.samples import values_of

TEXTS = 10_000
SEED = 20_261_124
GSM = "@£$¥èéùìòÇ\nØøÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCXYZÄÖÑÜ§¿abcxyzäöñüà"
EXTENDED = "^{}\\[~]|€"
OTHERS = "čšžабв漢字éçœ–—“”`"
ASTRAL = "😀🎉𝄞🚀"


def texts() -> list[str]:
    """Of every length around the limits, in every mixture of alphabets."""
    chance = random.Random(SEED)
    made = []
    for _ in range(TEXTS):
        letters = GSM * chance.randint(1, 4)
        for alphabet in (EXTENDED, OTHERS, ASTRAL):
            if chance.random() < 0.4:
                letters += alphabet * chance.randint(1, 3)
        length = chance.choice((chance.randint(0, 20), chance.randint(60, 170), chance.randint(140, 480)))
        made.append("".join(chance.choices(letters, k=length)))
    return made


def test_segments_are_those_of_both_calculators():
    ours = [(text, count_segments(text).count) for text in texts()]
    theirs = oracle("segments.js", [text for text, _ in ours])
    differing = [(text, mine, both) for (text, mine), both in zip(ours, theirs, strict=True) if both != [mine, mine]]
    assert differing == []


def test_messages_of_sns_are_those_that_awss_own_validator_takes():
    chance = random.Random(SEED)
    account = sms.account(values_of("sns_sms", "http://127.0.0.1:9"))
    topic = next(iter(account.topic_arns))
    url = "https://sns.us-east-1.amazonaws.com/x.pem"
    messages = []
    for number in range(200):
        kind = chance.choice(("Notification", "SubscriptionConfirmation"))
        message = signed_message(kind, topic, f"Grüße {number} 😀\n", "127.0.0.1:9", chance.choice("12"))
        message["SigningCertURL"] = url
        if chance.random() < 0.5:
            name = chance.choice(("Message", "MessageId", "Timestamp", "Signature"))
            at = chance.randrange(len(message[name]) - 4)
            other = "0" if message[name][at] != "0" else "1"
            message[name] = message[name][:at] + other + message[name][at + 1 :]
        messages.append(message)
    certificate = _signing()[1]
    theirs = oracle("sns.js", {"certificate": certificate.decode(), "messages": messages})
    ours = [
        sms.is_genuine(
            account,
            CallbackRequest(
                method="POST",
                url="https://notify.example/",
                headers={"x-amz-sns-message-type": message["Type"]},
                body=json.dumps(message).encode(),
                documents={url: certificate},
            ),
        )
        for message in messages
    ]
    assert True in theirs
    assert False in theirs
    assert ours == theirs
