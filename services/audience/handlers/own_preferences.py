"""What people see and decide about themselves, by the link in a message."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from contracts.channels import CHANNELS
from contracts.http.own_preferences import TOPICS_MAX
from contracts.masked import masked_phone_number
from services.audience.domain.consent import MARKETING, TRANSACTIONAL
from services.audience.handlers.consent import choose, choose_at, flag_columns
from services.audience.store import customers, preferences
from services.audience.tables import CUSTOMERS
from shared.database import Connection
from shared.database.tenancy import Transactions

SOURCE = "preference_page"

_BY_FLAGS = frozenset({MARKETING, TRANSACTIONAL})
"""Categories that have a flag of their own, and so are no topics."""


@dataclass(frozen=True, slots=True)
class Person:
    """Whom a message was for. Of somebody who is no customer, or no more, the address is all that we know."""

    channel: str
    address: str = field(repr=False)
    customer_id: str | None = None


@dataclass(frozen=True, slots=True)
class Own:
    """Values of the columns that the person can choose. Lists hold what is ticked of the topics that are offered.

    The number is masked.
    """

    choices: dict[str, Any]
    offered: list[str]
    phone_number: str | None


async def find_own(database: Transactions, user_id: str, person: Person) -> Own:
    """What the person has chosen."""
    async with database.transaction() as connection:
        return await _find(connection, user_id, await _known(connection, user_id, person))


async def choose_own(
    database: Transactions, user_id: str, person: Person, choices: Mapping[str, Any]
) -> tuple[Own, Own]:
    """What the person had chosen, and has now; from the commit on it counts. What they cannot choose is passed over."""
    async with database.transaction() as connection:
        person = await _known(connection, user_id, person)
        before = await _find(connection, user_id, person)
        wanted = {
            column: _listed(value, before.offered) if isinstance(value, list) else value
            for column, value in choices.items()
            if column in before.choices and (value is False or value != before.choices[column])
        }
        if person.customer_id is None:
            await choose_at(connection, user_id, person.channel, person.address, wanted, SOURCE)
        else:
            also_at = {person.channel: person.address}
            await choose(connection, user_id, person.customer_id, wanted, SOURCE, also_at)
        return before, await _find(connection, user_id, person)


def _listed(ticked: list[str], offered: list[str]) -> list[str] | None:
    """The list of categories: none where every topic is ticked, which includes those to come."""
    chosen = set(ticked) & set(offered)
    return None if chosen == set(offered) else sorted(chosen | _BY_FLAGS)


async def _known(connection: Connection, user_id: str, person: Person) -> Person:
    """The person without the customer that they are no more."""
    named = [person.customer_id] if person.customer_id is not None else []
    known = await customers.find_known_customers(connection, user_id, named)
    return person if known else replace(person, customer_id=None)


async def _find(connection: Connection, user_id: str, person: Person) -> Own:
    has_number = CHANNELS[person.channel].address_column == CUSTOMERS.c.phone_number.name
    number = person.address if has_number else None
    if person.customer_id is None:
        flags = (await preferences.find_consent_at(connection, user_id, person.channel, person.address)).flags()
        choices: dict[str, Any] = {column: flags[scope] for column, scope in flag_columns(person.channel).items()}
        return Own(choices, [], _masked(number))
    found = await preferences.find_choices(connection, user_id, [person.customer_id])
    own_number, *values = found.get(person.customer_id, preferences.NOTHING_CHOSEN)
    choices = dict(zip((*preferences.FLAGS, *preferences.LISTS), values, strict=True))
    lists = {column: choices[column] for column in preferences.LISTS}
    used = set(await preferences.find_topics(connection, user_id, TOPICS_MAX))
    offered = sorted(used.union(*(listed or () for listed in lists.values())) - _BY_FLAGS)[:TOPICS_MAX]
    for column, listed in lists.items():
        choices[column] = [topic for topic in offered if listed is None or topic in listed]
    return Own(choices, offered, _masked(own_number or number))


def _masked(number: str | None) -> str | None:
    return None if number is None else masked_phone_number(number)
