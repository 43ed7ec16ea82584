"""Text that must not be read in logs: the types whose `repr` says nothing."""

from __future__ import annotations

from typing import NoReturn

HIDDEN_SHOWN_MAX = 12
"""Dots that stand for what is hidden; a device token has hundreds of characters."""


class Masked(str):
    """A string that formats normally where it is used on purpose, and never shows itself in a `repr`."""

    __slots__ = ()

    def __repr__(self) -> str:
        return f"{type(self).__name__}(…)"

    def __reduce__(self) -> NoReturn:
        raise TypeError(f"{type(self).__name__} is not to be pickled")


class PhoneNumber(Masked):
    """An E.164 number with its plus sign; `repr` keeps the length only."""

    __slots__ = ()


class DeviceToken(Masked):
    """A push provider's address of one installation of an app."""

    __slots__ = ()


class Secret(Masked):
    """A credential."""

    __slots__ = ()


def masked_phone_number(number: str) -> str:
    """The number (or another address) with all but its first three and last two characters hidden, for lists."""
    return f"{number[:3]}{'•' * min(max(len(number) - 5, 0), HIDDEN_SHOWN_MAX)}{number[-2:]}"
