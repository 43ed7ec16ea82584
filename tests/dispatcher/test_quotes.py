"""What a campaign will cost, and how long it will take."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.channels import SMS
from services.dispatcher.domain import (
    Drain,
    Portion,
    PricedPortion,
    Speed,
    Tariffs,
    estimate_drain,
    example_address,
    price_portions,
)
from services.dispatcher.routes.quotes import quote_routes
from services.dispatcher.store.rates import mark_throttled
from shared.http import internal_app
from tests.asking import Client
from tests.dispatcher.conftest import Scene
from tests.dispatcher.desk import Desk, allow, desk
from tests.provider_simulator.conftest import simulated

__all__ = ["desk", "simulated"]
only_sms = pytest.mark.parametrize("scene", ["sms"], indirect=True)
TARIFFS = Tariffs(
    {
        ("sms", "twilio"): {"+1": (8_000, "USD"), "+1242": (90_000, "USD"), "+49": (70_000, "EUR")},
        ("sms", "sinch"): {"+": (1, "USD")},
    }
)


# --- arithmetic -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("speed", "drain"),
    [
        (Speed(), None),
        (Speed(configured=10), Drain(30, 10, "segments")),
        (Speed(configured=10, learned=5), Drain(60, 5, "segments")),
        (Speed(configured=10, learned=50), Drain(30, 10, "segments")),
        (Speed(configured=10, measured=1), Drain(30, 10, "segments")),
        (Speed(measured=50), Drain(4, 50, "messages")),
        (Speed(learned=1000, measured=50), Drain(4, 50, "messages")),
        (Speed(learned=5, measured=50), Drain(60, 5, "segments")),
        (Speed(configured=10, held_seconds=7), Drain(37, 10, "segments")),
    ],
)
def test_the_slowest_of_what_is_known_decides(speed: Speed, drain: Drain | None):
    assert estimate_drain(speed, "segments", 300, 200) == drain


@pytest.mark.parametrize(
    ("country", "begins"), [("DE", "+49"), ("US", "+1"), ("BS", "+1242"), ("ZZ", "+"), ("unknown", "+"), ("", "+")]
)
def test_a_country_has_an_example(country: str, begins: str):
    assert example_address(country).startswith(begins)


def test_portions_are_priced_by_the_longest_prefix_and_so_is_the_rest():
    portions = [Portion("DE", 10, 20), Portion("BS", 1, 1), Portion("FR", 5, 5)]
    prices = price_portions(TARIFFS, SMS, "twilio", Portion(None, 20, 30), portions)
    assert [(one.portion.country, one.micros, one.currency) for one in prices] == [
        ("DE", 1_400_000, "EUR"),
        ("BS", 90_000, "USD"),
        ("FR", None, None),
        (None, None, None),
    ]
    assert prices[-1].portion == Portion(None, 4, 4)


@given(st.lists(st.builds(Portion, st.sampled_from(["DE", "US", "??"]), st.integers(0, 99), st.integers(0, 99))))
def test_nobody_is_left_out_of_the_price(portions: list[Portion]):
    whole = Portion(None, 10_000, 20_000)
    prices = price_portions(TARIFFS, SMS, "sinch", whole, portions)
    assert sum(one.micros or 0 for one in prices) == whole.segments
    assert sum(one.portion.recipients for one in prices) == whole.recipients
    assert price_portions(TARIFFS, SMS, "sinch", Portion(None, 0, 0), []) == []
    assert isinstance(prices[0], PricedPortion)


# --- over HTTP --------------------------------------------------------------------------------------------------------


class Asker:
    """Asks a desk's dispatcher."""

    def __init__(self, desk: Desk) -> None:
        self.scene = desk.scene
        app = internal_app("dispatcher")
        app.include_router(quote_routes(desk.sending.accounts, TARIFFS))
        self._client = Client(app, "/internal", {"X-User-Id": desk.scene.user_id, "Content-Type": "application/json"})

    async def ask(self, **change: Any) -> Any:
        body = {
            "channel": self.scene.channel.name,
            "providerId": str(self.scene.provider_id),
            "recipients": 100,
            "segments": 200,
            "byCountry": [{"country": "DE", "recipients": 60, "segments": 120}],
        }
        return await self._client.post("/quotes", json=body | change)

    async def quoted(self, **change: Any) -> dict[str, Any]:
        answer = await self.ask(**change)
        assert answer.status_code == 200, answer.text
        data: dict[str, Any] = answer.json()["data"]
        return data


@pytest.fixture
def asker(desk: Desk) -> Asker:
    return Asker(desk)


@only_sms
async def test_a_quote_knows_price_rate_and_who_is_ahead(desk: Desk, scene: Scene, asker: Asker):
    unknown = await asker.quoted()
    assert (unknown["drainSeconds"], unknown["ratePerSecond"], unknown["rateUnit"]) == (None, None, "segments")
    assert unknown["drainReason"] == "speed_unknown"
    assert unknown["cost"] == [{"currency": "EUR", "micros": 8_400_000}]
    assert unknown["byCountry"] == [
        {"country": "DE", "recipients": 60, "segments": 120, "micros": 8_400_000, "currency": "EUR"}
    ]
    assert unknown["untariffed"] == 40
    await allow(desk, ratePerSecond=20)
    known = await asker.quoted()
    assert (known["drainSeconds"], known["drainReason"]) == (10, None)
    assert (await asker.quoted(providerId=None))["drainSeconds"] == 10
    await scene.arrive(scene.lot(50))
    await scene.launch()
    ahead = await asker.quoted()
    assert (ahead["drainSeconds"], ahead["ratePerSecond"], ahead["rateUnit"]) == (15, 20.0, "segments")


@only_sms
async def test_a_quote_knows_what_was_learned(desk: Desk, scene: Scene, asker: Asker):
    async with scene.database.transaction() as connection:
        await mark_throttled(connection, scene.provider_id, achieved=40.0, share=1.0, hold_seconds=30.0)
    learned = await asker.quoted()
    assert 35 < learned["drainSeconds"] <= 41
    assert learned["ratePerSecond"] == pytest.approx(20, rel=0.2)


async def test_pushes_cost_nothing(scene: Scene, asker: Asker):
    if scene.channel.billed_by_segment:
        assert (await asker.quoted(byCountry=[]))["untariffed"] == 100
        return
    quote = await asker.quoted()
    assert (quote["cost"], quote["untariffed"], quote["byCountry"][0]["micros"]) == ([], 0, None)


@only_sms
@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"providerId": "0193e5a0-0000-7000-8000-000000000000"}, 404),
        ({"channel": "fax"}, 422),
        ({"recipients": -1}, 422),
        ({"byCountry": [{"country": "DE"}]}, 422),
    ],
)
async def test_what_cannot_be_quoted_is_said(asker: Asker, change: dict[str, Any], status: int):
    assert (await asker.ask(**change)).status_code == status
