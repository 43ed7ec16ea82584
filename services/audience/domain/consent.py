"""Who may be written to.

A message of a category may go to an address when the customer's flag of the channel is set, the flag of the category
is set (`transactional` has its own; every other category counts as marketing), and the channel's list of categories,
if there is one, names the category. An opt-out belongs to the address: whoever shares it is opted out too.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

ALL = "all"
"""The scope of an opt-out from everything on a channel."""

MARKETING = "marketing"
TRANSACTIONAL = "transactional"

UNLISTED = "*"
"""The scope of every category but `transactional` of which nothing newer was said by name; no category is called so."""


@dataclass(frozen=True, slots=True)
class Consent:
    """A customer's choices on one channel; `categories` None means all of them."""

    opted_in: bool = True
    marketing: bool = True
    transactional: bool = True
    categories: frozenset[str] | None = None

    def allows(self, scope: str) -> bool:
        """Whether messages of the scope may be sent as far as the scope itself decides."""
        if scope == ALL:
            return self.opted_in
        flag = self.transactional if scope == TRANSACTIONAL else self.marketing
        return flag and (self.categories is None or scope in self.categories)

    def with_flags(self, flags: Mapping[str, bool]) -> Consent:
        """The same with other answers for these scopes of `flags`."""
        now = {**self.flags(), **flags}
        return replace(self, opted_in=now[ALL], marketing=now[MARKETING], transactional=now[TRANSACTIONAL])

    def flags(self) -> dict[str, bool]:
        """The scopes that have a flag of their own."""
        return {ALL: self.opted_in, MARKETING: self.marketing, TRANSACTIONAL: self.transactional}

    def scopes(self) -> frozenset[str]:
        """The scopes that this consent can say something about."""
        return frozenset({ALL, MARKETING, TRANSACTIONAL, UNLISTED}) | (self.categories or frozenset())


def consent_changes(before: Consent, after: Consent) -> list[tuple[str, bool]]:
    """(scope, opted_out) of every scope whose answer is another one now.

    With `UNLISTED` the listed categories are said again: of the two the newer statement counts.
    """
    scopes = before.scopes() | after.scopes()
    changed = {scope for scope in scopes if before.allows(scope) != after.allows(scope)}
    if UNLISTED in changed:
        changed |= after.categories or frozenset()
    return [(scope, not after.allows(scope)) for scope in sorted(changed)]


def flag_scopes(flag: str, consent: Consent) -> frozenset[str]:
    """The scopes that the flag of a scope decides about."""
    return consent.scopes() - {ALL, TRANSACTIONAL} if flag == MARKETING else frozenset({flag})


def flag_of(category: str) -> str:
    """The column of `notification_preferences` that decides about a category."""
    return f"{TRANSACTIONAL if category == TRANSACTIONAL else MARKETING}_opted_in"


def stop_scopes(category: str) -> list[str]:
    """The scopes of a suppression that keep a message of the category from an address."""
    return [ALL, TRANSACTIONAL if category == TRANSACTIONAL else MARKETING]
