"""The proof of crashes, small."""

from __future__ import annotations

from tests.proofs.crashes import control, prove

SIZE = 2_000
SEED = 20_261_124


async def test_killing_services_loses_nothing_and_sends_nothing_twice():
    lines: list[str] = []
    outcomes = await prove(SIZE, SEED, 2, lines.append)
    assert [(one.victim, len(one.points)) for one in outcomes] == [
        ("dispatcher", 2),
        ("audience", 2),
        ("delivery_receipt", 2),
    ]
    assert all(one.holds for one in outcomes), "\n".join(lines)


async def test_the_proof_finds_a_broken_ledger():
    broken = await control(SIZE, SEED, 3, lambda _: None)
    assert broken.double_sends > 0
    assert not broken.balanced
