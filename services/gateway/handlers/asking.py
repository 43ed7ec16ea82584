"""A request about one campaign, and asking the services for what it takes, because they do not ask each other."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote
from uuid import UUID

import msgspec

from contracts.channels import CHANNELS, Channel
from contracts.http.endpoints import BASE
from contracts.http.plans import CampaignPlan, Finding
from services.gateway.handlers.owners import Owners
from services.gateway.store.answers import Answer
from shared.database import Transactions

UNLAUNCHED = ("draft", "scheduled")

NO_AUDIENCE = Finding(
    code="no_audience", field="audienceFilter", message="finds nobody, and nobody was added: set it, or add recipients"
)
"""The blocker of a campaign that only those services together know."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A request about one campaign. `names` are the parts of its path, `query` as it was sent,
    `effect_id` what the effect is known by."""

    database: Transactions
    owners: Owners
    user_id: str
    path: str
    names: Mapping[str, str]
    query: str
    body: bytes
    effect_id: UUID

    @property
    def channel(self) -> Channel:
        """The channel in the path."""
        return CHANNELS[self.path.removeprefix(BASE).split("/")[1]]

    @property
    def campaign_id(self) -> str:
        """As it stands in the path."""
        return quote(self.names["id"], safe="")

    def internal(self, action: str) -> str:
        """Where services tell each other about the campaign."""
        return f"/internal/{self.channel.name}/campaigns/{self.campaign_id}/{action}"

    async def ask(self, owner: str, method: str, target: str, body: bytes = b"") -> Answer:
        """The owner's answer, whatever it is."""
        headers = {"content-type": "application/json"}
        return await self.owners.ask(owner, method, target, self.user_id, headers, body)

    async def want(self, owner: str, method: str, target: str, body: bytes = b"") -> Any:
        """The data in an owner's answer; raises `Unwanted` when it is a problem."""
        answer = await self.ask(owner, method, target, body)
        if answer.status >= 400:
            raise Unwanted(answer)
        return json.loads(answer.body)["data"]

    async def plan(self) -> CampaignPlan:
        """What the campaign would do; raises `Unwanted` for one that is not there."""
        answer = await self.ask("campaign", "GET", self.internal("plan"))
        if answer.status >= 400:
            raise Unwanted(answer)
        return msgspec.json.decode(answer.body, type=CampaignPlan)


class Unwanted(Exception):
    """An owner's problem, which becomes the answer."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(f"status {answer.status}")
        self.answer = answer


def answer_with(data: Any, status: int = 200) -> Answer:
    """The data as an answer."""
    return Answer(status, "application/json", json.dumps({"data": data}, ensure_ascii=False).encode())


def shown_finding(one: Finding) -> dict[str, str]:
    """A finding as the API shows it."""
    return {"code": one.code, "field": one.field, "message": one.message}
