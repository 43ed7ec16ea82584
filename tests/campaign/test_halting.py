"""A campaign that the dispatcher has stopped is paused, once."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import pytest_asyncio
from pydantic import SecretStr

from contracts.channels import CHANNELS, Channel
from contracts.events import CampaignHalted
from services.campaign import store
from services.campaign.domain.states import Action
from services.campaign.handlers.hearing import on_campaign_progressed
from services.campaign.handlers.lifecycle import act
from services.campaign.tables import CAMPAIGNS
from shared.codec import now
from shared.database import Database, insert_once, open_database
from shared.ids import new_id


@dataclass
class Halted:
    """A campaign that is being sent, and the news that it was stopped."""

    database: Database
    channel: Channel
    campaign_id: UUID = field(default_factory=new_id)

    async def begin(self) -> None:
        values = {
            "id": self.campaign_id,
            "user_id": "tenant",
            "campaign_name": "Sale",
            "template_id": new_id(),
            "category": "marketing",
            "unknown_policy": "hold",
            "status": "sending",
            "launched_at": now(),
        }
        async with self.database.begin() as connection:
            await insert_once(connection, CAMPAIGNS[self.channel.name], values)

    async def row(self) -> Mapping[Any, Any]:
        async with self.database.begin() as connection:
            row = await store.find_campaign_anywhere(connection, self.channel.name, self.campaign_id)
        assert row is not None
        return row

    async def halt(self) -> None:
        event = CampaignHalted(
            event_id=new_id(),
            occurred_at=now(),
            campaign_id=self.campaign_id,
            user_id="tenant",
            channel=self.channel.name,
            reason="too_many_dead_addresses",
        )
        await on_campaign_progressed(self.database, [event])

    async def act(self, action: Action) -> None:
        async with self.database.begin() as connection:
            row = await store.find_campaign_anywhere(connection, self.channel.name, self.campaign_id)
            assert row is not None
            await act(connection, self.channel, row, action)


@pytest_asyncio.fixture(params=sorted(CHANNELS))
async def campaign(request, database_of) -> AsyncIterator[Halted]:
    async with open_database(SecretStr(database_of("campaign")), 4, "test") as database:
        made = Halted(database, CHANNELS[request.param])
        await made.begin()
        yield made


async def test_it_is_paused_with_the_reason(campaign):
    await campaign.halt()
    row = await campaign.row()
    assert (row["status"], row["status_reason"]) == ("paused", "too_many_dead_addresses")


async def test_a_repeated_message_does_not_pause_it_again(campaign):
    await campaign.halt()
    await campaign.act(Action.RESUME)
    await campaign.halt()
    assert (await campaign.row())["status"] == "sending"


async def test_a_campaign_that_has_ended_stays_as_it_is(campaign):
    await campaign.act(Action.FINISH)
    await campaign.halt()
    assert (await campaign.row())["status"] == "sent"
