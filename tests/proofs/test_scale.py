"""The proof of scale, small: everything is right; how fast it is depends on the size and is not asked here."""

from __future__ import annotations

from tests.proofs.scale import STATUSES, prove

SIZE = 2_000
SEED = 20_261_125
REQUESTS = 3


async def test_what_is_filled_balances_and_is_found():
    outcome = await prove(SIZE, SEED, REQUESTS, lambda _: None)
    assert outcome.mistakes() == []
    assert outcome.events > 5 * SIZE
    assert len(outcome.figures) == 1 + 2 * (1 + 3 + 3 * len(STATUSES)) + 2 * 2**4 + 6
