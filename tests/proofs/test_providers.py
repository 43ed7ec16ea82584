"""The proof of providers, small."""

from __future__ import annotations

from tests.proofs.providers import prove
from tests.providers.samples import KINDS

SIZE = 300
SEED = 20_261_124


async def test_a_campaign_through_each_provider_balances():
    lines: list[str] = []
    outcomes = await prove(SIZE, SEED, lines.append)
    assert [one.kind for one in outcomes] == KINDS
    assert all(one.holds for one in outcomes), "\n".join(lines)
