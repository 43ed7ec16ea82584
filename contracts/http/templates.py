"""Templates: what is sent, with placeholders."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, StringConstraints

from contracts.http.model import DESCRIPTION_MAX, NAME_MAX, Model
from contracts.http.patterns import LINK

TEXT_MAX = 1_600
"""Longest text that is read at all; the limits of the channel are checked by the template's own rules."""

Name = Annotated[str, StringConstraints(min_length=1, max_length=NAME_MAX, strip_whitespace=True)]
Text = Annotated[str, StringConstraints(min_length=1, max_length=TEXT_MAX)]
Link = Annotated[str, StringConstraints(min_length=1, max_length=2_000, pattern=LINK)]


class SmsTemplateWrite(Model):
    """A text message."""

    template_name: Name
    content: Text
    track_links: bool = False
    description: str | None = Field(None, max_length=DESCRIPTION_MAX)


class SmsTemplateChange(Model):
    """What is to change in an SMS template."""

    template_name: Name | None = None
    content: Text | None = None
    track_links: bool = False
    description: str | None = Field(None, max_length=DESCRIPTION_MAX)


class PushTemplateWrite(Model):
    """A push notification."""

    template_name: Name
    title: Text
    body: Text
    image_url: Link | None = None
    action_url: Link | None = None
    track_links: bool = False
    description: str | None = Field(None, max_length=DESCRIPTION_MAX)


class PushTemplateChange(Model):
    """What is to change in a push template."""

    template_name: Name | None = None
    title: Text | None = None
    body: Text | None = None
    image_url: Link | None = None
    action_url: Link | None = None
    track_links: bool = False
    description: str | None = Field(None, max_length=DESCRIPTION_MAX)


class TemplatePreview(Model):
    """Values for the placeholders; those of a sample customer are used where none are given."""

    variables: dict[str, Annotated[str, StringConstraints(max_length=500)]] | None = Field(None, max_length=50)


TEMPLATE_WRITES: dict[str, type[Model]] = {"sms": SmsTemplateWrite, "push": PushTemplateWrite}
TEMPLATE_CHANGES: dict[str, type[Model]] = {"sms": SmsTemplateChange, "push": PushTemplateChange}
