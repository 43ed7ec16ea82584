"""One table of topics: each with an owner, a key and its events; each event in one place."""

from __future__ import annotations

from collections import defaultdict

import pytest

from contracts.events import EVENTS, LotResolved
from contracts.topics import DEAD_LETTERS, TOPICS, Topic
from shared.database.roles import SERVICES

SAME_EVENT_TWO_LANES = {LotResolved.__name__: {"lots", "transactional-lots"}}
"""The lanes differ so that campaigns never delay send requests; a lane has one topic."""


@pytest.mark.parametrize("topic", TOPICS, ids=lambda topic: topic.name)
def test_a_topic_is_complete(topic: Topic) -> None:
    assert topic.key
    assert topic.purpose.endswith(".")
    assert topic.partitions >= 1
    assert topic.retention_ms is None or topic.retention_ms >= 24 * 3600 * 1000
    if topic is not DEAD_LETTERS:
        assert topic.events
        assert set(SERVICES) & set(topic.owner.split())


def test_topics_have_names_of_their_own() -> None:
    assert len({topic.name for topic in TOPICS}) == len(TOPICS)


def test_every_event_is_in_exactly_one_topic() -> None:
    places: dict[str, set[str]] = defaultdict(set)
    for topic in TOPICS:
        for event in topic.events:
            places[event.__name__].add(topic.name)
    assert set(places) == set(EVENTS)
    assert {name: found for name, found in places.items() if len(found) != 1} == SAME_EVENT_TWO_LANES


def test_compacted_topics_can_say_that_something_is_gone() -> None:
    for topic in TOPICS:
        if topic.retention_ms is None:
            assert all("deleted" in event.__struct_fields__ for event in topic.events), topic.name
