"""What the gateway asks the audience service for a person who has opened the link in a message."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from contracts.http.model import Model

TOPICS_MAX = 50
"""Categories that a person is asked about."""

Topic = Annotated[str, StringConstraints(min_length=1, max_length=100)]
ChannelName = Literal["sms", "push"]
FlagName = Literal["smsOptedIn", "pushOptedIn", "marketingOptedIn", "transactionalOptedIn"]


class OwnPreferencesAsked(Model):
    """Whom the message was for, and what they choose: flags, and by channel the topics that they tick.

    Without a choice nothing is changed.
    """

    channel: ChannelName
    address: Annotated[str, StringConstraints(min_length=1, max_length=4_096)] = Field(repr=False)
    customer_id: Annotated[str, StringConstraints(min_length=1, max_length=200)] | None = None
    flags: dict[FlagName, bool] = Field(default_factory=dict)
    topics: dict[ChannelName, Annotated[list[Topic], Field(max_length=TOPICS_MAX)]] = Field(default_factory=dict)


class OwnChoices(Model):
    """What the person can choose, and has chosen; of topics those that are ticked."""

    flags: dict[FlagName, bool]
    topics: dict[ChannelName, list[str]]


class OwnPreferences(Model):
    """The answer; `before` where something was to be changed. The phone number is masked."""

    now: OwnChoices
    before: OwnChoices | None
    offered: list[str]
    phone_number: str | None
