"""Wrong credentials look like dead addresses: who may judge an address, and what stops a campaign. No input or output.

An environment, topic or project that does not fit makes a vendor call every address dead. So addresses are suppressed
only on the word of an account most of whose addresses live, and a campaign most of whose addresses look dead is halted
until somebody has looked at it.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from contracts.events import AddressVerdict

DEAD_SHARE_MAX = 0.3
"""The share of dead addresses above which the account is suspected."""

ANSWERS_MIN = 20
"""Answers of an account before it is believed; verdicts wait until then."""

HALT_FROM = 50
"""Answers in a campaign before it can be halted."""

_REMEMBERED_MAX = 100
"""Answers of an account that count; older ones fade. Its good past must not vouch for long when it goes wrong."""

JUDGED: Mapping[str, str] = {"recipient_permanent": "dead", "recipient_opted_out": "opted_out"}
"""The verdict over an address, by the class of the error."""

_HELD_MAX = 1000
_KEYS_MAX = 10_000

HALTED = "too_many_dead_addresses"


@dataclass(slots=True)
class _Answers:
    answered: float = 0.0
    dead: float = 0.0
    held: list[AddressVerdict] = field(default_factory=list)

    def add(self, answered: int, dead: int) -> None:
        if self.answered + answered > _REMEMBERED_MAX:
            self.answered /= 2
            self.dead /= 2
        self.answered += answered
        self.dead += dead

    @property
    def suspect(self) -> bool:
        return self.dead > self.answered * DEAD_SHARE_MAX


@dataclass(slots=True)
class Guard:
    """What one process has heard: answers per account, and per campaign until it is clear or halted."""

    _accounts: dict[Hashable, _Answers] = field(default_factory=dict)
    _campaigns: dict[UUID, _Answers] = field(default_factory=dict)

    def believe(self, of: Hashable, answered: int, dead: Sequence[AddressVerdict]) -> list[AddressVerdict]:
        """The verdicts that hold now: none, these, or also some that had to wait.

        `of` is whose word they are: a version of an account, or for receipts a tenant and a provider.
        """
        account = self._accounts.setdefault(of, _Answers())
        account.add(answered, len(dead))
        account.held = [*account.held, *dead][-_HELD_MAX:]
        _forget(self._accounts)
        if account.answered < ANSWERS_MIN:
            return []
        found, account.held = account.held, []
        return [] if account.suspect else found

    def must_halt(self, campaign_id: UUID, answered: int, dead: int) -> bool:
        """True from when most of a campaign's first addresses look dead."""
        campaign = self._campaigns.setdefault(campaign_id, _Answers())
        if campaign.answered < HALT_FROM or campaign.suspect:
            campaign.add(answered, dead)
        _forget(self._campaigns)
        return campaign.answered >= HALT_FROM and campaign.suspect


def _forget(known: dict[Any, _Answers]) -> None:
    while len(known) > _KEYS_MAX:
        known.pop(next(iter(known)))
